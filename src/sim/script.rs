//! Scenarios: which channels run at once, and the seeded script of everything that happens on them but pictures.
//! The same name, start and seed give the same lines, byte for byte.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::scene::Scene;
use super::show::{self, ACT_AFTER, Show};
use super::typing::{Bag, Dice, name, typed};
use crate::event::Timestamp;

/// Start of a scenario that was given none: 2025-08-17T20:00:00Z.
pub const DEFAULT_START: Timestamp = Timestamp(1_755_460_800_000);

/// Length of every scenario in seconds of simulated time.
const SECONDS: f64 = 1440.0;

const SEED: u64 = 0x7669_6769_6501;

/// A scripted event, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    pub at: Timestamp,
    /// The wire's `type`.
    pub kind: &'static str,
    pub channel: String,
    /// One JSON object of the wire format.
    pub json: String,
}

/// Some channels at once, from a start time, under a seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    name: &'static str,
    start: Timestamp,
    seed: u64,
    shows: Vec<Show>,
    events: Vec<TimedEvent>,
    /// By channel: (seconds, sum given so far), for the thermometer.
    raised: Vec<Vec<(f64, f64)>>,
}

const NAMES: [&str; 4] = ["paid-violence", "quiet", "paid-violence-en", "swatting"];

impl Scenario {
    /// The scenario of this name, starting at [`DEFAULT_START`]; `None` if there is none.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = NAMES.into_iter().find(|known| *known == name)?;
        let shows = match name {
            "paid-violence" => {
                vec![
                    show::nuit_blanche(),
                    show::gala(),
                    show::marathon(),
                    show::ranked(),
                    show::sleep(),
                ]
            }
            "quiet" => vec![show::gala(), show::marathon(), show::ranked(), show::sleep()],
            "paid-violence-en" => vec![show::up_all_night()],
            _ => vec![show::chill()],
        };
        Some(Self::build(name, DEFAULT_START, SEED, shows))
    }

    /// The names that [`Scenario::by_name`] knows; the first is the demo's.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// The same scenario at another time.
    pub fn starting(self, start: Timestamp) -> Self {
        Self::build(self.name, start, self.seed, self.shows)
    }

    /// The same scenario with other draws.
    pub fn seeded(self, seed: u64) -> Self {
        Self::build(self.name, self.start, seed, self.shows)
    }

    /// The same scenario with these channels alone; what is said on them stays the same.
    pub fn only(mut self, channels: &[&str]) -> Self {
        self.shows.retain(|show| channels.contains(&show.show.channel.as_str()));
        Self::build(self.name, self.start, self.seed, self.shows)
    }

    fn build(name: &'static str, start: Timestamp, seed: u64, shows: Vec<Show>) -> Self {
        let run = run_mark(start);
        let mut events = Vec::new();
        let mut raised = Vec::new();
        for show in &shows {
            let (said, sums) = Writer::new(show, start, seed).write(&run);
            events.extend(said);
            raised.push(sums);
        }
        events.sort_by_key(|event| event.at);
        Self { name, start, seed, shows, events, raised }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// When the last event lies behind and the platform idles.
    pub fn end(&self) -> Timestamp {
        self.start.plus_ms((SECONDS * 1000.0) as i64)
    }

    /// Ids of the channels, the one with the story first.
    pub fn channels(&self) -> Vec<&str> {
        self.shows.iter().map(|show| show.show.channel.as_str()).collect()
    }

    /// Everything that happens except pictures, in order of time.
    pub fn events(&self) -> &[TimedEvent] {
        &self.events
    }

    /// Part of every id and cursor, so that another run of the demo is not taken for a repeat of this one.
    pub(super) fn run(&self) -> String {
        run_mark(self.start)
    }

    /// What the camera of `channel` sees at `at`; `None` for a channel that is not in the scenario.
    pub fn scene_at(&self, channel: &str, at: Timestamp) -> Option<Scene> {
        let place = self.shows.iter().position(|show| show.show.channel == channel)?;
        let show = &self.shows[place];
        let t = at.since(self.start) as f64 / 1000.0;
        let mood = show.moods.iter().rfind(|mood| mood.from <= t).map(|mood| mood.mood);
        let act = show.acts.iter().find_map(|act| {
            let since = t - act.at - ACT_AFTER;
            (0.0..act.kind.seconds()).contains(&since).then_some((act.kind, since))
        });
        let given = &self.raised[place];
        let sum = given.partition_point(|(at, _)| *at <= t).checked_sub(1).map(|i| given[i].1);
        Some(Scene {
            set: show.show.set,
            mood: mood.unwrap_or(super::scene::Mood::Usual),
            act,
            t,
            hours_live: show.show.hours_live + t / 3600.0,
            raised: show.show.raised + sum.unwrap_or(0.0),
            seed: self.seed ^ hash(channel),
        })
    }
}

/// The start in whole seconds, base 36.
fn run_mark(start: Timestamp) -> String {
    let mut left = start.second().unsigned_abs();
    let mut out = Vec::new();
    while left > 0 || out.is_empty() {
        // A digit below 36 always has a letter.
        out.push(char::from_digit((left % 36) as u32, 36).unwrap_or('0'));
        left /= 36;
    }
    out.into_iter().rev().collect()
}

/// FNV-1a, so that each channel draws on its own.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Writes the script of one channel.
struct Writer<'a> {
    show: &'a Show,
    start: Timestamp,
    dice: Dice,
    bags: BTreeMap<&'a str, Bag<'a>>,
    /// Seconds and the event without id.
    said: Vec<(f64, Value)>,
    sums: Vec<(f64, f64)>,
}

impl<'a> Writer<'a> {
    fn new(show: &'a Show, start: Timestamp, seed: u64) -> Self {
        let dice = Dice::new(seed ^ hash(&show.show.channel));
        Self { show, start, dice, bags: BTreeMap::new(), said: Vec::new(), sums: Vec::new() }
    }

    fn write(mut self, run: &str) -> (Vec<TimedEvent>, Vec<(f64, f64)>) {
        self.stream();
        self.phases();
        self.acts();
        self.gifts();
        self.rewards();
        self.raids();
        self.notices();
        self.said.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.sums.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut total = 0.0;
        for (_, sum) in &mut self.sums {
            total += *sum;
            *sum = total;
        }
        let channel = &self.show.show.channel;
        let short = short(channel);
        let events = self.said.into_iter().enumerate().map(|(n, (t, mut event))| {
            let at = self.start.plus_ms((t * 1000.0) as i64);
            event["id"] = format!("{run}-{short}-{n:05}").into();
            event["at"] = at.to_string().into();
            event["channel"] = channel.as_str().into();
            let kind = match event["type"].as_str() {
                Some("chat") => "chat",
                Some("donation") => "donation",
                Some("reward") => "reward",
                Some("notice") => "notice",
                _ => "stream",
            };
            TimedEvent { at, kind, channel: channel.clone(), json: event.to_string() }
        });
        (events.collect(), self.sums)
    }

    fn say(&mut self, t: f64, event: Value) {
        if (0.0..SECONDS).contains(&t) {
            self.said.push((t, event));
        }
    }

    /// Somebody: few write much, many write little.
    fn person(&mut self) -> u32 {
        (libm::pow(self.dice.unit(), 1.7) * f64::from(self.show.show.viewers_pool)) as u32
    }

    fn user(&mut self, person: u32) -> Value {
        let style = &self.show.show.names;
        let id = format!("{}-{person}", short(&self.show.show.channel));
        let mut user = json!({"id": id, "name": name(style, person)});
        match person % 17 {
            0 if person < 40 => user["roles"] = json!(["moderator"]),
            3 | 8 | 11 => user["roles"] = json!(["subscriber"]),
            _ => {}
        }
        user
    }

    fn line(&mut self, section: &'a str, person: u32) -> String {
        let show = self.show;
        let bag = self.bags.entry(section).or_insert_with(|| Bag::new(show.lines(section)));
        let line = bag.draw(&mut self.dice);
        let playful = show.show.playful.iter().any(|name| name == section);
        typed(&mut self.dice, &show.show.names, person, line, playful)
    }

    fn stream(&mut self) {
        let about = &self.show.show;
        let since = self.start.plus_ms(-(about.hours_live * 3_600_000.0) as i64);
        let about_stream = |state: &str, viewers: u64| {
            json!({"type": "stream", "state": state, "name": about.name, "title": about.title,
                "category": about.category, "language": about.language, "country": about.country,
                "url": about.url, "viewers": viewers, "started_at": since.to_string()})
        };
        self.said.push((0.0, about_stream("live", about.viewers)));
        for minute in 1..(SECONDS / 60.0) as u32 {
            let t = f64::from(minute) * 60.0;
            let share = t / SECONDS;
            let grown = about.viewers as f64
                + (about.viewers_end as f64 - about.viewers as f64) * share * share;
            let swing = 1.0 + (self.dice.unit() - 0.5) * 0.03;
            self.said.push((t, about_stream("update", (grown * swing) as u64)));
        }
    }

    fn phases(&mut self) {
        let show = self.show;
        for phase in &show.phases {
            let total: f64 = phase.lines.values().sum();
            let mut t = phase.from + self.dice.wait(phase.rate);
            while t < phase.to {
                let mut left = self.dice.unit() * total;
                let mut chosen = "";
                for (section, weight) in &phase.lines {
                    chosen = section;
                    left -= weight;
                    if left < 0.0 {
                        break;
                    }
                }
                self.chat(t, chosen);
                t += self.dice.wait(phase.rate);
            }
        }
    }

    fn chat(&mut self, t: f64, section: &'a str) {
        let person = self.person();
        let text = self.line(section, person);
        let user = self.user(person);
        self.say(t, json!({"type": "chat", "user": user, "text": text}));
    }

    fn gift(&mut self, t: f64, amount: &str, text: String) {
        let person = self.person();
        let user = self.user(person);
        self.sums.push((t, amount.parse().unwrap_or(0.0)));
        let amount = json!({"value": amount, "currency": self.show.show.currency});
        self.say(
            t,
            json!({"type": "donation", "user": user, "amount": amount, "source": "tip", "text": text}),
        );
    }

    fn acts(&mut self) {
        let show = self.show;
        for act in &show.acts {
            self.gift(act.at, &act.amount, act.text.clone());
            let begins = act.at + ACT_AFTER;
            let mut t = begins + 1.0 + self.dice.wait(70.0);
            while t < begins + act.kind.seconds().max(8.0) {
                self.chat(t, &act.cheer);
                t += self.dice.wait(70.0);
            }
            for _ in 0..act.more {
                let t = begins + 4.0 + self.dice.unit() * 36.0;
                let amount = self.dice.pick(&["5.00", "10.00", "10.00", "20.00", "20.00"]);
                let person = self.person();
                let text = self.line("paid", person);
                self.gift(t, amount.unwrap_or("5.00"), text);
            }
        }
    }

    fn gifts(&mut self) {
        let show = self.show;
        for gifts in &show.gifts {
            let amounts: Vec<&str> = gifts.amounts.iter().map(String::as_str).collect();
            let mut t = gifts.from + self.dice.wait(gifts.per_minute);
            while t < gifts.to {
                let amount = self.dice.pick(&amounts).unwrap_or("1.00");
                let person = self.person();
                let text = self.line(&gifts.lines, person);
                self.gift(t, amount, text);
                t += self.dice.wait(gifts.per_minute);
            }
        }
    }

    fn rewards(&mut self) {
        let show = self.show;
        for rewards in &show.rewards {
            let mut t = rewards.from + self.dice.wait(rewards.per_minute);
            while t < rewards.to {
                let person = self.person();
                let text = self.line(&rewards.lines, person);
                let user = self.user(person);
                let reward =
                    json!({"title": rewards.title, "cost": rewards.cost, "unit": "points"});
                self.say(
                    t,
                    json!({"type": "reward", "user": user, "reward": reward, "text": text}),
                );
                t += self.dice.wait(rewards.per_minute);
            }
        }
    }

    fn raids(&mut self) {
        let show = self.show;
        for raid in &show.raids {
            let lines = show.lines(&raid.lines);
            let mut t = raid.from + self.dice.wait(raid.rate);
            while t < raid.to {
                let account = self.dice.index(raid.accounts as usize);
                // Made today, numbered, and all alike.
                let user = json!({"id": format!("new-{account}"), "name": format!("user{}", 88_231_400 + account)});
                let text = self.dice.pick(&lines).unwrap_or_default();
                self.say(t, json!({"type": "chat", "user": user, "text": text}));
                t += self.dice.wait(raid.rate);
            }
        }
    }

    fn notices(&mut self) {
        let show = self.show;
        for (n, notice) in show.notices.iter().enumerate() {
            let notifier = json!({"id": format!("notifier-{n}"), "name": notice.notifier});
            let event = json!({"type": "notice", "notifier": notifier, "text": notice.text,
                "url": show.show.url});
            self.say(notice.at, event);
        }
    }
}

/// The channel's id without the platform.
pub(super) fn short(channel: &str) -> &str {
    channel.split_once(':').map_or(channel, |(_, id)| id)
}
