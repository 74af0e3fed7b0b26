//! A receiver in Python that misbehaves in every way: each message is taken in the end, under one id, and no redirect
//! is followed.

use serde_json::Value;

use super::*;
use crate::end_to_end::Peer;

#[tokio::test]
async fn whatever_a_receiver_does_each_message_arrives_under_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let out = dir.path().join("events");
    let first = "500,close,410,torn,slow,redirect,ok,404,503,torn";
    let words = ["--secret", SECRET, "--out", out.to_str().unwrap(), "--first", first];
    let Some(mut peer) = Peer::start("receiver.py", &[&words[..], &["--slow", "3"]].concat())
    else {
        return;
    };
    let mut sink = webhook("s", &format!("http://127.0.0.1:{}/hook", peer.port()));
    let SinkKind::Webhook { timeout, .. } = &mut sink.kind else { panic!() };
    *timeout = Duration::from_secs(1);
    let sinks = [sink];
    commit(&store, (0..6).map(opened), &sinks).await;
    let watch = Arc::new(super::Watch::default());
    let delivery = Delivery::start(&store, SOURCE, sinks.to_vec(), watch.clone()).unwrap();
    until("all", || watch.first.lock().len() == 6).await;
    delivery.stop(Duration::from_secs(5)).await;

    let lines = std::fs::read_to_string(&out).unwrap();
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |repeat: bool| {
        events
            .iter()
            .filter(move |event| event["repeat"] == repeat)
            .map(|event| event["id"].clone())
    };
    assert_eq!(of(false).collect::<Vec<_>>(), ids(0..6), "in order, each once");
    // Taken, but the answer was torn or late: told again, to be dropped.
    assert_eq!(of(true).count(), 3, "{events:#?}");
    assert!(events.iter().all(|event| event["problems"].as_array().unwrap().is_empty()));
    assert!(events.iter().all(|event| event["path"] == "/hook"), "no redirect is followed");
    assert_eq!(store.pending_counts().await.unwrap().len(), 0);
    assert_eq!(store.parked().await.unwrap().len(), 0);
}
