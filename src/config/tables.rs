//! The tables beside the main file: categories and their setting, currencies and their rate, authorities and how
//! to reach them. A row comes in as its file has it; look-ups go out.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Rates, Setting};

/// Which setting a platform's category stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Categories(pub(super) BTreeMap<String, Setting>);

impl Categories {
    /// The setting of a category as the platform writes it, letter case and outer blanks aside; unlisted ones
    /// are `unknown`.
    pub fn setting(&self, category: &str) -> Setting {
        self.0.get(&category.trim().to_lowercase()).copied().unwrap_or_default()
    }

    /// Every category in lower case with its setting.
    pub fn all(&self) -> BTreeMap<String, Setting> {
        self.0.clone()
    }

    /// How many categories are listed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `categories.toml`: lists of names, by setting.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CategoriesFile {
    pub real: Vec<String>,
    pub game: Vec<String>,
    pub sport: Vec<String>,
    pub fiction: Vec<String>,
    pub unknown: Vec<String>,
}

impl CategoriesFile {
    /// Each list with its name and setting.
    pub fn lists(&self) -> [(&'static str, Setting, &Vec<String>); 5] {
        [
            ("real", Setting::Real, &self.real),
            ("game", Setting::Game, &self.game),
            ("sport", Setting::Sport, &self.sport),
            ("fiction", Setting::Fiction, &self.fiction),
            ("unknown", Setting::Unknown, &self.unknown),
        ]
    }
}

/// What one unit of a currency is worth in EUR on a date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// Day of the rates, `2026-10-30`.
    pub date: String,
    /// EUR for one unit, as a decimal string, by ISO 4217 code or `bits`, `kicks`, `points`.
    #[schemars(with = "BTreeMap<String, String>")]
    pub rates: BTreeMap<String, Decimal>,
}

impl Currency {
    /// The table in the form in which events are converted.
    pub fn rates(&self) -> Rates {
        Rates(self.rates.clone())
    }
}

/// An authority that an Article 18 notification can go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Short name, unique: `fr-pharos`.
    pub code: String,
    /// Member State, ISO 3166-1 alpha-2; `EU` for Europol.
    pub country: String,
    /// Its name in English. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its name in its own language. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_local: Option<String>,
    /// How it takes notifications. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Reach>,
    /// Address of that portal or mailbox. Absent: not known; a person fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Official languages, ISO 639-1.
    pub languages: Vec<String>,
    /// Number for a person in danger now.
    pub emergency_number: String,
    /// Where the contact is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Day on which somebody checked it, `2026-10-30`. Absent: to verify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_on: Option<String>,
}

/// How an authority takes notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    Portal,
    Email,
    Api,
    Phone,
}

impl Reach {
    pub fn name(self) -> &'static str {
        match self {
            Reach::Portal => "portal",
            Reach::Email => "email",
            Reach::Api => "api",
            Reach::Phone => "phone",
        }
    }
}

/// All authorities, the operator's own entries in place of the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Authorities(pub Vec<Authority>);

impl Authorities {
    /// The first entry of a Member State (`FR`).
    pub fn of(&self, country: &str) -> Option<&Authority> {
        self.0.iter().find(|entry| entry.country.eq_ignore_ascii_case(country))
    }

    /// The entry of that code (`europol`).
    pub fn by_code(&self, code: &str) -> Option<&Authority> {
        self.0.iter().find(|entry| entry.code == code)
    }

    /// Entries that nobody has verified: `vigie check` lists them.
    pub fn to_verify(&self) -> impl Iterator<Item = &Authority> {
        self.0.iter().filter(|entry| entry.verified_on.is_none())
    }
}

/// `authorities.toml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuthoritiesTable {
    pub authority: Vec<Authority>,
}

/// A file of rules.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RulesFile {
    pub rule: Vec<super::peers::Rule>,
}
