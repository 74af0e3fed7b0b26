//! `vigie record`: a live feed saved as a recording, JSON Lines of the wire format, compressed where the file's name
//! ends in `.zst`. It holds people's ids, names and words, so only its owner may read it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::args::RecordArgs;
use super::daemon::wait_for_signal;
use super::feed::{Tap, counted, named};
use super::{CliError, setup, tell};
use crate::event::{Body, Event, FeedItem, Kind, Timestamp};
use crate::feed::{Dedupe, FeedEvent, FeedReport, FromFeed};

/// What was written is on the disk after so long.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Compression of `.zst`: quick, for a machine that also watches.
const ZSTD_LEVEL: i32 = 3;

/// Until Ctrl-C, the feed's end, or as much as is asked for. Exit 1 if nothing came.
pub async fn run(args: &RecordArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let feed = named(&config, &args.feed)?;
    let mut tap = Tap::open(&config, feed)?;
    let mut recorder = Recorder::create(&args.output, args.force)?;
    let seconds = args.seconds.map_or(Duration::MAX, Duration::from_secs);
    let mut deadline = std::pin::pin!(tokio::time::sleep(seconds));
    let mut signal = std::pin::pin!(wait_for_signal());
    let mut beat = tokio::time::interval(FLUSH_EVERY);
    let outcome = loop {
        if args.events.is_some_and(|events| recorder.events >= events) {
            break Ok(());
        }
        let taken = tokio::select! {
            () = &mut signal => break Ok(()),
            () = &mut deadline => break Ok(()),
            _ = beat.tick() => recorder.out.flush(),
            from = tap.next() => match from {
                Some(from) => recorder.take(from, &tap),
                None => break Ok(()),
            },
        };
        if let Err(error) = taken {
            break Err(error);
        }
    };
    let skipped = tap.heard().skipped;
    tap.close().await;
    recorder.bar.finish_and_clear();
    let (path, events) = (args.output.display(), recorder.events);
    // What is there is a whole recording, also after a full disk.
    outcome.and(recorder.out.finish()).map_err(|error| {
        CliError::Runtime(format!("{path}: {error}; {events} events were recorded before"))
    })?;
    if events == 0 {
        // An empty file would only look like a recording.
        let _ = std::fs::remove_file(&args.output);
        return Err(CliError::Runtime(format!(
            "nothing came from {}, no file was kept",
            feed.name
        )));
    }
    let kinds = Kind::ALL.iter().map(|kind| kind.name()).zip(recorder.kinds);
    tell(format_args!(
        "{path}: {events} events of {} channels ({}), {} to {}",
        recorder.channels.len(),
        counted(kinds.filter(|(_, count)| *count > 0)),
        recorder.first.map(|at| at.to_string()).unwrap_or_default(),
        recorder.last.map(|at| at.to_string()).unwrap_or_default(),
    ));
    if recorder.repeats > 0 || !skipped.is_empty() {
        let skipped = counted(skipped.iter().map(|(reason, count)| (*reason, *count)));
        tell(format_args!("left out: {} repeats {skipped}", recorder.repeats));
    }
    tell(format_args!("replay it: vigie replay {path} -c {}", args.config.config.display()));
    Ok(())
}

struct Recorder {
    out: Out,
    dedupe: Dedupe,
    bar: ProgressBar,
    begun: Instant,
    events: u64,
    repeats: u64,
    kinds: [u64; Kind::ALL.len()],
    channels: BTreeSet<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Recorder {
    fn create(path: &Path, force: bool) -> Result<Self, CliError> {
        let out = Out::create(path, force).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CliError::Usage(format!(
                "{} exists; give another name, or --force to replace it",
                path.display()
            )),
            _ => CliError::Runtime(format!("{}: {error}", path.display())),
        })?;
        let bar = ProgressBar::new_spinner();
        // The template is a constant of ours.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message("connecting");
        Ok(Self {
            out,
            dedupe: Dedupe::new(),
            bar,
            begun: Instant::now(),
            events: 0,
            repeats: 0,
            kinds: [0; Kind::ALL.len()],
            channels: BTreeSet::new(),
            first: None,
            last: None,
        })
    }

    fn take(&mut self, from: FromFeed, tap: &Tap) -> io::Result<()> {
        match from.what {
            FeedEvent::Item(FeedItem::Event(event)) => {
                if !self.dedupe.admit(0, &event) {
                    self.repeats += 1;
                    return Ok(());
                }
                tap.report(FeedReport::admitted(&event, from.received));
                self.count(&event);
                self.out.line(&wire(&event))
            }
            FeedEvent::Item(FeedItem::Gap(gap)) => {
                let mut line = json!({ "type": "gap", "from": gap.from, "to": gap.to });
                if let Some(channel) = gap.channel {
                    line["channel"] = channel.as_str().into();
                }
                self.kinds[Kind::Gap as usize] += 1;
                self.out.line(&line)
            }
            // A recording has its own places; the server's is only for a reconnect.
            FeedEvent::Item(FeedItem::Cursor(cursor)) => {
                self.dedupe.cursor(0, &cursor);
                self.dedupe.saved(0, &cursor);
                tap.handled(cursor);
                Ok(())
            }
            FeedEvent::Disconnected { reason, .. } | FeedEvent::Failing { reason } => {
                self.bar
                    .suspend(|| tell(format_args!("not connected: {reason}; it is tried again")));
                Ok(())
            }
            FeedEvent::Connected { .. } => {
                self.bar.suspend(|| tell("connected; Ctrl-C ends the recording"));
                Ok(())
            }
            FeedEvent::Recovered | FeedEvent::Ended => Ok(()),
        }
    }

    fn count(&mut self, event: &Event) {
        self.events += 1;
        self.kinds[event.kind() as usize] += 1;
        self.first = Some(self.first.map_or(event.at, |first| first.min(event.at)));
        self.last = self.last.max(Some(event.at));
        if !self.channels.contains(event.channel.as_str()) {
            self.channels.insert(event.channel.as_str().to_owned());
        }
        if !self.bar.is_hidden() {
            self.bar.set_message(format!(
                "{} events of {} channels in {} s, newest {}",
                self.events,
                self.channels.len(),
                self.begun.elapsed().as_secs(),
                event.at
            ));
        }
    }
}

/// The event as its feed told it: the person's id and name, the picture's bytes.
fn wire(event: &Event) -> Value {
    let mut line = event.to_wire();
    if let Some(user) = &event.user {
        line["user"] = match &user.name {
            Some(name) => json!({ "id": user.id, "name": name }),
            None => json!({ "id": user.id }),
        };
    }
    if let (Body::Frame(frame), Some(fields)) = (&event.body, line.as_object_mut()) {
        fields.remove("digest");
        fields.insert("data".into(), STANDARD.encode(&frame.data).into());
    }
    line
}

/// Where the lines go.
enum Out {
    Plain(BufWriter<File>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl Out {
    fn create(path: &Path, force: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        if force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let file = BufWriter::new(options.open(path)?);
        if path.extension().is_some_and(|end| end == "zst") {
            return Ok(Out::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?));
        }
        Ok(Out::Plain(file))
    }

    fn line(&mut self, line: &Value) -> io::Result<()> {
        match self {
            Out::Plain(out) => writeln!(out, "{line}"),
            Out::Zstd(out) => writeln!(out, "{line}"),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(out) => out.flush(),
            Out::Zstd(out) => out.flush(),
        }
    }

    /// Ends the file; it is on the disk when this returns.
    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Out::Plain(out) => out,
            Out::Zstd(out) => out.finish()?,
        };
        file.flush()?;
        file.get_ref().sync_all()
    }
}
