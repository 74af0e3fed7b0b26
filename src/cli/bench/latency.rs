//! The benchmark `latency`: from a message on the platform's socket to the webhook of the alert that it raised, under
//! chat of many channels, with platform and receiver on the same machine. Beside it, in turn, a bare relay: the same
//! socket, the same receiver, and nothing between them but `serde_json` and an HTTP client.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::rig::{Daemon, Folder, Plan, Platform, Played, Receiver, Traffic, harmful, play};
use super::{Bench, Goal, Tail};
use crate::model::Manifest;

/// Messages a second, and alerts a second beside them.
const RATE: f64 = 2_500.0;
const ALERTS: f64 = 20.0;
/// Channels of the chat: once, ten and a hundred times as many.
const CHANNELS: [usize; 3] = [100, 1_000, 10_000];
/// Time in which nothing is measured: every channel is new, every cache is cold.
const WARM_UP: Duration = Duration::from_secs(5);
const LASTS: Duration = Duration::from_secs(51);
const RELAY_LASTS: Duration = Duration::from_secs(15);
/// What an alert may take, milliseconds.
const GOAL_MS: f64 = 250.0;

pub fn latency(bench: &mut Bench) -> Result<(), String> {
    let manifest = bench.manifest().map_err(|error| error.to_string())?;
    let threat = harmful(&manifest)?;
    let runtime = super::super::runtime().map_err(|error| error.to_string())?;
    for channels in CHANNELS {
        bench.tails.push(runtime.block_on(measure(&manifest, threat, channels))?);
    }
    Ok(())
}

async fn measure(
    manifest: &Manifest,
    threat: &'static str,
    channels: usize,
) -> Result<Tail, String> {
    let plan = |name: &str, alerts, lasts| {
        let name = name.to_owned();
        Plan { rate: RATE, alerts, lasts, threat, name }
    };
    let relayed = {
        let (platform, receiver) = (Platform::bind().await?, Receiver::start().await?);
        let (feed, sink) = (platform.address()?, receiver.address);
        // A thread of its own, as a process would have.
        std::thread::spawn(move || relay(feed, sink, threat));
        let mut socket = platform.client().await?;
        let mut traffic = Traffic::new(channels);
        let plan = plan("relayed", ALERTS, RELAY_LASTS);
        let played = play(&mut socket, &mut traffic, None, &plan).await?;
        receiver.latencies(&played, Duration::from_secs(10)).await
    };
    let folder = Folder::new()?;
    let (platform, receiver) = (Platform::bind().await?, Receiver::start().await?);
    let daemon = Daemon::start(folder.path(), manifest, platform.address()?, receiver.address, "")?;
    let mut socket = platform.client().await?;
    let mut traffic = Traffic::new(channels);
    play(&mut socket, &mut traffic, None, &plan("warm", 1.0, WARM_UP)).await?;
    let before = daemon.on_core();
    let played = play(&mut socket, &mut traffic, None, &plan("raised", ALERTS, LASTS)).await?;
    let took = receiver.latencies(&played, Duration::from_secs(10)).await;
    let spent = daemon.on_core();
    let shed = daemon.metrics().await?.shed();
    let mut tail = Tail::of(
        format!("event to webhook, {channels} channels, {} messages/s", super::grouped(RATE)),
        took,
        "a bare relay: socket, serde_json, HTTP client",
        relayed,
    );
    tail.missing = played.raising.len() - tail.n;
    let mib = daemon.resident() >> 20;
    let spent = stages(&before, &spent, &played);
    tail.notes.push(format!("{shed} messages shed; {mib} MiB held; {spent}"));
    let met = tail.missing == 0 && shed == 0.0 && tail.p99 <= GOAL_MS;
    tail.goal = Some(Goal { what: format!("p99 of at most {GOAL_MS} ms"), met });
    Ok(tail)
}

/// What a message cost the daemon's threads, dearest first.
pub fn stages(
    before: &std::collections::HashMap<String, f64>,
    after: &std::collections::HashMap<String, f64>,
    played: &Played,
) -> String {
    let mut cost: Vec<(f64, &str)> = after
        .iter()
        .map(|(name, spent)| {
            let spent = spent - before.get(name).copied().unwrap_or(0.0);
            (spent * 1e6 / played.sent.max(1) as f64, name.as_str())
        })
        .filter(|(micros, _)| *micros >= 0.05)
        .collect();
    cost.sort_by(|a, b| b.0.total_cmp(&a.0));
    let told: Vec<String> =
        cost.iter().map(|(micros, name)| format!("{name} {micros:.1}")).collect();
    format!("µs of core time a message, by thread: {}", told.join(", "))
}

/// Reads the socket, and posts what holds the threat.
fn relay(feed: std::net::SocketAddr, sink: std::net::SocketAddr, threat: &'static str) {
    #[derive(serde::Deserialize)]
    struct Said {
        channel: String,
        text: String,
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    // It ends with the platform's socket; what it does not relay is missing from its figures.
    let _ = runtime.block_on(async move {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{feed}/")).await?;
        socket.send(Frame::text("{\"type\":\"subscribe\"}")).await?;
        let client = reqwest::Client::new();
        while let Some(Ok(frame)) = socket.next().await {
            let Frame::Text(text) = frame else { continue };
            let Ok(said) = serde_json::from_str::<Said>(&text) else { continue };
            if said.text != threat {
                continue;
            }
            let (client, url) = (client.clone(), format!("http://{sink}/"));
            // As long as an alert.
            let told =
                serde_json::json!({ "data": { "channel": said.channel, "pad": " ".repeat(3000) } });
            tokio::spawn(async move { client.post(url).body(told.to_string()).send().await });
        }
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    });
}
