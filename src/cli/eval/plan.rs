//! `scenarios.toml`: which recordings, what must be seen in them, and what must stay silent.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::CliError;
use crate::config::Dur;
use crate::event::Level;

/// Name of the plan in a folder.
const FILE: &str = "scenarios.toml";

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(rename = "scenario")]
    pub scenarios: Vec<Scenario>,
}

/// One evening: recordings merged by time, or one of the simulated platform's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    /// Relative to the plan's folder.
    #[serde(default)]
    pub recordings: Vec<PathBuf>,
    /// A scenario of `vigie demo`, made anew for the run.
    #[serde(default)]
    pub simulated: Option<String>,
    /// Draws of the simulation. Default: the demo's.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How often the simulation shows a look. Default: no pictures.
    #[serde(default)]
    pub looks: Option<Dur>,
    /// Highest level of channels that are not named below. Default: `watch`, that is silent.
    #[serde(default = "silent")]
    pub others: Level,
    #[serde(default, rename = "channel")]
    pub channels: Vec<Expected>,
}

fn silent() -> Level {
    Level::Watch
}

/// What is expected of a channel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub id: String,
    /// It must reach this level.
    #[serde(default)]
    pub at_least: Option<Level>,
    /// It must not rise above this level.
    #[serde(default)]
    pub at_most: Option<Level>,
    /// Within this time of `from`; needs `at_least` from `concern` up.
    #[serde(default)]
    pub within: Option<Dur>,
    /// When what must be seen begins, from the channel's first event on; seen before it is `early`. Default: `0s`.
    #[serde(default)]
    pub from: Option<Dur>,
    #[serde(skip)]
    what: Wanted,
}

/// [`Expected`] in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Wanted {
    pub at_least: Option<Level>,
    pub at_most: Option<Level>,
    pub within_ms: Option<i64>,
    pub from_ms: i64,
}

impl Wanted {
    /// Never above `most`.
    pub fn silent(most: Level) -> Self {
        Self { at_most: Some(most), ..Self::default() }
    }

    /// In words.
    pub fn told(&self) -> String {
        let mut parts = Vec::new();
        let seconds = |ms: i64| super::report::seconds(ms as f64 / 1000.0);
        if let Some(least) = self.at_least {
            let within = self.within_ms.map(|ms| format!(" within {}", seconds(ms)));
            let from = (self.from_ms > 0).then(|| format!(" of {}", seconds(self.from_ms)));
            parts.push(format!(
                "at least {least}{}{}",
                within.unwrap_or_default(),
                from.unwrap_or_default()
            ));
        }
        if let Some(most) = self.at_most {
            parts.push(format!("at most {most}"));
        }
        parts.join(", ")
    }
}

impl Expected {
    pub fn what(&self) -> &Wanted {
        &self.what
    }
}

impl Plan {
    /// Reads a plan, or the one that lies in a folder; gives the folder to which its recordings are relative.
    pub fn read(path: &Path) -> Result<(Self, PathBuf), CliError> {
        let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let wrong = |what: String| CliError::Usage(format!("{}: {what}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|error| {
            wrong(format!("{error}; expected a plan, or a folder with a {FILE}"))
        })?;
        let mut plan: Plan = toml::from_str(&text).map_err(|error| wrong(format!("{error}")))?;
        if plan.scenarios.is_empty() {
            return Err(wrong("it has no [[scenario]]".into()));
        }
        for scenario in &mut plan.scenarios {
            scenario
                .check()
                .map_err(|what| wrong(format!("scenario `{}`: {what}", scenario.name)))?;
        }
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Ok((plan, folder))
    }
}

impl Scenario {
    fn check(&mut self) -> Result<(), String> {
        if self.recordings.is_empty() == self.simulated.is_none() {
            return Err("give `recordings`, or a `simulated` scenario".into());
        }
        if self.simulated.is_none() && (self.seed.is_some() || self.looks.is_some()) {
            return Err("`seed` and `looks` belong to a `simulated` scenario".into());
        }
        for channel in &mut self.channels {
            let id = &channel.id;
            if channel.at_least.is_none() && channel.at_most.is_none() {
                return Err(format!(
                    "channel `{id}` expects nothing: give `at_least` or `at_most`"
                ));
            }
            if let (Some(least), Some(most)) = (channel.at_least, channel.at_most)
                && least > most
            {
                return Err(format!("channel `{id}`: `at_least` is above `at_most`"));
            }
            // Only alerts have a time, and they begin at `concern`.
            let timed = channel.within.is_some() || channel.from.is_some();
            if timed && channel.at_least.is_none_or(|least| least < Level::Concern) {
                return Err(format!(
                    "channel `{id}`: `within` and `from` need an `at_least` from `concern` up"
                ));
            }
            let ms = |dur: &Dur| i64::try_from(dur.0.as_millis()).unwrap_or(i64::MAX);
            channel.what = Wanted {
                at_least: channel.at_least,
                at_most: channel.at_most,
                within_ms: channel.within.as_ref().map(ms),
                from_ms: channel.from.as_ref().map(ms).unwrap_or_default(),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Plan, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Plan::read(folder.path()).map(|(plan, _)| plan).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_that_means_nothing_is_refused_with_what_to_do() {
        let refused = [
            ("", "scenario"),
            ("[[scenario]]\nname = \"a\"\n", "give `recordings`"),
            (
                "[[scenario]]\nname = \"a\"\nrecordings = [\"x\"]\nseed = 1\n",
                "belong to a `simulated`",
            ),
            (
                "[[scenario]]\nname = \"a\"\nsimulated = \"x\"\n[[scenario.channel]]\nid = \"k:1\"\n",
                "expects nothing",
            ),
            (
                "[[scenario]]\nname = \"a\"\nsimulated = \"x\"\n[[scenario.channel]]\nid = \"k:1\"\nat_most = \"watch\"\nwithin = \"1m\"\n",
                "need an `at_least`",
            ),
            ("[[scenario]]\nname = \"a\"\nsimulated = \"x\"\nothres = \"watch\"\n", "othres"),
        ];
        for (text, words) in refused {
            let error = read(text).expect_err(text);
            assert!(error.contains(words) && error.contains(FILE), "{words} in {error}");
        }
    }

    #[test]
    fn channels_that_are_not_named_must_be_silent() {
        let plan = read("[[scenario]]\nname = \"a\"\nrecordings = [\"x.jsonl\"]\n").unwrap();
        assert_eq!(plan.scenarios[0].others, Level::Watch);
    }
}
