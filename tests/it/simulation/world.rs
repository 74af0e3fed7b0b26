//! What is around the house and outlives it: the evening's clock, the disk's moods, and the receivers at the other end
//! of every sink. What happens to them is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use vigie::delivery::{Outcome, Wire};
use vigie::event::Timestamp;
use vigie::store::{Plan as StorePlan, Store, When};
use vigie::telemetry::Clock;

use super::lots::Lots;
use super::plan::{Plan, during};
use super::story::Line;

/// How long a receiver's answer is waited for.
const TIMEOUT: i64 = 10_000;
/// How far ahead of the daemon's clock a live feed's times may be before they are set to it (docs/wire-format.md).
const AHEAD: i64 = 5_000;

/// See the module.
pub struct World {
    pub plan: Plan,
    /// Milliseconds of the evening.
    now: AtomicI64,
    pub receivers: Receivers,
    /// Of each feed, what its platform does.
    pub platforms: Mutex<BTreeMap<u16, Platform>>,
    disk: Mutex<Lots>,
    pub trace: Trace,
    /// What the house logs at `info` and above.
    pub logs: Logs,
    /// What the clock showed of the first life that began with one that lags behind the evening: the machine's time was
    /// set back, and for how long the last life has been dead nobody knows. And by how much one lagged at most, in
    /// milliseconds.
    pub behind: Mutex<(Option<Timestamp>, i64)>,
}

/// What a platform knows, and what it told.
#[derive(Default)]
pub struct Platform {
    /// It has forgotten the lines before this one.
    pub kept: usize,
    /// All that it told, once, in order.
    pub told: Vec<Line>,
    /// Lines that it told.
    pub lines: BTreeSet<usize>,
    /// The gaps for what it had forgotten: the cursor that it was asked for, from when to when.
    pub gaps: Vec<(usize, Timestamp, Timestamp)>,
}

/// Takes what is logged.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// What this thread logs is kept, until the guard is dropped.
    pub fn here(&self) -> tracing::subscriber::DefaultGuard {
        let logs = self.clone();
        let level = tracing::Level::INFO;
        let fmt = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
        tracing::subscriber::set_default(fmt.with_writer(move || logs.clone()).finish())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that happened, in order; kept in words if somebody wants to read it.
#[derive(Default)]
pub struct Trace(Mutex<(Sha256, Option<Vec<String>>)>);

impl Trace {
    pub fn note(&self, now: i64, what: impl std::fmt::Display) {
        let mut trace = self.0.lock();
        let line = format!("{now:>8} {what}");
        trace.0.update(&line);
        if let Some(lines) = &mut trace.1 {
            lines.push(line);
        }
    }

    pub fn digest(&self) -> String {
        self.0.lock().0.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().1.clone().unwrap_or_default()
    }
}

/// Who is told, what they took, and what was wrong with it.
pub struct Receivers {
    lots: Mutex<Lots>,
    /// By sink and id: the bodies that came, but for whether they were durable.
    pub took: Mutex<BTreeMap<(String, String), BTreeSet<String>>>,
    /// By sink and id: the body that was told as durable.
    pub sure: Mutex<BTreeMap<(String, String), String>>,
    /// When each was first taken.
    pub first: Mutex<BTreeMap<(String, String), i64>>,
    pub wrong: Mutex<Vec<String>>,
    /// The store of the present life.
    pub store: Mutex<Option<Store>>,
    /// The newest cursor that each feed was told of as handled, in any life.
    pub handled: Mutex<BTreeMap<u16, usize>>,
}

impl World {
    pub fn new(plan: Plan, words: bool) -> Arc<Self> {
        let receivers = Receivers {
            lots: Mutex::new(Lots::of(plan.seed, "receivers")),
            took: Mutex::default(),
            sure: Mutex::default(),
            first: Mutex::default(),
            wrong: Mutex::default(),
            store: Mutex::default(),
            handled: Mutex::default(),
        };
        let trace = Trace(Mutex::new((Sha256::new(), words.then(Vec::new))));
        let disk = Mutex::new(Lots::of(plan.seed, "disk"));
        Arc::new(Self {
            plan,
            now: AtomicI64::new(0),
            receivers,
            platforms: Mutex::default(),
            disk,
            trace,
            logs: Logs::default(),
            behind: Mutex::default(),
        })
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    pub fn set_now(&self, now: i64) {
        self.now.store(now, Ordering::Relaxed);
    }

    pub fn note(&self, what: impl std::fmt::Display) {
        self.trace.note(self.now(), what);
    }

    /// A life has taken back what the last one knew, and this is its clock.
    pub fn life_knows(&self, clock: &Clock) {
        let shows = clock.now();
        let lag = self.plan.begins().plus_ms(self.now()).since(shows);
        if lag > AHEAD {
            self.note(format_args!("the clock lags behind: {shows}"));
            let mut behind = self.behind.lock();
            behind.0.get_or_insert(shows);
            behind.1 = behind.1.max(lag);
        }
    }

    /// The clock of a life that begins now.
    pub fn clock(self: &Arc<Self>) -> Clock {
        let (world, begun) = (self.clone(), self.now());
        Clock::told_by(move || {
            let now = world.now();
            (world.plan.shown(now), Duration::from_millis((now - begun).max(0) as u64))
        })
    }

    /// How the store fares.
    pub fn disk(self: &Arc<Self>) -> StorePlan {
        let world = self.clone();
        Arc::new(move |what, when| {
            let (plan, now) = (&world.plan, world.now());
            // What is read at the start, and where a shard would wait for ever, is always there.
            if matches!(
                what,
                "recall_clock"
                    | "load_checkpoint"
                    | "since_checkpoint"
                    | "newest_revision"
                    | "channel_state"
            ) {
                return (Duration::ZERO, Ok(()));
            }
            let mut lots = world.disk.lock();
            let mut wait = 0;
            if when == When::Before && during(&plan.slow, now) && lots.permille(300) {
                wait = lots.within(20..5_000);
            }
            let fails = match when {
                When::Before => during(&plan.failing, now) && lots.permille(800),
                When::After => during(&plan.unheard, now) && lots.permille(400),
            };
            let result = match fails {
                true if lots.permille(300) => Err(io::ErrorKind::StorageFull.into()),
                true => Err(io::Error::other("planned")),
                false => Ok(()),
            };
            if wait > 0 || fails {
                world.note(format_args!("store {what} {when:?} waits {wait} fails {fails}"));
            }
            (Duration::from_millis(wait as u64), result)
        })
    }
}

/// The way to the receivers.
pub struct Wires(pub Arc<World>);

impl Wire for Wires {
    fn send<'a>(
        &'a self,
        sink: &'a str,
        id: &'a str,
        body: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), (Outcome, String)>> + Send + 'a>> {
        Box::pin(async move {
            let world = &self.0;
            let place = usize::from(sink != "trust");
            let mood = &world.plan.sinks[place];
            let now = world.now();
            let (dead, mute) = (during(&mood.dead, now), during(&mood.mute, now));
            let wait = {
                let mut lots = world.receivers.lots.lock();
                match during(&mood.slow, now) {
                    true => lots.within(500..TIMEOUT + 3_000),
                    false => lots.within(1..60),
                }
            };
            let told = durable(body);
            world.note(format_args!(
                "to {sink}: {id} durable {told:?} waits {wait} dead {dead} mute {mute}"
            ));
            if told == Some(true) {
                world.receivers.committed(id).await;
                world.receivers.as_before(sink, id, body);
            }
            tokio::time::sleep(Duration::from_millis(wait.min(TIMEOUT) as u64)).await;
            if dead {
                return Err((Outcome::Unreachable, "no connection".into()));
            }
            if during(&mood.refusing, now) {
                return Err((Outcome::Refused, "answered 503".into()));
            }
            let key = (sink.to_owned(), id.to_owned());
            world.receivers.first.lock().entry(key.clone()).or_insert_with(|| world.now());
            let body = body.replace("\"durable\":false", "\"durable\":true");
            world.receivers.took.lock().entry(key).or_default().insert(body);
            match mute || wait > TIMEOUT {
                true => Err((Outcome::Unreachable, "no answer in time".into())),
                false => Ok(()),
            }
        })
    }
}

/// What an alert's event says of itself; nothing of what is no alert.
fn durable(body: &str) -> Option<bool> {
    serde_json::from_str::<serde_json::Value>(body).ok()?["data"]["durable"].as_bool()
}

impl Receivers {
    /// What was told as durable is not told otherwise later, whatever died meanwhile.
    fn as_before(&self, sink: &str, id: &str, body: &str) {
        let mut sure = self.sure.lock();
        let before =
            sure.entry((sink.to_owned(), id.to_owned())).or_insert_with(|| body.to_owned());
        if before != body {
            let what = format!("{sink} was told {id} as durable in two ways: {before}\n  {body}");
            self.wrong.lock().push(what);
        }
    }

    /// Nothing is told as durable that the store does not hold.
    async fn committed(&self, id: &str) {
        let Some((alert, revision)) = revision(id) else { return };
        let store = self.store.lock().clone();
        let Some(store) = store else { return };
        // The disk has its moods; then this cannot be asked.
        let Ok(stored) = store.alert(alert).await else { return };
        let revision_there = stored.map_or(0, |stored| stored.change.alert.revision);
        if revision_there < revision {
            let what = format!("{id} was told as durable, and the store holds {revision_there}");
            self.wrong.lock().push(what);
        }
    }
}

/// Alert and revision of an event's id; also of a reminder's.
pub fn revision(id: &str) -> Option<(uuid::Uuid, u32)> {
    let id = id.rsplit_once("-r").map_or(id, |(id, _)| id);
    let (alert, revision) = id.rsplit_once('-')?;
    Some((alert.parse().ok()?, revision.parse().ok()?))
}
