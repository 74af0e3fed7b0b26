//! The integration tests, one module a file, in one binary so that the crate is linked once.

#[path = "it/config.rs"]
mod config;
#[path = "it/console.rs"]
mod console;
#[path = "it/dossier.rs"]
mod dossier;
#[path = "it/escalation.rs"]
mod escalation;
#[path = "it/feed.rs"]
mod feed;
#[path = "it/monitoring.rs"]
mod monitoring;
#[path = "it/peers.rs"]
mod peers;
#[path = "it/sim.rs"]
mod sim;
