//! `vigie check`: config, rules, models and credentials, every problem with its place and how to mend it.

use std::path::Path;

use serde_json::json;

use super::CliError;
use super::setup;
use crate::config::{Config, ConfigErrors, credential};
use crate::event::{CHAT_LABELS, FRAME_LABELS};
use crate::model::{Escalation, Manifest, ModelKind, Scorer};

/// Prints what it found; exit 2 if anything must be mended.
pub fn run(path: &Path, as_json: bool) -> Result<(), CliError> {
    let found = examine(path);
    match found {
        Ok(report) if as_json => println!("{}", report.json()),
        Ok(report) => report.print(path),
        Err(errors) => {
            if as_json {
                println!("{}", json!({ "ok": false, "problems": errors.to_json() }));
            } else {
                eprintln!("{}", errors.to_string().trim_end());
            }
            return Err(CliError::Silent(2));
        }
    }
    Ok(())
}

struct Report {
    feeds: usize,
    sinks: usize,
    rules: usize,
    shadow: usize,
    inactive: Vec<String>,
    models: Vec<String>,
    absent: Vec<&'static str>,
    languages: Vec<String>,
    made: Vec<&'static str>,
    to_verify: Vec<String>,
    digest: String,
}

fn examine(path: &Path) -> Result<Report, ConfigErrors> {
    let config = Config::load(path)?;
    let judge = setup::judge(&config)?;
    let mut problems = config.check_credentials();
    let manifest = match setup::models(&config).and_then(|manifest| {
        Scorer::open(&manifest)?;
        Escalation::open(&manifest)?;
        Ok(manifest)
    }) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            problems.push(setup::model_problem(&config, &error));
            None
        }
    };
    let (true, Some(manifest)) = (problems.is_empty(), manifest) else {
        return Err(ConfigErrors(problems));
    };
    let labels: Vec<&str> = manifest.models.iter().flat_map(|model| model.labels()).collect();
    let all = CHAT_LABELS.iter().map(|l| l.name()).chain(FRAME_LABELS.iter().map(|l| l.name()));
    let text = manifest.of_kind(ModelKind::Text).next();
    Ok(Report {
        feeds: config.feeds.len(),
        sinks: config.sinks.len(),
        rules: judge.rules.len(),
        shadow: judge.rules.iter().filter(|rule| rule.shadow).count(),
        inactive: setup::inactive_rules(&judge, &manifest),
        absent: all.filter(|label| !labels.contains(label)).collect(),
        languages: text.map(|model| model.languages.clone()).unwrap_or_default(),
        models: told(&manifest),
        made: own_keys(),
        to_verify: config.authorities.list.to_verify().map(|a| a.code.clone()).collect(),
        digest: config.digest(),
    })
}

fn told(manifest: &Manifest) -> Vec<String> {
    manifest.models.iter().map(|model| model.told()).collect()
}

/// Keys that no credential gives: they are made in the state folder, or stand there already.
fn own_keys() -> Vec<&'static str> {
    ["user-key", "identity-key"].into_iter().filter(|name| credential(name).is_err()).collect()
}

impl Report {
    fn json(&self) -> serde_json::Value {
        json!({
            "ok": true, "problems": [], "feeds": self.feeds, "sinks": self.sinks, "rules": self.rules,
            "shadow_rules": self.shadow, "inactive_rules": self.inactive, "models": self.models,
            "labels_without_a_model": self.absent, "languages_measured": self.languages,
            "keys_made_in_the_state_folder": self.made, "authorities_to_verify": self.to_verify, "config": self.digest,
        })
    }

    fn print(&self, path: &Path) {
        println!("{}: ok", path.display());
        println!("  feeds      {}", self.feeds);
        println!("  sinks      {}", self.sinks);
        println!("  rules      {}, {} of them in shadow mode", self.rules, self.shadow);
        if !self.inactive.is_empty() {
            println!("             inactive for want of a model: {}", self.inactive.join(", "));
        }
        println!("  models     {}", self.models.join(", "));
        println!("             no model for: {}", self.absent.join(", "));
        println!("             languages measured: {}", self.languages.join(", "));
        if !self.made.is_empty() {
            println!(
                "  keys       {} kept in the state folder (no credential gives them)",
                self.made.join(", ")
            );
        }
        println!(
            "  addresses  {} authorities to verify: {}",
            self.to_verify.len(),
            self.to_verify.join(", ")
        );
        if self.feeds == 0 {
            println!("  note       no feed is configured: nothing will be watched");
        }
        if self.sinks == 0 {
            println!(
                "  note       no sink is configured: nobody will be told, alerts are only shown"
            );
        }
        println!("  config     {}", self.digest);
    }
}
