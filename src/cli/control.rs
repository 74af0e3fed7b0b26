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
use super::setup::{self, clock};
use super::shard::ToShard;
use super::terms::Terms;
use crate::alert::dossier::Style;
use crate::alert::{Alert, Change, Dossier};
use crate::config::Config;
use crate::event::{Consumed, Decision, DecisionKind, Fuel};
use crate::store::{AlertFilter, Checkpoint, Commit, Store};

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

#[derive(Clone)]
struct Hands {
    config: Arc<Config>,
    store: Store,
    shard: mpsc::Sender<ToShard>,
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
    config: Arc<Config>,
    store: Store,
    shard: mpsc::Sender<ToShard>,
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
        .with_state(Hands { config, store, shard });
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
            let draft = draft(&hands.config, &change, &wanted.lang, clock());
            written(&draft, &wanted.format).into_response()
        }
        Err(error) => problem(&error),
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

/// Why an act changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error("there is no alert {0}; `vigie` shows ids on the page and in every message")]
    Unknown(String),
    #[error("several alerts begin with {0}; give more of the id")]
    Ambiguous(String),
    #[error("nothing to do: the alert is {0} already, or a newer one stands in its place")]
    Nothing(&'static str),
    #[error("--by and --why must not be empty: who decides, and why, is kept")]
    Empty,
    #[error("the daemon is going down")]
    Down,
    #[error("the daemon answered {0}")]
    Answer(String),
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

/// Finds an alert by its id or an unambiguous beginning of it.
pub async fn find(store: &Store, id: &str) -> Result<Change, ActError> {
    if let Ok(id) = id.parse::<Uuid>() {
        let stored = store.alert(id).await?;
        return stored.map(|stored| stored.change).ok_or_else(|| ActError::Unknown(id.to_string()));
    }
    let unknown = || ActError::Unknown(id.to_owned());
    if id.len() < 4 {
        return Err(unknown());
    }
    let page = store.alerts(&AlertFilter { limit: 500, ..AlertFilter::default() }).await?;
    let mut found =
        page.items.into_iter().filter(|stored| stored.change.alert.id.to_string().starts_with(id));
    let first = found.next().ok_or_else(unknown)?;
    if found.next().is_some() {
        return Err(ActError::Ambiguous(id.to_owned()));
    }
    Ok(first.change)
}

/// `vigie ack|close`: through the daemon's socket if one runs, else on the store itself.
pub async fn act(
    config: &Config,
    id: &str,
    kind: DecisionKind,
    act: &Act,
) -> Result<Alert, ActError> {
    let socket = config.store.dir.join(SOCKET);
    match UnixStream::connect(&socket).await {
        Ok(stream) => by_socket(stream, id, kind, act).await,
        Err(_) => by_store(config, id, kind, act).await,
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
        return serde_json::from_slice(&bytes).map_err(|e| ActError::Answer(e.to_string()));
    }
    Err(ActError::Answer(detail(status, &bytes)))
}

/// What a problem document says; the status alone if it is none.
pub fn detail(status: u16, body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["detail"].as_str().map_or_else(|| format!("status {status}"), str::to_owned)
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
    let store = Store::open(&config.store.dir).await?;
    let known = find(&store, id).await?;
    let channel = known.alert.channel.clone();
    let decision = decision(&known, kind, act)?;
    let manifest = setup::manifest(config).map_err(setup::SetupError::from)?;
    let terms = Terms::of(config, &manifest).map_err(setup::SetupError::from)?;
    let mut engine = Engine::new(Arc::new(terms), Oracle::None);
    let checkpoint = store.load_checkpoint().await?;
    let state = checkpoint.channels.iter().find(|(id, _)| *id == channel);
    if let Some(slot) = state.and_then(|(_, bytes)| serde_json::from_slice(bytes).ok()) {
        engine.restore(channel.clone(), slot);
    }
    let at = engine.slot(&channel).map_or(decision.at, |slot| slot.channel.now);
    let fuel = Fuel::Decision { decision: decision.clone() };
    let step = engine.consume(&Consumed { channel: channel.clone(), at, fuel });
    let Some(change) = step.changes.into_iter().next() else {
        return Err(ActError::Nothing(known.alert.state.name()));
    };
    let slot =
        engine.slot(&channel).and_then(|slot| serde_json::to_vec(slot).ok()).unwrap_or_default();
    let checkpoint = Checkpoint {
        channels: vec![(channel, slot)],
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
