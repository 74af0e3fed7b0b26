//! The reading half of the JSON API, evidence, health and metrics.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::alert::dossier::Style;
use crate::alert::{EvidenceKind, State as AlertState};
use crate::event::{ChannelId, Digest, Level};

use super::desk::{AlertFilter, AlertPage, ChannelRow, Desk, Ready, TimelinePoint};
use super::problem::Problem;
use super::{App, ask};

/// Alerts on one page of the API.
const PAGE: usize = 50;

fn json_response(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            Problem::INTERNAL.into_response()
        }
    }
}

/// The query of `/api/v1/alerts` and of the page's list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AlertQuery {
    /// `watch`, `concern`, `danger` or `threat_to_life`: the highest of the incident.
    level: Option<String>,
    /// `open`, `acknowledged`, `confirmed`, `dismissed` or `closed`.
    state: Option<String>,
    /// `platform:id`.
    channel: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
}

impl AlertQuery {
    /// An empty value is no filter; an unknown word is an error, not silence.
    pub(super) fn filter(self) -> Result<AlertFilter, Problem> {
        let filled = |field: Option<String>| field.filter(|text| !text.is_empty());
        let level = filled(self.level).map(|word| {
            Level::from_name(&word).ok_or(Problem::new(
                StatusCode::BAD_REQUEST,
                "Unknown level",
                "`level` is one of watch, concern, danger, threat_to_life.",
            ))
        });
        let state = filled(self.state).map(|word| {
            AlertState::ALL.into_iter().find(|state| state.name() == word).ok_or(Problem::new(
                StatusCode::BAD_REQUEST,
                "Unknown state",
                "`state` is one of open, acknowledged, confirmed, dismissed, closed.",
            ))
        });
        Ok(AlertFilter {
            level: level.transpose()?,
            state: state.transpose()?,
            channel: filled(self.channel).map(|id| ChannelId::new(&id)),
            after: filled(self.after),
            limit: PAGE,
        })
    }
}

/// Alerts, newest first.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "alerts", params(AlertQuery),
    responses((status = 200, description = "One page of alerts", body = AlertPage), (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn alerts(
    State(app): State<Arc<App>>,
    Query(query): Query<AlertQuery>,
) -> Result<Response, Problem> {
    let page = ask(app.desk.alerts(query.filter()?)).await?;
    Ok(json_response(&page))
}

/// One alert as it stands.
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}", tag = "alerts", params(("id" = String, Path, description = "Id of the alert")),
    responses((status = 200, description = "The alert", body = ref("#/components/schemas/Alert"),
            headers(("etag" = String, description = "Its revision, for `If-Match`"))),
        (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn alert(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let change = ask(app.desk.alert(uuid(&id)?)).await?.ok_or(Problem::NOT_FOUND)?;
    let mut response = json_response(&change.alert);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", change.alert.revision)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// An id that is none names nothing.
pub(super) fn uuid(id: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(id).map_err(|_| Problem::NOT_FOUND)
}

/// `?lang=`; the page's language where it is not given or not one of ours.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LangQuery {
    /// `fr` or `en`.
    lang: Option<String>,
}

impl LangQuery {
    pub(super) fn lang(&self, app: &App) -> &'static str {
        match self.lang.as_deref() {
            Some("fr") => "fr",
            Some("en") => "en",
            _ => app.words.lang(),
        }
    }
}

/// The draft of an alert's Article 18 dossier.
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}/dossier", tag = "alerts",
    params(("id" = String, Path, description = "Id of the alert"), LangQuery),
    responses((status = 200, description = "The draft, in the form that `Accept` asks for",
            content((Object = "application/json"), (String = "text/html"))),
        (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn dossier(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<LangQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if wants_html(&headers) {
        return dossier_page(&app, &id, query.lang(&app)).await;
    }
    let dossier =
        ask(app.desk.dossier(uuid(&id)?, query.lang(&app))).await?.ok_or(Problem::NOT_FOUND)?;
    Ok(json_response(&dossier))
}

pub(super) async fn dossier_page(
    app: &App,
    id: &str,
    lang: &'static str,
) -> Result<Response, Problem> {
    let dossier = ask(app.desk.dossier(uuid(id)?, lang)).await?.ok_or(Problem::NOT_FOUND)?;
    let html = dossier.to_html(Style::Linked("/assets/dossier.css"));
    Ok(([(header::CONTENT_LANGUAGE, lang)], Html(html)).into_response())
}

/// Whether the reader asks for a page rather than for data. JSON where it does not say.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let place = |kind: &str| {
        let mut parts = accept.unwrap_or_default().split(',');
        parts.position(|part| part.split(';').next().unwrap_or_default().trim() == kind)
    };
    match (place("text/html"), place("application/json")) {
        (Some(html), Some(json)) => html < json,
        (html, None) => html.is_some(),
        (None, Some(_)) => false,
    }
}

/// Answer of `/api/v1/channels`.
#[derive(Serialize, ToSchema)]
pub(super) struct Channels {
    items: Vec<ChannelRow>,
}

/// Answer of `/api/v1/channels/{id}/timeline`.
#[derive(Serialize, ToSchema)]
pub(super) struct Timeline {
    channel: String,
    points: Vec<TimelinePoint>,
}

/// What is watched, highest level first.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "channels",
    responses((status = 200, description = "Every channel in memory", body = Channels),
        (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn channels(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut items = ask(app.desk.channels()).await?;
    super::pages::by_level(&mut items);
    Ok(json_response(&Channels { items }))
}

/// A channel's signals over time.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/timeline", tag = "channels",
    params(("id" = String, Path, description = "`platform:id`")),
    responses((status = 200, description = "Oldest first", body = Timeline), (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn timeline(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let points = ask(app.desk.timeline(ChannelId::new(&id))).await?.ok_or(Problem::NOT_FOUND)?;
    Ok(json_response(&Timeline { channel: id, points }))
}

/// The type of evidence is read from its bytes, and only types that cannot run anything are named.
fn evidence_type(kind: EvidenceKind, bytes: &[u8]) -> &'static str {
    if kind != EvidenceKind::Frame {
        return "application/json";
    }
    match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

/// A piece of evidence. Each access stands in the audit chain.
#[utoipa::path(
    get, path = "/api/v1/evidence/{digest}", tag = "evidence",
    params(("digest" = String, Path, description = "`sha256:` and 64 hex digits")),
    responses((status = 200, description = "Its bytes: a picture as received, or an event as canonical JSON",
            content((String = "image/jpeg"), (Object = "application/json"))),
        (status = 404, description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"), (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    Path(digest): Path<String>,
) -> Result<Response, Problem> {
    let digest = Digest::parse(&digest).ok_or(Problem::NOT_FOUND)?;
    let (bytes, kind) = ask(app.desk.evidence(digest)).await?.ok_or(Problem::NOT_FOUND)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(evidence_type(kind, &bytes))),
        // Even if a browser took it for a page, it could do nothing.
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'"),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// Up means: this answers.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "The process lives", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "ok\n").into_response()
}

/// Whether an alert could be raised and stored now, and what is degraded.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, description = "Ready", body = Ready), (status = 503, description = "Not ready", body = Ready))
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    ready_answer(&*app.desk)
}

pub(super) fn ready_answer(desk: &dyn Desk) -> Response {
    let ready = desk.ready();
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json_response(&ready)).into_response()
}

/// Prometheus text format 0.0.4.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = 200, description = "docs/metrics.md names every family", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    metrics_answer(&*app.desk)
}

pub(super) fn metrics_answer(desk: &dyn Desk) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], desk.metrics()).into_response()
}
