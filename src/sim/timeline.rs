//! The script and the platform's own looks as one list in order of time. A cursor is a place in it.

use serde_json::json;

use super::script::{Scenario, short};
use crate::event::Timestamp;

/// Pictures of a look that nobody asked for.
pub(super) const BURST: u32 = 8;
/// Time from a look's first picture to its last, milliseconds.
pub(super) const OVER_MS: i64 = 2000;
/// A look every 20 s, unasked.
pub(super) const EVERY_MS: i64 = 20_000;

/// A picture to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shot {
    pub at: Timestamp,
    pub channel: String,
    pub look: String,
    /// 1 to `of`.
    pub n: u32,
    pub of: u32,
}

impl Shot {
    /// The event of the wire format without `data`.
    pub fn header(&self, run: &str) -> serde_json::Value {
        json!({
            "type": "frame",
            "id": format!("{run}-{}-p{}-{}", short(&self.channel), self.at.0, self.look),
            "at": self.at,
            "channel": self.channel,
            "media": "image/jpeg",
            "look": {"id": self.look, "n": self.n, "of": self.of},
        })
    }

    /// The picture; `None` if the scenario lacks the channel.
    pub fn jpeg(&self, scenario: &Scenario) -> Option<Vec<u8>> {
        Some(scenario.scene_at(&self.channel, self.at)?.jpeg())
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The scripted event at this place of [`Scenario::events`].
    Said(usize),
    Picture(Shot),
}

/// Time of picture `n` (from 1) of a look that opened at `opened`.
pub(super) fn shot_at(opened: Timestamp, n: u32, of: u32, over_ms: i64) -> Timestamp {
    let gaps = i64::from(of.max(2) - 1);
    opened.plus_ms(over_ms * i64::from(n - 1) / gaps)
}

/// The whole scenario with a look at each channel every `every_ms`, the channels one after another.
pub(super) fn timeline(scenario: &Scenario, every_ms: i64) -> Vec<(Timestamp, Item)> {
    let mut items: Vec<(Timestamp, Item)> =
        scenario.events().iter().enumerate().map(|(i, event)| (event.at, Item::Said(i))).collect();
    let channels = scenario.channels();
    for (place, channel) in channels.iter().enumerate() {
        let offset = every_ms * place as i64 / channels.len() as i64;
        let mut opened = scenario.start().plus_ms(offset);
        let mut look = 1;
        while opened.plus_ms(OVER_MS) < scenario.end() {
            for n in 1..=BURST {
                let at = shot_at(opened, n, BURST, OVER_MS);
                let look = format!("S{look}");
                let channel = channel.to_string();
                items.push((at, Item::Picture(Shot { at, channel, look, n, of: BURST })));
            }
            opened = opened.plus_ms(every_ms.max(OVER_MS + 1000));
            look += 1;
        }
    }
    items.sort_by_key(|(at, _)| *at);
    items
}
