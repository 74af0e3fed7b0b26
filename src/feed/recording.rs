//! Recordings: the wire format as JSON Lines, plain or zstd-compressed (told by the content). Read as an iterator
//! for a replay, several of them merged by time, or played as a feed of the daemon.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{FeedEvent, FeedObserver, FeedReport, FromFeed, Sampler, ToFeed, kind_of};
use crate::event::{FeedItem, Keyer, Timestamp, decode};
use crate::telemetry::Clock;

/// The contract's `[limits] message`: a line beyond it is skipped.
const LINE_LIMIT: usize = 8 << 20;
/// How a zstd frame begins.
const ZSTD_MAGIC: [u8; 4] = zstd::zstd_safe::MAGICNUMBER.to_le_bytes();
/// Lines read ahead of the one that is played; a line may hold a picture, so they are few.
const AHEAD: usize = 8;
/// A played recording gives a cursor after so many lines, or after [`CURSOR_EVERY`].
const CURSOR_LINES: u64 = 256;
const CURSOR_EVERY: Duration = Duration::from_secs(1);

/// A recording to play as a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingOptions {
    pub path: PathBuf,
    /// 1.0 is real time, 10.0 ten times as fast; 0 (or what is no positive number) as fast as it is taken.
    pub speed: f64,
}

/// A recording cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot read this recording: {source}", path.display())]
pub struct RecordingError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// A line of a recording that is no event; the lines after it are read all the same, unless it is `unreadable`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {detail}", path.display())]
pub struct RecordingProblem {
    pub path: Arc<Path>,
    /// From 1.
    pub line: u64,
    /// The wire's type, or `unknown`.
    pub kind: &'static str,
    /// `malformed`, `unknown_type`, `too_large`, or `unreadable`: the file ends here for us.
    pub reason: &'static str,
    /// What is wrong, without the line's words.
    pub detail: String,
}

/// Opens a recording under the fixed user key `replay`, with lines of at most 8 MiB.
pub fn open(path: impl AsRef<Path>) -> Result<Reader, RecordingError> {
    open_with(path, Keyer::replay(), LINE_LIMIT)
}

/// Opens a recording; longer lines than `limit` bytes are skipped and told as `too_large`.
pub fn open_with(
    path: impl AsRef<Path>,
    keyer: Keyer,
    limit: usize,
) -> Result<Reader, RecordingError> {
    let path = path.as_ref();
    let source = source(path).map_err(|source| RecordingError { path: path.into(), source })?;
    Ok(Reader { path: path.into(), source, keyer, limit, line: 0, text: Vec::new(), ended: false })
}

fn source(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(128 << 10, File::open(path)?);
    if file.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        let plain = zstd::stream::read::Decoder::with_buffer(file)?;
        return Ok(Box::new(BufReader::with_capacity(128 << 10, plain)));
    }
    Ok(Box::new(file))
}

/// Reads a recording line by line; holds one line.
pub struct Reader {
    path: Arc<Path>,
    source: Box<dyn BufRead + Send>,
    keyer: Keyer,
    limit: usize,
    line: u64,
    text: Vec<u8>,
    ended: bool,
}

impl Reader {
    /// The number of the last line read, from 1; 0 before the first.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Passes over the first `lines` lines; fewer if the recording is shorter.
    pub fn skip_lines(&mut self, lines: u64) {
        while self.line < lines && !self.ended {
            self.ended = !matches!(self.read_line(), Ok(Some(_)));
        }
    }

    /// Reads the next line into `text` and gives its length, of which `text` holds no more than the limit; `None`
    /// at the end.
    fn read_line(&mut self) -> io::Result<Option<u64>> {
        self.text.clear();
        let mut length = 0;
        loop {
            let chunk = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                self.line += u64::from(length > 0);
                return Ok((length > 0).then_some(length));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = (self.limit + 1).saturating_sub(self.text.len());
            self.text.extend_from_slice(&part[..part.len().min(room)]);
            length += part.len() as u64;
            let used = part.len() + usize::from(end.is_some());
            self.source.consume(used);
            if end.is_some() {
                self.line += 1;
                return Ok(Some(length));
            }
        }
    }

    fn problem(
        &self,
        kind: &'static str,
        reason: &'static str,
        detail: String,
    ) -> RecordingProblem {
        RecordingProblem { path: self.path.clone(), line: self.line, kind, reason, detail }
    }
}

impl Iterator for Reader {
    type Item = Result<FeedItem, RecordingProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let length = match self.read_line() {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(error) => {
                    self.ended = true;
                    self.line += 1;
                    let detail = format!("the recording cannot be read further: {error}");
                    return Some(Err(self.problem("unknown", "unreadable", detail)));
                }
            };
            if length > self.limit as u64 {
                let detail = format!("{length} bytes, expected at most {}", self.limit);
                return Some(Err(self.problem("unknown", "too_large", detail)));
            }
            let Ok(text) = std::str::from_utf8(&self.text) else {
                return Some(Err(self.problem("unknown", "malformed", "not UTF-8".into())));
            };
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            return Some(decode(text, &self.keyer).map_err(|error| {
                self.problem(kind_of(text.as_bytes()), error.reason(), error.to_string())
            }));
        }
        self.ended = true;
        None
    }
}

/// Merges recordings by `at`; gives each item with the index of its recording. A recording keeps its own order: what
/// has no `at` of its own (a gap, a cursor, a problem), or an earlier one than what stands before it, comes right
/// after that. At equal times the first recording is first. Holds one item a recording.
pub fn merge<I>(recordings: impl IntoIterator<Item = I>) -> Merge<I>
where
    I: Iterator<Item = Result<FeedItem, RecordingProblem>>,
{
    let sources = recordings.into_iter().map(|items| {
        let mut source = Source { items, head: None, at: Timestamp(i64::MIN) };
        source.advance();
        source
    });
    Merge { sources: sources.collect() }
}

/// See [`merge`].
pub struct Merge<I> {
    sources: Vec<Source<I>>,
}

struct Source<I> {
    items: I,
    head: Option<Result<FeedItem, RecordingProblem>>,
    at: Timestamp,
}

impl<I: Iterator<Item = Result<FeedItem, RecordingProblem>>> Source<I> {
    fn advance(&mut self) {
        self.head = self.items.next();
        if let Some(Ok(FeedItem::Event(event))) = &self.head {
            self.at = self.at.max(event.at);
        }
    }
}

impl<I: Iterator<Item = Result<FeedItem, RecordingProblem>>> Iterator for Merge<I> {
    type Item = (usize, Result<FeedItem, RecordingProblem>);

    fn next(&mut self) -> Option<Self::Item> {
        let (index, source) = self
            .sources
            .iter_mut()
            .enumerate()
            .filter(|(_, source)| source.head.is_some())
            .min_by_key(|(_, source)| source.at)?;
        let item = source.head.take()?;
        source.advance();
        Some((index, item))
    }
}

/// Plays a recording as a feed, until its end, `stop`, or until nobody takes what it brings. Its cursors are its own
/// (`line:<n>`, the lines read so far): with one as `resume` it goes on after that line. Cursors that stand in the
/// recording are passed over.
#[allow(clippy::too_many_arguments)]
pub async fn run(
    feed: u16,
    options: RecordingOptions,
    resume: Option<Box<str>>,
    keyer: Keyer,
    out: mpsc::Sender<FromFeed>,
    mut control: mpsc::Receiver<ToFeed>,
    observer: Arc<dyn FeedObserver>,
    clock: Clock,
    stop: CancellationToken,
) {
    let from = resume.and_then(|cursor| cursor.strip_prefix("line:")?.parse().ok()).unwrap_or(0);
    let player = Player { feed, out, observer, clock };
    // A recording has nobody to ask for pictures; what is asked is taken and let go.
    let deaf = async {
        while control.recv().await.is_some() {}
        std::future::pending().await
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = deaf => {}
        _ = player.play(options, from, keyer) => {}
    }
}

/// Nobody takes the events.
struct Unheard;

struct Player {
    feed: u16,
    out: mpsc::Sender<FromFeed>,
    observer: Arc<dyn FeedObserver>,
    clock: Clock,
}

impl Player {
    async fn play(
        &self,
        options: RecordingOptions,
        from: u64,
        keyer: Keyer,
    ) -> Result<(), Unheard> {
        let (lines, mut ahead) = mpsc::channel(AHEAD);
        let path = options.path.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let mut reader = open_with(path, keyer, LINE_LIMIT)?;
            reader.skip_lines(from);
            Ok::<_, RecordingError>(reader)
        });
        let reader = match opened.await {
            Ok(Ok(reader)) => reader,
            Ok(Err(error)) => return self.fail(error.to_string()).await,
            Err(_) => return self.fail("the recording cannot be opened".into()).await,
        };
        tokio::task::spawn_blocking(move || {
            let mut reader = reader;
            while let Some(item) = reader.next() {
                if lines.blocking_send((reader.line(), item)).is_err() {
                    break;
                }
            }
        });
        self.observer.report(self.feed, FeedReport::Connected(true));
        self.tell(FeedEvent::Connected { resumed: true }).await?;
        let played = self.play_lines(&mut ahead, options.speed, from).await;
        self.observer.report(self.feed, FeedReport::Connected(false));
        if let Some(reason) = played? {
            return self.fail(reason).await;
        }
        self.tell(FeedEvent::Ended).await
    }

    /// Gives why the recording broke off, if it did.
    async fn play_lines(
        &self,
        ahead: &mut mpsc::Receiver<(u64, Result<FeedItem, RecordingProblem>)>,
        speed: f64,
        from: u64,
    ) -> Result<Option<String>, Unheard> {
        let mut pace = Pace { speed, begun: None };
        let mut sampler = Sampler::default();
        let (mut told, mut told_at, mut last) = (from, Instant::now(), from);
        while let Some((line, item)) = ahead.recv().await {
            match item {
                Ok(FeedItem::Cursor(_)) => {}
                Ok(item) => {
                    if let FeedItem::Event(event) = &item {
                        pace.wait(event.at).await;
                    }
                    self.tell(FeedEvent::Item(item)).await?;
                }
                Err(problem) if problem.reason == "unreadable" => {
                    return Ok(Some(problem.to_string()));
                }
                Err(problem) => {
                    let RecordingProblem { kind, reason, line, detail, .. } = problem;
                    self.observer.report(self.feed, FeedReport::Dropped { kind, reason });
                    if let Some(more) = sampler.admit() {
                        tracing::debug!(
                            feed = self.feed,
                            line,
                            kind,
                            reason,
                            detail,
                            more,
                            "skipped"
                        );
                    }
                }
            }
            last = line;
            if line - told >= CURSOR_LINES || told_at.elapsed() >= CURSOR_EVERY {
                self.cursor(line).await?;
                (told, told_at) = (line, Instant::now());
            }
        }
        if last > told {
            self.cursor(last).await?;
        }
        Ok(None)
    }

    async fn cursor(&self, line: u64) -> Result<(), Unheard> {
        self.tell(FeedEvent::Item(FeedItem::Cursor(format!("line:{line}").into()))).await
    }

    async fn fail(&self, reason: String) -> Result<(), Unheard> {
        self.tell(FeedEvent::Failing { reason }).await?;
        self.tell(FeedEvent::Ended).await
    }

    async fn tell(&self, what: FeedEvent) -> Result<(), Unheard> {
        let told = FromFeed { feed: self.feed, what, received: self.clock.now() };
        self.out.send(told).await.map_err(|_| Unheard)
    }
}

/// Holds each event until its time.
struct Pace {
    speed: f64,
    /// The first event's time, and when it was played.
    begun: Option<(Timestamp, Instant)>,
}

impl Pace {
    async fn wait(&mut self, at: Timestamp) {
        let (first, started) = *self.begun.get_or_insert_with(|| (at, Instant::now()));
        tokio::time::sleep_until(started + after(at.since(first), self.speed)).await;
    }
}

/// How long after the first event one that is `ms` younger is due.
fn after(ms: i64, speed: f64) -> Duration {
    if !(speed.is_finite() && speed > 0.0) {
        return Duration::ZERO;
    }
    // A hundred years is as good as never, and an `Instant` can hold it.
    let seconds = (ms.max(0) as f64 / 1000.0 / speed).min(3.2e9);
    Duration::from_secs_f64(seconds)
}
