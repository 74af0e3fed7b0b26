//! What is kept goes when its time is over, and not before, whatever the machine's clock shows.

use std::sync::Arc;
use std::time::Duration;

use vigie::alert::{EvidenceKind, State};
use vigie::cli::sweep::Sweep;
use vigie::event::{ChannelId, Digest, Keyer, Level, Setting, Timestamp};
use vigie::evidence::{Evidence, EvidenceOptions, Piece, Why};
use vigie::store::{ChannelState, Checkpoint, Commit, Keep, Store};
use vigie::telemetry::{Clock, Component, Hand, Health, LEAP, Metrics, Status};

use crate::crash::{Daemon, House, Plan};
use crate::store::{AT, change};

const DAY: i64 = 86_400_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// A life of the daemon, as far as it keeps and deletes.
struct Life {
    sweep: Sweep,
    hand: Hand,
}

impl Life {
    /// Begins while the machine shows `shown`.
    async fn begin(dir: &std::path::Path, shown: Timestamp, leap: Duration) -> Self {
        let (clock, hand) = Clock::by_hand(shown);
        clock.holds_here();
        let store = Store::open(dir).await.unwrap();
        store.recall_clock(leap).await.unwrap();
        let evidence = Arc::new(Evidence::open(dir, EvidenceOptions::default()).unwrap());
        let keep = Keep { channels: 30 * 24 * HOUR, cited: 180 * 24 * HOUR };
        let (metrics, health) = (Metrics::new(), Health::new());
        Self { sweep: Sweep { store, evidence, keep, metrics, health }, hand }
    }

    /// Keeps something of each kind under a number: what an ended alert cites, an act, a name, a channel's history.
    async fn keep(&self, n: u8) {
        let Sweep { store, evidence, .. } = &self.sweep;
        let channel = ChannelId::new(&format!("k:{n}"));
        let piece = |bytes: &[u8]| {
            let (digest, kind) = (Digest::of(bytes), EvidenceKind::Chat);
            evidence.offer(&channel, Level::None, AT, digest, kind, bytes.to_vec().into());
            Piece { digest, kind, at: AT }
        };
        let mut alert = change(n.into(), 1, Level::Danger, State::Open);
        alert.alert.ended_at = Some(AT);
        let why = Why::Cited { alert: alert.alert.id };
        let rows = evidence.keep(&channel, Level::Danger, &[piece(&[n, 1])], why).unwrap().rows;
        let commit = Commit { change: alert, outbox: Vec::new(), evidence: rows };
        store.commit_changes(&[commit]).await.unwrap();
        let why = Why::Act { request: Digest::of(&[n]) };
        let rows = evidence.keep(&channel, Level::Danger, &[piece(&[n, 2])], why).unwrap().rows;
        store.put_evidence(&rows).await.unwrap();
        let name = Keyer::replay().key("k", &n.to_string());
        let until = Clock::house().believed().plus_ms(30 * DAY);
        store.put_identities(&[(name, vec![n], until)]).await.unwrap();
        let state = ChannelState {
            channel,
            state: vec![n],
            awake: false,
            setting: Setting::default(),
            language: None,
            gaps: 0,
        };
        let channels = vec![state];
        store.save_checkpoint(&Checkpoint { channels, ..Checkpoint::default() }).await.unwrap();
    }

    /// After a sweep: whether it believes the clock, and what is there of a number.
    async fn swept(&self) -> bool {
        self.sweep.look_at_clock();
        self.sweep.run().await;
        self.sweep.health.status(Component::Clock) == Status::Up
    }

    async fn there(&self, n: u8) -> [bool; 4] {
        let Sweep { store, evidence, .. } = &self.sweep;
        let bytes = |part| evidence.vault().get(&Digest::of(&[n, part])).is_some();
        let name = Keyer::replay().key("k", &n.to_string());
        let channel = ChannelId::new(&format!("k:{n}"));
        [
            bytes(1),
            bytes(2),
            store.identity(&name).await.unwrap().is_some(),
            store.channel_state(&channel).await.unwrap().is_some(),
        ]
    }

    async fn end(self) {
        // The last that it says of the time.
        self.sweep.store.save_checkpoint(&Checkpoint::default()).await.unwrap();
        self.sweep.store.close().await;
    }
}

#[tokio::test]
async fn a_clock_a_year_ahead_or_back_deletes_nothing_and_dates_nothing_wrongly() {
    let all = [true; 4];
    for wrong in [AT.plus_ms(365 * DAY), AT.plus_ms(-300 * DAY), Timestamp(0)] {
        let dir = tempfile::tempdir().unwrap();
        let life = Life::begin(dir.path(), AT, LEAP).await;
        life.keep(1).await;
        assert!(life.swept().await);
        // In this life already.
        life.hand.jump(wrong.since(AT));
        assert!(!life.swept().await, "{wrong} is believed");
        assert_eq!(life.there(1).await, all, "{wrong}");
        life.end().await;

        // And after a restart.
        let life = Life::begin(dir.path(), wrong, LEAP).await;
        life.keep(2).await;
        assert!(!life.swept().await);
        let metrics = life.sweep.metrics.encode();
        let ahead = format!("vigie_clock_disbelieved_seconds {}\n", wrong.since(AT) / 1_000);
        assert!(metrics.contains(&ahead), "{metrics}");
        assert_eq!((life.there(1).await, life.there(2).await), (all, all), "{wrong}");
        life.hand.pass(HOUR);
        life.end().await;

        // The clock is right again, an hour and a day later.
        let right = AT.plus_ms(DAY + 3_600_000);
        let life = Life::begin(dir.path(), right, LEAP).await;
        assert!(life.swept().await);
        assert_eq!((life.there(1).await, life.there(2).await), (all, all), "{wrong}");
        // All goes in its time, what was kept under the wrong clock too: it was dated rightly.
        for days in [
            (28, all),
            (3, [true, true, false, false]),
            (60, [true, false, false, false]),
            (100, [false; 4]),
        ] {
            life.hand.pass(days.0 * 24 * HOUR);
            assert!(life.swept().await);
            assert_eq!(
                (life.there(1).await, life.there(2).await),
                (days.1, days.1),
                "{wrong}, {days:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_daemon_that_was_off_for_long_keeps_for_longer_until_it_is_told_that_the_clock_is_right()
{
    let dir = tempfile::tempdir().unwrap();
    let life = Life::begin(dir.path(), AT, LEAP).await;
    life.keep(1).await;
    life.end().await;
    let after = AT.plus_ms(400 * DAY);
    let life = Life::begin(dir.path(), after, LEAP).await;
    assert!(!life.swept().await);
    assert_eq!(life.there(1).await, [true; 4]);
    life.end().await;
    let life = Life::begin(dir.path(), after, 500 * 24 * HOUR).await;
    assert!(life.swept().await);
    assert_eq!(life.there(1).await, [false; 4]);
    life.end().await;
    let life = Life::begin(dir.path(), after, LEAP).await;
    assert!(life.swept().await, "from then on it is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_says_that_it_does_not_believe_the_clock() {
    if vigie::model::load_runtime(None).is_err() {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("empty.jsonl");
    std::fs::write(&recording, "").unwrap();
    let house = House::new(&Plan {
        recording: &recording,
        speed: 1.0,
        checkpoint: "100ms",
        clock: "live",
        rules: "",
    })
    .await;
    let until = async |what: &str, there: bool| {
        let begun = std::time::Instant::now();
        loop {
            let body = house.get("/readyz").await.map(|(_, body)| body).unwrap_or_default();
            if body.contains("\"ready\":true") && body.contains("is not believed") == there {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{what}: {body}\n{}", house.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut daemon = Daemon::start(&house, "");
    until("it is well", false).await;
    // The first checkpoint tells the time.
    let begun = std::time::Instant::now();
    loop {
        if let Some(mut db) = house.database().await
            && let Ok(done) = sqlx::query("UPDATE meta SET value = CAST(value AS BIGINT) - 31536000000 WHERE name = 'believed'")
                .execute(&mut db)
                .await
            && done.rows_affected() == 1
        {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no checkpoint:\n{}", house.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    daemon.kill();
    let mut db = house.database().await.expect("a database");
    sqlx::query("UPDATE meta SET value = CAST(value AS BIGINT) - 31536000000 WHERE name = 'believed' AND CAST(value AS BIGINT) > $1")
        .bind(jiff::Timestamp::now().as_millisecond() - DAY)
        .execute(&mut db)
        .await
        .expect("a year back");
    drop(db);
    let _daemon = Daemon::start(&house, "");
    until("the clock is a year ahead of what was known", true).await;
}
