//! The crowd of one channel: how much is said of what, by how many different voices, and how alike and how
//! merry it is. Comes in: scored messages. Goes out: the `chat.*` signals.

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

/// Labels whose voices are counted, and the signal that tells them.
const VOICED: [(ChatLabel, Signal); 5] = [
    (ChatLabel::Threat, Signal::ChatThreatVoices2m),
    (ChatLabel::Incitement, Signal::ChatIncitementVoices2m),
    (ChatLabel::SelfHarmUrging, Signal::ChatSelfHarmUrgingVoices2m),
    (ChatLabel::Distress, Signal::ChatDistressVoices2m),
    (ChatLabel::Harassment, Signal::ChatHarassmentVoices2m),
];

/// Different people who said something, each with the last time. Inserting a voice never lowers a later count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Voices(Vec<(u64, Timestamp)>);

impl Voices {
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

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Crowd {
    sums: [Sums<4>; 8],
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
        let who = user.map_or(0, |key| u64::from_le_bytes(key.0[..8].try_into().unwrap_or([0; 8])));
        for label in CHAT_LABELS {
            let Some(score) = scores.chat(label) else { continue };
            self.seen |= 1 << label as u8;
            let weight = harm::contribution(score);
            if weight == 0.0 {
                continue;
            }
            let halves = fade.each(Signal::chat_sums(label), &half::CHAT);
            self.sums[label as usize].add(at, weight, &halves);
            if let Some(place) = VOICED.iter().position(|(voiced, _)| *voiced == label) {
                self.voices[place].heard(who, at);
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
                out.set(signal, voices.count(at) as f64);
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
