//! What is sent past a store that cannot commit, noted first in a file of the state folder: `unsaved.jsonl`, one
//! [`Noted`] a line. So a death before the commit loses none: the next life takes the notes over. Once all of them are
//! committed the file is empty.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;
use crate::alert::Change;
use crate::event::Timestamp;
use crate::evidence::EvidenceRow;

/// A change that was sent before it was committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    pub change: Change,
    /// Daemon's clock when the event behind it came in.
    pub received: Timestamp,
    /// What it cites and the vault holds.
    pub rows: Vec<EvidenceRow>,
}

type Key = (Uuid, u32);

fn key(change: &Change) -> Key {
    (change.alert.id, change.alert.revision)
}

/// See the module. What waits to be committed bounds what is noted.
#[derive(Debug)]
pub struct Unsaved {
    notes: Mutex<Notes>,
    /// Something is noted.
    any: AtomicBool,
}

#[derive(Debug)]
struct Notes {
    file: File,
    /// Noted, and neither committed nor given up yet.
    open: BTreeSet<Key>,
}

impl Unsaved {
    /// Opens the file, and gives what the last life noted: revisions of an alert in order. A line that a death cut off
    /// is passed over: it was not sent.
    pub fn open(dir: &Path) -> Result<(Self, Vec<Noted>), StoreError> {
        let path: PathBuf = dir.join("unsaved.jsonl");
        let io = |source| StoreError::Io { path: path.clone(), source };
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(io)?,
        };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
        let mut noted: Vec<Noted> = Vec::new();
        for (n, line) in
            text.split(|byte| *byte == b'\n').enumerate().filter(|(_, l)| !l.is_empty())
        {
            match serde_json::from_slice(line) {
                Ok(one) => noted.push(one),
                Err(error) => tracing::warn!(path = %path.display(), line = n + 1, %error,
                    "a note of an alert that was sent past the store cannot be read; it is passed over"),
            }
        }
        noted.sort_by_key(|one| key(&one.change));
        noted.dedup_by_key(|one| key(&one.change));
        let open = noted.iter().map(|one| key(&one.change)).collect();
        let any = AtomicBool::new(!noted.is_empty());
        Ok((Self { notes: Mutex::new(Notes { file, open }), any }, noted))
    }

    /// Notes a change, on disk when this returns. `is_saved` is asked last: what is committed meanwhile is not noted.
    /// Waits for the disk.
    pub fn note(&self, noted: &Noted, is_saved: impl FnOnce() -> bool) -> io::Result<()> {
        let mut line = serde_json::to_vec(noted)?;
        line.push(b'\n');
        let mut notes = self.notes.lock();
        // Whoever commits it says so, then asks whether anything is noted: one of the two sees the other.
        self.any.store(true, Ordering::SeqCst);
        if is_saved() {
            self.any.store(!notes.open.is_empty(), Ordering::SeqCst);
            return Ok(());
        }
        notes.open.insert(key(&noted.change));
        // Behind what a full disk may have left of an earlier one.
        notes.file.write_all(b"\n")?;
        notes.file.write_all(&line)?;
        notes.file.sync_data()
    }

    /// Whether [`Unsaved::done`] need be told of what is committed.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    /// A change is committed: with the last one the file is emptied. Waits for the disk.
    pub fn done(&self, change: &Change) {
        self.retain(|open| *open != key(change));
    }

    /// Of what the last life noted, nothing else need be committed.
    pub fn only(&self, noted: &[Noted]) {
        self.retain(|open| noted.iter().any(|one| key(&one.change) == *open));
    }

    fn retain(&self, keep: impl FnMut(&Key) -> bool) {
        let mut notes = self.notes.lock();
        let before = notes.open.len();
        notes.open.retain(keep);
        self.any.store(!notes.open.is_empty(), Ordering::SeqCst);
        if before > 0
            && notes.open.is_empty()
            && let Err(error) = notes.file.set_len(0)
        {
            // Committed again by the next life, it changes nothing.
            tracing::warn!(%error, "the notes of what was sent past the store cannot be emptied");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Book, Holds, Moment};
    use crate::event::{ChannelId, Level};

    fn noted(revision: u32) -> Noted {
        let channel = ChannelId::new("sim:a");
        let moment = Moment {
            channel: &channel,
            at: Timestamp(1_755_468_000_000),
            level: Level::Danger,
            score: 0.5,
            second_end: true,
            offline_since: None,
            last_event: "e",
        };
        let opened = Book::default().observe(&moment, &Holds::default(), &mut |_, _| {});
        let mut change = opened.expect("opened");
        change.alert.revision = revision;
        Noted { change, received: Timestamp(7), rows: Vec::new() }
    }

    #[test]
    fn what_was_noted_comes_back_in_order_until_all_of_it_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let (unsaved, none) = Unsaved::open(dir.path()).unwrap();
        assert_eq!((none, unsaved.any()), (Vec::new(), false));
        let (first, second, third) = (noted(1), noted(2), noted(3));
        unsaved.note(&second, || false).unwrap();
        unsaved.note(&first, || false).unwrap();
        unsaved.note(&first, || false).unwrap();
        unsaved.note(&third, || true).unwrap();
        drop(unsaved);
        let (unsaved, left) = Unsaved::open(dir.path()).unwrap();
        assert_eq!((&left[..], unsaved.any()), (&[first.clone(), second.clone()][..], true));
        unsaved.done(&first.change);
        unsaved.done(&third.change);
        assert_eq!(Unsaved::open(dir.path()).unwrap().1.len(), 2);
        unsaved.done(&second.change);
        assert!(!unsaved.any());
        assert_eq!(Unsaved::open(dir.path()).unwrap().1, []);
    }

    #[test]
    fn a_line_that_a_death_cut_off_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (unsaved, _) = Unsaved::open(dir.path()).unwrap();
        unsaved.note(&noted(1), || false).unwrap();
        let path = dir.path().join("unsaved.jsonl");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let (unsaved, left) = Unsaved::open(dir.path()).unwrap();
        assert_eq!(left, []);
        unsaved.note(&noted(2), || false).unwrap();
        assert_eq!(Unsaved::open(dir.path()).unwrap().1, [noted(2)]);
    }
}
