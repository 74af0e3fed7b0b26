//! From signals to a level, with reasons. Pure: the state before, the signals, the escalation model's outputs and
//! the time come in; an assessment and the state after go out.

use serde::{Deserialize, Serialize};

use super::rule::{Holds, Rule};
use crate::config::Levels;
use crate::event::{Level, Offence, Signal, SignalKind, Signals, Tense, Timestamp};

/// A rule's level is left this long after it last matched (contracts, "Levels and decisions").
const RULE_HOLD_MS: i64 = 60_000;
/// Harm older than this makes the tense `past`.
const PAST_MS: i64 = 3_600_000;
/// Reasons that the escalation model's decision is told with, at most.
const REASONS: usize = 5;

/// The escalation model's four probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    pub concern: f32,
    pub danger: f32,
    pub threat_to_life: f32,
    pub imminent: f32,
}

/// What risk remembers of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub level: Level,
    /// Levels that the model has reached and not left: watch, concern, danger, threat to life.
    model: [bool; 4],
    /// When each rule last matched, by name; those in shadow too, which raise nothing.
    rules: Vec<(String, Timestamp)>,
}

/// What decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decider {
    Nothing,
    Model,
    /// By name; the comparisons that held.
    Rule {
        name: String,
        holds: Vec<Holds>,
    },
}

/// The judgement of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    pub level: Level,
    /// The number that decided: a probability of the model, or 1 for a rule.
    pub score: f32,
    pub decider: Decider,
    pub tense: Tense,
    pub offences: Vec<Offence>,
}

/// One reason before it is put into words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    pub signal: Signal,
    pub value: f32,
    pub threshold: Option<f32>,
    pub weight: f32,
}

/// Which rules, by place, matched in an evaluation, and which of them began to: those that had not for as long as a rule
/// holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    pub now: Vec<usize>,
    pub began: Vec<usize>,
}

/// Thresholds and rules of one config.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    pub levels: Levels,
    pub rules: Vec<Rule>,
    /// `[signals] offences`: which offence a signal's family and stem (`chat.threat`) gives rise to suspect.
    pub offences: Vec<(String, Offence)>,
}

impl Judge {
    /// Judges one moment. Only at the end of a second (`second_end`) may the level fall.
    pub fn assess(
        &self,
        state: &mut State,
        signals: &Signals,
        outputs: Option<Outputs>,
        last_harm: Option<Timestamp>,
        at: Timestamp,
        second_end: bool,
    ) -> (Assessment, Matches) {
        let mut matches = Matches::default();
        let by_model = self.model_level(state, outputs, second_end);
        let by_rule = self.rule_level(state, signals, at, second_end, &mut matches);
        let rule_level = by_rule.as_ref().map_or(Level::None, |(level, ..)| *level);
        let found = by_model.max(rule_level);
        state.level = if second_end { found } else { state.level.max(found) };
        let level = state.level;
        let by_rule = by_rule.filter(|(rule, ..)| *rule == level);
        let (decider, score, told, mut offences) = match by_rule {
            Some((_, place, holds)) => {
                let rule = &self.rules[place];
                let decider = Decider::Rule { name: rule.name.clone(), holds };
                (decider, 1.0, rule.tense, rule.offences.clone())
            }
            None if level > Level::None => {
                (Decider::Model, probability(outputs, level), None, Vec::new())
            }
            None => (Decider::Nothing, probability(outputs, Level::Watch), None, Vec::new()),
        };
        for place in &matches.now {
            if !self.rules[*place].shadow {
                offences.extend(self.rules[*place].offences.iter().copied());
            }
        }
        offences.sort_unstable();
        offences.dedup();
        let tense = told.unwrap_or_else(|| self.tense(outputs, level, last_harm, at));
        (Assessment { level, score, decider, tense, offences }, matches)
    }

    fn model_level(&self, state: &mut State, outputs: Option<Outputs>, second_end: bool) -> Level {
        let Some(p) = outputs else { return Level::None };
        let levels = &self.levels;
        let gates = [
            (p.concern, levels.watch, Level::Watch),
            (p.concern, levels.concern, Level::Concern),
            (p.danger, levels.danger, Level::Danger),
            (p.threat_to_life, levels.threat_to_life, Level::ThreatToLife),
        ];
        let hysteresis = levels.hysteresis as f32;
        let mut level = Level::None;
        for (on, (p, threshold, gate)) in state.model.iter_mut().zip(gates) {
            let threshold = threshold as f32;
            if p >= threshold {
                *on = true;
            } else if second_end && p < threshold - hysteresis {
                *on = false;
            }
            if *on {
                level = level.max(gate);
            }
        }
        level
    }

    /// The highest level of an active rule that matches or matched within its hold; the first in file order among
    /// equals, one that matches now before one that only holds.
    fn rule_level(
        &self,
        state: &mut State,
        signals: &Signals,
        at: Timestamp,
        second_end: bool,
        matches: &mut Matches,
    ) -> Option<(Level, usize, Vec<Holds>)> {
        let mut holds = Vec::new();
        let mut best: Option<(Level, usize, Vec<Holds>)> = None;
        for (place, rule) in self.rules.iter().enumerate() {
            let matched = rule.matches(signals, &mut holds);
            if matched {
                matches.now.push(place);
            }
            let known = state.rules.iter().position(|(name, _)| *name == rule.name);
            let live = match (matched, known) {
                (true, Some(known)) => {
                    state.rules[known].1 = at;
                    true
                }
                (true, None) => {
                    state.rules.push((rule.name.clone(), at));
                    matches.began.push(place);
                    true
                }
                (false, Some(known)) => at.since(state.rules[known].1) <= RULE_HOLD_MS,
                (false, None) => false,
            };
            // What one in shadow would do is counted alone.
            if rule.shadow {
                continue;
            }
            let better = match &best {
                None => live,
                Some((level, _, shown)) => {
                    let now_first = rule.level == *level && shown.is_empty() && matched;
                    live && (rule.level > *level || now_first)
                }
            };
            if better {
                best = Some((rule.level, place, holds.clone()));
            }
        }
        if second_end {
            let known = |name: &str| self.rules.iter().any(|rule| rule.name == name);
            state.rules.retain(|(name, last)| known(name) && at.since(*last) <= RULE_HOLD_MS);
        }
        best
    }

    fn tense(
        &self,
        outputs: Option<Outputs>,
        level: Level,
        last_harm: Option<Timestamp>,
        at: Timestamp,
    ) -> Tense {
        let imminent = self.levels.imminent as f32;
        if level < Level::Danger && outputs.is_some_and(|p| p.imminent >= imminent) {
            Tense::Imminent
        } else if last_harm.is_some_and(|then| at.since(then) > PAST_MS) {
            Tense::Past
        } else {
            Tense::Ongoing
        }
    }

    /// The grounds of an assessment; weights add up to 1. `run` asks the escalation model for other signals: a
    /// signal's share is what the deciding probability's log-odds lose without it.
    pub fn grounds(
        &self,
        assessment: &Assessment,
        signals: &Signals,
        run: &mut dyn FnMut(&[Signals]) -> Vec<Outputs>,
    ) -> Vec<Ground> {
        match &assessment.decider {
            Decider::Nothing => Vec::new(),
            Decider::Rule { holds, .. } => {
                // A signal that several conditions ask about is one ground, against the strictest of them.
                let mut strictest: Vec<&Holds> = Vec::with_capacity(holds.len());
                for held in holds {
                    match strictest.iter_mut().find(|known| known.signal == held.signal) {
                        Some(known) if known.threshold < held.threshold => *known = held,
                        Some(_) => {}
                        None => strictest.push(held),
                    }
                }
                let weight = 1.0 / strictest.len().max(1) as f32;
                let ground = |h: &Holds| Ground {
                    signal: h.signal,
                    value: h.value,
                    threshold: Some(h.threshold),
                    weight,
                };
                strictest.into_iter().map(ground).collect()
            }
            Decider::Model => self.model_grounds(assessment.level, signals, run),
        }
    }

    fn model_grounds(
        &self,
        level: Level,
        signals: &Signals,
        run: &mut dyn FnMut(&[Signals]) -> Vec<Outputs>,
    ) -> Vec<Ground> {
        let present: Vec<Signal> = Signal::all()
            .filter(|s| s.def().kind == SignalKind::Harm)
            .filter(|s| signals.get(*s).is_some_and(|value| value > s.def().min))
            .collect();
        let mut rows = vec![signals.clone()];
        rows.extend(present.iter().map(|signal| {
            let mut without = signals.clone();
            without.clear(*signal);
            without
        }));
        let outputs = run(&rows);
        let odds = |p: &Outputs| {
            let p = f64::from(probability(Some(*p), level)).clamp(1e-6, 1.0 - 1e-6);
            libm::log(p / (1.0 - p))
        };
        let Some(whole) = outputs.first().map(odds) else { return Vec::new() };
        let mut shares: Vec<(Signal, f64)> = present
            .into_iter()
            .zip(outputs.iter().skip(1))
            .map(|(signal, p)| (signal, (whole - odds(p)).max(0.0)))
            .filter(|(_, share)| *share > 0.0)
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares.truncate(REASONS);
        let total: f64 = shares.iter().map(|(_, share)| share).sum();
        shares
            .into_iter()
            .map(|(signal, share)| Ground {
                signal,
                value: signals.or_lowest(signal),
                threshold: None,
                weight: (share / total) as f32,
            })
            .collect()
    }

    /// Offences of a decision: its rules', and by the table those of the cited signals.
    pub fn offences(&self, assessment: &Assessment, grounds: &[Ground]) -> Vec<Offence> {
        let mut out = assessment.offences.clone();
        for ground in grounds {
            let name = ground.signal.name();
            out.extend(
                self.offences
                    .iter()
                    .filter(|(of, _)| name.starts_with(of.as_str()))
                    .map(|(_, o)| *o),
            );
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// The probability that stands behind a level.
fn probability(outputs: Option<Outputs>, level: Level) -> f32 {
    let Some(p) = outputs else { return 0.0 };
    match level {
        Level::None | Level::Watch | Level::Concern => p.concern,
        Level::Danger => p.danger,
        Level::ThreatToLife => p.threat_to_life,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(when: &str, level: Level) -> Judge {
        let rule = Rule::compile("r", when, level, None, vec![Offence::Threat], false).unwrap();
        Judge { rules: vec![rule], ..Judge::default() }
    }

    fn with(signal: Signal, value: f64) -> Signals {
        let mut signals = Signals::default();
        signals.set(signal, value);
        signals
    }

    fn concern(p: f32) -> Option<Outputs> {
        Some(Outputs { concern: p, ..Outputs::default() })
    }

    #[test]
    fn the_model_opens_at_its_threshold_and_leaves_below_the_hysteresis_at_a_second_end() {
        let judge = Judge::default();
        let mut state = State::default();
        let none = Signals::default();
        let mut level = |p: f32, end: bool| {
            judge.assess(&mut state, &none, concern(p), None, Timestamp(0), end).0.level
        };
        assert_eq!(level(0.49, true), Level::Watch);
        assert_eq!(level(0.50, false), Level::Concern);
        assert_eq!(level(0.41, true), Level::Concern, "within the hysteresis");
        assert_eq!(level(0.39, false), Level::Concern, "no fall in between");
        assert_eq!(level(0.39, true), Level::Watch);
        assert_eq!(level(0.0, true), Level::None);
    }

    #[test]
    fn a_rule_holds_for_a_minute_after_it_last_matched_and_decides_at_equal_level() {
        let judge = judge("chat_threat_60s > 1.0", Level::Concern);
        let mut state = State::default();
        let (on, off) = (with(Signal::ChatThreat60s, 2.0), with(Signal::ChatThreat60s, 0.1));
        let (first, matches) =
            judge.assess(&mut state, &on, concern(0.6), None, Timestamp(0), false);
        assert_eq!(first.level, Level::Concern);
        assert_eq!(first.score, 1.0);
        assert!(matches!(first.decider, Decider::Rule { .. }));
        assert_eq!(first.offences, [Offence::Threat]);
        assert_eq!((&matches.now[..], &matches.began[..]), (&[0][..], &[0][..]));
        let mut at = |ms, signals| {
            let (assessed, matches) =
                judge.assess(&mut state, signals, None, None, Timestamp(ms), true);
            (assessed.level, matches.began.len())
        };
        assert_eq!(at(0, &on), (Level::Concern, 0), "it goes on");
        assert_eq!(at(60_000, &off), (Level::Concern, 0));
        assert_eq!(at(60_001, &off), (Level::None, 0));
        assert_eq!(at(61_000, &on), (Level::Concern, 1), "it begins anew");
    }

    #[test]
    fn a_shadow_rule_is_counted_and_raises_nothing() {
        let mut judge = judge("chat_threat_60s > 1.0", Level::ThreatToLife);
        judge.rules[0].shadow = true;
        let on = with(Signal::ChatThreat60s, 2.0);
        let mut state = State::default();
        for began in [&[0][..], &[]] {
            let (a, matches) = judge.assess(&mut state, &on, None, None, Timestamp(0), true);
            assert_eq!((a.level, a.offences.len()), (Level::None, 0));
            assert_eq!((&matches.now[..], &matches.began[..]), (&[0][..], began));
        }
    }

    #[test]
    fn a_signal_that_several_conditions_ask_about_is_one_ground() {
        let held = |signal, threshold| Holds { signal, value: 5.0, threshold };
        let a = Assessment {
            level: Level::Danger,
            score: 0.9,
            decider: Decider::Rule {
                name: "r".into(),
                holds: vec![
                    held(Signal::ChatThreat60s, 2.0),
                    held(Signal::ChatDistress60s, 1.0),
                    held(Signal::ChatThreat60s, 3.0),
                ],
            },
            tense: Tense::Ongoing,
            offences: Vec::new(),
        };
        let grounds = Judge::default().grounds(&a, &Signals::default(), &mut |_| Vec::new());
        let told: Vec<_> = grounds.iter().map(|g| (g.signal, g.threshold, g.weight)).collect();
        let threat = (Signal::ChatThreat60s, Some(3.0), 0.5);
        assert_eq!(told, [threat, (Signal::ChatDistress60s, Some(1.0), 0.5)]);
    }

    #[test]
    fn grounds_of_the_model_share_the_decision_and_add_up_to_one() {
        let judge = Judge::default();
        let mut signals = with(Signal::ChatThreat60s, 4.0);
        signals.set(Signal::ChatDistress60s, 1.0);
        signals.set(Signal::ChatMessages60s, 100.0);
        let mut run = |rows: &[Signals]| {
            let p = |s: &Signals| {
                let x = s.or_lowest(Signal::ChatThreat60s) + s.or_lowest(Signal::ChatDistress60s);
                Outputs { concern: 1.0 / (1.0 + (2.0 - x).exp()), ..Outputs::default() }
            };
            rows.iter().map(p).collect()
        };
        let a = Assessment {
            level: Level::Concern,
            score: 0.9,
            decider: Decider::Model,
            tense: Tense::Ongoing,
            offences: Vec::new(),
        };
        let grounds = judge.grounds(&a, &signals, &mut run);
        assert_eq!(grounds[0].signal, Signal::ChatThreat60s);
        assert!((grounds.iter().map(|g| g.weight).sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((grounds[0].weight - 0.8).abs() < 0.01, "{grounds:?}");
        assert!(
            grounds.iter().all(|g| g.threshold.is_none() && g.signal != Signal::ChatMessages60s)
        );
    }

    #[test]
    fn the_tense_is_past_an_hour_after_the_last_harm_and_imminent_below_danger() {
        let judge = Judge::default();
        let none = Signals::default();
        let tense = |outputs, last_harm, at| {
            let mut state = State::default();
            judge.assess(&mut state, &none, outputs, last_harm, Timestamp(at), true).0.tense
        };
        let imminent = Some(Outputs { concern: 0.6, imminent: 0.7, ..Outputs::default() });
        assert_eq!(tense(imminent, Some(Timestamp(0)), 10), Tense::Imminent);
        let danger = Some(Outputs { danger: 0.9, imminent: 0.7, ..Outputs::default() });
        assert_eq!(tense(danger, Some(Timestamp(0)), 10), Tense::Ongoing);
        assert_eq!(tense(concern(0.6), Some(Timestamp(0)), 3_600_001), Tense::Past);
    }
}
