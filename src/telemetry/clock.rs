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
    belief: Mutex<Belief>,
}

/// Time as it is believed.
#[derive(Debug)]
struct Belief {
    /// The latest time that was believed, and the monotonic time of it.
    known: Option<(Timestamp, Duration)>,
    /// How far the machine's time may leave what is known and the time since, either way.
    leap: Duration,
}

/// Longest that a daemon may have been off, or a machine's time be put right by, unless the config says otherwise.
pub const LEAP: Duration = Duration::from_secs(7 * 86_400);

/// 2024-01-01, before this was written. What was known of an earlier time came from a machine without a clock.
const WRITTEN: Timestamp = Timestamp(1_704_067_200_000);

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
        let belief = Mutex::new(Belief { known: None, leap: LEAP });
        Self(Arc::new(Inner { source, begun, latest, belief }))
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

    /// The time by which what is kept ages: what the machine shows, as long as that is no further than a leap from what
    /// was believed last and the time since; beyond it, the latter. So nothing is deleted because somebody set the
    /// machine's time to another year, and what is kept meanwhile does not look as if it were of that year. A daemon
    /// that was off for longer than a leap keeps things for longer, by as much.
    pub fn believed(&self) -> Timestamp {
        self.belief().0
    }

    /// How far what the machine shows is from what is believed, in milliseconds, if it is not believed.
    pub fn disbelieved(&self) -> Option<i64> {
        let (believed, shown) = self.belief();
        (believed != shown).then(|| shown.since(believed))
    }

    fn belief(&self) -> (Timestamp, Timestamp) {
        let (shown, ran) = self.read();
        let mut belief = self.0.belief.lock();
        let Some((known, then)) = belief.known else {
            belief.known = Some((shown, ran));
            return (shown, shown);
        };
        let since = i64::try_from(ran.saturating_sub(then).as_millis()).unwrap_or(i64::MAX);
        let expected = known.plus_ms(since);
        let far = u128::from(shown.0.abs_diff(expected.0)) > belief.leap.as_millis();
        if far && expected >= WRITTEN {
            return (expected, shown);
        }
        belief.known = Some((shown, ran));
        (shown, shown)
    }

    /// What an earlier run believed last, and how far the machine's time may be from it now.
    pub fn recall(&self, known: Option<Timestamp>, leap: Duration) {
        let ran = self.ran();
        let mut belief = self.0.belief.lock();
        belief.leap = leap;
        belief.known = known.map(|known| (known, ran));
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
    fn a_year_that_somebody_set_is_not_believed_and_what_a_daemon_may_have_been_off_for_is() {
        let (day, year) = (24 * HOUR, 365 * 24 * HOUR);
        let (clock, hand) = Clock::by_hand(T0);
        assert_eq!(clock.believed(), T0);
        for jump in [year, -2 * year] {
            hand.jump(jump);
            hand.pass(Duration::from_secs(10));
        }
        assert_eq!(clock.believed(), T0.plus_ms(20_000));
        assert_eq!(clock.disbelieved(), Some(-year));
        hand.jump(year);
        assert_eq!((clock.believed(), clock.disbelieved()), (clock.shown(), None));
        // Days by days, as a machine that sleeps.
        for _ in 0..5 {
            hand.jump(6 * day);
            assert_eq!(clock.believed(), clock.shown());
        }

        // What the last run knew.
        let start = |known: i64| {
            let (clock, hand) = Clock::by_hand(T0);
            clock.recall(Some(T0.plus_ms(known)), LEAP);
            hand.pass(Duration::from_secs(1));
            clock.believed().since(T0)
        };
        assert_eq!(start(-6 * day), 1_000, "it was off");
        assert_eq!(start(-year), 1_000 - year, "it runs on from what was known");
        assert_eq!(start(year), 1_000 + year);
        let known = Timestamp(0).since(T0);
        assert_eq!(start(known), 1_000, "a machine without a clock knew nothing");
        let (clock, _) = Clock::by_hand(T0);
        clock.recall(Some(T0.plus_ms(-year)), Duration::from_millis(year as u64));
        assert_eq!(clock.believed(), T0, "an operator says so");
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
