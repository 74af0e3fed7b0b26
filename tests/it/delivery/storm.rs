//! Too many new alerts are told in one message; `threat_to_life` never waits, and nothing is lost.

use std::collections::BTreeSet;

use super::*;

const SINGLY: u32 = 20;

fn stormy(url: &str) -> SinkOptions {
    let storm = vigie::delivery::Storm { singly: SINGLY, window: Duration::from_secs(6) };
    SinkOptions { storm: Some(storm), ..webhook("s", url) }
}

fn bodies(receiver: &Receiver, kind: &str) -> Vec<Value> {
    let seen = receiver.seen.lock();
    let read = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap();
    let of = |event: &Value| event["type"] == format!("eu.vigie.{kind}.v1");
    seen.iter().map(|one| read(&one.1)).filter(of).collect()
}

/// Alert 60, 120 and 180 are at `threat_to_life`.
fn level(n: u32) -> Level {
    match n {
        60 | 120 | 180 => Level::ThreatToLife,
        n if n % 2 == 0 => Level::Danger,
        _ => Level::Concern,
    }
}

#[tokio::test]
async fn a_storm_is_told_in_a_summary_but_for_threats_to_life() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [stormy(&url)];
    let all = || (0..200).map(|n| change(n, 1, level(n), State::Open));
    let late = ids(300..301).remove(0);
    {
        let store = Store::open(dir.path()).await.unwrap();
        commit(&store, all().chain([opened(300)]), &sinks).await;
        // One of them waits until after the restart.
        let in_an_hour = Timestamp(jiff::Timestamp::now().as_millisecond() + 3_600_000);
        store.failed("s", &late, in_an_hour, "not now").await.unwrap();
        let delivery = start(&store, &sinks);
        let last = all().nth(180).unwrap().alert.id.to_string();
        until("the last threat to life", || {
            receiver.accepted().iter().any(|id| id.starts_with(&last))
        })
        .await;
        delivery.stop(Duration::from_secs(5)).await;
    }
    let store = Store::open(dir.path()).await.unwrap();
    store.hurry("s", Timestamp(jiff::Timestamp::now().as_millisecond())).await.unwrap();
    let delivery = start(&store, &sinks);
    let summarised = || -> Vec<Value> {
        let of = |event: Value| event["data"]["alerts"].as_array().unwrap().clone();
        bodies(&receiver, "storm").into_iter().flat_map(of).collect()
    };
    until("the summaries", || summarised().len() >= 178).await;
    let singly: BTreeSet<String> = bodies(&receiver, "alert.opened")
        .iter()
        .map(|event| event["subject"].as_str().unwrap().to_owned())
        .collect();
    let life = all().filter(|change| change.alert.level == Level::ThreatToLife);
    assert!(life.clone().all(|change| singly.contains(&change.alert.id.to_string())));
    assert_eq!(singly.len(), SINGLY as usize + life.count());
    let first: Vec<String> = all().take(20).map(|change| change.alert.id.to_string()).collect();
    assert!(first.iter().all(|id| singly.contains(id)), "in order: the first are told singly");

    let mut told = singly.clone();
    for alert in summarised() {
        assert_ne!(alert["level"], "threat_to_life");
        assert!(told.insert(alert["id"].as_str().unwrap().to_owned()), "told once");
        assert!(alert["summary"].is_string() && alert["console"].is_string());
    }
    assert_eq!(told.len(), 201, "nothing is lost");
    assert!(told.contains(late.trim_end_matches("-1")));
    let summaries = bodies(&receiver, "storm");
    assert!(summaries.len() <= 3, "{}", summaries.len());
    for summary in &summaries {
        let counts = summary["data"]["levels"].as_object().unwrap();
        let sum: u64 = counts.values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(summary["data"]["count"], sum);
    }
    assert_eq!(store.alerts(&Default::default()).await.unwrap().items.len(), 50, "all are stored");
    let begun = Instant::now();
    while delivery.overview().await.unwrap()[0].waiting > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // What follows an alert that a summary told is told as ever.
    let raised = change(31, 2, Level::ThreatToLife, State::Open);
    commit(&store, [raised.clone()], &sinks).await;
    delivery.wake();
    let id = format!("{}-2", raised.alert.id);
    until("the raise", || receiver.accepted().contains(&id)).await;
    // Once it is over, alerts are told singly again.
    tokio::time::sleep(Duration::from_secs(6)).await;
    commit(&store, [opened(301)], &sinks).await;
    delivery.wake();
    until("the one after", || receiver.accepted().contains(&ids(301..302)[0])).await;
}

#[tokio::test]
async fn a_sink_that_is_told_little_gets_ids_levels_and_links() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let storm = vigie::delivery::Storm { singly: 1, window: Duration::from_millis(600) };
    let options = SinkOptions { storm: Some(storm), content: Content::Minimal, ..stormy(&url) };
    commit(&store, (0..3).map(opened), std::slice::from_ref(&options)).await;
    let _delivery = start(&store, &[options]);
    until("the summary", || !bodies(&receiver, "storm").is_empty()).await;
    let summary = bodies(&receiver, "storm").remove(0);
    let alert = summary["data"]["alerts"][0].as_object().unwrap();
    let keys: Vec<&str> = alert.keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "revision", "level", "level_now", "state", "console"]);
    let text = summary.to_string();
    assert!(!text.contains(opened(1).alert.channel.as_str()), "{text}");
}
