//! Scores and the labels they belong to (`docs/labels` of the contracts): probabilities in 0..=1, absent where
//! no model measures the label.

use serde::{Deserialize, Serialize};

/// A probability in 0..=1, never NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Score(f32);

impl Score {
    /// `None` for NaN and infinities; otherwise clamped to 0..=1.
    pub fn new(p: f32) -> Option<Self> {
        p.is_finite().then(|| Self(p.clamp(0.0, 1.0)))
    }

    pub fn get(self) -> f32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Score {
    /// Refuses what is not finite as an `f32`: `1e308` would be infinite, and written again as `null`.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let p = f32::deserialize(d)?;
        Self::new(p).ok_or_else(|| serde::de::Error::custom("a score is not a finite number"))
    }
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident, $all:ident, $count:literal, $($variant:ident => $text:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($variant),+ }

        /// Every label, in the order of its discriminant.
        pub const $all: [$name; $count] = [$($name::$variant),+];

        impl $name {
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

labels! {
    /// What the chat model says of a message.
    ChatLabel, CHAT_LABELS, 8,
    Threat => "threat",
    Incitement => "incitement",
    SelfHarm => "self_harm",
    SelfHarmUrging => "self_harm_urging",
    Distress => "distress",
    Harassment => "harassment",
    SexualAbuse => "sexual_abuse",
    Toxicity => "toxicity",
}

labels! {
    /// What the frame model says of a look.
    FrameLabel, FRAME_LABELS, 5,
    Violence => "violence",
    PersonDown => "person_down",
    Nudity => "nudity",
    Camera => "camera",
    Weapon => "weapon",
}

/// Up to eight scores, by label index; a missing one is absent, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    p: [f32; 8],
    present: u8,
}

impl Scores {
    pub fn set(&mut self, index: usize, score: Score) {
        self.p[index] = score.get();
        self.present |= 1 << index;
    }

    pub fn get(&self, index: usize) -> Option<f32> {
        (self.present & (1 << index) != 0).then(|| self.p[index])
    }

    pub fn chat(&self, label: ChatLabel) -> Option<f32> {
        self.get(label as usize)
    }

    pub fn frame(&self, label: FrameLabel) -> Option<f32> {
        self.get(label as usize)
    }

    /// Label by label the higher of two; present where either is.
    pub fn max(self, other: Scores) -> Scores {
        let mut out = self;
        for index in 0..8 {
            if let Some(p) = other.get(index) {
                if out.get(index).is_none_or(|own| p > own) {
                    out.p[index] = p;
                    out.present |= 1 << index;
                }
            }
        }
        out
    }
}

impl Serialize for Scores {
    /// A list with `null` for what is absent; its length is that of the last present label.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let len = 8 - self.present.leading_zeros() as usize;
        s.collect_seq((0..len).map(|i| self.get(i)))
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let list = Vec::<Option<Score>>::deserialize(d)?;
        if list.len() > 8 {
            return Err(serde::de::Error::custom("more than 8 scores"));
        }
        let mut out = Scores::default();
        for (index, score) in list.into_iter().enumerate() {
            if let Some(score) = score {
                out.set(index, score);
            }
        }
        Ok(out)
    }
}

/// What kind of stage the words are said on; the platform's category is mapped to it by the config.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    Real,
    Game,
    Sport,
    Fiction,
    #[default]
    Unknown,
}

impl Setting {
    pub const ALL: [Setting; 5] =
        [Setting::Real, Setting::Game, Setting::Sport, Setting::Fiction, Setting::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Setting::Real => "real",
            Setting::Game => "game",
            Setting::Sport => "sport",
            Setting::Fiction => "fiction",
            Setting::Unknown => "unknown",
        }
    }

    /// Under these a message carries a second score, as for `unknown`: a false category must not be a cloak.
    pub fn excuses(self) -> bool {
        matches!(self, Setting::Game | Setting::Sport | Setting::Fiction)
    }
}

/// The score from which a message or look counts as harmful, here the models' own decision point.
pub mod harm {
    /// Below this a score contributes nothing to a sum: thousands of harmless messages must not add up.
    pub const FLOOR: f32 = 0.5;
    /// At this score a message counts as one whole; calibrated scores are right nine times in ten here.
    pub const FULL: f32 = 0.9;

    /// How much a score adds to a decayed sum: 0 below [`FLOOR`], .2 at it, rising to 1 at [`FULL`].
    pub fn contribution(score: f32) -> f64 {
        if score < FLOOR {
            return 0.0;
        }
        let span = f64::from(FULL - FLOOR);
        (0.2 + 0.8 * (f64::from(score - FLOOR) / span)).min(1.0)
    }
}
