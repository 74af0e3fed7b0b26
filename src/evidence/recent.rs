//! What came on channels from `watch` up, for a day: append-only packs on disk, one open pack a level, so that the
//! lowest level's oldest material can go at once. In: entries on a bounded queue. Out: bytes by digest.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::vault::at_path;
use super::{EvidenceError, believed};
use crate::alert::EvidenceKind;
use crate::event::{Digest, Level, Timestamp};

/// A pack is closed at this size …
const PACK_BYTES: u64 = 32 << 20;
/// … or at this age, in milliseconds.
const PACK_MS: i64 = 3_600_000;
/// Entries that may wait for the disk.
const QUEUE: usize = 8_192;
/// Entries in the index; older packs go beyond it, so that memory stays bounded (about 100 bytes each).
const ENTRIES: usize = 1_500_000;
/// Digest, length, time.
const HEADER: usize = 32 + 4 + 8;

/// What goes into a pack.
pub(super) struct Entry {
    pub digest: Digest,
    pub level: Level,
    pub at: Timestamp,
    pub kind: EvidenceKind,
    pub bytes: Bytes,
}

/// What the packs hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentStats {
    /// On disk.
    pub bytes: u64,
    pub entries: usize,
    /// Entries that found the queue full or the disk failing.
    pub dropped: u64,
}

enum Message {
    Entry(Entry),
    Settle(SyncSender<()>),
}

struct Pack {
    path: PathBuf,
    level: Level,
    /// Daemon's clock at its start, in milliseconds.
    start: i64,
    bytes: u64,
    file: File,
    digests: Vec<Digest>,
}

#[derive(Default)]
struct Index {
    packs: HashMap<u64, Pack>,
    open: HashMap<Level, u64>,
    places: HashMap<Digest, (u64, u64, u32)>,
    next: u64,
    dropped: u64,
}

pub(super) struct Recent {
    index: Arc<Mutex<Index>>,
    paused: AtomicBool,
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Recent {
    pub(super) fn open(dir: &Path) -> Result<Self, EvidenceError> {
        at_path(dir, fs::create_dir_all(dir))?;
        let index = Arc::new(Mutex::new(Index::default()));
        let (sender, receiver) = sync_channel(QUEUE);
        let (dir, shared) = (dir.to_path_buf(), index.clone());
        let thread = std::thread::Builder::new()
            .name("evidence".into())
            .spawn(move || write_packs(&dir, &shared, &receiver));
        let thread = at_path(Path::new("thread"), thread)?;
        let paused = AtomicBool::new(false);
        Ok(Self { index, paused, sender: Some(sender), thread: Some(thread) })
    }

    pub(super) fn offer(&self, entry: Entry) {
        let Some(sender) = &self.sender else { return };
        if self.paused.load(Ordering::Relaxed) {
            self.index.lock().dropped += 1;
            return;
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            sender.try_send(Message::Entry(entry))
        {
            self.index.lock().dropped += 1;
        }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let index = self.index.lock();
        let (pack, offset, length) = *index.places.get(digest)?;
        let mut bytes = vec![0; length as usize];
        index.packs.get(&pack)?.file.read_exact_at(&mut bytes, offset).ok()?;
        drop(index);
        (Digest::of(&bytes) == *digest).then(|| bytes.into())
    }

    pub(super) fn stats(&self) -> RecentStats {
        let index = self.index.lock();
        RecentStats {
            bytes: index.packs.values().map(|pack| pack.bytes).sum(),
            entries: index.places.len(),
            dropped: index.dropped,
        }
    }

    /// Drops packs that were begun an hour and more before `before`.
    pub(super) fn expire(&self, before: Timestamp) {
        let mut index = self.index.lock();
        let old: Vec<u64> = index
            .packs
            .iter()
            .filter(|(_, pack)| pack.start + PACK_MS < before.0)
            .map(|(id, _)| *id)
            .collect();
        old.into_iter().for_each(|id| index.remove(id));
    }

    /// Drops packs, lowest level and then oldest first, until at most `bytes` are left.
    pub(super) fn shrink_to(&self, bytes: u64) {
        let mut index = self.index.lock();
        while index.packs.values().map(|pack| pack.bytes).sum::<u64>() > bytes {
            if !index.remove_least() {
                break;
            }
        }
    }

    /// Takes nothing more until told again: the disk has room for other things.
    pub(super) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Drops the oldest pack of the lowest level. False if there is none.
    pub(super) fn free_least(&self) -> bool {
        self.index.lock().remove_least()
    }

    pub(super) fn settle(&self) {
        let (done, wait) = sync_channel(1);
        if let Some(sender) = &self.sender
            && sender.send(Message::Settle(done)).is_ok()
        {
            // An error means that the thread ended: nothing is under way.
            let _ = wait.recv();
        }
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been told by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Index {
    fn remove(&mut self, id: u64) {
        let Some(pack) = self.packs.remove(&id) else { return };
        if let Err(error) = fs::remove_file(&pack.path) {
            tracing::warn!(%error, "an evidence pack cannot be deleted");
        }
        self.open.retain(|_, open| *open != id);
        for digest in pack.digests {
            if self.places.get(&digest).is_some_and(|place| place.0 == id) {
                self.places.remove(&digest);
            }
        }
    }

    fn remove_least(&mut self) -> bool {
        let least = self.packs.iter().min_by_key(|(id, pack)| (pack.level, pack.start, **id));
        let Some(id) = least.map(|(id, _)| *id) else { return false };
        self.remove(id);
        true
    }

    fn open_pack(&mut self, dir: &Path, level: Level, now: i64) -> std::io::Result<u64> {
        if let Some(id) = self.open.get(&level)
            && let Some(pack) = self.packs.get(id)
            && pack.bytes < PACK_BYTES
            && now - pack.start < PACK_MS
        {
            return Ok(*id);
        }
        let id = self.next;
        self.next += 1;
        let path = dir.join(format!("{now}-{id}-{}.pack", level.name()));
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let bytes = file.metadata()?.len();
        self.packs.insert(id, Pack { path, level, start: now, bytes, file, digests: Vec::new() });
        self.open.insert(level, id);
        Ok(id)
    }

    fn append(&mut self, dir: &Path, entry: &Entry) -> std::io::Result<()> {
        if self.places.contains_key(&entry.digest) {
            return Ok(());
        }
        let id = self.open_pack(dir, entry.level, believed().0)?;
        let Some(pack) = self.packs.get_mut(&id) else { return Ok(()) };
        let length = entry.bytes.len() as u32;
        let mut record = Vec::with_capacity(HEADER + entry.bytes.len());
        record.extend_from_slice(&entry.digest.0);
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&entry.at.0.to_be_bytes());
        record.extend_from_slice(&entry.bytes);
        if let Err(error) = pack.file.write_all(&record) {
            // A torn record would shift all that follow it.
            pack.file.set_len(pack.bytes)?;
            return Err(error);
        }
        self.places.insert(entry.digest, (id, pack.bytes + HEADER as u64, length));
        pack.bytes += record.len() as u64;
        pack.digests.push(entry.digest);
        while self.places.len() > ENTRIES && self.remove_least() {}
        Ok(())
    }
}

fn write_packs(dir: &Path, index: &Mutex<Index>, receiver: &Receiver<Message>) {
    if let Err(error) = find_packs(dir, index) {
        tracing::warn!(%error, "older evidence packs cannot be read");
    }
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Entry(entry) => {
                let mut index = index.lock();
                if let Err(error) = index.append(dir, &entry) {
                    index.dropped += 1;
                    tracing::warn!(%error, kind = entry.kind.name(), "evidence cannot be written");
                }
            }
            // The one who asked may have gone.
            Message::Settle(done) => drop(done.send(())),
        }
    }
}

/// Reads the headers of the packs that an earlier run left. A torn end is cut off.
fn find_packs(dir: &Path, index: &Mutex<Index>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let mut parts = name.splitn(3, '-');
        let start = parts.next().and_then(|start| start.parse().ok());
        let id: Option<u64> = parts.next().and_then(|id| id.parse().ok());
        let level = parts.next().and_then(Level::from_name);
        let (Some(start), Some(_), Some(level)) = (start, id, level) else { continue };
        let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
        let size = file.metadata()?.len();
        let mut places = Vec::new();
        let mut offset = 0;
        let mut header = [0; HEADER];
        while offset + HEADER as u64 <= size {
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut header)?;
            let mut digest = [0; 32];
            digest.copy_from_slice(&header[..32]);
            let length = u32::from_be_bytes([header[32], header[33], header[34], header[35]]);
            let end = offset + HEADER as u64 + u64::from(length);
            if end > size {
                break;
            }
            places.push((Digest(digest), offset + HEADER as u64, length));
            offset = end;
        }
        file.set_len(offset)?;
        let index = &mut *index.lock();
        let id = index.next;
        index.next += 1;
        let digests = places.iter().map(|place| place.0).collect();
        for (digest, offset, length) in places {
            index.places.insert(digest, (id, offset, length));
        }
        index.packs.insert(id, Pack { path, level, start, bytes: offset, file, digests });
    }
    Ok(())
}
