//! The committer: the one place where something becomes durable, and only then visible. Changes come in with what
//! they cite, in the order of their shard; each is committed with its evidence and outbox rows in one transaction,
//! checkpoints behind what came before them.
//!
//! A store that cannot commit is tried for ever, in the same order, while up to [`MOST_WAITING`] things wait in memory;
//! beyond that the shards wait. Meanwhile alerts are not silent: each is sent past the outbox at once, with
//! `"durable": false` and its own id, noted first beside the store, and told again under that id once it is committed.

mod job;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use self::job::{Job, Told, Work};
use super::shard::Barrier;
use crate::alert::Change;
use crate::console::Live;
use crate::delivery::Delivery;
use crate::event::{ChannelId, Decision, Digest, Level, Timestamp, UserKey};
use crate::evidence::{Evidence, Piece};
use crate::store::journal::Journal;
use crate::store::{Ballast, ChannelState, Noted, Sample, Store, StoreError, Trouble, Unsaved};
use crate::telemetry::{Component, Health, Metrics, Status};

/// Shortest and longest wait between two tries of a store that cannot commit.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A commit that takes longer is told as trouble: a person in danger does not wait for a lock.
const SLOW: Duration = Duration::from_secs(2);
/// What may wait for the store in memory.
const MOST_WAITING: usize = 4_096;
/// Evidence that could not be written is tried again this often.
const LATE_EVERY: Duration = Duration::from_secs(5);
/// The same trouble is logged this often.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Open alerts are counted at most this often.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What shards and the intake hand over.
pub enum ToCommitter {
    Change {
        change: Box<Change>,
        received: Timestamp,
        decided: Option<(Decision, Option<u32>, oneshot::Sender<Option<Change>>)>,
    },
    Act {
        channel: ChannelId,
        level: Level,
        pieces: Vec<Piece>,
        request: Digest,
    },
    Samples(Vec<Sample>),
    /// People's sealed names, each until then.
    Identities(Vec<(UserKey, Vec<u8>, Timestamp)>),
    Part {
        barrier: Arc<Barrier>,
        /// Number of the checkpoint, from 1.
        number: u64,
        channels: Vec<ChannelState>,
        /// The last gaps of whole feeds, where they changed.
        gaps: Option<String>,
    },
}

/// See the module.
pub struct Committer {
    pub store: Store,
    pub evidence: Arc<Evidence>,
    pub journal: Option<Journal>,
    /// Where it is noted what is sent past the store.
    pub unsaved: Arc<Unsaved>,
    /// Given up when the disk is full.
    pub ballast: Arc<Ballast>,
    pub delivery: Delivery,
    pub live: broadcast::Sender<Live>,
    pub metrics: Metrics,
    pub health: Health,
    /// Told when a checkpoint is durable: feed and its cursor.
    pub saved: mpsc::Sender<(u16, Box<str>)>,
    /// Number of the last checkpoint that is durable.
    pub durable: Arc<AtomicU64>,
    pub shards: usize,
}

/// A store that cannot commit.
struct Failing {
    since: Instant,
    wait: Duration,
    retry_at: Instant,
    trouble: Trouble,
    said_at: Option<Instant>,
}

type Attempt = Pin<Box<dyn Future<Output = (Job, Result<(), StoreError>)> + Send>>;

/// The committer at work.
struct Line {
    work: Arc<Work>,
    waiting: VecDeque<Job>,
    /// The try under way: since when, and whose alert it is.
    attempt: Option<(Instant, Option<Arc<Told>>, Attempt)>,
    failing: Option<Failing>,
    parts: Vec<ChannelState>,
    gaps: Option<String>,
    arrived: usize,
    late_at: Instant,
    counted_at: Instant,
}

impl Committer {
    /// Runs until all senders are gone and nothing waits. `noted`: what the last life sent and could not commit; it goes
    /// first.
    pub async fn run(self, noted: Vec<Noted>, mut inbox: mpsc::Receiver<ToCommitter>) {
        let waiting = noted.into_iter().map(|noted| Job::Change(Arc::new(noted.into())));
        let mut line = Line {
            work: Arc::new(Work::new(self)),
            waiting: waiting.collect(),
            attempt: None,
            failing: None,
            parts: Vec::new(),
            gaps: None,
            arrived: 0,
            late_at: Instant::now(),
            counted_at: Instant::now(),
        };
        line.work.count_open().await;
        let mut open = true;
        loop {
            line.upkeep().await;
            line.begin();
            if !open && line.attempt.is_none() && line.waiting.is_empty() {
                break;
            }
            let wake = line.wake();
            let ended = async {
                match &mut line.attempt {
                    Some((.., attempt)) => attempt.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                (job, result) = ended => line.ended(job, result).await,
                message = inbox.recv(), if open && line.waiting.len() < MOST_WAITING => match message {
                    Some(message) => line.take(message),
                    None => open = false,
                },
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }
}

impl Line {
    /// Begins the next try, if it is time for one.
    fn begin(&mut self) {
        let due = self.failing.as_ref().is_none_or(|failing| failing.retry_at <= Instant::now());
        if self.attempt.is_some() || !due {
            return;
        }
        let Some(job) = self.waiting.pop_front() else { return };
        let told = match &job {
            Job::Change(told) => Some(told.clone()),
            _ => None,
        };
        let work = self.work.clone();
        let attempt = Box::pin(async move {
            let result = work.save(&job).await;
            (job, result)
        });
        self.attempt = Some((Instant::now(), told, attempt));
    }

    /// When something is to be done although nothing comes.
    fn wake(&self) -> Instant {
        match (&self.attempt, &self.failing) {
            (Some((begun, ..)), None) => *begun + SLOW,
            (Some(_), Some(failing)) => Instant::now() + failing.wait,
            (None, Some(failing)) => failing.retry_at,
            (None, None) if self.work.counts_changed() => {
                self.counted_at + COUNT_EVERY.min(LATE_EVERY)
            }
            (None, None) => self.late_at.max(Instant::now()) + LATE_EVERY,
        }
    }

    /// What is done beside the commits, where it is time.
    async fn upkeep(&mut self) {
        if let Some((begun, ..)) = &self.attempt {
            if begun.elapsed() >= SLOW && self.failing.is_none() {
                let why = format!(
                    "nothing could be committed for {} s: the disk is slow, or another program holds the database locked",
                    SLOW.as_secs()
                );
                self.fails(Trouble::Locked, why);
            }
            return;
        }
        if self.failing.is_some() {
            return;
        }
        if self.late_at.elapsed() >= LATE_EVERY {
            self.late_at = Instant::now();
            self.waiting.extend(self.work.late());
        }
        if self.counted_at.elapsed() >= COUNT_EVERY && self.work.counts_changed() {
            self.counted_at = Instant::now();
            self.work.count_open().await;
        }
    }

    fn take(&mut self, message: ToCommitter) {
        let job = match message {
            ToCommitter::Change { change, received, decided } => {
                let told = Arc::new(Told::new(*change, received, decided));
                if self.failing.is_some() {
                    self.work.send_unsaved(&told);
                }
                Job::Change(told)
            }
            ToCommitter::Act { channel, level, pieces, request } => {
                Job::act(channel, level, pieces, request)
            }
            // A chart with a hole is no reason to fill the memory.
            ToCommitter::Samples(_) if self.failing.is_some() => return,
            ToCommitter::Samples(samples) => Job::Samples(samples),
            ToCommitter::Identities(sealed) => Job::Identities(sealed),
            ToCommitter::Part { barrier, number, channels, gaps } => {
                self.parts.extend(channels);
                // Every shard is told of the same.
                self.gaps = gaps.or(self.gaps.take());
                self.arrived += 1;
                if self.arrived < self.work.house.shards {
                    return;
                }
                self.arrived = 0;
                let (channels, gaps) = (std::mem::take(&mut self.parts), self.gaps.take());
                Job::Checkpoint { barrier, number, channels, gaps }
            }
        };
        self.waiting.push_back(job);
        self.work.house.metrics.set_store_waiting(self.waiting.len());
    }

    async fn ended(&mut self, job: Job, result: Result<(), StoreError>) {
        self.attempt = None;
        match result {
            Ok(()) => {
                if let Some(failing) = self.failing.take() {
                    let seconds = failing.since.elapsed().as_secs_f32();
                    tracing::info!(
                        seconds,
                        waiting = self.waiting.len(),
                        "the store commits again"
                    );
                    self.work.house.health.set(Component::Store, Status::Up);
                }
                self.work.house.metrics.set_store_waiting(self.waiting.len());
            }
            Err(error) => {
                self.waiting.push_front(job);
                let trouble = error.trouble();
                self.work.house.metrics.store_failed(trouble.name());
                // What can be given up is given up before anyone is told, and the commit is tried at once.
                if trouble == Trouble::Full && self.work.make_room().await {
                    return;
                }
                self.fails(trouble, error.advice(self.work.house.store.dir()));
            }
        }
    }

    /// The store cannot commit: says so, sends what waits past it, and sets the time of the next try.
    fn fails(&mut self, trouble: Trouble, why: String) {
        let now = Instant::now();
        let failing = self.failing.get_or_insert(Failing {
            since: now,
            wait: WAITS.0,
            retry_at: now,
            trouble,
            said_at: None,
        });
        failing.retry_at = now + failing.wait;
        failing.wait = (failing.wait * 2).min(WAITS.1);
        let news = failing.trouble != trouble
            || failing.said_at.is_none_or(|then| then.elapsed() >= SAY_EVERY);
        if news {
            failing.said_at = Some(now);
            failing.trouble = trouble;
            let waiting = self.waiting.len();
            tracing::error!(trouble = trouble.name(), waiting, %why, "the store cannot commit; trying again");
        }
        self.work.house.health.set(Component::Store, Status::Down(why));
        let under_way = self.attempt.iter().filter_map(|(_, told, _)| told.as_ref());
        let waiting = self.waiting.iter().filter_map(|job| match job {
            Job::Change(told) => Some(told),
            _ => None,
        });
        under_way.chain(waiting).for_each(|told| self.work.send_unsaved(told));
    }
}
