//! From a checked config to the parts that commands share: the judge with its rules, what alerts have in common, the
//! models. Errors are told with their place in the config where they have one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, ConfigErrors, Mode, Problem};
use crate::event::{Setting, Signal, Timestamp};
use crate::model::{Escalation, Manifest, ModelError, compute_on, load_runtime};
use crate::risk::{Judge, Outputs, Rule, RuleError};
use crate::telemetry::Clock;

use super::engine::{Engine, Oracle};
use super::terms::Terms;

/// Loads a config whose rules compile; prints nothing.
pub fn config(path: &Path) -> Result<Config, ConfigErrors> {
    Config::load_and(path, &mut |config| problems(judge(config)))
}

/// Like [`config`], and its credentials are there: all that can be wrong but the models.
pub fn config_with_secrets(path: &Path) -> Result<Config, ConfigErrors> {
    Config::load_and(path, &mut |config| {
        let mut found = problems(judge(config));
        found.extend(config.check_credentials());
        found
    })
}

fn problems<T>(result: Result<T, ConfigErrors>) -> Vec<Problem> {
    result.err().map(|errors| errors.0).unwrap_or_default()
}

/// A rule of the config, ready to run.
pub fn compile(rule: &crate::config::Rule) -> Result<Rule, RuleError> {
    let shadow = rule.mode == Mode::Shadow;
    Rule::compile(&rule.name, &rule.when, rule.level, rule.tense, rule.offences.clone(), shadow)
}

/// The judge of a config. Errors: every rule that does not compile, at its place.
pub fn judge(config: &Config) -> Result<Judge, ConfigErrors> {
    let mut problems = Vec::new();
    let mut rules = Vec::new();
    for rule in &config.rules {
        match compile(rule) {
            Ok(compiled) => rules.push(compiled),
            Err(error) => problems.push(rule.problem(
                error.offset,
                format!("rule `{}`: {}", rule.name, error.what),
                "comparisons of signals joined by && and ||".into(),
                error.mend,
            )),
        }
    }
    if !problems.is_empty() {
        return Err(ConfigErrors(problems));
    }
    let offences = config.signals.offences.iter().map(|(name, offence)| (name.clone(), *offence));
    Ok(Judge { levels: config.levels.clone(), rules, offences: offences.collect() })
}

/// Finds, reads and checks the manifest, and loads ONNX Runtime.
pub fn models(config: &Config) -> Result<Manifest, ModelError> {
    let runtime = &config.models.runtime;
    let configured = (!runtime.as_os_str().is_empty())
        .then(|| first_file(&config.candidates(runtime)).unwrap_or_else(|| runtime.clone()));
    load_runtime(configured.as_deref())?;
    compute_on(config.models.provider)?;
    manifest(config)
}

/// The manifest alone: `[models] manifest` where it is written, else beside the binary, in the checkout, in
/// `/usr/lib/vigie`.
pub fn manifest(config: &Config) -> Result<Manifest, ModelError> {
    let candidates = config.candidates(&config.models.manifest);
    let path = first_file(&candidates).ok_or_else(|| {
        let looked: Vec<String> = candidates.iter().map(|p| p.display().to_string()).collect();
        ModelError::Manifest {
            path: config.models.manifest.clone(),
            what: format!("not found; looked at {}", looked.join(", ")),
            mend: "set [models] manifest, or run in the checkout".into(),
        }
    })?;
    Manifest::load(&path)
}

fn first_file(paths: &[PathBuf]) -> Option<PathBuf> {
    paths.iter().find(|path| path.is_file()).cloned()
}

/// Names of rules that cannot match because no model gives a signal that every branch needs.
pub fn inactive_rules(judge: &Judge, manifest: &Manifest) -> Vec<String> {
    let labels: Vec<&str> = manifest.models.iter().flat_map(|model| model.labels()).collect();
    let absent = |signal: Signal| {
        let stem = signal.stem().trim_end_matches("_peak").trim_end_matches("_voices");
        match signal.name().split('.').next() {
            Some("chat") => {
                crate::event::ChatLabel::from_name(stem).is_some() && !labels.contains(&stem)
            }
            Some("picture") => {
                crate::event::FrameLabel::from_name(stem).is_some() && !labels.contains(&stem)
            }
            _ => false,
        }
    };
    let cannot = |rule: &&Rule| !rule.can_match(&absent);
    judge.rules.iter().filter(cannot).map(|rule| rule.name.clone()).collect()
}

/// Where people reach the console, without a slash at its end.
pub fn public_url(config: &Config) -> String {
    let url = config.server.public_url.trim_end_matches('/');
    if url.is_empty() { format!("http://{}", config.server.listen) } else { url.to_owned() }
}

/// The categories' settings, keyed in lower case, as the door reads them.
pub fn categories(config: &Config) -> Arc<BTreeMap<String, Setting>> {
    Arc::new(config.categories.all())
}

/// An engine with the escalation model of the manifest, if it has one.
pub fn engine(config: &Config, manifest: &Manifest) -> Result<Engine, SetupError> {
    let terms = Arc::new(Terms::of(config, manifest)?);
    let oracle = Oracle::model(Escalation::open(manifest)?);
    Ok(Engine::new(terms, oracle))
}

/// Why nothing can run under this config.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl SetupError {
    /// With models that do not fit told as what they are: a problem of the config, at its place.
    pub fn placed(self, config: &Config) -> Self {
        match self {
            SetupError::Model(error) if !matches!(error, ModelError::Run { .. }) => {
                ConfigErrors(vec![model_problem(config, &error)]).into()
            }
            other => other,
        }
    }
}

/// A model's error as a problem of the config, at the key of `[models]` that it is about.
pub fn model_problem(config: &Config, error: &ModelError) -> Problem {
    let (key, what, expected, mend) = match error {
        ModelError::Manifest { path, what, mend } => (
            "manifest",
            format!("{}: {what}", path.display()),
            "a manifest of models",
            mend.clone(),
        ),
        ModelError::Model { model, what, mend } => (
            "manifest",
            format!("model `{model}`: {what}"),
            "models that fit their manifest",
            mend.clone(),
        ),
        ModelError::Runtime { looked, mend } => (
            "runtime",
            format!("ONNX Runtime was not found; looked at {}", looked.join(", ")),
            "the library of ONNX Runtime",
            mend.clone(),
        ),
        ModelError::Provider { what, mend } => (
            "provider",
            format!("ONNX Runtime {what}"),
            "where the library of ONNX Runtime can compute",
            mend.clone(),
        ),
        ModelError::Run { .. } => (
            "manifest",
            error.to_string(),
            "models that run",
            "restore the models folder".to_owned(),
        ),
    };
    config.origin.position(&format!("models.{key}")).problem(what, expected, mend)
}

/// The outputs of the escalation model as risk knows them.
pub fn outputs(out: [f32; 4]) -> Outputs {
    Outputs { concern: out[0], danger: out[1], threat_to_life: out[2], imminent: out[3] }
}

/// The daemon's clock. Only `cli` and rooms that do I/O read it.
pub fn clock() -> Timestamp {
    Clock::house().shown()
}
