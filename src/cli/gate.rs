//! The gate: the one task that every feed's items go through on their way in. It hands what is admitted to the shard and
//! the inference threads, gives the second's beat to live feeds, asks for checkpoints, and takes wishes for pictures
//! and saved cursors back to the feeds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lru::LruCache;
use prometheus::IntGauge;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::beat::Beat;
use super::commit::ToCommitter;
use super::intake::{Admission, FeedClock, Intake, Outcome};
use super::observe::FeedCounts;
use super::paid::PaidCount;
use super::recall::barrier;
use super::setup;
use super::shard::{Barrier, Due, Rows, ToShard};
use super::terms;
use crate::config::Config;
use crate::event::{ChannelId, Event, FeedItem, Kind, Level, Timestamp, Unscored, UserKey};
use crate::evidence::{Evidence, Identity, IdentityKey};
use crate::feed::{FeedEvent, FeedObserver, FeedReport, FromFeed, ToFeed};
use crate::model::{
    LookJob, Looked, Message, MessageScores, Reading, Ready, Rejected, Scored, Scoring, Standing,
    Ticket,
};
use crate::telemetry::{Clock, Component, Corrected, Dropped, Health, Metrics, Status};

/// How often room is looked for where all that waits must be kept.
const ROOM: Duration = Duration::from_millis(2);

/// A feed's place at the gate; it keeps it as long as the daemon runs.
pub struct FeedState {
    /// Its name in the config.
    name: String,
    /// The way to its task; none once a reload took it away.
    control: Option<mpsc::Sender<ToFeed>>,
    /// The newest cursor that a checkpoint holds.
    saved: Option<Box<str>>,
}

/// The one task that every feed's items go through.
pub struct Gate {
    pub config: Arc<Config>,
    pub intake: Intake,
    pub inference: Arc<dyn Scoring>,
    pub shard: mpsc::Sender<ToShard>,
    pub committer: mpsc::Sender<ToCommitter>,
    pub evidence: Arc<Evidence>,
    pub rows: Rows,
    pub sealer: IdentityKey,
    /// People whose identity is stored already.
    pub sealed: LruCache<UserKey, Known>,
    pub new_identities: Vec<(UserKey, Vec<u8>, Timestamp)>,
    pub metrics: Metrics,
    pub health: Health,
    pub observer: Arc<FeedCounts>,
    /// Events and looks that wait in the shards; they take away from it.
    pub backlog: Arc<AtomicUsize>,
    /// Gauges of the queues: chat, looks, shard, backlog.
    pub queues: [IntGauge; 4],
    /// Paid messages of this second, by channel.
    pub paid: PaidCount,
    /// Feeds by place, and below the beat of each.
    pub states: Vec<FeedState>,
    pub beats: Vec<Beat>,
    pub clock: Clock,
    /// The last checkpoint asked for; gone once it is saved.
    pub under_way: Weak<Barrier>,
    pub seq: u64,
    pub out: Vec<Admission>,
}

/// An author whose name is stored.
pub struct Known {
    since: Instant,
    /// It is stored for as long as what was paid.
    paid: bool,
}

impl Known {
    /// Whether the name is to be stored, or for longer than it was.
    fn renews(
        known: &mut LruCache<UserKey, Self>,
        key: UserKey,
        paid: bool,
        config: &Config,
    ) -> bool {
        let enough = |known: &Self| {
            (known.paid || !paid) && known.since.elapsed() < config.privacy.identities.0 / 2
        };
        if known.get(&key).is_some_and(enough) {
            return false;
        }
        let paid = paid || known.peek(&key).is_some_and(|known| known.paid);
        known.put(key, Self { since: Instant::now(), paid });
        true
    }

    /// When nothing that this event leaves behind refers to its author any more, and the time after it is over.
    fn until(now: Timestamp, paid: bool, config: &Config) -> Timestamp {
        let kept = if paid { config.evidence.acts } else { config.evidence.ring };
        // Renewed after half of the time, so at least half of it is left whenever they speak.
        now.plus_ms(kept.as_ms().saturating_add(2 * config.privacy.identities.as_ms()))
    }
}

impl FeedState {
    /// A feed that begins, after `saved`.
    pub fn new(name: String, control: mpsc::Sender<ToFeed>, saved: Option<Box<str>>) -> Self {
        Self { name, control: Some(control), saved }
    }
}

/// What a reload tells the gate.
pub enum ToGate {
    /// The tasks of these feeds have ended: all that they brought is taken in and a checkpoint asked for. Answered with
    /// the cursor from which each is to go on.
    Drain { places: Vec<u16>, done: oneshot::Sender<Vec<Option<Box<str>>>> },
    /// Another config holds.
    Reload(Box<Reload>, oneshot::Sender<()>),
}

/// Another config, and what the gate needs of it.
pub struct Reload {
    pub config: Arc<Config>,
    pub standing: Arc<terms::Standing>,
    /// Feeds that begin, at their places: name, clock, the way to the task. New places follow those there are.
    pub begun: Vec<(u16, String, FeedClock, mpsc::Sender<ToFeed>)>,
    /// Places of feeds that are no more.
    pub gone: Vec<u16>,
}

/// Takes a score back to the shard; called on an inference thread.
struct Reply {
    shard: mpsc::Sender<ToShard>,
    metrics: Metrics,
    channel: ChannelId,
    seq: u64,
    kind: Kind,
}

impl Scored<MessageScores> for Reply {
    fn done(self: Box<Self>, scores: Result<MessageScores, Unscored>) {
        let Self { shard, metrics, channel, seq, kind } = *self;
        if scores == Err(Unscored::Shed) {
            metrics.dropped(Some(kind), Dropped::ShedChat);
        }
        // The shard is gone only when the daemon goes down.
        let _ = shard.blocking_send(ToShard::MessageScored { channel, seq, scores });
    }
}

impl Scored<Looked> for Reply {
    fn done(self: Box<Self>, scores: Result<Looked, Unscored>) {
        let Self { shard, metrics, channel, seq, kind } = *self;
        if scores == Err(Unscored::Shed) {
            metrics.dropped(Some(kind), Dropped::ShedLook);
        }
        let _ = shard.blocking_send(ToShard::LookScored { channel, seq, scores });
    }
}

impl Gate {
    pub async fn run(
        mut self,
        mut feeds: mpsc::Receiver<FromFeed>,
        mut samples: mpsc::Receiver<(u16, crate::event::SampleRequest)>,
        mut saved: mpsc::Receiver<(u16, Box<str>)>,
        mut reloads: mpsc::Receiver<ToGate>,
        stop: CancellationToken,
    ) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let mut checkpoint = tokio::time::interval(self.config.store.checkpoint.0);
        checkpoint.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        checkpoint.tick().await;
        let mut dry = false;
        loop {
            tokio::select! {
                biased;
                Some((feed, cursor)) = saved.recv() => self.saved(feed, cursor),
                Some((feed, request)) = samples.recv() => {
                    // A wish: a feed that does not take it now is asked again at the next change.
                    self.tell_feed(feed, ToFeed::Sample(request));
                }
                Some(told) = reloads.recv() => match told {
                    ToGate::Drain { places, done } => {
                        // Their tasks have ended, so all that they brought is in the queue by now.
                        for _ in 0..feeds.len() {
                            if let Ok(item) = feeds.try_recv() {
                                self.take(item).await;
                            }
                        }
                        let _ = done.send(self.drained(&places).await);
                    }
                    ToGate::Reload(reload, done) => {
                        self.reload(*reload).await;
                        // Who asked may have given up: the config holds all the same.
                        let _ = done.send(());
                    }
                },
                _ = second.tick() => self.second().await,
                _ = checkpoint.tick() => self.checkpoint().await,
                item = feeds.recv(), if !dry => match item {
                    Some(item) => self.take(item).await,
                    None => dry = true,
                },
                () = stop.cancelled(), if dry => break,
            }
        }
        while self.under_way.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.checkpoint().await;
        self.flush_identities().await;
        // Everything admitted is scored before the shard is told to stop.
        while self.inference.depth() != (0, 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::task::spawn_blocking(move || drop(self)).await.unwrap_or_default();
    }

    async fn take(&mut self, from: FromFeed) {
        let place = usize::from(from.feed);
        let name = self.states.get(place).map(|feed| feed.name.clone()).unwrap_or_default();
        match from.what {
            FeedEvent::Item(item) => self.item(from.feed, item, from.received).await,
            FeedEvent::Connected { resumed } => {
                self.intake.dedupe.reconnected(from.feed);
                self.health.set(Component::Feed(&name), Status::Up);
                if let Some(beat) = self.beats.get_mut(place) {
                    beat.connected(self.clock.ran());
                }
                let mut out = Vec::new();
                self.intake.back(from.feed, resumed, from.received, &mut out);
                for admission in out {
                    self.admit(from.feed, admission, from.received).await;
                }
            }
            FeedEvent::Recovered => self.health.set(Component::Feed(&name), Status::Up),
            FeedEvent::Disconnected { reason, attempt } => {
                tracing::warn!(feed = %name, %reason, attempt, "not connected");
                self.health.set(Component::Feed(&name), Status::Down(reason));
                self.intake.lost(from.feed, from.received);
                if let Some(beat) = self.beats.get_mut(place) {
                    beat.lost();
                }
            }
            FeedEvent::Failing { reason } => {
                tracing::error!(feed = %name, %reason, "failing");
                self.health.set(Component::Feed(&name), Status::Degraded(reason));
            }
            FeedEvent::Ended => {
                tracing::info!(feed = %name, "ended");
                self.health.set(Component::Feed(&name), Status::Degraded("it has ended".into()));
                if let Some(beat) = self.beats.get_mut(place) {
                    beat.lost();
                }
            }
        }
    }

    async fn item(&mut self, feed: u16, item: FeedItem, received: Timestamp) {
        let counted = match &item {
            FeedItem::Event(event) => Some(event.kind()),
            _ => None,
        };
        if let FeedItem::Cursor(_) = &item {
            self.observer.cursor(feed);
        }
        let mut out = std::mem::take(&mut self.out);
        let (sealer, sealed, fresh) = (&self.sealer, &mut self.sealed, &mut self.new_identities);
        let (evidence, rows, config) = (&self.evidence, &self.rows, &self.config);
        let mut seen = |event: &Event| {
            if let Some(user) = &event.user
                && Known::renews(sealed, user.key, event.paid(), config)
                && let Some(identity) = Identity::of(&event.channel, user)
            {
                let until = Known::until(Clock::house().believed(), event.paid(), config);
                fresh.push((user.key, sealer.seal(&user.key, &identity), until));
            }
            evidence.offer_event(event, level(rows, &event.channel));
        };
        let outcome = self.intake.item(feed, item, received, &mut out, &mut seen);
        if let Some(kind) = counted {
            match outcome {
                Outcome::Admitted { at, ahead, unknown_amount } => {
                    let report = FeedReport::Event { kind, at, lag_ms: received.since(at) };
                    self.observer.report(feed, report);
                    for (so, what) in
                        [(ahead, Corrected::TimeAhead), (unknown_amount, Corrected::AmountUnknown)]
                    {
                        if so {
                            self.observer.report(feed, FeedReport::Corrected { kind, what });
                        }
                    }
                    if let Some(beat) = self.beats.get_mut(usize::from(feed)) {
                        beat.came(at);
                    }
                }
                Outcome::Refused(_) => self.metrics.dropped(Some(kind), Dropped::Repeat),
                Outcome::Cursor | Outcome::Gap => {}
            }
        }
        for admission in out.drain(..) {
            self.admit(feed, admission, received).await;
        }
        self.out = out;
        if self.new_identities.len() >= 256 {
            self.flush_identities().await;
        }
    }

    async fn admit(&mut self, feed: u16, admission: Admission, received: Timestamp) {
        self.seq += 1;
        let seq = self.seq;
        if matches!(admission, Admission::Ready(_)) {
            // Scores are on their way or their time is bounded, so there is room soon.
            while self.backlog.load(Ordering::Relaxed) >= self.config.limits.backlog {
                tokio::time::sleep(ROOM).await;
            }
            self.backlog.fetch_add(1, Ordering::Relaxed);
        }
        match admission {
            Admission::Seconds { feed, from, to } => {
                self.tell(ToShard::Seconds { feed, from, to }).await
            }
            Admission::Gap { feed, gap } => self.tell(ToShard::Gap { feed, gap }).await,
            Admission::Ready(Ready::Event { admitted, message }) => {
                let Some(message) = message else {
                    let due = Due::Nothing;
                    return self.tell(ToShard::Event { feed, seq, admitted, due, received }).await;
                };
                let reading = self.inference.read(&message);
                if let Some(scores) = reading.scores {
                    let due = Due::Known(scores);
                    return self.tell(ToShard::Event { feed, seq, admitted, due, received }).await;
                }
                let event = &admitted.event;
                let (kind, channel) = (event.kind(), event.channel.clone());
                let author = event.user.as_ref().map_or(0, |user| user.key.short());
                let standing = self.standing(&channel, kind, feed, received);
                let ticket = Ticket { channel, author, alike: reading.alike, standing };
                let due = Due::Scores;
                self.tell(ToShard::Event { feed, seq, admitted, due, received }).await;
                self.score(ticket, seq, message, reading, kind).await;
            }
            Admission::Ready(Ready::Look { channel, at, id, frames, pictures }) => {
                let standing = self.standing(&channel, Kind::Frame, feed, received);
                let ticket = Ticket { channel: channel.clone(), author: 0, alike: 0, standing };
                let look = ToShard::Look { feed, seq, channel, at, id, frames, received };
                self.tell(look).await;
                self.look(ticket, seq, LookJob { pictures }).await;
            }
        }
    }

    /// How dear the scores of an event are. Paid messages beyond `[limits] paid_per_second` in one channel have no
    /// more claim to be scored than its chat: their money counts, their words wait in turn.
    fn standing(
        &mut self,
        channel: &ChannelId,
        kind: Kind,
        feed: u16,
        received: Timestamp,
    ) -> Standing {
        let sheddable = match kind {
            Kind::Chat | Kind::Frame => true,
            Kind::Donation | Kind::Reward => !self.paid.admits(channel, received),
            _ => false,
        };
        if !sheddable || self.intake.clock(feed) == FeedClock::Data {
            return Standing::Kept;
        }
        if level(&self.rows, channel) >= Level::Concern { Standing::High } else { Standing::Low }
    }

    /// Queues a message; where all that waits must be kept, and it too, it waits for room, and so do the feeds.
    async fn score(
        &mut self,
        ticket: Ticket,
        seq: u64,
        message: Message,
        reading: Reading,
        kind: Kind,
    ) {
        let mut message = message;
        let mut reply: Box<dyn Scored<MessageScores>> = Box::new(self.reply(&ticket, seq, kind));
        while let Err(Rejected(back)) =
            self.inference.offer_message(&ticket, message, reading.key, reply)
        {
            (message, reply) = back;
            tokio::time::sleep(ROOM).await;
        }
    }

    async fn look(&mut self, ticket: Ticket, seq: u64, job: LookJob) {
        let mut job = job;
        let mut reply: Box<dyn Scored<Looked>> = Box::new(self.reply(&ticket, seq, Kind::Frame));
        while let Err(Rejected(back)) = self.inference.offer_look(&ticket, job, reply) {
            (job, reply) = back;
            tokio::time::sleep(ROOM).await;
        }
    }

    fn reply(&self, ticket: &Ticket, seq: u64, kind: Kind) -> Reply {
        let (shard, metrics) = (self.shard.clone(), self.metrics.clone());
        Reply { shard, metrics, channel: ticket.channel.clone(), seq, kind }
    }

    async fn tell(&self, message: ToShard) {
        // The shard outlives the intake; if it is gone the daemon is going down.
        let _ = self.shard.send(message).await;
    }

    /// A second of the daemon's clock: ticks for channels of live feeds that are connected and level.
    async fn second(&mut self) {
        let (now, ran) = (self.clock.now(), self.clock.ran());
        let mut out = Vec::new();
        for place in 0..self.beats.len() {
            let feed = place as u16;
            if self.intake.clock(feed) != FeedClock::Live {
                continue;
            }
            if let Some(level_for) = self.beats[place].beat(ran) {
                self.tell(ToShard::Tick { feed, now, level_for }).await;
                self.intake.beat(feed, now, &mut out);
                for admission in out.drain(..) {
                    self.admit(feed, admission, now).await;
                }
            }
        }
        self.depths();
        self.flush_identities().await;
    }

    /// Tells how full the queues are.
    fn depths(&self) {
        let (chat, looks) = self.inference.depth();
        let backlog = self.backlog.load(Ordering::Relaxed);
        let shard = self.shard.max_capacity() - self.shard.capacity();
        for (gauge, depth) in self.queues.iter().zip([chat, looks, shard, backlog]) {
            gauge.set(i64::try_from(depth).unwrap_or(i64::MAX));
        }
    }

    async fn flush_identities(&mut self) {
        if !self.new_identities.is_empty() {
            let sealed = std::mem::take(&mut self.new_identities);
            let _ = self.committer.send(ToCommitter::Identities(sealed)).await;
        }
    }

    /// Asks for a checkpoint, one at a time: a channel's state belongs to one only.
    async fn checkpoint(&mut self) {
        if self.under_way.strong_count() > 0 {
            return;
        }
        // Also of feeds that a reload took away: should they come back, they go on there.
        let feeds: Vec<&str> = self.states.iter().map(|feed| feed.name.as_str()).collect();
        let barrier = Arc::new(barrier(&mut self.intake, &feeds, self.config.digest()));
        self.under_way = Arc::downgrade(&barrier);
        self.tell(ToShard::Barrier(barrier)).await;
    }

    fn saved(&mut self, feed: u16, cursor: Box<str>) {
        self.intake.dedupe.saved(feed, &cursor);
        if let Some(state) = self.states.get_mut(usize::from(feed)) {
            state.saved = Some(cursor.clone());
        }
        // A newer cursor follows with the next checkpoint.
        self.tell_feed(feed, ToFeed::Handled(cursor));
    }

    fn tell_feed(&self, feed: u16, told: ToFeed) {
        if let Some(FeedState { control: Some(control), .. }) = self.states.get(usize::from(feed)) {
            let _ = control.try_send(told);
        }
    }

    /// Feeds have ended: their cursors go into the next checkpoint with all that they brought.
    async fn drained(&mut self, places: &[u16]) -> Vec<Option<Box<str>>> {
        let now = self.clock.now();
        for place in places {
            // What it does not bring again when it comes back is missing.
            self.intake.lost(*place, now);
            if let Some(beat) = self.beats.get_mut(usize::from(*place)) {
                beat.lost();
            }
        }
        self.checkpoint().await;
        let saved = |place: &u16| self.states.get(usize::from(*place))?.saved.clone();
        places.iter().map(saved).collect()
    }

    async fn reload(&mut self, reload: Reload) {
        let Reload { config, standing, begun, gone } = reload;
        self.intake
            .door
            .read_by(setup::categories(&config), Arc::new(config.currency.table.rates()));
        self.paid.limit(config.limits.paid_per_second);
        self.config = config;
        for place in gone {
            if let Some(state) = self.states.get_mut(usize::from(place)) {
                state.control = None;
            }
        }
        for (place, name, clock, control) in begun {
            self.intake.seat(place, clock);
            match self.states.get_mut(usize::from(place)) {
                Some(known) => known.control = Some(control),
                None => {
                    self.states.push(FeedState::new(name, control, None));
                    self.beats.push(Beat::default());
                }
            }
        }
        self.tell(ToShard::Reload(standing)).await;
    }
}

/// The level of a channel as its shard last published it, or the config's for it.
fn level(rows: &Rows, channel: &ChannelId) -> Level {
    rows.read().get(channel).map_or(Level::None, |row| row.level.max(row.level_floor))
}
