//! A text model with a tokenizer of its own: the text is cut by its `tokenizer.json`, whatever kind of pieces that
//! knows (WordPiece, Unigram, BPE), and the graph reads the pieces' numbers. Comes in: messages as they were written.
//! Goes out: their calibrated scores, each depending on its own message alone. It is told neither setting nor payment.

use std::path::Path;

use ndarray::Array2;
use tokenizers::Tokenizer;

use super::graph::{Graph, Input, filled, in_batches};
use super::manifest::{
    Dim, ModelError, ModelSpec, Preprocess, TensorKind, TensorSpec, TokenizerSpec,
};
use super::reader::{fitting, labels_of, rising};
use super::scorer::{Message, MessageScores};
use super::text;
use crate::event::{ChatLabel, Score, Scores};

/// What a batch costs beside its rows, in rows.
const CALL: usize = 1;

/// See the module.
pub struct Tokenized {
    spec: ModelSpec,
    graph: Graph,
    cutter: Tokenizer,
    lengths: Vec<usize>,
    pad: i64,
    /// What each input is, in the manifest's order.
    inputs: Vec<(Role, TensorKind)>,
    /// By output and column.
    labels: Vec<Vec<Option<ChatLabel>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Ids,
    Mask,
    Types,
}

/// A text's tokens.
#[derive(Default)]
struct Tokens {
    ids: Vec<i64>,
    types: Vec<i64>,
}

impl Tokenized {
    /// Whether this is how the model reads.
    pub fn reads(spec: &ModelSpec) -> bool {
        matches!(spec.preprocess, Some(Preprocess::Tokenizer(_)))
    }

    /// Opens the model and scores one text, so that a graph which does not fit is refused now.
    pub fn open(spec: &ModelSpec, dir: &Path) -> Result<Self, ModelError> {
        let wrong = |what: String| spec.error(what, "correct the entry");
        let Some(Preprocess::Tokenizer(reads)) = &spec.preprocess else {
            return Err(wrong("it has no preprocess of type tokenizer".into()));
        };
        if spec.further().next().is_some() {
            return Err(wrong("a model with a tokenizer has no second stage".into()));
        }
        if !rising(&reads.lengths) {
            return Err(wrong("lengths must rise from above 0".into()));
        }
        let inputs = spec.inputs.iter().map(|input| role(spec, reads, input));
        let inputs: Vec<_> = inputs.collect::<Result<_, _>>()?;
        let named = |role| inputs.iter().filter(|(own, _)| *own == role).count();
        if named(Role::Ids) != 1 || named(Role::Mask) > 1 || named(Role::Types) > 1 {
            let what = format!("it needs one input `{}` for the tokens' numbers", reads.ids);
            return Err(wrong(what));
        }
        if spec.labels().next().is_none() {
            return Err(spec.error("no output has labels".into(), "name every column"));
        }
        let cutter = cutter(spec, reads, dir)?;
        let pad = cutter.token_to_id(&reads.pad).ok_or_else(|| {
            let what = format!("{} has no token `{}`", reads.file.display(), reads.pad);
            spec.error(what, "name the token that pads (often [PAD] or <pad>) as `pad`")
        })?;
        let (labels, lengths) = (spec.outputs.iter().map(labels_of), reads.lengths.clone());
        let mut model = Self {
            graph: Graph::open(spec, dir, &spec.file, &spec.sha256, &spec.inputs, &spec.outputs)?,
            spec: spec.clone(),
            cutter,
            lengths,
            pad: pad.into(),
            inputs,
            labels: labels.collect(),
        };
        let tried = [Tokens { ids: vec![model.pad], types: vec![0] }];
        model.run(&[0], &tried, model.lengths[0]).map_err(|error| {
            spec.error(
                format!("a first text fails: {error}"),
                "correct the entry, or use another graph",
            )
        })?;
        Ok(model)
    }

    pub fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    /// The same under every setting, paid or not.
    pub fn score(
        &mut self,
        messages: &[Message],
        out: &mut [MessageScores],
    ) -> Result<(), ModelError> {
        let tokens = messages.iter().map(|message| self.cut(&message.text));
        let tokens: Vec<Tokens> = tokens.collect::<Result<_, _>>()?;
        for (message, slot) in messages.iter().zip(out.iter_mut()) {
            slot.manner.get_or_insert_with(|| text::manner(&message.text));
        }
        for (place, length) in self.lengths.clone().into_iter().enumerate() {
            let fits = |n: &usize| fitting(&self.lengths, tokens[*n].ids.len()) == place;
            let same: Vec<usize> = (0..messages.len()).filter(fits).collect();
            for chunk in in_batches(&same, CALL) {
                for (n, told) in chunk.iter().zip(self.run(chunk, &tokens, length)?) {
                    let slot = &mut out[*n];
                    slot.own = slot.own.max(told);
                    if messages[*n].setting.excuses() {
                        slot.plain = Some(slot.plain.unwrap_or_default().max(told));
                    }
                }
            }
        }
        Ok(())
    }

    /// The scores of the texts named by `rows`, all padded to `length`.
    fn run(
        &mut self,
        rows: &[usize],
        tokens: &[Tokens],
        length: usize,
    ) -> Result<Vec<Scores>, ModelError> {
        let alone = self.spec.inputs.first().is_some_and(TensorSpec::alone);
        let batch = if alone { rows.len() } else { filled(rows.len()) };
        let mut ids = Array2::from_elem((batch, length), self.pad);
        let mut mask = Array2::<i64>::zeros((batch, length));
        let mut types = Array2::<i64>::zeros((batch, length));
        for row in 0..batch {
            // The last is repeated until the batch has a size that graphs run.
            let own = &tokens[rows[row.min(rows.len() - 1)]];
            for (place, (id, kind)) in own.ids.iter().zip(&own.types).enumerate() {
                (ids[[row, place]], mask[[row, place]], types[[row, place]]) = (*id, 1, *kind);
            }
        }
        let short = |data: &Array2<i64>| data.mapv(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let shorts = [&ids, &mask, &types].map(short);
        let longs = [ids, mask, types];
        let inputs = self.inputs.iter().map(|(role, kind)| match kind {
            TensorKind::I32 => Input::I32(shorts[*role as usize].view().into_dyn()),
            _ => Input::I64(longs[*role as usize].view().into_dyn()),
        });
        let outputs = self.graph.run(inputs)?;
        let mut out = vec![Scores::default(); rows.len()];
        for (data, labels) in outputs.iter().zip(&self.labels) {
            for (scores, row) in out.iter_mut().zip(data.outer_iter()) {
                for (label, raw) in labels.iter().zip(&row) {
                    let Some(label) = label else { continue };
                    let told = self.spec.calibrate(label.name(), raw.clamp(0.0, 1.0));
                    // The graph's outputs were checked to be finite.
                    if let Some(score) = Score::new(told) {
                        scores.set(*label as usize, score);
                    }
                }
            }
        }
        Ok(out)
    }

    /// The tokens of a text, those that open and close it with it; of too many, both ends stay.
    fn cut(&self, text: &str) -> Result<Tokens, ModelError> {
        let encoding = self.cutter.encode_fast(text::ends(text).as_ref(), true).map_err(|e| {
            ModelError::Run { model: self.spec.told(), what: format!("its tokenizer fails: {e}") }
        })?;
        let mut tokens = Tokens {
            ids: encoding.get_ids().iter().map(|id| i64::from(*id)).collect(),
            types: encoding.get_type_ids().iter().map(|id| i64::from(*id)).collect(),
        };
        let longest = self.lengths[self.lengths.len() - 1];
        if tokens.ids.len() > longest {
            let special = encoding.get_special_tokens_mask();
            let opening = special.iter().take_while(|special| **special == 1).count();
            let closing = special.iter().rev().take_while(|special| **special == 1).count();
            let (from, to) = kept(tokens.ids.len(), longest, opening, closing);
            tokens.ids.drain(from..to);
            tokens.types.drain(from..to);
        }
        if tokens.ids.is_empty() {
            // A row in which nothing may be looked at has no mean.
            (tokens.ids, tokens.types) = (vec![self.pad], vec![0]);
        }
        Ok(tokens)
    }
}

/// Which of `count` tokens go so that `longest` stay: those in the middle of what stands between `opening` and `closing`.
fn kept(count: usize, longest: usize, opening: usize, closing: usize) -> (usize, usize) {
    let own = longest.saturating_sub(opening + closing);
    let from = (opening + own.div_ceil(2)).min(longest);
    (from, count - (longest - from))
}

fn role(
    spec: &ModelSpec,
    reads: &TokenizerSpec,
    input: &TensorSpec,
) -> Result<(Role, TensorKind), ModelError> {
    let known = [(&reads.ids, Role::Ids), (&reads.mask, Role::Mask), (&reads.types, Role::Types)];
    let Some((_, role)) = known.into_iter().find(|(name, _)| **name == input.name) else {
        let what = format!(
            "its input `{}` is none of `{}`, `{}`, `{}`",
            input.name, reads.ids, reads.mask, reads.types
        );
        return Err(spec.error(what, "say in preprocess which input is `ids`, `mask`, `types`"));
    };
    let fits = match (input.shape.as_slice(), reads.lengths.as_slice()) {
        ([_, Dim::Free(_)], _) => true,
        ([_, Dim::Fixed(n)], [only]) => *n as usize == *only,
        _ => false,
    };
    if input.kind == TensorKind::F32 || !fits {
        let what = format!(
            "its input `{}` must be i64 or i32, [batch, length], length free or the only one of {:?}",
            input.name, reads.lengths
        );
        return Err(spec.error(what, "correct the entry"));
    }
    Ok((role, input.kind))
}

fn cutter(spec: &ModelSpec, reads: &TokenizerSpec, dir: &Path) -> Result<Tokenizer, ModelError> {
    let path = dir.join(&reads.file);
    let bytes = std::fs::read(&path).map_err(|e| {
        let what = format!("its tokenizer {} cannot be read ({e})", path.display());
        spec.error(what, "put the model's tokenizer.json there")
    })?;
    spec.intact(&path, &bytes, &reads.sha256)?;
    let mut cutter = Tokenizer::from_bytes(&bytes).map_err(|e| {
        let what = format!("{} is no tokenizer that can be read ({e})", path.display());
        spec.error(what, "save it as tokenizer.json with the library `tokenizers`")
    })?;
    // Both are done here, so that a row's length is its own text's.
    cutter.with_padding(None);
    // What a message says of [CLS] or </s> is its author's word, not the model's.
    cutter.set_encode_special_tokens(true);
    cutter.with_truncation(None).map_err(|e| spec.error(e.to_string(), "report this"))?;
    Ok(cutter)
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn of_a_long_text_both_ends_stay_between_what_opens_and_closes_it() {
        let left = |count, longest, opening, closing| -> Vec<usize> {
            let (from, to) = kept(count, longest, opening, closing);
            (0..from).chain(to..count).collect()
        };
        assert_eq!(left(12, 7, 1, 1), [0, 1, 2, 3, 9, 10, 11]);
        assert_eq!(left(12, 6, 0, 1), [0, 1, 2, 9, 10, 11]);
        assert_eq!(left(9, 2, 1, 1), [0, 8]);
        assert_eq!(left(9, 1, 1, 1), [0]);
    }
}
