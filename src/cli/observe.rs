//! Counts of feeds, inference and sinks, as metrics and health.

use std::time::Duration;

use prometheus::IntCounter;

use crate::config::Feed;
use crate::delivery::{DeliveryObserver, Outcome, SinkState};
use crate::event::{Kind, Timestamp};
use crate::feed::{FeedObserver, FeedReport};
use crate::model::{Manifest, ModelError, ModelKind, Watcher};
use crate::store::OutboxItem;
use crate::telemetry::{Component, Dropped, FeedMetrics, Health, Metrics, Status};

/// Counts of every feed, by place.
pub struct FeedCounts {
    metrics: Metrics,
    feeds: Vec<FeedMetrics>,
}

impl FeedCounts {
    pub fn new(metrics: &Metrics, feeds: &[Feed]) -> Self {
        let feeds = feeds.iter().map(|feed| metrics.feed(&feed.name)).collect();
        Self { metrics: metrics.clone(), feeds }
    }
}

impl FeedObserver for FeedCounts {
    fn report(&self, feed: u16, report: FeedReport) {
        let Some(counts) = self.feeds.get(usize::from(feed)) else { return };
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
            // Times set to the clock have no family of their own in the contract.
            FeedReport::Ahead { .. } => {}
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
        let name = |kind| manifest.of_kind(kind).next().map(|m| m.name.clone()).unwrap_or_default();
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
}

impl SinkCounts {
    pub fn new(metrics: Metrics, health: Health) -> Self {
        Self { metrics, health }
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
        self.metrics.delivery_attempt(sink, outcome == Outcome::Accepted);
    }

    fn accepted(&self, sink: &str, _item: &OutboxItem, latency: Duration, first: bool) {
        if first {
            self.metrics.alert_latency(sink, latency);
        }
    }

    fn turned(&self, sink: &str, state: &SinkState) {
        let status = if state.ok {
            tracing::info!(sink, "the sink accepts again");
            Status::Up
        } else {
            let why = state.last_error.clone().unwrap_or_default();
            tracing::warn!(sink, %why, "the sink fails; what it is told waits");
            Status::Degraded(why)
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
