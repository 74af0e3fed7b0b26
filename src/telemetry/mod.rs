//! What the house tells of itself: numbers ([`Metrics`]), whether it is well ([`Health`]), words ([`logging`]),
//! the service manager's signals ([`systemd`]), its [`Clock`]; and, for tests, faults at named steps ([`Faults`]).
//! Handles are cheap to clone and open to every room.

mod clock;
mod families;
mod fault;
mod health;
pub mod logging;
mod metrics;
pub mod systemd;

pub use clock::{Clock, Hand, LEAP};
pub use families::{Corrected, Dropped, FAMILIES, Family, FamilyKind};
pub use fault::Faults;
#[cfg(debug_assertions)]
pub use fault::STEPS;
pub use health::{Component, Degraded, Health, Ready, Status};
pub use metrics::{FeedMetrics, Metrics};
