//! Checks of feeds, sinks and channels, one entry at a time.

use std::collections::HashMap;

use super::{Checker, url};
use crate::config::credential::is_name;
use crate::config::peers::{Feed, FeedKind, Sink, SinkKind};
use crate::config::source::{Position, Problem};
use crate::config::types::Config;
use crate::config::units::Secret;
use crate::event::Level;

pub(super) fn feed(feed: &Feed, key: &str, check: &mut Checker) {
    let field = |name: &str| format!("{key}.{name}");
    match feed.kind {
        FeedKind::Websocket if feed.url.is_empty() => {
            let what = format!("feed `{}` has no `url`", feed.name);
            check.missing(
                &field("url"),
                what,
                "the server's address",
                "add a line `url = \"wss://…\"`",
            );
        }
        FeedKind::Websocket => url(&field("url"), &feed.url, &["wss", "ws"], feed.insecure, check),
        FeedKind::Recording if feed.path.is_none() => {
            let what = format!("feed `{}` has no `path`", feed.name);
            check.missing(
                &field("path"),
                what,
                "the recording's file",
                "add a line `path = \"….jsonl\"`",
            );
        }
        FeedKind::Recording => {}
    }
    if feed.channels.is_empty() {
        let what = format!("feed `{}` asks for no channel", feed.name);
        check.no(
            &field("channels"),
            what,
            "a list with at least one",
            "write `channels = [\"*\"]` for every channel",
        );
    }
    if !(feed.speed.is_finite() && feed.speed >= 0.0) {
        let what = format!("`speed` is {}", feed.speed);
        check.no(
            &field("speed"),
            what,
            "a number from 0",
            "write `1.0` for real time, `0` for as fast as it goes",
        );
    }
    check.positive(&field("idle_timeout"), feed.idle_timeout);
    secret_name(&field("token"), feed.token.as_ref(), check);
}

pub(super) fn sink(sink: &Sink, key: &str, check: &mut Checker) {
    let field = |name: &str| format!("{key}.{name}");
    let name = &sink.name;
    match sink.kind {
        SinkKind::Webhook | SinkKind::Alertmanager if sink.url.is_empty() => {
            let what = format!("sink `{name}` has no `url`");
            check.missing(
                &field("url"),
                what,
                "the receiver's address",
                "add a line `url = \"https://…\"`",
            );
        }
        SinkKind::Webhook | SinkKind::Alertmanager => {
            url(&field("url"), &sink.url, &["https", "http"], sink.insecure, check);
        }
        SinkKind::Jsonl if sink.path.is_none() => {
            let what = format!("sink `{name}` has no `path`");
            check.missing(
                &field("path"),
                what,
                "the file to add lines to",
                "add a line `path = \"alerts.jsonl\"`",
            );
        }
        SinkKind::Jsonl => {}
    }
    if sink.kind == SinkKind::Webhook && sink.secret.is_none() {
        check.missing(
            &field("secret"),
            format!("sink `{name}` has no `secret`, so its receiver could not tell Vigie from anybody else"),
            "the credential that signs its webhooks",
            "add a line `secret = { credential = \"hook-secret\" }`",
        );
    }
    if sink.min_level < Level::Concern {
        check.no(
            &field("min_level"),
            format!("`min_level` is `{}`", sink.min_level),
            "one of `concern`, `danger`, `threat_to_life`",
            "write `concern`, from which there are alerts",
        );
    }
    check.positive(&field("timeout"), sink.timeout);
    check.positive(&field("max_age"), sink.max_age);
    secret_name(&field("secret"), sink.secret.as_ref(), check);
}

fn secret_name(key: &str, secret: Option<&Secret>, check: &mut Checker) {
    if let Some(secret) = secret.filter(|secret| !is_name(&secret.credential)) {
        check.no(
            &format!("{key}.credential"),
            format!("`{}` cannot be the name of a credential", secret.credential),
            "1 to 64 lower-case letters, digits and `-`",
            "name the credential; its value is set outside this file",
        );
    }
}

pub(super) fn channels(config: &Config, check: &mut Checker) {
    let mut seen: HashMap<&str, Position> = HashMap::new();
    for (index, channel) in config.channels.iter().enumerate() {
        let key = format!("channel[{index}].match");
        let name = channel.matches.as_str();
        let whole = name.strip_suffix('*').unwrap_or(name);
        if whole.contains('*') || !(name.contains(':') || name == "*") || name.ends_with(':') {
            check.no(
                &key,
                format!("`{name}` cannot be a channel"),
                "a platform and its stable id, `kick:123`, or `*` at the end for any",
                "write the platform, a colon and the id that never changes",
            );
        }
        if let Some(first) = seen.get(name) {
            check.no(
                &key,
                format!("there are two entries for `{name}`; the first stands at {first}"),
                "one entry for a channel",
                "join the two",
            );
        } else {
            seen.insert(name, check.origin.position(&key));
        }
        if channel.level_floor == Some(Level::None) {
            let what = "`level_floor` is `none`".to_owned();
            check.no(
                &format!("channel[{index}].level_floor"),
                what,
                "one of `watch`, `concern`, `danger`, `threat_to_life`",
                "remove the line",
            );
        }
    }
}

/// Files that feeds and sinks read must be there.
pub(in crate::config) fn files(config: &Config, problems: &mut Vec<Problem>) {
    let mut check = Checker { origin: &config.origin, problems };
    let feeds = config.feeds.iter().enumerate().flat_map(|(index, feed)| {
        [(format!("feed[{index}].path"), &feed.path), (format!("feed[{index}].ca"), &feed.ca)]
    });
    let sinks = config
        .sinks
        .iter()
        .enumerate()
        .map(|(index, sink)| (format!("sink[{index}].ca"), &sink.ca));
    for (key, path) in feeds.chain(sinks) {
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            let what = match path.is_dir() {
                true => format!("{} is a folder", path.display()),
                false => format!("there is no file {}", path.display()),
            };
            check.no(
                &key,
                what,
                "a file that exists",
                "correct the path; it starts from this file's folder",
            );
        }
    }
}
