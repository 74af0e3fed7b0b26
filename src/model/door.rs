//! The model's door: where events are admitted. It stamps them with the setting and language of the channel's last
//! `stream` event, converts money, joins pictures to looks, and says what is to be scored. Bounded; reads no clock.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use lru::LruCache;

use super::scorer::Message;
use crate::event::{
    Admitted, Body, ChannelId, Event, LookFrame, Rates, Setting, Stamp, StreamInfo, Timestamp,
};

/// Pictures of one look at most.
const MOST_FRAMES: usize = 8;
/// A picture without `look` joins the one before within this time.
const JOIN_MS: i64 = 1000;
/// A look of such pictures spans at most this.
const SPAN_MS: i64 = 2000;
/// A look closes this long after its first picture.
const CLOSE_MS: i64 = 2500;

/// A picture waiting for its look to close.
#[derive(Clone, Debug)]
pub struct OpenLookFrame {
    pub id: Box<str>,
    pub frame: LookFrame,
    pub data: Bytes,
}

struct OpenLook {
    id: Box<str>,
    told: bool,
    of: usize,
    first: Timestamp,
    last: Timestamp,
    frames: Vec<OpenLookFrame>,
    /// Events of pictures beyond [`MOST_FRAMES`], which show nothing more.
    spare: Vec<Box<str>>,
}

#[derive(Default)]
struct Known {
    stamp: Stamp,
    look: Option<OpenLook>,
}

/// What comes through the door, in order.
#[derive(Debug)]
pub enum Ready {
    /// An event; `message` is what to score of it, if anything.
    Event { admitted: Admitted, message: Option<Message> },
    /// A closed look.
    Look {
        channel: ChannelId,
        /// When its last picture was taken.
        at: Timestamp,
        id: Box<str>,
        frames: Vec<LookFrame>,
        pictures: Vec<Bytes>,
    },
}

/// See the module.
pub struct Door {
    known: LruCache<ChannelId, Known>,
    categories: Arc<BTreeMap<String, Setting>>,
    rates: Arc<Rates>,
}

impl Door {
    /// `channels`: how many channels' settings are remembered; the one silent longest is forgotten (and learnt again
    /// from its next `stream` event). Keys of `categories` are lower case.
    pub fn new(
        channels: NonZeroUsize,
        categories: Arc<BTreeMap<String, Setting>>,
        rates: Arc<Rates>,
    ) -> Self {
        Self { known: LruCache::new(channels), categories, rates }
    }

    /// Other tables hold from here on; what is known of channels stays.
    pub fn read_by(&mut self, categories: Arc<BTreeMap<String, Setting>>, rates: Arc<Rates>) {
        self.categories = categories;
        self.rates = rates;
    }

    /// What a checkpoint knew of a channel.
    pub fn restore(&mut self, channel: &ChannelId, setting: Setting, language: Option<&str>) {
        let stamp = Stamp { setting, language: language.map(Into::into) };
        self.known.put(channel.clone(), Known { stamp, ..Known::default() });
    }

    /// Events that were admitted and are in no look yet: what a checkpoint must not count as handled.
    pub fn unfinished(&self) -> Vec<(ChannelId, Box<str>)> {
        let open = self.known.iter().filter_map(|(id, known)| Some((id, known.look.as_ref()?)));
        open.flat_map(|(channel, look)| {
            let ids = look.frames.iter().map(|frame| &frame.id).chain(&look.spare);
            ids.map(|id| (channel.clone(), id.clone()))
        })
        .collect()
    }

    /// Takes an event in; what is ready because of it is appended to `out`, in order.
    pub fn admit(&mut self, mut event: Event, out: &mut Vec<Ready>) {
        if let Body::Donation { amount, .. } = &mut event.body {
            // An amount that cannot be converted is not known, and stays so.
            self.rates.convert(amount);
        }
        let categories = self.categories.clone();
        let known = self.known.get_or_insert_mut(event.channel.clone(), Known::default);
        if let Some(look) = known.look.take_if(|look| event.at.since(look.first) > CLOSE_MS) {
            out.push(look.close(&event.channel));
        }
        if let Body::Stream(info) = &event.body {
            known.told(info, &categories);
        }
        if matches!(event.body, Body::Frame(_)) {
            known.picture(event, out);
            return;
        }
        let message = event.text().map(|text| Message {
            text: text.into(),
            paid: event.paid(),
            setting: known.stamp.setting,
        });
        let admitted = Admitted { event: Arc::new(event), stamp: known.stamp.clone() };
        out.push(Ready::Event { admitted, message });
    }

    /// Time went on to `at` in a channel: a look that waited long enough closes.
    pub fn tick(&mut self, channel: &ChannelId, at: Timestamp, out: &mut Vec<Ready>) {
        if let Some(known) = self.known.peek_mut(channel) {
            if let Some(look) = known.look.take_if(|look| at.since(look.first) > CLOSE_MS) {
                out.push(look.close(channel));
            }
        }
    }

    /// Whether a look of the channel is still open.
    pub fn is_looking(&self, channel: &ChannelId) -> bool {
        self.known.peek(channel).is_some_and(|known| known.look.is_some())
    }
}

impl Known {
    fn told(&mut self, info: &StreamInfo, categories: &BTreeMap<String, Setting>) {
        if let Some(category) = &info.category {
            self.stamp.setting =
                categories.get(&category.trim().to_lowercase()).copied().unwrap_or_default();
        }
        if let Some(language) = &info.language {
            self.stamp.language = Some(language.clone());
        }
    }

    fn picture(&mut self, event: Event, out: &mut Vec<Ready>) {
        let Event { id, at, channel, body: Body::Frame(frame), .. } = event else { return };
        let joins = self.look.as_ref().is_some_and(|look| match &frame.look {
            Some(told) => look.told && look.id == told.id,
            None => {
                !look.told
                    && look.frames.len() < MOST_FRAMES
                    && at.since(look.last) <= JOIN_MS
                    && at.since(look.first) <= SPAN_MS
            }
        });
        if !joins {
            if let Some(look) = self.look.take() {
                out.push(look.close(&channel));
            }
            let told = frame.look.as_ref();
            self.look = Some(OpenLook {
                id: told.map_or_else(|| id.clone(), |look| look.id.clone()),
                told: told.is_some(),
                of: told.map_or(MOST_FRAMES, |look| (look.of as usize).clamp(1, MOST_FRAMES)),
                first: at,
                last: at,
                frames: Vec::with_capacity(MOST_FRAMES),
                spare: Vec::new(),
            });
        }
        let number = frame.look.as_ref().map(|look| look.n as usize);
        if let Some(look) = &mut self.look {
            look.last = look.last.max(at);
            if look.frames.len() < MOST_FRAMES {
                let kept = LookFrame { digest: frame.digest, at };
                look.frames.push(OpenLookFrame { id, frame: kept, data: frame.data });
            } else if look.spare.len() < MOST_FRAMES {
                look.spare.push(id);
            }
            if look.frames.len() >= look.of || number.is_some_and(|n| n >= look.of) {
                if let Some(look) = self.look.take() {
                    out.push(look.close(&channel));
                }
            }
        }
    }
}

impl OpenLook {
    fn close(mut self, channel: &ChannelId) -> Ready {
        self.frames.sort_by_key(|frame| frame.frame.at);
        Ready::Look {
            channel: channel.clone(),
            at: self.last,
            id: self.id,
            frames: self.frames.iter().map(|frame| frame.frame.clone()).collect(),
            pictures: self.frames.into_iter().map(|frame| frame.data).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Digest, Frame, LookRef, StreamState};

    fn door() -> Door {
        let categories = BTreeMap::from([("boxing".to_owned(), Setting::Sport)]);
        Door::new(NonZeroUsize::new(8).unwrap(), Arc::new(categories), Arc::default())
    }

    fn event(at: i64, body: Body) -> Event {
        Event {
            id: format!("e{at}").into(),
            at: Timestamp(at),
            channel: ChannelId::new("k:1"),
            user: None,
            body,
        }
    }

    fn frame(at: i64, look: Option<(&str, u32, u32)>, bytes: &'static [u8]) -> Event {
        let look = look.map(|(id, n, of)| LookRef { id: id.into(), n, of });
        let data = Bytes::from_static(bytes);
        let digest = Digest::of(bytes);
        event(at, Body::Frame(Frame { media: "image/jpeg".into(), look, data, digest }))
    }

    fn looks(out: &[Ready]) -> Vec<(i64, usize)> {
        out.iter()
            .filter_map(|ready| match ready {
                Ready::Look { at, frames, .. } => Some((at.0, frames.len())),
                Ready::Event { .. } => None,
            })
            .collect()
    }

    #[test]
    fn messages_carry_the_setting_of_the_last_stream_event() {
        let (mut door, mut out) = (door(), Vec::new());
        let info = StreamInfo {
            state: StreamState::Live,
            category: Some("Boxing".into()),
            language: Some("fr".into()),
            ..serde_json::from_str(r#"{"state":"live"}"#).unwrap()
        };
        door.admit(event(1, Body::Stream(Box::new(info))), &mut out);
        door.admit(event(2, Body::Chat { text: "finish him".into() }), &mut out);
        let Ready::Event { admitted, message: Some(message) } = &out[1] else { panic!() };
        assert_eq!(
            (message.setting, admitted.stamp.language.as_deref()),
            (Setting::Sport, Some("fr"))
        );
    }

    #[test]
    fn a_look_closes_at_its_last_picture_when_the_next_opens_or_after_a_while() {
        let (mut door, mut out) = (door(), Vec::new());
        door.admit(frame(0, Some(("L1", 1, 2)), b"a"), &mut out);
        door.admit(frame(250, Some(("L1", 2, 2)), b"b"), &mut out);
        assert_eq!(looks(&out), [(250, 2)]);
        door.admit(frame(1000, Some(("L2", 1, 8)), b"b"), &mut out);
        door.admit(frame(1100, Some(("L3", 1, 8)), b"c"), &mut out);
        assert_eq!(looks(&out)[1..], [(1000, 1)]);
        door.tick(&ChannelId::new("k:1"), Timestamp(3600), &mut out);
        assert_eq!(looks(&out).len(), 2, "2.5 s have not passed");
        door.tick(&ChannelId::new("k:1"), Timestamp(3601), &mut out);
        assert_eq!(looks(&out)[2..], [(1100, 1)]);
    }

    #[test]
    fn pictures_without_a_look_join_within_a_second() {
        let (mut door, mut out) = (door(), Vec::new());
        for (at, bytes) in [(0, b"a"), (900, b"b"), (1800, b"c"), (2900, b"d")] {
            door.admit(frame(at, None, bytes), &mut out);
        }
        assert_eq!(looks(&out), [(1800, 3)]);
        door.admit(event(9000, Body::Chat { text: "x".into() }), &mut out);
        assert_eq!(looks(&out)[1..], [(2900, 1)], "a later event closes it before itself");
        assert!(matches!(out.last(), Some(Ready::Event { .. })));
    }
}
