//! The demo's webhook receiver: verifies Standard Webhooks signatures and hands each CloudEvent on once.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::Value;
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Largest body taken, bytes.
const BODY: usize = 4 * 1024 * 1024;

/// How many `webhook-id`s are remembered, so that a repeated delivery is told once.
const REMEMBERED: usize = 10_000;

/// Why the receiver does not start.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    #[error("the webhook secret must be `whsec_` and base64: {0}")]
    Secret(#[from] standardwebhooks::WebhookError),
    #[error("the listener has no address: {0}")]
    Listener(#[from] std::io::Error),
}

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    repeated: AtomicU64,
    rejected: AtomicU64,
}

struct Desk {
    webhook: Webhook,
    counts: Arc<Counts>,
    seen: Mutex<VecDeque<String>>,
    out: mpsc::Sender<Value>,
}

impl Receiver {
    /// Receives at `/` and `/webhook` until `stop`. Each verified event goes to `out` once, in order of arrival; a
    /// full channel delays the answer, and one that nobody reads any more answers 503.
    pub fn start(
        listener: TcpListener,
        secret: &str,
        out: mpsc::Sender<Value>,
        stop: CancellationToken,
    ) -> Result<Self, ReceiverError> {
        let counts = Arc::new(Counts::default());
        let address = listener.local_addr()?;
        let desk = Desk {
            webhook: Webhook::new(secret)?,
            counts: counts.clone(),
            seen: Mutex::default(),
            out,
        };
        let app = Router::new()
            .route("/", post(receive))
            .route("/webhook", post(receive))
            .layer(DefaultBodyLimit::max(BODY))
            .with_state(Arc::new(desk));
        tokio::spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = served.await {
                tracing::warn!(%error, "webhook receiver ended");
            }
        });
        Ok(Self { address, counts })
    }

    /// Where to send.
    pub fn url(&self) -> String {
        format!("http://{}/webhook", self.address)
    }

    /// Deliveries with a good signature, repeats not counted.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Deliveries of an event that had already come.
    pub fn repeated(&self) -> u64 {
        self.counts.repeated.load(Ordering::Relaxed)
    }

    /// Deliveries refused: no or wrong signature, no JSON, not of the content type.
    pub fn rejected(&self) -> u64 {
        self.counts.rejected.load(Ordering::Relaxed)
    }
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let refuse = |status| {
        desk.counts.rejected.fetch_add(1, Ordering::Relaxed);
        status
    };
    if desk.webhook.verify(&body, &headers).is_err() {
        return refuse(StatusCode::UNAUTHORIZED);
    }
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/cloudevents+json") {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    let id = headers.get(HEADER_WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    if desk.seen.lock().iter().any(|seen| seen == id) {
        desk.counts.repeated.fetch_add(1, Ordering::Relaxed);
        return StatusCode::NO_CONTENT;
    }
    if desk.out.send(event).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mut seen = desk.seen.lock();
    seen.push_back(id.to_string());
    if seen.len() > REMEMBERED {
        seen.pop_front();
    }
    desk.counts.accepted.fetch_add(1, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}
