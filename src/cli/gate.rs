//! The gate: the one task that every feed's items go through on their way in. It hands what is admitted to the shard and
//! the inference threads, gives the second's beat to live feeds, asks for checkpoints, and takes wishes for pictures
//! and saved cursors back to the feeds.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::beat::Beat;
use super::commit::ToCommitter;
use super::intake::{Admission, FeedClock, Intake, Outcome};
use super::observe::FeedCounts;
use super::recall::barrier;
use super::setup;
use super::shard::{Barrier, Rows, ToShard};
use super::terms::Standing;
use crate::config::Config;
use crate::event::{ChannelId, Event, FeedItem, Kind, Level, Timestamp, Unscored, UserKey};
use crate::evidence::{Evidence, Identity, IdentityKey};
use crate::feed::{FeedEvent, FeedObserver, FeedReport, FromFeed, ToFeed};
use crate::model::{Inference, LookJob, Looked, Message, MessageScores, Ready, Rejected, Scored};
use crate::telemetry::{Clock, Component, Corrected, Dropped, Health, Metrics, Status};

/// How long chat waits for room in a full inference queue before it is shed.
const SHED_AFTER: Duration = Duration::from_millis(250);

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
    pub inference: Arc<Inference>,
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
    fn until(received: Timestamp, paid: bool, config: &Config) -> Timestamp {
        let kept = if paid { config.evidence.acts } else { config.evidence.ring };
        // Renewed after half of the time, so at least half of it is left whenever they speak.
        received.plus_ms(kept.as_ms().saturating_add(2 * config.privacy.identities.as_ms()))
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
    pub standing: Arc<Standing>,
    /// Feeds that begin, at their places: name, clock, the way to the task. New places follow those there are.
    pub begun: Vec<(u16, String, FeedClock, mpsc::Sender<ToFeed>)>,
    /// Places of feeds that are no more.
    pub gone: Vec<u16>,
}

/// Takes a score back to the shard; called on an inference thread.
struct ToShardReply(mpsc::Sender<ToShard>, ChannelId, u64);

impl Scored<MessageScores> for ToShardReply {
    fn done(self: Box<Self>, scores: Result<MessageScores, Unscored>) {
        let Self(shard, channel, seq) = *self;
        // The shard is gone only when the daemon goes down.
        let _ = shard.blocking_send(ToShard::MessageScored { channel, seq, scores });
    }
}

impl Scored<Looked> for ToShardReply {
    fn done(self: Box<Self>, scores: Result<Looked, Unscored>) {
        let Self(shard, channel, seq) = *self;
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
                let until = Known::until(received, event.paid(), config);
                fresh.push((user.key, sealer.seal(&user.key, &identity), until));
            }
            let level = rows
                .read()
                .get(&event.channel)
                .map_or(Level::None, |row| row.level.max(row.level_floor));
            evidence.offer_event(event, level);
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
        match admission {
            Admission::Seconds { feed, from, to } => {
                self.tell(ToShard::Seconds { feed, from, to }).await
            }
            Admission::Gap { feed, gap } => self.tell(ToShard::Gap { feed, gap }).await,
            Admission::Ready(Ready::Event { admitted, message }) => {
                let channel = admitted.event.channel.clone();
                let kind = admitted.event.kind();
                let scored = message.is_some();
                self.tell(ToShard::Event { feed, seq, admitted, scored, received }).await;
                if let Some(message) = message {
                    self.score(channel, seq, message, kind, feed).await;
                }
            }
            Admission::Ready(Ready::Look { channel, at, id, frames, pictures }) => {
                let look =
                    ToShard::Look { feed, seq, channel: channel.clone(), at, id, frames, received };
                self.tell(look).await;
                self.look(channel, seq, LookJob { pictures }, feed).await;
            }
        }
    }

    /// Queues a message; while the queue is full chat waits a little and is then shed, what is paid waits for room.
    async fn score(
        &mut self,
        channel: ChannelId,
        seq: u64,
        message: Message,
        kind: Kind,
        feed: u16,
    ) {
        let waits = kind != Kind::Chat || self.intake.clock(feed) == FeedClock::Data;
        let since = Instant::now();
        let mut message = message;
        let reply = ToShardReply(self.shard.clone(), channel.clone(), seq);
        let mut reply: Box<dyn Scored<MessageScores>> = Box::new(reply);
        while let Err(Rejected(back)) = self.inference.message(message, reply) {
            if !waits && since.elapsed() >= SHED_AFTER {
                self.metrics.dropped(Some(kind), Dropped::ShedChat);
                let scores = Err(Unscored::Shed);
                self.tell(ToShard::MessageScored { channel, seq, scores }).await;
                return;
            }
            (message, reply) = back;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn look(&mut self, channel: ChannelId, seq: u64, job: LookJob, feed: u16) {
        let waits = self.intake.clock(feed) == FeedClock::Data;
        let since = Instant::now();
        let mut job = job;
        let reply = ToShardReply(self.shard.clone(), channel.clone(), seq);
        let mut reply: Box<dyn Scored<Looked>> = Box::new(reply);
        while let Err(Rejected(back)) = self.inference.look(job, reply) {
            if !waits && since.elapsed() >= SHED_AFTER {
                self.metrics.dropped(Some(Kind::Frame), Dropped::ShedLook);
                self.tell(ToShard::LookScored { channel, seq, scores: Err(Unscored::Shed) }).await;
                return;
            }
            (job, reply) = back;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
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
        self.flush_identities().await;
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
