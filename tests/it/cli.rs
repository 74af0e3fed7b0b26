//! The real binary, as somebody at a terminal or a script meets it: words, exit statuses, JSON that others read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use vigie::alert::{
    Against, Alert, EvidenceItem, EvidenceKind, Measure, Reason, State, cloud_event,
};
use vigie::event::{CHAT_LABELS, Digest, Gap, Level, Offence, SIGNALS, Signal};
use vigie::store::{Commit, Store};

use crate::models::{fixture_picture, root, shipped};
use crate::store::{AT, change};

const SECRET: &str = "whsec_dmlnaWUgdGVzdCBzZWNyZXQgb2YgMzIgYnl0ZXMhIQ==";

/// Run from the checkout, without what the environment may hold for it.
fn vigie(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    for name in ["VIGIE_CONFIG", "CREDENTIALS_DIRECTORY", "VIGIE_CREDENTIAL_USER_KEY"] {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    vigie(args).output().expect("vigie starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// With `text` on standard input.
fn fed(args: &[&str], text: &str) -> Output {
    let mut child = vigie(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vigie starts");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn written(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn bare_it_says_what_it_is_and_the_three_commands_to_try() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    for words in ["live streams", "vigie demo", "vigie check", "vigie run"] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
}

#[test]
fn every_command_explains_itself_and_takes_a_config() {
    let leaves = [
        "run",
        "check",
        "replay",
        "score chat",
        "score frames",
        "score escalation",
        "dossier",
        "ack",
        "close",
        "bench",
        "schema",
        "sink test",
        "demo",
    ];
    let whole = out(&run(&["--help"]));
    for command in leaves {
        assert!(whole.contains(command.split(' ').next().unwrap()), "{command} in:\n{whole}");
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let output = run(&words);
        let text = out(&output);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(text.contains("Usage: vigie ") && text.contains("Example"), "{command}:\n{text}");
        if command != "demo" {
            assert!(
                text.contains("-c, --config <FILE>") && text.contains("VIGIE_CONFIG"),
                "{command}:\n{text}"
            );
        }
    }
}

#[test]
fn wrong_usage_is_exit_2_and_names_what_there_is() {
    for (args, words) in [
        (vec!["watch"], "watch"),
        (vec!["demo", "--scenario", "none"], "paid-violence"),
        (vec!["score", "frames", "--fps", "0", "x.mp4"], "above 0"),
        (vec!["replay"], "RECORDING"),
        (vec!["dossier", "no-such-thing!"], "no alert's id"),
        (vec!["dossier", "abcd", "--format", "pdf"], "PDF"),
        (vec!["sink", "test", "nobody"], "no sink `nobody`"),
        (vec!["score", "chat", "no-such-file"], "no-such-file"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(words), "{args:?}: {}", err(&output));
    }
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let mut child = vigie(&["schema", "config"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vigie starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn check_passes_the_shipped_config_and_says_what_is_missing() {
    if shipped().is_none() {
        return;
    }
    let output = run(&["check", "-c", "config/vigie.toml"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    assert!(text.trim_end().lines().last().unwrap().starts_with("ok: "), "{text}");
    for words in [
        "chat@",
        "frame@",
        "escalation@",
        "weapon",
        "languages measured: fr, en",
        "no feed is configured",
    ] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
    assert!(!text.contains("to be verified: "), "only with -v");

    let output = run(&["check", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&all["ok"], &all["problems"]), (&json!(true), &json!([])));
    assert!(all["rules"].as_u64().unwrap() > 0);
    let keys: Vec<&str> =
        all["keys"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap()).collect();
    assert_eq!(keys, ["user-key", "identity-key"]);
    assert!(all["labels_without_a_model"].as_array().unwrap().contains(&json!("weapon")));
}

#[test]
fn check_tells_every_problem_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(
        folder.path(),
        "broken.toml",
        "[levels]\nwatch = 2\n\n[server]\nlanguege = \"fr\"\n",
    );
    let output = run(&["check", "-c", &path]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""));
    let text = err(&output);
    for words in
        [format!("{path}:2:9: "), format!("{path}:5:1: "), "expected:".into(), "to mend:".into()]
    {
        assert!(text.contains(&words), "{words} in:\n{text}");
    }
    // The environment names the config too, and JSON has the places as numbers.
    let output = vigie(&["check", "--json"]).env("VIGIE_CONFIG", &path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all["ok"], false);
    assert_eq!(
        (&all["problems"][0]["line"], &all["problems"][0]["column"]),
        (&json!(2), &json!(9))
    );
    assert!(all["problems"][0]["how_to_mend"].is_string());
    let output = run(&["check", "-c", "no-such.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("no-such.toml"));
}

/// The shipped manifest elsewhere, its files still those of the checkout.
fn manifest(folder: &Path, change: impl Fn(String) -> String) {
    let models = root().join("models");
    let text = std::fs::read_to_string(models.join("manifest.toml")).unwrap();
    let text = text.replace("file = \"", &format!("file = \"{}/", models.display()));
    std::fs::write(folder.join("manifest.toml"), change(text)).unwrap();
}

#[test]
fn check_tells_rules_credentials_and_each_model_together() {
    let Some(shipped) = shipped() else { return };
    let folder = tempfile::tempdir().unwrap();
    let digest =
        |kind: &str| shipped.models.iter().find(|m| m.name == kind).unwrap().sha256.clone();
    let (chat, escalation) = (digest("chat"), digest("escalation"));
    manifest(folder.path(), |text| {
        text.replace(&chat, &"0".repeat(64)).replace(&escalation, &"1".repeat(64))
    });
    let path = written(
        folder.path(),
        "v.toml",
        "[models]\nmanifest = \"manifest.toml\"\n\n[[sink]]\nname = \"team\"\nurl = \"https://example.org/\"\n\
         secret = { credential = \"it-is-nowhere\" }\n\n[[rule]]\nname = \"typo\"\nwhen = 'chat_thread_60s > 1'\n\
         level = \"watch\"\nreason = { en = \"x\" }\n",
    );
    let output = run(&["check", "-c", &path]);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for words in [
        format!("{path}:11:"),
        "chat_thread_60s".into(),
        "it-is-nowhere".into(),
        format!("{path}:2:12: model `chat@"),
        format!("{path}:2:12: model `escalation@"),
        "4 problems".into(),
    ] {
        assert!(text.contains(&words), "{words} in:\n{text}");
    }
}

#[test]
fn check_says_where_it_looked_for_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        written(folder.path(), "v.toml", "[models]\nruntime = \"/no/such/libonnxruntime.so\"\n");
    let output = run(&["check", "-c", &path]);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for words in
        [format!("{path}:2:11: "), "/no/such/libonnxruntime.so".into(), "make runtime".into()]
    {
        assert!(text.contains(&words), "{words} in:\n{text}");
    }
}

#[test]
fn schema_signals_lists_every_signal() {
    let output = run(&["schema", "signals"]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), SIGNALS.len());
    for signal in Signal::all() {
        let told = all
            .iter()
            .find(|s| s["name"] == signal.name())
            .unwrap_or_else(|| panic!("{}", signal.name()));
        assert!(["harm", "context"].contains(&told["kind"].as_str().unwrap()));
        assert!(told["unit"].is_string() && told["max"].as_f64() > told["min"].as_f64());
        assert!(!told["about"].as_str().unwrap().is_empty());
    }
}

fn schema(of: &str) -> Value {
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

fn assert_fits(value: &Value, schema: &Value) {
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

#[test]
fn score_chat_answers_line_by_line_in_order() {
    if shipped().is_none() {
        return;
    }
    let input = "{\"text\":\"frappe le\",\"paid\":true}\n\nnot json\n{\"text\":\"on va le tuer\",\"category\":\"Boxing\",\"language\":\"fr\"}\n\
                 {\"paid\":true}\n{\"text\":\"bonne nuit\",\"paid\":null}";
    let output = fed(&["score", "chat"], input);
    assert_eq!(output.status.code(), Some(1), "two lines are bad");
    assert!(err(&output).contains("2 of 5 lines"), "{}", err(&output));
    let told = lines(&output);
    assert_eq!(told.len(), 5);
    for (place, line) in [(1, 3), (3, 5)] {
        assert_eq!(told[place]["line"], line);
        assert!(told[place]["error"].is_string());
    }
    for place in [0, 2, 4] {
        let line = &told[place];
        assert!(line["model"].as_str().unwrap().starts_with("chat@"), "{line}");
        for label in CHAT_LABELS {
            let p =
                line["scores"][label.name()].as_f64().unwrap_or_else(|| panic!("{}", label.name()));
            assert!((0.0..=1.0).contains(&p));
        }
        assert_eq!(
            line.get("unknown").is_some(),
            place == 2,
            "only a setting that excuses has both: {line}"
        );
    }
    // A file gives what a pipe gives.
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "in.jsonl", input);
    assert_eq!(out(&run(&["score", "chat", &file])), out(&output));
}

#[test]
fn score_chat_answers_before_its_input_ends() {
    if shipped().is_none() {
        return;
    }
    let mut child = vigie(&["score", "chat", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("vigie starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    for _ in 0..2 {
        stdin.write_all(b"{\"text\":\"bonsoir\"}\n").expect("it reads");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it answers");
        assert!(line.contains("\"scores\""), "{line}");
    }
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn score_escalation_rises_with_harm() {
    if shipped().is_none_or(|manifest| !manifest.models.iter().any(|m| m.name == "escalation")) {
        return;
    }
    let input = "{}\n{\"money.acts.10m\":6,\"picture.violence.10m\":6,\"chat.distress.60s\":6,\"chat.distress_voices.2m\":6}\n\
                 {\"no.such.signal\":1}\n";
    let output = fed(&["score", "escalation"], input);
    assert_eq!(output.status.code(), Some(1));
    let told = lines(&output);
    assert_eq!((told.len(), &told[2]["line"]), (3, &json!(3)));
    assert!(told[2]["error"].as_str().unwrap().contains("no.such.signal"));
    for name in ["concern", "danger", "threat_to_life", "imminent"] {
        let p = |row: usize| told[row][name].as_f64().expect(name);
        assert!((0.0..=1.0).contains(&p(0)) && p(0) <= p(1), "{name}: {} then {}", p(0), p(1));
    }
    assert!(told[1]["concern"].as_f64() > told[0]["concern"].as_f64());
}

#[test]
fn score_frames_takes_pictures_and_folders_and_goes_on_after_a_bad_one() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jpg"), fixture_picture("gradient.jpg")).unwrap();
    std::fs::write(folder.path().join("b.JPEG"), b"not a picture").unwrap();
    std::fs::write(folder.path().join("c.jpg"), fixture_picture("rings.jpg")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"x").unwrap();
    let path = folder.path().display().to_string();
    let output = run(&["score", "frames", &path, "no-such.jpg"]);
    assert_eq!(output.status.code(), Some(1));
    let told = lines(&output);
    let names: Vec<&str> = told
        .iter()
        .map(|line| line["path"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["a.jpg", "b.JPEG", "c.jpg", "no-such.jpg"]);
    for place in [0, 2] {
        assert!(told[place]["scores"]["violence"].is_number(), "{}", told[place]);
        assert!(told[place]["model"].as_str().unwrap().starts_with("frame@"));
        assert_eq!((&told[place]["at"], &told[place]["motion"]), (&json!(0.0), &Value::Null));
    }
    assert!(told[1]["error"].is_string() && told[3]["error"].is_string());
}

fn ffmpeg() -> Option<PathBuf> {
    let named = std::env::var_os("VIGIE_FFMPEG").map(PathBuf::from);
    let on_path = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join("ffmpeg"))
        .find(|file| file.is_file());
    let found = named.or(on_path).or_else(|| {
        let pythons = std::fs::read_dir(root().join(".cache/venv/lib")).ok()?;
        let dirs =
            pythons.flatten().map(|p| p.path().join("site-packages/imageio_ffmpeg/binaries"));
        let files = dirs.filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        files.map(|file| file.path()).find(|p| p.display().to_string().contains("/ffmpeg"))
    });
    if found.is_none() {
        eprintln!("VIGIE_SKIPPED score frames of a video: no ffmpeg (make test sets one up)");
    }
    found
}

#[test]
fn score_frames_reads_a_video_look_by_look() {
    let (Some(_), Some(ffmpeg)) = (shipped(), ffmpeg()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("-it.mkv");
    let made = Command::new(&ffmpeg)
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=duration=5:rate=10:size=1280x720",
            "-c:v",
            "mpeg4",
        ])
        .arg(&video)
        .status()
        .expect("ffmpeg starts");
    assert!(made.success());
    let scored = |more: &[&str], path: &Path| {
        vigie(&["score", "frames"])
            .args(more)
            .arg("--")
            .arg(path)
            .env("VIGIE_FFMPEG", &ffmpeg)
            .output()
            .expect("vigie starts")
    };
    let told = lines(&scored(&[], &video));
    let at: Vec<f64> = told.iter().map(|line| line["at"].as_f64().expect("a second")).collect();
    assert_eq!(at, [0.0, 2.0, 4.0], "20 pictures at 4 a second");
    assert!(told.iter().all(|line| line["motion"].as_f64().expect("more than one picture") >= 0.0));
    let whole = lines(&scored(&["--clip"], &video));
    assert_eq!((whole.len(), &whole[0]["looks"]), (1, &json!(3)));
    let highest =
        told.iter().map(|line| line["scores"]["violence"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(whole[0]["scores"]["violence"], highest);
    let second = whole[0]["at"]["violence"].as_f64().unwrap();
    let there = told.iter().find(|line| line["at"] == second).expect("one of the looks");
    assert_eq!(there["scores"]["violence"], highest);

    let none = folder.path().join("none.mp4");
    std::fs::write(&none, b"no video").unwrap();
    let output = scored(&[], &none);
    assert_eq!(output.status.code(), Some(1));
    assert!(lines(&output)[0]["error"].as_str().unwrap().contains("no picture"));
}

/// A server that gives each request one answer, and the bodies that it was sent.
fn answering(status: &'static str) -> (String, std::sync::mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("the body");
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere");
            reader.get_mut().write_all(answer.as_bytes()).expect("answered");
            if sender.send((head, String::from_utf8_lossy(&body).into_owned())).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

#[test]
fn sink_test_sends_one_marked_and_signed_alert_and_tells_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (good, requests) = answering("202 Accepted");
    let (bad, _refused) = answering("500 Internal Server Error");
    let path = written(
        folder.path(),
        "v.toml",
        &format!(
            "[[sink]]\nname = \"team\"\nurl = \"{good}\"\nsecret = {{ credential = \"hook\" }}\n\n\
             [[sink]]\nname = \"down\"\nurl = \"{bad}\"\nsecret = {{ credential = \"hook\" }}\n\n\
             [[sink]]\nname = \"other\"\nurl = \"https://example.org/\"\nsecret = {{ credential = \"it-is-nowhere\" }}\n\n\
             [[sink]]\nname = \"file\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n"
        ),
    );
    let test = |name: &str| {
        vigie(&["sink", "test", name, "-c", &path])
            .env("VIGIE_CREDENTIAL_HOOK", SECRET)
            .output()
            .unwrap()
    };
    let output = test("team");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("accepted the test alert with 202"), "{}", out(&output));
    let (head, body) = requests.recv().expect("it came");
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name)).expect(name);
        line.split_once(':').unwrap().1.trim().to_owned()
    };
    let webhook = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let at: i64 = header("webhook-timestamp").parse().unwrap();
    let wanted = webhook.sign(&header("webhook-id"), at, body.as_bytes()).unwrap();
    assert_eq!(header("webhook-signature"), wanted, "{signed}");
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&event["data"]["test"], &event["specversion"]), (&json!(true), &json!("1.0")));
    assert!(event["data"]["summary"].as_str().unwrap().starts_with("TEST"));
    assert_fits(&event["data"], &schema("alert"));

    let output = test("down");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("did not accept") && err(&output).contains("500"),
        "{}",
        err(&output)
    );
    let output = test("other");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("it-is-nowhere"), "{}", err(&output));
    let output = test("nobody");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("team, down, other, file"), "{}", err(&output));
    assert_eq!(test("file").status.code(), Some(0));
    let file = std::fs::read_to_string(folder.path().join("alerts.jsonl")).expect("the file");
    assert_eq!(serde_json::from_str::<Value>(file.trim()).expect("one line")["data"]["test"], true);
}

#[tokio::test]
async fn a_dossier_is_read_from_the_store_where_no_daemon_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(
        folder.path(),
        "v.toml",
        "[store]\ndir = \"state\"\n[provider]\nname = \"Maison X\"\n",
    );
    let output = run(&["dossier", "abcd", "-c", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("holds no store"), "{}", err(&output));
    assert!(!folder.path().join("state").exists(), "asking makes nothing");

    let mut opened = change(1, 1, Level::ThreatToLife, State::Open);
    opened.alert.id = uuid::Uuid::from_u128(0x5b2c_1111_0000_4000_8000_0000_0000_0001);
    let store = Store::open(&folder.path().join("state")).await.unwrap();
    store
        .commit_changes(&[Commit {
            change: opened.clone(),
            outbox: Vec::new(),
            evidence: Vec::new(),
        }])
        .await
        .unwrap();
    store.close().await;
    drop(store);

    let output = run(&["dossier", "5b2c", "--format", "json", "--lang", "fr", "-c", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let dossier: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(dossier["alert"], json!(opened.alert.id));
    assert_eq!(
        (&dossier["language"], &dossier["marking"]),
        (&json!("fr"), &json!("PROJET, non envoyé"))
    );
    let page = folder.path().join("draft.html");
    let output = run(&["dossier", "5b2c1111", "-c", &path, "-o", &page.display().to_string()]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""), "{}", err(&output));
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(
        html.contains("DRAFT, not sent") && html.contains("Maison X") && html.contains("<style")
    );
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&page).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(run(&["dossier", "ffff", "-c", &path]).status.code(), Some(1));
}
