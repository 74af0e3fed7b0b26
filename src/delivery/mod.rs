//! The `delivery` room: takes what waits in the outbox to the sinks, one task a sink, at least once, under stable ids.
//! A dead sink delays its own messages and nobody else's, and loses none.

mod backoff;
mod events;
mod mirror;
mod options;
mod pulse;
mod roster;
mod sink;
mod storm;
mod tls;
mod worker;

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use crate::event::Timestamp;
use crate::store::OutboxItem;
use crate::telemetry::Clock;

pub use backoff::Backoff;
pub use events::{heartbeat_event, rows_for, test_event};
pub use options::{Content, Secret, SinkKind, SinkOptions, Storm};
pub use roster::{Applied, Delivery, SentNow, SinkView};
pub use sink::Sink;

/// What makes a sink unusable; told when it is built, before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("sink {sink}: {url} is no http or https address")]
    Url { sink: String, url: String },
    #[error(
        "sink {sink}: plain http is allowed to this machine only; use https, or set insecure = true if the network is yours"
    )]
    PlainHttp { sink: String },
    #[error(
        "sink {sink}: the secret must be whsec_ and the base64 of 24 to 64 bytes; make one with: echo whsec_$(head -c 32 /dev/urandom | base64)"
    )]
    Secret { sink: String },
    #[error("sink {sink}: no HTTP client: {source}")]
    Client { sink: String, source: reqwest::Error },
    #[error("sink {sink}: ca = {}: {why}", path.display())]
    Ca { sink: String, path: PathBuf, why: String },
    #[error("there is no sink {0}")]
    Unknown(String),
    #[error("two sinks are named {0}")]
    Twice(String),
}

/// What became of an attempt, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The sink took it.
    Accepted,
    /// The sink answered that it did not take it.
    Refused,
    /// No answer: no connection, or none in time.
    Unreachable,
    /// Given up after `max_age`.
    Parked,
}

impl Outcome {
    pub const ALL: [Outcome; 4] =
        [Outcome::Accepted, Outcome::Refused, Outcome::Unreachable, Outcome::Parked];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
            Outcome::Unreachable => "unreachable",
            Outcome::Parked => "parked",
        }
    }
}

/// How a sink fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkState {
    /// The last attempt was accepted, or there was none yet.
    pub ok: bool,
    /// Since when every attempt failed.
    pub failing_since: Option<Timestamp>,
    /// It counts as failing: three attempts in a row failed, or it has failed for a minute. Told through the others.
    pub failing: bool,
    /// What went wrong last; kept after recovery.
    pub last_error: Option<String>,
    /// When something was accepted last.
    pub last_accepted: Option<Timestamp>,
}

impl SinkState {
    fn new() -> Self {
        Self {
            ok: true,
            failing_since: None,
            failing: false,
            last_error: None,
            last_accepted: None,
        }
    }
}

/// Who counts and watches. All methods are quick; none waits.
pub trait DeliveryObserver: Send + Sync {
    /// An attempt ended, or a message was parked.
    fn attempt(&self, _sink: &str, _outcome: Outcome) {}

    /// A message was accepted `latency` after the event behind it was received; `first`: at the first attempt.
    fn accepted(&self, _sink: &str, _item: &OutboxItem, _latency: Duration, _first: bool) {}

    /// A sink is served from now on, or anew with other options: it counts as well.
    fn added(&self, _sink: &str) {}

    /// A sink is no longer served.
    fn removed(&self, _sink: &str) {}

    /// A sink began to fail or recovered.
    fn turned(&self, _sink: &str, _state: &SinkState) {}

    /// What is degraded now, for heartbeats; one plain phrase each, without personal data.
    fn degraded(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The way to receivers that are no sockets: those of a simulation.
pub trait Wire: Send + Sync {
    /// One attempt; what went wrong, if anything did.
    fn send<'a>(
        &'a self,
        sink: &'a str,
        id: &'a str,
        body: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), (Outcome, String)>> + Send + 'a>>;
}

/// Nobody watches.
impl DeliveryObserver for () {}

/// The clock of waits and ages here: whoever sets the machine's time neither silences a sink nor ages a message.
fn steady() -> Timestamp {
    Clock::house().steady()
}

/// `wait` after `at`.
fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.plus_ms(millis(wait))
}

fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

/// What a sink said to a test alert.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TestAnswer {
    pub accepted: bool,
    /// HTTP status; none for a file, or where there was no answer.
    pub status: Option<u16>,
    pub milliseconds: u64,
    /// What went wrong, or the beginning of the answer's body.
    pub said: String,
}
