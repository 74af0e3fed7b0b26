//! The last two minutes of what was said, and the last looks, of every live channel, in memory under one byte cap.
//! In: what came, with its digest. Out: bytes by digest.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::alert::EvidenceKind;
use crate::event::{ChannelId, Digest, Timestamp};

/// How much of a channel's chat is kept, in milliseconds of channel time (contracts, "Evidence and identity").
const CHAT_MS: i64 = 120_000;
/// A look closes at the latest so long after its first picture (contracts, "Looks"), in milliseconds.
const LOOK_MS: i64 = 2_500;
/// Looks kept: the last one, and the one before it, which may still wait for its score when the next opens.
const LOOKS: usize = 2;
/// Pictures kept of a channel, whatever its looks.
const FRAMES: usize = 32;
/// What an item costs beside its bytes: indexes and queues.
const OVERHEAD: usize = 192;

/// See the module.
pub struct Ring {
    cap: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    channels: HashMap<ChannelId, Channel>,
    /// Arrival number to channel, oldest first.
    order: BTreeMap<u64, ChannelId>,
    by_digest: HashMap<Digest, Shared>,
    next: u64,
    bytes: usize,
}

struct Shared {
    bytes: Bytes,
    /// Items that hold it: the same picture may come twice.
    uses: u32,
}

#[derive(Default)]
struct Channel {
    words: VecDeque<Item>,
    frames: VecDeque<Item>,
    bytes: usize,
    newest: Timestamp,
}

struct Item {
    number: u64,
    digest: Digest,
    at: Timestamp,
    cost: usize,
}

impl Ring {
    /// A ring of at most `cap` bytes, overhead included.
    pub fn new(cap: usize) -> Self {
        Self { cap, inner: Mutex::default() }
    }

    /// Takes an item in; what is too old or too much goes.
    pub fn push(
        &self,
        channel: &ChannelId,
        at: Timestamp,
        digest: Digest,
        kind: EvidenceKind,
        bytes: Bytes,
    ) {
        let cost = bytes.len() + OVERHEAD;
        if cost > self.cap / 4 {
            return;
        }
        let inner = &mut *self.inner.lock();
        let number = inner.next;
        inner.next += 1;
        inner.order.insert(number, channel.clone());
        inner.bytes += cost;
        inner.by_digest.entry(digest).or_insert(Shared { bytes, uses: 0 }).uses += 1;
        let own = inner.channels.entry(channel.clone()).or_default();
        own.bytes += cost;
        own.newest = own.newest.max(at);
        let item = Item { number, digest, at, cost };
        if kind == EvidenceKind::Frame {
            own.frames.push_back(item);
        } else {
            own.words.push_back(item);
        }
        inner.age(channel);
        while inner.channels.get(channel).is_some_and(|own| own.bytes > self.cap / 4) {
            inner.drop_oldest_of(channel);
        }
        while inner.bytes > self.cap {
            let Some((_, oldest)) = inner.order.first_key_value() else { break };
            let oldest = oldest.clone();
            inner.drop_oldest_of(&oldest);
        }
    }

    /// The bytes of an item that is still here.
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.inner.lock().by_digest.get(digest).map(|shared| shared.bytes.clone())
    }

    /// Drops all of a channel.
    pub fn forget(&self, channel: &ChannelId) {
        let inner = &mut *self.inner.lock();
        while inner.channels.contains_key(channel) {
            inner.drop_oldest_of(channel);
        }
    }

    /// Bytes held over all channels, overhead included.
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// Bytes held of one channel, overhead included.
    pub fn bytes_of(&self, channel: &ChannelId) -> usize {
        self.inner.lock().channels.get(channel).map_or(0, |own| own.bytes)
    }
}

impl Inner {
    fn age(&mut self, channel: &ChannelId) {
        let Some(own) = self.channels.get_mut(channel) else { return };
        let oldest = own.newest.plus_ms(-CHAT_MS);
        let mut gone = Vec::new();
        while own.words.front().is_some_and(|item| item.at < oldest) {
            gone.extend(own.words.pop_front());
        }
        while own.frames.len() > FRAMES || looks(&own.frames) > LOOKS {
            gone.extend(own.frames.pop_front());
        }
        gone.into_iter().for_each(|item| self.remove(channel, item));
    }

    fn drop_oldest_of(&mut self, channel: &ChannelId) {
        let Some(own) = self.channels.get_mut(channel) else { return };
        let number = |items: &VecDeque<Item>| items.front().map_or(u64::MAX, |item| item.number);
        let item = if number(&own.words) <= number(&own.frames) {
            own.words.pop_front()
        } else {
            own.frames.pop_front()
        };
        match item {
            Some(item) => self.remove(channel, item),
            None => {
                self.channels.remove(channel);
            }
        }
    }

    fn remove(&mut self, channel: &ChannelId, item: Item) {
        self.order.remove(&item.number);
        self.bytes -= item.cost;
        if let Some(shared) = self.by_digest.get_mut(&item.digest) {
            shared.uses -= 1;
            if shared.uses == 0 {
                self.by_digest.remove(&item.digest);
            }
        }
        if let Some(own) = self.channels.get_mut(channel) {
            own.bytes -= item.cost;
            if own.words.is_empty() && own.frames.is_empty() {
                self.channels.remove(channel);
            }
        }
    }
}

/// How many looks these pictures make up.
fn looks(frames: &VecDeque<Item>) -> usize {
    let mut count = 0;
    let mut first: Option<Timestamp> = None;
    for frame in frames {
        if first.is_none_or(|first| frame.at.since(first) > LOOK_MS) {
            count += 1;
            first = Some(frame.at);
        }
    }
    count
}
