//! `vigie eval chat PATH`: labelled messages through the chat model. In: a table of messages (see [`table`]). Out: by
//! label, how much is found and how much of what is raised is right, with intervals; the worst mistakes; with another
//! manifest, the same of its model and on which messages the two differ.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::measure::{self, Difference, Judged, Pair};
use super::table::{self, Labelled};
use crate::cli::args::EvalChatArgs;
use crate::cli::{CliError, say, score, setup};
use crate::event::{CHAT_LABELS, harm};
use crate::model::{Manifest, Message, ModelKind, Scorer};

/// Messages scored together.
const BATCH: usize = 256;

/// A mistake: what was said, how surely, and the text.
#[derive(Debug, Serialize)]
struct Mistake {
    line: usize,
    label: &'static str,
    /// `raised` or `missed`.
    what: &'static str,
    score: f32,
    text: String,
}

#[derive(Debug, Serialize)]
struct Report {
    messages: usize,
    at: f32,
    this: Judged,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Judged>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    mistakes: Vec<Mistake>,
}

/// Exit 2 for a table that cannot be read.
pub fn chat(args: &EvalChatArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let rows = table::read(&args.path, &config.categories).map_err(CliError::Usage)?;
    let manifest = setup::models(&config)?;
    let this = scored(&manifest, &rows)?;
    let other = args.against.as_deref().map(|path| -> Result<_, CliError> {
        let manifest = Manifest::load(&against(path))?;
        Ok((name(&manifest)?, scored(&manifest, &rows)?))
    });
    let other = other.transpose()?;
    let mistakes = measure::worst(judged(&this), args.worst).into_iter().map(|wrong| Mistake {
        line: rows[wrong.place].line,
        label: wrong.label,
        what: wrong.what,
        score: wrong.score,
        text: rows[wrong.place].message.text.to_string(),
    });
    let differ = |other: &ByLabel| -> Vec<Difference> {
        let both = judged(&this).zip(other);
        both.filter_map(|((label, this), other)| measure::differ(label, this, other)).collect()
    };
    let report = Report {
        messages: rows.len(),
        at: harm::FLOOR,
        mistakes: mistakes.collect(),
        differences: other.as_ref().map(|(_, other)| differ(other)).unwrap_or_default(),
        this: measure::judge(name(&manifest)?, judged(&this)),
        other: other.map(|(name, other)| measure::judge(name, judged(&other))),
    };
    if args.json {
        // Strings, numbers and lists under fixed names always serialise.
        return say(serde_json::to_string(&report).unwrap_or_default());
    }
    say(report.told())
}

/// A manifest, or the folder that holds it.
pub fn against(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("manifest.toml") } else { path.to_owned() }
}

fn name(manifest: &Manifest) -> Result<String, CliError> {
    score::told(manifest, ModelKind::Text, "messages")
}

/// Of each label, what is known of each message and its score.
type ByLabel = Vec<Vec<Pair>>;

fn judged(all: &ByLabel) -> impl Iterator<Item = (&'static str, &[Pair])> {
    CHAT_LABELS.iter().zip(all).map(|(label, pairs)| (label.name(), pairs.as_slice()))
}

fn scored(manifest: &Manifest, rows: &[Labelled]) -> Result<ByLabel, CliError> {
    let mut scorer = Scorer::open(&manifest.only(ModelKind::Text))?;
    let mut out: ByLabel = vec![Vec::new(); CHAT_LABELS.len()];
    for batch in rows.chunks(BATCH) {
        let messages: Vec<Message> = batch.iter().map(|row| row.message.clone()).collect();
        let scores = scorer.messages(&messages)?;
        scorer.failure().map_or(Ok(()), Err)?;
        for (row, scores) in batch.iter().zip(&scores) {
            for (label, pairs) in CHAT_LABELS.into_iter().zip(&mut out) {
                pairs.push(row.holds[label as usize].zip(scores.own.chat(label)));
            }
        }
    }
    Ok(out)
}

impl Report {
    /// For people.
    fn told(&self) -> String {
        let mut out = String::new();
        for judged in std::iter::once(&self.this).chain(&self.other) {
            measure::tell(judged, self.messages, "messages", &mut out);
        }
        measure::tell_differences(&self.differences, &mut out);
        if !self.mistakes.is_empty() {
            let _ = writeln!(out, "\nworst mistakes");
        }
        for row in &self.mistakes {
            let text = row.text.replace(['\n', '\r', '\t'], " ");
            let _ = writeln!(
                out,
                "{:>6} {} {} {:.2}  {text}",
                row.line, row.what, row.label, row.score
            );
        }
        out.trim_end().to_owned()
    }
}
