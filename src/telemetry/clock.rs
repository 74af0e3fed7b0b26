//! The daemon's clock as feeds, gate and shards read it: the machine's time, but one that never goes back and runs on
//! at the monotonic clock's rate, so that a machine whose time is set back by an hour is not deaf for an hour.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::event::Timestamp;

/// See the module. Cheap to clone; clones are one clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// What it showed when it was made.
    begun: Timestamp,
    /// The latest time given or floor set, and the monotonic time of it.
    latest: Mutex<(Timestamp, Duration)>,
}

enum Source {
    Machine(Instant),
    Told(Box<dyn Fn() -> (Timestamp, Duration) + Send + Sync>),
}

/// The clock of this process.
static HOUSE: LazyLock<Clock> = LazyLock::new(Clock::machine);

thread_local! {
    /// The clock that holds on this thread instead; in tests only.
    static HERE: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

/// Sets a clock by hand, for tests: what the machine would show.
#[derive(Clone, Debug, Default)]
pub struct Hand(Arc<Mutex<(Timestamp, Duration)>>);

impl Hand {
    /// Time goes on, for both the wall and the monotonic clock.
    pub fn pass(&self, time: Duration) {
        let mut hand = self.0.lock();
        hand.0 = hand.0.plus_ms(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        hand.1 += time;
    }

    /// Somebody sets the machine's time, ahead or back; no time passes.
    pub fn jump(&self, ms: i64) {
        let mut hand = self.0.lock();
        hand.0 = hand.0.plus_ms(ms);
    }
}

impl Clock {
    /// The machine's.
    pub fn machine() -> Self {
        Self::of(Source::Machine(Instant::now()))
    }

    /// One that shows `start` until its [`Hand`] moves.
    pub fn by_hand(start: Timestamp) -> (Self, Hand) {
        let hand = Hand::default();
        hand.0.lock().0 = start;
        let shown = hand.clone();
        (Self::told_by(move || *shown.0.lock()), hand)
    }

    /// One that shows what it is told: the machine's time, and for how long it has run.
    pub fn told_by(read: impl Fn() -> (Timestamp, Duration) + Send + Sync + 'static) -> Self {
        Self::of(Source::Told(Box::new(read)))
    }

    fn of(source: Source) -> Self {
        let begun = source.read().0;
        let latest = Mutex::new((Timestamp(i64::MIN), Duration::ZERO));
        Self(Arc::new(Inner { source, begun, latest }))
    }

    /// The one clock of this process, for what has no clock of its own.
    pub fn house() -> Self {
        HERE.with_borrow(|here| here.clone()).unwrap_or_else(|| HOUSE.clone())
    }

    /// What this thread asks of [`Clock::house`] from here on is asked of this one. For tests of a whole house.
    pub fn holds_here(&self) {
        HERE.set(Some(self.clone()));
    }

    fn read(&self) -> (Timestamp, Duration) {
        self.0.source.read()
    }

    /// What the machine shows: it may be set ahead or back at any time.
    pub fn shown(&self) -> Timestamp {
        self.read().0
    }

    /// What it showed when it was made, and the time since: whoever sets the machine's time does not touch it. For ages
    /// and waits that must also be right after the next start.
    pub fn steady(&self) -> Timestamp {
        self.0.begun.plus_ms(i64::try_from(self.ran().as_millis()).unwrap_or(i64::MAX))
    }

    /// The time; never before one given earlier, nor behind one given earlier by what has passed since.
    pub fn now(&self) -> Timestamp {
        let (wall, ran) = self.read();
        let mut latest = self.0.latest.lock();
        let since = ran.saturating_sub(latest.1).as_millis();
        let least = latest.0.plus_ms(i64::try_from(since).unwrap_or(i64::MAX));
        *latest = (wall.max(least), ran);
        latest.0
    }

    /// It is at least so late: what an earlier run of the daemon knew.
    pub fn at_least(&self, time: Timestamp) {
        let ran = self.read().1;
        let now = self.now();
        *self.0.latest.lock() = (now.max(time), ran);
    }

    /// Time that has passed since the clock was made; jumps of the machine's time do not touch it.
    pub fn ran(&self) -> Duration {
        self.read().1
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Machine(_) => "Machine",
            Source::Told(_) => "Told",
        })
    }
}

impl Source {
    fn read(&self) -> (Timestamp, Duration) {
        match self {
            Source::Machine(start) => {
                (Timestamp(jiff::Timestamp::now().as_millisecond()), start.elapsed())
            }
            Source::Told(read) => read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const T0: Timestamp = Timestamp(1_755_468_000_000);

    #[test]
    fn it_goes_on_at_its_own_rate_when_the_machine_s_time_is_set_back() {
        let (clock, hand) = Clock::by_hand(T0);
        assert_eq!(clock.now(), T0);
        hand.pass(Duration::from_secs(10));
        for jump in [-HOUR, -365 * 24 * HOUR] {
            let before = clock.now();
            hand.jump(jump);
            assert_eq!(clock.now(), before);
            hand.pass(Duration::from_secs(5));
            assert_eq!(clock.now(), before.plus_ms(5000));
        }
        assert_eq!(clock.ran(), Duration::from_secs(20));
    }

    #[test]
    fn it_follows_a_jump_ahead_and_does_not_come_back_from_it() {
        let (clock, hand) = Clock::by_hand(T0);
        hand.jump(HOUR);
        assert_eq!(clock.now(), T0.plus_ms(HOUR));
        hand.jump(-HOUR);
        hand.pass(Duration::from_millis(1));
        assert_eq!(clock.now(), T0.plus_ms(HOUR + 1));
    }

    #[test]
    fn what_is_steady_only_runs() {
        let (clock, hand) = Clock::by_hand(T0);
        hand.pass(Duration::from_secs(1));
        for jump in [HOUR, -365 * 24 * HOUR] {
            hand.jump(jump);
            assert_eq!(clock.steady(), T0.plus_ms(1000));
        }
        clock.at_least(T0.plus_ms(HOUR));
        assert_eq!(clock.steady(), T0.plus_ms(1000));
        assert_eq!(clock.shown(), T0.plus_ms(1000 - 364 * 24 * HOUR - 23 * HOUR));
    }

    #[test]
    fn a_thread_s_own_clock_is_the_house_s_there_and_nowhere_else() {
        let (clock, _) = Clock::by_hand(T0);
        clock.holds_here();
        assert_eq!(Clock::house().now(), T0);
        let other = std::thread::spawn(|| Clock::house().now()).join().unwrap();
        assert!(other > T0);
    }

    #[test]
    fn it_is_no_earlier_than_what_an_earlier_run_knew() {
        let (clock, hand) = Clock::by_hand(Timestamp(0));
        clock.at_least(T0);
        hand.pass(Duration::from_secs(1));
        assert_eq!(clock.now(), T0.plus_ms(1000));
        clock.at_least(Timestamp(5));
        assert_eq!(clock.now(), T0.plus_ms(1000));
    }

    #[test]
    fn the_machine_s_clock_shows_the_machine_s_time() {
        let shown = Clock::machine().now();
        let machine = jiff::Timestamp::now().as_millisecond();
        assert!((machine - shown.0).abs() < 60_000, "{shown}");
    }
}
