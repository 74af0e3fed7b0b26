//! What goes wrong in one simulation, and when: drawn from the seed, in milliseconds of the evening.

use std::ops::Range;

use vigie::event::Timestamp;

use super::lots::Lots;
use super::story::Shape;

const HOUR: i64 = 3_600_000;
/// A summer evening.
const EVENING: Timestamp = Timestamp(1_755_468_000_000);

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub shape: Shape,
    /// Feeds' times are compared with the daemon's clock.
    pub live: bool,
    /// The daemon dies, and comes back after a while.
    pub deaths: Vec<Range<i64>>,
    /// Somebody sets the machine's time, by so much.
    pub jumps: Vec<(i64, i64)>,
    /// Of each feed, when it is not connected.
    pub lost: Vec<Vec<Range<i64>>>,
    /// Of each feed, whether its platform may have forgotten what follows a cursor.
    pub forgets: Vec<bool>,
    /// What each feed tells again of what it told before its cursor.
    pub overlap: usize,
    /// Events between two cursors.
    pub cursor_every: usize,
    /// Commits fail, succeed unheard, or take their time.
    pub failing: Vec<Range<i64>>,
    pub unheard: Vec<Range<i64>>,
    pub slow: Vec<Range<i64>>,
    /// Of each sink.
    pub sinks: Vec<Sink>,
    /// How long a message waits for its score, at most.
    pub scoring: i64,
    /// Messages that may wait for a score, and channels that may stay in memory.
    pub room: usize,
    pub memory: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Sink {
    pub dead: Vec<Range<i64>>,
    pub refusing: Vec<Range<i64>>,
    pub slow: Vec<Range<i64>>,
    /// It takes what it is sent, and its answer is lost.
    pub mute: Vec<Range<i64>>,
}

impl Plan {
    /// What goes wrong for this seed.
    pub fn of(seed: u64) -> Self {
        let mut plan = Self::calm(seed);
        let lots = &mut Lots::of(seed, "faults");
        let lasts = plan.shape.lasts;
        let within = 15_000..lasts;
        if lots.permille(500) {
            let many = lots.within(1..4);
            plan.deaths = lots.spans(many, 8_000..lasts, 200..20_000);
        }
        if lots.permille(500) {
            for _ in 0..lots.within(1..4) {
                let day = 24 * HOUR;
                let by = *lots.one(&[HOUR, -HOUR, 365 * day, -365 * day, 30 * day, -90_000]);
                plan.jumps.push((lots.within(5_000..lasts), by));
            }
            plan.jumps.sort_unstable();
        }
        for feed in 0..plan.shape.begins.len() {
            let many = lots.within(0..5);
            plan.lost[feed] = lots.spans(many, within.clone(), 300..25_000);
        }
        let many = lots.within(0..4);
        plan.failing = lots.spans(many, within.clone(), 500..20_000);
        let many = lots.within(0..4);
        plan.unheard = lots.spans(many, within.clone(), 500..10_000);
        let many = lots.within(0..4);
        plan.slow = lots.spans(many, within.clone(), 500..15_000);
        for sink in &mut plan.sinks {
            let mut some = |length: Range<i64>| {
                let many = lots.within(0..3);
                lots.spans(many, within.clone(), length)
            };
            sink.dead = some(5_000..90_000);
            sink.refusing = some(5_000..60_000);
            sink.slow = some(5_000..60_000);
            sink.mute = some(2_000..30_000);
        }
        let lots = &mut Lots::of(seed, "forgets");
        plan.forgets = plan.lost.iter().map(|_| lots.permille(200)).collect();
        plan
    }

    /// The same evening, and nothing goes wrong.
    pub fn calm(seed: u64) -> Self {
        let lots = &mut Lots::of(seed, "shape");
        let live = lots.permille(400);
        let feeds = if lots.permille(600) { 2 } else { 1 };
        let apart = match live {
            true => 0,
            // Recordings of different evenings.
            false => *lots.one(&[0, 0, 3 * HOUR, -400 * 24 * HOUR]),
        };
        let flood = if live && lots.permille(500) { lots.within(80..300) } else { 0 };
        let begins = (0..feeds).map(|feed| EVENING.plus_ms(feed * apart)).collect();
        let shape = Shape {
            begins,
            channels: lots.within(2..6),
            lasts: lots.within(90_000..240_000),
            flood,
            twins: feeds == 2,
        };
        Self {
            seed,
            live,
            deaths: Vec::new(),
            jumps: Vec::new(),
            lost: vec![Vec::new(); shape.begins.len()],
            forgets: vec![false; shape.begins.len()],
            overlap: lots.within(0..6) as usize,
            cursor_every: lots.within(1..20) as usize,
            failing: Vec::new(),
            unheard: Vec::new(),
            slow: Vec::new(),
            sinks: vec![Sink::default(); 2],
            scoring: lots.within(1..120),
            room: lots.within(16..200) as usize,
            memory: lots.within(1..8) as usize,
            shape,
        }
    }

    /// What the machine's clock shows at a moment of the evening.
    pub fn shown(&self, now: i64) -> Timestamp {
        let set = self.jumps.iter().filter(|(at, _)| *at <= now).map(|(_, by)| by).sum::<i64>();
        EVENING.plus_ms(now + set)
    }
}

/// Whether one of the spans holds the moment.
pub fn during(spans: &[Range<i64>], now: i64) -> bool {
    spans.iter().any(|span| span.contains(&now))
}
