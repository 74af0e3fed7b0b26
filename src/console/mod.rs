//! The `console` room: the page and the read-only half of the API, served on loopback. In: requests, and the house
//! through [`Desk`]. Out: HTML that works without scripts, JSON, server-sent events. It decides nothing.

mod desk;

pub use desk::{
    AlertFilter, AlertPage, ChannelRow, Desk, DeskError, DeskResult, Live, Ready, TimelinePoint,
};

use std::sync::Arc;
use std::time::Duration;

/// How long the console waits for the house before it answers 503.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the console is told at its start.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `fr` or `en`: language of the page.
    pub language: String,
    /// Path of the config file, as commands shown ready to copy carry it.
    pub config: String,
    /// Host names that are accepted beside loopback's (from `public_url`), without port.
    pub hosts: Vec<String>,
    /// IANA name of the zone in which times are shown; empty: UTC.
    pub zone: String,
    /// A line that every page carries (`DEMO`, `SHADOW: nothing is delivered`); empty: none.
    pub banner: String,
}

/// The console and the API.
pub fn router(_desk: Arc<dyn Desk>, _settings: Settings) -> axum::Router {
    axum::Router::new()
}

/// `/metrics`, `/healthz`, `/readyz` alone, for `metrics_listen`: on any address, with no personal data.
pub fn health_router(_desk: Arc<dyn Desk>) -> axum::Router {
    axum::Router::new()
}
