//! How long tests may take: `make test` runs a few rounds of what is random, `make test-long` (VIGIE_LONG=1) many.

use std::time::{Duration, Instant};

/// Whether this is a long run.
pub fn long() -> bool {
    std::env::var_os("VIGIE_LONG").is_some_and(|value| !value.is_empty() && value != "0")
}

/// When what is long is to end, however many rounds are left: `VIGIE_LONG_SECONDS` after its beginning.
pub fn deadline() -> Option<Instant> {
    let seconds = std::env::var("VIGIE_LONG_SECONDS").ok()?.parse().ok()?;
    long().then(|| Instant::now() + Duration::from_secs(seconds))
}

/// One of two counts, by the kind of run.
pub fn rounds(short: u64, many: u64) -> u64 {
    if long() { many } else { short }
}
