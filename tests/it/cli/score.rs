//! `vigie score`: line by line, look by look, and on after what cannot be read.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use vigie::event::CHAT_LABELS;

use super::{err, fed, lines, out, run, vigie, written};
use crate::models::{fixture_picture, root, shipped};

#[test]
fn score_chat_answers_line_by_line_in_order() {
    if shipped().is_none() {
        return;
    }
    let input = "{\"text\":\"frappe le\",\"paid\":true}\n\nnot json\n{\"text\":\"on va le tuer\",\"category\":\"Boxing\",\"language\":\"fr\"}\n\
                 {\"paid\":true}\n{\"text\":\"bonne nuit\",\"paid\":null}";
    let output = fed(&["score", "chat"], input);
    assert_eq!(output.status.code(), Some(1), "two lines are bad");
    assert!(err(&output).contains("2 of 5 lines"), "{}", err(&output));
    let told = lines(&output);
    assert_eq!(told.len(), 5);
    for (place, line) in [(1, 3), (3, 5)] {
        assert_eq!(told[place]["line"], line);
        assert!(told[place]["error"].is_string());
    }
    for place in [0, 2, 4] {
        let line = &told[place];
        assert!(line["model"].as_str().unwrap().starts_with("chat@"), "{line}");
        for label in CHAT_LABELS {
            let p = line["scores"][label.name()].as_f64().expect("every label");
            assert!((0.0..=1.0).contains(&p));
        }
        assert_eq!(
            line.get("unknown").is_some(),
            place == 2,
            "only a setting that excuses has both: {line}"
        );
    }
    // A file gives what a pipe gives.
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "in.jsonl", input);
    assert_eq!(out(&run(&["score", "chat", &file])), out(&output));
}

#[test]
fn score_chat_answers_before_its_input_ends() {
    if shipped().is_none() {
        return;
    }
    let mut child = vigie(&["score", "chat", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("vigie starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    for _ in 0..2 {
        stdin.write_all(b"{\"text\":\"bonsoir\"}\n").expect("it reads");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it answers");
        assert!(line.contains("\"scores\""), "{line}");
    }
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn score_escalation_rises_with_harm() {
    if shipped().is_none_or(|manifest| !manifest.models.iter().any(|m| m.name == "escalation")) {
        return;
    }
    let input = "{}\n{\"money.acts.10m\":6,\"picture.violence.10m\":6,\"chat.distress.60s\":6,\"chat.distress_voices.2m\":6}\n\
                 {\"no.such.signal\":1}\n";
    let output = fed(&["score", "escalation"], input);
    assert_eq!(output.status.code(), Some(1));
    let told = lines(&output);
    assert_eq!((told.len(), &told[2]["line"]), (3, &json!(3)));
    assert!(told[2]["error"].as_str().unwrap().contains("no.such.signal"));
    for name in ["concern", "danger", "threat_to_life", "imminent"] {
        let p = |row: usize| told[row][name].as_f64().expect(name);
        assert!((0.0..=1.0).contains(&p(0)) && p(0) <= p(1), "{name}: {} then {}", p(0), p(1));
    }
    assert!(told[1]["concern"].as_f64() > told[0]["concern"].as_f64());
}

#[test]
fn score_frames_takes_pictures_and_folders_and_goes_on_after_a_bad_one() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jpg"), fixture_picture("gradient.jpg")).unwrap();
    std::fs::write(folder.path().join("b.JPEG"), b"not a picture").unwrap();
    std::fs::write(folder.path().join("c.jpg"), fixture_picture("rings.jpg")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"x").unwrap();
    let path = folder.path().display().to_string();
    let output = run(&["score", "frames", &path, "no-such.jpg"]);
    assert_eq!(output.status.code(), Some(1));
    let told = lines(&output);
    let names: Vec<&str> = told
        .iter()
        .map(|line| line["path"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["a.jpg", "b.JPEG", "c.jpg", "no-such.jpg"]);
    for place in [0, 2] {
        assert!(told[place]["scores"]["violence"].is_number(), "{}", told[place]);
        assert!(told[place]["model"].as_str().unwrap().starts_with("frame@"));
        assert_eq!((&told[place]["at"], &told[place]["motion"]), (&json!(0.0), &Value::Null));
    }
    assert!(told[1]["error"].is_string() && told[3]["error"].is_string());
}

fn ffmpeg() -> Option<PathBuf> {
    let named = std::env::var_os("VIGIE_FFMPEG").map(PathBuf::from);
    let on_path = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join("ffmpeg"))
        .find(|file| file.is_file());
    let found = named.or(on_path).or_else(|| {
        let pythons = std::fs::read_dir(root().join(".cache/venv/lib")).ok()?;
        let dirs =
            pythons.flatten().map(|p| p.path().join("site-packages/imageio_ffmpeg/binaries"));
        let files = dirs.filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        files.map(|file| file.path()).find(|p| p.display().to_string().contains("/ffmpeg"))
    });
    if found.is_none() {
        eprintln!("VIGIE_SKIPPED score frames of a video: no ffmpeg (make test sets one up)");
    }
    found
}

#[test]
fn score_frames_reads_a_video_look_by_look() {
    let (Some(_), Some(ffmpeg)) = (shipped(), ffmpeg()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("-it.mkv");
    let made = Command::new(&ffmpeg)
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=duration=5:rate=10:size=1280x720",
            "-c:v",
            "mpeg4",
        ])
        .arg(&video)
        .status()
        .expect("ffmpeg starts");
    assert!(made.success());
    let scored = |more: &[&str], path: &Path| {
        vigie(&["score", "frames"])
            .args(more)
            .arg("--")
            .arg(path)
            .env("VIGIE_FFMPEG", &ffmpeg)
            .output()
            .expect("vigie starts")
    };
    let told = lines(&scored(&[], &video));
    let at: Vec<f64> = told.iter().map(|line| line["at"].as_f64().expect("a second")).collect();
    assert_eq!(at, [0.0, 2.0, 4.0], "20 pictures at 4 a second");
    assert!(told.iter().all(|line| line["motion"].as_f64().expect("more than one picture") >= 0.0));
    let whole = lines(&scored(&["--clip"], &video));
    assert_eq!((whole.len(), &whole[0]["looks"]), (1, &json!(3)));
    let highest =
        told.iter().map(|line| line["scores"]["violence"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(whole[0]["scores"]["violence"], highest);
    // The second of the look that scored highest; `camera` is no reason to look there.
    let shown = |line: &Value| {
        let scores = line["scores"].as_object().expect("scores").iter();
        let shown = scores.filter(|(label, _)| *label != "camera");
        shown.map(|(_, p)| p.as_f64().expect("a number")).fold(0.0, f64::max)
    };
    let highest = told.iter().map(shown).fold(0.0, f64::max);
    let there = told.iter().find(|line| shown(line) == highest).expect("one of the looks");
    assert_eq!(whole[0]["at"], there["at"]);

    let none = folder.path().join("none.mp4");
    std::fs::write(&none, b"no video").unwrap();
    let output = scored(&[], &none);
    assert_eq!(output.status.code(), Some(1));
    assert!(lines(&output)[0]["error"].as_str().unwrap().contains("no picture"));
}
