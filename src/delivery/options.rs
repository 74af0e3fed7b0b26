//! What is asked of a sink: where it is, how much it is told, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use super::Backoff;
use crate::event::Level;

/// A secret that does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a sink's messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// HTTP POST as in Standard Webhooks; no answer within `timeout` is a failure.
    Webhook { url: String, secret: Secret, timeout: Duration },
    /// One line an event, appended and synced.
    Jsonl { path: PathBuf },
    /// A mirror of the open alerts at Prometheus Alertmanager's API v2 (`url` without `/api/v2/alerts`), posted anew
    /// `every` so often.
    Alertmanager { url: String, timeout: Duration, every: Duration },
}

impl SinkKind {
    /// Whether it shows what is open now, instead of being told each change.
    pub fn is_mirror(&self) -> bool {
        matches!(self, Self::Alertmanager { .. })
    }
}

/// When new alerts come too fast to be told one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// So many new alerts in a `window` are told singly; those beyond in a summary.
    pub singly: u32,
    /// A minute, but in tests. Summaries come at most once in it, the first a twelfth of it after the storm began.
    pub window: Duration,
}

/// How much a sink is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// The whole alert.
    #[default]
    Full,
    /// Id, level and link.
    Minimal,
}

/// One sink, as the config has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkOptions {
    pub name: String,
    pub kind: SinkKind,
    pub content: Content,
    /// Alerts below it are not sent.
    pub min_level: Level,
    /// How long a message is tried before it is parked.
    pub max_age: Duration,
    /// How often a `threat_to_life` that nobody took is sent again; none: never.
    pub remind: Option<Duration>,
    /// How often a heartbeat is sent; none: never.
    pub heartbeat: Option<Duration>,
    /// Plain http to other machines is allowed.
    pub insecure: bool,
    /// PEM file of the authorities whose receivers are trusted, in place of the system's.
    pub ca: Option<PathBuf>,
    /// Tells nothing of alerts (`[alerts] mode = "shadow"`).
    pub quiet: bool,
    /// New alerts beyond it are summarised; none: never.
    pub storm: Option<Storm>,
    /// Waits between attempts.
    pub backoff: Backoff,
}

impl SinkOptions {
    /// A sink with the contract's defaults: full content, from `concern`, tried for 24 h, reminders every 5 min.
    pub fn new(name: &str, kind: SinkKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            content: Content::Full,
            min_level: Level::Concern,
            max_age: Duration::from_secs(24 * 3_600),
            remind: Some(Duration::from_secs(300)),
            heartbeat: None,
            insecure: false,
            ca: None,
            quiet: false,
            storm: None,
            backoff: Backoff::default(),
        }
    }
}
