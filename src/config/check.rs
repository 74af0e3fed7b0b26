//! What types alone cannot say: ranges, orders, names that must differ, addresses that would send secrets in the
//! clear. Each check adds a problem at the value that is wrong.

use std::collections::HashMap;
use std::net::SocketAddr;

use base64::Engine as _;
use reqwest::Url;
use rust_decimal::Decimal;

use super::codes;
use super::credential::{credential, credential_variable, is_name};
use super::peers::{Feed, FeedKind, Rule, Sink, SinkKind};
use super::source::{Origin, Position, Problem};
use super::tables::{Authority, Currency};
use super::types::Config;
use super::units::{Dur, Secret};
use crate::event::Level;

/// Longest condition of a rule, bytes: longer ones could keep the compiler busy for seconds.
const LONGEST_WHEN: usize = 4096;

/// Adds problems at keys of one file.
struct Checker<'a> {
    origin: &'a Origin,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn no(&mut self, key: &str, what: String, expected: &str, mend: &str) {
        self.problems
            .push(self.origin.position(key).problem(what, expected, mend));
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
    let mut check = Checker {
        origin: &config.origin,
        problems,
    };
    provider_and_server(config, &mut check);
    levels(config, &mut check);
    limits(config, &mut check);
    let mut names = HashMap::new();
    for (index, feed) in config.feeds.iter().enumerate() {
        let key = format!("feed[{index}]");
        unique_name(
            &mut check,
            &format!("{key}.name"),
            "feed",
            &feed.name,
            &mut names,
        );
        feed_entry(feed, &key, &mut check);
    }
    let mut names = HashMap::new();
    for (index, sink) in config.sinks.iter().enumerate() {
        let key = format!("sink[{index}]");
        unique_name(
            &mut check,
            &format!("{key}.name"),
            "sink",
            &sink.name,
            &mut names,
        );
        sink_entry(sink, &key, &mut check);
    }
    channels(config, &mut check);
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
    for (key, text) in [
        ("server.listen", &server.listen),
        ("server.metrics_listen", &server.metrics_listen),
    ] {
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
        url(
            "server.public_url",
            &server.public_url,
            &["https", "http"],
            true,
            check,
        );
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
}

fn levels(config: &Config, check: &mut Checker) {
    let levels = &config.levels;
    let ladder = [
        ("levels.watch", levels.watch),
        ("levels.concern", levels.concern),
        ("levels.danger", levels.danger),
        ("levels.threat_to_life", levels.threat_to_life),
    ];
    let good: Vec<bool> = ladder
        .iter()
        .map(|(key, value)| check.probability(key, *value))
        .collect();
    check.probability("levels.imminent", levels.imminent);
    for (step, pair) in ladder.windows(2).enumerate() {
        let [(low, below), (high, above)] = [pair[0], pair[1]];
        if good[step] && good[step + 1] && below > above {
            let key = if check.origin.is_written(low) {
                low
            } else {
                high
            };
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
    for (name, cap) in &config.signals.caps {
        if !(cap.is_finite() && *cap > 0.0) {
            let key = format!("signals.caps.{name}");
            check.no(
                &key,
                format!("the cap of `{name}` is {cap}"),
                "a number above 0",
                "write one, or remove it",
            );
        }
    }
}

fn limits(config: &Config, check: &mut Checker) {
    let limits = &config.limits;
    if limits.message.0 == 0 || limits.message > limits.discard {
        check.no(
            "limits.message",
            format!(
                "`limits.message` ({}) is 0 or above `limits.discard` ({})",
                limits.message, limits.discard
            ),
            "a size above 0 and at most `limits.discard`",
            "write `message = \"8MiB\"`, which is the default",
        );
    }
    for (key, value) in [
        ("limits.dedupe", limits.dedupe),
        ("limits.feed_queue", limits.feed_queue),
        ("limits.chat_queue", limits.chat_queue),
        ("limits.look_queue", limits.look_queue),
        ("limits.shard_queue", limits.shard_queue),
        ("limits.score_cache", limits.score_cache),
        ("limits.channels", limits.channels),
        ("limits.users", limits.users),
        ("limits.ring", limits.ring),
        ("limits.paid_per_second", limits.paid_per_second as usize),
        ("limits.sink_parallel", limits.sink_parallel),
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

fn feed_entry(feed: &Feed, key: &str, check: &mut Checker) {
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
        FeedKind::Websocket => url(
            &field("url"),
            &feed.url,
            &["wss", "ws"],
            feed.insecure,
            check,
        ),
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

fn sink_entry(sink: &Sink, key: &str, check: &mut Checker) {
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
            url(
                &field("url"),
                &sink.url,
                &["https", "http"],
                sink.insecure,
                check,
            );
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

fn channels(config: &Config, check: &mut Checker) {
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

/// Whether an address has one of the schemes (the last one is the plain one), no password, and is plain only to
/// this machine unless `insecure`.
fn url(key: &str, text: &str, schemes: &[&str], insecure: bool, check: &mut Checker) {
    let form = format!("an address such as `{}://host/path`", schemes[0]);
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
        return check.no(
            key,
            what,
            &form,
            &format!("write it with `{}://`", schemes[0]),
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return check.no(
            key,
            format!("`{key}` holds a name or password (not repeated here)"),
            "an address without them: secrets never stand in the file",
            "remove them, and use `{ credential = \"name\" }`; treat the ones in the file as known to others",
        );
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
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// The rules of one file; `names` are those of the files before it.
pub(super) fn rules(
    rules: &[Rule],
    origin: &Origin,
    names: &mut HashMap<String, Position>,
    problems: &mut Vec<Problem>,
) {
    let mut check = Checker { origin, problems };
    for (index, rule) in rules.iter().enumerate() {
        let key = format!("rule[{index}]");
        unique_name(
            &mut check,
            &format!("{key}.name"),
            "rule",
            &rule.name,
            names,
        );
        if rule.when.trim().is_empty() || rule.when.len() > LONGEST_WHEN {
            check.no(
                &format!("{key}.when"),
                format!("the condition of rule `{}` has {} bytes", rule.name, rule.when.len()),
                "a condition of 1 to 4096 bytes",
                "compare signals, such as `chat_distress_60s > 0.8`; split a long rule into several",
            );
        }
        if rule.level == Level::None {
            check.no(
                &format!("{key}.level"),
                format!("rule `{}` raises to `none`", rule.name),
                "one of `watch`, `concern`, `danger`, `threat_to_life`",
                "write a level, or `mode = \"shadow\"` to have the rule only counted",
            );
        }
        if rule.reason.values().all(|text| text.trim().is_empty()) {
            check.no(
                &format!("{key}.reason"),
                format!("rule `{}` has no reason", rule.name),
                "at least one sentence by language",
                "write `reason = { en = \"…\", fr = \"…\" }`: every alert says why",
            );
        }
        for language in rule.reason.keys() {
            if language.len() != 2 || !language.bytes().all(|b| b.is_ascii_lowercase()) {
                check.no(
                    &format!("{key}.reason.{language}"),
                    format!("`{language}` is no language's code"),
                    "an ISO 639-1 code of two letters, such as `en`",
                    "write the code",
                );
            }
        }
    }
}

/// `currency.toml`.
pub(super) fn currency(table: &Currency, origin: &Origin, problems: &mut Vec<Problem>) {
    let mut check = Checker { origin, problems };
    if !is_date(&table.date) {
        check.no(
            "date",
            format!("`{}` is no date", table.date),
            "a date, `\"2026-10-30\"`",
            "write the rates' day",
        );
    }
    for (code, rate) in &table.rates {
        let key = format!("rates.{code}");
        if !codes::is_currency(code) {
            check.no(
                &key,
                format!("`{code}` is no currency that Vigie knows"),
                "an ISO 4217 code in capitals, such as `USD`, or `bits`, `kicks`, `points`",
                "write the code, or remove the line",
            );
        }
        if *rate < Decimal::ZERO || (code == "EUR" && *rate != Decimal::ONE) {
            check.no(
                &key,
                format!("one {code} is worth {rate} EUR"),
                "an amount not below 0; for EUR, 1",
                "write what one unit is worth in EUR, such as `\"0.8951\"`",
            );
        }
    }
}

/// `authorities.toml`.
pub(super) fn authorities(list: &[Authority], origin: &Origin, problems: &mut Vec<Problem>) {
    let mut check = Checker { origin, problems };
    let mut codes_seen = HashMap::new();
    for (index, entry) in list.iter().enumerate() {
        let key = format!("authority[{index}]");
        unique_name(
            &mut check,
            &format!("{key}.code"),
            "authority",
            &entry.code,
            &mut codes_seen,
        );
        if entry.country != "EU" && !codes::is_country(&entry.country) {
            check.no(
                &format!("{key}.country"),
                format!("`{}` is no country's code", entry.country),
                "an ISO 3166-1 code of two capital letters, or `EU`",
                "write the code of the Member State",
            );
        }
        if (entry.contact.is_some() || entry.verified_on.is_some()) && entry.source.is_none() {
            check.no(
                &key,
                format!(
                    "authority `{}` has a contact or a date of verification but no `source`",
                    entry.code
                ),
                "where the contact is published",
                "add `source = \"…\"`, or remove the contact: a contact is never guessed",
            );
        }
        if let Some(date) = entry.verified_on.as_ref().filter(|date| !is_date(date)) {
            let what = format!("`{date}` is no date");
            check.no(
                &format!("{key}.verified_on"),
                what,
                "a date, `\"2026-10-30\"`",
                "write the day, or remove it",
            );
        }
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok()
}

/// Files that feeds and sinks read must be there.
pub(super) fn files(config: &Config, problems: &mut Vec<Problem>) {
    let mut check = Checker {
        origin: &config.origin,
        problems,
    };
    let feeds = config.feeds.iter().enumerate().flat_map(|(index, feed)| {
        [
            (format!("feed[{index}].path"), &feed.path),
            (format!("feed[{index}].ca"), &feed.ca),
        ]
    });
    let sinks = config
        .sinks
        .iter()
        .enumerate()
        .map(|(index, sink)| (format!("sink[{index}].ca"), &sink.ca));
    for (key, path) in feeds.chain(sinks) {
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            let what = format!("there is no file {}", path.display());
            check.no(
                &key,
                what,
                "a file that exists",
                "correct the path; it starts from this file's folder",
            );
        }
    }
}

impl Config {
    /// Looks at every credential that feeds and sinks name: there, not empty, and, for a webhook's secret, of the
    /// form of Standard Webhooks. Values never stand in a problem's text.
    pub fn check_credentials(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = Checker {
            origin: &self.origin,
            problems: &mut problems,
        };
        for (index, feed) in self.feeds.iter().enumerate() {
            if let Some(secret) = &feed.token {
                value_of(&format!("feed[{index}].token"), secret, false, &mut check);
            }
        }
        for (index, sink) in self.sinks.iter().enumerate() {
            if let Some(secret) = &sink.secret {
                let signs = sink.kind == SinkKind::Webhook;
                value_of(&format!("sink[{index}].secret"), secret, signs, &mut check);
            }
        }
        problems
    }
}

fn value_of(key: &str, secret: &Secret, signs: bool, check: &mut Checker) {
    let name = &secret.credential;
    let key = format!("{key}.credential");
    let variable = credential_variable(name);
    match credential(name) {
        Err(error) => check.no(
            &key,
            error.to_string(),
            "a credential that is set",
            &format!(
                "set `{variable}` in the environment, or `LoadCredential={name}:/path` in the unit"
            ),
        ),
        Ok(value) if signs && !is_webhook_secret(value.expose()) => check.no(
            &key,
            format!("credential `{name}` is no webhook secret (its value is not shown)"),
            "`whsec_` and 24 to 64 bytes in base64, as in Standard Webhooks",
            "make one: `echo whsec_$(head -c 32 /dev/urandom | base64)`",
        ),
        Ok(_) => {}
    }
}

fn is_webhook_secret(text: &str) -> bool {
    let key = text.strip_prefix("whsec_").unwrap_or_default();
    base64::engine::general_purpose::STANDARD
        .decode(key)
        .is_ok_and(|bytes| (24..=64).contains(&bytes.len()))
}
