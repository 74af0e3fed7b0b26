//! What the benchmarks of the whole daemon share: the same binary's `run` as a process of its own in a folder of its
//! own, a platform that feeds it over a real socket at a given rate, and a receiver of its webhooks. Everything ends
//! and the folder goes when the rig is dropped.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::material;
use crate::event::Timestamp;
use crate::model::{Manifest, Message, Scorer};

/// A wait that has no other end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The platform sends what is due at this pace.
const BEAT: Duration = Duration::from_millis(2);
/// A round of looks at every channel.
const ROUND_MS: u64 = 20_000;
/// Texts that are drawn from; none of them raises anything.
const TEXTS: usize = 50_000;
/// Sentences that a chat model should find harmful; the surest is used.
const HARMFUL: [&str; 4] = [
    "I will find you and kill you tonight, I know where you live",
    "je vais te tuer ce soir, je sais où tu habites",
    "I will kill you",
    "on va te retrouver et te tuer",
];
const SECRET: &str = "whsec_YSBzZWNyZXQgb2YgdGhlIGJlbmNobWFya3MsIGxvbmc=";

/// A folder that goes when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Result<Self, String> {
        let name = format!("vigie-bench-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A text that the chat model of the manifest finds threatening, and its score.
pub fn harmful(manifest: &Manifest) -> Result<&'static str, String> {
    let mut scorer = Scorer::open(manifest).map_err(|error| error.to_string())?;
    let messages: Vec<Message> = HARMFUL
        .iter()
        .map(|text| Message { text: (*text).into(), paid: false, setting: Default::default() })
        .collect();
    let scores = scorer.messages(&messages).map_err(|error| error.to_string())?;
    let threat = |place: &usize| scores[*place].own.chat(crate::event::ChatLabel::Threat);
    (0..HARMFUL.len())
        .filter(|place| threat(place).is_some_and(|score| score >= 0.6))
        .max_by(|a, b| threat(a).partial_cmp(&threat(b)).unwrap_or(std::cmp::Ordering::Equal))
        .map(|place| HARMFUL[place])
        .ok_or_else(|| "the chat model finds none of the known threats threatening".into())
}

/// A daemon under way.
pub struct Daemon {
    child: Child,
    /// Its page and metrics.
    pub address: SocketAddr,
    /// From the start of the process to the line that says so.
    pub ready_after: Duration,
    pub began: Instant,
}

impl Daemon {
    /// Starts `vigie run` on `folder/vigie.toml` and waits until it says that it is ready. The config is the default
    /// with the given feed and sink, one rule more, and `more`.
    pub fn start(
        folder: &Path,
        manifest: &Manifest,
        feed: SocketAddr,
        sink: SocketAddr,
        more: &str,
    ) -> Result<Self, String> {
        let models = manifest.dir.join("manifest.toml");
        let config = format!(
            r#"[server]
listen = "127.0.0.1:0"
metrics_listen = ""
[store]
dir = "state"
[alerts]
storm = 1000000
[models]
manifest = {models:?}
[[feed]]
name = "platform"
type = "websocket"
url = "ws://{feed}/"
[[sink]]
name = "team"
type = "webhook"
url = "http://{sink}/"
secret = {{ credential = "bench-sink" }}
[[rule]]
name = "bench-threat"
when = "chat_threat_peak_60s >= 0.5"
level = "danger"
reason = {{ en = "A threat." }}
{more}"#
        );
        let path = folder.join("vigie.toml");
        std::fs::write(&path, config).map_err(|e| format!("{}: {e}", path.display()))?;
        let binary = std::env::current_exe().map_err(|e| format!("this binary: {e}"))?;
        let began = Instant::now();
        let mut child = Command::new(binary)
            .args(["run", "-c"])
            .arg(&path)
            .env("VIGIE_CREDENTIAL_BENCH_SINK", SECRET)
            .env("RUST_LOG", "info")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("vigie run: {e}"))?;
        let Some(stderr) = child.stderr.take() else { return Err("no log of vigie run".into()) };
        let (told, ready) = std::sync::mpsc::channel();
        // Reads to the end, so that the daemon never waits for its log.
        std::thread::spawn(move || {
            let mut said = String::new();
            let mut told = Some(told);
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if value["level"] == "ERROR" {
                    eprintln!("vigie run: {line}");
                }
                if said.len() < 4096 && told.is_some() {
                    said.push_str(&line);
                    said.push('\n');
                }
                if let Some(console) = value["console"].as_str()
                    && let Some(told) = told.take()
                {
                    // The one who waits may have given up.
                    let _ = told.send(Ok((console.to_owned(), began.elapsed())));
                }
            }
            if let Some(told) = told {
                let _ = told.send(Err(said));
            }
        });
        let ready = ready.recv_timeout(PATIENCE);
        let mut daemon = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            ready_after: Duration::ZERO,
            began,
        };
        let (console, after) = match ready {
            Ok(Ok(ready)) => ready,
            Ok(Err(said)) => return Err(format!("vigie run ended before it was ready:\n{said}")),
            Err(_) => return Err("vigie run was not ready within a minute".into()),
        };
        let address = console.strip_prefix("http://").and_then(|address| address.parse().ok());
        daemon.address = address.ok_or_else(|| format!("vigie run listens at `{console}`"))?;
        daemon.ready_after = after;
        Ok(daemon)
    }

    /// The samples of `/metrics` now, by series as written there.
    pub async fn metrics(&self) -> Result<Metrics, String> {
        let url = format!("http://{}/metrics", self.address);
        let answer = async { reqwest::get(&url).await?.text().await };
        let text = answer.await.map_err(|e| format!("{url}: {e}"))?;
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        };
        Ok(Metrics(text.lines().filter(|l| !l.starts_with('#')).filter_map(sample).collect()))
    }

    /// Time that its threads were on a core so far, by the name of the thread (numbers at its end left out), in
    /// seconds. Empty where the system does not tell.
    pub fn on_core(&self) -> HashMap<String, f64> {
        let mut out = HashMap::new();
        let tasks = format!("/proc/{}/task", self.child.id());
        for task in std::fs::read_dir(tasks).into_iter().flatten().flatten() {
            let read = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
            let (Some(name), Some(stat)) = (read("comm"), read("schedstat")) else { continue };
            let nanos: f64 =
                stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0.0);
            let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            *out.entry(name.to_owned()).or_default() += nanos / 1e9;
        }
        out
    }

    /// Memory that it holds, bytes; 0 where the system does not tell.
    pub fn resident(&self) -> u64 {
        resident(self.child.id())
    }
}

/// Memory that a process holds, bytes; 0 where the system does not tell.
pub fn resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Samples of `/metrics`.
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    /// Messages and looks that were shed.
    pub fn shed(&self) -> f64 {
        self.sum("vigie_events_dropped_total", &["reason=\"shed_"])
    }

    /// The sum of a family's series whose labels hold all of `with`.
    pub fn sum(&self, family: &str, with: &[&str]) -> f64 {
        self.0
            .iter()
            .filter(|(series, _)| series.split('{').next() == Some(family))
            .filter(|(series, _)| with.iter().all(|label| series.contains(label)))
            .map(|(_, value)| value)
            .sum()
    }
}

/// A platform with one client at a time.
pub struct Platform {
    listener: TcpListener,
}

pub type Socket = WebSocketStream<TcpStream>;

impl Platform {
    pub async fn bind() -> Result<Self, String> {
        // For the HTTP clients; it may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Ok(Self { listener: listener.map_err(|e| format!("listening: {e}"))? })
    }

    pub fn address(&self) -> Result<SocketAddr, String> {
        self.listener.local_addr().map_err(|e| format!("listening: {e}"))
    }

    /// The next client, once it has subscribed.
    pub async fn client(&self) -> Result<Socket, String> {
        let subscribed = async {
            let (socket, _) = self.listener.accept().await.map_err(|e| e.to_string())?;
            let _ = socket.set_nodelay(true);
            let mut socket =
                tokio_tungstenite::accept_async(socket).await.map_err(|e| e.to_string())?;
            match socket.next().await {
                Some(Ok(Frame::Text(_))) => Ok(socket),
                other => Err(format!("instead of a subscription: {other:?}")),
            }
        };
        let client = tokio::time::timeout(PATIENCE, subscribed).await;
        client.map_err(|_| "nobody subscribed within a minute".to_owned())?
    }
}

/// Chat of many channels, written as it is sent: times are the clock's.
pub struct Traffic {
    dice: ChaCha8Rng,
    texts: Vec<String>,
    channels: Channels,
    sent: u64,
    line: String,
}

/// Which channel a message is of: as channels' sizes are in life, the n-th has 1/n of the first one's chat.
struct Channels(Vec<f64>);

impl Channels {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let mut sums: Vec<f64> = (1..=count.max(1)).map(|n| 1.0 / n as f64).collect();
        sums.iter_mut().for_each(|own| {
            sum += *own;
            *own = sum;
        });
        sums.iter_mut().for_each(|own| *own /= sum);
        Self(sums)
    }

    fn draw(&self, dice: &mut ChaCha8Rng) -> usize {
        let at: f64 = dice.random_range(0.0..1.0);
        self.0.partition_point(|sum| *sum < at).min(self.0.len() - 1)
    }
}

impl Traffic {
    pub fn new(channels: usize) -> Self {
        let mut dice = material::dice(11);
        let texts = (0..TEXTS).map(|_| material::words(&mut dice)).collect();
        Self { dice, texts, channels: Channels::new(channels), sent: 0, line: String::new() }
    }

    /// The next message; 1 in 50 is paid.
    pub fn next(&mut self) -> &str {
        let channel = self.channels.draw(&mut self.dice);
        let text = self.dice.random_range(0..self.texts.len());
        let user = self.dice.random_range(0..50_000u32);
        let euros = self.dice.random_range(0..50u32) == 0;
        self.sent += 1;
        let (id, at, text) = (self.sent, super::super::setup::clock(), &self.texts[text]);
        self.line.clear();
        let head = Head { id, at, channel: format_args!("bench:{channel}") };
        // Writing to a string does not fail.
        let _ = if euros {
            write!(
                self.line,
                r#"{{"type":"donation",{head},"user":{{"id":"u{user}","name":"viewer_{user}"}},"amount":{{"value":"2.00","currency":"EUR"}},"source":"tip","text":"{text}"}}"#
            )
        } else {
            write!(
                self.line,
                r#"{{"type":"chat",{head},"user":{{"id":"u{user}","name":"viewer_{user}","roles":["subscriber"]}},"text":"{text}"}}"#
            )
        };
        &self.line
    }

    /// A message with a text of its own, in a channel of its own.
    pub fn said(&mut self, channel: &str, text: &str) -> String {
        self.sent += 1;
        let head = Head {
            id: self.sent,
            at: super::super::setup::clock(),
            channel: format_args!("{channel}"),
        };
        format!(r#"{{"type":"chat",{head},"user":{{"id":"v","name":"viewer"}},"text":"{text}"}}"#)
    }
}

struct Head<'a> {
    id: u64,
    at: Timestamp,
    channel: std::fmt::Arguments<'a>,
}

impl std::fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, r#""id":"m{}","at":"{}","channel":"{}""#, self.id, self.at, self.channel)
    }
}

/// Looks of eight pictures at every channel each twenty seconds, spread evenly.
pub struct Pictures {
    shots: Vec<Bytes>,
    /// Milliseconds after the round's begin, channel, number in its look; in order of time.
    round: Vec<(u64, usize, usize)>,
    began: Instant,
    next: u64,
}

impl Pictures {
    pub fn new(channels: usize) -> Self {
        let frames = (0..channels).flat_map(|channel| (0..8).map(move |n| (channel, n)));
        let every = ROUND_MS / channels.max(1) as u64;
        let mut round: Vec<_> = frames
            .map(|(channel, n)| ((channel as u64 * every + n as u64 * 250) % ROUND_MS, channel, n))
            .collect();
        round.sort_unstable();
        Self { shots: material::pictures(32), round, began: Instant::now(), next: 0 }
    }

    /// The next picture that is due, as a binary message.
    fn due(&mut self) -> Option<Vec<u8>> {
        let (turn, place) =
            (self.next / self.round.len() as u64, (self.next % self.round.len() as u64) as usize);
        let (after, channel, n) = self.round[place];
        if self.began.elapsed().as_millis() < u128::from(turn * ROUND_MS + after) {
            return None;
        }
        let (at, id) = (super::super::setup::clock(), self.next);
        self.next += 1;
        let header = format!(
            r#"{{"type":"frame","id":"f{id}","at":"{at}","channel":"bench:{channel}","media":"image/jpeg","look":{{"id":"L{turn}-{channel}","n":{},"of":8}}}}"#,
            n + 1
        );
        let shot = &self.shots[(id % self.shots.len() as u64) as usize];
        let mut out = Vec::with_capacity(4 + header.len() + shot.len());
        out.extend((header.len() as u32).to_be_bytes());
        out.extend(header.as_bytes());
        out.extend_from_slice(shot);
        Some(out)
    }
}

/// What is sent when.
pub struct Plan {
    /// Messages a second.
    pub rate: f64,
    /// Messages a second that raise an alert, each in a channel of its own; beside `rate`.
    pub alerts: f64,
    pub lasts: Duration,
    pub threat: &'static str,
    /// Names the channels of this plan's alerts.
    pub name: String,
}

/// What became of a plan.
pub struct Played {
    /// Messages sent, those that raise included.
    pub sent: u64,
    /// When the one that raises was on its way, by channel.
    pub raising: HashMap<String, Instant>,
    /// How far the platform was behind its plan at most: what the other side would not take.
    pub behind: Duration,
}

/// Sends as planned until the time is over.
pub async fn play(
    socket: &mut Socket,
    traffic: &mut Traffic,
    mut pictures: Option<&mut Pictures>,
    plan: &Plan,
) -> Result<Played, String> {
    let began = Instant::now();
    let mut played = Played { sent: 0, raising: HashMap::new(), behind: Duration::ZERO };
    let (mut common, mut raising) = (0u64, 0u64);
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let lost = |error| format!("the client is gone: {error}");
    while began.elapsed() < plan.lasts {
        beat.tick().await;
        let due = began.elapsed().as_secs_f64();
        let mut fresh = Vec::new();
        while (common as f64) < due * plan.rate {
            // Now and then the clock: what is not taken must not look sent in time.
            if common.is_multiple_of(256) {
                let late = began.elapsed().as_secs_f64() - common as f64 / plan.rate;
                played.behind = played.behind.max(Duration::from_secs_f64(late.max(0.0)));
                if began.elapsed() >= plan.lasts {
                    break;
                }
            }
            let line = traffic.next().to_owned();
            socket.feed(Frame::text(line)).await.map_err(lost)?;
            common += 1;
        }
        while (raising as f64) < due * plan.alerts {
            let channel = format!("{}:{raising}", plan.name);
            let line = traffic.said(&channel, plan.threat);
            fresh.push((channel, Instant::now()));
            socket.feed(Frame::text(line)).await.map_err(lost)?;
            raising += 1;
        }
        while let Some(picture) = pictures.as_mut().and_then(|pictures| pictures.due()) {
            socket.feed(Frame::binary(picture)).await.map_err(lost)?;
        }
        socket.flush().await.map_err(lost)?;
        played.raising.extend(fresh);
    }
    played.sent = common + raising;
    Ok(played)
}

/// A receiver that notes when each channel's first webhook was accepted.
pub struct Receiver {
    pub address: SocketAddr,
    first: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Receiver {
    pub async fn start() -> Result<Self, String> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.map_err(|e| format!("listening: {e}"))?;
        let address = listener.local_addr().map_err(|e| format!("listening: {e}"))?;
        let first = Arc::new(Mutex::new(HashMap::new()));
        let app = Router::new().route("/", post(accept)).with_state(first.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the receiver ended: {error}");
            }
        });
        Ok(Self { address, first })
    }

    /// How long after it was sent each alert was accepted, in milliseconds, of those that have been; those that have
    /// not come within `patience` are missing.
    pub async fn latencies(&self, played: &Played, patience: Duration) -> Vec<f64> {
        let until = Instant::now() + patience;
        let here = |first: &HashMap<String, Instant>| {
            played.raising.keys().filter(|channel| first.contains_key(*channel)).count()
        };
        while here(&self.first.lock()) < played.raising.len() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let first = self.first.lock();
        let took = |(channel, sent): (&String, &Instant)| {
            Some(first.get(channel)?.saturating_duration_since(*sent).as_secs_f64() * 1e3)
        };
        played.raising.iter().filter_map(took).collect()
    }
}

async fn accept(
    State(first): State<Arc<Mutex<HashMap<String, Instant>>>>,
    body: Bytes,
) -> StatusCode {
    let Some(channel) = channel_of(&body) else { return StatusCode::BAD_REQUEST };
    first.lock().entry(channel).or_insert_with(Instant::now);
    StatusCode::NO_CONTENT
}

fn channel_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Told {
        data: Data,
    }
    #[derive(serde::Deserialize)]
    struct Data {
        channel: String,
    }
    serde_json::from_slice::<Told>(body).ok().map(|told| told.data.channel)
}
