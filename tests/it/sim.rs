//! The simulated platform over real sockets, its script, its pictures, its webhook receiver.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;
use vigie::event::{Body, FeedItem, Keyer, Timestamp, decode, decode_binary_frame};
use vigie::sim::{DEFAULT_START, Receiver, Scenario, serve};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

const WAIT: Duration = Duration::from_secs(60);

/// A platform of its own for one test; it stops when the guard goes.
struct Platform {
    url: String,
    _stop: tokio_util::sync::DropGuard,
}

async fn platform(scenario: Scenario, speed: f64) -> Platform {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, scenario, speed, stop.clone()));
    Platform { url, _stop: stop.drop_guard() }
}

async fn subscribe(platform: &Platform, kinds: &[&str], resume: Option<&str>) -> Client {
    let (mut client, _) = tokio_tungstenite::connect_async(&platform.url).await.unwrap();
    say(
        &mut client,
        json!({"type": "subscribe", "version": 1, "channels": ["*"], "kinds": kinds, "resume": resume}),
    )
    .await;
    client
}

async fn say(client: &mut Client, message: Value) {
    client.send(Message::text(message.to_string())).await.unwrap();
}

/// The next event, cursor or picture.
async fn hear(client: &mut Client) -> FeedItem {
    loop {
        let message =
            tokio::time::timeout(WAIT, client.next()).await.expect("the platform fell silent");
        match message.unwrap().unwrap() {
            Message::Text(text) => return decode(text.as_str(), &Keyer::replay()).unwrap(),
            Message::Binary(bytes) => {
                return decode_binary_frame(&bytes, &Keyer::replay()).unwrap();
            }
            _ => {}
        }
    }
}

/// Ids of events up to the cursor that ends the script, and all cursors with the number of events before each.
async fn to_the_end(client: &mut Client, items: usize) -> (Vec<String>, Vec<(String, usize)>) {
    let (mut ids, mut cursors) = (Vec::new(), Vec::new());
    loop {
        match hear(client).await {
            FeedItem::Event(event) => ids.push(format!("{}/{}", event.channel, event.id)),
            FeedItem::Cursor(cursor) => {
                cursors.push((cursor.to_string(), ids.len()));
                let place: usize = cursor.rsplit(':').next().unwrap().parse().unwrap();
                if place == items {
                    return (ids, cursors);
                }
            }
            FeedItem::Gap(gap) => panic!("{gap:?}"),
        }
    }
}

/// Mean difference between two pictures of a look, levels of 255.
fn differ(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

fn pixels(jpeg: &[u8]) -> Vec<u8> {
    let mut decoder =
        zune_jpeg::JpegDecoder::new(zune_jpeg::zune_core::bytestream::ZCursor::new(jpeg));
    let pixels = decoder.decode().unwrap();
    assert_eq!(decoder.dimensions(), Some((320, 180)));
    assert_eq!(pixels.len(), 320 * 180 * 3);
    pixels
}

/// A picture as 64 × 36 grey cells of 5 × 5 pixels, 0..=255: grain averages out, bodies stay.
fn cells(pixels: &[u8]) -> Vec<u8> {
    let cell = |at: usize| {
        let (x, y) = (at % 64 * 5, at / 64 * 5);
        let bytes = (0..25).flat_map(|i| {
            let start = ((y + i / 5) * 320 + x + i % 5) * 3;
            &pixels[start..start + 3]
        });
        (bytes.map(|byte| u32::from(*byte)).sum::<u32>() / 75) as u8
    };
    (0..64 * 36).map(cell).collect()
}

/// Mean motion of a look that begins `t` seconds into the scenario: change of its cells from picture to picture, 0..=1.
fn motion(scenario: &Scenario, channel: &str, t: f64) -> f64 {
    let look: Vec<Vec<u8>> = (0..8)
        .map(|n| {
            let at = scenario.start().plus_ms((t * 1000.0) as i64 + n * 2000 / 7);
            cells(&pixels(&scenario.scene_at(channel, at).unwrap().jpeg()))
        })
        .collect();
    look.windows(2).map(|pair| differ(&pair[0], &pair[1])).sum::<f64>() / 7.0 / 255.0
}

#[test]
fn every_line_of_every_scenario_is_of_the_wire_format_and_in_order() {
    for name in Scenario::names() {
        let scenario = Scenario::by_name(name).unwrap();
        let mut before = scenario.start();
        let mut ids = std::collections::HashSet::new();
        for event in scenario.events() {
            let Ok(FeedItem::Event(read)) = decode(&event.json, &Keyer::replay()) else {
                panic!("{}", event.json);
            };
            assert_eq!(read.at, event.at);
            assert_eq!(read.channel.as_str(), event.channel);
            assert_eq!(read.kind().name(), event.kind);
            assert!(before <= event.at && event.at < scenario.end());
            assert!(ids.insert((event.channel.clone(), read.id)));
            before = event.at;
        }
        let per_minute = scenario.events().iter().filter(|event| event.kind == "chat").count()
            as f64
            / scenario.channels().len() as f64
            / 24.0;
        assert!((20.0..90.0).contains(&per_minute), "{name}: {per_minute} messages a minute");
    }
    assert!(Scenario::by_name("no such").is_none());
}

#[test]
fn the_same_seed_gives_the_same_script_and_pictures() {
    let lines = |scenario: &Scenario| -> Vec<String> {
        scenario.events().iter().map(|event| event.json.clone()).collect()
    };
    let one = Scenario::by_name("paid-violence").unwrap();
    let two = Scenario::by_name("paid-violence").unwrap();
    assert_eq!(lines(&one), lines(&two));
    assert_ne!(lines(&one), lines(&two.clone().seeded(7)));
    let at = DEFAULT_START.plus_ms(300_500);
    for channel in one.channels() {
        let picture = |scenario: &Scenario, at| scenario.scene_at(channel, at).unwrap().jpeg();
        assert_eq!(picture(&one, at), picture(&two, at));
        assert_ne!(picture(&one, at), picture(&one, at.plus_ms(1)), "{channel}: the grain froze");
    }
}

#[test]
fn another_start_moves_the_times_and_takes_other_ids() {
    let at = Timestamp::parse("2026-03-01T09:00:00Z").unwrap();
    let moved = Scenario::by_name("paid-violence-en").unwrap().starting(at);
    let usual = Scenario::by_name("paid-violence-en").unwrap();
    let event = |scenario: &Scenario, i: usize| -> Value {
        serde_json::from_str(&scenario.events()[i].json).unwrap()
    };
    assert_eq!(moved.events().len(), usual.events().len());
    assert_eq!(moved.events()[0].at, at);
    assert_eq!(event(&moved, 9)["text"], event(&usual, 9)["text"]);
    assert_ne!(event(&moved, 9)["id"], event(&usual, 9)["id"]);
    // 290 hours before the scenario.
    assert_eq!(event(&moved, 0)["started_at"], "2026-02-17T07:00:00.000Z");
}

#[test]
fn the_motionless_phase_moves_far_less_than_the_shoving() {
    let scenario = Scenario::by_name("paid-violence").unwrap();
    let channel = "sim:nuit-blanche";
    let [shoving, slap, talking, still] =
        [500.0, 300.0, 100.0, 1120.0].map(|t| motion(&scenario, channel, t));
    let sleeper = motion(&scenario, "sim:sleep", 120.0);
    println!(
        "shoving {shoving:.4} slap {slap:.4} talking {talking:.4} still {still:.4} sleeper {sleeper:.4}"
    );
    assert!(
        shoving.min(slap) > 8.0 * still,
        "shoving {shoving:.4}, slap {slap:.4}, still {still:.4}"
    );
    assert!(shoving.min(slap) > 2.0 * talking, "shoving {shoving:.4}, talking {talking:.4}");
    assert!(talking > 3.0 * still, "talking {talking:.4}, still {still:.4}");
    assert!(still > 0.0005, "a camera has grain: {still:.4}");
    assert!(sleeper < 2.0 * still, "sleeper {sleeper:.4}, still {still:.4}");
    for busy in ["sim:gala", "sim:marathon", "sim:ranked"] {
        assert!(motion(&scenario, busy, 100.0) > 2.5 * still, "{busy}");
    }
}

/// A story of paid acts is seen by the platform's own looks: all but one act fall into one.
#[test]
fn the_acts_are_seen_without_being_asked_for() {
    let scenario = Scenario::by_name("paid-violence").unwrap();
    let channel = "sim:nuit-blanche";
    let mut acts = std::collections::HashSet::new();
    for k in 0..72 {
        let t = scenario.start().plus_ms(k * 20_000 + 500);
        if let Some((act, since)) = scenario.scene_at(channel, t).unwrap().act {
            acts.insert((format!("{act:?}"), k - (since / 20.0) as i64));
        }
    }
    assert!(acts.len() >= 12, "{acts:?}");
}

#[test]
fn a_recording_holds_the_script_and_the_looks() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario::by_name("paid-violence-en").unwrap();
    let (plain, packed) = (folder.path().join("a.jsonl"), folder.path().join("a.jsonl.zst"));
    scenario.write_recording(&plain, Duration::from_secs(240)).unwrap();
    scenario.write_recording(&packed, Duration::from_secs(240)).unwrap();
    let text = std::fs::read_to_string(&plain).unwrap();
    let unpacked = zstd::stream::decode_all(std::fs::File::open(&packed).unwrap()).unwrap();
    assert_eq!(text.as_bytes(), unpacked);
    let (mut frames, mut others, mut before) = (0, 0, scenario.start());
    for line in text.lines() {
        let Ok(FeedItem::Event(event)) = decode(line, &Keyer::replay()) else { panic!("{line}") };
        assert!(before <= event.at);
        before = event.at;
        match event.body {
            Body::Frame(frame) => {
                frames += 1;
                assert_eq!(frame.look.unwrap().of, 8);
            }
            _ => others += 1,
        }
    }
    assert_eq!((frames, others), (6 * 8, scenario.events().len()));
}

#[tokio::test]
async fn a_client_gets_the_whole_script_and_resumes_where_its_cursor_stands() {
    let scenario = Scenario::by_name("quiet").unwrap();
    // Beside what is said, the script holds 72 looks of 8 pictures at each channel.
    let kinds = ["chat", "donation", "reward", "stream", "notice", "moderation"];
    let expected: Vec<String> = scenario
        .events()
        .iter()
        .map(|event| {
            let id: Value = serde_json::from_str(&event.json).unwrap();
            format!("{}/{}", event.channel, id["id"].as_str().unwrap())
        })
        .collect();
    let items = expected.len() + 4 * 72 * 8;
    let platform = platform(scenario, f64::INFINITY).await;

    let mut client = subscribe(&platform, &kinds, None).await;
    let (all, cursors) = to_the_end(&mut client, items).await;
    assert_eq!(all, expected);
    assert!(cursors.len() >= items / 50);

    let (cursor, before) = &cursors[cursors.len() / 2];
    let mut client = subscribe(&platform, &kinds, Some(cursor)).await;
    let (rest, _) = to_the_end(&mut client, items).await;
    assert_eq!(rest, expected[*before..]);

    // At the end it idles: connected, and nothing but pings.
    let more = tokio::time::timeout(Duration::from_millis(300), hear(&mut client)).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_client_gets_the_channels_and_kinds_that_it_asked_for() {
    let platform = platform(Scenario::by_name("quiet").unwrap(), f64::INFINITY).await;
    let (mut client, _) = tokio_tungstenite::connect_async(&platform.url).await.unwrap();
    say(
        &mut client,
        json!({"type": "subscribe", "version": 1, "channels": ["sim:gala"], "kinds": ["donation"], "resume": null}),
    )
    .await;
    let mut donations = 0;
    while donations < 10 {
        if let FeedItem::Event(event) = hear(&mut client).await {
            assert_eq!(event.channel.as_str(), "sim:gala");
            assert!(matches!(event.body, Body::Donation { .. }));
            donations += 1;
        }
    }
}

#[tokio::test]
async fn a_sample_gives_looks_of_eight_different_pictures() {
    let scenario = Scenario::by_name("paid-violence-en").unwrap();
    let platform = platform(scenario, 40.0).await;
    let mut client = subscribe(&platform, &["frame"], None).await;
    say(
        &mut client,
        json!({"type": "sample", "channel": "sim:up-all-night", "look": "L7", "every_ms": 5000, "burst": 8, "over_ms": 2000}),
    )
    .await;
    let (mut looks, mut pictures, mut times) = (Vec::new(), Vec::<Bytes>::new(), Vec::new());
    while looks.len() < 16 {
        let FeedItem::Event(event) = hear(&mut client).await else { continue };
        let Body::Frame(frame) = event.body else { panic!("{event:?}") };
        let look = frame.look.unwrap();
        if look.id.starts_with('S') {
            // The platform's own look, from before the request came.
            assert!(looks.is_empty());
            continue;
        }
        assert_eq!(look.of, 8);
        looks.push(format!("{} {}", look.id, look.n));
        pictures.push(frame.data);
        times.push(event.at);
    }
    let expected: Vec<String> =
        ["L7", "L7-2"].iter().flat_map(|id| (1..=8).map(move |n| format!("{id} {n}"))).collect();
    assert_eq!(looks, expected);
    assert_eq!(times[7].since(times[0]), 2000);
    assert_eq!(times[8].since(times[0]), 5000);
    let first: Vec<Vec<u8>> = pictures[..8].iter().map(|jpeg| pixels(jpeg)).collect();
    for pair in first.windows(2) {
        assert!(differ(&pair[0], &pair[1]) > 0.2);
    }

    // Zero gives the channel back to the platform's own looks.
    say(&mut client, json!({"type": "sample", "channel": "sim:up-all-night", "every_ms": 0})).await;
    loop {
        let FeedItem::Event(event) = hear(&mut client).await else { continue };
        let Body::Frame(frame) = event.body else { panic!("{event:?}") };
        if frame.look.unwrap().id.starts_with('S') {
            break;
        }
    }
}

const SECRET: &str = "whsec_dGhlIGRlbW8ncyBzZWNyZXQsIDMyIGJ5dGVz";

/// Posts a body signed under `secret`; returns the status.
async fn post(url: &str, secret: &str, id: &str, body: &str) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let at = now.as_secs() as i64;
    let signature =
        standardwebhooks::Webhook::new(secret).unwrap().sign(id, at, body.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client
        .post(url)
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .header("content-type", "application/cloudevents+json")
        .body(body.to_string());
    sent.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_receiver_hands_on_what_is_signed_and_refuses_the_rest() {
    let (out, mut arrived) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = Receiver::start(listener, SECRET, out, stop.clone()).unwrap();
    let url = receiver.url();
    let body =
        json!({"specversion": "1.0", "type": "eu.vigie.alert.opened.v1", "id": "a-1"}).to_string();

    assert_eq!(post(&url, SECRET, "a-1", &body).await, 204);
    assert_eq!(arrived.recv().await.unwrap()["id"], "a-1");
    // A repeated delivery is accepted, but told once.
    assert_eq!(post(&url, SECRET, "a-1", &body).await, 204);
    assert_eq!(post(&url, "whsec_YW5vdGhlciBzZWNyZXQ=", "a-2", &body).await, 401);
    assert_eq!(post(&url, SECRET, "a-3", "no json").await, 400);
    assert!(arrived.try_recv().is_err());
    assert_eq!((receiver.accepted(), receiver.repeated(), receiver.rejected()), (1, 1, 2));
    stop.cancel();
}

#[test]
fn an_alert_in_words_names_what_a_person_needs() {
    let event = json!({"type": "eu.vigie.alert.raised.v1", "data": {
        "id": "3f2b", "channel": "sim:nuit-blanche", "level": "threat_to_life", "previous_level": "danger",
        "title": "NUIT\u{1b}[2J BLANCHE", "updated_at": "2025-08-17T20:17:30.000Z",
        "summary": "A man does not move.",
        "reasons": [{"signal": "chat.distress.60s", "value": 12.345, "threshold": 3.0, "weight": 0.41,
            "text": "viewers say that someone is in danger"}],
        "against": [{"signal": "chat.laughter.60s", "value": 0.2, "text": "some laugh"}],
        "donations": {"count": 42, "sum_eur": "610.00", "coupling": 3.4, "asking_for_acts": 11},
        "suspected_offences": ["violence_against_person"],
        "console": "http://127.0.0.1:8787/alerts/3f2b"}});
    let words = vigie::sim::Words { colour: false, vigie: "vigie -c demo.toml".into() };
    let told = words.tell(&event);
    for part in [
        "[THREAT TO LIFE] sim:nuit-blanche raised from danger",
        "20:17:30",
        "A man does not move.",
        " 41 % viewers say that someone is in danger",
        "chat.distress.60s 12.35, threshold 3",
        "some laugh",
        "42 gifts, 610.00 EUR, 11 of them ask for acts",
        "violence against person",
        "vigie -c demo.toml ack 3f2b --by NAME --why TEXT",
        "http://127.0.0.1:8787/alerts/3f2b",
    ] {
        assert!(told.contains(part), "`{part}` is not in:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "a title wrote to the terminal");
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
    println!("{told}");
}
