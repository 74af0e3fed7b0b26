//! The feeds against real sockets and files.
