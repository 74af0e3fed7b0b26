//! The `cli` room: one file per subcommand; `daemon` wires the rooms together.

mod commit;
mod control;
mod daemon;
mod demo;
mod desk;
mod draft;
mod engine;
mod intake;
mod observe;
mod replay;
mod setup;
mod shard;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A lookout for live streams.
#[derive(Parser)]
#[command(name = "vigie", version)]
struct Args {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Run {
        #[arg(short, long, env = "VIGIE_CONFIG", default_value = "config/vigie.toml")]
        config: PathBuf,
    },
    Demo {
        #[arg(long, default_value = "paid-violence")]
        scenario: String,
        #[arg(long, default_value_t = 8787)]
        port: u16,
        #[arg(long, default_value_t = 10.0)]
        speed: f64,
        #[arg(long)]
        state: Option<PathBuf>,
        #[arg(long)]
        seconds: Option<u64>,
    },
    Replay {
        recordings: Vec<PathBuf>,
        #[arg(short, long, env = "VIGIE_CONFIG", default_value = "config/vigie.toml")]
        config: PathBuf,
        #[arg(long)]
        json: bool,
        #[arg(long)]
        threads: Option<usize>,
    },
    Ack {
        alert: String,
        #[arg(long)]
        by: String,
        #[arg(long)]
        why: String,
        #[arg(short, long, env = "VIGIE_CONFIG", default_value = "config/vigie.toml")]
        config: PathBuf,
    },
    Close {
        alert: String,
        #[arg(long)]
        by: String,
        #[arg(long)]
        why: String,
        #[arg(short, long, env = "VIGIE_CONFIG", default_value = "config/vigie.toml")]
        config: PathBuf,
    },
}

/// Runs the command line.
pub fn main() -> ExitCode {
    // The one TLS provider of the whole process; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("vigie: {error}");
                return ExitCode::FAILURE;
            }
        };
    let result: Result<(), String> = match args.command {
        Verb::Run { config } => {
            let _ = crate::telemetry::logging::init(crate::telemetry::logging::LogFormat::Auto);
            runtime.block_on(daemon::run(&config)).map_err(|e| e.to_string())
        }
        Verb::Demo { scenario, port, speed, state, seconds } => {
            runtime.block_on(demo::run(demo::DemoOptions { scenario, port, speed, state, seconds }))
        }
        Verb::Replay { recordings, config, json, threads } => (|| {
            let config = setup::config(&config).map_err(|e| e.to_string())?;
            let counts =
                replay::replay(&recordings, &config, threads.unwrap_or(2), &mut |change| {
                    println!(
                        "{}",
                        if json {
                            replay::json_line(change, &config)
                        } else {
                            replay::line(change)
                        }
                    );
                })
                .map_err(|e| e.to_string())?;
            eprintln!("{counts:?}");
            Ok(())
        })(),
        Verb::Ack { alert, by, why, config } => runtime.block_on(decide(
            config,
            alert,
            by,
            why,
            crate::event::DecisionKind::Acknowledge,
        )),
        Verb::Close { alert, by, why, config } => {
            runtime.block_on(decide(config, alert, by, why, crate::event::DecisionKind::Close))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vigie: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn decide(
    config: PathBuf,
    alert: String,
    by: String,
    why: String,
    kind: crate::event::DecisionKind,
) -> Result<(), String> {
    let config = setup::config(&config).map_err(|e| e.to_string())?;
    let alert = control::act(&config, &alert, kind, &control::Act { by, why })
        .await
        .map_err(|e| e.to_string())?;
    println!("{} {}", alert.id, alert.state.name());
    Ok(())
}
