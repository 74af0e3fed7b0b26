//! Reads the main file and the files it names into one checked [`Config`], or every problem in them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::check;
use super::peers::Rule;
use super::read::{inside_quotes, read};
use super::source::{ConfigErrors, Origin, Position, Problem, Source};
use super::tables::{AuthoritiesTable, Authority, Categories, CategoriesFile, Currency, RulesFile};
use super::types::Config;

/// The tables that are compiled in: used where the main file names none and none lies beside it.
const BUILT_IN: [(&str, &str); 4] = [
    ("rules.toml", include_str!("../../config/rules.toml")),
    ("categories.toml", include_str!("../../config/categories.toml")),
    ("currency.toml", include_str!("../../config/currency.toml")),
    ("authorities.toml", include_str!("../../config/authorities.toml")),
];

impl Config {
    /// Reads `path` and the files it names. Relative paths in it (but `[models]`, see there) are made relative to
    /// its folder. Credentials are not looked at: see [`Config::check_credentials`].
    ///
    /// # Errors
    /// Every problem that could be found, by place.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Self::load_and(path, &mut |_| Vec::new())
    }

    /// Like [`Config::load`]; `more` looks at what could be read, whatever else is wrong, so that its problems are told
    /// together with the others. What was wrong has its default there.
    ///
    /// # Errors
    /// As [`Config::load`], and what `more` found.
    pub fn load_and(
        path: &Path,
        more: &mut dyn FnMut(&Config) -> Vec<Problem>,
    ) -> Result<Config, ConfigErrors> {
        match open(path) {
            Ok(source) => Self::from_source(source, more),
            Err(failure) => Err(ConfigErrors(vec![failure.problem(
                Position::of_file(path),
                path,
                "write the file, or name another with `-c FILE` or `$VIGIE_CONFIG`",
            )])),
        }
    }

    /// Like [`Config::load`], from text that would stand in `file`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
        Self::from_source(Source::new(file, text.to_owned()), &mut |_| Vec::new())
    }

    fn from_source(
        source: Arc<Source>,
        more: &mut dyn FnMut(&Config) -> Vec<Problem>,
    ) -> Result<Config, ConfigErrors> {
        let mut problems = Vec::new();
        let defaults = json(&Config::default());
        let main = read::<Config>(&source, &defaults, &mut problems);
        let Some((mut config, at)) = main else {
            return Err(sorted(problems, &[&source.file]));
        };
        config.origin = Origin { file: source.file.clone(), at };
        let mut files = vec![source.file.clone()];
        check::main(&config, &mut problems);

        let mut names = HashMap::new();
        let mut rules = Vec::new();
        for (index, file) in config.rule_files.clone().iter().enumerate() {
            let key = format!("rules[{index}]");
            let Some(part) = beside(&config, file, &key, "rules", &mut problems) else {
                continue;
            };
            files.push(part.file.clone());
            let table = read::<RulesFile>(&part, &serde_json::json!({ "rule": [] }), &mut problems);
            let Some((mut table, at)) = table else {
                continue;
            };
            let origin = Origin { file: part.file.clone(), at };
            place_rules(&mut table.rule, &origin, &part);
            check::rules(&table.rule, &origin, &mut names, &mut problems);
            rules.append(&mut table.rule);
        }
        place_rules(&mut config.rules, &config.origin, &source);
        check::rules(&config.rules, &config.origin, &mut names, &mut problems);
        rules.append(&mut config.rules);
        config.rules = rules;

        let file = config.categories_file.clone();
        if let Some((table, origin)) =
            table::<CategoriesFile>(&config, &file, "categories", &mut files, &mut problems)
        {
            config.categories = categories(&table, &origin, &mut problems);
        }
        let file = config.currency.file.clone();
        if let Some((table, origin)) =
            table::<Currency>(&config, &file, "currency.file", &mut files, &mut problems)
        {
            check::currency(&table, &origin, &mut problems);
            config.currency.table = table;
        }
        let file = config.authorities.file.clone();
        if let Some((table, origin)) =
            table::<AuthoritiesTable>(&config, &file, "authorities.file", &mut files, &mut problems)
        {
            check::authorities(&table.authority, &origin, &mut problems);
            config.authorities.list.0 = merged(table.authority);
        }

        config.resolve_paths();
        check::files(&config, &mut problems);
        // What is told of a line already is not told twice, in other words.
        let told = |p: &Problem| {
            p.line > 0 && problems.iter().any(|q| (&q.file, q.line) == (&p.file, p.line))
        };
        let found: Vec<Problem> = more(&config).into_iter().filter(|p| !told(p)).collect();
        problems.extend(found);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(sorted(problems, &files.iter().collect::<Vec<_>>()))
        }
    }

    /// Digest of everything that decides: levels, rules, signals, limits, categories, currency. `sha256:…`, over
    /// their RFC 8785 canonical JSON.
    pub fn digest(&self) -> String {
        let deciding = serde_json::json!({
            "levels": json(&self.levels),
            "rules": json(&self.rules),
            "signals": json(&self.signals),
            "limits": json(&self.limits),
            "categories": json(&self.categories),
            "currency": json(&self.currency.table),
        });
        // A JSON value always canonicalises: its numbers are finite and its keys are strings.
        let bytes = serde_json_canonicalizer::to_vec(&deciding).unwrap_or_default();
        let mut out = String::from("sha256:");
        for byte in Sha256::digest(&bytes) {
            out.push_str(&format!("{byte:02x}"));
        }
        out
    }

    /// The JSON Schema of the main file.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Config).to_value()
    }

    /// Where a file of `[models]` is looked for, in this order: as it is if absolute; else beside the config, in
    /// the folder above it, beside the binary and in the folders above it (a checkout's `target/…`), in
    /// `/usr/lib/vigie`.
    pub fn candidates(&self, path: &Path) -> Vec<PathBuf> {
        if path.is_absolute() {
            return vec![path.to_owned()];
        }
        let base = self.origin.base();
        let mut out = vec![base.join(path), base.join("..").join(path)];
        if let Ok(binary) = std::env::current_exe() {
            out.extend(binary.ancestors().skip(1).take(5).map(|folder| folder.join(path)));
        }
        // The folder that the command was typed in: the checkout, most often.
        out.extend(std::env::current_dir().map(|folder| folder.join(path)));
        out.push(Path::new("/usr/lib/vigie").join(path));
        out
    }

    fn resolve_paths(&mut self) {
        let base = self.origin.base().to_owned();
        let resolve = |path: &mut PathBuf| {
            if path.is_relative() && !path.as_os_str().is_empty() {
                *path = base.join(&*path);
            }
        };
        resolve(&mut self.store.dir);
        for feed in &mut self.feeds {
            feed.path.iter_mut().chain(feed.ca.iter_mut()).for_each(resolve);
        }
        for sink in &mut self.sinks {
            sink.path.iter_mut().chain(sink.ca.iter_mut()).for_each(resolve);
        }
    }
}

/// A plain value's JSON; the types of this room hold only finite numbers once they are checked.
pub(super) fn json<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn sorted(mut problems: Vec<Problem>, files: &[&PathBuf]) -> ConfigErrors {
    let rank = |file: &PathBuf| files.iter().position(|known| *known == file).unwrap_or(usize::MAX);
    problems.sort_by_key(|problem| (rank(&problem.file), problem.line, problem.column));
    ConfigErrors(problems)
}

/// Why a file could not be opened.
enum Failure {
    Io(io::Error),
    NotText(Position),
}

impl Failure {
    fn problem(self, named_at: Position, path: &Path, mend: &str) -> Problem {
        let shown = path.display();
        match self {
            Failure::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                named_at.problem(format!("there is no file {shown}"), "a file that exists", mend)
            }
            Failure::Io(_) if path.is_dir() => {
                named_at.problem(format!("{shown} is a folder"), "a file", mend)
            }
            Failure::Io(error) => named_at.problem(
                format!("{shown} cannot be read: {error}"),
                "a file that can be read",
                mend,
            ),
            Failure::NotText(at) => at.problem(
                "the file is not UTF-8 text",
                "UTF-8 text",
                "save it as UTF-8, or name the right file",
            ),
        }
    }
}

fn open(path: &Path) -> Result<Arc<Source>, Failure> {
    let bytes = std::fs::read(path).map_err(Failure::Io)?;
    match String::from_utf8(bytes) {
        // Editors of other systems begin a file with this mark; it is no part of the text.
        Ok(text) => Ok(Source::new(path, text.trim_start_matches('\u{feff}').to_owned())),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Err(Failure::NotText(Source::new(path, text).at(good..good)))
        }
    }
}

/// A file that the main one names at `key`; the built-in one if `written_key` is not written and none lies there.
fn beside(
    config: &Config,
    file: &Path,
    key: &str,
    written_key: &str,
    problems: &mut Vec<Problem>,
) -> Option<Arc<Source>> {
    let path = config.origin.base().join(file);
    match open(&path) {
        Ok(source) => Some(source),
        Err(Failure::Io(error))
            if error.kind() == io::ErrorKind::NotFound
                && !config.origin.is_written(written_key) =>
        {
            let (name, text) = BUILT_IN.iter().find(|(name, _)| Path::new(name) == file)?;
            Some(Source::new(&Path::new("<built-in>").join(name), (*text).to_owned()))
        }
        Err(failure) => {
            let mend =
                "write the file, or name one that exists; its path starts from this file's folder";
            problems.push(failure.problem(config.origin.position(key), &path, mend));
            None
        }
    }
}

fn table<T: DeserializeOwned>(
    config: &Config,
    file: &Path,
    key: &str,
    files: &mut Vec<PathBuf>,
    problems: &mut Vec<Problem>,
) -> Option<(T, Origin)> {
    let source = beside(config, file, key, key, problems)?;
    files.push(source.file.clone());
    let (table, at) = read(&source, &serde_json::Value::Null, problems)?;
    Some((table, Origin { file: source.file.clone(), at }))
}

fn place_rules(rules: &mut [Rule], origin: &Origin, source: &Arc<Source>) {
    for (index, rule) in rules.iter_mut().enumerate() {
        rule.when_at =
            inside_quotes(source, origin.position(&format!("rule[{index}].when")).span());
    }
}

fn categories(table: &CategoriesFile, origin: &Origin, problems: &mut Vec<Problem>) -> Categories {
    let mut out = Categories::default();
    for (list, setting, names) in table.lists() {
        for (index, name) in names.iter().enumerate() {
            if let Some(other) = out.0.insert(name.trim().to_lowercase(), setting) {
                problems.push(origin.position(&format!("{list}[{index}]")).problem(
                    format!(
                        "`{name}` stands in this table twice, here and under `{}`",
                        other.name()
                    ),
                    "each category once, letter case aside",
                    "remove one of the two",
                ));
            }
        }
    }
    out
}

/// The built-in authorities with the operator's in their place; new ones follow.
fn merged(own: Vec<Authority>) -> Vec<Authority> {
    let (name, text) = BUILT_IN[3];
    let built_in: AuthoritiesTable = toml::from_str(text).unwrap_or_else(|error| {
        // The file is compiled in and a test reads it.
        unreachable!("{name}: {error}")
    });
    let mut out = built_in.authority;
    for entry in own {
        match out.iter_mut().find(|known| known.code == entry.code) {
            Some(known) => *known = entry,
            None => out.push(entry),
        }
    }
    out
}
