//! The integration tests, one module a file, in one binary so that the crate is linked once.

#[path = "it/delivery.rs"]
mod delivery;
#[path = "it/evidence.rs"]
mod evidence;
#[path = "it/store.rs"]
mod store;
