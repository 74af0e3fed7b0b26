//! How bad it is, when, and what offence is suspected: the words that alerts and dossiers are built from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Level of a channel or an alert, in order.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    #[default]
    None,
    Watch,
    Concern,
    Danger,
    ThreatToLife,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Level; 5] =
        [Level::None, Level::Watch, Level::Concern, Level::Danger, Level::ThreatToLife];

    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Watch => "watch",
            Level::Concern => "concern",
            Level::Danger => "danger",
            Level::ThreatToLife => "threat_to_life",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The three tenses of Article 18(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tense {
    Past,
    Ongoing,
    Imminent,
}

impl Tense {
    pub fn name(self) -> &'static str {
        match self {
            Tense::Past => "past",
            Tense::Ongoing => "ongoing",
            Tense::Imminent => "imminent",
        }
    }
}

/// Offences that a signal or rule may give rise to suspect (contracts, "Levels and decisions").
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    ViolenceAgainstPerson,
    IncitementToViolence,
    Threat,
    AbuseOfVulnerablePerson,
    EncouragementOfSuicide,
    SexualViolence,
    IntimateImages,
    MinorSexual,
    Terrorism,
}

impl Offence {
    pub fn name(self) -> &'static str {
        match self {
            Offence::ViolenceAgainstPerson => "violence_against_person",
            Offence::IncitementToViolence => "incitement_to_violence",
            Offence::Threat => "threat",
            Offence::AbuseOfVulnerablePerson => "abuse_of_vulnerable_person",
            Offence::EncouragementOfSuicide => "encouragement_of_suicide",
            Offence::SexualViolence => "sexual_violence",
            Offence::IntimateImages => "intimate_images",
            Offence::MinorSexual => "minor_sexual",
            Offence::Terrorism => "terrorism",
        }
    }
}
