//! Reads segments back, in order. A line that a crash cut off at a segment's end is dropped and named; anything else
//! that does not read is an error with its place.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::write::segments;
use super::{Entry, Header, JournalError, VERSION};

/// Something a reader of the journal should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The last line of this segment was cut off by a crash.
    Torn { path: PathBuf, line: u64 },
}

/// Entries of one or several segments. Iterate it; then ask for its notes.
pub struct Reader {
    rest: VecDeque<PathBuf>,
    current: Option<Open>,
    header: Option<Header>,
    notes: Vec<Note>,
    failed: bool,
}

struct Open {
    path: PathBuf,
    lines: BufReader<File>,
    line: u64,
}

/// Bytes of a file that are read to tell what it is.
const OPENING: usize = 4096;

/// The file's first line, or what of it lies within [`OPENING`]; none of a file that cannot be read.
fn opening(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut line = Vec::new();
    BufReader::new(std::io::Read::take(file, OPENING as u64)).read_until(b'\n', &mut line).ok()?;
    Some(line)
}

impl Reader {
    /// Opens segments: each path is a segment or a folder of them (also the state folder itself).
    pub fn open(paths: &[PathBuf]) -> Result<Self, JournalError> {
        let mut rest = VecDeque::new();
        for path in paths {
            if !path.is_dir() {
                rest.push_back(path.clone());
                continue;
            }
            let inner = path.join("journal");
            let found = segments(if inner.is_dir() { &inner } else { path })?;
            if found.is_empty() {
                return Err(JournalError::Empty { path: path.clone() });
            }
            rest.extend(found);
        }
        let mut reader =
            Self { rest, current: None, header: None, notes: Vec::new(), failed: false };
        reader.next_segment()?;
        Ok(reader)
    }

    /// True if the file's first line is a journal's header: how `replay` tells it from a recording.
    pub fn is_journal(path: &Path) -> bool {
        path.is_dir()
            || opening(path).is_some_and(|line| serde_json::from_slice::<Header>(&line).is_ok())
    }

    /// True of a file that ends before its first line does: beside journals, a segment whose header a crash kept from being written.
    pub fn is_cut(path: &Path) -> bool {
        opening(path).is_some_and(|line| line.len() < OPENING && line.last() != Some(&b'\n'))
    }

    /// The header of the segment that the last entry came from.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// What was found on the way.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn next_segment(&mut self) -> Result<bool, JournalError> {
        self.current = None;
        let Some(path) = self.rest.pop_front() else { return Ok(false) };
        let io = |source| JournalError::Io { path: path.clone(), source };
        let mut lines = BufReader::with_capacity(256 << 10, File::open(&path).map_err(io)?);
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(io)?;
        if line.last() != Some(&b'\n') {
            // A crash between making the file and writing its header left nothing behind it.
            self.notes.push(Note::Torn { path, line: 1 });
            return self.next_segment();
        }
        let header: Header = match serde_json::from_slice(&line) {
            Ok(header) => header,
            Err(_) => return Err(JournalError::NotAJournal { path }),
        };
        if header.vigie_journal == 0 || header.vigie_journal > VERSION {
            return Err(JournalError::Version {
                path,
                found: header.vigie_journal,
                version: header.version,
            });
        }
        self.header = Some(header);
        self.current = Some(Open { path, lines, line: 1 });
        Ok(true)
    }

    fn read(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            let Some(open) = &mut self.current else { return Ok(None) };
            let mut line = Vec::new();
            let read = open.lines.read_until(b'\n', &mut line);
            read.map_err(|source| JournalError::Io { path: open.path.clone(), source })?;
            if line.is_empty() {
                self.next_segment()?;
                continue;
            }
            open.line += 1;
            if line.last() != Some(&b'\n') {
                self.notes.push(Note::Torn { path: open.path.clone(), line: open.line });
                self.next_segment()?;
                continue;
            }
            return match serde_json::from_slice(&line) {
                Ok(entry) => Ok(Some(entry)),
                Err(error) => Err(JournalError::Line {
                    path: open.path.clone(),
                    line: open.line,
                    what: error.to_string(),
                }),
            };
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.read().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}
