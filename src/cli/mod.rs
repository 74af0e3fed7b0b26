//! The `cli` room: one file per subcommand; `daemon` wires the rooms together.

mod commit;
mod control;
mod daemon;
mod desk;
mod draft;
mod observe;
mod engine;
mod shard;
mod intake;
mod replay;
mod setup;

/// Runs the command line.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
