//! `vigie feed list|test`: what is connected and what it lacks, as the running daemon knows it; and a feed tried out
//! by itself, with the config's credentials.

mod probe;
mod tap;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use probe::run as test;
pub use tap::Tap;

use super::args::FeedListArgs;
use super::observe::{FeedCounts, Heard};
use super::setup::clock;
use super::{CliError, control, say, setup};
use crate::config::{Clock, Config, Feed, FeedKind};
use crate::event::{Kind, Timestamp};
use crate::telemetry::{Component, Health, Status};

/// A feed as it stands.
#[derive(Debug, Serialize, Deserialize)]
pub struct Standing {
    pub name: String,
    /// `websocket` or `recording`.
    pub kind: String,
    /// Address or file, without what may be secret.
    pub from: String,
    pub channels: Vec<String>,
    /// `configured` (no daemon runs), `starting`, `connected`, `disconnected` or `degraded`.
    pub state: String,
    /// Why it is not connected, or works in part.
    pub reason: Option<String>,
    pub connected_since: Option<Timestamp>,
    /// Newest time that an event bore.
    pub newest: Option<Timestamp>,
    /// Arrival of the last event, by the daemon's clock.
    pub received: Option<Timestamp>,
    /// From the last event's own time to its arrival.
    pub lag_ms: Option<i64>,
    /// Events by kind since the daemon began, repeats not counted.
    pub events: BTreeMap<String, u64>,
    /// Messages that were no events, by reason.
    pub skipped: BTreeMap<String, u64>,
    pub reconnects: u64,
    /// What it lacks, in words.
    pub missing: Vec<String>,
}

/// The feed of this name, or what there is.
pub fn named<'a>(config: &'a Config, name: &str) -> Result<&'a Feed, CliError> {
    config.feeds.iter().find(|feed| feed.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
        let there = match names.as_slice() {
            [] => "the config has none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        CliError::Usage(format!("there is no feed `{name}`; {there}"))
    })
}

/// Every feed of the daemon.
pub fn standings(config: &Config, counts: &FeedCounts, health: &Health) -> Vec<Standing> {
    let standing = |feed: &Feed| {
        let heard = counts.heard(&feed.name);
        let (state, reason) = match health.status(Component::Feed(&feed.name)) {
            Status::Starting => ("starting", None),
            Status::Up => ("connected", None),
            Status::Degraded(reason) => ("degraded", Some(reason)),
            Status::Down(reason) => ("disconnected", Some(reason)),
        };
        let missing = missing(&heard, feed.clock());
        Standing { reason, missing, ..of(feed, state, &heard) }
    };
    config.feeds.iter().map(standing).collect()
}

fn of(feed: &Feed, state: &str, heard: &Heard) -> Standing {
    let (kind, from) = match feed.kind {
        FeedKind::Websocket => ("websocket", shown_url(&feed.url)),
        FeedKind::Recording => {
            ("recording", feed.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default())
        }
    };
    let events = Kind::ALL.iter().zip(heard.events).filter(|(_, count)| *count > 0);
    let skipped = heard.skipped.iter().map(|(reason, count)| ((*reason).to_owned(), *count));
    Standing {
        name: feed.name.clone(),
        kind: kind.to_owned(),
        from,
        channels: feed.channels.clone(),
        state: state.to_owned(),
        reason: None,
        connected_since: heard.connected_since,
        newest: heard.newest,
        received: heard.received,
        lag_ms: heard.lag_ms,
        events: events.map(|(kind, count)| (kind.name().to_owned(), count)).collect(),
        skipped: skipped.collect(),
        reconnects: heard.reconnects,
        missing: Vec::new(),
    }
}

/// An address without user, password and query.
fn shown_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// What a feed has not brought, and what is lost by it.
pub fn missing(heard: &Heard, clock: Clock) -> Vec<String> {
    let none = |kinds: &[Kind]| kinds.iter().all(|kind| heard.events[*kind as usize] == 0);
    let mut out = Vec::new();
    let mut lack = |lacks: bool, what: &str| {
        if lacks {
            out.push(what.to_owned());
        }
    };
    if none(&Kind::ALL) {
        lack(true, "no event yet");
        return out;
    }
    lack(none(&[Kind::Chat]), "no chat: threats, incitement and viewers' distress are not read");
    lack(
        none(&[Kind::Donation, Kind::Reward]),
        "no donation or reward: what is paid for cannot be seen",
    );
    lack(none(&[Kind::Frame]), "no pictures: neither violence nor stillness can be seen");
    lack(
        none(&[Kind::Stream]),
        "no stream state: title, category, country and language are not known",
    );
    lack(!heard.cursor, "no cursor: what happens while it is disconnected is lost");
    if clock == Clock::Live && heard.ahead > 0 {
        out.push(format!(
            "{} events were more than 5 s ahead of this machine's clock: set one of the clocks right",
            heard.ahead
        ));
    }
    for (reason, count) in &heard.skipped {
        out.push(format!("{count} messages could not be used ({reason})"));
    }
    out
}

/// Prints every feed.
pub async fn list(args: &FeedListArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let (running, feeds): (bool, Vec<Standing>) = match control::connect(&config).await? {
        Some(stream) => {
            let (status, body) = control::request(stream, "GET", "/feeds", Vec::new()).await?;
            if status != 200 {
                return Err(CliError::Runtime(control::detail(status, &body)));
            }
            let read = serde_json::from_slice(&body);
            (true, read.map_err(|error| CliError::Runtime(error.to_string()))?)
        }
        None => {
            let heard = Heard::default();
            let feeds = config.feeds.iter().map(|feed| of(feed, "configured", &heard));
            (false, feeds.collect())
        }
    };
    if args.json {
        return say(serde_json::json!({ "running": running, "feeds": feeds }));
    }
    if !running {
        let dir = config.store.dir.display();
        say(format_args!("no daemon answers in {dir}; this is what the config asks for"))?;
    }
    if feeds.is_empty() {
        say("no feed is configured: nothing is watched")?;
    }
    feeds.iter().try_for_each(|feed| say(told(feed, clock())))
}

fn told(feed: &Standing, now: Timestamp) -> String {
    let mut lines = vec![format!("{}  {}  {}", feed.name, feed.kind, feed.from)];
    let mut row = |name: &str, what: String| lines.push(format!("  {name:<9} {what}"));
    let since = feed.connected_since.map(|since| format!(" for {}", ago(now, since)));
    let why = feed.reason.as_ref().map(|why| format!(": {why}"));
    let state = format!("{}{}", feed.state, why.or(since).unwrap_or_default());
    let again = match feed.reconnects {
        0 => String::new(),
        1 => ", connected anew once".to_owned(),
        times => format!(", connected anew {times} times"),
    };
    row("state", state + &again);
    row("channels", feed.channels.join(", "));
    if let (Some(newest), Some(received)) = (feed.newest, feed.received) {
        let lag = feed.lag_ms.unwrap_or_default() as f64 / 1000.0;
        row("newest", format!("{newest}, received {} ago, lag {lag:.1} s", ago(now, received)));
    }
    if !feed.events.is_empty() {
        row("events", counted(feed.events.iter().map(|(kind, n)| (kind.as_str(), *n))));
    }
    for lack in &feed.missing {
        row("missing", lack.clone());
    }
    lines.join("\n")
}

/// `chat 12, donation 1`.
pub fn counted<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let parts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(", ")
}

/// `42 s`, `3 min`, `2 h 10 min`.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.since(then).max(0) / 1000;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let shown = shown_url("wss://me:word@feed.example:8443/v1/events?token=abc#x");
        assert_eq!(shown, "wss://feed.example:8443/v1/events");
        assert_eq!(shown_url("ws://127.0.0.1:9"), "ws://127.0.0.1:9");
    }

    #[test]
    fn what_a_feed_lacks_is_told_with_what_is_lost() {
        let mut heard = Heard::default();
        assert_eq!(missing(&heard, Clock::Live), ["no event yet"]);
        heard.events[Kind::Chat as usize] = 3;
        heard.ahead = 2;
        heard.skipped.insert("malformed", 4);
        let all = missing(&heard, Clock::Live).join("\n");
        for words in ["donation", "pictures", "stream state", "cursor", "2 events", "4 messages"] {
            assert!(all.contains(words), "{words} in {all}");
        }
        assert!(!all.contains("no chat"));
        assert!(!missing(&heard, Clock::Data).join("\n").contains("ahead"), "data has no clock");
    }
}
