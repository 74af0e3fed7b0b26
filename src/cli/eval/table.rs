//! Labelled messages as people keep them: CSV or TSV with a header. In: the file. Out: messages with what is known of
//! each label; errors name the line, what is wrong and how to mend it.

use std::path::Path;

use crate::config::Categories;
use crate::event::{CHAT_LABELS, ChatLabel, Setting};
use crate::model::Message;

/// A message and, by label, whether it holds it; `None`: doubtful, or not told.
pub struct Labelled {
    pub message: Message,
    pub holds: [Option<bool>; 8],
    /// From 1.
    pub line: usize,
}

/// What a column holds.
enum Column {
    Text,
    Category,
    Setting,
    Paid,
    Labels,
    Label(ChatLabel),
    Other,
}

/// Reads `text` (needed), `category` or `setting`, `paid`, and either a column a label (1, 0, empty: doubtful) or one
/// `labels` (`threat,toxicity?`, `-`: none). Lines that open with `#` are remarks.
pub fn read(path: &Path, categories: &Categories) -> Result<Vec<Labelled>, String> {
    let file = path.display();
    let all = std::fs::read_to_string(path).map_err(|e| format!("{file}: {e}"))?;
    let tabs = all.lines().find(|l| !l.starts_with('#')).is_some_and(|l| l.contains('\t'));
    let mut records = Records { rest: &all, line: 1, mark: if tabs { '\t' } else { ',' } };
    let wrong = |line: usize, what: String| format!("{file}:{line}: {what}");
    let (_, header) = records
        .next_record()
        .ok_or_else(|| format!("{file}: empty; give a header with `text` and the labels"))?
        .map_err(|(line, what)| wrong(line, what))?;
    let columns: Vec<Column> = header.iter().map(|name| column(name.trim())).collect();
    let has = |wanted: fn(&Column) -> bool| columns.iter().any(wanted);
    if !has(|c| matches!(c, Column::Text)) {
        return Err(wrong(1, format!("no column `text` in {}; add one", header.join(", "))));
    }
    if !has(|c| matches!(c, Column::Labels | Column::Label(_))) {
        let names = CHAT_LABELS.map(ChatLabel::name).join(", ");
        let mend = "add `labels`, or a column for each label";
        return Err(wrong(1, format!("no column holds labels; {mend}: {names}")));
    }
    let mut out = Vec::new();
    while let Some(record) = records.next_record() {
        let (line, cells) = record.map_err(|(line, what)| wrong(line, what))?;
        if cells.len() != columns.len() {
            let what = format!("{} columns, the header has {}", cells.len(), columns.len());
            return Err(wrong(line, format!("{what}; quote texts that hold the separator")));
        }
        let mut message = Message { text: "".into(), paid: false, setting: Setting::Unknown };
        let mut holds = [None; 8];
        for (column, cell) in columns.iter().zip(&cells) {
            fill(column, cell, categories, &mut message, &mut holds)
                .map_err(|what| wrong(line, what))?;
        }
        out.push(Labelled { message, holds, line });
    }
    Ok(out)
}

fn column(name: &str) -> Column {
    match name {
        "text" => Column::Text,
        "category" => Column::Category,
        "setting" => Column::Setting,
        "paid" => Column::Paid,
        "labels" => Column::Labels,
        name => ChatLabel::from_name(name).map_or(Column::Other, Column::Label),
    }
}

fn fill(
    column: &Column,
    cell: &str,
    categories: &Categories,
    message: &mut Message,
    holds: &mut [Option<bool>; 8],
) -> Result<(), String> {
    let word = cell.trim();
    match column {
        Column::Text => message.text = cell.into(),
        Column::Category if !word.is_empty() => message.setting = categories.setting(word),
        Column::Setting => {
            let known = Setting::ALL.into_iter().find(|setting| setting.name() == word);
            message.setting = known.ok_or_else(|| {
                format!(
                    "setting `{word}` is not known; {}",
                    Setting::ALL.map(Setting::name).join(", ")
                )
            })?;
        }
        Column::Paid => message.paid = truth(word, "paid")?.unwrap_or(false),
        Column::Label(label) => holds[*label as usize] = truth(word, label.name())?,
        Column::Labels => {
            *holds = [Some(false); 8];
            for name in word.split([',', ' ']).filter(|w| !matches!(*w, "" | "-")) {
                let (bare, sure) = match name.strip_suffix('?') {
                    Some(bare) => (bare, None),
                    None => (name, Some(true)),
                };
                let label = ChatLabel::from_name(bare).ok_or_else(|| {
                    let names = CHAT_LABELS.map(ChatLabel::name).join(", ");
                    format!("`{name}` is no label; {names}, each perhaps with `?`, or `-`")
                })?;
                holds[label as usize] = sure;
            }
        }
        Column::Category | Column::Other => {}
    }
    Ok(())
}

fn truth(word: &str, what: &str) -> Result<Option<bool>, String> {
    match word {
        "1" | "yes" | "true" => Ok(Some(true)),
        "0" | "no" | "false" => Ok(Some(false)),
        "" | "?" => Ok(None),
        _ => Err(format!("{what} is `{word}`; 1, 0 or nothing is wanted")),
    }
}

/// Records of RFC 4180, with any separator; a quoted cell may hold separators, quotes (doubled) and line ends.
struct Records<'a> {
    rest: &'a str,
    line: usize,
    mark: char,
}

impl Records<'_> {
    fn next_record(&mut self) -> Option<Result<(usize, Vec<String>), (usize, String)>> {
        loop {
            let line = self.rest.split('\n').next().unwrap_or_default();
            if self.rest.is_empty() {
                return None;
            }
            if !(line.starts_with('#') || line.trim().is_empty()) {
                break;
            }
            self.rest = self.rest.get(line.len() + 1..).unwrap_or_default();
            self.line += 1;
        }
        let first = self.line;
        let mut cells = vec![String::new()];
        let mut quoted = false;
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            let cell = cells.last_mut()?;
            match c {
                '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    cell.push('"');
                    chars.next();
                }
                '"' if quoted => quoted = false,
                // Tab-separated texts are written as they are.
                '"' if cell.is_empty() && self.mark == ',' => quoted = true,
                '\n' if !quoted => {
                    end = at + 1;
                    break;
                }
                c if c == self.mark && !quoted => cells.push(String::new()),
                c => cell.push(c),
            }
            self.line += usize::from(c == '\n');
        }
        if quoted {
            return Some(Err((first, "a quote is not closed; close it, or double it".into())));
        }
        self.line += usize::from(end > 0 && self.rest[..end].ends_with('\n'));
        self.rest = &self.rest[end..];
        if let Some(last) = cells.last_mut() {
            let bare = last.trim_end_matches('\r').len();
            last.truncate(bare);
        }
        Some(Ok((first, cells)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, content: &str) -> Result<Vec<Labelled>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        read(&path, &Categories::default())
    }

    #[test]
    fn a_column_a_label_or_one_for_all() {
        let rows = of("a.csv", "text,paid,threat,toxicity\n\"a, \"\"b\"\"\nc\",1,1,\nd,0,0,1\n");
        let rows = rows.unwrap();
        assert_eq!(&*rows[0].message.text, "a, \"b\"\nc");
        assert!(rows[0].message.paid && !rows[1].message.paid);
        let threat = ChatLabel::Threat as usize;
        let toxicity = ChatLabel::Toxicity as usize;
        assert_eq!((rows[0].holds[threat], rows[0].holds[toxicity]), (Some(true), None));
        assert_eq!((rows[1].holds[threat], rows[1].holds[toxicity]), (Some(false), Some(true)));
        assert_eq!((rows[0].line, rows[1].line), (2, 4));

        let rows = of(
            "b.tsv",
            "# by hand\nlabels\tsetting\ttext\nthreat,toxicity?\tgame\t\"x\n-\treal\ty\n",
        );
        let rows = rows.unwrap();
        assert_eq!((&*rows[0].message.text, rows[0].message.setting), ("\"x", Setting::Game));
        assert_eq!((rows[0].holds[threat], rows[0].holds[toxicity]), (Some(true), None));
        assert_eq!(rows[1].holds, [Some(false); 8]);
        assert_eq!(rows[1].line, 4);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (content, needles) in [
            ("", vec!["empty", "header"]),
            ("words,threat\na,1\n", vec![":1:", "no column `text`"]),
            ("text\na\n", vec![":1:", "no column holds labels", "threat"]),
            ("text,threat\na,1\nb\n", vec![":3:", "1 columns", "header has 2"]),
            ("text,threat\na,maybe\n", vec![":2:", "`maybe`", "1, 0 or nothing"]),
            ("text,labels\na,menace\n", vec![":2:", "`menace`", "self_harm_urging"]),
            ("text,setting,threat\na,play,1\n", vec![":2:", "`play`", "fiction"]),
            ("text,threat\n\"a,1\n", vec![":2:", "quote is not closed"]),
        ] {
            let error = of("x.csv", content).err().expect(content);
            for needle in needles {
                assert!(error.contains(needle), "{needle:?} is not told in {error}");
            }
        }
    }
}
