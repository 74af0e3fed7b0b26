//! `models/manifest.toml`: everything the daemon knows of its models. A model is swapped by its file and its entry,
//! without code. Comes in: the path. Goes out: checked specifications; errors say what is wrong and how to mend it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::event::{ChatLabel, Digest, FrameLabel, Signal};

/// The manifest's format; others are refused.
pub const SCHEMA: u32 = 1;
/// In the place of a label: a column of an output that is not used.
pub const UNUSED: &str = "-";
/// In the place of a label, of a stage that another follows: how likely a later stage raises any label.
pub const AGAIN: &str = "again";

/// Why models cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("{path}: {what}; {mend}")]
    Manifest { path: PathBuf, what: String, mend: String },
    #[error("model `{model}`: {what}; {mend}")]
    Model { model: String, what: String, mend: String },
    #[error("ONNX Runtime was not found; looked at {}; {mend}", .looked.join(", "))]
    Runtime { looked: Vec<String>, mend: String },
    #[error("ONNX Runtime {what}; {mend}")]
    Provider { what: String, mend: String },
    #[error("inference with `{model}` failed: {what}")]
    Run { model: String, what: String },
}

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema: u32,
    #[serde(rename = "model", default)]
    pub models: Vec<ModelSpec>,
    /// Folder that relative paths start from.
    #[serde(skip)]
    pub dir: PathBuf,
}

/// What a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    Text,
    Image,
    Tabular,
}

/// One model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    pub name: String,
    pub version: String,
    pub kind: ModelKind,
    pub file: PathBuf,
    pub sha256: String,
    pub licence: String,
    pub card: PathBuf,
    /// Languages that were measured (text models); others are told as unmeasured.
    #[serde(default)]
    pub languages: Vec<String>,
    #[serde(default)]
    pub preprocess: Option<Preprocess>,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    #[serde(default)]
    pub look: Option<LookSpec>,
    /// Of a picture model without a look head; absent: all pictures, and their mean.
    #[serde(default)]
    pub pictures: Option<Pictures>,
    #[serde(default)]
    pub second: Option<StageSpec>,
    #[serde(default)]
    pub third: Option<StageSpec>,
    /// By label: points of a non-decreasing piecewise-linear map from the graph's score to a probability.
    #[serde(default)]
    pub calibration: BTreeMap<String, Vec<[f32; 2]>>,
}

/// How raw material becomes tensors.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Preprocess {
    /// [`super::text::features`]; a text is padded to the shortest of `lengths` that holds it.
    HashedNgrams {
        buckets: u32,
        lengths: Vec<usize>,
    },
    Tokenizer(TokenizerSpec),
    Rgb(Planes),
}

/// A text as its `tokenizer.json` cuts it; what else such a file says of padding and cutting off is not heeded.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerSpec {
    pub file: PathBuf,
    pub sha256: String,
    /// A text is padded to the shortest that holds its tokens; of one that is longer than the longest, both ends stay.
    pub lengths: Vec<usize>,
    /// The token that pads, by its name in the vocabulary.
    pub pad: String,
    /// Names of the graph's inputs for the tokens' numbers, which of them are no padding, and their segments.
    #[serde(default = "input_ids")]
    pub ids: String,
    #[serde(default = "attention_mask")]
    pub mask: String,
    #[serde(default = "token_type_ids")]
    pub types: String,
}

fn input_ids() -> String {
    "input_ids".into()
}

fn attention_mask() -> String {
    "attention_mask".into()
}

fn token_type_ids() -> String {
    "token_type_ids".into()
}

/// A picture as numbers: `(pixel - mean) / std` for each channel, pixels 0..255.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planes {
    pub width: u32,
    pub height: u32,
    pub fit: Fit,
    /// Width and height to which `fit` brings the picture first, where the model reads the middle of that.
    #[serde(default)]
    pub resize: Option<[u32; 2]>,
    /// Of the channels in their order below.
    pub mean: [f32; 3],
    pub std: [f32; 3],
    #[serde(default)]
    pub channels: Channels,
    #[serde(default)]
    pub layout: Layout,
}

impl Planes {
    /// The shape of the graph's input, its first dimension left out.
    pub fn shape(&self) -> [i64; 3] {
        let (width, height) = (i64::from(self.width), i64::from(self.height));
        match self.layout {
            Layout::Nchw => [3, height, width],
            Layout::Nhwc => [height, width, 3],
        }
    }
}

/// The order of colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    #[default]
    Rgb,
    Bgr,
}

/// The order of a picture tensor's dimensions: batch, channel, height, width.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    #[default]
    Nchw,
    Nhwc,
}

/// Which pictures of a look a model sees, and what is told of their scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    /// 1 to 8: so many spread evenly over the look, of 1 the last.
    pub most: usize,
    pub tell: Tell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    Highest,
    Mean,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { most: 8, tell: Tell::Mean }
    }
}

/// How a picture is brought to the model's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Both sides scaled on their own.
    Stretch,
    /// Scaled until it covers, the middle cut out.
    Cover,
}

/// A tensor of the graph: `shape` of numbers and names; names are free dimensions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: TensorKind,
    pub shape: Vec<Dim>,
    /// Meaning of the last dimension of an input.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Meaning of the last dimension of an output; [`UNUSED`] for a column that nobody asks for.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What makes probabilities of an output's numbers.
    #[serde(default)]
    pub activation: Activation,
}

impl TensorSpec {
    /// Whether the graph takes one row at a time and no more.
    pub(super) fn alone(&self) -> bool {
        self.shape.first() == Some(&Dim::Fixed(1))
    }
}

/// Over the last dimension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The graph gives probabilities.
    #[default]
    None,
    Sigmoid,
    Softmax,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorKind {
    F32,
    I32,
    I64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    Fixed(i64),
    Free(String),
}

/// A shape as the manifest writes it: `[batch, 8]`.
pub(super) fn shown(shape: &[Dim]) -> String {
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(n) => n.to_string(),
        Dim::Free(name) => name.clone(),
    };
    format!("[{}]", shape.iter().map(dim).collect::<Vec<_>>().join(", "))
}

/// The head that judges a whole look from its pictures' features.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookSpec {
    pub file: PathBuf,
    pub sha256: String,
    pub frames: usize,
    /// What of a look's pictures the features are of; absent: each picture as a whole.
    #[serde(default)]
    pub views: Option<Views>,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
}

/// A look seen closely where things move, and as a whole. The head's rows are first those of the moving part, then
/// those of whole pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// Pictures whose moving part is seen: all, or so many spread evenly over the look.
    pub moving: usize,
    /// Pictures that are seen whole, 1 or 2: the last; the first and the last.
    pub whole: usize,
}

/// A further stage of a text model: it reads what the one before does not drop; the last reads all that is paid besides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    pub file: PathBuf,
    pub sha256: String,
    /// [`super::pieces::Pieces`], a piece a line.
    pub vocabulary: PathBuf,
    pub vocabulary_sha256: String,
    /// A message is padded to the shortest that holds its pieces.
    pub lengths: Vec<usize>,
    /// By label: what the graph of the stage before gives for every label below this is dropped. With a limit for
    /// [`AGAIN`] the others may be left out; what the stage before itself raises is never dropped.
    pub drop: BTreeMap<String, f32>,
    /// Pieces and the context.
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    /// By label: what the first stage's logit weighs beside its own, 0 to 4; the two err otherwise.
    #[serde(default)]
    pub blend: BTreeMap<String, f32>,
    /// As a model's; of the score with the first stage's part in it.
    #[serde(default)]
    pub calibration: BTreeMap<String, Vec<[f32; 2]>>,
}

impl Manifest {
    /// Reads and checks the manifest; files and graphs are checked when sessions are made.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let error = |what: String, mend: &str| ModelError::Manifest {
            path: path.to_owned(),
            what,
            mend: mend.to_owned(),
        };
        let text = std::fs::read_to_string(path).map_err(|e| {
            error(
                format!("cannot be read ({e})"),
                "set [models] manifest, or install the models folder",
            )
        })?;
        let mut manifest: Self = toml::from_str(&text).map_err(|e| {
            error(e.to_string().trim().to_owned(), "see models/manifest.toml of this version")
        })?;
        if manifest.schema != SCHEMA {
            let what =
                format!("schema {} is not known, this version reads {SCHEMA}", manifest.schema);
            return Err(error(what, "use the models of this version"));
        }
        manifest.dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        let mut labels: Vec<&str> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for model in &manifest.models {
            if names.contains(&model.name.as_str()) {
                let what = format!("two models are named `{}`", model.name);
                return Err(error(what, "give each a name of its own"));
            }
            names.push(&model.name);
            model.check()?;
            for label in model.labels() {
                if labels.contains(&label) {
                    let mend = "take the label out of one of them, `-` in its place";
                    return Err(error(format!("two models give the label `{label}`"), mend));
                }
                labels.push(label);
            }
        }
        Ok(manifest)
    }

    /// The same, with the models of one kind alone.
    pub fn only(&self, kind: ModelKind) -> Self {
        let models = self.of_kind(kind).cloned().collect();
        Self { schema: self.schema, models, dir: self.dir.clone() }
    }

    pub fn of_kind(&self, kind: ModelKind) -> impl Iterator<Item = &ModelSpec> {
        self.models.iter().filter(move |model| model.kind == kind)
    }
}

impl ModelSpec {
    /// `name@version`, as scores and alerts tell it.
    pub fn told(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Its stages after the first.
    pub fn further(&self) -> impl Iterator<Item = &StageSpec> {
        self.second.iter().chain(&self.third)
    }

    /// Every label that its outputs (and its look head's) give.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let look = self.look.iter().flat_map(|look| &look.outputs);
        let labels = self.outputs.iter().chain(look).flat_map(|output| &output.labels);
        labels.map(String::as_str).filter(|label| ![UNUSED, AGAIN].contains(label))
    }

    pub(super) fn error(&self, what: String, mend: &str) -> ModelError {
        ModelError::Model { model: self.told(), what, mend: mend.to_owned() }
    }

    /// Errors: what was read of `path` has another SHA-256 than the manifest says.
    pub(super) fn intact(&self, path: &Path, bytes: &[u8], sha256: &str) -> Result<(), ModelError> {
        let digest = Digest::of(bytes).hex();
        if digest == sha256 {
            return Ok(());
        }
        let what = format!("{} has SHA-256 {digest}, the manifest says {sha256}", path.display());
        Err(self.error(what, "restore the file, or write its digest into the manifest"))
    }

    fn check(&self) -> Result<(), ModelError> {
        if self.third.is_some() && self.second.is_none() {
            let what = "it has a third stage and no second";
            return Err(self.error(what.into(), "name the third `second`"));
        }
        for label in self.labels() {
            let known = match self.kind {
                ModelKind::Text => ChatLabel::from_name(label).is_some(),
                ModelKind::Image => FrameLabel::from_name(label).is_some(),
                ModelKind::Tabular => super::escalation::OUTPUTS.contains(&label),
            };
            if !known {
                return Err(self.error(
                    format!("label `{label}` is not known"),
                    "see docs/models.md for the labels",
                ));
            }
        }
        let outputs = (self.outputs.iter())
            .chain(self.look.iter().flat_map(|look| &look.outputs))
            .chain(self.further().flat_map(|stage| &stage.outputs));
        for output in outputs {
            if output.activation != Activation::None && output.labels.is_empty() {
                let what = format!("output `{}` has an activation and no labels", output.name);
                return Err(self.error(what, "name every column, `-` for one that is not used"));
            }
        }
        let further = self.further().flat_map(|stage| &stage.calibration);
        for (label, points) in self.calibration.iter().chain(further) {
            let rising = points.windows(2).all(|w| w[0][0] < w[1][0] && w[0][1] <= w[1][1]);
            let inside = points.iter().flatten().all(|x| (0.0..=1.0).contains(x));
            if points.len() < 2 || !rising || !inside {
                let what = format!("the calibration of `{label}` is not a rising line within 0..1");
                return Err(self
                    .error(what, "give at least two points with rising x and y that never falls"));
            }
            if !self.labels().any(|known| known == label) {
                return Err(self.error(
                    format!("calibration for `{label}`, which it does not give"),
                    "remove it",
                ));
            }
        }
        if self.kind == ModelKind::Tabular {
            let columns = self.inputs.iter().flat_map(|input| &input.columns);
            for column in columns {
                if Signal::from_name(column).is_none_or(|signal| signal.name() != column) {
                    let what = format!("input column `{column}` is no signal");
                    return Err(self.error(what, "`vigie schema signals` lists them"));
                }
            }
        }
        Ok(())
    }

    /// The calibrated probability of a graph's score.
    pub fn calibrate(&self, label: &str, score: f32) -> f32 {
        self.calibration.get(label).map_or(score, |points| interpolate(points, score))
    }
}

/// Piecewise linear; constant beyond the ends. Points rise in x.
pub fn interpolate(points: &[[f32; 2]], x: f32) -> f32 {
    let after = points.iter().position(|point| x < point[0]);
    match after {
        Some(0) => points[0][1],
        None => points[points.len() - 1][1],
        Some(i) => {
            let ([x0, y0], [x1, y1]) = (points[i - 1], points[i]);
            (y0 + (y1 - y0) * ((x - x0) / (x1 - x0))).clamp(y0, y1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interpolate;

    #[test]
    fn calibration_is_linear_between_points_and_flat_outside() {
        let points = [[0.1, 0.0], [0.3, 0.5], [1.0, 0.9]];
        let values = [0.0, 0.1, 0.2, 0.3, 1.0].map(|x| interpolate(&points, x));
        let wanted = [0.0, 0.0, 0.25, 0.5, 0.9];
        assert!(values.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
    }
}
