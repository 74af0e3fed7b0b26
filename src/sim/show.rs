//! A channel of the simulated platform as data: who streams what, in which phases, for which money, with which lines.
//! The shows stand as TOML beside this file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scene::{Act, Mood, Set};

/// One channel's evening. Times are seconds since the scenario began.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Show {
    pub show: About,
    #[serde(default, rename = "phase")]
    pub phases: Vec<Phase>,
    #[serde(default, rename = "mood")]
    pub moods: Vec<MoodFrom>,
    #[serde(default)]
    pub gifts: Vec<Gifts>,
    #[serde(default)]
    pub rewards: Vec<Rewards>,
    #[serde(default, rename = "raid")]
    pub raids: Vec<Raid>,
    #[serde(default, rename = "act")]
    pub acts: Vec<PaidAct>,
    #[serde(default, rename = "notice")]
    pub notices: Vec<ToldNotice>,
    /// Sections of chat, one message a line.
    lines: BTreeMap<String, String>,
}

/// The stream itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub channel: String,
    pub name: String,
    pub title: String,
    pub category: String,
    pub language: String,
    pub country: String,
    pub url: String,
    pub viewers: u64,
    pub viewers_end: u64,
    /// Hours live when the scenario begins.
    pub hours_live: f64,
    /// How many different people write.
    pub viewers_pool: u32,
    /// `fr` or `en`: how their names look.
    pub names: String,
    pub set: Set,
    pub currency: String,
    /// Sections whose lines people stretch, shout and laugh after.
    pub playful: Vec<String>,
    /// What the thermometer shows when the scenario begins.
    #[serde(default)]
    pub raised: f64,
}

/// A stretch of chat: messages a minute, and how often each section is drawn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phase {
    pub from: f64,
    pub to: f64,
    pub rate: f64,
    pub lines: BTreeMap<String, f64>,
}

/// From when the picture shows which mood.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoodFrom {
    pub from: f64,
    pub mood: Mood,
}

/// Donations at random times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gifts {
    pub from: f64,
    pub to: f64,
    pub per_minute: f64,
    pub lines: String,
    pub amounts: Vec<String>,
}

/// Channel points at random times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rewards {
    pub from: f64,
    pub to: f64,
    pub per_minute: f64,
    pub title: String,
    pub cost: u64,
    pub lines: String,
}

/// New accounts that paste a few texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raid {
    pub from: f64,
    pub to: f64,
    pub rate: f64,
    pub lines: String,
    pub accounts: u32,
}

/// A donation, the act that follows it, the cheering and the money that follow the act.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaidAct {
    pub at: f64,
    pub kind: Act,
    pub amount: String,
    pub text: String,
    /// Section of what people write while it happens.
    #[serde(default = "cheer")]
    pub cheer: String,
    /// Donations that follow.
    #[serde(default = "two")]
    pub more: u32,
}

/// Seconds from a paid request to the act.
pub(super) const ACT_AFTER: f64 = 6.0;

/// A viewer's notice to the platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldNotice {
    pub at: f64,
    pub text: String,
    pub notifier: String,
}

fn cheer() -> String {
    "cheer".into()
}

fn two() -> u32 {
    2
}

impl Show {
    /// Reads a show that is part of the crate.
    fn shipped(text: &str) -> Self {
        // The text is compiled in, and a test reads each of them.
        toml::from_str(text).expect("a show of the crate is well-formed")
    }

    /// The lines of a section; empty if there is no such section.
    pub fn lines(&self, section: &str) -> Vec<&str> {
        let text = self.lines.get(section).map(String::as_str).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty()).collect()
    }

    /// Every line that people may write.
    #[cfg(test)]
    pub fn all_lines(&self) -> std::collections::BTreeSet<&str> {
        self.lines.keys().flat_map(|section| self.lines(section)).collect()
    }
}

macro_rules! shows {
    ($($function:ident = $file:literal),*) => {
        $(pub(super) fn $function() -> Show {
            Show::shipped(include_str!(concat!("shows/", $file, ".toml")))
        })*
    };
}

shows!(
    nuit_blanche = "nuit-blanche",
    up_all_night = "up-all-night",
    gala = "gala",
    marathon = "marathon",
    ranked = "ranked",
    sleep = "sleep",
    chill = "chill"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_show_has_enough_to_say_and_every_section_that_it_names() {
        for (show, least) in [
            (nuit_blanche(), 120),
            (up_all_night(), 120),
            (gala(), 80),
            (marathon(), 80),
            (ranked(), 80),
            (sleep(), 80),
            (chill(), 80),
        ] {
            let name = &show.show.channel;
            let count = show.all_lines().len();
            assert!(count >= least, "{name} has {count} different lines");
            let phases = show.phases.iter().flat_map(|phase| phase.lines.keys());
            let gifts = show.gifts.iter().map(|gifts| &gifts.lines);
            let rewards = show.rewards.iter().map(|rewards| &rewards.lines);
            let raids = show.raids.iter().map(|raid| &raid.lines);
            let cheers = show.acts.iter().map(|act| &act.cheer);
            let playful = show.show.playful.iter();
            for section in
                phases.chain(gifts).chain(rewards).chain(raids).chain(cheers).chain(playful)
            {
                assert!(!show.lines(section).is_empty(), "{name} has no lines `{section}`");
            }
            for pair in show.phases.windows(2) {
                assert_eq!(pair[0].to, pair[1].from, "{name}: a phase begins where the last ends");
            }
        }
    }
}
