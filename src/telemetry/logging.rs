//! Logs: for people on a terminal, to the journal under systemd, else JSON lines; always to stderr or the journal,
//! never to stdout, which is for data. `VIGIE_LOG` filters (`info`, `vigie::feed=debug`).

use std::io::{self, IsTerminal};
use std::str::FromStr;

use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Where logs go and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `Human` on a terminal, `Journald` under systemd where its socket answers, else `Json`.
    #[default]
    Auto,
    Human,
    Json,
    Journald,
}

impl FromStr for LogFormat {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            "journald" => Ok(Self::Journald),
            _ => Err(LogError::Format(text.to_owned())),
        }
    }
}

/// Why there are no logs.
#[derive(Debug, Error)]
pub enum LogError {
    #[error("`{0}` is no log format: auto, human, json and journald are")]
    Format(String),
    #[error(
        "`VIGIE_LOG` is no log filter: {0}; write for example `info` or `info,vigie::feed=debug`"
    )]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("the journal's socket does not answer: {0}")]
    Journal(io::Error),
    #[error("logging was set up twice")]
    Twice(#[from] TryInitError),
}

/// Sets up logging for this process, at level `info` unless `VIGIE_LOG` says otherwise.
///
/// # Errors
/// On a filter that is none, a journal that was asked for and does not answer, or the second time.
pub fn init(format: LogFormat) -> Result<(), LogError> {
    let filter = match std::env::var("VIGIE_LOG") {
        Ok(text) if !text.trim().is_empty() => EnvFilter::try_new(text)?,
        _ => EnvFilter::new("info"),
    };
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human => human(),
        LogFormat::Json => json(),
        LogFormat::Journald => tracing_journald::layer().map_err(LogError::Journal)?.boxed(),
        LogFormat::Auto if io::stderr().is_terminal() => human(),
        // systemd sets this where stderr goes to the journal.
        LogFormat::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => {
            match tracing_journald::layer() {
                Ok(journal) => journal.boxed(),
                Err(_) => json(),
            }
        }
        LogFormat::Auto => json(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()?;
    Ok(())
}

fn human() -> Box<dyn Layer<Registry> + Send + Sync> {
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .boxed()
}

fn json() -> Box<dyn Layer<Registry> + Send + Sync> {
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed()
}
