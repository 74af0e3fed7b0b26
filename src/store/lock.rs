//! One process a state folder: a lock on `<dir>/vigie.lock`, which names its holder. The system drops it with the
//! process, so one that died leaves nothing to clean up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::{Result, StoreError};
use crate::evidence::wall_clock;

/// Held as long as the value lives.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Takes the lock or names who holds it.
    pub fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("vigie.lock");
        let io = |source| StoreError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // A holder that cannot be read is still a holder.
                let _ = file.read_to_string(&mut holder);
                let holder = match holder.trim().split_once(' ') {
                    Some((pid, since)) => format!("process {pid} since {since}"),
                    None if holder.trim().is_empty() => "another process".to_owned(),
                    None => format!("process {}", holder.trim()),
                };
                return Err(StoreError::Locked { dir: dir.to_path_buf(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        // Only told to whoever comes second: a full disk must not keep anyone from starting.
        let _ = writeln!(file, "{} {}", std::process::id(), wall_clock());
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    /// Said, not left to the closing of the file: a child process that is just being started holds a copy of it until
    /// it becomes another program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}
