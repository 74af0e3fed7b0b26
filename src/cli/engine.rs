//! The engine of one shard: channels, judgement and alerts wired together, without I/O or clock. Everything that a
//! channel consumes goes through [`Engine::consume`], in `run` as in `replay`, so that both come to the same alerts.

mod packed;

use std::collections::{BTreeMap, VecDeque};
use std::io;
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

/// Channels judged together: the rows of the escalation model's largest batch.
pub const AT_ONCE: usize = 64;
/// Channels whose second is to be judged at its end, remembered so that those of others are judged with it. One that is
/// forgotten is judged alone.
const OVER: usize = 1 << 17;

/// Where the escalation model's outputs come from: the model itself, or a journal that recorded them.
pub enum Oracle {
    None,
    Model { model: Box<Escalation>, failures: u64 },
    Recorded(VecDeque<[f32; 4]>),
}

impl Oracle {
    pub fn model(model: Option<Escalation>) -> Self {
        model.map_or(Oracle::None, |model| Oracle::Model { model: Box::new(model), failures: 0 })
    }

    /// One set of outputs a row; nothing if there is no model, or it failed. Everything answered is also put into
    /// `asked`, for the journal.
    fn ask(&mut self, rows: &[Signals], asked: &mut Vec<[f32; 4]>) -> Vec<[f32; 4]> {
        let answers = match self {
            Oracle::None => Vec::new(),
            Oracle::Model { model, failures } => model.run(rows).unwrap_or_else(|error| {
                if *failures == 0 {
                    tracing::error!(%error, "the escalation model failed; rules alone decide");
                }
                *failures += 1;
                Vec::new()
            }),
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

/// What a channel will be judged by at a moment, computed with that of others: the model's answers to many rows at once
/// cost a fifth of it each. An answer depends on its own row alone, so whether it was foreseen cannot be seen in it.
#[derive(Clone, Debug)]
struct Foreseen {
    at: Timestamp,
    /// The terms that the signals are capped and fade by.
    terms: Arc<Terms>,
    signals: Signals,
    out: [f32; 4],
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
    /// Number of the checkpoint that is to take it before anything happens to it; not remembered.
    #[serde(skip)]
    pub due_in: u64,
    /// The feed that last brought something, by its place in the config, and by the name that a restart goes by.
    #[serde(skip)]
    pub feed: u16,
    /// How often pictures were asked for (ms; 0: not at all), and a bit for each feed that was asked; not remembered.
    #[serde(skip)]
    pub looking: Option<(u32, u64)>,
    #[serde(default)]
    pub feed_name: Box<str>,
    /// Holds as long as nothing but time comes to the channel; not remembered.
    #[serde(skip)]
    foreseen: Option<Box<Foreseen>>,
    /// Among the engine's ticking channels; not remembered.
    #[serde(skip)]
    ticking: bool,
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
    /// A reason may cite what came for a day.
    pub exhibit: bool,
    pub samples: Vec<Sample>,
    /// Chat too late to be heard came: it was only counted.
    pub late: bool,
    /// Places of the rules that began to match.
    pub began: Vec<usize>,
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
    /// Channels by the second that is still to be judged at its end, in the order in which they came to it; and how many
    /// they are. One that was judged meanwhile stands here still.
    over: BTreeMap<i64, VecDeque<ChannelId>>,
    overs: usize,
}

impl Engine {
    pub fn new(terms: Arc<Terms>, oracle: Oracle) -> Self {
        Self {
            terms,
            oracle,
            slots: HashMap::new(),
            dirty: Vec::new(),
            ticking: BTreeMap::new(),
            over: BTreeMap::new(),
            overs: 0,
        }
    }

    /// What is consumed from here on is judged under other terms. What channels remember stays.
    pub fn judge_under(&mut self, terms: Arc<Terms>) {
        self.terms = terms;
    }

    /// Puts back what a checkpoint or journal segment held.
    pub fn restore(&mut self, channel: ChannelId, mut slot: Slot) {
        slot.ticking = self.ticking.contains_key(&channel);
        note_ticking(&mut self.ticking, &channel, &mut slot);
        self.slots.insert(channel, Box::new(slot));
    }

    /// Takes over what was stored of a channel's alert and its state does not know: see [`Book::adopt`].
    pub fn adopt(&mut self, stored: &Change) -> bool {
        let channel = &stored.alert.channel;
        let slot = self.slots.entry_ref(channel).or_default();
        let adopted = slot.book.adopt(stored);
        if adopted && !std::mem::replace(&mut slot.dirty, true) {
            self.dirty.push(channel.clone());
        }
        note_ticking(&mut self.ticking, channel, slot);
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

    /// When a channel that was quiet until `until` is ticked: at the end of the second that is still to be judged, else at
    /// the last whole one. None where that is no later than its time.
    pub fn tick_at(&self, channel: &ChannelId, until: Timestamp) -> Option<Timestamp> {
        let slot = self.slots.get(channel)?;
        let at = Timestamp(until.second() * 1000);
        Some(slot.second_before(at).unwrap_or(at)).filter(|at| *at > slot.now())
    }

    /// These ticks come next: what the escalation model will be asked of them is asked at once, 64 at a time.
    pub fn foresee(&mut self, ticks: &[(ChannelId, Timestamp)]) {
        let Oracle::Model { model, .. } = &mut self.oracle else { return };
        let (mut rows, mut of) = (Vec::with_capacity(ticks.len()), Vec::with_capacity(ticks.len()));
        for (channel, at) in ticks {
            let Some(slot) = self.slots.get_mut(channel) else { continue };
            let at = slot.second_before(*at).unwrap_or(*at);
            if slot.foresees(at, &self.terms) {
                continue;
            }
            slot.channel.fade_by(&self.terms.fade);
            rows.push(slot.signals(at, &self.terms));
            of.push((channel, at));
        }
        // A model that fails says so when it is asked.
        let answers = model.run(&rows).unwrap_or_default();
        for (((channel, at), signals), out) in of.into_iter().zip(rows).zip(answers) {
            if let Some(slot) = self.slots.get_mut(channel) {
                let terms = self.terms.clone();
                slot.foreseen = Some(Box::new(Foreseen { at, terms, signals, out }));
            }
        }
    }

    /// Where this ends a second that is still to be judged: the same is foreseen of other channels whose second is over
    /// by then. They are judged with their next event or tick, and come to that second no more unless out of order.
    fn look_ahead(&mut self, entry: &Consumed) {
        let Some(slot) = self.slots.get(&entry.channel) else { return };
        let at = slot.now().max(entry.at);
        let known = |end| slot.foresees(end, &self.terms);
        if slot.second_before(at).is_none_or(known) || !matches!(self.oracle, Oracle::Model { .. })
        {
            return;
        }
        let mut together = vec![(entry.channel.clone(), at)];
        while together.len() < AT_ONCE
            && let Some(mut first) = self.over.first_entry().filter(|of| *of.key() < at.second())
        {
            let second = *first.key();
            let Some(channel) = first.get_mut().pop_front() else {
                first.remove();
                continue;
            };
            self.overs -= 1;
            let slot = self.slots.get(&channel);
            let waits =
                slot.is_some_and(|slot| slot.pending == Some(second) && slot.foreseen.is_none());
            if waits && channel != entry.channel {
                together.push((channel, Timestamp((second + 1) * 1000)));
            }
        }
        self.foresee(&together);
    }

    /// Takes in one thing: ends the second before it if that is still to be judged, then judges what must be at once.
    pub fn consume(&mut self, entry: &Consumed) -> Step {
        self.look_ahead(entry);
        let mut step = Step::default();
        let Self { terms, oracle, slots, dirty, ticking, .. } = self;
        let slot = &mut **slots.entry_ref(&entry.channel).or_default();
        slot.channel.fade_by(&terms.fade);
        let before = slot.risk.level;
        let at = slot.channel.now.max(entry.at);
        let (pending, ended) = (slot.pending, slot.second_before(at));
        if let Some(end) = ended {
            slot.pending = None;
            evaluate(terms, oracle, &entry.channel, slot, end, true, &mut step);
        }
        if !matches!(entry.fuel, Fuel::Tick) {
            slot.foreseen = None;
        }
        step.late = matches!(&entry.fuel, Fuel::Event { event, .. } if event.kind() == Kind::Chat)
            && slot.channel.is_late(entry.at, terms.late_ms());
        let effect = slot.channel.consume(entry, terms.late_ms());
        (step.act, step.exhibit) = (effect.act, effect.exhibit);
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
            Fuel::Tick => evaluate(terms, oracle, &entry.channel, slot, now, true, &mut step),
            Fuel::Gap { .. } => {}
            Fuel::Decision { decision } => step.changes.extend(slot.book.decide(decision, now)),
        }
        if effect.now {
            evaluate(terms, oracle, &entry.channel, slot, now, false, &mut step);
        }
        if slot.risk.level != before {
            step.level = Some((before, slot.risk.level));
        }
        if !std::mem::replace(&mut slot.dirty, true) {
            dirty.push(entry.channel.clone());
        }
        note_ticking(ticking, &entry.channel, slot);
        let waits = slot.pending.filter(|second| pending != Some(*second));
        if let Some(second) = waits.filter(|_| matches!(oracle, Oracle::Model { .. })) {
            self.note_over(&entry.channel, second);
        }
        step
    }

    fn note_over(&mut self, channel: &ChannelId, second: i64) {
        if self.overs >= OVER {
            self.overs -= self.over.pop_first().map_or(0, |(_, channels)| channels.len());
        }
        self.over.entry(second).or_default().push_back(channel.clone());
        self.overs += 1;
    }
}

fn note_ticking(ticking: &mut BTreeMap<ChannelId, ()>, channel: &ChannelId, slot: &mut Slot) {
    let awake = slot.is_awake();
    match (std::mem::replace(&mut slot.ticking, awake), awake) {
        (false, true) => ticking.insert(channel.clone(), ()),
        (true, false) => ticking.remove(channel),
        _ => None,
    };
}

/// Judges a channel at `at`, the end of its second or not.
fn evaluate(
    terms: &Arc<Terms>,
    oracle: &mut Oracle,
    id: &ChannelId,
    slot: &mut Slot,
    at: Timestamp,
    end: bool,
    step: &mut Step,
) {
    let (signals, out) = match slot.foreseen.take_if(|known| known.is(at, terms)) {
        Some(known) => {
            let Foreseen { signals, out, .. } = *known;
            debug_assert_eq!(signals, slot.signals(at, terms), "a channel changed unseen");
            step.asked.push(out);
            (signals, Some(outputs(out)))
        }
        None => {
            let signals = slot.signals(at, terms);
            let rows = std::slice::from_ref(&signals);
            let out = oracle.ask(rows, &mut step.asked).first().copied().map(outputs);
            (signals, out)
        }
    };
    let last_harm = slot.channel.last_harm;
    let (assessment, matches) =
        terms.judge.assess(&mut slot.risk, &signals, out, last_harm, at, end);
    step.began.extend(&matches.began);
    let moment = Moment {
        channel: id,
        at,
        level: assessment.level,
        score: assessment.score,
        second_end: end,
        offline_since: slot.channel.stream.offline_since,
        last_event: &slot.last_event,
    };
    let Terms { judge, house, holds, .. } = &**terms;
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

impl Foreseen {
    fn is(&self, at: Timestamp, terms: &Arc<Terms>) -> bool {
        self.at == at && Arc::ptr_eq(&self.terms, terms)
    }
}

impl Slot {
    fn foresees(&self, at: Timestamp, terms: &Arc<Terms>) -> bool {
        self.foreseen.as_ref().is_some_and(|known| known.is(at, terms))
    }

    /// The signals at `at`, no higher than their caps.
    fn signals(&self, at: Timestamp, terms: &Terms) -> Signals {
        let mut signals = self.channel.signals(at);
        terms.cap(&mut signals);
        signals
    }

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
    pub fn saved(&self, channel: &ChannelId, gaps: u64) -> io::Result<ChannelState> {
        Ok(ChannelState {
            channel: channel.clone(),
            state: packed::pack(self)?,
            awake: self.is_awake(),
            setting: self.stream().setting,
            language: self.stream().language.clone(),
            gaps,
        })
    }

    /// From what [`Slot::saved`] made, also in an older version.
    pub fn read(state: &[u8]) -> io::Result<Self> {
        packed::unpack(state)
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
