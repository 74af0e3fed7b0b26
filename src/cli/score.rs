//! `vigie score`: texts, pictures or signals through the models, as the daemon scores them. JSON lines come in and go
//! out in the same order; every line of scores names the model and its version, so that a figure can be repeated.

mod frames;

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::{CliError, setup};
use crate::event::{CHAT_LABELS, Scores, Signal, Signals};
use crate::model::{Escalation, Manifest, Message, ModelKind, Scorer, escalation as model};

pub use frames::{Clip, frames, is_seen};

/// Lines scored together.
const BATCH: usize = 256;
/// A longer line is read over and told as an error.
const LONGEST: u64 = 8 << 20;

/// Labels and their probabilities, as one JSON object; written as the `f32` they are, without digits that say nothing.
struct Labelled(Vec<(&'static str, f32)>);

impl Serialize for Labelled {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(label, p)| map.serialize_entry(label, p))?;
        map.end()
    }
}

fn chat_scores(scores: &Scores) -> Labelled {
    Labelled(CHAT_LABELS.iter().filter_map(|l| Some((l.name(), scores.chat(*l)?))).collect())
}

/// What stands in the place of a line that could not be read.
#[derive(Serialize)]
struct BadLine {
    error: String,
    /// From 1.
    line: u64,
}

/// The models of a kind as scores name them.
pub(super) fn told(manifest: &Manifest, kind: ModelKind, what: &str) -> Result<String, CliError> {
    let models: Vec<String> = manifest.of_kind(kind).map(|model| model.told()).collect();
    match models.is_empty() {
        true => Err(CliError::Usage(format!("the manifest has no model of {what}"))),
        false => Ok(models.join(", ")),
    }
}

/// A counter on a terminal that does not show the output as well; nothing elsewhere.
pub(super) fn progress(what: &'static str) -> ProgressBar {
    if std::io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    // The template is a constant of ours.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {per_sec}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

/// One object a line.
fn write_line(out: &mut impl Write, object: &impl Serialize) -> Result<(), CliError> {
    // Our objects have strings for keys; what can fail is the output.
    serde_json::to_writer(&mut *out, object).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// Lines that were given, with their numbers.
struct Lines {
    reader: BufReader<Box<dyn Read>>,
    number: u64,
}

impl Lines {
    fn open(file: Option<&Path>) -> Result<Self, CliError> {
        let read: Box<dyn Read> = match file.filter(|path| *path != Path::new("-")) {
            None => Box::new(std::io::stdin()),
            Some(path) => {
                let opened = std::fs::File::open(path);
                Box::new(opened.map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))?)
            }
        };
        Ok(Self { reader: BufReader::with_capacity(1 << 16, read), number: 0 })
    }

    /// The next line that is not blank; `None` at the end; an error in it where it is too long.
    fn next(&mut self) -> Result<Option<Result<Vec<u8>, String>>, CliError> {
        loop {
            let mut line = Vec::new();
            if (&mut self.reader).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.len() as u64 == LONGEST && line.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
                return Ok(Some(Err(format!("longer than {} MiB", LONGEST >> 20))));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Ok(line)));
            }
        }
    }

    /// Whether the next line is here already; if not, whoever writes it may be waiting for an answer.
    fn waits(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }
}

/// Exit 1 where lines could not be read.
fn outcome(bad: u64, all: u64) -> Result<(), CliError> {
    match bad {
        0 => Ok(()),
        _ => Err(CliError::Runtime(format!("{bad} of {all} lines could not be read"))),
    }
}

/// A message as it is given. `language` is accepted and decides nothing.
#[derive(Deserialize)]
struct Given {
    text: String,
    #[serde(default)]
    paid: Option<bool>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default, rename = "language")]
    _language: Option<String>,
}

/// A message's scores.
#[derive(Serialize)]
struct Told<'a> {
    scores: Labelled,
    /// Under a setting that excuses: what they would be without the excuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<Labelled>,
    model: &'a str,
}

/// Messages in, scores out. A line that cannot be read gives an error object; exit 1 at the end.
pub fn chat(file: Option<&Path>, config: &Path) -> Result<(), CliError> {
    let config = setup::config(config)?;
    let mut lines = Lines::open(file)?;
    let manifest = setup::models(&config)?;
    let name = told(&manifest, ModelKind::Text, "messages")?;
    let mut scorer = Scorer::open(&manifest)?;
    let bar = progress("messages");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut bad, mut all) = (0, 0);
    let mut ended = false;
    while !ended {
        let mut batch: Vec<Result<Message, BadLine>> = Vec::new();
        while batch.len() < BATCH && (batch.is_empty() || lines.waits()) {
            let Some(line) = lines.next()? else {
                ended = true;
                break;
            };
            let read = line.and_then(|line| {
                serde_json::from_slice::<Given>(&line)
                    .map_err(|error| format!("expected {{\"text\": …}}: {error}"))
            });
            batch.push(match read {
                Ok(given) => Ok(Message {
                    text: given.text.into(),
                    paid: given.paid.unwrap_or(false),
                    setting: given
                        .category
                        .map(|category| config.categories.setting(&category))
                        .unwrap_or_default(),
                }),
                Err(error) => Err(BadLine { error, line: lines.number }),
            });
        }
        let messages: Vec<Message> = batch.iter().flatten().cloned().collect();
        let mut scores = scorer.messages(&messages)?.into_iter();
        scorer.failure().map_or(Ok(()), Err)?;
        for line in batch {
            all += 1;
            match line {
                Err(error) => {
                    bad += 1;
                    write_line(&mut out, &error)?;
                }
                Ok(_) => {
                    // The scorer gives one set of scores a message.
                    let scores = scores.next().unwrap_or_default();
                    let (own, plain) = (chat_scores(&scores.own), scores.plain.as_ref());
                    let unknown = plain.map(chat_scores);
                    write_line(&mut out, &Told { scores: own, unknown, model: &name })?;
                }
            }
            bar.inc(1);
        }
        out.flush()?;
    }
    bar.finish_and_clear();
    outcome(bad, all)
}

/// Signals in, probabilities out; errors as in [`chat`].
pub fn escalation(file: Option<&Path>, config: &Path) -> Result<(), CliError> {
    let config = setup::config(config)?;
    let mut lines = Lines::open(file)?;
    let manifest = setup::models(&config)?;
    let Some(mut escalation) = Escalation::open(&manifest)? else {
        return Err(CliError::Usage("the manifest has no model of signals".into()));
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut bad, mut all) = (0, 0);
    while let Some(line) = lines.next()? {
        all += 1;
        match line.and_then(|line| signals(&line)) {
            Ok(signals) => {
                // One row in, one row out.
                let p = escalation.run(&[signals])?.pop().unwrap_or_default();
                write_line(&mut out, &Labelled(model::OUTPUTS.into_iter().zip(p).collect()))?;
            }
            Err(error) => {
                bad += 1;
                write_line(&mut out, &BadLine { error, line: lines.number })?;
            }
        }
        if !lines.waits() {
            out.flush()?;
        }
    }
    out.flush()?;
    outcome(bad, all)
}

/// `null` is a signal without a value.
fn signals(line: &[u8]) -> Result<Signals, String> {
    let given: std::collections::BTreeMap<String, Option<f64>> = serde_json::from_slice(line)
        .map_err(|error| format!("expected {{\"signal name\": number, …}}: {error}"))?;
    let mut out = Signals::default();
    for (name, value) in given {
        let signal = Signal::from_name(&name)
            .ok_or_else(|| format!("`{name}` is no signal; `vigie schema signals` lists them"))?;
        if let Some(value) = value {
            out.set(signal, value);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_as_in_the_file_and_too_long_ones_do_not_stop_the_rest() {
        let text = format!("a\n\n{}\nb", "x".repeat(LONGEST as usize + 10));
        let read: Box<dyn Read> = Box::new(std::io::Cursor::new(text.into_bytes()));
        let mut lines = Lines { reader: BufReader::new(read), number: 0 };
        assert_eq!(lines.next().unwrap(), Some(Ok(b"a\n".to_vec())));
        assert!(matches!(lines.next().unwrap(), Some(Err(_))));
        assert_eq!(lines.number, 3);
        assert_eq!(lines.next().unwrap(), Some(Ok(b"b".to_vec())));
        assert_eq!((lines.number, lines.next().unwrap()), (4, None));
    }

    #[test]
    fn signals_are_read_by_name_and_null_is_no_value() {
        let given =
            br#"{"money.acts.10m": 3, "chat_distress_60s": 2.5, "picture.motion.60s": null}"#;
        let read = signals(given).unwrap();
        assert_eq!(read.get(Signal::MoneyActs10m), Some(3.0));
        assert_eq!(read.get(Signal::ChatDistress60s), Some(2.5));
        assert_eq!(read.get(Signal::PictureMotion60s), None);
        assert!(signals(br#"{"money.acts": 3}"#).unwrap_err().contains("money.acts"));
        assert!(signals(b"[1]").is_err());
    }
}
