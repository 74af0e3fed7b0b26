//! The `evidence` room: what was said and shown, kept by digest. Chat and pictures of every live channel pass through
//! a ring in memory; from `watch` up all of it, below what counts as harm, also goes to packs on disk; what an act or an
//! alert cites goes to the vault.

mod identity;
mod recent;
mod ring;
mod vault;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::alert::{EvidenceItem, EvidenceKind};
use crate::event::{Body, ChannelId, Digest, Event, Level, Timestamp};
use crate::telemetry::{Clock, Faults};

pub use identity::{Identity, IdentityError, IdentityKey};
pub use recent::RecentStats;
use recent::{Entry, Recent};
pub use ring::Ring;
pub use vault::Vault;

/// What cannot be kept, and why.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error("evidence folder: {path}: {source}; check that it exists, is writable and has room")]
    Io { path: std::path::PathBuf, source: std::io::Error },
}

/// How much is kept, and how long (contracts, "Evidence and identity").
#[derive(Clone, Debug)]
pub struct EvidenceOptions {
    /// Bytes of the ring in memory, over all channels. A channel alone holds at most a quarter of them.
    pub ring_bytes: usize,
    /// Bytes on disk, over packs and vault.
    pub cap: u64,
    /// How long uncited material stays on disk: of channels from `watch` up all, of others what counts as harm.
    pub recent: Duration,
    /// How long acts stay.
    pub acts: Duration,
    /// How long what an alert cites stays after the alert ended.
    pub cited: Duration,
    /// For tests.
    pub faults: Faults,
}

impl Default for EvidenceOptions {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            ring_bytes: 256 << 20,
            cap: 2 << 30,
            recent: Duration::from_secs(DAY),
            acts: Duration::from_secs(90 * DAY),
            cited: Duration::from_secs(180 * DAY),
            faults: Faults::from_env(),
        }
    }
}

/// A piece of evidence that somebody cites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub digest: Digest,
    pub kind: EvidenceKind,
    pub at: Timestamp,
}

impl From<&EvidenceItem> for Piece {
    fn from(item: &EvidenceItem) -> Self {
        Self { digest: item.digest, kind: item.kind, at: item.at }
    }
}

/// Why something is kept, which decides for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An alert cites it: until `cited` after the alert ended.
    Cited { alert: Uuid },
    /// It belongs to the act that this request asked for: for `acts`.
    Act { request: Digest },
}

/// One row of the evidence index, written in the transaction of the alert that cites it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    pub digest: Digest,
    /// The alert that cites it, if one does.
    pub alert: Option<Uuid>,
    /// The request of the act that it belongs to, if it is kept for one.
    pub act: Option<Digest>,
    pub channel: ChannelId,
    pub kind: EvidenceKind,
    pub at: Timestamp,
    /// Size in bytes.
    pub bytes: u64,
    /// Level of the channel when it was kept.
    pub level: Level,
}

/// What [`Evidence::keep`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub rows: Vec<EvidenceRow>,
    /// No longer in the ring, the packs or the vault: shown as expired.
    pub missing: Vec<Digest>,
}

/// Bytes that may be held while the disk cannot write.
const HELD: usize = 64 << 20;

/// Pieces that wait for a disk that can write.
#[derive(Default)]
struct Held(Mutex<HashMap<Digest, Bytes>>);

/// Everything that is kept of what was said and shown. Shared by reference; every method may be called from any
/// thread. [`Evidence::keep`] waits for the disk: not on the async runtime.
pub struct Evidence {
    ring: Ring,
    held: Held,
    recent: Recent,
    vault: Vault,
    options: EvidenceOptions,
}

impl Evidence {
    /// Opens `<dir>/evidence`, making it if needed. What the packs hold is found again in the background.
    pub fn open(dir: &Path, options: EvidenceOptions) -> Result<Self, EvidenceError> {
        let dir = dir.join("evidence");
        let vault = Vault::open(&dir)?;
        let recent = Recent::open(&dir.join("recent"))?;
        let ring = Ring::new(options.ring_bytes);
        Ok(Self { ring, held: Held::default(), recent, vault, options })
    }

    pub fn options(&self) -> &EvidenceOptions {
        &self.options
    }

    /// Takes what came. Never waits: from `watch` up it is also queued for the packs, and counted in
    /// [`Evidence::recent`] if that queue is full (the ring has it still).
    pub fn offer(
        &self,
        channel: &ChannelId,
        level: Level,
        at: Timestamp,
        digest: Digest,
        kind: EvidenceKind,
        bytes: Bytes,
    ) {
        if level >= Level::Watch {
            self.recent.offer(Entry { digest, level, at, kind, bytes: bytes.clone() });
        }
        self.ring.push(channel, at, digest, kind, bytes);
    }

    /// [`Evidence::offer`] for an event; one that is no evidence (a stream's state) is left out.
    pub fn offer_event(&self, event: &Event, level: Level) {
        let Some(kind) = kind_of(event) else { return };
        let bytes = match &event.body {
            Body::Frame(frame) => frame.data.clone(),
            _ => event.evidence_bytes().into(),
        };
        let digest = match &event.body {
            Body::Frame(frame) => frame.digest,
            _ => Digest::of(&bytes),
        };
        self.offer(&event.channel, level, event.at, digest, kind, bytes);
    }

    /// What a reason may cite for a day goes to the packs, whatever the level of its channel: the ring forgets in two
    /// minutes. Never waits, as [`Evidence::offer`].
    pub fn remember(&self, level: Level, pieces: &[Piece]) {
        for Piece { digest, kind, at } in pieces {
            if let Some(bytes) = self.ring.get(digest) {
                self.recent.offer(Entry { digest: *digest, level, at: *at, kind: *kind, bytes });
            }
        }
    }

    /// Writes pieces to the vault, before the commit of what cites them. Idempotent. What is gone is told in
    /// [`Kept::missing`] and is no error; a disk that cannot write is.
    pub fn keep(
        &self,
        channel: &ChannelId,
        level: Level,
        pieces: &[Piece],
        why: Why,
    ) -> Result<Kept, EvidenceError> {
        let mut kept = Kept::default();
        let mut batch = self.vault.batch();
        for piece in pieces {
            // A file that is shorter than what is in memory was cut by the disk: it is written again.
            let whole = |size: &u64| {
                self.ring.get(&piece.digest).is_none_or(|bytes| bytes.len() as u64 == *size)
            };
            let bytes = match self.vault.size(&piece.digest).filter(whole) {
                Some(size) => Some(size),
                None => match self.fresh(&piece.digest).or_else(|| self.queued(&piece.digest)) {
                    Some(bytes) => {
                        batch.put(&piece.digest, &bytes)?;
                        Some(bytes.len() as u64)
                    }
                    None => None,
                },
            };
            let Some(bytes) = bytes else {
                kept.missing.push(piece.digest);
                continue;
            };
            let (alert, act) = match why {
                Why::Cited { alert } => (Some(alert), None),
                Why::Act { request } => (None, Some(request)),
            };
            kept.rows.push(EvidenceRow {
                digest: piece.digest,
                alert,
                act,
                channel: channel.clone(),
                kind: piece.kind,
                at: piece.at,
                bytes,
                level,
            });
        }
        let step = |step| vault::at_path(Path::new("evidence"), self.options.faults.at(step));
        step("evidence.written")?;
        batch.finish()?;
        step("evidence.kept")?;
        Ok(kept)
    }

    /// The bytes behind a digest, checked against it; `None` if they are gone.
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.fresh(digest).or_else(|| self.vault.get(digest))
    }

    /// What may still wait to be written to the packs.
    fn queued(&self, digest: &Digest) -> Option<Bytes> {
        self.recent.settle();
        self.recent.get(digest)
    }

    fn fresh(&self, digest: &Digest) -> Option<Bytes> {
        self.ring
            .get(digest)
            .or_else(|| self.held.0.lock().get(digest).cloned())
            .or_else(|| self.recent.get(digest))
    }

    /// Holds pieces in memory, up to 64 MiB in all, until they are [released](Evidence::release): the disk cannot
    /// write them now, and the ring forgets.
    pub fn hold(&self, pieces: &[Piece]) {
        let fresh = |piece: &Piece| Some((piece.digest, self.fresh(&piece.digest)?));
        let fresh: Vec<(Digest, Bytes)> = pieces.iter().filter_map(fresh).collect();
        let mut held = self.held.0.lock();
        let mut bytes: usize = held.values().map(Bytes::len).sum();
        for (digest, piece) in fresh {
            if bytes + piece.len() <= HELD && held.insert(digest, piece.clone()).is_none() {
                bytes += piece.len();
            }
        }
    }

    /// Pieces that were written, or are given up.
    pub fn release(&self, pieces: &[Piece]) {
        let mut held = self.held.0.lock();
        pieces.iter().for_each(|piece| drop(held.remove(&piece.digest)));
    }

    /// Whether what comes from `watch` up is written to the packs no longer: the disk is full.
    pub fn pause(&self, paused: bool) {
        self.recent.pause(paused);
    }

    /// Gives up the oldest pack of the lowest level, which no alert cites. False if there is none.
    pub fn free_least(&self) -> bool {
        self.recent.free_least()
    }

    /// A channel went offline for good: its ring is dropped.
    pub fn forget(&self, channel: &ChannelId) {
        self.ring.forget(channel);
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What the packs hold.
    pub fn recent(&self) -> RecentStats {
        self.recent.stats()
    }

    /// Deletes packs that are older than the retention, then, while packs and `vault_bytes` together exceed the cap,
    /// the oldest pack of the lowest level. Returns what is still over the cap.
    pub fn trim(&self, now: Timestamp, vault_bytes: u64) -> u64 {
        let keep = i64::try_from(self.options.recent.as_millis()).unwrap_or(i64::MAX);
        self.recent.expire(now.plus_ms(-keep));
        self.recent.shrink_to(self.options.cap.saturating_sub(vault_bytes));
        (self.recent.stats().bytes + vault_bytes).saturating_sub(self.options.cap)
    }

    /// Waits until everything offered before is in the packs; for tests and shutdown.
    pub fn settle(&self) {
        self.recent.settle();
    }
}

/// What kind of evidence an event is; `None` for a stream's state.
pub fn kind_of(event: &Event) -> Option<EvidenceKind> {
    Some(match &event.body {
        Body::Chat { .. } => EvidenceKind::Chat,
        Body::Donation { .. } => EvidenceKind::Donation,
        Body::Reward { .. } => EvidenceKind::Reward,
        Body::Frame(_) => EvidenceKind::Frame,
        Body::Notice(_) => EvidenceKind::Notice,
        Body::Moderation(_) => EvidenceKind::Moderation,
        Body::Stream(_) => return None,
    })
}

/// The name of a kind read back from an index; `None` if it is unknown.
pub fn kind_named(name: &str) -> Option<EvidenceKind> {
    KINDS.into_iter().find(|kind| kind.name() == name)
}

const KINDS: [EvidenceKind; 6] = [
    EvidenceKind::Frame,
    EvidenceKind::Chat,
    EvidenceKind::Donation,
    EvidenceKind::Reward,
    EvidenceKind::Notice,
    EvidenceKind::Moderation,
];

/// The time by which what is kept ages; see [`Clock::believed`].
pub(crate) fn believed() -> Timestamp {
    Clock::house().believed()
}

/// The daemon's clock: for what is about the daemon itself (delivery), never for what is judged.
pub(crate) fn wall_clock() -> Timestamp {
    Clock::house().shown()
}
