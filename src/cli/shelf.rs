//! Channels asleep. A channel that time alone cannot change, and for which nothing came for a while, leaves memory; its
//! state stands in the last durable checkpoint and comes back before its next event. What comes of it is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashSet;

use super::engine::Slot;
use crate::event::ChannelId;
use crate::store::Store;

/// How often a store that cannot be read is tried again, and how long after.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// See the module.
pub struct Shelf {
    store: Store,
    runtime: tokio::runtime::Handle,
    asleep: HashSet<ChannelId>,
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
        durable: Arc<AtomicU64>,
        idle: Duration,
        most: usize,
    ) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { store, runtime, asleep, durable, idle, most }
    }

    /// Whether a channel's state, last put into checkpoint `number`, can be had from the store.
    pub fn is_durable(&self, number: u64) -> bool {
        number <= self.durable.load(Ordering::Acquire)
    }

    pub fn put(&mut self, channel: ChannelId) {
        self.asleep.insert(channel);
    }

    /// The state of a channel that sleeps; it is awake from now on. Called on a shard's thread, which waits for the store.
    pub fn wake(&mut self, channel: &ChannelId) -> Option<Slot> {
        if !self.asleep.remove(channel) {
            return None;
        }
        let mut state = self.runtime.block_on(self.store.channel_state(channel));
        // What a channel remembers of months is not given up for a store that is busy for a moment.
        for _ in 0..TRIES {
            if state.is_ok() {
                break;
            }
            std::thread::sleep(TRY_AGAIN);
            state = self.runtime.block_on(self.store.channel_state(channel));
        }
        let told = match state {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
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
