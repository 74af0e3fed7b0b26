//! The `model` room.

pub mod text;
