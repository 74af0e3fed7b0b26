//! The repeated sections: feeds, sinks, rules and what is known of single channels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::{Position, Problem};
use super::types::Mode;
use super::units::{Dur, Secret, Until};
use crate::event::{Level, Offence, Tense};

/// A source of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Its name, in metrics and commands: lower-case letters, digits, `-`, `_`.
    pub name: String,
    /// What speaks at the other end. Default: `websocket`.
    #[serde(default, rename = "type")]
    pub kind: FeedKind,
    /// `websocket`: the server, `wss://…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// `websocket`: channels asked for; `*` is every one. Default: `["*"]`.
    #[serde(default = "every_channel")]
    pub channels: Vec<String>,
    /// `websocket`: sent as `Authorization: Bearer`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// `websocket`: PEM file of the authority that signed the server's certificate. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// `websocket`: silence after which it is connected anew. Default: `60s`.
    #[serde(default = "idle_timeout")]
    pub idle_timeout: Dur,
    /// `live`: times are compared with the daemon's clock; `data`: never. Default: `live` (a recording: `data`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// Allows `ws://` to a host that is not this one. Default: `false`.
    #[serde(default)]
    pub insecure: bool,
    /// `recording`: the file, JSON Lines, optionally `.zst`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// `recording`: times faster than it happened; `0`: as fast as it goes. Default: `1.0`.
    #[serde(default = "one")]
    pub speed: f64,
}

impl Feed {
    /// The clock in force: as written, else `data` for a recording and `live` for anything else.
    pub fn clock(&self) -> Clock {
        self.clock.unwrap_or(match self.kind {
            FeedKind::Recording => Clock::Data,
            FeedKind::Websocket => Clock::Live,
        })
    }
}

fn every_channel() -> Vec<String> {
    vec!["*".to_owned()]
}

fn idle_timeout() -> Dur {
    Dur::secs(60)
}

fn one() -> f64 {
    1.0
}

/// Kinds of feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedKind {
    #[default]
    Websocket,
    Recording,
}

/// By what a feed's times are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    #[default]
    Live,
    Data,
}

/// Somebody who is told of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Its name, in metrics and commands: lower-case letters, digits, `-`, `_`.
    pub name: String,
    /// How it is told. Default: `webhook`.
    #[serde(default, rename = "type")]
    pub kind: SinkKind,
    /// `webhook`, `alertmanager`: where to, `https://…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// `webhook`: the signing secret, `whsec_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// `jsonl`: the file that a line is added to for each alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// PEM file of the authority that signed the receiver's certificate. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// `full`: with quotes and digests, for the trust team; `minimal`: id, level and link. Default: `full`.
    #[serde(default)]
    pub content: Content,
    /// Alerts below this level are not told. Default: `concern`.
    #[serde(default = "concern")]
    pub min_level: Level,
    /// How long an answer may take. Default: `10s`.
    #[serde(default = "timeout")]
    pub timeout: Dur,
    /// How long a delivery is tried before it is parked and shown. Default: `24h`.
    #[serde(default = "max_age")]
    pub max_age: Dur,
    /// How often an unacknowledged `threat_to_life` is told again; `0s`: never. Default: `5m`.
    #[serde(default = "remind")]
    pub remind: Dur,
    /// How often a sign of life is sent; `0s`: never. Default: `1h`.
    #[serde(default = "heartbeat")]
    pub heartbeat: Dur,
    /// Allows `http://` to a host that is not this one. Default: `false`.
    #[serde(default)]
    pub insecure: bool,
}

fn concern() -> Level {
    Level::Concern
}

fn timeout() -> Dur {
    Dur::secs(10)
}

fn max_age() -> Dur {
    Dur::hours(24)
}

fn remind() -> Dur {
    Dur::mins(5)
}

fn heartbeat() -> Dur {
    Dur::hours(1)
}

/// Kinds of sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkKind {
    #[default]
    Webhook,
    Jsonl,
    Alertmanager,
}

/// How much of an alert a sink is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    #[default]
    Full,
    Minimal,
}

/// A rule: when its condition holds, its channel is at its level. `risk` compiles and judges `when`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, in alerts and metrics: lower-case letters, digits, `-`, `_`.
    pub name: String,
    /// Comparisons of signals joined by `&&` and `||`, in CEL; best in 'single quotes'. At most 4 kB.
    pub when: String,
    /// The level it raises to, from `watch`.
    pub level: Level,
    /// Past, ongoing or imminent. Default: as for any alert, by what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tense: Option<Tense>,
    /// Offences that it gives rise to suspect. Default: none.
    #[serde(default)]
    pub offences: Vec<Offence>,
    /// Why, in a sentence, by language (`en`, `fr`, …).
    pub reason: BTreeMap<String, String>,
    /// `active`, or `shadow`: counted and shown, raises nothing. Default: `active`.
    #[serde(default)]
    pub mode: Mode,
    /// Where the first character of `when` stands, inside the quotes.
    #[serde(skip)]
    pub when_at: Position,
}

impl Rule {
    /// A problem at byte `offset` of `when`, for whoever compiles it.
    pub fn problem(
        &self,
        offset: usize,
        what: String,
        expected: String,
        how_to_mend: String,
    ) -> Problem {
        self.when_at.within(&self.when, offset).problem(what, expected, how_to_mend)
    }

    /// The reason in `language`, else in English, else in any.
    pub fn reason_in(&self, language: &str) -> &str {
        let any = || self.reason.values().next();
        self.reason
            .get(language)
            .or_else(|| self.reason.get("en"))
            .or_else(any)
            .map_or("", String::as_str)
    }
}

/// What is known of a channel beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The channel, `platform:id`; a `*` at the end stands for anything.
    #[serde(rename = "match")]
    pub matches: String,
    /// It is shown and kept at this level at least; opens no alert. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_floor: Option<Level>,
    /// What makes it special. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// A word to whoever reads. Default: empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Last day or moment at which this entry holds. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

impl Channel {
    /// Whether this entry is about `channel` (`platform:id`).
    pub fn is_about(&self, channel: &str) -> bool {
        match self.matches.strip_suffix('*') {
            Some(prefix) => channel.starts_with(prefix),
            None => self.matches == channel,
        }
    }
}

/// Marks of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    VulnerablePerson,
}
