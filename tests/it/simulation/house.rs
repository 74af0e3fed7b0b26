//! One evening of the whole house: the daemon's gate, shard, committer, store, journal and sinks, life after life, on
//! time that stands still while anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use hashbrown::HashSet;
use lru::LruCache;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use vigie::alert::Change;
use vigie::cli::beat::Beat;
use vigie::cli::commit::Committer;
use vigie::cli::engine::{Engine, Oracle, Slot};
use vigie::cli::gate::{FeedState, Gate};
use vigie::cli::intake::{FeedClock, Intake};
use vigie::cli::observe::FeedCounts;
use vigie::cli::paid::PaidCount;
use vigie::cli::recall::{recall, recall_told};
use vigie::cli::setup;
use vigie::cli::shard::{Shard, ToShard, Wiring};
use vigie::cli::shelf::{FeedGaps, Shelf};
use vigie::cli::sweep::Sweep;
use vigie::cli::terms::{Standing, Terms};
use vigie::config::Config;
use vigie::delivery::{Delivery, SinkKind, SinkOptions};
use vigie::event::{Kind, Level, Timestamp};
use vigie::evidence::{Evidence, EvidenceOptions, IdentityKey};
use vigie::feed::Dedupe;
use vigie::model::Door;
use vigie::store::journal::{Journal, JournalOptions};
use vigie::store::{Apart, Ballast, Keep, Store, Unsaved};
use vigie::telemetry::{Dropped, Faults, Health, Metrics};

use super::parts::{Aside, Feed, Scorer, Told, shard};
use super::plan::Plan;
use super::story::Story;
use super::world::{Wires, World};

/// Longest that an evening may go on after its last line.
const PATIENCE: i64 = 40 * 60_000;
/// How often what is past its time is looked for.
const SWEEP: Duration = Duration::from_secs(20);

/// What every evening has in common.
pub struct Setting {
    pub config: Arc<Config>,
    pub terms: Arc<Terms>,
    /// Where the database's own tasks run.
    pub database: tokio::runtime::Runtime,
}

/// What an evening came to.
pub struct Outcome {
    pub digest: String,
    pub words: Vec<String>,
    /// Every revision of every alert, as the store holds it.
    pub revisions: BTreeMap<(String, u32), Change>,
    /// The state of each channel, as last saved.
    pub channels: BTreeMap<String, serde_json::Value>,
    /// By sink and id: the bodies that the receiver took.
    pub took: BTreeMap<(String, String), Vec<String>>,
    /// Those of them that were told as durable.
    pub sure: BTreeSet<(String, String)>,
    /// When each was first taken.
    pub first: BTreeMap<(String, String), i64>,
    pub wrong: Vec<String>,
    /// What the platforms told, each thing once; and of each the gaps for what it had forgotten: the cursor that it was
    /// asked for, from when to when.
    pub told: Story,
    pub forgotten: Vec<Vec<(usize, Timestamp, Timestamp)>>,
    /// What was logged at `info` and above.
    pub logs: String,
    /// Lines that the gate was given in the last life, those that were unreadable, and the metrics at its end.
    pub given: u64,
    pub unreadable: u64,
    pub metrics: String,
    pub lives: u32,
    /// See [`World`].
    pub behind: Option<Timestamp>,
    /// How far such a clock lagged at most, in milliseconds.
    pub lag: i64,
    /// When all was over, and when the last line was told, in milliseconds of the evening.
    pub ended: i64,
    pub lasts: i64,
}

impl Setting {
    /// Reads the project's own rules.
    pub fn new(folder: &Path, feeds: usize, live: bool) -> Self {
        let clock = if live { "live" } else { "data" };
        let mut text = String::from(
            "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://vigie.test\"\n\
             [store]\ndir = \"state\"\n[levels]\nhold = \"2m\"\noffline_hold = \"30s\"\n",
        );
        for feed in 0..feeds {
            text += &format!(
                "[[feed]]\nname = \"feed{feed}\"\nurl = \"ws://127.0.0.1:1\"\nclock = \"{clock}\"\n"
            );
        }
        let path = folder.join("vigie.toml");
        std::fs::write(&path, text).expect("a config");
        let config = setup::config(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let manifest = setup::manifest(&config).expect("a manifest");
        let terms = Arc::new(Terms::of(&config, &manifest).expect("rules"));
        let database = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        Self { config: Arc::new(config), terms, database }
    }
}

/// Lives through an evening; `words`: the trace is kept for a reader.
pub fn evening(
    setting: &Setting,
    plan: &Plan,
    story: &Story,
    folder: &Path,
    words: bool,
) -> Outcome {
    let world = World::new(plan.clone(), words);
    let _told = world.logs.here();
    let lines: Vec<Arc<_>> = story.feeds.iter().map(|lines| Arc::new(lines.clone())).collect();
    let mut lives = 0;
    let mut deaths = plan.deaths.iter();
    loop {
        lives += 1;
        let death = deaths.next();
        let life = Life { setting, world: world.clone(), lines: &lines, folder };
        let end = life.live(death.map(|death| death.start));
        world.note(format_args!("life {lives} ends, in order: {}", end.is_some()));
        if let Some(end) = end {
            let store = setting.database.block_on(Store::open(folder)).expect("it opens");
            let mut out = setting.database.block_on(read(&store));
            for (key, change) in &out.revisions {
                world
                    .note(format_args!("{key:?} {}", serde_json::to_string(change).expect("JSON")));
            }
            for (channel, state) in &out.channels {
                world.note(format_args!("{channel} {state}"));
            }
            let took = std::mem::take(&mut *world.receivers.took.lock());
            out.took =
                took.into_iter().map(|(key, bodies)| (key, bodies.into_iter().collect())).collect();
            out.sure = world.receivers.sure.lock().keys().cloned().collect();
            out.wrong.append(&mut world.receivers.wrong.lock());
            out.first = std::mem::take(&mut *world.receivers.first.lock());
            for (_, platform) in std::mem::take(&mut *world.platforms.lock()) {
                out.told.feeds.push(platform.told);
                out.forgotten.push(platform.gaps);
            }
            out.logs = world.logs.text();
            out.digest = world.trace.digest();
            out.words = world.trace.lines();
            out.lives = lives;
            (out.behind, out.lag) = *world.behind.lock();
            (out.ended, out.lasts) = (world.now(), plan.shape.lasts);
            (out.given, out.unreadable, out.metrics) = end;
            return out;
        }
        if let Some(death) = death {
            world.set_now(death.end.max(world.now()));
        }
    }
}

async fn read(store: &Store) -> Outcome {
    let (mut revisions, mut wrong) = (BTreeMap::new(), Vec::new());
    let page = store.alerts(&vigie::store::AlertFilter { limit: 500, ..Default::default() }).await;
    for stored in page.expect("alerts").items {
        let id = stored.change.alert.id;
        for change in store.revisions(id).await.expect("revisions") {
            revisions.insert((id.to_string(), change.alert.revision), change);
        }
        for piece in
            store.cited_by(id).await.expect("pieces").iter().filter(|piece| piece.gone.is_some())
        {
            wrong.push(format!("{id}: evidence of {} was deleted", piece.kept));
        }
    }
    let mut channels = BTreeMap::new();
    let saved = store.load_checkpoint().await.expect("a checkpoint");
    let asleep = saved.asleep.iter().map(|asleep| &asleep.channel);
    let gaps = FeedGaps::read(saved.gaps.as_deref());
    for channel in saved.channels.iter().map(|saved| &saved.channel).chain(asleep) {
        let (state, known) = store.sleeper(channel).await.expect("a state").expect("a state");
        // Through text, as what should be there.
        let text = serde_json::to_vec(&Slot::read(&state).expect("a state")).expect("JSON");
        let mut state: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        // A channel asleep learns of its feed's gaps when it wakes.
        let feed = state["feed_name"].as_str().expect("a feed").to_owned();
        let shown = state["channel"]["gaps"].as_array_mut().expect("gaps");
        for gap in gaps.since(known, &feed) {
            let gap = serde_json::to_value(gap).expect("JSON");
            if !shown.contains(&gap) {
                shown.push(gap);
            }
        }
        channels.insert(channel.to_string(), state);
    }
    store.close().await;
    Outcome {
        digest: String::new(),
        words: Vec::new(),
        revisions,
        channels,
        took: BTreeMap::new(),
        sure: BTreeSet::new(),
        first: BTreeMap::new(),
        wrong,
        told: Story::default(),
        forgotten: Vec::new(),
        logs: String::new(),
        given: 0,
        unreadable: 0,
        metrics: String::new(),
        lives: 0,
        behind: None,
        lag: 0,
        ended: 0,
        lasts: 0,
    }
}

/// One life of the daemon.
struct Life<'a> {
    setting: &'a Setting,
    world: Arc<World>,
    lines: &'a [Arc<Vec<super::story::Line>>],
    folder: &'a Path,
}

type End = (u64, u64, String);

impl Life<'_> {
    /// Until the evening is over and the house has stopped in order, or until it dies: then nothing is told.
    fn live(self, death: Option<i64>) -> Option<End> {
        let world = self.world.clone();
        let begun = world.now();
        let start = Arc::new(Mutex::new(None::<tokio::time::Instant>));
        let hook = (world.clone(), start.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_unpark(move || {
                if let Some(start) = *hook.1.lock() {
                    let passed = tokio::time::Instant::now().duration_since(start);
                    hook.0.set_now(begun + passed.as_millis() as i64);
                }
            })
            .build()
            .expect("a runtime");
        let clock = world.clock();
        clock.holds_here();
        let apart = Apart { runtime: self.setting.database.handle().clone(), plan: world.disk() };
        let end = runtime.block_on(async {
            *start.lock() = Some(tokio::time::Instant::now());
            let store = Store::open_apart(self.folder, apart).await.expect("it opens");
            store.recall_clock(self.setting.config.store.clock_leap.0).await.expect("it is read");
            *world.receivers.store.lock() = Some(store.clone());
            let lives = self.day(store, clock);
            match death {
                Some(at) if at > begun => {
                    let left = Duration::from_millis((at - begun) as u64);
                    tokio::select! { biased; () = tokio::time::sleep(left) => None, end = lives => Some(end) }
                }
                Some(_) => None,
                None => Some(lives.await),
            }
        });
        drop(runtime);
        let store = world.receivers.store.lock().take();
        if let Some(store) = store {
            self.setting.database.block_on(store.close());
        }
        end
    }

    async fn day(&self, store: Store, clock: vigie::telemetry::Clock) -> End {
        let (world, config) = (&self.world, &self.setting.config);
        let plan = &world.plan;
        let names: Vec<String> = config.feeds.iter().map(|feed| feed.name.clone()).collect();
        let metrics = Metrics::new();
        let health = Health::new();
        let evidence = EvidenceOptions { faults: Faults::default(), ..EvidenceOptions::default() };
        let evidence = Arc::new(Evidence::open(self.folder, evidence).expect("it opens"));
        let journal = JournalOptions {
            segment_bytes: 96 << 10,
            terms: self.setting.terms.told(),
            faults: Faults::default(),
            ..JournalOptions::default()
        };
        let journal = Journal::open(self.folder, journal).expect("it opens");
        let sinks = ["trust", "second"].map(|name| {
            let path = "never written".into();
            let mut sink = SinkOptions::new(name, SinkKind::Jsonl { path });
            sink.remind = (name == "trust").then(|| Duration::from_secs(60));
            sink
        });
        let wires = Arc::new(Wires(world.clone()));
        let delivery =
            Delivery::start_on(Some(wires), &store, "urn:vigie:test", sinks.into(), Arc::new(()));
        let delivery = delivery.expect("sinks");
        let (live, _) = broadcast::channel(64);
        let rows = vigie::cli::shard::Rows::default();
        let (to_committer, committer_inbox) = mpsc::channel(1024);
        let (saved_tx, saved) = mpsc::channel(64);
        let durable = Arc::new(AtomicU64::new(0));
        let (unsaved, mut noted) = Unsaved::open(self.folder).expect("it opens");
        let unsaved = Arc::new(unsaved);
        let committer = Committer {
            store: store.clone(),
            evidence: evidence.clone(),
            journal: Some(journal.clone()),
            unsaved: unsaved.clone(),
            ballast: Arc::new(Ballast::new(self.folder, 1 << 10)),
            delivery: delivery.clone(),
            live: live.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            saved: saved_tx,
            durable: durable.clone(),
            shards: 1,
        };

        // What the last life knew.
        let checkpoint = store.load_checkpoint().await.expect("it is never ill");
        let feed_clock = if plan.live { FeedClock::Live } else { FeedClock::Data };
        let clocks = vec![feed_clock; names.len()];
        let most = NonZeroUsize::new(config.limits.channels).expect("some");
        let rates = Arc::new(config.currency.table.rates());
        let door = Door::new(most, setup::categories(config), rates);
        let mut intake = Intake::new(door, &clocks);
        intake.dedupe = Dedupe::with_window(config.limits.dedupe, config.limits.dedupe * 10);
        let mut engine = Engine::new(self.setting.terms.clone(), Oracle::None);
        let resume = recall(&checkpoint, config, &clock, &mut intake, &mut engine);
        world.life_knows(&clock);
        let mut asleep: HashSet<_> =
            checkpoint.asleep.into_iter().map(|known| known.channel).collect();
        let gaps = FeedGaps::read(checkpoint.gaps.as_deref());
        recall_told(&store, config, &intake, &mut engine, &mut asleep, &gaps, &mut noted)
            .await
            .expect("it is never ill");
        unsaved.only(&noted);
        let committer = tokio::spawn(committer.run(noted, committer_inbox));
        let idle = Duration::from_secs(30);
        let shelf = Shelf::new(store.clone(), asleep, gaps, durable, idle, plan.memory);
        let (samples_tx, samples) = mpsc::channel(1024);
        let backlog = Arc::new(AtomicUsize::new(0));
        let mut limits = config.limits.clone();
        limits.backlog = plan.room * 4;
        let standing = Standing {
            terms: self.setting.terms.clone(),
            journal: Some(journal.clone()),
            feeds: names.clone(),
            data: vec![!plan.live; names.len()],
            rules: Vec::new(),
            limits: limits.clone(),
        };
        let wiring = Wiring {
            standing: Arc::new(standing),
            committer: to_committer.clone(),
            evidence: evidence.clone(),
            backlog: backlog.clone(),
            rows: rows.clone(),
            live,
            samples: samples_tx,
            late: metrics.dropped_counter(Some(Kind::Chat), Dropped::Late),
            clock: clock.clone(),
            floor: Arc::new(|_| Level::None),
            shelf,
        };
        let (to_shard, shard_inbox) = mpsc::channel(1 << 16);
        let aside = Arc::new(Aside::new(clock.clone()));
        let own = Arc::new(Mutex::new(Shard::new(engine, wiring)));
        let shard = tokio::spawn(shard(own, shard_inbox, to_committer.clone(), aside.clone()));
        let scorer = Scorer::start(world.clone(), aside, to_shard.clone());

        // Feeds and the gate.
        let stop = CancellationToken::new();
        let (out, from_feeds) = mpsc::channel(64);
        let observer = Arc::new(FeedCounts::new(&metrics));
        let told = Arc::new(Mutex::new(Told::default()));
        let (mut states, mut feeds) = (Vec::new(), Vec::new());
        for (place, name) in names.iter().enumerate() {
            observer.seat(place as u16, name);
            let (control, inbox) = mpsc::channel(256);
            let cursor = Arc::new(Mutex::new(resume[place].clone()));
            states.push(FeedState::new(name.clone(), control, resume[place].clone()));
            let place = place as u16;
            tokio::spawn(Feed::listen(world.clone(), place, cursor.clone(), inbox));
            let feed = Feed {
                world: world.clone(),
                place,
                lines: self.lines[usize::from(place)].clone(),
                clock: clock.clone(),
                observer: observer.clone(),
                out: out.clone(),
                cursor,
                told: told.clone(),
                stop: stop.clone(),
            };
            feeds.push(tokio::spawn(feed.run()));
        }
        drop(out);
        let (_reload, reloads) = mpsc::channel(1);
        let gate = Gate {
            config: Arc::new(Config { limits, ..(**config).clone() }),
            intake,
            inference: Arc::new(scorer),
            shard: to_shard.clone(),
            committer: to_committer,
            evidence: evidence.clone(),
            rows,
            sealer: IdentityKey::new(b"the same in every evening, thirty-two bytes"),
            sealed: LruCache::new(NonZeroUsize::new(64).expect("some")),
            new_identities: Vec::new(),
            metrics: metrics.clone(),
            health: health.clone(),
            observer,
            queues: ["chat", "look", "shard", "backlog"].map(|queue| metrics.queue(queue, 1)),
            paid: PaidCount::new(config.limits.paid_per_second),
            backlog,
            states,
            beats: names.iter().map(|_| Beat::default()).collect(),
            clock,
            under_way: std::sync::Weak::new(),
            seq: 0,
            out: Vec::new(),
        };
        let keep = Keep { channels: config.privacy.channels.0, cited: config.evidence.cited.0 };
        let sweep =
            Sweep { store: store.clone(), evidence, keep, metrics: metrics.clone(), health };
        let watching = world.clone();
        let sweeping = tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                sweep.look_at_clock();
                let gone = sweep.run().await;
                if gone > 0 {
                    let what = format!("a sweep took {gone} things of this evening");
                    watching.receivers.wrong.lock().push(what);
                }
            }
        });
        let gate = tokio::spawn(gate.run(from_feeds, samples, saved, reloads, stop.clone()));

        // The evening, then what is left of it.
        let lasts = plan.shape.lasts + 15_000;
        while !self.is_over(&store, lasts).await {
            assert!(world.now() < lasts + PATIENCE, "it does not come to an end");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        stop.cancel();
        for feed in feeds {
            feed.await.expect("a feed");
        }
        gate.await.expect("the gate");
        to_shard.send(ToShard::Stop).await.expect("the shard");
        drop(to_shard);
        shard.await.expect("the shard");
        committer.await.expect("the committer");
        // A store that cannot be read does not say that nothing waits.
        while !store.next_due("trust").await.is_ok_and(|due| due.is_none())
            || !store.next_due("second").await.is_ok_and(|due| due.is_none())
        {
            assert!(world.now() < lasts + 2 * PATIENCE, "something is never delivered");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        sweeping.abort();
        delivery.stop(Duration::from_secs(30)).await;
        drop(journal);
        let told = told.lock();
        (told.given, told.unreadable, metrics.encode())
    }

    /// The last cursors are saved and nothing waits for a sink.
    async fn is_over(&self, store: &Store, lasts: i64) -> bool {
        if self.world.now() < lasts {
            return false;
        }
        let saved = store.load_checkpoint().await.expect("it is never ill");
        let all = saved.feeds.iter().filter(|mark| {
            let lines = mark.feed.strip_prefix("feed").and_then(|n| n.parse::<usize>().ok());
            let lines = lines.and_then(|place| self.lines.get(place)).map(|lines| lines.len());
            mark.cursor.as_ref().and_then(|cursor| cursor.parse().ok()) == lines
        });
        all.count() == self.lines.len()
    }
}
