//! The micro-batcher: one bounded queue for messages and one for looks, in front of a few threads that each hold
//! their own sessions. A batch is taken when it is worth it (by cost) or its oldest entry has waited long enough;
//! entries that nobody waits for any more are skipped. A thread that prefers looks and one that prefers messages
//! keep either kind from waiting behind the other; a thread that is alone takes whatever has waited longer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::manifest::{Manifest, ModelError};
use super::scorer::{Looked, Message, MessageScores, Scorer};
use crate::event::Unscored;

/// Most messages in a batch: the largest batch size of the graphs.
const MOST: usize = 64;

/// How the batcher runs.
#[derive(Clone, Copy, Debug)]
pub struct InferenceOptions {
    /// Threads, each with its own sessions; at least 1.
    pub threads: usize,
    /// Messages that may wait.
    pub messages: usize,
    /// Looks that may wait.
    pub looks: usize,
    /// How long the oldest message may wait for company.
    pub max_wait: Duration,
    /// Bytes of text at which a batch is full whatever its count.
    pub cost: usize,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self {
            threads: 2,
            messages: 4096,
            looks: 64,
            max_wait: Duration::from_millis(2),
            cost: 16 * 1024,
        }
    }
}

/// What is told of each batch; for metrics.
pub trait Watcher: Send + Sync {
    /// `what` is `message` or `look`.
    fn batch(&self, _what: &'static str, _size: usize, _took: Duration) {}
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

struct Entry<W, T> {
    work: W,
    reply: Box<dyn Scored<T>>,
    since: Instant,
}

#[derive(Default)]
struct Queues {
    messages: VecDeque<Entry<Message, MessageScores>>,
    looks: VecDeque<Entry<LookJob, Looked>>,
    stopped: bool,
}

struct Shared {
    queues: Mutex<Queues>,
    ready: Condvar,
    options: InferenceOptions,
    watcher: Arc<dyn Watcher>,
}

/// See the module. Dropping it lets the threads finish what they hold and ends them.
pub struct Inference {
    shared: Arc<Shared>,
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
        match (self.looks.front(), self.messages.front()) {
            (Some(look), Some(message)) => look.since <= message.since,
            (look, _) => look.is_some(),
        }
    }
}

enum Batch {
    Messages(Vec<Entry<Message, MessageScores>>),
    Look(Entry<LookJob, Looked>),
}

impl Inference {
    /// Opens the models once a thread and starts. Errors: those of the models.
    pub fn start(
        manifest: &Manifest,
        options: InferenceOptions,
        watcher: Arc<dyn Watcher>,
    ) -> Result<Self, ModelError> {
        let count = options.threads.max(1);
        let scorers = (0..count).map(|_| Scorer::open(manifest)).collect::<Result<Vec<_>, _>>()?;
        let shared =
            Arc::new(Shared { queues: Mutex::default(), ready: Condvar::new(), options, watcher });
        let mut threads = Vec::with_capacity(count);
        for (place, scorer) in scorers.into_iter().enumerate() {
            let shared = shared.clone();
            let first = match (count, place % 2) {
                (1, _) => First::Oldest,
                (_, 1) => First::Looks,
                _ => First::Messages,
            };
            let thread = std::thread::Builder::new()
                .name(format!("inference-{place}"))
                .spawn(move || work(&shared, scorer, first))
                .map_err(|e| ModelError::Run { model: "all".into(), what: e.to_string() })?;
            threads.push(thread);
        }
        Ok(Self { shared, threads })
    }

    /// Queues a message; gives it back with its reply if the queue is full.
    pub fn message(
        &self,
        message: Message,
        reply: Box<dyn Scored<MessageScores>>,
    ) -> Result<(), Rejected<(Message, Box<dyn Scored<MessageScores>>)>> {
        let mut queues = self.shared.queues.lock();
        if queues.stopped || queues.messages.len() >= self.shared.options.messages {
            return Err(Rejected((message, reply)));
        }
        queues.messages.push_back(Entry { work: message, reply, since: Instant::now() });
        drop(queues);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// Queues a look; gives it back with its reply if the queue is full.
    pub fn look(
        &self,
        job: LookJob,
        reply: Box<dyn Scored<Looked>>,
    ) -> Result<(), Rejected<(LookJob, Box<dyn Scored<Looked>>)>> {
        let mut queues = self.shared.queues.lock();
        if queues.stopped || queues.looks.len() >= self.shared.options.looks {
            return Err(Rejected((job, reply)));
        }
        queues.looks.push_back(Entry { work: job, reply, since: Instant::now() });
        drop(queues);
        self.shared.ready.notify_all();
        Ok(())
    }

    /// Messages and looks that wait now.
    pub fn depth(&self) -> (usize, usize) {
        let queues = self.shared.queues.lock();
        (queues.messages.len(), queues.looks.len())
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        self.shared.queues.lock().stopped = true;
        self.shared.ready.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already; there is nothing more to save.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, mut scorer: Scorer, first: First) {
    while let Some(batch) = next(shared, first) {
        let began = Instant::now();
        match batch {
            Batch::Messages(mut entries) => {
                entries.retain(|entry| entry.reply.wanted());
                if entries.is_empty() {
                    continue;
                }
                let messages: Vec<Message> =
                    entries.iter_mut().map(|e| take(&mut e.work)).collect();
                let result = scorer.messages(&messages);
                shared.watcher.batch("message", messages.len(), began.elapsed());
                match result {
                    Ok(scores) => {
                        for (entry, scores) in entries.into_iter().zip(scores) {
                            entry.reply.done(Ok(scores));
                        }
                    }
                    Err(error) => {
                        shared.watcher.failed(&error);
                        entries.into_iter().for_each(|e| e.reply.done(Err(Unscored::NoModel)));
                    }
                }
            }
            Batch::Look(entry) => {
                if !entry.reply.wanted() {
                    continue;
                }
                let result = scorer.look(&entry.work.pictures);
                shared.watcher.batch("look", entry.work.pictures.len(), began.elapsed());
                match result {
                    Ok(looked) => {
                        looked.problems.iter().for_each(|p| shared.watcher.bad_picture(p));
                        entry.reply.done(Ok(looked));
                    }
                    Err(error) => {
                        shared.watcher.failed(&error);
                        entry.reply.done(Err(Unscored::NoModel));
                    }
                }
            }
        }
    }
}

fn take(message: &mut Message) -> Message {
    let text = std::mem::take(&mut message.text);
    Message { text, paid: message.paid, setting: message.setting }
}

/// Waits for work; `None` once stopped and empty.
fn next(shared: &Shared, first: First) -> Option<Batch> {
    let mut queues = shared.queues.lock();
    loop {
        let worth = messages_worth(&queues, &shared.options);
        let look_first = worth.is_some_and(|wait| wait > Duration::ZERO)
            || match first {
                First::Messages => false,
                First::Looks => true,
                First::Oldest => queues.look_is_older(),
            };
        if look_first && let Some(look) = queues.looks.pop_front() {
            return Some(Batch::Look(look));
        }
        match worth {
            Some(Duration::ZERO) => {
                return Some(Batch::Messages(fill(&mut queues, &shared.options)));
            }
            Some(wait) => {
                shared.ready.wait_for(&mut queues, wait);
                continue;
            }
            None => {}
        }
        if let Some(look) = queues.looks.pop_front() {
            return Some(Batch::Look(look));
        }
        if queues.stopped {
            return None;
        }
        shared.ready.wait(&mut queues);
    }
}

/// How long a batch of messages should still wait for company; zero: take it now; none: there is none.
fn messages_worth(queues: &Queues, options: &InferenceOptions) -> Option<Duration> {
    let oldest = queues.messages.front()?;
    let cost: usize = queues.messages.iter().take(MOST).map(|e| e.work.text.len()).sum();
    if queues.stopped || queues.messages.len() >= MOST || cost >= options.cost {
        return Some(Duration::ZERO);
    }
    Some(options.max_wait.saturating_sub(oldest.since.elapsed()))
}

fn fill(queues: &mut Queues, options: &InferenceOptions) -> Vec<Entry<Message, MessageScores>> {
    let (mut count, mut cost) = (0, 0);
    for entry in queues.messages.iter().take(MOST) {
        cost += entry.work.text.len();
        count += 1;
        if cost >= options.cost {
            break;
        }
    }
    queues.messages.drain(..count).collect()
}
