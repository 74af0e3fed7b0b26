//! The whole daemon between two strangers: a platform written in Python with `websockets` feeds it over TLS and breaks
//! the connection in mid-stream; a receiver with `standardwebhooks` and `cloudevents` judges what it tells; promtool
//! and a browser judge its metrics and its page. Needs what `make test` prepares; without it, it says so and passes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub const TOKEN: &str = "a token of the test";
const SECRET: &str = "whsec_YSBzZWNyZXQgb2YgdGhlIHRlc3QsIGxvbmcgZW5vdWdo";
const CHANNEL: &str = "test:1";

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A child process that tells what happens as JSON lines; killed when dropped.
pub struct Peer {
    child: Child,
    _stdin: ChildStdin,
    lines: Receiver<Value>,
    pub seen: Vec<Value>,
}

impl Peer {
    pub fn start(script: &str, words: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("VIGIE_TEST_PYTHON") else {
            eprintln!("SKIPPED: VIGIE_TEST_PYTHON is not set (make test sets it)");
            return None;
        };
        let mut child = Command::new(python)
            .arg(root().join("tests/peers").join(script))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test Python starts");
        let (stdin, stdout) =
            (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { continue };
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, _stdin: stdin, lines, seen: Vec::new() })
    }

    /// The next line that `wanted` accepts; lines before it are kept in `seen`.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("waited in vain for {what}; before: {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
    }

    pub fn port(&mut self) -> u16 {
        let line = self.wait_for("its port", |line| line["port"].is_u64());
        u16::try_from(line["port"].as_u64().expect("a number")).expect("a port")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The daemon; killed when dropped, its log shown if the test fails.
pub struct Daemon {
    child: Child,
    pub log: PathBuf,
}

impl Daemon {
    pub fn start(folder: &Path, config: &Path) -> Self {
        let log = folder.join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["run", "-c"])
            .arg(config)
            .current_dir(root())
            .env("VIGIE_CREDENTIAL_FEED_TOKEN", TOKEN)
            .env("VIGIE_CREDENTIAL_SINK_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("vigie starts");
        Self { child, log }
    }

    /// SIGTERM, and the exit status.
    pub fn end(&mut self) -> Option<i32> {
        Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        let until = Instant::now() + Duration::from_secs(25);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it did not end within 25 s of SIGTERM");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!(
                "the daemon's log ends:\n{}",
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Status and body of a GET.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

pub fn eventually(what: &str, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The value of a series, written as in the exposition.
pub fn metric(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// A minute of one channel: 60 messages, 5 gifts of 20 EUR. Returns how many events of each kind.
pub fn write_recording(file: &Path) -> BTreeMap<&'static str, u32> {
    let mut lines = vec![
        json!({"type": "stream", "id": "s", "at": "2026-01-01T20:00:00.000Z", "channel": CHANNEL,
        "state": "live", "category": "Just Chatting", "language": "fr", "country": "FR", "title": "essai"}),
    ];
    for n in 1..=60 {
        let at = format!("2026-01-01T20:00:{:02}.{:03}Z", (n - 1) % 60, 500);
        let user = json!({"id": format!("u{}", n % 7), "name": "Nom Secret"});
        lines.push(json!({"type": "chat", "id": format!("c{n}"), "at": at, "channel": CHANNEL, "user": user,
            "text": format!("bonjour à tous, message {n}")}));
        if n % 12 == 0 {
            lines.push(json!({"type": "donation", "id": format!("d{n}"), "at": at, "channel": CHANNEL, "user": user,
                "amount": {"value": "20.00", "currency": "EUR"}, "source": "tip", "text": "frappe-le encore"}));
        }
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file, text).expect("a recording");
    BTreeMap::from([("stream", 1), ("chat", 60), ("donation", 5)])
}

#[test]
fn strangers_feed_it_over_tls_and_verify_what_it_tells() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = |name: &str| folder.path().join(name).display().to_string();
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(here("cert.pem"), made.cert.pem()).expect("it can be written");
    fs::write(here("key.pem"), made.signing_key.serialize_pem()).expect("it can be written");
    let kinds = write_recording(Path::new(&here("recording.jsonl")));

    let words: Vec<String> = [
        "--recording",
        &here("recording.jsonl"),
        "--cert",
        &here("cert.pem"),
        "--key",
        &here("key.pem"),
        "--token",
        TOKEN,
        "--speed",
        "5",
        "--live",
        "--cursor-every",
        "10",
        "--overlap",
        "3",
        "--close-after",
        "30",
    ]
    .map(str::to_owned)
    .to_vec();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(mut platform) = Peer::start("stream_platform.py", &words) else { return };
    let out = here("events.jsonl");
    let receiver =
        Peer::start("receiver.py", &["--secret", SECRET, "--out", &out, "--fail-first", "1"]);
    let mut receiver = receiver.expect("there is a Python");

    let (console, metrics) = (free_port(), free_port());
    let config = folder.path().join("vigie.toml");
    fs::write(&config, config_text(platform.port(), receiver.port(), console, metrics))
        .expect("a config");
    let mut daemon = Daemon::start(folder.path(), &config);

    // The alert arrives although the receiver refused the first request, and satisfies both libraries.
    let told = receiver.wait_for("an alert at danger", |line| line["level"] == "danger");
    assert_eq!(told["problems"], json!([]), "{told}");

    // The connection broke once, and was resumed with the cursor.
    platform.wait_for("the end of the recording", |line| line["done"] == true);
    let subscribed: Vec<&Value> =
        platform.seen.iter().filter(|l| !l["subscribed"].is_null()).collect();
    assert!(subscribed.len() >= 2 && subscribed[0]["resume"].is_null(), "{subscribed:?}");
    assert!(subscribed[1]["resume"].is_string(), "resumed with its cursor: {subscribed:?}");

    // Nothing was lost and nothing counted twice.
    for (kind, count) in &kinds {
        let series = format!("vigie_feed_events_total{{feed=\"python\",kind=\"{kind}\"}}");
        eventually(&format!("{count} of {series}"), || {
            get(metrics, "/metrics").and_then(|(_, text)| metric(&text, &series))
                == Some(f64::from(*count))
        });
    }
    let (status, text) = get(metrics, "/metrics").expect("metrics");
    assert_eq!(status, 200);
    assert!(
        metric(&text, "vigie_feed_reconnects_total{feed=\"python\"}").is_some_and(|n| n >= 1.0),
        "{text}"
    );
    assert!(!text.contains(CHANNEL) && !text.contains("Nom"), "no personal data in metrics");
    families_are_those_documented(&text);
    promtool_accepts(&text);

    // A test of the sink is sent by the daemon itself, marked, and its answer shown.
    let sink_test = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
        command.args(["sink", "test", name, "-c"]).arg(&config).output().expect("vigie starts")
    };
    let output = sink_test("trust");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("with 204") && said.contains("by the running daemon"), "{said}");
    receiver.wait_for("the marked test", |line| line["level"] == "concern");
    let output = sink_test("nobody");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said.contains("no sink `nobody`") && said.contains("trust"), "{said}");

    let (status, body) = get(metrics, "/readyz").expect("readyz");
    assert_eq!(status, 200, "{body}");
    let (_, alerts) = get(console, "/api/v1/alerts").expect("the API");
    let alerts: Value = serde_json::from_str(&alerts).expect("it is JSON");
    assert_eq!(alerts["items"][0]["level"], "danger", "{alerts}");
    browser_accepts(console, folder.path());

    let first: Value = fs::read_to_string(&out)
        .expect("events")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .find(|line| line["data"]["level"] == "danger")
        .expect("the alert was written down");
    assert_eq!(first["data"]["channel"], CHANNEL);
    assert_eq!(first["data"]["rule"], "much-money");
    let weights: f64 = first["data"]["reasons"]
        .as_array()
        .expect("reasons")
        .iter()
        .filter_map(|r| r["weight"].as_f64())
        .sum();
    assert!((weights - 1.0).abs() < 1e-3, "the weights of the reasons add up to {weights}");

    assert_eq!(daemon.end(), Some(0), "SIGTERM ends it well");
    let log = fs::read_to_string(&daemon.log).expect("a log");
    assert!(
        !log.contains("Nom Secret") && !log.contains("frappe-le"),
        "no personal data in the log"
    );
}

fn config_text(platform: u16, receiver: u16, console: u16, metrics: u16) -> String {
    let config = root().join("config");
    let file = |name: &str| config.join(name).display().to_string();
    format!(
        r#"
rules = []
categories = "{categories}"
[server]
listen = "127.0.0.1:{console}"
metrics_listen = "127.0.0.1:{metrics}"
language = "en"
[store]
dir = "state"
[currency]
file = "{currency}"
[authorities]
file = "{authorities}"
[[feed]]
name = "python"
url = "wss://localhost:{platform}"
ca = "cert.pem"
token = {{ credential = "feed-token" }}
[[sink]]
name = "trust"
url = "http://127.0.0.1:{receiver}/"
secret = {{ credential = "sink-secret" }}
[[rule]]
name = "much-money"
when = 'money_eur_10m > 30.0'
level = "danger"
reason = {{ en = "Much money in little time.", fr = "Beaucoup d'argent en peu de temps." }}
"#,
        categories = file("categories.toml"),
        currency = file("currency.toml"),
        authorities = file("authorities.toml"),
    )
}

/// Every family of docs/metrics.md is exposed, with its type, and no other is.
fn families_are_those_documented(text: &str) {
    let pairs = |text: &str,
                 words: fn(&str) -> Option<(String, String)>|
     -> BTreeMap<String, String> { text.lines().filter_map(words).collect() };
    let exposed = pairs(text, |line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some((name.to_owned(), kind.to_owned()))
    });
    let documented =
        pairs(&fs::read_to_string(root().join("docs/metrics.md")).expect("docs"), |line| {
            let cells: Vec<&str> =
                line.strip_prefix("| `vigie_")?.split('|').map(str::trim).collect();
            Some((format!("vigie_{}", cells[0].trim_matches('`')), cells[1].to_owned()))
        });
    let differ: Vec<String> = exposed
        .iter()
        .filter(|(name, kind)| documented.get(*name) != Some(kind))
        .map(|(name, kind)| {
            format!("{name} ({kind}) is exposed, docs/metrics.md says {:?}", documented.get(name))
        })
        .chain(
            documented
                .keys()
                .filter(|n| !exposed.contains_key(*n))
                .map(|n| format!("{n} is not exposed")),
        )
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

fn promtool_accepts(text: &str) {
    let Some(promtool) = std::env::var_os("VIGIE_PROMTOOL") else {
        eprintln!("SKIPPED: VIGIE_PROMTOOL is not set (make test sets it)");
        return;
    };
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool check metrics:\n{said}");
}

fn browser_accepts(console: u16, folder: &Path) {
    if std::env::var_os("VIGIE_CHROMIUM").is_none() {
        eprintln!("SKIPPED: VIGIE_CHROMIUM is not set (make test sets it)");
        return;
    }
    let shots =
        std::env::var_os("VIGIE_SCREENSHOTS").map_or_else(|| folder.join("page"), PathBuf::from);
    let output = Command::new("node")
        .arg(root().join("tests/peers/page.mjs"))
        .arg(format!("http://127.0.0.1:{console}/"))
        .arg(&shots)
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the page in a browser:\n{said}");
    let seen: Value =
        serde_json::from_str(said.lines().last().unwrap_or_default()).expect("it tells JSON");
    assert!(seen["alert"].is_string(), "the page shows the alert: {said}");
}
