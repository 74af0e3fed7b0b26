//! The `channel` room: the memory of one stream, seconds to months, in bounded space. Scored events, looks and
//! ticks come in, in order; [`Signals`] go out. It reads no clock and does not know how signals are judged.

mod crowd;
mod exhibit;
mod fading;
mod picture;
mod purse;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use exhibit::{Behind, PaidAct, Role, Said, Seen};
pub use picture::LookWeight;

use crate::event::{
    Body, CHAT_LABELS, ChannelId, ChatLabel, Consumed, Event, Fuel, Gap, LookScores, Manner, Money,
    Scores, Setting, Signal, Signals, Stamp, StreamInfo, StreamState, Timestamp, Unscored, harm,
};
use crate::model::text::manner as manner_of;
use crowd::Crowd;
use exhibit::Exhibits;
pub use fading::HalfLives;
use fading::{Sum, half};
use picture::Picture;
use purse::Purse;

/// Gaps shown with a channel.
const GAPS: usize = 8;
/// Measures remembered by name.
const MEASURES: usize = 8;
/// A stream that comes back within this time goes on: its hours live are unbroken.
const UNBROKEN_MS: i64 = 10 * 60_000;

/// What the platform last told of the stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stream {
    pub name: Option<String>,
    pub title: Option<String>,
    pub category: Option<String>,
    pub language: Option<String>,
    pub country: Option<String>,
    pub url: Option<String>,
    pub viewers: Option<u64>,
    pub live: bool,
    pub started_at: Option<Timestamp>,
    pub offline_since: Option<Timestamp>,
    pub setting: Setting,
}

/// What came of consuming one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effect {
    /// Judge at once, without waiting for the end of the second.
    pub now: bool,
    /// A paid request for an act came: its words and the next look are kept for 90 days.
    pub act: bool,
    /// A reason may cite it for a day.
    pub exhibit: bool,
}

/// The memory of one channel. Serialised whole in checkpoints and before its first entry in a journal segment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Channel {
    /// The latest `at` consumed; never goes back.
    pub now: Timestamp,
    pub stream: Stream,
    crowd: Crowd,
    picture: Picture,
    purse: Purse,
    exhibits: Exhibits,
    measures: Sum,
    measure_names: VecDeque<String>,
    notices: Sum,
    notices_seen: u32,
    gaps: VecDeque<Gap>,
    /// When harm was last said or seen.
    pub last_harm: Option<Timestamp>,
    heard_chat: bool,
    /// How it forgets; told by who holds it, not remembered.
    #[serde(skip)]
    fade: HalfLives,
}

impl Channel {
    /// It forgets by these half-lives from here on.
    pub fn fade_by(&mut self, fade: &HalfLives) {
        self.fade = fade.clone();
    }

    /// Whether it comes so long after its time that chat of it is only counted.
    pub fn is_late(&self, at: Timestamp, late_ms: i64) -> bool {
        self.now.since(at) > late_ms
    }

    /// Takes in one thing. `late_ms`: chat older than this against channel time is only counted.
    pub fn consume(&mut self, entry: &Consumed, late_ms: i64) -> Effect {
        let late = self.is_late(entry.at, late_ms);
        self.now = self.now.max(entry.at);
        match &entry.fuel {
            Fuel::Event { event, stamp, scores, plain, unscored, manner } => {
                let scores = self.heard_as(stamp, *scores, *plain);
                self.event(event, &scores, *unscored, *manner, late)
            }
            Fuel::Look { look } => self.look(look),
            // Told again, it is one.
            Fuel::Gap { gap } if self.gaps.contains(gap) => Effect::default(),
            Fuel::Gap { gap } => {
                if self.gaps.len() >= GAPS {
                    self.gaps.pop_front();
                }
                self.gaps.push_back(gap.clone());
                Effect::default()
            }
            Fuel::Tick | Fuel::Decision { .. } => Effect::default(),
        }
    }

    /// Under a setting that excuses, the higher of both scores, unless the picture is seen to be no filmed one.
    fn heard_as(&self, stamp: &Stamp, own: Scores, plain: Option<Scores>) -> Scores {
        match plain {
            Some(plain) if !(stamp.setting.excuses() && self.picture.is_not_filmed(self.now)) => {
                own.max(plain)
            }
            _ => own,
        }
    }

    fn event(
        &mut self,
        event: &Event,
        scores: &Scores,
        unscored: Option<Unscored>,
        manner: Option<Manner>,
        late: bool,
    ) -> Effect {
        let at = self.now;
        match &event.body {
            Body::Chat { text } => {
                self.heard_chat = true;
                if late || unscored == Some(Unscored::Shed) && *scores == Scores::default() {
                    self.crowd.count(at, &self.fade);
                    return Effect::default();
                }
                let harmful = self.hear(event, text, scores, manner);
                Effect { now: harmful, act: false, exhibit: harmful }
            }
            Body::Donation { amount, text, .. } => {
                self.gift(event, text, amount.eur, scores, manner)
            }
            Body::Reward { text, .. } => self.gift(event, text, None, scores, manner),
            Body::Stream(info) => {
                self.stream_told(info);
                Effect::default()
            }
            Body::Notice(_) => {
                self.notices.add(at, 1.0, self.fade.of(Signal::NoticeCount7d, half::D7));
                self.notices_seen = self.notices_seen.saturating_add(1);
                Effect { now: true, ..Effect::default() }
            }
            Body::Moderation(measure) => {
                if &*measure.scope == "channel" {
                    let half = self.fade.of(Signal::HistoryMeasures90d, half::D90);
                    self.measures.add(at, 1.0, half);
                    if self.measure_names.len() >= MEASURES {
                        self.measure_names.pop_front();
                    }
                    self.measure_names.push_back(format!("{at} {}", measure.action));
                }
                Effect::default()
            }
            Body::Frame(_) => Effect::default(),
        }
    }

    /// Words said, free or paid. Returns whether any label counts as harm.
    fn hear(&mut self, event: &Event, text: &str, scores: &Scores, manner: Option<Manner>) -> bool {
        let at = self.now;
        let manner = manner.unwrap_or_else(|| manner_of(text));
        self.crowd.hear(at, event.user.as_ref().map(|user| user.key), manner, scores, &self.fade);
        let mut labels = [(ChatLabel::Threat, 0.0f32); 8];
        let mut count = 0;
        for label in CHAT_LABELS {
            if let Some(score) = scores.chat(label).filter(|score| *score >= harm::FLOOR) {
                labels[count] = (label, score);
                count += 1;
            }
        }
        let labels = &labels[..count];
        if labels.is_empty() {
            return false;
        }
        let distress = scores.chat(ChatLabel::Distress).map_or(0.0, harm::contribution);
        self.purse.distress(at, distress, &self.fade);
        self.exhibits.message(at, event, labels, self.act_weight(event, scores));
        if labels.iter().any(|(label, _)| *label != ChatLabel::Toxicity) {
            self.last_harm = Some(at);
        }
        true
    }

    /// How much a paid message asks for an act.
    fn act_weight(&self, event: &Event, scores: &Scores) -> f64 {
        if !event.paid() {
            return 0.0;
        }
        let asks = scores.chat(ChatLabel::Incitement).unwrap_or(0.0);
        let urges = scores.chat(ChatLabel::SelfHarmUrging).unwrap_or(0.0);
        harm::contribution(asks.max(urges))
    }

    fn gift(
        &mut self,
        event: &Event,
        text: &str,
        eur: Option<Money>,
        scores: &Scores,
        manner: Option<Manner>,
    ) -> Effect {
        let act = self.act_weight(event, scores);
        let fresh = self.picture.fresh_violence(self.now, &self.fade);
        self.purse.give(self.now, eur, act, fresh, &self.fade);
        let exhibit = !text.is_empty() && self.hear(event, text, scores, manner);
        Effect { now: true, act: act > 0.0, exhibit }
    }

    fn look(&mut self, look: &LookScores) -> Effect {
        let weight = self.picture.see(self.now, look, &self.fade);
        self.purse.look(self.now, weight, &self.fade);
        let harmful = weight.violence > 0.0 || weight.burst > 0.5;
        let still = weight.rests;
        self.exhibits.look(self.now, look, harmful, still);
        if weight.violence > 0.0 {
            self.last_harm = Some(self.now);
        }
        // The latest look at rest is the latest of all, or nearly: the ring has it.
        Effect { now: true, act: false, exhibit: harmful }
    }

    fn stream_told(&mut self, info: &StreamInfo) {
        let at = self.now;
        let stream = &mut self.stream;
        let keep = |field: &mut Option<String>, told: &Option<Box<str>>| {
            if let Some(told) = told {
                *field = Some(told.to_string());
            }
        };
        keep(&mut stream.name, &info.name);
        keep(&mut stream.title, &info.title);
        keep(&mut stream.category, &info.category);
        keep(&mut stream.language, &info.language);
        keep(&mut stream.country, &info.country);
        keep(&mut stream.url, &info.url);
        stream.viewers = info.viewers.or(stream.viewers);
        match info.state {
            StreamState::Offline => {
                stream.live = false;
                stream.offline_since = Some(at);
            }
            StreamState::Live | StreamState::Update => {
                let broken = stream.offline_since.is_some_and(|off| at.since(off) > UNBROKEN_MS);
                if stream.started_at.is_none() || broken {
                    stream.started_at = Some(info.started_at.unwrap_or(at));
                } else if let Some(told) = info.started_at {
                    stream.started_at = stream.started_at.map(|known| known.min(told));
                }
                stream.live = true;
                stream.offline_since = None;
            }
        }
    }

    /// Sets the setting that the door stamped last; kept here so that a restart knows it.
    pub fn stamped(&mut self, stamp: &Stamp) {
        self.stream.setting = stamp.setting;
    }

    /// Hours live without a break; none if the stream is offline or never told.
    pub fn hours_live(&self, at: Timestamp) -> Option<f64> {
        let since = self.stream.started_at.filter(|_| self.stream.live)?;
        Some((at.since(since).max(0)) as f64 / 3_600_000.0)
    }

    /// The signals at `at`, which is not before `now`.
    pub fn signals(&self, at: Timestamp) -> Signals {
        let mut out = Signals::default();
        if self.heard_chat || self.purse.has_heard() {
            self.crowd.signals(at, &self.fade, &mut out);
        }
        self.picture.signals(at, &self.fade, &mut out);
        let violence = out.get(Signal::PictureViolencePeak60s).is_some();
        self.purse.signals(at, self.picture.has_looked(), violence, &self.fade, &mut out);
        if let Some(hours) = self.hours_live(at) {
            out.set(Signal::StreamHoursLiveNow, hours);
        }
        if let Some(viewers) = self.stream.viewers {
            out.set(Signal::StreamViewersNow, viewers as f64);
        }
        out.set(
            Signal::HistoryMeasures90d,
            self.measures.at(at, self.fade.of(Signal::HistoryMeasures90d, half::D90)),
        );
        out.set(
            Signal::NoticeCount7d,
            self.notices.at(at, self.fade.of(Signal::NoticeCount7d, half::D7)),
        );
        out
    }

    /// What a signal's value rests on: messages and looks, newest first.
    pub fn exhibits_of(&self, signal: Signal) -> (Vec<&Said>, Vec<&Seen>) {
        self.exhibits.of(signal, self.now)
    }

    pub fn acts(&self) -> impl Iterator<Item = &PaidAct> {
        self.exhibits.acts()
    }

    pub fn persons(&self) -> Vec<&Behind> {
        self.exhibits.persons()
    }

    /// Gifts, EUR and requests for acts of the last 24 hours, exact.
    pub fn last_day(&self) -> (u64, Money, u64) {
        self.purse.last_day(self.now)
    }

    /// Days of the last 90 with paid requests for acts, exact.
    pub fn days_with_acts(&self) -> u32 {
        self.purse.days_with_acts(self.now)
    }

    /// Harm after money against chance, if it can be told.
    pub fn lift(&self) -> Option<f64> {
        self.purse.lift(self.now)
    }

    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.iter().cloned().collect()
    }

    pub fn measures(&self) -> Vec<String> {
        self.measure_names.iter().cloned().collect()
    }

    pub fn notices(&self) -> u32 {
        self.notices_seen
    }

    /// Chat, pictures and gifts: which of them were ever brought.
    pub fn coverage(&self) -> (bool, bool, bool) {
        (self.heard_chat, self.picture.has_looked(), self.purse.has_heard())
    }

    pub fn frozen(&self) -> bool {
        self.picture.frozen()
    }
}

/// Name for logs and pages: the platform's name if told, else the id.
pub fn shown_name(stream: &Stream, id: &ChannelId) -> String {
    stream.name.clone().unwrap_or_else(|| id.as_str().to_owned())
}
