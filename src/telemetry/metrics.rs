//! The one place that names metrics. Rooms call typed methods; [`Metrics::encode`] writes the Prometheus text format
//! with every family of the contract from the start, also where nothing has happened yet. No label ever holds a
//! user or a channel: values come from the config or from fixed lists.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge as Float, GaugeVec, Histogram as Buckets, HistogramOpts, HistogramVec,
    IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::families::{Corrected, Dropped, FAMILIES, Family, FamilyKind};
use crate::event::{DecisionKind, Kind, Level, Timestamp};

/// The registry and every metric; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

/// Of a family without labels.
const NONE: &[&str] = &[];

struct Inner {
    registry: Registry,
    feed_events: IntCounterVec,
    feed_connected: IntGaugeVec,
    feed_reconnects: IntCounterVec,
    feed_last_event: GaugeVec,
    event_lag: HistogramVec,
    events_dropped: IntCounterVec,
    events_corrected: IntCounterVec,
    inference_seconds: HistogramVec,
    inference_batch_size: HistogramVec,
    inference_cache: IntCounterVec,
    queue_depth: IntGaugeVec,
    queue_capacity: IntGaugeVec,
    channels: IntGaugeVec,
    alerts: IntCounterVec,
    alerts_open: IntGaugeVec,
    alert_latency: HistogramVec,
    review_seconds: HistogramVec,
    outbox_pending: IntGaugeVec,
    outbox_parked: IntGaugeVec,
    delivery_attempts: IntCounterVec,
    config_reloads: IntCounterVec,
    rule_matches: IntCounterVec,
    store_commit: HistogramVec,
    store_failures: IntCounterVec,
    store_waiting: IntGaugeVec,
    clock_disbelieved: IntGaugeVec,
    alerts_unsaved: IntCounterVec,
    journal_entries: IntCounterVec,
    model_info: IntGaugeVec,
    build_info: IntGaugeVec,
}

/// Makes families by name from [`FAMILIES`] and registers them.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn find(name: &str) -> (&'static Family, Opts) {
        // The names below are those of the table; a test makes them all.
        let family =
            FAMILIES.iter().find(|family| family.name == name).expect("a name of FAMILIES");
        (family, Opts::new(family.name, family.help))
    }

    fn add<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        collector: prometheus::Result<C>,
    ) -> C {
        // Names and labels are constants of a valid form, each registered once.
        let collector = collector.expect("a family of a valid form");
        self.0.register(Box::new(collector.clone())).expect("a family registered once");
        collector
    }

    fn counter(&self, name: &str) -> IntCounterVec {
        let (family, opts) = Self::find(name);
        self.add(IntCounterVec::new(opts, family.labels))
    }

    fn gauge(&self, name: &str) -> IntGaugeVec {
        let (family, opts) = Self::find(name);
        self.add(IntGaugeVec::new(opts, family.labels))
    }

    fn float(&self, name: &str) -> GaugeVec {
        let (family, opts) = Self::find(name);
        self.add(GaugeVec::new(opts, family.labels))
    }

    fn histogram(&self, name: &str) -> HistogramVec {
        let (family, _) = Self::find(name);
        let buckets = match family.kind {
            FamilyKind::Histogram(buckets) => buckets.to_vec(),
            FamilyKind::Counter | FamilyKind::Gauge => Vec::new(),
        };
        let opts = HistogramOpts::new(family.name, family.help).buckets(buckets);
        self.add(HistogramVec::new(opts, family.labels))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own with every family in it, and the process collector.
    pub fn new() -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        let inner = Inner {
            feed_events: make.counter("vigie_feed_events_total"),
            feed_connected: make.gauge("vigie_feed_connected"),
            feed_reconnects: make.counter("vigie_feed_reconnects_total"),
            feed_last_event: make.float("vigie_feed_last_event_timestamp_seconds"),
            event_lag: make.histogram("vigie_event_lag_seconds"),
            events_dropped: make.counter("vigie_events_dropped_total"),
            events_corrected: make.counter("vigie_events_corrected_total"),
            inference_seconds: make.histogram("vigie_inference_seconds"),
            inference_batch_size: make.histogram("vigie_inference_batch_size"),
            inference_cache: make.counter("vigie_inference_cache_total"),
            queue_depth: make.gauge("vigie_queue_depth"),
            queue_capacity: make.gauge("vigie_queue_capacity"),
            channels: make.gauge("vigie_channels"),
            alerts: make.counter("vigie_alerts_total"),
            alerts_open: make.gauge("vigie_alerts_open"),
            alert_latency: make.histogram("vigie_alert_latency_seconds"),
            review_seconds: make.histogram("vigie_review_seconds"),
            outbox_pending: make.gauge("vigie_outbox_pending"),
            outbox_parked: make.gauge("vigie_outbox_parked"),
            delivery_attempts: make.counter("vigie_delivery_attempts_total"),
            config_reloads: make.counter("vigie_config_reloads_total"),
            rule_matches: make.counter("vigie_rule_matches_total"),
            store_commit: make.histogram("vigie_store_commit_seconds"),
            store_failures: make.counter("vigie_store_failures_total"),
            store_waiting: make.gauge("vigie_store_waiting"),
            clock_disbelieved: make.gauge("vigie_clock_disbelieved_seconds"),
            alerts_unsaved: make.counter("vigie_alerts_unsaved_total"),
            journal_entries: make.counter("vigie_journal_entries_total"),
            model_info: make.gauge("vigie_model_info"),
            build_info: make.gauge("vigie_build_info"),
            registry: registry.clone(),
        };
        if let Ok(pid) = i32::try_from(std::process::id()) {
            // The one collector of its names; where there is no /proc it has nothing to say.
            let _ = registry.register(Box::new(ProcessCollector::new(pid, "vigie")));
        }
        let metrics = Self(Arc::new(inner));
        metrics.begin();
        metrics
    }

    /// Series whose labels are known beforehand start at 0, so that a rate over them is right from the first event.
    fn begin(&self) {
        let m = &self.0;
        m.store_commit.with_label_values(NONE);
        m.store_waiting.with_label_values(NONE);
        m.clock_disbelieved.with_label_values(NONE);
        m.alerts_unsaved.with_label_values(NONE);
        for reason in ["full", "read_only", "locked", "damaged", "other"] {
            m.store_failures.with_label_values(&[reason]);
        }
        for outcome in ["written", "lost"] {
            m.journal_entries.with_label_values(&[outcome]);
        }
        for level in Level::ALL {
            m.channels.with_label_values(&[level.name()]);
        }
        for level in [Level::Concern, Level::Danger, Level::ThreatToLife] {
            m.alerts.with_label_values(&[level.name()]);
            for state in ["open", "acknowledged", "confirmed"] {
                m.alerts_open.with_label_values(&[level.name(), state]);
            }
        }
        for reason in Dropped::ALL {
            match reason {
                Dropped::ShedLook => drop(self.dropped_counter(Some(Kind::Frame), reason)),
                Dropped::ShedChat | Dropped::Late => {
                    drop(self.dropped_counter(Some(Kind::Chat), reason))
                }
                Dropped::TooLarge | Dropped::UnknownType => {
                    drop(self.dropped_counter(None, reason))
                }
                Dropped::Repeat => {
                    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Gap) {
                        self.dropped_counter(Some(kind), reason);
                    }
                }
                Dropped::Malformed => {
                    for kind in Kind::ALL.into_iter().map(Some).chain([None]) {
                        self.dropped_counter(kind, reason);
                    }
                }
            }
        }
        for decision in [DecisionKind::Acknowledge, DecisionKind::Close] {
            m.review_seconds.with_label_values(&[decision.name()]);
        }
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Gap) {
            drop(self.corrected_counter(kind, Corrected::TimeAhead));
        }
        drop(self.corrected_counter(Kind::Donation, Corrected::AmountUnknown));
        for outcome in ["ok", "partly", "failed"] {
            m.config_reloads.with_label_values(&[outcome]);
        }
        let commit = option_env!("VIGIE_COMMIT").unwrap_or("unknown");
        m.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), commit]).set(1);
    }

    /// The metrics of one feed, looked up once. Its series exist from here on.
    pub fn feed(&self, name: &str) -> FeedMetrics {
        let m = &self.0;
        let label = [name];
        FeedMetrics {
            events: Kind::ALL.map(|kind| m.feed_events.with_label_values(&[name, kind.name()])),
            connected: m.feed_connected.with_label_values(&label),
            reconnects: m.feed_reconnects.with_label_values(&label),
            last_event: m.feed_last_event.with_label_values(&label),
            lag: m.event_lag.with_label_values(&label),
        }
    }

    /// Removes the series of a feed that a reload took away.
    pub fn forget_feed(&self, name: &str) {
        let m = &self.0;
        // An error only says that there was no such series.
        for kind in Kind::ALL {
            let _ = m.feed_events.remove_label_values(&[name, kind.name()]);
        }
        let _ = m.feed_connected.remove_label_values(&[name]);
        let _ = m.feed_reconnects.remove_label_values(&[name]);
        let _ = m.feed_last_event.remove_label_values(&[name]);
        let _ = m.event_lag.remove_label_values(&[name]);
    }

    /// The counter of one reason, looked up once.
    pub fn dropped_counter(&self, kind: Option<Kind>, reason: Dropped) -> IntCounter {
        let kind = kind.map_or("unknown", Kind::name);
        self.0.events_dropped.with_label_values(&[kind, reason.name()])
    }

    /// Counts an event that was not used; `None` where its kind could not be told.
    pub fn dropped(&self, kind: Option<Kind>, reason: Dropped) {
        self.dropped_counter(kind, reason).inc();
    }

    fn corrected_counter(&self, kind: Kind, what: Corrected) -> IntCounter {
        self.0.events_corrected.with_label_values(&[kind.name(), what.name()])
    }

    /// Counts an event that was kept with something in it set right.
    pub fn corrected(&self, kind: Kind, what: Corrected) {
        self.corrected_counter(kind, what).inc();
    }

    /// Names a model in use; its series exist from here on.
    pub fn model(&self, name: &str, version: &str) {
        let m = &self.0;
        m.model_info.with_label_values(&[name, version]).set(1);
        m.inference_seconds.with_label_values(&[name]);
        m.inference_batch_size.with_label_values(&[name]);
    }

    /// A batch went through a model: items in it, time it took.
    pub fn inference(&self, model: &str, items: usize, took: Duration) {
        self.0.inference_seconds.with_label_values(&[model]).observe(took.as_secs_f64());
        self.0.inference_batch_size.with_label_values(&[model]).observe(items as f64);
    }

    /// The counter of look-ups of scored texts that hit or missed, looked up once.
    pub fn cache(&self, model: &str, hit: bool) -> IntCounter {
        self.0.inference_cache.with_label_values(&[model, if hit { "hit" } else { "miss" }])
    }

    /// The depth gauge of a queue, looked up once; its capacity is told here. `queue` is a constant name, with a
    /// number where there are several (`shard-0`), never a channel's.
    pub fn queue(&self, queue: &str, capacity: usize) -> IntGauge {
        let capacity = i64::try_from(capacity).unwrap_or(i64::MAX);
        self.0.queue_capacity.with_label_values(&[queue]).set(capacity);
        self.0.queue_depth.with_label_values(&[queue])
    }

    /// How many channels are at a level, of those in memory.
    pub fn set_channels(&self, level: Level, channels: usize) {
        let channels = i64::try_from(channels).unwrap_or(i64::MAX);
        self.0.channels.with_label_values(&[level.name()]).set(channels);
    }

    /// The gauge of channels at a level, for shards that add and take away their own.
    pub fn channels(&self, level: Level) -> IntGauge {
        self.0.channels.with_label_values(&[level.name()])
    }

    /// An incident reached a level for the first time.
    pub fn alert(&self, level: Level) {
        self.0.alerts.with_label_values(&[level.name()]).inc();
    }

    /// How many alerts nobody has ended, by level and state (`open`, `acknowledged`, `confirmed`).
    pub fn set_alerts_open(&self, level: Level, state: &'static str, alerts: usize) {
        let alerts = i64::try_from(alerts).unwrap_or(i64::MAX);
        self.0.alerts_open.with_label_values(&[level.name(), state]).set(alerts);
    }

    /// Names a sink; its series exist from here on.
    pub fn sink(&self, name: &str) {
        let m = &self.0;
        m.alert_latency.with_label_values(&[name]);
        m.outbox_pending.with_label_values(&[name]);
        m.outbox_parked.with_label_values(&[name]);
        for outcome in ["accepted", "failed"] {
            m.delivery_attempts.with_label_values(&[name, outcome]);
        }
    }

    /// Removes the series of a sink that a reload took away.
    pub fn forget_sink(&self, name: &str) {
        let m = &self.0;
        let _ = m.alert_latency.remove_label_values(&[name]);
        let _ = m.outbox_pending.remove_label_values(&[name]);
        let _ = m.outbox_parked.remove_label_values(&[name]);
        for outcome in ["accepted", "failed"] {
            let _ = m.delivery_attempts.remove_label_values(&[name, outcome]);
        }
    }

    /// A sink accepted an alert at the first attempt, this long after the event came in.
    pub fn alert_latency(&self, sink: &str, took: Duration) {
        self.0.alert_latency.with_label_values(&[sink]).observe(took.as_secs_f64());
    }

    /// An attempt to deliver ended.
    pub fn delivery_attempt(&self, sink: &str, accepted: bool) {
        let outcome = if accepted { "accepted" } else { "failed" };
        self.0.delivery_attempts.with_label_values(&[sink, outcome]).inc();
    }

    /// How many deliveries wait for a sink.
    pub fn set_outbox_pending(&self, sink: &str, pending: usize) {
        let pending = i64::try_from(pending).unwrap_or(i64::MAX);
        self.0.outbox_pending.with_label_values(&[sink]).set(pending);
    }

    /// How many deliveries to a sink were given up.
    pub fn set_outbox_parked(&self, sink: &str, parked: usize) {
        let parked = i64::try_from(parked).unwrap_or(i64::MAX);
        self.0.outbox_parked.with_label_values(&[sink]).set(parked);
    }

    /// A person decided (the name of a `DecisionKind`), this long after the alert opened.
    pub fn reviewed(&self, decision: &'static str, after: Duration) {
        self.0.review_seconds.with_label_values(&[decision]).observe(after.as_secs_f64());
    }

    /// The config was read again: `ok`, `partly` (some keys wait for a restart) or `failed` (the old one stays).
    pub fn reloaded(&self, outcome: &'static str) {
        self.0.config_reloads.with_label_values(&[outcome]).inc();
    }

    /// The counter of a rule, looked up once. `mode` is `active` or `shadow`.
    pub fn rule(&self, rule: &str, mode: &'static str) -> IntCounter {
        self.0.rule_matches.with_label_values(&[rule, mode])
    }

    /// Removes the series of a rule that a reload took away.
    pub fn forget_rule(&self, rule: &str) {
        for mode in ["active", "shadow"] {
            let _ = self.0.rule_matches.remove_label_values(&[rule, mode]);
        }
    }

    /// The commit of an alert took so long.
    pub fn store_commit(&self, took: Duration) {
        self.0.store_commit.with_label_values(NONE).observe(took.as_secs_f64());
    }

    /// The store could not commit, for one of its named reasons.
    pub fn store_failed(&self, reason: &'static str) {
        self.0.store_failures.with_label_values(&[reason]).inc();
    }

    /// Things that wait for the store.
    pub fn set_store_waiting(&self, waiting: usize) {
        self.0.store_waiting.with_label_values(NONE).set(waiting as i64);
    }

    /// How far the machine's time is ahead of what is believed, in milliseconds; 0: it is believed.
    pub fn set_clock_disbelieved(&self, ahead_ms: i64) {
        self.0.clock_disbelieved.with_label_values(NONE).set(ahead_ms / 1_000);
    }

    /// An alert was sent before it was durable.
    pub fn alert_unsaved(&self) {
        self.0.alerts_unsaved.with_label_values(NONE).inc();
    }

    /// Entries of the journal so far.
    pub fn set_journal(&self, written: u64, lost: u64) {
        for (outcome, count) in [("written", written), ("lost", lost)] {
            let counter = self.0.journal_entries.with_label_values(&[outcome]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// The page of `/metrics`, Prometheus text format 0.0.4, families in order of name. A family without a series
    /// yet has its `HELP` and `TYPE`.
    pub fn encode(&self) -> String {
        let mut pages: BTreeMap<String, String> = BTreeMap::new();
        for family in &FAMILIES {
            let kind = match family.kind {
                FamilyKind::Counter => "counter",
                FamilyKind::Gauge => "gauge",
                FamilyKind::Histogram(_) => "histogram",
            };
            let head = format!("# HELP {0} {1}\n# TYPE {0} {kind}\n", family.name, family.help);
            pages.insert(family.name.to_owned(), head);
        }
        for family in self.0.registry.gather() {
            let name = family.name().to_owned();
            let mut bytes = Vec::new();
            // Writing to memory does not fail, and a gathered family has a name and at least one series.
            if TextEncoder::new().encode(&[family], &mut bytes).is_ok() {
                pages.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        pages.into_values().collect()
    }
}

/// The metrics of one feed.
#[derive(Clone)]
pub struct FeedMetrics {
    events: [IntCounter; 8],
    connected: IntGauge,
    reconnects: IntCounter,
    last_event: Float,
    lag: Buckets,
}

impl FeedMetrics {
    /// An event that is no repeat came in at `now`.
    pub fn event(&self, kind: Kind, at: Timestamp, now: Timestamp) {
        self.events[kind as usize].inc();
        self.last_event.set(now.0 as f64 / 1000.0);
        self.lag.observe(now.since(at).max(0) as f64 / 1000.0);
    }

    /// The feed is connected, or no longer.
    pub fn connected(&self, connected: bool) {
        self.connected.set(i64::from(connected));
    }

    /// The feed was connected anew.
    pub fn reconnected(&self) {
        self.reconnects.inc();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn series(page: &str) -> BTreeSet<&str> {
        page.lines()
            .filter(|l| !l.starts_with('#'))
            .filter_map(|l| l.rsplit_once(' '))
            .map(|(s, _)| s)
            .collect()
    }

    #[test]
    fn every_family_of_the_contract_is_there_from_the_start_with_help_and_type() {
        let page = Metrics::new().encode();
        for name in [
            "vigie_feed_events_total",
            "vigie_feed_connected",
            "vigie_feed_reconnects_total",
            "vigie_feed_last_event_timestamp_seconds",
            "vigie_event_lag_seconds",
            "vigie_events_dropped_total",
            "vigie_events_corrected_total",
            "vigie_inference_seconds",
            "vigie_inference_batch_size",
            "vigie_inference_cache_total",
            "vigie_queue_depth",
            "vigie_queue_capacity",
            "vigie_channels",
            "vigie_alerts_total",
            "vigie_alerts_open",
            "vigie_alert_latency_seconds",
            "vigie_review_seconds",
            "vigie_outbox_pending",
            "vigie_outbox_parked",
            "vigie_delivery_attempts_total",
            "vigie_config_reloads_total",
            "vigie_rule_matches_total",
            "vigie_model_info",
            "vigie_build_info",
            "vigie_process_resident_memory_bytes",
            "vigie_process_cpu_seconds_total",
        ] {
            assert_eq!(page.matches(&format!("# HELP {name} ")).count(), 1, "{name}");
            assert_eq!(page.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
        }
        assert!(page.contains("vigie_events_dropped_total{kind=\"chat\",reason=\"shed_chat\"} 0"));
        assert!(page.contains("vigie_config_reloads_total{outcome=\"failed\"} 0"));
    }

    #[test]
    fn the_number_of_series_does_not_grow_with_what_happens() {
        let metrics = Metrics::new();
        let feed = metrics.feed("platform");
        metrics.sink("team");
        metrics.model("chat", "0.1.0");
        let depth = metrics.queue("chat", 8192);
        let rule = metrics.rule("still", "active");
        for hit in [true, false] {
            drop(metrics.cache("chat", hit));
        }
        metrics.reviewed("acknowledged", Duration::from_secs(1));
        let before = series(&metrics.encode()).len();
        for n in 0..1000_i64 {
            let kind = Kind::ALL[usize::try_from(n).unwrap() % 7];
            feed.event(kind, Timestamp(n), Timestamp(n + 40));
            feed.connected(n % 2 == 0);
            feed.reconnected();
            metrics.dropped(Some(kind), Dropped::Repeat);
            metrics.dropped(None, Dropped::Malformed);
            metrics.corrected(kind, Corrected::TimeAhead);
            metrics.inference("chat", 8, Duration::from_millis(3));
            metrics.cache("chat", n % 2 == 0).inc();
            metrics.set_channels(Level::Watch, 12);
            metrics.alert(Level::Danger);
            metrics.set_alerts_open(Level::Danger, "open", 3);
            metrics.alert_latency("team", Duration::from_millis(80));
            metrics.delivery_attempt("team", n % 3 == 0);
            metrics.set_outbox_pending("team", 4);
            metrics.reviewed("acknowledged", Duration::from_secs(90));
            metrics.reloaded(if n % 2 == 0 { "ok" } else { "failed" });
            depth.set(n);
            rule.inc();
        }
        let page = metrics.encode();
        assert_eq!(series(&page).len(), before);
        assert!(page.contains("vigie_queue_depth{queue=\"chat\"} 999"));
        assert!(page.contains("vigie_feed_last_event_timestamp_seconds{feed=\"platform\"} 1.039"));
        assert!(page.contains("vigie_alert_latency_seconds_bucket{sink=\"team\",le=\"0.1\"} 1000"));
    }

    #[test]
    fn what_a_reload_took_away_is_no_longer_told() {
        let metrics = Metrics::new();
        metrics.feed("gone").event(Kind::Chat, Timestamp(0), Timestamp(0));
        metrics.sink("gone");
        metrics.rule("gone", "shadow").inc();
        assert!(metrics.encode().contains("\"gone\""));
        metrics.forget_feed("gone");
        metrics.forget_sink("gone");
        metrics.forget_rule("gone");
        assert!(!metrics.encode().contains("\"gone\""));
    }
}
