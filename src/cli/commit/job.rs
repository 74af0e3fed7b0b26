//! What the committer does: one [`Job`] after another, each whole or not at all, and again until it is done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OnceCell, Semaphore, oneshot};

use super::super::setup::clock;
use super::super::shard::Barrier;
use super::Committer;
use crate::alert::{Change, EvidenceItem};
use crate::console::Live;
use crate::event::{ChannelId, Decision, Digest, Level, Timestamp, UserKey};
use crate::evidence::{EvidenceError, EvidenceRow, Piece, Why};
use crate::store::{ChannelState, Checkpoint, Commit, Noted, Sample, StoreError, Trouble};
use crate::telemetry::{Component, Status};

/// Alerts that are sent past the store at once.
const SENT_AT_ONCE: usize = 32;
/// Longest wait between two attempts to send an alert past the store.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Nobody waits longer for an alert because it is noted first.
const NOTED_WITHIN: Duration = Duration::from_millis(500);
/// Pieces' owners that wait for a disk that can write evidence; the oldest go beyond it.
const MOST_LATE: usize = 1_024;

/// Does what waits for the disk on a thread of its own. A runtime that has one thread alone, as a simulation's, does it
/// in place: there the order of all that happens is to be the same in every run.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => tokio::task::spawn_blocking(work).await,
    }
}

/// What is to become durable.
pub enum Job {
    Change(Arc<Told>),
    Keep(Kept),
    Samples(Vec<Sample>),
    Identities(Vec<(UserKey, Vec<u8>, Timestamp)>),
    Checkpoint {
        barrier: Arc<Barrier>,
        number: u64,
        channels: Vec<ChannelState>,
        gaps: Option<String>,
    },
}

/// Pieces of evidence, and why they are kept.
#[derive(Clone)]
pub struct Kept {
    channel: ChannelId,
    level: Level,
    pieces: Vec<Piece>,
    why: Why,
}

impl Job {
    pub fn act(channel: ChannelId, level: Level, pieces: Vec<Piece>, request: Digest) -> Self {
        Job::Keep(Kept { channel, level, pieces, why: Why::Act { request } })
    }
}

/// A change on its way.
pub struct Told {
    change: Change,
    /// Daemon's clock when the event behind it came in.
    received: Timestamp,
    /// The decision behind it, and the caller's uid.
    decision: Option<(Decision, Option<u32>)>,
    done: Mutex<Option<oneshot::Sender<Option<Change>>>>,
    rows: OnceCell<Vec<EvidenceRow>>,
    /// It was sent past the store.
    sent: AtomicBool,
    /// It is committed.
    saved: AtomicBool,
}

impl Told {
    pub fn new(
        change: Change,
        received: Timestamp,
        decided: Option<(Decision, Option<u32>, oneshot::Sender<Option<Change>>)>,
    ) -> Self {
        let received = if received.0 == 0 { clock() } else { received };
        let (decision, done) = match decided {
            Some((decision, uid, done)) => (Some((decision, uid)), Some(done)),
            None => (None, None),
        };
        Self {
            change,
            received,
            decision,
            done: Mutex::new(done),
            rows: OnceCell::new(),
            sent: AtomicBool::new(false),
            saved: AtomicBool::new(false),
        }
    }

    fn is_saved(&self) -> bool {
        self.saved.load(Ordering::SeqCst)
    }

    fn kept(&self) -> Kept {
        let alert = &self.change.alert;
        let piece = |item: &EvidenceItem| Piece::from(item);
        Kept {
            channel: alert.channel.clone(),
            level: alert.level,
            pieces: alert.evidence.iter().map(piece).collect(),
            why: Why::Cited { alert: alert.id },
        }
    }
}

impl From<Noted> for Told {
    fn from(noted: Noted) -> Self {
        let told = Self::new(noted.change, noted.received, None);
        Self { rows: OnceCell::new_with(Some(noted.rows)), ..told }
    }
}

/// The committer's house, and what several of its tasks share.
pub struct Work {
    pub house: Committer,
    late: Mutex<VecDeque<Kept>>,
    counts_changed: AtomicBool,
    sending: Arc<Semaphore>,
}

impl Work {
    pub fn new(house: Committer) -> Self {
        Self {
            house,
            late: Mutex::default(),
            counts_changed: AtomicBool::new(false),
            sending: Arc::new(Semaphore::new(SENT_AT_ONCE)),
        }
    }

    /// One try. What an earlier try has done already is not done twice.
    pub async fn save(&self, job: &Job) -> Result<(), StoreError> {
        let store = &self.house.store;
        match job {
            Job::Change(told) => self.change(told).await,
            Job::Keep(kept) => match self.keep(kept).await {
                Some(rows) => store.put_evidence(&rows).await,
                None => Ok(()),
            },
            Job::Samples(samples) => {
                if let Err(error) = store.put_samples(samples).await {
                    tracing::warn!(%error, "samples for the chart were not kept");
                }
                Ok(())
            }
            Job::Identities(sealed) => store.put_identities(sealed).await,
            Job::Checkpoint { barrier, number, channels, gaps } => {
                self.checkpoint(barrier, *number, channels, gaps).await
            }
        }
    }

    async fn change(&self, told: &Told) -> Result<(), StoreError> {
        let house = &self.house;
        let change = &told.change;
        house.store.step("change.taken")?;
        let evidence = self.rows(told).await.clone();
        let outbox = house.delivery.rows(change, told.received);
        let begun = Instant::now();
        let commit = Commit { change: change.clone(), outbox, evidence };
        let decision = told.decision.as_ref().map(|(decision, uid)| (decision, *uid));
        house.store.commit_decided(&commit, decision, None).await?;
        house.metrics.store_commit(begun.elapsed());
        if told.saved.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        if house.unsaved.any() {
            let (unsaved, committed) = (house.unsaved.clone(), commit.change);
            // A panic there has been told by the panic hook.
            let _ = aside(move || unsaved.done(&committed)).await;
        }
        if !commit.evidence.is_empty() {
            house.evidence.release(&told.kept().pieces);
        }
        if let Some((decision, _)) = &told.decision {
            let after = decision.at.since(change.alert.opened_at).max(0) as u64;
            house.metrics.reviewed(decision.kind.name(), Duration::from_millis(after));
        }
        if let Some(level) = change.reached {
            house.metrics.alert(level);
        }
        house.delivery.wake();
        tracing::info!(alert = %change.alert.id, revision = change.alert.revision, kind = change.kind.name(),
            level = change.alert.level.name(), level_now = change.alert.level_now.name(), "alert");
        let live = Live::Alert { kind: change.kind, alert: Arc::new(change.alert.clone()) };
        // Nobody may be looking.
        let _ = house.live.send(live);
        self.counts_changed.store(true, Ordering::Relaxed);
        if let Some(done) = told.done.lock().take() {
            // The asker may have gone; what was decided stands.
            let _ = done.send(Some(change.clone()));
        }
        house.store.step("commit.told")
    }

    /// What the change cites, once it is in the vault.
    async fn rows<'a>(&self, told: &'a Told) -> &'a Vec<EvidenceRow> {
        let keep = || async { self.keep(&told.kept()).await.unwrap_or_default() };
        told.rows.get_or_init(keep).await
    }

    /// Writes pieces to the vault, off the runtime, and gives their rows. Where the disk cannot write them the bytes are
    /// held in memory and tried again later; the alert that cites them does not wait.
    async fn keep(&self, kept: &Kept) -> Option<Vec<EvidenceRow>> {
        let mut written = self.write(kept).await;
        while let Err(error) = &written
            && Trouble::of_evidence(error) == Trouble::Full
            && self.make_room().await
        {
            written = self.write(kept).await;
        }
        match written {
            Ok(rows) => {
                self.house.evidence.release(&kept.pieces);
                Some(rows)
            }
            Err(error) => {
                let degraded = Status::Degraded(format!("evidence: {error}"));
                self.house.health.set(Component::Store, degraded);
                tracing::error!(%error, "evidence cannot be written; it is held in memory and tried again");
                self.house.evidence.hold(&kept.pieces);
                let mut late = self.late.lock();
                late.push_back(kept.clone());
                if late.len() > MOST_LATE
                    && let Some(oldest) = late.pop_front()
                {
                    self.house.evidence.release(&oldest.pieces);
                }
                None
            }
        }
    }

    async fn write(&self, kept: &Kept) -> Result<Vec<EvidenceRow>, EvidenceError> {
        let (evidence, kept) = (self.house.evidence.clone(), kept.clone());
        let write = move || evidence.keep(&kept.channel, kept.level, &kept.pieces, kept.why);
        match aside(write).await {
            Ok(Ok(kept)) => {
                if !kept.missing.is_empty() {
                    let missing = kept.missing.len();
                    tracing::debug!(missing, "cited evidence is no longer there");
                }
                Ok(kept.rows)
            }
            Ok(Err(error)) => Err(error),
            Err(error) => Err(EvidenceError::Io {
                path: "evidence".into(),
                source: std::io::Error::other(error),
            }),
        }
    }

    /// Evidence that could not be written before, to be tried again.
    pub fn late(&self) -> Vec<Job> {
        let late = std::mem::take(&mut *self.late.lock());
        if !late.is_empty() {
            self.house.health.set(Component::Store, Status::Up);
        }
        late.into_iter().map(Job::Keep).collect()
    }

    async fn checkpoint(
        &self,
        barrier: &Barrier,
        number: u64,
        channels: &[ChannelState],
        gaps: &Option<String>,
    ) -> Result<(), StoreError> {
        let house = &self.house;
        house.store.step("checkpoint.taken")?;
        if let Some(journal) = house.journal.clone() {
            // Joined before the commit: the journal must not be behind a checkpoint.
            let _ = aside(move || journal.sync()).await;
        }
        house.store.step("checkpoint.synced")?;
        let checkpoint = Checkpoint {
            channels: channels.to_vec(),
            asleep: Vec::new(),
            removed: Vec::new(),
            feeds: barrier.feeds.iter().map(|(_, mark)| mark.clone()).collect(),
            donations: barrier.donations.clone(),
            gaps: gaps.clone(),
            config: barrier.config.clone(),
        };
        house.store.save_checkpoint(&checkpoint).await?;
        house.durable.store(number, Ordering::Release);
        for (feed, mark) in &barrier.feeds {
            if let Some(cursor) = &mark.cursor {
                // The intake may be going down, or busy: then the next checkpoint tells it.
                let _ = house.saved.try_send((*feed, cursor.as_str().into()));
            }
        }
        house.store.step("checkpoint.after")
    }

    /// Gives up what the disk can do without: the ballast, then what no alert cites, from the lowest level. False if
    /// there is nothing left to give up.
    pub async fn make_room(&self) -> bool {
        let (ballast, evidence) = (self.house.ballast.clone(), self.house.evidence.clone());
        let freed = aside(move || {
            evidence.pause(true);
            match ballast.free() {
                true => Some("the ballast"),
                false => evidence.free_least().then_some("recent material that no alert cites"),
            }
        });
        match freed.await {
            Ok(Some(what)) => {
                tracing::warn!(
                    what,
                    "the disk is full: something is given up for what must be committed"
                );
                true
            }
            _ => false,
        }
    }

    /// Sends an alert past the store, once, until it is accepted or committed. It is noted first: see [`Unsaved`].
    pub fn send_unsaved(self: &Arc<Self>, told: &Arc<Told>) {
        if told.sent.swap(true, Ordering::Relaxed) || told.is_saved() {
            return;
        }
        self.house.evidence.hold(&told.kept().pieces);
        let mut change = told.change.clone();
        change.alert.durable = false;
        let mut rows = self.house.delivery.rows(&change, told.received);
        self.house.metrics.alert_unsaved();
        let alert = &change.alert;
        tracing::warn!(alert = %alert.id, revision = alert.revision, level = alert.level.name(),
            "sent although it is not durable yet");
        let (work, told) = (self.clone(), told.clone());
        tokio::spawn(async move {
            work.note(&told).await;
            let mut wait = Duration::from_secs(1);
            while !told.is_saved() && !rows.is_empty() {
                {
                    // Closed by nobody.
                    let _turn = work.sending.acquire().await;
                    let sent = work.house.delivery.send_now(&rows).await;
                    rows.retain(|row| {
                        !sent
                            .iter()
                            .any(|sent| sent.accepted && sent.sink == row.sink && sent.id == row.id)
                    });
                }
                if !rows.is_empty() {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        });
    }

    /// Notes what is sent before it is committed, so that a death loses none of it. A disk that cannot hinders nobody
    /// from being told. A decision is not noted: it stands in the chain or was not made.
    async fn note(&self, told: &Arc<Told>) {
        if told.decision.is_some() {
            return;
        }
        let noted = async {
            let rows = self.rows(told).await.clone();
            let (unsaved, told) = (self.house.unsaved.clone(), told.clone());
            let noted = Noted { change: told.change.clone(), received: told.received, rows };
            aside(move || unsaved.note(&noted, || told.is_saved())).await
        };
        match tokio::time::timeout(NOTED_WITHIN, noted).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "an alert is sent past the store and could not be noted");
            }
            // A panic has been told by the panic hook.
            Ok(Err(_)) => {}
            Err(_) => tracing::warn!("an alert is sent past the store before it could be noted"),
        }
    }

    /// Whether alerts were committed since [`Work::count_open`].
    pub fn counts_changed(&self) -> bool {
        self.counts_changed.load(Ordering::Relaxed)
    }

    pub async fn count_open(&self) {
        self.counts_changed.store(false, Ordering::Relaxed);
        if let Ok(counts) = self.house.store.open_counts().await {
            for level in [Level::Concern, Level::Danger, Level::ThreatToLife] {
                for state in crate::alert::State::ALL {
                    let count = counts.iter().find(|(l, s, _)| *l == level && *s == state);
                    let count = count.map_or(0, |(.., count)| *count);
                    self.house.metrics.set_alerts_open(level, state.name(), count as usize);
                }
            }
        }
    }
}
