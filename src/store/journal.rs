//! The journal: what each channel consumed, in that order, as JSON lines in segments `<dir>/journal/<ms>-<seq>.jsonl`.
//! A channel's state stands before its first entry in a segment, and the terms under which it was judged, so that any
//! suffix replays. In: entries on a bounded queue, written by a thread of its own. Out: the same entries, read back.

mod read;
mod write;

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{ChannelId, Consumed, Score, Timestamp};

pub use read::{Note, Reader};
pub use write::{Journal, JournalOptions, JournalStats, Mark, TermsTold};

/// Version of the form; a reader refuses later ones. 1 had no terms.
pub const VERSION: u32 = 2;

/// One line after a segment's header.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "c", rename_all = "snake_case")]
pub enum Entry {
    /// What a config brings to the judgement, under its own digest; before anything that was judged by it.
    Terms { digest: String, terms: serde_json::Value },
    /// All that a channel remembers, before its first entry in a segment. The form is the channel's own. `terms`: the
    /// digest of those that hold for it from here on; empty where none were told.
    State {
        channel: ChannelId,
        state: serde_json::Value,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        terms: String,
    },
    /// What a channel consumed.
    Consumed(Consumed),
    /// What the escalation model said: `concern`, `danger`, `threat_to_life`, `imminent`.
    Escalation {
        channel: ChannelId,
        at: Timestamp,
        #[serde(deserialize_with = "outputs")]
        out: [f32; 4],
    },
    /// From here on other terms hold for the channel: a reload.
    Under { channel: ChannelId, terms: String },
}

/// Probabilities, each read as a score is: one that is not finite is refused.
fn outputs<'de, D: Deserializer<'de>>(d: D) -> Result<[f32; 4], D::Error> {
    Ok(<[Score; 4]>::deserialize(d)?.map(Score::get))
}

/// A segment's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub vigie_journal: u32,
    /// `sha256:…` of the config when the segment was begun.
    pub config: String,
    /// Vigie's version.
    pub version: String,
}

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("journal: {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} is no Vigie journal: its first line is no header; give a segment or the folder that holds them"
    )]
    NotAJournal { path: PathBuf },
    #[error(
        "{path} is a journal of form {found}, this Vigie reads {VERSION}: replay it with the version that wrote it ({version})"
    )]
    Version { path: PathBuf, found: u32, version: String },
    #[error("{path}, line {line}: {what}; the segment was changed after it was written")]
    Line { path: PathBuf, line: u64, what: String },
    #[error("{path} holds no journal segment (names end in .jsonl)")]
    Empty { path: PathBuf },
}

/// The queue is full: nothing was taken; try again, or send from a thread that may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal's queue is full")]
pub struct Full;
