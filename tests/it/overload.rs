//! A flood of ten times what inference can do, against the real daemon with a heavier chat model: the case in another
//! channel is raised meanwhile, other voices are heard, money is whole, and when it is over nothing is left of it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use vigie::event::{Body, Fuel, Kind, Unscored};
use vigie::store::journal::{Entry, Reader};

use crate::long::rounds;

/// How much heavier the chat model is: so many products with a square matrix of so many columns, for every message.
const TIMES: usize = 60;
const WIDTH: usize = 1024;
/// Channels beside the flooded one that have more to say than inference can take, too.
const OTHERS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_flood_silences_nobody() {
    // Another test may have done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    fs::write(folder.path().join("vigie.toml"), config(folder.path(), port)).expect("written");
    let daemon = Daemon::start(folder.path());
    let mut platform = Platform::accept(&listener).await;

    // What inference can do: the time that a heap of messages takes, all of them scored.
    platform.chat("calm:0", 1).await;
    daemon.until("the first score", |m| m.misses >= 1.0).await;
    let (heap, began) = (64, Instant::now());
    for nth in 0..heap {
        platform.chat("calm:0", nth).await;
    }
    daemon.until("a heap of scores", |m| m.misses >= f64::from(heap + 1)).await;
    let sustained = f64::from(heap) / began.elapsed().as_secs_f64();
    assert_eq!(daemon.metrics().await.shed, 0.0, "what is sustained is not shed");

    // Ten times as much, nearly all of it by three authors in one channel.
    let before = platform.sent.clone();
    let lasts = Duration::from_secs(rounds(7, 60));
    let (began, mut flooded, mut spoken, mut paid) = (Instant::now(), 0u64, 0u64, 0u64);
    let (mut raised, mut half) = (None, None);
    let mut turn = 0u32;
    while began.elapsed() < lasts {
        let due = began.elapsed().as_secs_f64();
        while (flooded as f64) < due * sustained * 10.0 && began.elapsed() < lasts {
            platform.feed("flood:1", 1 + (flooded % 3) as u32).await;
            flooded += 1;
        }
        // Others want thrice of what there is, between them.
        while (spoken as f64) < due * sustained * 3.0 && began.elapsed() < lasts {
            let channel = format!("other:{}", spoken % OTHERS as u64);
            platform.feed(&channel, 100 + (spoken % 97) as u32).await;
            spoken += 1;
        }
        while (paid as f64) < due * 10.0 {
            // In the flooded channel: other voices, and money.
            platform.feed("flood:1", 1000 + (paid % 20) as u32).await;
            platform.gift("flood:1", "1.25", "").await;
            paid += 1;
            // The case: somebody pays for blows, somebody else is alarmed.
            if turn.is_multiple_of(10) {
                platform.gift("case:1", "50.00", "frappe-le encore, plus fort").await;
            }
            if turn % 10 == 5 {
                platform.say("case:1", turn, "il respire plus, appelez le 15 vite").await;
            }
            turn += 1;
        }
        platform.flush().await;
        if raised.is_none() && daemon.told("case:1") {
            raised = Some(began.elapsed());
        }
        if half.is_none() && began.elapsed() > lasts / 2 {
            half = Some((daemon.resident(), platform.nth));
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let ((half, sent_by_half), full) = (half.expect("it lasted"), daemon.resident());
    assert!(raised.is_some(), "the case is raised while the flood goes on");

    // It is over: what waited is scored or shed, and the next message is scored.
    let over = Instant::now();
    let sent = platform.sent.values().sum::<u64>() as f64;
    daemon.until("everything consumed", |m| m.events >= sent && m.waiting == 0.0).await;
    let shed = daemon.metrics().await.shed;
    let after = daemon.metrics().await.misses;
    for nth in 0..20 {
        platform.chat("flood:1", 2000 + nth).await;
    }
    daemon.until("scores after the flood", |m| m.misses >= after + 20.0).await;
    let recovered = over.elapsed();
    let end = daemon.metrics().await;
    assert_eq!(end.shed, shed, "nothing is shed once it is over");
    assert!(full < half + half / 2 + (64 << 20), "memory: {half} bytes, then {full}");
    daemon.stop();

    // What became of each message, by the journal.
    let told = Told::read(folder.path());
    for (channel, count) in &platform.sent {
        let consumed = told.of(channel, |_| true);
        assert_eq!(consumed, *count, "everything sent in {channel} is in the journal, once");
    }
    assert_eq!(told.all(|one| one.shed) as f64, end.shed, "every shed message is counted");
    assert!(end.shed >= flooded as f64 / 2.0, "{} of {flooded} shed", end.shed);
    assert_eq!(told.all(|one| one.shed && one.kind != Kind::Chat), 0, "nothing paid is shed");
    assert_eq!(told.of("case:1", |one| one.shed), 0, "a calm channel is not shed");
    assert_eq!(told.cents("flood:1"), 125 * paid, "all the money is there");

    // Of the first half: what was sent at the end is scored when nobody else waits any more.
    let scored =
        |channel: &str| told.of(channel, |one| !one.shed && one.text && one.nth <= sent_by_half);
    let others: u64 = (0..OTHERS).map(|nth| scored(&format!("other:{nth}"))).sum();
    let before = before.values().sum::<u64>();
    let flood = scored("flood:1");
    assert!(flood * 3 <= others + 30, "{flood} of the flood scored, {others} of the others");
    assert!(others >= OTHERS as u64, "{others} of {spoken} scored, {before} before");
    // Authors 1, 2 and 3 said nearly all, the others one thing every other second each.
    let voices = told.of("flood:1", |one| one.author >= 1000 && one.kind == Kind::Chat);
    let heard = told.of("flood:1", |one| one.author >= 1000 && one.kind == Kind::Chat && !one.shed);
    assert!(heard * 10 >= voices * 7, "{heard} of {voices} other voices heard in the flood");
    let loud = told.of("flood:1", |one| (1..=3).contains(&one.author));
    let loud_heard = told.of("flood:1", |one| (1..=3).contains(&one.author) && !one.shed);
    // Run with `--nocapture` it tells how it went.
    eprintln!(
        "sustained {sustained:.0} messages/s; for {lasts:?}: {flooded} in the flood, {spoken} in {OTHERS} others, {paid} gifts; \
         {} shed; in the first half scored {flood} of the flood, {others} of the others; of the flood {loud_heard} of {loud} by three authors and \
         {heard} of {voices} by twenty others; the case raised after {:.1?}; all told and scored again {recovered:.1?} after the end; \
         {} MiB half way, {} at the end",
        end.shed,
        raised.unwrap_or_default(),
        half >> 20,
        full >> 20,
    );
    assert!(loud_heard * 4 <= loud, "{loud_heard} of {loud} of the flood itself heard");
}

/// One message that a channel consumed.
struct One {
    channel: String,
    kind: Kind,
    author: u32,
    /// Its number among all that was sent.
    nth: u64,
    shed: bool,
    text: bool,
    cents: u64,
}

struct Told(Vec<One>);

impl Told {
    fn read(folder: &Path) -> Self {
        let mut out = Vec::new();
        let entries = Reader::open(&[folder.join("state")]).expect("a journal");
        for entry in entries.map(|entry| entry.expect("it reads")) {
            let Entry::Consumed(consumed) = entry else { continue };
            let Fuel::Event { event, unscored, .. } = consumed.fuel else { continue };
            let cents = match &event.body {
                Body::Donation { amount, .. } => {
                    amount.value.replace('.', "").parse().expect("cents")
                }
                _ => 0,
            };
            // An id tells its author: `flood:1/1003/77`.
            let part = |place| event.id.split('/').nth(place).and_then(|id| id.parse().ok());
            let (author, nth) = (part(1).unwrap_or(0) as u32, part(2).unwrap_or(0));
            out.push(One {
                channel: event.channel.to_string(),
                kind: event.kind(),
                author,
                nth,
                shed: unscored == Some(Unscored::Shed),
                text: event.text().is_some_and(|text| !text.is_empty()),
                cents,
            });
        }
        Self(out)
    }

    fn all(&self, which: impl Fn(&One) -> bool) -> u64 {
        self.0.iter().filter(|one| which(one)).count() as u64
    }

    fn of(&self, channel: &str, which: impl Fn(&One) -> bool) -> u64 {
        self.all(|one| one.channel == channel && which(one))
    }

    fn cents(&self, channel: &str) -> u64 {
        self.0.iter().filter(|one| one.channel == channel).map(|one| one.cents).sum()
    }
}

struct Platform {
    socket: WebSocketStream<TcpStream>,
    sent: BTreeMap<String, u64>,
    nth: u64,
}

impl Platform {
    async fn accept(listener: &TcpListener) -> Self {
        let connected = async {
            let (socket, _) = listener.accept().await.expect("a connection");
            let mut socket = tokio_tungstenite::accept_async(socket).await.expect("a handshake");
            socket.next().await.expect("a subscription").expect("a subscription");
            socket
        };
        let socket = tokio::time::timeout(PATIENCE, connected).await.expect("it connects");
        Self { socket, sent: BTreeMap::new(), nth: 0 }
    }

    /// A message that nobody said before, sent at once.
    async fn chat(&mut self, channel: &str, author: u32) {
        self.feed(channel, author).await;
        self.flush().await;
    }

    async fn feed(&mut self, channel: &str, author: u32) {
        let words: String = (0..6).map(|place| word(self.nth * 6 + place) + " ").collect();
        self.say(channel, author, &words).await;
    }

    async fn say(&mut self, channel: &str, author: u32, text: &str) {
        let rest = format!(r#""type":"chat","text":"{text}""#);
        self.send(channel, author, &rest).await;
    }

    async fn gift(&mut self, channel: &str, euros: &str, text: &str) {
        let rest = format!(
            r#""type":"donation","amount":{{"value":"{euros}","currency":"EUR"}},"source":"tip","text":"{text}""#
        );
        self.send(channel, 7, &rest).await;
    }

    async fn send(&mut self, channel: &str, author: u32, rest: &str) {
        self.nth += 1;
        let at = jiff::Timestamp::now();
        let line = format!(
            r#"{{"id":"{channel}/{author}/{}","at":"{at}","channel":"{channel}","user":{{"id":"u{author}"}},{rest}}}"#,
            self.nth
        );
        *self.sent.entry(channel.to_owned()).or_default() += 1;
        self.socket.feed(Message::text(line)).await.expect("it reads");
    }

    async fn flush(&mut self) {
        self.socket.flush().await.expect("it reads");
    }
}

/// A word of its own for each number, of letters that no disguise folds into another.
fn word(nth: u64) -> String {
    const LETTERS: &[u8] = b"bcdfghkmnprstvz";
    let mut n = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
    let letter = |n: u64| char::from(LETTERS[(n % 15) as usize]);
    let mut out = String::new();
    for _ in 0..4 {
        out.push(letter(n));
        out.push(['a', 'e', 'o', 'u'][(n / 15 % 4) as usize]);
        n /= 60;
    }
    out
}

/// What `/metrics` says.
struct Now {
    misses: f64,
    shed: f64,
    events: f64,
    waiting: f64,
}

struct Daemon {
    child: Child,
    folder: PathBuf,
    address: String,
}

impl Daemon {
    fn start(folder: &Path) -> Self {
        let log = folder.join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["run", "-c"])
            .arg(folder.join("vigie.toml"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("vigie starts");
        let mut daemon = Self { child, folder: folder.to_owned(), address: String::new() };
        let until = Instant::now() + PATIENCE;
        while daemon.address.is_empty() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let console = text.lines().find_map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).ok()?;
                Some(value["console"].as_str()?.to_owned())
            });
            daemon.address = console.unwrap_or_default();
            let ended = daemon.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none() && Instant::now() < until, "not ready:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    async fn metrics(&self) -> Now {
        let url = format!("{}/metrics", self.address);
        let text = reqwest::get(url).await.expect("metrics").text().await.expect("metrics");
        let samples: HashMap<&str, f64> = text
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
            .collect();
        let sum = |start: &str, with: &str| {
            samples
                .iter()
                .filter(|(series, _)| series.starts_with(start) && series.contains(with))
                .map(|(_, value)| value)
                .sum()
        };
        Now {
            misses: sum("vigie_inference_cache_total", "miss"),
            shed: sum("vigie_events_dropped_total", "shed_"),
            events: sum("vigie_feed_events_total", ""),
            waiting: sum("vigie_queue_depth", "queue=\"chat\"")
                + sum("vigie_queue_depth", "queue=\"backlog\""),
        }
    }

    async fn until(&self, what: &str, reached: impl Fn(&Now) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let now = self.metrics().await;
            if reached(&now) {
                return;
            }
            let Now { misses, shed, events, waiting } = now;
            assert!(
                Instant::now() < until,
                "waited in vain for {what}: {misses} scored, {shed} shed, {events} events, {waiting} waiting"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether an alert of the channel was delivered.
    fn told(&self, channel: &str) -> bool {
        let text = fs::read_to_string(self.folder.join("alerts.jsonl")).unwrap_or_default();
        text.lines().any(|line| line.contains(&format!("\"channel\":\"{channel}\"")))
    }

    /// Memory that it holds, bytes.
    fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).expect("the system tells");
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("it tells memory");
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") * 1024
    }

    /// Lets it drain.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("it can be waited for").is_none() {
            assert!(Instant::now() < until, "it does not stop");
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
            eprintln!("the daemon's log:\n{log}");
        }
    }
}

/// The chat model with work behind it that changes nothing but the time it takes. A protobuf message that is appended
/// to another adds to it: here nodes, behind the graph's own, and their weights of zero.
fn heavier(model: &[u8]) -> Vec<u8> {
    // The graph's last node gives its output to ours, which gives it to the graph's end under the old name.
    let (old, new) = (b"\x12\x06scores", b"\x12\x06inside");
    let at = model.windows(old.len()).position(|bytes| bytes == old).expect("a node's output");
    let mut out = model.to_vec();
    out[at..at + new.len()].copy_from_slice(new);
    let mut graph = Vec::new();
    let mut node = |inputs: &[&str], output: &str, kind: &str| {
        let mut node = Vec::new();
        inputs.iter().for_each(|input| field(&mut node, 1, input.as_bytes()));
        field(&mut node, 2, output.as_bytes());
        field(&mut node, 4, kind.as_bytes());
        field(&mut graph, 1, &node);
    };
    node(&["context", "heavy-wide"], "heavy0", "MatMul");
    for nth in 0..TIMES {
        node(&[&format!("heavy{nth}"), "heavy-square"], &format!("heavy{}", nth + 1), "MatMul");
    }
    node(&[&format!("heavy{TIMES}"), "heavy-narrow"], "heavy-nothing", "MatMul");
    node(&["inside", "heavy-nothing"], "scores", "Add");
    for (name, rows, columns) in
        [("heavy-wide", 6, WIDTH), ("heavy-square", WIDTH, WIDTH), ("heavy-narrow", WIDTH, 8)]
    {
        let mut tensor = Vec::new();
        for size in [rows, columns] {
            tensor.push(1 << 3);
            number(&mut tensor, size);
        }
        // FLOAT
        tensor.extend([2 << 3, 1]);
        field(&mut tensor, 8, name.as_bytes());
        field(&mut tensor, 9, &vec![0; rows * columns * 4]);
        field(&mut graph, 5, &tensor);
    }
    field(&mut out, 7, &graph);
    out
}

/// A protobuf field of bytes.
fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag << 3 | 2);
    number(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A config whose chat model is a heavy one.
fn config(folder: &Path, port: u16) -> String {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let text = fs::read_to_string(models.join("manifest.toml")).expect("a manifest");
    let mut manifest: toml::Table = toml::from_str(&text).expect("a manifest");
    let list = manifest["model"].as_array_mut().expect("models");
    list.retain(|model| model["kind"].as_str() != Some("image"));
    for model in list {
        let model = model.as_table_mut().expect("a model");
        let mut file = models.join(model["file"].as_str().expect("a file"));
        if model["kind"].as_str() == Some("text") {
            let bytes = heavier(&fs::read(&file).expect("a model"));
            file = folder.join("heavy.onnx");
            fs::write(&file, &bytes).expect("written");
            let digest: String =
                Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
            model.insert("sha256".into(), digest.into());
        }
        model.insert("file".into(), file.display().to_string().into());
        for stage in ["second", "third"] {
            let Some(second) = model.get_mut(stage) else { continue };
            for key in ["file", "vocabulary"] {
                let file = models.join(second[key].as_str().expect("a file"));
                second[key] = file.display().to_string().into();
            }
        }
    }
    let path = folder.join("manifest.toml");
    fs::write(&path, manifest.to_string()).expect("written");
    format!(
        r#"
rules = []
[server]
listen = "127.0.0.1:0"
metrics_listen = ""
[store]
dir = "state"
[models]
manifest = "{}"
threads = 1
max_batch = 8
[limits]
chat_queue = 512
chat_wait = "5s"
feed_queue = 256
shard_queue = 256
[[feed]]
name = "platform"
url = "ws://127.0.0.1:{port}/"
[[sink]]
name = "file"
type = "jsonl"
path = "alerts.jsonl"
[[rule]]
name = "paid-and-distress"
when = 'money_acts_10m >= 0.4 && chat_distress_60s >= 0.4'
level = "danger"
reason = {{ en = "Paid acts, and somebody is alarmed." }}
"#,
        path.display()
    )
}
