//! `vigie schema`: the schemas fit what the daemon reads and sends, and refuse what it would not.

use serde_json::{Value, json};
use vigie::alert::{
    Against, Alert, EvidenceItem, EvidenceKind, Measure, Reason, State, cloud_event,
};
use vigie::event::{Digest, Gap, Level, Offence, SIGNALS, Signal};

use super::{err, run};
use crate::store::{AT, change};

#[test]
fn schema_signals_lists_every_signal() {
    let output = run(&["schema", "signals"]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), SIGNALS.len());
    for signal in Signal::all() {
        let told = all.iter().find(|s| s["name"] == signal.name()).expect("it is listed");
        assert!(["harm", "context"].contains(&told["kind"].as_str().unwrap()));
        assert!(told["unit"].is_string() && told["max"].as_f64() > told["min"].as_f64());
        assert!(!told["about"].as_str().unwrap().is_empty());
    }
}

pub fn schema(of: &str) -> Value {
    let output = run(&["schema", of, "-c", "no-such.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What of a value does not fit a schema. Knows the words that our schemas use, and stops at any other, so that none
/// is passed over.
fn misfits(value: &Value, schema: &Value, place: &str, out: &mut Vec<String>) {
    let fits = |value: &Value, schema: &Value| {
        let mut inner = Vec::new();
        misfits(value, schema, place, &mut inner);
        inner.is_empty()
    };
    for (word, rule) in schema.as_object().expect("a schema") {
        let ok = match word.as_str() {
            "$schema" | "title" | "description" | "contentEncoding" | "then" => true,
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
            }
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64().is_none_or(|v| v >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|v| v <= rule.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|v| v.len() as u64 >= rule.as_u64().unwrap()),
            "pattern" => {
                let pattern = rule.as_str().unwrap();
                value.as_str().is_none_or(|v| match pattern {
                    "^sha256:[0-9a-f]{64}$" => Digest::parse(v).is_some_and(|d| d.to_string() == v),
                    "^(sha256:[0-9a-f]{64})?$" => v.is_empty() || Digest::parse(v).is_some(),
                    "^[A-Z]{2}$" => v.len() == 2 && v.bytes().all(|b| b.is_ascii_uppercase()),
                    other => panic!("pattern {other}"),
                })
            }
            "format" => value.as_str().is_none_or(|v| match rule.as_str().unwrap() {
                "date-time" => vigie::event::Timestamp::parse(v).is_some(),
                "uuid" => uuid::Uuid::parse_str(v).is_ok(),
                "uri" => v.contains("://"),
                other => panic!("format {other}"),
            }),
            "required" => value.as_object().is_none_or(|object| {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        misfits(value, rule, &format!("{place}.{name}"), out);
                    }
                }
                true
            }
            "items" => {
                for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                    misfits(value, rule, &format!("{place}[{i}]"), out);
                }
                true
            }
            "additionalProperties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if schema["properties"].get(name).is_none() {
                        misfits(value, rule, &format!("{place}.{name}"), out);
                    }
                }
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|rule| fits(value, rule)),
            "allOf" => {
                rule.as_array().unwrap().iter().for_each(|rule| misfits(value, rule, place, out));
                true
            }
            "if" => {
                if fits(value, rule) {
                    misfits(value, &schema["then"], place, out);
                }
                true
            }
            other => panic!("{other}: this test does not know that word"),
        };
        if !ok {
            out.push(format!("{place} {word} {rule}: {value}"));
        }
    }
}

pub fn assert_fits(value: &Value, schema: &Value) {
    let mut out = Vec::new();
    misfits(value, schema, "", &mut out);
    assert!(out.is_empty(), "{out:#?}\n{value:#}");
}

fn assert_refused(value: &Value, schema: &Value) {
    let mut out = Vec::new();
    misfits(value, schema, "", &mut out);
    assert!(!out.is_empty(), "{value:#}");
}

#[test]
fn the_event_schema_fits_the_contract_and_what_the_demo_sends() {
    let schema = schema("event");
    let common = json!({ "id": "01J", "at": "2025-08-17T22:14:03.120Z", "channel": "kick:123" });
    let with = |more: Value| {
        let mut event = common.clone();
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let user = json!({ "id": "u1", "name": "n", "roles": ["subscriber"] });
    let examples = [
        with(json!({ "type": "chat", "user": user, "text": "x" })),
        with(
            json!({ "type": "donation", "user": { "id": "u" }, "amount": { "value": "50.00", "currency": "EUR" },
            "source": "tip", "text": "x" }),
        ),
        with(
            json!({ "type": "reward", "reward": { "title": "x", "cost": 1000, "unit": "points" }, "text": "x" }),
        ),
        with(
            json!({ "type": "stream", "state": "live", "name": "x", "title": "x", "category": "x", "language": "fr",
            "country": "FR", "url": "https://example.org/x", "viewers": 15000, "started_at": "2025-08-17T20:00:00Z" }),
        ),
        with(
            json!({ "type": "frame", "media": "image/jpeg", "look": { "id": "L7", "n": 3, "of": 8 }, "data": "/9j/" }),
        ),
        with(
            json!({ "type": "notice", "notifier": { "id": "n" }, "text": "x", "url": "https://example.org/x" }),
        ),
        with(
            json!({ "type": "moderation", "scope": "user", "action": "ban", "target": "u", "until": null, "reason": "x" }),
        ),
        json!({ "type": "gap", "channel": "kick:123", "from": "2025-08-17T20:00:00Z", "to": "2025-08-17T20:01:00Z" }),
        json!({ "type": "gap", "from": "2025-08-17T20:00:00Z", "to": "2025-08-17T20:01:00Z" }),
    ];
    let keyer = vigie::event::Keyer::new(b"test");
    for example in &examples {
        assert_fits(example, &schema);
        vigie::event::decode(&example.to_string(), &keyer).expect("the daemon reads it too");
    }
    for (example, field) in
        [(0, "text"), (1, "amount"), (2, "reward"), (3, "state"), (4, "media"), (6, "action")]
    {
        let mut without = examples[example].clone();
        without.as_object_mut().unwrap().remove(field);
        assert_refused(&without, &schema);
        assert!(vigie::event::decode(&without.to_string(), &keyer).is_err(), "without {field}");
    }
    for name in vigie::sim::Scenario::names() {
        let scenario = vigie::sim::Scenario::by_name(name).unwrap();
        for event in scenario.events().iter().step_by(37) {
            assert_fits(&serde_json::from_str(&event.json).unwrap(), &schema);
        }
    }
}

/// An alert with something in every field.
fn full_alert() -> Alert {
    let mut alert = change(1, 2, Level::ThreatToLife, State::Acknowledged).alert;
    alert.config = Digest::of(b"x").to_string();
    let text = || Some("x".to_owned());
    (alert.url, alert.title, alert.category) =
        (Some("https://example.org/x".into()), text(), text());
    (alert.language, alert.rule, alert.ended_at) = (Some("fr".into()), text(), Some(AT));
    alert.previous = Some(alert.id);
    alert.suspected_offences = vec![
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
    alert.recommended_measures = vec![
        Measure::HumanReviewNow,
        Measure::CallEmergencyNumber,
        Measure::InterruptStream,
        Measure::SuspendMonetisation,
        Measure::SlowOrCloseChat,
        Measure::AgeRestrict,
    ];
    let digest = Digest::of(b"x");
    let signal = "chat.threat.60s".to_owned();
    alert.reasons = [Some(0.5), None]
        .map(|threshold| Reason {
            signal: signal.clone(),
            value: 3.0,
            threshold,
            weight: 0.5,
            text: "x".into(),
            evidence: vec![digest],
        })
        .to_vec();
    alert.against = vec![Against { signal, value: 0.5, text: "x".into() }];
    alert.donations.coupling = Some(3.4);
    let kinds = [
        EvidenceKind::Frame,
        EvidenceKind::Chat,
        EvidenceKind::Donation,
        EvidenceKind::Reward,
        EvidenceKind::Notice,
        EvidenceKind::Moderation,
    ];
    alert.evidence = kinds
        .map(|kind| EvidenceItem {
            digest,
            kind,
            at: AT,
            href: "/x".into(),
            quote: text(),
            paid: text(),
        })
        .to_vec();
    alert.coverage.gaps = vec![Gap { channel: None, from: AT, to: AT }];
    alert.jurisdiction.member_states = vec!["FR".into()];
    alert.models.insert("chat".into(), "chat@1.0.0".into());
    alert
}

#[test]
fn the_alert_schema_fits_alerts_full_and_bare() {
    let schema = schema("alert");
    for level in Level::ALL {
        for state in State::ALL {
            let mut change = change(1, 1, level, state);
            change.alert.config = Digest::of(b"x").to_string();
            assert_fits(&cloud_event(&change, "urn:x")["data"], &schema);
        }
    }
    let full = serde_json::to_value(full_alert()).unwrap();
    assert_fits(&full, &schema);
    for (field, wrong) in [
        ("level", json!("grave")),
        ("score", json!(1.5)),
        ("suspected_offences", json!(["murder"])),
        ("reasons", json!([{ "signal": "x" }])),
        (
            "evidence",
            json!([{ "digest": "sha256:1", "kind": "chat", "at": "2025-08-17T20:00:00Z", "href": "" }]),
        ),
        ("opened_at", json!("yesterday")),
    ] {
        let mut changed = full.clone();
        changed[field] = wrong;
        assert_refused(&changed, &schema);
    }
}

#[test]
fn the_config_schema_names_the_sections() {
    let schema = schema("config");
    let told = schema["properties"].as_object().unwrap();
    for section in
        ["server", "store", "models", "levels", "feed", "sink", "rule", "channel", "privacy"]
    {
        assert!(told.contains_key(section), "{section}");
    }
}
