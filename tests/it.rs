//! The integration tests, one module a file, in one binary so that the crate is linked once.

#[path = "it/attention.rs"]
mod attention;
#[path = "it/chat_parity.rs"]
mod chat_parity;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/config.rs"]
mod config;
#[path = "it/config_errors.rs"]
mod config_errors;
#[path = "it/console.rs"]
mod console;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/delivery.rs"]
mod delivery;
#[path = "it/dossier.rs"]
mod dossier;
#[path = "it/end_to_end.rs"]
mod end_to_end;
#[path = "it/escalation.rs"]
mod escalation;
#[path = "it/evidence.rs"]
mod evidence;
#[path = "it/feed.rs"]
mod feed;
#[path = "it/frame_parity.rs"]
mod frame_parity;
#[path = "it/fuzz.rs"]
mod fuzz;
#[path = "it/lies.rs"]
mod lies;
#[path = "it/long.rs"]
mod long;
#[path = "it/models.rs"]
mod models;
#[path = "it/monitoring.rs"]
mod monitoring;
#[path = "it/ops.rs"]
mod ops;
#[path = "it/overload.rs"]
mod overload;
#[path = "it/peers.rs"]
mod peers;
#[path = "it/reload.rs"]
mod reload;
#[path = "it/replay.rs"]
mod replay;
#[path = "it/retention.rs"]
mod retention;
#[path = "it/sim.rs"]
mod sim;
#[path = "it/simulation.rs"]
mod simulation;
#[path = "it/soak.rs"]
mod soak;
#[path = "it/store.rs"]
mod store;
#[path = "it/torn.rs"]
mod torn;
#[path = "it/trouble.rs"]
mod trouble;
