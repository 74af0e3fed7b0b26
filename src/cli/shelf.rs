//! Channels asleep. A channel that time alone cannot change, and for which nothing came for a while, leaves memory; its
//! state stands in the last durable checkpoint and comes back before its next event. What comes of it is the same.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use super::engine::Slot;
use crate::event::{ChannelId, Gap};
use crate::store::Store;

/// How often a store that cannot be read is tried again, and how long after.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Gaps of whole feeds that are remembered for channels asleep.
const GAPS: usize = 64;

/// The last gaps that concern every channel of a feed, for those that were asleep when they were told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FeedGaps {
    /// How many there ever were.
    count: u64,
    /// Each with its number, from 1, and its feed's name.
    last: VecDeque<(u64, Box<str>, Gap)>,
    #[serde(skip)]
    changed: bool,
}

impl FeedGaps {
    /// What a checkpoint holds of them.
    pub fn read(saved: Option<&str>) -> Self {
        let Some(saved) = saved else { return Self::default() };
        serde_json::from_str(saved).unwrap_or_else(|error| {
            tracing::error!(%error, "the feeds' gaps of the checkpoint cannot be read; channels asleep do not show them");
            Self::default()
        })
    }

    pub fn told(&mut self, feed: &str, gap: &Gap) {
        self.count += 1;
        self.changed = true;
        if self.last.len() >= GAPS {
            self.last.pop_front();
        }
        self.last.push_back((self.count, feed.into(), gap.clone()));
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those of a feed that a state does not know which knows of `known` gaps.
    pub fn since(&self, known: u64, feed: &str) -> Vec<Gap> {
        let new = self.last.iter().filter(|(number, of, _)| *number > known && **of == *feed);
        new.map(|(.., gap)| gap.clone()).collect()
    }

    /// For a checkpoint, where it changed since the last.
    pub fn changed(&mut self) -> Option<String> {
        // Names and numbers.
        std::mem::take(&mut self.changed).then(|| serde_json::to_string(self).unwrap_or_default())
    }
}

/// See the module.
pub struct Shelf {
    store: Store,
    runtime: tokio::runtime::Handle,
    asleep: HashSet<ChannelId>,
    pub gaps: FeedGaps,
    durable: Arc<AtomicU64>,
    /// How long nothing comes before a channel sleeps.
    pub idle: Duration,
    /// Channels in memory beyond which those silent longest sleep at once.
    pub most: usize,
}

impl Shelf {
    /// `asleep`: the channels that the last run left in the store; kept no longer than their state. `durable` holds the
    /// number of the last checkpoint that was saved.
    pub fn new(
        store: Store,
        asleep: HashSet<ChannelId>,
        gaps: FeedGaps,
        durable: Arc<AtomicU64>,
        idle: Duration,
        most: usize,
    ) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { store, runtime, asleep, gaps, durable, idle, most }
    }

    /// Whether a channel's state, last put into checkpoint `number`, can be had from the store.
    pub fn is_durable(&self, number: u64) -> bool {
        number <= self.durable.load(Ordering::Acquire)
    }

    pub fn put(&mut self, channel: ChannelId) {
        self.asleep.insert(channel);
    }

    /// The state of a channel that sleeps, and the gaps of its feed that were told meanwhile; it is awake from now on.
    /// Called on a shard's thread, which waits for the store.
    pub fn wake(&mut self, channel: &ChannelId) -> Option<(Slot, Vec<Gap>)> {
        if !self.asleep.remove(channel) {
            return None;
        }
        let mut state = self.runtime.block_on(self.store.sleeper(channel));
        // What a channel remembers of months is not given up for a store that is busy for a moment.
        for _ in 0..TRIES {
            if state.is_ok() {
                break;
            }
            std::thread::sleep(TRY_AGAIN);
            state = self.runtime.block_on(self.store.sleeper(channel));
        }
        let told = match state {
            Ok(Some((bytes, known))) => Slot::read(&bytes)
                .map(|slot| {
                    let gaps = self.gaps.since(known, &slot.feed_name);
                    (slot, gaps)
                })
                .map_err(|error| error.to_string()),
            // It was kept longer than `[privacy] channels` and is gone.
            Ok(None) => return None,
            Err(error) => Err(error.to_string()),
        };
        told.inspect_err(|error| {
            tracing::error!(%error, "the state of a sleeping channel cannot be read; it starts anew");
        })
        .ok()
    }
}
