//! `cargo bench [-- NAME…]`: the same benchmarks as `vigie bench`, which is the one place where they live.

fn main() -> std::process::ExitCode {
    // Benchmarks of the whole daemon run it as a process of its own: this same binary.
    if matches!(std::env::args().nth(1).as_deref(), Some("run" | "schema")) {
        return vigie::cli::main();
    }
    // Cargo itself passes `--bench`.
    let names: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let json = std::env::args().any(|arg| arg == "--json");
    let config = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/vigie.toml");
    match vigie::cli::bench::run(&names, json, &config) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vigie: error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
