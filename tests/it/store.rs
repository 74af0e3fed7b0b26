//! The store keeps what was committed, once, and tells when it was touched; the journal gives back what went in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, Executor, Row};
use uuid::Uuid;
use vigie::alert::{
    Alert, Change, ChangeKind, Coverage, Donations, EvidenceKind, Facts, Jurisdiction, OutboxRow,
    State,
};
use vigie::event::{
    ChannelId, Consumed, Decision, DecisionKind, Digest, FeedItem, Fuel, Keyer, Level, Setting,
    Stamp, Tense, Timestamp, Unscored, decode,
};
use vigie::evidence::EvidenceRow;
use vigie::store::journal::{
    Entry, Full, Journal, JournalError, JournalOptions, Mark, Note, Reader, TermsTold,
};
use vigie::store::{
    AlertFilter, Asleep, ChannelState, Checkpoint, Commit, FeedMark, Sample, Store, StoreError,
};

pub const AT: Timestamp = Timestamp(1_755_468_843_120);

/// Alert number `n`, opened `n` seconds after [`AT`].
pub fn change(n: u32, revision: u32, level: Level, state: State) -> Change {
    let at = AT.plus_ms(i64::from(n) * 1000);
    let alert = Alert {
        id: Uuid::from_u128(u128::from(n) + 1),
        revision,
        channel: ChannelId::new(if n.is_multiple_of(2) { "kick:even" } else { "kick:odd" }),
        url: None,
        title: None,
        category: None,
        language: None,
        language_measured: false,
        level,
        level_now: level,
        previous_level: Level::None,
        state,
        tense: Tense::Ongoing,
        score: 0.1 + 0.2,
        rule: None,
        opened_at: at,
        updated_at: at.plus_ms(i64::from(revision) * 1000),
        ended_at: None,
        previous: None,
        durable: true,
        suspected_offences: Vec::new(),
        summary: format!("revision {revision} d’une alerte"),
        reasons: Vec::new(),
        against: Vec::new(),
        donations: Donations::default(),
        evidence: Vec::new(),
        coverage: Coverage::default(),
        jurisdiction: Jurisdiction::default(),
        recommended_measures: Vec::new(),
        models: Default::default(),
        config: "sha256:00".into(),
        console: String::new(),
    };
    let kind = if revision == 1 { ChangeKind::Opened } else { ChangeKind::Raised };
    Change { kind, alert, facts: Facts::default(), reached: Some(level) }
}

fn row(sink: &str, change: &Change) -> OutboxRow {
    OutboxRow {
        sink: sink.into(),
        id: format!("{}-{}", change.alert.id, change.alert.revision),
        alert: change.alert.id,
        level: change.alert.level,
        body: "{}".into(),
        received: AT,
    }
}

pub fn commit(change: Change) -> Commit {
    let evidence = EvidenceRow {
        digest: Digest::of(change.alert.summary.as_bytes()),
        alert: Some(change.alert.id),
        act: None,
        channel: change.alert.channel.clone(),
        kind: EvidenceKind::Chat,
        at: AT,
        bytes: 7,
        level: change.alert.level,
    };
    Commit { outbox: vec![row("a", &change), row("b", &change)], evidence: vec![evidence], change }
}

pub fn opened(n: u32) -> Commit {
    commit(change(n, 1, Level::Danger, State::Open))
}

pub const LATER: Timestamp = Timestamp(i64::MAX / 2);

#[tokio::test]
async fn a_commit_is_whole_and_repeating_it_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.commit_changes(&[opened(1), opened(2)]).await.unwrap();
    let first = store.alert(Uuid::from_u128(2)).await.unwrap().unwrap();
    assert_eq!(first.change, change(1, 1, Level::Danger, State::Open));
    store.delivered("a", &row("a", &first.change).id, AT).await.unwrap();

    store.prune_outbox(LATER).await.unwrap();

    let mut again = opened(1);
    again.change.alert.summary = "another word under the same revision".into();
    store.commit_changes(&[again]).await.unwrap();
    assert_eq!(store.alert(Uuid::from_u128(2)).await.unwrap().unwrap(), first);
    assert_eq!(store.revisions(Uuid::from_u128(2)).await.unwrap().len(), 1);
    let due = store.due("a", LATER, 10).await.unwrap();
    assert_eq!(due.len(), 1, "the delivered message came back: {due:?}");
    assert_eq!(store.due("b", LATER, 10).await.unwrap().len(), 2);
    assert_eq!(store.pending_counts().await.unwrap()["b"], 2);
    assert_eq!(store.cited_by(Uuid::from_u128(2)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_alert_stands_at_its_highest_revision_and_every_revision_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let states = [
        (1, Level::Concern, State::Open),
        (3, Level::Danger, State::Acknowledged),
        (2, Level::Concern, State::Open),
    ];
    for (revision, level, state) in states {
        store.commit_changes(&[commit(change(0, revision, level, state))]).await.unwrap();
    }
    let id = Uuid::from_u128(1);
    assert_eq!(store.alert(id).await.unwrap().unwrap().change.alert.revision, 3);
    let revisions = store.revisions(id).await.unwrap();
    assert_eq!(revisions.iter().map(|c| c.alert.revision).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.open_counts().await.unwrap(), [(Level::Danger, State::Acknowledged, 1)]);
    let closed = change(0, 4, Level::Danger, State::Closed);
    store.commit_changes(&[commit(closed)]).await.unwrap();
    assert_eq!(store.open_counts().await.unwrap(), []);
    assert_eq!(store.alert(Uuid::from_u128(99)).await.unwrap(), None);
}

#[tokio::test]
async fn alerts_are_found_newest_first_by_page_and_filter() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let levels = [Level::Concern, Level::Danger, Level::ThreatToLife];
    let all: Vec<Commit> =
        (0..9).map(|n| commit(change(n, 1, levels[n as usize % 3], State::Open))).collect();
    store.commit_changes(&all).await.unwrap();

    let mut seen = Vec::new();
    let mut filter = AlertFilter { limit: 4, ..AlertFilter::default() };
    loop {
        let page = store.alerts(&filter).await.unwrap();
        seen.extend(page.items.iter().map(|stored| stored.change.alert.id.as_u128()));
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=9).rev().collect::<Vec<u128>>());

    let count = async |filter: AlertFilter| store.alerts(&filter).await.unwrap().items.len();
    let any = AlertFilter::default;
    assert_eq!(count(AlertFilter { level: Some(Level::Danger), ..any() }).await, 3);
    assert_eq!(count(AlertFilter { level_at_least: Some(Level::Danger), ..any() }).await, 6);
    assert_eq!(count(AlertFilter { state: Some(State::Closed), ..any() }).await, 0);
    let channel = Some(ChannelId::new("kick:odd"));
    assert_eq!(count(AlertFilter { channel, ..any() }).await, 4);
    let after = Some("' OR 1=1 --".to_owned());
    assert!(store.alerts(&AlertFilter { after, ..any() }).await.is_err());
}

#[tokio::test]
async fn what_was_committed_outlasts_the_process_and_what_was_not_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).await.unwrap();
        store.commit_changes(&[opened(1)]).await.unwrap();
        store.failed("a", &opened(1).outbox[0].id, AT, "no").await.unwrap();
        // Dropped in the middle of a commit, at several points.
        for micros in [0, 50, 200, 500, 1_000, 3_000] {
            let batch: Vec<Commit> = (10..40).map(opened).collect();
            let wait = Duration::from_micros(micros);
            let _ = tokio::time::timeout(wait, store.commit_changes(&batch)).await;
        }
    }
    let store = Store::open(dir.path()).await.unwrap();
    let due = store.due("a", LATER, 100).await.unwrap();
    assert_eq!(due[0].attempts, 1);
    let alerts = store.alerts(&AlertFilter { limit: 100, ..AlertFilter::default() }).await.unwrap();
    // All of a batch or nothing of it.
    assert!([1, 31].contains(&alerts.items.len()), "{}", alerts.items.len());
    assert_eq!(due.len(), alerts.items.len());
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).await.unwrap();
    match Store::open(dir.path()).await {
        Err(error @ StoreError::Locked { .. }) => {
            let text = error.to_string();
            assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
    drop(first);
    // A lock file of a process that died holds nothing.
    std::fs::write(dir.path().join("vigie.lock"), "999999\n").unwrap();
    Store::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_moves_on_as_a_whole_and_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.load_checkpoint().await.unwrap(), Checkpoint::default());
    let (a, b) = (ChannelId::new("k:a"), ChannelId::new("k:b"));
    let state = |channel: &ChannelId, state: Vec<u8>| ChannelState {
        channel: channel.clone(),
        state,
        awake: true,
        setting: Setting::Game,
        language: Some("fr".into()),
        gaps: 3,
    };
    let mark = |cursor: Option<&str>, seen: &[u64]| FeedMark {
        feed: "f".into(),
        cursor: cursor.map(Into::into),
        seen: seen.to_vec(),
        second: cursor.map(|_| 1_755_468_843),
    };
    let first = Checkpoint {
        channels: vec![state(&a, vec![0, 255, 39]), state(&b, vec![])],
        asleep: vec![],
        removed: vec![],
        feeds: vec![mark(None, &[])],
        donations: Some("[1]".into()),
        gaps: Some("[2]".into()),
        config: "sha256:1".into(),
    };
    store.save_checkpoint(&first).await.unwrap();
    assert_eq!(store.load_checkpoint().await.unwrap(), first);
    let second = Checkpoint {
        channels: vec![state(&a, vec![1])],
        asleep: vec![],
        removed: vec![b],
        feeds: vec![mark(Some("c2"), &[u64::MAX, 0, 7])],
        donations: None,
        gaps: None,
        config: "sha256:2".into(),
    };
    store.commit(&[opened(1)], Some(&second)).await.unwrap();
    // What was not told again stays.
    let (donations, gaps) = (first.donations, first.gaps);
    let expected = Checkpoint { removed: vec![], donations, gaps, ..second };
    assert_eq!(store.load_checkpoint().await.unwrap(), expected);
    // Of a channel asleep the state stays in the store until it is asked for.
    let tired = ChannelState { awake: false, ..state(&a, vec![2]) };
    let third = Checkpoint { channels: vec![tired], ..expected.clone() };
    store.save_checkpoint(&third).await.unwrap();
    let loaded = store.load_checkpoint().await.unwrap();
    let asleep = Asleep { channel: a.clone(), setting: Setting::Game, language: Some("fr".into()) };
    assert_eq!((loaded.channels, loaded.asleep), (vec![], vec![asleep]));
    assert_eq!(store.sleeper(&a).await.unwrap(), Some((vec![2], 3)));
    assert_eq!(store.channel_state(&ChannelId::new("k:never")).await.unwrap(), None);
    assert!(store.alert(Uuid::from_u128(2)).await.unwrap().is_some());
}

pub fn decision(by: &str) -> Decision {
    Decision {
        alert: Uuid::from_u128(7),
        kind: DecisionKind::Acknowledge,
        by: by.into(),
        why: "seen".into(),
        at: AT,
    }
}

/// Touches the database behind the store's back.
async fn meddle(dir: &Path, sql: &'static str) {
    let url = format!("sqlite://{}/vigie.db", dir.display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    assert_eq!(db.execute(sql).await.unwrap().rows_affected(), 1, "{sql}");
}

#[tokio::test]
async fn the_audit_chain_tells_an_edited_a_missing_and_a_forged_row() {
    let meddlings = [
        ("UPDATE audit SET body = replace(body, 'Bea', 'Eve') WHERE seq = 2", 2),
        ("UPDATE audit SET alert = 'x' WHERE seq = 3", 3),
        ("UPDATE audit SET hash = 'sha256:00' WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
    ];
    for (sql, bad) in meddlings {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        for (n, by) in ["Ada", "Bea", "Cid"].into_iter().enumerate() {
            let row = store.append_decision(&decision(by), Some(1000)).await.unwrap();
            assert_eq!(row.seq, n as u64 + 1);
        }
        let report = store.verify_chain().await.unwrap();
        assert_eq!((report.rows, &report.first_bad), (3, &None));
        let rows = store.decisions(Uuid::from_u128(7)).await.unwrap();
        assert_eq!(report.head.as_ref(), Some(&rows[2].hash));
        assert!(rows[1].body.contains(&rows[0].hash) && rows[1].body.contains("\"uid\":1000"));
        meddle(dir.path(), sql).await;
        let report = store.verify_chain().await.unwrap();
        assert_eq!(report.first_bad.map(|(seq, _)| seq), Some(bad), "{sql}");
    }
}

#[tokio::test]
async fn a_rehashed_row_is_betrayed_by_the_one_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for by in ["Ada", "Bea"] {
        store.append_decision(&decision(by), None).await.unwrap();
    }
    let url = format!("sqlite://{}/vigie.db", dir.path().display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let body: String =
        db.fetch_one("SELECT body FROM audit WHERE seq = 1").await.unwrap().get("body");
    let forged = body.replace("Ada", "Eve");
    sqlx::query("UPDATE audit SET body = $1, hash = $2 WHERE seq = 1")
        .bind(&forged)
        .bind(Digest::of(forged.as_bytes()).to_string())
        .execute(&mut db)
        .await
        .unwrap();
    let report = store.verify_chain().await.unwrap();
    assert_eq!(report.first_bad.unwrap().0, 2);
}

#[tokio::test]
async fn a_timeline_holds_a_day_behind_the_newest_sample() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let channel = ChannelId::new("k:1");
    let sample = |minutes: i64, value: f32| Sample {
        channel: channel.clone(),
        at: AT.plus_ms(minutes * 60_000),
        level: Level::Watch,
        signals: vec![("chat.threat.60s".into(), value)],
    };
    store.put_samples(&[sample(0, 0.1), sample(1, 0.2), sample(1, 0.3)]).await.unwrap();
    let all = async || store.timeline(&channel, Timestamp(0), LATER).await.unwrap();
    assert_eq!(all().await, [sample(0, 0.1), sample(1, 0.3)]);
    store.put_samples(&[sample(24 * 60 + 1, 0.4)]).await.unwrap();
    assert_eq!(all().await, [sample(1, 0.3), sample(24 * 60 + 1, 0.4)]);
}

pub fn chat(n: u32) -> Consumed {
    let text = format!(
        r#"{{"type":"chat","id":"{n}","at":"2025-08-17T22:14:03.120Z","channel":"k:1","user":{{"id":"u"}},"text":"mot {n}"}}"#
    );
    let Ok(FeedItem::Event(event)) = decode(&text, &Keyer::replay()) else { panic!("{text}") };
    let mut scores = vigie::event::Scores::default();
    scores.set(0, vigie::event::Score::new(0.1 + n as f32 / 7.0 % 0.9).unwrap());
    // Every fifth was shed: it has no scores, and says why.
    let unscored = n.is_multiple_of(5).then_some(Unscored::Shed);
    if unscored.is_some() {
        scores = Default::default();
    }
    let fuel = Fuel::Event {
        event: Arc::new(event),
        stamp: Stamp::default(),
        scores,
        plain: None,
        unscored,
        manner: None,
    };
    Consumed { channel: ChannelId::new("k:1"), at: AT, fuel }
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect()
}

pub fn read(dir: &Path) -> (Vec<Entry>, Vec<Note>) {
    let mut reader = Reader::open(&[dir.to_path_buf()]).unwrap();
    let entries = reader.by_ref().collect::<Result<_, _>>().unwrap();
    (entries, reader.notes().to_vec())
}

#[test]
fn a_journal_gives_back_what_went_in_bit_for_bit_with_a_state_first_in_each_segment() {
    let dir = tempfile::tempdir().unwrap();
    let terms = TermsTold { config: "sha256:1".into(), ..TermsTold::default() };
    let options = JournalOptions { segment_bytes: 2_000, terms, ..Default::default() };
    let journal = Journal::open(dir.path(), options).unwrap();
    let (mut mark, mut expected) = (Mark::default(), Vec::new());
    for n in 0..60 {
        journal.consumed(&mut mark, || serde_json::json!({"before": n}), chat(n));
        expected.push(serde_json::to_string(&Entry::Consumed(chat(n))).unwrap());
        journal.escalation(
            mark,
            &ChannelId::new("k:1"),
            AT,
            [0.1, 1.0 / 3.0, 1e-7, n as f32 / 60.0],
        );
        assert!(journal.sync());
    }
    let segments = journal.stats().segment;
    assert!(segments > 3, "{segments}");
    drop(journal);
    let (entries, notes) = read(dir.path());
    assert_eq!(notes, []);
    let consumed: Vec<String> =
        lines(&entries).into_iter().filter(|line| line.contains("\"consumed\"")).collect();
    assert_eq!(consumed, expected);
    // Each segment alone begins with the state before its first entry.
    let mut paths: Vec<_> = std::fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut states = 0;
    for path in paths {
        let mut reader = Reader::open(std::slice::from_ref(&path)).unwrap();
        let entries: Vec<Entry> = reader.by_ref().collect::<Result<_, _>>().unwrap();
        assert_eq!(reader.header().unwrap().config, "sha256:1");
        let Some(first) = entries.first() else { continue };
        let Entry::State { state, .. } = first else { panic!("{path:?}: {first:?}") };
        let Entry::Consumed(next) = &entries[1] else { panic!("{path:?}") };
        let Fuel::Event { event, .. } = &next.fuel else { panic!() };
        assert_eq!(state["before"].to_string(), &*event.id);
        states += 1;
    }
    assert!(states > 3);
    for entry in entries {
        if let Entry::Escalation { out, .. } = entry {
            assert_eq!(out[1].to_bits(), (1.0f32 / 3.0).to_bits());
        }
    }
}

#[test]
fn a_torn_tail_is_dropped_and_named_but_a_broken_middle_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), JournalOptions::default()).unwrap();
    let mut mark = Mark::default();
    for n in 0..3 {
        journal.consumed(&mut mark, || serde_json::Value::Null, chat(n));
    }
    drop(journal);
    let path =
        std::fs::read_dir(dir.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read_to_string(&path).unwrap();
    for cut in 1..whole.lines().last().unwrap().len() {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (entries, notes) = read(dir.path());
        assert_eq!(entries.len(), 3);
        assert_eq!(notes, [Note::Torn { path: path.clone(), line: 5 }]);
    }
    // A new run goes on beside it, in a segment of its own.
    let journal = Journal::open(dir.path(), JournalOptions::default()).unwrap();
    journal.consumed(&mut Mark::default(), || serde_json::Value::Null, chat(9));
    drop(journal);
    assert_eq!(read(dir.path()).0.len(), 5);

    let broken = whole.replacen("\"consumed\"", "\"confused\"", 1);
    std::fs::write(&path, broken).unwrap();
    let error = Reader::open(std::slice::from_ref(&path)).unwrap().find_map(Result::err).unwrap();
    assert!(matches!(error, JournalError::Line { line: 3, .. }), "{error}");
}

#[test]
fn a_number_that_a_score_cannot_hold_is_refused_with_its_line_and_never_becomes_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    let at = "2025-08-17T22:14:03.000Z";
    let line = |c: &str| format!(r#"{{"c":"{c}","channel":"k:1","at":"{at}","#);
    let look = |motion: &str, score: &str| {
        let look =
            format!(r#"{{"id":"L","frames":[],"scores":[{score}],"motion":{motion},"thumb":""}}"#);
        format!(r#"{}"t":"look","look":{look}}}"#, line("consumed"))
    };
    let said = |p: &str| format!(r#"{}"out":[{p},0.25,0.125,0.0]}}"#, line("escalation"));
    let read = |text: &str| {
        let header = r#"{"vigie_journal":2,"config":"","version":"0.1.0"}"#;
        std::fs::write(&path, format!("{header}\n{text}\n")).unwrap();
        Reader::open(std::slice::from_ref(&path)).unwrap().next().unwrap()
    };
    for text in [said("0.5"), look("0.5", "0.5"), look("null", "null")] {
        let again = serde_json::to_string(&read(&text).unwrap()).unwrap();
        assert_eq!(again.contains("0.5"), text.contains("0.5"), "{again}");
    }
    for beyond in ["0.51e308", "-1e39", "3.5e38"] {
        for text in [said(beyond), look(beyond, "0.5"), look("0.5", beyond)] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains("line 2: a score is not a finite number"), "{error}: {text}");
        }
    }
}

#[test]
fn a_journal_of_another_version_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    std::fs::write(&path, "{\"vigie_journal\":3,\"config\":\"\",\"version\":\"9.1.0\"}\n").unwrap();
    let error = Reader::open(std::slice::from_ref(&path)).err().unwrap();
    assert!(
        error.to_string().contains("replay it with the version that wrote it (9.1.0)"),
        "{error}"
    );
    std::fs::write(&path, "{\"type\":\"chat\"}\n").unwrap();
    assert!(!Reader::is_journal(&path));
    let error = Reader::open(&[path]).err().unwrap();
    assert!(matches!(error, JournalError::NotAJournal { .. }));
}

#[test]
fn a_full_queue_is_told_and_loses_nothing_that_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { queue: 2, ..JournalOptions::default() };
    let journal = Journal::open(dir.path(), options).unwrap();
    let (mut mark, mut taken, mut full) = (Mark::default(), 0, 0);
    for n in 0..20_000 {
        match journal.try_consumed(&mut mark, || serde_json::Value::Null, chat(n)) {
            Ok(()) => taken += 1,
            Err(Full) => full += 1,
        }
    }
    drop(journal);
    assert!(full > 0 && taken > 0, "{full} {taken}");
    let consumed = read(dir.path()).0.iter().filter(|e| matches!(e, Entry::Consumed(_))).count();
    assert_eq!(consumed, taken);
}

#[test]
fn old_segments_go_by_the_cap() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes: 4_000, cap: 20_000, ..JournalOptions::default() };
    let journal = Journal::open(dir.path(), options).unwrap();
    let mut mark = Mark::default();
    for n in 0..500 {
        journal.consumed(&mut mark, || serde_json::Value::Null, chat(n));
        if n % 10 == 0 {
            journal.sync();
        }
    }
    drop(journal);
    let sizes: Vec<u64> = std::fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    let total: u64 = sizes.iter().sum();
    assert!((4_000..30_000).contains(&total), "{sizes:?}");
    let (entries, _) = read(dir.path());
    let Some(Entry::Consumed(last)) = entries.last() else { panic!() };
    let Fuel::Event { event, .. } = &last.fuel else { panic!() };
    assert_eq!(&*event.id, "499");
}

#[test]
fn each_segment_tells_the_terms_and_where_they_change_for_a_channel() {
    let dir = tempfile::tempdir().unwrap();
    let told = |n: u32| TermsTold {
        config: format!("sha256:c{n}"),
        digest: format!("sha256:t{n}"),
        terms: serde_json::json!({ "n": n }),
    };
    let options = JournalOptions { segment_bytes: 3_000, terms: told(1), ..Default::default() };
    let old = Journal::open(dir.path(), options).unwrap();
    let mut mark = Mark::default();
    old.consumed(&mut mark, || serde_json::json!({}), chat(0));
    let new = old.under(told(2));
    // A shard that has not changed over yet still tells the old terms.
    old.consumed(&mut mark, || serde_json::json!({}), chat(1));
    for n in 2..30 {
        new.consumed(&mut mark, || serde_json::json!({}), chat(n));
        assert!(new.sync());
    }
    assert!(new.stats().segment > 1);
    drop((old, new));
    let mut paths: Vec<_> = std::fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for (number, path) in paths.iter().enumerate() {
        let mut reader = Reader::open(std::slice::from_ref(path)).unwrap();
        let entries: Vec<Entry> = reader.by_ref().collect::<Result<_, _>>().unwrap();
        let header = reader.header().unwrap().config.clone();
        assert_eq!(header, if number == 0 { "sha256:c1" } else { "sha256:c2" });
        let (mut known, mut under, mut changes) = (Vec::new(), String::new(), 0);
        for entry in entries {
            match entry {
                Entry::Terms { digest, .. } => known.push(digest),
                Entry::State { terms, .. } => under = terms,
                Entry::Under { terms, .. } => {
                    under = terms;
                    changes += 1;
                }
                Entry::Consumed(consumed) => {
                    let Fuel::Event { event, .. } = &consumed.fuel else { panic!() };
                    let n: i64 = event.id.parse().unwrap();
                    let expected = if n < 2 { "sha256:t1" } else { "sha256:t2" };
                    assert_eq!(under, expected, "entry {n}");
                    assert!(known.contains(&under), "{path:?} tells what it names");
                }
                Entry::Escalation { .. } => {}
            }
        }
        assert_eq!(changes, usize::from(number == 0));
    }
}
