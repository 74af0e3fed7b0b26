//! A running daemon under load whose config is written anew again and again, each time followed by SIGHUP: no event is
//! lost, no alert lost or doubled, connections that did not change stay, and the journal replays what was judged by
//! which config. 20 reloads in `make test`, 1,000 in `make test-long`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_tungstenite::tungstenite::{Message, accept};
use vigie::event::Fuel;
use vigie::store::journal::{Entry, Reader};

use crate::long::{long, rounds};

const CHANNELS: u64 = 6;
/// Messages a second of each feed.
const RATE: u64 = 60;

/// A platform that speaks the wire format: numbered lines from the cursor on, until it is told to stop.
pub struct Platform {
    pub port: u16,
    name: &'static str,
    line: Line,
    /// Lines a second.
    rate: u64,
    pub connections: AtomicU64,
    /// Lines that were ever sent: numbers below it.
    pub sent: AtomicU64,
    pub stop: AtomicBool,
    /// How often it was killed: whoever is connected then is connected no more.
    pub killed: AtomicU64,
}

/// The line of a number, told at a time by a platform of a name.
pub type Line = fn(&str, u64, jiff::Timestamp) -> String;

/// Messages that say nothing much.
fn good_evening(name: &str, n: u64, at: jiff::Timestamp) -> String {
    format!(
        r#"{{"type":"chat","id":"{name}-{n}","at":"{at:.3}","channel":"{name}:{}","user":{{"id":"u{}"}},"text":"good evening number {n}"}}"#,
        n % CHANNELS,
        n % 97,
    )
}

impl Platform {
    pub fn start(name: &'static str, line: Line, rate: u64) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let platform = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            name,
            line,
            rate,
            connections: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            killed: AtomicU64::new(0),
        });
        let serving = platform.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let platform = serving.clone();
                std::thread::spawn(move || platform.serve(stream));
            }
        });
        platform
    }

    /// Until the other side goes.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let killed = self.killed.load(Ordering::SeqCst);
        let mut socket = accept(stream).ok()?;
        let Message::Text(text) = socket.read().ok()? else { return None };
        let asked: Value = serde_json::from_str(&text).ok()?;
        assert_eq!(asked["type"], "subscribe");
        let mut next: u64 = asked["resume"].as_str().map_or(0, |cursor| cursor.parse().unwrap());
        socket.get_mut().set_read_timeout(Some(Duration::from_millis(1))).ok()?;
        while self.killed.load(Ordering::SeqCst) == killed {
            let stop = self.stop.load(Ordering::SeqCst);
            if !stop || next < self.sent.load(Ordering::SeqCst) {
                let text = (self.line)(self.name, next, jiff::Timestamp::now());
                socket.send(Message::text(text)).ok()?;
                next += 1;
                self.sent.fetch_max(next, Ordering::SeqCst);
            }
            if next.is_multiple_of(16) || stop {
                let cursor = format!(r#"{{"type":"cursor","value":"{next}"}}"#);
                socket.send(Message::text(cursor)).ok()?;
            }
            match socket.read() {
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(tokio_tungstenite::tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
            std::thread::sleep(Duration::from_millis(if stop { 50 } else { 1000 / self.rate }));
        }
        None
    }
}

/// The daemon; killed when dropped, its log shown if the test fails.
pub struct Daemon {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Daemon {
    fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &[])
    }

    pub fn start_with(folder: &Path, port: u16, credentials: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["run", "-c"])
            .arg(folder.join("vigie.toml"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .envs(credentials.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let daemon = Self { child, folder: folder.to_owned(), port };
        daemon.until("it is ready", || {
            daemon.get("/readyz").is_some_and(|(status, _)| status == 200)
        });
        daemon
    }

    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The sum of the series of `/metrics` that begin like this.
    pub fn metric(&self, start: &str) -> f64 {
        let (_, page) = self.get("/metrics").unwrap();
        let of = page.lines().filter(|line| line.starts_with(start));
        of.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    pub fn until(&self, what: &str, done: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(120);
        while !done() {
            assert!(Instant::now() < until, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Writes the config, asks for a reload and waits until it is over; gives its outcome.
    fn reload(&self, config: &str) -> &'static str {
        const OUTCOMES: [&str; 3] = ["ok", "partly", "failed"];
        let counts = || {
            OUTCOMES.map(|outcome| {
                self.metric(&format!("vigie_config_reloads_total{{outcome=\"{outcome}\"}}"))
            })
        };
        let before = counts();
        fs::write(self.folder.join("vigie.toml"), config).unwrap();
        self.signal("-HUP");
        self.until("the reload is over", || counts() != before);
        let after = counts();
        OUTCOMES.into_iter().zip(before).zip(after).find(|((_, b), a)| a > b).unwrap().0.0
    }

    pub fn ready(&self) -> String {
        self.get("/readyz").unwrap().1
    }

    pub fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }

    pub fn end(mut self) {
        self.signal("-TERM");
        let until = Instant::now() + Duration::from_secs(60);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it did not end after SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the log ends:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

struct Place {
    folder: tempfile::TempDir,
    port: u16,
    main: Arc<Platform>,
    extra: Arc<Platform>,
}

impl Place {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let [main, extra] = ["main", "extra"].map(|name| Platform::start(name, good_evening, RATE));
        Self { folder: tempfile::tempdir().unwrap(), port, main, extra }
    }

    /// What never changes, then `more`.
    fn config(&self, more: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            "rules = []\n[server]\nlisten = \"127.0.0.1:{}\"\nmetrics_listen = \"\"\n[store]\ndir = \"{folder}/state\"\n\
             [[feed]]\nname = \"main\"\nurl = \"ws://127.0.0.1:{}\"\n\
             [[sink]]\nname = \"all\"\ntype = \"jsonl\"\npath = \"{folder}/alerts.jsonl\"\nheartbeat = \"0s\"\nremind = \"0s\"\n\
             {more}",
            self.port, self.main.port
        )
    }

    /// The config of one round: thresholds, rules, a feed, a sink and a channel come, change and go.
    fn round(&self, n: u64) -> String {
        let mut more = String::new();
        let rule = |name: &str, when: &str, level: &str| {
            format!(
                "[[rule]]\nname = \"{name}\"\nwhen = '{when}'\nlevel = \"{level}\"\nreason = {{ en = \"{name} {n}\" }}\n"
            )
        };
        more += &rule("busy", &format!("chat_messages_60s >= {}", 3 + n % 3), "concern");
        if n % 2 == 1 {
            more += &rule("very-busy", &format!("chat_messages_60s >= {}", 20 + n % 7), "danger");
            more += "[[channel]]\nmatch = \"main:0\"\nlevel_floor = \"watch\"\n";
        }
        if n % 4 != 2 {
            let idle = 50 + n % 2;
            let port = self.extra.port;
            more += &format!(
                "[[feed]]\nname = \"extra\"\nurl = \"ws://127.0.0.1:{port}\"\nidle_timeout = \"{idle}s\"\n"
            );
        }
        if !n.is_multiple_of(3) {
            let folder = self.folder.path().display();
            more += &format!(
                "[[sink]]\nname = \"second\"\ntype = \"jsonl\"\npath = \"{folder}/second.jsonl\"\n"
            );
        }
        more += &format!("[levels]\nwatch = 0.{}\n", 2 + n % 3);
        self.config(&more)
    }

    /// What the sink was told: id and data of each, in order.
    fn told(&self) -> Vec<(String, Value)> {
        let text = fs::read_to_string(self.folder.path().join("alerts.jsonl")).unwrap_or_default();
        text.lines().map(event).collect()
    }
}

fn event(line: &str) -> (String, Value) {
    let mut event: Value = serde_json::from_str(line).unwrap();
    (event["id"].as_str().unwrap().to_owned(), event["data"].take())
}

pub fn has_runtime() -> bool {
    let there = vigie::model::load_runtime(None).is_ok();
    if !there {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
    }
    there
}

#[test]
fn reloads_under_load_lose_no_event_and_no_alert_and_the_journal_knows_which_config_judged() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    fs::write(place.folder.path().join("vigie.toml"), place.round(0)).unwrap();
    let daemon = Daemon::start(place.folder.path(), place.port);
    daemon.until("the first alerts are told", || place.told().len() >= 2);
    let mut memory = 0;
    let all = rounds(20, 1000);
    for n in 1..=all {
        if n % 5 == 4 {
            let broken = place.round(n).replace("chat_messages_60s >=", "chat_distress_60s <");
            assert_eq!(daemon.reload(&broken), "failed");
            assert!(daemon.ready().contains("is refused"), "{}", daemon.ready());
            continue;
        }
        assert_eq!(daemon.reload(&place.round(n)), "ok");
        assert!(!daemon.ready().contains("is refused"), "mended: {}", daemon.ready());
        if n == all / 4 {
            memory = daemon.memory_kib();
        }
    }
    if long() {
        let now = daemon.memory_kib();
        assert!(now < memory + (64 << 10), "{memory} KiB after a quarter, {now} KiB at the end");
        eprintln!("{all} reloads: {memory} KiB after a quarter, {now} KiB at the end");
    }
    // A last one with both feeds, so that each can bring what it has not brought yet.
    assert_eq!(daemon.reload(&place.round(4 * all + 3)), "ok");
    place.main.stop.store(true, Ordering::SeqCst);
    place.extra.stop.store(true, Ordering::SeqCst);
    let of = |platform: &Platform| platform.sent.load(Ordering::SeqCst);
    daemon.until("all events are taken in", || {
        daemon.metric("vigie_feed_events_total{feed=\"main\",kind=\"chat\"}") as u64
            == of(&place.main)
    });
    assert_eq!(
        place.main.connections.load(Ordering::SeqCst),
        1,
        "an unchanged feed stays connected"
    );
    assert!(place.extra.connections.load(Ordering::SeqCst) > 5, "a changed feed is connected anew");
    assert_eq!(
        daemon.metric("vigie_events_dropped_total{kind=\"chat\",reason=\"shed_chat\"}"),
        0.0
    );
    let state = place.folder.path().join("state");
    let both = of(&place.main) + of(&place.extra);
    daemon.until("everything is consumed", || consumed(&state).0.len() as u64 == both);
    daemon.end();

    // Every event was consumed, once.
    let (consumed, terms) = consumed(&state);
    for platform in [&place.main, &place.extra] {
        for n in 0..of(platform) {
            let id = format!("{}-{n}", platform.name);
            assert_eq!(consumed.get(&id), Some(&1), "{id} of {}", of(platform));
        }
    }
    // Rounds between which nothing came share their terms.
    assert!(terms.len() > 2, "rounds are judged by their own terms: {}", terms.len());

    // The journal alone, under a config of no rules, comes to what was told.
    let other = place.folder.path().join("other.toml");
    fs::write(&other, "rules = []\n").unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .args(["replay", "--json", "-c"])
        .args([&other, &state])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let replayed: BTreeMap<String, Value> =
        String::from_utf8(out.stdout).unwrap().lines().map(event).collect();
    assert!(replayed.len() >= CHANNELS as usize, "{}", replayed.len());
    let told = place.told();
    assert!(told.iter().all(|(id, _)| replayed.contains_key(id)), "nothing else is told");
    // What was raised on the way down waits in the store for the next start.
    let daemon = Daemon::start(place.folder.path(), place.port);
    let all_told = || {
        let told: BTreeSet<String> = place.told().into_iter().map(|(id, _)| id).collect();
        replayed.keys().all(|id| told.contains(id))
    };
    daemon.until("the rest is told", all_told);
    daemon.end();
    let told = place.told();
    let ids: BTreeSet<&str> = told.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids.len(), told.len(), "nothing is told twice");
    let told: BTreeMap<String, Value> = told.into_iter().collect();
    for (id, data) in &replayed {
        assert_eq!(told.get(id), Some(data), "{id}");
    }
}

/// How often each event stands in the journal, and digests of the terms in it.
pub fn consumed(state: &Path) -> (BTreeMap<String, u64>, BTreeSet<String>) {
    let mut events: BTreeMap<String, u64> = BTreeMap::new();
    let mut terms = BTreeSet::new();
    for entry in Reader::open(&[state.to_owned()]).unwrap() {
        match entry.unwrap() {
            Entry::Consumed(entry) => {
                if let Fuel::Event { event, .. } = &entry.fuel {
                    *events.entry(event.id.to_string()).or_default() += 1;
                }
            }
            Entry::Terms { digest, .. } => drop(terms.insert(digest)),
            _ => {}
        }
    }
    (events, terms)
}

#[test]
fn keys_that_need_a_restart_wait_and_shadow_mode_shows_everything_and_delivers_nothing() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let rule = "[[rule]]\nname = \"busy\"\nwhen = 'chat_messages_60s >= 3'\nlevel = \"concern\"\nreason = { en = \"Busy.\", fr = \"Actif.\" }\n";
    let shadow = format!("{rule}[alerts]\nmode = \"shadow\"\n");
    fs::write(place.folder.path().join("vigie.toml"), place.config(&shadow)).unwrap();
    let daemon = Daemon::start(place.folder.path(), place.port);
    daemon.until("alerts are shown", || {
        daemon.get("/api/v1/alerts").is_some_and(|(_, body)| body.matches("\"busy\"").count() >= 2)
    });
    assert!(daemon.get("/").unwrap().1.contains("SHADOW"));
    assert_eq!(daemon.metric("vigie_outbox_pending{sink=\"all\"}"), 0.0);
    assert_eq!(place.told(), []);

    let moved = place.config(rule).replace("/state\"", "/elsewhere\"\njournal_keep = \"2h\"");
    assert_eq!(daemon.reload(&moved), "partly");
    let ready = daemon.ready();
    assert!(ready.contains("wait for a restart: store.dir, store.journal_keep"), "{ready}");
    assert!(!daemon.get("/").unwrap().1.contains("SHADOW"), "the rest is taken over");
    let raise = rule.replace("concern", "danger");
    assert_eq!(daemon.reload(&place.config(&raise)), "ok");
    daemon.until("what is raised from now on is told", || {
        place.told().iter().any(|(_, data)| data["level"] == "danger")
    });
    let id = place.told()[0].1["id"].as_str().unwrap().to_owned();
    let dossier =
        |lang: &str| daemon.get(&format!("/api/v1/alerts/{id}/dossier?lang={lang}")).unwrap().1;
    assert!(
        dossier("fr").contains("Actif"),
        "the rule's reason in the dossier's language: {}",
        dossier("fr")
    );
    assert!(dossier("en").contains("Busy"));
    daemon.end();
}
