//! SIGHUP: the config is read anew. If anything in it is wrong the old one stays, whole; else thresholds, rules, sinks,
//! feeds and channels change over without losing state, events or connections that did not change.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use prometheus::IntCounter;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::daemon::{DaemonError, sinks};
use super::gate::{Reload, ToGate};
use super::intake::FeedClock;
use super::observe::FeedCounts;
use super::setup::{config_with_secrets, inactive_rules};
use super::terms::{Standing, Terms};
use crate::config::{self, Clock, Config, ConfigErrors, FeedKind, Mode, Problem};
use crate::delivery::{Delivery, SinkOptions};
use crate::event::{Keyer, Kind};
use crate::feed::{self, FromFeed, ToFeed};
use crate::model::Manifest;
use crate::store::journal::Journal;
use crate::telemetry::{Clock as Ticker, Component, Health, Metrics, Status, systemd};

/// A feed that was told to end has this long until its task is broken off.
const GOODBYE: Duration = Duration::from_secs(5);

/// The config in force, for those who look things up in it when they need them.
#[derive(Clone)]
pub struct Current(Arc<RwLock<InForce>>);

struct InForce {
    config: Arc<Config>,
    /// Rules that cannot match for want of a model.
    inactive: Vec<String>,
}

impl Current {
    pub fn new(config: Arc<Config>, inactive: Vec<String>) -> Self {
        Self(Arc::new(RwLock::new(InForce { config, inactive })))
    }

    pub fn get(&self) -> Arc<Config> {
        self.0.read().config.clone()
    }

    pub fn inactive_rules(&self) -> Vec<String> {
        self.0.read().inactive.clone()
    }

    /// `[alerts] mode = "shadow"`: nothing is delivered.
    pub fn shadow(&self) -> bool {
        self.0.read().config.alerts.mode == Mode::Shadow
    }
}

/// Counters of a config's rules, by place.
pub fn rule_counters(config: &Config, metrics: &Metrics) -> Vec<IntCounter> {
    config.rules.iter().map(|rule| metrics.rule(&rule.name, rule.mode.name())).collect()
}

/// A feed as the config has it, with its secret.
#[derive(Clone, PartialEq)]
pub struct FeedSetup {
    feed: config::Feed,
    token: Option<String>,
    message_limit: usize,
}

impl FeedSetup {
    /// Errors: its credential is not there.
    pub fn new(feed: &config::Feed, config: &Config) -> Result<Self, config::CredentialError> {
        let token = feed.token.as_ref().map(|secret| config::credential(&secret.credential));
        let token = token.transpose()?.map(|value| value.expose().to_owned());
        let message_limit = config.limits.message.0 as usize;
        Ok(Self { feed: feed.clone(), token, message_limit })
    }

    /// The feed's task.
    pub fn run(
        &self,
        place: u16,
        resume: Option<Box<str>>,
        keyer: Keyer,
        way: Way,
        stop: CancellationToken,
    ) -> BoxFuture<'static, ()> {
        let (feed, Way { out, control, observer, clock }) = (self.feed.clone(), way);
        match feed.kind {
            FeedKind::Websocket => {
                let options = feed::WebsocketOptions {
                    url: feed.url,
                    channels: feed.channels,
                    kinds: Kind::ALL.into_iter().filter(|kind| *kind != Kind::Gap).collect(),
                    token: self.token.clone(),
                    ca: feed.ca,
                    idle_timeout: feed.idle_timeout.0,
                    message_limit: self.message_limit,
                    insecure: feed.insecure,
                };
                let task = feed::websocket::run(
                    place, options, resume, keyer, out, control, observer, clock, stop,
                );
                task.boxed()
            }
            FeedKind::Recording => {
                let path = feed.path.unwrap_or_default();
                let options = feed::RecordingOptions { path, speed: feed.speed };
                let task = feed::recording::run(
                    place, options, resume, keyer, out, control, observer, clock, stop,
                );
                task.boxed()
            }
        }
    }

    fn clock(&self) -> FeedClock {
        if self.feed.clock() == Clock::Data { FeedClock::Data } else { FeedClock::Live }
    }
}

/// The ways between a feed's task and the house.
pub struct Way {
    pub out: mpsc::Sender<FromFeed>,
    pub control: mpsc::Receiver<ToFeed>,
    pub observer: Arc<FeedCounts>,
    pub clock: Ticker,
}

/// What every feed's task is given.
pub struct Starter {
    pub out: mpsc::Sender<FromFeed>,
    pub keyer: Keyer,
    pub observer: Arc<FeedCounts>,
    pub clock: Ticker,
    pub health: Health,
    pub stop: CancellationToken,
}

impl Starter {
    fn start(
        &self,
        place: u16,
        setup: &FeedSetup,
        resume: Option<Box<str>>,
        control: mpsc::Receiver<ToFeed>,
        later: bool,
    ) -> Running {
        let stop = self.stop.child_token();
        let (observer, clock) = (self.observer.clone(), self.clock.clone());
        let way = Way { out: self.out.clone(), control, observer, clock };
        let (name, channels) = (&setup.feed.name, &setup.feed.channels);
        self.observer.seat(place, name);
        self.health.declare_feed(name, channels);
        if later {
            // The house is ready already and stays so.
            let status = Status::Down("not connected yet".into());
            self.health.set(Component::Feed(name), status);
        }
        let task = tokio::spawn(setup.run(place, resume, self.keyer.clone(), way, stop.clone()));
        Running { stop, task }
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends the feed's task; afterwards nothing more comes of it.
    async fn end(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(GOODBYE, &mut self.task).await.is_err() {
            self.task.abort();
            // However it ended: it brings nothing more.
            let _ = self.task.await;
        }
    }
}

/// A feed's place, for as long as the daemon runs.
pub struct Seat {
    name: String,
    /// None: a reload took it away.
    setup: Option<FeedSetup>,
    running: Option<Running>,
}

/// Everything that a reload changes. Dropped, it also lets go of the way into the intake.
pub struct Reloader {
    pub path: PathBuf,
    pub current: Current,
    pub manifest: Manifest,
    pub terms: Arc<Terms>,
    pub journal: Journal,
    pub delivery: Delivery,
    pub gate: mpsc::Sender<ToGate>,
    pub starter: Starter,
    pub seats: Vec<Seat>,
    pub metrics: Metrics,
    pub health: Health,
}

/// A config that was read anew and found good.
struct Prepared {
    config: Config,
    /// Keys whose new value waits for a restart.
    waiting: Vec<String>,
    terms: Terms,
    /// Rules that cannot match for want of a model.
    inactive: Vec<String>,
    sinks: Vec<SinkOptions>,
    feeds: Vec<FeedSetup>,
}

impl Reloader {
    /// Begins a feed at its place, which is new or whose task has ended; `later`: by a reload.
    pub fn begin(
        &mut self,
        place: u16,
        setup: FeedSetup,
        resume: Option<Box<str>>,
        control: mpsc::Receiver<ToFeed>,
        later: bool,
    ) {
        let running = Some(self.starter.start(place, &setup, resume, control, later));
        let seat = Seat { name: setup.feed.name.clone(), setup: Some(setup), running };
        match self.seats.get_mut(usize::from(place)) {
            Some(known) => *known = seat,
            None => self.seats.push(seat),
        }
    }

    /// Ends every feed's task.
    pub async fn end(mut self) {
        let running: Vec<Running> =
            self.seats.iter_mut().filter_map(|seat| seat.running.take()).collect();
        futures_util::future::join_all(running.into_iter().map(Running::end)).await;
    }

    /// Reads the config anew and takes it over, or says why not and leaves everything as it is.
    pub async fn reload(&mut self) {
        systemd::reloading();
        let told = match self.prepare().await {
            Ok(prepared) => self.apply(prepared).await,
            Err(errors) => Err(errors),
        };
        let (outcome, status) = match told {
            Ok(waiting) if waiting.is_empty() => ("ok", Status::Up),
            Ok(waiting) => {
                let keys = waiting.join(", ");
                tracing::warn!(%keys, "the config is reloaded; these keys wait for a restart");
                ("partly", Status::Degraded(format!("these keys wait for a restart: {keys}")))
            }
            Err(errors) => ("failed", Status::Degraded(self.refused(&errors))),
        };
        self.metrics.reloaded(outcome);
        self.health.set(Component::Config, status);
        systemd::ready(&format!("{} feeds", self.current.get().feeds.len()));
    }

    /// Tells every problem in the log; gives what `/readyz` says until it is mended.
    fn refused(&self, errors: &ConfigErrors) -> String {
        for problem in &errors.0 {
            tracing::error!(
                at = %problem.place(), what = %problem.what, expected = %problem.expected,
                mend = %problem.how_to_mend, "the config is refused, the old one stays in force"
            );
        }
        let count = match errors.0.len() {
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        let first = errors.0.first().map(Problem::place).unwrap_or_default();
        format!(
            "the config on disk is refused and the one before stays in force: {count}, the first at {first}; `vigie \
             check -c {}` tells them",
            self.path.display()
        )
    }

    /// All that can be wrong is found before anything changes.
    async fn prepare(&self) -> Result<Prepared, ConfigErrors> {
        let (path, running, manifest) =
            (self.path.clone(), self.current.get(), self.manifest.clone());
        let read = tokio::task::spawn_blocking(move || prepare(&path, &running, &manifest)).await;
        read.unwrap_or_else(|error| {
            let what = format!("reading the config broke off: {error}");
            Err(ConfigErrors(vec![Problem::of_file(&self.path, what)]))
        })
    }

    /// Changes everything over; gives the keys that wait. Sinks come first, as they alone may still refuse.
    async fn apply(&mut self, prepared: Prepared) -> Result<Vec<String>, ConfigErrors> {
        let Prepared { config, waiting, terms, inactive, sinks, feeds } = prepared;
        let applied = self
            .delivery
            .apply(sinks)
            .map_err(|error| ConfigErrors(vec![Problem::of_file(&self.path, error.to_string())]))?;
        let config = Arc::new(config);
        self.take_terms(terms).await;

        let names: HashSet<&str> = feeds.iter().map(|setup| setup.feed.name.as_str()).collect();
        let gone: Vec<u16> = (0..self.seats.len())
            .filter(|n| self.seats[*n].setup.is_some())
            .filter(|n| !names.contains(self.seats[*n].name.as_str()))
            .map(|n| n as u16)
            .collect();
        let mut begin: Vec<(u16, FeedSetup)> = Vec::new();
        let mut new = self.seats.len() as u16;
        for setup in feeds {
            match self.seats.iter().position(|seat| seat.name == setup.feed.name) {
                Some(place) if self.seats[place].setup.as_ref() == Some(&setup) => {}
                Some(place) => begin.push((place as u16, setup)),
                None => {
                    begin.push((new, setup));
                    new += 1;
                }
            }
        }
        let resume = self.stop_feeds(&gone, &begin).await;
        let mut begun = Vec::new();
        let mut inboxes = Vec::new();
        for (place, setup) in &begin {
            let (control, inbox) = mpsc::channel(256);
            begun.push((*place, setup.feed.name.clone(), setup.clock(), control));
            inboxes.push(inbox);
        }
        self.forget_rules(&config);
        let standing = Arc::new(self.standing(&config, &begin));
        *self.current.0.write() = InForce { config: config.clone(), inactive };
        let reload = Reload { config: config.clone(), standing, begun, gone: gone.clone() };
        self.tell_gate(|done| ToGate::Reload(Box::new(reload), done)).await;
        for place in &gone {
            let seat = &mut self.seats[usize::from(*place)];
            seat.setup = None;
            self.starter.observer.forget(*place);
            self.health.forget(Component::Feed(&seat.name));
        }
        let changed = begin.len();
        for (((place, setup), resume), inbox) in begin.into_iter().zip(resume).zip(inboxes) {
            self.begin(place, setup, resume, inbox, true);
        }
        tracing::info!(
            config = %config.digest(), rules = config.rules.len(), feeds_begun = changed, feeds_ended = gone.len(),
            sinks_added = applied.added.len(), sinks_changed = applied.changed.len(),
            sinks_removed = applied.removed.len(), "the config is reloaded"
        );
        Ok(waiting)
    }

    /// Ends the tasks of feeds that go or change; gives where each of `begin` is to go on.
    async fn stop_feeds(
        &mut self,
        gone: &[u16],
        begin: &[(u16, FeedSetup)],
    ) -> Vec<Option<Box<str>>> {
        let places: Vec<u16> = gone.iter().copied().chain(begin.iter().map(|(p, _)| *p)).collect();
        let mut ending = Vec::new();
        for place in &places {
            let seat = self.seats.get_mut(usize::from(*place));
            ending.extend(seat.and_then(|seat| seat.running.take()).map(Running::end));
        }
        if places.is_empty() {
            return Vec::new();
        }
        futures_util::future::join_all(ending).await;
        let cursors = self.tell_gate(|done| ToGate::Drain { places, done }).await;
        cursors.unwrap_or_default().split_off(gone.len())
    }

    /// Asks the gate for something; none if the house is going down.
    async fn tell_gate<T>(&self, what: impl FnOnce(oneshot::Sender<T>) -> ToGate) -> Option<T> {
        let (done, answer) = oneshot::channel();
        self.gate.send(what(done)).await.ok()?;
        answer.await.ok()
    }

    /// The journal tells the terms before anything is judged by them.
    async fn take_terms(&mut self, terms: Terms) {
        let (journal, told) = (self.journal.clone(), terms.told());
        if told != self.terms.told() {
            // It waits while the journal's queue is full.
            let under = tokio::task::spawn_blocking(move || journal.under(told)).await;
            self.journal = under.unwrap_or_else(|_| self.journal.clone());
            self.terms = Arc::new(terms);
        }
    }

    /// What shards are given of a config: by place, where feeds that go on keep theirs.
    fn standing(&self, config: &Config, begin: &[(u16, FeedSetup)]) -> Standing {
        let known = self.seats.iter().map(|seat| {
            let data = seat.setup.as_ref().is_some_and(|s| s.clock() == FeedClock::Data);
            (seat.name.clone(), data)
        });
        let mut seats: Vec<(String, bool)> = known.collect();
        for (place, setup) in begin {
            let seat = (setup.feed.name.clone(), setup.clock() == FeedClock::Data);
            match seats.get_mut(usize::from(*place)) {
                Some(known) => *known = seat,
                None => seats.push(seat),
            }
        }
        let (feeds, data) = seats.into_iter().unzip();
        Standing {
            terms: self.terms.clone(),
            journal: Some(self.journal.clone()),
            feeds,
            data,
            rules: rule_counters(config, &self.metrics),
            limits: config.limits.clone(),
        }
    }

    fn forget_rules(&self, config: &Config) {
        for rule in &self.current.get().rules {
            let kept = |kept: &config::Rule| kept.name == rule.name && kept.mode == rule.mode;
            if !config.rules.iter().any(kept) {
                self.metrics.forget_rule(&rule.name);
            }
        }
    }
}

fn prepare(path: &Path, running: &Config, manifest: &Manifest) -> Result<Prepared, ConfigErrors> {
    let mut config = config_with_secrets(path)?;
    let waiting = config.hold_back(running);
    let terms = Terms::of(&config, manifest)?;
    let of_file = |error: &dyn std::fmt::Display| {
        ConfigErrors(vec![Problem::of_file(path, error.to_string())])
    };
    let feeds = config.feeds.iter().map(|feed| FeedSetup::new(feed, &config));
    let feeds = feeds.collect::<Result<_, _>>().map_err(|error| of_file(&error))?;
    let sinks = sinks(&config).map_err(|error: DaemonError| of_file(&error))?;
    let inactive = inactive_rules(&terms.judge, manifest);
    Ok(Prepared { config, waiting, terms, inactive, sinks, feeds })
}
