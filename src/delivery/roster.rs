//! The running sinks, one task each. They may be added, changed and taken away while the others go on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::mirror::Mirror;
use super::pulse::Pulse;
use super::worker::Worker;
use super::{
    DeliveryError, DeliveryObserver, Outcome, Sink, SinkOptions, SinkState, TestAnswer, Wire,
    rows_for,
};
use crate::alert::{Change, OutboxRow};
use crate::event::Timestamp;
use crate::store::{OutboxItem, Store, StoreError};

/// What a sink's task shares with its handle and the other tasks.
pub(super) struct Shared {
    pub state: Mutex<SinkState>,
    pub wake: Notify,
}

/// Who is served.
#[derive(Default)]
pub(super) struct Roster(Mutex<Vec<Running>>);

impl Roster {
    /// The other sinks that take messages, as far as is known.
    pub fn well_but(&self, name: &str) -> Vec<SinkOptions> {
        let running = self.0.lock();
        let others = running.iter().filter(|one| one.sink.options.name != name);
        let well = others.filter(|one| one.shared.state.lock().ok);
        let options = well.map(|one| &one.sink.options);
        options.filter(|options| !options.kind.is_mirror()).cloned().collect()
    }

    /// Sinks that count as failing, and since when.
    pub fn failing(&self) -> Vec<(String, Timestamp)> {
        let running = self.0.lock();
        running
            .iter()
            .filter_map(|one| {
                let state = one.shared.state.lock();
                let since = state.failing_since.filter(|_| state.failing)?;
                Some((one.sink.options.name.clone(), since))
            })
            .collect()
    }

    pub fn wake(&self) {
        self.0.lock().iter().for_each(|one| one.shared.wake.notify_one());
    }
}

/// A sink as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkView {
    pub name: String,
    /// None for one that is no longer in the config, for which something still waits.
    pub state: Option<SinkState>,
    /// Messages that wait, those for a summary included.
    pub waiting: u64,
    /// Messages that were given up, ever.
    pub parked: u64,
    /// The newest that was given up.
    pub last_parked: Option<OutboxItem>,
}

/// A sink and its task.
struct Running {
    sink: Arc<Sink>,
    shared: Arc<Shared>,
    /// Ends this task alone.
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

/// Handle to the running sinks; cheap to clone. When the last is dropped, or one is stopped, all tasks end; what was
/// not accepted waits in the store.
#[derive(Clone)]
pub struct Delivery(Arc<House>);

struct House {
    store: Store,
    source: String,
    observer: Arc<dyn DeliveryObserver>,
    /// In a simulation, the way to every receiver.
    wire: Option<Arc<dyn Wire>>,
    roster: Arc<Roster>,
    /// Tasks of sinks that were taken away and may still be at their last attempt, by name.
    leaving: Mutex<HashMap<String, JoinHandle<()>>>,
    tasks: TaskTracker,
    /// No new attempt is begun.
    cancel: CancellationToken,
    /// Attempts under way are broken off.
    abort: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.abort.cancel();
    }
}

/// What a change of the sinks came to; names, each list in the new order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub unchanged: Vec<String>,
}

/// What became of a row that was sent past the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentNow {
    pub sink: String,
    pub id: String,
    pub accepted: bool,
    /// What went wrong; empty if nothing did.
    pub why: String,
}

impl Delivery {
    /// Starts one task a sink. `source` is the CloudEvents source of this instance.
    pub fn start(
        store: &Store,
        source: &str,
        sinks: Vec<SinkOptions>,
        observer: Arc<dyn DeliveryObserver>,
    ) -> Result<Self, DeliveryError> {
        Self::start_on(None, store, source, sinks, observer)
    }

    /// [`Delivery::start`], with every receiver at the other end of `wire`; for simulations.
    pub fn start_on(
        wire: Option<Arc<dyn Wire>>,
        store: &Store,
        source: &str,
        sinks: Vec<SinkOptions>,
        observer: Arc<dyn DeliveryObserver>,
    ) -> Result<Self, DeliveryError> {
        let delivery = Self(Arc::new(House {
            store: store.clone(),
            source: source.to_owned(),
            observer,
            wire,
            roster: Arc::default(),
            leaving: Mutex::default(),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            abort: CancellationToken::new(),
        }));
        delivery.apply(sinks)?;
        Ok(delivery)
    }

    /// Makes the running sinks those of `sinks`, in that order. All are checked first: after an error nothing has
    /// changed. A sink with the same options goes on undisturbed; one with others ends its attempt under way, then
    /// goes on with the new ones. What waits for a sink that is gone stays in the store, and is sent should a sink of
    /// that name come back.
    pub fn apply(&self, sinks: Vec<SinkOptions>) -> Result<Applied, DeliveryError> {
        let mut wanted: Vec<Sink> = Vec::new();
        for options in sinks {
            if wanted.iter().any(|other| other.options.name == options.name) {
                return Err(DeliveryError::Twice(options.name));
            }
            wanted.push(match &self.0.wire {
                Some(wire) => Sink::on(wire.clone(), options),
                None => Sink::new(options)?,
            });
        }
        let mut applied = Applied::default();
        let mut running = self.0.roster.0.lock();
        let mut leaving = self.0.leaving.lock();
        leaving.retain(|_, task| !task.is_finished());
        let mut before: HashMap<String, Running> =
            running.drain(..).map(|one| (one.sink.options.name.clone(), one)).collect();
        for sink in wanted {
            let name = sink.options.name.clone();
            let old = match before.remove(&name) {
                Some(one) if one.sink.is_like(&sink) => {
                    running.push(one);
                    applied.unchanged.push(name);
                    continue;
                }
                Some(one) => {
                    one.cancel.cancel();
                    applied.changed.push(name.clone());
                    Some(one.task)
                }
                None => {
                    applied.added.push(name.clone());
                    leaving.remove(&name)
                }
            };
            self.0.observer.added(&name);
            running.push(self.spawn(sink, old));
        }
        for (name, one) in before {
            one.cancel.cancel();
            self.0.observer.removed(&name);
            applied.removed.push(name.clone());
            leaving.insert(name, one.task);
        }
        applied.removed.sort();
        Ok(applied)
    }

    /// Starts a sink's task, once the task that served it before has ended.
    fn spawn(&self, sink: Sink, old: Option<JoinHandle<()>>) -> Running {
        let house = &self.0;
        let shared = Shared { state: Mutex::new(SinkState::new()), wake: Notify::new() };
        let (sink, shared) = (Arc::new(sink), Arc::new(shared));
        let cancel = house.cancel.child_token();
        let pulse = Pulse::new(
            sink.clone(),
            shared.clone(),
            house.observer.clone(),
            house.roster.clone(),
            house.store.clone(),
            house.source.clone(),
        );
        let (abort, own) = (house.abort.clone(), cancel.clone());
        let task = house.tasks.spawn(async move {
            if let Some(old) = old {
                // However it ended: it sends no more.
                let _ = old.await;
            }
            let work = async {
                match pulse.sink.options.kind.is_mirror() {
                    true => Mirror::new(pulse, own).run().await,
                    false => Worker::new(pulse, own).run().await,
                }
            };
            tokio::select! { () = abort.cancelled() => {}, () = work => {} }
        });
        Running { sink, shared, cancel, task }
    }

    /// Something new was committed to the outbox.
    pub fn wake(&self) {
        self.0.roster.wake();
    }

    /// The outbox rows of a change for the sinks that are served now, to be committed with it.
    pub fn rows(&self, change: &Change, received: Timestamp) -> Vec<OutboxRow> {
        let running = self.0.roster.0.lock();
        rows_for(change, running.iter().map(|one| &one.sink.options), &self.0.source, received)
    }

    /// Sends rows past the outbox, for when the store cannot commit: one attempt each, all sinks at once, the rows of
    /// a sink in their order, each attempt bounded by the sink's timeout. Ids are those that the outbox would use, so
    /// that a row may be sent again, or committed later, and is dropped as a repeat. Rows of sinks that are not served
    /// are told as not accepted.
    pub async fn send_now(&self, rows: &[OutboxRow]) -> Vec<SentNow> {
        let mut by_sink: Vec<(&str, Vec<&OutboxRow>)> = Vec::new();
        for row in rows {
            match by_sink.iter_mut().find(|(sink, _)| *sink == row.sink) {
                Some((_, rows)) => rows.push(row),
                None => by_sink.push((&row.sink, vec![row])),
            }
        }
        let each = by_sink.into_iter().map(async |(name, rows)| {
            let sink = self.sink(name);
            let mut out = Vec::new();
            for row in rows {
                let why = match &sink {
                    Some(sink) => sink.send(&row.id, &row.body).await.err(),
                    None => Some(super::sink::failure(
                        Outcome::Unreachable,
                        None,
                        "there is no such sink".into(),
                    )),
                };
                let outcome = why.as_ref().map_or(Outcome::Accepted, |failure| failure.outcome);
                self.0.observer.attempt(name, outcome);
                out.push(SentNow {
                    sink: name.to_owned(),
                    id: row.id.clone(),
                    accepted: why.is_none(),
                    why: why.map(|failure| failure.why).unwrap_or_default(),
                });
            }
            out
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// How each sink fares, in the config's order.
    pub fn states(&self) -> Vec<(String, SinkState)> {
        let running = self.0.roster.0.lock();
        running
            .iter()
            .map(|one| (one.sink.options.name.clone(), one.shared.state.lock().clone()))
            .collect()
    }

    /// How each sink fares and what waits for it, in the config's order; then those that are no longer in the config
    /// but for which something still waits.
    pub async fn overview(&self) -> Result<Vec<SinkView>, StoreError> {
        let mut counts = self.0.store.outbox_counts().await?;
        let mut states: Vec<_> =
            self.states().into_iter().map(|(name, state)| (name, Some(state))).collect();
        let known: BTreeSet<String> = states.iter().map(|(name, _)| name.clone()).collect();
        let gone =
            counts.iter().filter(|(name, counts)| counts.waiting > 0 && !known.contains(*name));
        states.extend(gone.map(|(name, _)| (name.clone(), None)));
        let views = states.into_iter().map(|(name, state)| {
            let counts = counts.remove(&name).unwrap_or_default();
            let (waiting, parked) = (counts.waiting, counts.parked);
            SinkView { name, state, waiting, parked, last_parked: counts.last_parked }
        });
        Ok(views.collect())
    }

    /// Sends a marked test alert past the outbox, once, and tells the answer.
    pub async fn test(&self, name: &str) -> Result<TestAnswer, DeliveryError> {
        let sink = self.sink(name).ok_or_else(|| DeliveryError::Unknown(name.to_owned()))?;
        Ok(sink.test(&self.0.source).await)
    }

    fn sink(&self, name: &str) -> Option<Arc<Sink>> {
        let running = self.0.roster.0.lock();
        running.iter().find(|one| one.sink.options.name == name).map(|one| one.sink.clone())
    }

    /// Ends the tasks: attempts under way may finish until `deadline` has passed.
    pub async fn stop(&self, deadline: Duration) {
        self.0.cancel.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(deadline, self.0.tasks.wait()).await.is_err() {
            self.0.abort.cancel();
            self.0.tasks.wait().await;
        }
    }
}
