//! The benchmark `start`: from the start of the process to the line that says *ready*, and to the subscription on a
//! feed that answers at once. Beside it, in turn, the start of the same binary that only prints a schema: what any
//! process of its size costs.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::rig::{Daemon, Folder, Platform, Receiver};
use super::{Bench, Goal, Tail};
use crate::model::Manifest;

const ROUNDS: usize = 9;
const GOAL_MS: f64 = 2_000.0;

pub fn start(bench: &mut Bench) -> Result<(), String> {
    let manifest = bench.manifest().map_err(|error| error.to_string())?;
    let runtime = super::super::runtime().map_err(|error| error.to_string())?;
    let (mut ready, mut subscribed, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(millis(schema()?));
        let (first, second) = runtime.block_on(once(&manifest))?;
        ready.push(millis(first));
        subscribed.push(millis(second));
    }
    for (what, took) in [("process to ready", ready), ("process to subscribed", subscribed)] {
        let mut tail =
            Tail::of(what.into(), took, "the same binary printing a schema", bare.clone());
        tail.goal = Some(Goal {
            what: format!("at most {GOAL_MS} ms every time"),
            met: tail.max <= GOAL_MS,
        });
        bench.tails.push(tail);
    }
    Ok(())
}

async fn once(manifest: &Manifest) -> Result<(Duration, Duration), String> {
    let folder = Folder::new()?;
    let (platform, receiver) = (Platform::bind().await?, Receiver::start().await?);
    let address = platform.address()?;
    let subscribing =
        tokio::spawn(async move { (platform.client().await.map(drop), Instant::now()) });
    let (path, manifest, sink) = (folder.path().to_owned(), manifest.clone(), receiver.address);
    let started =
        tokio::task::spawn_blocking(move || Daemon::start(&path, &manifest, address, sink, ""));
    let daemon = started.await.map_err(|e| e.to_string())??;
    let (subscribed, at) = subscribing.await.map_err(|e| e.to_string())?;
    subscribed?;
    Ok((daemon.ready_after, at.duration_since(daemon.began)))
}

fn schema() -> Result<Duration, String> {
    let binary = std::env::current_exe().map_err(|e| format!("this binary: {e}"))?;
    let began = Instant::now();
    let status = Command::new(binary)
        .args(["schema", "signals"])
        .stdout(Stdio::null())
        .status()
        .map_err(|e| format!("vigie schema: {e}"))?;
    if !status.success() {
        return Err(format!("vigie schema ended with {status}"));
    }
    Ok(began.elapsed())
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
