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
    Gap {
        feed: u16,
        gap: Gap,
    },
}

/// Why an event did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Repeat,
}

/// What became of one item, for the counts.
#[derive(Debug)]
pub enum Outcome {
    Admitted {
        /// The event's time as admitted.
        at: Timestamp,
        /// It was ahead of the clock and set to it.
        ahead: bool,
        /// It carries an amount that cannot be converted: it counts as not known.
        unknown_amount: bool,
    },
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
    newest: Option<Timestamp>,
    /// Since when it has been down, if it is and was not before.
    down: Option<Timestamp>,
    /// With times that are data: what came after the newest before this is missing, up to the next event.
    missing_after: Option<Timestamp>,
}

/// A look still open.
struct Looking {
    feed: u16,
    /// When its first picture was captured, and when it came.
    at: Timestamp,
    received: Timestamp,
}

/// See the module.
pub struct Intake {
    pub door: Door,
    pub dedupe: Dedupe,
    feeds: Vec<FeedState>,
    looking: BTreeMap<ChannelId, Looking>,
}

impl Intake {
    pub fn new(door: Door, clocks: &[FeedClock]) -> Self {
        let feeds = clocks.iter().map(|clock| FeedState::new(*clock)).collect();
        Self { door, dedupe: Dedupe::new(), feeds, looking: BTreeMap::new() }
    }

    /// A feed at this place is judged by this clock from here on; places before it exist already.
    pub fn seat(&mut self, feed: u16, clock: FeedClock) {
        match self.feeds.get_mut(usize::from(feed)) {
            Some(known) => known.clock = clock,
            None => self.feeds.push(FeedState::new(clock)),
        }
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
            FeedItem::Gap(mut gap) => {
                if self.clock(feed) == FeedClock::Live {
                    gap.to = gap.to.min(received);
                    gap.from = gap.from.min(gap.to);
                }
                out.push(Admission::Gap { feed, gap });
                Outcome::Gap
            }
            FeedItem::Event(mut event) => {
                let live = self.clock(feed) == FeedClock::Live;
                let dated = event.at;
                let ahead = live && hold_back(&mut event, received);
                // Also what another feed has told already tells how far this one is.
                if !live {
                    self.seconds(feed, event.at, out);
                }
                if !self.dedupe.admit_dated(feed, &event, dated) {
                    return Outcome::Refused(Refused::Repeat);
                }
                self.came(feed, event.at, out);
                seen(&event);
                if let Some(user) = &mut event.user {
                    user.id = "".into();
                    user.name = None;
                }
                let at = event.at;
                let unknown_amount = self.admit(feed, event, received, out);
                Outcome::Admitted { at, ahead, unknown_amount }
            }
        }
    }

    /// Takes an event through the door; true if it carries an amount that is not known.
    fn admit(
        &mut self,
        feed: u16,
        event: Event,
        received: Timestamp,
        out: &mut Vec<Admission>,
    ) -> bool {
        let (channel, at) = (event.channel.clone(), event.at);
        let mut ready = Vec::new();
        self.door.admit(event, &mut ready);
        let mut unknown_amount = false;
        for ready in &ready {
            match ready {
                Ready::Event { admitted, .. } => {
                    unknown_amount = matches!(&admitted.event.body,
                        Body::Donation { amount, .. } if amount.eur.is_none());
                }
                Ready::Look { channel, .. } => drop(self.looking.remove(channel)),
            }
        }
        if self.door.is_looking(&channel) {
            self.looking.entry(channel).or_insert(Looking { feed, at, received });
        }
        out.extend(ready.into_iter().map(Admission::Ready));
        unknown_amount
    }

    /// A feed's time goes on; what was missing before it is told first.
    fn came(&mut self, feed: u16, at: Timestamp, out: &mut Vec<Admission>) {
        let Some(state) = self.feeds.get_mut(usize::from(feed)) else { return };
        if let Some(from) = state.missing_after.take_if(|from| at > *from) {
            out.push(Admission::Gap { feed, gap: Gap { channel: None, from, to: at } });
        }
        state.newest = state.newest.max(Some(at));
    }

    /// The feed is down since `received`; said again while it stays so, the first counts.
    pub fn lost(&mut self, feed: u16, received: Timestamp) {
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            state.down.get_or_insert(received);
        }
    }

    /// The feed is back. Unless it resumed where it was, what happened meanwhile is missing: a gap in all of its channels.
    pub fn back(
        &mut self,
        feed: u16,
        resumed: bool,
        received: Timestamp,
        out: &mut Vec<Admission>,
    ) {
        let Some(state) = self.feeds.get_mut(usize::from(feed)) else { return };
        let Some(down) = state.down.take().filter(|_| !resumed) else { return };
        match state.clock {
            FeedClock::Live => {
                let gap = Gap { channel: None, from: down.min(received), to: received };
                out.push(Admission::Gap { feed, gap });
            }
            FeedClock::Data => state.missing_after = state.missing_after.or(state.newest),
        }
    }

    /// What an earlier run had heard of a feed last: it has been down since.
    pub fn heard_before(&mut self, feed: u16, newest: Timestamp) {
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            state.newest = state.newest.max(Some(newest));
            state.down = state.down.max(Some(newest));
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
        while from <= now && from <= newest + 4 && self.looking.values().any(|l| l.feed == feed) {
            let at = Timestamp(from * 1000);
            self.close_looks(feed, |_| at, out);
            out.push(Admission::Seconds { feed, from, to: from });
            from += 1;
        }
        if from <= now {
            out.push(Admission::Seconds { feed, from, to: now });
        }
    }

    /// On a live feed that is level: closes every look that has been open for long enough at `now`, by the time that
    /// passed since its first picture came.
    pub fn beat(&mut self, feed: u16, now: Timestamp, out: &mut Vec<Admission>) {
        self.close_looks(feed, |look| look.at.plus_ms(now.since(look.received)), out);
    }

    fn close_looks(
        &mut self,
        feed: u16,
        at: impl Fn(&Looking) -> Timestamp,
        out: &mut Vec<Admission>,
    ) {
        let (door, mut ready) = (&mut self.door, Vec::new());
        self.looking.retain(|channel, look| {
            if look.feed == feed {
                door.tick(channel, at(look), &mut ready);
            }
            door.is_looking(channel)
        });
        out.extend(ready.into_iter().map(Admission::Ready));
    }
}

impl FeedState {
    fn new(clock: FeedClock) -> Self {
        Self { clock, second: None, newest: None, down: None, missing_after: None }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use super::*;
    use crate::event::{Keyer, decode};

    const T0: Timestamp = Timestamp(1_755_468_000_000);

    fn intake(clocks: &[FeedClock]) -> Intake {
        let most = NonZeroUsize::new(8).unwrap();
        Intake::new(Door::new(most, Arc::default(), Arc::default()), clocks)
    }

    fn item(text: &str) -> FeedItem {
        decode(text, &Keyer::replay()).unwrap()
    }

    fn chat(id: &str, at: Timestamp) -> FeedItem {
        item(&format!(r#"{{"type":"chat","id":"{id}","at":"{at}","channel":"k:1","text":"x"}}"#))
    }

    fn take(intake: &mut Intake, item: FeedItem, received: Timestamp) -> (Outcome, Vec<Admission>) {
        let mut out = Vec::new();
        let outcome = intake.item(0, item, received, &mut out, &mut |_| {});
        (outcome, out)
    }

    fn gaps(out: &[Admission]) -> Vec<(i64, i64)> {
        out.iter()
            .filter_map(|admission| match admission {
                Admission::Gap { gap, .. } => Some((gap.from.since(T0), gap.to.since(T0))),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_time_ahead_is_set_to_the_clock_and_said() {
        let mut live = intake(&[FeedClock::Live]);
        let (outcome, _) = take(&mut live, chat("a", T0.plus_ms(3_600_000)), T0);
        assert!(matches!(outcome, Outcome::Admitted { at: T0, ahead: true, .. }), "{outcome:?}");
        let (outcome, _) = take(&mut live, chat("b", T0.plus_ms(-3_600_000)), T0);
        assert!(matches!(outcome, Outcome::Admitted { ahead: false, .. }), "any lag is normal");
        let mut data = intake(&[FeedClock::Data]);
        let (outcome, _) = take(&mut data, chat("a", T0.plus_ms(3_600_000)), T0);
        assert!(matches!(outcome, Outcome::Admitted { ahead: false, .. }), "{outcome:?}");
    }

    #[test]
    fn an_amount_that_cannot_be_converted_is_said_and_the_gift_kept() {
        let mut live = intake(&[FeedClock::Live]);
        for (value, currency, unknown) in [
            ("5", "EUR", false),
            ("-5", "EUR", true),
            ("99999999999", "EUR", true),
            ("5", "XXX", true),
            ("much", "EUR", true),
        ] {
            let gift = item(&format!(
                r#"{{"type":"donation","id":"{value}{currency}","at":"{T0}","channel":"k:1","amount":{{"value":"{value}","currency":"{currency}"}},"text":"x"}}"#
            ));
            let (outcome, out) = take(&mut live, gift, T0);
            let said = matches!(outcome, Outcome::Admitted { unknown_amount, .. } if unknown_amount == unknown);
            assert!(said, "{value} {currency}: {outcome:?}");
            assert!(
                matches!(&out[..], [Admission::Ready(Ready::Event { message: Some(_), .. })]),
                "it is scored all the same"
            );
        }
    }

    #[test]
    fn what_a_live_feed_missed_is_a_gap_unless_it_resumed() {
        let mut live = intake(&[FeedClock::Live]);
        let mut out = Vec::new();
        live.back(0, false, T0, &mut out);
        assert!(out.is_empty(), "the first connection misses nothing that was ever known");
        live.lost(0, T0.plus_ms(1_000));
        live.lost(0, T0.plus_ms(5_000));
        live.back(0, false, T0.plus_ms(9_000), &mut out);
        assert_eq!(gaps(&out), [(1_000, 9_000)]);
        live.lost(0, T0.plus_ms(10_000));
        live.back(0, true, T0.plus_ms(20_000), &mut out);
        live.back(0, false, T0.plus_ms(30_000), &mut out);
        assert_eq!(gaps(&out).len(), 1);
        live.heard_before(0, T0.plus_ms(40_000));
        live.back(0, false, T0.plus_ms(90_000), &mut out);
        assert_eq!(gaps(&out)[1..], [(40_000, 90_000)], "the daemon was down");
    }

    #[test]
    fn with_times_that_are_data_a_gap_lasts_to_the_next_event() {
        let mut data = intake(&[FeedClock::Data]);
        take(&mut data, chat("a", T0), Timestamp(7));
        data.lost(0, Timestamp(8));
        let mut out = Vec::new();
        data.back(0, false, Timestamp(9), &mut out);
        assert!(out.is_empty());
        let (_, out) = take(&mut data, chat("a2", T0), Timestamp(10));
        assert_eq!(gaps(&out), []);
        let (_, out) = take(&mut data, chat("b", T0.plus_ms(4_000)), Timestamp(10));
        assert_eq!(gaps(&out), [(0, 4_000)]);
    }

    #[test]
    fn a_gap_told_beyond_the_clock_ends_at_it() {
        let mut live = intake(&[FeedClock::Live]);
        let gap = item(&format!(
            r#"{{"type":"gap","from":"{}","to":"{}"}}"#,
            T0.plus_ms(-1_000),
            T0.plus_ms(9_000_000)
        ));
        assert_eq!(gaps(&take(&mut live, gap, T0).1), [(-1_000, 0)]);
    }

    #[test]
    fn on_a_live_feed_a_look_closes_by_the_time_since_it_came_however_old_it_is() {
        let mut live = intake(&[FeedClock::Live]);
        let frame = |n: u32, ms: i64| {
            item(&format!(
                r#"{{"type":"frame","id":"f{n}","at":"{}","channel":"k:1","media":"image/jpeg","look":{{"id":"L","n":{n},"of":8}},"data":"AAAA"}}"#,
                T0.plus_ms(ms - 600_000)
            ))
        };
        take(&mut live, frame(1, 0), T0);
        take(&mut live, frame(2, 250), T0.plus_ms(250));
        let mut out = Vec::new();
        live.beat(0, T0.plus_ms(2_000), &mut out);
        assert!(out.is_empty(), "the burst is still coming");
        live.beat(0, T0.plus_ms(3_000), &mut out);
        assert!(
            matches!(&out[..], [Admission::Ready(Ready::Look { frames, .. })] if frames.len() == 2)
        );
    }
}
