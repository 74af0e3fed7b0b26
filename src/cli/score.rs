//! `vigie score`: texts, pictures or signals through the models, as the daemon scores them; every line names the model
//! and its version, so that a figure can be repeated.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CliError, setup};
use crate::event::{CHAT_LABELS, FRAME_LABELS, Scores, Signal, Signals};
use crate::model::{Escalation, Manifest, Message, MessageScores, ModelKind, Scorer, escalation};

/// Lines scored together.
const BATCH: usize = 256;
/// Pictures of a look.
const LOOK: usize = 8;

#[derive(Deserialize)]
struct Line {
    text: String,
    #[serde(default)]
    paid: bool,
    #[serde(default)]
    category: Option<String>,
}

fn input(file: Option<&Path>) -> Result<Box<dyn BufRead>, CliError> {
    match file {
        None => Ok(Box::new(BufReader::new(std::io::stdin()))),
        Some(path) if path == Path::new("-") => Ok(Box::new(BufReader::new(std::io::stdin()))),
        Some(path) => {
            let file = std::fs::File::open(path)
                .map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))?;
            Ok(Box::new(BufReader::new(file)))
        }
    }
}

/// A counter on a terminal; nothing elsewhere.
fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is a constant of ours.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {per_sec}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

fn told(manifest: &Manifest, kind: ModelKind) -> Result<String, CliError> {
    let model = manifest.of_kind(kind).next();
    model
        .map(|model| model.told())
        .ok_or_else(|| CliError::Runtime("the manifest has no such model".into()))
}

fn chat_scores(scores: &Scores) -> Map<String, Value> {
    CHAT_LABELS
        .iter()
        .filter_map(|l| Some((l.name().to_owned(), json!(scores.chat(*l)?))))
        .collect()
}

fn frame_scores(scores: &Scores) -> Map<String, Value> {
    FRAME_LABELS
        .iter()
        .filter_map(|l| Some((l.name().to_owned(), json!(scores.frame(*l)?))))
        .collect()
}

/// JSON lines in, JSON lines out, in order. A line that cannot be read gives an error object; exit 1 at the end.
pub fn chat(file: Option<&Path>, config: &Path) -> Result<(), CliError> {
    let config = setup::config(config)?;
    let manifest = setup::models(&config)?;
    let model = told(&manifest, ModelKind::Text)?;
    let mut scorer = Scorer::open(&manifest)?;
    let bar = progress("messages");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut batch: Vec<Result<Message, String>> = Vec::new();
    let mut bad = 0;
    let mut flush =
        |batch: &mut Vec<Result<Message, String>>, bad: &mut u64| -> Result<(), CliError> {
            let messages: Vec<Message> =
                batch.iter().filter_map(|line| line.as_ref().ok().cloned()).collect();
            let mut scores = scorer.messages(&messages)?.into_iter();
            for line in batch.drain(..) {
                let object = match line {
                    Err(problem) => {
                        *bad += 1;
                        json!({ "error": problem })
                    }
                    Ok(_) => {
                        // One set of scores a message that could be read.
                        let MessageScores { own, plain } = scores.next().unwrap_or_default();
                        let mut object = json!({ "scores": chat_scores(&own), "model": model });
                        if let Some(plain) = plain {
                            object["unknown"] = Value::Object(chat_scores(&plain));
                        }
                        object
                    }
                };
                writeln!(out, "{object}")?;
                bar.inc(1);
            }
            out.flush()?;
            Ok(())
        };
    for (number, line) in input(file)?.split(b'\n').enumerate() {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        batch.push(match serde_json::from_slice::<Line>(&line) {
            Ok(line) => Ok(Message {
                text: line.text.into(),
                paid: line.paid,
                setting: line.category.map(|c| config.categories.setting(&c)).unwrap_or_default(),
            }),
            Err(error) => Err(format!("line {}: expected {{\"text\": …}} ({error})", number + 1)),
        });
        if batch.len() == BATCH {
            flush(&mut batch, &mut bad)?;
        }
    }
    flush(&mut batch, &mut bad)?;
    if bad > 0 { Err(CliError::Runtime(format!("{bad} lines could not be read"))) } else { Ok(()) }
}

/// JSON lines of signals in, probabilities out.
pub fn escalation(file: Option<&Path>, config: &Path) -> Result<(), CliError> {
    let config = setup::config(config)?;
    let manifest = setup::models(&config)?;
    let Some(mut model) = Escalation::open(&manifest)? else {
        return Err(CliError::Runtime("the manifest has no tabular model".into()));
    };
    let mut out = std::io::stdout().lock();
    let mut bad = 0;
    for (number, line) in input(file)?.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let object = match signals(&line) {
            Ok(signals) => {
                let p = model.run(&[signals])?[0];
                Value::Object(
                    escalation::OUTPUTS
                        .iter()
                        .zip(p)
                        .map(|(n, p)| ((*n).to_owned(), json!(p)))
                        .collect(),
                )
            }
            Err(problem) => {
                bad += 1;
                json!({ "error": format!("line {}: {problem}", number + 1) })
            }
        };
        writeln!(out, "{object}")?;
    }
    if bad > 0 { Err(CliError::Runtime(format!("{bad} lines could not be read"))) } else { Ok(()) }
}

fn signals(line: &str) -> Result<Signals, String> {
    let told: std::collections::BTreeMap<String, f64> =
        serde_json::from_str(line).map_err(|e| format!("expected signal name → number ({e})"))?;
    let mut out = Signals::default();
    for (name, value) in told {
        let signal = Signal::from_name(&name)
            .ok_or_else(|| format!("`{name}` is no signal; `vigie schema signals` lists them"))?;
        out.set(signal, value);
    }
    Ok(out)
}

/// Looks of eight pictures out of files, folders and videos.
pub fn frames(paths: &[PathBuf], fps: f64, clip: bool, config: &Path) -> Result<(), CliError> {
    if !(fps > 0.0 && fps <= 60.0) {
        return Err(CliError::Usage(format!("--fps {fps}: give a number above 0, at most 60")));
    }
    let config = setup::config(config)?;
    let manifest = setup::models(&config)?;
    let model = told(&manifest, ModelKind::Image)?;
    let mut scorer = Scorer::open(&manifest)?;
    let bar = progress("looks");
    let mut out = std::io::stdout().lock();
    let mut bad = 0;
    for path in paths {
        let looks = match looks_of(path, fps) {
            Ok(looks) => looks,
            Err(problem) => {
                bad += 1;
                writeln!(out, "{}", json!({ "path": path, "error": problem }))?;
                continue;
            }
        };
        let mut highest = Scores::default();
        for (name, at, pictures) in looks {
            let looked = scorer.look(&pictures)?;
            if let Some(problem) = looked.problems.first() {
                bad += 1;
                writeln!(
                    out,
                    "{}",
                    json!({ "path": name, "at": at, "error": problem.to_string() })
                )?;
                continue;
            }
            highest = highest.max(looked.scores);
            if !clip {
                let scores = frame_scores(&looked.scores);
                let line = json!({ "path": name, "at": at, "scores": scores, "motion": looked.motion, "model": model });
                writeln!(out, "{line}")?;
            }
            bar.inc(1);
        }
        if clip {
            writeln!(
                out,
                "{}",
                json!({ "path": path, "scores": frame_scores(&highest), "model": model })
            )?;
        }
    }
    if bad > 0 {
        Err(CliError::Runtime(format!("{bad} pictures or paths could not be read")))
    } else {
        Ok(())
    }
}

type Looks = Vec<(PathBuf, f64, Vec<Bytes>)>;

fn looks_of(path: &Path, fps: f64) -> Result<Looks, String> {
    let is_picture = |p: &Path| {
        p.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"))
    };
    let read = |p: &Path| std::fs::read(p).map(Bytes::from).map_err(|e| e.to_string());
    if path.is_dir() {
        let mut files: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(|e| e.to_string())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|p| is_picture(p))
            .collect();
        files.sort();
        return files.into_iter().map(|p| Ok((p.clone(), 0.0, vec![read(&p)?]))).collect();
    }
    if is_picture(path) {
        return Ok(vec![(path.to_owned(), 0.0, vec![read(path)?])]);
    }
    let pictures = video(path, fps)?;
    let chunks = pictures.chunks(LOOK).enumerate();
    Ok(chunks.map(|(i, c)| (path.to_owned(), (i * LOOK) as f64 / fps, c.to_vec())).collect())
}

/// JPEG pictures of a video at `fps`, by ffmpeg: `$VIGIE_FFMPEG`, else the one on the path.
fn video(path: &Path, fps: f64) -> Result<Vec<Bytes>, String> {
    if !path.is_file() {
        return Err("there is no such file".into());
    }
    let ffmpeg = std::env::var_os("VIGIE_FFMPEG").unwrap_or_else(|| "ffmpeg".into());
    let mut child = Command::new(&ffmpeg)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args([
            "-vf",
            &format!("fps={fps},scale='min(640,iw)':-2"),
            "-f",
            "mjpeg",
            "-q:v",
            "3",
            "-",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| {
            format!("ffmpeg cannot be started ({e}); install it, or set VIGIE_FFMPEG to its path")
        })?;
    let mut bytes = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if !status.success() && bytes.is_empty() {
        return Err("ffmpeg finds no picture in it".into());
    }
    let bytes = Bytes::from(bytes);
    let mut out = Vec::new();
    let mut start = None;
    for at in 0..bytes.len().saturating_sub(1) {
        match (bytes[at], bytes[at + 1], start) {
            (0xff, 0xd8, None) => start = Some(at),
            (0xff, 0xd9, Some(from)) => {
                out.push(bytes.slice(from..at + 2));
                start = None;
            }
            _ => {}
        }
    }
    Ok(out)
}
