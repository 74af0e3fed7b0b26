//! The `delivery` room: takes what waits in the outbox to the sinks, one task a sink, at least once, under stable ids.
//! A dead sink delays its own messages and nobody else's, and loses none.

mod backoff;
mod events;
mod sink;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::event::{Level, Timestamp};
use crate::store::{OutboxItem, Store};

pub use backoff::Backoff;
pub use events::{heartbeat_event, rows_for, test_event};
pub use sink::Sink;
use worker::Worker;

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
    #[error("there is no sink {0}")]
    Unknown(String),
    #[error("two sinks are named {0}")]
    Twice(String),
}

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
            backoff: Backoff::default(),
        }
    }
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
    /// What went wrong last; kept after recovery.
    pub last_error: Option<String>,
    /// When something was accepted last.
    pub last_accepted: Option<Timestamp>,
}

impl SinkState {
    fn new() -> Self {
        Self { ok: true, failing_since: None, last_error: None, last_accepted: None }
    }
}

/// Who counts and watches. All methods are quick; none waits.
pub trait DeliveryObserver: Send + Sync {
    /// An attempt ended, or a message was parked.
    fn attempt(&self, _sink: &str, _outcome: Outcome) {}

    /// A message was accepted `latency` after the event behind it was received; `first`: at the first attempt.
    fn accepted(&self, _sink: &str, _item: &OutboxItem, _latency: Duration, _first: bool) {}

    /// A sink began to fail or recovered.
    fn turned(&self, _sink: &str, _state: &SinkState) {}

    /// What is degraded now, for heartbeats; one plain phrase each, without personal data.
    fn degraded(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Nobody watches.
impl DeliveryObserver for () {}

/// What a sink said to a test alert.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TestAnswer {
    pub accepted: bool,
    /// HTTP status; none for a file, or where there was no answer.
    pub status: Option<u16>,
    pub milliseconds: u64,
    /// What went wrong, or the beginning of the answer's body.
    pub said: String,
}

struct Running {
    sink: Arc<Sink>,
    shared: Arc<worker::Shared>,
}

/// The running sinks. Dropped or stopped, all tasks end; what was not accepted waits in the store.
pub struct Delivery {
    running: Vec<Running>,
    source: String,
    wake: Arc<Vec<Arc<Notify>>>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl Delivery {
    /// Starts one task a sink. `source` is the CloudEvents source of this instance.
    pub fn start(
        store: &Store,
        source: &str,
        sinks: Vec<SinkOptions>,
        observer: Arc<dyn DeliveryObserver>,
    ) -> Result<Self, DeliveryError> {
        let mut running: Vec<Running> = Vec::new();
        for options in sinks {
            if running.iter().any(|other| other.sink.options.name == options.name) {
                return Err(DeliveryError::Twice(options.name));
            }
            let sink = Arc::new(Sink::new(options)?);
            running.push(Running { sink, shared: Arc::new(worker::Shared::new()) });
        }
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for Running { sink, shared } in &running {
            let worker = Worker::new(
                store.clone(),
                source.to_owned(),
                sink.clone(),
                shared.clone(),
                observer.clone(),
                cancel.clone(),
            );
            tasks.spawn(worker.run());
        }
        let wake = Arc::new(running.iter().map(|one| one.shared.wake.clone()).collect());
        Ok(Self { running, source: source.to_owned(), wake, cancel, tasks })
    }

    /// Something new was committed to the outbox.
    pub fn wake(&self) {
        self.waker().wake();
    }

    /// A handle that wakes the sinks, for who commits.
    pub fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// How each sink fares, in the config's order.
    pub fn states(&self) -> Vec<(String, SinkState)> {
        self.running
            .iter()
            .map(|one| (one.sink.options.name.clone(), one.shared.state.lock().clone()))
            .collect()
    }

    /// Sends a marked test alert past the outbox, once, and tells the answer.
    pub async fn test(&self, name: &str) -> Result<TestAnswer, DeliveryError> {
        let one = self.running.iter().find(|one| one.sink.options.name == name);
        let one = one.ok_or_else(|| DeliveryError::Unknown(name.to_owned()))?;
        Ok(one.sink.test(&self.source).await)
    }

    /// Ends the tasks: attempts under way may finish until `deadline` has passed.
    pub async fn stop(mut self, deadline: Duration) {
        self.cancel.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Wakes the sinks; cheap to clone.
#[derive(Clone)]
pub struct Waker(Arc<Vec<Arc<Notify>>>);

impl Waker {
    /// Something new was committed to the outbox.
    pub fn wake(&self) {
        self.0.iter().for_each(|sink| sink.notify_one());
    }
}
