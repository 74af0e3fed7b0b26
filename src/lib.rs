//! Vigie, a lookout for live streams: events come in from feeds, models score them, channels remember them,
//! risk judges them, alerts tell people, with reasons. One module is one room; `docs/architecture.md` is the map.

pub mod alert;
pub mod channel;
pub mod cli;
pub mod config;
pub mod console;
pub mod delivery;
pub mod event;
pub mod evidence;
pub mod feed;
pub mod model;
pub mod risk;
pub mod sim;
pub mod store;
pub mod telemetry;
