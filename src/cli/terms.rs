//! What a config brings to the judgement of channels and to what their alerts say. Made of a checked config and its
//! models; written into the journal, so that a replay judges each entry as it was judged when it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::IntCounter;
use serde::{Deserialize, Serialize};

use super::setup::{compile, judge, public_url};
use crate::alert::{Authority, Holds, House, Words};
use crate::channel::HalfLives;
use crate::config::{Config, ConfigErrors, Dur, Language, Levels, Limits, Rule};
use crate::event::{Digest, Offence, Signal, Signals};
use crate::model::{Manifest, ModelKind};
use crate::risk::{Judge, RuleError};
use crate::store::journal::{Journal, TermsTold};

/// The written form: nothing else of a config or manifest has a say in which alerts come, or in their words.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Written {
    /// The config's digest, as alerts carry it.
    config: String,
    levels: Levels,
    rules: Vec<Rule>,
    offences: BTreeMap<String, Offence>,
    decays: BTreeMap<String, Dur>,
    caps: BTreeMap<String, f64>,
    late_ms: i64,
    remind_ms: i64,
    language: Language,
    public_url: String,
    establishment: String,
    authorities: Vec<Authority>,
    models: BTreeMap<String, String>,
    languages: Vec<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Terms {
    pub judge: Judge,
    pub house: House,
    pub holds: Holds,
    /// How channels forget.
    pub fade: HalfLives,
    caps: Vec<(Signal, f32)>,
    /// `sha256:…` of the written form.
    digest: String,
    written: Written,
}

impl Terms {
    /// Errors: every rule that does not compile, at its place.
    pub fn of(config: &Config, manifest: &Manifest) -> Result<Self, ConfigErrors> {
        let judge = judge(config)?;
        let remind = config.sinks.iter().map(|sink| sink.remind.as_ms()).filter(|ms| *ms > 0).min();
        let text = manifest.of_kind(ModelKind::Text).next();
        let written = Written {
            config: config.digest(),
            levels: config.levels.clone(),
            rules: config.rules.clone(),
            offences: config.signals.offences.clone(),
            decays: config.signals.decays.clone(),
            caps: config.signals.caps.clone(),
            late_ms: config.limits.late.as_ms(),
            remind_ms: remind.unwrap_or(Holds::default().remind_ms),
            language: config.server.language,
            public_url: public_url(config),
            establishment: config.provider.establishment.clone(),
            authorities: config.authorities.list.0.clone(),
            models: manifest.models.iter().map(|m| (m.name.clone(), m.told())).collect(),
            languages: text.map(|model| model.languages.clone()).unwrap_or_default(),
        };
        Ok(Self::made(written, judge))
    }

    /// Reads the terms of a journal. Errors: none of ours, or of another version.
    pub fn read(written: serde_json::Value) -> Result<Self, String> {
        let written: Written = serde_json::from_value(written).map_err(|e| e.to_string())?;
        let rules: Result<Vec<_>, RuleError> = written.rules.iter().map(compile).collect();
        let judge = Judge {
            levels: written.levels.clone(),
            rules: rules.map_err(|error| error.to_string())?,
            offences: written.offences.clone().into_iter().collect(),
        };
        Ok(Self::made(written, judge))
    }

    fn made(written: Written, judge: Judge) -> Self {
        let house = House {
            words: Words::new(written.language.code()),
            models: written.models.clone(),
            languages: written.languages.clone(),
            config: written.config.clone(),
            public_url: written.public_url.clone(),
            establishment: written.establishment.clone(),
            authorities: written.authorities.clone(),
            rule_reasons: written
                .rules
                .iter()
                .map(|rule| {
                    let told = rule.reason.iter().filter(|(_, text)| !text.trim().is_empty());
                    let told = told.map(|(lang, text)| (lang.clone(), text.clone())).collect();
                    (rule.name.clone(), told)
                })
                .collect(),
        };
        let holds = Holds {
            hold_ms: written.levels.hold.as_ms(),
            offline_hold_ms: written.levels.offline_hold.as_ms(),
            remind_ms: written.remind_ms,
        };
        let named = |name: &String| Signal::from_name(name);
        let fade = written.decays.iter();
        let fade: Vec<_> = fade.filter_map(|(n, half)| Some((named(n)?, half.as_ms()))).collect();
        let fade = HalfLives::with(&fade);
        let caps = written.caps.iter();
        let caps = caps.filter_map(|(n, cap)| Some((named(n)?, *cap as f32))).collect();
        let mut terms = Self { judge, house, holds, fade, caps, digest: String::new(), written };
        terms.digest = Digest::of(terms.written().to_string().as_bytes()).to_string();
        terms
    }

    /// As the journal tells them.
    pub fn told(&self) -> TermsTold {
        let (config, digest) = (self.written.config.clone(), self.digest.clone());
        TermsTold { config, digest, terms: self.written() }
    }

    /// What the journal holds of them.
    fn written(&self) -> serde_json::Value {
        // Plain values with names for keys, and finite numbers once a config is checked.
        serde_json::to_value(&self.written).unwrap_or_default()
    }

    /// No signal is higher than its cap.
    pub fn cap(&self, signals: &mut Signals) {
        for (signal, cap) in &self.caps {
            if let Some(value) = signals.get(*signal).filter(|value| value > cap) {
                signals.set(*signal, f64::from(value.min(*cap)));
            }
        }
    }

    /// Chat later than this in channel time is only counted.
    pub fn late_ms(&self) -> i64 {
        self.written.late_ms
    }
}

/// What a config gives a shard; a reload gives another.
pub struct Standing {
    pub terms: Arc<Terms>,
    /// Tells what it records as judged under these terms.
    pub journal: Option<Journal>,
    /// Names of the feeds, by place; a feed keeps its place as long as the daemon runs.
    pub feeds: Vec<String>,
    /// Feeds whose times are data: looks are always waited for.
    pub data: Vec<bool>,
    /// Counters of rules by their place: matches.
    pub rules: Vec<IntCounter>,
    pub limits: Limits,
}

impl Standing {
    /// The name of the feed at this place.
    pub fn feed(&self, place: u16) -> &str {
        self.feeds.get(usize::from(place)).map_or("", String::as_str)
    }

    /// Whether its times are data.
    pub fn data_clock(&self, place: u16) -> bool {
        self.data.get(usize::from(place)).copied().unwrap_or(false)
    }
}
