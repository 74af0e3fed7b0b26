//! The `channel` room.
