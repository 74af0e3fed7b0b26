//! The vocabulary of the house.

mod level;
mod money;
mod score;
mod time;

pub use level::{Level, Offence, Tense};
pub use money::{Amount, Money, Rates};
pub use score::Setting;
pub use time::Timestamp;
