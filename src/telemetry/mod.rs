//! What the house tells of itself: numbers ([`Metrics`]), whether it is well ([`Health`]), words ([`logging`]),
//! the service manager's signals ([`systemd`]), and its [`Clock`]. Handles are cheap to clone and open to every room.

mod clock;
mod families;
mod health;
pub mod logging;
mod metrics;
pub mod systemd;

pub use clock::{Clock, Hand};
pub use families::{Corrected, Dropped, FAMILIES, Family, FamilyKind};
pub use health::{Component, Degraded, Health, Ready, Status};
pub use metrics::{FeedMetrics, Metrics};
