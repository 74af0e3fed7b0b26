//! Sinks get every committed message, signed, in order, under one id however often it is tried; a dead one delays only
//! itself. Over real sockets.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State as Held;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vigie::alert::{Change, State};
use vigie::delivery::{
    Backoff, Content, Delivery, DeliveryError, DeliveryObserver, Outcome, Secret, Sink, SinkKind,
    SinkOptions, rows_for,
};
use vigie::event::{Level, Timestamp};
use vigie::store::{Commit, OutboxItem, Store};

use crate::store::{AT, change};

#[path = "delivery/announce.rs"]
mod announce;
#[path = "delivery/lives.rs"]
mod lives;
#[path = "delivery/mirror.rs"]
mod mirror;
#[path = "delivery/peers.rs"]
mod peers;
#[path = "delivery/reload.rs"]
mod reload;
#[path = "delivery/storm.rs"]
mod storm;
#[path = "delivery/tls.rs"]
mod tls;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SOURCE: &str = "https://vigie.test/instance";

/// A status, and the header that goes with it.
type Said = (u16, Option<&'static str>);

/// A receiver that answers as it was told, 200 when nothing is left to say, and keeps what came.
#[derive(Clone, Default)]
struct Receiver {
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes, StatusCode)>>>,
    script: Arc<Mutex<VecDeque<Said>>>,
    /// Bodies that are always refused.
    poison: Arc<Mutex<Option<&'static str>>>,
    elsewhere: Arc<Mutex<u32>>,
}

impl Receiver {
    async fn listen(&self) -> (String, JoinHandle<()>) {
        self.listen_at("127.0.0.1:0").await
    }

    async fn listen_at(&self, address: &str) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = axum::Router::new()
            .route("/hook", axum::routing::post(take))
            .route("/elsewhere", axum::routing::any(elsewhere))
            .with_state(self.clone());
        (url, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
    }

    fn accepted(&self) -> Vec<String> {
        let seen = self.seen.lock();
        seen.iter().filter(|one| one.2.is_success()).map(|one| id(&one.0)).collect()
    }

    fn all(&self) -> Vec<String> {
        self.seen.lock().iter().map(|one| id(&one.0)).collect()
    }
}

fn id(headers: &HeaderMap) -> String {
    headers["webhook-id"].to_str().unwrap().to_owned()
}

async fn take(Held(held): Held<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let poisoned =
        held.poison.lock().is_some_and(|word| String::from_utf8_lossy(&body).contains(word));
    let (status, location) = match poisoned {
        true => (500, None),
        false => held.script.lock().pop_front().unwrap_or((200, None)),
    };
    let status = StatusCode::from_u16(status).unwrap();
    held.seen.lock().push((headers, body, status));
    match (status.as_u16(), location) {
        (429 | 503, Some(seconds)) => (status, [(header::RETRY_AFTER, seconds)]).into_response(),
        (_, Some(location)) => (status, [(header::LOCATION, location)]).into_response(),
        (_, None) => (status, "said the receiver").into_response(),
    }
}

async fn elsewhere(Held(held): Held<Receiver>) {
    *held.elsewhere.lock() += 1;
}

fn webhook(name: &str, url: &str) -> SinkOptions {
    let kind = SinkKind::Webhook {
        url: url.into(),
        secret: Secret::new(SECRET),
        // An answer that is late on a busy machine is an answer: tests that count attempts count no haste.
        timeout: Duration::from_secs(600),
    };
    let quick = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(100) };
    SinkOptions { backoff: quick, remind: None, ..SinkOptions::new(name, kind) }
}

async fn commit(store: &Store, changes: impl IntoIterator<Item = Change>, sinks: &[SinkOptions]) {
    let received = Timestamp(jiff::Timestamp::now().as_millisecond());
    let commits: Vec<Commit> = changes
        .into_iter()
        .map(|change| {
            let outbox = rows_for(&change, sinks, SOURCE, received);
            Commit { change, outbox, evidence: vec![] }
        })
        .collect();
    store.commit_changes(&commits).await.unwrap();
}

fn opened(n: u32) -> Change {
    change(n, 1, Level::Danger, State::Open)
}

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("{}-1", opened(n).alert.id)).collect()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        // It hangs; a machine that is only busy is waited for.
        assert!(begun.elapsed() < Duration::from_secs(600), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn start(store: &Store, sinks: &[SinkOptions]) -> Delivery {
    Delivery::start(store, SOURCE, sinks.to_vec(), Arc::new(())).unwrap()
}

#[tokio::test]
async fn a_webhook_is_signed_and_a_cloud_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let minimal = SinkOptions { content: Content::Minimal, ..webhook("minimal", &url) };
    let picky = SinkOptions { min_level: Level::ThreatToLife, ..webhook("picky", &url) };
    let sinks = [webhook("full", &url), minimal, picky];
    let delivery = start(&store, &sinks);
    commit(&store, [opened(1)], &sinks).await;
    delivery.wake();
    until("two deliveries", || receiver.accepted().len() == 2).await;

    let seen = receiver.seen.lock().clone();
    let verifier = Webhook::new(SECRET).unwrap();
    let mut summaries = 0;
    for (headers, body, _) in &seen {
        verifier.verify(body, headers).unwrap();
        let mut bent = body.to_vec();
        bent[10] ^= 1;
        assert!(verifier.verify(&bent, headers).is_err());
        assert_eq!(headers[header::CONTENT_TYPE], "application/cloudevents+json");
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(event["id"], id(headers));
        assert_eq!(event["type"], "eu.vigie.alert.opened.v1");
        assert_eq!(event["source"], SOURCE);
        assert_eq!(event["subject"], opened(1).alert.id.to_string());
        summaries += usize::from(event["data"].get("summary").is_some());
    }
    assert_eq!(summaries, 1, "content goes to the full sink alone");
}

#[derive(Default)]
struct Watch {
    outcomes: Mutex<Vec<Outcome>>,
    turns: Mutex<Vec<bool>>,
    first: Mutex<Vec<bool>>,
}

impl DeliveryObserver for Watch {
    fn attempt(&self, _: &str, outcome: Outcome) {
        self.outcomes.lock().push(outcome);
    }

    fn accepted(&self, _: &str, _: &OutboxItem, latency: Duration, first: bool) {
        assert!(latency < Duration::from_secs(20));
        self.first.lock().push(first);
    }

    fn turned(&self, _: &str, state: &vigie::delivery::SinkState) {
        self.turns.lock().push(state.ok);
    }

    fn degraded(&self) -> Vec<String> {
        vec!["feed main is not connected".into()]
    }
}

#[tokio::test]
async fn a_refused_message_is_tried_again_under_the_same_id_and_freshly_signed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    receiver.script.lock().extend([(500, None), (404, None), (410, None)]);
    let (url, _server) = receiver.listen().await;
    let sinks = [webhook("s", &url)];
    commit(&store, [opened(1), opened(2)], &sinks).await;
    let watch = Arc::new(Watch::default());
    let delivery = Delivery::start(&store, SOURCE, sinks.to_vec(), watch.clone()).unwrap();
    until("both", || receiver.accepted().len() == 2).await;
    let [one, two] = [0, 1].map(|n| ids(1..3)[n].clone());
    assert_eq!(receiver.all(), [one.clone(), one.clone(), one.clone(), one, two]);
    for (headers, body, _) in receiver.seen.lock().iter() {
        Webhook::new(SECRET).unwrap().verify(body, headers).unwrap();
    }
    until("the count", || watch.first.lock().len() == 2).await;
    assert_eq!(*watch.first.lock(), [false, true]);
    assert_eq!(*watch.turns.lock(), [false, true]);
    let (refused, accepted) = (Outcome::Refused, Outcome::Accepted);
    assert_eq!(*watch.outcomes.lock(), [refused, refused, refused, accepted, accepted]);
    let (_, state) = &delivery.states()[0];
    assert!(state.ok && state.failing_since.is_none());
    assert_eq!(state.last_error.as_deref(), Some("answered 410 Gone"));
    assert_eq!(store.pending_counts().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_dead_sink_delays_its_own_messages_and_gets_all_in_order_when_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    // A port that nobody listens on, for now.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (dead, alive) = (Receiver::default(), Receiver::default());
    let (url, _server) = alive.listen().await;
    let sinks = [webhook("dead", &format!("http://{address}/hook")), webhook("alive", &url)];
    let delivery = start(&store, &sinks);
    for n in 0..20 {
        commit(&store, [opened(n)], &sinks).await;
        delivery.wake();
    }
    // It is told of the dead one, too.
    let alerts = || alive.accepted().into_iter().filter(|id| !id.starts_with("sink-"));
    until("the living sink", || alerts().eq(ids(0..20))).await;
    until("the failure to show", || !delivery.states()[0].1.ok).await;
    assert!(delivery.states()[1].1.ok);
    assert_eq!(store.pending_counts().await.unwrap()["dead"], 20);
    let (_, _server) = dead.listen_at(&address.to_string()).await;
    until("the dead sink", || dead.accepted().len() == 20).await;
    assert_eq!(dead.accepted(), ids(0..20));
    assert_eq!(dead.all().len(), 20);
}

#[tokio::test]
async fn after_an_outage_what_was_put_off_goes_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    receiver.script.lock().extend([(503, None); 30]);
    let (url, _server) = receiver.listen().await;
    let mut sink = webhook("s", &url);
    sink.backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(40) };
    let sinks = [sink];
    commit(&store, (0..6).map(opened), &sinks).await;
    let in_an_hour = Timestamp(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    for id in ids(1..3) {
        store.failed("s", &id, in_an_hour, "answered 503").await.unwrap();
    }
    let _delivery = start(&store, &sinks);
    until("all", || receiver.accepted().len() == 6).await;
    // The one that the receiver took first may be any; what follows is in order.
    let rest = receiver.accepted()[1..].to_vec();
    assert!(rest.is_sorted(), "{rest:?}");
}

#[tokio::test]
async fn one_message_that_a_receiver_cannot_take_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    *receiver.poison.lock() = Some("00000000-0000-0000-0000-000000000001\"");
    let (url, _server) = receiver.listen().await;
    let sinks = [webhook("s", &url)];
    commit(&store, (0..5).map(opened), &sinks).await;
    let _delivery = start(&store, &sinks);
    until("the others", || receiver.accepted().len() == 4).await;
    assert_eq!(receiver.accepted(), ids(1..5));
    *receiver.poison.lock() = None;
    until("the one", || receiver.accepted().len() == 5).await;
}

#[tokio::test]
async fn a_message_too_old_is_parked_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    receiver.script.lock().extend([(410, None); 500]);
    let (url, _server) = receiver.listen().await;
    let sinks = [SinkOptions { max_age: Duration::from_millis(300), ..webhook("s", &url) }];
    commit(&store, [opened(1)], &sinks).await;
    let _delivery = start(&store, &sinks);
    let begun = Instant::now();
    while store.parked().await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let parked = store.parked().await.unwrap();
    assert_eq!(
        (parked[0].id.clone(), parked[0].why.as_deref()),
        (ids(1..2)[0].clone(), Some("answered 410 Gone"))
    );
    assert!(parked[0].attempts > 1);
    assert_eq!(store.pending_counts().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_redirect_is_a_refusal() {
    let receiver = Receiver::default();
    receiver.script.lock().extend([(307, Some("/elsewhere")), (302, Some("/elsewhere"))]);
    let (url, _server) = receiver.listen().await;
    let sink = Sink::new(webhook("s", &url)).unwrap();
    for status in [307, 302] {
        let answer = sink.test(SOURCE).await;
        assert!(!answer.accepted);
        assert_eq!(answer.status, Some(status));
    }
    assert_eq!(*receiver.elsewhere.lock(), 0);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    receiver.script.lock().extend([(429, Some("1"))]);
    let (url, _server) = receiver.listen().await;
    let sinks = [webhook("s", &url)];
    commit(&store, [opened(1)], &sinks).await;
    let begun = Instant::now();
    let _delivery = start(&store, &sinks);
    until("it", || receiver.accepted().len() == 1).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_restart_goes_on_where_the_outbox_stood() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [webhook("s", &url)];
    {
        let store = Store::open(dir.path()).await.unwrap();
        commit(&store, (0..3).map(opened), &sinks).await;
        let delivery = start(&store, &sinks);
        until("the first", || receiver.accepted().len() == 3).await;
        delivery.stop(Duration::from_secs(5)).await;
        commit(&store, (3..6).map(opened), &sinks).await;
        assert_eq!(receiver.accepted().len(), 3);
    }
    let store = Store::open(dir.path()).await.unwrap();
    let _delivery = start(&store, &sinks);
    until("the rest", || receiver.accepted().len() == 6).await;
    assert_eq!(receiver.accepted(), ids(0..6));
}

#[tokio::test]
async fn a_threat_to_life_is_told_again_until_somebody_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [SinkOptions { remind: Some(Duration::from_millis(300)), ..webhook("s", &url) }];
    let delivery = start(&store, &sinks);
    let life = |revision, state| change(1, revision, Level::ThreatToLife, state);
    commit(&store, [life(2, State::Open), opened(2)], &sinks).await;
    // In shadow mode a sink was told of nothing, so it is reminded of nothing.
    let shadow = change(3, 1, Level::ThreatToLife, State::Open);
    commit(&store, [shadow.clone()], &[]).await;
    delivery.wake();
    until("two reminders", || receiver.accepted().len() >= 4).await;
    let id = life(2, State::Open).alert.id;
    let all = receiver.accepted();
    assert_eq!(all[..2], [format!("{id}-2"), ids(2..3)[0].clone()]);
    assert_eq!(all[2..4], [format!("{id}-2-r1"), format!("{id}-2-r2")]);
    let seen = receiver.seen.lock().clone();
    let event = |n: usize| serde_json::from_slice::<Value>(&seen[n].1).unwrap();
    assert_eq!(event(2)["type"], "eu.vigie.alert.reminded.v1");
    assert_eq!(event(2)["id"], format!("{id}-2-r1"));
    assert_eq!(event(2)["data"], event(0)["data"]);

    commit(&store, [life(3, State::Acknowledged)], &sinks).await;
    delivery.wake();
    until("the acknowledgement", || receiver.accepted().contains(&format!("{id}-3"))).await;
    assert_eq!(store.urgent("s", Timestamp(i64::MAX / 2), Duration::ZERO).await.unwrap().len(), 0);
    let told = receiver.accepted().len();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(receiver.accepted().len(), told);
    assert!(!receiver.accepted().iter().any(|told| told.starts_with(&shadow.alert.id.to_string())));
}

#[tokio::test]
async fn a_reminder_that_waits_is_withdrawn_when_somebody_takes_the_alert() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [SinkOptions { remind: Some(Duration::from_millis(200)), ..webhook("s", &url) }];
    let delivery = start(&store, &sinks);
    let life = |revision, state| change(1, revision, Level::ThreatToLife, state);
    *receiver.poison.lock() = Some("reminded");
    commit(&store, [life(2, State::Open)], &sinks).await;
    delivery.wake();
    let id = life(2, State::Open).alert.id;
    until("a refused reminder", || receiver.all().contains(&format!("{id}-2-r1"))).await;
    commit(&store, [life(3, State::Acknowledged)], &sinks).await;
    delivery.wake();
    until("the acknowledgement", || receiver.accepted().contains(&format!("{id}-3"))).await;
    *receiver.poison.lock() = None;
    let begun = Instant::now();
    while !store.pending_counts().await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(receiver.accepted(), [format!("{id}-2"), format!("{id}-3")]);
}

#[tokio::test]
async fn a_heartbeat_tells_what_is_degraded() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [SinkOptions { heartbeat: Some(Duration::from_millis(100)), ..webhook("s", &url) }];
    let _delivery =
        Delivery::start(&store, SOURCE, sinks.to_vec(), Arc::new(Watch::default())).unwrap();
    until("two heartbeats", || receiver.accepted().len() >= 2).await;
    let event: Value = serde_json::from_slice(&receiver.seen.lock()[0].1).unwrap();
    assert_eq!(event["type"], "eu.vigie.heartbeat.v1");
    assert_eq!(event["data"]["degraded"][0], "feed main is not connected");
    assert_ne!(receiver.all()[0], receiver.all()[1]);
}

#[tokio::test]
async fn a_file_gets_one_line_an_event_even_after_a_torn_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let path = dir.path().join("out/alerts.jsonl");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{\"torn").unwrap();
    let sinks = [SinkOptions::new("file", SinkKind::Jsonl { path: path.clone() })];
    commit(&store, (0..3).map(opened), &sinks).await;
    let delivery = start(&store, &sinks);
    let lines = |path: &Path| -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    };
    until("three lines", || lines(&path).len() == 4).await;
    let answer = delivery.test("file").await.unwrap();
    assert!(answer.accepted && answer.status.is_none());
    let events: Vec<Value> =
        lines(&path)[1..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<&str> = events[..3].iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(seen, ids(0..3));
    assert_eq!(events[3]["data"]["test"], true);
}

#[tokio::test]
async fn a_test_alert_shows_the_answer_and_no_answer() {
    let receiver = Receiver::default();
    receiver.script.lock().extend([(200, None), (401, None)]);
    let (url, server) = receiver.listen().await;
    let sink = Sink::new(webhook("s", &url)).unwrap();
    let answer = sink.test(SOURCE).await;
    assert_eq!(
        (answer.accepted, answer.status, &*answer.said),
        (true, Some(200), "said the receiver")
    );
    let (headers, body, _) = receiver.seen.lock()[0].clone();
    Webhook::new(SECRET).unwrap().verify(&body, &headers).unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&event["data"]["test"], &event["type"]),
        (&true.into(), &"eu.vigie.alert.opened.v1".into())
    );
    let answer = sink.test(SOURCE).await;
    assert_eq!((answer.accepted, answer.status), (false, Some(401)));
    assert!(answer.said.contains("said the receiver"), "{}", answer.said);
    server.abort();
    let _ = server.await;
    let secret_path = Sink::new(webhook("s", "http://127.0.0.1:9/T0K3N")).unwrap();
    let answer = secret_path.test(SOURCE).await;
    assert_eq!((answer.accepted, answer.status), (false, None));
    assert!(!answer.said.contains("T0K3N") && !answer.said.is_empty(), "{}", answer.said);
}

#[tokio::test]
async fn a_receiver_that_never_answers_costs_its_timeout_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = webhook("s", &format!("http://{}/", listener.local_addr().unwrap()));
    let SinkKind::Webhook { timeout, .. } = &mut options.kind else { panic!() };
    *timeout = Duration::from_millis(200);
    let begun = Instant::now();
    let answer = Sink::new(options).unwrap().test(SOURCE).await;
    assert_eq!((answer.accepted, &*answer.said), (false, "no answer in time"));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_sink_that_cannot_be_right_is_refused_before_anything_is_sent() {
    let error = |url: &str, secret: &str| {
        let kind = SinkKind::Webhook {
            url: url.into(),
            secret: Secret::new(secret),
            timeout: Duration::from_secs(1),
        };
        Sink::new(SinkOptions::new("s", kind)).err()
    };
    assert!(error("https://a.test/x", SECRET).is_none());
    assert!(matches!(error("http://a.test/x", SECRET), Some(DeliveryError::PlainHttp { .. })));
    assert!(matches!(error("a.test/x", SECRET), Some(DeliveryError::Url { .. })));
    for secret in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    {
        let error = error("https://a.test/", secret);
        assert!(matches!(error, Some(DeliveryError::Secret { .. })), "{secret}");
    }
    assert!(!format!("{:?}", webhook("s", "https://a.test")).contains("whsec"));
    assert_eq!(AT.second(), 1_755_468_843);
}
