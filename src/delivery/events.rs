//! What sinks are told: the events of a change, reminders, heartbeats and the marked test alert.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Content, SinkOptions, SinkState};
use crate::alert::{
    Alert, Change, ChangeKind, Coverage, Donations, Facts, Jurisdiction, OutboxRow, State,
    cloud_event, cloud_event_minimal,
};
use crate::event::{ChannelId, Level, Tense, Timestamp};

/// The outbox rows of a change: one for each sink that wants its level and is told changes. To be committed with it.
pub fn rows_for<'a>(
    change: &Change,
    sinks: impl IntoIterator<Item = &'a SinkOptions>,
    source: &str,
    received: Timestamp,
) -> Vec<OutboxRow> {
    sinks
        .into_iter()
        .filter(|sink| !sink.quiet && !sink.kind.is_mirror())
        .filter(|sink| change.alert.level >= sink.min_level)
        .map(|sink| row(sink, change, event(change, sink.content, source), received))
        .collect()
}

/// Reminder number `count` (from 1) of an alert that nobody took: the same revision and data under its own id.
pub(super) fn reminder_row(
    change: &Change,
    count: u32,
    sink: &SinkOptions,
    source: &str,
    now: Timestamp,
) -> OutboxRow {
    let mut event = event(change, sink.content, source);
    event["type"] = ChangeKind::Reminded.event_type().into();
    event["id"] = format!("{}-{}-r{count}", change.alert.id, change.alert.revision).into();
    event["time"] = json!(now);
    row(sink, change, event, now)
}

/// True for the id of a reminder.
pub(super) fn is_reminder(id: &str) -> bool {
    id.rsplit_once("-r")
        .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn event(change: &Change, content: Content, source: &str) -> Value {
    match content {
        Content::Full => cloud_event(change, source),
        Content::Minimal => cloud_event_minimal(change, source),
    }
}

fn row(sink: &SinkOptions, change: &Change, event: Value, received: Timestamp) -> OutboxRow {
    OutboxRow {
        sink: sink.name.clone(),
        id: event["id"].as_str().unwrap_or_default().to_owned(),
        alert: change.alert.id,
        level: change.alert.level,
        body: event.to_string(),
        received,
    }
}

/// True for the id of an alert's first revision.
pub(super) fn is_opening(id: &str) -> bool {
    id.strip_suffix("-1").is_some_and(|alert| alert.parse::<Uuid>().is_ok())
}

/// The new alerts that came too fast to be told one by one, as they stand now. `alerts` must not be empty.
pub(super) fn storm_row(
    alerts: &[Change],
    sink: &SinkOptions,
    source: &str,
    now: Timestamp,
) -> OutboxRow {
    let first = alerts.first().map(|change| change.alert.id).unwrap_or_default();
    let mut levels = std::collections::BTreeMap::<&str, u32>::new();
    for change in alerts {
        *levels.entry(change.alert.level.name()).or_default() += 1;
    }
    let told = |change: &Change| {
        let alert = &change.alert;
        let mut told = json!({
            "id": alert.id,
            "revision": alert.revision,
            "level": alert.level,
            "level_now": alert.level_now,
            "state": alert.state,
            "console": alert.console,
        });
        if sink.content == Content::Full {
            told["channel"] = json!(alert.channel);
            told["opened_at"] = json!(alert.opened_at);
            told["summary"] = json!(alert.summary);
        }
        told
    };
    let data = json!({
        "count": alerts.len(),
        "levels": levels,
        "alerts": alerts.iter().map(told).collect::<Vec<_>>(),
    });
    let id = format!("storm-{first}");
    let event = envelope("eu.vigie.storm.v1", &id, source, now, data);
    OutboxRow {
        sink: sink.name.clone(),
        id,
        alert: first,
        level: alerts.iter().map(|change| change.alert.level).max().unwrap_or_default(),
        body: event.to_string(),
        received: now,
    }
}

/// Tells `to` that the sink `about` fails, or takes messages again.
pub(super) fn sink_row(
    about: &str,
    state: &SinkState,
    to: &SinkOptions,
    source: &str,
    now: Timestamp,
) -> OutboxRow {
    let turn = if state.ok { "recovered" } else { "failing" };
    let id = format!("sink-{turn}-{about}-{}", now.0);
    let data = json!({
        "sink": about,
        "since": if state.ok { state.last_accepted } else { state.failing_since },
        "why": state.last_error,
    });
    let event = envelope(&format!("eu.vigie.sink.{turn}.v1"), &id, source, now, data);
    OutboxRow {
        sink: to.name.clone(),
        id,
        alert: Uuid::nil(),
        level: Level::None,
        body: event.to_string(),
        received: now,
    }
}

/// The sink that an announcement is about, and whether it tells that it fails.
pub(super) fn announced(id: &str) -> Option<(&str, bool)> {
    let (turn, rest) = id.strip_prefix("sink-")?.split_once('-')?;
    let (about, _) = rest.rsplit_once('-')?;
    Some((about, turn == "failing"))
}

/// A CloudEvents envelope of what is no alert's change.
fn envelope(kind: &str, id: &str, source: &str, now: Timestamp, data: Value) -> Value {
    json!({
        "specversion": "1.0",
        "type": kind,
        "source": source,
        "id": id,
        "time": now,
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// A sign of life with what is degraded, so that silence is noticed.
pub fn heartbeat_event(source: &str, degraded: &[String], now: Timestamp) -> (String, Value) {
    let id = format!("heartbeat-{}", Uuid::new_v4());
    let event = envelope("eu.vigie.heartbeat.v1", &id, source, now, json!({"degraded": degraded}));
    (id, event)
}

/// An alert of the usual shape that is marked as a test by `data.test` and by its words.
pub fn test_event(source: &str, content: Content, now: Timestamp) -> (String, Value) {
    let alert = Alert {
        id: Uuid::new_v4(),
        revision: 1,
        channel: ChannelId::new("test:vigie"),
        url: None,
        title: Some("TEST".into()),
        category: None,
        language: None,
        language_measured: false,
        level: Level::Concern,
        level_now: Level::Concern,
        previous_level: Level::None,
        state: State::Open,
        tense: Tense::Ongoing,
        score: 0.0,
        rule: None,
        opened_at: now,
        updated_at: now,
        ended_at: None,
        previous: None,
        durable: false,
        suspected_offences: Vec::new(),
        summary: "TEST: Vigie was asked to send this to see that it arrives. Nothing happened."
            .into(),
        reasons: Vec::new(),
        against: Vec::new(),
        donations: Donations::default(),
        evidence: Vec::new(),
        coverage: Coverage::default(),
        jurisdiction: Jurisdiction { basis: "none".into(), ..Jurisdiction::default() },
        recommended_measures: Vec::new(),
        models: Default::default(),
        config: String::new(),
        console: String::new(),
    };
    let change = Change { kind: ChangeKind::Opened, alert, facts: Facts::default(), reached: None };
    let mut event = event(&change, content, source);
    event["data"]["test"] = true.into();
    (event["id"].as_str().unwrap_or_default().to_owned(), event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reminders_have_a_reminders_id() {
        let id = Uuid::new_v4();
        assert!(is_reminder(&format!("{id}-3-r12")));
        assert!(!is_reminder(&format!("{id}-3")));
        assert!(!is_reminder(&format!("{id}-3-r")));
    }

    #[test]
    fn an_opening_is_the_first_revision_itself() {
        let id = Uuid::new_v4();
        assert!(is_opening(&format!("{id}-1")));
        for other in [format!("{id}-11"), format!("{id}-2"), format!("{id}-1-r1")] {
            assert!(!is_opening(&other), "{other}");
        }
        assert!(!is_opening("sink-failing-a-1"));
    }

    #[test]
    fn an_announcement_tells_by_its_id_whom_it_is_about() {
        let to = SinkOptions::new("b", super::super::SinkKind::Jsonl { path: "x".into() });
        let mut state = SinkState::new();
        state.ok = false;
        let row = sink_row("a-failing-1", &state, &to, "urn:x", Timestamp(1_800_000_000_000));
        assert_eq!(announced(&row.id), Some(("a-failing-1", true)));
        state.ok = true;
        let row = sink_row("a", &state, &to, "urn:x", Timestamp(1_800_000_000_000));
        assert_eq!(announced(&row.id), Some(("a", false)));
        assert_eq!(announced("heartbeat-1"), None);
    }

    #[test]
    fn a_test_alert_is_marked_and_reads_as_an_alert() {
        let (id, event) = test_event("urn:x", Content::Full, Timestamp(1_800_000_000_000));
        assert_eq!(event["data"]["test"], true);
        assert_eq!(event["type"], "eu.vigie.alert.opened.v1");
        assert_eq!(event["id"], id);
        serde_json::from_value::<Alert>(event["data"].clone()).unwrap();
        let (_, minimal) = test_event("urn:x", Content::Minimal, Timestamp(1_800_000_000_000));
        assert_eq!(minimal["data"]["test"], true);
        assert!(minimal["data"].get("summary").is_none());
    }
}
