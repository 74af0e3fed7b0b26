//! `vigie sink test NAME`: one marked test alert, and the answer.

use std::path::Path;

use super::{CliError, daemon, setup};
use crate::delivery::Sink;

pub async fn test(name: &str, path: &Path) -> Result<(), CliError> {
    let config = setup::config(path)?;
    let sinks = daemon::sinks(&config)?;
    let names: Vec<&str> = sinks.iter().map(|sink| sink.name.as_str()).collect();
    let Some(options) = sinks.iter().find(|sink| sink.name == name) else {
        return Err(CliError::Usage(format!(
            "there is no sink `{name}`; there are: {}",
            names.join(", ")
        )));
    };
    let sink = Sink::new(options.clone()).map_err(|e| CliError::Runtime(e.to_string()))?;
    let answer = sink.test(&setup::public_url(&config)).await;
    let status = answer.status.map(|status| format!(" with {status}")).unwrap_or_default();
    if answer.accepted {
        println!("{name} accepted the test alert{status} in {} ms", answer.milliseconds);
        return Ok(());
    }
    Err(CliError::Runtime(format!("{name} did not accept the test alert{status}: {}", answer.said)))
}
