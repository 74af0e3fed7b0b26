//! The benchmark `models`: Vigie's batcher beside a bare ONNX Runtime loop that runs the very same tensors (the same
//! rows in the same batches, padded alike) in as many sessions and threads, and does nothing else.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use super::{Baseline, Bench, Case, Goal, in_turn, material, micros, timed};
use crate::event::{Setting, Signals, Unscored};
use ndarray::Array4;

use crate::model::graph::{BATCH_SIZES, bare_session, filled};
use crate::model::image::{Eye, Picture};
use crate::model::{
    Escalation, Inference, InferenceOptions, LookJob, Manifest, Message, ModelKind, ModelSpec,
    Preprocess, Scored, text,
};

const ROUNDS: usize = 9;
const MESSAGES: usize = 64 * 256;
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
                ModelKind::Text => text_model(&manifest, spec, threads)?,
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

/// Tensors of one run, as a bare loop is given them.
struct Batch {
    rows: usize,
    inputs: Vec<Tensor>,
}

struct Tensor {
    name: String,
    shape: Vec<i64>,
    data: Data,
}

enum Data {
    F32(Vec<f32>),
    I32(Vec<i32>),
}

impl Tensor {
    fn new(spec: &crate::model::TensorSpec, rows: usize, tail: &[usize], data: Data) -> Self {
        let shape = std::iter::once(rows).chain(tail.iter().copied()).map(|n| n as i64).collect();
        Self { name: spec.name.clone(), shape, data }
    }
}

/// Runs one batch and reads its first output.
fn bare_run(session: &mut Session, batch: &Batch) -> Result<f32, ort::Error> {
    let mut values: Vec<(std::borrow::Cow<str>, SessionInputValue)> = Vec::new();
    for tensor in &batch.inputs {
        let shape = tensor.shape.clone();
        let value = match &tensor.data {
            Data::F32(data) => TensorRef::from_array_view((shape, data.as_slice()))?.into(),
            Data::I32(data) => TensorRef::from_array_view((shape, data.as_slice()))?.into(),
        };
        values.push((tensor.name.as_str().into(), value));
    }
    let outputs = session.run(values)?;
    let (_, data) = outputs[0].try_extract_tensor::<f32>()?;
    Ok(data[batch.rows.min(data.len()) - 1])
}

/// All runs of one thread's turn: `graphs[i]` runs `turn[i]`.
type Turn = Vec<Batch>;

/// Sessions of every thread; each turn is run by the thread that is free, graph after graph. `prepare` is called before
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
                        for (place, batch) in batches.iter().enumerate() {
                            // A turn with more batches than graphs is all of the last graph.
                            let graph = place.min(graphs.len() - 1);
                            sum += bare_run(&mut graphs[graph], batch)?;
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

/// Buckets and longest length of a model of hashed n-grams.
fn hashed(spec: &ModelSpec) -> Result<(u32, usize), String> {
    match &spec.preprocess {
        Some(Preprocess::HashedNgrams { buckets, lengths }) => {
            Ok((*buckets, *lengths.last().ok_or("no lengths")?))
        }
        _ => Err(format!("{} is no model of hashed n-grams", spec.told())),
    }
}

/// The batches that the scorer makes of 64 messages: one for each padded length, 64 rows at most, filled up.
fn text_turns(spec: &ModelSpec, messages: &[Message]) -> Result<Vec<Turn>, String> {
    let (Some(Preprocess::HashedNgrams { buckets, lengths }), [ids, context]) =
        (&spec.preprocess, spec.inputs.as_slice())
    else {
        return Err(format!("{} is no model of hashed n-grams", spec.told()));
    };
    let longest = *lengths.last().ok_or("no lengths")?;
    let turn = |messages: &[Message]| {
        let mut rows: Vec<(usize, Vec<i32>, Vec<f32>)> = Vec::new();
        for message in messages {
            let mut features = Vec::new();
            text::features(&message.text, *buckets, longest, &mut features);
            let length = lengths.iter().copied().find(|l| *l >= features.len()).unwrap_or(longest);
            features.resize(length, 0);
            let settings =
                [Some(message.setting), message.setting.excuses().then_some(Setting::Unknown)];
            for setting in settings.into_iter().flatten() {
                for paid in [false, true].into_iter().take(1 + usize::from(message.paid)) {
                    let on = |column: &String| match column.as_str() {
                        "paid" => paid,
                        name => name == setting.name(),
                    };
                    let columns = context.columns.iter().map(|c| f32::from(u8::from(on(c))));
                    rows.push((length, features.clone(), columns.collect()));
                }
            }
        }
        let mut out = Turn::new();
        for length in lengths {
            let same: Vec<_> = rows.iter().filter(|(own, ..)| own == length).collect();
            for chunk in same.chunks(BATCH_SIZES[5]) {
                let size = filled(chunk.len());
                let row = |i: usize| chunk[i.min(chunk.len() - 1)];
                let all: Vec<i32> = (0..size).flat_map(|i| row(i).1.clone()).collect();
                let settings: Vec<f32> = (0..size).flat_map(|i| row(i).2.clone()).collect();
                let inputs = vec![
                    Tensor::new(ids, size, &[*length], Data::I32(all)),
                    Tensor::new(context, size, &[context.columns.len()], Data::F32(settings)),
                ];
                out.push(Batch { rows: size, inputs });
            }
        }
        out
    };
    Ok(messages.chunks(BATCH_SIZES[5]).map(turn).collect())
}

fn text_model(manifest: &Manifest, spec: &ModelSpec, threads: usize) -> Result<Case, String> {
    let messages = material::messages(MESSAGES);
    let turns = text_turns(spec, &messages)?;
    let file = manifest.dir.join(&spec.file);
    let (mut more, mut sessions) = (sessions(&[&file], threads)?, sessions(&[&file], threads)?);
    bare_loop(&mut sessions, &turns, None)?;
    let options = InferenceOptions { threads, messages: MESSAGES, ..Default::default() };
    let inference = Inference::start(&alone(manifest, spec), options, Arc::new(()))
        .map_err(|error| error.to_string())?;
    let mut ours = || {
        let work = messages.clone();
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
    let (buckets, longest) = hashed(spec)?;
    let prepare = |turn: usize| {
        let mut ids = Vec::new();
        for message in messages.iter().skip(turn * BATCH_SIZES[5]).take(BATCH_SIZES[5]) {
            text::features(&message.text, buckets, longest, &mut ids);
            std::hint::black_box(&ids);
        }
    };
    let mut preparing = || bare_loop(&mut more, &turns, Some(&prepare)).unwrap_or_default();
    let took = in_turn(ROUNDS, [&mut ours, &mut prepared, &mut preparing]);
    Ok(case(spec, threads, "message", MESSAGES, &took))
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
        planes.into_raw_vec_and_offset().0
    };
    let planes = lay_out();
    let mut files = vec![manifest.dir.join(&spec.file)];
    let turn = || {
        let pixels = Tensor::new(&spec.inputs[0], FRAMES, &tail, Data::F32(planes.clone()));
        let mut out = vec![Batch { rows: FRAMES, inputs: vec![pixels] }];
        if let Some(look) = &spec.look {
            let features = look.inputs[0].shape.last();
            let Some(crate::model::Dim::Fixed(features)) = features else { return out };
            let features = *features as usize;
            let inputs = vec![
                Tensor::new(
                    &look.inputs[0],
                    2,
                    &[look.frames, features],
                    Data::F32(vec![0.5; 2 * look.frames * features]),
                ),
                Tensor::new(
                    &look.inputs[1],
                    2,
                    &[look.frames],
                    Data::F32(vec![1.0; 2 * look.frames]),
                ),
            ];
            out.push(Batch { rows: 2, inputs });
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
    Ok(case(spec, threads, "picture", LOOKS * FRAMES, &took))
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
            let data = chunk.iter().flat_map(|row| columns.iter().map(|c| row.or_lowest(*c)));
            let data = Data::F32(data.collect());
            let input = Tensor::new(&spec.inputs[0], chunk.len(), &[columns.len()], data);
            vec![Batch { rows: chunk.len(), inputs: vec![input] }]
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
    Ok(case(spec, 1, "row", EVALUATIONS, &took))
}

fn case(
    spec: &ModelSpec,
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
        what: format!("{}, {threads} thread{plural}", spec.told()),
        unit,
        items,
        rounds: mine.len(),
        micros: micros(mine, items),
        baselines: std::iter::once(baseline).chain(preparing).collect(),
        goal: Some(goal),
    }
}
