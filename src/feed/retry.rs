//! When a broken connection is tried again, and when a feed that keeps breaking is called failing. Pure: lengths of
//! time go in, decisions come out.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// A connection that held this long was good: the next loss starts from the first, fast retry.
pub const STABLE: Duration = Duration::from_secs(60);
/// Jitter adds up to as much again: the first retry comes after 100 to 200 ms, the longest after 30 to 60 s.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// So many fatal messages at one cursor mark the feed as failing (contracts, "Robustness").
const STRIKES: u32 = 3;

/// Jittered exponential backoff over the losses of one feed.
#[derive(Debug)]
pub struct Retry {
    backoff: ExponentialBackoff,
    attempt: u32,
}

impl Retry {
    pub fn new() -> Self {
        Self { backoff: backoff(), attempt: 0 }
    }

    /// A connection ended that had held for `lived` (0: it was never made). Gives the number of losses in a row and
    /// how long to wait, at most 60 s.
    pub fn lost(&mut self, lived: Duration) -> (u32, Duration) {
        if lived >= STABLE {
            *self = Self::new();
        }
        self.attempt += 1;
        (self.attempt, self.backoff.next().unwrap_or(LONGEST))
    }
}

fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .without_max_times()
        .with_jitter()
        .build()
}

/// Counts the fatal messages at one cursor.
#[derive(Debug, Default)]
pub struct Strikes {
    cursor: Option<Box<str>>,
    count: u32,
}

impl Strikes {
    /// A message that RFC 6455 calls fatal ended a connection that had begun at `cursor` and held for `lived`.
    /// True when the feed becomes failing by it.
    pub fn strike(&mut self, cursor: Option<&str>, lived: Duration) -> bool {
        // Without a cursor nothing says that it was the same message again, so only a quick repeat counts.
        if self.cursor.as_deref() != cursor || (cursor.is_none() && lived >= STABLE) {
            *self = Self { cursor: cursor.map(Into::into), count: 0 };
        }
        self.count += 1;
        self.count == STRIKES
    }

    /// True when a failing feed is so no more: the cursor has moved on, or, where there is none, it holds.
    pub fn recovers(&mut self, cursor: Option<&str>, lived: Duration) -> bool {
        if self.count < STRIKES {
            return false;
        }
        let recovers = self.cursor.as_deref() != cursor || (cursor.is_none() && lived >= STABLE);
        if recovers {
            *self = Self::default();
        }
        recovers
    }

    pub fn failing(&self) -> bool {
        self.count >= STRIKES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_retry_is_fast_later_ones_wait_longer_and_never_more_than_a_minute() {
        let mut retry = Retry::new();
        let waits: Vec<_> = (1..=20)
            .map(|n| {
                let (attempt, wait) = retry.lost(Duration::ZERO);
                assert_eq!(attempt, n);
                wait
            })
            .collect();
        assert!(waits[0] <= Duration::from_millis(200), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(60)), "{waits:?}");
        assert!(waits[12..].iter().all(|wait| *wait >= Duration::from_secs(30)), "{waits:?}");
    }

    #[test]
    fn waits_differ_between_feeds() {
        let waits = || {
            let mut retry = Retry::new();
            (0..8).map(|_| retry.lost(Duration::ZERO).1).collect::<Vec<_>>()
        };
        assert_ne!(waits(), waits());
    }

    #[test]
    fn a_stable_minute_is_a_fresh_start_and_less_is_not() {
        let mut retry = Retry::new();
        for _ in 0..10 {
            retry.lost(Duration::ZERO);
        }
        let (attempt, wait) = retry.lost(59 * SECOND);
        assert_eq!(attempt, 11);
        assert!(wait >= 30 * SECOND);
        let (attempt, wait) = retry.lost(60 * SECOND);
        assert_eq!(attempt, 1);
        assert!(wait < SECOND);
    }

    #[test]
    fn three_fatal_messages_at_one_cursor_are_failing_until_the_cursor_moves() {
        let mut strikes = Strikes::default();
        assert!(!strikes.strike(Some("a"), 900 * SECOND));
        assert!(!strikes.strike(Some("a"), 900 * SECOND));
        assert!(!strikes.strike(Some("b"), SECOND), "another place");
        assert!(!strikes.strike(Some("b"), SECOND));
        assert!(!strikes.recovers(Some("c"), SECOND), "was not failing");
        assert!(strikes.strike(Some("b"), SECOND));
        assert!(strikes.failing());
        assert!(!strikes.strike(Some("b"), SECOND), "told once");
        assert!(!strikes.recovers(Some("b"), 900 * SECOND));
        assert!(strikes.recovers(Some("c"), Duration::ZERO));
        assert!(!strikes.failing());
    }

    #[test]
    fn without_a_cursor_only_quick_repeats_are_one_place() {
        let mut strikes = Strikes::default();
        for _ in 0..5 {
            assert!(!strikes.strike(None, 61 * SECOND));
        }
        assert!(!strikes.strike(None, SECOND));
        assert!(strikes.strike(None, SECOND));
        assert!(!strikes.recovers(None, 59 * SECOND));
        assert!(strikes.recovers(None, 60 * SECOND));
    }
}
