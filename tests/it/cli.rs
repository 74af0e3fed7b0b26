//! The real binary, as somebody at a terminal or a script meets it: words, exit statuses, JSON that others read.

#[path = "cli/eval.rs"]
mod eval;
#[path = "cli/schema.rs"]
mod schema;
#[path = "cli/score.rs"]
mod score;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use vigie::alert::State;
use vigie::event::Level;
use vigie::store::{Commit, Store};

use self::schema::{assert_fits, schema};
use crate::models::{root, shipped};
use crate::store::change;

const SECRET: &str = "whsec_dmlnaWUgdGVzdCBzZWNyZXQgb2YgMzIgYnl0ZXMhIQ==";

/// Run from the checkout, without what the environment may hold for it.
fn vigie(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    for name in ["VIGIE_CONFIG", "CREDENTIALS_DIRECTORY", "VIGIE_CREDENTIAL_USER_KEY"] {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    vigie(args).output().expect("vigie starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// With `text` on standard input.
fn fed(args: &[&str], text: &str) -> Output {
    let mut child = vigie(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vigie starts");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn written(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn bare_it_says_what_it_is_and_the_three_commands_to_try() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    for words in ["live streams", "vigie demo", "vigie check", "vigie run"] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
}

#[test]
fn every_command_explains_itself_and_takes_a_config() {
    let leaves = [
        "run",
        "check",
        "replay",
        "score chat",
        "score frames",
        "score escalation",
        "dossier",
        "ack",
        "close",
        "bench",
        "schema",
        "sink test",
        "feed list",
        "feed test",
        "record",
        "audit verify",
        "eval scenarios",
        "demo",
    ];
    let whole = out(&run(&["--help"]));
    for command in leaves {
        assert!(whole.contains(command.split(' ').next().unwrap()), "{command} in:\n{whole}");
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let output = run(&words);
        let text = out(&output);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(text.contains("Usage: vigie ") && text.contains("Example"), "{command}:\n{text}");
        if command != "demo" {
            assert!(
                text.contains("-c, --config <FILE>") && text.contains("VIGIE_CONFIG"),
                "{command}:\n{text}"
            );
        }
    }
}

#[test]
fn wrong_usage_is_exit_2_and_names_what_there_is() {
    for (args, words) in [
        (vec!["watch"], "watch"),
        (vec!["demo", "--scenario", "none"], "paid-violence"),
        (vec!["score", "frames", "--fps", "0", "x.mp4"], "above 0"),
        (vec!["replay"], "RECORDING"),
        (vec!["dossier", "no-such-thing!"], "no alert's id"),
        (vec!["dossier", "abcd", "--format", "pdf"], "PDF"),
        (vec!["sink", "test", "nobody"], "no sink `nobody`"),
        (vec!["score", "chat", "no-such-file"], "no-such-file"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(words), "{args:?}: {}", err(&output));
    }
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let mut child = vigie(&["schema", "config"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vigie starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn check_passes_the_shipped_config_and_says_what_is_missing() {
    if shipped().is_none() {
        return;
    }
    let output = run(&["check", "-c", "config/vigie.toml"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    assert!(text.trim_end().lines().last().unwrap().starts_with("ok: "), "{text}");
    for words in [
        "chat@",
        "frame@",
        "escalation@",
        "weapon",
        "languages measured: fr, en",
        "no feed is configured",
    ] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
    assert!(!text.contains("to be verified: "), "only with -v");

    let output = run(&["check", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&all["ok"], &all["problems"]), (&json!(true), &json!([])));
    assert!(all["rules"].as_u64().unwrap() > 0);
    let keys: Vec<&str> =
        all["keys"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap()).collect();
    assert_eq!(keys, ["user-key", "identity-key"]);
    assert!(all["labels_without_a_model"].as_array().unwrap().contains(&json!("weapon")));
}

#[test]
fn check_tells_every_problem_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(
        folder.path(),
        "broken.toml",
        "[levels]\nwatch = 2\n\n[server]\nlanguege = \"fr\"\n",
    );
    let output = run(&["check", "-c", &path]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""));
    let text = err(&output);
    for words in
        [format!("{path}:2:9: "), format!("{path}:5:1: "), "expected:".into(), "to mend:".into()]
    {
        assert!(text.contains(&words), "{words} in:\n{text}");
    }
    // The environment names the config too, and JSON has the places as numbers.
    let output = vigie(&["check", "--json"]).env("VIGIE_CONFIG", &path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all["ok"], false);
    assert_eq!(
        (&all["problems"][0]["line"], &all["problems"][0]["column"]),
        (&json!(2), &json!(9))
    );
    assert!(all["problems"][0]["how_to_mend"].is_string());
    let output = run(&["check", "-c", "no-such.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("no-such.toml"));
}

/// The shipped manifest elsewhere, its files still those of the checkout.
fn manifest(folder: &Path, change: impl Fn(String) -> String) {
    let models = root().join("models");
    let text = std::fs::read_to_string(models.join("manifest.toml")).unwrap();
    let text = text.replace("file = \"", &format!("file = \"{}/", models.display()));
    std::fs::write(folder.join("manifest.toml"), change(text)).unwrap();
}

#[test]
fn check_tells_rules_credentials_and_each_model_together() {
    let Some(shipped) = shipped() else { return };
    let folder = tempfile::tempdir().unwrap();
    let digest =
        |kind: &str| shipped.models.iter().find(|m| m.name == kind).unwrap().sha256.clone();
    let (chat, escalation) = (digest("chat"), digest("escalation"));
    manifest(folder.path(), |text| {
        text.replace(&chat, &"0".repeat(64)).replace(&escalation, &"1".repeat(64))
    });
    let path = written(
        folder.path(),
        "v.toml",
        "[models]\nmanifest = \"manifest.toml\"\n\n[[sink]]\nname = \"team\"\nurl = \"https://example.org/\"\n\
         secret = { credential = \"it-is-nowhere\" }\n\n[[rule]]\nname = \"typo\"\nwhen = 'chat_thread_60s > 1'\n\
         level = \"watch\"\nreason = { en = \"x\" }\n",
    );
    let output = run(&["check", "-c", &path]);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for words in [
        format!("{path}:11:"),
        "chat_thread_60s".into(),
        "it-is-nowhere".into(),
        format!("{path}:2:12: model `chat@"),
        format!("{path}:2:12: model `escalation@"),
        "4 problems".into(),
    ] {
        assert!(text.contains(&words), "{words} in:\n{text}");
    }
}

#[test]
fn check_says_where_it_looked_for_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        written(folder.path(), "v.toml", "[models]\nruntime = \"/no/such/libonnxruntime.so\"\n");
    let output = run(&["check", "-c", &path]);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for words in
        [format!("{path}:2:11: "), "/no/such/libonnxruntime.so".into(), "make runtime".into()]
    {
        assert!(text.contains(&words), "{words} in:\n{text}");
    }
}

/// A server that gives each request one answer, and the bodies that it was sent.
fn answering(status: &'static str) -> (String, std::sync::mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("the body");
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere");
            reader.get_mut().write_all(answer.as_bytes()).expect("answered");
            if sender.send((head, String::from_utf8_lossy(&body).into_owned())).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

#[test]
fn sink_test_sends_one_marked_and_signed_alert_and_tells_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (good, requests) = answering("202 Accepted");
    let (bad, _refused) = answering("500 Internal Server Error");
    let path = written(
        folder.path(),
        "v.toml",
        &format!(
            "[[sink]]\nname = \"team\"\nurl = \"{good}\"\nsecret = {{ credential = \"hook\" }}\n\n\
             [[sink]]\nname = \"down\"\nurl = \"{bad}\"\nsecret = {{ credential = \"hook\" }}\n\n\
             [[sink]]\nname = \"other\"\nurl = \"https://example.org/\"\nsecret = {{ credential = \"it-is-nowhere\" }}\n\n\
             [[sink]]\nname = \"file\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n"
        ),
    );
    let test = |name: &str| {
        vigie(&["sink", "test", name, "-c", &path])
            .env("VIGIE_CREDENTIAL_HOOK", SECRET)
            .output()
            .unwrap()
    };
    let output = test("team");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("accepted the test alert with 202"), "{}", out(&output));
    let (head, body) = requests.recv().expect("it came");
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name)).expect(name);
        line.split_once(':').unwrap().1.trim().to_owned()
    };
    let webhook = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let at: i64 = header("webhook-timestamp").parse().unwrap();
    let wanted = webhook.sign(&header("webhook-id"), at, body.as_bytes()).unwrap();
    assert_eq!(header("webhook-signature"), wanted, "{signed}");
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&event["data"]["test"], &event["specversion"]), (&json!(true), &json!("1.0")));
    assert!(event["data"]["summary"].as_str().unwrap().starts_with("TEST"));
    assert_fits(&event["data"], &schema("alert"));

    let output = test("down");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("did not accept") && err(&output).contains("500"),
        "{}",
        err(&output)
    );
    let output = test("other");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("it-is-nowhere"), "{}", err(&output));
    let output = test("nobody");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("team, down, other, file"), "{}", err(&output));
    assert_eq!(test("file").status.code(), Some(0));
    let file = std::fs::read_to_string(folder.path().join("alerts.jsonl")).expect("the file");
    assert_eq!(serde_json::from_str::<Value>(file.trim()).expect("one line")["data"]["test"], true);
}

#[tokio::test]
async fn a_dossier_is_read_from_the_store_where_no_daemon_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(
        folder.path(),
        "v.toml",
        "[store]\ndir = \"state\"\n[provider]\nname = \"Maison X\"\n",
    );
    let output = run(&["dossier", "abcd", "-c", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("has never run with this config"), "{}", err(&output));
    assert!(!folder.path().join("state").exists(), "asking makes nothing");

    let mut opened = change(1, 1, Level::ThreatToLife, State::Open);
    opened.alert.id = uuid::Uuid::from_u128(0x5b2c_1111_0000_4000_8000_0000_0000_0001);
    let store = Store::open(&folder.path().join("state")).await.unwrap();
    store
        .commit_changes(&[Commit {
            change: opened.clone(),
            outbox: Vec::new(),
            evidence: Vec::new(),
        }])
        .await
        .unwrap();
    store.close().await;
    drop(store);

    let output = run(&["dossier", "5b2c", "--format", "json", "--lang", "fr", "-c", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let dossier: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(dossier["alert"], json!(opened.alert.id));
    assert_eq!(
        (&dossier["language"], &dossier["marking"]),
        (&json!("fr"), &json!("PROJET, non envoyé"))
    );
    let page = folder.path().join("draft.html");
    let output = run(&["dossier", "5b2c1111", "-c", &path, "-o", &page.display().to_string()]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""), "{}", err(&output));
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(
        html.contains("DRAFT, not sent") && html.contains("Maison X") && html.contains("<style")
    );
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&page).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(run(&["dossier", "ffff", "-c", &path]).status.code(), Some(1));
}
