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
            backoff: Backoff::default(),
        }
    }
}
