//! What moves between rooms: an event as admitted at the model's door, what a channel consumes (and the journal
//! keeps), people's decisions, and the wish for pictures that flows back.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ChannelId, Digest, Event, Gap, Score, Scores, Setting, Timestamp};

/// What the door knew of the channel when it admitted the event; journaled with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stamp {
    #[serde(default)]
    pub setting: Setting,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
}

/// Why something has no score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unscored {
    /// Dropped by overload, counted all the same.
    Shed,
    /// No model measures it, or the model failed.
    NoModel,
    /// It carries no words and no picture.
    NothingToScore,
}

/// How a message is put, beside what it says: read from its words together with the model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// Equal for messages that differ only in digits, signs, emoji, repeated words, case, accents or stretching; 0 where
    /// no word is left.
    pub alike: u64,
    /// It laughs.
    pub laughs: bool,
}

/// A picture of a look, by digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookFrame {
    pub digest: Digest,
    pub at: Timestamp,
}

/// A look as the picture model saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookScores {
    pub id: Box<str>,
    /// In order of time, one to eight.
    pub frames: Vec<LookFrame>,
    /// By [`super::FrameLabel`].
    pub scores: Scores,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscored: Option<Unscored>,
    /// Mean absolute change of brightness between its pictures, 0..=1; none for a single picture.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "motion")]
    pub motion: Option<f32>,
    /// 16 × 9 grey thumbnail of the last picture, row by row: what the next look is compared with.
    #[serde(with = "thumb")]
    pub thumb: Vec<u8>,
}

/// Refuses what is not finite, as a score does.
fn motion<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f32>, D::Error> {
    Ok(Option::<Score>::deserialize(d)?.map(Score::get))
}

mod thumb {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// What a person did to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    Acknowledge,
    Close,
}

impl DecisionKind {
    pub fn name(self) -> &'static str {
        match self {
            DecisionKind::Acknowledge => "acknowledge",
            DecisionKind::Close => "close",
        }
    }
}

/// A person's act: who, when, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The alert's id.
    pub alert: uuid::Uuid,
    pub kind: DecisionKind,
    pub by: String,
    pub why: String,
    /// The daemon's clock when it was taken.
    pub at: Timestamp,
}

/// One thing that a channel consumes, in order. The journal holds exactly these.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consumed {
    pub channel: ChannelId,
    /// The event's own time; for a tick or decision the time it stands for.
    pub at: Timestamp,
    #[serde(flatten)]
    pub fuel: Fuel,
}

/// The thing itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Fuel {
    Event {
        #[serde(with = "wire_event")]
        event: Arc<Event>,
        stamp: Stamp,
        /// By [`super::ChatLabel`]: for the channel's setting.
        #[serde(default)]
        scores: Scores,
        /// The same words for setting `unknown`, under a setting that excuses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plain: Option<Scores>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unscored: Option<Unscored>,
        /// As the scorer read it; where it is missing the channel reads the words itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manner: Option<Manner>,
    },
    Look {
        look: LookScores,
    },
    Tick,
    Gap {
        gap: Gap,
    },
    Decision {
        decision: Decision,
    },
}

mod wire_event {
    use super::*;

    pub fn serialize<S: Serializer>(event: &Arc<Event>, s: S) -> Result<S::Ok, S::Error> {
        event.to_journal().serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<Event>, D::Error> {
        let value = serde_json::Value::deserialize(d)?;
        Event::from_journal(&value).map(Arc::new).map_err(serde::de::Error::custom)
    }
}

/// An event past the door, waiting for its score.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub event: Arc<Event>,
    pub stamp: Stamp,
}

/// Where `risk` wants to look, to the feed that brings the channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SampleRequest {
    pub channel: ChannelId,
    pub look: Box<str>,
    /// 0 = stop.
    pub every_ms: u32,
    pub burst: u32,
    pub over_ms: u32,
}
