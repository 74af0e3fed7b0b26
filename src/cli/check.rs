//! `vigie check`: config, rules, models and credentials. In: a config's path. Out: what would run under it, or every
//! problem with its place and how to mend it.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::{CliError, say, setup, tell};
use crate::config::{
    Config, ConfigErrors, CredentialError, Problem, credential, credential_variable,
};
use crate::event::{CHAT_LABELS, FRAME_LABELS};
use crate::model::{Escalation, Manifest, ModelError, ModelKind, Scorer};
use crate::risk::Judge;

/// Keys that only this machine needs: made in the state folder where no credential gives them.
const OWN_KEYS: [&str; 2] = ["user-key", "identity-key"];

/// Prints what it found; exit 2 if anything must be mended.
pub fn run(path: &Path, as_json: bool, verbose: bool) -> Result<(), CliError> {
    match examine(path) {
        Ok(report) if as_json => say(report.json()),
        Ok(report) => say(report.told(path, verbose)),
        Err(errors) => {
            if as_json {
                say(json!({ "ok": false, "problems": errors.0 }))?;
            } else {
                tell(errors.to_string().trim_end());
            }
            Err(CliError::Silent(2))
        }
    }
}

#[derive(Serialize)]
struct Report {
    feeds: usize,
    sinks: usize,
    rules: usize,
    shadow_rules: usize,
    inactive_rules: Vec<String>,
    models: Vec<String>,
    labels_without_a_model: Vec<&'static str>,
    languages_measured: Vec<String>,
    keys: Vec<Key>,
    authorities: usize,
    authorities_to_verify: Vec<String>,
    /// What will run, but not as one might think.
    notes: Vec<String>,
    /// Digest of what decides.
    config: String,
}

/// One of [`OWN_KEYS`].
#[derive(Serialize)]
struct Key {
    name: &'static str,
    from: KeyFrom,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum KeyFrom {
    /// systemd or the environment gives it.
    Credential,
    /// An earlier run made it in the state folder.
    StateFolder,
    /// The first run will make it there.
    FirstRun,
}

fn examine(path: &Path) -> Result<Report, ConfigErrors> {
    let mut found = None;
    let config = Config::load_and(path, &mut |config| {
        let mut problems = Vec::new();
        let judge = setup::judge(config).map_err(|errors| problems.extend(errors.0)).ok();
        problems.extend(config.check_credentials());
        let keys = own_keys(config, &mut problems);
        let manifest = models(config, &mut problems);
        found = judge.zip(manifest).zip(Some(keys));
        problems
    })?;
    // There is no problem, so all three were found.
    let Some(((judge, manifest), keys)) = found else { return Err(ConfigErrors::default()) };
    Ok(report(&config, &judge, &manifest, keys))
}

/// Where the keys come from. Nothing is made here: who checks may be somebody else than who runs.
fn own_keys(config: &Config, problems: &mut Vec<Problem>) -> Vec<Key> {
    let mut keys = Vec::new();
    for name in OWN_KEYS {
        let from = match credential(name) {
            Ok(_) => KeyFrom::Credential,
            Err(CredentialError::Missing { .. }) if config.store.dir.join(name).exists() => {
                KeyFrom::StateFolder
            }
            Err(CredentialError::Missing { .. }) => KeyFrom::FirstRun,
            Err(error) => {
                problems.push(config.origin.position("store.dir").problem(
                    error.to_string(),
                    "a key, or none at all: then one is made in the state folder",
                    format!(
                        "give `{name}` by systemd or `{}`, or take it away",
                        credential_variable(name)
                    ),
                ));
                continue;
            }
        };
        keys.push(Key { name, from });
    }
    keys
}

/// The manifest, if it can be read; each model is opened on its own, so that each one's problem is told.
fn models(config: &Config, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let mut no = |error: &ModelError| problems.push(setup::model_problem(config, error));
    let manifest = match setup::models(config) {
        Ok(manifest) => manifest,
        Err(error) => {
            no(&error);
            if matches!(error, ModelError::Runtime { .. }) {
                // Without the runtime the manifest can still be read.
                setup::manifest(config).map_err(|error| no(&error)).ok();
            }
            return None;
        }
    };
    for model in &manifest.models {
        let alone = Manifest {
            schema: manifest.schema,
            models: vec![model.clone()],
            dir: manifest.dir.clone(),
        };
        let opened = match model.kind {
            ModelKind::Tabular => Escalation::open(&alone).map(|_| ()),
            ModelKind::Text | ModelKind::Image => Scorer::open(&alone).map(|_| ()),
        };
        if let Err(error) = opened {
            no(&error);
        }
    }
    Some(manifest)
}

fn report(config: &Config, judge: &Judge, manifest: &Manifest, keys: Vec<Key>) -> Report {
    let labels: Vec<&str> = manifest.models.iter().flat_map(|model| model.labels()).collect();
    let all = CHAT_LABELS.iter().map(|l| l.name()).chain(FRAME_LABELS.iter().map(|l| l.name()));
    let text = manifest.of_kind(ModelKind::Text).next();
    let authorities = &config.authorities.list;
    Report {
        feeds: config.feeds.len(),
        sinks: config.sinks.len(),
        rules: judge.rules.len(),
        shadow_rules: judge.rules.iter().filter(|rule| rule.shadow).count(),
        inactive_rules: setup::inactive_rules(judge, manifest),
        models: manifest.models.iter().map(|model| model.told()).collect(),
        labels_without_a_model: all.filter(|label| !labels.contains(label)).collect(),
        languages_measured: text.map(|model| model.languages.clone()).unwrap_or_default(),
        keys,
        authorities: authorities.0.len(),
        authorities_to_verify: authorities.to_verify().map(|a| a.code.clone()).collect(),
        notes: notes(config, manifest),
        config: config.digest(),
    }
}

fn notes(config: &Config, manifest: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    if config.feeds.is_empty() {
        notes.push("no feed is configured: nothing will be watched".to_owned());
    }
    if config.sinks.is_empty() {
        notes.push("no sink is configured: nobody will be told, alerts are only shown".to_owned());
    }
    let kinds = [
        (ModelKind::Text, "no model reads chat"),
        (ModelKind::Image, "no model sees pictures"),
        (ModelKind::Tabular, "no escalation model: rules alone decide"),
    ];
    let missing = kinds.iter().filter(|(kind, _)| manifest.of_kind(*kind).next().is_none());
    notes.extend(missing.map(|(_, what)| (*what).to_owned()));
    notes
}

/// `1 feed`, `2 feeds`.
fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

impl Report {
    fn json(&self) -> serde_json::Value {
        let mut all = json!({ "ok": true, "problems": [] });
        // A struct of plain values with names for keys always becomes an object.
        if let (Some(all), Ok(serde_json::Value::Object(own))) =
            (all.as_object_mut(), serde_json::to_value(self))
        {
            all.extend(own);
        }
        all
    }

    fn told(&self, path: &Path, verbose: bool) -> String {
        let mut lines = vec![format!("{}:", path.display())];
        let mut row = |name: &str, what: String| lines.push(format!("  {name:<12} {what}"));
        row("models", self.models.join(", "));
        if !self.labels_without_a_model.is_empty() {
            row("", format!("no model measures: {}", self.labels_without_a_model.join(", ")));
        }
        if !self.languages_measured.is_empty() {
            let measured = self.languages_measured.join(", ");
            row("", format!("languages measured: {measured}; others are told as not measured"));
        }
        row("rules", format!("{}, {} of them in shadow", self.rules, self.shadow_rules));
        if !self.inactive_rules.is_empty() {
            row("", format!("inactive for want of a model: {}", self.inactive_rules.join(", ")));
        }
        for key in &self.keys {
            let from = match key.from {
                KeyFrom::Credential => "given as a credential",
                KeyFrom::StateFolder => "in the state folder",
                KeyFrom::FirstRun => "not given: the first run makes it in the state folder",
            };
            row("keys", format!("{:<13}{from}", key.name));
        }
        let unverified = self.authorities_to_verify.len();
        row(
            "authorities",
            format!("{}, {unverified} of them still to be verified", self.authorities),
        );
        if verbose && unverified > 0 {
            row("", format!("to be verified: {}", self.authorities_to_verify.join(", ")));
        }
        for note in &self.notes {
            row("note", note.clone());
        }
        row("digest", self.config.clone());
        lines.push(format!(
            "ok: {}, {}, {}, {}",
            count(self.feeds, "feed"),
            count(self.sinks, "sink"),
            count(self.rules, "rule"),
            count(self.models.len(), "model"),
        ));
        lines.join("\n")
    }
}
