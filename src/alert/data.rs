//! What an alert says: the `data` of its CloudEvents, field by field as the contracts fix them, and the facts kept
//! beside it for the dossier.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{
    ChannelId, Decision, Digest, Gap, Level, Money, Offence, Tense, Timestamp, UserKey,
};

/// What people did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    Acknowledged,
    Confirmed,
    Dismissed,
    Closed,
}

impl State {
    pub const ALL: [State; 5] =
        [State::Open, State::Acknowledged, State::Confirmed, State::Dismissed, State::Closed];

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Acknowledged => "acknowledged",
            State::Confirmed => "confirmed",
            State::Dismissed => "dismissed",
            State::Closed => "closed",
        }
    }
}

/// A measure that people may take; Vigie only recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    HumanReviewNow,
    CallEmergencyNumber,
    InterruptStream,
    SuspendMonetisation,
    SlowOrCloseChat,
    AgeRestrict,
}

impl Measure {
    pub fn name(self) -> &'static str {
        match self {
            Measure::HumanReviewNow => "human_review_now",
            Measure::CallEmergencyNumber => "call_emergency_number",
            Measure::InterruptStream => "interrupt_stream",
            Measure::SuspendMonetisation => "suspend_monetisation",
            Measure::SlowOrCloseChat => "slow_or_close_chat",
            Measure::AgeRestrict => "age_restrict",
        }
    }
}

/// One reason of the decision. `weight` is its share; weights add up to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    pub signal: String,
    pub value: f32,
    /// The rule's; null where the escalation model decided.
    pub threshold: Option<f32>,
    pub weight: f32,
    /// One plain sentence in the server's language.
    pub text: String,
    pub evidence: Vec<Digest>,
}

/// What speaks against the suspicion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Against {
    pub signal: String,
    pub value: f32,
    pub text: String,
}

/// Money in this incident and the day before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Donations {
    pub count: u64,
    pub sum_eur: Money,
    /// Violence after money compared with chance; null where there are no pictures to tell.
    pub coupling: Option<f32>,
    pub asking_for_acts: u64,
}

/// What kind of evidence it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Frame,
    Chat,
    Donation,
    Reward,
    Notice,
    Moderation,
}

impl EvidenceKind {
    pub fn name(self) -> &'static str {
        match self {
            EvidenceKind::Frame => "frame",
            EvidenceKind::Chat => "chat",
            EvidenceKind::Donation => "donation",
            EvidenceKind::Reward => "reward",
            EvidenceKind::Notice => "notice",
            EvidenceKind::Moderation => "moderation",
        }
    }
}

/// One piece of evidence, by digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceItem {
    pub digest: Digest,
    pub kind: EvidenceKind,
    pub at: Timestamp,
    pub href: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<String>,
}

/// What was and was not seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    pub chat: bool,
    pub frames: bool,
    pub donations: bool,
    pub gaps: Vec<Gap>,
}

/// Which Member States are concerned, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Jurisdiction {
    /// ISO 3166-1 alpha-2; empty if none is identifiable with reasonable certainty.
    pub member_states: Vec<String>,
    /// `stream country`, `provider establishment`, or `none`.
    pub basis: String,
    /// Entry of the authorities file, if there is one.
    pub authority: Option<String>,
}

/// An alert as receivers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub id: Uuid,
    pub revision: u32,
    pub channel: ChannelId,
    pub url: Option<String>,
    pub title: Option<String>,
    pub category: Option<String>,
    pub language: Option<String>,
    pub language_measured: bool,
    /// Highest of the incident; never falls.
    pub level: Level,
    pub level_now: Level,
    pub previous_level: Level,
    pub state: State,
    pub tense: Tense,
    pub score: f32,
    pub rule: Option<String>,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub previous: Option<Uuid>,
    pub durable: bool,
    pub suspected_offences: Vec<Offence>,
    pub summary: String,
    pub reasons: Vec<Reason>,
    pub against: Vec<Against>,
    pub donations: Donations,
    pub evidence: Vec<EvidenceItem>,
    pub coverage: Coverage,
    pub jurisdiction: Jurisdiction,
    pub recommended_measures: Vec<Measure>,
    /// Seat of the model to `name@version`.
    pub models: BTreeMap<String, String>,
    pub config: String,
    pub console: String,
}

impl Alert {
    /// An alert at its first revision, with nothing said yet.
    pub fn blank(id: Uuid, channel: ChannelId, at: Timestamp) -> Self {
        Self {
            id,
            revision: 1,
            channel,
            url: None,
            title: None,
            category: None,
            language: None,
            language_measured: false,
            level: Level::None,
            level_now: Level::None,
            previous_level: Level::None,
            state: State::Open,
            tense: Tense::Ongoing,
            score: 0.0,
            rule: None,
            opened_at: at,
            updated_at: at,
            ended_at: None,
            previous: None,
            durable: true,
            suspected_offences: Vec::new(),
            summary: String::new(),
            reasons: Vec::new(),
            against: Vec::new(),
            donations: Donations::default(),
            evidence: Vec::new(),
            coverage: Coverage::default(),
            jurisdiction: Jurisdiction::default(),
            recommended_measures: Vec::new(),
            models: BTreeMap::new(),
            config: String::new(),
            console: String::new(),
        }
    }
}

/// A person seen in the case, by role; the identity stays encrypted until it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub user: UserKey,
    /// `inciter` (asked or paid for acts), `threatener`, `witness` (said that someone is in danger).
    pub role: String,
    pub messages: u32,
    /// EUR given with requests for acts.
    pub paid_eur: Money,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// One act: who paid for what, and what was seen next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    pub request: Digest,
    pub at: Timestamp,
    pub words: String,
    pub paid: Option<String>,
    /// Score of the request (the higher of incitement and urging).
    pub score: f32,
    /// Pictures of the next look, and what it showed.
    pub look: Vec<Digest>,
    pub look_at: Option<Timestamp>,
    pub violence: Option<f32>,
    pub motion: Option<f32>,
}

/// What the daemon knows of the stream beside the alert: for the dossier and the page. Kept at home.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The channel's current name on the platform.
    pub name: Option<String>,
    pub country: Option<String>,
    pub started_at: Option<Timestamp>,
    pub hours_live: Option<f32>,
    pub viewers: Option<u64>,
    pub persons: Vec<Person>,
    pub acts: Vec<Act>,
    /// What the rule that decided says of itself, by language; empty if the model decided.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rule_reason: BTreeMap<String, String>,
    /// People's decisions on this alert, oldest first.
    pub decisions: Vec<Decision>,
    /// Notices received about the channel in the last 90 days.
    pub notices: u32,
    /// Days with paid requests for acts that the channel remembers.
    pub days_with_acts: u32,
    /// Measures against the channel that the platform told of.
    pub measures: Vec<String>,
    /// Number of this incident in the channel, from 1.
    pub incident: u64,
}

/// What happened to an alert: the last part of the CloudEvents type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Opened,
    Raised,
    Updated,
    Reminded,
    Ended,
    Acknowledged,
    Assigned,
    Merged,
    Escalated,
    Confirmed,
    Dismissed,
    Notified,
    Reopened,
    Closed,
}

impl ChangeKind {
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::Opened => "opened",
            ChangeKind::Raised => "raised",
            ChangeKind::Updated => "updated",
            ChangeKind::Reminded => "reminded",
            ChangeKind::Ended => "ended",
            ChangeKind::Acknowledged => "acknowledged",
            ChangeKind::Assigned => "assigned",
            ChangeKind::Merged => "merged",
            ChangeKind::Escalated => "escalated",
            ChangeKind::Confirmed => "confirmed",
            ChangeKind::Dismissed => "dismissed",
            ChangeKind::Notified => "notified",
            ChangeKind::Reopened => "reopened",
            ChangeKind::Closed => "closed",
        }
    }

    /// `eu.vigie.alert.<name>.v1`.
    pub fn event_type(self) -> String {
        format!("eu.vigie.alert.{}.v1", self.name())
    }
}

/// One revision of an alert, on its way to the store and the sinks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    pub alert: Alert,
    pub facts: Facts,
    /// The level was first reached in this incident: counted in `vigie_alerts_total`.
    pub reached: Option<Level>,
}

/// One message for one sink, committed with the change that it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    pub sink: String,
    /// CloudEvents `id`, which is the `webhook-id`: `<alert id>-<revision>`.
    pub id: String,
    pub alert: Uuid,
    pub level: Level,
    /// The whole CloudEvents JSON.
    pub body: String,
    /// Daemon's clock when the event behind it was received.
    pub received: Timestamp,
}

/// The CloudEvents 1.0 envelope (structured mode) of a change.
pub fn cloud_event(change: &Change, source: &str) -> serde_json::Value {
    let alert = &change.alert;
    serde_json::json!({
        "specversion": "1.0",
        "type": change.kind.event_type(),
        "source": source,
        "subject": alert.id,
        "id": format!("{}-{}", alert.id, alert.revision),
        "time": alert.updated_at,
        "datacontenttype": "application/json",
        "data": alert,
    })
}

/// The same for sinks that are not the trust team's own: id, level and link, no content.
pub fn cloud_event_minimal(change: &Change, source: &str) -> serde_json::Value {
    let mut event = cloud_event(change, source);
    let alert = &change.alert;
    event["data"] = serde_json::json!({
        "id": alert.id,
        "revision": alert.revision,
        "level": alert.level,
        "level_now": alert.level_now,
        "state": alert.state,
        "durable": alert.durable,
        "console": alert.console,
    });
    event
}
