//! A file that only takes up room: when the disk is full it is given up, so that what must be committed still can be.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Size of the ballast in a state folder (contracts, "Alert"): 64 MiB.
pub const BALLAST: u64 = 64 << 20;

/// See the module.
#[derive(Debug)]
pub struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    /// `<dir>/ballast` of so many bytes; makes nothing yet.
    pub fn new(dir: &Path, bytes: u64) -> Self {
        Self { path: dir.join("ballast"), bytes }
    }

    /// Whether it is there, in its full size.
    pub fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| meta.len() == self.bytes)
    }

    /// Makes it if it is not there and twice its size is free: so it never takes the room that the next commit needs.
    pub fn make(&self) -> io::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let tmp = self.path.with_extension("tmp");
        let made = self.fill(&tmp).and_then(|()| fs::rename(&tmp, &self.path));
        if made.is_err() {
            // What was written of it must not stay.
            let _ = fs::remove_file(&tmp);
        }
        made
    }

    fn fill(&self, tmp: &Path) -> io::Result<()> {
        let mut file = File::create(tmp)?;
        // Not zeros, which some file systems keep as a hole.
        let block: Vec<u8> = (0..=255u8).cycle().take(1 << 20).collect();
        let mut left = 2 * self.bytes;
        while left > 0 {
            let part = left.min(block.len() as u64);
            file.write_all(&block[..part as usize])?;
            left -= part;
        }
        file.set_len(self.bytes)?;
        file.sync_all()
    }

    /// Gives it up. False if there was none.
    pub fn free(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_given_up_once_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(dir.path(), 3_000_000);
        assert!(!ballast.is_there() && !ballast.free());
        for _ in 0..2 {
            ballast.make().unwrap();
            ballast.make().unwrap();
            assert!(ballast.is_there());
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
            assert!(ballast.free() && !ballast.free());
        }
        fs::write(dir.path().join("ballast"), b"cut short").unwrap();
        assert!(!ballast.is_there());
        ballast.make().unwrap();
        assert!(ballast.is_there());
    }

    #[test]
    fn what_cannot_be_made_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(&dir.path().join("no/such"), 1);
        assert!(ballast.make().is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
