//! The benchmark `capacity`: the highest rate that the whole daemon sustains without shedding, found by doubling and
//! halving the rest; chat alone, and chat with pictures of a hundred channels. A rate is sustained if the platform is
//! never held up, nothing is shed, and every alert arrives within a second.

use std::time::Duration;

use super::latency::stages;
use super::rig::{Daemon, Folder, Pictures, Plan, Platform, Receiver, Traffic, harmful, play};
use super::{Bench, Goal, Rate, Tail, grouped};
use crate::model::Manifest;

const CHANNELS: usize = 1_000;
/// Channels with pictures: a look of eight each twenty seconds.
const SEEN: usize = 100;
const FIRST: f64 = 1_000.0;
const MOST: f64 = 128_000.0;
/// The search ends when the rate is known to this share.
const NEAR: f64 = 0.1;
const TRIAL: Duration = Duration::from_secs(8);
const LASTS: Duration = Duration::from_secs(51);
/// How far the platform may be behind its plan.
const HELD_UP: Duration = Duration::from_millis(500);
const LATE_MS: f64 = 1_000.0;
const GOAL: f64 = 5_000.0;

pub fn capacity(bench: &mut Bench) -> Result<(), String> {
    let manifest = bench.manifest().map_err(|error| error.to_string())?;
    let threat = harmful(&manifest)?;
    let runtime = super::super::runtime().map_err(|error| error.to_string())?;
    for pictures in [false, true] {
        let (rate, tail) = runtime.block_on(search(&manifest, threat, pictures))?;
        bench.rates.push(rate);
        bench.tails.push(tail);
    }
    Ok(())
}

async fn search(
    manifest: &Manifest,
    threat: &'static str,
    pictures: bool,
) -> Result<(Rate, Tail), String> {
    let folder = Folder::new()?;
    let (platform, receiver) = (Platform::bind().await?, Receiver::start().await?);
    let daemon = Daemon::start(folder.path(), manifest, platform.address()?, receiver.address, "")?;
    let mut socket = platform.client().await?;
    let mut traffic = Traffic::new(CHANNELS);
    let mut trials = Vec::new();
    let mut shots = pictures.then(|| Pictures::new(SEEN));
    let (mut good, mut bad, mut spent) = (0.0, MOST, String::new());
    let mut rate = FIRST;
    while bad - good > good.max(FIRST) * NEAR && rate < MOST {
        let name = format!("trial-{}", trials.len());
        let before = (daemon.metrics().await?, daemon.on_core());
        let plan = Plan { rate, alerts: 4.0, lasts: TRIAL, threat, name };
        let played = play(&mut socket, &mut traffic, shots.as_mut(), &plan).await?;
        let took = receiver.latencies(&played, Duration::from_secs(2)).await;
        let shed = daemon.metrics().await?.shed() - before.0.shed();
        let late = took.len() < played.raising.len() || took.iter().any(|ms| *ms > LATE_MS);
        let why = match (played.behind > HELD_UP, shed > 0.0, late) {
            (false, false, false) => "sustained",
            (true, ..) => "the platform was held up",
            (_, true, _) => "shed",
            _ => "an alert took more than a second",
        };
        trials.push(format!("{}: {why}", grouped(rate)));
        if why == "sustained" {
            good = rate;
            spent = stages(&before.1, &daemon.on_core(), &played);
        } else {
            bad = rate;
            // What it could not take is behind it before the next trial begins.
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        rate = if bad == MOST { rate * 2.0 } else { (good + bad) / 2.0 };
    }
    let what = if pictures { "chat and 5 looks a second" } else { "chat alone" };
    let plan = Plan { rate: good / 2.0, alerts: 20.0, lasts: LASTS, threat, name: "half".into() };
    let played = play(&mut socket, &mut traffic, shots.as_mut(), &plan).await?;
    let took = receiver.latencies(&played, Duration::from_secs(10)).await;
    let mut tail = Tail::of(format!("{what}, at half of it"), took, "nothing", Vec::new());
    tail.missing = played.raising.len() - tail.n;
    tail.goal = Some(Goal {
        what: "p99 of at most 250 ms".into(),
        met: tail.missing == 0 && tail.p99 <= 250.0,
    });
    let goal = (!pictures)
        .then(|| Goal { what: format!("at least {}/s", grouped(GOAL)), met: good >= GOAL });
    let resident = daemon.resident() >> 20;
    let rate = Rate {
        what: format!("{what}, {CHANNELS} channels"),
        rate: good,
        notes: vec![trials.join("; "), format!("{resident} MiB held; {spent}")],
        load: super::load(),
        goal,
    };
    Ok((rate, tail))
}
