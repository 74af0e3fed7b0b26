//! The committer: the one place where something becomes durable, and only then visible. Changes come in with what
//! they cite, in the order of their shard; each is committed with its evidence and outbox rows in one transaction,
//! checkpoints behind what came before them. It retries until the store is back; nothing is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};

use super::setup::clock;
use super::shard::Barrier;
use crate::alert::{Change, EvidenceItem};
use crate::console::Live;
use crate::delivery::Delivery;
use crate::event::{ChannelId, Decision, Digest, Level, Timestamp, UserKey};
use crate::evidence::{Evidence, EvidenceRow, Piece, Why};
use crate::store::journal::Journal;
use crate::store::{ChannelState, Checkpoint, Commit, Sample, Store};
use crate::telemetry::{Component, Health, Metrics, Status};

/// Longest wait between two tries of a store that cannot commit.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

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
    },
}

/// See the module.
pub struct Committer {
    pub store: Store,
    pub evidence: Arc<Evidence>,
    pub journal: Option<Journal>,
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

impl Committer {
    /// Runs until all senders are gone.
    pub async fn run(self, mut inbox: mpsc::Receiver<ToCommitter>) {
        let mut parts: Vec<ChannelState> = Vec::new();
        let mut arrived = 0;
        self.count_open().await;
        while let Some(message) = inbox.recv().await {
            match message {
                ToCommitter::Change { change, received, decided } => {
                    self.change(*change, received, decided).await;
                }
                ToCommitter::Act { channel, level, pieces, request } => {
                    let rows = self.keep(channel, level, pieces, Why::Act { request }).await;
                    self.until_done("evidence", || self.store.put_evidence(&rows)).await;
                }
                ToCommitter::Samples(samples) => {
                    if let Err(error) = self.store.put_samples(&samples).await {
                        tracing::warn!(%error, "samples for the chart were not kept");
                    }
                }
                ToCommitter::Identities(sealed) => {
                    self.until_done("identities", || self.store.put_identities(&sealed)).await;
                }
                ToCommitter::Part { barrier, number, channels } => {
                    parts.extend(channels);
                    arrived += 1;
                    if arrived == self.shards {
                        self.checkpoint(&barrier, std::mem::take(&mut parts)).await;
                        self.durable.store(number, Ordering::Release);
                        arrived = 0;
                    }
                }
            }
        }
    }

    async fn change(
        &self,
        change: Change,
        received: Timestamp,
        decided: Option<(Decision, Option<u32>, oneshot::Sender<Option<Change>>)>,
    ) {
        self.until_done("alert", || async { self.store.step("change.taken") }).await;
        let received = if received.0 == 0 { clock() } else { received };
        let pieces = change.alert.evidence.iter().map(piece).collect();
        let why = Why::Cited { alert: change.alert.id };
        let rows = self.keep(change.alert.channel.clone(), change.alert.level, pieces, why).await;
        let outbox = self.delivery.rows(&change, received);
        if let Some((decision, uid, _)) = &decided {
            self.until_done("audit", || async {
                self.store.append_decision(decision, *uid).await.map(|_| ())
            })
            .await;
            let after = decision.at.since(change.alert.opened_at).max(0) as u64;
            self.metrics.reviewed(decision.kind.name(), Duration::from_millis(after));
        }
        let commit = [Commit { change: change.clone(), outbox, evidence: rows }];
        self.until_done("alert", || self.store.commit_changes(&commit)).await;
        if let Some(level) = change.reached {
            self.metrics.alert(level);
        }
        self.delivery.wake();
        tracing::info!(alert = %change.alert.id, revision = change.alert.revision, kind = change.kind.name(),
            level = change.alert.level.name(), level_now = change.alert.level_now.name(), "alert");
        let live = Live::Alert { kind: change.kind, alert: Arc::new(change.alert.clone()) };
        // Nobody may be looking.
        let _ = self.live.send(live);
        self.count_open().await;
        self.until_done("alert", || async { self.store.step("commit.told") }).await;
        if let Some((.., done)) = decided {
            // The asker may have gone; what was decided stands.
            let _ = done.send(Some(change));
        }
    }

    /// Writes pieces to the vault, off the runtime; a disk that cannot write is tried again.
    async fn keep(
        &self,
        channel: ChannelId,
        level: Level,
        pieces: Vec<Piece>,
        why: Why,
    ) -> Vec<EvidenceRow> {
        let mut wait = Duration::from_millis(200);
        loop {
            let (evidence, channel, pieces) =
                (self.evidence.clone(), channel.clone(), pieces.clone());
            let kept =
                tokio::task::spawn_blocking(move || evidence.keep(&channel, level, &pieces, why))
                    .await;
            match kept {
                Ok(Ok(kept)) => {
                    if !kept.missing.is_empty() {
                        tracing::debug!(
                            missing = kept.missing.len(),
                            "cited evidence is no longer there"
                        );
                    }
                    return kept.rows;
                }
                Ok(Err(error)) => {
                    self.health
                        .set(Component::Store, Status::Degraded(format!("evidence: {error}")));
                    tracing::error!(%error, "evidence cannot be written; the alert waits for it no longer than 2 s");
                    if wait > Duration::from_secs(1) {
                        return Vec::new();
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "writing evidence failed");
                    return Vec::new();
                }
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn checkpoint(&self, barrier: &Barrier, channels: Vec<ChannelState>) {
        self.until_done("checkpoint", || async { self.store.step("checkpoint.taken") }).await;
        if let Some(journal) = self.journal.clone() {
            // Joined before the commit: the journal must not be behind a checkpoint.
            let _ = tokio::task::spawn_blocking(move || journal.sync()).await;
        }
        let checkpoint = Checkpoint {
            channels,
            asleep: Vec::new(),
            removed: Vec::new(),
            feeds: barrier.feeds.iter().map(|(_, mark)| mark.clone()).collect(),
            donations: barrier.donations.clone(),
            config: barrier.config.clone(),
        };
        self.until_done("checkpoint", || async { self.store.step("checkpoint.synced") }).await;
        self.until_done("checkpoint", || self.store.save_checkpoint(&checkpoint)).await;
        self.until_done("checkpoint", || async { self.store.step("checkpoint.after") }).await;
        for (feed, mark) in &barrier.feeds {
            if let Some(cursor) = &mark.cursor {
                // The intake may be going down.
                let _ = self.saved.send((*feed, cursor.as_str().into())).await;
            }
        }
    }

    /// Tries until it is done: a store that cannot commit delays, and says so, and loses nothing.
    async fn until_done<F, T>(&self, what: &str, mut work: F)
    where
        F: FnMut() -> T,
        T: Future<Output = Result<(), crate::store::StoreError>>,
    {
        let mut wait = Duration::from_millis(50);
        let mut failed = false;
        while let Err(error) = work().await {
            failed = true;
            tracing::error!(%error, what, "the store cannot commit; trying again");
            self.health.set(Component::Store, Status::Down(error.to_string()));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        if failed {
            self.health.set(Component::Store, Status::Up);
        }
    }

    async fn count_open(&self) {
        if let Ok(counts) = self.store.open_counts().await {
            for level in [Level::Concern, Level::Danger, Level::ThreatToLife] {
                for state in crate::alert::State::ALL {
                    let count = counts.iter().find(|(l, s, _)| *l == level && *s == state);
                    let count = count.map_or(0, |(.., count)| *count);
                    self.metrics.set_alerts_open(level, state.name(), count as usize);
                }
            }
        }
    }
}

fn piece(item: &EvidenceItem) -> Piece {
    Piece::from(item)
}
