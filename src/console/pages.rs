//! The pages: what is shown and in which order, as plain strings for the templates. Everything works without scripts;
//! the script only loads anew what has changed.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::alert::{Alert, Change, State as AlertState, Words, Zone};
use crate::event::{ChannelId, Gap, Level, Signal, Timestamp};

use super::alert_view::AlertView;
use super::api::{LangQuery, dossier_page, uuid, wants_html};
use super::desk::{AlertFilter, ChannelRow, QuietRule, Ready};
use super::problem::Problem;
use super::{App, ask};

/// Decided or old alerts shown under the open ones.
const EARLIER: usize = 20;

/// Highest level first, then by viewers, then by id: an order that does not jump.
pub(super) fn by_level(rows: &mut [ChannelRow]) {
    rows.sort_by(|a, b| {
        let rank = |row: &ChannelRow| {
            (Reverse(row.level.max(row.level_floor)), Reverse(row.viewers.unwrap_or(0)))
        };
        rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id))
    });
}

/// What every page has around it.
pub(super) struct Frame<'a> {
    pub words: &'a Words,
    pub banner: &'a str,
    pub zone: &'a str,
    /// When this page was made, by the machine's clock.
    pub made: String,
    pub degraded: Vec<String>,
    pub version: &'static str,
}

impl<'a> Frame<'a> {
    fn new(app: &'a App) -> Self {
        let Ready { ready, mut degraded, unwatched, .. } = app.desk.ready();
        if !ready && degraded.is_empty() {
            degraded.push(app.words.t("ui-not-ready"));
        }
        if !unwatched.is_empty() {
            let n = unwatched.len();
            degraded.push(app.words.t_args("ui-unwatched-count", &[("n", n.into())]));
        }
        Self {
            words: &app.words,
            banner: app.desk.banner().unwrap_or(&app.settings.banner),
            zone: app.zone.name(),
            made: app.zone.clock(now()),
            degraded,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    pub fn t(&self, key: &str) -> String {
        self.words.t(key)
    }
}

/// The console shows when a page was made, so it reads the clock; nothing is decided by it.
fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// A level as the page shows it: word, class, and bars that do not need colour.
pub(super) struct LevelChip {
    pub name: &'static str,
    pub words: String,
    pub bars: u8,
}

impl LevelChip {
    pub fn new(level: Level, words: &Words) -> Self {
        Self { name: level.name(), words: words.level(level), bars: level as u8 }
    }
}

/// One alert in a list.
struct AlertLine {
    id: String,
    chip: LevelChip,
    /// Set if the level has fallen since.
    now: Option<LevelChip>,
    channel: String,
    title: String,
    summary: String,
    state: String,
    over: bool,
    date: String,
    opened: String,
    opened_iso: String,
    lasted: String,
}

struct Lister<'a> {
    words: &'a Words,
    zone: &'a Zone,
    names: &'a HashMap<ChannelId, String>,
}

impl Lister<'_> {
    fn line(&self, alert: &Alert) -> AlertLine {
        let end = alert.ended_at.unwrap_or(alert.updated_at);
        let fallen = alert.level_now < alert.level;
        AlertLine {
            id: alert.id.to_string(),
            chip: LevelChip::new(alert.level, self.words),
            now: fallen.then(|| LevelChip::new(alert.level_now, self.words)),
            channel: channel_name(self.names, &alert.channel),
            title: alert.title.clone().unwrap_or_default(),
            summary: alert.summary.clone(),
            state: self.words.state(alert.state),
            over: alert.ended_at.is_some(),
            date: self.zone.date(alert.opened_at),
            opened: self.zone.clock(alert.opened_at),
            opened_iso: alert.opened_at.to_string(),
            lasted: self.words.duration(end.since(alert.opened_at).max(0) as f64 / 1000.0),
        }
    }

    /// Worst first, then newest.
    fn lines(&self, alerts: &[Alert]) -> Vec<AlertLine> {
        let mut sorted: Vec<&Alert> = alerts.iter().collect();
        sorted.sort_by_key(|a| {
            (Reverse(a.level_now.max(Level::Watch)), Reverse(a.level), Reverse(a.opened_at), a.id)
        });
        sorted.into_iter().map(|alert| self.line(alert)).collect()
    }
}

fn channel_name(names: &HashMap<ChannelId, String>, id: &ChannelId) -> String {
    names.get(id).cloned().unwrap_or_else(|| id.to_string())
}

/// One channel in the list.
struct ChannelLine {
    id: String,
    name: String,
    title: String,
    category: String,
    chip: LevelChip,
    floor: Option<String>,
    live: bool,
    viewers: String,
    viewers_long: String,
    hours: String,
    flags: Vec<(&'static str, String)>,
    feed: String,
    last: String,
    alert: Option<String>,
}

fn channel_line(row: &ChannelRow, words: &Words, zone: &Zone) -> ChannelLine {
    let mut flags = Vec::new();
    if row.unwatched {
        flags.push(("unwatched", words.t("ui-unwatched")));
    }
    if row.vulnerable {
        flags.push(("vulnerable", words.t("ui-vulnerable")));
    }
    if !row.note.is_empty() {
        flags.push(("note", row.note.clone()));
    }
    if row.frozen {
        flags.push(("frozen", words.t("ui-frozen")));
    }
    let today = |gap: &&Gap| row.last_event.is_some_and(|at| at.since(gap.to) < 86_400_000);
    if let Some(gap) = row.gaps.last().filter(today) {
        let (from, to) = (zone.clock(gap.from), zone.clock(gap.to));
        let text = words.t_args("ui-gap", &[("from", from.into()), ("to", to.into())]);
        flags.push(("gap", text));
    }
    ChannelLine {
        id: row.id.to_string(),
        name: row.name.clone().unwrap_or_else(|| row.id.to_string()),
        title: row.title.clone().unwrap_or_default(),
        category: row.category.clone().unwrap_or_default(),
        chip: LevelChip::new(row.level, words),
        floor: (row.level_floor > row.level).then(|| words.level(row.level_floor)),
        live: row.live,
        viewers: row.viewers.map_or("–".into(), |n| words.number(n as f64, 0)),
        viewers_long: row
            .viewers
            .map_or(String::new(), |n| words.value(Signal::StreamViewersNow, n as f32)),
        hours: row.hours_live.map_or("–".into(), |h| words.duration(f64::from(h) * 3600.0)),
        flags,
        feed: row.feed.clone(),
        last: row.last_event.map_or("–".into(), |at| zone.clock(at)),
        alert: row.alert.map(|id| id.to_string()),
    }
}

fn quiet_rule(rule: &QuietRule, words: &Words) -> (LevelChip, String, String) {
    let why = match rule.inactive {
        true => words.t("ui-rule-inactive"),
        false => words.t_args("ui-rule-shadow", &[("n", rule.matches.into())]),
    };
    (LevelChip::new(rule.level, words), rule.name.clone(), why)
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    frame: Frame<'a>,
    headline: String,
    sub: String,
    /// Name of the highest level that nobody has taken; `none` if there is nothing to take.
    mood: &'static str,
    open: Vec<AlertLine>,
    taken: Vec<AlertLine>,
    earlier: Vec<AlertLine>,
    next: Option<String>,
    channels: Vec<ChannelLine>,
    /// Level, name and why it raises nothing.
    quiet: Vec<(LevelChip, String, String)>,
    legend: Vec<(LevelChip, String)>,
}

/// `?after=`: older alerts.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct IndexQuery {
    /// Cursor of the page before.
    after: Option<String>,
}

/// The console.
#[utoipa::path(
    get, path = "/", tag = "page", params(IndexQuery),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"), (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn index(
    State(app): State<Arc<App>>,
    Query(query): Query<IndexQuery>,
) -> Result<Response, Page> {
    let by_state = |state| AlertFilter { state: Some(state), limit: 200, ..Default::default() };
    let open = ask(app.desk.alerts(by_state(AlertState::Open))).await?.items;
    let mut taken = ask(app.desk.alerts(by_state(AlertState::Acknowledged))).await?.items;
    taken.extend(ask(app.desk.alerts(by_state(AlertState::Confirmed))).await?.items);
    let recent = AlertFilter { after: query.after, limit: EARLIER, ..Default::default() };
    let recent = ask(app.desk.alerts(recent)).await?;
    let mut rows = ask(app.desk.channels()).await?;
    by_level(&mut rows);

    let words: &Words = &app.words;
    let names: HashMap<ChannelId, String> =
        rows.iter().filter_map(|row| Some((row.id.clone(), row.name.clone()?))).collect();
    let lister = Lister { words, zone: &app.zone, names: &names };
    let decided =
        |alert: &&Alert| matches!(alert.state, AlertState::Closed | AlertState::Dismissed);
    let earlier: Vec<AlertLine> =
        recent.items.iter().filter(decided).map(|alert| lister.line(alert)).collect();
    let urgent = open.iter().filter(|a| a.ended_at.is_none()).map(|a| a.level_now).max();
    let mood = urgent.or_else(|| open.iter().map(|a| a.level).max()).unwrap_or_default();
    let n = |n: usize| [("n", fluent_bundle::FluentValue::from(n))];
    let headline = match open.len() {
        0 => words.t("ui-headline-none"),
        count => words.t_args("ui-headline-open", &n(count)),
    };
    let page = Index {
        frame: Frame::new(&app),
        headline,
        sub: words
            .t_args("ui-headline-sub", &[("n", rows.len().into()), ("taken", taken.len().into())]),
        mood: mood.name(),
        open: lister.lines(&open),
        taken: lister.lines(&taken),
        earlier,
        next: recent.next,
        channels: rows.iter().map(|row| channel_line(row, words, &app.zone)).collect(),
        quiet: app.desk.quiet_rules().iter().map(|rule| quiet_rule(rule, words)).collect(),
        legend: Level::ALL
            .into_iter()
            .skip(1)
            .rev()
            .map(|level| (LevelChip::new(level, words), words.level_asks(level)))
            .collect(),
    };
    Ok(render(&page, words))
}

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage<'a> {
    frame: Frame<'a>,
    a: AlertView,
}

/// One alert.
#[utoipa::path(
    get, path = "/alerts/{id}", tag = "page", params(("id" = String, Path, description = "Id of the alert")),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"), (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn alert(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Page> {
    let id = uuid(&id)?;
    let change: Change = ask(app.desk.alert(id)).await?.ok_or(Problem::NOT_FOUND)?;
    let points = ask(app.desk.timeline(change.alert.channel.clone())).await?.unwrap_or_default();
    let view = AlertView::new(&change, &points, &app.words, &app.zone, &app.settings.config);
    Ok(render(&AlertPage { frame: Frame::new(&app), a: view }, &app.words))
}

/// The draft of an alert's dossier.
#[utoipa::path(
    get, path = "/alerts/{id}/dossier", tag = "page", params(("id" = String, Path, description = "Id of the alert"), LangQuery),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"), (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn dossier(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<LangQuery>,
) -> Result<Response, Page> {
    Ok(dossier_page(&app, &id, query.lang(&app)).await?)
}

/// What is not there, for people and for programs.
pub(super) async fn missing(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if !wants_html(&headers) {
        return Problem::NOT_FOUND.into_response();
    }
    error_page(&app, Problem::NOT_FOUND)
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame<'a>,
    heading: String,
    detail: String,
}

fn error_page(app: &App, problem: Problem) -> Response {
    let key = if problem.status == StatusCode::NOT_FOUND { "missing" } else { "broken" };
    let page = ErrorPage {
        frame: Frame::new(app),
        heading: app.words.t(&format!("ui-error-{key}")),
        detail: app.words.t(&format!("ui-error-{key}-detail")),
    };
    let mut response = render(&page, &app.words);
    *response.status_mut() = problem.status;
    response
}

/// An error of a page; `explain` turns it into one that people can read.
pub(super) struct Page(Problem);

impl From<Problem> for Page {
    fn from(problem: Problem) -> Self {
        Page(problem)
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Replaces a page's problem by a page, for readers that ask for one.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let html = wants_html(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<Problem>().copied() {
        Some(problem) if html => error_page(&app, problem),
        _ => response,
    }
}

fn render(page: &impl Template, words: &Words) -> Response {
    match page.render() {
        Ok(html) => ([(header::CONTENT_LANGUAGE, words.lang())], Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            Problem::INTERNAL.into_response()
        }
    }
}
