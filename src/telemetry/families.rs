//! The families of metrics that the contract fixes: names, labels, buckets and help, and the reasons of drops.

use FamilyKind::{Counter, Gauge, Histogram};

/// What a family counts like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FamilyKind {
    Counter,
    Gauge,
    /// With its buckets, in the family's unit.
    Histogram(&'static [f64]),
}

/// A family of metrics: name, label names, help.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: FamilyKind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

/// Seconds from source to us: within a second when all is well, hours in a backlog.
const LAG: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0];
/// Seconds of one batch on one core.
const INFERENCE: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Seconds to a sink; the target for text is 0.25.
const LATENCY: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0];
/// Seconds of a commit, whose goal is 20 ms at the 99th percentile.
const COMMIT: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Seconds until a person decided: half a minute to a day.
const REVIEW: &[f64] =
    &[30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];

const fn family(
    name: &'static str,
    kind: FamilyKind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, kind, labels, help }
}

/// Every family but `vigie_process_*`, which the process collector brings.
pub const FAMILIES: [Family; 30] = [
    family(
        "vigie_feed_events_total",
        Counter,
        &["feed", "kind"],
        "Events that a feed brought, without repeats.",
    ),
    family("vigie_feed_connected", Gauge, &["feed"], "1 while a feed is connected, else 0."),
    family(
        "vigie_feed_reconnects_total",
        Counter,
        &["feed"],
        "Times that a feed was connected anew.",
    ),
    family(
        "vigie_feed_last_event_timestamp_seconds",
        Gauge,
        &["feed"],
        "When a feed's last event came in, in seconds since 1970; 0 before the first.",
    ),
    family(
        "vigie_event_lag_seconds",
        Histogram(LAG),
        &["feed"],
        "From an event's own time to its arrival.",
    ),
    family(
        "vigie_events_dropped_total",
        Counter,
        &["kind", "reason"],
        "Events that were not used, by reason.",
    ),
    family(
        "vigie_events_corrected_total",
        Counter,
        &["kind", "reason"],
        "Events kept although something in them could not be used as told, by reason.",
    ),
    family(
        "vigie_inference_seconds",
        Histogram(INFERENCE),
        &["model"],
        "Time of one batch in a model.",
    ),
    family(
        "vigie_inference_batch_size",
        Histogram(BATCH),
        &["model"],
        "Items in one batch of a model.",
    ),
    family(
        "vigie_inference_cache_total",
        Counter,
        &["model", "outcome"],
        "Look-ups of scored texts, hit or miss.",
    ),
    family("vigie_queue_depth", Gauge, &["queue"], "Entries that wait in a queue."),
    family("vigie_queue_capacity", Gauge, &["queue"], "Entries that a queue can hold."),
    family("vigie_channels", Gauge, &["level"], "Channels in memory, by level."),
    family(
        "vigie_alerts_total",
        Counter,
        &["level"],
        "Times that a level was first reached in an incident.",
    ),
    family(
        "vigie_alerts_open",
        Gauge,
        &["level", "state"],
        "Alerts that nobody has ended, by level and state.",
    ),
    family(
        "vigie_alert_latency_seconds",
        Histogram(LATENCY),
        &["sink"],
        "From an event's arrival to a sink's acceptance of its alert, first attempts.",
    ),
    family(
        "vigie_review_seconds",
        Histogram(REVIEW),
        &["decision"],
        "From an alert's opening to a person's decision.",
    ),
    family("vigie_outbox_pending", Gauge, &["sink"], "Deliveries that wait for a sink."),
    family("vigie_outbox_parked", Gauge, &["sink"], "Deliveries that were given up."),
    family(
        "vigie_delivery_attempts_total",
        Counter,
        &["sink", "outcome"],
        "Attempts to deliver, by outcome.",
    ),
    family(
        "vigie_config_reloads_total",
        Counter,
        &["outcome"],
        "Reloads of the config, by outcome.",
    ),
    family(
        "vigie_rule_matches_total",
        Counter,
        &["rule", "mode"],
        "Times that a rule began to match, by mode.",
    ),
    family(
        "vigie_store_commit_seconds",
        Histogram(COMMIT),
        &[],
        "How long the commit of an alert took.",
    ),
    family(
        "vigie_store_failures_total",
        Counter,
        &["reason"],
        "Tries of the store that failed, by what is to be mended.",
    ),
    family(
        "vigie_clock_disbelieved_seconds",
        Gauge,
        &[],
        "How far the machine's time is from what retention believes; 0 when it is believed.",
    ),
    family("vigie_store_waiting", Gauge, &[], "Things that wait in memory for the store."),
    family(
        "vigie_alerts_unsaved_total",
        Counter,
        &[],
        "Alerts sent before they were durable, because the store could not commit.",
    ),
    family(
        "vigie_journal_entries_total",
        Counter,
        &["outcome"],
        "Entries of the journal, written or lost.",
    ),
    family("vigie_model_info", Gauge, &["model", "version"], "1 for each model in use."),
    family("vigie_build_info", Gauge, &["version", "commit"], "1 for this build."),
];

/// Why an event was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    Repeat,
    Malformed,
    TooLarge,
    Late,
    UnknownType,
    ShedLook,
    ShedChat,
}

impl Dropped {
    pub const ALL: [Dropped; 7] = [
        Dropped::Repeat,
        Dropped::Malformed,
        Dropped::TooLarge,
        Dropped::Late,
        Dropped::UnknownType,
        Dropped::ShedLook,
        Dropped::ShedChat,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Dropped::Repeat => "repeat",
            Dropped::Malformed => "malformed",
            Dropped::TooLarge => "too_large",
            Dropped::Late => "late",
            Dropped::UnknownType => "unknown_type",
            Dropped::ShedLook => "shed_look",
            Dropped::ShedChat => "shed_chat",
        }
    }
}

/// What was set right in an event that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corrected {
    /// An `at` ahead of the daemon's clock was set to it.
    TimeAhead,
    /// An amount in an unknown currency, negative, absurd or no number counts as not known.
    AmountUnknown,
}

impl Corrected {
    pub const ALL: [Corrected; 2] = [Corrected::TimeAhead, Corrected::AmountUnknown];

    pub fn name(self) -> &'static str {
        match self {
            Corrected::TimeAhead => "time_ahead",
            Corrected::AmountUnknown => "amount_unknown",
        }
    }
}
