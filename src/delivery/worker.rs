//! One sink's task: sends what is due in order, waits after failures, makes reminders, heartbeats and summaries.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::events::{is_reminder, reminder_row};
use super::pulse::Pulse;
use super::storm::Watch;
use super::{Outcome, after, heartbeat_event, millis, steady};
use crate::alert::State;
use crate::event::{Level, Timestamp};
use crate::evidence::wall_clock;
use crate::store::{OutboxItem, StoreError};

/// Messages read from the store at once.
const BATCH: usize = 32;
/// Refusals after which a message lets those behind it go first: one that a receiver cannot take holds up nobody.
const YIELD: u32 = 4;
/// The store is asked at least so often, whether woken or not.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Accepted messages that the store could not note; with more the sink waits for the store.
const OWED: usize = 1000;

pub(super) struct Worker {
    pulse: Pulse,
    storm: Watch,
    cancel: CancellationToken,
    /// Accepted, but the store could not note it: never sent again by this run.
    owed: Vec<String>,
    next_reminders: Timestamp,
    next_heartbeat: Option<Timestamp>,
}

impl Worker {
    pub(super) fn new(pulse: Pulse, cancel: CancellationToken) -> Self {
        let options = &pulse.sink.options;
        let next_heartbeat = options.heartbeat.map(|every| after(steady(), every));
        let storm = Watch::new(options.storm);
        let next_reminders = Timestamp(0);
        Self { pulse, storm, cancel, owed: Vec::new(), next_reminders, next_heartbeat }
    }

    pub(super) async fn run(mut self) {
        let mut recalled = false;
        while !self.cancel.is_cancelled() {
            let done = match recalled {
                true => self.step().await,
                false => self.recall().await.map(|()| Duration::ZERO),
            };
            recalled |= done.is_ok();
            let wait = done.unwrap_or_else(|error| {
                tracing::error!(sink = self.pulse.name(), %error, "the outbox cannot be read or written");
                STORE_WAIT
            });
            let shared = self.pulse.shared.clone();
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = shared.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        // Whoever serves this sink next would send it again.
        self.note_owed().await;
    }

    /// What the last run left. What it put off is tried anew: its clock may have been another.
    async fn recall(&mut self) -> Result<(), StoreError> {
        self.pulse.recall().await?;
        let (store, name) = (self.pulse.store.clone(), self.pulse.name().to_owned());
        store.hurry(&name, steady()).await?;
        self.storm.recall(&store, &name, steady()).await
    }

    /// Does what is due; tells how long nothing will be.
    async fn step(&mut self) -> Result<Duration, StoreError> {
        let now = steady();
        self.note_owed().await;
        self.remind(now).await?;
        let sink = self.pulse.sink.clone();
        self.storm.summarise(&self.pulse.store, &sink.options, &self.pulse.source, now).await?;
        if now >= self.pulse.paused_until {
            self.heartbeat(now).await?;
            self.deliver_due().await?;
        }
        self.pulse.announce(steady()).await?;
        self.until_next().await
    }

    async fn deliver_due(&mut self) -> Result<(), StoreError> {
        let name = self.pulse.name().to_owned();
        while self.pulse.paused_until <= steady() && !self.cancel.is_cancelled() {
            let limit = BATCH + self.owed.len();
            let mut due = self.pulse.store.due(&name, steady(), limit).await?;
            due.retain(|item| !self.owed.contains(&item.id));
            if due.is_empty() {
                break;
            }
            for item in due {
                if self.cancel.is_cancelled() || !self.deliver(item).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn until_next(&self) -> Result<Duration, StoreError> {
        let paused = self.pulse.paused_until;
        let next = self.pulse.store.next_due(self.pulse.name()).await?;
        // What is owed looks due and is not.
        let next = next.filter(|_| self.owed.is_empty()).map(|next| next.max(paused));
        let reminders = self.pulse.sink.options.remind.map(|_| self.next_reminders);
        let heartbeat = self.next_heartbeat.map(|at| at.max(paused));
        let next = [next, reminders, heartbeat, self.storm.due()].into_iter().flatten().min();
        let now = steady();
        let wait =
            next.map_or(POLL, |next| Duration::from_millis(next.since(now).max(0).unsigned_abs()));
        // A millisecond at least: a time just reached must not spin.
        Ok(wait.clamp(Duration::from_millis(1), POLL))
    }

    /// One message. False if the sink must be left alone for a while.
    async fn deliver(&mut self, item: OutboxItem) -> Result<bool, StoreError> {
        let (store, sink) = (self.pulse.store.clone(), self.pulse.sink.clone());
        let name = &sink.options.name;
        if is_reminder(&item.id) && !self.still_urgent(&item).await? {
            store.withdraw(name, &item.id, steady()).await?;
            return Ok(true);
        }
        if self.storm.holds(&item) {
            store.fold(name, &item.id, steady()).await?;
            self.storm.held(&item, steady());
            return Ok(true);
        }
        let answer = sink.send(&item.id, &item.body).await;
        let now = steady();
        let observer = self.pulse.observer.clone();
        match answer {
            Ok(_) => {
                self.storm.told(&item);
                let noted = store.delivered(name, &item.id, now).await;
                observer.attempt(name, Outcome::Accepted);
                if !item.alert.is_nil() {
                    let latency = wall_clock().since(item.received).max(0).unsigned_abs();
                    let latency = Duration::from_millis(latency);
                    observer.accepted(name, &item, latency, item.attempts == 0);
                }
                if let Err(error) = noted {
                    tracing::error!(sink = name, %error, "a message was accepted; that cannot be noted yet");
                    self.owed.push(item.id);
                    if self.owed.len() >= OWED {
                        return Err(error);
                    }
                }
                // What was put off is due again, and comes before what follows in this batch.
                let outage = self.pulse.well();
                if outage {
                    store.hurry(name, now).await?;
                }
                Ok(!outage)
            }
            Err(failure) => {
                observer.attempt(name, failure.outcome);
                self.pulse.ill(&item.id, &failure, now);
                let attempts = item.attempts.saturating_add(1);
                if now.since(item.created) >= millis(sink.options.max_age) {
                    store.park(name, &item.id, now, &failure.why).await?;
                    observer.attempt(name, Outcome::Parked);
                    tracing::error!(
                        sink = name,
                        id = item.id,
                        why = failure.why,
                        "a message was given up"
                    );
                } else {
                    // The first in line stays so, unless the sink lives and will not take it.
                    let yields = failure.outcome == Outcome::Refused && attempts >= YIELD;
                    // It then waits longer than the sink is left alone, so that the others come first.
                    let backoff = &sink.options.backoff;
                    let wait = match yields {
                        true => {
                            let longer = backoff.wait(&item.id, attempts + 1, failure.retry_after);
                            longer + Duration::from_millis(1)
                        }
                        false => Duration::ZERO,
                    };
                    store.failed(name, &item.id, after(now, wait), &failure.why).await?;
                }
                Ok(false)
            }
        }
    }

    /// Notes what was accepted while the store could not.
    async fn note_owed(&mut self) {
        while let Some(id) = self.owed.first() {
            let noted = self.pulse.store.delivered(self.pulse.name(), id, steady()).await;
            if noted.is_err() {
                return;
            }
            self.owed.remove(0);
        }
    }

    async fn still_urgent(&self, item: &OutboxItem) -> Result<bool, StoreError> {
        let stored = self.pulse.store.alert(item.alert).await?;
        Ok(stored.is_some_and(|stored| {
            let alert = &stored.change.alert;
            alert.state == State::Open && alert.level == Level::ThreatToLife
        }))
    }

    /// Puts the reminders that are due into the outbox.
    async fn remind(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (store, sink) = (self.pulse.store.clone(), self.pulse.sink.clone());
        let options = &sink.options;
        let Some(every) = options.remind.filter(|_| !options.quiet) else { return Ok(()) };
        if now < self.next_reminders {
            return Ok(());
        }
        let look = (every / 10).clamp(Duration::from_millis(50), POLL);
        self.next_reminders = after(now, look);
        for urgent in store.urgent(&options.name, now, every).await? {
            let count = urgent.count + 1;
            let row =
                reminder_row(&urgent.change, count, options, &self.pulse.source, wall_clock());
            store.remind(&row, count, now).await?;
        }
        Ok(())
    }

    /// Heartbeats go past the outbox: one that came late would say nothing.
    async fn heartbeat(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let sink = self.pulse.sink.clone();
        let Some(every) = sink.options.heartbeat else { return Ok(()) };
        if self.next_heartbeat.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.next_heartbeat = Some(after(now, every));
        let degraded = self.pulse.observer.degraded();
        let (id, event) = heartbeat_event(&self.pulse.source, &degraded, wall_clock());
        let answer = sink.send(&id, &event.to_string()).await;
        let outcome = answer.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Accepted);
        self.pulse.observer.attempt(&sink.options.name, outcome);
        match answer {
            Ok(_) => {
                if self.pulse.well() {
                    self.pulse.store.hurry(&sink.options.name, steady()).await?;
                }
            }
            Err(failure) => self.pulse.ill(&id, &failure, steady()),
        }
        Ok(())
    }
}
