//! The Article 18 dossier of an alert: every element of Article 18 and recital 56 of Regulation (EU) 2022/2065 that the
//! daemon can know, what it does not know said as such, nothing invented. In: the alert, the facts kept beside it, the
//! provider, the authorities, a language and the time. Out: a [`Dossier`], as JSON or as a page that prints well.
//!
//! A dossier is a draft until a named person confirms it; nothing here sends anything.

use std::collections::BTreeMap;

use askama::Template;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{ChannelId, Digest, Money, Timestamp, UserKey};

use super::data::{Act, Alert, Coverage, Facts};
use super::jurisdiction::Authority;
use super::words::Words;

mod build;
mod page;
mod record;

pub use page::{CSS, Style};

/// Version of the fields and wording: they are data that may change when guidelines on Article 18 come.
pub const SCHEMA: &str = "vigie.dossier/1";

/// Who runs this Vigie. An empty value is not known, and the dossier says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provider {
    pub name: String,
    pub address: String,
    /// ISO 3166-1 alpha-2.
    pub establishment: String,
    pub legal_representative: String,
    pub contact_point: String,
    pub duty_phone: String,
    /// `micro`, `small`, `medium`, `large`, `very_large`; empty: not said.
    pub size: String,
    pub role: Role,
}

/// In which part Vigie is run: it decides the legal basis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The hosting provider, whom Article 18 binds.
    #[default]
    Provider,
    /// Somebody who watches from outside: an Article 16 notice and a report for the police instead.
    Observer,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Provider => "provider",
            Role::Observer => "observer",
        }
    }
}

/// What a dossier is made from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub alert: &'a Alert,
    pub facts: &'a Facts,
    pub provider: &'a Provider,
    pub authorities: &'a [Authority],
    /// When this draft is made: the daemon's clock, or the time of the data in a replay.
    pub now: Timestamp,
    /// IANA name of the zone in which local times are told (`Europe/Paris`); unknown names fall back to UTC.
    pub zone: &'a str,
    pub preservation: &'a Preservation,
    /// Identities opened for this dossier (none before a confirmation).
    pub opened: &'a [Identity],
    /// Calls to the emergency number that people recorded.
    pub calls: &'a [EmergencyCall],
}

/// How long the material is kept, and what is already gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preservation {
    /// Days after the incident's end until which cited material is kept.
    pub cited_days: u32,
    /// A legal hold, if there is one.
    pub hold: Option<Hold>,
    /// Cited items that are no longer there.
    pub expired: Vec<Digest>,
}

impl Default for Preservation {
    fn default() -> Self {
        Self { cited_days: 180, hold: None, expired: Vec::new() }
    }
}

/// An order to keep the material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub by: String,
    pub basis: String,
    pub until: Timestamp,
}

/// An identity opened for a dossier, by a named person with cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub user: UserKey,
    pub platform: String,
    pub id: String,
    pub name: Option<String>,
    pub opened_by: String,
    pub opened_at: Timestamp,
}

/// A recorded call to the emergency number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyCall {
    pub by: String,
    pub at: Timestamp,
    /// Country or place whose service was reached.
    pub place: String,
}

/// A code of ours and its words in the dossier's language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coded {
    pub code: String,
    pub words: String,
}

/// A time, with the offset of the zone it is told in, and in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// RFC 3339 with offset: `2025-08-18T00:14:03+02:00`.
    pub local: String,
    /// IANA name of the zone.
    pub zone: String,
    /// RFC 3339 in UTC: `2025-08-17T22:14:03.120Z`.
    pub utc: Timestamp,
    /// As people write it in the dossier's language.
    pub words: String,
}

/// How far the dossier has come. `Draft` is the only state that this version makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Draft,
    Confirmed,
    Sent,
}

/// Something that the daemon was told, or the plain statement that it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Null: not known.
    pub value: Option<String>,
    /// The value, or "not known" in words.
    pub words: String,
}

/// The dossier: the case as one document. Every text is in [`Dossier::language`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    pub schema: String,
    pub language: String,
    pub status: Status,
    /// `DRAFT, not sent` / `PROJET, non envoyé`: stands on every page.
    pub marking: String,
    pub title: String,
    /// `VIGIE-<alert id>-<revision>`.
    pub reference: String,
    pub alert: Uuid,
    pub revision: u32,
    pub made_at: Moment,
    pub legal_basis: LegalBasis,
    pub emergency: Emergency,
    pub provider: ProviderBlock,
    pub addressees: Vec<Addressee>,
    pub member_states: Vec<MemberState>,
    /// How the states are known, or that none is.
    pub jurisdiction_words: String,
    pub tense: Coded,
    pub level: Coded,
    pub level_now: Coded,
    pub suspected_offences: Vec<Coded>,
    pub summary: String,
    pub decided_by: String,
    pub reasons: Vec<ReasonRow>,
    pub against: Vec<AgainstRow>,
    pub persons: Vec<PersonRow>,
    pub place: Place,
    pub content: Content,
    pub donations: DonationBlock,
    pub acts: Vec<ActRow>,
    pub history: Vec<String>,
    pub measures_taken: Vec<String>,
    pub measures_recommended: Vec<Coded>,
    pub preservation: PreservationBlock,
    pub decisions: Vec<DecisionRow>,
    /// The person who confirmed it, once somebody has.
    pub confirmed: Option<DecisionRow>,
    /// The authority's receipt, once it was sent.
    pub receipt: Option<String>,
    /// What is not known, each said as such.
    pub unknown: Vec<Coded>,
    pub coverage: Coverage,
    pub coverage_words: Vec<String>,
    pub models: BTreeMap<String, String>,
    pub config: String,
    pub console: String,
}

/// On what law it is sent, by the role of who runs Vigie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalBasis {
    pub role: Role,
    pub words: String,
    /// Other acts that apply (terrorist content: Regulation (EU) 2021/784).
    pub also: Vec<String>,
}

/// A person in danger now is an emergency call first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    pub number: String,
    pub title: String,
    pub words: String,
    pub calls: Vec<EmergencyCall>,
    pub calls_words: String,
}

/// The provider, what is missing named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderBlock {
    pub name: Known,
    pub address: Known,
    pub establishment: Known,
    pub legal_representative: Known,
    pub contact_point: Known,
    pub duty_phone: Known,
    pub size: Known,
}

/// To whom it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressee {
    /// Entry of the table; null: none for that state.
    pub code: Option<String>,
    pub country: String,
    pub country_name: String,
    pub name: Known,
    pub channel: Known,
    pub contact: Known,
    pub languages: Vec<String>,
    pub source: Option<String>,
    pub verified_on: Option<String>,
    /// `first` or `copy`.
    pub part: Coded,
    /// What a person has to do before it can go there.
    pub note: String,
}

/// A state concerned, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberState {
    pub code: String,
    pub name: String,
    pub basis: Coded,
}

/// One signal of the explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReasonRow {
    pub signal: String,
    pub words: String,
    pub value: f32,
    pub value_words: String,
    pub window: String,
    pub threshold: Option<f32>,
    pub threshold_words: String,
    pub weight: f32,
    pub weight_words: String,
    pub evidence: Vec<Digest>,
    /// Numbers of the items in [`Content::items`].
    pub items: Vec<usize>,
}

/// One thing that speaks against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgainstRow {
    pub signal: String,
    pub value: f32,
    pub words: String,
}

/// A person, by role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonRow {
    pub role: Coded,
    /// Null for a person of whom nothing is held (victim, suspected offender).
    pub user: Option<UserKey>,
    pub identity: Option<Identity>,
    pub identity_words: String,
    pub messages: Option<u32>,
    pub paid_eur: Option<Money>,
    pub paid_words: String,
    pub first: Option<Moment>,
    pub last: Option<Moment>,
}

/// Where it happens, as far as known, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub country: Option<String>,
    pub words: String,
    pub how: String,
}

/// The content itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub channel: ChannelId,
    pub platform: String,
    pub stream_id: String,
    pub name: Known,
    pub url: Known,
    pub title: Known,
    pub category: Known,
    pub language: Known,
    pub started_at: Option<Moment>,
    pub hours_live: Option<f32>,
    pub hours_words: Option<String>,
    pub viewers: Option<u64>,
    pub viewers_words: Option<String>,
    pub opened_at: Moment,
    pub updated_at: Moment,
    pub ended_at: Option<Moment>,
    /// What kind of time each time is.
    pub times_words: String,
    pub items: Vec<Item>,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// From 1, as the explanation cites it.
    pub number: usize,
    /// What people call it: "Picture 2, taken at 22:14:03"; counted within its kind.
    pub name: String,
    pub digest: Digest,
    pub kind: Coded,
    pub at: Moment,
    pub quote: Option<String>,
    pub paid: Option<String>,
    pub href: String,
    pub expired: bool,
}

/// Money of the incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DonationBlock {
    pub count: u64,
    pub sum_eur: Money,
    pub asking_for_acts: u64,
    pub coupling: Option<f32>,
    pub words: Vec<String>,
}

/// One act: who paid for what, what was seen next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActRow {
    #[serde(flatten)]
    pub act: Act,
    pub at_words: Moment,
    pub look_moment: Option<Moment>,
    pub score_words: String,
    pub seen_words: String,
}

/// What is kept, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreservationBlock {
    pub hold: Option<Hold>,
    pub expired: Vec<Digest>,
    pub words: Vec<String>,
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRow {
    pub kind: Coded,
    pub by: String,
    pub why: String,
    pub at: Moment,
}

impl Dossier {
    /// Builds the dossier in the language of `words`.
    pub fn new(source: &Source<'_>, words: &Words) -> Self {
        build::build(source, words)
    }

    /// The dossier as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        // Only strings, numbers and maps with string keys: these always become JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The dossier as an HTML page. [`Style::Embedded`] stands alone; [`Style::Linked`] is for a page under a strict CSP.
    pub fn to_html(&self, style: Style<'_>) -> String {
        let words = Words::new(&self.language);
        // Writing into a string fails only if a value's `Display` does, and ours do not.
        page::DossierPage { dossier: self, words: &words, style }.render().unwrap_or_default()
    }
}
