//! `cargo bench [-- NAME…]`: the same benchmarks as `vigie bench`, which is the one place where they live.

fn main() -> std::process::ExitCode {
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
