//! What must hold of every evening, whatever went wrong in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use vigie::alert::{Change, ChangeKind};
use vigie::cli::replay::replay;
use vigie::event::{Consumed, Fuel, Kind, Timestamp, Unscored};
use vigie::evidence::{Evidence, EvidenceOptions};
use vigie::store::journal::{Entry, Reader};

use super::house::{Outcome, Setting};
use super::model::{Should, word};
use super::plan::Plan;
use super::story::{NAME, PERSON, Story, TWINS};
use super::world::revision;

/// A signal that halves in 30 s loses a tenth in the four seconds that a platform may be silent and the clock is not.
const NEAR: f32 = 0.1;

/// Everything that is not as it should be, in words.
pub fn check(
    setting: &Setting,
    plan: &Plan,
    story: &Story,
    should: &Should,
    out: &Outcome,
    folder: &Path,
) -> Vec<String> {
    let mut wrong = out.wrong.clone();
    alerts(plan, should, out, folder, &mut wrong);
    forgotten(plan, story, out, &mut wrong);
    levels(plan, out, &mut wrong);
    sinks(plan, out, &mut wrong);
    journal(setting, plan, out, folder, &mut wrong);
    money(plan, out, &mut wrong);
    home(out, &mut wrong);
    kept(folder, &mut wrong);
    if out.lives == 1 {
        explained(plan, out, folder, &mut wrong);
        counts(out, folder, &mut wrong);
        order(should, folder, &mut wrong);
    }
    wrong
}

/// Alerts and what channels remember are those of the evening as it should be.
fn alerts(plan: &Plan, should: &Should, out: &Outcome, folder: &Path, wrong: &mut Vec<String>) {
    if plan.live {
        return raised(plan, should, out, folder, wrong);
    }
    let whole = |channel: &str| channel != TWINS && (out.lives == 1 || !forgets(plan, channel));
    let strict = |change: &Change| whole(change.alert.channel.as_str());
    for (key, change) in should.revisions.iter().filter(|(_, change)| strict(change)) {
        match out.revisions.get(key) {
            None => wrong.push(format!("{key:?} was not raised: {}", told(change))),
            Some(came) if came != change => {
                wrong.push(format!("{key:?} should be {}\n  and is {}", told(change), told(came)));
            }
            Some(_) => {}
        }
    }
    for (key, change) in out.revisions.iter().filter(|(_, change)| strict(change)) {
        if !should.revisions.contains_key(key) {
            wrong.push(format!("{key:?} should not be: {}", told(change)));
        }
    }
    for (channel, state) in should.channels.iter().filter(|(channel, _)| whole(channel)) {
        let came = out.channels.get(channel).unwrap_or(&Value::Null);
        if let Some(place) = differs(state, came, String::new()) {
            wrong.push(format!("{channel} remembers otherwise: {place}"));
        }
    }
}

/// On a live clock seconds pass while a feed is down, and are not made up: the same alerts, of the same highest level,
/// unless that rests on a value so near its threshold that some seconds decide. What is shed is not heard: a channel of
/// which something was is left out.
fn raised(plan: &Plan, should: &Should, out: &Outcome, folder: &Path, wrong: &mut Vec<String>) {
    let shed: BTreeSet<String> = &should.shed | &shed(folder);
    // Of each alert, the first revision at its highest level.
    let highest = |revisions: &BTreeMap<(String, u32), Change>| {
        let mut all: BTreeMap<String, Change> = BTreeMap::new();
        for ((id, _), change) in revisions {
            let channel = change.alert.channel.as_str();
            let heard = channel != TWINS && !shed.contains(channel) && !forgets(plan, channel);
            if heard && all.get(id).is_none_or(|known| known.alert.level < change.alert.level) {
                all.insert(id.clone(), change.clone());
            }
        }
        all
    };
    let (want, mut came) = (highest(&should.revisions), highest(&out.revisions));
    if let Some(since) = out.behind {
        opened_otherwise(&want, &mut came, since);
    }
    for (id, change) in &want {
        match came.get(id) {
            Some(other) if other.alert.level == change.alert.level => {}
            // An alert that is lost altogether is so however near it was.
            Some(other) if is_near(higher(change, other), near(out)) => {
                eprintln!("some seconds decided: {}", told(higher(change, other)));
            }
            other => {
                let other = other.map_or("nothing".into(), told);
                wrong.push(format!("{id} should be {}\n  and is {other}", told(change)));
            }
        }
    }
    for (id, change) in came.iter().filter(|(id, _)| !want.contains_key(*id)) {
        wrong.push(format!("{id} should not be: {}", told(change)));
    }
}

/// Of a life whose clock lags behind, what its feeds tell is set to that clock, and what waited there comes in one
/// moment: another event may be the one that opens a channel's alert, and its id is another one. There it is taken for
/// the one that should be; its level has no such excuse.
fn opened_otherwise(
    want: &BTreeMap<String, Change>,
    came: &mut BTreeMap<String, Change>,
    since: Timestamp,
) {
    for (id, change) in want {
        let instead = |(other, it): &(&String, &Change)| {
            let (it, should) = (&it.alert, &change.alert);
            !want.contains_key(*other)
                && it.channel == should.channel
                && it.opened_at.min(should.opened_at) >= since
        };
        if came.contains_key(id) {
            continue;
        }
        let instead = came.iter().filter(instead).min_by_key(|(_, it)| it.alert.opened_at);
        let instead = instead.map(|(other, _)| other.clone());
        if let Some(other) = instead.and_then(|other| came.remove(&other)) {
            came.insert(id.clone(), other);
        }
    }
}

/// The channel that an alert's event is about.
fn channel_of(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("JSON");
    body["data"]["channel"].as_str().unwrap_or_default().to_owned()
}

/// Whether a channel's platform may have forgotten something of it.
fn forgets(plan: &Plan, channel: &str) -> bool {
    let nth = channel.trim_start_matches("sim:").trim_start_matches("end").parse::<usize>();
    nth.is_ok_and(|nth| plan.forgets[nth % plan.forgets.len()])
}

/// What a platform had forgotten stands as a gap on each channel that had been heard of.
fn forgotten(plan: &Plan, story: &Story, out: &Outcome, wrong: &mut Vec<String>) {
    for (feed, gaps) in out.forgotten.iter().enumerate() {
        let Some((cursor, from, to)) = gaps.last() else { continue };
        let known = story.feeds[feed][..*cursor].iter();
        let channel = |text: &str| {
            let event: Value = serde_json::from_str(text).ok()?;
            (event["type"] != "gap").then(|| event["channel"].as_str().map(str::to_owned))?
        };
        let known: BTreeSet<String> = known.filter_map(|line| channel(&line.text)).collect();
        for channel in known.iter().filter(|channel| *channel != TWINS) {
            let state = out.channels.get(channel).unwrap_or(&Value::Null);
            let gaps = state["channel"]["gaps"].as_array().cloned().unwrap_or_default();
            let shown = gaps.iter().any(|gap| {
                // On a live clock it is told by that clock.
                plan.live || (&gap["from"], &gap["to"]) == (&json!(from), &json!(to))
            });
            if !shown {
                wrong.push(format!(
                    "{channel} does not show what was missing from {from} to {to}: {gaps:?}"
                ));
            }
        }
    }
}

/// Channels of which something was shed: all that a flood that came late, as a backlog, leaves room for.
pub fn shed(folder: &Path) -> BTreeSet<String> {
    let entries = Reader::open(&[folder.to_owned()]).expect("a journal");
    let shed = entries.filter_map(|entry| match entry.expect("it reads") {
        Entry::Consumed(Consumed { channel, fuel: Fuel::Event { unscored, .. }, .. }) => {
            (unscored == Some(Unscored::Shed)).then(|| channel.to_string())
        }
        _ => None,
    });
    shed.collect()
}

fn higher<'a>(a: &'a Change, b: &'a Change) -> &'a Change {
    if a.alert.level > b.alert.level { a } else { b }
}

/// What may decide otherwise of a value: some seconds of fading; where a life's clock lags, as many as it lags, in which
/// nothing faded.
fn near(out: &Outcome) -> f32 {
    NEAR + (out.lag as f32 / 30_000.0).exp2() - 1.0
}

/// Whether so much more or less of a value might have decided otherwise.
fn is_near(change: &Change, near: f32) -> bool {
    let near = |value: f32, threshold: f32| value < threshold * (1.0 + near);
    change
        .alert
        .reasons
        .iter()
        .any(|reason| reason.threshold.is_some_and(|t| near(reason.value, t)))
}

fn told(change: &Change) -> String {
    let alert = &change.alert;
    let reason = |reason: &vigie::alert::Reason| {
        format!("{} {} of {:?}", reason.signal, reason.value, reason.threshold)
    };
    let reasons: Vec<String> = alert.reasons.iter().map(reason).collect();
    format!(
        "{} {:?} {:?} {} {} ({})",
        alert.channel,
        change.kind,
        alert.level_now,
        alert.updated_at,
        alert.summary,
        reasons.join(", ")
    )
}

/// The first place at which two values differ.
fn differs(a: &Value, b: &Value, place: String) -> Option<String> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                differs(&of(a), &of(b), format!("{place}.{key}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(n, (a, b))| differs(a, b, format!("{place}[{n}]")))
        }
        _ if a == b => None,
        _ => Some(format!("{place}: {a} became {b}")),
    }
}

/// Revisions count from 1, the level of an alert never falls, and what it is now is never above it. Where times are data,
/// what a platform has forgotten across a death does not come again, and its alert is counted anew.
fn levels(plan: &Plan, out: &Outcome, wrong: &mut Vec<String>) {
    let mut by_alert: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for ((alert, _), change) in &out.revisions {
        by_alert.entry(alert).or_default().push(change);
    }
    for (id, changes) in by_alert {
        let mut level = None;
        for (n, change) in changes.iter().enumerate() {
            let alert = &change.alert;
            if alert.revision as usize != n + 1 {
                wrong.push(format!("{id}: revision {} is number {}", alert.revision, n + 1));
            }
            if (change.kind == ChangeKind::Opened) != (n == 0) {
                wrong.push(format!("{id}: revision {} is {:?}", alert.revision, change.kind));
            }
            let anew = !plan.live && out.lives > 1 && forgets(plan, alert.channel.as_str());
            if Some(alert.level) < level && !anew || alert.level_now > alert.level {
                wrong.push(format!(
                    "{id}: revision {} from {level:?} to {:?}",
                    alert.revision, alert.level
                ));
            }
            level = Some(alert.level);
        }
    }
}

/// Every sink took every revision, each id with one body, and nothing that the store does not hold. On a clock of data,
/// where it is not taken over from the notes, what was sent though it could not be committed, and lost with a death, is
/// raised by something else if the platform has forgotten what raised it, then under the same id; or by nothing. What was
/// told as durable stands: `Receivers` watches that.
fn sinks(plan: &Plan, out: &Outcome, wrong: &mut Vec<String>) {
    for sink in ["trust", "second"] {
        for (alert, revision) in out.revisions.keys() {
            let id = format!("{alert}-{revision}");
            if !out.took.contains_key(&(sink.to_owned(), id.clone())) {
                wrong.push(format!("{sink} never took {id}"));
            }
        }
    }
    let lost = |id: &str, bodies: &[String]| {
        let key = revision(id).map(|(alert, revision)| (alert.to_string(), revision));
        let change = key.and_then(|key| out.revisions.get(&key));
        change.is_some_and(|change| !plan.live && forgets(plan, change.alert.channel.as_str()))
            && bodies.len() <= out.lives as usize
    };
    for ((sink, id), bodies) in &out.took {
        if bodies.len() != 1 && !lost(id, bodies) {
            wrong.push(format!("{sink} took {} bodies as {id}: {bodies:#?}", bodies.len()));
        }
        let known = |(alert, revision): (uuid::Uuid, u32)| {
            out.revisions.contains_key(&(alert.to_string(), revision))
        };
        let gone = out.lives > 1
            && !plan.live
            && !out.sure.contains(&(sink.clone(), id.clone()))
            && bodies.iter().all(|body| forgets(plan, &channel_of(body)));
        if !id.starts_with("sink-") && !revision(id).is_some_and(known) && !gone {
            wrong.push(format!("{sink} took {id}, which the store does not hold"));
        }
    }
}

/// The journal gives the same alerts again. An alert that a death left uncommitted is there too; it is raised again from
/// what is told again, unless the platform has forgotten that.
fn journal(setting: &Setting, plan: &Plan, out: &Outcome, folder: &Path, wrong: &mut Vec<String>) {
    let mut replayed = BTreeMap::new();
    let done = replay(&[folder.to_owned()], &setting.config, 1, &mut |change| {
        replayed.insert((change.alert.id.to_string(), change.alert.revision), change.clone());
    });
    if let Err(error) = done {
        wrong.push(format!("the journal cannot be replayed: {error}"));
    }
    let gone = |change: &Change| out.lives > 1 && forgets(plan, change.alert.channel.as_str());
    for (key, change) in &out.revisions {
        // What a death left uncommitted stands in the journal under the id of what was raised in its place.
        if replayed.get(key) != Some(change) && !(gone(change) && replayed.contains_key(key)) {
            let came = replayed.get(key).map_or("nothing".into(), told);
            wrong.push(format!("the journal: {key:?} was {}\n  and is {came}", told(change)));
        }
    }
    for (key, change) in &replayed {
        if !out.revisions.contains_key(key) && !gone(change) {
            wrong.push(format!("the journal tells {key:?}, which never was: {}", told(change)));
        }
    }
}

/// No log from `info` up and no metric names a person or a channel, or says what was said.
fn home(out: &Outcome, wrong: &mut Vec<String>) {
    for secret in [NAME, PERSON, "sim:", "distress=", "incitement=", "gift "] {
        for (what, text) in [("log", &out.logs), ("metric", &out.metrics)] {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                wrong.push(format!("a {what} tells `{secret}`: {line}"));
            }
        }
    }
}

/// Nothing but chat and looks is ever shed.
fn kept(folder: &Path, wrong: &mut Vec<String>) {
    for entry in Reader::open(&[folder.to_owned()]).expect("a journal") {
        let Entry::Consumed(consumed) = entry.expect("it reads") else { continue };
        if let Fuel::Event { event, unscored: Some(Unscored::Shed), .. } = &consumed.fuel
            && event.kind() != Kind::Chat
        {
            wrong.push(format!("{} is no chat and was shed", event.id));
        }
    }
}

/// Each alert tells its reasons, what they weigh, the rule's thresholds, the config, and pieces of evidence that are there.
fn explained(plan: &Plan, out: &Outcome, folder: &Path, wrong: &mut Vec<String>) {
    // What comes as a backlog goes past the ring of two minutes faster than it is judged; a full disk gives up what no
    // alert cites yet, and says so.
    let backlog = plan.lost.iter().any(|lost| !lost.is_empty());
    let kept = !backlog && !out.logs.contains("something is given up");
    let evidence = Evidence::open(folder, EvidenceOptions::default()).expect("it opens");
    for (key, change) in &out.revisions {
        let alert = &change.alert;
        let weights: f32 = alert.reasons.iter().map(|reason| reason.weight).sum();
        let told = alert.reasons.iter().all(|reason| {
            !reason.text.is_empty() && alert.rule.is_some() == reason.threshold.is_some()
        });
        if alert.reasons.is_empty() || (weights - 1.0).abs() > 0.01 || !told {
            wrong.push(format!("{key:?} does not tell why: {:?}", alert.reasons));
        }
        if !alert.config.starts_with("sha256:") || alert.models.is_empty() {
            wrong.push(format!("{key:?} does not tell by what it was judged"));
        }
        let known: BTreeSet<_> = alert.evidence.iter().map(|item| item.digest).collect();
        let cited = alert.reasons.iter().flat_map(|reason| &reason.evidence);
        for digest in cited.chain(&known) {
            if !known.contains(digest) || kept && evidence.get(digest).is_none() {
                wrong.push(format!("{key:?} cites {digest}, which is not there"));
            }
        }
    }
}

/// No donation counts twice or is lost, whoever tells of it and how often.
fn money(plan: &Plan, out: &Outcome, wrong: &mut Vec<String>) {
    let mut given: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for line in out.told.feeds.iter().flatten() {
        let Ok(event) = serde_json::from_str::<Value>(&line.text) else { continue };
        if event["type"] != "donation" {
            continue;
        }
        let (channel, text) = (event["channel"].to_string(), event["text"].to_string());
        let cents = event["amount"]["value"].as_str().map(|value| value.replace('.', ""));
        let cents = cents.and_then(|cents| cents.parse().ok()).expect("cents");
        // Both tellings of a gift have the same words; words of two gifts differ.
        given.entry(channel.trim_matches('"').to_owned()).or_default().insert(text, cents);
    }
    // With times that are compared with a clock set back, hours are other ones.
    for (channel, gifts) in given {
        let Some(state) = out.channels.get(&channel) else {
            wrong.push(format!("{channel} is forgotten"));
            continue;
        };
        let hours = state["channel"]["purse"]["hours"].as_array().cloned().unwrap_or_default();
        let cents = |hour: &Value| {
            let euros: f64 = hour["eur"].as_str().and_then(|eur| eur.parse().ok()).unwrap_or(0.0);
            (euros * 100.0).round() as i64
        };
        let got: i64 = hours.iter().map(cents).sum();
        let want: i64 = gifts.values().sum();
        // What was told before a death, and forgotten after it, is gone.
        let some = out.lives > 1
            && (forgets(plan, &channel) || channel == TWINS && plan.forgets.contains(&true));
        if got > want || got != want && !some {
            wrong
                .push(format!("{channel} was given {want} cents and counts {got} ({})", plan.live));
        }
    }
}

/// Each channel consumed what it should, in that order; the first place where it did not.
fn order(should: &Should, folder: &Path, wrong: &mut Vec<String>) {
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut gaps = BTreeSet::new();
    for entry in Reader::open(&[folder.to_owned()]).expect("a journal") {
        let Entry::Consumed(consumed) = entry.expect("it reads") else { continue };
        // A gap has no id: told again after a reconnect it comes again, and changes nothing.
        if let Fuel::Gap { gap } = &consumed.fuel
            && !gaps.insert((consumed.channel.clone(), gap.from, gap.to))
        {
            continue;
        }
        came.entry(consumed.channel.to_string()).or_default().push(word(&consumed));
    }
    for (channel, want) in should.consumed.iter().filter(|(channel, _)| *channel != TWINS) {
        let came = came.remove(channel).unwrap_or_default();
        let differ = (0..want.len().max(came.len())).find(|n| want.get(*n) != came.get(*n));
        if let Some(n) = differ {
            let around = |all: &[String]| all[n.saturating_sub(2)..all.len().min(n + 2)].join(", ");
            wrong.push(format!(
                "{channel} should consume {}; it was {}",
                around(want),
                around(&came)
            ));
        }
    }
}

/// What was received is repeats and what was admitted; what was admitted was consumed, and what was shed is counted.
fn counts(out: &Outcome, folder: &Path, wrong: &mut Vec<String>) {
    let sum = |family: &str, with: &str| -> u64 {
        let lines =
            out.metrics.lines().filter(|line| line.starts_with(family) && line.contains(with));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
    };
    let admitted = sum("vigie_feed_events_total", "");
    let dropped = |reason: &str| sum("vigie_events_dropped_total", &format!("reason=\"{reason}\""));
    if admitted + dropped("repeat") != out.given {
        wrong.push(format!(
            "{} came, {admitted} admitted, {} repeats",
            out.given,
            dropped("repeat")
        ));
    }
    if dropped("malformed") != out.unreadable {
        wrong.push(format!("{} unreadable, {} counted", out.unreadable, dropped("malformed")));
    }
    let (mut events, mut frames, mut shed, mut shed_looks) = (0, 0, 0, 0);
    let mut ids = BTreeSet::new();
    for entry in Reader::open(&[folder.to_owned()]).expect("a journal") {
        let Entry::Consumed(consumed) = entry.expect("it reads") else { continue };
        match &consumed.fuel {
            Fuel::Event { event, unscored, .. } => {
                events += 1;
                shed += u64::from(*unscored == Some(Unscored::Shed));
                if !ids.insert((consumed.channel.clone(), event.id.clone())) {
                    wrong.push(format!("{} was consumed twice", event.id));
                }
            }
            Fuel::Look { look } => {
                frames += look.frames.len() as u64;
                shed_looks += u64::from(look.unscored == Some(Unscored::Shed));
            }
            _ => {}
        }
    }
    if events + frames != admitted {
        wrong.push(format!("{admitted} admitted, {events} and {frames} pictures consumed"));
    }
    if shed != dropped("shed_chat") || shed_looks != dropped("shed_look") {
        wrong.push(format!("{shed} shed, {} counted", dropped("shed_chat")));
    }
}
