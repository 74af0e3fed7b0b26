//! What the house tells of itself: numbers ([`Metrics`]), whether it is well ([`Health`]), words ([`logging`]) and
//! the service manager's signals ([`systemd`]). Handles are cheap to clone and open to every room.

mod health;
pub mod logging;
mod metrics;
pub mod systemd;

pub use health::{Component, Degraded, Health, Ready, Status};
pub use metrics::{Dropped, FAMILIES, Family, FamilyKind, FeedMetrics, Metrics};
