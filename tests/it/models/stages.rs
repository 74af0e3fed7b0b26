//! A text model of three stages, small and untrained (`training/chat/small.py` made it): messages are cut into the same
//! pieces as in training, dropped by the same rule, and score what the training code says, in any company; what does not
//! fit is refused with a reason.

use std::path::PathBuf;

use serde_json::Value;
use vigie::event::{CHAT_LABELS, Setting};
use vigie::model::pieces::Pieces;
use vigie::model::text::normalise;
use vigie::model::{Manifest, Message, Scorer};

use super::{MessageBits, message_bits, root, shipped};

fn folder() -> PathBuf {
    root().join("tests/fixtures/three_stages")
}

/// A row: text, paid, setting, which stage tells it unpaid (from 0), pieces, scores.
fn told() -> Vec<Value> {
    let file = std::fs::read_to_string(folder().join("told.json")).unwrap();
    serde_json::from_str(&file).unwrap()
}

fn message(row: &Value) -> Message {
    let setting = Setting::ALL.into_iter().find(|s| s.name() == row[2].as_str().unwrap()).unwrap();
    Message { text: row[0].as_str().unwrap().into(), paid: row[1].as_bool().unwrap(), setting }
}

fn opened() -> Option<Scorer> {
    shipped()?;
    let manifest = Manifest::load(&folder().join("manifest.toml")).expect("the fixture's manifest");
    Some(Scorer::open(&manifest).expect("the fixture's models"))
}

#[test]
fn a_text_has_the_same_pieces_here_and_in_training() {
    let lines = std::fs::read_to_string(folder().join("pieces.txt")).unwrap();
    let pieces = Pieces::read(&lines).expect("no line twice");
    let rows = told();
    assert!(rows.len() >= 1000);
    for row in &rows {
        let text = row[0].as_str().unwrap();
        let wanted: Vec<i32> = serde_json::from_value(row[4].clone()).unwrap();
        assert_eq!(pieces.of(&normalise(text), 128), wanted, "{text:?}");
    }
}

#[test]
fn a_thousand_messages_score_as_the_training_says() {
    let Some(mut scorer) = opened() else { return };
    let rows = told();
    let messages: Vec<Message> = rows.iter().map(message).collect();
    let scores = scorer.messages(&messages).unwrap();
    let (mut furthest, mut by) = (0.0f64, [0; 3]);
    for (row, scores) in rows.iter().zip(&scores) {
        by[row[3].as_u64().unwrap() as usize] += 1;
        for (label, wanted) in CHAT_LABELS.into_iter().zip(row[5].as_array().unwrap()) {
            let off = (f64::from(scores.own.chat(label).unwrap()) - wanted.as_f64().unwrap()).abs();
            assert!(off <= 2e-4, "{} is off by {off}: {row}", label.name());
            furthest = furthest.max(off);
        }
    }
    eprintln!("three stages: {} messages, {by:?} by each, furthest {furthest:.6}", rows.len());
    assert!(by.iter().all(|n| *n >= 200), "{by:?} by each stage of {}", rows.len());
}

#[test]
fn all_stages_score_the_same_bits_in_any_company() {
    let Some(mut scorer) = opened() else { return };
    let messages: Vec<Message> = told().iter().take(150).map(message).collect();
    let mut all = |batch: &[Message]| -> Vec<MessageBits> {
        scorer.messages(batch).unwrap().iter().map(message_bits).collect()
    };
    let alone: Vec<MessageBits> =
        messages.iter().flat_map(|one| all(std::slice::from_ref(one))).collect();
    for size in [2, 7, 64, 150] {
        let together: Vec<MessageBits> = messages.chunks(size).flat_map(&mut all).collect();
        assert_eq!(together, alone, "in {size}");
    }
}

#[test]
fn what_is_paid_reaches_the_last_stage_and_never_scores_less() {
    let Some(mut scorer) = opened() else { return };
    let (mut raised, mut raised_dropped) = (0, 0);
    for row in told().iter().take(300) {
        let free = Message { paid: false, ..message(row) };
        let paid = Message { paid: true, ..free.clone() };
        let scores = scorer.messages(&[free, paid]).unwrap();
        for label in CHAT_LABELS {
            let (free, paid) =
                (scores[0].own.chat(label).unwrap(), scores[1].own.chat(label).unwrap());
            assert!(paid >= free, "{} {free} → {paid}: {row}", label.name());
            raised += usize::from(paid > free);
            raised_dropped += usize::from(paid > free && row[3].as_u64().unwrap() < 2);
        }
    }
    assert!(raised > 300 && raised_dropped > 50, "{raised}, of dropped ones {raised_dropped}");
}

#[test]
fn a_further_stage_that_does_not_fit_is_refused_with_a_reason() {
    if shipped().is_none() {
        return;
    }
    type Break = fn(&mut toml::Table);
    let cases: [(&str, Break, &[&str]); 13] = [
        (
            "bytes",
            |e| e["second"]["sha256"] = "0".repeat(64).into(),
            &["second.onnx", "SHA-256", "restore the file"],
        ),
        (
            "vocabulary",
            |e| e["second"]["vocabulary_sha256"] = "0".repeat(64).into(),
            &["pieces.txt", "SHA-256", "restore the file"],
        ),
        (
            "no vocabulary",
            |e| e["second"]["vocabulary"] = "none.txt".into(),
            &["none.txt", "cannot be read", "install the models folder"],
        ),
        (
            "no context",
            |e| drop(e["second"]["inputs"].as_array_mut().unwrap().pop()),
            &["second stage", "inputs pieces and context", "`second`"],
        ),
        (
            "labels in another order",
            |e| e["second"]["outputs"][0]["labels"].as_array_mut().unwrap().reverse(),
            &["same labels in the same order"],
        ),
        (
            "a drop rule that drops what is raised",
            |e| e["second"]["drop"]["threat"] = 1.0.into(),
            &["drop rule", "`threat`", "lower the limit"],
        ),
        (
            "a drop rule without a label",
            |e| drop(e["second"]["drop"].as_table_mut().unwrap().remove("distress")),
            &["drop rule", "`distress`"],
        ),
        (
            "a blend that is no weight",
            |e| e["third"]["blend"]["toxicity"] = 5.0.into(),
            &["third stage", "blend", "`toxicity`", "0 to 4", "`third`"],
        ),
        (
            "calibration that falls",
            |e| e["second"]["calibration"]["threat"][2][1] = 0.0.into(),
            &["`threat`", "rising"],
        ),
        (
            "a third without a second",
            |e| drop(e.remove("second")),
            &["a third stage and no second", "`second`"],
        ),
        (
            "a third that drops what the second raises",
            |e| {
                drop(e["third"]["drop"].as_table_mut().unwrap().insert("threat".into(), 1.0.into()))
            },
            &["drop rule", "the stage before", "`threat`", "lower the limit"],
        ),
        (
            "a third with neither labels nor a word on all",
            |e| drop(e["third"]["drop"].as_table_mut().unwrap().remove("again")),
            &["drop rule", "`threat`"],
        ),
        (
            "a third without context",
            |e| drop(e["third"]["inputs"].as_array_mut().unwrap().pop()),
            &["third stage", "inputs pieces and context", "`third`"],
        ),
    ];
    for (what, broken, needles) in cases {
        let copy = tempfile::tempdir().unwrap();
        for file in ["first.onnx", "second.onnx", "third.onnx", "pieces.txt"] {
            std::fs::copy(folder().join(file), copy.path().join(file)).unwrap();
        }
        let text = std::fs::read_to_string(folder().join("manifest.toml")).unwrap();
        let mut table: toml::Table = text.parse().unwrap();
        broken(table["model"][0].as_table_mut().unwrap());
        let path = copy.path().join("manifest.toml");
        std::fs::write(&path, toml::to_string(&table).unwrap()).unwrap();
        let opened = Manifest::load(&path).and_then(|m| Scorer::open(&m).map(|_| ()));
        let error = opened.expect_err(what).to_string();
        for needle in needles {
            assert!(error.contains(needle), "{what}: {needle:?} is not told in: {error}");
        }
    }
}
