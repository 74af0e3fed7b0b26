//! The `event` room.
