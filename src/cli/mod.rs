//! The `cli` room: one file per subcommand; `daemon` wires the rooms together.

mod engine;
mod setup;

/// Runs the command line.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
