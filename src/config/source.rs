//! Where things stand in the files, and problems told by it: file, line, column, what is wrong, what was expected
//! and how to mend it, as text with the line and a caret for people or as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

/// A file as it was read.
#[derive(Debug)]
pub struct Source {
    /// Its path as it was asked for; `<built-in>/name` for what is compiled in.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    pub(super) fn new(file: &Path, text: String) -> Arc<Self> {
        Arc::new(Self { file: file.to_owned(), text })
    }

    /// The position of a span of bytes.
    pub(super) fn at(self: &Arc<Self>, span: Range<usize>) -> Position {
        let start = floor_boundary(&self.text, span.start);
        let end = floor_boundary(&self.text, span.end).max(start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        Position {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            source: Some(Arc::clone(self)),
            span: start..end,
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|&n| text.is_char_boundary(n)).unwrap_or(0)
}

/// A place in a file: line and column count from 1, columns in characters. Line 0 is the file as a whole.
#[derive(Clone, Default)]
pub struct Position {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    source: Option<Arc<Source>>,
    span: Range<usize>,
}

impl Position {
    /// A file as a whole.
    pub fn of_file(file: &Path) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// The bytes it spans in its file.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The place of byte `offset` of `value`, the text between the quotes that this position opens. Exact for
    /// `'literal'` strings; in strings with `\` escapes each escape is counted as it is written.
    pub fn within(&self, value: &str, offset: usize) -> Position {
        let Some(source) = &self.source else {
            return self.clone();
        };
        let raw = source.text.get(self.span.clone()).unwrap_or_default();
        let skip = if raw == value { offset } else { raw_offset(raw, value, offset) };
        let start = (self.span.start + skip).min(self.span.end);
        let end = source.text[floor_boundary(&source.text, start)..].chars().next();
        source.at(start..start + end.map_or(0, char::len_utf8))
    }

    /// Whether a value is given to what stands here.
    pub(super) fn is_key(&self) -> bool {
        let rest = self.source.as_ref().and_then(|source| source.text.get(self.span.end..));
        rest.is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with('='))
    }

    /// A problem here.
    pub fn problem(
        &self,
        what: impl Into<String>,
        expected: impl Into<String>,
        how_to_mend: impl Into<String>,
    ) -> Problem {
        Problem {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            what: what.into(),
            expected: expected.into(),
            how_to_mend: how_to_mend.into(),
            at: self.clone(),
            hides: false,
        }
    }
}

/// Byte `offset` of `value` in `raw`, its written form with escapes.
fn raw_offset(raw: &str, value: &str, offset: usize) -> usize {
    let mut at = 0;
    let mut done = 0;
    for character in value.chars() {
        if done >= offset {
            break;
        }
        done += character.len_utf8();
        let rest = &raw[at.min(raw.len())..];
        at += match rest.as_bytes() {
            [b'\\', b'u', ..] => 6,
            [b'\\', b'U', ..] => 10,
            [b'\\', b'x', ..] => 4,
            [b'\\', ..] => 2,
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
    }
    floor_boundary(raw, at)
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        (&self.file, self.line, self.column) == (&other.file, other.line, other.column)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Position {
    /// `file:line:column`, or `file` alone for the whole of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// Something that is wrong in a config.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    pub file: PathBuf,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// From 1, in characters; 0 for the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What was expected instead.
    pub expected: String,
    /// What to do.
    pub how_to_mend: String,
    #[serde(skip)]
    at: Position,
    /// The value is a secret: its line is shown up to it.
    #[serde(skip)]
    hides: bool,
}

impl Problem {
    /// A problem of a file as a whole, found by somebody else than the config's own checks.
    pub fn of_file(file: &Path, what: String) -> Self {
        Position::of_file(file).problem(
            what,
            "a config that can be taken over",
            "mend what is named, then reload again",
        )
    }

    /// `file:line:column`.
    pub fn place(&self) -> String {
        self.at.to_string()
    }

    /// The same, without the value where its line is shown.
    pub(super) fn hiding(self) -> Self {
        Self { hides: true, ..self }
    }
}

/// Whether a line gives a value to a key that sounds like a secret's; such a value is not shown, whatever is wrong.
fn sounds_secret(line: &str) -> bool {
    let Some((key, _)) = line.split_once('=') else { return false };
    let key = key.to_lowercase();
    ["token", "secret", "pass", "key"].iter().any(|word| key.contains(word))
        && !line.contains("credential")
}

/// Longest part of a line that is shown, in characters.
const SHOWN: usize = 120;

/// The part of a long line around a column, and the column in it.
fn around(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line.chars().collect();
    if chars.len() <= SHOWN {
        return (line.to_owned(), column);
    }
    let start = (column - 1).saturating_sub(SHOWN / 3).min(chars.len() - SHOWN);
    let mut shown: String = chars[start..start + SHOWN].iter().collect();
    if start + SHOWN < chars.len() {
        shown.push('…');
    }
    match start {
        0 => (shown, column),
        _ => (format!("…{shown}"), column - start + 1),
    }
}

impl fmt::Display for Problem {
    /// Position and what, the line with a caret under the place (secrets left out), what was expected, how to
    /// mend.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.at, self.what)?;
        if let (Some(source), true) = (&self.at.source, self.line > 0) {
            let text = source.text.lines().nth(self.line - 1).unwrap_or_default();
            let shown = if self.hides {
                let end = if self.at.is_key() { self.at.span.end } else { self.at.span.start };
                let kept = end - source.text[..self.at.span.start].rfind('\n').map_or(0, |n| n + 1);
                format!(
                    "{}{}…",
                    text.get(..kept).unwrap_or_default(),
                    if self.at.is_key() { " = " } else { "" }
                )
            } else if let (true, Some((key, _))) = (sounds_secret(text), text.split_once('=')) {
                format!("{key}= …")
            } else {
                text.to_owned()
            };
            let number = self.line.to_string();
            let room = " ".repeat(number.len());
            let (shown, column) = around(&shown, self.column);
            // A tab before the caret stays a tab, so that the caret stands under its character.
            let lead = shown.chars().take(column - 1);
            let lead: String = lead.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let lead = format!("{lead:<0$}", column - 1);
            let marked = source.text.get(self.at.span.clone()).unwrap_or_default();
            let width = marked.lines().next().unwrap_or_default().chars().count();
            let left = shown.chars().count().saturating_sub(column - 1);
            let carets = "^".repeat(width.clamp(1, left.max(1)));
            writeln!(f, "{room} |\n{number} | {shown}\n{room} | {lead}{carets}")?;
        }
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  to mend:  {}", self.how_to_mend)
    }
}

/// Every problem that was found, in order of file and line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ConfigErrors(pub Vec<Problem>);

impl ConfigErrors {
    /// As `--json` prints it: `{"problems": [{file, line, column, what, expected, how_to_mend}, …]}`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "problems": self.0 })
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}\n")?;
        }
        let n = self.0.len();
        write!(f, "{n} {} in the config", if n == 1 { "problem" } else { "problems" })
    }
}

impl std::error::Error for ConfigErrors {}

/// Where each key of the main file stands, by its path (`levels.concern`, `feed[0].token`).
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The main file.
    pub file: PathBuf,
    pub(super) at: BTreeMap<String, Position>,
}

impl Origin {
    /// The folder that relative paths of the main file start from.
    pub fn base(&self) -> &Path {
        match self.file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    /// The value at `path`; if it is not written, the nearest section around it, else the whole file.
    pub fn position(&self, path: &str) -> Position {
        let mut path = path;
        loop {
            if let Some(position) = self.at.get(path) {
                return position.clone();
            }
            match path.rfind(['.', '[']) {
                Some(n) => path = &path[..n],
                None => return Position::of_file(&self.file),
            }
        }
    }

    /// Whether `path` is written in the file.
    pub fn is_written(&self, path: &str) -> bool {
        self.at.contains_key(path)
    }
}
