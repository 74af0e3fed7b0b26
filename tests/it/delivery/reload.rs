//! Sinks are added, changed and taken away while the others go on, and nothing that waits is lost.

use super::*;

/// A receiver whose answers take this long.
async fn slow(wait: Duration) -> (String, Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let begun: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = begun.clone();
    let app = axum::Router::new().route(
        "/hook",
        axum::routing::post(async move |headers: HeaderMap| {
            seen.lock().push(id(&headers));
            tokio::time::sleep(wait).await;
        }),
    );
    (url, begun, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}

#[tokio::test]
async fn a_change_of_one_sink_leaves_the_others_alone_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (slow_url, begun, _slow) = slow(Duration::from_millis(1500)).await;
    let (moved, gone, new) = (Receiver::default(), Receiver::default(), Receiver::default());
    let (moved_url, _a) = moved.listen().await;
    let (gone_url, _b) = gone.listen().await;
    let (new_url, _c) = new.listen().await;
    // Nobody listens there: what it is told waits.
    let dead = "http://127.0.0.1:9/hook";
    let wait = Duration::from_secs(600);
    let tries_once = |name| SinkOptions {
        backoff: Backoff { first: wait, longest: wait },
        ..webhook(name, dead)
    };
    let before = [webhook("same", &slow_url), tries_once("moved"), tries_once("gone")];
    let delivery = start(&store, &before);
    commit(&store, (0..3).map(opened), &before).await;
    delivery.wake();
    until("an attempt under way", || begun.lock().len() == 1).await;
    until("both failures", || delivery.states()[1..].iter().all(|(_, state)| !state.ok)).await;

    let after =
        [webhook("new", &new_url), webhook("moved", &moved_url), webhook("same", &slow_url)];
    let applied = delivery.apply(after.to_vec()).unwrap();
    let names = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(applied.added, names(&["new"]));
    assert_eq!(applied.changed, names(&["moved"]));
    assert_eq!(applied.removed, names(&["gone"]));
    assert_eq!(applied.unchanged, names(&["same"]));
    let order: Vec<String> = delivery.states().into_iter().map(|(name, _)| name).collect();
    assert_eq!(order, names(&["new", "moved", "same"]));
    until("what waited for the one that moved", || moved.accepted() == ids(0..3)).await;
    let rows = delivery.rows(&opened(7), AT);
    assert_eq!(
        rows.iter().map(|row| row.sink.as_str()).collect::<Vec<_>>(),
        ["new", "moved", "same"]
    );
    commit(&store, [opened(3)], &after).await;
    delivery.wake();
    until("the new one", || new.accepted() == ids(3..4)).await;
    // Undisturbed: no attempt was broken off and made again.
    until("the slow one", || begun.lock().len() == 4).await;
    assert_eq!(*begun.lock(), ids(0..4));
    assert_eq!(store.pending_counts().await.unwrap()["gone"], 3);

    let back = [webhook("gone", &gone_url), webhook("same", &slow_url)];
    delivery.apply(back.to_vec()).unwrap();
    until("what waited for the one that was gone", || gone.accepted() == ids(0..3)).await;
    delivery.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let good = [webhook("a", &url), webhook("b", &url)];
    let delivery = start(&store, &good);
    let twice = vec![webhook("c", &url), webhook("c", &url)];
    assert!(matches!(delivery.apply(twice), Err(DeliveryError::Twice(name)) if name == "c"));
    let plain = vec![webhook("a", &url), webhook("d", "http://far.test/")];
    assert!(matches!(delivery.apply(plain), Err(DeliveryError::PlainHttp { .. })));
    assert_eq!(delivery.states().len(), 2);
    assert_eq!(delivery.apply(good.to_vec()).unwrap().unchanged, ["a", "b"]);
    commit(&store, [opened(1)], &good).await;
    delivery.wake();
    until("both", || receiver.accepted().len() == 2).await;
}

#[tokio::test]
async fn rows_can_be_sent_past_a_store_that_cannot_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (well, ill) = (Receiver::default(), Receiver::default());
    let (well_url, _a) = well.listen().await;
    let (ill_url, _b) = ill.listen().await;
    ill.script.lock().extend([(500, None)]);
    let delivery = start(&store, &[webhook("well", &well_url), webhook("ill", &ill_url)]);
    let mut rows = delivery.rows(&opened(1), AT);
    rows.extend(delivery.rows(&opened(2), AT));
    let sent = delivery.send_now(&rows).await;
    let told: Vec<_> =
        sent.iter().map(|one| (one.sink.as_str(), one.accepted, one.why.as_str())).collect();
    let refused = "answered 500 Internal Server Error";
    assert_eq!(
        told,
        [("well", true, ""), ("well", true, ""), ("ill", false, refused), ("ill", true, "")]
    );
    assert_eq!(well.accepted(), ids(1..3));
    assert_eq!(store.pending_counts().await.unwrap().len(), 0);
    delivery.apply(Vec::new()).unwrap();
    assert!(delivery.send_now(&rows).await.iter().all(|one| !one.accepted));
}

#[tokio::test]
async fn changes_without_end_lose_nothing_and_repeat_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receivers = [Receiver::default(), Receiver::default()];
    let (one, _a) = receivers[0].listen().await;
    let (two, _b) = receivers[1].listen().await;
    let all = [webhook("steady", &one), webhook("changing", &two)];
    let delivery = start(&store, &all);
    let rounds = crate::long::rounds(40, 1000) as u32;
    for n in 0..rounds {
        commit(&store, [opened(n)], &all).await;
        delivery.wake();
        let mut sinks = all.to_vec();
        match n % 4 {
            0 => sinks[1].max_age += Duration::from_secs(u64::from(n) + 1),
            1 => sinks.truncate(1),
            2 => sinks.swap(0, 1),
            _ => {}
        }
        let applied = delivery.apply(sinks).unwrap();
        assert!(applied.unchanged.contains(&"steady".to_owned()));
    }
    delivery.apply(all.to_vec()).unwrap();
    for receiver in &receivers {
        until("everything", || receiver.accepted().len() == rounds as usize).await;
        assert_eq!(receiver.all(), ids(0..rounds));
    }
    delivery.stop(Duration::from_secs(5)).await;
}
