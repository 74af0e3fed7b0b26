//! The `risk` room: levels, rules, hysteresis, reasons, and where to look. Pure: it reads no clock and does no I/O.

mod judge;
mod rule;

pub use judge::{Assessment, Decider, Ground, Judge, Matches, Outputs, State};
pub use rule::{Holds, Rule, RuleError};

use crate::event::Level;

/// How often to look at a channel of this level, in milliseconds: attention goes where the risk is.
pub fn look_every_ms(level: Level) -> u32 {
    match level {
        Level::None => 20_000,
        Level::Watch => 15_000,
        Level::Concern => 10_000,
        Level::Danger | Level::ThreatToLife => 5_000,
    }
}
