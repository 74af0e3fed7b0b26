//! `vigie replay`: recordings (through the models, on virtual time) or a journal (with the scores in it) through the
//! same engine as the daemon's. Nothing is stored and nobody is told; alerts are printed.

use std::collections::{HashMap, VecDeque, hash_map};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::engine::{Engine, Slot, Step};
use super::intake::{Admission, FeedClock, Intake, Outcome};
use super::setup::{self, SetupError};
use super::terms::Terms;
use crate::alert::{Change, cloud_event};
use crate::config::Config;
use crate::event::{
    Admitted, ChannelId, Consumed, Digest, FeedItem, Fuel, LookScores, Timestamp, Unscored,
};
use crate::feed::recording;
use crate::model::{
    Door, Inference, InferenceOptions, LookJob, Looked, Manifest, Message, MessageScores, Ready,
};
use crate::store::journal::{Entry, Reader};

/// Items read ahead and scored together; the outcome does not depend on it.
const AHEAD: usize = 1024;

/// What a replay counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub events: u64,
    pub looks: u64,
    pub repeats: u64,
    pub unreadable: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Highest level by channel.
    pub highest: std::collections::BTreeMap<String, &'static str>,
    /// First and last event by channel.
    pub spans: std::collections::BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Counts {
    fn span(&mut self, channel: &ChannelId, at: Timestamp) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(Some(at));
        if let Some((first, last)) = self.spans.get_mut(channel.as_str()) {
            (*first, *last) = ((*first).min(at), (*last).max(at));
        } else {
            self.spans.insert(channel.as_str().to_owned(), (at, at));
        }
    }
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    #[error(transparent)]
    Recording(#[from] recording::RecordingError),
    #[error(transparent)]
    Journal(#[from] crate::store::journal::JournalError),
    #[error("{0}")]
    Mixed(String),
}

/// Runs recordings or a journal; `told` is given each change as it comes.
pub fn replay(
    paths: &[PathBuf],
    config: &Config,
    threads: usize,
    told: &mut dyn FnMut(&Change),
) -> Result<Counts, ReplayError> {
    let (journals, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| Reader::is_journal(path));
    if !journals.is_empty() && others.iter().all(|path| Reader::is_cut(path)) {
        return journal(paths, config, told);
    }
    if !journals.is_empty() {
        let what = "recordings and journals cannot be replayed together; name one kind";
        return Err(ReplayError::Mixed(what.into()));
    }
    recordings(paths, config, threads, told)
}

/// A message's or look's place in the queue until its score is there.
enum Waiting {
    Event { admitted: Admitted, scores: Option<oneshot::Receiver<Result<MessageScores, Unscored>>> },
    Look { look: Box<OpenLook>, scores: oneshot::Receiver<Result<Looked, Unscored>> },
    Seconds { from: i64, to: i64 },
    Gap { feed: u16, gap: crate::event::Gap },
}

struct OpenLook {
    channel: ChannelId,
    at: Timestamp,
    id: Box<str>,
    frames: Vec<crate::event::LookFrame>,
}

fn recordings(
    paths: &[PathBuf],
    config: &Config,
    threads: usize,
    told: &mut dyn FnMut(&Change),
) -> Result<Counts, ReplayError> {
    let manifest = setup::models(config).map_err(SetupError::from)?;
    let mut engine = setup::engine(config, &manifest)?;
    let inference = inference(&manifest, threads)?;
    let readers = paths.iter().map(recording::open).collect::<Result<Vec<_>, _>>()?;
    // Merged by time, so the newest of all is the newest of each: one tick serves all channels.
    let door = Door::new(
        NonZeroUsize::new(config.limits.channels).unwrap_or(NonZeroUsize::MIN),
        setup::categories(config),
        Arc::new(config.currency.table.rates()),
    );
    let mut intake = Intake::new(door, &[FeedClock::Data]);
    let mut counts = Counts::default();
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    let mut out = Vec::new();
    for (_, item) in recording::merge(readers) {
        let item = match item {
            Ok(item) => item,
            Err(problem) => {
                counts.unreadable += 1;
                tracing::debug!(%problem, "skipped");
                continue;
            }
        };
        if let FeedItem::Event(event) = &item {
            counts.span(&event.channel, event.at);
        }
        match intake.item(0, item, Timestamp(0), &mut out, &mut |_| {}) {
            Outcome::Admitted { .. } => counts.events += 1,
            Outcome::Refused(_) => counts.repeats += 1,
            Outcome::Cursor | Outcome::Gap => {}
        }
        for admission in out.drain(..) {
            waiting.push_back(wait_for(admission, &inference));
        }
        while waiting.len() > AHEAD {
            if let Some(next) = waiting.pop_front() {
                consume(next, &mut engine, &mut counts, told);
            }
        }
    }
    for next in waiting {
        consume(next, &mut engine, &mut counts, told);
    }
    Ok(counts)
}

fn inference(manifest: &Manifest, threads: usize) -> Result<Inference, crate::model::ModelError> {
    let options = InferenceOptions {
        threads,
        messages: 2 * AHEAD,
        looks: 2 * AHEAD,
        ..InferenceOptions::default()
    };
    Inference::start(manifest, options, Arc::new(()))
}

fn wait_for(admission: Admission, inference: &Inference) -> Waiting {
    match admission {
        Admission::Seconds { from, to, .. } => Waiting::Seconds { from, to },
        Admission::Gap { feed, gap } => Waiting::Gap { feed, gap },
        Admission::Ready(Ready::Event { admitted, message }) => {
            let scores = message.map(|message| {
                let (reply, scores) = oneshot::channel();
                submit(message, reply, inference);
                scores
            });
            Waiting::Event { admitted, scores }
        }
        Admission::Ready(Ready::Look { channel, at, id, frames, pictures }) => {
            let (reply, scores) = oneshot::channel();
            let mut job = LookJob { pictures };
            let mut reply: Box<dyn crate::model::Scored<Looked>> = Box::new(reply);
            // The queue holds more than is read ahead; should it be full all the same, wait for room.
            while let Err(crate::model::Rejected(back)) = inference.look(job, reply) {
                (job, reply) = back;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let look = OpenLook { channel, at, id, frames };
            Waiting::Look { look: Box::new(look), scores }
        }
    }
}

fn submit(
    message: Message,
    reply: oneshot::Sender<Result<MessageScores, Unscored>>,
    inference: &Inference,
) {
    let mut message = message;
    let mut reply: Box<dyn crate::model::Scored<MessageScores>> = Box::new(reply);
    while let Err(crate::model::Rejected(back)) = inference.message(message, reply) {
        (message, reply) = back;
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn consume(next: Waiting, engine: &mut Engine, counts: &mut Counts, told: &mut dyn FnMut(&Change)) {
    match next {
        Waiting::Event { admitted, scores } => {
            let scores =
                scores.map(|scores| scores.blocking_recv().unwrap_or(Err(Unscored::NoModel)));
            let entry = event_entry(admitted, scores);
            take(engine.consume(&entry), &entry.channel, counts, told);
        }
        Waiting::Look { look, scores } => {
            counts.looks += 1;
            let scores = scores.blocking_recv().unwrap_or(Err(Unscored::NoModel));
            let OpenLook { channel, at, id, frames } = *look;
            let entry = look_entry(channel, at, id, frames, scores);
            take(engine.consume(&entry), &entry.channel, counts, told);
        }
        Waiting::Seconds { from, to } => {
            for second in from..=to {
                let channels = engine.ticking();
                if channels.is_empty() {
                    break;
                }
                for channel in channels {
                    let entry =
                        Consumed { channel, at: Timestamp(second * 1000), fuel: Fuel::Tick };
                    take(engine.consume(&entry), &entry.channel, counts, told);
                }
            }
        }
        Waiting::Gap { feed, gap } => {
            for entry in gap_entries(feed, &gap, engine) {
                take(engine.consume(&entry), &entry.channel, counts, told);
            }
        }
    }
}

fn take(step: Step, channel: &ChannelId, counts: &mut Counts, told: &mut dyn FnMut(&Change)) {
    if let Some((_, after)) = step.level {
        let known = counts.highest.entry(channel.as_str().to_owned()).or_insert("none");
        let before = crate::event::Level::from_name(known).unwrap_or_default();
        *known = before.max(after).name();
    }
    step.changes.iter().for_each(told);
}

/// An event with what became of its score.
pub fn event_entry(
    admitted: Admitted,
    scores: Option<Result<MessageScores, Unscored>>,
) -> Consumed {
    let (scores, unscored) = match scores {
        None => (MessageScores::default(), None),
        Some(Ok(scores)) => (scores, None),
        Some(Err(why)) => (MessageScores::default(), Some(why)),
    };
    let MessageScores { own, plain, manner } = scores;
    let Admitted { event, stamp } = admitted;
    Consumed {
        channel: event.channel.clone(),
        at: event.at,
        fuel: Fuel::Event { event, stamp, scores: own, plain, unscored, manner },
    }
}

/// A look with what became of its score; pictures that could not be read are left out.
pub fn look_entry(
    channel: ChannelId,
    at: Timestamp,
    id: Box<str>,
    mut frames: Vec<crate::event::LookFrame>,
    scores: Result<Looked, Unscored>,
) -> Consumed {
    let look = match scores {
        Ok(looked) => {
            let mut used = looked.used.iter();
            frames.retain(|_| used.next().copied().unwrap_or(false));
            LookScores {
                id,
                frames,
                scores: looked.scores,
                unscored: None,
                motion: looked.motion,
                thumb: looked.thumb,
            }
        }
        Err(why) => LookScores {
            id,
            frames,
            scores: Default::default(),
            unscored: Some(why),
            motion: None,
            thumb: Vec::new(),
        },
    };
    Consumed { channel, at, fuel: Fuel::Look { look } }
}

/// A gap for its channel, or for every channel that its feed last brought.
pub fn gap_entries(feed: u16, gap: &crate::event::Gap, engine: &Engine) -> Vec<Consumed> {
    let channels = match &gap.channel {
        Some(channel) => vec![channel.clone()],
        None => {
            let mut all: Vec<ChannelId> = engine
                .slots()
                .filter(|(_, slot)| slot.feed == feed)
                .map(|(id, _)| id.clone())
                .collect();
            all.sort();
            all
        }
    };
    // Known from now on; it moves no channel's time.
    let entry = |channel: ChannelId| {
        let at = engine.slot(&channel).map_or(gap.from, |slot| slot.channel.now);
        Consumed { channel, at, fuel: Fuel::Gap { gap: gap.clone() } }
    };
    channels.into_iter().map(entry).collect()
}

/// A journal gives its own scores and outputs; a channel starts from the state that stands before its first entry.
fn journal(
    paths: &[PathBuf],
    config: &Config,
    told: &mut dyn FnMut(&Change),
) -> Result<Counts, ReplayError> {
    let manifest = setup::manifest(config).map_err(SetupError::from)?;
    let mut judged = JudgedUnder {
        own: Arc::new(Terms::of(config, &manifest).map_err(SetupError::from)?),
        told: HashMap::new(),
        of: HashMap::new(),
    };
    let mut engine = Engine::new(judged.own.clone(), super::engine::Oracle::None);
    let mut counts = Counts::default();
    // Outputs stand behind the entry they belong to, so one entry a channel is held until the next of that channel.
    let mut held: HashMap<ChannelId, Held> = HashMap::new();
    let mut told_once = HashMap::new();
    let mut tell = |change: &Change| {
        // A crash may have journaled the same revision twice. What a death left uncommitted came again otherwise on a
        // live clock: the later one stands.
        let body = serde_json::to_vec(change).map(|body| Digest::of(&body)).ok();
        if told_once.insert((change.alert.id, change.alert.revision), body) != Some(body) {
            told(change);
        }
    };
    for entry in Reader::open(paths)? {
        match entry? {
            Entry::Terms { digest, terms } => judged.told(digest, terms)?,
            Entry::Under { channel, terms } => judged.holds(channel, &terms)?,
            Entry::State { channel, state, terms } => {
                if let Some(held) = held.remove(&channel) {
                    give(held, &mut engine, &mut counts, &mut tell);
                }
                judged.holds(channel.clone(), &terms)?;
                match serde_json::from_value::<Slot>(state) {
                    Ok(slot) => engine.restore(channel, slot),
                    Err(error) => {
                        let what = format!(
                            "the state of a channel cannot be read ({error}); the journal is of another version"
                        );
                        return Err(ReplayError::Mixed(what));
                    }
                }
            }
            Entry::Consumed(consumed) => {
                let channel = consumed.channel.clone();
                let terms = judged.of(&channel);
                let next = Held { entry: consumed, terms, outputs: VecDeque::new() };
                if let Some(held) = held.insert(channel, next) {
                    give(held, &mut engine, &mut counts, &mut tell);
                }
            }
            Entry::Escalation { channel, out, .. } => {
                if let Some(held) = held.get_mut(&channel) {
                    held.outputs.push_back(out);
                }
            }
        }
    }
    let mut rest: Vec<_> = held.into_values().collect();
    rest.sort_by_key(|held| (held.entry.at, held.entry.channel.clone()));
    for held in rest {
        give(held, &mut engine, &mut counts, &mut tell);
    }
    Ok(counts)
}

/// An entry of a journal until its outputs are there.
struct Held {
    entry: Consumed,
    terms: Arc<Terms>,
    outputs: VecDeque<[f32; 4]>,
}

/// The terms that a journal tells, and those that hold for each channel.
struct JudgedUnder {
    /// Those of the config that the replay was given: for journals that tell none.
    own: Arc<Terms>,
    told: HashMap<String, Arc<Terms>>,
    of: HashMap<ChannelId, Arc<Terms>>,
}

impl JudgedUnder {
    fn told(&mut self, digest: String, terms: serde_json::Value) -> Result<(), ReplayError> {
        if let hash_map::Entry::Vacant(new) = self.told.entry(digest) {
            let terms = Terms::read(terms).map_err(|error| {
                let what = format!(
                    "the rules in the journal cannot be read ({error}); it is of another version"
                );
                ReplayError::Mixed(what)
            })?;
            new.insert(Arc::new(terms));
        }
        Ok(())
    }

    fn holds(&mut self, channel: ChannelId, digest: &str) -> Result<(), ReplayError> {
        let terms = if digest.is_empty() { Some(&self.own) } else { self.told.get(digest) };
        let Some(terms) = terms else {
            let what = format!("the journal names terms {digest} that it does not tell");
            return Err(ReplayError::Mixed(what));
        };
        self.of.insert(channel, terms.clone());
        Ok(())
    }

    fn of(&self, channel: &ChannelId) -> Arc<Terms> {
        self.of.get(channel).unwrap_or(&self.own).clone()
    }
}

fn give(held: Held, engine: &mut Engine, counts: &mut Counts, told: &mut dyn FnMut(&Change)) {
    let Held { entry, terms, outputs } = held;
    engine.judge_under(terms);
    match &entry.fuel {
        Fuel::Event { .. } => counts.events += 1,
        Fuel::Look { .. } => counts.looks += 1,
        _ => {}
    }
    counts.span(&entry.channel, entry.at);
    engine.recorded(outputs);
    take(engine.consume(&entry), &entry.channel, counts, told);
}

/// A change as one line of the timeline that people read.
pub fn line(change: &Change) -> String {
    let alert = &change.alert;
    format!(
        "{}  {:<12} {:<15} {}  {}",
        alert.updated_at,
        change.kind.name(),
        alert.level_now.name(),
        alert.channel,
        alert.summary
    )
}

/// A change as a JSON line.
pub fn json_line(change: &Change, config: &Config) -> String {
    cloud_event(change, &setup::public_url(config)).to_string()
}
