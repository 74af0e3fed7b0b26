//! `GET /api/v1/stream`: alerts and channel levels as they change, as server-sent events. Bounded at both ends: so many
//! readers, and a reader that falls behind is told to load anew instead of being caught up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::App;
use super::desk::Live;
use super::problem::Problem;

/// A comment is sent after so much silence, so that proxies and readers know the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

fn event(live: &Live) -> Event {
    let (name, data) = match live {
        Live::Alert { kind, alert } => (
            "alert",
            json!({
                "kind": kind,
                "id": alert.id,
                "revision": alert.revision,
                "channel": alert.channel,
                "level": alert.level,
                "level_now": alert.level_now,
                "state": alert.state,
                "tense": alert.tense,
                "summary": alert.summary,
                "updated_at": alert.updated_at,
                "ended_at": alert.ended_at,
            }),
        ),
        Live::Channel(row) => ("channel", serde_json::to_value(&**row).unwrap_or_default()),
    };
    Event::default().event(name).data(data.to_string())
}

/// Alerts and levels as they change, as server-sent events: `hello`, `alert`, `channel`, and `reload` for a reader that
/// fell behind.
#[utoipa::path(
    get, path = "/api/v1/stream", tag = "channels",
    responses((status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        (status = "default", description = "A problem (RFC 9457)", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"))
)]
pub(super) async fn stream(State(app): State<Arc<App>>) -> Response {
    let Ok(seat) = app.seats.clone().try_acquire_owned() else {
        return Problem::CROWDED.into_response();
    };
    let receiver = app.desk.subscribe();
    // The first event tells the page that it is connected, and how long to wait before it tries again.
    let hello = Event::default().event("hello").data("{}").retry(Duration::from_secs(2));
    let first = stream::once(async { Ok::<_, Infallible>(hello) });
    let rest = stream::unfold((receiver, seat, false), |(mut receiver, seat, over)| async move {
        if over {
            return None;
        }
        match receiver.recv().await {
            Ok(live) => Some((Ok(event(&live)), (receiver, seat, false))),
            Err(RecvError::Lagged(missed)) => {
                let data = json!({ "missed": missed }).to_string();
                let event = Event::default().event("reload").data(data);
                Some((Ok(event), (receiver, seat, false)))
            }
            // The daemon is going down: say so and end.
            Err(RecvError::Closed) => {
                let event = Event::default().event("bye").data("{}");
                Some((Ok(event), (receiver, seat, true)))
            }
        }
    });
    Sse::new(futures_util::StreamExt::chain(first, rest))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}
