//! The benchmark `channels`: what an event costs from its line to its judgement as channels grow, and what a channel takes
//! in memory. Traffic is Zipf: the n-th channel has 1/n of the first one's.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::rig::resident;
use super::{Baseline, Bench, Case, Goal, Size, in_turn, material, micros, spent};
use crate::cli::engine::{AT_ONCE, Engine};
use crate::cli::replay::event_entry;
use crate::cli::setup;
use crate::event::{ChannelId, Consumed, FeedItem, Fuel, Keyer, Scores, Timestamp, decode as read};
use crate::feed::Dedupe;
use crate::model::{Door, MessageScores, Ready, text};

/// How many channels there are, from the least.
const CHANNELS: [usize; 3] = [1, 1_000, 100_000];
const ROUNDS: usize = 9;
const EVENTS: usize = 20_000;
/// Messages a second over all channels, in the data's time.
const RATE: usize = 5_000;
/// Share of harmful messages: what the chat model raises in ordinary live chat, and as much again (its card).
const HARM: f64 = 0.002;
/// An event may cost this much more than with a thousandth of the channels.
const DEARER: f64 = 2.0;
/// Memory of a channel in which nothing happens, in KiB.
const IDLE_KIB: f64 = 32.0;
/// Messages of each channel before its memory is measured: enough that every kind of counter and ring is in use.
const SAID: usize = 60;

/// The way of an event from its line to its channel's judgement, the shard's without the journal.
struct House {
    keyer: Keyer,
    dedupe: Dedupe,
    door: Door,
    engine: Engine,
    ready: Vec<Ready>,
    /// The last second in which quiet channels were judged.
    ticked: i64,
    /// How many judgements of quiet channels there were.
    ticks: usize,
}

impl House {
    fn new(bench: &mut Bench, channels: usize) -> Result<Self, String> {
        let manifest = bench.manifest().map_err(|error| error.to_string())?;
        let engine = setup::engine(&bench.config, &manifest).map_err(|error| error.to_string())?;
        let most = std::num::NonZeroUsize::new(channels * 2).unwrap_or(std::num::NonZeroUsize::MIN);
        let door = Door::new(most, setup::categories(&bench.config), Arc::default());
        let keyer = Keyer::new(b"bench");
        Ok(Self {
            keyer,
            dedupe: Dedupe::new(),
            door,
            engine,
            ready: Vec::new(),
            ticked: 0,
            ticks: 0,
        })
    }

    /// As the shard does once a second: channels that were quiet for one are judged at its end.
    fn tick(&mut self, now: Timestamp) {
        let at = Timestamp(now.second() * 1000);
        if std::mem::replace(&mut self.ticked, at.second()) == at.second() {
            return;
        }
        let quiet = |channel: ChannelId| {
            let slot = self.engine.slot(&channel)?;
            let at = self.engine.tick_at(&channel, at).filter(|_| at.since(slot.now()) >= 1_000)?;
            Some((channel, at))
        };
        let due = self.engine.ticking().into_iter().filter_map(quiet);
        for ticks in due.collect::<Vec<_>>().chunks(AT_ONCE) {
            self.engine.foresee(ticks);
            for (channel, at) in ticks {
                let entry = Consumed { channel: channel.clone(), at: *at, fuel: Fuel::Tick };
                std::hint::black_box(self.engine.consume(&entry));
                self.ticks += 1;
            }
        }
    }

    /// Events come in this order, with their scores; returns how many were judged.
    fn take(&mut self, lines: &[(String, Scores)]) -> usize {
        let mut judged = 0;
        for (line, own) in lines {
            let Ok(FeedItem::Event(event)) = read(line, &self.keyer) else { continue };
            if !self.dedupe.admit(0, &event) {
                continue;
            }
            let manner = event.text().map(text::manner);
            self.tick(event.at);
            self.door.admit(event, &mut self.ready);
            for ready in self.ready.drain(..) {
                let Ready::Event { admitted, .. } = ready else { continue };
                let scores = MessageScores { own: *own, plain: None, manner };
                std::hint::black_box(self.engine.consume(&event_entry(admitted, Some(Ok(scores)))));
                judged += 1;
            }
        }
        judged
    }
}

/// Draws places by Zipf's law, by the inverse of its sum.
struct Zipf(Vec<f64>);

impl Zipf {
    fn of(count: usize) -> Self {
        let mut sum = 0.0;
        let parts = (1..=count).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Self(parts.collect())
    }

    fn draw(&self, dice: &mut ChaCha8Rng) -> usize {
        let all = self.0.last().copied().unwrap_or(1.0);
        let at = dice.random_range(0.0..all);
        self.0.partition_point(|sum| *sum <= at).min(self.0.len() - 1)
    }
}

/// Chat, one message in a hundred paid; ids from `first` on.
fn lines(
    dice: &mut ChaCha8Rng,
    first: usize,
    count: usize,
    mut channel: impl FnMut(&mut ChaCha8Rng, usize) -> usize,
) -> Vec<(String, Scores)> {
    let line = |nth: usize| {
        let id = first + nth;
        let at = material::START.plus_ms((id * 1000 / RATE) as i64);
        let (place, user, text) =
            (channel(dice, nth), dice.random_range(0..50_000), material::words(dice));
        let head = format!(
            r#""id":"m-{id:08}","at":"{at}","channel":"kick:{place}","user":{{"id":"u{user}"}}"#
        );
        let line = match nth % 100 {
            99 => format!(
                r#"{{"type":"donation",{head},"amount":{{"value":"5.00","currency":"EUR"}},"source":"tip","text":"{text}"}}"#
            ),
            _ => format!(r#"{{"type":"chat",{head},"text":"{text}"}}"#),
        };
        (line, material::scores_of(dice, HARM))
    };
    (0..count).map(line).collect()
}

pub fn channels(bench: &mut Bench) -> Result<(), String> {
    let mut towns = Vec::new();
    for count in CHANNELS {
        let mut house = House::new(bench, count)?;
        let mut dice = material::dice(11);
        let before = resident(std::process::id());
        // Every channel has spoken: as many messages each, in turn, so that memory is that of channels alike.
        let said = if count == 1 { EVENTS } else { SAID };
        let mut first = 0;
        for _ in 0..said {
            let round = lines(&mut dice, first, count, |_, nth| nth);
            first += count;
            let judged = house.take(&round);
            if judged != round.len() {
                return Err(format!("{judged} of {} events were judged", round.len()));
            }
        }
        if count == CHANNELS[2] {
            let taken = resident(std::process::id()).saturating_sub(before);
            let each = taken as f64 / 1024.0 / count as f64;
            bench.sizes.push(Size {
                what: format!("{count} channels of {SAID} messages each, in memory"),
                mib: taken as f64 / f64::from(1 << 20),
                each_kib: each,
                goal: Some(Goal {
                    what: format!("at most {IDLE_KIB} KiB a channel, 4 GiB in all"),
                    met: each <= IDLE_KIB && taken <= 4 << 30,
                }),
            });
        }
        house.ticks = 0;
        towns.push(Town { house, zipf: Zipf::of(count), dice, first });
    }
    let [one, few, many] = towns.as_mut_slice() else { return Ok(()) };
    let took = in_turn(ROUNDS, [&mut || one.round(), &mut || few.round(), &mut || many.round()]);
    let mut before: Option<&[Duration]> = None;
    for (town, mine) in towns.iter().zip(&took) {
        let baselines: Vec<Baseline> = before
            .map(|theirs| Baseline::of("the number of channels before", EVENTS, mine, theirs))
            .into_iter()
            .collect();
        let goal = baselines.first().map(|baseline| Goal {
            what: format!("at most {DEARER} times the cost"),
            met: baseline.ratio.median >= 1.0 / DEARER,
        });
        let ticks = town.house.ticks as f64 / ((ROUNDS + 1) * EVENTS) as f64;
        bench.cases.push(Case {
            bench: "channels",
            what: format!("{} channels, {ticks:.2} quiet judged an event", town.zipf.0.len()),
            unit: "event",
            items: EVENTS,
            rounds: ROUNDS,
            micros: micros(mine, EVENTS),
            baselines,
            goal,
        });
        before = Some(mine);
    }
    Ok(())
}

/// Channels, and what comes from them next.
struct Town {
    house: House,
    zipf: Zipf,
    dice: ChaCha8Rng,
    first: usize,
}

impl Town {
    fn round(&mut self) -> Duration {
        let zipf = &self.zipf;
        let drawn = lines(&mut self.dice, self.first, EVENTS, |dice, _| zipf.draw(dice));
        self.first += EVENTS;
        spent(|| {
            std::hint::black_box(self.house.take(&drawn));
        })
    }
}
