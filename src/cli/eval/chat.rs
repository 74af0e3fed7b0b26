//! `vigie eval chat PATH`: labelled messages through the chat model. In: a table of messages (see [`table`]). Out: by
//! label, how much is found and how much of what is raised is right, with intervals; the worst mistakes; with another
//! manifest, the same of its model and on which messages the two differ.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::interval;
use super::table::{self, Labelled};
use crate::cli::args::EvalChatArgs;
use crate::cli::{CliError, say, setup};
use crate::event::{CHAT_LABELS, ChatLabel, harm};
use crate::model::{Manifest, Message, ModelKind, Scorer};

/// Messages scored together.
const BATCH: usize = 256;

/// What a model does with one label. Shares are 0..1, intervals 95 % (Wilson).
#[derive(Debug, Serialize)]
struct Row {
    label: &'static str,
    hold: u64,
    hold_not: u64,
    found: u64,
    raised_wrongly: u64,
    recall: f64,
    recall_interval: (f64, f64),
    precision: f64,
    precision_interval: (f64, f64),
    f1: f64,
    /// Chance that a message that holds the label scores above one that does not; none where either is missing.
    auc: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Judged {
    model: String,
    labels: Vec<Row>,
    macro_f1: f64,
}

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

/// On how many messages only one of two models is right, by label.
#[derive(Debug, Serialize)]
struct Difference {
    label: &'static str,
    only_this_right: u64,
    only_other_right: u64,
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
    let scores = scored(&manifest, &rows)?;
    let other = match &args.against {
        Some(path) => {
            let manifest = Manifest::load(&against(path))?;
            let scores = scored(&manifest, &rows)?;
            Some((name(&manifest)?, scores))
        }
        None => None,
    };
    let report = Report {
        messages: rows.len(),
        at: harm::FLOOR,
        this: judge(name(&manifest)?, &rows, &scores),
        differences: other.iter().flat_map(|(_, other)| differ(&rows, &scores, other)).collect(),
        other: other.map(|(name, other)| judge(name, &rows, &other)),
        mistakes: mistakes(&rows, &scores, args.worst),
    };
    if args.json {
        // Strings, numbers and lists under fixed names always serialise.
        return say(serde_json::to_string(&report).unwrap_or_default());
    }
    say(report.told())
}

/// A manifest, or the folder that holds it.
fn against(path: &Path) -> std::path::PathBuf {
    if path.is_dir() { path.join("manifest.toml") } else { path.to_owned() }
}

fn name(manifest: &Manifest) -> Result<String, CliError> {
    let none = || CliError::Usage("the manifest has no model of messages".into());
    manifest.of_kind(ModelKind::Text).next().map(|model| model.told()).ok_or_else(none)
}

/// Each message's score of each label.
fn scored(manifest: &Manifest, rows: &[Labelled]) -> Result<Vec<[Option<f32>; 8]>, CliError> {
    let mut scorer = Scorer::open(&manifest.only(ModelKind::Text))?;
    let mut out = Vec::with_capacity(rows.len());
    for batch in rows.chunks(BATCH) {
        let messages: Vec<Message> = batch.iter().map(|row| row.message.clone()).collect();
        let scores = scorer.messages(&messages)?;
        out.extend(scores.iter().map(|s| CHAT_LABELS.map(|label| s.own.chat(label))));
    }
    Ok(out)
}

/// What is known of a label, and its score.
fn pairs<'a>(
    rows: &'a [Labelled],
    scores: &'a [[Option<f32>; 8]],
    label: ChatLabel,
) -> impl Iterator<Item = (bool, f32)> + 'a {
    let at = label as usize;
    rows.iter().zip(scores).filter_map(move |(row, p)| Some((row.holds[at]?, p[at]?)))
}

fn judge(model: String, rows: &[Labelled], scores: &[[Option<f32>; 8]]) -> Judged {
    let mut labels = Vec::new();
    for label in CHAT_LABELS {
        let known: Vec<(bool, f32)> = pairs(rows, scores, label).collect();
        let count = |holds: bool, raised: bool| {
            known.iter().filter(|(h, p)| *h == holds && (*p >= harm::FLOOR) == raised).count()
                as u64
        };
        let (found, missed) = (count(true, true), count(true, false));
        let (wrong, spared) = (count(false, true), count(false, false));
        if found + missed == 0 {
            continue;
        }
        let share = |hits: u64, of: u64| if of == 0 { 0.0 } else { hits as f64 / of as f64 };
        labels.push(Row {
            label: label.name(),
            hold: found + missed,
            hold_not: wrong + spared,
            found,
            raised_wrongly: wrong,
            recall: share(found, found + missed),
            recall_interval: interval::share(found, found + missed),
            precision: share(found, found + wrong),
            precision_interval: interval::share(found, found + wrong),
            f1: share(2 * found, 2 * found + missed + wrong),
            auc: auc(known),
        });
    }
    let macro_f1 = labels.iter().map(|row| row.f1).sum::<f64>() / labels.len().max(1) as f64;
    Judged { model, labels, macro_f1 }
}

/// By ranks; equal scores count half.
fn auc(mut known: Vec<(bool, f32)>) -> Option<f64> {
    known.sort_by(|a, b| a.1.total_cmp(&b.1));
    let positives = known.iter().filter(|(holds, _)| *holds).count() as f64;
    let negatives = known.len() as f64 - positives;
    let (mut below, mut sum) = (0.0, 0.0);
    for equal in known.chunk_by(|a, b| a.1 == b.1) {
        let holding = equal.iter().filter(|(holds, _)| *holds).count() as f64;
        let others = equal.len() as f64 - holding;
        sum += holding * (below + others / 2.0);
        below += others;
    }
    (positives > 0.0 && negatives > 0.0).then(|| sum / (positives * negatives))
}

fn differ(
    rows: &[Labelled],
    this: &[[Option<f32>; 8]],
    other: &[[Option<f32>; 8]],
) -> Vec<Difference> {
    CHAT_LABELS
        .into_iter()
        .filter_map(|label| {
            let right = |(holds, p): (bool, f32)| holds == (p >= harm::FLOOR);
            let both: Vec<(bool, bool)> = pairs(rows, this, label)
                .map(right)
                .zip(pairs(rows, other, label).map(right))
                .collect();
            let only = |want: (bool, bool)| both.iter().filter(|got| **got == want).count() as u64;
            let difference = Difference {
                label: label.name(),
                only_this_right: only((true, false)),
                only_other_right: only((false, true)),
            };
            (!both.is_empty()).then_some(difference)
        })
        .collect()
}

/// The surest of what is wrong: half of them raised, half of them missed where there are as many.
fn mistakes(rows: &[Labelled], scores: &[[Option<f32>; 8]], count: usize) -> Vec<Mistake> {
    let mut all = Vec::new();
    for label in CHAT_LABELS {
        let at = label as usize;
        for (row, p) in rows.iter().zip(scores) {
            let (Some(holds), Some(score)) = (row.holds[at], p[at]) else { continue };
            if holds != (score >= harm::FLOOR) {
                let what = if holds { "missed" } else { "raised" };
                let text = row.message.text.to_string();
                all.push(Mistake { line: row.line, label: label.name(), what, score, text });
            }
        }
    }
    all.sort_by(|a, b| (b.score - 0.5).abs().total_cmp(&(a.score - 0.5).abs()));
    let mut left = [count.div_ceil(2), count / 2];
    all.retain(|mistake| {
        let left = &mut left[usize::from(mistake.what == "missed")];
        let kept = *left > 0;
        *left = left.saturating_sub(1);
        kept
    });
    all
}

impl Report {
    /// For people.
    fn told(&self) -> String {
        let mut out = String::new();
        for judged in std::iter::once(&self.this).chain(&self.other) {
            let _ = writeln!(
                out,
                "{}: {} messages, raised from {}",
                judged.model, self.messages, self.at
            );
            let _ = writeln!(
                out,
                "{:<17} {:>6} {:>6}  {:<19} {:<19} {:>5} {:>5}",
                "label", "hold", "not", "recall", "precision", "F1", "AUC"
            );
            for row in &judged.labels {
                let share =
                    |p: f64, (low, high): (f64, f64)| format!("{p:.2} [{low:.2}, {high:.2}]");
                let auc = row.auc.map_or("-".into(), |auc| format!("{auc:.3}"));
                let _ = writeln!(
                    out,
                    "{:<17} {:>6} {:>6}  {:<19} {:<19} {:>5.2} {:>5}",
                    row.label,
                    row.hold,
                    row.hold_not,
                    share(row.recall, row.recall_interval),
                    share(row.precision, row.precision_interval),
                    row.f1,
                    auc
                );
            }
            let _ = writeln!(out, "macro-F1 {:.3}\n", judged.macro_f1);
        }
        for row in &self.differences {
            let _ = writeln!(
                out,
                "{:<17} only this model is right on {}, only the other on {}",
                row.label, row.only_this_right, row.only_other_right
            );
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Setting;

    fn row(holds: Option<bool>, line: usize) -> Labelled {
        let message = Message { text: "x".into(), paid: false, setting: Setting::Unknown };
        let mut all = [None; 8];
        all[ChatLabel::Threat as usize] = holds;
        Labelled { message, holds: all, line }
    }

    #[test]
    fn shares_ranks_and_mistakes_are_those_of_the_scores() {
        let known = [Some(true), Some(true), Some(false), Some(false), None];
        let rows: Vec<Labelled> = known.iter().zip(1..).map(|(h, n)| row(*h, n)).collect();
        let score = |p| CHAT_LABELS.map(|l| (l == ChatLabel::Threat).then_some(p));
        let scores = [0.9, 0.2, 0.6, 0.1, 0.99].map(score);
        let judged = judge("m@1".into(), &rows, &scores);
        let threat = &judged.labels[0];
        assert_eq!(
            (threat.hold, threat.hold_not, threat.found, threat.raised_wrongly),
            (2, 2, 1, 1)
        );
        assert_eq!((threat.recall, threat.precision, threat.f1), (0.5, 0.5, 0.5));
        assert_eq!(threat.auc, Some(0.75));
        assert_eq!(auc(vec![(true, 0.5), (false, 0.5)]), Some(0.5));
        assert_eq!(auc(vec![(true, 0.5)]), None);
        let worst = mistakes(&rows, &scores, 2);
        assert_eq!(
            worst.iter().map(|m| (m.line, m.what)).collect::<Vec<_>>(),
            [(2, "missed"), (3, "raised")]
        );
        let better = [0.9, 0.8, 0.1, 0.1, 0.99].map(score);
        let differences = differ(&rows, &better, &scores);
        assert_eq!((differences[0].only_this_right, differences[0].only_other_right), (2, 0));
    }
}
