//! What is kept goes when its time is over: evidence, names, channels' histories, deliveries. Ages are told by the time
//! that is believed, not by whatever the machine's clock shows; one that is not believed is said.

use std::sync::Arc;

use crate::event::Timestamp;
use crate::evidence::Evidence;
use crate::store::{Keep, Store};
use crate::telemetry::{Clock, Component, Health, Metrics, Status};

/// How long what was delivered is remembered, in milliseconds of the daemon's lives.
const DELIVERED_MS: i64 = 7 * 86_400_000;

/// See the module.
pub struct Sweep {
    pub store: Store,
    pub evidence: Arc<Evidence>,
    pub keep: Keep,
    pub metrics: Metrics,
    pub health: Health,
}

impl Sweep {
    /// Says whether the machine's time is believed.
    pub fn look_at_clock(&self) {
        let ahead = Clock::house().disbelieved();
        self.metrics.set_clock_disbelieved(ahead.unwrap_or(0));
        let Some(ahead) = ahead else {
            if self.health.status(Component::Clock) != Status::Up {
                tracing::info!("the machine's time is believed again");
                self.health.set(Component::Clock, Status::Up);
            }
            return;
        };
        let (days, way) = (ahead.abs() / 86_400_000, if ahead > 0 { "ahead" } else { "behind" });
        let why = format!(
            "the machine's time is {days} days {way} of what the last run knew and the time since; it is not believed, \
             and what is kept ages by {}: see docs/operating.md, \"What is kept, and where\"",
            Clock::house().believed()
        );
        if self.health.status(Component::Clock) == Status::Up {
            tracing::error!(days, way, "the machine's time is not believed");
        }
        self.health.set(Component::Clock, Status::Degraded(why));
    }

    /// Deletes what is past its time.
    pub async fn run(&self) {
        let now = Clock::house().believed();
        if let Err(error) = self.store.sweep(&self.evidence, now).await {
            tracing::warn!(%error, "expired evidence was not swept");
        }
        if let Err(error) = self.store.prune_people(&self.keep, now).await {
            tracing::warn!(%error, "names and histories past their time were not removed");
        }
        let delivered = Timestamp(Clock::house().steady().0 - DELIVERED_MS);
        if let Err(error) = self.store.prune_outbox(delivered).await {
            tracing::warn!(%error, "the outbox was not pruned");
        }
    }
}
