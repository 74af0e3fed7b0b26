//! The journal's writer: a thread behind a bounded queue. Segments overlap for a moment when one is begun: every
//! entry carries the number of the segment that its channel had reached, so a channel's entries never change order.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::{Entry, Full, Header, JournalError, VERSION};
use crate::event::{ChannelId, Consumed, Timestamp};
use crate::evidence::believed;
use crate::telemetry::Faults;

/// Written lines reach the system at the latest after this.
const FLUSH: Duration = Duration::from_millis(200);
/// How long no segment is begun after one could not be.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);
/// The same trouble is logged this often.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Segments that may be open at once: the newest, and the one before it for entries already on their way.
const OPEN: usize = 2;
/// Terms that a new segment tells: those that hold, and those before.
const TOLD: usize = 2;

/// Bounds of the journal.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Entries that may wait for the disk.
    pub queue: usize,
    /// A segment ends at this size …
    pub segment_bytes: u64,
    /// … or age.
    pub segment_age: Duration,
    /// `[store] journal_keep`: older segments are deleted.
    pub keep: Duration,
    /// `[store] journal_cap`: beyond it the oldest segments are deleted.
    pub cap: u64,
    /// What holds at first.
    pub terms: TermsTold,
    /// For tests.
    pub faults: Faults,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            queue: 8_192,
            segment_bytes: 64 << 20,
            segment_age: Duration::from_secs(3_600),
            keep: Duration::from_secs(86_400),
            cap: 8 << 30,
            terms: TermsTold::default(),
            faults: Faults::from_env(),
        }
    }
}

/// A config as the journal tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TermsTold {
    /// Digest of the config, for the headers.
    pub config: String,
    /// Digest of `terms`; empty: none are told.
    pub digest: String,
    /// What the config brings to the judgement; the form is its reader's own.
    pub terms: serde_json::Value,
}

/// How far a channel's entries have come, and under which terms; kept by the channel's shard, one a channel,
/// `default()` at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    segment: u64,
    terms: u64,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStats {
    pub entries: u64,
    pub bytes: u64,
    /// Number of the newest segment, from 1.
    pub segment: u64,
    /// Entries that could not be written: the disk is full or failing.
    pub lost: u64,
    /// Entries waiting in the queue.
    pub waiting: u64,
}

enum Message {
    Entry(u64, Entry),
    Terms(TermsTold),
    Sync(SyncSender<bool>),
}

#[derive(Default)]
struct Shared {
    /// Number of the segment that new entries go to.
    segment: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    waiting: AtomicU64,
    /// How often terms were told.
    terms: AtomicU64,
}

/// The writer's handle; cheap to clone. The last one dropped ends the thread once the queue is written. What it records
/// is told as judged under the terms that it was made with.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
    terms: Arc<str>,
    number: u64,
}

struct Handle {
    shared: Arc<Shared>,
    sender: Option<SyncSender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Begins a new segment in `<dir>/journal`, making the folder if needed.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        let dir = dir.join("journal");
        fs::create_dir_all(&dir)
            .map_err(|source| JournalError::Io { path: dir.clone(), source })?;
        let shared = Arc::new(Shared::default());
        let terms: Arc<str> = options.terms.digest.as_str().into();
        let (sender, receiver) = sync_channel(options.queue.max(1));
        let told = VecDeque::from([options.terms.clone()]);
        let mut writer = Writer {
            dir,
            options,
            shared: shared.clone(),
            open: BTreeMap::new(),
            floor: 0,
            begin_at: Instant::now(),
            said_at: None,
            told,
        };
        writer.begin_segment()?;
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|source| JournalError::Io { path: PathBuf::from("thread"), source })?;
        let thread = Mutex::new(Some(thread));
        let handle = Arc::new(Handle { shared, sender: Some(sender), thread });
        Ok(Self { handle, terms, number: 0 })
    }

    /// Records what a channel consumed, waiting while the queue is full: for shard threads. `state` is asked only
    /// where a segment has no state of the channel yet, and must be that *before* this entry is consumed.
    pub fn consumed(
        &self,
        mark: &mut Mark,
        state: impl FnOnce() -> serde_json::Value,
        entry: Consumed,
    ) {
        if let Some(message) = self.before(mark, &entry.channel, state) {
            self.send(message);
        }
        self.send(Message::Entry(mark.segment, Entry::Consumed(entry)));
    }

    /// [`Journal::consumed`] that never waits. If the queue is full nothing of the entry is recorded.
    pub fn try_consumed(
        &self,
        mark: &mut Mark,
        state: impl FnOnce() -> serde_json::Value,
        entry: Consumed,
    ) -> Result<(), Full> {
        let before = *mark;
        if let Some(message) = self.before(mark, &entry.channel, state)
            && let Err(full) = self.try_send(message)
        {
            *mark = before;
            return Err(full);
        }
        self.try_send(Message::Entry(mark.segment, Entry::Consumed(entry)))
    }

    /// Records what the escalation model said of a channel that has consumed something, waiting while the queue is
    /// full.
    pub fn escalation(&self, mark: Mark, channel: &ChannelId, at: Timestamp, out: [f32; 4]) {
        let entry = Entry::Escalation { channel: channel.clone(), at, out };
        self.send(Message::Entry(mark.segment, entry));
    }

    /// A handle for what is judged under other terms. Handles made before go on telling theirs, until the one after
    /// this is made: so each channel may change between any two of its entries. Waits while the queue is full.
    pub fn under(&self, told: TermsTold) -> Self {
        let terms = told.digest.as_str().into();
        let number = self.handle.shared.terms.fetch_add(1, Ordering::AcqRel) + 1;
        self.send(Message::Terms(told));
        Self { handle: self.handle.clone(), terms, number }
    }

    /// Waits until all that was recorded before is on disk (synced), for a checkpoint. False if it could not be
    /// written. Not on the async runtime.
    pub fn sync(&self) -> bool {
        let (done, wait) = sync_channel(1);
        self.send(Message::Sync(done));
        wait.recv().unwrap_or(false)
    }

    pub fn stats(&self) -> JournalStats {
        let shared = &self.handle.shared;
        JournalStats {
            entries: shared.entries.load(Ordering::Relaxed),
            bytes: shared.bytes.load(Ordering::Relaxed),
            segment: shared.segment.load(Ordering::Relaxed),
            lost: shared.lost.load(Ordering::Relaxed),
            waiting: shared.waiting.load(Ordering::Relaxed),
        }
    }

    /// What must stand before a channel's next entry: its state in a new segment, or a word of other terms.
    fn before(
        &self,
        mark: &mut Mark,
        channel: &ChannelId,
        state: impl FnOnce() -> serde_json::Value,
    ) -> Option<Message> {
        let segment = self.handle.shared.segment.load(Ordering::Acquire);
        let (channel, terms) = (|| channel.clone(), || self.terms.to_string());
        let entry = if mark.segment != segment {
            Entry::State { channel: channel(), state: state(), terms: terms() }
        } else if mark.terms != self.number {
            Entry::Under { channel: channel(), terms: terms() }
        } else {
            return None;
        };
        *mark = Mark { segment, terms: self.number };
        Some(Message::Entry(segment, entry))
    }

    fn send(&self, message: Message) {
        let Some(sender) = &self.handle.sender else { return };
        self.handle.shared.waiting.fetch_add(1, Ordering::Relaxed);
        if sender.send(message).is_err() {
            self.handle.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            self.handle.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn try_send(&self, message: Message) -> Result<(), Full> {
        let Some(sender) = &self.handle.sender else { return Err(Full) };
        self.handle.shared.waiting.fetch_add(1, Ordering::Relaxed);
        sender.try_send(message).map_err(|error| {
            self.handle.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            if let TrySendError::Disconnected(_) = error {
                self.handle.shared.lost.fetch_add(1, Ordering::Relaxed);
            }
            Full
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.lock().take() {
            // A panic there has been told by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Writer {
    dir: PathBuf,
    options: JournalOptions,
    shared: Arc<Shared>,
    open: BTreeMap<u64, Segment>,
    /// Entries of segments before this one are lost: it could not be written.
    floor: u64,
    /// When a segment is begun at the earliest, after one could not be.
    begin_at: Instant,
    said_at: Option<Instant>,
    /// The terms that hold and those before, which some shard may still judge by: each segment tells both.
    told: VecDeque<TermsTold>,
}

struct Segment {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    begun: Instant,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        let mut flush_at: Option<Instant> = None;
        loop {
            let wait = flush_at.map_or(self.options.segment_age, |at| {
                at.saturating_duration_since(Instant::now())
            });
            match receiver.recv_timeout(wait) {
                Ok(Message::Entry(segment, entry)) => {
                    self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                    if let Err(error) = self.append(segment, &entry) {
                        self.give_up(&error);
                    }
                    flush_at.get_or_insert_with(|| Instant::now() + FLUSH);
                }
                Ok(Message::Terms(told)) => {
                    self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                    if let Err(error) = self.terms(told) {
                        self.give_up(&error);
                    }
                }
                Ok(Message::Sync(done)) => {
                    self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                    let synced = self.sync();
                    if let Err(error) = &synced {
                        self.give_up(error);
                    }
                    flush_at = None;
                    // The one who asked may have gone.
                    let _ = done.send(synced.is_ok());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if flush_at.is_some_and(|at| at <= Instant::now()) {
                flush_at = None;
                if let Err(error) = self.flush() {
                    self.give_up(&error);
                }
            }
            let full = self.open.last_key_value().is_none_or(|(_, newest)| {
                newest.bytes >= self.options.segment_bytes
                    || newest.begun.elapsed() >= self.options.segment_age
            });
            if full
                && self.begin_at <= Instant::now()
                && let Err(error) = self.begin_segment()
            {
                self.begin_at = Instant::now() + BEGIN_AGAIN;
                tracing::warn!(%error, "no new journal segment can be begun");
            }
        }
        if let Err(error) = self.sync() {
            self.give_up(&error);
        }
    }

    /// The open segments cannot be written: they end here, torn perhaps, and the next one begins with states. On a full
    /// disk the oldest segment makes room for it.
    fn give_up(&mut self, error: &std::io::Error) {
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
        if self.said_at.is_none_or(|then| then.elapsed() >= SAY_EVERY) {
            self.said_at = Some(Instant::now());
            tracing::error!(%error, "the journal cannot be written: free space in the state folder");
        }
        self.open.clear();
        self.floor = self.shared.segment.load(Ordering::Relaxed) + 1;
        if error.kind() == std::io::ErrorKind::StorageFull {
            let oldest = segments(&self.dir).ok().and_then(|all| all.into_iter().next());
            // If it cannot be deleted either, there is nothing more to do here.
            let _ = oldest.map(fs::remove_file);
        }
    }

    fn append(&mut self, segment: u64, entry: &Entry) -> std::io::Result<()> {
        if segment < self.floor {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        // An entry so late that its segment is closed goes to the oldest open one: still in order of its channel.
        let target = self
            .open
            .contains_key(&segment)
            .then_some(segment)
            .or_else(|| self.open.keys().next().copied());
        let Some(open) = target.and_then(|target| self.open.get_mut(&target)) else {
            return Err(std::io::Error::other("no segment is open"));
        };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let half = || {
            let _ = open.file.write_all(&line[..line.len() / 2]).and_then(|()| open.file.flush());
        };
        self.options.faults.at_half("journal.line", half)?;
        open.file.write_all(&line)?;
        open.bytes += line.len() as u64;
        self.shared.entries.fetch_add(1, Ordering::Relaxed);
        self.shared.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn terms(&mut self, told: TermsTold) -> std::io::Result<()> {
        let entry = Entry::Terms { digest: told.digest.clone(), terms: told.terms.clone() };
        while self.told.len() >= TOLD {
            self.told.pop_front();
        }
        self.told.push_back(told);
        let open: Vec<u64> = self.open.keys().copied().collect();
        open.into_iter().try_for_each(|segment| self.append(segment, &entry))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.open.values_mut().try_for_each(|segment| segment.file.flush())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.flush()?;
        self.open.values().try_for_each(|segment| segment.file.get_ref().sync_data())
    }

    fn begin_segment(&mut self) -> Result<(), JournalError> {
        let number = self.shared.segment.load(Ordering::Relaxed) + 1;
        // Names sort by time; a clock set back must not put a segment before an older one.
        let newest = segments(&self.dir)?.last().and_then(|path| begun_ms(path)).unwrap_or(0);
        let ms = believed().0.max(newest + 1);
        let path = self.dir.join(format!("{ms:013}-{number:06}.jsonl"));
        let io = |source| JournalError::Io { path: path.clone(), source };
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(io)?;
        self.options.faults.at("journal.segment").map_err(io)?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        let header = Header {
            vigie_journal: VERSION,
            config: self.told.back().map(|told| told.config.clone()).unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let mut line = serde_json::to_vec(&header).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        for TermsTold { digest, terms, .. } in
            self.told.iter().filter(|told| !told.digest.is_empty())
        {
            let entry = Entry::Terms { digest: digest.clone(), terms: terms.clone() };
            serde_json::to_writer(&mut line, &entry).map_err(|error| io(error.into()))?;
            line.push(b'\n');
        }
        file.write_all(&line).and_then(|()| file.flush()).map_err(io)?;
        let bytes = line.len() as u64;
        self.open.insert(number, Segment { path, file, bytes, begun: Instant::now() });
        // From here on shards see the new number and give their channels' states first.
        self.shared.segment.store(number, Ordering::Release);
        while self.open.len() > OPEN
            && let Some((_, mut oldest)) = self.open.pop_first()
        {
            let path = oldest.path;
            let written = oldest.file.flush().and_then(|()| oldest.file.get_ref().sync_data());
            written.map_err(|source| JournalError::Io { path, source })?;
        }
        self.delete_old()
    }

    fn delete_old(&self) -> Result<(), JournalError> {
        let closed: Vec<PathBuf> = segments(&self.dir)?
            .into_iter()
            .filter(|path| self.open.values().all(|open| open.path != *path))
            .collect();
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
        let open: u64 = self.open.values().map(|segment| size(&segment.path)).sum();
        let mut total = open + closed.iter().map(size).sum::<u64>();
        for path in closed {
            // A machine that had no clock when it was written: its name knows better.
            let begun = begun_ms(&path).unwrap_or(0);
            let written = fs::metadata(&path).and_then(|meta| meta.modified()).ok();
            let written = written.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            let written = written.map_or(0, |at| at.as_millis() as i64).max(begun);
            let age = Duration::from_millis(believed().0.saturating_sub(written).max(0) as u64);
            if age <= self.options.keep && total <= self.options.cap {
                break;
            }
            total -= size(&path).min(total);
            fs::remove_file(&path).map_err(|source| JournalError::Io { path, source })?;
        }
        Ok(())
    }
}

/// The segments of a folder, oldest first.
pub(super) fn segments(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let io = |source| JournalError::Io { path: dir.to_path_buf(), source };
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

fn begun_ms(path: &Path) -> Option<i64> {
    path.file_stem()?.to_str()?.split('-').next()?.parse().ok()
}
