//! The parts of the house that a simulation replaces: sockets of feeds, the models' threads, and the shard's thread,
//! which works while the runtime stands still, so that everything happens in one order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::mpsc;
use vigie::cli::commit::ToCommitter;
use vigie::cli::observe::FeedCounts;
use vigie::cli::shard::{Shard, ToShard};
use vigie::event::{ChannelId, FeedItem, Gap, Keyer, Unscored, decode};
use vigie::feed::{FeedEvent, FeedObserver, FeedReport, FromFeed, ToFeed};
use vigie::model::text::manner;
use vigie::model::{
    LookJob, Looked, Message, MessageScores, Reading, Rejected, Scored, Scoring, Standing, Ticket,
};
use vigie::telemetry::Clock;

use super::lots::Lots;
use super::plan::during;
use super::story::{Line, look_scores, message_scores};
use super::world::World;

/// A thread that does one thing after another while whoever asks waits for it.
pub struct Aside {
    work: Option<std_mpsc::Sender<Box<dyn FnOnce() + Send>>>,
    done: Mutex<std_mpsc::Receiver<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Aside {
    pub fn new(clock: Clock) -> Self {
        let (work, inbox) = std_mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, done) = std_mpsc::channel();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let thread = std::thread::spawn(move || {
            clock.holds_here();
            let _told = tracing::dispatcher::set_default(&dispatch);
            for work in inbox {
                work();
                if tell.send(()).is_err() {
                    break;
                }
            }
        });
        Self { work: Some(work), done: Mutex::new(done), thread: Some(thread) }
    }

    pub fn does(&self, work: impl FnOnce() + Send + 'static) {
        self.work.as_ref().expect("it lives").send(Box::new(work)).expect("it lives");
        self.done.lock().recv().expect("it did not panic");
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been told.
            let _ = thread.join();
        }
    }
}

/// The shard without its own thread.
pub async fn shard(
    shard: Arc<Mutex<Shard>>,
    mut inbox: mpsc::Receiver<ToShard>,
    committer: mpsc::Sender<ToCommitter>,
    aside: Arc<Aside>,
) {
    let begun = shard.clone();
    aside.does(move || begun.lock().begin());
    while let Some(message) = inbox.recv().await {
        if matches!(message, ToShard::Stop) {
            aside.does(move || while shard.lock().go_on() {});
            return;
        }
        // It must never wait for the committer, which stands still meanwhile.
        while committer.capacity() < committer.max_capacity() / 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let shard = shard.clone();
        let idle = inbox.is_empty();
        aside.does(move || {
            let mut shard = shard.lock();
            shard.take(message);
            // With nothing else to do a checkpoint goes on.
            while idle && shard.go_on() {}
        });
    }
}

enum Job {
    Message(Standing, ChannelId, Message, Box<dyn Scored<MessageScores>>),
    Look(LookJob, Box<dyn Scored<Looked>>),
}

/// Scores what it is given one by one, some time later; what there is no room for is shed or refused, as the real one
/// does.
pub struct Scorer {
    waiting: Arc<Mutex<Vec<Job>>>,
    wake: Arc<tokio::sync::Notify>,
    /// Jobs taken and not answered yet.
    busy: Arc<AtomicUsize>,
    room: usize,
}

impl Scorer {
    pub fn start(world: Arc<World>, aside: Arc<Aside>, shard: mpsc::Sender<ToShard>) -> Self {
        let (waiting, wake) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(tokio::sync::Notify::new()));
        let busy = Arc::new(AtomicUsize::new(0));
        let own = Self {
            waiting: waiting.clone(),
            wake: wake.clone(),
            busy: busy.clone(),
            room: world.plan.room,
        };
        let mut lots = Lots::of(world.plan.seed, &format!("scorer {}", world.now()));
        tokio::spawn(async move {
            loop {
                let job = {
                    let mut waiting: parking_lot::MutexGuard<Vec<Job>> = waiting.lock();
                    (!waiting.is_empty()).then(|| waiting.remove(0))
                };
                let Some(job) = job else {
                    wake.notified().await;
                    continue;
                };
                busy.store(1, Ordering::Relaxed);
                let wait = match world.plan.shape.flood {
                    0 => lots.within(0..world.plan.scoring),
                    _ => lots.within(0..20),
                };
                tokio::time::sleep(Duration::from_millis(wait as u64)).await;

                while shard.capacity() < 16 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                aside.does(move || match job {
                    Job::Message(_, _, message, reply) => reply.done(Ok(message_scores(&message))),
                    Job::Look(job, reply) => reply.done(Ok(look_scores(&job.pictures))),
                });
                busy.store(0, Ordering::Relaxed);
            }
        });
        own
    }

    /// Makes room by shedding what may be, what is less dear first: the oldest of the channel that has most of it
    /// waiting.
    fn make_room(waiting: &mut Vec<Job>) -> Option<Job> {
        let low = Self::shed(waiting, Standing::Low);
        low.or_else(|| Self::shed(waiting, Standing::High))
    }

    fn shed(waiting: &mut Vec<Job>, which: Standing) -> Option<Job> {
        let may_go = |job: &Job| match job {
            Job::Message(standing, channel, ..) if *standing == which => Some(channel.clone()),
            _ => None,
        };
        let mut counts: BTreeMap<ChannelId, usize> = BTreeMap::new();
        for channel in waiting.iter().filter_map(may_go) {
            *counts.entry(channel).or_default() += 1;
        }
        let (fullest, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        let place = waiting.iter().position(|job| may_go(job).as_ref() == Some(&fullest))?;
        Some(waiting.remove(place))
    }
}

/// Tells that something was shed, as an inference thread would.
fn tell_shed(job: Job) {
    let told = std::thread::spawn(move || match job {
        Job::Message(.., reply) => reply.done(Err(Unscored::Shed)),
        Job::Look(_, reply) => reply.done(Err(Unscored::Shed)),
    });
    told.join().expect("it does not panic");
}

impl Scoring for Scorer {
    fn read(&self, message: &Message) -> Reading {
        Reading { key: 1, alike: manner(&message.text).alike, scores: None }
    }

    fn offer_message(
        &self,
        ticket: &Ticket,
        message: Message,
        _key: u64,
        reply: Box<dyn Scored<MessageScores>>,
    ) -> Result<(), Rejected<(Message, Box<dyn Scored<MessageScores>>)>> {
        let mut waiting = self.waiting.lock();
        let (standing, channel) = (ticket.standing, ticket.channel.clone());
        waiting.push(Job::Message(standing, channel, message, reply));
        if waiting.len() > self.room {
            match Self::make_room(&mut waiting) {
                Some(shed) => tell_shed(shed),
                None => {
                    if let Some(Job::Message(.., message, reply)) = waiting.pop() {
                        return Err(Rejected((message, reply)));
                    }
                }
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    fn offer_look(
        &self,
        _ticket: &Ticket,
        job: LookJob,
        reply: Box<dyn Scored<Looked>>,
    ) -> Result<(), Rejected<(LookJob, Box<dyn Scored<Looked>>)>> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.room {
            return Err(Rejected((job, reply)));
        }
        waiting.push(Job::Look(job, reply));
        self.wake.notify_one();
        Ok(())
    }

    fn depth(&self) -> (usize, usize) {
        (self.waiting.lock().len(), self.busy.load(Ordering::Relaxed))
    }
}

/// What one feed was told of cursors, across the lives of the house.
#[derive(Default)]
pub struct Told {
    /// Lines that the gate was given in this life.
    pub given: u64,
    pub unreadable: u64,
}

/// A feed as the daemon knows it: a connection to a platform that tells its lines when their time comes, and from the
/// cursor on after a reconnect.
pub struct Feed {
    pub world: Arc<World>,
    pub place: u16,
    pub lines: Arc<Vec<Line>>,
    pub clock: Clock,
    pub observer: Arc<FeedCounts>,
    pub out: mpsc::Sender<FromFeed>,
    pub cursor: Arc<Mutex<Option<Box<str>>>>,
    pub told: Arc<Mutex<Told>>,
    pub stop: tokio_util::sync::CancellationToken,
}

impl Feed {
    /// Takes what the house says.
    pub async fn listen(
        world: Arc<World>,
        place: u16,
        cursor: Arc<Mutex<Option<Box<str>>>>,
        mut inbox: mpsc::Receiver<ToFeed>,
    ) {
        while let Some(told) = inbox.recv().await {
            if let ToFeed::Handled(value) = told {
                world.note(format_args!("handled {place} {value}"));
                let number = |text: &str| text.parse::<usize>().expect("a number");
                world.receivers.handled.lock().insert(place, number(&value));
                let store = world.receivers.store.lock().clone();
                if let Some(store) = store {
                    let saved = store.load_checkpoint().await.expect("it is never ill");
                    let mark = saved.feeds.iter().find(|mark| mark.feed == format!("feed{place}"));
                    let there = mark.and_then(|mark| mark.cursor.clone());
                    if there.as_deref().map_or(0, number) < number(&value) {
                        let what = format!("cursor {value} was told, and {there:?} is saved");
                        world.receivers.wrong.lock().push(what);
                    }
                }
                *cursor.lock() = Some(value);
            }
        }
    }

    /// Runs until it is to stop.
    pub async fn run(self) {
        let (stop, world) = (self.stop.clone(), self.world.clone());
        let place = self.place;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.connections() => {}
        }
        world.note(format_args!("feed {place} stops"));
    }

    async fn connections(&self) {
        let mut lots =
            Lots::of(self.world.plan.seed, &format!("feed {} {}", self.place, self.world.now()));
        loop {
            // A platform that has told no cursor yet has nothing to go on from.
            let may_fail = self.cursor.lock().is_some();
            let mut attempt = 1;
            while may_fail && self.is_lost() {
                attempt += 1;
                let reason = "no connection".to_owned();
                self.tell(FeedEvent::Disconnected { reason, attempt }).await;
                let wait = lots.within(500..4_000);
                self.sleep(wait).await;
            }
            let cursor = self.cursor.lock().clone();
            self.world.note(format_args!("feed {} connects at {cursor:?}", self.place));
            self.observer.report(self.place, FeedReport::Connected(true));
            // Asked for no cursor it tells all from the beginning, as a recording does: nothing is missing either way.
            self.tell(FeedEvent::Connected { resumed: true }).await;
            let from = cursor.map_or(0, |text| text.parse::<usize>().expect("a number"));
            let handled = self.world.receivers.handled.lock().get(&self.place).copied();
            if handled.is_some_and(|handled| from < handled) {
                let what =
                    format!("feed {} asks from {from}, and {handled:?} was handled", self.place);
                self.world.receivers.wrong.lock().push(what);
            }
            let from = match self.forgotten(from, &mut lots) {
                Some((first, gap)) => {
                    self.tell(FeedEvent::Item(FeedItem::Gap(gap))).await;
                    first
                }
                None => from.saturating_sub(self.world.plan.overlap),
            };
            self.play(from, &mut lots).await;
            self.observer.report(self.place, FeedReport::Connected(false));
            let reason = "planned".to_owned();
            self.tell(FeedEvent::Disconnected { reason, attempt: 1 }).await;
            let wait = lots.within(100..2_000);
            self.sleep(wait).await;
            self.observer.report(self.place, FeedReport::Reconnect);
        }
    }

    /// Where a platform goes on that has forgotten what follows the cursor, and the gap that it tells.
    fn forgotten(&self, from: usize, lots: &mut Lots) -> Option<(usize, Gap)> {
        let (plan, now) = (&self.world.plan, self.world.now());
        let mut platforms = self.world.platforms.lock();
        let platform = platforms.entry(self.place).or_default();
        let asked = plan.forgets[usize::from(self.place)] && from > 0;
        // The end is told to everybody.
        if asked && now < plan.shape.lasts && lots.permille(700) {
            let first = self.lines.iter().position(|line| line.told > now)?;
            platform.kept = platform.kept.max(first);
        }
        if from >= platform.kept {
            return None;
        }
        let begins = plan.shape.begins[usize::from(self.place)];
        let (told, first) = (self.lines[from].told, platform.kept);
        let (from_at, to) = (begins.plus_ms(told.min(now)), begins.plus_ms(now));
        platform.gaps.push((from, from_at, to));
        let text = json!({"type": "gap", "from": from_at, "to": to}).to_string();
        platform.told.push(Line { told: now, text });
        self.world.note(format_args!("feed {} has forgotten {from} to {first}", self.place));
        Some((first, Gap { channel: None, from: from_at, to }))
    }

    /// Tells the platform's lines from `from` on, until the connection is lost.
    async fn play(&self, from: usize, lots: &mut Lots) {
        let keyer = Keyer::replay();
        for (n, line) in self.lines.iter().enumerate().skip(from) {
            while self.world.now() < line.told {
                let wait = (line.told - self.world.now()).min(100);
                self.sleep(wait).await;
                if self.breaks() {
                    return;
                }
            }
            // What waits there comes fast, but not at once.
            if lots.permille(100) {
                self.sleep(1).await;
            }
            if self.breaks() {
                return;
            }
            {
                let mut platforms = self.world.platforms.lock();
                let platform = platforms.entry(self.place).or_default();
                if platform.lines.insert(n) {
                    platform.told.push(Line { told: self.world.now(), ..line.clone() });
                }
            }
            match decode(&line.text, &keyer) {
                Ok(item) => {
                    self.told.lock().given += u64::from(matches!(item, FeedItem::Event(_)));
                    self.tell(FeedEvent::Item(item)).await;
                }
                Err(_) => {
                    self.told.lock().unreadable += 1;
                    let report = FeedReport::Dropped { kind: "unknown", reason: "malformed" };
                    self.observer.report(self.place, report);
                }
            }
            if (n + 1) % self.world.plan.cursor_every == 0 || n + 1 == self.lines.len() {
                let cursor = FeedItem::Cursor((n + 1).to_string().into());
                self.tell(FeedEvent::Item(cursor)).await;
            }
        }
        loop {
            self.sleep(100).await;
            if self.breaks() {
                return;
            }
        }
    }

    fn is_lost(&self) -> bool {
        during(&self.world.plan.lost[usize::from(self.place)], self.world.now())
    }

    fn breaks(&self) -> bool {
        self.is_lost() && self.cursor.lock().is_some()
    }

    async fn tell(&self, what: FeedEvent) {
        let from = FromFeed { feed: self.place, what, received: self.clock.now() };
        // The gate outlives the feeds.
        let _ = self.out.send(from).await;
    }

    async fn sleep(&self, ms: i64) {
        tokio::time::sleep(Duration::from_millis(ms.max(1) as u64)).await;
    }
}
