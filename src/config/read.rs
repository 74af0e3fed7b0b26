//! From a file's text to a typed value, with every problem that can be found in one go: a value that does not fit
//! is told with its place, taken out, and the rest is read again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::source::{Position, Problem, Source};

/// No file has more problems than this that anybody reads.
const MOST_PROBLEMS: usize = 100;
/// A config larger than this is none.
pub(super) const LARGEST_FILE: usize = 4 << 20;

/// Reads `source` as a `T`. `defaults` is the JSON of a default `T`, for advice. Gives the value (what did not fit
/// has its default) and the position of each key; `None` if it is no TOML or nothing fits.
pub(super) fn read<T: DeserializeOwned>(
    source: &Arc<Source>,
    defaults: &serde_json::Value,
    problems: &mut Vec<Problem>,
) -> Option<(T, BTreeMap<String, Position>)> {
    if source.text.len() > LARGEST_FILE {
        problems.push(Position::of_file(&source.file).problem(
            format!("the file has {} bytes", source.text.len()),
            "a config of at most 4 MiB",
            "name the right file",
        ));
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        let mut lines = Vec::new();
        for error in errors {
            let problem = syntax(source, &error);
            // What follows an error on its line is most often its echo.
            if !lines.contains(&problem.line) && lines.len() < MOST_PROBLEMS {
                lines.push(problem.line);
                problems.push(problem);
            }
        }
        return None;
    }
    let mut positions = BTreeMap::new();
    note_table(root.get_ref(), "", source, &mut positions);

    let mut tree = root.clone();
    let mut maimed: Vec<Range<usize>> = Vec::new();
    for _ in 0..MOST_PROBLEMS {
        let error = match T::deserialize(Deserializer::from(tree.clone())) {
            Ok(value) => return Some((value, positions)),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let path = locate(tree.get_ref(), &span).unwrap_or_default();
        let missing = error.message().starts_with("missing field");
        // A key that was told of and taken out is not missing.
        if !(missing && maimed.contains(&span)) {
            problems.push(misfit(source, &error, &path, defaults));
        }
        if path.is_empty() {
            return None;
        }
        if let Some(parent) = take_out(tree.get_mut(), &path) {
            maimed.push(parent);
        }
        if let Some((Step::Index(index), array)) = path.split_last() {
            close_up(&mut positions, &written(array), *index);
        }
    }
    None
}

/// One step down a document.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

fn written(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) if out.is_empty() => out.push_str(key),
            Step::Key(key) => {
                out.push('.');
                out.push_str(key);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

fn note_table(
    table: &DeTable,
    path: &str,
    source: &Arc<Source>,
    out: &mut BTreeMap<String, Position>,
) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        note(value, path, source, out);
    }
}

fn note(
    value: &Spanned<DeValue>,
    path: String,
    source: &Arc<Source>,
    out: &mut BTreeMap<String, Position>,
) {
    match value.get_ref() {
        DeValue::Table(table) => note_table(table, &path, source, out),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                note(item, format!("{path}[{index}]"), source, out);
            }
        }
        _ => {}
    }
    out.insert(path, source.at(value.span()));
}

/// The position inside the quotes of the string at `span` of the source.
pub(super) fn inside_quotes(source: &Arc<Source>, span: Range<usize>) -> Position {
    let raw = source.text.get(span.clone()).unwrap_or_default();
    let long = raw.starts_with("'''") || raw.starts_with("\"\"\"");
    let quote = if long { 3 } else { 1 };
    let line_end = match raw.get(quote..) {
        Some(rest) if long && rest.starts_with("\r\n") => 2,
        Some(rest) if long && rest.starts_with('\n') => 1,
        _ => 0,
    };
    let start = span.start + quote + line_end;
    source.at(start..span.end.saturating_sub(quote).max(start))
}

/// The deepest thing whose key is at `span`, or else whose value is.
fn locate(table: &DeTable, span: &Range<usize>) -> Option<Vec<Step>> {
    for (key, value) in table {
        let step = Step::Key(key.get_ref().to_string());
        if key.span() == *span {
            return Some(vec![step]);
        }
        if let Some(mut path) = locate_in(value, span) {
            path.insert(0, step);
            return Some(path);
        }
    }
    None
}

fn locate_in(value: &Spanned<DeValue>, span: &Range<usize>) -> Option<Vec<Step>> {
    let deeper = match value.get_ref() {
        DeValue::Table(table) => locate(table, span),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let mut path = locate_in(item, span)?;
            path.insert(0, Step::Index(index));
            Some(path)
        }),
        _ => None,
    };
    deeper.or_else(|| (value.span() == *span).then(Vec::new))
}

/// Removes what stands at `path`; gives the span of the table that held it.
fn take_out(table: &mut DeTable, path: &[Step]) -> Option<Range<usize>> {
    let (Step::Key(key), rest) = path.split_first()? else {
        return None;
    };
    if rest.is_empty() {
        table.remove(key.as_str());
        return None;
    }
    take_out_of(table.get_mut(key.as_str())?, rest)
}

fn take_out_of(value: &mut Spanned<DeValue>, path: &[Step]) -> Option<Range<usize>> {
    let span = value.span();
    let (step, rest) = path.split_first()?;
    match (value.get_mut(), step) {
        (DeValue::Table(table), Step::Key(key)) if rest.is_empty() => {
            table.remove(key.as_str());
            Some(span)
        }
        (DeValue::Table(table), Step::Key(key)) => take_out_of(table.get_mut(key.as_str())?, rest),
        (DeValue::Array(items), Step::Index(index)) if rest.is_empty() => {
            // Arrays of this crate cannot shrink: the others are kept.
            let kept: Vec<_> = items
                .iter()
                .enumerate()
                .filter(|(n, _)| n != index)
                .map(|(_, item)| item.clone())
                .collect();
            *items = kept.into_iter().collect();
            Some(span)
        }
        (DeValue::Array(items), Step::Index(index)) => take_out_of(items.get_mut(*index)?, rest),
        _ => None,
    }
}

/// Moves the positions of an array's later elements up after element `gone` was taken out.
fn close_up(positions: &mut BTreeMap<String, Position>, array: &str, gone: usize) {
    let mut out = BTreeMap::new();
    for (path, position) in std::mem::take(positions) {
        let index = path
            .strip_prefix(array)
            .and_then(|rest| rest.strip_prefix('['))
            .and_then(|rest| rest.split_once(']'))
            .and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
        match index {
            Some((index, _)) if index == gone => {}
            Some((index, rest)) if index > gone => {
                out.insert(format!("{array}[{}]{rest}", index - 1), position);
            }
            _ => {
                out.insert(path, position);
            }
        }
    }
    *positions = out;
}

fn syntax(source: &Arc<Source>, error: &Error) -> Problem {
    let message = error.message();
    if message.contains("recursion limit") || message.contains("max recursion depth") {
        let mend = "write it flat: no key of Vigie lies deeper than three";
        let at = source.at(error.span().unwrap_or(0..0));
        return at.problem("this nests too deep", "TOML of at most 80 levels", mend);
    }
    let at = source.at(error.span().unwrap_or(source.text.len()..source.text.len()));
    let line = source.text.lines().nth(at.line - 1).unwrap_or_default();
    let before: String = line.chars().take(at.column - 1).collect();
    if let (Some(key), true) = (before.trim_end().strip_suffix('='), line.trim_end().ends_with('='))
    {
        let what = format!("`{}` has no value", key.trim());
        return at.problem(what, "a value", "write one after `=`, or remove the line");
    }
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, "valid TOML"));
    let mend = if message.contains("duplicate key") {
        "remove one of the two, or give a repeated section double brackets, `[[feed]]`"
    } else if message.contains("must be quoted") {
        "write text in quotes; numbers, true and false without"
    } else if message.contains("string") || message.contains("quote") {
        "close the string with the quote that opened it; write conditions in 'single quotes'"
    } else {
        "write one `key = value` a line, text in quotes, a section as `[name]`"
    };
    at.problem(format!("this is no TOML: {what}"), expected, mend)
}

/// A value that does not fit its type, in words.
fn misfit(
    source: &Arc<Source>,
    error: &Error,
    path: &[Step],
    defaults: &serde_json::Value,
) -> Problem {
    let message = error.message();
    let at = source.at(error.span().unwrap_or(0..0));
    let name = written(path);
    if let Some(key) = between(message, "unknown field `", "`") {
        let known = names_after(message, "expected ");
        let own = matches!(path, [_]);
        let mend = if !own && defaults.get(key).is_some() {
            format!("`{key}` belongs to the top of the file: move it above the first `[section]`")
        } else {
            match nearest(key, &known) {
                Some(near) => format!("write `{near}`, or remove it"),
                None => "remove it".to_owned(),
            }
        };
        let problem =
            at.problem(format!("`{name}` is not a key that Vigie knows"), list(&known), mend);
        // Nobody knows what its value is: it could be a secret.
        return if at.is_key() { problem.hiding() } else { problem };
    }
    if let Some(key) = between(message, "missing field `", "`") {
        let place = if name.is_empty() { "the file".to_owned() } else { format!("`{name}`") };
        return at.problem(
            format!("{place} has no `{key}`"),
            format!("a key `{key}`"),
            format!("add a line `{key} = …`"),
        );
    }
    if let Some(value) = between(message, "unknown variant `", "`") {
        let known = names_after(message, "expected ");
        let mend = match nearest(value, &known) {
            Some(near) => format!("write `\"{near}\"`"),
            None => advice(path, defaults),
        };
        return at.problem(format!("`{name}` is `\"{value}\"`"), list(&known), mend);
    }
    for lead in ["invalid type: ", "invalid value: ", "invalid length: "] {
        if let Some((found, expected)) =
            message.strip_prefix(lead).and_then(|m| m.split_once(", expected "))
        {
            if expected == super::units::SECRET_FORM {
                let what = format!("`{name}` is a secret in plain text (not repeated here)");
                let mend = "write `{ credential = \"name\" }`, and set the secret as systemd credential `name` or \
                            as `VIGIE_CREDENTIAL_NAME` in the environment; treat the one in the file as known to \
                            others";
                return at.problem(what, expected, mend).hiding();
            }
            let list = expected == "a sequence" && found == "map";
            let mend = match path.last() {
                Some(Step::Key(key)) if list => {
                    format!("write `[[{key}]]`, in double brackets, for each")
                }
                _ => advice(path, defaults),
            };
            return at.problem(format!("`{name}` is {}", plain(found)), plain(expected), mend);
        }
    }
    at.problem(format!("`{name}`: {message}"), "a value of another form", advice(path, defaults))
}

/// What to do about a value: the default in the form in which it is written.
fn advice(path: &[Step], defaults: &serde_json::Value) -> String {
    let mut default = Some(defaults);
    for step in path {
        default = default.and_then(|value| match step {
            Step::Key(key) => value.get(key),
            Step::Index(_) => None,
        });
    }
    match (default, path.last()) {
        (Some(value), Some(Step::Key(key))) if !value.is_object() && !value.is_null() => {
            format!("write for example `{key} = {value}`, which is the default")
        }
        _ => "write it in that form, or remove it".to_owned(),
    }
}

/// Serde's words for types, in plain ones.
fn plain(text: &str) -> String {
    match text {
        "f64" | "f32" => "a number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".to_owned(),
        "a sequence" => "a list, `[…]`".to_owned(),
        "path string" => "a path in quotes".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        _ if text.starts_with("struct ") => "a section, `[name]`".to_owned(),
        _ => match text.strip_prefix("string ") {
            Some(string) => format!("the text {string}"),
            None => {
                text.replace("floating point", "the number").replace("integer `", "the number `")
            }
        },
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

/// The names in backquotes after `word`.
fn names_after<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let rest = text.split_once(word).map_or("", |(_, rest)| rest);
    rest.split('`').skip(1).step_by(2).collect()
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing here".to_owned(),
        [one] => format!("`{one}`"),
        many => format!("one of `{}`", many.join("`, `")),
    }
}

/// The known name that was most likely meant: few letters off, or one that holds the other.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, near) = known.iter().map(|k| (distance(name, k), *k)).min()?;
    let close = distance <= 1 + name.chars().count().max(near.chars().count()) / 4;
    let held =
        |k: &&&'a str| k.len() > 3 && name.len() > 3 && (k.contains(name) || name.contains(**k));
    if close { Some(near) } else { known.iter().find(held).copied() }
}

/// Edits (insert, delete, replace, swap neighbours) from one name to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
