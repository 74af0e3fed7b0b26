//! One shard: a thread that owns the channels hashed to it. Admitted events wait for their scores in the order of
//! their channel, then the engine consumes them; what came of it goes to the journal, to the committer and to the
//! pages. No lock is held over a judgement.

mod keep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::RwLock;
use prometheus::IntCounter;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::commit::ToCommitter;
use super::engine::{AT_ONCE, Engine, Step};
use super::replay::{event_entry, gap_entries, look_entry};
use super::shelf::Shelf;
use super::terms::Standing;
use crate::alert::Change;
use crate::console::{ChannelRow, Live};
use crate::event::{
    Admitted, ChannelId, Consumed, Decision, Digest, Fuel, Gap, Level, LookFrame, SampleRequest,
    Timestamp, Unscored,
};
use crate::evidence::Evidence;
use crate::model::{Looked, MessageScores};
use crate::risk::look_every_ms;
use crate::store::{ChannelState, FeedMark};
use crate::telemetry::Clock;

/// A page's row of a channel is renewed at most this often.
const ROW_EVERY: Duration = Duration::from_secs(1);
/// A look belongs to an act if it comes within this time after the request.
const ACT_LOOK_MS: i64 = 5 * 60_000;

/// What a shard is told.
pub enum ToShard {
    Event {
        feed: u16,
        seq: u64,
        admitted: Admitted,
        due: Due,
        received: Timestamp,
    },
    Look {
        feed: u16,
        seq: u64,
        channel: ChannelId,
        at: Timestamp,
        id: Box<str>,
        frames: Vec<LookFrame>,
        received: Timestamp,
    },
    MessageScored {
        channel: ChannelId,
        seq: u64,
        scores: Result<MessageScores, Unscored>,
    },
    LookScored {
        channel: ChannelId,
        seq: u64,
        scores: Result<Looked, Unscored>,
    },
    Seconds {
        feed: u16,
        from: i64,
        to: i64,
    },
    /// A second passed on the daemon's clock, for channels of a connected, level live feed.
    Tick {
        feed: u16,
        now: Timestamp,
        /// How long the feed has been connected and level, in all: only that time passes.
        level_for: Duration,
    },
    Gap {
        feed: u16,
        gap: Gap,
    },
    Barrier(Arc<Barrier>),
    /// What is consumed from here on is judged and shown by another config.
    Reload(Arc<Standing>),
    Decide {
        channel: ChannelId,
        decision: Decision,
        uid: Option<u32>,
        done: oneshot::Sender<Option<Change>>,
    },
    Stop,
}

/// What an event still waits for.
#[derive(Debug)]
pub enum Due {
    /// It has no words to score.
    Nothing,
    /// Its scores follow.
    Scores,
    /// They are known already.
    Known(MessageScores),
}

/// A checkpoint under way: what each feed had brought when it was asked for.
#[derive(Debug)]
pub struct Barrier {
    pub feeds: Vec<(u16, FeedMark)>,
    /// Donations whose twins may come, where they changed.
    pub donations: Option<String>,
    pub config: String,
}

/// Rows of the page, by channel; bounded by the shards' channels.
pub type Rows = Arc<RwLock<HashMap<ChannelId, ChannelRow>>>;

/// What a shard needs from the house.
pub struct Wiring {
    pub standing: Arc<Standing>,
    pub committer: mpsc::Sender<ToCommitter>,
    pub evidence: Arc<Evidence>,
    /// Events and looks that the door admitted and no channel has consumed; the gate adds to it.
    pub backlog: Arc<AtomicUsize>,
    pub rows: Rows,
    pub live: broadcast::Sender<Live>,
    /// Requests for pictures, on their way to the feeds.
    pub samples: mpsc::Sender<(u16, SampleRequest)>,
    /// Counts chat that came too late to be heard.
    pub late: IntCounter,
    pub clock: Clock,
    pub floor: Arc<dyn Fn(&ChannelId) -> Level + Send + Sync>,
    pub shelf: Shelf,
}

enum Item {
    Ready(Consumed),
    Event(Admitted),
    Look { at: Timestamp, id: Box<str>, frames: Vec<LookFrame> },
    Seconds { from: i64, to: i64 },
    Barrier,
    Decide { decision: Decision, uid: Option<u32>, done: oneshot::Sender<Option<Change>> },
}

struct Pending {
    seq: u64,
    /// Counted in the backlog.
    admitted: bool,
    item: Item,
    received: Timestamp,
    /// When it came, on the clock that only runs.
    since: Duration,
    feed: u16,
}

/// See [`Shard::live_tick`].
struct Touch {
    /// On the clock that only runs.
    ran: Duration,
    level_for: Duration,
    /// The channel's time then.
    now: Timestamp,
}

struct Snapshot {
    /// Gaps of whole feeds told before it was asked for: a state in it knows of these.
    gaps: u64,
    /// Channels of which nothing waited when it was asked for, and which are taken as there is time.
    quiet: Vec<ChannelId>,
    barrier: Arc<Barrier>,
    number: u64,
    outstanding: usize,
    channels: Vec<ChannelState>,
}

/// See the module.
pub struct Shard {
    engine: Engine,
    wiring: Wiring,
    queues: HashMap<ChannelId, VecDeque<Pending>>,
    /// Looks that were overtaken after their wait.
    overtaken: HashMap<u64, (ChannelId, Pending)>,
    snapshot: Option<Snapshot>,
    /// The last request of each channel with an open act, for its next look.
    acts: HashMap<ChannelId, (Digest, Timestamp)>,
    /// When each row was last renewed, on the clock that only runs; and below when channels were last put to sleep.
    rows_at: HashMap<ChannelId, Duration>,
    /// When something other than a tick last came to a channel.
    touched: HashMap<ChannelId, Touch>,
    /// How long each live feed has been connected and level, as last told.
    level_for: HashMap<u16, Duration>,
    looks_asked: u64,
    /// Checkpoints begun.
    snapshots: u64,
    slept: Duration,
}

impl Shard {
    pub fn new(engine: Engine, wiring: Wiring) -> Self {
        let looks_asked = wiring.clock.now().0.unsigned_abs();
        let slept = wiring.clock.ran();
        Self {
            engine,
            wiring,
            queues: HashMap::new(),
            overtaken: HashMap::new(),
            snapshot: None,
            acts: HashMap::new(),
            rows_at: HashMap::new(),
            touched: HashMap::new(),
            level_for: HashMap::new(),
            // Names of looks are never those of an earlier run, which the feed remembers.
            looks_asked,
            snapshots: 0,
            slept,
        }
    }

    /// Runs until told to stop or all senders are gone.
    pub fn run(mut self, mut inbox: mpsc::Receiver<ToShard>) {
        self.begin();
        loop {
            let message = match inbox.try_recv() {
                Ok(message) => message,
                // With nothing else to do a checkpoint goes on.
                Err(TryRecvError::Empty) if self.go_on() => continue,
                Err(_) => match inbox.blocking_recv() {
                    Some(message) => message,
                    None => break,
                },
            };
            match message {
                ToShard::Stop => break,
                message => self.take(message),
            }
        }
        while self.go_on() {}
    }

    /// What was restored is on the pages before anything else happens.
    pub fn begin(&mut self) {
        let known: Vec<_> = self.engine.slots().map(|(c, slot)| (c.clone(), slot.feed)).collect();
        for (channel, feed) in known {
            self.renew_row(&channel, feed, true);
        }
    }

    /// One message, and some of a checkpoint that is under way; [`Shard::run`] without its thread.
    pub fn take(&mut self, message: ToShard) {
        self.go_on();
        match message {
            ToShard::Event { feed, seq, admitted, due, received } => {
                let channel = admitted.event.channel.clone();
                let item = match due {
                    Due::Scores => Item::Event(admitted),
                    Due::Nothing => Item::Ready(event_entry(admitted, None)),
                    Due::Known(scores) => Item::Ready(event_entry(admitted, Some(Ok(scores)))),
                };
                self.enqueue(channel, seq, item, received, feed);
            }
            ToShard::Look { feed, seq, channel, at, id, frames, received } => {
                let item = Item::Look { at, id, frames };
                self.enqueue(channel, seq, item, received, feed);
            }
            ToShard::MessageScored { channel, seq, scores } => {
                self.scored(&channel, seq, |item| match item {
                    Item::Event(admitted) => Item::Ready(event_entry(admitted, Some(scores))),
                    other => other,
                });
            }
            ToShard::LookScored { channel, seq, scores } => self.look_scored(channel, seq, scores),
            ToShard::Seconds { feed, from, to } => self.seconds(feed, from, to),
            ToShard::Tick { feed, now, level_for } => self.live_tick(feed, now, level_for),
            ToShard::Gap { feed, gap } => {
                if gap.channel.is_none() {
                    // Of what waits, this gap comes behind it.
                    self.waiting().iter().for_each(|channel| self.wake(channel));
                    let name = self.wiring.standing.feed(feed).to_owned();
                    self.wiring.shelf.gaps.told(&name, &gap);
                }
                for entry in gap_entries(feed, &gap, &self.engine) {
                    self.enqueue(entry.channel.clone(), 0, Item::Ready(entry), Timestamp(0), feed);
                }
            }
            ToShard::Barrier(barrier) => self.barrier(barrier),
            ToShard::Reload(standing) => self.reload(standing),
            ToShard::Decide { channel, decision, uid, done } => {
                let feed = self.engine.slot(&channel).map_or(0, |slot| slot.feed);
                let received = decision.at;
                self.enqueue(channel, 0, Item::Decide { decision, uid, done }, received, feed);
            }
            ToShard::Stop => {}
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether nothing waits for a score.
    pub fn is_idle(&self) -> bool {
        self.queues.is_empty() && self.overtaken.is_empty()
    }

    fn enqueue(
        &mut self,
        channel: ChannelId,
        seq: u64,
        item: Item,
        received: Timestamp,
        feed: u16,
    ) {
        let queue = self.queues.entry_ref(&channel).or_default();
        let admitted = seq > 0;
        // What the door did not admit stands behind what it did, and its scores are never told.
        let seq = seq.max(queue.back().map_or(0, |last| last.seq));
        queue.push_back(Pending {
            seq,
            admitted,
            item,
            received,
            since: self.wiring.clock.ran(),
            feed,
        });
        self.drain(&channel);
    }

    fn scored(&mut self, channel: &ChannelId, seq: u64, ready: impl FnOnce(Item) -> Item) {
        let Some(queue) = self.queues.get_mut(channel) else { return };
        // In order of admission; what the door did not admit has the number of what stands before it.
        let first = queue.partition_point(|pending| pending.seq < seq);
        if let Some(pending) = queue.get_mut(first).filter(|pending| pending.seq == seq) {
            let item = std::mem::replace(&mut pending.item, Item::Barrier);
            pending.item = ready(item);
        }
        self.drain(channel);
    }

    fn look_scored(&mut self, channel: ChannelId, seq: u64, scores: Result<Looked, Unscored>) {
        if let Some((channel, pending)) = self.overtaken.remove(&seq) {
            if let Item::Look { at, id, frames } = pending.item {
                let entry = look_entry(channel.clone(), at, id, frames, scores);
                self.consume(entry, pending.received, pending.feed, None);
            }
            return;
        }
        let of = channel.clone();
        self.scored(&channel, seq, |item| match item {
            Item::Look { at, id, frames } => Item::Ready(look_entry(of, at, id, frames, scores)),
            other => other,
        });
    }

    /// Consumes what is ready at the head of a channel's queue.
    fn drain(&mut self, channel: &ChannelId) {
        loop {
            let Some(queue) = self.queues.get_mut(channel) else { return };
            let Some(head) = queue.front() else {
                self.queues.remove(channel);
                return;
            };
            let late = matches!(head.item, Item::Look { .. })
                && !self.wiring.standing.data_clock(head.feed)
                && self.wiring.clock.ran().saturating_sub(head.since)
                    >= self.wiring.standing.limits.look_wait.0;
            match &head.item {
                Item::Event(_) => return,
                Item::Look { .. } if !late => return,
                _ => {}
            }
            // The head was there just above.
            let Some(pending) = queue.pop_front() else { return };
            if pending.admitted {
                self.wiring.backlog.fetch_sub(1, Ordering::Relaxed);
            }
            match pending.item {
                Item::Ready(entry) => self.consume(entry, pending.received, pending.feed, None),
                Item::Look { .. } => {
                    self.overtaken.insert(pending.seq, (channel.clone(), pending));
                }
                Item::Seconds { from, to } => {
                    // Another feed's seconds are none of this channel's: it may tell of another evening.
                    let slot = self.engine.slot(channel);
                    if slot.is_some_and(|slot| slot.feed == pending.feed) {
                        self.ticks(channel, from, to);
                    }
                }
                Item::Barrier => self.snapshot_one(channel),
                Item::Decide { decision, uid, done } => {
                    self.decide(channel, decision, uid, done, pending.feed);
                }
                Item::Event(_) => {}
            }
        }
    }

    fn ticks(&mut self, channel: &ChannelId, from: i64, to: i64) {
        for second in from..=to {
            if !self.engine.needs_tick(channel) {
                break;
            }
            let feed = self.engine.slot(channel).map_or(0, |slot| slot.feed);
            let at = Timestamp(second * 1000);
            let entry = Consumed { channel: channel.clone(), at, fuel: Fuel::Tick };
            self.consume(entry, Timestamp(0), feed, None);
        }
    }

    /// Channels of which something waits, in order of name, so that the same history is the same every time.
    fn waiting(&self) -> Vec<ChannelId> {
        let mut waiting: Vec<ChannelId> = self.queues.keys().cloned().collect();
        waiting.sort_unstable();
        waiting
    }

    fn seconds(&mut self, feed: u16, from: i64, to: i64) {
        let waiting = self.waiting();
        for channel in &waiting {
            self.enqueue(channel.clone(), 0, Item::Seconds { from, to }, Timestamp(0), feed);
        }
        for channel in self.engine.ticking() {
            let own = self.engine.slot(&channel).is_some_and(|slot| slot.feed == feed);
            if own && !waiting.contains(&channel) {
                self.ticks(&channel, from, to);
            }
        }
    }

    fn touch(&mut self, channel: &ChannelId, feed: u16) {
        let Some(slot) = self.engine.slot(channel) else { return };
        let touch = Touch {
            ran: self.wiring.clock.ran(),
            level_for: self.level_for.get(&feed).copied().unwrap_or_default(),
            now: slot.channel.now,
        };
        self.touched.insert(channel.clone(), touch);
    }

    fn live_tick(&mut self, feed: u16, now: Timestamp, level_for: Duration) {
        self.level_for.insert(feed, level_for);
        // Looks that waited too long are overtaken even where nothing else comes.
        self.waiting().iter().for_each(|channel| self.drain(channel));
        let mut due = Vec::new();
        for channel in self.engine.ticking() {
            if self.engine.slot(&channel).is_none_or(|slot| slot.feed != feed) {
                continue;
            }
            let Some(touch) = self.touched.get(&channel) else {
                self.touch(&channel, feed);
                continue;
            };
            // Time in which the feed was down or behind is not made up.
            let still = self.wiring.clock.ran().saturating_sub(touch.ran);
            let still = still.min(level_for.saturating_sub(touch.level_for));
            if still < Duration::from_secs(1) || self.queues.contains_key(&channel) {
                continue;
            }
            let passed = touch.now.plus_ms(still.as_millis() as i64).min(now);
            if let Some(at) = self.engine.tick_at(&channel, passed) {
                due.push((channel, at));
            }
        }
        for ticks in due.chunks(AT_ONCE) {
            self.engine.foresee(ticks);
            for (channel, at) in ticks {
                let entry = Consumed { channel: channel.clone(), at: *at, fuel: Fuel::Tick };
                self.consume(entry, Timestamp(0), feed, None);
            }
        }
    }

    fn decide(
        &mut self,
        channel: &ChannelId,
        decision: Decision,
        uid: Option<u32>,
        done: oneshot::Sender<Option<Change>>,
        feed: u16,
    ) {
        self.wake(channel);
        let now = self.engine.slot(channel).map_or(decision.at, |slot| slot.channel.now);
        let fuel = Fuel::Decision { decision: decision.clone() };
        let entry = Consumed { channel: channel.clone(), at: now, fuel };
        self.consume(entry, decision.at, feed, Some((decision, uid, done)));
    }

    fn consume(
        &mut self,
        entry: Consumed,
        received: Timestamp,
        feed: u16,
        decided: Option<(Decision, Option<u32>, oneshot::Sender<Option<Change>>)>,
    ) {
        let mut entry = entry;
        let channel = entry.channel.clone();
        self.wake(&channel);
        self.snapshot_before(&channel);
        if let (Fuel::Gap { .. }, Some(slot)) = (&entry.fuel, self.engine.slot(&channel)) {
            // It moves no channel's time.
            entry.at = slot.channel.now;
        }
        let slot = self.engine.slot_mut(&channel);
        if slot.feed != feed || slot.feed_name.is_empty() {
            slot.feed = feed;
            slot.feed_name = self.wiring.standing.feed(feed).into();
        }
        if let Some(journal) = &self.wiring.standing.journal {
            let mut mark = slot.mark;
            let state = || serde_json::to_value(&*slot).unwrap_or_default();
            journal.consumed(&mut mark, state, entry.clone());
            slot.mark = mark;
        }
        let step = self.engine.consume(&entry);
        if let Some(journal) = &self.wiring.standing.journal {
            let mark = self.engine.slot_mut(&channel).mark;
            for out in &step.asked {
                journal.escalation(mark, &channel, entry.at, *out);
            }
        }
        if !matches!(entry.fuel, Fuel::Tick) {
            self.touch(&channel, feed);
        }
        if step.late {
            self.wiring.late.inc();
        }
        self.keep_evidence(&entry, &step);
        self.told(&channel, step, received, feed, decided);
    }

    fn told(
        &mut self,
        channel: &ChannelId,
        step: Step,
        received: Timestamp,
        feed: u16,
        decided: Option<(Decision, Option<u32>, oneshot::Sender<Option<Change>>)>,
    ) {
        for place in step.began {
            if let Some(counter) = self.wiring.standing.rules.get(place) {
                counter.inc();
            }
        }
        let mut decided = decided;
        if step.changes.is_empty()
            && let Some((.., done)) = decided.take()
        {
            // The asker may have gone; nothing was changed either way.
            let _ = done.send(None);
        }
        for change in step.changes {
            self.commit(ToCommitter::Change {
                change: Box::new(change),
                received,
                decided: decided.take(),
            });
        }
        if !step.samples.is_empty() {
            self.commit(ToCommitter::Samples(step.samples));
        }
        self.look_as_the_level_says(channel, feed);
        self.renew_row(channel, feed, step.level.is_some());
    }

    fn commit(&self, message: ToCommitter) {
        // The committer outlives the shards; if it is gone the daemon is going down and has said why.
        let _ = self.wiring.committer.blocking_send(message);
    }

    /// Asks for pictures as often as the level says, from the first event on, of each feed that brings it; not while the
    /// stream is offline. After a reconnect the feed itself repeats what stands.
    fn look_as_the_level_says(&mut self, channel: &ChannelId, feed: u16) {
        let limits = &self.wiring.standing.limits;
        let slot = self.engine.slot_mut(channel);
        let offline = slot.channel.stream.offline_since.is_some();
        let usual = limits.look_every.as_ms() as u32;
        let every_ms = if offline { 0 } else { look_every_ms(slot.level(), usual) };
        let asked =
            slot.looking.filter(|(then, _)| *then == every_ms).map_or(0, |(_, feeds)| feeds);
        let this = 1 << (feed % 64);
        if asked & this != 0 || slot.looking.is_none() && offline {
            return;
        }
        self.looks_asked += 1;
        let request = SampleRequest {
            channel: channel.clone(),
            look: format!("L{}", self.looks_asked).into(),
            every_ms,
            burst: limits.look_burst,
            over_ms: limits.look_over.as_ms() as u32,
        };
        // Attention is a wish: if the way is full, the channel's next event asks again.
        if self.wiring.samples.try_send((feed, request)).is_ok() {
            slot.looking = Some((every_ms, asked | this));
        }
    }

    fn renew_row(&mut self, channel: &ChannelId, feed: u16, at_once: bool) {
        let ran = self.wiring.clock.ran();
        let due = self.rows_at.get(channel).is_none_or(|then| ran >= *then + ROW_EVERY);
        if !due && !at_once {
            return;
        }
        self.rows_at.insert(channel.clone(), ran);
        let Some(slot) = self.engine.slot(channel) else { return };
        let stream = slot.stream();
        let row = ChannelRow {
            id: channel.clone(),
            name: stream.name.clone(),
            title: stream.title.clone(),
            category: stream.category.clone(),
            live: stream.live,
            level: slot.level(),
            level_floor: (self.wiring.floor)(channel),
            viewers: stream.viewers,
            hours_live: slot.channel.hours_live(slot.channel.now).map(|hours| hours as f32),
            vulnerable: false,
            note: String::new(),
            frozen: slot.channel.frozen(),
            unwatched: false,
            gaps: slot.channel.gaps(),
            feed: self.wiring.standing.feed(feed).to_owned(),
            last_event: Some(slot.channel.now),
            alert: slot.book.live().map(|alert| alert.id),
        };
        self.wiring.rows.write().insert(channel.clone(), row.clone());
        // Nobody may be looking.
        let _ = self.wiring.live.send(Live::Channel(Arc::new(row)));
    }

    fn reload(&mut self, standing: Arc<Standing>) {
        // A state is that of the terms it was judged under.
        while self.go_on() {}
        self.engine.judge_under(standing.terms.clone());
        self.wiring.standing = standing;
        // Floors and names that are shown may have changed; what stands on the pages is the measure.
        let shown: Vec<(ChannelId, u16)> = {
            let rows = self.wiring.rows.read();
            let slots = self.engine.slots();
            let changed = slots.filter(|(id, _)| {
                rows.get(*id).is_none_or(|row| row.level_floor != (self.wiring.floor)(id))
            });
            changed.map(|(id, slot)| (id.clone(), slot.feed)).collect()
        };
        for (channel, feed) in shown {
            self.renew_row(&channel, feed, true);
        }
    }
}
