//! What a model does with labelled things, whatever they are: by label, how much is found and how much of what is raised
//! is right, with intervals; where two models differ; which mistakes are the surest. In: what is known and the scores,
//! label by label. Out: rows for tables and JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::interval;
use crate::event::harm;

/// What is known of a thing and its score, under one label; neither where it is doubtful or no model measures it.
pub type Pair = Option<(bool, f32)>;

/// What a model does with one label. Shares are 0..1, intervals 95 % (Wilson; of the area Newcombe).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub label: &'static str,
    pub hold: u64,
    pub hold_not: u64,
    pub found: u64,
    pub raised_wrongly: u64,
    pub recall: f64,
    pub recall_interval: (f64, f64),
    pub precision: f64,
    pub precision_interval: (f64, f64),
    pub f1: f64,
    /// Chance that what holds the label scores above what does not; none where either is missing.
    pub auc: Option<f64>,
    pub auc_interval: Option<(f64, f64)>,
}

#[derive(Debug, Serialize)]
pub struct Judged {
    pub model: String,
    pub labels: Vec<Row>,
    pub macro_f1: f64,
}

/// On how many things only one of two models is right, by label.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub label: &'static str,
    pub only_this_right: u64,
    pub only_other_right: u64,
}

/// A mistake under one label, of the thing at `place`.
pub struct Wrong {
    pub place: usize,
    pub label: &'static str,
    /// `raised` or `missed`.
    pub what: &'static str,
    pub score: f32,
}

fn raised(p: f32) -> bool {
    p >= harm::FLOOR
}

/// Of one label; nothing where no thing is known to hold it and none is known not to.
pub fn row(label: &'static str, pairs: &[Pair]) -> Option<Row> {
    let known: Vec<(bool, f32)> = pairs.iter().flatten().copied().collect();
    let count = |holds: bool, up: bool| {
        known.iter().filter(|(h, p)| *h == holds && raised(*p) == up).count() as u64
    };
    let (found, missed) = (count(true, true), count(true, false));
    let (wrong, spared) = (count(false, true), count(false, false));
    let (hold, hold_not) = (found + missed, wrong + spared);
    let share = |hits: u64, of: u64| if of == 0 { 0.0 } else { hits as f64 / of as f64 };
    let auc = auc(known);
    (hold + hold_not > 0).then(|| Row {
        label,
        hold,
        hold_not,
        found,
        raised_wrongly: wrong,
        recall: share(found, hold),
        recall_interval: interval::share(found, hold),
        precision: share(found, found + wrong),
        precision_interval: interval::share(found, found + wrong),
        f1: share(2 * found, hold + found + wrong),
        auc,
        auc_interval: auc.map(|auc| interval::area(auc, hold, hold_not)),
    })
}

/// Of every label that something holds.
pub fn judge<'a>(
    model: String,
    labels: impl IntoIterator<Item = (&'static str, &'a [Pair])>,
) -> Judged {
    let rows = labels.into_iter().filter_map(|(label, pairs)| row(label, pairs));
    let labels: Vec<Row> = rows.filter(|row| row.hold > 0).collect();
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

/// Of what both models measure; nothing where they measure nothing together.
pub fn differ(label: &'static str, this: &[Pair], other: &[Pair]) -> Option<Difference> {
    let right = |(holds, p): (bool, f32)| holds == raised(p);
    let both = this.iter().zip(other).filter_map(|(a, b)| Some((right((*a)?), right((*b)?))));
    let both: Vec<(bool, bool)> = both.collect();
    let only = |want: (bool, bool)| both.iter().filter(|got| **got == want).count() as u64;
    (!both.is_empty()).then(|| Difference {
        label,
        only_this_right: only((true, false)),
        only_other_right: only((false, true)),
    })
}

/// The surest of what is wrong: half of them raised, half of them missed where there are as many.
pub fn worst<'a>(
    labels: impl IntoIterator<Item = (&'static str, &'a [Pair])>,
    count: usize,
) -> Vec<Wrong> {
    let mut all = Vec::new();
    for (label, pairs) in labels {
        for (place, pair) in pairs.iter().enumerate() {
            let Some((holds, score)) = *pair else { continue };
            if holds != raised(score) {
                let what = if holds { "missed" } else { "raised" };
                all.push(Wrong { place, label, what, score });
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

/// The table of one model, for people; `what` is what was judged.
pub fn tell(judged: &Judged, count: usize, what: &str, out: &mut String) {
    let _ = writeln!(out, "{}: {count} {what}, raised from {}", judged.model, harm::FLOOR);
    let _ = writeln!(
        out,
        "{:<17} {:>6} {:>6} {:>6} {:>6}  {:<18} {:<18} {:>5}  AUC",
        "label", "found", "missed", "raised", "spared", "recall", "precision", "F1"
    );
    for row in &judged.labels {
        let share = |p: f64, (low, high): (f64, f64)| format!("{p:.2} [{low:.2}, {high:.2}]");
        let auc = row.auc.zip(row.auc_interval);
        let auc =
            auc.map_or("-".into(), |(p, (low, high))| format!("{p:.3} [{low:.3}, {high:.3}]"));
        let _ = writeln!(
            out,
            "{:<17} {:>6} {:>6} {:>6} {:>6}  {:<18} {:<18} {:>5.2}  {auc}",
            row.label,
            row.found,
            row.hold - row.found,
            row.raised_wrongly,
            row.hold_not - row.raised_wrongly,
            share(row.recall, row.recall_interval),
            share(row.precision, row.precision_interval),
            row.f1,
        );
    }
    let _ = writeln!(out, "macro-F1 {:.3}\n", judged.macro_f1);
}

pub fn tell_differences(differences: &[Difference], out: &mut String) {
    for row in differences {
        let _ = writeln!(
            out,
            "{:<17} only this model is right on {}, only the other on {}",
            row.label, row.only_this_right, row.only_other_right
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_ranks_and_mistakes_are_those_of_the_scores() {
        let known = [Some(true), Some(true), Some(false), Some(false), None];
        let scored = |scores: [f32; 5]| -> Vec<Pair> {
            known.iter().zip(scores).map(|(holds, p)| holds.map(|holds| (holds, p))).collect()
        };
        let pairs = scored([0.9, 0.2, 0.6, 0.1, 0.99]);
        let judged = judge("m@1".into(), [("threat", pairs.as_slice()), ("distress", &[])]);
        assert_eq!(judged.labels.len(), 1);
        let threat = &judged.labels[0];
        assert_eq!(
            (threat.hold, threat.hold_not, threat.found, threat.raised_wrongly),
            (2, 2, 1, 1)
        );
        assert_eq!((threat.recall, threat.precision, threat.f1), (0.5, 0.5, 0.5));
        assert_eq!(threat.auc, Some(0.75));
        assert_eq!(auc(vec![(true, 0.5), (false, 0.5)]), Some(0.5));
        assert_eq!(auc(vec![(true, 0.5)]), None);
        let wrong = worst([("threat", pairs.as_slice())], 2);
        let told: Vec<_> = wrong.iter().map(|m| (m.place, m.what)).collect();
        assert_eq!(told, [(1, "missed"), (2, "raised")]);
        let better = scored([0.9, 0.8, 0.1, 0.1, 0.99]);
        let difference = differ("threat", &better, &pairs).unwrap();
        assert_eq!((difference.only_this_right, difference.only_other_right), (2, 0));
        assert!(differ("threat", &better, &[None; 5]).is_none());
    }
}
