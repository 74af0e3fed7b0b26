//! The daemon killed by SIGKILL, at random instants and at each named step around a commit, over a paced feed that
//! resumes: what it tells, and what its store holds, are those of a run that was never interrupted. Seeds are printed;
//! `VIGIE_SEED` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use vigie::cli::replay::replay;
use vigie::cli::setup;
use vigie::config::Config;
use vigie::sim::Scenario;
use vigie::telemetry::STEPS;

use crate::long::rounds;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Events between two cursors.
const CURSOR_EVERY: usize = 7;
/// Events told again after a resume, as some platforms do.
const OVERLAP: usize = 3;
/// Recorded seconds in a second.
const SPEED: f64 = 300.0;

/// A platform that plays a recording to each client from the client's cursor on, at a pace of its own, and goes back
/// as far as it is asked.
pub struct Platform {
    lines: Vec<(i64, String)>,
    speed: f64,
    /// How far it has got with the client that is connected now.
    place: AtomicUsize,
    /// It tells no more than so many events.
    until: AtomicUsize,
}

impl Platform {
    fn read(recording: &Path, speed: f64) -> Self {
        let text = std::fs::read_to_string(recording).expect("a recording");
        let mut last = 0;
        let line = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let at: jiff::Timestamp =
                event["at"].as_str().expect("a time").parse().expect("a time");
            last = at.as_millisecond().max(last);
            (last, line.to_owned())
        };
        let lines = text.lines().map(line).collect();
        Self { lines, speed, place: AtomicUsize::new(0), until: AtomicUsize::new(usize::MAX) }
    }

    /// Tells no more than the first `events` until told otherwise.
    pub fn hold_at(&self, events: usize) {
        self.until.store(events, Ordering::Relaxed);
    }

    /// How many events it has told the client that is connected.
    pub fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    async fn listen(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let platform = self.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let platform = platform.clone();
                // A client that is killed ends its connection; that is the point.
                tokio::spawn(async move { platform.play(socket).await });
            }
        });
        url
    }

    async fn play(&self, socket: TcpStream) -> Option<()> {
        let _ = socket.set_nodelay(true);
        let (mut out, mut back) = tokio_tungstenite::accept_async(socket).await.ok()?.split();
        let asked = back.next().await?.ok()?.into_text().ok()?;
        let asked: serde_json::Value = serde_json::from_str(asked.as_str()).ok()?;
        let cursor = asked["resume"].as_str().and_then(|cursor| cursor.parse().ok());
        let place: usize = cursor.unwrap_or(0usize).saturating_sub(OVERLAP);
        let listening = tokio::spawn(async move { while let Some(Ok(_)) = back.next().await {} });
        let begun = Instant::now();
        let from = self.lines.get(place).map_or(0, |line| line.0);
        for (n, (at, line)) in self.lines.iter().enumerate().skip(place) {
            let ahead = Duration::from_secs_f64((at - from) as f64 / 1000.0 / self.speed);
            if let Some(wait) = ahead.checked_sub(begun.elapsed()) {
                tokio::time::sleep(wait).await;
            }
            while n >= self.until.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            out.send(Message::text(line.as_str())).await.ok()?;
            self.place.store(n + 1, Ordering::Relaxed);
            if (n + 1) % CURSOR_EVERY == 0 || n + 1 == self.lines.len() {
                let cursor = serde_json::json!({"type": "cursor", "value": (n + 1).to_string()});
                out.send(Message::text(cursor.to_string())).await.ok()?;
            }
        }
        listening.await.ok()
    }
}

/// A webhook receiver that keeps the id of what it accepted, and whether it was said to be durable.
#[derive(Clone, Default)]
pub struct Receiver(Arc<Mutex<Vec<(String, bool)>>>);

impl Receiver {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let seen = self.0.clone();
        let take = move |headers: HeaderMap, body: String| async move {
            let id = headers["webhook-id"].to_str().expect("ASCII").to_owned();
            let event: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            seen.lock().push((id, event["data"]["durable"].as_bool().expect("a bool")));
        };
        let app = axum::Router::new().route("/", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    pub fn all(&self) -> Vec<(String, bool)> {
        self.0.lock().clone()
    }

    fn ids(&self) -> BTreeSet<String> {
        self.all().into_iter().map(|(id, _)| id).collect()
    }
}

/// What a house is made for.
pub struct Plan<'a> {
    pub recording: &'a Path,
    /// Recorded seconds in a second.
    pub speed: f64,
    /// `[store] checkpoint`.
    pub checkpoint: &'a str,
    /// The feed's `clock`.
    pub clock: &'a str,
    /// Rules of its own, at the top of the config; empty: those of the project.
    pub rules: &'a str,
}

/// A state folder with its config, a platform and a receiver: what lives on while daemons die.
pub struct House {
    folder: tempfile::TempDir,
    pub receiver: Receiver,
    pub platform: Arc<Platform>,
    port: u16,
}

/// A daemon; killed when dropped.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(house: &House, faults: &str) -> Self {
        Self(house.start(faults))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().expect("our child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl House {
    pub async fn new(plan: &Plan<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let receiver = Receiver::default();
        let platform = Arc::new(Platform::read(plan.recording, plan.speed));
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = port.local_addr().expect("an address").port();
        let (head, rules) = plan.rules.split_once('\n').unwrap_or_default();
        let config = format!(
            "{head}\n[server]\nlisten = \"127.0.0.1:{port}\"\nmetrics_listen = \"\"\npublic_url = \"http://vigie.test\"\n\
             [store]\ndir = \"state\"\ncheckpoint = \"{}\"\n\
             [[feed]]\nname = \"platform\"\nurl = \"{}\"\nclock = \"{}\"\n\
             [[sink]]\nname = \"trust\"\nurl = \"{}\"\nsecret = {{ credential = \"sink-secret\" }}\n\
             remind = \"0s\"\nheartbeat = \"0s\"\n{rules}",
            plan.checkpoint,
            platform.listen().await,
            plan.clock,
            receiver.listen().await,
        );
        std::fs::write(folder.path().join("vigie.toml"), config).expect("a config");
        Self { folder, receiver, platform, port }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("vigie.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// `vigie` with the house's config and credentials.
    pub fn vigie(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
        command
            .args(words)
            .arg("-c")
            .arg(self.config())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("VIGIE_CREDENTIAL_SINK_SECRET", SECRET)
            .env("VIGIE_CREDENTIAL_USER_KEY", "the same in every run, so that digests are")
            .stdin(Stdio::null());
        command
    }

    fn start(&self, faults: &str) -> Child {
        let path = self.folder.path().join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log");
        let mut command = self.vigie(&["run"]);
        command.env("VIGIE_FAULTS", faults).stdout(Stdio::null()).stderr(log);
        command.spawn().expect("vigie starts")
    }

    /// A run that must end by itself: its exit code and what it said.
    pub fn run_in_vain(&self) -> (Option<i32>, String) {
        let mut command = self.vigie(&["run"]);
        let mut daemon = Daemon(command.stderr(Stdio::piped()).spawn().expect("vigie starts"));
        let until = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = daemon.0.try_wait().expect("our child") {
                break status;
            }
            assert!(Instant::now() < until, "it did not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        let mut stderr = daemon.0.stderr.take().expect("piped");
        std::io::Read::read_to_string(&mut stderr, &mut said).expect("UTF-8");
        (status.code(), said)
    }

    /// Status and body of a GET; `None` while nobody listens.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let host = format!("127.0.0.1:{}", self.port);
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines()
            .rev()
            .take(30)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The database, read beside a running daemon; nothing before it has made it.
    pub async fn database(&self) -> Option<SqliteConnection> {
        let url = format!("sqlite://{}/vigie.db", self.state().display());
        SqliteConnection::connect(&url).await.ok()
    }

    /// Runs to the end: the last cursor is saved and no message waits.
    async fn finish(&self) {
        let mut daemon = self.start("");
        let mut patience = Patience::new("for the end");
        while !self.finished().await {
            patience.waits(self);
            assert!(daemon.try_wait().expect("our child").is_none(), "it ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        daemon.kill().expect("SIGKILL");
        daemon.wait().expect("our child");
    }

    /// The cursor that the store holds; 0 before the first.
    async fn saved(&self) -> usize {
        let Some(mut db) = self.database().await else { return 0 };
        let row = sqlx::query("SELECT resume FROM feed_marks").fetch_one(&mut db).await;
        let resume: Option<String> = row.ok().and_then(|row| row.get("resume"));
        resume.and_then(|resume| resume.parse().ok()).unwrap_or(0)
    }

    pub async fn finished(&self) -> bool {
        let Some(mut db) = self.database().await else { return false };
        let sql = "SELECT (SELECT resume FROM feed_marks) AS resume, \
                   (SELECT COUNT(*) FROM outbox WHERE state = 'pending') AS waiting";
        let Ok(row) = sqlx::query(sql).fetch_one(&mut db).await else { return false };
        let resume: Option<String> = row.get("resume");
        resume == Some(self.platform.lines.len().to_string()) && row.get::<i64, _>("waiting") == 0
    }

    /// Every revision of every alert, whole.
    pub async fn revisions(&self) -> BTreeMap<(String, i64), String> {
        let mut db = self.database().await.expect("a database");
        let rows = sqlx::query("SELECT alert, revision, body FROM alert_revisions");
        let rows = rows.fetch_all(&mut db).await.expect("revisions");
        rows.iter().map(|row| ((row.get("alert"), row.get("revision")), row.get("body"))).collect()
    }

    /// What a replay of the journal tells, from segment number `from` on: of each revision its id and all of it.
    fn replayed(&self, config: &Config, from: usize) -> BTreeSet<(String, String)> {
        let mut told = BTreeSet::new();
        let done = replay(&self.segments()[from..], config, 1, &mut |change| {
            let id = format!("{}-{}", change.alert.id, change.alert.revision);
            told.insert((id, serde_json::to_string(change).expect("JSON")));
        });
        done.unwrap_or_else(|error| panic!("the journal cannot be replayed: {error}"));
        told
    }

    /// The journal's segments, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.state().join("journal")).expect("a journal");
        let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("a file").path()).collect();
        files.sort();
        files
    }
}

/// Waits as long as it takes, since a machine may be busy with other things, and says every minute for what.
struct Patience {
    what: &'static str,
    minutes: u64,
    begun: Instant,
}

impl Patience {
    fn new(what: &'static str) -> Self {
        Self { what, minutes: 1, begun: Instant::now() }
    }

    fn waits(&mut self, house: &House) {
        if self.begun.elapsed().as_secs() >= 60 * self.minutes {
            let (what, minutes, place) = (self.what, self.minutes, house.platform.place());
            eprintln!("waiting {what}, {minutes} min, at event {place}:\n{}", house.log());
            assert!(minutes < 60, "it hangs");
            self.minutes += 1;
        }
    }
}

/// When a life of the daemon ends.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// At a named step, the so-and-so-many-th time that it is reached.
    Step(&'static str, u32),
    /// So long after its start, most often before it is ready.
    Early(Duration),
    /// When the platform has told so many events more, and so long after.
    Events(usize, Duration),
}

/// True if it died at the step that was asked for.
async fn live_and_die(house: &House, death: Death) -> bool {
    let plan = match death {
        Death::Step(step, time) => format!("{step}=kill@{time}"),
        _ => String::new(),
    };
    let place = || house.platform.place();
    let (begun, from) = (Instant::now(), place());
    let mut patience = Patience::new("for a death");
    house.platform.place.store(0, Ordering::Relaxed);
    let nearly = house.platform.lines.len() * 9 / 10;
    // A step that is not reached before the evening is nearly over: any instant is good. What is left waits for the next
    // life, however far a platform that does not wait would be ahead of a busy daemon.
    house.platform.hold_at(nearly);
    let mut daemon = house.start(&plan);
    loop {
        if let Some(status) = daemon.try_wait().expect("our child") {
            assert!(status.code().is_none(), "it ended by itself, {status}:\n{}", house.log());
            house.platform.hold_at(usize::MAX);
            return true;
        }
        let after = match death {
            Death::Early(after) => begun.elapsed() >= after,
            Death::Events(more, _) => place() >= (from + more).min(nearly),
            Death::Step(..) => place() >= nearly && house.saved().await + CURSOR_EVERY > nearly,
        };
        if after {
            break;
        }
        patience.waits(house);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    if let Death::Events(_, after) = death {
        tokio::time::sleep(after).await;
    }
    daemon.kill().expect("SIGKILL");
    daemon.wait().expect("our child");
    house.platform.hold_at(usize::MAX);
    false
}

/// What a bad disk may do to what a dead daemon left; most often nothing.
async fn harm(house: &House, random: &mut StdRng) -> Option<&'static str> {
    match random.random_range(0..12) {
        0..3 => {
            let journal = newest(&house.state().join("journal"))?;
            cut(&journal, random);
            Some("the journal's tail was cut")
        }
        3 => {
            let mut db = house.database().await?;
            for sql in ["DELETE FROM channel_state", "DELETE FROM feed_marks", "DELETE FROM meta"] {
                sqlx::query(sql).execute(&mut db).await.ok()?;
            }
            Some("the checkpoint was lost")
        }
        4..6 => {
            let pack = newest(&house.state().join("evidence/recent"))?;
            cut(&pack, random);
            Some("recent evidence was cut")
        }
        6 => {
            let folders = std::fs::read_dir(house.state().join("evidence")).ok()?;
            let mut folders = folders.filter_map(|entry| Some(entry.ok()?.path()));
            let folder =
                folders.find(|path| path.file_name().is_some_and(|name| name.len() == 2))?;
            cut(&newest(&folder)?, random);
            Some("a piece of evidence was cut")
        }
        _ => None,
    }
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.max()
}

fn cut(file: &Path, random: &mut StdRng) {
    let file = std::fs::File::options().write(true).open(file).expect("a file");
    let bytes = file.metadata().expect("its length").len();
    let left = bytes.saturating_sub(random.random_range(1..2_000));
    file.set_len(left).expect("it can be cut");
}

fn recording(folder: &Path) -> PathBuf {
    let path = folder.join("evening.jsonl");
    let scenario = Scenario::by_name("paid-violence-en").expect("a scenario");
    let channel = scenario.channels()[0].to_owned();
    scenario
        .only(&[&channel])
        .write_recording(&path, Duration::from_secs(120))
        .expect("a recording");
    // Half of the chat is enough; and time goes on a little at the end, so that the last look closes.
    let text = std::fs::read_to_string(&path).expect("a recording");
    let mut chat = 0;
    let kept = text.lines().filter(|line| {
        chat += usize::from(line.contains("\"type\":\"chat\""));
        !line.contains("\"type\":\"chat\"") || chat % 2 == 0
    });
    let text: String = kept.map(|line| format!("{line}\n")).collect();
    let last: serde_json::Value =
        serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    let at: jiff::Timestamp = last["at"].as_str().expect("a time").parse().expect("a time");
    let after = (1..=2).map(|n| {
        let at = at + jiff::SignedDuration::from_secs(10 * n);
        let event = serde_json::json!({"type": "chat", "id": format!("after-{n}"), "at": at,
            "channel": channel, "user": {"id": "late"}, "text": "bye"});
        format!("{event}\n")
    });
    std::fs::write(&path, text + &after.collect::<String>()).expect("a recording");
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_it_is_killed_it_tells_what_an_uninterrupted_run_tells() {
    if vigie::model::load_runtime(None).is_err() {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let recording = recording(folder.path());
    let plan = |speed| Plan {
        recording: &recording,
        speed,
        checkpoint: "100ms",
        clock: "data",
        rules: "",
    };
    let whole = House::new(&plan(f64::MAX)).await;
    whole.finish().await;
    let (want, told) = (whole.revisions().await, whole.receiver.ids());
    assert!(want.len() >= 2, "something happens: {:?}", want.keys());
    assert_eq!(told.len(), want.len(), "each revision is told: {told:?}");

    let kills = rounds(10, 1_000);
    let seed = std::env::var("VIGIE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| rounds(1, rand::random::<u32>().into()));
    eprintln!("VIGIE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut done, mut struck) = (0, BTreeMap::<&str, u32>::new());
    let mut steps = STEPS.into_iter().cycle();
    let (begun, deadline) = (Instant::now(), crate::long::deadline());
    let over = || deadline.is_some_and(|deadline| Instant::now() > deadline);
    while done < kills && !over() {
        let house = House::new(&plan(SPEED)).await;
        let mut deaths = Vec::new();
        for _ in 0..10.min(kills - done) {
            // Six of ten at a step, each step in its turn; the others at any instant.
            let death = match random.random_range(0..10) {
                0..6 => {
                    let step = steps.next().expect("a cycle");
                    // Alerts are few: the next one. Checkpoints and lines are many.
                    let most = match step.split_once('.') {
                        Some(("checkpoint", _)) => 4,
                        Some(("journal", "line")) => 300,
                        _ => 1,
                    };
                    Death::Step(step, random.random_range(1..=most))
                }
                6 => Death::Early(Duration::from_millis(random.random_range(0..400))),
                _ => Death::Events(
                    random.random_range(0..whole.platform.lines.len() / 8),
                    Duration::from_micros(random.random_range(0..30_000)),
                ),
            };
            if live_and_die(&house, death).await
                && let Death::Step(step, _) = death
            {
                *struck.entry(step).or_default() += 1;
            }
            let harm = harm(&house, &mut random).await;
            deaths.push((death, harm));
            done += 1;
        }
        house.finish().await;
        let came = house.revisions().await;
        let (missing, more) = difference(&want, &came);
        assert!(
            missing.is_empty() && more.is_empty(),
            "VIGIE_SEED={seed}, after {done} kills, {deaths:?}\nmissing or other: {missing:#?}\nmore: {more:#?}\n{}",
            house.log()
        );
        assert_eq!(house.receiver.ids(), told, "VIGIE_SEED={seed}, {deaths:?}");
        // The journal, from any segment on: what it tells is told as it was.
        let mut before: Option<BTreeSet<(String, String)>> = None;
        let config = setup::config(&house.config()).unwrap_or_else(|errors| panic!("{errors}"));
        let segments = house.segments().len();
        for from in (0..segments).step_by(rounds(4, 1) as usize) {
            let replayed = house.replayed(&config, from);
            let whole = before.get_or_insert_with(|| replayed.clone());
            let strange: Vec<&(String, String)> = replayed.difference(whole).collect();
            assert!(
                strange.is_empty(),
                "VIGIE_SEED={seed}, from segment {from}, {deaths:?}: {strange:#?}"
            );
        }
        let torn =
            deaths.iter().any(|(_, harm)| harm.is_some_and(|harm| harm.starts_with("the journal")));
        let ids: BTreeSet<String> = before.into_iter().flatten().map(|(id, _)| id).collect();
        let right = if torn { ids.is_subset(&told) } else { ids == told };
        assert!(right, "the journal, VIGIE_SEED={seed}, {deaths:?}: {ids:?}");
        eprintln!("{done} kills in {:.0} s", begun.elapsed().as_secs_f32());
    }
    eprintln!("{done} kills, at steps: {struck:?}");
    let least = if over() { 1 } else { rounds(2, STEPS.len() as u64) as usize };
    assert!(struck.len() >= least, "the steps were reached: {struck:?}");
}

type Revisions = BTreeMap<(String, i64), String>;

/// Revisions that are not there as they should be, and revisions that should not be.
fn difference(want: &Revisions, came: &Revisions) -> (Vec<String>, Vec<String>) {
    let missing = want.iter().filter(|(key, body)| came.get(*key) != Some(*body));
    let missing = missing.map(|(key, body)| {
        format!("{key:?}: {body}\n  but: {}", came.get(key).map_or("nothing", String::as_str))
    });
    let more = came.keys().filter(|key| !want.contains_key(*key)).map(|key| format!("{key:?}"));
    (missing.collect(), more.collect())
}
