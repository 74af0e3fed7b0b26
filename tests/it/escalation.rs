//! What raises a level and what must not: the default rules, the shipped escalation model, and the promise that worse
//! signals never lower the risk, over channel, rules and model together. The model is asked only where ONNX Runtime is
//! found; without it the test says so and holds channel and rules to the promise.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use vigie::channel::Channel;
use vigie::cli::engine::{AT_ONCE, Engine};
use vigie::cli::setup;
use vigie::cli::terms::Terms;
use vigie::config::{Config, Mode};
use vigie::event::{
    Amount, Body, ChannelId, ChatLabel, Consumed, Digest, Event, FrameLabel, Fuel, Level,
    LookFrame, LookScores, Moderation, Money, Notice, Score, Scores, Setting, Signal, SignalKind,
    Signals, Stamp, StreamInfo, StreamState, Timestamp, User, UserKey,
};
use vigie::model::{Escalation, Manifest, load_runtime};
use vigie::risk::{Judge, Outputs, Rule, State};

const LATE_MS: i64 = 600_000;
const BEGIN: i64 = 1_755_468_000_000;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
    let config = Config::load(&root("config/vigie.toml")).expect("the default config is valid");
    let compile = |rule: &vigie::config::Rule| {
        let shadow = rule.mode == Mode::Shadow;
        Rule::compile(&rule.name, &rule.when, rule.level, rule.tense, rule.offences.clone(), shadow)
            .unwrap_or_else(|e| panic!("rule {}: {e}", rule.name))
    };
    Judge { rules: config.rules.iter().map(compile).collect(), ..Judge::default() }
});

static MODEL: LazyLock<Option<Mutex<Escalation>>> = LazyLock::new(|| {
    if let Err(error) = load_runtime(None) {
        eprintln!("SKIPPED the escalation model: {error}");
        return None;
    }
    let manifest = Manifest::load(&root("models/manifest.toml")).expect("the manifest is valid");
    let model = Escalation::open(&manifest).expect("the model fits its manifest");
    Some(Mutex::new(model.expect("the manifest names an escalation model")))
});

fn ask(rows: &[Signals]) -> Option<Vec<[f32; 4]>> {
    let mut model = MODEL.as_ref()?.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Some(model.run(rows).expect("the model runs"))
}

// -- histories ---------------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum What {
    /// `text`: equal numbers are equal words. `plain`: scores for no setting, beside those for the category's.
    Said {
        user: u8,
        text: u32,
        scores: [f32; 8],
        plain: Option<[f32; 8]>,
        eur: Option<u16>,
    },
    Seen {
        violence: f32,
        motion: f32,
        level: u8,
        identical: bool,
        camera: Option<f32>,
    },
    Notice,
    Measure,
    Tick,
}

/// One thing at a time in ms after the beginning.
#[derive(Clone, Debug)]
struct Thing {
    at: i64,
    what: What,
}

fn entry(thing: &Thing) -> Consumed {
    let channel = ChannelId::new("test:1");
    let at = Timestamp(BEGIN + thing.at);
    let event = |body, user: Option<u8>| {
        let user = user.map(|n| User { key: UserKey([n; 16]), id: "".into(), name: None });
        Arc::new(Event { id: "e".into(), at, channel: channel.clone(), user, body })
    };
    let consumed = |event, scores, plain: Option<Scores>| {
        let setting = if plain.is_some() { Setting::Game } else { Setting::default() };
        let stamp = Stamp { setting, ..Stamp::default() };
        Fuel::Event { event, stamp, scores, plain, unscored: None, manner: None }
    };
    let known = |scores: &[f32; 8]| {
        let mut known = Scores::default();
        for (label, p) in scores.iter().enumerate() {
            known.set(label, Score::new(*p).expect("finite"));
        }
        known
    };
    let fuel = match &thing.what {
        What::Said { user, text, scores, plain, eur } => {
            let text: Box<str> = words(*text).into();
            let body = match eur {
                Some(eur) => {
                    let eur = Some(Money((*eur).into()));
                    let amount = Amount { value: "1".into(), currency: "EUR".into(), eur };
                    Body::Donation { amount, source: "tip".into(), text }
                }
                None => Body::Chat { text },
            };
            consumed(event(body, Some(*user)), known(scores), plain.as_ref().map(known))
        }
        What::Seen { violence, motion, level, identical, camera } => {
            let shown = if *identical { vec![0] } else { at.0.to_be_bytes().to_vec() };
            let mut scores = Scores::default();
            scores.set(FrameLabel::Violence as usize, Score::new(*violence).expect("finite"));
            if let Some(camera) = camera {
                scores.set(FrameLabel::Camera as usize, Score::new(*camera).expect("finite"));
            }
            Fuel::Look {
                look: LookScores {
                    id: "L".into(),
                    frames: vec![LookFrame { digest: Digest::of(&shown), at }],
                    scores,
                    unscored: None,
                    motion: Some(*motion),
                    thumb: vec![*level; 144],
                },
            }
        }
        What::Notice => {
            let notice = Notice { notifier: None, text: "look".into(), url: None };
            consumed(event(Body::Notice(Box::new(notice)), None), Scores::default(), None)
        }
        What::Measure => {
            let measure = Moderation {
                scope: "channel".into(),
                action: "suspend".into(),
                target: None,
                until: None,
                reason: None,
            };
            consumed(event(Body::Moderation(Box::new(measure)), None), Scores::default(), None)
        }
        What::Tick => Fuel::Tick,
    };
    Consumed { channel, at, fuel }
}

/// Different words for each number.
fn words(mut n: u32) -> String {
    let mut out = String::from("x");
    while n > 0 {
        out.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
    }
    out
}

fn live() -> Consumed {
    let info = StreamInfo {
        state: StreamState::Live,
        name: None,
        title: None,
        category: None,
        language: None,
        country: None,
        url: None,
        viewers: None,
        started_at: None,
    };
    let channel = ChannelId::new("test:1");
    let at = Timestamp(BEGIN);
    let body = Body::Stream(Box::new(info));
    let event = Arc::new(Event { id: "s".into(), at, channel: channel.clone(), user: None, body });
    let (stamp, scores) = (Stamp::default(), Scores::default());
    Consumed {
        channel,
        at,
        fuel: Fuel::Event { event, stamp, scores, plain: None, unscored: None, manner: None },
    }
}

/// The signals and the level at the end of each whole second in which something happened.
fn lived(things: &[Thing], with_model: bool) -> Vec<(i64, Signals, Level)> {
    let mut channel = Channel::default();
    channel.consume(&live(), LATE_MS);
    let mut moments: Vec<(Timestamp, bool, Signals)> = Vec::new();
    for (place, thing) in things.iter().enumerate() {
        let effect = channel.consume(&entry(thing), LATE_MS);
        let at = channel.now;
        if effect.now {
            moments.push((at, false, channel.signals(at)));
        }
        let second = at.second();
        let last = things.get(place + 1).is_none_or(|next| (BEGIN + next.at) / 1000 > second);
        if last {
            let end = Timestamp((second + 1) * 1000);
            moments.push((end, true, channel.signals(end)));
        }
    }
    let rows: Vec<Signals> = moments.iter().map(|(_, _, signals)| signals.clone()).collect();
    let outputs = if with_model { ask(&rows) } else { None };
    let mut state = State::default();
    let mut out = Vec::new();
    for (place, (at, end, signals)) in moments.into_iter().enumerate() {
        let outputs = outputs.as_ref().map(|outputs| {
            let [concern, danger, threat_to_life, imminent] = outputs[place];
            Outputs { concern, danger, threat_to_life, imminent }
        });
        let (found, _) = JUDGE.assess(&mut state, &signals, outputs, channel.last_harm, at, end);
        if end {
            out.push((at.second(), signals, found.level));
        }
    }
    out
}

fn highest(things: &[Thing], with_model: bool) -> Level {
    lived(things, with_model).into_iter().map(|(_, _, level)| level).max().unwrap_or_default()
}

fn said(at_s: f64, user: u8, label: ChatLabel, p: f32) -> Thing {
    let mut scores = [0.05; 8];
    scores[label as usize] = p;
    let text = (at_s * 100.0) as u32;
    Thing {
        at: (at_s * 1000.0) as i64,
        what: What::Said { user, text, scores, plain: None, eur: None },
    }
}

/// The same words, by whom they may be.
fn pasted(at_s: f64, user: u8, label: ChatLabel, p: f32, words: u32) -> Thing {
    let mut thing = said(at_s, user, label, p);
    if let What::Said { text, .. } = &mut thing.what {
        *text = words;
    }
    thing
}

fn paid(at_s: f64, user: u8, p: f32) -> Thing {
    let mut thing = said(at_s, user, ChatLabel::Incitement, p);
    if let What::Said { eur, .. } = &mut thing.what {
        *eur = Some(20);
    }
    thing
}

fn look(at_s: f64, violence: f32, motion: f32, level: u8) -> Thing {
    let what = What::Seen { violence, motion, level, identical: false, camera: None };
    Thing { at: (at_s * 1000.0) as i64, what }
}

/// Looks every 20 s: a lively picture, or one in which nothing moves.
fn film(from_s: f64, to_s: f64, still: bool) -> Vec<Thing> {
    let count = ((to_s - from_s) / 20.0) as u32;
    let one = |n: u32| {
        let at = from_s + 20.0 * f64::from(n);
        let level = if still { 90 } else { (60 + n * 37 % 150) as u8 };
        look(at, 0.05, if still { 0.003 } else { 0.02 }, level)
    };
    (0..count).map(one).collect()
}

fn told(parts: Vec<Vec<Thing>>) -> Vec<Thing> {
    let mut all: Vec<Thing> = parts.into_iter().flatten().collect();
    all.sort_by_key(|thing| thing.at);
    all
}

// -- what raises, what does not -----------------------------------------------------------------------------------------

#[test]
fn a_still_body_is_a_threat_to_life_from_the_second_voice_on_and_from_the_first_after_acts() {
    let still = film(0.0, 300.0, true);
    let one = said(310.0, 1, ChatLabel::Distress, 0.95);
    let again = said(330.0, 1, ChatLabel::Distress, 0.95);
    let other = said(330.0, 2, ChatLabel::Distress, 0.95);
    let acts = (0..6).map(|n| paid(-3.0e3 + 20.0 * f64::from(n), 9, 0.95)).collect::<Vec<_>>();
    let acts: Vec<Thing> = acts.into_iter().map(|t| Thing { at: t.at + 3_000_000, ..t }).collect();
    let later = |things: &[Thing]| -> Vec<Thing> {
        things.iter().map(|t| Thing { at: t.at + 4_000_000, ..t.clone() }).collect()
    };
    for with_model in [false, true] {
        let level = |parts| highest(&told(parts), with_model);
        assert_eq!(level(vec![still.clone()]), Level::None);
        assert_eq!(level(vec![still.clone(), vec![one.clone()]]), Level::Watch);
        assert!(level(vec![still.clone(), vec![one.clone(), again.clone()]]) <= Level::Concern);
        let two = vec![one.clone(), other.clone()];
        assert_eq!(level(vec![still.clone(), two]), Level::ThreatToLife);
        let alone = vec![acts.clone(), later(&still), later(std::slice::from_ref(&one))];
        assert_eq!(level(alone), Level::ThreatToLife);
    }
}

#[test]
fn one_message_never_goes_above_watch_unless_it_announces_self_harm() {
    for with_model in [false, true] {
        for label in [
            ChatLabel::Distress,
            ChatLabel::SelfHarmUrging,
            ChatLabel::Threat,
            ChatLabel::Incitement,
            ChatLabel::Harassment,
        ] {
            let alone = told(vec![film(0.0, 200.0, false), vec![said(210.0, 1, label, 0.99)]]);
            assert!(highest(&alone, with_model) <= Level::Watch, "{label:?}");
        }
        let announced = vec![said(1.0, 1, ChatLabel::SelfHarm, 0.96)];
        assert_eq!(highest(&announced, false), Level::Concern);
    }
}

#[test]
fn cries_for_help_that_no_picture_confirms_are_a_concern_from_a_crowd_in_its_own_words_and_watched_if_pasted()
 {
    // One each second, by two hundred people.
    let cry = |n: u32, words: u32| {
        let at = 600.0 + f64::from(n);
        pasted(at, (n % 200) as u8, ChatLabel::Distress, 0.9, words)
    };
    let cries: Vec<Thing> = (0..240).map(|n| cry(n, n)).collect();
    let copies: Vec<Thing> = (0..240).map(|n| cry(n, n % 3)).collect();
    // What a hot dish brings: a few a minute.
    let fun: Vec<Thing> = (0..24).map(|n| cry(n * 10, n)).collect();
    let lively = film(0.0, 900.0, false);
    for with_model in [false, true] {
        let level = |parts: Vec<Vec<Thing>>| highest(&told(parts), with_model);
        for pictures in [vec![], lively.clone()] {
            assert_eq!(level(vec![pictures.clone(), cries.clone()]), Level::Concern);
            assert_eq!(level(vec![pictures.clone(), copies.clone()]), Level::Watch);
            assert!(level(vec![pictures, fun.clone()]) <= Level::Watch);
        }
        let quiet = film(0.0, 900.0, true);
        assert_eq!(level(vec![quiet.clone(), cries.clone()]), Level::ThreatToLife);
        assert_eq!(
            level(vec![quiet, copies.clone()]),
            Level::ThreatToLife,
            "a true cry may be copied"
        );
    }
}

#[test]
fn a_pasted_text_counts_once_and_its_copies_and_their_voices_a_quarter() {
    let at = |copies: u32, words: fn(u32) -> u32| {
        let said = |n| pasted(10.0, n as u8, ChatLabel::Distress, 0.95, words(n));
        let things: Vec<Thing> = (0..copies).map(said).collect();
        let (_, signals, _) = lived(&things, false).pop().expect("a second");
        let value = |signal| signals.or_lowest(signal);
        (value(Signal::ChatDistressVoices2m), value(Signal::ChatDistress24h))
    };
    let near =
        |(a, b): (f32, f32), (c, d): (f32, f32)| (a - c).abs() < 1e-3 && (b - d).abs() < 1e-3;
    assert!(near(at(5, |n| n), (5.0, 5.0)), "five texts: {:?}", at(5, |n| n));
    assert!(near(at(5, |_| 1), (2.0, 2.0)), "one text by five: {:?}", at(5, |_| 1));
}

#[test]
fn one_half_sure_announcement_beside_worry_is_no_threat_to_life() {
    // "j'en peux plus" in a laughing chat: .58, said by some; others worry.
    let mut things: Vec<Thing> =
        (0..3).map(|n| said(20.0 * f64::from(n), n, ChatLabel::SelfHarm, 0.58)).collect();
    things.extend((0..4).map(|n| said(65.0 + f64::from(n), 50 + n, ChatLabel::Distress, 0.8)));
    assert!(highest(&told(vec![things.clone()]), true) < Level::Danger);
    things.push(said(64.0, 7, ChatLabel::SelfHarm, 0.97));
    things.push(said(66.0, 7, ChatLabel::SelfHarm, 0.9));
    assert_eq!(highest(&told(vec![things]), false), Level::ThreatToLife, "twice and surely it is");
}

#[test]
fn paid_acts_rise_from_watch_over_concern_to_danger_as_violence_answers() {
    let asks = |count: u32, every: f64| -> Vec<Thing> {
        (0..count).map(|n| paid(60.0 + every * f64::from(n), n as u8, 0.95)).collect()
    };
    let blows: Vec<Thing> =
        (0..20).map(|n| look(65.0 + 20.0 * f64::from(n), 0.9, 0.1, (n * 11) as u8)).collect();
    assert_eq!(highest(&asks(2, 60.0), false), Level::Watch);
    assert_eq!(highest(&asks(8, 30.0), false), Level::Concern);
    assert_eq!(highest(&told(vec![asks(8, 30.0), blows.clone()]), false), Level::Danger);
    assert!(highest(&told(vec![asks(8, 30.0), blows]), true) >= Level::Danger);
}

#[test]
fn urging_counts_as_a_crowd_beside_announced_self_harm() {
    let urging: Vec<Thing> =
        (0..4).map(|n| said(30.0 + f64::from(n), n, ChatLabel::SelfHarmUrging, 0.9)).collect();
    assert!(highest(&urging, true) <= Level::Watch);
    let announced =
        vec![said(5.0, 99, ChatLabel::SelfHarm, 0.96), said(20.0, 99, ChatLabel::SelfHarm, 0.9)];
    assert_eq!(highest(&told(vec![announced, urging]), false), Level::ThreatToLife);
}

#[test]
fn a_repeated_threat_is_a_concern_and_insults_alone_are_not() {
    let threats =
        [said(1.0, 1, ChatLabel::Threat, 0.97), said(6.0, 2, ChatLabel::Threat, 0.93)].to_vec();
    assert_eq!(highest(&threats, false), Level::Concern);
    let insults: Vec<Thing> =
        (0..200).map(|n| said(f64::from(n), n as u8, ChatLabel::Harassment, 0.9)).collect();
    assert!(highest(&insults, true) <= Level::Watch);
}

#[test]
fn every_default_rule_says_why_in_both_languages_and_uses_no_context_that_a_message_could_change() {
    let config = Config::load(&root("config/vigie.toml")).expect("the default config is valid");
    assert_eq!(JUDGE.rules.len(), config.rules.len());
    for (rule, compiled) in config.rules.iter().zip(&JUDGE.rules) {
        assert!(rule.reason.contains_key("fr") && rule.reason.contains_key("en"), "{}", rule.name);
        for signal in compiled.signals() {
            let free = signal.def().kind == SignalKind::Context;
            let fixed = signal == Signal::StreamHoursLiveNow;
            assert!(!free || fixed, "{} reads {}", rule.name, signal.name());
        }
    }
    assert!(config.rules.iter().any(|rule| rule.mode == Mode::Shadow));
}

// -- worse never lowers ---------------------------------------------------------------------------------------------------

/// A step of an engine, every bit of it.
fn told_by(engine: &mut Engine, entry: &Consumed) -> String {
    format!("{:?}", engine.consume(entry))
}

#[test]
fn channels_judged_together_come_to_what_each_comes_to_alone() {
    if MODEL.is_none() {
        return;
    }
    let mut config = Config::load(&root("config/vigie.toml")).expect("the default config is valid");
    let manifest = Manifest::load(&root("models/manifest.toml")).expect("the manifest is valid");
    let open = || setup::engine(&config, &manifest).expect("the model opens");
    let mut together = open();
    let mut runner = TestRunner::deterministic();
    let mut alone: HashMap<ChannelId, Engine> = HashMap::new();
    let mut all: Vec<Consumed> = Vec::new();
    for n in 0..70 {
        let channel = ChannelId::new(&format!("test:{n}"));
        let things = history().new_tree(&mut runner).expect("a history").current();
        let entries = things.iter().map(entry);
        all.extend(entries.map(|entry| Consumed { channel: channel.clone(), ..entry }));
        alone.insert(channel, open());
    }
    config.signals.caps.insert("chat.threat.60s".into(), 1.0);
    let capped = Arc::new(Terms::of(&config, &manifest).expect("the rules compile"));
    // Told as they come: nearly in order of time, and no channel knows of the others'.
    all.sort_by_key(|entry| entry.at.0 + entry.channel.as_str().len() as i64 * 700);
    let half = all.len() / 2;
    let mut ticked = BEGIN / 1000;
    for (place, entry) in all.iter().enumerate() {
        if place == half {
            together.judge_under(capped.clone());
            alone.values_mut().for_each(|engine| engine.judge_under(capped.clone()));
        }
        if entry.at.second() > ticked {
            ticked = entry.at.second();
            let quiet = |channel: ChannelId| {
                let passed = entry.at.since(together.slot(&channel)?.now());
                let at = together.tick_at(&channel, entry.at).filter(|_| passed >= 1_000)?;
                Some((channel, at))
            };
            let due: Vec<_> = together.ticking().into_iter().filter_map(quiet).collect();
            for due in due.chunks(AT_ONCE) {
                together.foresee(due);
                for (channel, at) in due {
                    let tick = Consumed { channel: channel.clone(), at: *at, fuel: Fuel::Tick };
                    let own = alone.get_mut(channel).expect("one each");
                    assert_eq!(told_by(&mut together, &tick), told_by(own, &tick), "{channel}");
                }
            }
        }
        let own = alone.get_mut(&entry.channel).expect("one each");
        assert_eq!(told_by(&mut together, entry), told_by(own, entry), "{}", entry.channel);
    }
}

fn score() -> impl Strategy<Value = f32> {
    prop_oneof![3 => 0.0f32..0.5, 3 => 0.5f32..1.0, 1 => Just(0.95f32)]
}

fn scores() -> impl Strategy<Value = [f32; 8]> {
    (0usize..8, score(), 0usize..8, score()).prop_map(|(a, p, b, q)| {
        let mut scores = [0.02; 8];
        scores[a] = p;
        scores[b] = scores[b].max(q);
        scores
    })
}

fn what() -> impl Strategy<Value = What> {
    let motion = prop_oneof![0.0f32..0.008, 0.008f32..0.2];
    prop_oneof![
        5 => (0u8..40, 0u32..12, scores(), prop::option::weighted(0.3, scores()))
            .prop_map(|(user, text, scores, plain)| What::Said { user, text, scores, plain, eur: None }),
        3 => (0u8..40, 0u32..12, scores(), 0u16..200)
            .prop_map(|(user, text, scores, eur)| What::Said { user, text, scores, plain: None, eur: Some(eur) }),
        5 => (
            score(), motion, prop_oneof![Just(90u8), 0u8..255], prop::bool::weighted(0.1),
            prop::option::weighted(0.3, 0.0f32..1.0),
        )
            .prop_map(|(violence, motion, level, identical, camera)| What::Seen {
                violence, motion, level, identical, camera
            }),
        1 => Just(What::Notice),
        1 => Just(What::Measure),
        2 => Just(What::Tick),
    ]
}

fn history() -> impl Strategy<Value = Vec<Thing>> {
    let gap = prop_oneof![
        2 => 0i64..1000,
        6 => 1000i64..25_000,
        2 => 25_000i64..600_000,
        1 => 600_000i64..50_000_000,
    ];
    prop::collection::vec((gap, what()), 5..70).prop_map(|parts| {
        let mut at = 0;
        let thing = |(gap, what)| {
            at += gap;
            Thing { at, what }
        };
        parts.into_iter().map(thing).collect()
    })
}

/// How a history is made worse.
#[derive(Clone, Copy, Debug)]
struct Worse {
    place: usize,
    how: u8,
    label: usize,
    more: f32,
    text: u32,
    user: u8,
}

fn worse_by() -> impl Strategy<Value = Worse> {
    (0usize..1000, 0u8..8, 0usize..8, 0.0f32..=1.0, 0u32..14, 30u8..50).prop_map(
        |(place, how, label, more, text, user)| Worse { place, how, label, more, text, user },
    )
}

/// A worse history: something harmful more at a time that is there already (in words that were said before, or in new
/// ones, by somebody known or new), or one score raised.
fn worse(mut things: Vec<Thing>, by: Worse) -> Vec<Thing> {
    let Worse { how, label, more, text, user, .. } = by;
    let place = by.place % things.len();
    let at = things[place].at;
    let mut scores = [0.02; 8];
    scores[label] = 0.5 + more / 2.0;
    let inserted = match how {
        0 | 1 => Some(What::Said { user, text, scores, plain: None, eur: None }),
        2 | 3 => Some(What::Said { user, text, scores, plain: None, eur: Some(30) }),
        4 => Some(What::Notice),
        _ => None,
    };
    if let Some(what) = inserted {
        things.insert(place, Thing { at, what });
        return things;
    }
    let raise = |scores: &mut [f32; 8]| scores[label] += (1.0 - scores[label]) * more;
    match &mut things[place].what {
        What::Said { plain: Some(plain), .. } if how == 5 => raise(plain),
        What::Said { scores, .. } => raise(scores),
        What::Seen { violence, .. } => *violence += (1.0 - *violence) * more,
        What::Notice | What::Measure | What::Tick => {}
    }
    things
}

proptest! {
    #![proptest_config(ProptestConfig { cases: super::long::rounds(192, 2560) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn worse_signals_never_lower_the_risk(
        things in history(),
        by in prop::collection::vec(worse_by(), 1..4),
    ) {
        let before = lived(&things, true);
        let after = lived(&by.into_iter().fold(things, worse), true);
        prop_assert_eq!(before.len(), after.len());
        for ((second, was, level), (then, is, now)) in before.iter().zip(&after) {
            prop_assert_eq!(second, then);
            for signal in Signal::all().filter(|s| s.def().kind == SignalKind::Harm) {
                let (was, is) = (was.or_lowest(signal), is.or_lowest(signal));
                // A peak may differ in its last bit: what replaced it was just above it then.
                prop_assert!(is >= was * (1.0 - 1e-6), "{}: {} -> {}", signal.name(), was, is);
            }
            prop_assert!(now >= level, "second {second}: {level} -> {now}");
        }
    }

    #[test]
    fn the_model_is_ordered_and_raising_a_signal_lowers_no_bit_of_it(
        values in prop::collection::vec(prop_oneof![2 => Just(0.0f32), 1 => 0.0f32..40.0, 1 => 0.0f32..1.0], 128),
        place in 0usize..128,
        more in prop_oneof![0.0f32..1.0, 1.0f32..1000.0, Just(f32::MAX)],
    ) {
        let mut row = Signals::default();
        for (signal, value) in Signal::all().zip(&values) {
            row.set(signal, (*value).into());
        }
        let mut raised = row.clone();
        let harm: Vec<Signal> = Signal::all().filter(|s| s.def().kind == SignalKind::Harm).collect();
        let signal = harm[place % harm.len()];
        raised.set(signal, f64::from(row.or_lowest(signal)) + f64::from(more));
        if let Some(outputs) = ask(&[row, raised]) {
            for [concern, danger, life, imminent] in &outputs {
                prop_assert!(concern >= danger && danger >= life && concern >= imminent);
            }
            for (was, is) in outputs[0].iter().zip(&outputs[1]) {
                prop_assert!(is >= was, "{}: {was} -> {is}", signal.name());
            }
        }
    }
}
