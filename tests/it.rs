//! The integration tests, one module a file, in one binary so that the crate is linked once.

#[path = "it/console.rs"]
mod console;
#[path = "it/dossier.rs"]
mod dossier;
