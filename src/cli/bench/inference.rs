//! The benchmark `models`: Vigie's batcher beside a bare ONNX Runtime loop that runs the very same tensors (the same
//! rows in the same batches, padded alike) in as many sessions and threads, and does nothing else.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ndarray::{Array4, ArrayD};
use ort::session::{Session, SessionInputValue};

use super::{Baseline, Bench, Case, Goal, in_turn, material, micros, timed};
use crate::event::{Signals, Unscored};
use crate::model::graph::{BATCH_SIZES, Numbers, Run, bare_session};
use crate::model::image::{Eye, Picture};
use crate::model::{
    Escalation, Inference, InferenceOptions, LookJob, Manifest, Message, ModelKind, ModelSpec,
    Preprocess, Scored, Scorer, StageSpec, text,
};

const ROUNDS: usize = 9;
const MESSAGES: usize = 64 * 256;
/// Of these, as many as a second stage reads.
const DEAR_MESSAGES: usize = 64 * 32;
/// Messages a second that one core should carry: from raw text through the first stage, through both for every message, and
/// through both where the first drops what it does.
const FIRST: f64 = 100_000.0;
const SECOND: f64 = 1_500.0;
const BOTH: f64 = 7_500.0;
const LOOKS: usize = 8;
const FRAMES: usize = 8;
const EVALUATIONS: usize = 64 * 64;
/// From this on (µs an item) a model counts as dear.
const DEAR: f64 = 100.0;

pub fn models(bench: &mut Bench) -> Result<(), String> {
    let manifest = bench.manifest().map_err(|error| error.to_string())?;
    for spec in &manifest.models {
        for threads in [1, 2] {
            let case = match spec.kind {
                ModelKind::Text => {
                    text_models(bench, &manifest, spec, threads)?;
                    continue;
                }
                ModelKind::Image => image_model(&manifest, spec, threads)?,
                // Each shard runs it by itself; there is no queue and no thread to compare.
                ModelKind::Tabular if threads == 1 => tabular_model(&manifest, spec)?,
                ModelKind::Tabular => continue,
            };
            bench.cases.push(case);
        }
    }
    Ok(())
}

/// One run of a graph, as a bare loop is given it.
struct Batch {
    /// Its place among the sessions.
    graph: usize,
    inputs: Run,
}

/// Runs one batch and reads the last number of its first output.
fn bare_run(sessions: &mut [Session], batch: &Batch) -> Result<f32, ort::Error> {
    let mut values: Vec<(std::borrow::Cow<str>, SessionInputValue)> = Vec::new();
    for (name, numbers) in &batch.inputs {
        values.push((name.as_str().into(), numbers.input().tensor()?));
    }
    let outputs = sessions[batch.graph].run(values)?;
    let (_, data) = outputs[0].try_extract_tensor::<f32>()?;
    Ok(data.last().copied().unwrap_or_default())
}

/// What a thread runs before it takes the next.
type Turn = Vec<Batch>;

/// Sessions of every thread; each turn is run by the thread that is free, batch after batch. `prepare` is called before
/// each turn with its place.
fn bare_loop(
    sessions: &mut [Vec<Session>],
    turns: &[Turn],
    prepare: Option<&(dyn Fn(usize) + Sync)>,
) -> Result<Duration, String> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let failure = std::thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .iter_mut()
            .map(|graphs| {
                let next = &next;
                scope.spawn(move || -> Result<f32, ort::Error> {
                    let mut sum = 0.0;
                    loop {
                        let turn = next.fetch_add(1, Ordering::Relaxed);
                        let Some(batches) = turns.get(turn) else { break };
                        if let Some(prepare) = prepare {
                            prepare(turn);
                        }
                        for batch in batches {
                            sum += bare_run(graphs, batch)?;
                        }
                    }
                    Ok(std::hint::black_box(sum))
                })
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .filter_map(|end| match end {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("a thread of the bare loop panicked".to_owned()),
            })
            .next()
    });
    failure.map_or(Ok(began.elapsed()), Err)
}

fn sessions(files: &[&Path], threads: usize) -> Result<Vec<Vec<Session>>, String> {
    (0..threads).map(|_| files.iter().map(|file| bare_session(file)).collect()).collect()
}

/// Counts the answers down; the last one wakes the benchmark.
struct Count(Arc<(AtomicUsize, mpsc::Sender<()>)>);

impl Count {
    fn new(items: usize) -> (Self, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel();
        (Self(Arc::new((AtomicUsize::new(items), sender))), receiver)
    }
}

impl<T> Scored<T> for Count {
    fn done(self: Box<Self>, result: Result<T, Unscored>) {
        std::hint::black_box(&result);
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The benchmark waits for it until it comes.
            let _ = self.0.1.send(());
        }
    }
}

/// The manifest with one model alone, so that no other one's work is counted.
fn alone(manifest: &Manifest, spec: &ModelSpec) -> Manifest {
    Manifest { models: vec![spec.clone()], ..manifest.clone() }
}

/// What is measured of a text model: itself, and of one with several stages the first, the last and all of them.
fn text_models(
    bench: &mut Bench,
    manifest: &Manifest,
    spec: &ModelSpec,
    threads: usize,
) -> Result<(), String> {
    let (messages, whose) = material::said(MESSAGES)?;
    let told = spec.told();
    let Some(second) = &spec.second else {
        let what = format!("{told}, {whose}");
        bench.cases.push(text_model(manifest, spec, what, None, &messages, threads)?);
        return Ok(());
    };
    let few = &messages[..DEAR_MESSAGES];
    let first = ModelSpec { second: None, third: None, ..spec.clone() };
    // Nothing is below nothing, so nothing is dropped.
    let drop = second.drop.keys().map(|label| (label.clone(), 0.0)).collect();
    // The last stage after the first alone.
    let last = spec.third.as_ref().unwrap_or(second);
    let every = StageSpec { drop, ..last.clone() };
    let every = ModelSpec { second: Some(every), third: None, ..spec.clone() };
    let dropped = 100.0 * dropped(&alone(manifest, spec), few)?;
    let parts = [
        (&first, format!("{told}, first stage alone, {whose}"), FIRST, &messages[..]),
        (&every, format!("{told}, last stage of every message"), SECOND, few),
        (spec, format!("{told}, all stages, {dropped:.0} % not read by the last"), BOTH, few),
    ];
    for (spec, what, rate, messages) in parts {
        let case = text_model(manifest, spec, what, Some(rate), messages, threads)?;
        bench.cases.push(case);
    }
    Ok(())
}

/// The share of messages that the last stage does not read.
fn dropped(manifest: &Manifest, messages: &[Message]) -> Result<f64, String> {
    let mut scorer = Scorer::open(manifest).map_err(|error| error.to_string())?;
    scorer.taped();
    let mut dropped = 0;
    for message in messages {
        let scored = scorer.messages(std::slice::from_ref(message));
        std::hint::black_box(scored.map_err(|error| error.to_string())?);
        dropped += usize::from(scorer.taped().last().is_some_and(Vec::is_empty));
    }
    Ok(dropped as f64 / messages.len().max(1) as f64)
}

/// The batches that a scorer makes of each 64 messages.
fn text_turns(manifest: &Manifest, messages: &[Message]) -> Result<Vec<Turn>, String> {
    let mut scorer = Scorer::open(manifest).map_err(|error| error.to_string())?;
    scorer.taped();
    let turn = |messages: &[Message]| -> Result<Turn, String> {
        let scored = scorer.messages(messages).map_err(|error| error.to_string())?;
        std::hint::black_box(scored);
        let of = |(graph, runs): (usize, Vec<Run>)| {
            runs.into_iter().map(move |inputs| Batch { graph, inputs })
        };
        Ok(scorer.taped().into_iter().enumerate().flat_map(of).collect())
    };
    messages.chunks(BATCH_SIZES[5]).map(turn).collect()
}

/// `rate`: messages a second that one core should carry.
fn text_model(
    manifest: &Manifest,
    spec: &ModelSpec,
    what: String,
    rate: Option<f64>,
    messages: &[Message],
    threads: usize,
) -> Result<Case, String> {
    let turns = text_turns(&alone(manifest, spec), messages)?;
    let mut files = vec![manifest.dir.join(&spec.file)];
    files.extend(spec.further().map(|stage| manifest.dir.join(&stage.file)));
    let paths: Vec<&Path> = files.iter().map(|file| file.as_path()).collect();
    let (mut more, mut sessions) = (sessions(&paths, threads)?, sessions(&paths, threads)?);
    bare_loop(&mut sessions, &turns, None)?;
    let options = InferenceOptions { threads, messages: messages.len(), ..Default::default() };
    let inference = Inference::start(&alone(manifest, spec), options, Arc::new(()))
        .map_err(|error| error.to_string())?;
    let mut ours = || {
        let work = messages.to_vec();
        let (count, ended) = Count::new(work.len());
        timed(|| {
            for message in work {
                // The queue holds them all.
                let _ = inference.message(message, Box::new(Count(count.0.clone())));
            }
            let _ = ended.recv();
        })
    };
    // Each ran once above, so it cannot fail for its inputs.
    let mut prepared = || bare_loop(&mut sessions, &turns, None).unwrap_or_default();
    // How a tokenizer or a second stage reads is not told apart from how it runs.
    let hashed = match &spec.preprocess {
        Some(Preprocess::HashedNgrams { buckets, lengths }) if spec.second.is_none() => {
            Some((*buckets, lengths.last().copied().unwrap_or_default()))
        }
        _ => None,
    };
    let took = match hashed {
        Some((buckets, longest)) => {
            let prepare = |turn: usize| {
                let mut ids = Vec::new();
                for message in messages.iter().skip(turn * BATCH_SIZES[5]).take(BATCH_SIZES[5]) {
                    text::features(&message.text, buckets, longest, &mut ids);
                    std::hint::black_box(&ids);
                }
            };
            let mut preparing = || bare_loop(&mut more, &turns, Some(&prepare)).unwrap_or_default();
            in_turn(ROUNDS, [&mut ours, &mut prepared, &mut preparing]).to_vec()
        }
        None => in_turn(ROUNDS, [&mut ours, &mut prepared]).to_vec(),
    };
    let mut case = case(what, threads, "message", messages.len(), &took);
    if let (Some(goal), Some(rate)) = (&mut case.goal, rate) {
        goal.what.push_str(&format!(", {} messages/s a core", super::grouped(rate)));
        goal.met &= case.micros.median * threads as f64 <= 1e6 / rate;
    }
    Ok(case)
}

fn image_model(manifest: &Manifest, spec: &ModelSpec, threads: usize) -> Result<Case, String> {
    let pictures = material::pictures(FRAMES);
    let Some(Preprocess::Rgb(wanted)) = &spec.preprocess else {
        return Err(format!("{} reads no pictures", spec.told()));
    };
    let tail = wanted.shape().map(|n| n as usize);
    let lay_out = || {
        let mut planes = Array4::zeros((FRAMES, tail[0], tail[1], tail[2]));
        let mut eye = Eye::default();
        for (bytes, target) in pictures.iter().zip(planes.outer_iter_mut()) {
            if let Ok(picture) = Picture::decode(bytes) {
                eye.planes(&picture, wanted, target);
            }
        }
        planes
    };
    let planes = lay_out();
    let mut files = vec![manifest.dir.join(&spec.file)];
    let turn = || {
        let pixels = Numbers::F32(planes.clone().into_dyn());
        let inputs = vec![(spec.inputs[0].name.clone(), pixels)];
        let mut out = vec![Batch { graph: 0, inputs }];
        if let Some(look) = &spec.look {
            let features = look.inputs[0].shape.last();
            let Some(crate::model::Dim::Fixed(features)) = features else { return out };
            let features = *features as usize;
            let shapes: [&[usize]; 2] = [&[2, look.frames, features], &[2, look.frames]];
            let numbers = shapes.into_iter().zip([0.5, 1.0]);
            let numbers = numbers.map(|(shape, x)| Numbers::F32(ArrayD::from_elem(shape, x)));
            let names = look.inputs.iter().map(|input| input.name.clone());
            out.push(Batch { graph: 1, inputs: names.zip(numbers).collect() });
        }
        out
    };
    let turns: Vec<Turn> = (0..LOOKS).map(|_| turn()).collect();
    files.extend(spec.look.as_ref().map(|look| manifest.dir.join(&look.file)));
    let paths: Vec<&Path> = files.iter().map(|file| file.as_path()).collect();
    let (mut more, mut sessions) = (sessions(&paths, threads)?, sessions(&paths, threads)?);
    bare_loop(&mut sessions, &turns, None)?;
    let options = InferenceOptions { threads, ..Default::default() };
    let inference = Inference::start(&alone(manifest, spec), options, Arc::new(()))
        .map_err(|error| error.to_string())?;
    let mut ours = || {
        let (count, ended) = Count::new(LOOKS);
        timed(|| {
            for _ in 0..LOOKS {
                let job = LookJob { pictures: pictures.clone() };
                // The queue holds them all.
                let _ = inference.look(job, Box::new(Count(count.0.clone())));
            }
            let _ = ended.recv();
        })
    };
    // Each ran once above, so it cannot fail for its inputs.
    let mut prepared = || bare_loop(&mut sessions, &turns, None).unwrap_or_default();
    let prepare = |_turn: usize| {
        std::hint::black_box(lay_out());
    };
    let mut preparing = || bare_loop(&mut more, &turns, Some(&prepare)).unwrap_or_default();
    let took = in_turn(ROUNDS, [&mut ours, &mut prepared, &mut preparing]);
    Ok(case(spec.told(), threads, "picture", LOOKS * FRAMES, &took))
}

fn tabular_model(manifest: &Manifest, spec: &ModelSpec) -> Result<Case, String> {
    let open = Escalation::open(&alone(manifest, spec)).map_err(|error| error.to_string())?;
    let mut model = open.ok_or("no tabular model")?;
    let mut dice = material::dice(4);
    let rows: Vec<Signals> = (0..EVALUATIONS)
        .map(|_| {
            let mut row = Signals::default();
            for signal in crate::event::Signal::all() {
                let (min, max) = (f64::from(signal.def().min), f64::from(signal.def().max));
                let share: f64 = rand::RngExt::random(&mut dice);
                row.set(signal, min + share * share * (max - min));
            }
            row
        })
        .collect();
    let columns = model.columns().to_vec();
    let turns: Vec<Turn> = rows
        .chunks(BATCH_SIZES[5])
        .map(|chunk| {
            let data = ArrayD::from_shape_fn(vec![chunk.len(), columns.len()], |at| {
                chunk[at[0]].or_lowest(columns[at[1]])
            });
            let inputs = vec![(spec.inputs[0].name.clone(), Numbers::F32(data))];
            vec![Batch { graph: 0, inputs }]
        })
        .collect();
    let mut sessions = sessions(&[&manifest.dir.join(&spec.file)], 1)?;
    bare_loop(&mut sessions, &turns, None)?;
    model.run(&rows).map_err(|error| error.to_string())?;
    let mut ours = || {
        timed(|| {
            std::hint::black_box(model.run(&rows).ok());
        })
    };
    // Each ran once above, so it cannot fail for its inputs.
    let mut prepared = || bare_loop(&mut sessions, &turns, None).unwrap_or_default();
    let took = in_turn(ROUNDS, [&mut ours, &mut prepared]);
    Ok(case(spec.told(), 1, "row", EVALUATIONS, &took))
}

fn case(
    what: String,
    threads: usize,
    unit: &'static str,
    items: usize,
    took: &[Vec<Duration>],
) -> Case {
    let mine = &took[0];
    let baseline =
        Baseline::of("a bare ONNX Runtime loop on tensors made before", items, mine, &took[1]);
    let preparing = took
        .get(2)
        .map(|took| Baseline::of("such a loop that also prepares what it runs", items, mine, took));
    // What an item costs one thread.
    let dear = baseline.micros.median * threads as f64 >= DEAR;
    let least = if dear { 0.9 } else { 0.6 };
    let goal =
        Goal { what: format!("ratio of at least {least}"), met: baseline.ratio.median >= least };
    let plural = if threads == 1 { "" } else { "s" };
    Case {
        bench: "models",
        what: format!("{what}, {threads} thread{plural}"),
        unit,
        items,
        rounds: mine.len(),
        micros: micros(mine, items),
        baselines: std::iter::once(baseline).chain(preparing).collect(),
        goal: Some(goal),
    }
}
