//! A store that cannot commit: full, locked, damaged, read-only, held by another daemon. Alerts are not silent, nothing
//! is lost, and what is wrong is named. The full disk is a real one where the test may mount a small file system.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::Executor;
use vigie::store::{Store, Trouble};

use crate::crash::{Daemon, House, Plan};

/// Three channels, each of which gets 60 EUR in its minute and so one alert at `danger`, by a rule.
fn recording(folder: &Path) -> PathBuf {
    let mut lines = Vec::new();
    for channel in 0..3 {
        let at = |second: i64| format!("2026-01-01T20:{channel:02}:{second:02}.500Z");
        let channel = format!("test:{channel}");
        lines.push(
            json!({"type": "stream", "id": "s", "at": at(0), "channel": channel, "state": "live"}),
        );
        for n in 1..=20 {
            lines.push(
                json!({"type": "chat", "id": format!("c{n}"), "at": at(n), "channel": channel,
                "user": {"id": "u"}, "text": format!("bonjour {n}")}),
            );
        }
        for n in 1..=3 {
            lines.push(json!({"type": "donation", "id": format!("d{n}"), "at": at(20 + n), "channel": channel,
                "user": {"id": "u"}, "amount": {"value": "20.00", "currency": "EUR"}, "source": "tip", "text": "bravo"}));
        }
        lines.push(json!({"type": "chat", "id": "end", "at": at(40), "channel": channel, "user": {"id": "u"}, "text": "fin"}));
    }
    let path = folder.join("gifts.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, text).expect("a recording");
    path
}

/// Events of one channel in [`recording`].
const EACH: usize = 25;

const RULE: &str = "rules = []\n[[rule]]\nname = \"much-money\"\nwhen = 'money_eur_10m > 50.0'\nlevel = \"danger\"\n\
                    reason = { en = \"Much money in little time.\", fr = \"Beaucoup d'argent.\" }\n";

fn has_runtime() -> bool {
    let there = vigie::model::load_runtime(None).is_ok();
    if !there {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
    }
    there
}

async fn house(folder: &Path) -> House {
    let plan = Plan {
        recording: &recording(folder),
        speed: f64::MAX,
        checkpoint: "200ms",
        clock: "data",
        rules: RULE,
    };
    House::new(&plan).await
}

/// What the receiver was told: for each id whether it was told as not durable, and whether as durable.
fn told(house: &House) -> Vec<(bool, bool)> {
    let seen = house.receiver.all();
    let mut ids: Vec<&String> = seen.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    let of =
        |id: &String, durable: bool| seen.iter().any(|(one, was)| one == id && *was == durable);
    ids.into_iter().map(|id| (of(id, false), of(id, true))).collect()
}

async fn eventually(house: &House, what: &str, mut done: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done().await {
        assert!(
            Instant::now() < until,
            "waited in vain: {what}; told: {:?}\n{}",
            told(house),
            house.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn all_is_saved(house: &House) {
    eventually(house, "three alerts, each saved and told", async || {
        house.finished().await && house.revisions().await.len() == 3
    })
    .await;
    assert!(
        told(house).iter().all(|(_, durable)| *durable) && told(house).len() == 3,
        "{:?}",
        told(house)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_commit_does_not_silence_an_alert_and_saves_it_later_under_the_same_id()
{
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = house(folder.path()).await;
    // The first try of the first alert, and the next seven.
    let _daemon = Daemon::start(&house, "commit.before=fail@1..9");
    eventually(&house, "/readyz names it", async || {
        house
            .get("/readyz")
            .await
            .is_some_and(|(status, body)| status == 503 && body.contains("a fault was planned"))
    })
    .await;
    all_is_saved(&house).await;
    assert!(told(&house).iter().any(|(not_durable, _)| *not_durable), "{:?}", told(&house));
    eventually(&house, "it is ready again", async || {
        house.get("/readyz").await.is_some_and(|(status, _)| status == 200)
    })
    .await;
    let (_, metrics) = house.get("/metrics").await.expect("metrics");
    assert!(metrics.contains("vigie_store_failures_total{reason=\"other\"} 8"), "{metrics}");
    assert!(metrics.contains("vigie_store_waiting 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_locked_by_another_program_delays_and_loses_nothing() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = house(folder.path()).await;
    house.platform.hold_at(EACH - 5);
    let _daemon = Daemon::start(&house, "");
    eventually(&house, "the daemon is connected", async || house.platform.place() == EACH - 5)
        .await;
    let mut other = house.database().await.expect("a database");
    other.execute("BEGIN EXCLUSIVE").await.expect("the lock");
    house.platform.hold_at(usize::MAX);
    eventually(&house, "an alert past the locked store", async || {
        told(&house).iter().any(|(not_durable, _)| *not_durable)
    })
    .await;
    let (status, body) = house.get("/readyz").await.expect("readyz");
    assert!(status == 503 && body.contains("locked"), "{body}");
    assert_eq!(house.revisions().await.len(), 0);
    other.execute("ROLLBACK").await.expect("the lock is given back");
    all_is_saved(&house).await;
}

/// A small file system of its own; `None`, and said so, where mounting is not allowed.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let option = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(at).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(at.to_path_buf()));
        }
        eprintln!("SKIPPED: a small file system cannot be mounted here (it needs root)");
        None
    }

    /// Takes all the room there is, and goes on taking it until told to stop.
    fn fill(&self, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
        let (path, stop) = (self.0.join("filler"), stop.clone());
        std::thread::spawn(move || {
            let mut file =
                std::fs::File::options().create(true).append(true).open(path).expect("a file");
            let blocks = [vec![7; 1 << 20], vec![7; 4096], vec![7; 64]];
            while !stop.load(Ordering::Relaxed) {
                for block in &blocks {
                    while file.write_all(block).is_ok() {}
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon that is being killed may still have it open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_the_ballast_goes_first_and_alerts_are_told_even_without_room() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = house(folder.path()).await;
    let Some(disk) = Disk::mount(&house.state(), "240m") else { return };
    house.platform.hold_at(EACH - 5);
    let daemon = Daemon::start(&house, "");
    let ballast = house.state().join("ballast");
    eventually(&house, "the ballast is made", async || ballast.exists()).await;
    // The disk fills up once: the first alert is saved in the ballast's room.
    let filler = house.state().join("filler");
    let mut file = std::fs::File::create(&filler).expect("a file");
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);
    house.platform.hold_at(EACH + EACH - 5);
    eventually(&house, "the first alert is saved", async || told(&house) == [(false, true)]).await;
    eventually(&house, "the ballast is given up", async || !ballast.exists()).await;
    // And it fills up for good.
    let stop = Arc::new(AtomicBool::new(false));
    let full = disk.fill(&stop);
    tokio::time::sleep(Duration::from_millis(300)).await;
    house.platform.hold_at(usize::MAX);
    eventually(&house, "the others are told as not durable", async || {
        told(&house).iter().filter(|(not_durable, _)| *not_durable).count() == 2
    })
    .await;
    let (status, body) = house.get("/readyz").await.expect("readyz");
    assert!(status == 503 && body.contains("is full"), "{body}");
    // Room again.
    stop.store(true, Ordering::Relaxed);
    full.join().expect("the filler ends");
    std::fs::remove_file(&filler).expect("it can be removed");
    all_is_saved(&house).await;
    drop(daemon);
}

#[tokio::test]
async fn a_second_daemon_on_the_folder_says_who_holds_it() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = house(folder.path()).await;
    let first = Daemon::start(&house, "");
    eventually(&house, "the first is ready", async || house.get("/readyz").await.is_some()).await;
    let (code, said) = house.run_in_vain();
    assert_eq!(code, Some(1), "{said}");
    let holder = format!("in use by process {} since 20", first.id());
    assert!(said.contains(&holder), "{said}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_and_a_damaged_database_are_named() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = house(folder.path()).await;
    std::fs::create_dir_all(house.state()).expect("a folder");
    std::fs::write(house.state().join("vigie.db"), vec![9; 20_000]).expect("a file");
    let (code, said) = house.run_in_vain();
    assert!(
        code == Some(1) && said.contains("is damaged") && said.contains("The store is broken"),
        "{code:?} {said}"
    );
    std::fs::remove_dir_all(house.state()).expect("it can be removed");

    let Some(_disk) = Disk::mount(&house.state(), "16m") else { return };
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(house.state()).status();
    assert!(remount.expect("mount runs").success());
    let (code, said) = house.run_in_vain();
    assert!(code == Some(1) && said.to_lowercase().contains("read-only"), "{code:?} {said}");
}

#[tokio::test]
async fn damage_inside_the_database_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path()).await.expect("a store");
    for n in 0..60 {
        store.commit_changes(&[crate::store::opened(n)]).await.expect("a commit");
    }
    assert_eq!(store.check().await.expect("it is read"), None);
    store.close().await;
    drop(store);
    let path = dir.path().join("vigie.db");
    let mut bytes = std::fs::read(&path).expect("a database");
    let from = bytes.len() / 2 / 4096 * 4096;
    bytes[from..from + 3 * 4096].fill(0xA5);
    std::fs::write(&path, bytes).expect("it can be written");
    let store = Store::open(dir.path()).await.expect("a store");
    match store.check().await {
        Ok(what) => assert!(what.is_some(), "the damage was not found"),
        Err(error) => assert_eq!(error.trouble(), Trouble::Damaged, "{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_live_clock_no_act_is_forgotten_by_a_crash_and_no_revisions_number_is_given_twice() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // The states are never saved: after the crash nothing is known but what was committed.
    let rules = format!(
        "{RULE}[[rule]]\nname = \"very-much\"\nwhen = 'money_eur_10m > 90.0'\nlevel = \"threat_to_life\"\n\
         reason = {{ en = \"Very much money.\", fr = \"Enormément d'argent.\" }}\n"
    );
    let path = recording(folder.path());
    let text = std::fs::read_to_string(&path).expect("a recording");
    let mut lines: Vec<String> = text.lines().take(EACH).map(str::to_owned).collect();
    for n in 4..=6 {
        lines.push(
            lines[21]
                .replace("\"d1\"", &format!("\"d{n}\""))
                .replace("00:21.5", &format!("00:5{n}.5")),
        );
    }
    std::fs::write(&path, lines.join("\n")).expect("a recording");
    let plan =
        Plan { recording: &path, speed: f64::MAX, checkpoint: "1h", clock: "live", rules: &rules };
    let house = House::new(&plan).await;
    house.platform.hold_at(EACH);
    let mut first = Daemon::start(&house, "");
    eventually(&house, "an alert", async || told(&house).len() == 1).await;
    let alert = house.revisions().await.into_keys().next().expect("an alert").0;
    let ack = house.vigie(&["ack", &alert, "--by", "A. Nuit", "--why", "seen"]).output();
    let ack = ack.expect("vigie runs");
    assert!(ack.status.success(), "{}", String::from_utf8_lossy(&ack.stderr));
    first.kill();

    house.platform.hold_at(usize::MAX);
    let _second = Daemon::start(&house, "");
    let key = |revision: i64| (alert.clone(), revision);
    eventually(&house, "the raise has a number of its own", async || {
        house.revisions().await.contains_key(&key(3))
    })
    .await;
    let revisions = house.revisions().await;
    assert!(revisions[&key(2)].contains("\"acknowledged\""), "{}", revisions[&key(2)]);
    assert!(revisions[&key(3)].contains("\"threat_to_life\""), "{}", revisions[&key(3)]);
    assert!(
        revisions[&key(3)].contains("A. Nuit"),
        "the decision is remembered: {}",
        revisions[&key(3)]
    );
    eventually(&house, "it is told", async || told(&house).len() == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_past_the_store_before_a_death_is_committed_by_the_next_life_though_nobody_tells_it_again()
 {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = recording(folder.path());
    let text = std::fs::read_to_string(&path).expect("a recording");
    std::fs::write(&path, text.replace("bravo", "frappe-le encore, plus fort"))
        .expect("a recording");
    let rules = RULE.replace("money_eur_10m > 50.0", "money_acts_24h > 0.5");
    let plan =
        Plan { recording: &path, speed: f64::MAX, checkpoint: "1h", clock: "live", rules: &rules };
    let house = House::new(&plan).await;
    house.platform.hold_at(EACH);
    let mut first = Daemon::start(&house, "commit.before=fail@1..");
    eventually(&house, "an alert past the store", async || told(&house) == [(true, false)]).await;
    assert_eq!(house.revisions().await.len(), 0);
    first.kill();

    house.platform.hold_at(0);
    let _second = Daemon::start(&house, "");
    eventually(&house, "it is told as durable", async || told(&house) == [(true, true)]).await;
    assert_eq!(house.revisions().await.len(), 1);
    let mut database = house.database().await.expect("a database");
    let cited = database.fetch_all("SELECT digest FROM evidence WHERE alert <> ''").await;
    assert!(!cited.expect("rows").is_empty(), "what it cites is there");
    let notes = house.state().join("unsaved.jsonl");
    eventually(&house, "the notes are empty", async || {
        std::fs::metadata(&notes).is_ok_and(|notes| notes.len() == 0)
    })
    .await;
}
