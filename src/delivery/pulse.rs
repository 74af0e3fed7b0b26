//! How a sink fares: what each attempt says of it, when the next may be made, and when the others are told.

use std::sync::Arc;
use std::time::Duration;

use super::events::sink_row;
use super::roster::{Roster, Shared};
use super::sink::{Failure, Sink};
use super::{DeliveryObserver, after, events};
use crate::event::Timestamp;
use crate::evidence::wall_clock;
use crate::store::{Store, StoreError};

/// Attempts in a row that must fail until a sink counts as failing.
const ATTEMPTS: u32 = 3;
/// A sink that has failed for so long counts as failing, however few attempts that were.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Pulse {
    pub sink: Arc<Sink>,
    pub shared: Arc<Shared>,
    pub observer: Arc<dyn DeliveryObserver>,
    pub roster: Arc<Roster>,
    pub store: Store,
    pub source: String,
    /// No attempt before this.
    pub paused_until: Timestamp,
    /// Failures since something was last accepted.
    failures: u32,
    /// When the first of them was.
    since: Timestamp,
    /// The message that failed in them; `several` once there were others.
    failing: Option<String>,
    several: bool,
    /// The others know that it fails.
    announced: bool,
}

impl Pulse {
    pub fn new(
        sink: Arc<Sink>,
        shared: Arc<Shared>,
        observer: Arc<dyn DeliveryObserver>,
        roster: Arc<Roster>,
        store: Store,
        source: String,
    ) -> Self {
        Self {
            sink,
            shared,
            observer,
            roster,
            store,
            source,
            paused_until: Timestamp(0),
            failures: 0,
            since: Timestamp(0),
            failing: None,
            several: false,
            announced: false,
        }
    }

    pub fn name(&self) -> &str {
        &self.sink.options.name
    }

    /// What the last run told of this sink.
    pub async fn recall(&mut self) -> Result<(), StoreError> {
        let ids = self.store.announcements().await?;
        let last = ids.iter().find_map(|id| {
            events::announced(id).filter(|(about, _)| *about == self.name()).map(|(_, ill)| ill)
        });
        self.announced = last == Some(true);
        Ok(())
    }

    /// The sink took something. True if it had failed with several messages, which may now all go.
    pub fn well(&mut self) -> bool {
        let outage = self.several;
        (self.failures, self.failing, self.several) = (0, None, false);
        self.paused_until = Timestamp(0);
        let turned = {
            let mut state = self.shared.state.lock();
            state.last_accepted = Some(wall_clock());
            let turned = !state.ok;
            (state.ok, state.failing, state.failing_since) = (true, false, None);
            turned.then(|| state.clone())
        };
        if let Some(state) = turned {
            tracing::info!(sink = self.name(), "the sink takes messages again");
            self.observer.turned(self.name(), &state);
        }
        outage
    }

    /// An attempt with message `id` failed.
    pub fn ill(&mut self, id: &str, failure: &Failure, now: Timestamp) {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        self.several |= self.failing.as_deref().is_some_and(|failing| failing != id);
        self.failing = Some(id.to_owned());
        let wait = self.sink.options.backoff.wait(id, self.failures, failure.retry_after);
        self.paused_until = after(now, wait);
        let turned = {
            let mut state = self.shared.state.lock();
            state.last_error = Some(failure.why.clone());
            let turned = state.ok;
            state.ok = false;
            state.failing_since.get_or_insert(wall_clock());
            turned.then(|| state.clone())
        };
        if let Some(state) = turned {
            tracing::warn!(sink = self.name(), why = failure.why, "the sink fails");
            self.observer.turned(self.name(), &state);
        }
    }

    /// Tells through the other sinks that this one fails, once it does, and that it recovered. Where no other is well,
    /// the log, `/readyz` and the page must do.
    pub async fn announce(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (state, turned) = {
            let mut state = self.shared.state.lock();
            let long = now >= after(self.since, PATIENCE);
            let failing = !state.ok && (self.failures >= ATTEMPTS || long);
            let turned = failing && !state.failing;
            state.failing |= failing;
            (state.clone(), turned)
        };
        if turned {
            let why = state.last_error.as_deref().unwrap_or_default();
            tracing::error!(
                sink = self.name(),
                why,
                "the sink counts as failing; what it is to be told waits"
            );
        }
        let tell = match (self.announced, state.failing) {
            (false, true) => true,
            // Of a sink that failed in the run before, only an attempt can tell.
            (true, false) => state.ok && state.last_accepted.is_some(),
            _ => false,
        };
        if !tell {
            return Ok(());
        }
        let rows: Vec<_> = self
            .roster
            .well_but(self.name())
            .iter()
            .map(|to| sink_row(self.name(), &state, to, &self.source, wall_clock()))
            .collect();
        if rows.is_empty() {
            // Should another be well later, it is told then.
            return Ok(());
        }
        self.store.enqueue(&rows).await?;
        self.announced = state.failing;
        self.roster.wake();
        Ok(())
    }
}
