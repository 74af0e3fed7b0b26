//! The scorer of one inference thread: its own sessions of every text and picture model. Messages and looks come in,
//! in batches; calibrated scores go out, each depending on its own input alone.

use std::path::Path;
use std::slice;

use bytes::Bytes;
use ndarray::{Array2, Array3, Array4, Axis, s};

use super::graph::{Graph, Input, Run, filled};
use super::image::{Eye, ImageError, Picture};
use super::manifest::{
    Dim, Manifest, ModelError, ModelKind, ModelSpec, Pictures, Planes, Preprocess, Tell,
    TensorSpec, Views, shown,
};
use super::reader::Reader;
use super::tokenized::Tokenized;
use crate::event::{FrameLabel, Manner, Score, Scores, Setting};

/// A message to score.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub text: Box<str>,
    pub paid: bool,
    pub setting: Setting,
}

/// A message's scores: for its setting and, under one that excuses, for `unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MessageScores {
    pub own: Scores,
    pub plain: Option<Scores>,
    /// None where no model read the words.
    pub manner: Option<Manner>,
}

/// What a look's pictures gave. `used` says which pictures could be decoded, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    pub scores: Scores,
    pub motion: Option<f32>,
    pub thumb: Vec<u8>,
    pub used: Vec<bool>,
    /// Reasons of the pictures that could not be used.
    pub problems: Vec<ImageError>,
}

/// A look ready for the picture models: decoded and laid out as tensors, which needs no session and so has threads of its
/// own.
pub struct Prepared {
    /// For each picture model in the manifest's order; empty where no picture can be used.
    laid: Vec<Laid>,
    looked: Looked,
}

/// What one picture model sees of a look.
struct Laid {
    /// A row a picture, in the model's layout, filled up to a batch.
    pixels: Array4<f32>,
    /// The row of the look head that each row is; rows beyond these only fill up.
    slots: Vec<usize>,
}

impl Prepared {
    /// Why pictures cannot be used.
    pub fn problems(&self) -> &[ImageError] {
        &self.looked.problems
    }
}

/// Makes looks ready.
pub struct Preparer {
    shapes: Vec<Shape>,
    eye: Eye,
}

/// What a picture model reads.
struct Shape {
    planes: Planes,
    views: Option<Views>,
    most: usize,
    /// Its graph takes one picture at a time, so that nothing is filled up.
    alone: bool,
}

impl Preparer {
    pub fn new(manifest: &Manifest) -> Self {
        let shape = |spec: &ModelSpec| match &spec.preprocess {
            Some(Preprocess::Rgb(planes)) => Some(Shape {
                planes: *planes,
                views: spec.look.as_ref().and_then(|look| look.views),
                most: spec.pictures.unwrap_or_default().most,
                alone: spec.inputs.first().is_some_and(TensorSpec::alone),
            }),
            _ => None,
        };
        let shapes = manifest.of_kind(ModelKind::Image).filter_map(shape).collect();
        Self { shapes, eye: Eye::default() }
    }

    /// Takes one look of one to eight JPEG pictures in order of time.
    pub fn prepare(&mut self, pictures: &[Bytes]) -> Prepared {
        let mut decoded = Vec::with_capacity(pictures.len());
        let mut used = Vec::with_capacity(pictures.len());
        let mut problems = Vec::new();
        let mut before: Option<&Bytes> = None;
        for bytes in pictures.iter().take(8) {
            // The same bytes again show neither motion nor rest (contracts, "Looks").
            if before.replace(bytes) == Some(bytes) {
                let usable = used.last().copied().unwrap_or(false);
                if !usable && let Some(problem) = problems.last().cloned() {
                    problems.push(problem);
                }
                used.push(usable);
                continue;
            }
            match Picture::decode(bytes) {
                Ok(picture) => {
                    decoded.push(picture);
                    used.push(true);
                }
                Err(problem) => {
                    problems.push(problem);
                    used.push(false);
                }
            }
        }
        let motion = self.eye.motion(&decoded);
        let thumb = decoded.last().map(|last| self.eye.thumb(last)).unwrap_or_default();
        let laid = match decoded.as_slice() {
            [] => Vec::new(),
            pictures => {
                let eye = &mut self.eye;
                self.shapes.iter().map(|shape| shape.lay_out(pictures, eye)).collect()
            }
        };
        let looked = Looked { scores: Scores::default(), motion, thumb, used, problems };
        Prepared { laid, looked }
    }
}

impl Shape {
    /// The pictures, or the views that the model wants of them, as a batch; its last rows repeat the first.
    fn lay_out(&self, pictures: &[Picture], eye: &mut Eye) -> Laid {
        let Some(views) = self.views else { return self.whole(pictures, eye) };
        let count = pictures.len().min(views.moving);
        let nth = |k: usize| if count < 2 { 0 } else { k * (pictures.len() - 1) / (count - 1) };
        let ends = [&pictures[0], &pictures[pictures.len() - 1]];
        let ends = &ends[2 - pictures.len().min(views.whole)..];
        let part = eye.moving(pictures);
        let mut pixels = self.rows(count + ends.len());
        let (mut near, mut far) = pixels.view_mut().split_at(Axis(0), count);
        for (k, target) in near.outer_iter_mut().enumerate() {
            eye.planes_of(part, &pictures[nth(k)], &self.planes, target);
        }
        for (picture, target) in ends.iter().zip(far.outer_iter_mut()) {
            eye.planes(picture, &self.planes, target);
        }
        repeat_first(&mut pixels, count + ends.len());
        let slots = (0..count).chain(views.moving..views.moving + ends.len()).collect();
        Laid { pixels, slots }
    }

    fn whole(&self, pictures: &[Picture], eye: &mut Eye) -> Laid {
        let count = pictures.len().min(self.most);
        let last = pictures.len() - 1;
        let nth = |k: usize| if count < 2 { last } else { k * last / (count - 1) };
        let mut pixels = self.rows(count);
        for (k, target) in pixels.outer_iter_mut().take(count).enumerate() {
            eye.planes(&pictures[nth(k)], &self.planes, target);
        }
        repeat_first(&mut pixels, count);
        Laid { pixels, slots: (0..count).collect() }
    }

    fn rows(&self, count: usize) -> Array4<f32> {
        let [a, b, c] = self.planes.shape().map(|n| n as usize);
        Array4::zeros((if self.alone { count } else { filled(count) }, a, b, c))
    }
}

/// Fills the rows from `count` on with the first.
fn repeat_first(pixels: &mut Array4<f32>, count: usize) {
    let (known, mut rest) = pixels.view_mut().split_at(Axis(0), count);
    rest.outer_iter_mut().for_each(|mut row| row.assign(&known.index_axis(Axis(0), 0)));
}

/// Picture models with their graphs.
struct ImageModel {
    spec: ModelSpec,
    graph: Graph,
    head: Option<Graph>,
    frames: usize,
    features: usize,
}

enum TextModel {
    Hashed(Box<Reader>),
    Tokenized(Box<Tokenized>),
}

impl TextModel {
    fn open(spec: &ModelSpec, dir: &Path) -> Result<Self, ModelError> {
        Ok(match Tokenized::reads(spec) {
            true => TextModel::Tokenized(Box::new(Tokenized::open(spec, dir)?)),
            false => TextModel::Hashed(Box::new(Reader::open(spec, dir)?)),
        })
    }

    fn graphs(&mut self) -> Vec<&mut Graph> {
        match self {
            TextModel::Hashed(model) => model.graphs(),
            TextModel::Tokenized(model) => vec![model.graph()],
        }
    }

    fn score(&mut self, messages: &[Message], out: &mut [MessageScores]) -> Result<(), ModelError> {
        match self {
            TextModel::Hashed(model) => model.score(messages, out),
            TextModel::Tokenized(model) => model.score(messages, out),
        }
    }
}

/// See the module.
pub struct Scorer {
    texts: Vec<TextModel>,
    images: Vec<ImageModel>,
    preparer: Preparer,
    failure: Option<ModelError>,
}

impl Scorer {
    /// Opens every text and picture model of the manifest; the runtime must be loaded.
    pub fn open(manifest: &Manifest) -> Result<Self, ModelError> {
        let dir = &manifest.dir;
        let texts = manifest.of_kind(ModelKind::Text).map(|spec| TextModel::open(spec, dir));
        let images = manifest.of_kind(ModelKind::Image).map(|spec| ImageModel::open(spec, dir));
        Ok(Self {
            texts: texts.collect::<Result<_, _>>()?,
            images: images.collect::<Result<_, _>>()?,
            preparer: Preparer::new(manifest),
            failure: None,
        })
    }

    /// Scores messages, in order. A model that fails on a message leaves its labels out of that one alone, and is told
    /// by [`Scorer::failure`]. Errors: every model fails on every message.
    pub fn messages(&mut self, messages: &[Message]) -> Result<Vec<MessageScores>, ModelError> {
        let mut out = vec![MessageScores::default(); messages.len()];
        let mut any = self.texts.is_empty() || messages.is_empty();
        for model in &mut self.texts {
            let before = out.clone();
            if model.score(messages, &mut out).is_ok() {
                any = true;
                continue;
            }
            // What fails on one message must not cost the others of its batch their scores.
            out = before;
            for (message, slot) in messages.iter().zip(&mut out) {
                let kept = *slot;
                match model.score(slice::from_ref(message), slice::from_mut(slot)) {
                    Ok(()) => any = true,
                    Err(error) => {
                        *slot = kept;
                        self.failure = Some(error);
                    }
                }
            }
        }
        match self.failure.take_if(|_| !any) {
            Some(error) => Err(error),
            None => Ok(out),
        }
    }

    /// What the graphs of each text model, in the manifest's order, were given since this was last called, and tapes of it
    /// from now on; for benchmarks.
    pub fn taped(&mut self) -> Vec<Vec<Run>> {
        let graphs = self.texts.iter_mut().flat_map(TextModel::graphs);
        graphs.map(Graph::taped).collect()
    }

    /// The last failure since this was asked, of a model beside others that did not fail.
    pub fn failure(&mut self) -> Option<ModelError> {
        self.failure.take()
    }

    /// Judges one look of one to eight JPEG pictures in order of time.
    pub fn look(&mut self, pictures: &[Bytes]) -> Result<Looked, ModelError> {
        let prepared = self.preparer.prepare(pictures);
        self.prepared(prepared)
    }

    pub fn preparer(&mut self) -> &mut Preparer {
        &mut self.preparer
    }

    /// Judges a look that a [`Preparer`] of the same manifest made ready; models that fail as in [`Scorer::messages`].
    pub fn prepared(&mut self, look: Prepared) -> Result<Looked, ModelError> {
        let Prepared { laid, mut looked } = look;
        let mut any = laid.is_empty();
        for (model, laid) in self.images.iter_mut().zip(&laid) {
            let kept = looked.scores;
            match model.score(laid, &mut looked.scores) {
                Ok(()) => any = true,
                Err(error) => {
                    looked.scores = kept;
                    self.failure = Some(error);
                }
            }
        }
        match self.failure.take_if(|_| !any) {
            Some(error) => Err(error),
            None => Ok(looked),
        }
    }

    /// Features of one picture as the first model's backbone gives them; for parity tests.
    pub fn features(&mut self, picture: &Picture) -> Result<Vec<f32>, ModelError> {
        let (Some(model), Some(shape)) = (self.images.first_mut(), self.preparer.shapes.first())
        else {
            return Ok(Vec::new());
        };
        let laid = shape.whole(std::slice::from_ref(picture), &mut self.preparer.eye);
        let outputs = model.graph.run([Input::F32(laid.pixels.view().into_dyn())])?;
        Ok(outputs
            .first()
            .map(|out| out.index_axis(Axis(0), 0).iter().copied().collect())
            .unwrap_or_default())
    }
}

fn set(scores: &mut Scores, spec: &ModelSpec, index: usize, label: &str, raw: f32) {
    // The graph's outputs were checked to be finite.
    if let Some(score) = Score::new(spec.calibrate(label, raw.clamp(0.0, 1.0))) {
        scores.set(index, score);
    }
}

impl ImageModel {
    fn open(spec: &ModelSpec, dir: &Path) -> Result<Self, ModelError> {
        let Some(Preprocess::Rgb(planes)) = &spec.preprocess else {
            return Err(spec.error(
                "a picture model needs preprocess of type rgb".into(),
                "correct the entry",
            ));
        };
        let wrong = |what: String| Err(spec.error(what, "correct the entry"));
        let Planes { width, height, std, .. } = planes;
        if !std.iter().all(|std| *std > 0.0) {
            return wrong(format!("std {std:?} of its preprocess is not above 0"));
        }
        if let Some([across, down]) = planes.resize
            && (across < *width || down < *height)
        {
            return wrong(format!(
                "its preprocess cuts {width} × {height} out of the smaller {across} × {down}"
            ));
        }
        let shape = planes.shape().map(Dim::Fixed);
        if !matches!(spec.inputs.as_slice(), [input] if input.shape.get(1..) == Some(&shape[..])) {
            let mut wanted = vec![Dim::Free("batch".into())];
            wanted.extend(shape);
            return wrong(format!(
                "its preprocess makes pictures of {width} × {height}, so its one input must be {}; it is {}",
                shown(&wanted),
                spec.inputs
                    .iter()
                    .map(|input| shown(&input.shape))
                    .collect::<Vec<_>>()
                    .join(" and ")
            ));
        }
        if let Some(Pictures { most, .. }) = spec.pictures {
            if spec.look.is_some() {
                return wrong("its look head sees all pictures, so `pictures` says nothing".into());
            }
            if !(1..=8).contains(&most) {
                return wrong(format!("of a look's pictures it sees {most}, which is not 1 to 8"));
            }
        }
        if spec.labels().next().is_none() {
            return Err(spec.error("no output has labels".into(), "name every column"));
        }
        let graph = Graph::open(spec, dir, &spec.file, &spec.sha256, &spec.inputs, &spec.outputs)?;
        let width = |shape: &[Dim]| match shape.last() {
            Some(Dim::Fixed(n)) => *n as usize,
            _ => 0,
        };
        let features = spec.outputs.first().map_or(0, |output| width(&output.shape));
        let (head, frames) = match &spec.look {
            Some(look) => {
                let head =
                    Graph::open(spec, dir, &look.file, &look.sha256, &look.inputs, &look.outputs)?;
                let views = look.views.is_none_or(|views| {
                    views.moving > 0
                        && (1..=2).contains(&views.whole)
                        && views.moving + views.whole == look.frames
                });
                if !views {
                    let what =
                        "its look's views must be at least 1 moving and 1 or 2 whole, 8 in all";
                    return Err(spec.error(what.into(), "correct the entry"));
                }
                let fits = look.frames == 8
                    && look.inputs.len() == 2
                    && look.outputs.len() == 1
                    && width(&look.inputs[0].shape) == features;
                if !fits {
                    let what = "its look head must read features [batch, 8, features] and present [batch, 8]";
                    return Err(spec.error(what.into(), "correct the entry"));
                }
                (Some(head), look.frames)
            }
            None => (None, 8),
        };
        let mut model = Self { spec: spec.clone(), graph, head, frames, features };
        if model.head.is_none() {
            // A graph that does not fit is refused now, not at its first picture.
            let [a, b, c] = planes.shape().map(|n| n as usize);
            let pixels = Array4::zeros((filled(1), a, b, c));
            let tried = Laid { pixels, slots: vec![0] };
            model.score(&tried, &mut Scores::default()).map_err(|error| {
                let mend = "correct the entry, or use another graph";
                spec.error(format!("a first picture fails: {error}"), mend)
            })?;
        }
        Ok(model)
    }

    fn score(&mut self, laid: &Laid, scores: &mut Scores) -> Result<(), ModelError> {
        let outputs = self.graph.run([Input::F32(laid.pixels.view().into_dyn())])?;
        // Labels that the graph gives picture by picture.
        let count = laid.slots.len();
        let tell = self.spec.pictures.unwrap_or_default().tell;
        for (spec, data) in self.spec.outputs.iter().zip(&outputs) {
            for (column, label) in spec.labels.iter().enumerate() {
                let Some(known) = FrameLabel::from_name(label) else { continue };
                let values = data.outer_iter().take(count).map(|row| row[column]);
                let told = match tell {
                    Tell::Mean => values.sum::<f32>() / count as f32,
                    Tell::Highest => values.fold(0.0, f32::max),
                };
                set(scores, &self.spec, known as usize, label, told);
            }
        }
        let (Some(head), Some(look)) = (&mut self.head, &self.spec.look) else { return Ok(()) };
        // The same look twice, since no batch is of one row.
        let mut features = Array3::zeros((2, self.frames, self.features));
        let mut present = Array2::zeros((2, self.frames));
        for (slot, row) in laid.slots.iter().zip(outputs[0].outer_iter()) {
            for twice in 0..2 {
                features.slice_mut(s![twice, *slot, ..]).assign(&row);
                present[[twice, *slot]] = 1.0;
            }
        }
        let inputs =
            [Input::F32(features.view().into_dyn()), Input::F32(present.view().into_dyn())];
        let result = head.run(inputs)?;
        for (label, raw) in look.outputs[0].labels.iter().zip(&result[0]) {
            if let Some(known) = FrameLabel::from_name(label) {
                set(scores, &self.spec, known as usize, label, *raw);
            }
        }
        Ok(())
    }
}
