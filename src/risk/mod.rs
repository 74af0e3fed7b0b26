//! The `risk` room.
