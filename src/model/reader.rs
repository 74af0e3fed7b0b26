//! A text model: one stage, or up to three. The first reads every message as hashed n-grams, unpaid; each further one reads
//! what the one before does not drop, as pieces, and the last all that is paid besides. What is paid scores at least what
//! it would score unpaid. Comes in: messages. Goes out: their calibrated scores, each depending on its own message alone.

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use super::graph::{Graph, Input, filled, in_batches};
use super::manifest::{
    AGAIN, ModelError, ModelSpec, Preprocess, StageSpec, TensorSpec, interpolate,
};
use super::pieces::Pieces;
use super::scorer::{Message, MessageScores};
use super::text;
use crate::event::{ChatLabel, Score, Scores, Setting};

/// What a batch costs beside its rows, in rows: of the first stage 15 µs to 1, of one between half of that, of the last half
/// of a row's.
const CALL: [usize; 3] = [16, 8, 1];

/// See the module.
pub struct Reader {
    spec: ModelSpec,
    graph: Graph,
    buckets: u32,
    lengths: Vec<usize>,
    columns: Vec<String>,
    /// By column.
    labels: Vec<Option<ChatLabel>>,
    further: Vec<Stage>,
}

/// A stage after the first.
struct Stage {
    spec: StageSpec,
    graph: Graph,
    pieces: Arc<Pieces>,
    /// By column: what the stage before gives below all of these is dropped.
    drop: Vec<f32>,
    labels: Vec<Option<ChatLabel>>,
    columns: Vec<String>,
}

/// No logit of the first stage counts for less or more beside another's (`training/chat/cascade.py`).
const BELIEVED: (f32, f32) = (-2.0, 12.0);

/// One reading of a message: under one setting, paid or not.
struct Row {
    place: usize,
    /// The first stage's reading that it follows.
    first: usize,
    /// Its place among the stage's padded lengths.
    length: usize,
    setting: Setting,
    paid: bool,
    plain: bool,
}

impl Reader {
    pub fn open(spec: &ModelSpec, dir: &Path) -> Result<Self, ModelError> {
        let wrong = |what: &str| spec.error(what.to_owned(), "correct the entry");
        let Some(Preprocess::HashedNgrams { buckets, lengths }) = &spec.preprocess else {
            return Err(wrong("a text model needs preprocess of type hashed_ngrams or tokenizer"));
        };
        let ([_, context], [output]) = (spec.inputs.as_slice(), spec.outputs.as_slice()) else {
            return Err(wrong("it needs the inputs ids and context, and one output"));
        };
        if !rising(lengths) || *buckets < 2 {
            return Err(wrong("lengths must rise from above 0, buckets be at least 2"));
        }
        columns_known(spec, context)?;
        if output.labels.is_empty() {
            let what = format!("output `{}` has no labels", output.name);
            return Err(spec.error(what, "name every column"));
        }
        let labels = labels_of(output);
        let mut further: Vec<Stage> = Vec::new();
        for stage in spec.further() {
            further.push(Stage::open(spec, stage, dir, output, further.last())?);
        }
        Ok(Self {
            graph: Graph::open(spec, dir, &spec.file, &spec.sha256, &spec.inputs, &spec.outputs)?,
            buckets: *buckets,
            lengths: lengths.clone(),
            columns: context.columns.clone(),
            labels,
            further,
            spec: spec.clone(),
        })
    }

    /// Readings of each message: under its setting; under `unknown` too where the setting excuses; each of them paid too
    /// if it is paid. Rows of equal padded length share batches.
    pub fn score(
        &mut self,
        messages: &[Message],
        out: &mut [MessageScores],
    ) -> Result<(), ModelError> {
        let longest = self.lengths[self.lengths.len() - 1];
        let mut features: Vec<Vec<i32>> = Vec::with_capacity(messages.len());
        let mut texts: Vec<String> = Vec::with_capacity(messages.len());
        let mut rows: Vec<Row> = Vec::with_capacity(messages.len() * 2);
        for (place, message) in messages.iter().enumerate() {
            let normalised = text::normalise(&message.text);
            let mut own = Vec::new();
            text::features_of(&normalised, self.buckets, longest, &mut own);
            out[place].manner = Some(text::manner_of(&normalised, &message.text));
            let length = fitting(&self.lengths, own.len());
            features.push(own);
            texts.push(normalised);
            let settings =
                [Some(message.setting), message.setting.excuses().then_some(Setting::Unknown)];
            for (plain, setting) in settings.into_iter().enumerate() {
                let Some(setting) = setting else { continue };
                // Of several stages the last alone weighs that a message is paid.
                let readings = 1 + usize::from(message.paid && self.further.is_empty());
                for paid in [false, true].into_iter().take(readings) {
                    let first = rows.len();
                    rows.push(Row { place, first, length, setting, paid, plain: plain == 1 });
                }
            }
        }
        let reads = (&self.lengths[..], &self.columns[..], CALL[0]);
        let mut raws = scored(&mut self.graph, &self.spec, reads, &rows, &features)?;
        let last = self.further.len();
        let mut firsts = Vec::new();
        let mut paid: Vec<Row> = (rows.iter().filter(|row| last > 0 && messages[row.place].paid))
            .map(|row| Row { paid: true, ..*row })
            .collect();
        let mut pieces: Vec<Vec<i32>> = vec![Vec::new(); messages.len()];
        for number in 0..=last {
            // What the stage that has just read does not tell goes on to the next.
            let (before, rest) = self.further.split_at_mut(number);
            let told = before.last();
            let labels = told.map_or(&self.labels, |stage| &stage.labels);
            let mut again = Vec::new();
            for (row, raw) in std::mem::take(&mut rows).into_iter().zip(&raws) {
                let calibrate = |label: &str, x: f32| match told {
                    Some(stage) => stage.calibrate(label, x),
                    None => self.spec.calibrate(label, x),
                };
                if rest.first().is_some_and(|next| !next.drops(raw, labels, calibrate)) {
                    again.push(row);
                } else {
                    tell(&mut out[row.place], &row, labels, raw, calibrate);
                }
            }
            let Some(next) = rest.first_mut() else { break };
            if number + 1 == last {
                again.append(&mut paid);
            }
            // Stages with one vocabulary read the same numbers.
            if told.is_some_and(|stage| !Arc::ptr_eq(&stage.pieces, &next.pieces)) {
                pieces.iter_mut().for_each(Vec::clear);
            }
            for row in &mut again {
                let own = &mut pieces[row.place];
                if own.is_empty() {
                    *own = next.read(&texts[row.place]);
                }
                row.length = fitting(&next.spec.lengths, own.len());
            }
            let call = CALL[1 + usize::from(number + 1 == last)];
            let reads = (&next.spec.lengths[..], &next.columns[..], call);
            let read = scored(&mut next.graph, &self.spec, reads, &again, &pieces)?;
            let before = std::mem::replace(&mut raws, read);
            if number == 0 {
                firsts = before;
            }
            for (row, raw) in again.iter().zip(&mut raws) {
                next.blend(raw, &firsts[row.first]);
            }
            rows = again;
        }
        Ok(())
    }

    /// The graphs of its stages.
    pub fn graphs(&mut self) -> Vec<&mut Graph> {
        let further = self.further.iter_mut().map(|stage| &mut stage.graph);
        std::iter::once(&mut self.graph).chain(further).collect()
    }
}

impl Stage {
    /// `before`: the further stage that reads before it, if one does.
    fn open(
        spec: &ModelSpec,
        second: &StageSpec,
        dir: &Path,
        scores: &TensorSpec,
        before: Option<&Stage>,
    ) -> Result<Self, ModelError> {
        let name = if before.is_some() { "third" } else { "second" };
        let wrong = |what: String| spec.error(what, &format!("correct the entry's `{name}`"));
        let ([_, context], [output]) = (second.inputs.as_slice(), second.outputs.as_slice()) else {
            let what =
                format!("its {name} stage needs the inputs pieces and context, and one output");
            return Err(wrong(what));
        };
        for (label, weight) in &second.blend {
            if !output.labels.contains(label) || !(0.0..=4.0).contains(weight) {
                return Err(wrong(format!(
                    "the {name} stage's blend gives `{label}` {weight}, which is no label of its own or not 0 to 4"
                )));
            }
        }
        if !rising(&second.lengths) || second.lengths[0] < 2 {
            return Err(wrong(format!("the {name} stage's lengths must rise from 2 or above")));
        }
        columns_known(spec, context)?;
        let known = |output: &TensorSpec| -> Vec<String> {
            output.labels.iter().filter(|label| *label != AGAIN).cloned().collect()
        };
        if known(output) != known(scores) {
            return Err(wrong("all stages must give the same labels in the same order".into()));
        }
        let read = before.map_or(scores, |stage| &stage.spec.outputs[0]);
        let mut drop = Vec::with_capacity(read.labels.len());
        for label in &read.labels {
            let told = |limit| match before {
                Some(stage) => stage.calibrate(label, limit),
                None => spec.calibrate(label, limit),
            };
            let scored = ChatLabel::from_name(label).is_some();
            let limit = match second.drop.get(label) {
                Some(limit) => *limit,
                None if scored && !second.drop.contains_key(AGAIN) => {
                    return Err(wrong(format!("its drop rule names no limit for `{label}`")));
                }
                None => f32::INFINITY,
            };
            if limit.is_finite() && (!(0.0..=1.0).contains(&limit) || scored && told(limit) >= 0.5)
            {
                let what = format!(
                    "its drop rule would drop what the stage before itself scores .5 or more for `{label}`"
                );
                return Err(spec.error(what, "lower the limit"));
            }
            drop.push(limit);
        }
        let labels = labels_of(output);
        let pieces = match before {
            Some(stage) if stage.spec.vocabulary_sha256 == second.vocabulary_sha256 => {
                stage.pieces.clone()
            }
            _ => Arc::new(vocabulary(spec, second, dir)?),
        };
        let (file, sha256) = (&second.file, &second.sha256);
        Ok(Self {
            graph: Graph::open(spec, dir, file, sha256, &second.inputs, &second.outputs)?,
            pieces,
            drop,
            labels,
            columns: context.columns.clone(),
            spec: second.clone(),
        })
    }

    /// Whether what the stage before gave is dropped: never what that stage raises itself.
    fn drops(
        &self,
        raw: &[f32],
        labels: &[Option<ChatLabel>],
        calibrate: impl Fn(&str, f32) -> f32,
    ) -> bool {
        let raised = |(label, raw): (&Option<ChatLabel>, &f32)| {
            label.is_some_and(|label| calibrate(label.name(), *raw) >= 0.5)
        };
        raw.iter().zip(&self.drop).all(|(raw, drop)| raw < drop)
            && !labels.iter().zip(raw).any(raised)
    }

    fn calibrate(&self, label: &str, x: f32) -> f32 {
        self.spec.calibration.get(label).map_or(x, |line| interpolate(line, x))
    }

    /// Adds the first stage's logits to its own; labels stand in the same order in both.
    fn blend(&self, raw: &mut [f32], first: &[f32]) {
        let logit = |x: f32| (x / (1.0 - x)).ln();
        for ((own, first), label) in raw.iter_mut().zip(first).zip(&self.spec.outputs[0].labels) {
            if let Some(weight) = self.spec.blend.get(label) {
                let sum = logit(*own) + weight * logit(*first).clamp(BELIEVED.0, BELIEVED.1);
                *own = 1.0 / (1.0 + (-sum).exp());
            }
        }
    }

    fn read(&self, normalised: &str) -> Vec<i32> {
        self.pieces.of(normalised, self.spec.lengths[self.spec.lengths.len() - 1])
    }
}

/// What a graph gives for each row. `numbers`: of each message, padded with its row's length of `lengths`; `call`: see [`CALL`].
fn scored(
    graph: &mut Graph,
    spec: &ModelSpec,
    (lengths, columns, call): (&[usize], &[String], usize),
    rows: &[Row],
    numbers: &[Vec<i32>],
) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut out = vec![Vec::new(); rows.len()];
    let mut flat = Vec::new();
    for (length, padding) in lengths.iter().enumerate() {
        let same: Vec<usize> = (0..rows.len()).filter(|n| rows[*n].length == length).collect();
        for chunk in in_batches(&same, call) {
            let batch: Vec<&Row> = padded(chunk).map(|n| &rows[n]).collect();
            fill(&mut flat, &batch, numbers, *padding);
            let numbers = shaped(spec, batch.len(), &flat)?;
            let context = context(spec, columns, &batch)?;
            let inputs = [Input::I32(numbers.into_dyn()), Input::F32(context.view().into_dyn())];
            let result = graph.run(inputs)?;
            for (n, raw) in chunk.iter().zip(result[0].outer_iter()) {
                out[*n] = raw.iter().copied().collect();
            }
        }
    }
    Ok(out)
}

/// The pieces that a stage reads, checked.
fn vocabulary(spec: &ModelSpec, stage: &StageSpec, dir: &Path) -> Result<Pieces, ModelError> {
    let path = dir.join(&stage.vocabulary);
    let lines = std::fs::read_to_string(&path).map_err(|e| {
        let what = format!("{} cannot be read ({e})", path.display());
        spec.error(what, "install the models folder again")
    })?;
    spec.intact(&path, lines.as_bytes(), &stage.vocabulary_sha256)?;
    Pieces::read(&lines).map_err(|line| {
        let what = format!("{}:{line}: an empty or repeated piece", path.display());
        spec.error(what, "give each piece one line, the opening first")
    })
}

/// Raises a message's scores to those of a reading.
fn tell(
    slot: &mut MessageScores,
    row: &Row,
    labels: &[Option<ChatLabel>],
    raw: &[f32],
    calibrate: impl Fn(&str, f32) -> f32,
) {
    let mut told = Scores::default();
    for (label, raw) in labels.iter().zip(raw) {
        let Some(label) = label else { continue };
        // The graph's outputs were checked to be finite.
        if let Some(score) = Score::new(calibrate(label.name(), raw.clamp(0.0, 1.0))) {
            told.set(*label as usize, score);
        }
    }
    if row.plain {
        slot.plain = Some(slot.plain.unwrap_or_default().max(told));
    } else {
        slot.own = slot.own.max(told);
    }
}

/// The rows of a batch, its last repeated until it has a size that the graphs run.
fn padded(chunk: &[usize]) -> impl Iterator<Item = usize> + '_ {
    (0..filled(chunk.len())).map(|n| chunk[n.min(chunk.len() - 1)])
}

/// Numbers of the batch's rows one after the other, each cut or padded with 0 to `length`.
fn fill(out: &mut Vec<i32>, batch: &[&Row], numbers: &[Vec<i32>], length: usize) {
    out.clear();
    for row in batch {
        let own = &numbers[row.place];
        let kept = own.len().min(length);
        out.extend_from_slice(&own[..kept]);
        out.resize(out.len() + length - kept, 0);
    }
}

fn shaped<'a, T>(
    spec: &ModelSpec,
    rows: usize,
    values: &'a [T],
) -> Result<ArrayView2<'a, T>, ModelError> {
    ArrayView2::from_shape((rows, values.len() / rows.max(1)), values)
        .map_err(|e| spec.error(e.to_string(), "report this"))
}

/// What each row is told besides the text.
fn context(
    spec: &ModelSpec,
    columns: &[String],
    batch: &[&Row],
) -> Result<Array2<f32>, ModelError> {
    let mut out = Vec::with_capacity(batch.len() * columns.len());
    for row in batch {
        out.extend(columns.iter().map(|column| {
            let on = match column.as_str() {
                "paid" => row.paid,
                setting => setting == row.setting.name(),
            };
            f32::from(u8::from(on))
        }));
    }
    Array2::from_shape_vec((batch.len(), columns.len()), out)
        .map_err(|e| spec.error(e.to_string(), "report this"))
}

fn columns_known(spec: &ModelSpec, context: &TensorSpec) -> Result<(), ModelError> {
    let known = |column: &String| {
        column == "paid" || Setting::ALL.iter().any(|setting| setting.name() == column)
    };
    match context.columns.iter().find(|column| !known(column)) {
        Some(column) => {
            let what = format!("context column `{column}` is not known");
            Err(spec.error(what, "paid, real, game, sport, fiction, unknown are"))
        }
        None => Ok(()),
    }
}

/// By column; none for one that is not used.
pub(super) fn labels_of(output: &TensorSpec) -> Vec<Option<ChatLabel>> {
    output.labels.iter().map(|label| ChatLabel::from_name(label)).collect()
}

pub(super) fn rising(lengths: &[usize]) -> bool {
    lengths.windows(2).all(|w| w[0] < w[1]) && lengths.first().is_some_and(|n| *n > 0)
}

/// The place of the shortest length that holds `count`, else of the longest.
pub(super) fn fitting(lengths: &[usize], count: usize) -> usize {
    lengths.iter().position(|length| *length >= count).unwrap_or(lengths.len() - 1)
}
