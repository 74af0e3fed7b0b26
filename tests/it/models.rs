//! The shipped models through the real ONNX Runtime: a score is its own input's alone, whatever the company, order or
//! thread count; models that do not fit their manifest are refused with reasons; the queue's promises hold.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use ndarray::{Array2, Array4, Axis};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vigie::event::{CHAT_LABELS, FRAME_LABELS, Scores, Setting, Unscored};
use vigie::model::graph::{BATCH_SIZES, Graph, Input};
use vigie::model::image::{Eye, ImageError, Picture};
use vigie::model::text::features;
use vigie::model::{
    Inference, InferenceOptions, LookJob, Looked, Manifest, Message, MessageScores, ModelKind,
    Preprocess, Rejected, Scored, Scorer, Scoring, Watcher, load_runtime,
};

#[path = "models/foreign.rs"]
pub mod foreign;
#[path = "models/odd.rs"]
mod odd;
#[path = "models/refused.rs"]
mod refused;
#[path = "models/stages.rs"]
mod stages;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped manifest, with the runtime loaded; `None`, and it is said, where ONNX Runtime is not here.
pub fn shipped() -> Option<Manifest> {
    if let Err(error) = load_runtime(None) {
        eprintln!("VIGIE_SKIPPED models: {error}");
        return None;
    }
    Some(Manifest::load(&root().join("models/manifest.toml")).expect("the shipped manifest"))
}

pub fn fixture_picture(name: &str) -> Bytes {
    std::fs::read(root().join("tests/fixtures/frame_parity").join(name)).expect("fixture").into()
}

const PICTURES: [&str; 6] =
    ["gradient.jpg", "blocks.jpg", "figures-1.jpg", "figures-2.jpg", "figures-3.jpg", "rings.jpg"];

const WORDS: [&str; 36] = [
    "salut",
    "le",
    "chat",
    "frappe",
    "le",
    "20",
    "balles",
    "please",
    "stop",
    "he",
    "isn't",
    "moving",
    "appelez",
    "les",
    "secours",
    "lol",
    "mdr",
    "GG",
    "trop",
    "drôle",
    "choke",
    "him",
    "for",
    "€50",
    "kys",
    "t'es",
    "nul",
    "what",
    "a",
    "game",
    "il",
    "respire",
    "plus",
    "😂😂",
    "@modo",
    "https://example.org/x",
];

/// Messages of every padded length, setting and price, by seed.
fn messages(count: usize, seed: u64) -> Vec<Message> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|place| {
            // Every eighth message is long, one is empty.
            let words = if place % 8 == 7 { 60 } else { dice.random_range(0..14) };
            let text: Vec<&str> =
                (0..words).map(|_| WORDS[dice.random_range(0..WORDS.len())]).collect();
            Message {
                text: text.join(" ").into(),
                paid: dice.random_bool(0.3),
                setting: Setting::ALL[dice.random_range(0..Setting::ALL.len())],
            }
        })
        .collect()
}

/// Looks of one to eight pictures, by seed.
fn looks(count: usize, seed: u64) -> Vec<Vec<Bytes>> {
    let pictures = PICTURES.map(fixture_picture);
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|place| {
            let frames = [1, 2, 1, 5, 1, 2, 1, 1, 2, 3, 1, 2, 1, 1, 2, 8][place % 16];
            (0..frames).map(|_| pictures[dice.random_range(0..pictures.len())].clone()).collect()
        })
        .collect()
}

fn bits(scores: &Scores) -> Vec<Option<u32>> {
    (0..8).map(|label| scores.get(label).map(f32::to_bits)).collect()
}

type MessageBits = (Vec<Option<u32>>, Option<Vec<Option<u32>>>);

fn message_bits(scores: &MessageScores) -> MessageBits {
    (bits(&scores.own), scores.plain.as_ref().map(bits))
}

type LookBits = (Vec<Option<u32>>, Option<u32>, Vec<u8>, Vec<bool>);

fn look_bits(looked: &Looked) -> LookBits {
    let motion = looked.motion.map(f32::to_bits);
    (bits(&looked.scores), motion, looked.thumb.clone(), looked.used.clone())
}

/// Sends the result, with its place, to a test's thread.
struct Post<T>(mpsc::Sender<(usize, Result<T, Unscored>)>, usize);

impl<T: Send> Scored<T> for Post<T> {
    fn done(self: Box<Self>, result: Result<T, Unscored>) {
        self.0.send((self.1, result)).expect("the test waits");
    }
}

/// Of one thing, where whoever wanted it has gone.
struct Gone;

impl<T> Scored<T> for Gone {
    fn wanted(&self) -> bool {
        false
    }
    fn done(self: Box<Self>, _result: Result<T, Unscored>) {
        panic!("nobody waits for this");
    }
}

/// Holds the inference thread until the test says go on.
struct Gate(mpsc::Sender<()>, mpsc::Receiver<()>);

impl<T> Scored<T> for Gate {
    fn done(self: Box<Self>, _result: Result<T, Unscored>) {
        self.0.send(()).expect("the test waits");
        self.1.recv().expect("the test says go on");
    }
}

/// Writes down in which order the answers came.
struct Note(Arc<std::sync::Mutex<Vec<&'static str>>>, &'static str);

impl<T> Scored<T> for Note {
    fn done(self: Box<Self>, _result: Result<T, Unscored>) {
        self.0.lock().unwrap().push(self.1);
    }
}

fn answers<T>(receiver: mpsc::Receiver<(usize, Result<T, Unscored>)>, count: usize) -> Vec<T> {
    let mut out: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for _ in 0..count {
        let (place, result) = receiver.recv_timeout(Duration::from_secs(120)).expect("an answer");
        assert!(out[place].replace(result.expect("scored")).is_none(), "{place} answered twice");
    }
    out.into_iter().map(|answer| answer.expect("each has one")).collect()
}

fn options(threads: usize) -> InferenceOptions {
    InferenceOptions { threads, ..InferenceOptions::default() }
}

#[test]
fn a_message_scores_the_same_bits_in_any_company() {
    let Some(manifest) = shipped() else { return };
    let mut scorer = Scorer::open(&manifest).unwrap();
    let messages = messages(96, 11);
    let alone: Vec<MessageBits> = messages
        .iter()
        .map(|message| message_bits(&scorer.messages(std::slice::from_ref(message)).unwrap()[0]))
        .collect();
    assert!(alone.iter().any(|(own, _)| *own != alone[0].0), "they do not all score alike");
    let mut dice = ChaCha8Rng::seed_from_u64(12);
    let mut order: Vec<usize> = (0..messages.len()).collect();
    for size in [2, 7, 64, 96] {
        for _ in 0..2 {
            order.shuffle(&mut dice);
            for company in order.chunks(size) {
                let batch: Vec<Message> = company.iter().map(|i| messages[*i].clone()).collect();
                for (place, scores) in company.iter().zip(scorer.messages(&batch).unwrap()) {
                    let text = &messages[*place].text;
                    assert_eq!(message_bits(&scores), alone[*place], "in {size}: {text}");
                }
            }
        }
    }
    for threads in [1, 2] {
        let inference = Inference::start(&manifest, options(threads), Arc::new(())).unwrap();
        for size in [2, 7, 64] {
            let (sender, receiver) = mpsc::channel();
            order.shuffle(&mut dice);
            for company in order.chunks(size) {
                for place in company {
                    let post = Box::new(Post(sender.clone(), *place));
                    assert!(inference.message(messages[*place].clone(), post).is_ok());
                }
                if size < 64 && dice.random_bool(0.3) {
                    std::thread::sleep(Duration::from_millis(3));
                }
            }
            let through: Vec<MessageScores> = answers(receiver, messages.len());
            let through: Vec<MessageBits> = through.iter().map(message_bits).collect();
            assert_eq!(through, alone, "{threads} threads, {size} at a time");
        }
    }
}

#[test]
fn a_look_scores_the_same_bits_in_any_company() {
    let Some(manifest) = shipped() else { return };
    let mut scorer = Scorer::open(&manifest).unwrap();
    let looks = looks(64, 21);
    let alone: Vec<LookBits> =
        looks.iter().map(|look| look_bits(&scorer.look(look).unwrap())).collect();
    assert!(alone.iter().any(|look| look.0 != alone[0].0), "they do not all score alike");
    // A picture's features do not depend on how many stand beside it, nor on its place.
    let spec = manifest.of_kind(ModelKind::Image).next().unwrap();
    let mut backbone =
        Graph::open(spec, &manifest.dir, &spec.file, &spec.sha256, &spec.inputs, &spec.outputs)
            .unwrap();
    let mut planes = Array4::zeros((PICTURES.len(), 3, 224, 224));
    for (name, target) in PICTURES.iter().zip(planes.outer_iter_mut()) {
        let picture = Picture::decode(&fixture_picture(name)).unwrap();
        let Some(Preprocess::Rgb(planes)) = &spec.preprocess else { panic!("of pictures") };
        Eye::default().planes(&picture, planes, target);
    }
    let mut first: Vec<Option<Vec<f32>>> = vec![None; PICTURES.len()];
    let mut dice = ChaCha8Rng::seed_from_u64(22);
    for size in BATCH_SIZES.into_iter().filter(|size| *size <= 8) {
        let places: Vec<usize> = (0..size).map(|_| dice.random_range(0..PICTURES.len())).collect();
        let batch = planes.select(Axis(0), &places);
        let result = backbone.run([Input::F32(batch.view().into_dyn())]).unwrap();
        for (place, row) in places.iter().zip(result[0].outer_iter()) {
            let known = first[*place].get_or_insert_with(|| row.iter().copied().collect());
            let same = known.iter().zip(&row).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} in a batch of {size}", PICTURES[*place]);
        }
    }
    // Through the queue, in batches of looks that wait together, with messages between them.
    let chat = messages(64, 23);
    let mut order: Vec<usize> = (0..looks.len()).collect();
    for (threads, size, rounds) in [(1, 7, 3), (2, 2, 8), (2, 64, 1)] {
        let inference = Inference::start(&manifest, options(threads), Arc::new(())).unwrap();
        order.shuffle(&mut dice);
        for company in order.chunks(size).take(rounds) {
            let (sender, receiver) = mpsc::channel();
            let (said, heard) = mpsc::channel();
            for (nth, place) in company.iter().enumerate() {
                let job = LookJob { pictures: looks[*place].clone() };
                assert!(inference.look(job, Box::new(Post(sender.clone(), nth))).is_ok());
                let post = Box::new(Post(said.clone(), nth));
                assert!(inference.message(chat[*place].clone(), post).is_ok());
            }
            let through: Vec<Looked> = answers(receiver, company.len());
            for (place, looked) in company.iter().zip(&through) {
                assert_eq!(look_bits(looked), alone[*place], "{threads} threads, {size} at a time");
            }
            answers::<MessageScores>(heard, company.len());
        }
    }
}

#[test]
fn paid_never_lowers_a_score_and_plain_is_there_for_settings_that_excuse() {
    let Some(manifest) = shipped() else { return };
    let mut scorer = Scorer::open(&manifest).unwrap();
    let (mut raised, mut same) = (0, 0);
    for message in messages(80, 31) {
        for setting in Setting::ALL {
            let as_paid = |paid| Message { paid, setting, ..message.clone() };
            let scores = scorer.messages(&[as_paid(false), as_paid(true)]).unwrap();
            let excuses = matches!(setting, Setting::Game | Setting::Sport | Setting::Fiction);
            let free = (scores[0].own, scores[0].plain);
            let paid = (scores[1].own, scores[1].plain);
            assert_eq!((free.1.is_some(), paid.1.is_some()), (excuses, excuses), "{setting:?}");
            let pairs = [(Some(free.0), Some(paid.0)), (free.1, paid.1)];
            for (free, paid) in pairs.into_iter().filter_map(|(a, b)| Some((a?, b?))) {
                for label in CHAT_LABELS {
                    let (free, paid) = (free.chat(label).unwrap(), paid.chat(label).unwrap());
                    assert!((0.0..=1.0).contains(&free) && (0.0..=1.0).contains(&paid));
                    assert!(paid >= free, "{label:?} {setting:?}: {free} → {paid}: {message:?}");
                    if paid > free { raised += 1 } else { same += 1 }
                }
            }
            if excuses {
                let unknown = Message { setting: Setting::Unknown, ..as_paid(true) };
                let unknown = scorer.messages(&[unknown]).unwrap()[0];
                assert_eq!(scores[1].plain, Some(unknown.own), "plain is the same for `unknown`");
            }
        }
    }
    assert!(raised > same / 20, "paying matters to some: {raised} raised, {same} not");
}

#[test]
fn chat_scores_are_those_of_the_training() {
    let Some(manifest) = shipped() else { return };
    let file = std::fs::read_to_string(root().join("tests/fixtures/chat_parity.json")).unwrap();
    let fixture: serde_json::Value = serde_json::from_str(&file).unwrap();
    let spec = manifest.of_kind(ModelKind::Text).next().unwrap();
    let mut graph =
        Graph::open(spec, &manifest.dir, &spec.file, &spec.sha256, &spec.inputs, &spec.outputs)
            .unwrap();
    let mut scorer = Scorer::open(&manifest).unwrap();
    let buckets = fixture["buckets"].as_u64().unwrap() as u32;
    let floats = |value: &serde_json::Value| -> Vec<f32> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
    };
    let (mut furthest, mut compared) = (0.0f32, 0);
    for row in fixture["scores"].as_array().unwrap() {
        let text = fixture["texts"][row[0].as_u64().unwrap() as usize][0].as_str().unwrap();
        let (context, wanted) = (floats(&row[1]), floats(&row[2]));
        let mut ids = Vec::new();
        features(text, buckets, 512, &mut ids);
        // Every padded length from the text's own on gives the same.
        for length in [16, 32, 64, 128, 256, 512].into_iter().filter(|l| *l >= ids.len()).take(2) {
            let mut padded = ids.clone();
            padded.resize(length, 0);
            let ids = Array2::from_shape_vec((2, length), padded.repeat(2)).unwrap();
            let beside = Array2::from_shape_vec((2, context.len()), context.repeat(2)).unwrap();
            let inputs = [Input::I32(ids.view().into_dyn()), Input::F32(beside.view().into_dyn())];
            let result = graph.run(inputs).unwrap();
            for (score, wanted) in result[0].iter().zip(&wanted) {
                furthest = furthest.max((score - wanted).abs());
                compared += 1;
            }
        }
    }
    eprintln!("chat: largest difference from the training's scores {furthest:.7} of {compared}");
    assert!(compared >= 1600, "{compared} scores compared");
    assert!(furthest <= 1e-4, "{furthest}");

    // All stages, the drop rules and the calibration together, a message beside others.
    let told = fixture["told"].as_array().unwrap();
    let messages: Vec<Message> = told
        .iter()
        .map(|row| Message {
            text: fixture["texts"][row[0].as_u64().unwrap() as usize][0].as_str().unwrap().into(),
            paid: row[1].as_bool().unwrap(),
            setting: Setting::ALL.into_iter().find(|s| s.name() == row[2]).unwrap(),
        })
        .collect();
    let scores = scorer.messages(&messages).unwrap();
    let (mut furthest, mut by) = (0.0f32, [0; 3]);
    for ((row, message), scores) in told.iter().zip(&messages).zip(&scores) {
        by[row[3].as_u64().unwrap() as usize] += 1;
        for (label, wanted) in CHAT_LABELS.into_iter().zip(floats(&row[4])) {
            let off = (scores.own.chat(label).unwrap() - wanted).abs();
            assert!(off <= 2e-3, "{} is off by {off}: {}", label.name(), message.text);
            furthest = furthest.max(off);
        }
    }
    eprintln!("chat: {} messages, told by each stage {by:?}, furthest {furthest:.6}", told.len());
    assert!(told.len() >= 1000 && by.iter().all(|n| *n > 20), "{by:?} of {}", told.len());
}

/// Counts what the batcher tells.
#[derive(Default)]
struct Counts {
    messages: AtomicUsize,
    looks: AtomicUsize,
    bad: AtomicUsize,
}

impl Watcher for Counts {
    fn batch(&self, what: &'static str, size: usize, _took: Duration) {
        match what {
            "message" => self.messages.fetch_add(size, Ordering::SeqCst),
            _ => self.looks.fetch_add(1, Ordering::SeqCst),
        };
    }
    fn bad_picture(&self, _error: &ImageError) {
        self.bad.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_full_queue_gives_work_back_skips_what_nobody_wants_and_drains_when_dropped() {
    let Some(manifest) = shipped() else { return };
    let counts = Arc::new(Counts::default());
    // No look is taken out ahead to be decoded.
    let options = InferenceOptions { decoders: Some(0), messages: 4, looks: 2, ..options(1) };
    let inference = Inference::start(&manifest, options, counts.clone()).unwrap();
    let chat = messages(8, 41);
    let job = || LookJob { pictures: vec![fixture_picture("blocks.jpg")] };
    // The only thread is held in the reply of a first message.
    let (reached, waits) = mpsc::channel();
    let (go, held) = mpsc::channel();
    assert!(inference.message(chat[0].clone(), Box::new(Gate(reached, held))).is_ok());
    waits.recv_timeout(Duration::from_secs(60)).unwrap();

    let (sender, receiver) = mpsc::channel();
    for place in 0..2 {
        assert!(inference.message(chat[1].clone(), Box::new(Gone)).is_ok());
        let post = Box::new(Post(sender.clone(), place));
        assert!(inference.message(chat[2 + place].clone(), post).is_ok());
    }
    let post = Box::new(Post(sender.clone(), 7));
    let Err(Rejected((back, reply))) = inference.message(chat[7].clone(), post) else {
        panic!("a fifth message in a queue of four");
    };
    assert_eq!(back, chat[7]);
    reply.done(Err(Unscored::Shed));
    assert_eq!(receiver.recv().unwrap(), (7, Err(Unscored::Shed)), "the reply came back too");

    let (look_sender, look_receiver) = mpsc::channel();
    assert!(inference.look(job(), Box::new(Gone)).is_ok());
    assert!(inference.look(job(), Box::new(Post(look_sender.clone(), 0))).is_ok());
    let post = Box::new(Post(look_sender, 1));
    let Err(Rejected((back, _))) = inference.look(job(), post) else {
        panic!("a third look in a queue of two");
    };
    assert_eq!(back, job());
    assert_eq!(inference.depth(), (4, 2));

    go.send(()).unwrap();
    drop(inference);
    // Dropping waited for the thread: all who wait have their answer, and nothing more was scored than they asked for.
    let done: Vec<_> = receiver.try_iter().collect();
    assert_eq!(done.len(), 2);
    assert!(done.iter().all(|(_, result)| result.is_ok()));
    assert_eq!(look_receiver.try_iter().filter(|(_, result)| result.is_ok()).count(), 1);
    assert_eq!(counts.messages.load(Ordering::SeqCst), 3, "two gone messages were skipped");
    assert_eq!(counts.looks.load(Ordering::SeqCst), 1, "the gone look was skipped");
}

/// Sends a word for each picture that cannot be used.
struct Problems(mpsc::Sender<()>);

impl Watcher for Problems {
    fn bad_picture(&self, _: &ImageError) {
        self.0.send(()).expect("the test waits");
    }
}

#[test]
fn on_a_single_thread_neither_kind_starves_the_other() {
    let Some(manifest) = shipped() else { return };
    [0, 1].into_iter().for_each(|decoders| starved_is_none(&manifest, decoders));
}

fn starved_is_none(manifest: &Manifest, decoders: usize) {
    let (watcher, decoded) = mpsc::channel();
    let watcher = Arc::new(Problems(watcher));
    let inference = Inference::start(
        manifest,
        InferenceOptions { decoders: Some(decoders), ..options(1) },
        watcher,
    )
    .unwrap();
    let (reached, waits) = mpsc::channel();
    let (go, held) = mpsc::channel();
    let chat = messages(64 * 3, 51);
    assert!(inference.message(chat[0].clone(), Box::new(Gate(reached, held))).is_ok());
    waits.recv_timeout(Duration::from_secs(60)).unwrap();
    // A full batch, a look, two full batches: answered in this order.
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = |what: &'static str| Note(order.clone(), what);
    chat[..64].iter().for_each(|m| {
        assert!(inference.message(m.clone(), Box::new(noted("before"))).is_ok());
    });
    // Its second picture is none, which is told once the look is decoded.
    let pictures = vec![fixture_picture("blocks.jpg"), Bytes::from_static(b"no picture")];
    assert!(inference.look(LookJob { pictures }, Box::new(noted("look"))).is_ok());
    if decoders > 0 {
        decoded.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    chat[64..].iter().for_each(|m| {
        assert!(inference.message(m.clone(), Box::new(noted("after"))).is_ok());
    });
    go.send(()).unwrap();
    drop(inference);
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 64 * 3 + 1);
    assert_eq!(order.iter().position(|what| *what == "look"), Some(64), "{decoders}");
}

#[test]
fn an_oneshot_whose_receiver_went_is_not_wanted() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<Result<MessageScores, Unscored>>();
    let reply: Box<dyn Scored<MessageScores>> = Box::new(sender);
    assert!(reply.wanted());
    drop(receiver);
    assert!(!reply.wanted());
    reply.done(Err(Unscored::NoModel));
}

#[test]
fn a_truncated_picture_is_left_out_of_its_look_alone() {
    let Some(manifest) = shipped() else { return };
    let [a, b, c] = ["figures-1.jpg", "figures-2.jpg", "rings.jpg"].map(fixture_picture);
    let cut = b.slice(..b.len() * 2 / 3);
    let mut scorer = Scorer::open(&manifest).unwrap();
    let whole = scorer.look(&[a.clone(), c.clone()]).unwrap();
    let broken = scorer.look(&[a.clone(), cut.clone(), c.clone()]).unwrap();
    assert_eq!(broken.used, [true, false, true]);
    assert_eq!(broken.problems.len(), 1);
    assert_eq!(bits(&broken.scores), bits(&whole.scores));
    assert_eq!((broken.motion, &broken.thumb), (whole.motion, &whole.thumb));
    let with_b = scorer.look(&[a, b, c]).unwrap();
    assert_ne!(bits(&with_b.scores), bits(&whole.scores), "the whole picture would have counted");

    let nothing = scorer.look(&[cut.clone(), Bytes::from_static(b"\xff\xd8")]).unwrap();
    assert!(FRAME_LABELS.iter().all(|label| nothing.scores.frame(*label).is_none()));
    assert_eq!((nothing.motion, nothing.thumb.len(), nothing.used), (None, 0, vec![false; 2]));

    let counts = Arc::new(Counts::default());
    let inference = Inference::start(&manifest, options(1), counts.clone()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let job = LookJob { pictures: vec![cut] };
    assert!(inference.look(job, Box::new(Post(sender, 0))).is_ok());
    assert_eq!(answers(receiver, 1)[0].problems.len(), 1);
    assert_eq!(counts.bad.load(Ordering::SeqCst), 1);
}
