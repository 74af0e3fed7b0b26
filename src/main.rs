//! The `vigie` binary: everything lives in the library's `cli` room.

fn main() -> std::process::ExitCode {
    vigie::cli::main()
}
