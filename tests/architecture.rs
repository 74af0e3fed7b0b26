//! Holds the house to its plan (docs/architecture.md): which room may use which, which rooms never read a clock, how
//! long a file may be, and that no file names a path of somebody's machine. Reads the sources as text; a small lexer
//! keeps comments and string literals out of it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the plan's order. A room may use those before it; the exceptions stand in [`allowed`].
const ROOMS: [&str; 14] = [
    "event",
    "feed",
    "model",
    "channel",
    "risk",
    "alert",
    "evidence",
    "store",
    "delivery",
    "console",
    "telemetry",
    "config",
    "sim",
    "cli",
];

/// What a room must not know although it stands before it in the order: the plan's third column.
const HIDDEN: [(&str, &[&str]); 3] = [
    ("evidence", &["risk"]),
    ("delivery", &["feed", "model", "channel", "risk"]),
    ("console", &["model"]),
];

/// Rooms for which time is data: it comes with events and ticks, so a replay tells the same.
const TIMELESS: [&str; 3] = ["channel", "risk", "alert"];

/// What reads a clock or draws lots, as paths; each is sought as a run of tokens.
const CLOCKS: [&str; 9] = [
    "::now",
    "SystemTime",
    "Instant",
    "TimeZone::system",
    "now_v7",
    "now_v1",
    "new_v4",
    "rand",
    "tokio::time",
];

/// What reaches outside; `risk` is pure.
const OUTSIDE: [&str; 6] = ["std::fs", "std::net", "std::env", "std::process", "tokio", "sqlx"];

const MAX_LINES: usize = 700;

#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// May `room` use `other`?
fn allowed(room: &str, other: &str) -> bool {
    if room == other || room == "cli" || other == "event" {
        return true;
    }
    match room {
        "event" | "config" | "telemetry" | "sim" => return false,
        _ => {}
    }
    if other == "config" || other == "telemetry" {
        return true;
    }
    if HIDDEN.iter().any(|(r, hidden)| *r == room && hidden.contains(&other)) {
        return false;
    }
    let place = |name| ROOMS.iter().position(|r| *r == name);
    matches!((place(room), place(other)), (Some(mine), Some(theirs)) if theirs < mine)
}

// ---------------------------------------------------------------------------------------------------------- lexer

#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

/// Words and punctuation of Rust source; `::` is one token; comments, strings, chars and lifetimes are left out.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let start = i;
        match chars[i] {
            c if c.is_whitespace() => i += 1,
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && chars[i] != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = after_string(&chars, i),
            '\'' => {
                // A char literal closes within a few characters; a lifetime does not.
                if at(i + 1) == '\\' {
                    i += 3;
                    while i < chars.len() && chars[i] != '\'' {
                        i += 1;
                    }
                    i += 1;
                } else if at(i + 2) == '\'' {
                    i += 3;
                } else {
                    i += 1;
                    while at(i).is_alphanumeric() || at(i) == '_' {
                        i += 1;
                    }
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let raw_end = matches!(word.as_str(), "r" | "br" | "cr")
                    .then(|| after_raw(&chars, i))
                    .flatten();
                match raw_end {
                    Some(end) => i = end,
                    // A raw identifier's `r#`: the word itself follows.
                    None if word == "r" && at(i) == '#' => i += 1,
                    None if matches!(word.as_str(), "b" | "c") && at(i) == '"' => {
                        i = after_string(&chars, i)
                    }
                    None => out.push(Token { text: word, line }),
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                out.push(Token { text: "::".into(), line });
            }
            c => {
                i += 1;
                out.push(Token { text: c.into(), line });
            }
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

fn after_string(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The end of a raw string whose hashes or quote stand at `i`; nothing if there is none.
fn after_raw(chars: &[char], mut i: usize) -> Option<usize> {
    let start = i;
    while chars.get(i) == Some(&'#') {
        i += 1;
    }
    let hashes = i - start;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    i += 1;
    while i < chars.len() {
        let closes = chars[i] == '"' && (1..=hashes).all(|n| chars.get(i + n) == Some(&'#'));
        i += 1;
        if closes {
            return Some(i + hashes);
        }
    }
    Some(i)
}

// --------------------------------------------------------------------------------------------------------- checker

/// The module that a file under `src` holds: `feed/websocket.rs` is `[feed, websocket]`, `lib.rs` is `[]`.
fn module_of(file: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// The rooms that a source uses, each with the line; `*` and `self` stand for the whole crate.
fn uses(module: &[String], tokens: &[Token]) -> Vec<(String, usize)> {
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    let mut found = Vec::new();
    // Inline modules, each with the depth of its opening brace.
    let (mut inline, mut depth): (Vec<usize>, usize) = (Vec::new(), 0);
    let mut i = 0;
    while i < tokens.len() {
        let follows_path = i > 0 && text(i - 1) == "::";
        match text(i) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            "mod" if text(i + 2) == "{" => {
                inline.push(depth);
                depth += 1;
                i += 2;
            }
            "crate" if text(i + 1) == "as" => found.push(("self".into(), tokens[i].line)),
            "crate" if text(i + 1) == "::" => first_names(tokens, i + 2, &mut found),
            "super" if text(i + 1) == "::" && !follows_path => {
                let mut up = 1;
                let mut next = i + 2;
                while text(next) == "super" && text(next + 1) == "::" {
                    up += 1;
                    next += 2;
                }
                if up >= module.len() + inline.len() {
                    first_names(tokens, next, &mut found);
                }
                i = next - 1;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// The first name of a path that starts at `i`, or of each branch of a group `{a::b, c, self}`.
fn first_names(tokens: &[Token], i: usize, found: &mut Vec<(String, usize)>) {
    let Some(first) = tokens.get(i) else { return };
    if first.text != "{" {
        found.push((first.text.clone(), first.line));
        return;
    }
    let (mut depth, mut starts) = (1, true);
    for token in &tokens[i + 1..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => {
                starts = true;
                continue;
            }
            _ if depth == 1 && starts => found.push((token.text.clone(), token.line)),
            _ => {}
        }
        starts = false;
        if depth == 0 {
            return;
        }
    }
}

/// Everything that a source file does against the plan; `file` is its path below `src`, with `/`.
fn check(file: &str, source: &str) -> Vec<Violation> {
    let module = module_of(file);
    let tokens = tokens(source);
    let mut out = Vec::new();
    let mut report =
        |line: usize, what: String| out.push(Violation { file: format!("src/{file}"), line, what });

    let lines = source.lines().count();
    if lines > MAX_LINES {
        report(lines, format!("has {lines} lines; {MAX_LINES} is the most: split it by idea"));
    }
    // lib.rs declares the rooms, main.rs opens the door.
    let Some(room) = module.first() else {
        return out;
    };
    if !ROOMS.contains(&room.as_str()) {
        report(1, format!("`{room}` is no room of docs/architecture.md"));
        return out;
    }
    for (other, line) in uses(&module, &tokens) {
        if !ROOMS.contains(&other.as_str()) {
            report(line, format!("`crate::{other}`: name the room"));
        } else if !allowed(room, &other) {
            report(
                line,
                format!("`{room}` must not use `{other}`: see the table in docs/architecture.md"),
            );
        }
    }
    if TIMELESS.contains(&room.as_str()) {
        for clock in CLOCKS {
            for line in lines_with(&tokens, clock) {
                report(
                    line,
                    format!("`{room}` uses `{clock}`; time and chance come to it as data"),
                );
            }
        }
    }
    if room == "risk" {
        for outside in OUTSIDE {
            for line in lines_with(&tokens, outside) {
                report(line, format!("`risk` uses `{outside}`; it is pure"));
            }
        }
    }
    out
}

/// Lines on which a path, written as in [`CLOCKS`], stands.
fn lines_with(all: &[Token], path: &str) -> BTreeSet<usize> {
    let sought = tokens(path);
    all.windows(sought.len())
        .filter(|window| window.iter().zip(&sought).all(|(a, b)| a.text == b.text))
        .map(|window| window[0].line)
        .collect()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = ["target", ".cache", ".git", "node_modules", "__pycache__", "demo-state"];
        if skipped.iter().any(|s| name.to_str() == Some(s)) {
            continue;
        }
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fail_on(violations: Vec<impl fmt::Display>) {
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} against the plan:\n{}", list.len(), list.join("\n"));
}

// ----------------------------------------------------------------------------------------------------------- tests

#[test]
fn every_room_keeps_to_the_plan() {
    let src = root().join("src");
    let mut files = Vec::new();
    files_below(&src, &mut files);
    files.retain(|f| f.extension().is_some_and(|e| e == "rs"));
    files.sort();
    assert!(files.len() > ROOMS.len(), "the sources were not found below {}", src.display());
    let violations = files.iter().flat_map(|path| {
        let below = path
            .strip_prefix(&src)
            .expect("it was found there")
            .to_string_lossy()
            .replace('\\', "/");
        check(&below, &fs::read_to_string(path).expect("sources are UTF-8"))
    });
    fail_on(violations.collect());
}

#[test]
fn the_plan_is_written_down_with_every_room() {
    let plan =
        fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let missing: Vec<_> = ROOMS
        .iter()
        .filter(|r| !plan.contains(&format!("`{r}`")) && !plan.contains(&format!("`{r}/`")))
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md lacks {missing:?}");
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    let forbidden = [
        concat!("/", "work/"),
        concat!("/", "root/"),
        concat!("/", "home/"),
        concat!("/", "Users/"),
    ];
    let mut files = Vec::new();
    files_below(root(), &mut files);
    let mut found = Vec::new();
    for path in files {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let is_text = fs::metadata(&path).is_ok_and(|m| m.len() < 4 << 20);
        // Weights and pictures are no text; a worktree's `.git` is a file.
        let Some(text) = is_text.then(|| fs::read_to_string(&path).ok()).flatten() else {
            continue;
        };
        if shown == ".git" {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            if let Some(word) = forbidden.iter().find(|w| line.contains(**w)) {
                found.push(format!(
                    "{shown}:{}: names {word}…; use a relative path or a variable",
                    n + 1
                ));
            }
        }
    }
    fail_on(found);
}

mod the_checker {
    use super::*;

    fn whats(file: &str, source: &str) -> Vec<(usize, String)> {
        check(file, source).into_iter().map(|v| (v.line, v.what)).collect()
    }

    #[test]
    fn finds_each_kind_of_violation() {
        let source = r##"
            //! use crate::cli; in a comment is nothing
            use crate::{event::Event, config::Limits, delivery};
            use super::super::console::Page;
            /* crate::sim /* nested */ crate::sim */
            const A: &str = "crate::cli";
            const B: &str = r#"crate::cli "quoted" crate::cli"#;
            const C: char = '"';
            fn f<'a>(x: &'a str) -> crate::model::Score {
                let t = std::time::SystemTime::now();
                let u = jiff::Timestamp::now();
                crate::feed::ok()
            }
            mod tests {
                use super::super::super::sim;
                use super::helper;
            }
        "##;
        let found = whats("channel/window.rs", source);
        let lines = |word: &str| -> Vec<usize> {
            found.iter().filter(|(_, w)| w.contains(word)).map(|(l, _)| *l).collect()
        };
        assert_eq!(lines("must not use `delivery`"), [3]);
        assert_eq!(lines("must not use `console`"), [4]);
        assert_eq!(lines("must not use `sim`"), [15]);
        assert_eq!(lines("must not use `cli`"), [] as [usize; 0]);
        assert_eq!(lines("must not use `model`"), [] as [usize; 0]);
        assert_eq!(lines("`::now`"), [10, 11]);
        assert_eq!(lines("`SystemTime`"), [10]);
        assert_eq!(found.len(), 6, "{found:?}");
    }

    #[test]
    fn lets_pass_what_the_plan_allows() {
        let rule = "use crate::channel::Signals; use crate::telemetry::Handle; use super::helper; fn now() {}";
        assert_eq!(whats("risk/rule.rs", rule), []);
        assert_eq!(whats("cli/daemon.rs", "use crate::{sim, console::{self, Page}, event};"), []);
        assert_eq!(whats("lib.rs", "pub mod alert;"), []);
        assert_eq!(whats("feed/mod.rs", "fn f() { std::time::Instant::now(); }"), []);
    }

    #[test]
    fn knows_the_closed_rooms() {
        assert_eq!(whats("event/mod.rs", "use crate::config::Config;").len(), 1);
        assert_eq!(
            whats("config/mod.rs", "use crate::telemetry::X; use crate::event::Y;").len(),
            1
        );
        assert_eq!(whats("sim/mod.rs", "use crate::config::X; use crate::event::Y;").len(), 1);
        assert_eq!(whats("evidence/mod.rs", "use crate::risk::Level;").len(), 1);
        assert_eq!(whats("store/mod.rs", "use crate::*;").len(), 1);
        assert_eq!(whats("store/mod.rs", "use crate as c;").len(), 1);
        assert_eq!(whats("store/mod.rs", "use crate::{self as c};").len(), 1);
        assert_eq!(whats("risk/mod.rs", "use std::fs; fn f(){ tokio::spawn(x); }").len(), 2);
        assert_eq!(whats("attic/mod.rs", "").len(), 1);
    }

    #[test]
    fn counts_lines() {
        assert_eq!(whats("feed/mod.rs", &"\n".repeat(MAX_LINES)), []);
        assert_eq!(whats("feed/mod.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
    }
}
