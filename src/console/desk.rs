//! What the console asks of the house, as a trait that `cli` implements: alerts, channels, evidence, dossiers, health.
//! The console only reads; people act through the command line's socket.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::alert::{Alert, Change, ChangeKind, Dossier, EvidenceKind, State};
use crate::event::{ChannelId, Digest, Gap, Level, Timestamp};

/// Why the house could not answer. The words go to the log and, without detail, to the reader.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The store or a room is not up; asking again may help.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The request names something that cannot be (a cursor that is none).
    #[error("{0}")]
    Bad(String),
    /// Something broke.
    #[error("internal: {0}")]
    Internal(String),
}

pub type DeskResult<T> = Result<T, DeskError>;

/// Which alerts: every field that is set must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertFilter {
    pub level: Option<Level>,
    pub state: Option<State>,
    pub channel: Option<ChannelId>,
    /// Opaque cursor of the page before ([`AlertPage::next`]).
    pub after: Option<String>,
    /// At most so many; 1..=200.
    pub limit: usize,
}

/// Alerts, newest first.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AlertPage {
    #[schema(schema_with = super::openapi::alerts)]
    pub items: Vec<Alert>,
    /// Give it as `after` for the next page.
    pub next: Option<String>,
}

/// One channel as the list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelRow {
    #[schema(value_type = String)]
    pub id: ChannelId,
    pub name: Option<String>,
    pub title: Option<String>,
    pub category: Option<String>,
    /// On air, as far as the platform told.
    pub live: bool,
    #[schema(schema_with = super::openapi::level)]
    pub level: Level,
    /// The floor that the config sets; it decides what is kept and opens no alert.
    #[schema(schema_with = super::openapi::level)]
    pub level_floor: Level,
    pub viewers: Option<u64>,
    pub hours_live: Option<f32>,
    /// The config says that somebody on it cannot protect themselves.
    pub vulnerable: bool,
    /// The config's word to whoever reads.
    pub note: String,
    /// The picture repeats byte for byte: it proves neither motion nor stillness.
    pub frozen: bool,
    /// No feed brings it at the moment: whatever happens there is not seen.
    pub unwatched: bool,
    /// What could not be seen lately, oldest first.
    #[schema(schema_with = super::openapi::gaps)]
    pub gaps: Vec<Gap>,
    pub feed: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_event: Option<Timestamp>,
    /// The alert that is open on it.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub alert: Option<Uuid>,
}

/// A channel's signals at one time.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TimelinePoint {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[schema(schema_with = super::openapi::level)]
    pub level: Level,
    /// Signal name to value; a signal without a value at that time is absent.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub values: Vec<(String, f32)>,
}

/// A rule that raises nothing: in shadow, or inactive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuietRule {
    pub name: String,
    pub level: Level,
    /// It is counted only.
    pub shadow: bool,
    /// No model gives what it needs, so it cannot match.
    pub inactive: bool,
    /// Times since the start that it began to match.
    pub matches: u64,
}

/// Whether an alert could be raised and stored now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Ready {
    pub ready: bool,
    /// What does not work as it should, in words; also when `ready`.
    pub degraded: Vec<String>,
    /// Channels that nothing brings at the moment.
    #[schema(value_type = Vec<String>)]
    pub unwatched: Vec<ChannelId>,
    /// Rules that cannot match for want of a model.
    pub inactive_rules: Vec<String>,
}

/// Something changed: sent to every open page.
#[derive(Clone, Debug)]
pub enum Live {
    Alert { kind: ChangeKind, alert: std::sync::Arc<Alert> },
    Channel(std::sync::Arc<ChannelRow>),
}

/// The house, as the console sees it. Every method answers from memory or the store within a second or so; the
/// console gives up after [`super::PATIENCE`].
pub trait Desk: Send + Sync + 'static {
    fn alerts(&self, filter: AlertFilter) -> BoxFuture<'_, DeskResult<AlertPage>>;
    /// The newest revision, with the facts kept beside it.
    fn alert(&self, id: Uuid) -> BoxFuture<'_, DeskResult<Option<Change>>>;
    fn channels(&self) -> BoxFuture<'_, DeskResult<Vec<ChannelRow>>>;
    /// Oldest first; `None` for a channel that is not known.
    fn timeline(&self, channel: ChannelId)
    -> BoxFuture<'_, DeskResult<Option<Vec<TimelinePoint>>>>;
    /// `None` if it was never kept or has expired.
    fn evidence(&self, digest: Digest) -> BoxFuture<'_, DeskResult<Option<(Bytes, EvidenceKind)>>>;
    /// `lang` is `fr` or `en`.
    fn dossier(&self, id: Uuid, lang: &'static str) -> BoxFuture<'_, DeskResult<Option<Dossier>>>;
    fn ready(&self) -> Ready;
    /// Rules of the config that raise nothing, in its order.
    fn quiet_rules(&self) -> Vec<QuietRule> {
        Vec::new()
    }
    /// A line that every page carries at the moment, in place of the one of its settings.
    fn banner(&self) -> Option<&'static str> {
        None
    }
    /// Prometheus text exposition 0.0.4.
    fn metrics(&self) -> String;
    /// A bounded channel: a page that is too slow is told to load anew.
    fn subscribe(&self) -> broadcast::Receiver<Live>;
}
