//! The daemon's Unix socket in its state folder: commands on alerts, by the same handlers as HTTP. The caller's uid is
//! recorded. With no daemon running, a command takes the folder's lock and does the same on the store itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Path as UrlPath, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::draft::draft;
use super::engine::{Engine, Oracle};
use super::observe::FeedCounts;
use super::reload::Current;
use super::setup::{self, clock};
use super::shard::ToShard;
use super::terms::Terms;
use super::{audit, feed};
use crate::alert::dossier::Style;
use crate::alert::{Alert, Change, Dossier};
use crate::config::Config;
use crate::event::{Consumed, Decision, DecisionKind, Fuel};
use crate::evidence::Evidence;
use crate::store::{Checkpoint, Commit, Store};
use crate::telemetry::Health;

/// Name of the socket in the state folder.
pub const SOCKET: &str = "vigie.sock";

/// The caller, as the kernel tells.
#[derive(Clone, Copy, Debug)]
struct Caller {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|cred| cred.uid()) }
    }
}

/// What a person says with an act.
#[derive(Debug, Serialize, Deserialize)]
pub struct Act {
    pub by: String,
    pub why: String,
}

/// What the socket's handlers have.
#[derive(Clone)]
pub struct Hands {
    pub config: Current,
    pub store: Store,
    pub shard: mpsc::Sender<ToShard>,
    pub evidence: Arc<Evidence>,
    pub health: Health,
    pub feeds: Arc<FeedCounts>,
}

/// Which draft: `lang` is `fr` or `en`, `format` `json` or `html`.
#[derive(Debug, Deserialize)]
struct Wanted {
    lang: String,
    format: String,
}

/// Serves the socket: what the console reads, and acts on alerts.
pub fn serve(
    servers: &mut tokio::task::JoinSet<()>,
    dir: &Path,
    pages: Router,
    hands: Hands,
    stop: CancellationToken,
) -> io::Result<()> {
    let path = dir.join(SOCKET);
    // The folder's lock is held, so a socket that is there belongs to nobody.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let acts = Router::new()
        .route("/api/v1/alerts/{id}/acknowledge", post(acknowledge))
        .route("/api/v1/alerts/{id}/close", post(close))
        .route("/dossier/{id}", get(dossier))
        .route("/feeds", get(feeds))
        .route("/audit", get(audit))
        .with_state(hands);
    // The pages answer everything else; their own POST routes are refusals and are not reached for these two.
    let router = acts.fallback_service(pages);
    servers.spawn(async move {
        let service = router.into_make_service_with_connect_info::<Caller>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "the control socket ended");
        }
        let _ = std::fs::remove_file(&path);
    });
    Ok(())
}

async fn acknowledge(
    State(hands): State<Hands>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    UrlPath(id): UrlPath<String>,
    Json(act): Json<Act>,
) -> Response {
    hands.act(&id, DecisionKind::Acknowledge, act, caller).await
}

async fn close(
    State(hands): State<Hands>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    UrlPath(id): UrlPath<String>,
    Json(act): Json<Act>,
) -> Response {
    hands.act(&id, DecisionKind::Close, act, caller).await
}

async fn dossier(
    State(hands): State<Hands>,
    UrlPath(id): UrlPath<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match find(&hands.store, &id).await {
        Ok(change) => {
            let draft = draft(&hands.config.get(), &change, &wanted.lang, clock());
            written(&draft, &wanted.format).into_response()
        }
        Err(error) => problem(&error),
    }
}

async fn feeds(State(hands): State<Hands>) -> Response {
    Json(feed::standings(&hands.config.get(), &hands.feeds, &hands.health)).into_response()
}

async fn audit(State(hands): State<Hands>, Query(wanted): Query<audit::Wanted>) -> Response {
    let pieces = audit::Pieces::Daemon(hands.evidence);
    match audit::examine(&hands.store, &pieces, &wanted).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => problem(&error.into()),
    }
}

/// A draft as a file: JSON, or one HTML page that carries its style.
pub fn written(dossier: &Dossier, format: &str) -> String {
    match format {
        "json" => format!("{:#}", dossier.to_json()),
        _ => dossier.to_html(Style::Embedded),
    }
}

fn problem(error: &ActError) -> Response {
    let status = match error {
        ActError::Unknown(_) => axum::http::StatusCode::NOT_FOUND,
        ActError::Nothing(_) => axum::http::StatusCode::CONFLICT,
        _ => axum::http::StatusCode::BAD_REQUEST,
    };
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": error.to_string(),
    });
    let mut response = (status, problem.to_string()).into_response();
    response.headers_mut().insert(
        axum::http::header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static("application/problem+json"),
    );
    response
}

impl Hands {
    async fn act(&self, id: &str, kind: DecisionKind, act: Act, caller: Caller) -> Response {
        match self.decide(id, kind, act, caller).await {
            Ok(alert) => Json(*alert).into_response(),
            Err(error) => problem(&error),
        }
    }

    async fn decide(
        &self,
        id: &str,
        kind: DecisionKind,
        act: Act,
        caller: Caller,
    ) -> Result<Box<Alert>, ActError> {
        let change = find(&self.store, id).await?;
        let channel = change.alert.channel.clone();
        let decision = decision(&change, kind, &act)?;
        let (done, answer) = oneshot::channel();
        let message = ToShard::Decide { channel, decision, uid: caller.uid, done };
        self.shard.send(message).await.map_err(|_| ActError::Down)?;
        match answer.await {
            Ok(Some(change)) => Ok(Box::new(change.alert)),
            Ok(None) => Err(ActError::Nothing(change.alert.state.name())),
            Err(_) => Err(ActError::Down),
        }
    }
}

fn no_store(dir: &Path, there: bool) -> String {
    let what = if there { "holds no store" } else { "does not exist" };
    format!(
        "the state folder {} {what}, and no daemon answers there: `vigie run` has never run with this config. \
         Is it the right one (-c FILE, or VIGIE_CONFIG), and its [store] dir?",
        dir.display()
    )
}

/// Why an act changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error("there is no alert {0}; ids stand on the page and in every message")]
    Unknown(String),
    #[error("{0} is too short for an alert's id; give at least {SHORTEST} characters of it")]
    Short(String),
    #[error("several alerts begin with {id}; give more of the id:{candidates}")]
    Ambiguous { id: String, candidates: String },
    #[error("nothing to do: the alert is {0} already, or a newer one stands in its place")]
    Nothing(&'static str),
    #[error("--by and --why must not be empty: who decides, and why, is kept")]
    Empty,
    #[error("the daemon is going down")]
    Down,
    /// The daemon's own words.
    #[error("{0}")]
    Answer(String),
    #[error("{}", no_store(dir, *there))]
    NoStore { dir: PathBuf, there: bool },
    #[error(
        "{}: {source}; the state folder belongs to the user that runs vigie: run this as that user, or with sudo",
        path.display()
    )]
    Denied { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Setup(#[from] setup::SetupError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn decision(change: &Change, kind: DecisionKind, act: &Act) -> Result<Decision, ActError> {
    let (by, why) = (act.by.trim().to_owned(), act.why.trim().to_owned());
    if by.is_empty() || why.is_empty() {
        return Err(ActError::Empty);
    }
    Ok(Decision { alert: change.alert.id, kind, by, why, at: clock() })
}

/// Fewest characters of an id that are looked for.
const SHORTEST: usize = 4;
/// Candidates that an ambiguous beginning names.
const CANDIDATES: usize = 5;

/// Finds an alert by its id or an unambiguous beginning of it, among all that are stored.
pub async fn find(store: &Store, id: &str) -> Result<Change, ActError> {
    let asked = id.to_ascii_lowercase();
    if let Ok(id) = asked.parse::<Uuid>() {
        let stored = store.alert(id).await?;
        return stored.map(|stored| stored.change).ok_or_else(|| ActError::Unknown(id.to_string()));
    }
    if asked.len() < SHORTEST {
        return Err(ActError::Short(id.to_owned()));
    }
    let mut found = store.alerts_beginning(&asked, CANDIDATES + 1).await?;
    match found.len() {
        0 => Err(ActError::Unknown(id.to_owned())),
        1 => Ok(found.swap_remove(0).change),
        many => {
            let mut candidates = String::new();
            for stored in found.iter().take(CANDIDATES) {
                let alert = &stored.change.alert;
                candidates.push_str(&format!(
                    "\n  {}  {:<14} {}  {}",
                    alert.id,
                    alert.level.name(),
                    alert.opened_at,
                    alert.channel
                ));
            }
            if many > CANDIDATES {
                candidates.push_str("\n  …");
            }
            Err(ActError::Ambiguous { id: id.to_owned(), candidates })
        }
    }
}

/// The daemon's socket; `None` where no daemon listens on it.
pub async fn connect(config: &Config) -> Result<Option<UnixStream>, ActError> {
    let path = config.store.dir.join(SOCKET);
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(ActError::Denied { path, source })
        }
        Err(_) => Ok(None),
    }
}

/// The store of the state folder, for a command that finds no daemon. It must be there: one made here would only hide
/// a wrong path.
pub async fn open_store(config: &Config) -> Result<Store, ActError> {
    let dir = &config.store.dir;
    match dir.join("vigie.db").try_exists() {
        Ok(true) => Ok(Store::open(dir).await?),
        Ok(false) => Err(ActError::NoStore { dir: dir.clone(), there: dir.is_dir() }),
        Err(source) => Err(ActError::Denied { path: dir.clone(), source }),
    }
}

/// `vigie ack|close`: through the daemon's socket if one runs, else on the store itself.
pub async fn act(
    config: &Config,
    id: &str,
    kind: DecisionKind,
    act: &Act,
) -> Result<Alert, ActError> {
    match connect(config).await? {
        Some(stream) => by_socket(stream, id, kind, act).await,
        None => by_store(config, id, kind, act).await,
    }
}

async fn by_socket(
    stream: UnixStream,
    id: &str,
    kind: DecisionKind,
    act: &Act,
) -> Result<Alert, ActError> {
    let verb = match kind {
        DecisionKind::Acknowledge => "acknowledge",
        DecisionKind::Close => "close",
    };
    // An `Act` holds two strings.
    let body = serde_json::to_vec(act).unwrap_or_default();
    let (status, bytes) =
        request(stream, "POST", &format!("/api/v1/alerts/{id}/{verb}"), body).await?;
    if status == 200 {
        let wrong = |e| ActError::Answer(format!("the daemon's answer cannot be read: {e}"));
        return serde_json::from_slice(&bytes).map_err(wrong);
    }
    Err(ActError::Answer(detail(status, &bytes)))
}

/// What a problem document says; the status alone if it is none.
pub fn detail(status: u16, body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["detail"]
        .as_str()
        .map_or_else(|| format!("the daemon answered {status}"), str::to_owned)
}

/// One HTTP request over the socket: status and body.
pub async fn request(
    stream: UnixStream,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> io::Result<(u16, Vec<u8>)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json");
    let request = request.body(Full::new(bytes::Bytes::from(body))).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok((status, bytes.to_vec()))
}

async fn by_store(
    config: &Config,
    id: &str,
    kind: DecisionKind,
    act: &Act,
) -> Result<Alert, ActError> {
    let store = open_store(config).await?;
    let known = find(&store, id).await?;
    let channel = known.alert.channel.clone();
    let decision = decision(&known, kind, act)?;
    let manifest = setup::manifest(config).map_err(setup::SetupError::from)?;
    let terms = Terms::of(config, &manifest).map_err(setup::SetupError::from)?;
    let mut engine = Engine::new(Arc::new(terms), Oracle::None);
    let checkpoint = store.load_checkpoint().await?;
    let (state, gaps) = store.sleeper(&channel).await?.unwrap_or_default();
    if let Ok(slot) = serde_json::from_slice(&state) {
        engine.restore(channel.clone(), slot);
    }
    let at = engine.slot(&channel).map_or(decision.at, |slot| slot.channel.now);
    let fuel = Fuel::Decision { decision: decision.clone() };
    let step = engine.consume(&Consumed { channel: channel.clone(), at, fuel });
    let Some(change) = step.changes.into_iter().next() else {
        return Err(ActError::Nothing(known.alert.state.name()));
    };
    let saved = engine.slot(&channel).and_then(|slot| slot.saved(&channel, gaps).ok());
    let checkpoint = Checkpoint {
        channels: saved.into_iter().collect(),
        asleep: Vec::new(),
        removed: Vec::new(),
        feeds: checkpoint.feeds,
        config: checkpoint.config,
        ..Checkpoint::default()
    };
    let sinks = super::daemon::sinks(config).unwrap_or_default();
    let outbox =
        crate::delivery::rows_for(&change, &sinks, &setup::public_url(config), decision.at);
    let commit = Commit { change: change.clone(), outbox, evidence: Vec::new() };
    store.commit_decided(&commit, Some((&decision, Some(uid()))), Some(&checkpoint)).await?;
    store.close().await;
    Ok(change.alert)
}

/// The caller's uid, from the owner of its own process entry.
fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(PathBuf::from("/proc/self")).map_or(0, |meta| meta.uid())
}
