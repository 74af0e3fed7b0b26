//! How long to wait before the next attempt.

use std::time::Duration;

use crate::event::Digest;

/// The longest wait that a receiver may ask for by `Retry-After`: an alarm is not put off by a header.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// Doubling waits with jitter: attempt n waits between a half and the whole of `first` · 2ⁿ⁻¹, at most `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Backoff {
    /// 1 s doubling to 5 min.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The wait of `whom` after `failures` failures in a row (from 1), not less than the receiver asked for. Jitter comes
    /// from both, so that what waits for one receiver does not come back at once, and a run can be repeated.
    pub fn wait(&self, whom: &str, failures: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let lot = Digest::of(format!("{failures} {whom}").as_bytes()).0[0];
        let jittered = doubled.min(self.longest).mul_f64(0.5 + f64::from(lot) / 510.0);
        jittered.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date compared with `now`.
pub(super) fn retry_after(text: &str, now: crate::event::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.as_millisecond() - now.0).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    #[test]
    fn waits_double_up_to_the_longest_and_honour_what_was_asked() {
        let backoff = Backoff::default();
        for (failures, longest) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (1000, 300)] {
            for whom in 0..20 {
                let wait = backoff.wait(&format!("alert-{whom}"), failures, None).as_secs_f64();
                assert!(
                    (longest as f64 / 2.0..=longest as f64).contains(&wait),
                    "{failures}: {wait}"
                );
            }
        }
        assert!(backoff.wait("a", 1, Some(Duration::from_secs(30))) >= Duration::from_secs(30));
        assert_eq!(backoff.wait("a", 1, Some(Duration::from_secs(1 << 40))), LONGEST_ASKED);
    }

    #[test]
    fn those_who_wait_for_one_receiver_do_not_come_back_together() {
        let backoff = Backoff::default();
        let waits: std::collections::BTreeSet<_> =
            (0..20).map(|whom| backoff.wait(&format!("alert-{whom}"), 3, None)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-11-06T08:49:00Z").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Fri, 06 Nov 2026 08:49:37 GMT", now),
            Some(Duration::from_secs(37))
        );
        assert_eq!(retry_after("Fri, 06 Nov 2026 08:48:37 GMT", now), None);
        assert_eq!(retry_after("soon", now), None);
    }
}
