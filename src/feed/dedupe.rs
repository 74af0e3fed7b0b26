//! Which events are repeats: by (channel, id) whichever feed brings them, and donations that two feeds tell under
//! two ids. Events go in, in order of arrival; yes or no comes out.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{Amount, Body, ChannelId, Event, Timestamp};

/// Events that a feed's window holds at least (contracts, "Identity").
pub const WINDOW: usize = 200_000;
/// A window grows beyond [`WINDOW`] while the saved cursor is older, up to this: about 100 MB in all.
const LIMIT: usize = 10 * WINDOW;
/// Cursors that have arrived and are not saved yet; beyond it the older ones are forgotten.
const MARKS: usize = 4_096;
/// Events before its cursor that a platform may tell again after a restart of the daemon.
const RETOLD: u64 = 4_096;
/// Donations remembered to find their twins.
const DONATIONS: usize = 20_000;
/// How far apart two feeds may date one donation, in milliseconds (contracts, "Identity").
const TWIN_MS: i64 = 60_000;

/// Remembers what each feed brought. Not shared: it belongs to the intake.
#[derive(Debug)]
pub struct Dedupe {
    feeds: BTreeMap<u16, Window>,
    donations: Donations,
    window: usize,
    limit: usize,
}

/// What one feed brought, in order of arrival.
#[derive(Debug, Default)]
struct Window {
    order: VecDeque<u64>,
    /// Names in `order`, with their arrival numbers.
    seen: HashMap<u64, u64>,
    /// How many have ever left the front: `order[i]` is arrival number `gone + i`.
    gone: u64,
    /// Cursors that arrived.
    marks: VecDeque<Cursor>,
    /// The arrival number after the last event that the feed told: behind the end while it tells old ones again.
    place: u64,
    /// Arrivals from this number on are not covered by the saved cursor; none while no cursor was ever saved.
    saved: Option<u64>,
    /// The saved cursor.
    cursor: Option<Box<str>>,
}

/// A donation that may have a twin. A part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Donation {
    what: u64,
    feed: u16,
    at: i64,
    /// As its feed dated it, where that is another time; older versions kept none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dated: Option<i64>,
    /// Feeds that have told it under another id; each matches it once.
    told_by: Vec<u16>,
}

/// A cursor, and what it covers: all arrivals before `least`, perhaps some of those before `most`.
#[derive(Debug)]
struct Cursor {
    value: Box<str>,
    least: u64,
    most: u64,
}

#[derive(Debug, Default)]
struct Donations {
    order: VecDeque<Donation>,
    /// Arrival numbers by what was given.
    by_what: HashMap<u64, VecDeque<u64>>,
    gone: u64,
    /// Since the last checkpoint.
    changed: bool,
}

impl Default for Dedupe {
    fn default() -> Self {
        Self::new()
    }
}

impl Dedupe {
    pub fn new() -> Self {
        Self::with_window(WINDOW, LIMIT)
    }

    /// A window of at least so many events a feed; while the saved cursor is older it grows up to `limit`.
    pub fn with_window(window: usize, limit: usize) -> Self {
        Self { feeds: BTreeMap::new(), donations: Donations::default(), window, limit }
    }

    /// False for a repeat: an event whose (channel, id) some feed has brought, or a donation that another feed told
    /// under another id.
    pub fn admit(&mut self, feed: u16, event: &Event) -> bool {
        self.admit_dated(feed, event, event.at)
    }

    /// [`Dedupe::admit`] of an event whose time was set to the daemon's clock: `dated` is the feed's own. Twins are near
    /// each other by either, so neither a feed that is fast nor a clock that is set hides them.
    pub fn admit_dated(&mut self, feed: u16, event: &Event, dated: Timestamp) -> bool {
        let name = name(event);
        let known = self.feeds.values().any(|window| window.seen.contains_key(&name));
        let (window, limit) = (self.window, self.limit);
        // Also what another feed brought goes into this one's window: each window moves with its own cursor.
        self.feeds.entry(feed).or_default().push(name, window, limit);
        if known {
            return false;
        }
        match &event.body {
            Body::Donation { amount, text, .. } => {
                !self.donations.is_twin(feed, given(event, amount, text), event.at, dated)
            }
            _ => true,
        }
    }

    /// A cursor has arrived on this feed: it covers all that the feed brought before.
    pub fn cursor(&mut self, feed: u16, cursor: &str) {
        let window = self.feeds.entry(feed).or_default();
        let (least, most) = (window.place, window.gone + window.order.len() as u64);
        window.marks.push_back(Cursor { value: cursor.into(), least, most });
        if window.marks.len() > MARKS {
            window.marks.pop_front();
        }
    }

    /// The feed begins again at its saved cursor: until it tells new events, its cursors cover no more than what it has
    /// told again.
    pub fn reconnected(&mut self, feed: u16) {
        if let Some(window) = self.feeds.get_mut(&feed) {
            window.place = window.saved.unwrap_or(0);
        }
    }

    /// The cursor is saved: what it covers may leave the window when 200,000 newer ones have come.
    pub fn saved(&mut self, feed: u16, cursor: &str) {
        let Some(window) = self.feeds.get_mut(&feed) else { return };
        if let Some(last) = window.marks.iter().rposition(|mark| &*mark.value == cursor) {
            window.saved = Some(window.marks[last].least);
            window.cursor = Some(cursor.into());
            window.marks.drain(..=last);
        }
        window.trim(self.window, self.limit);
    }

    /// What the feed brought since its saved cursor (all of the window if none was ever saved), in order of arrival:
    /// what a checkpoint must hold so that this feed's resume brings no repeats. It holds what was *admitted*: take
    /// it where the state that it is saved with has consumed exactly that.
    pub fn since_cursor(&self, feed: u16) -> Vec<u64> {
        self.told_since(feed, 0)
    }

    /// What the feed brought since its saved cursor, and so many before it.
    fn told_since(&self, feed: u16, before: u64) -> Vec<u64> {
        let Some(window) = self.feeds.get(&feed) else { return Vec::new() };
        let skip = window.saved.unwrap_or(0).saturating_sub(before).saturating_sub(window.gone);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(window.order.len());
        window.order.range(skip..).copied().collect()
    }

    /// What a checkpoint holds of a feed: the newest cursor that covers no event of `unfinished` (channel and id), and
    /// [`Dedupe::since_cursor`] without those, so that a resume brings exactly them again; before it the last [`RETOLD`]
    /// that the cursor covers, since a platform may go back a little further than it was asked.
    pub fn mark(
        &self,
        feed: u16,
        unfinished: &[(ChannelId, Box<str>)],
    ) -> (Option<Box<str>>, Vec<u64>) {
        let Some(window) = self.feeds.get(&feed) else { return (None, Vec::new()) };
        let open: HashSet<u64> = unfinished.iter().map(|(c, id)| named(c.as_str(), id)).collect();
        let since = self.since_cursor(feed);
        let first = match since.iter().position(|name| open.contains(name)) {
            Some(place) => window.gone + (window.order.len() - since.len() + place) as u64,
            None => u64::MAX,
        };
        let mut seen = self.told_since(feed, RETOLD);
        seen.truncate(seen.len() - since.len());
        seen.extend(since.into_iter().filter(|name| !open.contains(name)));
        let newest = window.marks.iter().rev().find(|mark| mark.most <= first);
        (newest.map(|mark| mark.value.clone()).or_else(|| window.cursor.clone()), seen)
    }

    /// All of the feed's window, in order of arrival: a checkpoint with it also knows repeats by other feeds.
    pub fn window(&self, feed: u16) -> Vec<u64> {
        self.feeds
            .get(&feed)
            .map(|window| window.order.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Takes back what [`Dedupe::since_cursor`] or [`Dedupe::window`] gave, oldest first, and the cursor that was
    /// saved with it.
    pub fn restore(&mut self, feed: u16, names: Vec<u64>, cursor: Option<Box<str>>) {
        // The feed resumes at that cursor, so none of them may leave yet.
        let mut window = Window { saved: Some(0), cursor, ..Window::default() };
        for name in names {
            window.push(name, self.window, self.limit);
        }
        self.feeds.insert(feed, window);
    }

    /// The donations whose twins may still come, oldest first; a part of a checkpoint.
    pub fn donations(&self) -> Vec<Donation> {
        self.donations.order.iter().cloned().collect()
    }

    /// [`Dedupe::donations`] if they changed since the last call.
    pub fn changed_donations(&mut self) -> Option<Vec<Donation>> {
        std::mem::take(&mut self.donations.changed).then(|| self.donations())
    }

    /// Takes back what [`Dedupe::donations`] gave.
    pub fn restore_donations(&mut self, donations: Vec<Donation>) {
        self.donations = Donations::default();
        for donation in donations {
            self.donations.push(donation);
        }
    }
}

impl Window {
    fn push(&mut self, name: u64, window: usize, limit: usize) {
        let next = self.gone + self.order.len() as u64;
        let arrival = *self.seen.entry(name).or_insert(next);
        self.place = arrival + 1;
        if arrival == next {
            self.order.push_back(name);
            self.trim(window, limit);
        }
    }

    fn trim(&mut self, window: usize, limit: usize) {
        while self.order.len() > window {
            let covered = self.saved.is_none_or(|saved| self.gone < saved);
            if !covered && self.order.len() <= limit {
                break;
            }
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
                self.gone += 1;
            }
        }
    }
}

impl Donations {
    /// True if another feed told it already; else it is remembered.
    fn is_twin(&mut self, feed: u16, what: u64, at: Timestamp, dated: Timestamp) -> bool {
        let gone = self.gone;
        let arrivals = self.by_what.get(&what).into_iter().flatten();
        for arrival in arrivals {
            // Numbers of donations that left are removed with them, so this lies within `order`.
            let Some(other) = self.order.get_mut((arrival - gone) as usize) else { continue };
            let other_dated = Timestamp(other.dated.unwrap_or(other.at));
            let apart = at.since(Timestamp(other.at)).abs().min(dated.since(other_dated).abs());
            if other.feed != feed && !other.told_by.contains(&feed) && apart <= TWIN_MS {
                other.told_by.push(feed);
                self.changed = true;
                return true;
            }
        }
        let own = (dated != at).then_some(dated.0);
        self.push(Donation { what, feed, at: at.0, dated: own, told_by: Vec::new() });
        false
    }

    fn push(&mut self, donation: Donation) {
        self.changed = true;
        let arrival = self.gone + self.order.len() as u64;
        self.by_what.entry(donation.what).or_default().push_back(arrival);
        self.order.push_back(donation);
        if self.order.len() > DONATIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.gone += 1;
            if let Some(arrivals) = self.by_what.get_mut(&oldest.what) {
                arrivals.pop_front();
                if arrivals.is_empty() {
                    self.by_what.remove(&oldest.what);
                }
            }
        }
    }
}

/// First 8 bytes of SHA-256, the same on every machine and after every restart.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    let full: [u8; 32] = sha.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&full[..8]);
    u64::from_be_bytes(first)
}

/// An event's identity.
fn name(event: &Event) -> u64 {
    named(event.channel.as_str(), &event.id)
}

fn named(channel: &str, id: &str) -> u64 {
    hash(&[channel.as_bytes(), id.as_bytes()])
}

/// What two feeds must agree on to have told one donation: `50`, `50.0` and `50.00` are one amount.
fn given(event: &Event, amount: &Amount, text: &str) -> u64 {
    let value = amount.value.trim();
    let value = value
        .parse::<rust_decimal::Decimal>()
        .map_or_else(|_| value.to_owned(), |value| value.normalize().to_string());
    let currency = amount.currency.trim().to_uppercase();
    hash(&[
        b"donation",
        event.channel.as_str().as_bytes(),
        value.as_bytes(),
        currency.as_bytes(),
        text.as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_755_468_000_000;

    fn chat(id: usize) -> Event {
        Event {
            id: id.to_string().into(),
            at: Timestamp(T0),
            channel: ChannelId::new("k:1"),
            user: None,
            body: Body::Chat { text: "x".into() },
        }
    }

    #[test]
    fn the_window_forgets_the_oldest_first_and_only_beyond_its_size() {
        let mut dedupe = Dedupe::with_window(3, 30);
        for id in 0..4 {
            assert!(dedupe.admit(0, &chat(id)));
        }
        assert!(!dedupe.admit(0, &chat(1)));
        assert!(!dedupe.admit(0, &chat(3)));
        assert!(dedupe.admit(0, &chat(0)), "the fourth pushed it out");
        assert_eq!(dedupe.window(0).len(), 3);
    }

    #[test]
    fn what_is_newer_than_the_saved_cursor_stays_up_to_the_limit() {
        let mut dedupe = Dedupe::with_window(3, 8);
        dedupe.admit(0, &chat(0));
        dedupe.cursor(0, "a");
        dedupe.saved(0, "a");
        for id in [1, 2, 3, 4, 5] {
            dedupe.admit(0, &chat(id));
        }
        assert!(!dedupe.admit(0, &chat(1)));
        dedupe.admit(0, &chat(6));
        assert_eq!(dedupe.window(0).len(), 6, "0 is covered and gone, the rest is not");
        dedupe.cursor(0, "b");
        dedupe.cursor(0, "c");
        dedupe.saved(0, "b");
        assert_eq!(dedupe.window(0).len(), 3);
        assert!(dedupe.admit(0, &chat(1)));
        for id in 100..200 {
            dedupe.admit(0, &chat(id));
        }
        assert_eq!(dedupe.window(0).len(), 8, "nothing is unbounded");
    }

    #[test]
    fn a_window_is_each_feeds_own_and_knows_what_others_brought() {
        let mut dedupe = Dedupe::with_window(3, 30);
        assert!(dedupe.admit(0, &chat(0)));
        assert!(!dedupe.admit(1, &chat(0)));
        for id in 1..5 {
            dedupe.admit(0, &chat(id));
        }
        assert!(!dedupe.admit(1, &chat(0)), "feed 1 still remembers");
    }

    #[test]
    fn a_mark_leaves_out_what_is_unfinished_and_goes_back_before_it() {
        let mut dedupe = Dedupe::new();
        let open = |id: &str| vec![(ChannelId::new("k:1"), Box::from(id))];
        dedupe.admit(0, &chat(0));
        dedupe.cursor(0, "a");
        dedupe.admit(0, &chat(1));
        dedupe.admit(0, &chat(2));
        dedupe.cursor(0, "b");
        dedupe.admit(0, &chat(3));
        let cursor = |unfinished: &[(ChannelId, Box<str>)], dedupe: &Dedupe| {
            let (cursor, seen) = dedupe.mark(0, unfinished);
            (cursor.map(String::from), seen.len())
        };
        assert_eq!(cursor(&[], &dedupe), (Some("b".into()), 4));
        assert_eq!(cursor(&open("3"), &dedupe), (Some("b".into()), 3));
        assert_eq!(cursor(&open("1"), &dedupe), (Some("a".into()), 3));
        dedupe.saved(0, "a");
        assert_eq!(cursor(&open("1"), &dedupe), (Some("a".into()), 3));
        assert_eq!(cursor(&open("2"), &dedupe), (Some("a".into()), 3));
        assert_eq!(cursor(&open("0"), &dedupe), (Some("b".into()), 4), "0 lies before the cursor");
    }

    #[test]
    fn a_platform_that_goes_back_further_than_it_was_asked_brings_nothing_twice_after_a_restart() {
        let mut dedupe = Dedupe::new();
        for id in 0..6_000 {
            dedupe.admit(0, &chat(id));
            dedupe.cursor(0, &id.to_string());
            dedupe.saved(0, &id.to_string());
        }
        dedupe.admit(0, &chat(6_000));
        let (cursor, seen) = dedupe.mark(0, &[]);
        assert_eq!((cursor.as_deref(), seen.len()), (Some("5999"), 4_097));
        let mut again = Dedupe::new();
        again.restore(0, seen, cursor);
        again.reconnected(0);
        assert!((6_000 - 4_096..=6_000).all(|id| !again.admit(0, &chat(id))));
        assert!(again.admit(0, &chat(6_001)));
    }

    #[test]
    fn a_cursor_told_again_after_a_reconnect_covers_no_more_than_before() {
        let mut dedupe = Dedupe::new();
        for id in 0..4 {
            if id == 2 {
                dedupe.cursor(0, "two");
                dedupe.saved(0, "two");
            }
            dedupe.admit(0, &chat(id));
        }
        dedupe.reconnected(0);
        dedupe.cursor(0, "two again");
        assert!(!dedupe.admit(0, &chat(2)));
        dedupe.cursor(0, "three");
        dedupe.saved(0, "two again");
        assert_eq!(dedupe.since_cursor(0).len(), 2, "2 and 3 are told again from there");
        dedupe.saved(0, "three");
        assert_eq!(dedupe.since_cursor(0).len(), 1);
        assert!(!dedupe.admit(0, &chat(3)));
        dedupe.admit(0, &chat(4));
        dedupe.cursor(0, "five");
        dedupe.saved(0, "five");
        assert!(dedupe.since_cursor(0).is_empty());
    }

    #[test]
    fn names_do_not_change_between_versions() {
        // Stored in checkpoints: a change would let every event through again after an upgrade.
        assert_eq!(name(&chat(7)), hash(&[b"k:1", b"7"]));
        assert_eq!(hash(&[b"k:1", b"7"]), PINNED);
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }

    /// SHA-256 of both parts, each after its length as 8 bytes; worked out by another program.
    const PINNED: u64 = 0xf08f_33c4_73b7_3c53;
}
