//! One sink's task: sends what is due in order, waits after failures, makes reminders and heartbeats.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::events::{is_reminder, reminder_row};
use super::sink::{Failure, Sink};
use super::{DeliveryObserver, Outcome, SinkState, heartbeat_event};
use crate::alert::State;
use crate::event::{Level, Timestamp};
use crate::evidence::wall_clock;
use crate::store::{OutboxItem, Store, StoreError};

/// Messages read from the store at once.
const BATCH: usize = 32;
/// Refusals after which a message lets those behind it go first: one that a receiver cannot take holds up nobody.
const YIELD: u32 = 4;
/// The store is asked at least so often, whether woken or not.
const POLL: Duration = Duration::from_secs(5);
/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// What the task shares with its handle.
pub(super) struct Shared {
    pub state: Mutex<SinkState>,
    pub wake: Arc<Notify>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(SinkState::new()), wake: Arc::default() }
    }
}

pub(super) struct Worker {
    store: Store,
    source: String,
    sink: Arc<Sink>,
    shared: Arc<Shared>,
    observer: Arc<dyn DeliveryObserver>,
    cancel: CancellationToken,
    /// Failures since something was last accepted.
    failures: u32,
    /// The message that failed in them; none once there were several.
    failing: Option<String>,
    several: bool,
    /// The message that the sink took and the store could not note yet.
    accepted: Option<String>,
    paused_until: Timestamp,
    next_reminders: Timestamp,
    next_heartbeat: Option<Timestamp>,
}

impl Worker {
    pub(super) fn new(
        store: Store,
        source: String,
        sink: Arc<Sink>,
        shared: Arc<Shared>,
        observer: Arc<dyn DeliveryObserver>,
        cancel: CancellationToken,
    ) -> Self {
        let next_heartbeat = sink.options.heartbeat.map(|every| after(wall_clock(), every));
        Self {
            store,
            source,
            sink,
            shared,
            observer,
            cancel,
            failures: 0,
            failing: None,
            several: false,
            accepted: None,
            paused_until: Timestamp(0),
            next_reminders: Timestamp(0),
            next_heartbeat,
        }
    }

    pub(super) async fn run(mut self) {
        while !self.cancel.is_cancelled() {
            let wait = match self.step().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(sink = self.sink.options.name, %error, "the outbox cannot be read or written");
                    STORE_WAIT
                }
            };
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does what is due; tells how long nothing will be.
    async fn step(&mut self) -> Result<Duration, StoreError> {
        let now = wall_clock();
        self.remind(now).await?;
        if now < self.paused_until {
            return Ok(self.until_next(now, Some(self.paused_until)));
        }
        self.heartbeat(now).await?;
        let name = self.sink.options.name.clone();
        while self.paused_until <= wall_clock() && !self.cancel.is_cancelled() {
            let due = self.store.due(&name, wall_clock(), BATCH).await?;
            if due.is_empty() {
                break;
            }
            for item in due {
                if self.cancel.is_cancelled() || !self.deliver(item).await? {
                    break;
                }
            }
        }
        let now = wall_clock();
        let next = self.store.next_due(&name).await?;
        Ok(self.until_next(now, next.map(|next| next.max(self.paused_until))))
    }

    fn until_next(&self, now: Timestamp, next: Option<Timestamp>) -> Duration {
        let reminders = self.sink.options.remind.map(|_| self.next_reminders);
        let heartbeat = self.next_heartbeat.map(|at| at.max(self.paused_until));
        let next = [next, reminders, heartbeat].into_iter().flatten().min();
        let wait =
            next.map_or(POLL, |next| Duration::from_millis(next.since(now).max(0).unsigned_abs()));
        // A millisecond at least: a time just reached must not spin.
        wait.clamp(Duration::from_millis(1), POLL)
    }

    /// One message. False if the sink must be left alone for a while.
    async fn deliver(&mut self, item: OutboxItem) -> Result<bool, StoreError> {
        let name = self.sink.options.name.clone();
        if is_reminder(&item.id) && !self.still_urgent(&item).await? {
            self.store.withdraw(&name, &item.id, wall_clock()).await?;
            return Ok(true);
        }
        // What was accepted while the store could not note it is not sent a second time.
        let noted_late = self.accepted.as_deref() == Some(item.id.as_str());
        let answer = match noted_late {
            true => Ok(()),
            false => self.sink.send(&item.id, &item.body).await.map(drop),
        };
        let now = wall_clock();
        match answer {
            Ok(()) => {
                self.accepted = Some(item.id.clone());
                self.store.delivered(&name, &item.id, now).await?;
                self.accepted = None;
                self.observer.attempt(&name, Outcome::Accepted);
                let latency = now.since(item.received).max(0).unsigned_abs();
                let latency = Duration::from_millis(latency);
                self.observer.accepted(&name, &item, latency, item.attempts == 0);
                if self.well(now) {
                    self.store.hurry(&name, now).await?;
                    // What was put off is due again, and comes before what follows in this batch.
                    return Ok(false);
                }
                Ok(true)
            }
            Err(failure) => {
                self.observer.attempt(&name, failure.outcome);
                self.ill(&item.id, &failure, now);
                let attempts = item.attempts.saturating_add(1);
                if now.since(item.created) >= millis(self.sink.options.max_age) {
                    self.store.park(&name, &item.id, now, &failure.why).await?;
                    self.observer.attempt(&name, Outcome::Parked);
                    tracing::error!(sink = name, id = item.id, "a message was given up");
                } else {
                    // The first in line stays so, unless the sink lives and will not take it.
                    let yields = failure.outcome == Outcome::Refused && attempts >= YIELD;
                    let wait = match yields {
                        true => self.sink.options.backoff.wait(attempts, failure.retry_after),
                        false => Duration::ZERO,
                    };
                    self.store.failed(&name, &item.id, after(now, wait), &failure.why).await?;
                }
                Ok(false)
            }
        }
    }

    async fn still_urgent(&self, item: &OutboxItem) -> Result<bool, StoreError> {
        let stored = self.store.alert(item.alert).await?;
        Ok(stored.is_some_and(|stored| {
            let alert = &stored.change.alert;
            alert.state == State::Open && alert.level == Level::ThreatToLife
        }))
    }

    /// The sink took something. True if it had failed with several messages, which may now all go.
    fn well(&mut self, now: Timestamp) -> bool {
        let outage = self.several;
        (self.failures, self.failing, self.several) = (0, None, false);
        self.paused_until = Timestamp(0);
        let turned = {
            let mut state = self.shared.state.lock();
            state.last_accepted = Some(now);
            let turned = !state.ok;
            (state.ok, state.failing_since) = (true, None);
            turned.then(|| state.clone())
        };
        if let Some(state) = turned {
            tracing::info!(sink = self.sink.options.name, "the sink takes messages again");
            self.observer.turned(&self.sink.options.name, &state);
        }
        outage
    }

    fn ill(&mut self, id: &str, failure: &Failure, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.several |= self.failing.as_deref().is_some_and(|failing| failing != id);
        self.failing = Some(id.to_owned());
        let wait = self.sink.options.backoff.wait(self.failures, failure.retry_after);
        self.paused_until = after(now, wait);
        let turned = {
            let mut state = self.shared.state.lock();
            state.last_error = Some(failure.why.clone());
            let turned = state.ok;
            state.ok = false;
            state.failing_since.get_or_insert(now);
            turned.then(|| state.clone())
        };
        if let Some(state) = turned {
            tracing::warn!(sink = self.sink.options.name, why = failure.why, "the sink fails");
            self.observer.turned(&self.sink.options.name, &state);
        }
    }

    /// Puts the reminders that are due into the outbox.
    async fn remind(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(every) = self.sink.options.remind else { return Ok(()) };
        if now < self.next_reminders {
            return Ok(());
        }
        let look = (every / 10).clamp(Duration::from_millis(50), POLL);
        self.next_reminders = after(now, look);
        for urgent in self.store.urgent(&self.sink.options.name, now, every).await? {
            let count = urgent.count + 1;
            let row = reminder_row(&urgent.change, count, &self.sink.options, &self.source, now);
            self.store.remind(&row, count, now).await?;
        }
        Ok(())
    }

    /// Heartbeats go past the outbox: one that came late would say nothing.
    async fn heartbeat(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(every) = self.sink.options.heartbeat else { return Ok(()) };
        if self.next_heartbeat.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.next_heartbeat = Some(after(now, every));
        let (id, event) = heartbeat_event(&self.source, &self.observer.degraded(), now);
        match self.sink.send(&id, &event.to_string()).await {
            Ok(_) => {
                self.observer.attempt(&self.sink.options.name, Outcome::Accepted);
                if self.well(wall_clock()) {
                    self.store.hurry(&self.sink.options.name, wall_clock()).await?;
                }
            }
            Err(failure) => {
                self.observer.attempt(&self.sink.options.name, failure.outcome);
                self.ill(&id, &failure, wall_clock());
            }
        }
        Ok(())
    }
}

fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.plus_ms(millis(wait))
}

fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}
