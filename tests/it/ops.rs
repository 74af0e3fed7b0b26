//! What operators do: feeds tried out and recorded, the audit verified, scenarios held against what is expected, small
//! promises of the command line. The real binary against the simulated platform and a real store.

#[path = "ops/audit.rs"]
mod audit;
#[path = "ops/feeds.rs"]
mod feeds;
#[path = "ops/scenarios.rs"]
mod scenarios;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use vigie::alert::State;
use vigie::event::Level;
use vigie::store::{Commit, Store};

use crate::models::{root, shipped};
use crate::store::change;

pub fn vigie(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    for name in ["VIGIE_CONFIG", "CREDENTIALS_DIRECTORY", "VIGIE_CREDENTIAL_USER_KEY"] {
        command.env_remove(name);
    }
    command
}

pub fn run(args: &[&str]) -> Output {
    vigie(args).output().expect("vigie starts")
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Status and body of a GET; `None` while nobody listens.
pub fn get(port: u16, path: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A child that is killed when dropped.
pub struct Running(pub Child);

impl Running {
    /// SIGINT, as Ctrl-C does it, and what it had said.
    pub fn interrupt(mut self) -> (Option<i32>, String, String) {
        signal(self.0.id(), "-INT");
        let (mut said, mut told) = (String::new(), String::new());
        // Little is said: no pipe fills while the other is read.
        if let Some(out) = &mut self.0.stdout {
            out.read_to_string(&mut said).expect("UTF-8");
        }
        if let Some(err) = &mut self.0.stderr {
            err.read_to_string(&mut told).expect("UTF-8");
        }
        (self.0.wait().expect("it ends").code(), said, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn signal(pid: u32, which: &str) {
    Command::new("kill").args([which, &pid.to_string()]).status().expect("kill runs");
}

pub fn piped(command: &mut Command) -> Running {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("vigie starts"))
}

/// A daemon on a recording of one evening that raises an alert by a rule.
pub struct House {
    pub folder: tempfile::TempDir,
    pub config: PathBuf,
    pub port: u16,
    daemon: Option<Running>,
}

/// Money that a rule takes for too much, with words and a name.
const EVENING: &str = r#"{"type":"stream","id":"s","at":"2026-01-01T20:00:00Z","channel":"test:1","state":"live","title":"essai","language":"fr","country":"FR"}
{"type":"chat","id":"c1","at":"2026-01-01T20:00:01Z","channel":"test:1","user":{"id":"u1","name":"Nom Secret"},"text":"bonsoir"}
{"type":"donation","id":"d1","at":"2026-01-01T20:00:02Z","channel":"test:1","user":{"id":"u2","name":"Nom Secret"},"amount":{"value":"50.00","currency":"EUR"},"source":"tip","text":"frappe-le encore"}
{"type":"chat","id":"c2","at":"2026-01-01T20:00:05Z","channel":"test:1","user":{"id":"u1"},"text":"non"}
"#;

impl House {
    /// Without a daemon so far.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        fs::write(folder.path().join("evening.jsonl"), EVENING).expect("a recording");
        let config = folder.path().join("vigie.toml");
        let file = |name: &str| root().join("config").join(name).display().to_string();
        let text = format!(
            "rules = []\ncategories = \"{}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\nmetrics_listen = \"\"\n\
             [store]\ndir = \"state\"\n[currency]\nfile = \"{}\"\n[authorities]\nfile = \"{}\"\n\
             [[feed]]\nname = \"evening\"\ntype = \"recording\"\npath = \"evening.jsonl\"\nspeed = 0\n\
             [[rule]]\nname = \"much-money\"\nwhen = 'money_eur_10m > 30.0'\nlevel = \"danger\"\nreason = {{ en = \"x\" }}\n",
            file("categories.toml"),
            file("currency.toml"),
            file("authorities.toml"),
        );
        fs::write(&config, text).expect("a config");
        Self { folder, config, port, daemon: None }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A command with this config.
    pub fn vigie(&self, args: &[&str]) -> Command {
        let mut command = vigie(args);
        command.arg("-c").arg(&self.config);
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.vigie(args).output().expect("vigie starts")
    }

    /// Starts the daemon and waits for its first alert; false without models.
    pub fn start(&mut self) -> bool {
        self.start_with(&[])
    }

    /// With these credentials in its environment.
    pub fn start_with(&mut self, environment: &[(&str, &str)]) -> bool {
        if shipped().is_none() {
            return false;
        }
        let log = fs::File::create(self.folder.path().join("log")).expect("a log");
        let mut command = self.vigie(&["run"]);
        command.envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("vigie starts");
        self.daemon = Some(Running(child));
        eventually("an alert", || {
            let (status, body) = get(self.port, "/api/v1/alerts")?;
            (status == 200 && self.json(&body)["items"][0]["id"].is_string()).then_some(())
        });
        true
    }

    pub fn json(&self, body: &[u8]) -> serde_json::Value {
        serde_json::from_slice(body).expect("it is JSON")
    }

    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        signal(daemon.0.id(), "-TERM");
        assert!(daemon.0.wait().expect("it ends").success());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("the daemon's log:\n{log}");
        }
    }
}

#[test]
fn what_finds_no_daemon_makes_no_state_folder_and_says_what_to_do() {
    let house = House::new();
    for args in [
        &["ack", "abcd", "--by", "A", "--why", "b"][..],
        &["close", "abcd", "--by", "A", "--why", "b"],
        &["dossier", "abcd"],
        &["audit", "verify"],
    ] {
        let output = house.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", err(&output));
        for words in ["state", "does not exist", "vigie run", "-c FILE"] {
            assert!(err(&output).contains(words), "{args:?}: {words} in {}", err(&output));
        }
        assert!(!house.state().exists(), "{args:?} made a state folder");
    }
}

#[test]
fn run_refuses_bad_models_as_check_does() {
    if shipped().is_none() {
        return;
    }
    let house = House::new();
    fs::write(house.folder.path().join("manifest.toml"), "schema = 1\nmodel = 5\n")
        .expect("written");
    let text = fs::read_to_string(&house.config).expect("a config");
    fs::write(&house.config, text + "[models]\nmanifest = \"manifest.toml\"\n").expect("written");
    for command in ["check", "run", "replay"] {
        let recording = house.folder.path().join("evening.jsonl").display().to_string();
        let args = if command == "replay" { vec![command, &recording] } else { vec![command] };
        let output = house.run(&args);
        assert_eq!(output.status.code(), Some(2), "{command}: {}", err(&output));
        assert!(err(&output).contains("manifest.toml"), "{command}: {}", err(&output));
    }
    let place = format!("{}:", house.config.display());
    assert!(err(&house.run(&["run"])).contains(&place), "its place in the config");
}

/// The alert wanted is older than the newest 500.
#[tokio::test]
async fn an_alert_is_found_by_the_beginning_of_its_id_among_all() {
    let house = House::new();
    let id = |n: u32, head: u128| uuid::Uuid::from_u128(head << 112 | u128::from(n));
    let mut all = Vec::new();
    for n in 0..620 {
        let mut opened = change(n, 1, Level::Danger, State::Open);
        opened.alert.id = id(n, if n < 1 { 0xfeed } else { 0x5b2c });
        all.push(Commit { change: opened, outbox: Vec::new(), evidence: Vec::new() });
    }
    let store = Store::open(&house.state()).await.expect("a store");
    store.commit_changes(&all).await.expect("committed");
    store.close().await;
    drop(store);
    let found = house.run(&["dossier", "FEED", "--format", "json"]);
    assert_eq!(found.status.code(), Some(0), "{}", err(&found));
    assert_eq!(house.json(&found.stdout)["alert"], id(0, 0xfeed).to_string());
    let many = house.run(&["ack", "5b2c", "--by", "A", "--why", "b"]);
    assert_eq!(many.status.code(), Some(1));
    let said = err(&many);
    assert!(said.contains("several alerts begin with 5b2c"), "{said}");
    assert_eq!(said.matches("kick:").count(), 5, "candidates are named: {said}");
    assert!(said.contains(&id(619, 0x5b2c).to_string()), "the newest first: {said}");
    let none = house.run(&["dossier", "abad"]);
    assert!(err(&none).contains("no alert abad"), "{}", err(&none));
    let short = house.run(&["dossier", "5b"]);
    assert!(err(&short).contains("too short"), "{}", err(&short));
}

#[test]
fn check_names_labels_rules_and_keys_that_are_not_what_one_might_think() {
    if shipped().is_none() {
        return;
    }
    let mut house = House::new();
    let text = fs::read_to_string(&house.config).expect("a config");
    let rules = "[[rule]]\nname = \"armed\"\nwhen = 'picture_weapon_peak_60s > 0.5'\nlevel = \"danger\"\nreason = { en = \"x\" }\n\
                 [[rule]]\nname = \"armed-or-paid\"\nwhen = 'picture_weapon_peak_60s > 0.5 || money_eur_10m > 9000.0'\n\
                 level = \"danger\"\nreason = { en = \"x\" }\n";
    fs::write(&house.config, text + rules).expect("written");
    let report = house.json(&house.run(&["check", "--json"]).stdout);
    assert!(report["labels_without_a_model"].to_string().contains("weapon"), "{report}");
    assert_eq!(report["inactive_rules"], serde_json::json!(["armed"]), "{report}");
    assert_eq!(report["keys"][0]["from"], "first_run", "{report}");
    assert!(house.start());
    house.stop();
    let report = house.json(&house.run(&["check", "--json"]).stdout);
    assert_eq!(report["keys"][0]["from"], "state_folder", "made by the run: {report}");
}

/// Waits until a file holds something.
pub fn grown(path: &Path) {
    eventually("a file that grows", || {
        fs::metadata(path).ok().filter(|meta| meta.len() > 0).map(|_| ())
    });
}
