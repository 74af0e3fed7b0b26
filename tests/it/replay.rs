//! Whole evenings through the binary: what must be seen is seen, what must stay silent stays silent, and the same input
//! gives the same alerts, whatever the number of threads, live or replayed from the journal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vigie::event::Level;
use vigie::sim::Scenario;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn vigie(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.args(words).current_dir(root()).stdin(Stdio::null());
    command
}

/// ONNX Runtime lies where `make test` puts it; without it nothing here can run.
fn has_runtime() -> bool {
    let there = vigie::model::load_runtime(None).is_ok();
    if !there {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
    }
    there
}

/// Alerts as JSON lines, and the highest level of each channel.
fn replay(paths: &[&Path], more: &[&str]) -> (String, BTreeMap<String, Level>) {
    let mut command = vigie(&["replay", "--json"]);
    let out = command.args(paths).args(more).output().expect("vigie runs");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{said}");
    let highest = said
        .lines()
        .filter_map(|line| {
            let (channel, rest) = line.strip_prefix("  ")?.rsplit_once(": ")?;
            Some((channel.to_owned(), Level::from_name(rest.split(' ').next()?)?))
        })
        .collect();
    (String::from_utf8(out.stdout).expect("UTF-8"), highest)
}

/// The recordings composed from the data folder; `None`, and said so, without it.
fn composed(names: &[&str]) -> Option<tempfile::TempDir> {
    let (Some(python), Some(data)) =
        (std::env::var_os("VIGIE_TEST_PYTHON"), std::env::var_os("VIGIE_DATA"))
    else {
        eprintln!(
            "SKIPPED: VIGIE_TEST_PYTHON and VIGIE_DATA are not both set (make test sets them where there is data)"
        );
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for name in names {
        let status = Command::new(&python)
            .arg(root().join("tests/recordings/compose.py"))
            .arg("--out")
            .arg(folder.path())
            .arg("--data")
            .arg(&data)
            .args(["--only", name])
            .stdout(Stdio::null())
            .status()
            .expect("the test Python starts");
        assert!(status.success(), "composing {name}");
    }
    Some(folder)
}

/// The silent recording stays at most at `watch`; its twin, which differs in one thing, raises.
fn silent_and_twin(silent: &str, twin: &str) {
    if !has_runtime() {
        return;
    }
    let Some(folder) = composed(&[silent, twin]) else { return };
    let path = |name: &str| {
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        let mut files = files.filter_map(|file| Some(file.ok()?.path()));
        let dot = format!("{name}.jsonl");
        files
            .find(|path| path.file_name().is_some_and(|f| f.to_string_lossy().starts_with(&dot)))
            .unwrap_or_else(|| panic!("{name} was composed"))
    };
    let (alerts, levels) = replay(&[&path(silent)], &[]);
    let highest = levels.values().max().copied().unwrap_or_default();
    assert!(highest <= Level::Watch && alerts.is_empty(), "{silent} raised {highest}: {alerts}");
    let (alerts, levels) = replay(&[&path(twin)], &[]);
    let highest = levels.values().max().copied().unwrap_or_default();
    assert!(highest >= Level::Concern && !alerts.is_empty(), "{twin} stayed at {highest}");
}

#[test]
fn violence_that_follows_money_is_seen_and_its_calm_twin_is_not() {
    silent_and_twin("calm_after_money", "violence_after_money");
}

#[test]
fn a_whole_charity_marathon_is_silent_and_its_twin_is_not() {
    silent_and_twin("marathon_sgdq_2018", "marathon_twin");
}

#[test]
fn the_irl_chat_is_silent_and_its_twin_is_not() {
    silent_and_twin("irl_tail", "irl_tail_twin");
}

#[test]
fn the_news_chat_is_silent_and_its_twin_is_not() {
    silent_and_twin("news_tail", "news_tail_twin");
}

/// A recording of the demo's scenario, pictures included.
fn demo_recording(folder: &Path, scenario: &str, looks: u64) -> PathBuf {
    let path = folder.join(format!("{scenario}.jsonl"));
    let scenario = Scenario::by_name(scenario).expect("a scenario");
    scenario.write_recording(&path, Duration::from_secs(looks)).expect("a recording");
    path
}

#[test]
fn the_demo_goes_from_watch_to_a_threat_to_life_and_its_neighbours_stay_silent() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = demo_recording(folder.path(), "paid-violence", 30);
    let (alerts, levels) = replay(&[&path], &["--threads", "2"]);
    for (channel, level) in &levels {
        if channel == "sim:nuit-blanche" {
            assert_eq!(*level, Level::ThreatToLife, "{alerts}");
        } else {
            assert!(*level <= Level::Watch, "{channel} reached {level}: {alerts}");
        }
    }
    let alerts: Vec<serde_json::Value> =
        alerts.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    // It is seen to build up: an alert opens at concern, rises to danger, and to threat to life once he lies still.
    let mut reached: Vec<(&str, &str)> = Vec::new();
    for alert in &alerts {
        let data = &alert["data"];
        let at = data["updated_at"].as_str().and_then(|at| at.get(11..19));
        if let (Some(level), Some(at)) = (data["level"].as_str(), at)
            && reached.last().is_none_or(|(before, _)| *before != level)
        {
            reached.push((level, at));
        }
    }
    let levels: Vec<&str> = reached.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, ["concern", "danger", "threat_to_life"], "{reached:?}");
    assert!(reached[2].1 >= "20:14:00", "he lies down at 14:00: {reached:?}");
    let last = &alerts.last().expect("an alert")["data"];
    let weights: f64 = last["reasons"]
        .as_array()
        .expect("reasons")
        .iter()
        .filter_map(|r| r["weight"].as_f64())
        .sum();
    assert!((weights - 1.0).abs() < 1e-3, "weights add up to 1: {weights}");
    assert!(last["reasons"][0]["evidence"].as_array().is_some_and(|e| !e.is_empty()), "{last}");
    assert_eq!(last["jurisdiction"]["member_states"][0], "FR");
}

#[test]
fn a_recording_gives_the_same_alerts_twice_and_with_one_or_two_threads() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = demo_recording(folder.path(), "paid-violence-en", 60);
    let (one, _) = replay(&[&path], &["--threads", "1"]);
    let (two, _) = replay(&[&path], &["--threads", "2"]);
    let (again, _) = replay(&[&path], &["--threads", "2"]);
    assert!(!one.is_empty(), "something is raised");
    assert_eq!(one, two, "threads do not matter");
    assert_eq!(two, again, "nor does the day");
}

/// A daemon that plays a recording on its data's clock.
fn config(folder: &Path, recording: &Path) -> PathBuf {
    let path = folder.join("vigie.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"\"\n[store]\ndir = \"state\"\n\
         [[feed]]\nname = \"past\"\ntype = \"recording\"\npath = \"{}\"\nspeed = 0.0\nclock = \"data\"\n\
         [[sink]]\nname = \"file\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\nremind = \"0s\"\nheartbeat = \"0s\"\n",
        recording.display()
    );
    std::fs::write(&path, text).expect("a config");
    path
}

/// Runs the daemon until the last event of the recording has been journaled and the alerts stand in the file.
fn run_live(folder: &Path, config: &Path) {
    let log = std::fs::File::create(folder.join("log")).expect("a log");
    let mut daemon = vigie(&["run", "-c"]).arg(config).stderr(log).spawn().expect("vigie starts");
    let until = Instant::now() + Duration::from_secs(150);
    let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    while !log().contains("\"ended\"") && !log().contains(" ended") {
        assert!(Instant::now() < until, "the recording was not played to its end:\n{}", log());
        assert!(daemon.try_wait().expect("our child").is_none(), "it ended:\n{}", log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let ended = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status();
    assert!(ended.expect("kill runs").success());
    let status = daemon.wait().expect("our child");
    assert_eq!(status.code(), Some(0), "{}", log());
}

#[test]
fn the_journal_of_a_live_run_gives_the_same_alerts_byte_for_byte() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let recording = demo_recording(folder.path(), "paid-violence-en", 60);
    let config = config(folder.path(), &recording);
    run_live(folder.path(), &config);
    let told = std::fs::read_to_string(folder.path().join("alerts.jsonl")).expect("alerts");
    assert!(told.lines().count() >= 2, "the run raised something: {told}");
    let journal = folder.path().join("state/journal");
    let (replayed, _) = replay(&[&journal], &["-c", config.to_str().expect("UTF-8")]);
    assert_eq!(replayed, told);
    // Segment by segment too, one among them whose header a crash cut.
    let mut named: Vec<_> =
        std::fs::read_dir(&journal).unwrap().flatten().map(|f| f.path()).collect();
    named.sort();
    for (n, whole) in ["", "{\"vigie_jour"].iter().enumerate() {
        named.push(folder.path().join(format!("cut-{n}.jsonl")));
        std::fs::write(&named[named.len() - 1], whole).unwrap();
    }
    let named: Vec<&std::path::Path> = named.iter().map(|path| path.as_path()).collect();
    let (replayed, _) = replay(&named, &["-c", config.to_str().expect("UTF-8")]);
    assert_eq!(replayed, told);
    // And what the models say of the recording is what they said live.
    let (fresh, _) = replay(&[&recording], &["-c", config.to_str().expect("UTF-8")]);
    assert_eq!(outcome(&fresh), outcome(&told));
}

/// What was told, without the digests: those of messages hold the user's key, which a replay makes with its own.
fn outcome(alerts: &str) -> Vec<(String, String, String, String)> {
    let line = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let data = &event["data"];
        let word = |name: &str| data[name].to_string();
        (event["id"].to_string(), event["type"].to_string(), word("level_now"), word("updated_at"))
    };
    alerts.lines().map(line).collect()
}

/// Lines of one channel, one a second from `from` seconds on.
fn lines(channel: &str, from: u32, bodies: &[String]) -> String {
    let line = |(n, body): (usize, &String)| {
        let second = from + n as u32;
        let at =
            format!("2025-08-17T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
        format!(
            r#"{{"id":"{channel}-{second}","at":"{at}","channel":"kick:{channel}","user":{{"id":"u{n}"}},{body}}}"#
        ) + "\n"
    };
    bodies.iter().enumerate().map(line).collect()
}

#[test]
fn a_channel_asleep_in_the_store_comes_back_with_its_memory() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let gift = |n: u32| {
        format!(
            r#""type":"donation","amount":{{"value":"{n}.00","currency":"EUR"}},"source":"tip","text":"encore une gifle""#
        )
    };
    let words = |text: &str| format!(r#""type":"chat","text":"{text}""#);
    let live = r#""type":"stream","state":"live","category":"Just Chatting","language":"fr","country":"FR""#;
    // An evening of paid requests in `a`, then an hour in which only others speak; later `a` again.
    let early: Vec<String> = std::iter::once(live.to_owned()).chain((5..9).map(gift)).collect();
    let quiet = vec![words("salut"); 20];
    let first = folder.path().join("first.jsonl");
    std::fs::write(&first, lines("a", 0, &early) + &lines("b", 3600, &quiet)).expect("written");
    let need: Vec<String> = (20..26).map(gift).collect();
    let second = folder.path().join("second.jsonl");
    std::fs::write(&second, lines("a", 7200, &need)).expect("written");
    let config = config(folder.path(), &first);
    run_live(folder.path(), &config);
    let text = std::fs::read_to_string(&config).expect("a config");
    std::fs::write(
        &config,
        text.replace("first.jsonl", "second.jsonl").replace("\"past\"", "\"later\""),
    )
    .expect("written");
    run_live(folder.path(), &config);
    let (want, _) = replay(&[&first, &second], &["-c", config.to_str().expect("UTF-8")]);
    assert!(!want.is_empty(), "something is raised");
    let told = std::fs::read_to_string(folder.path().join("alerts.jsonl")).unwrap_or_default();
    assert_eq!(outcome(&told), outcome(&want));
    let last: serde_json::Value =
        serde_json::from_str(told.lines().last().expect("an alert")).expect("JSON");
    let gifts = last["data"]["donations"]["count"].as_u64();
    assert!(gifts > Some(6), "the evening is remembered: {last}");
}
