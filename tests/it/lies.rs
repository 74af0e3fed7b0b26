//! The whole daemon and a platform (in Python, with `websockets`) that lies: what is wrong is counted by reason and costs
//! nothing else; what could not be told is shown. Needs what `make test` prepares; without it, it says so and passes.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::end_to_end::{Daemon, Peer, eventually, free_port, get, metric, root, write_recording};

const CHANNEL: &str = "test:1";
/// What the first event happens at; the platform moves all times to now.
const FIRST: &str = "2026-01-01T20:00:00.000Z";

fn config(
    folder: &Path,
    platform: u16,
    console: u16,
    metrics: u16,
    rule: &str,
) -> std::path::PathBuf {
    let file = |name: &str| root().join("config").join(name).display().to_string();
    let text = format!(
        r#"
rules = []
categories = "{categories}"
[server]
listen = "127.0.0.1:{console}"
metrics_listen = "127.0.0.1:{metrics}"
language = "en"
[store]
dir = "state"
[currency]
file = "{currency}"
[authorities]
file = "{authorities}"
[[feed]]
name = "python"
url = "ws://127.0.0.1:{platform}"
[[rule]]
name = "test"
when = '{rule}'
level = "danger"
reason = {{ en = "It holds.", fr = "C'est vrai." }}
"#,
        categories = file("categories.toml"),
        currency = file("currency.toml"),
        authorities = file("authorities.toml"),
    );
    let config = folder.join("vigie.toml");
    fs::write(&config, text).expect("a config");
    config
}

/// A picture, the same cut off, one that claims 65,500 × 65,500 pixels, and a PNG.
fn pictures() -> [Vec<u8>; 4] {
    let file = root().join("tests/fixtures/frame_parity/figures-1.jpg");
    let good = fs::read(file).expect("a fixture");
    let cut = good[..good.len() / 2].to_vec();
    let mut bomb = good.clone();
    let frame = bomb.windows(2).position(|w| w == [0xff, 0xc0]).expect("a baseline JPEG");
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0".to_vec();
    [good, cut, bomb, png]
}

#[test]
fn a_platform_that_lies_and_repeats_everything_is_counted_by_reason_and_heard_all_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chat = |id: &str, at: &str| {
        json!({"type": "chat", "id": id, "at": at, "channel": CHANNEL, "user": {"id": "u"},
            "text": format!("bonjour {id}")})
    };
    let gift = |id: &str, value: &str, currency: &str| {
        json!({"type": "donation", "id": id, "at": FIRST, "channel": CHANNEL, "text": "merci",
            "amount": {"value": value, "currency": currency}})
    };
    let mut lines = vec![
        chat("on time", FIRST),
        chat("an hour ahead", "2026-01-01T21:00:00.000Z"),
        chat("eleven minutes late", "2026-01-01T19:49:00.000Z"),
        chat("of 1999", "1999-01-01T20:00:00.000Z"),
        chat("of 2150", "2150-01-01T20:00:00.000Z"),
        json!({"type": "chat", "id": "no words", "at": FIRST, "channel": CHANNEL, "text": 5}),
        json!({"type": "audio", "id": "a", "at": FIRST, "channel": CHANNEL}),
        json!({"type": "chat", "id": "long", "at": FIRST, "channel": CHANNEL,
            "text": "x".repeat(9 << 20)}),
        json!({"type": "chat", "id": "deep", "at": FIRST, "channel": CHANNEL, "text": "x",
            // Fields that nobody knows are passed over, however deep.
            "more": (0..200).fold(json!(1), |inner, _| json!([inner]))}),
        gift("fine", "5.00", "EUR"),
        gift("unknown", "5.00", "ZZZ"),
        gift("negative", "-5.00", "EUR"),
        gift("absurd", "1e80", "EUR"),
    ];
    for (n, bytes) in pictures().iter().enumerate() {
        lines.push(json!({"type": "frame", "id": format!("f{n}"), "at": FIRST, "channel": CHANNEL,
            "media": "image/jpeg", "look": {"id": "L", "n": n + 1, "of": 4},
            "data": STANDARD.encode(bytes)}));
    }
    let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    text.push_str("no JSON\n[]\n");
    let count = lines.len() + 2;
    let recording = folder.path().join("recording.jsonl");
    fs::write(&recording, text).expect("a recording");
    let words = [
        "--recording",
        &recording.display().to_string(),
        "--speed",
        "0",
        "--live",
        "--frames",
        "mixed",
        "--overlap",
        "1000000",
        "--ignore-samples",
        "--close-after",
        &count.to_string(),
        "--cut",
        "close",
    ];
    let Some(mut platform) = Peer::start("stream_platform.py", &words) else { return };
    let (console, metrics) = (free_port(), free_port());
    // A camera signal there is only where the model has seen a picture of the look.
    let rule = "picture_camera_2m >= 0.0";
    let config = config(folder.path(), platform.port(), console, metrics, rule);
    let mut daemon = Daemon::start(folder.path(), &config);
    platform.wait_for("everything told twice", |line| line["done"] == true);

    let dropped = |kind: &str, reason: &str| {
        format!("vigie_events_dropped_total{{kind=\"{kind}\",reason=\"{reason}\"}}")
    };
    let corrected = |kind: &str, reason: &str| {
        format!("vigie_events_corrected_total{{kind=\"{kind}\",reason=\"{reason}\"}}")
    };
    let taken = |kind: &str| format!("vigie_feed_events_total{{feed=\"python\",kind=\"{kind}\"}}");
    let expected = [
        (taken("chat"), 4),
        (taken("donation"), 4),
        (taken("frame"), 4),
        (dropped("chat", "repeat"), 4),
        (dropped("donation", "repeat"), 4),
        (dropped("frame", "repeat"), 4),
        (dropped("chat", "late"), 1),
        // What has no usable id is told twice and counted twice.
        (dropped("chat", "malformed"), 6),
        (dropped("unknown", "malformed"), 4),
        (dropped("unknown", "unknown_type"), 2),
        (dropped("unknown", "too_large"), 2),
        (dropped("frame", "malformed"), 3),
        (corrected("chat", "time_ahead"), 1),
        (corrected("donation", "amount_unknown"), 3),
    ];
    let page = || get(metrics, "/metrics").map(|(_, text)| text).unwrap_or_default();
    let wrong = || -> Vec<String> {
        let page = page();
        let wrong = expected
            .iter()
            .filter(|(series, count)| metric(&page, series) != Some(f64::from(*count)));
        wrong.map(|(series, n)| format!("{series}: {:?}, not {n}", metric(&page, series))).collect()
    };
    for _ in 0..300 {
        if wrong().is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(wrong(), Vec::<String>::new());
    let alerts = || get(console, "/api/v1/alerts").map(|(_, text)| text).unwrap_or_default();
    eventually("the look counts with the picture that could be read", || {
        alerts().contains("\"level\":\"danger\"")
    });
    assert_eq!(daemon.end(), Some(0), "SIGTERM ends it well");
}

#[test]
fn a_cursor_too_old_is_a_gap_on_the_channel_in_the_alert_and_in_the_dossier() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recording = folder.path().join("recording.jsonl");
    write_recording(&recording);
    let words = [
        "--recording",
        &recording.display().to_string(),
        "--speed",
        "4",
        "--live",
        "--cursor-every",
        "10",
        "--close-after",
        "35",
        "--remember",
        "1",
    ];
    let Some(mut platform) = Peer::start("stream_platform.py", &words) else { return };
    let (console, metrics) = (free_port(), free_port());
    // The last of the gifts, well after the connection broke.
    let config = config(folder.path(), platform.port(), console, metrics, "money_paid_10m > 3.5");
    let mut daemon = Daemon::start(folder.path(), &config);
    platform.wait_for("the end of the recording", |line| line["done"] == true);
    let body = |path: &str| -> Value {
        let text = get(console, path).map(|(_, text)| text).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    eventually("an alert", || body("/api/v1/alerts")["items"][0]["id"].is_string());
    let gaps = |value: &Value| value["gaps"].as_array().map_or(0, Vec::len);
    let channels = body("/api/v1/channels");
    assert!(gaps(&channels["items"][0]) > 0, "on the channel: {channels}");
    let list = body("/api/v1/alerts");
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    let alert = body(&format!("/api/v1/alerts/{id}"));
    assert!(alert.to_string().contains("\"gaps\":[{"), "in the alert: {alert}");
    let dossier = body(&format!("/api/v1/alerts/{id}/dossier"));
    assert!(dossier.to_string().contains("\"gaps\":[{"), "in the dossier: {dossier}");
    let page = get(console, "/").map(|(_, text)| text).unwrap_or_default();
    assert!(page.contains("nothing received from"), "on the page");
    assert_eq!(daemon.end(), Some(0), "SIGTERM ends it well");
}
