//! The `alert` room.
