//! The wire format, version 1, both ways: JSON text (feeds, recordings, the journal) and binary frames.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{
    Amount, Body, ChannelId, Digest, Event, FeedItem, Frame, Gap, Keyer, LookRef, Moderation,
    Notice, StreamInfo, Timestamp, User, UserKey,
};

/// Longest id of an event or a channel, in bytes: they stand in every queue and map.
const MOST_NAME: usize = 1024;
/// Longest cursor, in bytes.
const MOST_CURSOR: usize = 16 << 10;

/// Why a message is no event; each variant is a reason under which it is counted.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("not JSON of the wire format: {0}")]
    Json(String),
    #[error("field `{0}` is missing or has no usable value")]
    Field(&'static str),
    #[error("unknown type")]
    UnknownType,
}

impl WireError {
    /// The reason as `vigie_events_dropped_total` names it.
    pub fn reason(&self) -> &'static str {
        match self {
            WireError::UnknownType => "unknown_type",
            _ => "malformed",
        }
    }
}

/// A string borrowed from the message where it holds no escapes. (`Option<Cow<str>>` would copy every time: serde
/// borrows for a plain `Cow` field only.)
struct Word<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Word<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Word<'de>, E> {
                Ok(Word(Cow::Owned(text)))
            }
        }
        d.deserialize_str(Borrow)
    }
}

impl std::ops::Deref for Word<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// An object with an id, or (from the journal) the key itself. Other fields of the object are passed over.
enum Author<'a> {
    Key(UserKey),
    Person { id: Word<'a>, name: Option<Word<'a>> },
}

impl<'de: 'a, 'a> Deserialize<'de> for Author<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Author<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a user")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Author<'de>, E> {
                UserKey::parse(text).map(Author::Key).ok_or_else(|| E::custom("no user key"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Author<'de>, A::Error> {
                let person = RawUser::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Author::Person { id: person.id, name: person.name })
            }
        }
        d.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "type")]
    kind: Word<'a>,
    #[serde(borrow, default)]
    id: Option<Word<'a>>,
    #[serde(borrow, default)]
    at: Option<Word<'a>>,
    #[serde(borrow, default)]
    channel: Option<Word<'a>>,
    #[serde(borrow, default)]
    user: Option<Author<'a>>,
    #[serde(borrow, default)]
    text: Option<Word<'a>>,
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source: Option<Word<'a>>,
    #[serde(borrow, default)]
    reward: Option<&'a RawValue>,
    #[serde(borrow, default)]
    media: Option<Word<'a>>,
    #[serde(default)]
    look: Option<LookRef>,
    #[serde(borrow, default)]
    data: Option<Word<'a>>,
    #[serde(borrow, default)]
    notifier: Option<&'a RawValue>,
    #[serde(borrow, default)]
    url: Option<Word<'a>>,
    #[serde(borrow, default)]
    scope: Option<Word<'a>>,
    #[serde(borrow, default)]
    action: Option<Word<'a>>,
    #[serde(borrow, default)]
    target: Option<Word<'a>>,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(borrow, default)]
    reason: Option<Word<'a>>,
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    to: Option<Timestamp>,
    #[serde(borrow, default)]
    value: Option<Word<'a>>,
}

#[derive(Deserialize)]
struct RawUser<'a> {
    #[serde(borrow)]
    id: Word<'a>,
    #[serde(borrow, default)]
    name: Option<Word<'a>>,
}

#[derive(Deserialize)]
struct RawReward<'a> {
    #[serde(borrow, default)]
    title: Option<Word<'a>>,
    #[serde(default)]
    cost: u64,
    #[serde(borrow, default)]
    unit: Option<Word<'a>>,
}

/// Reads one JSON message. Errors name the field; nothing in them is taken from the message's words.
pub fn decode(text: &str, keyer: &Keyer) -> Result<FeedItem, WireError> {
    let raw: Raw = serde_json::from_str(text).map_err(json_error)?;
    if &*raw.kind == "stream" {
        // Rare, with fields of its own: read a second time into its own type.
        let info: StreamInfo = serde_json::from_str(text).map_err(json_error)?;
        return build(raw, Extra::Stream(Box::new(info)), keyer);
    }
    build(raw, Extra::None, keyer)
}

/// What an event has beside the flat fields.
enum Extra {
    None,
    Picture(Bytes),
    Stream(Box<StreamInfo>),
}

/// Reads a frame sent as a binary message: 4-byte big-endian length, JSON header, JPEG.
pub fn decode_binary_frame(message: &Bytes, keyer: &Keyer) -> Result<FeedItem, WireError> {
    let length = message.get(..4).ok_or(WireError::Field("header length"))?;
    // Four bytes were taken just above.
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    let end = length.checked_add(4).filter(|end| *end < message.len());
    let end = end.ok_or(WireError::Field("header length"))?;
    let raw: Raw = serde_json::from_slice(&message[4..end]).map_err(json_error)?;
    if &*raw.kind != "frame" {
        return Err(WireError::UnknownType);
    }
    build(raw, Extra::Picture(message.slice(end..)), keyer)
}

fn json_error(error: serde_json::Error) -> WireError {
    // serde_json's own words quote values of the message for wrong types; the place is enough.
    let what = match error.classify() {
        serde_json::error::Category::Data => "a field has the wrong type",
        serde_json::error::Category::Eof => "the message ends too early",
        _ => "syntax error",
    };
    WireError::Json(format!("{what} at column {}", error.column()))
}

fn build(raw: Raw, extra: Extra, keyer: &Keyer) -> Result<FeedItem, WireError> {
    match &*raw.kind {
        "cursor" => {
            let value = raw.value.filter(|value| value.len() <= MOST_CURSOR);
            return Ok(FeedItem::Cursor((*value.ok_or(WireError::Field("value"))?).into()));
        }
        "gap" => {
            let from = raw.from.filter(Timestamp::is_plausible).ok_or(WireError::Field("from"))?;
            let to = raw.to.filter(|to| to.is_plausible() && *to >= from);
            let to = to.ok_or(WireError::Field("to"))?;
            let channel = match raw.channel {
                Some(_) => Some(ChannelId::new(name(&raw.channel, "channel")?)),
                None => None,
            };
            return Ok(FeedItem::Gap(Gap { channel, from, to }));
        }
        "chat" | "donation" | "reward" | "frame" | "stream" | "notice" | "moderation" => {}
        _ => return Err(WireError::UnknownType),
    }
    let id = name(&raw.id, "id")?.into();
    let at = Timestamp::parse(filled(&raw.at, "at")?).ok_or(WireError::Field("at"))?;
    let channel = ChannelId::new(name(&raw.channel, "channel")?);
    let user = raw.user.map(|user| author(user, channel.platform(), keyer));
    let words = |raw: &Option<Word>| raw.as_deref().unwrap_or_default().into();
    let body = match &*raw.kind {
        "chat" => Body::Chat { text: raw.text.as_deref().ok_or(WireError::Field("text"))?.into() },
        "donation" => Body::Donation {
            amount: read_amount(raw.amount.ok_or(WireError::Field("amount"))?),
            source: raw.source.as_deref().unwrap_or("tip").into(),
            text: words(&raw.text),
        },
        "reward" => {
            let reward = raw.reward.ok_or(WireError::Field("reward"))?;
            let reward: RawReward =
                serde_json::from_str(reward.get()).map_err(|_| WireError::Field("reward"))?;
            Body::Reward {
                title: words(&reward.title),
                cost: reward.cost,
                unit: reward.unit.as_deref().unwrap_or("points").into(),
                text: words(&raw.text),
            }
        }
        "frame" => {
            let data = match extra {
                Extra::Picture(bytes) => bytes,
                _ => {
                    let text = raw.data.as_deref().ok_or(WireError::Field("data"))?;
                    STANDARD.decode(text).map_err(|_| WireError::Field("data"))?.into()
                }
            };
            if data.is_empty() {
                return Err(WireError::Field("data"));
            }
            let digest = Digest::of(&data);
            let media = raw.media.as_deref().ok_or(WireError::Field("media"))?.into();
            Body::Frame(Frame { media, look: raw.look, data, digest })
        }
        "stream" => match extra {
            Extra::Stream(mut info) => {
                info.started_at = info.started_at.filter(Timestamp::is_plausible);
                Body::Stream(info)
            }
            _ => return Err(WireError::Field("state")),
        },
        "notice" => Body::Notice(Box::new(Notice {
            notifier: raw.notifier.and_then(|n| {
                serde_json::from_str::<RawUser>(n.get()).ok().map(|n| (*n.id).into())
            }),
            text: filled(&raw.text, "text")?.into(),
            url: raw.url.as_deref().map(Into::into),
        })),
        _ => Body::Moderation(Box::new(Moderation {
            scope: raw.scope.as_deref().unwrap_or("channel").into(),
            action: filled(&raw.action, "action")?.into(),
            target: raw.target.as_deref().map(Into::into),
            until: raw.until,
            reason: raw.reason.as_deref().map(Into::into),
        })),
    };
    Ok(FeedItem::Event(Event { id, at, channel, user, body }))
}

/// A name of something: neither empty nor longer than [`MOST_NAME`].
fn name<'a>(field: &'a Option<Word>, name: &'static str) -> Result<&'a str, WireError> {
    filled(field, name).and_then(|text| match text.len() {
        0..=MOST_NAME => Ok(text),
        _ => Err(WireError::Field(name)),
    })
}

fn filled<'a>(field: &'a Option<Word>, name: &'static str) -> Result<&'a str, WireError> {
    field.as_deref().filter(|text| !text.is_empty()).ok_or(WireError::Field(name))
}

fn author(raw: Author, platform: &str, keyer: &Keyer) -> User {
    match raw {
        Author::Key(key) => User { key, id: "".into(), name: None },
        Author::Person { id, name } => {
            let key = keyer.key(platform, &id);
            User { key, id: (*id).into(), name: name.map(|name| (*name).into()) }
        }
    }
}

/// Lenient: what cannot be read becomes an amount that is not known, and never costs the event.
fn read_amount(raw: &RawValue) -> Amount {
    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let word = |name: &str| match &value[name] {
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => number.to_string().into(),
        _ => "".into(),
    };
    Amount { value: word("value"), currency: word("currency"), eur: None }
}

impl Event {
    /// The wire form with the user's key in place of the user; no pictures' bytes but their digest.
    pub fn to_wire(&self) -> Value {
        let mut out = Map::new();
        out.insert("type".into(), self.kind().name().into());
        out.insert("id".into(), (&*self.id).into());
        out.insert("at".into(), self.at.to_string().into());
        out.insert("channel".into(), self.channel.as_str().into());
        if let Some(user) = &self.user {
            out.insert("user".into(), user.key.hex().into());
        }
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                out.insert(name.into(), value);
            }
        };
        match &self.body {
            Body::Chat { text } => put("text", (&**text).into()),
            Body::Donation { amount, source, text } => {
                put("amount", json!({"value": amount.value, "currency": amount.currency}));
                put("source", (&**source).into());
                put("text", (&**text).into());
            }
            Body::Reward { title, cost, unit, text } => {
                put("reward", json!({"title": title, "cost": cost, "unit": unit}));
                put("text", (&**text).into());
            }
            Body::Frame(frame) => {
                put("media", (&*frame.media).into());
                put("look", json!(frame.look));
                put("digest", frame.digest.to_string().into());
            }
            Body::Stream(info) => {
                if let Ok(Value::Object(fields)) = serde_json::to_value(info) {
                    fields.into_iter().for_each(|(name, value)| put(&name, value));
                }
            }
            Body::Notice(notice) => {
                put(
                    "notifier",
                    notice.notifier.as_deref().map_or(Value::Null, |id| json!({"id": id})),
                );
                put("text", (&*notice.text).into());
                put("url", json!(notice.url));
            }
            Body::Moderation(m) => {
                put("scope", (&*m.scope).into());
                put("action", (&*m.action).into());
                put("target", json!(m.target));
                put("until", json!(m.until));
                put("reason", json!(m.reason));
            }
        }
        Value::Object(out)
    }

    /// [`Event::to_wire`] plus what the door worked out (EUR), so that a replay need not.
    pub fn to_journal(&self) -> Value {
        let mut wire = self.to_wire();
        if let Body::Donation { amount, .. } = &self.body {
            wire["amount"]["eur"] = json!(amount.eur);
        }
        wire
    }

    /// Reads [`Event::to_journal`].
    pub fn from_journal(value: &Value) -> Result<Event, WireError> {
        let text = value.to_string();
        let mut raw: Raw = serde_json::from_str(&text).map_err(json_error)?;
        let digest = (&*raw.kind == "frame")
            .then(|| value["digest"].as_str().and_then(Digest::parse))
            .flatten();
        let extra = match &*raw.kind {
            "frame" => Extra::Picture(Bytes::from_static(b"-")),
            "stream" => Extra::Stream(Box::new(serde_json::from_str(&text).map_err(json_error)?)),
            _ => Extra::None,
        };
        raw.data = None;
        // Users stand as keys in the journal, so the key of the keyer does not matter.
        let FeedItem::Event(mut event) = build(raw, extra, &Keyer::replay())? else {
            return Err(WireError::UnknownType);
        };
        match &mut event.body {
            Body::Frame(frame) => {
                frame.data = Bytes::new();
                frame.digest = digest.ok_or(WireError::Field("digest"))?;
            }
            Body::Donation { amount, .. } => {
                amount.eur = serde_json::from_value(value["amount"]["eur"].clone()).unwrap_or(None);
            }
            _ => {}
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        match decode(text, &Keyer::replay()) {
            Ok(FeedItem::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_chat_message_goes_to_the_journal_and_back_without_the_users_name() {
        let chat = event(
            r#"{"type":"chat","id":"1","at":"2025-08-17T22:14:03.120Z","channel":"kick:123","user":{"id":"u1","name":"Zoé","roles":["x"]},"text":"salut \"toi\"","extra":[1,{}]}"#,
        );
        let journal = chat.to_journal();
        assert!(!journal.to_string().contains("Zoé"));
        let back = Event::from_journal(&journal).unwrap();
        assert_eq!(back.to_journal(), journal);
        assert_eq!(back.digest(), chat.digest());
        assert_eq!(back.user.unwrap().key, Keyer::replay().key("kick", "u1"));
    }

    #[test]
    fn a_stream_event_keeps_its_fields() {
        let stream = event(
            r#"{"type":"stream","id":"1","at":"2025-08-17T22:14:03Z","channel":"k:1","state":"live","title":"T","category":"Just Chatting","country":"FR","viewers":12,"started_at":"2025-08-17T20:00:00Z","url":"https://x.test/a"}"#,
        );
        let Body::Stream(info) = &stream.body else { panic!() };
        assert_eq!(info.country.as_deref(), Some("FR"));
        assert_eq!(info.viewers, Some(12));
        assert_eq!(
            Event::from_journal(&stream.to_journal()).unwrap().to_journal(),
            stream.to_journal()
        );
    }

    #[test]
    fn an_amount_that_cannot_be_read_keeps_the_donation() {
        for amount in [r#"{"value":5,"currency":"EUR"}"#, r#""x""#, "{}", "[1]"] {
            let text = format!(
                r#"{{"type":"donation","id":"d","at":"2025-08-17T22:14:03Z","channel":"k:1","amount":{amount}}}"#
            );
            assert!(matches!(event(&text).body, Body::Donation { .. }));
        }
    }

    #[test]
    fn a_binary_frame_is_header_and_picture() {
        let header = br#"{"type":"frame","id":"f","at":"2025-08-17T22:14:03Z","channel":"k:1","media":"image/jpeg","look":{"id":"L1","n":1,"of":8}}"#;
        let mut message = (header.len() as u32).to_be_bytes().to_vec();
        message.extend_from_slice(header);
        message.extend_from_slice(b"\xff\xd8jpeg");
        let item = decode_binary_frame(&Bytes::from(message.clone()), &Keyer::replay()).unwrap();
        let FeedItem::Event(Event { body: Body::Frame(frame), .. }) = item else { panic!() };
        assert_eq!(&frame.data[..], b"\xff\xd8jpeg");
        assert_eq!(frame.digest, Digest::of(b"\xff\xd8jpeg"));
        for cut in [0, 3, 10, header.len() + 4] {
            let message = Bytes::copy_from_slice(&message[..cut]);
            assert!(decode_binary_frame(&message, &Keyer::replay()).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn bad_messages_are_named_by_reason_without_quoting_them() {
        let reasons = [
            ("secret words", "malformed"),
            (r#"{"type":"chat"}"#, "malformed"),
            (r#"{"type":"audio","id":"1"}"#, "unknown_type"),
            (
                r#"{"type":"chat","id":"1","at":"1999-01-01T00:00:00Z","channel":"k:1","text":""}"#,
                "malformed",
            ),
            (
                r#"{"type":"chat","id":"1","at":"2025-01-01T00:00:00Z","channel":"k:1","text":5}"#,
                "malformed",
            ),
        ];
        for (text, reason) in reasons {
            let error = decode(text, &Keyer::replay()).unwrap_err();
            assert_eq!(error.reason(), reason, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let deep = format!("{}{}", r#"{"type":"chat","x":"#, "[".repeat(100_000));
        assert_eq!(decode(&deep, &Keyer::replay()).unwrap_err().reason(), "malformed");
    }
}
