//! `vigie eval chat` and `frames`: the same shares whoever counts them, and sets that cannot be read; models that run by
//! their manifest alone, and providers that are not there.

use serde_json::Value;

use super::{err, out, run, written};
use crate::models::foreign::plain;
use crate::models::{root, shipped};

const TABLE: &str = "# ours\ntext,paid,threat,toxicity\nje vais te tuer ce soir,0,1,1\nbonjour tout le monde,0,0,0\n\
                     \"t'es mort, je vais te planter\",0,1,\ngg bien joué,,0,0\n";

#[test]
fn eval_chat_counts_what_score_chat_says() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let table = written(folder.path(), "ours.csv", TABLE);
    let manifest = root().join("models").display().to_string();
    let output = run(&["eval", "chat", &table, "--json", "--against", &manifest]);
    assert!(output.status.success(), "{}", err(&output));
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["messages"], 4);
    let row = |of: &str, label: &str| -> Value {
        let rows = report[of]["labels"].as_array().unwrap();
        rows.iter().find(|row| row["label"] == label).unwrap().clone()
    };
    assert_eq!(
        (&row("this", "threat")["hold"], &row("this", "threat")["hold_not"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        (&row("this", "toxicity")["hold"], &row("this", "toxicity")["hold_not"]),
        (&1.into(), &2.into())
    );

    // The same by hand.
    let lines =
        "{\"text\":\"je vais te tuer ce soir\"}\n{\"text\":\"t'es mort, je vais te planter\"}\n";
    let file = written(folder.path(), "in.jsonl", lines);
    let scores = super::lines(&run(&["score", "chat", &file]));
    let found =
        scores.iter().filter(|line| line["scores"]["threat"].as_f64().unwrap() >= 0.5).count();
    assert_eq!(row("this", "threat")["found"], found);
    assert!(found > 0, "a plain threat is found");

    // Against itself nothing differs.
    assert_eq!(report["this"]["labels"], report["other"]["labels"]);
    for difference in report["differences"].as_array().unwrap() {
        assert_eq!(
            (&difference["only_this_right"], &difference["only_other_right"]),
            (&0.into(), &0.into())
        );
    }
    let told = out(&run(&["eval", "chat", &table]));
    assert!(told.contains("macro-F1") && told.contains("threat"), "{told}");
}

#[test]
fn eval_chat_says_what_is_wrong_with_a_table() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let table = written(folder.path(), "bad.csv", "text,threat\nbonjour,perhaps\n");
    let output = run(&["eval", "chat", &table]);
    assert_eq!(output.status.code(), Some(2));
    for needle in ["bad.csv:2", "threat is `perhaps`", "1, 0 or nothing"] {
        assert!(err(&output).contains(needle), "{needle} is not told in {}", err(&output));
    }
    let missing = run(&["eval", "chat", "no/such.csv"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("no/such.csv"), "{}", err(&missing));
}

/// A folder of labelled pictures: red and blue ones, one of them a folder that turns red, and one that is none.
fn labelled(folder: &std::path::Path) {
    let (red, blue) = (plain(64, 48, [200, 20, 20]), plain(64, 48, [20, 20, 200]));
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("nudity/a.jpg", &red);
    write("nudity/b.jpg", &blue);
    for n in 0..10 {
        write(&format!("nudity/turns/{n}.jpg"), if n == 9 { &red } else { &blue });
    }
    write("none/c.jpg", &blue);
    write("none/d.jpg", &red);
    write("none/e.jpg", &blue);
    write("none/f.jpg", b"no picture");
    let table = "path,label,source\nnudity/a.jpg,nudity,studio\nnone/c.jpg,not_nudity,street\nnone/d.jpg,nudity?,street\n";
    write("set.csv", table.as_bytes());
}

/// A config beside the test whose models are those of `tests/fixtures/foreign`.
fn foreign_config(folder: &std::path::Path) -> String {
    let manifest = root().join("tests/fixtures/foreign/manifest.toml");
    written(
        folder,
        "vigie.toml",
        &format!("[models]\nmanifest = {:?}\n", manifest.display().to_string()),
    )
}

#[test]
fn eval_frames_counts_looks_by_folder_and_by_table() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set");
    labelled(&set);
    let config = foreign_config(folder.path());
    let set = set.display().to_string();
    let output = run(&["eval", "frames", &set, "--json", "-c", &config]);
    assert_eq!(output.status.code(), Some(1), "one cannot be read: {}", err(&output));
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    let row = &report["this"]["labels"][0];
    assert_eq!((&report["things"], &row["label"]), (&6.into(), &"nudity".into()));
    let counts =
        ["hold", "found", "hold_not", "raised_wrongly"].map(|name| row[name].as_u64().unwrap());
    assert_eq!(counts, [3, 2, 3, 1], "the folder that turns red is one thing, and found: {row}");
    // Of three that hold it two score above two others, and one equals the third.
    assert!(row["auc"].as_f64().unwrap() > 0.6, "{row}");
    let (low, high) = (&row["auc_interval"][0], &row["auc_interval"][1]);
    assert!(low.as_f64().unwrap() < 0.5 && high.as_f64().unwrap() > 0.9, "few are few: {row}");
    let mistakes: Vec<String> = (report["mistakes"].as_array().unwrap().iter())
        .filter(|mistake| mistake["label"] == "nudity")
        .map(|mistake| format!("{} {}", mistake["what"], mistake["path"]))
        .collect();
    assert_eq!(mistakes.len(), 2);
    assert!(mistakes.iter().any(|told| told.contains("raised") && told.contains("d.jpg")));
    assert!(mistakes.iter().any(|told| told.contains("missed") && told.contains("b.jpg")));
    let unread = &report["unread"][0];
    assert!(unread["path"].as_str().unwrap().ends_with("f.jpg") && unread["error"].is_string());

    let table = format!("{set}/set.csv");
    let shipped = root().join("models").display().to_string();
    let output = run(&["eval", "frames", &table, "-c", &config, "--json", "--against", &shipped]);
    assert!(output.status.success(), "{}", err(&output));
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["this"]["labels"][0]["hold_not"], 1, "a doubtful one counts for nothing");
    assert_eq!(report["this"]["model"], "red@1.0, bright@1.0");
    assert!(report["other"]["model"].as_str().unwrap().starts_with("frame@"));
    assert!(report["differences"].is_null(), "they measure nothing together");
    assert_eq!(report["sources"][0]["source"], "street");
    assert_eq!(report["sources"][0]["labels"][0]["hold_not"], 1);
    let told = out(&run(&["eval", "frames", &table, "-c", &config]));
    for words in ["red@1.0", "nudity", "AUC", "studio", "1 of 1"] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
}

#[test]
fn eval_frames_says_what_is_wrong_with_a_set() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("fights")).unwrap();
    let output = run(&["eval", "frames", &folder.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    for needle in ["`fights` is no label", "violence", "none"] {
        assert!(err(&output).contains(needle), "{needle} is not told in {}", err(&output));
    }
}

#[test]
fn models_by_manifest_alone_are_checked_scored_and_named() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = foreign_config(folder.path());
    let file = written(folder.path(), "in.jsonl", "{\"text\":\"you stupid idiot\"}\n");
    let line = super::lines(&run(&["score", "chat", &file, "-c", &config])).remove(0);
    assert_eq!(line["model"], "pieces@1.0, grams@1.0");
    assert!(line["scores"]["toxicity"].as_f64().unwrap() > 0.5, "{line}");
    assert!(line["scores"]["threat"].is_null() && line["scores"]["self_harm"].is_number());
}

#[test]
fn a_provider_that_the_library_lacks_is_a_mistake_of_the_config() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), "vigie.toml", "[models]\nprovider = \"cuda\"\n");
    let output = run(&["check", "-c", &config]);
    assert_eq!(output.status.code(), Some(2), "{}", out(&output));
    let told = err(&output) + &out(&output);
    for needle in ["vigie.toml:2", "cannot compute on cuda", "has cpu", "docs/models.md"] {
        assert!(told.contains(needle), "{needle} is not told in {told}");
    }
    let config = written(folder.path(), "vigie.toml", "[models]\nprovider = \"tpu\"\n");
    let output = run(&["check", "-c", &config]);
    let told = err(&output) + &out(&output);
    for needle in ["vigie.toml:2", "tpu", "openvino"] {
        assert!(told.contains(needle), "{needle} is not told in {told}");
    }
}
