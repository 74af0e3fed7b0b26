//! The benchmarks `decode`, `evaluate` and `features`: what an event costs without inference, what a judgement costs,
//! and what reading a text for the model costs, each in time on one core.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use serde::Deserialize;

use super::{Baseline, Bench, Case, Goal, in_turn, material, micros, spent};
use crate::channel::Channel;
use crate::cli::replay::event_entry;
use crate::cli::setup;
use crate::event::{
    ChannelId, Consumed, Event, FeedItem, Keyer, Rates, Scores, Signals, decode as read,
};
use crate::feed::{Dedupe, WINDOW};
use crate::model::{Door, Escalation, MessageScores, Preprocess, Ready, text};
use crate::risk::State;

const CHANNELS: usize = 1000;
const ROUNDS: usize = 9;
const EVENTS: usize = 50_000;
/// Evaluations of each channel in a round.
const PASSES: usize = 40;
/// Chat older than this against channel time is only counted; the config's default.
const LATE_MS: i64 = 120_000;

/// The way of an event up to its channel, without models and rules.
struct Way {
    keyer: Keyer,
    dedupe: Dedupe,
    door: Door,
    channels: HashMap<ChannelId, Channel>,
    ready: Vec<Ready>,
}

impl Way {
    fn new(bench: &Bench) -> Self {
        // The number is above zero.
        let most = NonZeroUsize::new(CHANNELS * 2).unwrap_or(NonZeroUsize::MIN);
        Self {
            keyer: Keyer::new(b"bench"),
            dedupe: Dedupe::new(),
            door: Door::new(most, setup::categories(&bench.config), Arc::new(Rates::default())),
            channels: HashMap::new(),
            ready: Vec::new(),
        }
    }

    /// One line all the way; whether it came through.
    fn take(&mut self, line: &str, scored: &MessageScores) -> bool {
        let Ok(FeedItem::Event(event)) = read(line, &self.keyer) else { return false };
        if !self.dedupe.admit(0, &event) {
            return false;
        }
        self.door.admit(event, &mut self.ready);
        for entry in self.ready.drain(..).filter_map(|ready| consumed(ready, scored)) {
            let known = self.channels.entry_ref(&entry.channel).or_default();
            std::hint::black_box(known.consume(&entry, LATE_MS));
        }
        true
    }
}

impl Way {
    /// Dedupe, door and channel one after the other over the same events, once: where the time goes.
    fn stages(&mut self, lines: &[String], scored: &[MessageScores]) -> [Duration; 3] {
        let mut events: Vec<Event> = Vec::with_capacity(lines.len());
        events.extend(lines.iter().filter_map(|line| match read(line, &self.keyer) {
            Ok(FeedItem::Event(event)) => Some(event),
            _ => None,
        }));
        let dedupe = spent(|| events.retain(|event| self.dedupe.admit(0, event)));
        let mut ready = Vec::with_capacity(events.len());
        let door = spent(|| events.into_iter().for_each(|e| self.door.admit(e, &mut ready)));
        let entries = ready.into_iter().zip(scored);
        let entries: Vec<Consumed> = entries.filter_map(|(r, s)| consumed(r, s)).collect();
        let channel = spent(|| {
            for entry in &entries {
                let known = self.channels.entry_ref(&entry.channel).or_default();
                std::hint::black_box(known.consume(entry, LATE_MS));
            }
        });
        [dedupe, door, channel]
    }
}

/// What a channel is given of what came through the door.
fn consumed(ready: Ready, scored: &MessageScores) -> Option<Consumed> {
    let Ready::Event { admitted, message } = ready else { return None };
    let plain = message.filter(|message| message.setting.excuses()).map(|_| scored.own);
    Some(event_entry(admitted, Some(Ok(MessageScores { plain, ..*scored }))))
}

/// The fields of the flat wire format, read into a struct and nothing more.
#[derive(Deserialize)]
struct Plain<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow, default)]
    user: Option<PlainUser<'a>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct PlainUser<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

fn read_plain(line: &str) -> usize {
    let Ok(plain) = serde_json::from_str::<Plain>(line) else { return 0 };
    let user = plain.user.map_or(0, |user| user.id.len() + user.name.map_or(0, |n| n.len()));
    let text = plain.text.map_or(0, |text| text.len());
    plain.kind.len() + plain.id.len() + plain.at.len() + plain.channel.len() + user + text
}

pub fn decode(bench: &mut Bench) {
    let mut way = Way::new(bench);
    let mut dice = material::dice(5);
    let scores: Vec<Scores> = (0..EVENTS).map(|_| material::scores(&mut dice)).collect();
    // What the inference threads give of each line: its scores and how it is put.
    let scored = |lines: &[String]| -> Vec<MessageScores> {
        let one = |(line, own): (&String, &Scores)| MessageScores {
            own: *own,
            plain: None,
            manner: read(line, &Keyer::new(b"bench")).ok().and_then(|item| match item {
                FeedItem::Event(event) => event.text().map(text::manner),
                _ => None,
            }),
        };
        lines.iter().zip(&scores).map(one).collect()
    };
    // A full window of repeats, as on a day like any other.
    let mut first = 0;
    while first < WINDOW {
        let lines = material::lines(EVENTS, CHANNELS, first);
        lines.iter().zip(&scored(&lines)).for_each(|(line, scored)| {
            way.take(line, scored);
        });
        first += EVENTS;
    }
    let (mut all, mut reads, mut values, mut structs) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut lost = 0;
    for _ in 0..ROUNDS {
        let lines = material::lines(EVENTS, CHANNELS, first);
        let scored = scored(&lines);
        first += EVENTS;
        values.push(spent(|| {
            for line in &lines {
                std::hint::black_box(serde_json::from_str::<serde_json::Value>(line).ok());
            }
        }));
        structs.push(spent(|| {
            for line in &lines {
                std::hint::black_box(read_plain(line));
            }
        }));
        reads.push(spent(|| {
            for line in &lines {
                std::hint::black_box(read(line, &way.keyer).ok());
            }
        }));
        all.push(spent(|| {
            for (line, scored) in lines.iter().zip(&scored) {
                lost += usize::from(!way.take(line, scored));
            }
        }));
    }
    let lines = material::lines(EVENTS, CHANNELS, first);
    let stages = way.stages(&lines, &scored(&lines));
    let mut case = |what: &str, mine: &[Duration], beside: &[(&str, &[Duration])]| {
        let micros = micros(mine, EVENTS);
        let goal = (beside.len() > 1).then(|| Goal {
            what: match lost {
                0 => "at most 3 µs an event on one core".into(),
                lost => format!("at most 3 µs an event on one core, none lost; {lost} were"),
            },
            met: micros.median <= 3.0 && lost == 0,
        });
        let baseline = |(what, took): &(&str, &[Duration])| Baseline::of(what, EVENTS, mine, took);
        bench.cases.push(Case {
            bench: "decode",
            what: what.to_owned(),
            unit: "event",
            items: EVENTS,
            rounds: mine.len(),
            micros,
            baselines: beside.iter().map(baseline).collect(),
            goal,
        });
    };
    let plain = ("serde_json into a plain struct", structs.as_slice());
    let beside = [("serde_json::Value", values.as_slice()), plain];
    case("decode + dedupe + channel, 1,000 channels", &all, &beside);
    case("of it, decode (with the user's key)", &reads, &[plain]);
    for (what, took) in
        ["of it, dedupe", "of it, the door", "of it, the channel"].iter().zip(stages)
    {
        case(what, &[took], &[]);
    }
}

pub fn evaluate(bench: &mut Bench) -> Result<(), String> {
    let judge = setup::judge(&bench.config).map_err(|errors| errors.to_string())?;
    let manifest = bench.manifest().map_err(|error| error.to_string())?;
    let mut model = Escalation::open(&manifest).map_err(|error| error.to_string())?;
    // Channels in trouble: every kind of signal has been fed.
    let mut way = Way::new(bench);
    let mut dice = material::dice(6);
    for line in material::lines(CHANNELS * 30, CHANNELS, 0) {
        let own = material::heavy_scores(&mut dice);
        way.take(&line, &MessageScores { own, ..MessageScores::default() });
    }
    let now = material::START.plus_ms((CHANNELS * 30) as i64);
    let channels: Vec<&Channel> = way.channels.values().collect();
    let mut states = vec![State::default(); channels.len()];
    let items = channels.len() * PASSES;
    let at = |pass: usize| now.plus_ms(pass as i64 * 1000);
    let mut took: [Vec<Duration>; 4] = Default::default();
    for round in 0..ROUNDS {
        let passes = round * PASSES..(round + 1) * PASSES;
        took[0].push(spent(|| {
            for pass in passes.clone() {
                for (channel, state) in channels.iter().zip(&mut states) {
                    let signals = channel.signals(at(pass));
                    let rows = std::slice::from_ref(&signals);
                    let out = model.as_mut().and_then(|model| model.run(rows).ok());
                    let out = out.and_then(|out| out.first().copied()).map(setup::outputs);
                    let harm = channel.last_harm;
                    std::hint::black_box(judge.assess(state, &signals, out, harm, at(pass), true));
                }
            }
        }));
        let mut signals = vec![Signals::default(); channels.len()];
        took[1].push(spent(|| {
            for pass in passes.clone() {
                for (channel, signals) in channels.iter().zip(&mut signals) {
                    *signals = channel.signals(at(pass));
                }
            }
        }));
        let mut outs = vec![None; channels.len()];
        took[2].push(spent(|| {
            for _ in passes.clone() {
                for (row, out) in signals.iter().zip(&mut outs) {
                    let ran = model.as_mut().and_then(|m| m.run(std::slice::from_ref(row)).ok());
                    *out = ran.and_then(|ran| ran.first().copied()).map(setup::outputs);
                }
            }
        }));
        took[3].push(spent(|| {
            for pass in passes {
                for (place, channel) in channels.iter().enumerate() {
                    let (harm, row, out) = (channel.last_harm, &signals[place], outs[place]);
                    let state = &mut states[place];
                    std::hint::black_box(judge.assess(state, row, out, harm, at(pass), true));
                }
            }
        }));
    }
    let [whole, parts_signals, parts_model, parts_rules] = took;
    let name = match &model {
        Some(_) => "signals + rules + escalation",
        None => "signals + rules (the manifest has no escalation model)",
    };
    let rules = judge.rules.len();
    let mut parts = vec![
        (name.to_owned(), whole),
        ("of it, signals".into(), parts_signals),
        (format!("of it, {rules} rules and levels"), parts_rules),
    ];
    if model.is_some() {
        parts.push(("of it, the escalation model, a row at a time".into(), parts_model));
    }
    for (what, took) in parts {
        bench.cases.push(Case {
            bench: "evaluate",
            what,
            unit: "evaluation",
            items,
            rounds: took.len(),
            micros: micros(&took, items),
            baselines: Vec::new(),
            goal: None,
        });
    }
    Ok(())
}

pub fn features(bench: &mut Bench) -> Result<(), String> {
    // Only how the text is read is measured, so the models themselves need not be there.
    let manifest = setup::manifest(&bench.config).map_err(|error| error.to_string())?;
    let read = manifest.models.iter().find_map(|spec| match &spec.preprocess {
        Some(Preprocess::HashedNgrams { buckets, lengths }) => Some((*buckets, *lengths.last()?)),
        _ => None,
    });
    let (buckets, longest) = read.ok_or("the manifest has no model of hashed n-grams")?;
    let messages = material::messages(100_000);
    let mut ids = Vec::new();
    let mut ours = || {
        spent(|| {
            for message in &messages {
                text::features(&message.text, buckets, longest, &mut ids);
                std::hint::black_box(&ids);
            }
        })
    };
    // The least that any reader of words must do: lower case, split, hash each word.
    let mut least = || {
        spent(|| {
            for message in &messages {
                let lower = message.text.to_lowercase();
                let hash = |word: &str| {
                    word.bytes()
                        .fold(0x811C_9DC5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
                };
                std::hint::black_box(lower.split_whitespace().map(hash).fold(0, u32::max));
            }
        })
    };
    let [mine, theirs] = in_turn(ROUNDS, [&mut ours, &mut least]);
    let beside = "lower case, split, one hash a word";
    bench.cases.push(Case {
        bench: "features",
        what: "text features (1-2 words, 3-5 characters)".into(),
        unit: "message",
        items: messages.len(),
        rounds: mine.len(),
        micros: micros(&mine, messages.len()),
        baselines: vec![Baseline::of(beside, messages.len(), &mine, &theirs)],
        goal: None,
    });
    Ok(())
}
