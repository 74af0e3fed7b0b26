//! Counts of feeds, inference and sinks, as metrics and health.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use prometheus::IntCounter;

use super::setup::clock;
use crate::delivery::{DeliveryObserver, Outcome, SinkState, SinkView};
use crate::event::{Kind, Timestamp};
use crate::feed::{FeedObserver, FeedReport};
use crate::model::{Manifest, ModelError, ModelKind, Watcher};
use crate::store::OutboxItem;
use crate::telemetry::{Component, Corrected, Dropped, FeedMetrics, Health, Metrics, Status};

/// Counts of every feed, by place; a feed that a reload took away has none.
pub struct FeedCounts {
    metrics: Metrics,
    feeds: RwLock<Vec<Seat>>,
}

/// What is counted of the feed at one place; a reload may take it away, and bring it back.
struct Seat {
    name: String,
    counts: Option<FeedMetrics>,
    heard: Mutex<Heard>,
}

/// What one feed was heard to bring since it began, for people.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub connected_since: Option<Timestamp>,
    /// Newest time that an event bore.
    pub newest: Option<Timestamp>,
    /// Arrival of the last event.
    pub received: Option<Timestamp>,
    /// From the last event's own time to its arrival, milliseconds.
    pub lag_ms: Option<i64>,
    /// Events by kind, in the order of [`Kind::ALL`].
    pub events: [u64; Kind::ALL.len()],
    /// Messages that were no events, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Events more than 5 s ahead of the daemon's clock.
    pub ahead: u64,
    pub reconnects: u64,
    /// It told a cursor to resume at.
    pub cursor: bool,
}

impl FeedCounts {
    pub fn new(metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), feeds: RwLock::default() }
    }

    /// A feed is served at this place from now on; the places before it exist already.
    pub fn seat(&self, place: u16, name: &str) {
        let counts = Some(self.metrics.feed(name));
        let mut feeds = self.feeds.write();
        match feeds.get_mut(usize::from(place)) {
            Some(seat) => seat.counts = counts,
            None => feeds.push(Seat { name: name.to_owned(), counts, heard: Mutex::default() }),
        }
    }

    /// The feed at this place is served no longer.
    pub fn forget(&self, place: u16) {
        if let Some(seat) = self.feeds.write().get_mut(usize::from(place)) {
            seat.counts = None;
            self.metrics.forget_feed(&seat.name);
        }
    }

    /// The feed told a cursor.
    pub fn cursor(&self, feed: u16) {
        if let Some(seat) = self.feeds.read().get(usize::from(feed)) {
            seat.heard.lock().cursor = true;
        }
    }

    /// What the feed of this name was heard to bring.
    pub fn heard(&self, name: &str) -> Heard {
        let feeds = self.feeds.read();
        let seat = feeds.iter().find(|seat| seat.name == name);
        seat.map(|seat| seat.heard.lock().clone()).unwrap_or_default()
    }
}

impl Heard {
    fn take(&mut self, report: FeedReport) {
        match report {
            FeedReport::Event { kind, at, lag_ms } => {
                self.events[kind as usize] += 1;
                self.newest = self.newest.max(Some(at));
                self.received = Some(at.plus_ms(lag_ms));
                self.lag_ms = Some(lag_ms);
            }
            FeedReport::Dropped { reason, .. } => *self.skipped.entry(reason).or_default() += 1,
            FeedReport::Corrected { what: Corrected::TimeAhead, .. } => self.ahead += 1,
            FeedReport::Corrected { .. } => {}
            FeedReport::Connected(connected) => self.connected_since = connected.then(clock),
            FeedReport::Reconnect => self.reconnects += 1,
        }
    }
}

impl FeedObserver for FeedCounts {
    fn report(&self, feed: u16, report: FeedReport) {
        let feeds = self.feeds.read();
        let Some(Seat { counts: Some(counts), heard, .. }) = feeds.get(usize::from(feed)) else {
            return;
        };
        heard.lock().take(report);
        match report {
            FeedReport::Event { kind, at, lag_ms } => {
                counts.event(kind, at, Timestamp(at.0.saturating_add(lag_ms)));
            }
            FeedReport::Dropped { kind, reason } => {
                let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
                let reason = match reason {
                    "repeat" => Dropped::Repeat,
                    "too_large" => Dropped::TooLarge,
                    "unknown_type" => Dropped::UnknownType,
                    "late" => Dropped::Late,
                    _ => Dropped::Malformed,
                };
                self.metrics.dropped(kind, reason);
            }
            FeedReport::Corrected { kind, what } => self.metrics.corrected(kind, what),
            FeedReport::Connected(connected) => counts.connected(connected),
            FeedReport::Reconnect => counts.reconnected(),
        }
    }
}

/// Counts of inference.
pub struct InferenceCounts {
    metrics: Metrics,
    text: String,
    image: String,
    hits: IntCounter,
    misses: IntCounter,
}

impl InferenceCounts {
    pub fn new(metrics: &Metrics, manifest: &Manifest) -> Self {
        // A batch goes through all models of its kind.
        let name = |kind| {
            let names: Vec<&str> = manifest.of_kind(kind).map(|m| m.name.as_str()).collect();
            names.join("+")
        };
        let text = name(ModelKind::Text);
        Self {
            metrics: metrics.clone(),
            hits: metrics.cache(&text, true),
            misses: metrics.cache(&text, false),
            text,
            image: name(ModelKind::Image),
        }
    }
}

impl Watcher for InferenceCounts {
    fn batch(&self, what: &'static str, size: usize, took: Duration) {
        let model = if what == "message" { &self.text } else { &self.image };
        self.metrics.inference(model, size, took);
    }

    fn looked_up(&self, hits: usize, misses: usize) {
        self.hits.inc_by(hits as u64);
        self.misses.inc_by(misses as u64);
    }

    fn failed(&self, error: &ModelError) {
        tracing::error!(%error, "inference failed");
    }

    fn bad_picture(&self, error: &crate::model::image::ImageError) {
        tracing::debug!(%error, "a picture cannot be used");
        self.metrics.dropped(Some(Kind::Frame), Dropped::Malformed);
    }
}

/// Counts of sinks.
pub struct SinkCounts {
    metrics: Metrics,
    health: Health,
    /// Sinks that are no longer in the config and for which something still waits.
    gone: Mutex<BTreeSet<String>>,
}

/// For so long after its commit a message that was given up is shown in `/readyz` and on the page, in milliseconds.
const PARKED_SHOWN: i64 = 7 * 86_400_000;

impl SinkCounts {
    pub fn new(metrics: Metrics, health: Health) -> Self {
        Self { metrics, health, gone: Mutex::default() }
    }

    /// Shows how each sink fares, what waits and what was given up.
    pub fn overview(&self, views: &[SinkView], now: Timestamp) {
        let mut gone = BTreeSet::new();
        for view in views {
            self.metrics.set_outbox_pending(&view.name, view.waiting as usize);
            self.metrics.set_outbox_parked(&view.name, view.parked as usize);
            if view.state.is_none() {
                self.health.declare_sink(&view.name);
                gone.insert(view.name.clone());
            }
            self.health.set(Component::Sink(&view.name), told(view, now));
        }
        let mut before = self.gone.lock();
        let known = |name: &String| views.iter().any(|view| view.name == *name);
        for name in before.iter().filter(|name| !known(name)) {
            self.removed(name);
        }
        *before = gone;
    }
}

/// A sink's state in words, without personal data.
fn told(view: &SinkView, now: Timestamp) -> Status {
    let mut parts = Vec::new();
    let waiting = match view.waiting {
        0 => String::new(),
        1 => "; 1 message waits".to_owned(),
        n => format!("; {n} messages wait"),
    };
    match &view.state {
        None => {
            parts.push(format!("is no longer in the config{waiting}: add it again to send them"))
        }
        Some(state) if !state.ok => {
            let why = state.last_error.as_deref().unwrap_or("no answer");
            let since = state.failing_since.unwrap_or(now);
            parts.push(format!("fails since {since}: {why}{waiting}"));
        }
        Some(_) => {}
    }
    let shown = |item: &&OutboxItem| now.since(item.created) < PARKED_SHOWN;
    if let Some(last) = view.last_parked.as_ref().filter(shown) {
        let why = last.why.as_deref().unwrap_or("no answer");
        parts.push(format!("{} given up, the last {}: {why}", view.parked, last.id));
    }
    match parts.is_empty() {
        true => Status::Up,
        false => Status::Degraded(parts.join("; ")),
    }
}

impl DeliveryObserver for SinkCounts {
    fn added(&self, sink: &str) {
        self.metrics.sink(sink);
        self.health.declare_sink(sink);
    }

    fn removed(&self, sink: &str) {
        self.metrics.forget_sink(sink);
        self.health.forget(Component::Sink(sink));
    }

    fn attempt(&self, sink: &str, outcome: Outcome) {
        // That a message is given up is no further attempt.
        if outcome != Outcome::Parked {
            self.metrics.delivery_attempt(sink, outcome == Outcome::Accepted);
        }
    }

    fn accepted(&self, sink: &str, _item: &OutboxItem, latency: Duration, first: bool) {
        if first {
            self.metrics.alert_latency(sink, latency);
        }
    }

    fn turned(&self, sink: &str, state: &SinkState) {
        let status = match state.ok {
            true => Status::Up,
            false => Status::Degraded(state.last_error.clone().unwrap_or_default()),
        };
        self.health.set(Component::Sink(sink), status);
    }

    fn degraded(&self) -> Vec<String> {
        let parts = self.health.ready().degraded;
        parts
            .iter()
            .map(|part| format!("{} {}: {}", part.component, part.name, part.reason))
            .collect()
    }
}
