//! Labelled messages as people keep them: CSV or TSV with a header. In: the file. Out: messages with what is known of
//! each label; errors name the line, what is wrong and how to mend it.

use std::io::Read as _;
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
    let wrong = |line: usize, what: String| format!("{file}:{line}: {what}");
    let Records { header, rows } = records(path)?;
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
    let mut out = Vec::with_capacity(rows.len());
    for (line, cells) in rows {
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

/// A table's cells, line by line.
pub struct Records {
    pub header: Vec<String>,
    /// With their lines, from 1.
    pub rows: Vec<(usize, Vec<String>)>,
}

/// In the place of what follows the last record: if a quote is still open there, this ends in its cell.
const END: &str = "\u{0}end";

/// Reads CSV (RFC 4180), or TSV if its header holds a tab, whose texts are taken as they are. Lines that open with `#`
/// are remarks. Errors: file, line, what, how to mend it.
pub fn records(path: &Path) -> Result<Records, String> {
    let file = path.display();
    let all = std::fs::read_to_string(path).map_err(|e| format!("{file}: {e}"))?;
    let all = all.trim_start_matches('\u{feff}');
    let tabs = all.lines().find(|l| !l.starts_with('#')).is_some_and(|l| l.contains('\t'));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if tabs { b'\t' } else { b',' })
        .quoting(!tabs)
        .comment(Some(b'#'))
        .has_headers(false)
        .flexible(true)
        .from_reader(all.as_bytes().chain(b"\n".as_slice()).chain(END.as_bytes()));
    let mut rows: Vec<(usize, Vec<String>)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| format!("{file}: {e}"))?;
        let line = record.position().map_or(0, |at| at.line() as usize);
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        let last = cells.last().map(String::as_str).unwrap_or_default();
        if last.ends_with(END) && last.len() > END.len() {
            return Err(format!("{file}:{line}: a quote is not closed; close it, or double it"));
        }
        // Lines of blanks alone are none.
        if last != END && cells.iter().any(|cell| !cell.trim().is_empty()) {
            rows.push((line, cells));
        }
    }
    if rows.is_empty() {
        return Err(format!("{file}: empty; give a header that names its columns"));
    }
    let (_, header) = rows.remove(0);
    for (line, cells) in &rows {
        if cells.len() != header.len() {
            let what = format!("{} columns, the header has {}", cells.len(), header.len());
            return Err(format!("{file}:{line}: {what}; quote texts that hold the separator"));
        }
    }
    Ok(Records { header, rows })
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
            ("text,threat\n# x\n\nb,0\n\"a,1", vec![":5:", "quote is not closed"]),
            ("text,threat\nb,0,1\n\"a,1\n\n", vec![":3:", "quote is not closed"]),
        ] {
            let error = of("x.csv", content).err().expect(content);
            for needle in needles {
                assert!(error.contains(needle), "{needle:?} is not told in {error}");
            }
        }
    }
}
