//! What every feed's items go through before a shard: repeats are dropped, times ahead of the clock held back, events
//! admitted at the model's door, seconds turned into ticks. The same for `run` and `replay`; it reads no clock itself.

use std::collections::BTreeMap;

use crate::event::{Body, ChannelId, Event, FeedItem, Gap, Timestamp};
use crate::feed::{Dedupe, hold_back};
use crate::model::{Door, Ready};

/// What a shard is given, in order.
#[derive(Debug)]
pub enum Admission {
    Ready(Ready),
    /// Whole seconds `from..=to` passed for the channels of the feed.
    Seconds {
        feed: u16,
        from: i64,
        to: i64,
    },
    Gap(Gap),
}

/// Why an event did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Repeat,
}

/// What became of one item, for the counts.
#[derive(Debug)]
pub enum Outcome {
    Admitted { ahead: bool },
    Refused(Refused),
    Cursor,
    Gap,
}

/// How a feed's times are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedClock {
    Live,
    Data,
}

struct FeedState {
    clock: FeedClock,
    /// The newest whole second seen.
    second: Option<i64>,
}

/// See the module.
pub struct Intake {
    pub door: Door,
    pub dedupe: Dedupe,
    feeds: Vec<FeedState>,
    /// Channels that may have a look open, with the feed that brought its last picture.
    looks: BTreeMap<ChannelId, u16>,
}

impl Intake {
    pub fn new(door: Door, clocks: &[FeedClock]) -> Self {
        let feeds = clocks.iter().map(|clock| FeedState { clock: *clock, second: None }).collect();
        Self { door, dedupe: Dedupe::new(), feeds, looks: BTreeMap::new() }
    }

    /// The newest whole second that a feed has passed, for a checkpoint.
    pub fn second(&self, feed: u16) -> Option<i64> {
        self.feeds.get(usize::from(feed)).and_then(|feed| feed.second)
    }

    /// Puts back what [`Intake::second`] gave: the seconds after it are ticks, also across a restart.
    pub fn restore_second(&mut self, feed: u16, second: Option<i64>) {
        if let Some(feed) = self.feeds.get_mut(usize::from(feed)) {
            feed.second = second;
        }
    }

    pub fn clock(&self, feed: u16) -> FeedClock {
        self.feeds.get(usize::from(feed)).map_or(FeedClock::Live, |feed| feed.clock)
    }

    /// Takes one item in; what follows from it is appended to `out`. `seen` is shown each event that is admitted,
    /// before its user is reduced to the key.
    pub fn item(
        &mut self,
        feed: u16,
        item: FeedItem,
        received: Timestamp,
        out: &mut Vec<Admission>,
        seen: &mut dyn FnMut(&Event),
    ) -> Outcome {
        match item {
            FeedItem::Cursor(cursor) => {
                self.dedupe.cursor(feed, &cursor);
                Outcome::Cursor
            }
            FeedItem::Gap(gap) => {
                out.push(Admission::Gap(gap));
                Outcome::Gap
            }
            FeedItem::Event(mut event) => {
                let live = self.clock(feed) == FeedClock::Live;
                let ahead = live && hold_back(&mut event, received);
                if !self.dedupe.admit(feed, &event) {
                    return Outcome::Refused(Refused::Repeat);
                }
                if !live {
                    self.seconds(feed, event.at, out);
                }
                seen(&event);
                if let Some(user) = &mut event.user {
                    user.id = "".into();
                    user.name = None;
                }
                if matches!(event.body, Body::Frame(_)) {
                    self.looks.insert(event.channel.clone(), feed);
                }
                let mut ready = Vec::new();
                self.door.admit(event, &mut ready);
                out.extend(ready.into_iter().map(Admission::Ready));
                Outcome::Admitted { ahead }
            }
        }
    }

    /// The ticks up to `at`; looks that waited long enough close at their second.
    fn seconds(&mut self, feed: u16, at: Timestamp, out: &mut Vec<Admission>) {
        let Some(state) = self.feeds.get_mut(usize::from(feed)) else { return };
        let now = at.second();
        let Some(newest) = state.second.replace(state.second.map_or(now, |s| s.max(now))) else {
            return;
        };
        let mut from = newest + 1;
        // A look closes at most 3 seconds after its first picture, so only the first few can close one.
        while from <= now && from <= newest + 4 && self.looks.values().any(|of| *of == feed) {
            self.close_looks(feed, Timestamp(from * 1000), out);
            out.push(Admission::Seconds { feed, from, to: from });
            from += 1;
        }
        if from <= now {
            out.push(Admission::Seconds { feed, from, to: now });
        }
    }

    /// Closes every look of the feed that is open for long enough at `at`.
    pub fn close_looks(&mut self, feed: u16, at: Timestamp, out: &mut Vec<Admission>) {
        let (mut ready, door) = (Vec::new(), &mut self.door);
        self.looks.retain(|channel, of| {
            if *of != feed {
                return true;
            }
            door.tick(channel, at, &mut ready);
            door.is_looking(channel)
        });
        out.extend(ready.into_iter().map(Admission::Ready));
    }
}
