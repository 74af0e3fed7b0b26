//! What a checkpoint holds of intake and feeds, and how a new life of the daemon takes it back: both sides of one thing,
//! used by the daemon and by its simulation in the tests.

use hashbrown::HashSet;

use super::engine::{Engine, Slot};
use super::intake::{FeedClock, Intake};
use super::shard::Barrier;
use super::shelf::FeedGaps;
use crate::alert::Change;
use crate::config::Config;
use crate::event::{ChannelId, Consumed, Fuel};
use crate::store::{Checkpoint, FeedMark, Noted, Store, StoreError};
use crate::telemetry::Clock;

/// What intake and feeds hold now, for a checkpoint. Every shard is told it behind what was admitted before.
/// `names`: of the feeds, by place; `config`: the digest of the config in force.
pub fn barrier(intake: &mut Intake, names: &[&str], config: String) -> Barrier {
    let mut feeds = Vec::new();
    let unfinished = intake.door.unfinished();
    for (place, feed) in names.iter().enumerate() {
        let place = place as u16;
        let (cursor, seen) = intake.dedupe.mark(place, &unfinished);
        let (feed, second) = ((*feed).to_owned(), intake.second(place));
        feeds.push((place, FeedMark { feed, cursor: cursor.map(Into::into), seen, second }));
    }
    let donations = intake.dedupe.changed_donations().map(|changed| {
        // A list of numbers.
        serde_json::to_string(&changed).unwrap_or_default()
    });
    Barrier { feeds, donations, config }
}

/// Puts back what the last life knew; gives the cursor at which each feed of the config resumes.
pub fn recall(
    checkpoint: &Checkpoint,
    config: &Config,
    clock: &Clock,
    intake: &mut Intake,
    engine: &mut Engine,
) -> Vec<Option<Box<str>>> {
    for saved in &checkpoint.channels {
        let slot = match read(&saved.state, config) {
            Ok(slot) => slot,
            Err(error) => {
                tracing::error!(%error, "a channel's checkpoint cannot be read; it starts anew");
                continue;
            }
        };
        if slot.feed != u16::MAX {
            intake.heard_before(slot.feed, slot.channel.now);
            if intake.clock(slot.feed) == FeedClock::Live {
                clock.at_least(slot.channel.now);
            }
        }
        intake.door.restore(&saved.channel, saved.setting, saved.language.as_deref());
        engine.restore(saved.channel.clone(), slot);
    }
    for known in &checkpoint.asleep {
        intake.door.restore(&known.channel, known.setting, known.language.as_deref());
    }
    if let Some(donations) = &checkpoint.donations {
        match serde_json::from_str(donations) {
            Ok(donations) => intake.dedupe.restore_donations(donations),
            Err(error) => tracing::error!(%error,
                "the donations of the checkpoint cannot be read; one that another feed tells again counts twice"),
        }
    }
    let resume = |(place, feed): (usize, &crate::config::Feed)| {
        let mark = checkpoint.feeds.iter().find(|mark| mark.feed == feed.name)?;
        let cursor: Option<Box<str>> = mark.cursor.as_deref().map(Into::into);
        intake.dedupe.restore(place as u16, mark.seen.clone(), cursor.clone());
        intake.restore_second(place as u16, mark.second);
        cursor
    };
    config.feeds.iter().enumerate().map(resume).collect()
}

/// A channel's state as the store has it.
fn read(state: &[u8], config: &Config) -> std::io::Result<Slot> {
    let mut slot = Slot::read(state)?;
    let place = config.feeds.iter().position(|feed| feed.name == *slot.feed_name);
    // A channel of a feed that is gone belongs to none: no time passes for it.
    slot.feed = place.map_or(u16::MAX, |place| place as u16);
    Ok(slot)
}

/// Behind [`recall`]: on a live clock what comes again after a crash is not what came before it, so what was told since
/// the checkpoint stands, and the channels that it is about take it over. Those of them that are `asleep` wake. `noted`
/// was told past the store; of it is left what is to be committed now.
pub async fn recall_told(
    store: &Store,
    config: &Config,
    intake: &Intake,
    engine: &mut Engine,
    asleep: &mut HashSet<ChannelId>,
    gaps: &FeedGaps,
    noted: &mut Vec<Noted>,
) -> Result<(), StoreError> {
    let sent = std::mem::take(noted);
    let mut feeds = 0..config.feeds.len() as u16;
    if feeds.all(|feed| intake.clock(feed) == FeedClock::Data) {
        return Ok(());
    }
    let mut told: Vec<(Change, Option<Noted>)> =
        store.since_checkpoint().await?.into_iter().map(|change| (change, None)).collect();
    for one in unsaved(store, sent).await? {
        told.push((one.change.clone(), Some(one)));
    }
    for (change, unsaved) in told {
        let channel = &change.alert.channel;
        if asleep.remove(channel)
            && let Some((bytes, known)) = store.sleeper(channel).await?
            && let Ok(slot) = read(&bytes, config)
        {
            let (missed, at) = (gaps.since(known, &slot.feed_name), slot.now());
            engine.restore(channel.clone(), slot);
            for gap in missed {
                // In the state that its first entry in the journal follows.
                let fuel = Fuel::Gap { gap };
                engine.consume(&Consumed { channel: channel.clone(), at, fuel });
            }
        }
        let feed = engine.slot(channel).map_or(u16::MAX, |slot| slot.feed);
        if intake.clock(feed) != FeedClock::Live {
            continue;
        }
        if engine.adopt(&change) {
            tracing::info!(alert = %change.alert.id, revision = change.alert.revision, "found as told before a crash");
        }
        noted.extend(unsaved);
    }
    Ok(())
}

/// Of what was sent past the store, the revisions that follow what it holds.
async fn unsaved(store: &Store, sent: Vec<Noted>) -> Result<Vec<Noted>, StoreError> {
    let mut left: Vec<Noted> = Vec::new();
    for one in sent {
        let (id, revision) = (one.change.alert.id, one.change.alert.revision);
        let before = match left.last().map(|last| &last.change.alert) {
            Some(last) if last.id == id => last.revision,
            _ => store.newest_revision(id).await?,
        };
        if revision == before + 1 {
            left.push(one);
        }
    }
    Ok(left)
}
