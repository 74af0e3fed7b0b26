//! The evening as it should be: every line once, in order, straight through intake and engine. No queues, no disk, no
//! time but that of the lines.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use vigie::alert::Change;
use vigie::cli::engine::{Engine, Oracle};
use vigie::cli::intake::{Admission, FeedClock, Intake};
use vigie::cli::replay::{event_entry, gap_entries, look_entry};
use vigie::cli::setup;
use vigie::event::{Consumed, Fuel, Keyer, Timestamp, decode};
use vigie::model::{Door, Ready};

use super::house::Setting;
use super::story::{Story, look_scores, message_scores};

/// What should come of the story's channels.
pub struct Should {
    pub revisions: BTreeMap<(String, u32), Change>,
    pub channels: BTreeMap<String, serde_json::Value>,
    /// What each channel consumes, in order.
    pub consumed: BTreeMap<String, Vec<String>>,
    /// Channels of which something was shed.
    pub shed: BTreeSet<String>,
}

/// One thing that was consumed, in a word.
pub fn word(entry: &Consumed) -> String {
    let what = match &entry.fuel {
        Fuel::Event { event, unscored, .. } => format!("{} {unscored:?}", event.id),
        Fuel::Look { look } => format!("look {} of {}", look.id, look.frames.len()),
        Fuel::Tick => "tick".into(),
        Fuel::Gap { gap } => format!("{gap:?}"),
        Fuel::Decision { decision } => format!("{decision:?}"),
    };
    format!("{} {what}", entry.at)
}

pub fn should(setting: &Setting, story: &Story) -> Should {
    let most = NonZeroUsize::new(1 << 10).expect("some");
    let rates = Arc::new(setting.config.currency.table.rates());
    let door = Door::new(most, setup::categories(&setting.config), rates);
    let mut intake = Intake::new(door, &vec![FeedClock::Data; story.feeds.len()]);
    let mut engine = Engine::new(setting.terms.clone(), Oracle::None);
    let mut all: Vec<(i64, usize, &str)> = Vec::new();
    for (feed, lines) in story.feeds.iter().enumerate() {
        all.extend(lines.iter().map(|line| (line.told, feed, line.text.as_str())));
    }
    all.sort_by_key(|(told, feed, _)| (*told, *feed));
    let mut revisions = BTreeMap::new();
    let (mut known, mut of) = (BTreeSet::new(), BTreeMap::new());
    let mut consumed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut take = |engine: &mut Engine, feed: usize, entry: &Consumed| {
        consumed.entry(entry.channel.to_string()).or_default().push(word(entry));
        for change in engine.consume(entry).changes {
            revisions.insert((change.alert.id.to_string(), change.alert.revision), change);
        }
        // Whose gaps are the channel's.
        engine.slot_mut(&entry.channel).feed = feed as u16;
    };
    for (_, feed, text) in all {
        let Ok(item) = decode(text, &Keyer::replay()) else { continue };
        let mut out = Vec::new();
        intake.item(feed as u16, item, Timestamp(0), &mut out, &mut |_| {});
        for admission in out {
            match admission {
                Admission::Ready(Ready::Event { admitted, message }) => {
                    let scores = message.map(|message| Ok(message_scores(&message)));
                    let entry = event_entry(admitted, scores);
                    known.insert(entry.channel.clone());
                    of.insert(entry.channel.clone(), feed);
                    take(&mut engine, feed, &entry);
                }
                Admission::Ready(Ready::Look { channel, at, id, frames, pictures }) => {
                    let entry = look_entry(channel, at, id, frames, Ok(look_scores(&pictures)));
                    known.insert(entry.channel.clone());
                    of.insert(entry.channel.clone(), feed);
                    take(&mut engine, feed, &entry);
                }
                // A second of a feed is a second of the channels that it brings.
                Admission::Seconds { from, to, .. } => {
                    for channel in engine.ticking() {
                        for second in from..=to {
                            if of.get(&channel) == Some(&feed) && engine.needs_tick(&channel) {
                                let at = Timestamp(second * 1000);
                                let channel = channel.clone();
                                let tick = Consumed { channel, at, fuel: Fuel::Tick };
                                take(&mut engine, feed, &tick);
                            }
                        }
                    }
                }
                Admission::Gap { feed: of, gap } => {
                    for entry in gap_entries(of, &gap, &engine) {
                        take(&mut engine, feed, &entry);
                    }
                }
            }
        }
    }
    let state = |channel: &vigie::event::ChannelId| {
        // Through text, as the store has it.
        let text = serde_json::to_vec(engine.slot(channel)?).ok()?;
        let mut slot: serde_json::Value = serde_json::from_slice(&text).ok()?;
        // The house writes down who brought it.
        slot["feed_name"] = format!("feed{}", of.get(channel)?).into();
        Some((channel.to_string(), slot))
    };
    let channels = known.iter().filter_map(state).collect();
    Should { channels, revisions, consumed, shed: BTreeSet::new() }
}
