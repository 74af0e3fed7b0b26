//! What waits for a model, kept fair under overload. Work comes in under the channel and the author that it is from;
//! batches go out that no channel can fill while others wait, and what there is no room or time for goes out as shed.
//!
//! A channel's work waits in *voices*: one an author, and one for all copies of a text that says what was said before.
//! Channels take turns by what their work costs, voices within a channel take turns one by one. The channel with most
//! waiting gets at most a quarter of a batch while others wait; it is shed first, and in it the voice with most waiting.
//! What must be kept is never shed: it waits at the front of its channel, and is refused where there is no room.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use hashbrown::{DefaultHashBuilder, HashMap};
use lru::LruCache;

use crate::event::ChannelId;

/// What a channel's turn is worth, in units of cost: two messages of usual length, or one look.
pub const TURN: u32 = 128;
/// No place.
const NONE: u32 = u32::MAX;
/// Texts remembered to find those nearly equal to them.
const ECHOES: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// How dear a piece of work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Of a channel below `concern`: shed first.
    #[default]
    Low,
    /// Of a channel at `concern` or above.
    High,
    /// Waits as long as it takes: what is paid, and what comes from a feed whose times are data.
    Kept,
}

/// Whose work it is.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub channel: ChannelId,
    /// The author, as far as it matters who: equal for the same one. 0: not known.
    pub author: u64,
    /// Equal for texts that say nearly the same; 0: like no other.
    pub alike: u64,
    pub standing: Standing,
}

/// What becomes of work that is given in.
#[derive(Debug, PartialEq)]
pub enum Pushed<T> {
    In,
    /// In, and this had to make room; it may be the same.
    Shed(T),
    /// Everything there waits as long as it takes, and so would this.
    Full(T),
}

/// A list of entries by place, oldest first.
#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
    len: u32,
}

struct Entry<T> {
    /// None while the place is free.
    work: Option<T>,
    cost: u32,
    since: Instant,
    voice: u32,
    /// The next of the same voice; of free places, the next free one.
    next: u32,
    /// Neighbours in order of arrival, among what may be shed or among what is kept.
    older: u32,
    newer: u32,
}

struct Voice {
    lane: u32,
    key: u64,
    list: List,
    /// The next voice in its channel's turn; of free places, the next free one.
    next: u32,
}

struct Lane {
    channel: Option<ChannelId>,
    low: bool,
    /// What is kept, and how much may be shed.
    kept: List,
    chat: u32,
    /// Voices in turn; some may have fallen silent.
    first: u32,
    last: u32,
    credit: i64,
    next_free: u32,
}

/// See the module.
pub struct FairQueue<T> {
    capacity: usize,
    /// What may be shed waits at most this long.
    wait: Option<Duration>,
    /// A channel's older work goes first of all, whatever the channel's level: it has newer.
    superseded: bool,
    entries: Vec<Entry<T>>,
    voices: Vec<Voice>,
    lanes: Vec<Lane>,
    free: [u32; 3],
    by_channel: HashMap<ChannelId, u32>,
    by_voice: HashMap<(u32, u64), u32>,
    turn: VecDeque<u32>,
    /// Arrival, of what may be shed and of what is kept.
    order: [List; 2],
    cost: usize,
    /// What may be shed of channels below `concern`.
    low: usize,
    /// Channels of which two and more may be shed, by how many: those below `concern`, and the others.
    crowded: [BTreeSet<(u32, u32)>; 2],
    /// Voices with two and more waiting, by channel and how many.
    loud: BTreeSet<(u32, u32, u32)>,
    echoes: LruCache<u64, ()>,
    hasher: DefaultHashBuilder,
}

impl List {
    const EMPTY: List = List { head: NONE, tail: NONE, len: 0 };
}

impl<T> FairQueue<T> {
    /// `capacity`: entries that may wait, at least 1. `wait`: how long what may be shed waits at most; none: for ever.
    pub fn new(capacity: usize, wait: Option<Duration>, superseded: bool) -> Self {
        Self {
            capacity: capacity.clamp(1, (NONE - 1) as usize),
            wait,
            superseded,
            entries: Vec::new(),
            voices: Vec::new(),
            lanes: Vec::new(),
            free: [NONE; 3],
            by_channel: HashMap::new(),
            by_voice: HashMap::new(),
            turn: VecDeque::new(),
            order: [List::EMPTY; 2],
            cost: 0,
            low: 0,
            crowded: Default::default(),
            loud: BTreeSet::new(),
            echoes: LruCache::new(ECHOES),
            hasher: DefaultHashBuilder::default(),
        }
    }

    pub fn len(&self) -> usize {
        (self.order[0].len + self.order[1].len) as usize
    }

    /// What all that waits costs.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// Since when the oldest has waited.
    pub fn oldest(&self) -> Option<Instant> {
        let head = |list: &List| self.entries.get(list.head as usize).map(|entry| entry.since);
        self.order.iter().filter_map(head).min()
    }

    /// Takes work in; `cost` is its share of inference in units of one's own, at least 1.
    pub fn push(&mut self, ticket: &Ticket, cost: u32, work: T, now: Instant) -> Pushed<T> {
        let kept = ticket.standing == Standing::Kept;
        if self.len() >= self.capacity && kept && self.order[0].len == 0 {
            return Pushed::Full(work);
        }
        if self.by_channel.len().max(self.by_voice.len()) > 2 * self.capacity {
            self.sweep();
        }
        let lane = self.lane(ticket);
        let entry = Entry {
            work: Some(work),
            cost: cost.max(1),
            since: now,
            voice: NONE,
            next: NONE,
            older: self.order[usize::from(kept)].tail,
            newer: NONE,
        };
        self.cost += entry.cost as usize;
        let place = self.put(entry);
        let order = &mut self.order[usize::from(kept)];
        let older = std::mem::replace(&mut order.tail, place);
        order.len += 1;
        match self.entries.get_mut(older as usize) {
            Some(older) => older.newer = place,
            None => order.head = place,
        }
        if kept {
            let list = &mut self.lanes[lane as usize].kept;
            append(list, &mut self.entries, place);
        } else {
            let voice = self.voice(lane, ticket);
            self.entries[place as usize].voice = voice;
            let list = &mut self.voices[voice as usize].list;
            append(list, &mut self.entries, place);
            let len = list.len;
            self.louder(lane, voice, len - 1, len);
            self.fuller(lane, 1);
        }
        if self.len() <= self.capacity {
            return Pushed::In;
        }
        match self.victim() {
            Some(victim) => Pushed::Shed(victim),
            None => Pushed::In,
        }
    }

    /// Sheds what has waited too long.
    pub fn expire(&mut self, now: Instant, shed: &mut Vec<T>) {
        let Some(wait) = self.wait else { return };
        while let Some(oldest) = self.entries.get(self.order[0].head as usize)
            && now.saturating_duration_since(oldest.since) > wait
        {
            // Voices keep the order of arrival, so the oldest of all is the oldest of its voice.
            shed.extend(self.pop_voice(oldest.voice));
        }
    }

    /// Takes a fair batch of at most `most` entries, that ends with the one which brings its cost to `cost`. Below four
    /// entries a batch has no quarter: channels just take turns.
    pub fn fill(&mut self, most: usize, cost: usize, out: &mut Vec<T>) {
        let mut room = Room { most, cost };
        let crowd = self.most_crowded();
        let Some(crowd) = crowd.filter(|lane| most >= 4 && self.waiting(*lane) < self.len()) else {
            self.take_turns(NONE, &mut room, out);
            return;
        };
        // The others first, three quarters of the batch; of the crowd, a third of what they got.
        let quarter = Room { most: most / 4, cost: cost / 4 };
        room = Room { most: most - quarter.most, cost: cost - quarter.cost };
        let others = room.cost;
        self.take_turns(crowd, &mut room, out);
        let third = (others - room.cost) / 3;
        let given = Room { most: quarter.most.max(1), cost: quarter.cost.min(third.max(1)) };
        let mut share = given;
        self.take_from(crowd, i64::MAX, &mut share, out);
        room.most += quarter.most.saturating_sub(given.most - share.most);
        room.cost += quarter.cost.saturating_sub(given.cost - share.cost);
        self.take_turns(crowd, &mut room, out);
        if self.waiting(crowd) == self.len() {
            self.take_turns(NONE, &mut room, out);
        }
    }

    /// Takes turns among the channels but one until there is no room or nothing left.
    fn take_turns(&mut self, but: u32, room: &mut Room, out: &mut Vec<T>) {
        let mut idle = 0;
        while room.is_left() && idle < self.turn.len() {
            let Some(lane) = self.turn.pop_front() else { return };
            if lane == but {
                idle += 1;
                self.turn.push_back(lane);
                continue;
            }
            idle = 0;
            let credit = self.lanes[lane as usize].credit + i64::from(TURN);
            let left = self.take_from(lane, credit, room, out);
            if self.waiting(lane) == 0 {
                self.close(lane);
            } else {
                self.lanes[lane as usize].credit = left;
                self.turn.push_back(lane);
            }
        }
    }

    /// Takes from one channel while its credit and the room last: first what is kept, then its voices in turn.
    fn take_from(&mut self, lane: u32, credit: i64, room: &mut Room, out: &mut Vec<T>) -> i64 {
        let mut credit = credit;
        while room.is_left() {
            let own = &self.lanes[lane as usize];
            let kept = own.kept.head;
            let place = if kept != NONE { kept } else { self.next_of_voices(lane) };
            let Some(entry) = self.entries.get(place as usize) else { break };
            let cost = i64::from(entry.cost);
            if credit < cost {
                break;
            }
            credit -= cost;
            room.most -= 1;
            room.cost = room.cost.saturating_sub(entry.cost as usize);
            if kept != NONE {
                out.extend(self.pop_kept(lane));
            } else {
                let voice = entry.voice;
                out.extend(self.pop_voice(voice));
                self.next_voice(lane);
            }
        }
        credit
    }

    /// The head of the voice whose turn it is; voices that have fallen silent are let go.
    fn next_of_voices(&mut self, lane: u32) -> u32 {
        loop {
            let first = self.lanes[lane as usize].first;
            let Some(voice) = self.voices.get(first as usize) else { return NONE };
            if voice.list.len > 0 {
                return voice.list.head;
            }
            self.drop_first_voice(lane);
        }
    }

    /// The voice that had its turn goes behind the others.
    fn next_voice(&mut self, lane: u32) {
        let own = &mut self.lanes[lane as usize];
        let (first, last) = (own.first, own.last);
        if self.voices[first as usize].list.len == 0 {
            return self.drop_first_voice(lane);
        }
        if first == last {
            return;
        }
        own.first = self.voices[first as usize].next;
        own.last = first;
        self.voices[last as usize].next = first;
        self.voices[first as usize].next = NONE;
    }

    fn drop_first_voice(&mut self, lane: u32) {
        let own = &mut self.lanes[lane as usize];
        let first = own.first;
        let voice = &mut self.voices[first as usize];
        own.first = voice.next;
        if own.first == NONE {
            own.last = NONE;
        }
        self.by_voice.remove(&(lane, voice.key));
        voice.next = std::mem::replace(&mut self.free[1], first);
    }

    /// What is shed to make room, if anything may be.
    fn victim(&mut self) -> Option<T> {
        let most = |set: &BTreeSet<(u32, u32)>| set.last().copied();
        let (low, high) = (most(&self.crowded[0]), most(&self.crowded[1]));
        let lane = match (low, high) {
            (Some(low), Some(high)) if self.superseded => low.max(high).1,
            (Some((_, low)), _) => low,
            (None, high) => {
                let single = self.oldest_low();
                match (single, high) {
                    (Some(single), None) => return self.pop_voice(single),
                    (Some(single), Some(_)) if !self.superseded => return self.pop_voice(single),
                    (_, Some((_, high))) => high,
                    (None, None) => {
                        let oldest = self.entries.get(self.order[0].head as usize)?.voice;
                        return self.pop_voice(oldest);
                    }
                }
            }
        };
        let loudest = self.loud.range((lane, 0, 0)..=(lane, NONE, NONE)).next_back();
        let voice = match loudest {
            Some((.., voice)) => *voice,
            // Every voice has one: the oldest of the channel.
            None => self.oldest_of(lane)?,
        };
        self.pop_voice(voice)
    }

    /// The voice of the oldest entry of any channel below `concern`.
    fn oldest_low(&self) -> Option<u32> {
        if self.low == 0 {
            return None;
        }
        self.by_age().find(|voice| self.lanes[self.voices[*voice as usize].lane as usize].low)
    }

    fn oldest_of(&self, lane: u32) -> Option<u32> {
        self.by_age().find(|voice| self.voices[*voice as usize].lane == lane)
    }

    /// Voices of what may be shed, by its age.
    fn by_age(&self) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.order[0].head;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            at = entry.newer;
            Some(entry.voice)
        })
    }

    fn waiting(&self, lane: u32) -> usize {
        let lane = &self.lanes[lane as usize];
        (lane.chat + lane.kept.len) as usize
    }

    fn most_crowded(&self) -> Option<u32> {
        let most = self.crowded.iter().filter_map(|set| set.last()).max();
        most.map(|(_, lane)| *lane)
    }

    fn pop_kept(&mut self, lane: u32) -> Option<T> {
        let list = &mut self.lanes[lane as usize].kept;
        let place = behead(list, &self.entries)?;
        self.release(place, 1)
    }

    fn pop_voice(&mut self, voice: u32) -> Option<T> {
        let own = self.voices.get_mut(voice as usize)?;
        let (lane, place) = (own.lane, behead(&mut own.list, &self.entries)?);
        let len = own.list.len;
        self.louder(lane, voice, len + 1, len);
        self.fuller(lane, -1);
        self.release(place, 0)
    }

    /// Frees a place; its work goes out.
    fn release(&mut self, place: u32, order: usize) -> Option<T> {
        let entry = &mut self.entries[place as usize];
        let (older, newer) = (entry.older, entry.newer);
        let work = entry.work.take();
        self.cost -= entry.cost as usize;
        entry.next = std::mem::replace(&mut self.free[0], place);
        let list = &mut self.order[order];
        list.len -= 1;
        match self.entries.get_mut(older as usize) {
            Some(older) => older.newer = newer,
            None => list.head = newer,
        }
        match self.entries.get_mut(newer as usize) {
            Some(newer) => newer.older = older,
            None => list.tail = older,
        }
        work
    }

    /// A channel has one more that may be shed, or one less.
    fn fuller(&mut self, lane: u32, by: i32) {
        let own = &mut self.lanes[lane as usize];
        let (before, class) = (own.chat, usize::from(!own.low));
        own.chat = before.wrapping_add_signed(by);
        if own.low {
            self.low = self.low.wrapping_add_signed(by as isize);
        }
        let after = own.chat;
        let set = &mut self.crowded[class];
        if before >= 2 {
            set.remove(&(before, lane));
        }
        if after >= 2 {
            set.insert((after, lane));
        }
    }

    fn louder(&mut self, lane: u32, voice: u32, before: u32, after: u32) {
        if before >= 2 {
            self.loud.remove(&(lane, before, voice));
        }
        if after >= 2 {
            self.loud.insert((lane, after, voice));
        }
    }

    /// The channel's lane, opened if need be, at the level that it has now.
    fn lane(&mut self, ticket: &Ticket) -> u32 {
        let lane = match self.by_channel.get(&ticket.channel) {
            Some(lane) => *lane,
            None => self.open(ticket.channel.clone()),
        };
        let low = match ticket.standing {
            Standing::Low => true,
            Standing::High => false,
            Standing::Kept => return lane,
        };
        let own = &mut self.lanes[lane as usize];
        if own.low != low {
            let chat = own.chat;
            own.low = low;
            match low {
                true => self.low += chat as usize,
                false => self.low -= chat as usize,
            }
            if chat >= 2 {
                self.crowded[usize::from(low)].remove(&(chat, lane));
                self.crowded[usize::from(!low)].insert((chat, lane));
            }
        }
        lane
    }

    fn open(&mut self, channel: ChannelId) -> u32 {
        let lane = Lane {
            channel: Some(channel.clone()),
            low: true,
            kept: List::EMPTY,
            chat: 0,
            first: NONE,
            last: NONE,
            credit: 0,
            next_free: NONE,
        };
        let place = self.free[2];
        let place = match self.lanes.get_mut(place as usize) {
            Some(free) => {
                self.free[2] = free.next_free;
                *free = lane;
                place
            }
            None => {
                self.lanes.push(lane);
                self.lanes.len() as u32 - 1
            }
        };
        self.by_channel.insert(channel, place);
        self.turn.push_back(place);
        place
    }

    /// An empty channel's lane goes; it stands in no turn any more.
    fn close(&mut self, lane: u32) {
        while self.lanes[lane as usize].first != NONE {
            self.drop_first_voice(lane);
        }
        let own = &mut self.lanes[lane as usize];
        own.next_free = std::mem::replace(&mut self.free[2], lane);
        if let Some(channel) = own.channel.take() {
            self.by_channel.remove(&channel);
        }
    }

    /// Lets channels and voices go that emptied without having their turn.
    fn sweep(&mut self) {
        for _ in 0..self.turn.len() {
            let Some(lane) = self.turn.pop_front() else { return };
            if self.waiting(lane) == 0 {
                self.close(lane);
                continue;
            }
            self.turn.push_back(lane);
            let mut voice = self.lanes[lane as usize].first;
            let last = self.lanes[lane as usize].last;
            while voice != NONE {
                let next = if voice == last { NONE } else { self.voices[voice as usize].next };
                // The one in front goes behind the others, or goes.
                self.next_voice(lane);
                voice = next;
            }
        }
    }

    /// The voice that says it: the author's, or that of all who repeat what was said.
    fn voice(&mut self, lane: u32, ticket: &Ticket) -> u32 {
        let mut key = ticket.author;
        if ticket.alike != 0 {
            use std::hash::BuildHasher as _;
            let alike = self.hasher.hash_one((&ticket.channel, ticket.alike));
            if self.echoes.put(alike, ()).is_some() {
                key = alike;
            }
        }
        if let Some(voice) = self.by_voice.get(&(lane, key)) {
            return *voice;
        }
        let voice = Voice { lane, key, list: List::EMPTY, next: NONE };
        let place = self.free[1];
        let place = match self.voices.get_mut(place as usize) {
            Some(free) => {
                self.free[1] = free.next;
                *free = voice;
                place
            }
            None => {
                self.voices.push(voice);
                self.voices.len() as u32 - 1
            }
        };
        self.by_voice.insert((lane, key), place);
        let own = &mut self.lanes[lane as usize];
        match self.voices.get_mut(own.last as usize) {
            Some(last) => last.next = place,
            None => own.first = place,
        }
        own.last = place;
        place
    }

    fn put(&mut self, entry: Entry<T>) -> u32 {
        let place = self.free[0];
        match self.entries.get_mut(place as usize) {
            Some(free) => {
                self.free[0] = free.next;
                *free = entry;
                place
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        }
    }
}

/// What a batch still takes.
#[derive(Clone, Copy)]
struct Room {
    most: usize,
    cost: usize,
}

impl Room {
    fn is_left(self) -> bool {
        self.most > 0 && self.cost > 0
    }
}

fn append<T>(list: &mut List, entries: &mut [Entry<T>], place: u32) {
    match entries.get_mut(list.tail as usize) {
        Some(last) => last.next = place,
        None => list.head = place,
    }
    list.tail = place;
    list.len += 1;
}

fn behead<T>(list: &mut List, entries: &[Entry<T>]) -> Option<u32> {
    let place = list.head;
    list.head = entries.get(place as usize)?.next;
    if list.head == NONE {
        list.tail = NONE;
    }
    list.len -= 1;
    Some(place)
}

#[cfg(test)]
#[path = "queue/tests.rs"]
mod tests;
