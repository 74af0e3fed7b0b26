//! `vigie sink test NAME`: one marked test alert past the outbox, and the sink's answer. The running daemon sends it, so
//! that its network, credentials and certificates are what is tested; with none running, the command does.

use std::path::Path;

use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use tokio::net::UnixStream;

use super::{CliError, control, daemon, say, setup};
use crate::config::Config;
use crate::delivery::{Delivery, Sink, TestAnswer};

/// What the daemon's socket answers about sinks.
pub fn routes(delivery: Delivery) -> Router {
    Router::new().route("/api/v1/sinks/{name}/test", post(asked)).with_state(delivery)
}

async fn asked(State(delivery): State<Delivery>, UrlPath(name): UrlPath<String>) -> Response {
    match delivery.test(&name).await {
        Ok(answer) => Json(answer).into_response(),
        Err(_) => {
            let serves: Vec<String> = delivery.states().into_iter().map(|(name, _)| name).collect();
            let detail = format!(
                "the running daemon serves no sink `{name}`; {}; a changed config is taken over by SIGHUP",
                there(&serves)
            );
            let problem = serde_json::json!({"status": 404, "detail": detail});
            (axum::http::StatusCode::NOT_FOUND, Json(problem)).into_response()
        }
    }
}

/// Exit 1 if the sink did not take it.
pub async fn test(name: &str, path: &Path) -> Result<(), CliError> {
    let config = setup::config(path)?;
    let socket = config.store.dir.join(control::SOCKET);
    let (answer, by) = match UnixStream::connect(&socket).await {
        Ok(stream) => (by_socket(stream, name).await?, "the running daemon"),
        Err(_) => (by_hand(config, name, path).await?, "this command, as no daemon runs"),
    };
    let status = answer.status.map(|status| format!(" with {status}")).unwrap_or_default();
    let took = format!("{} ms", answer.milliseconds);
    let said = answer.said.trim().lines().next().unwrap_or_default();
    if answer.accepted {
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return say(format_args!(
            "{name} accepted the test alert{status} in {took}{said} (sent by {by})"
        ));
    }
    Err(CliError::Runtime(format!(
        "{name} did not accept the test alert{status} after {took}: {said} (sent by {by})"
    )))
}

async fn by_socket(stream: UnixStream, name: &str) -> Result<TestAnswer, CliError> {
    // A name that the config's rules allow needs no escaping; another is not there.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let path = format!("/api/v1/sinks/{}/test", name.replace(|c| !plain(c), "_"));
    let asked = control::request(stream, "POST", &path, Vec::new()).await;
    let (status, body) = asked.map_err(|error| CliError::Runtime(error.to_string()))?;
    match status {
        200 => serde_json::from_slice(&body)
            .map_err(|error| CliError::Runtime(format!("the daemon's answer: {error}"))),
        404 => Err(CliError::Usage(control::detail(status, &body))),
        _ => Err(CliError::Runtime(control::detail(status, &body))),
    }
}

async fn by_hand(mut config: Config, name: &str, path: &Path) -> Result<TestAnswer, CliError> {
    let names: Vec<String> = config.sinks.iter().map(|sink| sink.name.clone()).collect();
    // The others' credentials are not needed here and may be missing.
    config.sinks.retain(|sink| sink.name == name);
    let Some(options) = daemon::sinks(&config)?.into_iter().next() else {
        let what = format!("there is no sink `{name}` in {}; {}", path.display(), there(&names));
        return Err(CliError::Usage(what));
    };
    let sink = Sink::new(options).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(sink.test(&setup::public_url(&config)).await)
}

fn there(names: &[String]) -> String {
    match names {
        [] => "there is none".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    }
}
