//! The benchmark `restart`: from the start of the process to *ready* on a state folder that knows 100,000 channels:
//! all of them asleep, and a tenth of them awake. Beside it, in turn, the start on a folder that knows none.

use std::path::Path;

use super::rig::{Daemon, Folder, Platform, Receiver};
use super::{Bench, Goal, Tail, grouped, material};
use crate::cli::engine::Engine;
use crate::cli::replay::event_entry;
use crate::cli::setup;
use crate::event::{Admitted, ChannelId, Event, FeedItem, Keyer, Setting, decode};
use crate::model::{Manifest, MessageScores};
use crate::store::{ChannelState, Checkpoint, Store};

const CHANNELS: usize = 100_000;
const AWAKE: [usize; 2] = [0, CHANNELS / 10];
const ROUNDS: usize = 5;
const GOAL_MS: f64 = 5_000.0;
/// Messages that a channel's memory is made of.
const MESSAGES: usize = 40;
/// Channels that are written in one transaction.
const AT_ONCE: usize = 2_000;

pub fn restart(bench: &mut Bench) -> Result<(), String> {
    let manifest = bench.manifest().map_err(|error| error.to_string())?;
    let runtime = super::super::runtime().map_err(|error| error.to_string())?;
    let state = state(bench, &manifest)?;
    for awake in AWAKE {
        let folder = Folder::new()?;
        runtime.block_on(fill(&folder.path().join("state"), &state, awake))?;
        let (mut took, mut bare, mut held) = (Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            let empty = Folder::new()?;
            bare.push(runtime.block_on(ready(empty.path(), &manifest))?.0);
            let (after, resident) = runtime.block_on(ready(folder.path(), &manifest))?;
            took.push(after);
            held = held.max(resident);
        }
        let what = format!(
            "process to ready, {} channels known, {} of them awake",
            grouped(CHANNELS as f64),
            grouped(awake as f64)
        );
        let mut tail = Tail::of(what, took, "the same on an empty folder", bare);
        let bytes = grouped(state.len() as f64);
        tail.notes.push(format!("{bytes} bytes a channel; {} MiB held when ready", held >> 20));
        let what = format!("at most {GOAL_MS} ms every time");
        tail.goal = Some(Goal { what, met: tail.max <= GOAL_MS });
        bench.tails.push(tail);
    }
    Ok(())
}

/// Milliseconds until a daemon on the folder is ready, and the memory that it holds then.
async fn ready(folder: &Path, manifest: &Manifest) -> Result<(f64, u64), String> {
    let (platform, receiver) = (Platform::bind().await?, Receiver::start().await?);
    let (feed, sink) = (platform.address()?, receiver.address);
    let (path, manifest) = (folder.to_owned(), manifest.clone());
    let started =
        tokio::task::spawn_blocking(move || Daemon::start(&path, &manifest, feed, sink, ""));
    let daemon = started.await.map_err(|e| e.to_string())??;
    Ok((daemon.ready_after.as_secs_f64() * 1e3, daemon.resident()))
}

/// What a channel remembers after some chat and gifts, as checkpoints keep it.
fn state(bench: &Bench, manifest: &Manifest) -> Result<Vec<u8>, String> {
    let mut engine: Engine =
        setup::engine(&bench.config, manifest).map_err(|error| error.to_string())?;
    let keyer = Keyer::new(b"bench");
    let mut dice = material::dice(31);
    let mut last = ChannelId::new("kick:0");
    for line in material::lines(MESSAGES, 1, 0) {
        let Ok(FeedItem::Event(event)) = decode(&line, &keyer) else { continue };
        let own = material::scores(&mut dice);
        last = event.channel.clone();
        let event: Event = event;
        let admitted = Admitted { event: event.into(), stamp: Default::default() };
        let scores = MessageScores { own, plain: None, manner: None };
        engine.consume(&event_entry(admitted, Some(Ok(scores))));
    }
    let slot = engine.slot(&last).ok_or("a channel that remembers nothing")?;
    Ok(slot.saved(&last, 0).map_err(|error| error.to_string())?.state)
}

/// Writes the store that a daemon with so many channels leaves.
async fn fill(dir: &Path, state: &[u8], awake: usize) -> Result<(), String> {
    let store = Store::open(dir).await.map_err(|error| error.to_string())?;
    for first in (0..CHANNELS).step_by(AT_ONCE) {
        let channel = |nth: usize| ChannelState {
            channel: ChannelId::new(&format!("kick:{nth}")),
            state: state.to_vec(),
            awake: nth < awake,
            setting: Setting::Unknown,
            language: None,
            gaps: 0,
        };
        let channels = (first..(first + AT_ONCE).min(CHANNELS)).map(channel).collect();
        let checkpoint = Checkpoint { channels, ..Checkpoint::default() };
        store.save_checkpoint(&checkpoint).await.map_err(|error| error.to_string())?;
    }
    store.close().await;
    Ok(())
}
