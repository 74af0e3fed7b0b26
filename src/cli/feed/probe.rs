//! `vigie feed test NAME`: connects, shows the first events in words, then says what came and what is missing.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::args::FeedTestArgs;
use super::super::daemon::wait_for_signal;
use super::super::{CliError, say, setup};
use super::{Tap, counted, missing, named};
use crate::config::{Clock, Feed};
use crate::event::{Body, Event, FeedItem, Kind};
use crate::feed::{FeedEvent, FeedReport, FromFeed};

/// Events that are shown as they come; after them only the first of each kind.
const SHOWN: u64 = 20;
/// Characters of a text that are shown.
const WIDTH: usize = 72;
/// A live event that is older when it comes is no longer news, in milliseconds.
const OLD_MS: i64 = 60_000;

/// Exit 1 if it never connected or brought no event.
pub async fn run(args: &FeedTestArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let feed = named(&config, &args.name)?;
    let mut probe = Probe::new(feed, Tap::open(&config, feed)?);
    say(format_args!(
        "{}: connecting to {}",
        feed.name,
        super::of(feed, "", &probe.tap.heard()).from
    ))?;
    let mut deadline = std::pin::pin!(tokio::time::sleep(Duration::from_secs(args.seconds)));
    let mut signal = std::pin::pin!(wait_for_signal());
    while probe.events < args.events {
        tokio::select! {
            () = &mut signal => break,
            () = &mut deadline => break,
            from = probe.tap.next() => match from {
                Some(from) => probe.take(from)?,
                None => break,
            },
        }
    }
    probe.end().await
}

struct Probe<'a> {
    feed: &'a Feed,
    tap: Tap,
    begun: Instant,
    connected: bool,
    events: u64,
    kinds: HashSet<Kind>,
    channels: HashSet<String>,
    /// Least and greatest time from an event's own time to its arrival, milliseconds.
    lag: Option<(i64, i64)>,
    no_jpeg: u64,
}

impl<'a> Probe<'a> {
    fn new(feed: &'a Feed, tap: Tap) -> Self {
        Self {
            feed,
            tap,
            begun: Instant::now(),
            connected: false,
            events: 0,
            kinds: HashSet::new(),
            channels: HashSet::new(),
            lag: None,
            no_jpeg: 0,
        }
    }

    fn take(&mut self, from: FromFeed) -> Result<(), CliError> {
        match from.what {
            FeedEvent::Connected { .. } => {
                self.connected = true;
                let took = self.begun.elapsed().as_secs_f64();
                say(format_args!("  connected and subscribed after {took:.1} s"))
            }
            FeedEvent::Disconnected { reason, attempt } => {
                say(format_args!("  not connected: {} (attempt {attempt})", plain(&reason)))
            }
            FeedEvent::Failing { reason } => say(format_args!("  failing: {}", plain(&reason))),
            FeedEvent::Recovered => say("  recovered"),
            FeedEvent::Ended => say("  the feed has ended"),
            FeedEvent::Item(FeedItem::Cursor(cursor)) => {
                self.tap.handled(cursor);
                Ok(())
            }
            FeedEvent::Item(FeedItem::Gap(gap)) => {
                let whose =
                    gap.channel.as_ref().map_or("every channel", |channel| channel.as_str());
                say(format_args!("  gap: {} to {}, {}", gap.from, gap.to, plain(whose)))
            }
            FeedEvent::Item(FeedItem::Event(event)) => {
                let lag_ms = from.received.since(event.at);
                let (least, most) = self.lag.unwrap_or((lag_ms, lag_ms));
                self.lag = Some((least.min(lag_ms), most.max(lag_ms)));
                self.tap.report(FeedReport::admitted(&event, from.received));
                if let Body::Frame(frame) = &event.body {
                    self.no_jpeg += u64::from(!frame.data.starts_with(&[0xff, 0xd8, 0xff]));
                }
                self.events += 1;
                self.channels.insert(event.channel.as_str().to_owned());
                if self.kinds.insert(event.kind()) || self.events <= SHOWN {
                    say(format_args!("  {}", in_words(&event)))?;
                }
                Ok(())
            }
        }
    }

    async fn end(self) -> Result<(), CliError> {
        let (heard, seconds) = (self.tap.heard(), self.begun.elapsed().as_secs_f64());
        self.tap.close().await;
        if !self.connected {
            return Err(CliError::Runtime(format!(
                "{} could not be connected within {seconds:.0} s; the reasons stand above",
                self.feed.name
            )));
        }
        let kinds = Kind::ALL.iter().map(|kind| kind.name()).zip(heard.events);
        say(format_args!(
            "{} events of {} channels in {seconds:.0} s: {}",
            self.events,
            self.channels.len(),
            counted(kinds.filter(|(_, count)| *count > 0)),
        ))?;
        let mut lacks = missing(&heard, self.feed.clock());
        if let (Clock::Live, Some((least, most))) = (self.feed.clock(), self.lag) {
            let seconds = |ms: i64| ms as f64 / 1000.0;
            say(format_args!(
                "from an event's own time to its arrival: {:.1} s to {:.1} s",
                seconds(least),
                seconds(most)
            ))?;
            if least < -1000 {
                let ahead = seconds(-least);
                lacks.push(format!(
                    "its clock is {ahead:.1} s ahead of this machine's: set one right"
                ));
            } else if least > OLD_MS {
                lacks.push(format!(
                    "nothing was younger than {:.0} s: a backlog, or a clock that is behind",
                    seconds(least)
                ));
            }
        }
        if self.no_jpeg > 0 {
            lacks.push(format!("{} pictures are no JPEG and cannot be used", self.no_jpeg));
        }
        match lacks.as_slice() {
            [] => say("missing: nothing")?,
            lacks => lacks.iter().try_for_each(|lack| say(format_args!("missing: {lack}")))?,
        }
        if self.events == 0 { Err(CliError::Silent(1)) } else { Ok(()) }
    }
}

/// One line, safe for a terminal.
fn in_words(event: &Event) -> String {
    let clock = event.at.to_string();
    // `2025-08-17T22:14:03.120Z`: the time of day.
    let clock = clock.get(11..19).unwrap_or(&clock);
    let what = match &event.body {
        Body::Chat { text } => plain(text),
        Body::Donation { amount, text, .. } => plain(&format!("{}: {text}", amount.shown())),
        Body::Reward { title, cost, unit, text } => {
            plain(&format!("{title} ({cost} {unit}): {text}"))
        }
        Body::Frame(frame) => {
            let look = frame.look.as_ref();
            let look = look.map(|look| format!(", {} of {} of look {}", look.n, look.of, look.id));
            let kib = frame.data.len() >> 10;
            plain(&format!("a picture of {kib} KiB{}", look.unwrap_or_default()))
        }
        Body::Stream(info) => {
            let state = serde_json::to_value(info.state).unwrap_or_default();
            let told = [&info.title, &info.category, &info.language, &info.country];
            let told: Vec<&str> = told.into_iter().filter_map(Option::as_deref).collect();
            let state = state.as_str().unwrap_or_default();
            plain(&format!("{state}: {}", told.join(", ")))
        }
        Body::Notice(notice) => plain(&notice.text),
        Body::Moderation(act) => plain(&format!("{} of a {}", act.action, act.scope)),
    };
    let channel = plain(event.channel.as_str());
    format!("{clock}  {channel}  {:<10} {what}", event.kind().name())
}

/// Cut, and without what could speak to the terminal or turn the line round.
fn plain(text: &str) -> String {
    let speaks = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out: String =
        text.chars().take(WIDTH).map(|c| if speaks(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(WIDTH).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_to_the_terminal_through_a_chat() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(plain(&"x".repeat(100)).chars().count(), WIDTH + 1);
    }
}
