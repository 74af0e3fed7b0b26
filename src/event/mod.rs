//! The vocabulary of the house: what a feed brings ([`Event`]), how sure a model is ([`Score`], [`Scores`]),
//! how bad a channel is ([`Level`]), and the wish for pictures that flows back. Knows nothing of any other room.

mod flow;
mod identity;
mod level;
mod media;
mod money;
mod score;
mod signal;
mod time;
mod window;
mod wire;

pub use flow::{
    Admitted, Consumed, Decision, DecisionKind, Fuel, LookFrame, LookScores, Manner, SampleRequest,
    Stamp, Unscored,
};
pub use identity::{Keyer, User, UserKey};
pub use level::{Level, Offence, Tense};
pub use media::Digest;
pub use money::{Amount, Money, Rates};
pub use score::{CHAT_LABELS, ChatLabel, FRAME_LABELS, FrameLabel, Score, Scores, Setting, harm};
pub use signal::{SIGNALS, Signal, SignalDef, SignalKind, Signals};
pub use time::Timestamp;
pub use wire::{WireError, decode, decode_binary_frame};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `platform:stable id` of a channel, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(Arc<str>);

impl ChannelId {
    /// Wraps an id; the wire decoder has checked that it is not empty.
    pub fn new(id: &str) -> Self {
        Self(Arc::from(id))
    }

    /// The whole id, `platform:id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the colon; the whole id if there is none.
    pub fn platform(&self) -> &str {
        self.0.split(':').next().unwrap_or(&self.0)
    }
}

impl std::fmt::Display for ChannelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that happened on a channel. Its identity is (channel, id).
#[derive(Clone, Debug)]
pub struct Event {
    /// The source's id; unique within the channel.
    pub id: Box<str>,
    /// When it happened at the source.
    pub at: Timestamp,
    pub channel: ChannelId,
    pub user: Option<User>,
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Body {
    Chat {
        text: Box<str>,
    },
    /// `source` is the wire's (`tip`, `bits`, …); `text` may be empty.
    Donation {
        amount: Amount,
        source: Box<str>,
        text: Box<str>,
    },
    Reward {
        title: Box<str>,
        cost: u64,
        unit: Box<str>,
        text: Box<str>,
    },
    Frame(Frame),
    Stream(Box<StreamInfo>),
    Notice(Box<Notice>),
    Moderation(Box<Moderation>),
}

/// A picture. `data` is JPEG as received; empty once only its digest is kept.
#[derive(Clone, Debug)]
pub struct Frame {
    pub media: Box<str>,
    pub look: Option<LookRef>,
    pub data: bytes::Bytes,
    pub digest: Digest,
}

/// Which look a frame belongs to: `n` starts at 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookRef {
    pub id: Box<str>,
    pub n: u32,
    pub of: u32,
}

/// State of a stream as the platform tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    Live,
    Update,
    Offline,
}

/// A `stream` event's content; everything but `state` may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamInfo {
    pub state: StreamState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewers: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// An Article 16 notice about a channel.
#[derive(Clone, Debug)]
pub struct Notice {
    pub notifier: Option<Box<str>>,
    pub text: Box<str>,
    pub url: Option<Box<str>>,
}

/// A measure by the platform or its moderators.
#[derive(Clone, Debug)]
pub struct Moderation {
    /// `message`, `user` or `channel`.
    pub scope: Box<str>,
    /// `delete`, `timeout`, `ban`, `unban`, `suspend`, `reinstate` or `age_restrict`.
    pub action: Box<str>,
    pub target: Option<Box<str>>,
    pub until: Option<Timestamp>,
    pub reason: Option<Box<str>>,
}

/// A hole in what a feed could tell; without a channel it concerns all of the feed's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The kind of an event, as metrics and subscriptions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Chat,
    Donation,
    Reward,
    Frame,
    Stream,
    Notice,
    Moderation,
    Gap,
}

impl Kind {
    /// Every kind, in the contract's order.
    pub const ALL: [Kind; 8] = [
        Kind::Chat,
        Kind::Donation,
        Kind::Reward,
        Kind::Frame,
        Kind::Stream,
        Kind::Notice,
        Kind::Moderation,
        Kind::Gap,
    ];

    /// The wire's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Chat => "chat",
            Kind::Donation => "donation",
            Kind::Reward => "reward",
            Kind::Frame => "frame",
            Kind::Stream => "stream",
            Kind::Notice => "notice",
            Kind::Moderation => "moderation",
            Kind::Gap => "gap",
        }
    }
}

impl Event {
    pub fn kind(&self) -> Kind {
        match &self.body {
            Body::Chat { .. } => Kind::Chat,
            Body::Donation { .. } => Kind::Donation,
            Body::Reward { .. } => Kind::Reward,
            Body::Frame(_) => Kind::Frame,
            Body::Stream(_) => Kind::Stream,
            Body::Notice(_) => Kind::Notice,
            Body::Moderation(_) => Kind::Moderation,
        }
    }

    /// The words it carries, if any: what the text model reads.
    pub fn text(&self) -> Option<&str> {
        let text: &str = match &self.body {
            Body::Chat { text } | Body::Donation { text, .. } | Body::Reward { text, .. } => text,
            Body::Notice(notice) => &notice.text,
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// True for what carries money or points: the chat model is told.
    pub fn paid(&self) -> bool {
        matches!(self.body, Body::Donation { .. } | Body::Reward { .. })
    }

    /// The event as evidence: RFC 8785 canonical JSON, user replaced by its key, unknown fields gone.
    /// For a frame: the picture's bytes as received.
    pub fn evidence_bytes(&self) -> Vec<u8> {
        if let Body::Frame(frame) = &self.body {
            return frame.data.to_vec();
        }
        // The value holds strings, integers and nested objects only, which always canonicalise.
        serde_json_canonicalizer::to_vec(&self.to_wire()).unwrap_or_default()
    }

    /// SHA-256 of [`Event::evidence_bytes`]; for a frame the digest taken when it was decoded.
    pub fn digest(&self) -> Digest {
        match &self.body {
            Body::Frame(frame) => frame.digest,
            _ => Digest::of(&self.evidence_bytes()),
        }
    }
}

/// What a feed hands to the door.
#[derive(Clone, Debug)]
pub enum FeedItem {
    Event(Event),
    Gap(Gap),
    /// All events before it belong to this cursor; opaque to us.
    Cursor(Box<str>),
}
