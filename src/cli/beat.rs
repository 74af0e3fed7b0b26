//! When time passes on a live feed without events: only while it is connected and level. Pure: what came and what the
//! running clock showed goes in, how much time has passed comes out (contracts, "Time").

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Timestamp;

/// No ticks so soon after connecting.
const SETTLE: Duration = Duration::from_secs(5);
/// A feed whose newest time gains more than [`GAIN_MS`] within this is behind: it tells what was, not what is.
const SPAN: Duration = Duration::from_secs(5);
const GAIN_MS: i64 = 6_000;

/// One live feed.
#[derive(Debug, Default)]
pub struct Beat {
    /// When it connected, on the running clock.
    connected: Option<Duration>,
    newest: Timestamp,
    /// Newest time at each beat, of the last five seconds and the one before.
    history: VecDeque<(Duration, Timestamp)>,
    /// Time that has passed while it was level, in all.
    level_for: Duration,
    /// The last beat, if it was level then.
    level_at: Option<Duration>,
}

impl Beat {
    pub fn connected(&mut self, ran: Duration) {
        self.connected = Some(ran);
        self.level_at = None;
    }

    pub fn lost(&mut self) {
        self.connected = None;
        self.level_at = None;
    }

    /// An event came, with its time as admitted.
    pub fn came(&mut self, at: Timestamp) {
        self.newest = self.newest.max(at);
    }

    /// About once a second: the time that has passed level in all, or nothing if now none passes.
    pub fn beat(&mut self, ran: Duration) -> Option<Duration> {
        self.history.push_back((ran, self.newest));
        while self.history.get(1).is_some_and(|(then, _)| ran.saturating_sub(*then) >= SPAN) {
            self.history.pop_front();
        }
        let settled = self.connected.is_some_and(|since| ran.saturating_sub(since) >= SETTLE);
        let level = self.history.front().is_some_and(|(then, newest)| {
            ran.saturating_sub(*then) >= SPAN && self.newest.since(*newest) <= GAIN_MS
        });
        if !(settled && level) {
            self.level_at = None;
            return None;
        }
        if let Some(before) = self.level_at.replace(ran) {
            self.level_for += ran.saturating_sub(before);
        }
        Some(self.level_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_755_468_000_000;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Beats from `from` up to `to`; the last answer.
    fn run(beat: &mut Beat, from: u64, to: u64) -> Option<Duration> {
        (from..=to).map(|n| beat.beat(second(n))).last().flatten()
    }

    #[test]
    fn time_passes_five_seconds_after_connecting_and_no_sooner() {
        let mut beat = Beat::default();
        assert_eq!(run(&mut beat, 0, 100), None, "never connected");
        beat.connected(second(100));
        assert_eq!(run(&mut beat, 101, 104), None);
        assert_eq!(beat.beat(second(105)), Some(Duration::ZERO));
        assert_eq!(run(&mut beat, 106, 110), Some(second(5)));
    }

    #[test]
    fn time_in_which_it_is_down_is_not_made_up() {
        let mut beat = Beat::default();
        beat.connected(second(0));
        assert_eq!(run(&mut beat, 0, 20), Some(second(15)));
        beat.lost();
        assert_eq!(run(&mut beat, 21, 4_000), None);
        beat.connected(second(4_000));
        assert_eq!(run(&mut beat, 4_001, 4_015), Some(second(25)));
    }

    #[test]
    fn a_backlog_is_not_level_and_one_that_keeps_pace_is() {
        let mut beat = Beat::default();
        beat.connected(second(0));
        run(&mut beat, 0, 10);
        for n in 11..=20 {
            // Two seconds of the source a second.
            beat.came(Timestamp(T0 + 2_000 * n));
            assert_eq!(beat.beat(second(n as u64)), None, "{n}");
        }
        let behind = T0 + 40_000;
        for n in 21..=24 {
            beat.came(Timestamp(behind + 1_000 * (n - 20)));
            beat.beat(second(n as u64));
        }
        beat.came(Timestamp(behind + 5_000));
        assert!(beat.beat(second(25)).is_some(), "an hour behind, but no faster than the clock");
    }
}
