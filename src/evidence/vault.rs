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
        Batch { vault: self, folders: BTreeSet::new() }
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

/// Pieces on their way to the disk; durable once [`Batch::finish`] returns.
pub struct Batch<'a> {
    vault: &'a Vault,
    folders: BTreeSet<PathBuf>,
}

impl Batch<'_> {
    /// Writes a piece under its final name, its bytes synced; nothing if it is there.
    pub fn put(&mut self, digest: &Digest, bytes: &[u8]) -> Result<(), EvidenceError> {
        let path = self.vault.path(digest);
        if path.exists() {
            return Ok(());
        }
        let tmp = self.vault.dir.join("tmp").join(uuid::Uuid::new_v4().to_string());
        let mut file = at_path(&tmp, File::create(&tmp))?;
        at_path(&tmp, file.write_all(bytes))?;
        at_path(&tmp, file.sync_data())?;
        // A path made of a folder and a name has a parent.
        let folder = path.parent().unwrap_or(&self.vault.dir).to_path_buf();
        if !folder.exists() {
            at_path(&folder, fs::create_dir_all(&folder))?;
            self.folders.insert(self.vault.dir.clone());
        }
        at_path(&path, fs::rename(&tmp, &path))?;
        self.folders.insert(folder);
        Ok(())
    }

    /// Syncs the folders, so that the names outlast a power cut.
    pub fn finish(self) -> Result<(), EvidenceError> {
        for folder in &self.folders {
            at_path(folder, File::open(folder).and_then(|dir| dir.sync_all()))?;
        }
        Ok(())
    }
}
