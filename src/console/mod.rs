//! The `console` room: the page and the read-only half of the API, served on loopback. In: requests, and the house
//! through [`Desk`]. Out: HTML that works without scripts, JSON, server-sent events. It decides nothing.

mod alert_view;
mod api;
mod chart;
mod desk;
mod guard;
mod live;
mod pages;
mod problem;

pub use desk::{
    AlertFilter, AlertPage, ChannelRow, Desk, DeskError, DeskResult, Live, QuietRule, Ready,
    TimelinePoint,
};
pub use problem::Problem;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

use crate::alert::dossier::CSS;
use crate::alert::{Words, Zone};

/// How long the console waits for the house before it answers 503.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What the console is told at its start.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `fr` or `en`: language of the page.
    pub language: String,
    /// Path of the config file, as commands shown ready to copy carry it.
    pub config: String,
    /// Host names that are accepted beside loopback's (from `public_url`), without port.
    pub hosts: Vec<String>,
    /// IANA name of the zone in which times are shown; empty: UTC.
    pub zone: String,
    /// Live connections at once: a trust team's screens, not the public. 0: none.
    pub seats: usize,
    /// A line that every page carries (`DEMO`, `SHADOW: nothing is delivered`); empty: none.
    pub banner: String,
}

/// What every handler has.
struct App {
    desk: Arc<dyn Desk>,
    settings: Settings,
    words: Words,
    zone: Zone,
    seats: Arc<Semaphore>,
}

/// Waits for the house, but not for ever.
async fn ask<T>(answer: impl Future<Output = DeskResult<T>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::UNAVAILABLE),
    }
}

/// The console and the API, for a listener on loopback. End its server when the daemon goes down: live connections end
/// by themselves once the sender behind [`Desk::subscribe`] is dropped.
pub fn router(desk: Arc<dyn Desk>, settings: Settings) -> Router {
    let app = Arc::new(App {
        desk,
        words: Words::new(&settings.language),
        zone: Zone::new(&settings.zone),
        seats: Arc::new(Semaphore::new(settings.seats)),
        settings,
    });
    let pages = Router::new()
        .route("/", get(pages::index))
        .route("/alerts/{id}", get(pages::alert))
        .route("/alerts/{id}/dossier", get(pages::dossier))
        .layer(middleware::from_fn_with_state(app.clone(), pages::explain));
    Router::new()
        .merge(pages)
        .route("/api/v1/alerts", get(api::alerts))
        .route("/api/v1/alerts/{id}", get(api::alert))
        .route("/api/v1/alerts/{id}/dossier", get(api::dossier))
        .route("/api/v1/channels", get(api::channels))
        .route("/api/v1/channels/{id}/timeline", get(api::timeline))
        .route("/api/v1/stream", get(live::stream))
        .route("/api/v1/evidence/{digest}", get(api::evidence))
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(|State(app): State<Arc<App>>| async move { api::readyz(&*app.desk) }))
        .route(
            "/metrics",
            get(|State(app): State<Arc<App>>| async move { api::metrics(&*app.desk) }),
        )
        .route("/assets/vigie.css", get(|| asset("text/css", include_str!("assets/vigie.css"))))
        .route(
            "/assets/vigie.js",
            get(|| asset("text/javascript", include_str!("assets/vigie.js"))),
        )
        .route(
            "/assets/vigie.svg",
            get(|| asset("image/svg+xml", include_str!("assets/vigie.svg"))),
        )
        .route("/assets/dossier.css", get(|| asset("text/css", CSS)))
        .fallback(pages::missing)
        .layer(CatchPanicLayer::custom(|_| Problem::INTERNAL.into_response()))
        .layer(middleware::from_fn_with_state(app.clone(), guard::door))
        .with_state(app)
}

/// `/metrics`, `/healthz`, `/readyz` alone, for `metrics_listen`: on any address and under any host name, as they hold no
/// personal data.
pub fn health_router(desk: Arc<dyn Desk>) -> Router {
    type Shared = State<Arc<dyn Desk>>;
    Router::new()
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(|State(desk): Shared| async move { api::readyz(&*desk) }))
        .route("/metrics", get(|State(desk): Shared| async move { api::metrics(&*desk) }))
        .fallback(|| async { Problem::NOT_FOUND })
        .layer(middleware::map_response(|response: Response| async { guard::seal(response) }))
        .with_state(desk)
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    let kind = format!("{kind}; charset=utf-8");
    // Asked again each time, so that a new version shows at once; the files are small.
    ([(header::CONTENT_TYPE, kind.as_str()), (header::CACHE_CONTROL, "no-cache")], text)
        .into_response()
}
