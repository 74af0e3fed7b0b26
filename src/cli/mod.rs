//! The `cli` room: one file per subcommand; `daemon` wires the rooms together.

mod args;
mod audit;
pub mod beat;
pub mod bench;
mod check;
pub mod commit;
mod control;
mod daemon;
mod demo;
mod desk;
mod dossier;
mod draft;
pub mod engine;
mod eval;
mod feed;
pub mod gate;
pub mod intake;
pub mod observe;
pub mod paid;
pub mod recall;
mod record;
mod reload;
pub mod replay;
mod schema;
mod score;
pub mod setup;
pub mod shard;
pub mod shelf;
mod sink;
pub mod sweep;
pub mod terms;
mod upkeep;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use self::args::{
    AuditWhat, Cli, DecideArgs, EvalWhat, FeedWhat, ReplayArgs, ScoreWhat, SinkWhat, Verb,
};
pub use self::setup::config_with_secrets;
use crate::config::ConfigErrors;
use crate::event::DecisionKind;
use crate::model::ModelError;
use crate::telemetry::logging::{self, LogFormat};

const WELCOME: &str = "\
Vigie, a lookout for live streams: it sees paid violence build up, raises alerts with their reasons, and drafts
the notification that Article 18 of the EU Digital Services Act asks for. It decides nothing for a person.

  vigie demo    watch it work on a simulated platform
  vigie check   validate a config, its rules and the models
  vigie run     run the daemon

`vigie --help` lists every command.";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Bad config: exit 2, told with its places.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// Bad usage: exit 2.
    #[error("{0}")]
    Usage(String),
    /// Exit 1.
    #[error("{0}")]
    Runtime(String),
    /// What was asked is answered, and the answer is no (a test that failed, a config that is refused).
    #[error("")]
    Silent(u8),
}

impl From<setup::SetupError> for CliError {
    fn from(error: setup::SetupError) -> Self {
        match error {
            setup::SetupError::Config(errors) => CliError::Config(errors),
            setup::SetupError::Model(error) => error.into(),
        }
    }
}

/// Models that do not fit their manifest are bad config, as `vigie check` has it.
impl From<ModelError> for CliError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Run { .. } => CliError::Runtime(error.to_string()),
            _ => CliError::Usage(error.to_string()),
        }
    }
}

impl From<daemon::DaemonError> for CliError {
    fn from(error: daemon::DaemonError) -> Self {
        match error {
            daemon::DaemonError::Setup(error) => error.into(),
            daemon::DaemonError::Credential(error) => CliError::Usage(error.to_string()),
            other => CliError::Runtime(other.to_string()),
        }
    }
}

impl From<control::ActError> for CliError {
    fn from(error: control::ActError) -> Self {
        match error {
            control::ActError::Setup(error) => error.into(),
            other => CliError::Runtime(other.to_string()),
        }
    }
}

impl From<replay::ReplayError> for CliError {
    fn from(error: replay::ReplayError) -> Self {
        match error {
            replay::ReplayError::Setup(error) => error.into(),
            other => CliError::Runtime(other.to_string()),
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            // Whoever read the output has seen enough (`vigie replay … | head`): no failure.
            std::io::ErrorKind::BrokenPipe => CliError::Silent(0),
            _ => CliError::Runtime(error.to_string()),
        }
    }
}

/// One line of output, at once.
fn say(line: impl std::fmt::Display) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// One line for people, beside the output. Whether anybody reads it changes nothing.
fn tell(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Runs the command line. Exit codes: 0 ok, 1 runtime failure, 2 bad usage or bad config.
pub fn main() -> ExitCode {
    // The one TLS provider of the whole process; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match Cli::parse().command {
        Some(command) => run(command),
        None => say(WELCOME),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Silent(code)) => ExitCode::from(code),
        Err(error) => {
            tell(error.to_string().trim_end());
            match error {
                CliError::Config(_) | CliError::Usage(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Verb) -> Result<(), CliError> {
    match command {
        Verb::Run(config) => {
            // A log that cannot be set up must not keep the daemon from watching.
            if let Err(error) = logging::init(LogFormat::Auto) {
                tell(format_args!("logging: {error}"));
            }
            runtime()?.block_on(daemon::run(&config.config))?;
        }
        Verb::Check { config, json, verbose } => check::run(&config.config, json, verbose)?,
        Verb::Demo(args) => {
            let options = demo::DemoOptions {
                scenario: args.scenario,
                port: args.port,
                speed: args.speed,
                state: args.state,
                seconds: args.seconds,
            };
            runtime()?.block_on(demo::run(options)).map_err(CliError::Runtime)?;
        }
        Verb::Replay(args) => replay_command(&args)?,
        Verb::Score { what } => match what {
            ScoreWhat::Chat { file, config } => score::chat(file.as_deref(), &config.config)?,
            ScoreWhat::Frames { fps, clip, paths, config } => {
                score::frames(&paths, fps, clip, &config.config)?;
            }
            ScoreWhat::Escalation { file, config } => {
                score::escalation(file.as_deref(), &config.config)?;
            }
        },
        Verb::Dossier(args) => runtime()?.block_on(dossier::run(&args))?,
        Verb::Ack(args) => runtime()?.block_on(decide(args, DecisionKind::Acknowledge))?,
        Verb::Close(args) => runtime()?.block_on(decide(args, DecisionKind::Close))?,
        Verb::Bench { names, json, config } => {
            bench::run(&names, json, &config.config).map_err(CliError::Runtime)?;
        }
        Verb::Schema { of, .. } => schema::run(of)?,
        Verb::Record(args) => runtime()?.block_on(record::run(&args))?,
        Verb::Eval { what: EvalWhat::Chat(args) } => eval::chat(&args)?,
        Verb::Eval { what: EvalWhat::Frames(args) } => eval::frames(&args)?,
        Verb::Eval { what: EvalWhat::Scenarios(args) } => eval::scenarios(&args)?,
        Verb::Audit { what: AuditWhat::Verify(args) } => {
            runtime()?.block_on(audit::verify(&args))?
        }
        Verb::Feed { what } => match what {
            FeedWhat::List(args) => runtime()?.block_on(feed::list(&args))?,
            FeedWhat::Test(args) => runtime()?.block_on(feed::test(&args))?,
        },
        Verb::Sink { what: SinkWhat::Test { name, config } } => {
            runtime()?.block_on(sink::test(&name, &config.config))?;
        }
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Ok(built?)
}

fn replay_command(args: &ReplayArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let threads = args.threads.unwrap_or(config.models.threads).max(1);
    let mut alerts = 0u64;
    let mut written = Ok(());
    let counts = replay::replay(&args.recordings, &config, threads, &mut |change| {
        alerts += 1;
        let line =
            if args.json { replay::json_line(change, &config) } else { replay::line(change) };
        if written.is_ok() {
            written = say(line);
        }
    })?;
    written?;
    tell(format_args!(
        "{} events, {} looks, {} repeats, {} unreadable lines, {} to {}; {alerts} alert messages",
        counts.events,
        counts.looks,
        counts.repeats,
        counts.unreadable,
        counts.first.map(|at| at.to_string()).unwrap_or_default(),
        counts.last.map(|at| at.to_string()).unwrap_or_default(),
    ));
    for (channel, level) in &counts.highest {
        tell(format_args!("  {channel}: {level} at the highest"));
    }
    Ok(())
}

async fn decide(args: DecideArgs, kind: DecisionKind) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let act = control::Act { by: args.by, why: args.why };
    let alert = control::act(&config, &args.alert, kind, &act).await?;
    say(format_args!(
        "alert {} on {} is {}, revision {}",
        alert.id,
        alert.channel,
        alert.state.name(),
        alert.revision
    ))
}
