//! The crowd of one channel: how much is said of what, by how many different voices, and how alike and how
//! merry it is. Comes in: scored messages. Goes out: the `chat.*` signals.
//!
//! A text that is pasted again is read, and misread, the same way each time: of danger labels a text counts once in
//! each window, and each copy a quarter besides; a voice that only repeats others counts a quarter.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::fading::{HalfLives, Peak, Sum, Sums, half};
use crate::event::{
    CHAT_LABELS, ChatLabel, Manner, Scores, Signal, Signals, Timestamp, UserKey, harm,
};

/// Voices remembered for each label; beyond it the count stands still.
const VOICES: usize = 32;
/// How long a voice counts: `*.2m`.
const VOICE_WINDOW_MS: i64 = 120_000;
/// Recent texts against which a message is called alike.
const ALIKE: usize = 64;
/// A text is forgotten for likeness after this time.
const ALIKE_WINDOW_MS: i64 = 60_000;
/// What a copy counts of what its text counts, and a voice that only repeats others.
const COPY: f64 = 0.25;
/// Texts remembered for each danger label; beyond it the one known longest is forgotten and would count anew.
const TEXTS: usize = 32;

/// Labels whose copies count a quarter. Insults, sexual words and rudeness of a raid are its copies: they count in full.
const DANGERS: [ChatLabel; 5] = [
    ChatLabel::Threat,
    ChatLabel::Incitement,
    ChatLabel::SelfHarm,
    ChatLabel::SelfHarmUrging,
    ChatLabel::Distress,
];

/// Labels whose voices are counted, and the signal that tells them.
const VOICED: [(ChatLabel, Signal); 5] = [
    (ChatLabel::Threat, Signal::ChatThreatVoices2m),
    (ChatLabel::Incitement, Signal::ChatIncitementVoices2m),
    (ChatLabel::SelfHarmUrging, Signal::ChatSelfHarmUrgingVoices2m),
    (ChatLabel::Distress, Signal::ChatDistressVoices2m),
    (ChatLabel::Harassment, Signal::ChatHarassmentVoices2m),
];

/// Different people who said something (or different texts), each with the last time. Inserting one never lowers a later
/// count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Last(Vec<(u64, Timestamp)>);

impl Last {
    fn heard(&mut self, who: u64, at: Timestamp) {
        if let Some(voice) = self.0.iter_mut().find(|(key, _)| *key == who) {
            voice.1 = voice.1.max(at);
        } else if self.0.len() < VOICES {
            self.0.push((who, at));
        } else if let Some(oldest) = self.0.iter_mut().min_by_key(|(_, last)| *last) {
            // Full: the one silent longest makes room, so the newest 32 are always kept.
            *oldest = (who, at);
        }
    }

    fn count(&self, at: Timestamp) -> usize {
        self.0.iter().filter(|(_, last)| at.since(*last) <= VOICE_WINDOW_MS).count()
    }
}

/// People and the different texts they said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Voices {
    people: Last,
    texts: Last,
}

impl Voices {
    /// Different people; those in excess of different texts count a quarter.
    fn count(&self, at: Timestamp) -> f64 {
        let people = self.people.count(at);
        let own = people.min(self.texts.count(at));
        own as f64 + COPY * (people - own) as f64
    }
}

/// The texts of one danger label, each with the most that one message of it counted, fading as each window does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Texts(VecDeque<(u64, [Peak; 4])>);

impl Texts {
    /// What a message of `weight` adds in each window: what its text does not count already, and a quarter of the rest.
    /// More of a text, or an earlier one, never makes the sum less: what it takes from later copies it has added itself.
    fn adds(&mut self, text: u64, at: Timestamp, weight: f64, halves: &[i64; 4]) -> [f64; 4] {
        let place = self.0.iter().position(|(known, _)| *known == text).unwrap_or_else(|| {
            if self.0.len() >= TEXTS {
                self.0.pop_front();
            }
            self.0.push_back((text, [Peak::default(); 4]));
            self.0.len() - 1
        });
        let mut adds = [weight; 4];
        for ((add, peak), half_life) in adds.iter_mut().zip(&mut self.0[place].1).zip(halves) {
            let counted = peak.at(at, *half_life);
            *add = (weight - counted).max(0.0) + COPY * weight.min(counted);
            peak.raise(at, weight, *half_life);
        }
        adds
    }
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Crowd {
    sums: [Sums<4>; 8],
    texts: [Texts; 5],
    voices: [Voices; 5],
    threat_peak: Peak,
    self_harm_peak: Peak,
    messages: Sum,
    alike: Sum,
    laughing: Sum,
    recent: VecDeque<(u64, Timestamp)>,
    /// Labels that some model has scored here: others have no value.
    seen: u8,
}

impl Crowd {
    /// A message, scored or not.
    pub fn hear(
        &mut self,
        at: Timestamp,
        user: Option<UserKey>,
        manner: Manner,
        scores: &Scores,
        fade: &HalfLives,
    ) {
        let messages = fade.of(Signal::ChatMessages60s, half::S60);
        self.messages.add(at, 1.0, messages);
        if self.is_alike(at, manner.alike) {
            self.alike.add(at, 1.0, messages);
        }
        if manner.laughs {
            self.laughing.add(at, 1.0, messages);
        }
        // Messages without an author are one voice.
        let who = user.map_or(0, |key| key.short());
        for label in CHAT_LABELS {
            let Some(score) = scores.chat(label) else { continue };
            self.seen |= 1 << label as u8;
            let weight = harm::contribution(score);
            if weight == 0.0 {
                continue;
            }
            let halves = fade.each(Signal::chat_sums(label), &half::CHAT);
            let adds = match DANGERS.iter().position(|danger| *danger == label) {
                Some(place) => self.texts[place].adds(manner.alike, at, weight, &halves),
                None => [weight; 4],
            };
            self.sums[label as usize].add_each(at, adds, &halves);
            if let Some(place) = VOICED.iter().position(|(voiced, _)| *voiced == label) {
                let voices = &mut self.voices[place];
                voices.people.heard(who, at);
                // A raid's insults count by people alone.
                let own = if label == ChatLabel::Harassment { who } else { manner.alike };
                voices.texts.heard(own, at);
            }
            match label {
                ChatLabel::Threat => {
                    let half = fade.of(Signal::ChatThreatPeak60s, half::S60);
                    self.threat_peak.raise(at, score.into(), half);
                }
                ChatLabel::SelfHarm => {
                    let half = fade.of(Signal::ChatSelfHarmPeak60s, half::S60);
                    self.self_harm_peak.raise(at, score.into(), half);
                }
                _ => {}
            }
        }
    }

    /// A message that is only counted (too late, or shed without a score).
    pub fn count(&mut self, at: Timestamp, fade: &HalfLives) {
        self.messages.add(at, 1.0, fade.of(Signal::ChatMessages60s, half::S60));
    }

    fn is_alike(&mut self, at: Timestamp, key: u64) -> bool {
        while self.recent.front().is_some_and(|(_, then)| at.since(*then) > ALIKE_WINDOW_MS)
            || self.recent.len() >= ALIKE
        {
            self.recent.pop_front();
        }
        let alike = self.recent.iter().any(|(known, _)| *known == key);
        self.recent.push_back((key, at));
        alike
    }

    pub fn signals(&self, at: Timestamp, fade: &HalfLives, out: &mut Signals) {
        for label in CHAT_LABELS {
            if self.seen & (1 << label as u8) == 0 {
                continue;
            }
            let windows = Signal::chat_sums(label);
            let sums = self.sums[label as usize].at(at, &fade.each(windows, &half::CHAT));
            for (signal, value) in windows.into_iter().zip(sums) {
                out.set(signal, value);
            }
        }
        for ((label, signal), voices) in VOICED.into_iter().zip(&self.voices) {
            if self.seen & (1 << label as u8) != 0 {
                out.set(signal, voices.count(at));
            }
        }
        if self.seen & (1 << ChatLabel::Threat as u8) != 0 {
            out.set(
                Signal::ChatThreatPeak60s,
                self.threat_peak.at(at, fade.of(Signal::ChatThreatPeak60s, half::S60)),
            );
        }
        if self.seen & (1 << ChatLabel::SelfHarm as u8) != 0 {
            out.set(
                Signal::ChatSelfHarmPeak60s,
                self.self_harm_peak.at(at, fade.of(Signal::ChatSelfHarmPeak60s, half::S60)),
            );
        }
        let half = fade.of(Signal::ChatMessages60s, half::S60);
        let messages = self.messages.at(at, half);
        out.set(Signal::ChatMessages60s, messages);
        if messages >= 1.0 {
            out.set(Signal::ChatAlike60s, self.alike.at(at, half) / messages);
            out.set(Signal::ChatLaughter60s, self.laughing.at(at, half) / messages);
        }
    }
}
