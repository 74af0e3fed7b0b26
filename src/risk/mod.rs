//! The `risk` room: levels, rules, hysteresis, reasons, and where to look. Pure: it reads no clock and does no I/O.

mod judge;
mod rule;

pub use judge::{Assessment, Decider, Ground, Judge, Matches, Outputs, State};
pub use rule::{Holds, Rule, RuleError};

use crate::event::Level;

/// How often to look at a channel of this level, in milliseconds, where a calm one is looked at every `calm_ms`:
/// attention goes where the risk is.
pub fn look_every_ms(level: Level, calm_ms: u32) -> u32 {
    let quarters = match level {
        Level::None => 4,
        Level::Watch => 3,
        Level::Concern => 2,
        Level::Danger | Level::ThreatToLife => 1,
    };
    (calm_ms / 4 * quarters).max(1)
}
