//! Recordings as iterators, merged, and played as a feed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vigie::event::{FeedItem, Keyer};
use vigie::feed::recording::{self, open, open_with};
use vigie::feed::{FeedEvent, FeedReport, RecordingOptions, RecordingProblem};
use vigie::telemetry::Clock;

use super::chat;
use super::peer::{Intake, soon};

fn write(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What an item is, in short: an event's id, or `gap`, or a problem's line.
fn short(item: &Result<FeedItem, RecordingProblem>) -> String {
    match item {
        Ok(FeedItem::Event(event)) => event.id.to_string(),
        Ok(FeedItem::Gap(_)) => "gap".into(),
        Ok(FeedItem::Cursor(cursor)) => format!("cursor {cursor}"),
        Err(problem) => format!("line {} {} {}", problem.line, problem.kind, problem.reason),
    }
}

fn all(reader: recording::Reader) -> Vec<String> {
    reader.map(|item| short(&item)).collect()
}

const GAP: &str = r#"{"type":"gap","from":"2025-08-17T22:00:00Z","to":"2025-08-17T23:00:09Z"}"#;

#[test]
fn a_broken_line_is_named_with_its_number_and_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = format!("\u{feff}{}\r\n\n", chat("a", 0)).into_bytes();
    text.extend_from_slice(b"{\"type\":\"chat\",\"id\":\"secret words\"}\n");
    text.extend_from_slice(b"\xff\xfe\n");
    text.extend_from_slice(b"{\"type\":\"audio\"}\n");
    text.extend_from_slice(chat("b", 1).as_bytes());
    let path = write(folder.path(), "bad.jsonl", &text);
    let items: Vec<_> = open(&path).unwrap().collect();
    assert_eq!(
        items.iter().map(short).collect::<Vec<_>>(),
        [
            "a",
            "line 3 chat malformed",
            "line 4 unknown malformed",
            "line 5 unknown unknown_type",
            "b",
        ]
    );
    let told = items[1].as_ref().unwrap_err().to_string();
    assert!(told.contains("bad.jsonl:3: field `at`"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn compressed_recordings_are_known_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |from: usize| -> String {
        (from..from + 1000).map(|n| chat(&n.to_string(), 0) + "\n").collect()
    };
    // Two frames, as appending to a compressed file makes them.
    let mut packed = zstd::encode_all(lines(0).as_bytes(), 3).unwrap();
    packed.extend(zstd::encode_all(lines(1000).as_bytes(), 3).unwrap());
    let path = write(folder.path(), "looks-plain.jsonl", &packed);
    let expected: Vec<_> = (0..2000).map(|n| n.to_string()).collect();
    assert_eq!(all(open(path).unwrap()), expected);

    let cut = write(folder.path(), "cut.jsonl.zst", &packed[..packed.len() - 20]);
    let items = all(open(cut).unwrap());
    assert!(items.len() >= 1001, "{}", items.len());
    assert!(items.last().unwrap().ends_with("unreadable"), "{:?}", items.last());
    let plain = write(folder.path(), "plain.jsonl.zst", chat("p", 0).as_bytes());
    assert_eq!(all(open(plain).unwrap()), ["p"]);
}

#[test]
fn a_line_beyond_the_limit_is_skipped_and_never_held() {
    let folder = tempfile::tempdir().unwrap();
    let just = chat("just", 0);
    let mut file = std::fs::File::create(folder.path().join("x.jsonl")).unwrap();
    writeln!(file, "{}", chat("over", 0) + " ").unwrap();
    writeln!(file, "{}", "x".repeat(3 << 20)).unwrap();
    writeln!(file, "{just}").unwrap();
    let limit = just.len();
    let reader = open_with(folder.path().join("x.jsonl"), Keyer::replay(), limit).unwrap();
    assert_eq!(all(reader), ["line 1 unknown too_large", "line 2 unknown too_large", "just"]);
}

#[test]
fn what_cannot_be_opened_says_which() {
    let error = open("/nowhere/x.jsonl").err().unwrap();
    assert!(error.to_string().contains("/nowhere/x.jsonl"), "{error}");
    assert!(open(std::env::temp_dir()).is_err(), "a folder is no recording");
}

#[test]
fn recordings_are_merged_by_time_and_keep_their_own_order() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |name, lines: &[String]| {
        open(write(folder.path(), name, lines.join("\n").as_bytes())).unwrap()
    };
    let first = lines(
        "1.jsonl",
        &[chat("a0", 0), chat("a5", 5), GAP.into(), "{".into(), chat("a3 late", 3), chat("a9", 9)],
    );
    let second = lines("2.jsonl", &[GAP.into(), chat("b4", 4), chat("b5", 5), chat("b7", 7)]);
    let third = lines("3.jsonl", &[]);
    let merged: Vec<_> = recording::merge([first, second, third])
        .map(|(i, x)| format!("{i} {}", short(&x)))
        .collect();
    assert_eq!(
        merged,
        [
            "1 gap",
            "0 a0",
            "1 b4",
            "0 a5",
            "0 gap",
            "0 line 4 unknown malformed",
            "0 a3 late",
            "1 b5",
            "1 b7",
            "0 a9",
        ]
    );
}

fn play(path: PathBuf, speed: f64, resume: Option<&str>, room: usize) -> Intake {
    let (options, resume) = (RecordingOptions { path, speed }, resume.map(Into::into));
    Intake::spawn(room, |out, control, counts, stop| {
        recording::run(
            7,
            options,
            resume,
            Keyer::replay(),
            out,
            control,
            counts,
            Clock::machine(),
            stop,
        )
    })
}

/// Takes everything up to the end.
async fn played(intake: &mut Intake) -> Vec<String> {
    intake.connected().await;
    let mut items = Vec::new();
    loop {
        match intake.next().await {
            FeedEvent::Item(item) => items.push(short(&Ok(item))),
            FeedEvent::Ended => return items,
            FeedEvent::Failing { reason } => items.push(reason),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_played_recording_gives_cursors_and_goes_on_after_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<_> = (0..300).map(|n| chat(&n.to_string(), 0)).collect();
    lines[10] = "{".into();
    lines[11] = r#"{"type":"cursor","value":"the server's"}"#.into();
    let path = write(folder.path(), "x.jsonl", lines.join("\n").as_bytes());
    let mut intake = play(path.clone(), 0.0, None, 4);
    let items = played(&mut intake).await;
    let mut expected: Vec<_> =
        (0..300).filter(|n| ![10, 11].contains(n)).map(|n| n.to_string()).collect();
    expected.insert(254, "cursor line:256".into());
    expected.push("cursor line:300".into());
    assert_eq!(items, expected);
    assert_eq!(intake.counts.dropped(), [("unknown", "malformed")]);
    assert_eq!(intake.counts.all().last(), Some(&FeedReport::Connected(false)));
    soon("the end", intake.task).await.unwrap();

    let items = played(&mut play(path, 0.0, Some("line:298"), 4)).await;
    assert_eq!(items, ["298", "299", "cursor line:300"]);
}

#[tokio::test]
async fn a_recording_is_played_at_its_speed() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [chat("a", 0), chat("b", 10), chat("late", 5), chat("c", 20)].join("\n");
    let path = write(folder.path(), "x.jsonl", lines.as_bytes());
    let begun = Instant::now();
    let mut intake = play(path.clone(), 40.0, None, 64);
    intake.connected().await;
    for (id, due) in [("a", 0), ("b", 250), ("late", 250), ("c", 500)] {
        assert_eq!(intake.id().await, id);
        let taken = begun.elapsed();
        assert!(taken >= Duration::from_millis(due), "{id} came after {taken:?}");
        assert!(taken < Duration::from_millis(due + 2000), "{id} came after {taken:?}");
    }
    let begun = Instant::now();
    played(&mut play(path.clone(), 0.0, None, 64)).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "as fast as it is taken");

    // Stopped in the middle of a wait of ten seconds.
    let mut intake = play(path, 1.0, None, 64);
    intake.connected().await;
    assert_eq!(intake.id().await, "a");
    intake.stop.cancel();
    soon("the end", intake.task).await.unwrap();
}

#[tokio::test]
async fn a_recording_that_cannot_be_opened_fails_and_ends() {
    let mut intake = play("/nowhere/x.jsonl".into(), 0.0, None, 4);
    let next = intake.next().await;
    assert!(
        matches!(&next, FeedEvent::Failing { reason } if reason.contains("/nowhere/x.jsonl")),
        "{next:?}"
    );
    assert!(matches!(intake.next().await, FeedEvent::Ended));
}
