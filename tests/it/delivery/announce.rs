//! A sink that fails is announced through another one, and so is its recovery; what was given up is shown.

use super::*;

fn types(receiver: &Receiver) -> Vec<String> {
    let seen = receiver.seen.lock();
    let read = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap();
    seen.iter()
        .filter(|one| one.2.is_success())
        .map(|one| read(&one.1)["type"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_sink_that_fails_is_told_of_by_another_and_its_recovery_even_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (ill, well) = (Receiver::default(), Receiver::default());
    ill.script.lock().extend([(500, None); 5]);
    let (ill_url, _a) = ill.listen().await;
    let (well_url, _b) = well.listen().await;
    let mut slow = webhook("ill", &ill_url);
    slow.backoff =
        Backoff { first: Duration::from_millis(200), longest: Duration::from_millis(200) };
    let sinks = [slow, webhook("well", &well_url)];
    {
        let store = Store::open(dir.path()).await.unwrap();
        commit(&store, [opened(1)], &sinks[..1]).await;
        let delivery = start(&store, &sinks);
        until("the announcement", || well.accepted().len() == 1).await;
        assert!(ill.all().len() >= 3, "two failures are no failing sink");
        let (_, state) = &delivery.states()[0];
        assert!(state.failing && !state.ok);
        delivery.stop(Duration::from_secs(5)).await;
    }
    let event: Value = serde_json::from_slice(&well.seen.lock()[0].1).unwrap();
    assert_eq!(event["type"], "eu.vigie.sink.failing.v1");
    assert_eq!(event["data"]["sink"], "ill");
    assert_eq!(event["data"]["why"], "answered 500 Internal Server Error");
    assert_eq!(event["id"].as_str().unwrap(), well.accepted()[0]);

    let store = Store::open(dir.path()).await.unwrap();
    let delivery = start(&store, &sinks);
    until("the recovery", || well.accepted().len() == 2).await;
    assert_eq!(types(&well)[1], "eu.vigie.sink.recovered.v1");
    assert_eq!(ill.accepted(), ids(1..2));
    assert!(delivery.states().iter().all(|(_, state)| state.ok && !state.failing));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(well.accepted().len(), 2, "told once");
}

#[tokio::test]
async fn a_hiccup_is_not_announced_and_nobody_is_left_to_tell_of_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (hiccup, well) = (Receiver::default(), Receiver::default());
    hiccup.script.lock().extend([(500, None); 2]);
    let (hiccup_url, _a) = hiccup.listen().await;
    let (well_url, server) = well.listen().await;
    let sinks = [webhook("hiccup", &hiccup_url), webhook("well", &well_url)];
    commit(&store, [opened(1)], &sinks[..1]).await;
    let delivery = start(&store, &sinks);
    until("it", || hiccup.accepted().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(well.all().is_empty());
    // Both fail: each is told of once the other is back.
    server.abort();
    hiccup.script.lock().extend([(500, None); 60]);
    commit(&store, [opened(2)], &sinks).await;
    delivery.wake();
    until("both to fail", || delivery.states().iter().all(|(_, state)| state.failing)).await;
    until("the recovery", || hiccup.accepted().len() >= 3).await;
    let told = types(&hiccup);
    assert_eq!(told[2], "eu.vigie.sink.failing.v1");
}

#[tokio::test]
async fn what_waits_and_what_was_given_up_is_counted_by_sink_even_of_one_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let ill = Receiver::default();
    ill.script.lock().extend([(500, None); 500]);
    let (url, _a) = ill.listen().await;
    let sinks = [SinkOptions { max_age: Duration::from_millis(200), ..webhook("ill", &url) }];
    let gone = [webhook("gone", &url)];
    commit(&store, [opened(1), opened(2)], &sinks).await;
    commit(&store, [opened(3)], &gone).await;
    let delivery = start(&store, &sinks);
    let begun = Instant::now();
    let views = loop {
        let views = delivery.overview().await.unwrap();
        if views[0].parked == 2 {
            break views;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{views:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let told: Vec<_> = views
        .iter()
        .map(|view| (view.name.as_str(), view.state.is_some(), view.waiting, view.parked))
        .collect();
    assert_eq!(told, [("ill", true, 0, 2), ("gone", false, 1, 0)]);
    let last = views[0].last_parked.as_ref().unwrap();
    // Both are sent at the same time.
    assert!(ids(1..3).contains(&last.id), "{}", last.id);
    assert_eq!(last.why.as_deref(), Some("answered 500 Internal Server Error"));
}
