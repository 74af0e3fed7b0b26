//! The escalation model: one channel's signals in, four probabilities out. It is small, and run by each channel shard
//! itself over the channels due, so that no queue stands between signals and judgement.

use std::path::Path;

use ndarray::Array2;

use super::graph::{BATCH_SIZES, Graph, Input, filled};
use super::manifest::{Manifest, ModelError, ModelKind, ModelSpec};
use crate::event::{Signal, Signals};

/// What it gives, in this order.
pub const OUTPUTS: [&str; 4] = ["concern", "danger", "threat_to_life", "imminent"];

/// A session of the escalation model.
pub struct Escalation {
    graph: Graph,
    spec: ModelSpec,
    columns: Vec<Signal>,
}

impl Escalation {
    /// Opens the manifest's tabular model; `None` if it has none.
    pub fn open(manifest: &Manifest) -> Result<Option<Self>, ModelError> {
        manifest
            .of_kind(ModelKind::Tabular)
            .next()
            .map(|spec| Self::from_spec(spec, &manifest.dir))
            .transpose()
    }

    fn from_spec(spec: &ModelSpec, dir: &Path) -> Result<Self, ModelError> {
        let ([input], [output]) = (spec.inputs.as_slice(), spec.outputs.as_slice()) else {
            return Err(spec.error(
                "a tabular model has one input and one output".into(),
                "correct the entry",
            ));
        };
        if output.labels != OUTPUTS {
            let what = format!("its labels are {:?}, expected {OUTPUTS:?}", output.labels);
            return Err(spec.error(what, "name them in this order"));
        }
        let columns = input.columns.iter().filter_map(|name| Signal::from_name(name)).collect();
        let graph = Graph::open(spec, dir, &spec.file, &spec.sha256, &spec.inputs, &spec.outputs)?;
        Ok(Self { graph, spec: spec.clone(), columns })
    }

    /// The signals that it reads.
    pub fn columns(&self) -> &[Signal] {
        &self.columns
    }

    /// One set of outputs a row; a signal without a value is given as the lowest of its range.
    pub fn run(&mut self, rows: &[Signals]) -> Result<Vec<[f32; 4]>, ModelError> {
        let mut out = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(BATCH_SIZES[5]) {
            let mut data = Array2::<f32>::zeros((filled(chunk.len()), self.columns.len()));
            for (i, mut target) in data.outer_iter_mut().enumerate() {
                let row = &chunk[i.min(chunk.len() - 1)];
                let values = self.columns.iter().map(|signal| row.or_lowest(*signal));
                target.iter_mut().zip(values).for_each(|(target, value)| *target = value);
            }
            let result = self.graph.run([Input::F32(data.view().into_dyn())])?;
            for row in result[0].outer_iter().take(chunk.len()) {
                let mut p = [0.0; 4];
                for ((p, score), label) in p.iter_mut().zip(row).zip(OUTPUTS) {
                    *p = self.spec.calibrate(label, score.clamp(0.0, 1.0)).clamp(0.0, 1.0);
                }
                out.push(p);
            }
        }
        Ok(out)
    }
}
