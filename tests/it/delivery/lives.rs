//! From one life of the daemon to the next, whatever the machine's clock showed in between.

use vigie::telemetry::{Clock, Faults, Hand};

use super::*;

const DAY: i64 = 86_400_000;

/// The clock of a life that begins now; it holds on this thread, where all of a test's tasks run.
fn life(begins: Timestamp) -> Hand {
    let (clock, hand) = Clock::by_hand(begins);
    clock.holds_here();
    hand
}

#[tokio::test]
async fn a_clock_set_between_two_lives_gives_up_no_message_and_silences_no_reminder() {
    for by in [-365 * DAY, -DAY / 2, DAY / 2, 365 * DAY] {
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::default();
        let (url, _server) = receiver.listen().await;
        let minute = Duration::from_secs(60);
        let sinks = [SinkOptions { remind: Some(5 * minute), ..webhook("s", &url) }];
        let hand = life(AT);
        {
            let store = Store::open(dir.path()).await.unwrap();
            hand.pass(minute);
            let urgent = change(1, 1, Level::ThreatToLife, State::Open);
            commit(&store, [urgent], &sinks).await;
        }
        let hand = life(AT.plus_ms(60_000 + by));
        // The first attempt of the second life fails.
        receiver.script.lock().extend([(500, None)]);
        let store = Store::open(dir.path()).await.unwrap();
        let _delivery = start(&store, &sinks);
        let mut seconds = 0;
        while receiver.accepted().len() < 2 {
            assert_eq!(store.parked().await.unwrap(), [], "set by {by} ms");
            // Some hours of the daemon's clock, in which everything runs on this one thread.
            assert!(seconds < 20_000, "no reminder, set by {by} ms: {:?}", receiver.accepted());
            hand.pass(Duration::from_secs(1));
            seconds += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let reminder = format!("{}-r1", ids(1..2)[0]);
        assert_eq!(receiver.accepted()[..2], [ids(1..2)[0].clone(), reminder], "set by {by} ms");
    }
}

#[tokio::test]
async fn a_message_is_given_up_after_its_age_however_many_lives_that_took() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [SinkOptions { max_age: Duration::from_secs(3_600), ..webhook("s", &url) }];
    let mut hand = life(AT);
    let mut store = Store::open(dir.path()).await.unwrap();
    commit(&store, [opened(1)], &sinks).await;
    for lives in 1..=2 {
        // A receiver that is away: no life of half an hour is enough alone.
        receiver.script.lock().extend([(500, None); 2]);
        let delivery = start(&store, &sinks);
        until("a failure", || !delivery.states()[0].1.ok).await;
        hand.pass(Duration::from_secs(1_800));
        until("the other", || receiver.script.lock().is_empty()).await;
        delivery.stop(Duration::from_secs(60)).await;
        let parked = store.parked().await.unwrap().len();
        assert_eq!(parked, usize::from(lives == 2), "after {lives} lives");
        // What a checkpoint notes of the clock is what the next life knows.
        store.save_checkpoint(&Default::default()).await.unwrap();
        drop((delivery, store));
        hand = life(AT.plus_ms(100 * DAY));
        store = Store::open(dir.path()).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_life_commits_before_its_first_checkpoint_is_known_to_the_next_one() {
    for by in [-365 * DAY, -DAY / 2, 0, 365 * DAY] {
        let dir = tempfile::tempdir().unwrap();
        let hand = life(AT);
        {
            let store = Store::open(dir.path()).await.unwrap();
            commit(&store, [opened(1)], &[]).await;
            hand.pass(Duration::from_secs(3_600));
            store.save_checkpoint(&Default::default()).await.unwrap();
        }
        let _hand = life(AT.plus_ms(3_600_000 + by));
        {
            let store = Store::open(dir.path()).await.unwrap();
            store.since_checkpoint().await.unwrap();
            commit(&store, [opened(2)], &[]).await;
        }
        let store = Store::open(dir.path()).await.unwrap();
        let known = store.since_checkpoint().await.unwrap();
        assert!(known.contains(&opened(2)), "set by {by} ms");
    }
}

#[tokio::test]
async fn what_was_accepted_and_could_not_be_noted_is_noted_before_another_serves_the_sink() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::parse("delivered.before=fail@1").unwrap();
    let store = Store::open_with(dir.path(), faults).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let sinks = [webhook("s", &url)];
    commit(&store, [opened(1)], &sinks).await;
    let delivery = start(&store, &sinks);
    until("it", || receiver.accepted().len() == 1).await;
    delivery.stop(Duration::from_secs(60)).await;
    assert_eq!(store.pending_counts().await.unwrap().len(), 0);
    let _next = start(&store, &sinks);
    commit(&store, [opened(2)], &sinks).await;
    until("the next", || receiver.accepted().len() >= 2).await;
    assert_eq!(receiver.all(), ids(1..3));
}
