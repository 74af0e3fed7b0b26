//! `vigie sink test NAME`: one marked test alert past the outbox, and the sink's answer.

use std::path::Path;

use super::{CliError, daemon, say, setup};
use crate::config::SinkKind;
use crate::delivery::Sink;

/// Exit 1 if the sink did not take it.
pub async fn test(name: &str, path: &Path) -> Result<(), CliError> {
    let mut config = setup::config(path)?;
    let names: Vec<String> = config.sinks.iter().map(|sink| sink.name.clone()).collect();
    // The others' credentials are not needed here and may be missing.
    config.sinks.retain(|sink| sink.name == name);
    if let Some(SinkKind::Alertmanager) = config.sinks.first().map(|sink| sink.kind) {
        let what = format!("sink `{name}`: this version does not serve alertmanager");
        return Err(CliError::Usage(what));
    }
    let Some(options) = daemon::sinks(&config)?.into_iter().next() else {
        let there = match names.as_slice() {
            [] => format!("{} has none", path.display()),
            names => format!("there are: {}", names.join(", ")),
        };
        return Err(CliError::Usage(format!("there is no sink `{name}`; {there}")));
    };
    let sink = Sink::new(options).map_err(|error| CliError::Usage(error.to_string()))?;
    let answer = sink.test(&setup::public_url(&config)).await;
    let status = answer.status.map(|status| format!(" with {status}")).unwrap_or_default();
    let took = format!("{} ms", answer.milliseconds);
    if answer.accepted {
        let said = match answer.said.trim() {
            "" => String::new(),
            said => format!(": {said}"),
        };
        return say(format_args!("{name} accepted the test alert{status} in {took}{said}"));
    }
    Err(CliError::Runtime(format!(
        "{name} did not accept the test alert{status} after {took}: {}",
        answer.said
    )))
}
