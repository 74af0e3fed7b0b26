//! Checks that no reader ever meets a key in place of words.

use std::collections::BTreeSet;

use super::*;
use crate::event::SIGNALS;

fn both() -> [Words; 2] {
    LANGUAGES.map(Words::new)
}

/// Keys of a file, in order.
fn keys(source: &str) -> Vec<&str> {
    source
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split(" =").next())
        .collect()
}

/// The variables that the text of each key uses.
fn variables(source: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut out: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in source.lines() {
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            out.push((line.split(" =").next().unwrap().to_owned(), BTreeSet::new()));
        }
        if line.starts_with('#') {
            continue;
        }
        for part in line.split('$').skip(1) {
            let name = part.chars().take_while(char::is_ascii_alphanumeric).collect();
            out.last_mut().unwrap().1.insert(name);
        }
    }
    out
}

#[test]
fn both_languages_have_the_same_keys_once_and_parse_whole() {
    assert_eq!(keys(EN), keys(FR));
    let unique: BTreeSet<&str> = keys(EN).into_iter().collect();
    assert_eq!(unique.len(), keys(EN).len());
    for source in [EN, FR] {
        FluentResource::try_new(source.to_owned()).expect("the file parses");
    }
}

#[test]
fn both_languages_tell_the_same_numbers() {
    for ((key, en), (_, fr)) in variables(EN).into_iter().zip(variables(FR)) {
        // A plural that one language does not need may go untold; a number may not.
        let told = |set: &BTreeSet<String>| {
            set.iter().filter(|v| *v != "n").cloned().collect::<BTreeSet<_>>()
        };
        assert_eq!(told(&en), told(&fr), "{key}");
    }
}

#[test]
fn every_signal_has_a_sentence_a_name_a_window_and_a_unit_in_both_languages() {
    for words in both() {
        for signal in Signal::all() {
            let def = signal.def();
            for value in [0.0_f32, 0.4, 1.0, 5.0, 61.0, 200_000.0] {
                let value = value.min(def.max);
                for told in [words.reason(signal, value), words.value(signal, value)] {
                    assert!(!told.contains(['{', '$', '=']), "{}: {told}", signal.name());
                    assert!(!told.contains(['\u{2068}', '\u{2069}']), "{}: {told}", signal.name());
                    assert!(!told.contains("unit-") && !told.contains("window-"), "{told}");
                }
            }
            assert!(!words.signal(signal).starts_with("signal-"), "{}", signal.name());
            assert!(!words.window(signal).starts_with("window-"), "{}", signal.name());
            assert!(!words.span(signal).starts_with("span-"), "{}", signal.name());
        }
    }
    assert_eq!(SIGNALS.len(), Signal::all().count());
}

#[test]
fn sentences_read_as_people_write() {
    let [en, fr] = both();
    let voices = Signal::ChatDistressVoices2m;
    assert_eq!(
        en.reason(voices, 5.0),
        "5 different people wrote within 2 minutes that someone is in danger"
    );
    assert_eq!(
        fr.reason(voices, 5.0),
        "5 personnes différentes ont écrit en 2 minutes que quelqu'un est en danger"
    );
    assert_eq!(en.reason(voices, 1.0), "1 person wrote within 2 minutes that someone is in danger");
    assert_eq!(
        en.reason(Signal::ChatThreat60s, 0.3),
        "The chat brought less than one message threatening someone in the last minute"
    );
    assert_eq!(
        fr.reason(Signal::MoneyActsEur24h, 1610.5),
        "Les spectateurs ont donné 1610,50\u{a0}€ ces dernières 24 heures en réclamant des actes qui blessent quelqu'un"
    );
    assert_eq!(
        en.reason(Signal::PictureStillAfterMotion30m, 840.0),
        "Nothing in the picture moved for 14 minutes after strong motion"
    );
    assert_eq!(en.value(Signal::StreamViewersNow, 14_210.0), "14,210 viewers");
    assert_eq!(fr.value(Signal::StreamViewersNow, 14_210.0), "14\u{202f}210 spectateurs");
}

#[test]
fn a_probability_is_never_rounded_into_certainty() {
    let [en, fr] = both();
    assert_eq!(en.percent(0.999), "99%");
    assert_eq!(en.percent(0.0004), "1%");
    assert_eq!((en.percent(0.0), en.percent(1.0)), ("0%".into(), "100%".into()));
    assert_eq!(fr.percent(0.426), "43\u{202f}%");
}

#[test]
fn what_speaks_against_has_its_words_and_only_what_can() {
    let counters = [
        Counter::Signal(Signal::ChatAlike60s),
        Counter::Signal(Signal::ChatLaughter60s),
        Counter::Signal(Signal::PictureMotion60s),
        Counter::Signal(Signal::PictureViolencePeak60s),
        Counter::Signal(Signal::PictureCamera2m),
        Counter::Signal(Signal::PictureFrozenNow),
        Counter::Signal(Signal::ChatDistressVoices2m),
        Counter::Setting(Setting::Game),
        Counter::Setting(Setting::Sport),
        Counter::Setting(Setting::Fiction),
        Counter::Charity,
        Counter::NoPictures,
    ];
    for words in both() {
        for counter in counters {
            let told = words.against(counter, 0.3).unwrap();
            assert!(told.len() > 10 && !told.contains(['{', '$']), "{told}");
            assert_eq!(Counter::from_name(counter.name()), Some(counter));
        }
        assert_eq!(words.against(Counter::Signal(Signal::MoneyActs10m), 1.0), None);
        assert_eq!(words.against(Counter::Setting(Setting::Real), 1.0), None);
    }
}

#[test]
fn the_summary_is_one_sentence_with_two_different_reasons() {
    let [en, fr] = both();
    let reasons = [
        (Signal::ChatDistressVoices2m, 5.0),
        (Signal::ChatDistressVoices2m, 4.0),
        (Signal::PictureStill30m, 600.0),
        (Signal::MoneyActs10m, 3.0),
    ];
    let mut facts = SummaryFacts {
        channel: "le_salon",
        level: Level::ThreatToLife,
        tense: Tense::Ongoing,
        reasons: &reasons,
        rule_reason: None,
        hours_live: Some(298.4),
    };
    assert_eq!(
        fr.summary(&facts),
        "Sur le_salon, en direct depuis 298 heures sans coupure, une personne est peut-être en danger de mort maintenant\u{a0}: 5 personnes différentes ont écrit en 2 minutes que quelqu'un est en danger, et rien n'a bougé à l'image pendant 10 minutes ces 30 dernières minutes."
    );
    facts.hours_live = Some(2.0);
    facts.rule_reason = Some("several people ask for an ambulance.");
    assert_eq!(
        en.summary(&facts),
        "On le_salon, a person's life may be in danger now: several people ask for an ambulance."
    );
    for words in both() {
        for level in Level::ALL {
            for tense in [Tense::Past, Tense::Ongoing, Tense::Imminent] {
                let told = words.summary(&SummaryFacts { level, tense, ..facts });
                assert!(!told.contains("summary-") && told.ends_with('.'), "{told}");
            }
        }
    }
}

#[test]
fn every_name_that_code_makes_has_words() {
    let offences = [
        Offence::ViolenceAgainstPerson,
        Offence::IncitementToViolence,
        Offence::Threat,
        Offence::AbuseOfVulnerablePerson,
        Offence::EncouragementOfSuicide,
        Offence::SexualViolence,
        Offence::IntimateImages,
        Offence::MinorSexual,
        Offence::Terrorism,
    ];
    let measures = [
        Measure::HumanReviewNow,
        Measure::CallEmergencyNumber,
        Measure::InterruptStream,
        Measure::SuspendMonetisation,
        Measure::SlowOrCloseChat,
        Measure::AgeRestrict,
    ];
    let kinds = [
        EvidenceKind::Frame,
        EvidenceKind::Chat,
        EvidenceKind::Donation,
        EvidenceKind::Reward,
        EvidenceKind::Notice,
        EvidenceKind::Moderation,
    ];
    for words in both() {
        let mut told: Vec<String> = Vec::new();
        told.extend(Level::ALL.map(|level| words.level(level)));
        told.extend(Level::ALL.map(|level| words.level_asks(level)));
        told.extend(State::ALL.map(|state| words.state(state)));
        told.extend(offences.map(|offence| words.offence(offence)));
        told.extend(measures.map(|measure| words.measure(measure)));
        told.extend(kinds.map(|kind| words.evidence_kind(kind)));
        told.extend(["inciter", "threatener", "witness", "victim"].map(|role| words.role(role)));
        told.extend(crate::alert::jurisdiction::MEMBER_STATES.map(|state| words.country(state)));
        for text in told {
            let is_key = text.contains('-')
                && !text.contains(' ')
                && text.is_ascii()
                && text == text.to_lowercase();
            assert!(!is_key && text.len() > 2, "{text}");
        }
        assert_eq!(words.country("ch"), "CH");
        assert_eq!(words.role("moderator"), "moderator");
    }
}

/// Keys are written out in templates and code: each one stands in the files.
#[test]
fn every_key_that_is_asked_for_exists() {
    let sources = [
        include_str!("../../../templates/base.html"),
        include_str!("../../../templates/index.html"),
        include_str!("../../../templates/alert.html"),
        include_str!("../../../templates/chart.html"),
        include_str!("../../../templates/parts.html"),
        include_str!("../../../templates/error.html"),
        include_str!("../../../templates/dossier.html"),
        include_str!("../dossier/build.rs"),
        include_str!("../dossier/record.rs"),
        include_str!("../../console/alert_view.rs"),
        include_str!("../../console/pages.rs"),
        include_str!("../../console/chart.rs"),
    ];
    let known: BTreeSet<&str> = keys(EN).into_iter().collect();
    let mut asked = 0;
    for source in sources {
        for literal in source.split('"').skip(1).step_by(2) {
            let is_key = ["ui-", "d-", "level-", "state-"].iter().any(|p| literal.starts_with(p))
                && literal.bytes().all(|b| {
                    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_'
                });
            if is_key && !literal.ends_with('-') && !PREFIXES.contains(&literal) {
                assert!(known.contains(literal), "{literal}");
                asked += 1;
            }
        }
    }
    assert!(asked > 150, "{asked}");
}

/// First parts of keys that code completes; their completions are checked above or by the dossier's own tests.
const PREFIXES: [&str; 3] = ["d-unknown", "d-part", "d-reach"];
