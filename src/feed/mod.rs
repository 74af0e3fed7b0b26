//! Where events come from: one file per source. Bytes of the outside go in, decoded [`FeedItem`]s with the time of
//! their arrival come out, in order, over one bounded channel; [`Dedupe`] says which of them are repeats.
//!
//! A feed is one task. It never judges an event, keeps nothing without a bound, and hurts only itself: a broken
//! message is counted and skipped, a broken connection is made anew.

mod dedupe;
pub mod recording;
mod retry;
mod socket;
pub mod websocket;

pub use dedupe::{Dedupe, WINDOW};
pub use recording::{RecordingError, RecordingOptions, RecordingProblem};
pub use websocket::{OptionsError, WebsocketOptions};

use std::borrow::Cow;

use serde::Deserialize;

use crate::event::{Event, FeedItem, Kind, SampleRequest, Timestamp};
use crate::telemetry::Corrected;

/// Messages beyond this end the connection, whatever the config says: 64 MiB (contracts, "Robustness").
pub const CEILING: usize = 64 << 20;

/// What a feed hands to the intake.
#[derive(Debug)]
pub struct FromFeed {
    /// Index of the feed in the config.
    pub feed: u16,
    pub what: FeedEvent,
    /// The daemon's clock when the feed had read it.
    pub received: Timestamp,
}

/// What happened on a feed.
#[derive(Debug)]
pub enum FeedEvent {
    Item(FeedItem),
    /// Connected and subscribed; `resumed`: at a cursor, so that nothing is missing since.
    Connected {
        resumed: bool,
    },
    /// The connection ended or could not be made; `attempt` counts those in a row, from 1. It is tried again.
    Disconnected {
        reason: String,
        attempt: u32,
    },
    /// Three times in a row the same place of the feed broke the connection, or the feed cannot be used at all.
    /// It holds until [`FeedEvent::Recovered`]; the feed is tried all the same.
    Failing {
        reason: String,
    },
    /// What made the feed failing is behind it.
    Recovered,
    /// The feed will bring nothing more: a recording's end, or options that cannot work.
    Ended,
}

/// What the rest of the house tells a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToFeed {
    /// Ask the platform for pictures. Asked for again after a reconnect, unless stopped (`every_ms` 0).
    Sample(SampleRequest),
    /// Everything before this cursor is handled and the cursor is saved: present it at the next connect.
    Handled(Box<str>),
}

/// Takes the counts of every feed; called often and from many tasks, so it must be quick.
pub trait FeedObserver: Send + Sync {
    fn report(&self, feed: u16, report: FeedReport);
}

/// One thing to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedReport {
    /// An event past [`Dedupe`]; reported by the intake, which alone knows that it is no repeat.
    Event {
        kind: Kind,
        at: Timestamp,
        /// Arrival minus `at`, in milliseconds; negative where the source's clock is ahead.
        lag_ms: i64,
    },
    /// `kind` is the wire's type, or `unknown`; `reason` one of the contract's (`malformed`, `unknown_type`,
    /// `too_large`; the intake adds `repeat`).
    Dropped {
        kind: &'static str,
        reason: &'static str,
    },
    /// Something in an event was set right and the event kept (reported by the intake).
    Corrected {
        kind: Kind,
        what: Corrected,
    },
    Connected(bool),
    /// A connection is tried again.
    Reconnect,
}

impl FeedReport {
    /// The report of an event that the intake admitted.
    pub fn admitted(event: &Event, received: Timestamp) -> Self {
        FeedReport::Event { kind: event.kind(), at: event.at, lag_ms: received.since(event.at) }
    }

    /// The report of an event that [`Dedupe::admit`] refused.
    pub fn repeat(event: &Event) -> Self {
        FeedReport::Dropped { kind: event.kind().name(), reason: "repeat" }
    }
}

/// An observer that counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl FeedObserver for Unobserved {
    fn report(&self, _feed: u16, _report: FeedReport) {}
}

/// How far ahead of the clock an event of a live feed may be, in milliseconds (contracts, "Time").
const AHEAD_MS: i64 = 5_000;

/// For feeds with `clock = "live"`: an `at` more than 5 s ahead of `received` is set to it. True if it was.
pub fn hold_back(event: &mut Event, received: Timestamp) -> bool {
    let ahead = event.at.since(received) > AHEAD_MS;
    if ahead {
        event.at = received;
    }
    ahead
}

/// The type of a message that is no event, as a metric may name it: one of the wire's, else `unknown`.
fn kind_of(text: &[u8]) -> &'static str {
    #[derive(Deserialize)]
    struct Peek<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    let Ok(peek) = serde_json::from_slice::<Peek>(text) else { return "unknown" };
    Kind::ALL.iter().map(|kind| kind.name()).find(|name| *name == peek.kind).unwrap_or("unknown")
}

/// Lets one line a second through to the debug log, so that a flood of bad messages does not flood the disk.
#[derive(Debug, Default)]
struct Sampler {
    last: Option<std::time::Instant>,
    skipped: u64,
}

impl Sampler {
    /// How many were held back since the last one, if this one may be logged.
    fn admit(&mut self) -> Option<u64> {
        let now = std::time::Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last).as_millis() < 1000) {
            self.skipped += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Keyer, decode};

    #[test]
    fn only_what_is_more_than_five_seconds_ahead_is_held_back() {
        let text =
            r#"{"type":"chat","id":"1","at":"2025-08-17T22:00:05Z","channel":"k:1","text":"x"}"#;
        let Ok(FeedItem::Event(mut event)) = decode(text, &Keyer::replay()) else { panic!() };
        let told = event.at;
        assert!(!hold_back(&mut event, told.plus_ms(-5_000)));
        assert!(!hold_back(&mut event, told.plus_ms(86_400_000)), "any lag is normal");
        assert_eq!(event.at, told);
        assert!(hold_back(&mut event, told.plus_ms(-5_001)));
        assert_eq!(event.at, told.plus_ms(-5_001));
    }

    #[test]
    fn a_dropped_message_is_counted_under_a_known_type_only() {
        assert_eq!(kind_of(br#"{"id":5,"type":"donation"}"#), "donation");
        assert_eq!(kind_of(br#"{"type":"kick:123"}"#), "unknown");
        assert_eq!(kind_of(b"{"), "unknown");
    }
}
