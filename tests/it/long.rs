//! How long tests may take: `make test` runs a few rounds of what is random, `make test-long` (VIGIE_LONG=1) many.

/// Whether this is a long run.
pub fn long() -> bool {
    std::env::var_os("VIGIE_LONG").is_some_and(|value| !value.is_empty() && value != "0")
}

/// One of two counts, by the kind of run.
pub fn rounds(short: u64, many: u64) -> u64 {
    if long() { many } else { short }
}
