//! What a crash or a bad disk leaves is recovered or named: torn journals, logs of the database that were cut, decisions
//! whose commit failed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use vigie::alert::State;
use vigie::event::{Consumed, Decision, Fuel, Level};
use vigie::store::journal::{Entry, Journal, JournalOptions, Mark, Note};
use vigie::store::{AlertFilter, Store};
use vigie::telemetry::Faults;

use crate::store::{LATER, change, chat, commit, decision, opened, read};

#[test]
fn a_journal_that_cannot_be_written_for_a_moment_goes_on_in_a_new_segment_with_states() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::parse("journal.line=fail@7").unwrap();
    let journal =
        Journal::open(dir.path(), JournalOptions { faults, ..Default::default() }).unwrap();
    let mut mark = Mark::default();
    for n in 0..10 {
        journal.consumed(&mut mark, || serde_json::json!({"before": n}), chat(n));
        journal.sync();
    }
    assert!(journal.stats().lost > 0 && journal.stats().segment == 2, "{:?}", journal.stats());
    drop(journal);
    // A state and six lines fit before the torn one.
    let (entries, notes) = read(dir.path());
    assert!(matches!(notes[..], [Note::Torn { line: 8, .. }]), "{notes:?}");
    let told: Vec<String> = entries
        .iter()
        .map(|entry| match entry {
            Entry::State { state, .. } => format!("before {}", state["before"]),
            Entry::Consumed(Consumed { fuel: Fuel::Event { event, .. }, .. }) => {
                event.id.to_string()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["before 0", "0", "1", "2", "3", "4", "before 6", "6", "7", "8", "9"]);
}

#[test]
fn old_segments_go_by_their_age() {
    let dir = tempfile::tempdir().unwrap();
    let options = || JournalOptions {
        segment_bytes: 3_000,
        keep: Duration::from_secs(600),
        ..Default::default()
    };
    let journal = Journal::open(dir.path(), options()).unwrap();
    let mut mark = Mark::default();
    for n in 0..60 {
        journal.consumed(&mut mark, || serde_json::Value::Null, chat(n));
        journal.sync();
    }
    drop(journal);
    let segments = || {
        let files = std::fs::read_dir(dir.path().join("journal")).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let before = segments();
    assert!(before.len() > 3, "{before:?}");
    // One was written long ago, one is dated to 1970 for want of a clock, and was not.
    let set = |path: &Path, at: SystemTime| {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    };
    let old = SystemTime::now() - Duration::from_secs(700);
    for path in &before[..2] {
        let number = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap().1;
        let begun = old.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() - 1_000;
        let long_ago = path.with_file_name(format!("{begun:013}-{number}"));
        std::fs::rename(path, &long_ago).unwrap();
        set(&long_ago, old);
    }
    set(&before[2], SystemTime::UNIX_EPOCH);
    drop(Journal::open(dir.path(), options()).unwrap());
    let after = segments();
    assert_eq!(after[..before.len() - 2], before[2..], "the two old ones went, and no other");
}

#[tokio::test]
async fn a_decision_is_committed_with_its_row_of_the_chain_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::parse("commit.before=fail@2").unwrap();
    let store = Store::open_with(dir.path(), faults).await.unwrap();
    store.commit_changes(&[opened(1)]).await.unwrap();
    let taken = commit(change(1, 2, Level::Danger, State::Acknowledged));
    let id = taken.change.alert.id;
    let decision = Decision { alert: id, ..decision("Ada") };
    let decide = async || store.commit_decided(&taken, Some((&decision, Some(7))), None).await;
    assert!(decide().await.is_err());
    assert_eq!(store.revisions(id).await.unwrap().len(), 1);
    assert_eq!(store.decisions(id).await.unwrap().len(), 0);
    decide().await.unwrap();
    // A repeat after a commit whose answer was lost.
    decide().await.unwrap();
    assert_eq!(store.revisions(id).await.unwrap().len(), 2);
    assert_eq!(store.decisions(id).await.unwrap().len(), 1);
    assert_eq!(store.verify_chain().await.unwrap().first_bad, None);
}

#[tokio::test]
async fn a_write_ahead_log_that_was_cut_or_lost_leaves_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for n in 1..=12 {
        store.commit_changes(&[opened(n)]).await.unwrap();
    }
    // As a dead process leaves them.
    let (db, log) = ("vigie.db", "vigie.db-wal");
    let bytes_of = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (db_bytes, log_bytes) = (bytes_of(db), bytes_of(log));
    assert!(log_bytes.len() > 50_000, "{}", log_bytes.len());
    let mut counts = Vec::new();
    for part in 0..=16 {
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join(db), &db_bytes).unwrap();
        if part > 0 {
            let left = log_bytes.len() * part / 16;
            std::fs::write(other.path().join(log), &log_bytes[..left]).unwrap();
        }
        let store = Store::open(other.path()).await.unwrap();
        assert_eq!(store.check().await.unwrap(), None);
        let filter = AlertFilter { limit: 100, ..AlertFilter::default() };
        let alerts = store.alerts(&filter).await.unwrap().items.len();
        assert_eq!(store.due("a", LATER, 100).await.unwrap().len(), alerts);
        counts.push(alerts);
    }
    assert!(counts.is_sorted() && counts[16] == 12 && counts[15] < 12, "{counts:?}");
}
