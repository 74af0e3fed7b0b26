//! `vigie run`: wires the rooms together, in flow order, and shuts them down in the same order. Feeds bring items to
//! one intake task; admitted events go to their shard and what is to be scored to the inference threads; what shards
//! decide goes through the committer to the store, and only then to sinks and pages.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::beat::Beat;
use super::commit::Committer;
use super::control;
use super::desk::HouseDesk;
use super::engine::{Engine, Oracle};
use super::gate::{FeedState, Gate};
use super::intake::{FeedClock, Intake};
use super::observe::{FeedCounts, InferenceCounts, SinkCounts};
use super::paid::PaidCount;
use super::recall::{recall, recall_told};
use super::reload::{self, Current, FeedSetup, Reloader, Starter};
use super::setup::{self, SetupError};
use super::shard::{Rows, Shard, ToShard, Wiring};
use super::shelf::{FeedGaps, Shelf};
use super::sweep::Sweep;
use super::terms::{Standing, Terms};
use super::upkeep::Upkeep;
use crate::config::{self, Config, Mode};
use crate::console;
use crate::delivery::{Delivery, SinkOptions};
use crate::event::{ChannelId, Keyer, Kind, Level};
use crate::evidence::{Evidence, EvidenceOptions, IdentityKey};
use crate::feed::Dedupe;
use crate::model::{Door, Escalation, Inference, InferenceOptions};
use crate::store::journal::{Journal, JournalOptions};
use crate::store::{BALLAST, Ballast, Keep, Store, StoreError, Trouble, Unsaved};
use crate::telemetry::{Clock, Component, Dropped, Health, Metrics, Status};

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The store does not work; in the words of who must mend it.
    #[error("{0}")]
    Broken(String),
    #[error(transparent)]
    Journal(#[from] crate::store::journal::JournalError),
    #[error(transparent)]
    Evidence(#[from] crate::evidence::EvidenceError),
    #[error(transparent)]
    Delivery(#[from] crate::delivery::DeliveryError),
    #[error(transparent)]
    Credential(#[from] config::CredentialError),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
}

/// A running daemon; dropped without [`Daemon::stop`] it ends without draining.
pub struct Daemon {
    pub address: std::net::SocketAddr,
    stop: CancellationToken,
    reloader: Reloader,
    intake: tokio::task::JoinHandle<()>,
    shards: Vec<(mpsc::Sender<ToShard>, std::thread::JoinHandle<()>)>,
    committer: tokio::task::JoinHandle<()>,
    delivery: Delivery,
    servers: tokio::task::JoinSet<()>,
    store: Store,
    drain: Duration,
}

/// Runs until SIGTERM or SIGINT; tells systemd. Signals are heard from the first moment: one that comes during the start
/// ends it, and nothing is half done, since what the start writes it writes in transactions.
pub async fn run(path: &Path) -> Result<(), DaemonError> {
    let heard = |e| io("listening for signals", e);
    let mut ending = Ending::listen().map_err(heard)?;
    let mut again = signal(SignalKind::hangup()).map_err(heard)?;
    let config = Arc::new(setup::config(path).map_err(SetupError::from)?);
    let started = tokio::select! {
        started = Daemon::start(config.clone(), path) => started,
        () = ending.told() => return Ok(()),
    };
    let mut daemon = started.map_err(|error| match error {
        DaemonError::Setup(error) => DaemonError::Setup(error.placed(&config)),
        other => other,
    })?;
    tracing::info!(console = %format!("http://{}", daemon.address), version = env!("CARGO_PKG_VERSION"), "ready");
    crate::telemetry::systemd::ready(&format!("{} feeds", config.feeds.len()));
    daemon.serve(ending, &mut again).await;
    crate::telemetry::systemd::stopping();
    daemon.stop().await;
    Ok(())
}

/// SIGTERM or SIGINT, from now on.
pub async fn wait_for_signal() {
    // Registering a handler fails only where there is no signal driver, that is outside a runtime.
    if let Ok(mut ending) = Ending::listen() {
        ending.told().await;
    }
}

/// The signals that ask the process to end.
struct Ending {
    term: Signal,
    int: Signal,
}

impl Ending {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn told(&mut self) {
        tokio::select! { _ = self.term.recv() => {}, _ = self.int.recv() => {} }
        tracing::info!("stopping");
    }
}

impl Daemon {
    /// Until SIGTERM or SIGINT; each SIGHUP reloads the config. One that comes during a reload is one more reload.
    async fn serve(&mut self, mut ending: Ending, again: &mut Signal) {
        let Self { reloader, intake, committer, shards, .. } = self;
        let alive = || {
            let tasks = !intake.is_finished() && !committer.is_finished();
            std::future::ready(tasks && shards.iter().all(|(_, thread)| !thread.is_finished()))
        };
        // Ends at once where nobody watches.
        let mut watchdog = std::pin::pin!(async {
            crate::telemetry::systemd::watchdog(alive).await;
            std::future::pending::<()>().await
        });
        let mut ended = std::pin::pin!(ending.told());
        loop {
            tokio::select! { () = &mut ended => return, _ = again.recv() => {}, () = &mut watchdog => {} }
            // A reload that waits for a part of the house must not keep it from going down, nor from showing life.
            tokio::select! { () = &mut ended => return, () = reloader.reload() => {}, () = &mut watchdog => {} }
        }
    }

    /// Starts everything; `path` is the config file as commands shown ready to copy carry it.
    pub async fn start(config: Arc<Config>, path: &Path) -> Result<Self, DaemonError> {
        let metrics = Metrics::new();
        let health = Health::new();
        let manifest = {
            let config = config.clone();
            let loaded = tokio::task::spawn_blocking(move || setup::models(&config)).await;
            loaded
                .map_err(|e| io("loading models", std::io::Error::other(e)))?
                .map_err(SetupError::from)?
        };
        let dir = config.store.dir.clone();
        std::fs::create_dir_all(&dir).map_err(|e| io(&format!("{}", dir.display()), e))?;
        let store = Store::open(&dir).await.map_err(|error| broken(error, &dir))?;
        let leap = config.store.clock_leap.0;
        store.recall_clock(leap).await.map_err(|error| broken(error, &dir))?;
        let keyer =
            Keyer::new(config::credential_or_create("user-key", &dir)?.0.expose().as_bytes());
        let sealer = IdentityKey::new(
            config::credential_or_create("identity-key", &dir)?.0.expose().as_bytes(),
        );
        let evidence = Arc::new(Evidence::open(
            &dir,
            EvidenceOptions {
                cap: config.evidence.cap.0,
                ring_bytes: config.limits.ring.0 as usize,
                recent: config.evidence.ring.0,
                acts: config.evidence.acts.0,
                cited: config.evidence.cited.0,
                ..EvidenceOptions::default()
            },
        )?);
        let terms = Arc::new(Terms::of(&config, &manifest).map_err(SetupError::from)?);
        let journal = Journal::open(
            &dir,
            JournalOptions {
                keep: config.store.journal_keep.0,
                cap: config.store.journal_cap.0,
                terms: terms.told(),
                ..JournalOptions::default()
            },
        )?;
        health.set(Component::Store, Status::Up);
        for model in &manifest.models {
            metrics.model(&model.name, &model.version);
        }
        let inference = {
            let options = InferenceOptions {
                threads: config.models.threads,
                messages: config.limits.chat_queue,
                looks: config.limits.look_queue,
                max_wait: config.models.max_wait.0,
                batch: config.models.max_batch,
                shed_after: Some(config.limits.chat_wait.0),
                cache: config.limits.score_cache,
                ..InferenceOptions::default()
            };
            let (manifest, counts) = (manifest.clone(), InferenceCounts::new(&metrics, &manifest));
            let started = tokio::task::spawn_blocking(move || {
                Inference::start(&manifest, options, Arc::new(counts))
            })
            .await;
            let inference =
                started.map_err(|e| io("starting inference", std::io::Error::other(e)))?;
            Arc::new(inference.map_err(SetupError::from)?)
        };
        health.set(Component::Models, Status::Up);

        let source = setup::public_url(&config);
        let counts = Arc::new(SinkCounts::new(metrics.clone(), health.clone()));
        let delivery = Delivery::start(&store, &source, sinks(&config)?, counts.clone())?;

        let inactive = setup::inactive_rules(&terms.judge, &manifest);
        if !inactive.is_empty() {
            tracing::info!(rules = %inactive.join(", "), "inactive for want of a model");
        }
        let current = Current::new(config.clone(), inactive);
        let (live, _) = broadcast::channel(config.limits.stream_queue.max(16));
        let rows: Rows = Rows::default();
        let shard_count = 1;
        let ballast = Arc::new(Ballast::new(&dir, BALLAST));
        let upkeep = Upkeep {
            store: store.clone(),
            evidence: evidence.clone(),
            ballast: ballast.clone(),
            journal: journal.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let (unsaved, mut noted) = Unsaved::open(&dir)?;
        let unsaved = Arc::new(unsaved);
        let (to_committer, committer_inbox) = mpsc::channel(1024);
        let (saved_tx, saved) = mpsc::channel(64);
        let durable = Arc::new(AtomicU64::new(0));
        let committer = Committer {
            store: store.clone(),
            evidence: evidence.clone(),
            journal: Some(journal.clone()),
            unsaved: unsaved.clone(),
            ballast: ballast.clone(),
            delivery: delivery.clone(),
            live: live.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            saved: saved_tx,
            durable: durable.clone(),
            shards: shard_count,
        };

        // What the last run knew.
        let clock = Clock::machine();
        let checkpoint = store.load_checkpoint().await.map_err(|error| broken(error, &dir))?;
        let clocks: Vec<FeedClock> = config
            .feeds
            .iter()
            .map(|feed| {
                if feed.clock() == config::Clock::Data { FeedClock::Data } else { FeedClock::Live }
            })
            .collect();
        let most = NonZeroUsize::new(config.limits.channels).unwrap_or(NonZeroUsize::MIN);
        let door =
            Door::new(most, setup::categories(&config), Arc::new(config.currency.table.rates()));
        let mut intake = Intake::new(door, &clocks);
        let window = config.limits.dedupe;
        intake.dedupe = Dedupe::with_window(window, window.saturating_mul(10));
        let oracle = Oracle::model(Escalation::open(&manifest).map_err(SetupError::from)?);
        let mut engine = Engine::new(terms.clone(), oracle);
        let mut resume = recall(&checkpoint, &config, &clock, &mut intake, &mut engine);
        let mut asleep: hashbrown::HashSet<ChannelId> =
            checkpoint.asleep.into_iter().map(|known| known.channel).collect();
        let (idle, in_memory) = (config.limits.idle.0, config.limits.channels);
        let gaps = FeedGaps::read(checkpoint.gaps.as_deref());
        recall_told(&store, &config, &intake, &mut engine, &mut asleep, &gaps, &mut noted).await?;
        unsaved.only(&noted);
        let committer = tokio::spawn(committer.run(noted, committer_inbox));
        let shelf = Shelf::new(store.clone(), asleep, gaps, durable, idle, in_memory);
        let (samples_tx, samples) = mpsc::channel(1024);
        let backlog = Arc::new(AtomicUsize::new(0));
        let floors = current.clone();
        let names: Vec<String> = config.feeds.iter().map(|feed| feed.name.clone()).collect();
        let standing = Standing {
            terms: terms.clone(),
            journal: Some(journal.clone()),
            feeds: names,
            data: config.feeds.iter().map(|feed| feed.clock() == config::Clock::Data).collect(),
            rules: reload::rule_counters(&config, &metrics),
            limits: config.limits.clone(),
        };
        let wiring = Wiring {
            standing: Arc::new(standing),
            committer: to_committer.clone(),
            evidence: evidence.clone(),
            backlog: backlog.clone(),
            rows: rows.clone(),
            live: live.clone(),
            samples: samples_tx,
            late: metrics.dropped_counter(Some(Kind::Chat), Dropped::Late),
            clock: clock.clone(),
            floor: Arc::new(move |channel| floor(&floors.get(), channel)),
            shelf,
        };
        let (to_shard, shard_inbox) = mpsc::channel(config.limits.shard_queue.max(64));
        let shard = Shard::new(engine, wiring);
        let thread = std::thread::Builder::new()
            .name("shard-0".into())
            .spawn(move || shard.run(shard_inbox))
            .map_err(|e| io("starting a shard", e))?;

        // Feeds and the intake.
        let stop = CancellationToken::new();
        let (out, from_feeds) = mpsc::channel(config.limits.feed_queue.max(64));
        let observer = Arc::new(FeedCounts::new(&metrics));
        let (to_gate, reloads) = mpsc::channel(4);
        let mut reloader = Reloader {
            path: path.to_owned(),
            current: current.clone(),
            manifest,
            terms,
            journal,
            delivery: delivery.clone(),
            gate: to_gate,
            starter: Starter {
                out,
                keyer,
                observer: observer.clone(),
                clock: clock.clone(),
                health: health.clone(),
                stop: stop.clone(),
            },
            seats: Vec::new(),
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let mut states = Vec::new();
        for (place, feed) in config.feeds.iter().enumerate() {
            let saved = resume[place].take();
            let (control, inbox) = mpsc::channel(256);
            let setup = FeedSetup::new(feed, &config)?;
            reloader.begin(place as u16, setup, saved.clone(), inbox, false);
            if saved.is_some() {
                observer.cursor(place as u16);
            }
            states.push(FeedState::new(feed.name.clone(), control, saved));
        }
        let task = Gate {
            config: config.clone(),
            intake,
            inference,
            shard: to_shard.clone(),
            committer: to_committer,
            evidence: evidence.clone(),
            rows: rows.clone(),
            sealer,
            sealed: LruCache::new(
                NonZeroUsize::new(config.limits.users).unwrap_or(NonZeroUsize::MIN),
            ),
            new_identities: Vec::new(),
            metrics: metrics.clone(),
            health: health.clone(),
            observer: observer.clone(),
            queues: [
                metrics.queue("chat", config.limits.chat_queue),
                metrics.queue("look", config.limits.look_queue),
                metrics.queue("shard", config.limits.shard_queue.max(64)),
                metrics.queue("backlog", config.limits.backlog),
            ],
            paid: PaidCount::new(config.limits.paid_per_second),
            backlog: backlog.clone(),
            states,
            beats: config.feeds.iter().map(|_| Beat::default()).collect(),
            clock: clock.clone(),
            under_way: std::sync::Weak::new(),
            seq: 0,
            out: Vec::new(),
        };
        let intake = tokio::spawn(task.run(from_feeds, samples, saved, reloads, stop.clone()));

        // People.
        let desk = Arc::new(HouseDesk {
            config: current.clone(),
            store: store.clone(),
            evidence: evidence.clone(),
            rows: rows.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            live,
            accesses: Default::default(),
        });
        let mut servers = tokio::task::JoinSet::new();
        let settings = console::Settings {
            language: config.server.language.code().to_owned(),
            config: path.display().to_string(),
            hosts: host_of(&config.server.public_url).into_iter().collect(),
            zone: super::draft::zone(),
            banner: String::new(),
            seats: config.limits.stream_clients,
        };
        let listener = bind(&config.server.listen).await?;
        let address = listener.local_addr().map_err(|e| io("listening", e))?;
        let pages = console::router(desk.clone(), settings);
        serve(&mut servers, listener, pages.clone(), stop.clone());
        let pages = super::sink::routes(delivery.clone()).fallback_service(pages);
        if !config.server.metrics_listen.is_empty() {
            let listener = bind(&config.server.metrics_listen).await?;
            serve(&mut servers, listener, console::health_router(desk.clone()), stop.clone());
        }
        let swept = health.clone();
        let hands = control::Hands {
            config: current,
            store: store.clone(),
            shard: to_shard.clone(),
            evidence: evidence.clone(),
            health,
            feeds: observer,
        };
        control::serve(&mut servers, &dir, pages, hands, stop.clone())
            .map_err(|e| io("the control socket", e))?;
        servers.spawn(upkeep.run(stop.clone()));
        let watched = (delivery.clone(), counts);
        let keep = Keep { channels: config.privacy.channels.0, cited: config.evidence.cited.0 };
        let sweep = Sweep { store: store.clone(), evidence, keep, metrics, health: swept };
        housekeeping(&mut servers, sweep, rows, watched, stop.clone());

        let shards = vec![(to_shard, thread)];
        let drain = config.server.drain.0;
        Ok(Self {
            address,
            stop,
            reloader,
            intake,
            shards,
            committer,
            delivery,
            servers,
            store,
            drain,
        })
    }

    /// Stops in flow order within the config's deadline: feeds, intake, shards, committer, sinks.
    pub async fn stop(mut self) {
        let deadline = Instant::now() + self.drain;
        let left =
            || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        self.stop.cancel();
        // With it goes the last way into the intake.
        let _ = tokio::time::timeout(left(), self.reloader.end()).await;
        if tokio::time::timeout(left(), &mut self.intake).await.is_err() {
            self.intake.abort();
            tracing::warn!("the intake did not drain in time");
        }
        for (sender, thread) in self.shards.drain(..) {
            let _ = tokio::time::timeout(left(), sender.send(ToShard::Stop)).await;
            drop(sender);
            let _ =
                tokio::time::timeout(left(), tokio::task::spawn_blocking(move || thread.join()))
                    .await;
        }
        self.servers.shutdown().await;
        if tokio::time::timeout(left(), &mut self.committer).await.is_err() {
            self.committer.abort();
            tracing::warn!("the committer did not drain in time");
        }
        self.delivery.stop(left()).await;
        self.store.close().await;
        tracing::info!("stopped");
    }
}

/// A store that does not work, by what is to be mended where that is known.
fn broken(error: StoreError, dir: &Path) -> DaemonError {
    match error.trouble() {
        Trouble::Other => DaemonError::Store(error),
        _ => DaemonError::Broken(error.advice(dir)),
    }
}

fn io(what: &str, source: std::io::Error) -> DaemonError {
    DaemonError::Io { what: what.to_owned(), source }
}

async fn bind(address: &str) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).await.map_err(|e| io(&format!("listening on {address}"), e))
}

fn serve(
    servers: &mut tokio::task::JoinSet<()>,
    listener: TcpListener,
    router: axum::Router,
    stop: CancellationToken,
) {
    servers.spawn(async move {
        let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "the page's server ended");
        }
    });
}

fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', ':']).next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// The level that the config shows at least for a channel.
fn floor(config: &Config, channel: &ChannelId) -> Level {
    let known = config.known_of(channel.as_str(), setup::clock());
    known.filter_map(|entry| entry.level_floor).max().unwrap_or_default()
}

/// The sinks of a config, as the delivery room takes them.
pub fn sinks(config: &Config) -> Result<Vec<SinkOptions>, DaemonError> {
    use crate::delivery::{Content, Secret, SinkKind, Storm};
    let storm = (config.alerts.storm > 0)
        .then(|| Storm { singly: config.alerts.storm, window: Duration::from_secs(60) });
    let mut out = Vec::new();
    for sink in &config.sinks {
        let kind = match sink.kind {
            config::SinkKind::Webhook => {
                let secret = match &sink.secret {
                    Some(secret) => config::credential(&secret.credential)?.expose().to_owned(),
                    None => String::new(),
                };
                SinkKind::Webhook {
                    url: sink.url.clone(),
                    secret: Secret::new(secret),
                    timeout: sink.timeout.0,
                }
            }
            config::SinkKind::Jsonl => {
                SinkKind::Jsonl { path: sink.path.clone().unwrap_or_default() }
            }
            config::SinkKind::Alertmanager => SinkKind::Alertmanager {
                url: sink.url.clone(),
                timeout: sink.timeout.0,
                every: Duration::from_secs(60),
            },
        };
        let some = |dur: config::Dur| (!dur.0.is_zero()).then_some(dur.0);
        let mut options = SinkOptions::new(&sink.name, kind);
        options.content = match sink.content {
            config::Content::Full => Content::Full,
            config::Content::Minimal => Content::Minimal,
        };
        options.min_level = sink.min_level;
        options.max_age = sink.max_age.0;
        options.remind = some(sink.remind);
        options.heartbeat = some(sink.heartbeat);
        options.insecure = sink.insecure;
        options.ca = sink.ca.clone();
        options.quiet = config.alerts.mode == Mode::Shadow;
        options.storm = storm;
        out.push(options);
    }
    Ok(out)
}

/// Sweeps what has expired and keeps slow gauges true.
fn housekeeping(
    servers: &mut tokio::task::JoinSet<()>,
    sweep: Sweep,
    rows: Rows,
    (delivery, counts): (Delivery, Arc<SinkCounts>),
    stop: CancellationToken,
) {
    servers.spawn(async move {
        let mut every = tokio::time::interval(Duration::from_secs(2));
        let mut swept: Option<Instant> = None;
        loop {
            tokio::select! { _ = every.tick() => {}, () = stop.cancelled() => return }
            let mut levels = [0usize; 5];
            rows.read().values().for_each(|row| levels[row.level as usize] += 1);
            sweep.look_at_clock();
            Level::ALL
                .iter()
                .zip(levels)
                .for_each(|(level, count)| sweep.metrics.set_channels(*level, count));
            if let Ok(views) = delivery.overview().await {
                counts.overview(&views, setup::clock());
            }
            if swept.is_none_or(|then| then.elapsed() > Duration::from_secs(600)) {
                swept = Some(Instant::now());
                sweep.run().await;
            }
        }
    });
}
