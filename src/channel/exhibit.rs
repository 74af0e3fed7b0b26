//! What a reason can point at: the last harmful messages, looks and paid acts of a channel, and the people behind
//! them by key. Bounded rings; the words are cut to what an alert quotes.

use std::collections::VecDeque;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::event::{
    Body, ChatLabel, Digest, Event, FrameLabel, Kind, LookScores, Money, Signal, Timestamp, UserKey,
};

/// Messages kept for each chat label.
const MESSAGES: usize = 6;
/// Looks kept, most recent first to go last.
const LOOKS: usize = 6;
/// Acts kept.
const ACTS: usize = 16;
/// People kept.
const PERSONS: usize = 24;
/// Longest quotation in an alert, in characters.
const QUOTE: usize = 200;
/// An act's look is the first one after it within this time.
const LOOK_AFTER_MS: i64 = 5 * 60_000;
/// A message or look older than this is no longer cited.
const FRESH_MS: i64 = 24 * 3_600_000;

/// A message that a reason may cite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub digest: Digest,
    pub kind: String,
    pub at: Timestamp,
    pub quote: String,
    pub paid: Option<String>,
    pub score: f32,
}

/// A look that a reason may cite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub at: Timestamp,
    pub frames: Vec<Digest>,
    pub violence: Option<f32>,
    pub motion: Option<f32>,
    pub person_down: Option<f32>,
}

/// A paid request for an act, and the look that followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaidAct {
    pub said: Said,
    pub look: Option<Seen>,
}

/// A person behind harmful or worried messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Behind {
    pub user: UserKey,
    pub role: Role,
    pub messages: u32,
    pub paid_eur: Decimal,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What a person did, as far as the words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Witness,
    Threatener,
    Inciter,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Witness => "witness",
            Role::Threatener => "threatener",
            Role::Inciter => "inciter",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exhibits {
    said: [VecDeque<Said>; 8],
    seen: VecDeque<Seen>,
    still: Option<Seen>,
    acts: VecDeque<PaidAct>,
    persons: Vec<Behind>,
}

impl Exhibits {
    /// A message whose score for some labels counts; `labels` with their scores, worst first not needed.
    pub fn message(&mut self, at: Timestamp, event: &Event, labels: &[(ChatLabel, f32)], act: f64) {
        let (paid, eur) = match &event.body {
            Body::Donation { amount, .. } => (Some(amount.shown()), amount.eur),
            Body::Reward { cost, unit, .. } => (Some(format!("{cost} {unit}")), None),
            _ => (None, None),
        };
        let worst = labels.iter().map(|(_, score)| *score).fold(0.0, f32::max);
        let mut said = Said {
            digest: event.digest(),
            kind: event.kind().name().to_owned(),
            at,
            quote: event.text().unwrap_or_default().chars().take(QUOTE).collect(),
            paid,
            score: worst,
        };
        for (label, score) in labels {
            said.score = *score;
            push(&mut self.said[*label as usize], said.clone(), MESSAGES);
        }
        if act > 0.0 && event.paid() {
            let score = |label| labels.iter().find(|(l, _)| *l == label).map_or(0.0, |(_, s)| *s);
            said.score = score(ChatLabel::Incitement).max(score(ChatLabel::SelfHarmUrging));
            push(&mut self.acts, PaidAct { said, look: None }, ACTS);
        }
        let has = |wanted: ChatLabel| labels.iter().any(|(label, _)| *label == wanted);
        let role = if has(ChatLabel::Incitement) || has(ChatLabel::SelfHarmUrging) {
            Role::Inciter
        } else if has(ChatLabel::Threat) {
            Role::Threatener
        } else if has(ChatLabel::Distress) {
            Role::Witness
        } else {
            return;
        };
        if let Some(user) = &event.user {
            let eur = if act > 0.0 { eur } else { None };
            self.person(at, user.key, role, eur);
        }
    }

    fn person(&mut self, at: Timestamp, user: UserKey, role: Role, eur: Option<Money>) {
        let eur = eur.map_or(Decimal::ZERO, |eur| eur.0);
        if let Some(known) = self.persons.iter_mut().find(|p| p.user == user && p.role == role) {
            known.messages += 1;
            known.paid_eur += eur;
            known.last = at;
            return;
        }
        if self.persons.len() >= PERSONS {
            // Full: the least concerned makes room: lowest role, then money, then longest unheard.
            let least = (0..self.persons.len()).min_by_key(|i| {
                let p = &self.persons[*i];
                (p.role, p.paid_eur, p.last)
            });
            if let Some(least) = least {
                self.persons.swap_remove(least);
            }
        }
        let behind = Behind { user, role, messages: 1, paid_eur: eur, first: at, last: at };
        self.persons.push(behind);
    }

    /// A look; `harmful` ones and the latest still one are kept, and it answers the acts that wait for one.
    pub fn look(&mut self, at: Timestamp, look: &LookScores, harmful: bool, still: bool) {
        let seen = Seen {
            at,
            frames: look.frames.iter().map(|frame| frame.digest).collect(),
            violence: look.scores.frame(FrameLabel::Violence),
            motion: look.motion,
            person_down: look.scores.frame(FrameLabel::PersonDown),
        };
        for act in self.acts.iter_mut().filter(|act| act.look.is_none()) {
            if (0..=LOOK_AFTER_MS).contains(&at.since(act.said.at)) {
                act.look = Some(seen.clone());
            }
        }
        if still {
            self.still = Some(seen.clone());
        }
        if harmful {
            push(&mut self.seen, seen, LOOKS);
        }
    }

    /// What a signal's value at `at` rests on, newest first, at most four of each.
    pub fn of(&self, signal: Signal, at: Timestamp) -> (Vec<&Said>, Vec<&Seen>) {
        let fresh = |then: Timestamp| at.since(then) <= FRESH_MS;
        let family = signal.name().split('.').next().unwrap_or_default();
        let stem = signal.stem();
        let mut said: Vec<&Said> = Vec::new();
        let mut seen: Vec<&Seen> = Vec::new();
        match family {
            "chat" => {
                let stem = stem.trim_end_matches("_voices").trim_end_matches("_peak");
                if let Some(label) = ChatLabel::from_name(stem) {
                    said.extend(self.said[label as usize].iter().rev());
                }
            }
            "money" | "history" => said.extend(self.acts.iter().rev().map(|act| &act.said)),
            "coupling" => {
                if stem == "distress_after_money" {
                    said.extend(self.said[ChatLabel::Distress as usize].iter().rev());
                }
                for act in self.acts.iter().rev() {
                    said.push(&act.said);
                    seen.extend(act.look.as_ref());
                }
            }
            "picture" if stem.starts_with("still") => seen.extend(self.still.as_ref()),
            "picture" => seen.extend(self.seen.iter().rev()),
            _ => {}
        }
        said.retain(|said| fresh(said.at));
        seen.retain(|seen| fresh(seen.at));
        said.truncate(4);
        seen.truncate(2);
        (said, seen)
    }

    pub fn acts(&self) -> impl Iterator<Item = &PaidAct> {
        self.acts.iter()
    }

    /// People, the most concerned first.
    pub fn persons(&self) -> Vec<&Behind> {
        let mut persons: Vec<&Behind> = self.persons.iter().collect();
        persons.sort_by_key(|p| (std::cmp::Reverse((p.role, p.paid_eur, p.messages)), p.user));
        persons
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T, cap: usize) {
    if ring.len() >= cap {
        ring.pop_front();
    }
    ring.push_back(item);
}

/// The kind of a message that was kept, for the alert's evidence list.
impl Said {
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == self.kind)
    }
}
