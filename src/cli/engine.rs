//! The engine of one shard: channels, judgement and alerts wired together, without I/O or clock. Everything that a
//! channel consumes goes through [`Engine::consume`], in `run` as in `replay`, so that both come to the same alerts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::setup::outputs;
use super::terms::Terms;
use crate::alert::{Book, Change, Judgement, Moment};
use crate::channel::{Channel, Stream};
use crate::event::{ChannelId, Consumed, Fuel, Kind, Level, SIGNALS, Signals, Timestamp};
use crate::model::Escalation;
use crate::risk;
use crate::store::journal::Mark;
use crate::store::{ChannelState, Sample};

/// Samples of a channel's signals are taken at most this often, in channel time.
const SAMPLE_MS: i64 = 15_000;

/// Where the escalation model's outputs come from: the model itself, or a journal that recorded them.
pub enum Oracle {
    None,
    Model {
        model: Box<Escalation>,
        failures: u64,
        /// Rows that are about to be asked for, with their answers, in this order.
        foreseen: VecDeque<(Signals, [f32; 4])>,
    },
    Recorded(VecDeque<[f32; 4]>),
}

impl Oracle {
    pub fn model(model: Option<Escalation>) -> Self {
        model.map_or(Oracle::None, |model| Oracle::Model {
            model: Box::new(model),
            failures: 0,
            foreseen: VecDeque::new(),
        })
    }

    /// Runs the model over rows that are about to be asked for one by one: many at once cost a fifth of it each. An
    /// answer depends on its own row alone, so whether it was foreseen cannot be seen in it.
    fn foresee(&mut self, rows: Vec<Signals>) {
        let Oracle::Model { model, foreseen, .. } = self else { return };
        // A model that fails says so when it is asked.
        let answers = model.run(&rows).unwrap_or_default();
        *foreseen = rows.into_iter().zip(answers).collect();
    }

    /// One set of outputs a row; nothing if there is no model, or it failed. Everything answered is also put into
    /// `asked`, for the journal.
    fn ask(&mut self, rows: &[Signals], asked: &mut Vec<[f32; 4]>) -> Vec<[f32; 4]> {
        let answers = match self {
            Oracle::None => Vec::new(),
            Oracle::Model { model, failures, foreseen } => {
                let place = match rows {
                    [row] => foreseen.iter().position(|(known, _)| known == row),
                    _ => None,
                };
                match place.and_then(|place| foreseen.drain(..=place).next_back()) {
                    Some((_, answer)) => vec![answer],
                    None => model.run(rows).unwrap_or_else(|error| {
                        if *failures == 0 {
                            tracing::error!(%error, "the escalation model failed; rules alone decide");
                        }
                        *failures += 1;
                        Vec::new()
                    }),
                }
            }
            Oracle::Recorded(recorded) => {
                if recorded.len() < rows.len() {
                    Vec::new()
                } else {
                    recorded.drain(..rows.len()).collect()
                }
            }
        };
        asked.extend_from_slice(&answers);
        answers
    }
}

/// All that is remembered of one channel; what checkpoints and journal segments hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Slot {
    pub channel: Channel,
    pub risk: risk::State,
    pub book: Book,
    /// Id of the last event consumed.
    last_event: Box<str>,
    /// The second that is still to be judged at its end.
    pending: Option<i64>,
    last_sample: Timestamp,
    /// Place in the journal; not remembered.
    #[serde(skip)]
    pub mark: Mark,
    /// Changed since the last checkpoint; not remembered.
    #[serde(skip)]
    dirty: bool,
    /// Number of the checkpoint that it last went into; not remembered.
    #[serde(skip)]
    pub saved_in: u64,
    /// The feed that last brought something, by its place in the config, and by the name that a restart goes by.
    #[serde(skip)]
    pub feed: u16,
    /// How often pictures were asked for (ms; 0: not at all), and a bit for each feed that was asked; not remembered.
    #[serde(skip)]
    pub looking: Option<(u32, u64)>,
    #[serde(default)]
    pub feed_name: Box<str>,
}

/// What came of consuming one thing.
#[derive(Debug, Default)]
pub struct Step {
    pub changes: Vec<Change>,
    /// Outputs of the escalation model, in the order they were asked for.
    pub asked: Vec<[f32; 4]>,
    /// The level before and after, where it changed.
    pub level: Option<(Level, Level)>,
    /// A paid request for an act came.
    pub act: bool,
    pub samples: Vec<Sample>,
    /// Chat too late to be heard came: it was only counted.
    pub late: bool,
    /// Places of the rules that matched, once for each evaluation.
    pub matched: Vec<usize>,
}

/// See the module.
pub struct Engine {
    terms: Arc<Terms>,
    oracle: Oracle,
    slots: HashMap<ChannelId, Box<Slot>>,
    /// Channels changed since the last checkpoint.
    dirty: Vec<ChannelId>,
    /// Channels that time alone can change, in order of name.
    ticking: BTreeMap<ChannelId, ()>,
}

impl Engine {
    pub fn new(terms: Arc<Terms>, oracle: Oracle) -> Self {
        Self { terms, oracle, slots: HashMap::new(), dirty: Vec::new(), ticking: BTreeMap::new() }
    }

    /// What is consumed from here on is judged under other terms. What channels remember stays.
    pub fn judge_under(&mut self, terms: Arc<Terms>) {
        self.terms = terms;
    }

    /// Puts back what a checkpoint or journal segment held.
    pub fn restore(&mut self, channel: ChannelId, slot: Slot) {
        self.note_ticking(&channel, &slot);
        self.slots.insert(channel, Box::new(slot));
    }

    /// Takes over what was stored of a channel's alert and its state does not know: see [`Book::adopt`].
    pub fn adopt(&mut self, stored: &Change) -> bool {
        let channel = &stored.alert.channel;
        let mut slot = self.slots.remove(channel).unwrap_or_default();
        let adopted = slot.book.adopt(stored);
        if adopted && !std::mem::replace(&mut slot.dirty, true) {
            self.dirty.push(channel.clone());
        }
        self.note_ticking(channel, &slot);
        self.slots.insert(channel.clone(), slot);
        adopted
    }

    pub fn slot(&self, channel: &ChannelId) -> Option<&Slot> {
        self.slots.get(channel).map(|slot| &**slot)
    }

    /// How many channels are in memory.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// Takes a channel out of memory; its state must be kept elsewhere or be no longer wanted.
    pub fn forget(&mut self, channel: &ChannelId) {
        self.slots.remove(channel);
        self.ticking.remove(channel);
    }

    /// Channels changed since this was last asked, or since they were made [`Engine::clean`].
    pub fn take_dirty(&mut self) -> Vec<ChannelId> {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.retain(|channel| self.slots.get(channel).is_some_and(|slot| slot.dirty));
        dirty
    }

    /// A channel's state was taken for a checkpoint.
    pub fn clean(&mut self, channel: &ChannelId) {
        if let Some(slot) = self.slots.get_mut(channel) {
            slot.dirty = false;
        }
    }

    pub fn slot_mut(&mut self, channel: &ChannelId) -> &mut Slot {
        self.slots.entry_ref(channel).or_default()
    }

    pub fn slots(&self) -> impl Iterator<Item = (&ChannelId, &Slot)> {
        self.slots.iter().map(|(channel, slot)| (channel, &**slot))
    }

    /// Outputs recorded for the next consumption; for replaying a journal.
    pub fn recorded(&mut self, outputs: VecDeque<[f32; 4]>) {
        self.oracle = Oracle::Recorded(outputs);
    }

    /// Channels that a tick may change, in order.
    pub fn ticking(&self) -> Vec<ChannelId> {
        self.ticking.keys().cloned().collect()
    }

    /// Whether a tick may change the channel: only such ticks are made and journaled.
    pub fn needs_tick(&self, channel: &ChannelId) -> bool {
        self.ticking.contains_key(channel)
    }

    /// These ticks come next, in this order: what the escalation model will be asked is asked at once, 64 at a time.
    pub fn foresee(&mut self, ticks: &[(ChannelId, Timestamp)]) {
        let row = |(channel, at): &(ChannelId, Timestamp)| {
            let slot = self.slots.get(channel)?;
            let mut signals = slot.channel.signals(slot.second_before(*at).unwrap_or(*at));
            self.terms.cap(&mut signals);
            Some(signals)
        };
        let rows = ticks.iter().filter_map(row).collect();
        self.oracle.foresee(rows);
    }

    fn note_ticking(&mut self, channel: &ChannelId, slot: &Slot) {
        if slot.is_awake() {
            self.ticking.insert(channel.clone(), ());
        } else {
            self.ticking.remove(channel);
        }
    }

    /// Takes in one thing: ends the second before it if that is still to be judged, then judges what must be at once.
    pub fn consume(&mut self, entry: &Consumed) -> Step {
        let mut step = Step::default();
        // Taken out and put back: the engine's other parts are needed beside it.
        let mut slot = self.slots.remove(&entry.channel).unwrap_or_default();
        slot.channel.fade_by(&self.terms.fade);
        let before = slot.risk.level;
        let at = slot.channel.now.max(entry.at);
        let ended = slot.second_before(at);
        if let Some(end) = ended {
            slot.pending = None;
            self.evaluate(&entry.channel, &mut slot, end, true, &mut step);
        }
        step.late = matches!(&entry.fuel, Fuel::Event { event, .. } if event.kind() == Kind::Chat)
            && slot.channel.is_late(entry.at, self.terms.late_ms());
        let effect = slot.channel.consume(entry, self.terms.late_ms());
        step.act = effect.act;
        let now = slot.channel.now;
        match &entry.fuel {
            Fuel::Event { event, stamp, .. } => {
                slot.channel.stamped(stamp);
                slot.last_event = event.id.clone();
                slot.pending = Some(now.second());
            }
            Fuel::Look { look } => {
                slot.last_event = look.id.clone();
                slot.pending = Some(now.second());
            }
            // An instant that was just judged is not judged again.
            Fuel::Tick if ended == Some(now) => {}
            Fuel::Tick => self.evaluate(&entry.channel, &mut slot, now, true, &mut step),
            Fuel::Gap { .. } => {}
            Fuel::Decision { decision } => step.changes.extend(slot.book.decide(decision, now)),
        }
        if effect.now {
            self.evaluate(&entry.channel, &mut slot, now, false, &mut step);
        }
        if slot.risk.level != before {
            step.level = Some((before, slot.risk.level));
        }
        if !std::mem::replace(&mut slot.dirty, true) {
            self.dirty.push(entry.channel.clone());
        }
        self.note_ticking(&entry.channel, &slot);
        self.slots.insert(entry.channel.clone(), slot);
        step
    }

    fn evaluate(
        &mut self,
        id: &ChannelId,
        slot: &mut Slot,
        at: Timestamp,
        end: bool,
        step: &mut Step,
    ) {
        let mut signals = slot.channel.signals(at);
        self.terms.cap(&mut signals);
        let rows = std::slice::from_ref(&signals);
        let out = self.oracle.ask(rows, &mut step.asked).first().copied().map(outputs);
        let last_harm = slot.channel.last_harm;
        let (assessment, matches) =
            self.terms.judge.assess(&mut slot.risk, &signals, out, last_harm, at, end);
        step.matched.extend(&matches.0);
        let moment = Moment {
            channel: id,
            at,
            level: assessment.level,
            score: assessment.score,
            second_end: end,
            offline_since: slot.channel.stream.offline_since,
            last_event: &slot.last_event,
        };
        let (Terms { judge, house, holds, .. }, oracle) = (&*self.terms, &mut self.oracle);
        let (channel, asked) = (&slot.channel, &mut step.asked);
        let change = slot.book.observe(&moment, holds, &mut |alert, facts| {
            let mut run = |rows: &[Signals]| -> Vec<risk::Outputs> {
                oracle.ask(rows, asked).into_iter().map(outputs).collect()
            };
            let grounds = judge.grounds(&assessment, &signals, &mut run);
            let offences = judge.offences(&assessment, &grounds);
            let judged = Judgement {
                assessment: &assessment,
                grounds: &grounds,
                offences: &offences,
                signals: &signals,
            };
            house.write(channel, &judged, alert, facts);
        });
        step.changes.extend(change);
        let worth = assessment.level > Level::None
            || last_harm.is_some_and(|then| at.since(then) < 20 * SAMPLE_MS);
        if worth && at.since(slot.last_sample) >= SAMPLE_MS {
            slot.last_sample = at;
            step.samples.push(sample(id, at, assessment.level, &signals));
        }
    }
}

impl Slot {
    /// The end of the second that is still to be judged, if it lies before `at` or ends with it.
    fn second_before(&self, at: Timestamp) -> Option<Timestamp> {
        let second = self.pending.filter(|second| at.second() > *second)?;
        Some(Timestamp((second + 1) * 1000))
    }

    /// Time alone may change it.
    pub fn is_awake(&self) -> bool {
        self.pending.is_some() || self.risk.level > Level::None || self.book.waits()
    }

    /// As a checkpoint keeps it. `gaps`: how many of whole feeds were told so far.
    pub fn saved(&self, channel: &ChannelId, gaps: u64) -> serde_json::Result<ChannelState> {
        Ok(ChannelState {
            channel: channel.clone(),
            state: serde_json::to_vec(self)?,
            awake: self.is_awake(),
            setting: self.stream().setting,
            language: self.stream().language.clone(),
            gaps,
        })
    }

    /// It may go to sleep: nothing in it waits to be saved.
    pub fn is_clean(&self) -> bool {
        !self.dirty
    }

    pub fn level(&self) -> Level {
        self.risk.level
    }

    /// The channel's time.
    pub fn now(&self) -> Timestamp {
        self.channel.now
    }

    pub fn stream(&self) -> &Stream {
        &self.channel.stream
    }
}

fn sample(id: &ChannelId, at: Timestamp, level: Level, signals: &Signals) -> Sample {
    let known = crate::event::Signal::all().filter_map(|signal| {
        let value = signals.get(signal).filter(|value| *value > 1e-4)?;
        Some((SIGNALS[signal as usize].name.to_owned(), value))
    });
    Sample { channel: id.clone(), at, level, signals: known.collect() }
}
