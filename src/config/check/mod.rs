//! What types alone cannot say: ranges, orders, names that must differ, addresses that would send secrets in the
//! clear. Each check adds a problem at the value that is wrong.

mod credentials;
mod peers;
mod tables;

use std::collections::HashMap;
use std::net::SocketAddr;

use reqwest::Url;

use super::codes;
use super::read::nearest;
use super::source::{Origin, Position, Problem};
use super::types::Config;
use super::units::{Dur, Size};
use crate::event::{SIGNALS, Signal};

pub(super) use peers::files;
pub(super) use tables::{authorities, currency, rules};

/// Adds problems at keys of one file.
struct Checker<'a> {
    origin: &'a Origin,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn no(&mut self, key: &str, what: String, expected: &str, mend: &str) {
        self.problems.push(self.origin.position(key).problem(what, expected, mend));
    }

    /// Like `no`, for a key that is not there; silent if it was written in a form that is told of elsewhere.
    fn missing(&mut self, key: &str, what: String, expected: &str, mend: &str) {
        if !self.origin.is_written(key) {
            self.no(key, what, expected, mend);
        }
    }

    fn probability(&mut self, key: &str, value: f64) -> bool {
        let good = (0.0..=1.0).contains(&value);
        if !good {
            self.no(
                key,
                format!("`{key}` is {value}"),
                "a number from 0 to 1",
                "write a probability, such as `0.5`",
            );
        }
        good
    }

    fn positive(&mut self, key: &str, value: Dur) {
        if value.as_ms() == 0 {
            self.no(
                key,
                format!("`{key}` is no time at all"),
                "a duration above 0",
                "write one such as `10s`",
            );
        }
    }

    fn at_least_one(&mut self, key: &str, value: usize) {
        if value == 0 {
            self.no(
                key,
                format!("`{key}` is 0"),
                "a whole number from 1",
                "write at least 1, or remove the line",
            );
        }
    }
}

/// Everything in the main file but its rules.
pub(super) fn main(config: &Config, problems: &mut Vec<Problem>) {
    let mut check = Checker { origin: &config.origin, problems };
    provider_and_server(config, &mut check);
    levels(config, &mut check);
    signals(config, &mut check);
    limits(config, &mut check);
    let mut names = HashMap::new();
    for (index, feed) in config.feeds.iter().enumerate() {
        let key = format!("feed[{index}]");
        unique_name(&mut check, &format!("{key}.name"), "feed", &feed.name, &mut names);
        peers::feed(feed, &key, &mut check);
    }
    let mut names = HashMap::new();
    for (index, sink) in config.sinks.iter().enumerate() {
        let key = format!("sink[{index}]");
        unique_name(&mut check, &format!("{key}.name"), "sink", &sink.name, &mut names);
        peers::sink(sink, &key, &mut check);
    }
    peers::channels(config, &mut check);
}

fn provider_and_server(config: &Config, check: &mut Checker) {
    let country = &config.provider.establishment;
    if !country.is_empty() && !codes::is_country(country) {
        check.no(
            "provider.establishment",
            format!("`{country}` is no country's code"),
            "an ISO 3166-1 code of two capital letters, such as `FR`",
            "write the code of the country of establishment, or remove the line",
        );
    }
    let server = &config.server;
    let mut listens = Vec::new();
    for (key, text) in
        [("server.listen", &server.listen), ("server.metrics_listen", &server.metrics_listen)]
    {
        if text.is_empty() && key == "server.metrics_listen" {
            continue;
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 && listens.contains(&address) => check.no(
                key,
                format!("`{key}` is the address of `server.listen` too"),
                "two different ports, or none here",
                "write another port, or `\"\"` to have the metrics on `server.listen` alone",
            ),
            Ok(address) => listens.push(address),
            Err(_) => check.no(
                key,
                format!("`{text}` is no address to listen at"),
                "an IP address and a port, such as `127.0.0.1:8787` or `[::1]:8787`",
                "write the address in numbers, with its port",
            ),
        }
    }
    if !server.public_url.is_empty() {
        url("server.public_url", &server.public_url, &["https", "http"], true, check);
    }
    if config.store.url != "sqlite" {
        check.no(
            "store.url",
            "this is no database that Vigie can open".to_owned(),
            "`sqlite`",
            "write `url = \"sqlite\"`; its file lies in `[store] dir`",
        );
    }
    check.positive("store.journal_keep", config.store.journal_keep);
    check.positive("store.checkpoint", config.store.checkpoint);
    check.positive("store.clock_leap", config.store.clock_leap);
}

fn levels(config: &Config, check: &mut Checker) {
    let levels = &config.levels;
    let ladder = [
        ("levels.watch", levels.watch),
        ("levels.concern", levels.concern),
        ("levels.danger", levels.danger),
        ("levels.threat_to_life", levels.threat_to_life),
    ];
    let good: Vec<bool> =
        ladder.iter().map(|(key, value)| check.probability(key, *value)).collect();
    check.probability("levels.imminent", levels.imminent);
    for (step, pair) in ladder.windows(2).enumerate() {
        let [(low, below), (high, above)] = [pair[0], pair[1]];
        if good[step] && good[step + 1] && below > above {
            let key = if check.origin.is_written(low) { low } else { high };
            check.no(
                key,
                format!("`{low}` ({below}) is above `{high}` ({above})"),
                "watch <= concern <= danger <= threat_to_life",
                "lower the first or raise the second",
            );
        }
    }
    if check.probability("levels.hysteresis", levels.hysteresis)
        && good[0]
        && levels.hysteresis > 0.0
        && levels.hysteresis >= levels.watch
    {
        check.no(
            "levels.hysteresis",
            format!(
                "`levels.hysteresis` ({}) is not below `levels.watch` ({})",
                levels.hysteresis, levels.watch
            ),
            "a number below `levels.watch`, else a channel never leaves `watch`",
            "write a smaller one, such as `0.1`",
        );
    }
    check.positive("levels.hold", levels.hold);
    check.positive("levels.offline_hold", levels.offline_hold);
}

/// The names under `[signals]` are those of `vigie schema signals`.
fn signals(config: &Config, check: &mut Checker) {
    let names: Vec<&str> = SIGNALS.iter().map(|signal| signal.name).collect();
    let stems: Vec<&str> =
        names.iter().filter_map(|name| name.rsplit_once('.')).map(|(stem, _)| stem).collect();
    let signals = &config.signals;
    for (name, half_life) in &signals.decays {
        let key = format!("signals.decays.{name}");
        known(&key, name, &names, check);
        check.positive(&key, *half_life);
        if Signal::from_name(name).is_some_and(|signal| signal.half_life_ms().is_none()) {
            check.no(
                &key,
                format!("`{name}` does not fade"),
                "the name of a sum or a peak",
                "remove the line: it counts voices, is a share, or holds only now",
            );
        }
    }
    for (name, cap) in &signals.caps {
        let key = format!("signals.caps.{name}");
        known(&key, name, &names, check);
        if !(cap.is_finite() && *cap > 0.0) {
            check.no(
                &key,
                format!("the cap of `{name}` is {cap}"),
                "a number above 0",
                "write one, or remove it",
            );
        }
    }
    for name in signals.offences.keys() {
        known(&format!("signals.offences.{name}"), name, &stems, check);
    }
}

fn known(key: &str, name: &str, names: &[&str], check: &mut Checker) {
    if !names.contains(&name) {
        let mend = match nearest(name, names) {
            Some(near) => format!("write `\"{near}\"`, or remove the line"),
            None => "remove the line".to_owned(),
        };
        check.no(
            key,
            format!("there is no signal `{name}`"),
            "a name that `vigie schema signals` lists",
            &mend,
        );
    }
}

fn limits(config: &Config, check: &mut Checker) {
    let limits = &config.limits;
    if limits.message.0 == 0 || limits.message > Size::mib(64) {
        check.no(
            "limits.message",
            format!("`limits.message` is {}", limits.message),
            "a size above 0 and at most `64MiB`, beyond which a connection ends",
            "write `message = \"8MiB\"`, which is the default",
        );
    }
    for (key, value) in [
        ("limits.dedupe", limits.dedupe),
        ("limits.feed_queue", limits.feed_queue),
        ("limits.chat_queue", limits.chat_queue),
        ("limits.look_queue", limits.look_queue),
        ("limits.backlog", limits.backlog),
        ("limits.shard_queue", limits.shard_queue),
        ("limits.score_cache", limits.score_cache),
        ("limits.channels", limits.channels),
        ("limits.users", limits.users),
        ("limits.ring", limits.ring.0 as usize),
        ("limits.paid_per_second", limits.paid_per_second as usize),
        ("limits.stream_clients", limits.stream_clients),
        ("limits.stream_queue", limits.stream_queue),
        ("models.threads", config.models.threads),
        ("models.max_batch", config.models.max_batch),
        ("alerts.storm", config.alerts.storm as usize),
    ] {
        check.at_least_one(key, value);
    }
    if !(1..=8).contains(&limits.look_burst) {
        let what = format!("`limits.look_burst` is {}", limits.look_burst);
        check.no(
            "limits.look_burst",
            what,
            "a whole number from 1 to 8",
            "write `8`: a look has at most 8 pictures",
        );
    }
    if limits.look_over > Dur::secs(2) {
        let what = format!("`limits.look_over` is {}", limits.look_over);
        check.no(
            "limits.look_over",
            what,
            "at most `2s`",
            "write `2s`: a look closes 2.5 s after its first picture",
        );
    }
    check.positive("privacy.identities", config.privacy.identities);
    check.positive("privacy.channels", config.privacy.channels);
    check.positive("limits.late", limits.late);
    check.positive("limits.look_every", limits.look_every);
}

fn unique_name(
    check: &mut Checker,
    key: &str,
    kind: &str,
    name: &str,
    names: &mut HashMap<String, Position>,
) {
    let good = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if !good {
        check.no(
            key,
            format!("`{name}` cannot be the name of a {kind}"),
            "1 to 64 lower-case letters, digits, `-` and `_`",
            "write a short name; it stands in metrics and commands",
        );
    }
    let here = check.origin.position(key);
    if let Some(first) = names.get(name) {
        check.no(
            key,
            format!("there are two {kind}s named `{name}`; the first stands at {first}"),
            "names that differ",
            "rename or remove one of the two",
        );
    } else {
        names.insert(name.to_owned(), here);
    }
}

/// Whether an address has one of the schemes (the last one is the plain one), no password, and is plain only to
/// this machine unless `insecure`.
fn url(key: &str, text: &str, schemes: &[&str], insecure: bool, check: &mut Checker) {
    let form = format!("an address such as `{}://host/path`", schemes[0]);
    if text.contains('@') {
        let problem = check.origin.position(key).problem(
            format!("`{key}` holds a name or password (not repeated here)"),
            "an address without them: secrets never stand in the file",
            "remove them, and use `{ credential = \"name\" }`; treat the ones in the file as known to others",
        );
        return check.problems.push(problem.hiding());
    }
    let Ok(url) = Url::parse(text) else {
        return check.no(
            key,
            format!("`{key}` is no address"),
            &form,
            "write it in full, with its scheme and host",
        );
    };
    if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        let what = format!("`{key}` is an address of kind `{}:`", url.scheme());
        return check.no(key, what, &form, &format!("write it with `{}://`", schemes[0]));
    }
    let plain = schemes.last().is_some_and(|last| *last == url.scheme());
    if plain && !insecure && !is_loopback(&url) {
        let what = format!("`{key}` is plain `{}://` to another machine", url.scheme());
        check.no(
            key,
            what,
            &format!("`{}://`", schemes[0]),
            &format!(
                "write `{}://`, or add `insecure = true` if nobody else can listen on that line",
                schemes[0]
            ),
        );
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
