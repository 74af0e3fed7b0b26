//! What a shard does so that nothing it knows is lost or in the way: checkpoints of its channels, channels that go to
//! sleep in the store, and those that come back.

use std::sync::Arc;
use std::time::Duration;

use super::{ACT_LOOK_MS, Barrier, Item, Shard, Snapshot};
use crate::alert::EvidenceKind;
use crate::cli::commit::ToCommitter;
use crate::cli::engine::Step;
use crate::event::{ChannelId, Consumed, Fuel, Level, LookFrame, Timestamp};
use crate::evidence::{Piece, kind_of};

/// Channels that go into a checkpoint between two messages.
const AT_A_TIME: usize = 8;
/// Channels are put to sleep at most this often, unless there are too many.
const SLEEP_EVERY: Duration = Duration::from_secs(60);

impl Shard {
    /// Takes a checkpoint, unless the last one still waits for a score: the next comes in seconds.
    pub(super) fn barrier(&mut self, barrier: Arc<Barrier>) {
        while self.go_on() {}
        if self.snapshot.is_some() {
            return;
        }
        self.put_to_sleep();
        let waiting = self.waiting();
        self.snapshots += 1;
        let mut quiet = self.engine.take_dirty();
        // Those that wait follow at their place in the queue; one that was taken and changed again may be named twice.
        let (queues, engine, number) = (&self.queues, &mut self.engine, self.snapshots);
        quiet.retain(|channel| {
            !queues.contains_key(channel)
                && std::mem::replace(&mut engine.slot_mut(channel).due_in, number) != number
        });
        self.snapshot = Some(Snapshot {
            barrier,
            number: self.snapshots,
            gaps: self.wiring.shelf.gaps.count(),
            outstanding: waiting.len() + quiet.len(),
            quiet,
            channels: Vec::new(),
        });
        for channel in waiting {
            self.enqueue(channel, 0, Item::Barrier, Timestamp(0), 0);
        }
        self.finish_snapshot();
    }

    /// Takes some of the quiet channels into the checkpoint that is under way; thousands at once would keep events
    /// waiting. False if none are left.
    pub fn go_on(&mut self) -> bool {
        for _ in 0..AT_A_TIME {
            let Some(channel) = self.snapshot.as_mut().and_then(|snapshot| snapshot.quiet.pop())
            else {
                return false;
            };
            self.snapshot_before(&channel);
        }
        true
    }

    /// A quiet channel goes into the checkpoint as it was when that was asked for: before anything happens to it.
    pub(super) fn snapshot_before(&mut self, channel: &ChannelId) {
        let Some(snapshot) = &self.snapshot else { return };
        if self.engine.slot(channel).is_some_and(|slot| slot.due_in == snapshot.number) {
            self.engine.slot_mut(channel).due_in = 0;
            self.snapshot_one(channel);
        }
    }

    pub(super) fn snapshot_one(&mut self, channel: &ChannelId) {
        let Some(snapshot) = &mut self.snapshot else { return };
        // One that is not in memory stands in the store already, if anything ever came of it.
        if self.engine.slot(channel).is_some() {
            self.engine.clean(channel);
            let slot = self.engine.slot_mut(channel);
            match slot.saved(channel, snapshot.gaps) {
                Ok(state) => {
                    slot.saved_in = snapshot.number;
                    snapshot.channels.push(state);
                }
                Err(error) => tracing::error!(%error, "the state of a channel cannot be written"),
            }
        }
        snapshot.outstanding = snapshot.outstanding.saturating_sub(1);
        self.finish_snapshot();
    }

    /// What a reason may cite is on disk for a day, whatever the level of its channel; a paid request's own words, and the
    /// pictures of the look that follows it, for 90 days.
    pub(super) fn keep_evidence(&mut self, entry: &Consumed, step: &Step) {
        let channel = &entry.channel;
        let level = || self.engine.slot(channel).map_or(Level::None, |slot| slot.level());
        if step.exhibit {
            self.wiring.evidence.remember(level(), &pieces_of(&entry.fuel));
        }
        let request = match &entry.fuel {
            Fuel::Event { event, .. } if step.act => {
                let request = event.digest();
                self.acts.insert(channel.clone(), (request, entry.at));
                request
            }
            Fuel::Look { .. } => match self.acts.remove(channel) {
                Some((request, then)) if entry.at.since(then) <= ACT_LOOK_MS => request,
                _ => return,
            },
            _ => return,
        };
        let (level, pieces) = (level(), pieces_of(&entry.fuel));
        self.commit(ToCommitter::Act { channel: channel.clone(), level, pieces, request });
    }

    /// A channel that sleeps comes back before anything happens to it.
    pub(super) fn wake(&mut self, channel: &ChannelId) {
        if self.engine.slot(channel).is_none()
            && let Some((mut slot, gaps)) = self.wiring.shelf.wake(channel)
        {
            let place =
                self.wiring.standing.feeds.iter().position(|name| **name == *slot.feed_name);
            slot.feed = place.map_or(u16::MAX, |place| place as u16);
            let (feed, at) = (slot.feed, slot.now());
            self.engine.restore(channel.clone(), slot);
            for gap in gaps {
                let entry = Consumed { channel: channel.clone(), at, fuel: Fuel::Gap { gap } };
                self.consume(entry, Timestamp(0), feed, None);
            }
        }
    }

    /// Once a minute, or when there are too many: channels that time alone cannot change and whose state is durable
    /// leave memory if nothing came for long, and beyond the bound those silent longest.
    fn put_to_sleep(&mut self) {
        let shelf = &self.wiring.shelf;
        let beyond = self.engine.count().saturating_sub(shelf.most);
        let ran = self.wiring.clock.ran();
        if beyond == 0 && ran < self.slept + SLEEP_EVERY {
            return;
        }
        self.slept = ran;
        let silent = |id: &ChannelId| {
            self.touched.get(id).map_or(Duration::MAX, |touch| ran.saturating_sub(touch.ran))
        };
        let mut able: Vec<(Duration, ChannelId)> = self
            .engine
            .slots()
            .filter(|(_, slot)| slot.is_clean() && !slot.is_awake())
            .filter(|(id, slot)| shelf.is_durable(slot.saved_in) && !self.queues.contains_key(*id))
            .map(|(id, _)| (silent(id), id.clone()))
            .collect();
        able.sort_unstable_by(|a, b| b.cmp(a));
        let idle = able.partition_point(|(silent, _)| *silent >= shelf.idle);
        able.truncate(idle.max(beyond));
        let mut rows = self.wiring.rows.write();
        for (_, channel) in able {
            self.engine.forget(&channel);
            self.touched.remove(&channel);
            self.rows_at.remove(&channel);
            self.acts.remove(&channel);
            rows.remove(&channel);
            self.wiring.shelf.put(channel);
        }
    }

    fn finish_snapshot(&mut self) {
        if let Some(snapshot) = self.snapshot.take_if(|snapshot| snapshot.outstanding == 0) {
            let Snapshot { barrier, number, channels, .. } = snapshot;
            let gaps = self.wiring.shelf.gaps.changed();
            self.commit(ToCommitter::Part { barrier, number, channels, gaps });
        }
    }
}

/// What was said or shown, as evidence.
fn pieces_of(fuel: &Fuel) -> Vec<Piece> {
    match fuel {
        Fuel::Event { event, .. } => {
            let piece = |kind| Piece { digest: event.digest(), kind, at: event.at };
            kind_of(event).map(piece).into_iter().collect()
        }
        Fuel::Look { look } => {
            let kind = EvidenceKind::Frame;
            let piece = |f: &LookFrame| Piece { digest: f.digest, kind, at: f.at };
            look.frames.iter().map(piece).collect()
        }
        _ => Vec::new(),
    }
}
