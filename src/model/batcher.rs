//! The micro-batcher: one fair, bounded queue for messages and one for looks, in front of a few threads that each hold
//! their own sessions. A batch is taken when it is worth it (by cost) or its oldest entry has waited long enough;
//! entries that nobody waits for any more are skipped, and a text that was just scored is not scored again. Where there
//! are cores to spare, pictures are decoded by threads of their own, a few looks ahead; an inference thread that finds no
//! decoded look decodes one itself. A thread that prefers looks and one that prefers messages keep either kind from
//! waiting behind the other; a thread that is alone takes whatever has waited longer. What the queues shed is told by the
//! same threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};

use super::cache::{Reading, ScoreCache};
use super::manifest::{Manifest, ModelError, ModelKind};
use super::queue::{FairQueue, Pushed, Standing, TURN, Ticket};
use super::scorer::{Looked, Message, MessageScores, Prepared, Preparer, Scorer};
use super::tokenized::Tokenized;
use crate::event::{ChannelId, Scores, Unscored};

/// Most messages in a batch: the largest batch size of the graphs.
const MOST: usize = 64;
/// Batches of messages that a thread which is alone takes at most while a look waits.
const PASSED_OVER: u32 = 8;
/// Inference threads that one decoding thread keeps busy: decoding takes about a tenth of what the shipped picture model
/// takes (`vigie bench models`); four leaves room for larger pictures and smaller models.
const FED: usize = 4;
/// What a message costs beside its bytes: its row of the batch.
const ROW: usize = 32;

/// How the batcher runs.
#[derive(Clone, Copy, Debug)]
pub struct InferenceOptions {
    /// Threads, each with its own sessions; at least 1.
    pub threads: usize,
    /// Threads that decode pictures ahead; none: as many as cores are left, one for four inference threads at most.
    pub decoders: Option<usize>,
    /// Messages that may wait.
    pub messages: usize,
    /// Looks that may wait.
    pub looks: usize,
    /// How long the oldest message may wait for company.
    pub max_wait: Duration,
    /// Bytes of text at which a batch is full whatever its count.
    pub cost: usize,
    /// Most messages in a batch, up to 64.
    pub batch: usize,
    /// How long a message that may be shed waits for its score at most; none: for ever.
    pub shed_after: Option<Duration>,
    /// Scored texts that are remembered.
    pub cache: usize,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self {
            threads: 2,
            decoders: None,
            messages: 4096,
            looks: 64,
            max_wait: Duration::from_millis(2),
            cost: 16 * 1024,
            batch: MOST,
            shed_after: None,
            cache: 20_000,
        }
    }
}

/// What is told of each batch; for metrics.
pub trait Watcher: Send + Sync {
    /// `what` is `message` or `look`.
    fn batch(&self, _what: &'static str, _size: usize, _took: Duration) {}
    /// Messages whose scores were remembered, and messages that had to be scored.
    fn looked_up(&self, _hits: usize, _misses: usize) {}
    fn failed(&self, _error: &ModelError) {}
    fn bad_picture(&self, _error: &super::image::ImageError) {}
}

/// A watcher that looks away; for tools and tests.
impl Watcher for () {}

/// Takes the result; called on an inference thread, so it must not block for long.
pub trait Scored<T>: Send {
    /// False once nobody waits for the result.
    fn wanted(&self) -> bool {
        true
    }
    fn done(self: Box<Self>, result: Result<T, Unscored>);
}

impl<T: Send> Scored<T> for tokio::sync::oneshot::Sender<Result<T, Unscored>> {
    fn wanted(&self) -> bool {
        !self.is_closed()
    }
    fn done(self: Box<Self>, result: Result<T, Unscored>) {
        // The receiver may have gone meanwhile; then nobody wants it.
        let _ = self.send(result);
    }
}

/// The queue is full, or the batcher has stopped; the work comes back.
#[derive(Debug, PartialEq)]
pub struct Rejected<W>(pub W);

/// The pictures of one look, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct LookJob {
    pub pictures: Vec<Bytes>,
}

struct Job<W, T> {
    work: W,
    reply: Box<dyn Scored<T>>,
    /// Under which a message's scores are remembered; 0: they are not.
    key: u64,
}

type MessageJob = Job<Message, MessageScores>;

struct Look {
    work: LookJob,
    reply: Box<dyn Scored<Looked>>,
    since: Instant,
}

/// A look whose pictures are decoded.
struct Decoded {
    look: Prepared,
    pictures: usize,
    reply: Box<dyn Scored<Looked>>,
    since: Instant,
}

struct Queues {
    messages: FairQueue<MessageJob>,
    looks: FairQueue<Look>,
    /// Looks in the hands of decoding threads.
    decoding: usize,
    /// Decoded looks, in the order in which they were done; one more than there are inference threads at most.
    decoded: VecDeque<Decoded>,
    /// What had to make room and does not know it yet.
    shed: Shed,
    stopped: bool,
}

#[derive(Default)]
struct Shed {
    messages: Vec<MessageJob>,
    looks: Vec<Look>,
}

impl Shed {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.looks.is_empty()
    }

    fn tell(self) {
        self.messages.into_iter().for_each(|job| job.reply.done(Err(Unscored::Shed)));
        self.looks.into_iter().for_each(|job| job.reply.done(Err(Unscored::Shed)));
    }
}

struct Shared {
    queues: Mutex<Queues>,
    /// Work for an inference thread.
    ready: Condvar,
    /// A look for a decoding thread, or room for it.
    encoded: Condvar,
    cache: ScoreCache,
    options: InferenceOptions,
    watcher: Arc<dyn Watcher>,
}

/// See the module. Dropping it lets the threads finish what they hold and ends them.
pub struct Inference {
    shared: Arc<Shared>,
    /// Of all that waits as long as it takes and is nobody's.
    kept: Ticket,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread takes when a batch of messages and a look are both there.
#[derive(Clone, Copy)]
enum First {
    Messages,
    Looks,
    /// A thread that is alone: whatever has waited longer, so that a flood of one kind cannot starve the other.
    Oldest,
}

impl Queues {
    fn look_is_older(&self) -> bool {
        let look = self.decoded.front().map(|look| look.since).or_else(|| self.looks.oldest());
        match (look, self.messages.oldest()) {
            (Some(look), Some(message)) => look <= message,
            (look, _) => look.is_some(),
        }
    }

    fn take_encoded(&mut self) -> Option<Look> {
        let mut one = Vec::with_capacity(1);
        self.looks.fill(1, TURN as usize, &mut one);
        one.pop()
    }

    /// A decoded one, else one that is still to be decoded.
    fn take_look(&mut self, encoded: &Condvar) -> Option<Batch> {
        if let Some(look) = self.decoded.pop_front() {
            encoded.notify_one();
            return Some(Batch::Look(look));
        }
        self.take_encoded().map(Batch::Encoded)
    }

    fn has_look(&self) -> bool {
        self.decoded.len() + self.looks.len() > 0
    }

    fn is_empty(&self) -> bool {
        let looks = self.looks.len() + self.decoding + self.decoded.len();
        self.messages.len() == 0 && looks == 0
    }
}

enum Batch {
    Messages(Vec<MessageJob>),
    Look(Decoded),
    Encoded(Look),
    Shed(Shed),
}

impl Inference {
    /// Opens the models once a thread and starts. Errors: those of the models.
    pub fn start(
        manifest: &Manifest,
        options: InferenceOptions,
        watcher: Arc<dyn Watcher>,
    ) -> Result<Self, ModelError> {
        let count = options.threads.max(1);
        let options = InferenceOptions { batch: options.batch.clamp(1, MOST), ..options };
        let scorers = (0..count).map(|_| Scorer::open(manifest)).collect::<Result<Vec<_>, _>>()?;
        let queues = Queues {
            messages: FairQueue::new(options.messages, options.shed_after, false),
            looks: FairQueue::new(options.looks, None, true),
            decoding: 0,
            decoded: VecDeque::with_capacity(count + 1),
            shed: Shed::default(),
            stopped: false,
        };
        let shared = Arc::new(Shared {
            queues: Mutex::new(queues),
            ready: Condvar::new(),
            encoded: Condvar::new(),
            cache: ScoreCache::new(
                options.cache,
                manifest.of_kind(ModelKind::Text).any(Tokenized::reads),
            ),
            options,
            watcher,
        });
        let mut threads = Vec::with_capacity(count);
        for (place, scorer) in scorers.into_iter().enumerate() {
            let shared = shared.clone();
            let first = match (count, place % 2) {
                (1, _) => First::Oldest,
                (_, 1) => First::Looks,
                _ => First::Messages,
            };
            threads
                .push(spawn(format!("inference-{place}"), move || work(&shared, scorer, first))?);
        }
        let decoders = options.decoders.unwrap_or_else(|| {
            let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
            count.div_ceil(FED).min(cores.saturating_sub(count))
        });
        for place in 0..decoders {
            let (shared, preparer) = (shared.clone(), Preparer::new(manifest));
            let run = move || decode(&shared, preparer, count + 1);
            threads.push(spawn(format!("decode-{place}"), run)?);
        }
        let kept =
            Ticket { channel: ChannelId::new("-"), author: 0, alike: 0, standing: Standing::Kept };
        Ok(Self { shared, kept, threads })
    }

    /// Queues a message that waits for its score as long as it takes; gives it back with its reply if there is no room.
    pub fn message(
        &self,
        message: Message,
        reply: Box<dyn Scored<MessageScores>>,
    ) -> Result<(), Rejected<(Message, Box<dyn Scored<MessageScores>>)>> {
        self.offer_message(&self.kept, message, 0, reply)
    }

    /// Queues a look that waits as long as it takes; gives it back with its reply if there is no room.
    pub fn look(
        &self,
        job: LookJob,
        reply: Box<dyn Scored<Looked>>,
    ) -> Result<(), Rejected<(LookJob, Box<dyn Scored<Looked>>)>> {
        self.offer_look(&self.kept, job, reply)
    }
}

/// Who scores what the gate lets in: [`Inference`], but in simulations.
pub trait Scoring: Send + Sync {
    /// What is known of a message before it is scored: its scores, if its text was scored lately under the same
    /// setting, paid or not.
    fn read(&self, message: &Message) -> Reading;
    /// Queues a message whose scores are remembered under `key` (0: they are not). Where there is no room, what is
    /// least worth is shed for it, itself perhaps; it is given back with its reply only if nothing that waits may be
    /// shed and neither may it.
    fn offer_message(
        &self,
        ticket: &Ticket,
        message: Message,
        key: u64,
        reply: Box<dyn Scored<MessageScores>>,
    ) -> Result<(), Rejected<(Message, Box<dyn Scored<MessageScores>>)>>;
    /// Queues a look; as [`Scoring::offer_message`].
    fn offer_look(
        &self,
        ticket: &Ticket,
        job: LookJob,
        reply: Box<dyn Scored<Looked>>,
    ) -> Result<(), Rejected<(LookJob, Box<dyn Scored<Looked>>)>>;
    /// Messages and looks that wait now.
    fn depth(&self) -> (usize, usize);
}

impl Scoring for Inference {
    fn read(&self, message: &Message) -> Reading {
        let reading = self.shared.cache.read(message);
        if reading.scores.is_some() {
            self.shared.watcher.looked_up(1, 0);
        }
        reading
    }

    fn offer_message(
        &self,
        ticket: &Ticket,
        message: Message,
        key: u64,
        reply: Box<dyn Scored<MessageScores>>,
    ) -> Result<(), Rejected<(Message, Box<dyn Scored<MessageScores>>)>> {
        let cost = (message.text.len() + ROW).min(self.shared.options.cost) as u32;
        let job = Job { work: message, reply, key };
        let mut queues = self.shared.queues.lock();
        if queues.stopped {
            return Err(Rejected((job.work, job.reply)));
        }
        let before = queues.messages.cost();
        match queues.messages.push(ticket, cost, job, Instant::now()) {
            Pushed::In => {}
            Pushed::Shed(job) => queues.shed.messages.push(job),
            Pushed::Full(job) => return Err(Rejected((job.work, job.reply))),
        }
        // Threads are woken for the first, which one of them then times, and for each batch that is worth taking.
        let full = self.shared.options.cost;
        let waiting = queues.messages.len();
        let woken = waiting == 1
            || waiting.is_multiple_of(self.shared.options.batch)
            || before / full != queues.messages.cost() / full
            || queues.shed.messages.len() == 1;
        drop(queues);
        if woken {
            self.shared.ready.notify_one();
        }
        Ok(())
    }

    fn offer_look(
        &self,
        ticket: &Ticket,
        job: LookJob,
        reply: Box<dyn Scored<Looked>>,
    ) -> Result<(), Rejected<(LookJob, Box<dyn Scored<Looked>>)>> {
        let now = Instant::now();
        let job = Look { work: job, reply, since: now };
        let mut queues = self.shared.queues.lock();
        if queues.stopped {
            return Err(Rejected((job.work, job.reply)));
        }
        match queues.looks.push(ticket, TURN, job, now) {
            Pushed::In => {}
            Pushed::Shed(job) => queues.shed.looks.push(job),
            Pushed::Full(job) => return Err(Rejected((job.work, job.reply))),
        }
        drop(queues);
        self.shared.encoded.notify_one();
        self.shared.ready.notify_all();
        Ok(())
    }

    fn depth(&self) -> (usize, usize) {
        let queues = self.shared.queues.lock();
        (queues.messages.len(), queues.looks.len() + queues.decoding + queues.decoded.len())
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        self.shared.queues.lock().stopped = true;
        self.shared.ready.notify_all();
        self.shared.encoded.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already; there is nothing more to save.
            let _ = thread.join();
        }
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ModelError> {
    let spawned = std::thread::Builder::new().name(name).spawn(run);
    spawned.map_err(|e| ModelError::Run { model: "all".into(), what: e.to_string() })
}

/// Decodes looks, `ahead` of inference at most.
fn decode(shared: &Shared, mut preparer: Preparer, ahead: usize) {
    let mut queues = shared.queues.lock();
    loop {
        let room = queues.decoded.len() + queues.decoding < ahead;
        let Some(look) = room.then(|| queues.take_encoded()).flatten() else {
            if queues.stopped && queues.looks.len() == 0 {
                return;
            }
            shared.encoded.wait(&mut queues);
            continue;
        };
        queues.decoding += 1;
        drop(queues);
        let done = prepare(shared, &mut preparer, look);
        queues = shared.queues.lock();
        queues.decoding -= 1;
        // Told before any thread can answer the look.
        let problems = done.iter().flat_map(|done| done.look.problems());
        problems.for_each(|problem| shared.watcher.bad_picture(problem));
        queues.decoded.extend(done);
        shared.ready.notify_all();
    }
}

/// `None` where nobody waits for it, or where the decoder panicked over a picture: that costs its look, not the thread.
fn prepare(shared: &Shared, preparer: &mut Preparer, look: Look) -> Option<Decoded> {
    let Look { work, reply, since } = look;
    if !reply.wanted() {
        return None;
    }
    let pictures = work.pictures.len();
    match catch_unwind(AssertUnwindSafe(|| preparer.prepare(&work.pictures))) {
        Ok(look) => Some(Decoded { look, pictures, reply, since }),
        Err(_) => {
            let what = "a picture made the decoder panic".into();
            shared.watcher.failed(&ModelError::Run { model: "pictures".into(), what });
            reply.done(Err(Unscored::NoModel));
            None
        }
    }
}

fn work(shared: &Shared, mut scorer: Scorer, first: First) {
    // Batches of messages taken in a row while a look waited.
    let mut passed_over = 0;
    while let Some(batch) = next(shared, first, &mut passed_over) {
        match batch {
            Batch::Messages(jobs) => messages(shared, &mut scorer, jobs),
            Batch::Look(job) => look(shared, &mut scorer, job),
            Batch::Encoded(job) => {
                let Some(job) = prepare(shared, scorer.preparer(), job) else { continue };
                let problems = job.look.problems();
                problems.iter().for_each(|problem| shared.watcher.bad_picture(problem));
                look(shared, &mut scorer, job);
            }
            Batch::Shed(shed) => shed.tell(),
        }
    }
}

/// Scores what nobody has scored meanwhile, each text once.
fn messages(shared: &Shared, scorer: &mut Scorer, mut jobs: Vec<MessageJob>) {
    jobs.retain(|job| job.reply.wanted());
    let mut known = shared.cache.known(jobs.iter().map(|job| job.key));
    let mut first: HashMap<u64, usize> = HashMap::new();
    let mut texts: Vec<Message> = Vec::with_capacity(jobs.len());
    // Which of the texts each job is answered by, of those that are not known.
    let mut places = Vec::with_capacity(jobs.len());
    for (job, known) in jobs.iter_mut().zip(&known) {
        let mut own = || {
            texts.push(take(&mut job.work));
            texts.len() - 1
        };
        places.push(match (known, job.key) {
            (Some(_), _) => usize::MAX,
            (None, 0) => own(),
            (None, key) => *first.entry(key).or_insert_with(own),
        });
    }
    let keyed = jobs.iter().filter(|job| job.key != 0).count();
    shared.watcher.looked_up(keyed - first.len(), first.len());
    if !texts.is_empty() {
        let began = Instant::now();
        let result = scorer.messages(&texts);
        shared.watcher.batch("message", texts.len(), began.elapsed());
        match result {
            Ok(scores) => {
                let failure = scorer.failure();
                // Of what every model failed on there are no scores.
                let told = |place: usize| {
                    let own = scores.get(place).copied();
                    own.filter(|own| failure.is_none() || own.own != Scores::default())
                };
                let fresh = first.iter().filter_map(|(key, place)| Some((*key, told(*place)?)));
                shared.cache.learn(fresh);
                for (known, place) in known.iter_mut().zip(&places) {
                    *known = known.or_else(|| told(*place));
                }
                failure.iter().for_each(|error| shared.watcher.failed(error));
            }
            Err(error) => shared.watcher.failed(&error),
        }
    }
    for (job, scores) in jobs.into_iter().zip(known) {
        job.reply.done(scores.ok_or(Unscored::NoModel));
    }
}

fn look(shared: &Shared, scorer: &mut Scorer, job: Decoded) {
    if !job.reply.wanted() {
        return;
    }
    let began = Instant::now();
    let result = scorer.prepared(job.look);
    shared.watcher.batch("look", job.pictures, began.elapsed());
    let failure = scorer.failure();
    result.as_ref().err().or(failure.as_ref()).into_iter().for_each(|e| shared.watcher.failed(e));
    job.reply.done(result.map_err(|_| Unscored::NoModel));
}

fn take(message: &mut Message) -> Message {
    let text = std::mem::take(&mut message.text);
    Message { text, paid: message.paid, setting: message.setting }
}

/// Waits for work; `None` once stopped and empty.
fn next(shared: &Shared, first: First, passed_over: &mut u32) -> Option<Batch> {
    let mut queues = shared.queues.lock();
    loop {
        let Queues { messages, shed, .. } = &mut *queues;
        messages.expire(Instant::now(), &mut shed.messages);
        if !shed.is_empty() {
            return Some(Batch::Shed(std::mem::take(shed)));
        }
        let worth = messages_worth(&queues, &shared.options);
        let look_first = worth.is_some_and(|wait| wait > Duration::ZERO)
            || match first {
                First::Messages => false,
                First::Looks => true,
                First::Oldest => queues.look_is_older() || *passed_over >= PASSED_OVER,
            };
        if look_first && let Some(batch) = queues.take_look(&shared.encoded) {
            *passed_over = 0;
            return Some(batch);
        }
        match worth {
            Some(Duration::ZERO) => {
                let most = shared.options.batch;
                let mut batch = Vec::with_capacity(most);
                queues.messages.fill(most, shared.options.cost, &mut batch);
                *passed_over = if queues.has_look() { *passed_over + 1 } else { 0 };
                if queues.messages.len() > 0 {
                    // Somebody must time what is left.
                    shared.ready.notify_one();
                }
                return Some(Batch::Messages(batch));
            }
            Some(wait) => {
                shared.ready.wait_for(&mut queues, wait);
                continue;
            }
            None => {}
        }
        if let Some(batch) = queues.take_look(&shared.encoded) {
            return Some(batch);
        }
        if queues.stopped && queues.is_empty() {
            return None;
        }
        shared.ready.wait(&mut queues);
    }
}

/// How long a batch of messages should still wait for company; zero: take it now; none: there is none.
fn messages_worth(queues: &Queues, options: &InferenceOptions) -> Option<Duration> {
    let oldest = queues.messages.oldest()?;
    let full = queues.messages.len() >= options.batch || queues.messages.cost() >= options.cost;
    if queues.stopped || full {
        return Some(Duration::ZERO);
    }
    Some(options.max_wait.saturating_sub(oldest.elapsed()))
}
