//! The `console` room: the page and the read-only half of the API, served on loopback. In: requests, and the house
//! through [`Desk`]. Out: HTML that works without scripts, JSON, server-sent events. It decides nothing.

mod alert_view;
mod api;
mod chart;
mod desk;
mod guard;
mod live;
mod openapi;
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

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
    /// `/openapi.json`.
    described: String,
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
    let (pages, mut described) = page_routes().split_for_parts();
    let (api, rest) = api_routes().split_for_parts();
    described.merge(rest);
    let app = Arc::new(App {
        desk,
        words: Words::new(&settings.language),
        zone: Zone::new(&settings.zone),
        seats: Arc::new(Semaphore::new(settings.seats)),
        settings,
        described: openapi::document(described),
    });
    pages
        .layer(middleware::from_fn_with_state(app.clone(), pages::explain))
        .merge(api)
        .fallback(pages::missing)
        .layer(CatchPanicLayer::custom(|_| Problem::INTERNAL.into_response()))
        .layer(middleware::from_fn_with_state(app.clone(), guard::door))
        .with_state(app)
}

/// What people read in a browser. Every route stands in `/openapi.json`, since only [`routes!`] adds one.
fn page_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::about())
        .routes(routes!(pages::index))
        .routes(routes!(pages::alert))
        .routes(routes!(pages::dossier))
}

/// What programs read.
fn api_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(api::alerts))
        .routes(routes!(api::alert))
        .routes(routes!(api::dossier))
        .routes(routes!(api::channels))
        .routes(routes!(api::timeline))
        .routes(routes!(live::stream))
        .routes(routes!(api::evidence))
        .routes(routes!(api::healthz))
        .routes(routes!(api::readyz))
        .routes(routes!(api::metrics))
        .routes(routes!(openapi::serve))
        .routes(routes!(asset))
}

/// `/metrics`, `/healthz`, `/readyz` alone, for `metrics_listen`: on any address and under any host name, as they hold no
/// personal data.
pub fn health_router(desk: Arc<dyn Desk>) -> Router {
    type Shared = State<Arc<dyn Desk>>;
    Router::new()
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(|State(desk): Shared| async move { api::ready_answer(&*desk) }))
        .route("/metrics", get(|State(desk): Shared| async move { api::metrics_answer(&*desk) }))
        .fallback(|| async { Problem::NOT_FOUND })
        .layer(middleware::map_response(|response: Response| async { guard::seal(response) }))
        .with_state(desk)
}

/// The files that pages name.
#[utoipa::path(
    get, path = "/assets/{name}", tag = "page", params(("name" = String, Path, description = "File")),
    responses((status = 200, description = "A style sheet, a script or a picture of the page"),
        (status = 404, description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "vigie.css" => ("text/css", include_str!("assets/vigie.css")),
        "vigie.js" => ("text/javascript", include_str!("assets/vigie.js")),
        "vigie.svg" => ("image/svg+xml", include_str!("assets/vigie.svg")),
        "dossier.css" => ("text/css", CSS),
        _ => return Problem::NOT_FOUND.into_response(),
    };
    let kind = format!("{kind}; charset=utf-8");
    // Asked again each time, so that a new version shows at once; the files are small.
    ([(header::CONTENT_TYPE, kind.as_str()), (header::CACHE_CONTROL, "no-cache")], text)
        .into_response()
}
