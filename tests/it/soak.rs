//! A daemon that runs for long: a feed of words and money and one of pictures, a receiver, each killed again and again
//! at random. What it took in, told and shed adds up, and it holds no more at the end than when it had warmed up. Ten
//! seconds in `make test`, an hour (or VIGIE_SOAK_SECONDS) in `make test-long`.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use vigie::store::{AlertFilter, Store};

use crate::long::long;
use crate::reload::{Daemon, Platform, consumed, has_runtime};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Lines of words a second, and of pictures.
const WORDS: u64 = 25;
const PICTURES: u64 = 2;
/// Most that its memory may grow by, in KiB an hour, once a quarter of the time is over.
const SLOPE: f64 = 48.0 * 1024.0;

/// Mostly chat, some gifts, and now and then what is no good; for some seconds one channel has nearly all of it.
fn words(name: &str, n: u64, at: jiff::Timestamp) -> String {
    let busy = n / (WORDS * 10) % 5;
    let channel = format!("{name}:{}", if n.is_multiple_of(4) { n % 5 } else { busy });
    let at = format!("{at:.3}");
    let user = json!({"id": format!("u{}", n % 1_009), "name": format!("N{}", n % 1_009)});
    let mut line = match n % 20 {
        7 => json!({"type": "donation", "source": "tip", "text": format!("encore une gifle, {n}"),
            "amount": {"value": format!("{}.50", n % 40 + 1), "currency": "EUR"}}),
        13 => {
            json!({"type": "stream", "state": "live", "name": "a channel", "title": format!("evening {}", n / 1_000),
            "category": "Just Chatting", "language": "fr", "country": "FR", "viewers": n % 500})
        }
        17 => json!({"type": "reward", "text": format!("encore {n}"),
            "reward": {"title": "a wish", "cost": 500, "unit": "points"}}),
        _ => {
            json!({"type": "chat", "text": format!("il respire plus, appelez le 15, {}", n % 3_001)})
        }
    };
    line["id"] = format!("{name}-{n}").into();
    line["at"] = at.into();
    line["channel"] = channel.into();
    line["user"] = user;
    line.to_string()
}

/// Looks of two pictures.
fn pictures(name: &str, n: u64, at: jiff::Timestamp) -> String {
    static PICTURE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let picture = PICTURE.get_or_init(|| {
        base64::engine::general_purpose::STANDARD
            .encode(include_bytes!("../../fuzz/seeds/small.jpg"))
    });
    let look = json!({"id": format!("L{}", n / 2), "n": n % 2 + 1, "of": 2});
    json!({"type": "frame", "id": format!("{name}-{n}"), "at": format!("{at:.3}"),
        "channel": format!("{name}:{}", n / 2 % 3), "media": "image/jpeg", "look": look, "data": picture})
    .to_string()
}

/// A receiver that is away at times.
struct Receiver {
    away: AtomicBool,
    took: Mutex<Vec<String>>,
}

impl Receiver {
    async fn listen(self: &Arc<Self>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let own = self.clone();
        let take = move |headers: HeaderMap| async move {
            if own.away.load(Ordering::SeqCst) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            own.took.lock().push(headers["webhook-id"].to_str().expect("ASCII").to_owned());
            StatusCode::OK
        };
        let app = axum::Router::new().route("/", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

/// How much a row of values, one a second, grows in an hour: the slope of the line through them.
fn an_hour(values: &[u64]) -> f64 {
    let n = values.len() as f64;
    let (x, y) = ((n - 1.0) / 2.0, values.iter().sum::<u64>() as f64 / n);
    let pairs = || values.iter().enumerate().map(|(at, value)| (at as f64 - x, *value as f64 - y));
    let both: f64 = pairs().map(|(x, y)| x * y).sum();
    3_600.0 * both / pairs().map(|(x, _)| x * x).sum::<f64>().max(1.0)
}

#[test]
fn a_slope_is_told_by_the_hour() {
    let values: Vec<u64> = (0..100).map(|second| 500 + second * 2).collect();
    assert_eq!(an_hour(&values).round(), 7_200.0);
    assert_eq!(an_hour(&[5; 9]), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_around_it_what_it_took_told_and_shed_adds_up_and_it_does_not_grow() {
    if !has_runtime() {
        return;
    }
    let seconds = std::env::var("VIGIE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let lasts = if long() { seconds.unwrap_or(3_600) } else { 10u64 };
    let seed = std::env::var("VIGIE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    eprintln!("VIGIE_SEED={seed}, {lasts} s");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Arc::new(Receiver { away: AtomicBool::new(false), took: Mutex::default() });
    let platforms =
        [Platform::start("talk", words, WORDS), Platform::start("show", pictures, PICTURES)];
    let port =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("there").port();
    let feeds: String = ["talk", "show"]
        .iter()
        .zip(&platforms)
        .map(|(name, at)| {
            format!("[[feed]]\nname = \"{name}\"\nurl = \"ws://127.0.0.1:{}\"\n", at.port)
        })
        .collect();
    let path = folder.path().display();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nmetrics_listen = \"\"\n[store]\ndir = \"{path}/state\"\n\
         [levels]\nhold = \"5s\"\n{feeds}\
         [[sink]]\nname = \"team\"\nurl = \"{}\"\nsecret = {{ credential = \"sink-secret\" }}\nremind = \"0s\"\nheartbeat = \"0s\"\n",
        receiver.listen().await,
    );
    fs::write(folder.path().join("vigie.toml"), config).expect("a config");
    let credentials = [("VIGIE_CREDENTIAL_SINK_SECRET", SECRET)];
    let (dir, own) = (folder.path().to_owned(), platforms.clone());
    // Kills, samples and waits are blocking work.
    let work = tokio::task::spawn_blocking(move || {
        let daemon = Daemon::start_with(&dir, port, &credentials);
        let (begun, mut memory, mut files) = (Instant::now(), Vec::new(), Vec::new());
        let mut next = [0u64; 3].map(|_| random.random_range(1..lasts.min(15)));
        let mut kills = [0u64; 3];
        while begun.elapsed() < Duration::from_secs(lasts) {
            std::thread::sleep(Duration::from_secs(1));
            let now = begun.elapsed().as_secs();
            for (place, at) in next.iter_mut().enumerate().filter(|(_, at)| **at <= now) {
                kills[place] += 1;
                match own.get(place) {
                    Some(platform) => drop(platform.killed.fetch_add(1, Ordering::SeqCst)),
                    None => drop(receiver.away.fetch_xor(true, Ordering::SeqCst)),
                }
                *at = now + random.random_range(2..40);
            }
            memory.push(daemon.memory_kib());
            files.push(daemon.metric("vigie_process_open_fds") as u64);
        }
        receiver.away.store(false, Ordering::SeqCst);
        own.iter().for_each(|platform| platform.stop.store(true, Ordering::SeqCst));
        let sent = |place: usize| own[place].sent.load(Ordering::SeqCst);
        let came =
            |name| daemon.metric(&format!("vigie_feed_events_total{{feed=\"{name}\"")) as u64;
        daemon.until("all that was sent is taken in, once", || {
            [came("talk"), came("show")] == [sent(0), sent(1)]
        });
        daemon.until("nothing waits", || {
            ["vigie_queue_depth", "vigie_outbox_pending"]
                .iter()
                .all(|name| daemon.metric(name) == 0.0)
        });
        let dropped = |reason: &str, page: &str| -> u64 {
            let with = format!("reason=\"{reason}\"");
            let lines = page.lines().filter(|line| {
                line.starts_with("vigie_events_dropped_total") && line.contains(&with)
            });
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
                as u64
        };
        let page = daemon.get("/metrics").expect("metrics").1;
        let counts = [
            sent(0),
            sent(1),
            dropped("repeat", &page),
            dropped("shed_chat", &page),
            dropped("shed_look", &page),
        ];
        for reason in ["malformed", "late", "too_large"] {
            assert_eq!(dropped(reason, &page), 0, "{reason}");
        }
        assert!(daemon.ready().contains("\"ready\":true"), "{}", daemon.ready());
        daemon.end();
        (memory, files, kills, counts, receiver)
    });
    let (memory, files, kills, [talk, show, repeats, shed, shed_looks], receiver) =
        work.await.expect("it did not panic");

    // The journal holds each line once, the receiver every revision that the store holds, and nothing else.
    let state = folder.path().join("state");
    let (events, _) = consumed(&state);
    assert!(events.values().all(|count| *count == 1), "something was consumed twice");
    assert_eq!(events.len() as u64, talk, "all words are in the journal");
    let store = Store::open(&state).await.expect("it opens");
    let mut revisions = BTreeSet::new();
    let mut filter = AlertFilter { limit: 500, ..Default::default() };
    loop {
        let page = store.alerts(&filter).await.expect("alerts");
        for stored in &page.items {
            let id = stored.change.alert.id;
            let all = store.revisions(id).await.expect("revisions");
            revisions.extend(all.iter().map(|change| format!("{id}-{}", change.alert.revision)));
        }
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    let took = receiver.took.lock().clone();
    let told: BTreeSet<String> = took.iter().cloned().collect();
    let strange: Vec<&String> = told.difference(&revisions).collect();
    let missing: Vec<&String> = revisions.difference(&told).collect();
    let (first, last) = (memory[memory.len() / 4], memory[memory.len() - 1]);
    let (grows, opens) = (an_hour(&memory[memory.len() / 4..]), an_hour(&files[files.len() / 4..]));
    eprintln!(
        "{lasts} s, {kills:?} kills of words, pictures and the receiver: {talk} words, {show} pictures, {repeats} repeats, \
         {shed} + {shed_looks} shed, {} revisions told {} times; {first} KiB after a quarter, {last} KiB at the end, \
         {grows:.0} KiB an hour; {opens:.1} files an hour",
        revisions.len(),
        took.len(),
    );
    assert!(missing.is_empty() && strange.is_empty(), "missing {missing:?}, strange {strange:?}");
    assert!(!revisions.is_empty() && kills.iter().all(|kills| *kills > 0) && repeats > 0);
    if lasts >= 600 {
        assert!(grows < SLOPE, "memory: {memory:?}");
        assert!(opens < 10.0, "files: {files:?}");
    }
}
