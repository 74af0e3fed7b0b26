//! The `cli` room: one file per subcommand; `daemon` wires the rooms together.

pub mod bench;
mod engine;
mod setup;

/// Runs the command line.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
