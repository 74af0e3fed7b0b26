//! Fills an alert with what it says: reasons in words, what speaks against, evidence by digest, money, places. In: the
//! channel, the judgement and its grounds. Out: the fields of [`Alert`] and [`Facts`]; the same input gives the same
//! words.

use std::collections::BTreeMap;

use super::data::{
    Act, Against, Alert, Coverage, Donations, EvidenceItem, EvidenceKind, Facts, Measure, Person,
    Reason,
};
use super::jurisdiction::{Authority, jurisdiction};
use super::words::{Counter, SummaryFacts, Words};
use crate::channel::{Behind, Channel, PaidAct, Said, Seen};
use crate::event::{
    ChannelId, Digest, Kind, Level, Money, Offence, Setting, Signal, Signals, Timestamp,
};
use crate::risk::{Assessment, Decider, Ground};

/// Items of evidence in an alert.
const EVIDENCE: usize = 24;
/// Pictures of one look that are cited: its first, middle and last.
const PICTURES: usize = 3;
/// Repeats from this share on speak against a crowd's word.
const ALIKE: f32 = 0.4;
/// Laughter from this share on speaks against it.
const LAUGHTER: f32 = 0.3;
/// A picture that lives: motion above rest, without violence.
const LIVELY: f32 = 0.015;

/// What alerts of this house have in common. Made once for a config.
#[derive(Debug)]
pub struct House {
    pub words: Words,
    /// Seat of the model to `name@version`.
    pub models: BTreeMap<String, String>,
    /// Languages that the chat model was measured in.
    pub languages: Vec<String>,
    /// Digest of the config.
    pub config: String,
    /// Where the console answers, without a slash at its end.
    pub public_url: String,
    /// The provider's country, ISO 3166-1 alpha-2; empty: not told.
    pub establishment: String,
    pub authorities: Vec<Authority>,
    /// What each rule says of itself, by language.
    pub rule_reasons: BTreeMap<String, BTreeMap<String, String>>,
}

/// One judgement with its grounds.
#[derive(Clone, Copy, Debug)]
pub struct Judgement<'a> {
    pub assessment: &'a Assessment,
    pub grounds: &'a [Ground],
    pub offences: &'a [Offence],
    pub signals: &'a Signals,
}

impl House {
    /// Writes everything but identity, level, state and times, which the book keeps.
    pub fn write(
        &self,
        channel: &Channel,
        judged: &Judgement,
        alert: &mut Alert,
        facts: &mut Facts,
    ) {
        self.stream(channel, alert, facts);
        alert.tense = judged.assessment.tense;
        // A level that only stays, its rule held or its model not left, is told with the reasons that it came with.
        let stays = judged.grounds.is_empty() && !alert.reasons.is_empty();
        if !stays {
            alert.rule = match &judged.assessment.decider {
                Decider::Rule { name, .. } => Some(name.clone()),
                _ => None,
            };
        }
        alert.suspected_offences = judged.offences.to_vec();
        let items = if stays { std::mem::take(&mut alert.evidence) } else { Vec::new() };
        let mut evidence = Evidence { base: &self.public_url, items };
        if !stays {
            alert.reasons =
                judged.grounds.iter().map(|g| self.reason(channel, g, &mut evidence)).collect();
        }
        facts.acts = channel.acts().map(|act| evidence.act(act)).collect();
        facts.persons = channel.persons().into_iter().map(person).collect();
        alert.evidence = evidence.items;
        alert.against = self.against(channel, judged.signals);
        let (count, sum_eur, asking) = channel.last_day();
        alert.donations = Donations {
            count,
            sum_eur,
            coupling: channel.lift().map(|lift| lift as f32),
            asking_for_acts: asking,
        };
        alert.recommended_measures = measures(alert, judged);
        alert.models = self.models.clone();
        alert.config = self.config.clone();
        alert.console = format!("{}/alerts/{}", self.public_url, alert.id);
        facts.rule_reason = match &alert.rule {
            Some(rule) => self.rule_reasons.get(rule).cloned().unwrap_or_default(),
            None => BTreeMap::new(),
        };
        alert.summary = self.summary(channel, &alert.channel, alert.level, facts, judged);
    }

    fn stream(&self, channel: &Channel, alert: &mut Alert, facts: &mut Facts) {
        let stream = &channel.stream;
        alert.url = stream.url.clone();
        alert.title = stream.title.clone();
        alert.category = stream.category.clone();
        alert.language = stream.language.clone();
        alert.language_measured = stream.language.as_deref().is_some_and(|told| {
            self.languages.iter().any(|known| told.split('-').next() == Some(known))
        });
        let (chat, frames, donations) = channel.coverage();
        alert.coverage = Coverage { chat, frames, donations, gaps: channel.gaps() };
        alert.jurisdiction =
            jurisdiction(stream.country.as_deref(), &self.establishment, &self.authorities);
        facts.name = stream.name.clone();
        facts.country = stream.country.clone();
        facts.started_at = stream.started_at;
        facts.hours_live = channel.hours_live(channel.now).map(|hours| hours as f32);
        facts.viewers = stream.viewers;
        facts.notices = channel.notices();
        facts.days_with_acts = channel.days_with_acts();
        facts.measures = channel.measures();
    }

    fn reason(&self, channel: &Channel, ground: &Ground, evidence: &mut Evidence) -> Reason {
        let (said, seen) = channel.exhibits_of(ground.signal);
        let mut digests: Vec<Digest> = said.into_iter().map(|said| evidence.said(said)).collect();
        digests.extend(seen.into_iter().flat_map(|seen| evidence.seen(seen)));
        digests.dedup();
        Reason {
            signal: ground.signal.name().to_owned(),
            value: ground.value,
            threshold: ground.threshold,
            weight: ground.weight,
            text: self.words.reason(ground.signal, ground.value),
            evidence: digests,
        }
    }

    fn against(&self, channel: &Channel, signals: &Signals) -> Vec<Against> {
        let value = |signal| signals.get(signal);
        let mut found: Vec<(Counter, f32)> = Vec::new();
        let mut if_above = |signal, floor| {
            if let Some(value) = value(signal).filter(|value| *value >= floor) {
                found.push((Counter::Signal(signal), value));
            }
        };
        if_above(Signal::ChatAlike60s, ALIKE);
        if_above(Signal::ChatLaughter60s, LAUGHTER);
        if_above(Signal::PictureFrozenNow, 1.0);
        let (_, looked, _) = channel.coverage();
        if !looked {
            found.push((Counter::NoPictures, 0.0));
        } else {
            let violence = value(Signal::PictureViolence10m);
            if let Some(violence) = violence.filter(|v| *v < 0.2) {
                found.push((Counter::Signal(Signal::PictureViolence10m), violence));
            }
            let still = value(Signal::PictureStill30m).unwrap_or(0.0);
            if let Some(motion) =
                value(Signal::PictureMotion60s).filter(|m| *m >= LIVELY && still < 20.0)
            {
                found.push((Counter::Signal(Signal::PictureMotion60s), motion));
            }
        }
        if matches!(channel.stream.setting, Setting::Game | Setting::Sport | Setting::Fiction) {
            found.push((Counter::Setting(channel.stream.setting), 1.0));
        }
        if is_charity(channel) {
            found.push((Counter::Charity, 1.0));
        }
        found
            .into_iter()
            .filter_map(|(counter, value)| {
                let text = self.words.against(counter, value)?;
                Some(Against { signal: counter.name().to_owned(), value, text })
            })
            .collect()
    }

    fn summary(
        &self,
        channel: &Channel,
        id: &ChannelId,
        level: Level,
        facts: &Facts,
        judged: &Judgement,
    ) -> String {
        let reasons: Vec<(Signal, f32)> =
            judged.grounds.iter().map(|g| (g.signal, g.value)).collect();
        let told = &facts.rule_reason;
        let rule_reason = told.get(self.words.lang()).or_else(|| told.get("en"));
        let rule_reason = rule_reason.or_else(|| told.values().next()).map(String::as_str);
        self.words.summary(&SummaryFacts {
            channel: &crate::channel::shown_name(&channel.stream, id),
            level,
            tense: judged.assessment.tense,
            reasons: &reasons,
            rule_reason,
            hours_live: facts.hours_live,
        })
    }
}

/// Whether the stream says of itself that it collects for charity.
fn is_charity(channel: &Channel) -> bool {
    const WORDS: [&str; 7] =
        ["charity", "charité", "caritatif", "caritative", "fundraiser", "téléthon", "telethon"];
    let told = [&channel.stream.title, &channel.stream.category, &channel.stream.name];
    told.into_iter().flatten().any(|text| {
        let text = text.to_lowercase();
        WORDS.iter().any(|word| text.contains(word))
    })
}

fn measures(alert: &Alert, judged: &Judgement) -> Vec<Measure> {
    let mut out = vec![Measure::HumanReviewNow];
    if alert.level == Level::ThreatToLife {
        out.push(Measure::CallEmergencyNumber);
    }
    if alert.level >= Level::Danger {
        out.push(Measure::InterruptStream);
    }
    let from = |family: &str| judged.grounds.iter().any(|g| g.signal.name().starts_with(family));
    if alert.donations.asking_for_acts > 0 || from("money.") || from("coupling.") {
        out.push(Measure::SuspendMonetisation);
    }
    if from("chat.harassment") || from("chat.threat") || from("chat.self_harm_urging") {
        out.push(Measure::SlowOrCloseChat);
    }
    if from("picture.violence") || from("picture.nudity") {
        out.push(Measure::AgeRestrict);
    }
    out
}

fn person(behind: &Behind) -> Person {
    Person {
        user: behind.user,
        role: behind.role.name().to_owned(),
        messages: behind.messages,
        paid_eur: Money(behind.paid_eur),
        first: behind.first,
        last: behind.last,
    }
}

/// Collects evidence without repeating an item.
struct Evidence<'a> {
    base: &'a str,
    items: Vec<EvidenceItem>,
}

impl Evidence<'_> {
    fn add(
        &mut self,
        digest: Digest,
        kind: EvidenceKind,
        at: Timestamp,
        quote: Option<String>,
        paid: Option<String>,
    ) {
        let known = self.items.iter().any(|item| item.digest == digest);
        if !known && self.items.len() < EVIDENCE {
            let href = format!("{}/api/v1/evidence/{digest}", self.base);
            self.items.push(EvidenceItem { digest, kind, at, href, quote, paid });
        }
    }

    fn said(&mut self, said: &Said) -> Digest {
        let kind = match said.kind() {
            Some(Kind::Donation) => EvidenceKind::Donation,
            Some(Kind::Reward) => EvidenceKind::Reward,
            Some(Kind::Notice) => EvidenceKind::Notice,
            _ => EvidenceKind::Chat,
        };
        self.add(said.digest, kind, said.at, Some(said.quote.clone()), said.paid.clone());
        said.digest
    }

    fn seen(&mut self, seen: &Seen) -> Vec<Digest> {
        let cited = cited_pictures(seen);
        for digest in &cited {
            self.add(*digest, EvidenceKind::Frame, seen.at, None, None);
        }
        cited
    }

    fn act(&mut self, act: &PaidAct) -> Act {
        self.said(&act.said);
        let look = act.look.as_ref();
        Act {
            request: act.said.digest,
            at: act.said.at,
            words: act.said.quote.clone(),
            paid: act.said.paid.clone(),
            score: act.said.score,
            look: look.map(|seen| self.seen(seen)).unwrap_or_default(),
            look_at: look.map(|seen| seen.at),
            violence: look.and_then(|seen| seen.violence),
            motion: look.and_then(|seen| seen.motion),
        }
    }
}

/// First, middle and last picture of a look.
fn cited_pictures(seen: &Seen) -> Vec<Digest> {
    let count = seen.frames.len();
    if count <= PICTURES {
        return seen.frames.clone();
    }
    vec![seen.frames[0], seen.frames[count / 2], seen.frames[count - 1]]
}
