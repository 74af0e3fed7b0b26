//! The benchmarks `commit` and `journal`: how long an alert takes to be durable, from its change to the end of its
//! transaction with evidence and two sinks' messages, beside the least that anything durable takes on the same disk; and
//! what the journal costs of a core at a rate of messages, beside `serde_json` alone.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use uuid::Uuid;

use super::rig::Folder;
use super::{Baseline, Bench, Case, Goal, Tail, in_turn, material, micros, spent};
use crate::alert::{Alert, Change, ChangeKind, EvidenceItem, EvidenceKind, Facts, Reason};
use crate::delivery::{SinkKind, SinkOptions, rows_for};
use crate::event::{
    Admitted, ChannelId, Consumed, Digest, Event, FeedItem, Keyer, Level, Timestamp, decode,
};
use crate::evidence::{Evidence, EvidenceOptions, Piece, Why};
use crate::model::MessageScores;
use crate::store::journal::{Journal, JournalOptions, Mark};
use crate::store::{Commit, Store};

/// Alerts that are committed; those before are not counted.
const ALERTS: usize = 1_500;
const WARM_UP: usize = 50;
const COMMIT_GOAL_MS: f64 = 20.0;
/// Entries of a round, and their channels.
const ENTRIES: usize = 25_000;
const CHANNELS: usize = 1_000;
const ROUNDS: usize = 9;
/// The rate that the goal is about, messages a second, and the share of a core that the journal may take.
const RATE: f64 = 5_000.0;
const SHARE: f64 = 0.1;

pub fn commit(bench: &mut Bench) -> Result<(), String> {
    let runtime = super::super::runtime().map_err(|error| error.to_string())?;
    let folder = Folder::new()?;
    let (took, bare) = runtime.block_on(commits(folder.path()))?;
    let mut tail = Tail::of(
        "an alert's change until it is durable, 4 pieces of evidence, 2 sinks".into(),
        took,
        "as many bytes appended to a file and synced",
        bare,
    );
    let met = tail.n >= 1_000 && tail.p99 <= COMMIT_GOAL_MS;
    tail.goal = Some(Goal { what: format!("p99 of at most {COMMIT_GOAL_MS} ms"), met });
    bench.tails.push(tail);
    Ok(())
}

/// Milliseconds of each commit, and of each append in turn with it.
async fn commits(folder: &Path) -> Result<(Vec<f64>, Vec<f64>), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let store = Store::open(folder).await.map_err(|e| words(&e))?;
    let evidence = Evidence::open(folder, EvidenceOptions::default()).map_err(|e| words(&e))?;
    let evidence = Arc::new(evidence);
    let sinks = ["team", "page"]
        .map(|name| SinkOptions::new(name, SinkKind::Jsonl { path: folder.join(name) }));
    let path = folder.join("bare");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.map_err(|e| format!("{}: {e}", path.display()))?;
    let mut dice = material::dice(21);
    let (mut took, mut bare) = (Vec::new(), Vec::new());
    for nth in 0..ALERTS + WARM_UP {
        let (change, pieces) = change(nth, &mut dice, &evidence);
        let begun = Instant::now();
        let (keeper, channel) = (evidence.clone(), change.alert.channel.clone());
        let why = Why::Cited { alert: change.alert.id };
        let kept =
            tokio::task::spawn_blocking(move || keeper.keep(&channel, Level::Danger, &pieces, why));
        let kept = kept.await.map_err(|e| words(&e))?.map_err(|e| words(&e))?;
        let outbox = rows_for(&change, &sinks, "urn:vigie:bench", Timestamp(0));
        let bytes: usize = outbox.iter().map(|row| row.body.len()).sum();
        let commit = Commit { change, outbox, evidence: kept.rows };
        store.commit_decided(&commit, None, None).await.map_err(|e| words(&e))?;
        let mine = begun.elapsed();
        let theirs = append(&mut file, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        if nth >= WARM_UP {
            took.push(mine.as_secs_f64() * 1e3);
            bare.push(theirs.as_secs_f64() * 1e3);
        }
    }
    store.close().await;
    Ok((took, bare))
}

fn append(file: &mut File, bytes: usize) -> std::io::Result<Duration> {
    let line = vec![b'x'; bytes];
    let begun = Instant::now();
    file.write_all(&line)?;
    file.sync_data()?;
    Ok(begun.elapsed())
}

/// An alert as large as one of life, each of another channel, and what it cites.
fn change(
    nth: usize,
    dice: &mut rand_chacha::ChaCha8Rng,
    evidence: &Evidence,
) -> (Change, Vec<Piece>) {
    let channel = ChannelId::new(&format!("kick:{nth}"));
    let at = material::START.plus_ms(nth as i64);
    let id = Uuid::from_u128(nth as u128 + 1);
    let mut alert = Alert::blank(id, channel.clone(), at);
    alert.level = Level::Danger;
    alert.level_now = Level::Danger;
    alert.summary = material::words(dice);
    for place in 0..4 {
        let text = material::words(dice);
        let size = dice.random_range(200..20_000);
        let bytes = Bytes::from(format!("{nth} {place} {text} {}", "x".repeat(size)));
        let digest = Digest::of(&bytes);
        evidence.offer(&channel, Level::None, at, digest, EvidenceKind::Frame, bytes);
        let kind = EvidenceKind::Frame;
        let href = format!("/api/v1/evidence/{digest}");
        let quote = Some(text.clone());
        alert.evidence.push(EvidenceItem { digest, kind, at, href, quote, paid: None });
        alert.reasons.push(Reason {
            signal: "chat.threat.60s".into(),
            value: 0.9,
            threshold: Some(0.8),
            weight: 0.25,
            text,
            evidence: vec![digest],
        });
    }
    let pieces = alert.evidence.iter().map(Piece::from).collect();
    let change = Change { kind: ChangeKind::Opened, alert, facts: Facts::default(), reached: None };
    (change, pieces)
}

pub fn journal(bench: &mut Bench) -> Result<(), String> {
    let folder = Folder::new()?;
    let entries = entries();
    let items = entries.len();
    let options = JournalOptions { queue: items + 1, ..JournalOptions::default() };
    let journal = Journal::open(folder.path(), options).map_err(|error| error.to_string())?;
    let mut marks = vec![Mark::default(); CHANNELS];
    let mut mine = || {
        let before = writer();
        let told = spent(|| {
            for (nth, entry) in entries.iter().enumerate() {
                let state = || serde_json::Value::Null;
                journal.consumed(&mut marks[nth % CHANNELS], state, entry.clone());
            }
        });
        // The writer is done with it, on the disk.
        journal.sync();
        told + writer().saturating_sub(before)
    };
    let path = folder.path().join("bare");
    let mut theirs = || {
        spent(|| {
            let Ok(file) = File::create(&path) else { return };
            let mut file = BufWriter::with_capacity(256 << 10, file);
            for entry in &entries {
                // What cannot be written shows in the size of nothing; the disk was just written by the other.
                let _ = serde_json::to_writer(&mut file, entry);
            }
            let _ = file.flush().and_then(|()| file.get_ref().sync_data());
        })
    };
    let [mine, theirs] = in_turn(ROUNDS, [&mut mine, &mut theirs]);
    let share = micros(&mine, items).median * RATE / 1e6;
    bench.cases.push(Case {
        bench: "journal",
        what: format!(
            "an entry, told and written ({:.1} % of a core at {}/s)",
            share * 100.0,
            super::grouped(RATE)
        ),
        unit: "entry",
        items,
        rounds: ROUNDS,
        micros: micros(&mine, items),
        baselines: vec![Baseline::of(
            "serde_json into a file, on the same thread",
            items,
            &mine,
            &theirs,
        )],
        goal: Some(Goal {
            what: format!(
                "at most {} % of one core at {} messages/s",
                SHARE * 100.0,
                super::grouped(RATE)
            ),
            met: share <= SHARE,
        }),
    });
    Ok(())
}

/// Chat as channels consume it, with scores.
fn entries() -> Vec<Consumed> {
    let keyer = Keyer::new(b"bench");
    let mut dice = material::dice(22);
    let lines = material::lines(ENTRIES, CHANNELS, 0);
    let read = lines.iter().filter_map(|line| match decode(line, &keyer) {
        Ok(FeedItem::Event(event)) => Some(event),
        _ => None,
    });
    let entry = |mut event: Event| {
        if let Some(user) = &mut event.user {
            user.id = "".into();
            user.name = None;
        }
        let own = material::scores(&mut dice);
        let admitted = Admitted { event: Arc::new(event), stamp: Default::default() };
        let scores = MessageScores { own, plain: None, manner: None };
        super::super::replay::event_entry(admitted, Some(Ok(scores)))
    };
    read.map(entry).collect()
}

/// Time that the journal's thread was on a core so far; nothing where the system does not tell.
fn writer() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = tasks.filter_map(|task| {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
        if read("comm")?.trim() != "journal" {
            return None;
        }
        read("schedstat")?.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}
