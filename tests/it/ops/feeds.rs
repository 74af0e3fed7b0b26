//! `vigie feed list|test` and `vigie record`, against a platform written in Python.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "a token of the test";

/// The Python platform on the house's evening; `None`, and said so, without the test Python.
struct Platform {
    _running: Running,
    url: String,
}

impl Platform {
    fn start(recording: &Path, more: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("VIGIE_TEST_PYTHON") else {
            eprintln!("SKIPPED: VIGIE_TEST_PYTHON is not set (make test sets it)");
            return None;
        };
        let mut child = Command::new(python)
            .arg(root().join("tests/peers/stream_platform.py"))
            .arg("--recording")
            .arg(recording)
            .args(["--token", TOKEN])
            .args(more)
            // It quits when its standard input ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test Python starts");
        let mut line = String::new();
        let mut told = BufReader::new(child.stdout.take().expect("piped"));
        told.read_line(&mut line).expect("its port");
        // What it tells further is read, so that it never waits.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        let port = serde_json::from_str::<Value>(&line).expect("JSON")["port"].clone();
        Some(Self { _running: Running(child), url: format!("ws://127.0.0.1:{port}/") })
    }
}

fn add(house: &House, text: &str) {
    let config = fs::read_to_string(&house.config).expect("a config");
    fs::write(&house.config, config + text).expect("written");
}

fn feed(name: &str, url: &str) -> String {
    format!(
        "[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\ntoken = {{ credential = \"feed-token\" }}\n"
    )
}

fn with_token(house: &House, args: &[&str]) -> Command {
    let mut command = house.vigie(args);
    command.env("VIGIE_CREDENTIAL_FEED_TOKEN", TOKEN);
    command
}

#[test]
fn list_tells_what_is_configured_and_what_a_daemon_has_heard() {
    let mut house = House::new();
    let output = house.run(&["feed", "list"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for words in ["no daemon answers", "evening  recording", "configured"] {
        assert!(out(&output).contains(words), "{words} in {}", out(&output));
    }
    assert!(!house.state().exists(), "asking makes nothing");
    // The second feed speaks for as long as it is asked.
    let chatter: String = (0..60)
        .map(|n| {
            let at = format!("2026-01-01T20:00:{n:02}Z");
            let line = json!({"type": "chat", "id": n.to_string(), "at": at, "channel": "test:2", "text": "bonsoir"});
            format!("{line}\n")
        })
        .collect();
    let path = house.folder.path().join("chatter.jsonl");
    fs::write(&path, chatter).expect("a recording");
    let Some(platform) = Platform::start(&path, &["--live", "--cursor-every", "1"]) else { return };
    add(&house, &feed("platform", &format!("{}?room=word", platform.url)));
    if !house.start_with(&[("VIGIE_CREDENTIAL_FEED_TOKEN", TOKEN)]) {
        return;
    }
    let feeds = eventually("events of both feeds", || {
        let told = house.json(&house.run(&["feed", "list", "--json"]).stdout);
        assert_eq!(told["running"], true);
        let heard = told["feeds"][1]["events"]["chat"].as_u64().is_some_and(|n| n >= 2)
            && told["feeds"][0]["state"] == "degraded";
        heard.then(|| told["feeds"].clone())
    });
    assert_eq!(feeds[0]["events"], json!({"chat": 2, "donation": 1, "stream": 1}), "{feeds}");
    let platform = &feeds[1];
    assert_eq!(platform["state"], "connected", "{feeds}");
    assert!(!platform["from"].as_str().unwrap().contains("word"), "no secret is shown: {feeds}");
    for field in ["connected_since", "newest", "received"] {
        assert!(platform[field].is_string(), "{field}: {platform}");
    }
    assert!(platform["lag_ms"].as_i64().is_some_and(|lag| lag.abs() < 60_000), "{platform}");
    let missing = platform["missing"].to_string();
    assert!(missing.contains("no pictures") && missing.contains("no donation"), "{missing}");
    assert!(!missing.contains("no cursor") && !missing.contains("no chat"), "{missing}");
    let told = out(&house.run(&["feed", "list"]));
    for words in ["connected for ", "newest", "lag ", "missing", "no pictures"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    house.stop();
}

#[test]
fn test_shows_the_first_events_and_says_what_is_missing() {
    let house = House::new();
    let evening = house.folder.path().join("evening.jsonl");
    let Some(platform) = Platform::start(&evening, &["--speed", "0"]) else { return };
    add(&house, &feed("platform", &platform.url));
    add(&house, &feed("nobody", "ws://127.0.0.1:9/"));
    let output = with_token(&house, &["feed", "test", "platform", "--events", "4"])
        .output()
        .expect("it runs");
    let told = out(&output);
    assert_eq!(output.status.code(), Some(0), "{told}{}", err(&output));
    for words in [
        "connected and subscribed after",
        "20:00:02  test:1  donation   50.00 EUR: frappe-le encore",
        "stream     live: essai, fr, FR",
        "4 events of 1 channels",
        "missing: no pictures",
        "a backlog, or a clock that is behind",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    // Its credential is not the one that is asked for.
    let mut wrong = house.vigie(&["feed", "test", "platform", "--seconds", "2"]);
    let output = wrong.env("VIGIE_CREDENTIAL_FEED_TOKEN", "another").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(
        out(&output).contains("not connected: ") && out(&output).contains("401"),
        "{}",
        out(&output)
    );
    let output =
        with_token(&house, &["feed", "test", "nobody", "--seconds", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("could not be connected"), "{}", err(&output));
    let output = with_token(&house, &["feed", "test", "no-such"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("evening, platform, nobody"), "{}", err(&output));
}

#[test]
fn a_recording_holds_what_the_feed_told_across_a_broken_connection_and_replays() {
    let house = House::new();
    let evening = house.folder.path().join("evening.jsonl");
    let more = ["--speed", "0", "--cursor-every", "1", "--overlap", "1", "--close-after", "3"];
    let Some(platform) = Platform::start(&evening, &more) else { return };
    add(&house, &feed("platform", &platform.url));
    let path = house.folder.path().join("made.jsonl.zst");
    let name = path.display().to_string();
    let record = |more: &[&str]| {
        let mut command = with_token(&house, &["record", "--feed", "platform", "-o", &name]);
        command.args(more).output().expect("it runs")
    };
    let output = record(&["--events", "4"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for words in ["4 events of 1 channels", "left out: 1 repeats", "vigie replay"] {
        assert!(err(&output).contains(words), "{words} in {}", err(&output));
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds names");
    let bytes = fs::read(&path).expect("a file");
    assert_eq!(bytes[..4], [0x28, 0xb5, 0x2f, 0xfd], "compressed, by its name");
    // What was told, field by field that Vigie knows, in order.
    let lines = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let text =
        String::from_utf8(zstd::decode_all(bytes.as_slice()).expect("a whole zstd file")).unwrap();
    let (made, told) = (lines(&text), lines(EVENING));
    assert_eq!(made.len(), told.len(), "{text}");
    for (made, told) in made.iter().zip(&told) {
        for (field, value) in told.as_object().expect("an object") {
            let same = match field.as_str() {
                "at" => made["at"].as_str().unwrap()[..19] == value.as_str().unwrap()[..19],
                _ => &made[field] == value,
            };
            assert!(same, "{field}: {made} for {told}");
        }
    }
    // Never over a file that is there, but where it is asked for.
    let output = record(&["--events", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(
        err(&output).contains("exists") && err(&output).contains("--force"),
        "{}",
        err(&output)
    );
    assert_eq!(fs::read(&path).expect("a file"), bytes);
    if shipped().is_some() {
        let levels = err(&house.run(&["replay", "--json", &name]));
        assert!(levels.contains("test:1: danger at the highest"), "{levels}");
    }
    // Ctrl-C ends the file well.
    let again = Platform::start(&evening, &["--speed", "0"]).expect("there is a Python");
    add(&house, &feed("again", &again.url));
    let plain = house.folder.path().join("plain.jsonl");
    let to = plain.display().to_string();
    let running = piped(&mut with_token(&house, &["record", "--feed", "again", "-o", &to]));
    grown(&plain);
    let (status, _, told) = running.interrupt();
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(lines(&fs::read_to_string(&plain).expect("a file")).len(), 4, "{told}");
}
