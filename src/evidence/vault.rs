//! Cited evidence on disk, one file a piece, named by its SHA-256: `<dir>/ab/<64 hex>`. Written once, never changed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::EvidenceError;
use crate::event::Digest;

/// See the module.
pub struct Vault {
    dir: PathBuf,
}

pub(super) fn at_path<T>(path: &Path, result: std::io::Result<T>) -> Result<T, EvidenceError> {
    result.map_err(|source| EvidenceError::Io { path: path.to_path_buf(), source })
}

impl Vault {
    /// Opens the folder, making it if needed; half-written files of a crash are deleted.
    pub fn open(dir: &Path) -> Result<Self, EvidenceError> {
        at_path(dir, fs::create_dir_all(dir.join("tmp")))?;
        let tmp = dir.join("tmp");
        for entry in at_path(&tmp, fs::read_dir(&tmp))? {
            let path = at_path(&tmp, entry)?.path();
            at_path(&path, fs::remove_file(&path))?;
        }
        Ok(Self { dir: dir.to_path_buf() })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join(&hex[..2]).join(hex)
    }

    /// Size in bytes of a piece that is here.
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().map(|meta| meta.len())
    }

    /// Reads a piece; `None` if it is not here or its bytes are not those that its name says.
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = fs::read(self.path(digest)).ok()?;
        (Digest::of(&bytes) == *digest).then(|| bytes.into())
    }

    /// Writes one piece durably.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), EvidenceError> {
        let mut batch = self.batch();
        batch.put(digest, bytes)?;
        batch.finish()
    }

    /// Begins a batch whose folders are synced once, at its end.
    pub fn batch(&self) -> Batch<'_> {
        Batch { vault: self, written: Vec::new() }
    }

    /// Deletes a piece; no error if it is gone.
    pub fn remove(&self, digest: &Digest) -> Result<(), EvidenceError> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(EvidenceError::Io { path, source: error })
            }
            _ => Ok(()),
        }
    }
}

/// Pieces on their way to the disk; there, and durable, once [`Batch::finish`] returns.
pub struct Batch<'a> {
    vault: &'a Vault,
    written: Vec<Written>,
}

struct Written {
    file: File,
    tmp: PathBuf,
    path: PathBuf,
}

/// Syncs wait for the disk, not for the processor: so many go at once.
const SYNCS: usize = 8;

impl Batch<'_> {
    /// Writes a piece beside its final name; nothing if it is there in its full length.
    pub fn put(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), EvidenceError> {
        let path = self.vault.path(digest);
        let whole = fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes.len() as u64);
        if whole || self.written.iter().any(|written| written.path == path) {
            return Ok(());
        }
        let tmp = self.vault.dir.join("tmp").join(uuid::Uuid::new_v4().to_string());
        let mut file = at_path(&tmp, File::create(&tmp))?;
        at_path(&tmp, file.write_all(bytes))?;
        self.written.push(Written { file, tmp, path });
        Ok(())
    }

    /// Syncs the bytes, gives them their names, and syncs the folders, so that the names outlast a power cut.
    pub fn finish(self) -> Result<(), EvidenceError> {
        in_parallel(&self.written, |written| at_path(&written.tmp, written.file.sync_data()))?;
        let mut folders = BTreeSet::new();
        for Written { tmp, path, .. } in &self.written {
            // A path made of a folder and a name has a parent.
            let folder = path.parent().unwrap_or(&self.vault.dir).to_path_buf();
            if !folder.exists() {
                at_path(&folder, fs::create_dir_all(&folder))?;
                folders.insert(self.vault.dir.clone());
            }
            at_path(path, fs::rename(tmp, path))?;
            folders.insert(folder);
        }
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        in_parallel(&folders, |folder| {
            at_path(folder, File::open(folder).and_then(|dir| dir.sync_all()))
        })
    }
}

fn in_parallel<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), EvidenceError> + Sync,
) -> Result<(), EvidenceError> {
    if items.len() < 2 {
        return items.iter().try_for_each(work);
    }
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items
            .chunks(items.len().div_ceil(SYNCS))
            .map(|chunk| scope.spawn(move || chunk.iter().try_for_each(work)))
            .collect();
        // A thread that panicked would have panicked here as well.
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
