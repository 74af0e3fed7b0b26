//! `vigie eval frames PATH`: labelled pictures, folders of pictures and videos through the picture models. In: a folder
//! whose sub-folders are labels, or a table. Out: by label, and by source, how much is found and how much of what is
//! raised is right, with intervals; the worst mistakes; with another manifest, the same of its models.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chat::against;
use super::measure::{self, Difference, Judged, Pair, Row};
use super::table::{self, Records};
use crate::cli::args::EvalFramesArgs;
use crate::cli::{CliError, say, score, setup};
use crate::event::{FRAME_LABELS, FrameLabel, harm};
use crate::model::{Manifest, ModelKind, Scorer};

const LABELS: usize = FRAME_LABELS.len();

/// What is known of a thing, by label; `None`: nothing.
type Holds = [Option<bool>; LABELS];

/// A picture, a folder of pictures that follow one another, or a video.
#[derive(Debug, PartialEq)]
struct Labelled {
    path: PathBuf,
    holds: Holds,
    source: Option<String>,
}

/// A mistake: what was said, how surely, and of what.
#[derive(Debug, Serialize)]
struct Mistake<'a> {
    path: &'a Path,
    /// Second at which the highest look begins.
    at: f64,
    label: &'static str,
    /// `raised` or `missed`.
    what: &'static str,
    score: f32,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    source: &'a str,
    labels: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Unread<'a> {
    path: &'a Path,
    error: String,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Pictures, folders and videos that could be read.
    things: usize,
    at: f32,
    this: Judged,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Judged>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Source<'a>>,
    mistakes: Vec<Mistake<'a>>,
    unread: Vec<Unread<'a>>,
}

/// Exit 2 for a set that cannot be read, 1 where some of its pictures cannot.
pub fn frames(args: &EvalFramesArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let all = read(&args.path).map_err(CliError::Usage)?;
    let manifest = setup::models(&config)?;
    let this = Scored::of(&manifest, &all, args.fps)?;
    let other = args.against.as_deref().map(|path| -> Result<_, CliError> {
        let manifest = Manifest::load(&against(path))?;
        Scored::of(&manifest, &all, args.fps)
    });
    let other = other.transpose()?;
    let mistakes = measure::worst(this.judged(), args.worst).into_iter().map(|wrong| Mistake {
        path: &all[wrong.place].path,
        at: this.at[wrong.place],
        label: wrong.label,
        what: wrong.what,
        score: wrong.score,
    });
    let differ = |other: &Scored| -> Vec<Difference> {
        let both = this.judged().zip(&other.pairs);
        both.filter_map(|((label, this), other)| measure::differ(label, this, other)).collect()
    };
    let unread = this
        .unread
        .iter()
        .map(|(place, error)| Unread { path: &all[*place].path, error: error.clone() });
    let report = Report {
        things: all.len() - this.unread.len(),
        at: harm::FLOOR,
        mistakes: mistakes.collect(),
        differences: other.as_ref().map(differ).unwrap_or_default(),
        sources: sources(&all, &this),
        unread: unread.collect(),
        other: other.map(|other| measure::judge(other.model.clone(), other.judged())),
        this: measure::judge(this.model.clone(), this.judged()),
    };
    // Strings, numbers and lists under fixed names always serialise; a path that is no Unicode does not.
    let told = match args.json {
        true => serde_json::to_string(&report).map_err(|e| CliError::Runtime(e.to_string()))?,
        false => report.told(),
    };
    say(told)?;
    match report.unread.len() {
        0 => Ok(()),
        n => Err(CliError::Runtime(format!("{n} of {} could not be read", all.len()))),
    }
}

/// What a model says of all.
struct Scored {
    model: String,
    /// By label, then by thing.
    pairs: Vec<Vec<Pair>>,
    at: Vec<f64>,
    unread: Vec<(usize, String)>,
}

impl Scored {
    fn of(manifest: &Manifest, all: &[Labelled], fps: f64) -> Result<Self, CliError> {
        let mut scored = Self {
            model: score::told(manifest, ModelKind::Image, "pictures")?,
            pairs: vec![Vec::new(); LABELS],
            at: Vec::with_capacity(all.len()),
            unread: Vec::new(),
        };
        let mut scorer = Scorer::open(&manifest.only(ModelKind::Image))?;
        let bar = score::progress("pictures, folders and videos");
        for (place, thing) in all.iter().enumerate() {
            let clip = score::Clip::of(&thing.path, fps, &mut scorer)?;
            let clip = clip.map_err(|error| scored.unread.push((place, error))).ok();
            for (label, pairs) in FRAME_LABELS.into_iter().zip(&mut scored.pairs) {
                let p = clip.as_ref().and_then(|clip| clip.scores.frame(label));
                pairs.push(thing.holds[label as usize].zip(p));
            }
            scored.at.push(clip.map_or(0.0, |clip| clip.at));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(scored)
    }

    fn judged(&self) -> impl Iterator<Item = (&'static str, &[Pair])> {
        FRAME_LABELS.iter().zip(&self.pairs).map(|(label, pairs)| (label.name(), pairs.as_slice()))
    }
}

/// Each source on its own, where there are sources; labels of which it shows neither are left out.
fn sources<'a>(all: &'a [Labelled], scored: &Scored) -> Vec<Source<'a>> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, thing) in all.iter().enumerate() {
        if let Some(source) = &thing.source {
            places.entry(source).or_default().push(place);
        }
    }
    let of = |(source, places): (&'a str, Vec<usize>)| {
        let rows = scored.judged().filter_map(|(label, pairs)| {
            let own: Vec<Pair> = places.iter().map(|place| pairs[*place]).collect();
            measure::row(label, &own)
        });
        Source { source, labels: rows.collect() }
    };
    places.into_iter().map(of).collect()
}

fn read(path: &Path) -> Result<Vec<Labelled>, String> {
    if path.is_dir() { folders(path) } else { listed(path) }
}

/// Sub-folders named after what they hold.
fn folders(path: &Path) -> Result<Vec<Labelled>, String> {
    let file = path.display();
    let mut out = Vec::new();
    for folder in within(path)? {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !folder.is_dir() || name.starts_with('.') {
            continue;
        }
        let holds = holds(name).map_err(|what| format!("{}: {what}", folder.display()))?;
        let things = within(&folder)?.into_iter();
        let things = things.filter(|thing| thing.is_dir() || score::is_seen(thing));
        out.extend(things.map(|path| Labelled { path, holds, source: None }));
    }
    if out.is_empty() {
        let mend = "put pictures into sub-folders named after labels, like violence and none";
        return Err(format!("{file}: no labelled picture; {mend}"));
    }
    Ok(out)
}

/// In order of name.
fn within(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |e: std::io::Error| format!("{}: {e}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(told)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(told)?;
    paths.sort();
    Ok(paths)
}

/// A table with `path`, `label` and perhaps `source`.
fn listed(table: &Path) -> Result<Vec<Labelled>, String> {
    let file = table.display();
    let Records { header, rows } = table::records(table)?;
    let column = |names: &[&str]| header.iter().position(|name| names.contains(&name.trim()));
    let (Some(path), Some(label)) = (column(&["path"]), column(&["label", "labels"])) else {
        let found = header.join(", ");
        return Err(format!("{file}:1: the columns `path` and `label` are wanted, not {found}"));
    };
    let source = column(&["source"]);
    let folder = table.parent().unwrap_or(Path::new("."));
    let thing = |(line, cells): (usize, Vec<String>)| {
        let own = holds(&cells[label]).map_err(|what| format!("{file}:{line}: {what}"))?;
        let source = source.map(|at| cells[at].trim().to_owned()).filter(|name| !name.is_empty());
        Ok(Labelled { path: folder.join(cells[path].trim()), holds: own, source })
    };
    rows.into_iter().map(thing).collect()
}

/// Of words like `violence`, `not_violence`, `nudity+camera`, `violence?`, `none`.
fn holds(words: &str) -> Result<Holds, String> {
    let mut out = [None; LABELS];
    let mut any = false;
    for word in words.split([',', '+', ' ']).filter(|word| !word.is_empty()) {
        any = true;
        if matches!(word, "none" | "-") {
            out = [Some(false); LABELS];
            continue;
        }
        let (bare, sure) = match (word.strip_prefix("not_"), word.strip_suffix('?')) {
            (Some(bare), _) => (bare, Some(false)),
            (_, Some(bare)) => (bare, None),
            _ => (word, Some(true)),
        };
        let Some(label) = FrameLabel::from_name(bare) else {
            let names = FRAME_LABELS.map(FrameLabel::name).join(", ");
            return Err(format!("`{word}` is no label; {names}, not_LABEL, LABEL?, none"));
        };
        out[label as usize] = sure;
    }
    any.then_some(out).ok_or_else(|| "no label; `none` where it holds none".into())
}

impl Report<'_> {
    /// For people.
    fn told(&self) -> String {
        let mut out = String::new();
        for judged in std::iter::once(&self.this).chain(&self.other) {
            let what = "pictures, folders and videos";
            measure::tell(judged, self.things, what, &mut out);
        }
        measure::tell_differences(&self.differences, &mut out);
        if !self.sources.is_empty() {
            let _ =
                writeln!(out, "\n{:<24} {:<12} {:<28} raised wrongly", "source", "label", "found");
        }
        for Source { source, labels } in &self.sources {
            for row in labels {
                let share = |hits: u64, of: u64| {
                    let (low, high) = super::interval::share(hits, of);
                    match of {
                        0 => "-".to_owned(),
                        _ => format!("{hits} of {of} [{low:.2}, {high:.2}]"),
                    }
                };
                let (found, wrong) =
                    (share(row.found, row.hold), share(row.raised_wrongly, row.hold_not));
                let _ = writeln!(out, "{source:<24} {:<12} {found:<28} {wrong}", row.label);
            }
        }
        if !self.mistakes.is_empty() {
            let _ = writeln!(out, "\nworst mistakes");
        }
        for Mistake { path, at, label, what, score } in &self.mistakes {
            let at = if *at > 0.0 { format!(" at {at} s") } else { String::new() };
            let _ = writeln!(out, "{what} {label:<12} {score:.2}  {}{at}", path.display());
        }
        if !self.unread.is_empty() {
            let _ = writeln!(out, "\nnot read, and in no figure");
        }
        for Unread { path, error } in &self.unread {
            let _ = writeln!(out, "{}: {error}", path.display());
        }
        out.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIOLENCE: usize = FrameLabel::Violence as usize;
    const CAMERA: usize = FrameLabel::Camera as usize;

    #[test]
    fn a_name_says_what_is_known_and_nothing_of_the_rest() {
        let one = |at: usize, is: Option<bool>| {
            let mut out: Holds = [None; LABELS];
            out[at] = is;
            out
        };
        assert_eq!(holds("violence").unwrap(), one(VIOLENCE, Some(true)));
        assert_eq!(holds("not_violence").unwrap(), one(VIOLENCE, Some(false)));
        assert_eq!(holds("violence?").unwrap(), [None; LABELS]);
        assert_eq!(holds("none").unwrap(), [Some(false); LABELS]);
        let both = holds("none, camera").unwrap();
        assert_eq!((both[VIOLENCE], both[CAMERA]), (Some(false), Some(true)));
        assert_eq!(holds("violence+camera").unwrap()[CAMERA], Some(true));
        for (words, needle) in
            [("fight", "`fight` is no label"), ("", "no label"), (" ,", "no label")]
        {
            let error = holds(words).unwrap_err();
            assert!(error.contains(needle) && error.contains("none"), "{error}");
        }
    }

    #[test]
    fn folders_and_tables_tell_the_same_and_what_is_wrong_with_them() {
        let set = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = set.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for name in ["violence/b.jpg", "violence/a.JPG", "violence/notes.txt", "none/look/1.jpg"] {
            write(name, "");
        }
        let of = |all: &[Labelled]| -> Vec<(String, Option<bool>)> {
            let name = |path: &Path| path.strip_prefix(set.path()).unwrap().display().to_string();
            all.iter().map(|thing| (name(&thing.path), thing.holds[VIOLENCE])).collect()
        };
        let wanted = [
            ("none/look".to_owned(), Some(false)),
            ("violence/a.JPG".to_owned(), Some(true)),
            ("violence/b.jpg".to_owned(), Some(true)),
        ];
        assert_eq!(of(&read(set.path()).unwrap()), wanted);
        write(
            "t.csv",
            "source,label,path\ncam,none,none/look\n,violence,violence/a.JPG\ncam,violence,violence/b.jpg\n",
        );
        let all = read(&set.path().join("t.csv")).unwrap();
        assert_eq!(of(&all), wanted);
        assert_eq!((all[0].source.as_deref(), all[1].source.as_deref()), (Some("cam"), None));
        for (content, needles) in [
            ("file,label\na,none\n", [":1:", "`path` and `label`"]),
            ("path,label\na,none\nb,fight\n", [":3:", "`fight` is no label"]),
            ("path,label\n\"a,none\n", [":2:", "quote is not closed"]),
        ] {
            write("bad.csv", content);
            let error = read(&set.path().join("bad.csv")).unwrap_err();
            needles.iter().for_each(|needle| assert!(error.contains(needle), "{needle}: {error}"));
        }
        write("fights/a.jpg", "");
        assert!(read(set.path()).unwrap_err().contains("`fights` is no label"));
        let empty = tempfile::tempdir().unwrap();
        assert!(read(empty.path()).unwrap_err().contains("no labelled picture"));
    }
}
