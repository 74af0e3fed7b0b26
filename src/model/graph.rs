//! One ONNX graph in one session: the library is found and loaded once, the file's digest and its tensors are checked
//! against the manifest, and it runs batches of a few fixed sizes, filled up, never of one row, so that a row's
//! scores depend on that row alone.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::manifest::{
    Activation, Dim, ModelError, ModelKind, ModelSpec, TensorKind, TensorSpec, UNUSED, shown,
};
use crate::config::Execution;

/// Name of the library that the wheel ships, the version that this crate is tested with.
pub const LIBRARY: &str = "libonnxruntime.so.1.32.0";

/// Rows of a batch: the smallest that holds them is taken, the rest is filled up.
pub const BATCH_SIZES: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// How far beyond 0..1 rounding may carry a probability.
const ROUNDING: f32 = 1e-3;

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
/// Where the models of text and pictures compute; nothing: on the processor.
static PROVIDER: OnceLock<Execution> = OnceLock::new();

/// The size to which a batch of `rows` is filled up; at most the largest of [`BATCH_SIZES`].
pub fn filled(rows: usize) -> usize {
    BATCH_SIZES.into_iter().find(|size| *size >= rows).unwrap_or(BATCH_SIZES[5])
}

/// Cuts rows into batches of which as little as possible only fills up. `call`: what running a batch costs beside its
/// rows, in rows of it.
pub fn in_batches<T>(rows: &[T], call: usize) -> impl Iterator<Item = &[T]> {
    let mut left = rows;
    std::iter::from_fn(move || {
        let (batch, rest) = left.split_at(next_batch(left.len(), call).min(left.len()));
        left = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// The size of the first of the cheapest batches that hold `rows`.
fn next_batch(rows: usize, call: usize) -> usize {
    let whole = filled(rows);
    let part = whole / 2;
    if whole <= rows || part < BATCH_SIZES[0] {
        return whole;
    }
    let split = part + call + cost(rows - part, call);
    if split < whole + call { part } else { whole }
}

fn cost(rows: usize, call: usize) -> usize {
    if rows == 0 {
        return 0;
    }
    let next = next_batch(rows, call);
    next + call + cost(rows.saturating_sub(next), call)
}

/// Loads ONNX Runtime: `[models] runtime`, else beside the binary, in the checkout's `.cache`, in `/usr/lib/vigie`,
/// else `$ORT_DYLIB_PATH`. Once loaded it stays. Errors: says where it looked and the command that mends it.
pub fn load_runtime(configured: Option<&Path>) -> Result<(), ModelError> {
    if ENVIRONMENT.get().is_some() {
        return Ok(());
    }
    let places = match configured {
        Some(path) => vec![path.to_owned()],
        None => default_places(),
    };
    let mend = "run `make runtime` in the checkout, or set [models] runtime to the library's path";
    let missing = |looked: Vec<String>| ModelError::Runtime { looked, mend: mend.to_owned() };
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        return Err(missing(places.iter().map(|p| p.display().to_string()).collect()));
    };
    let failed = |e: String| missing(vec![format!("{} ({e})", path.display())]);
    let environment = ort::init_from(path)
        .map_err(|e| failed(e.to_string()))?
        .with_telemetry(false)
        .with_name("vigie")
        .build()
        .map_err(|e| failed(e.to_string()))?;
    // Another thread may have been faster; both loaded the same library.
    let _ = ENVIRONMENT.set(environment);
    Ok(())
}

/// Has the models of text and pictures opened from here on compute on `execution`; the first that is said stays. Models
/// of signals are small and stay on the processor. Errors: the loaded library was built without it, or it does not
/// start here.
pub fn compute_on(execution: Execution) -> Result<(), ModelError> {
    let name = execution.name();
    let mend =
        "set [models] runtime to a library that can (docs/models.md), or provider to \"cpu\"";
    let wrong = |what: String| ModelError::Provider { what, mend: mend.to_owned() };
    let has = |one: &Execution| match one {
        Execution::Cpu => true,
        // An error of the question is told as a no.
        Execution::Cuda => ep::CUDA::is_available().unwrap_or(false),
        Execution::Openvino => ep::OpenVINO::is_available().unwrap_or(false),
    };
    if !has(&execution) {
        let here = Execution::ALL.into_iter().filter(has).map(Execution::name);
        let here = here.collect::<Vec<_>>().join(", ");
        return Err(wrong(format!("cannot compute on {name}: the library loaded has {here}")));
    }
    if let Some(provider) = dispatch(execution) {
        let environment = ENVIRONMENT.get().ok_or_else(|| wrong("is not loaded".into()))?;
        let tried = Session::builder(environment).map_err(|e| e.to_string()).and_then(|builder| {
            builder.with_execution_providers([provider]).map(|_| ()).map_err(|e| e.to_string())
        });
        tried.map_err(|e| wrong(format!("cannot start {name} ({e})")))?;
    }
    // Another thread may have been faster; the same config said it.
    let _ = PROVIDER.set(execution);
    Ok(())
}

fn dispatch(execution: Execution) -> Option<ExecutionProviderDispatch> {
    match execution {
        Execution::Cpu => None,
        Execution::Cuda => Some(ep::CUDA::default().build().error_on_failure()),
        Execution::Openvino => Some(ep::OpenVINO::default().build().error_on_failure()),
    }
}

fn default_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(dir) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        places.push(dir.join(LIBRARY));
        // A binary in `target/<profile>` belongs to a checkout two folders up.
        places
            .extend(dir.ancestors().take(4).map(|up| up.join(".cache/onnxruntime").join(LIBRARY)));
    }
    places.push(PathBuf::from(".cache/onnxruntime").join(LIBRARY));
    places.push(Path::new("/usr/lib/vigie").join(LIBRARY));
    places.extend(std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from));
    places
}

/// A tensor on its way in, in standard layout; the first dimension is the batch.
pub enum Input<'a> {
    F32(ArrayViewD<'a, f32>),
    I32(ArrayViewD<'a, i32>),
    I64(ArrayViewD<'a, i64>),
}

impl<'a> Input<'a> {
    pub fn tensor(self) -> Result<SessionInputValue<'a>, ort::Error> {
        Ok(match self {
            Input::F32(data) => TensorRef::from_array_view(data)?.into_dyn().into(),
            Input::I32(data) => TensorRef::from_array_view(data)?.into_dyn().into(),
            Input::I64(data) => TensorRef::from_array_view(data)?.into_dyn().into(),
        })
    }

    fn rows(&self) -> usize {
        let shape = match self {
            Input::F32(data) => data.shape(),
            Input::I32(data) => data.shape(),
            Input::I64(data) => data.shape(),
        };
        shape.first().copied().unwrap_or(0)
    }

    /// One row of it, as a batch of its own.
    fn row(&self, row: usize) -> Input<'_> {
        let only = Slice::from(row..row + 1);
        match self {
            Input::F32(data) => Input::F32(data.slice_axis(Axis(0), only)),
            Input::I32(data) => Input::I32(data.slice_axis(Axis(0), only)),
            Input::I64(data) => Input::I64(data.slice_axis(Axis(0), only)),
        }
    }
}

/// The inputs of one run, by name.
pub type Run = Vec<(String, Numbers)>;

/// A tensor that a graph was given.
pub enum Numbers {
    F32(ArrayD<f32>),
    I32(ArrayD<i32>),
    I64(ArrayD<i64>),
}

impl Numbers {
    fn of(input: &Input) -> Self {
        match input {
            Input::F32(data) => Numbers::F32(data.to_owned()),
            Input::I32(data) => Numbers::I32(data.to_owned()),
            Input::I64(data) => Numbers::I64(data.to_owned()),
        }
    }

    /// To be given again.
    pub fn input(&self) -> Input<'_> {
        match self {
            Numbers::F32(data) => Input::F32(data.view()),
            Numbers::I32(data) => Input::I32(data.view()),
            Numbers::I64(data) => Input::I64(data.view()),
        }
    }
}

/// A session on one graph.
pub struct Graph {
    session: Session,
    told: String,
    outputs: Vec<TensorSpec>,
    inputs: Vec<String>,
    /// It takes one row at a time.
    alone: bool,
    /// What it was given since this was asked for.
    tape: Option<Vec<Run>>,
}

impl Graph {
    /// Opens `file`; its SHA-256 and tensors must be what the manifest says.
    pub fn open(
        spec: &ModelSpec,
        dir: &Path,
        file: &Path,
        sha256: &str,
        inputs: &[TensorSpec],
        outputs: &[TensorSpec],
    ) -> Result<Self, ModelError> {
        let path = dir.join(file);
        let bytes = std::fs::read(&path).map_err(|e| {
            spec.error(
                format!("{} cannot be read ({e})", path.display()),
                "install the models folder again",
            )
        })?;
        spec.intact(&path, &bytes, sha256)?;
        let provider = match spec.kind {
            ModelKind::Tabular => Execution::Cpu,
            ModelKind::Text | ModelKind::Image => PROVIDER.get().copied().unwrap_or_default(),
        };
        let session = session(&bytes, provider).map_err(|e| {
            spec.error(
                format!("ONNX Runtime refuses {} ({e})", path.display()),
                "restore the file if it is damaged; else use a graph with opset 20 or lower",
            )
        })?;
        check_tensors(spec, &path, inputs, session.inputs(), "input")?;
        check_tensors(spec, &path, outputs, session.outputs(), "output")?;
        let fixed =
            inputs.iter().filter(|input| matches!(input.shape.first(), Some(Dim::Fixed(_))));
        let (fixed, alone) = (fixed.count(), inputs.iter().filter(|input| input.alone()).count());
        if fixed > alone || (alone > 0 && alone < inputs.len()) {
            let what = "the first dimension of every input must be free, or of every one 1";
            return Err(spec.error(what.into(), "correct the entry, or export the graph so"));
        }
        let names = inputs.iter().map(|input| input.name.clone()).collect();
        let (told, outputs) = (spec.told(), outputs.to_vec());
        Ok(Self { session, told, outputs, inputs: names, alone: alone > 0, tape: None })
    }

    /// Runs a batch of one of [`BATCH_SIZES`] rows; the inputs are in the manifest's order. Gives each output with its
    /// activation, its first dimension the batch. Errors: the runtime's, an output that is not finite or not of its
    /// shape, a label's number that is no probability.
    pub fn run<'a>(
        &mut self,
        inputs: impl IntoIterator<Item = Input<'a>>,
    ) -> Result<Vec<ArrayD<f32>>, ModelError> {
        let inputs: Vec<Input> = inputs.into_iter().collect();
        let rows = inputs.first().map_or(0, Input::rows);
        if !self.alone || rows == 1 {
            return self.batch(inputs, rows);
        }
        let mut outputs: Vec<Vec<ArrayD<f32>>> = vec![Vec::new(); self.outputs.len()];
        for row in 0..rows {
            let one = self.batch(inputs.iter().map(|input| input.row(row)).collect(), 1)?;
            outputs.iter_mut().zip(one).for_each(|(all, one)| all.push(one));
        }
        let joined = outputs.iter().map(|all| {
            let views: Vec<_> = all.iter().map(|one| one.view()).collect();
            ndarray::concatenate(Axis(0), &views)
        });
        let failed = |e| ModelError::Run { model: self.told.clone(), what: format!("{e}") };
        joined.collect::<Result<_, _>>().map_err(failed)
    }

    /// What it was given since this was last called, and keeps a tape from now on; for benchmarks.
    pub fn taped(&mut self) -> Vec<Run> {
        self.tape.replace(Vec::new()).unwrap_or_default()
    }

    fn batch(&mut self, inputs: Vec<Input>, rows: usize) -> Result<Vec<ArrayD<f32>>, ModelError> {
        if let Some(tape) = &mut self.tape {
            let run = self.inputs.iter().cloned().zip(inputs.iter().map(Numbers::of));
            tape.push(run.collect());
        }
        let told = &self.told;
        let failed = |what: String| ModelError::Run { model: told.clone(), what };
        let mut values = Vec::with_capacity(inputs.len());
        for (name, input) in self.inputs.iter().zip(inputs) {
            let value = input.tensor().map_err(|e| failed(e.to_string()))?;
            values.push((std::borrow::Cow::Borrowed(name.as_str()), value));
        }
        let results = self.session.run(values).map_err(|e| failed(e.to_string()))?;
        let mut out = Vec::with_capacity(self.outputs.len());
        for spec in &self.outputs {
            let value = results
                .get(&spec.name)
                .ok_or_else(|| failed(format!("no output `{}`", spec.name)))?;
            let data = value.try_extract_array::<f32>().map_err(|e| failed(e.to_string()))?;
            out.push(told_by(spec, data.to_owned(), rows).map_err(failed)?);
        }
        Ok(out)
    }
}

/// An output of the shape that the manifest says, its activation applied.
fn told_by(spec: &TensorSpec, mut data: ArrayD<f32>, rows: usize) -> Result<ArrayD<f32>, String> {
    let name = &spec.name;
    let as_wanted = data.ndim() == spec.shape.len()
        && data.shape().first() == Some(&rows)
        && data.shape().iter().zip(&spec.shape).skip(1).all(|(found, wanted)| match wanted {
            Dim::Fixed(n) => *found as i64 == *n,
            Dim::Free(_) => true,
        });
    if !as_wanted {
        let (found, wanted) = (data.shape(), shown(&spec.shape));
        return Err(format!(
            "output `{name}` of {rows} rows is {found:?}, the manifest says {wanted}"
        ));
    }
    let of = |column: usize| match spec.labels.get(column) {
        Some(label) if label != UNUSED => format!(" for `{label}`"),
        _ => String::new(),
    };
    let width = data.shape().last().copied().unwrap_or(1).max(1);
    if let Some(place) = data.iter().position(|x| !x.is_finite()) {
        return Err(format!("output `{name}` is not finite{}", of(place % width)));
    }
    match spec.activation {
        Activation::None => {}
        Activation::Sigmoid => data.mapv_inplace(|x| 1.0 / (1.0 + (-x).exp())),
        Activation::Softmax => {
            for mut row in data.lanes_mut(Axis(spec.shape.len() - 1)) {
                let most = row.fold(f32::NEG_INFINITY, |most, x| most.max(*x));
                row.mapv_inplace(|x| (x - most).exp());
                let sum = row.sum();
                row.mapv_inplace(|x| x / sum);
            }
        }
    }
    let inside = -ROUNDING..=1.0 + ROUNDING;
    let used = |place: usize| spec.labels.get(place % width).is_some_and(|label| label != UNUSED);
    match data.iter().enumerate().find(|(place, x)| used(*place) && !inside.contains(x)) {
        Some((place, x)) => Err(format!(
            "output `{name}` is {x}{}, which is no probability: say its activation, sigmoid or softmax",
            of(place % width)
        )),
        None => Ok(data),
    }
}

fn session(bytes: &[u8], provider: Execution) -> Result<Session, String> {
    let environment = ENVIRONMENT.get().ok_or("the runtime is not loaded")?;
    let mut builder = Session::builder(environment).map_err(|e| e.to_string())?;
    if let Some(provider) = dispatch(provider) {
        builder = builder.with_execution_providers([provider]).map_err(|e| e.to_string())?;
    }
    builder
        .with_intra_threads(1)
        .and_then(|b| b.with_inter_threads(1))
        .and_then(|b| b.with_intra_op_spinning(false))
        .and_then(|b| b.with_inter_op_spinning(false))
        .and_then(|b| b.with_memory_pattern(false))
        .and_then(|b| b.with_optimization_level(GraphOptimizationLevel::Level3))
        .map_err(|e| e.to_string())?
        .commit_from_memory(bytes)
        .map_err(|e| e.to_string())
}

/// A bare session with the options that the daemon uses, for benchmarks.
pub fn bare_session(path: &Path) -> Result<Session, String> {
    session(&std::fs::read(path).map_err(|e| e.to_string())?, Execution::Cpu)
}

fn check_tensors(
    spec: &ModelSpec,
    path: &Path,
    wanted: &[TensorSpec],
    found: &[ort::value::Outlet],
    what: &str,
) -> Result<(), ModelError> {
    let names = || found.iter().map(|t| t.name().to_owned()).collect::<Vec<_>>().join(", ");
    for tensor in wanted {
        let Some(outlet) = found.iter().find(|outlet| outlet.name() == tensor.name) else {
            let text =
                format!("{} has no {what} `{}` (it has {})", path.display(), tensor.name, names());
            return Err(spec.error(text, "correct the manifest's names"));
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(
                spec.error(format!("{what} `{}` is no tensor", tensor.name), "use another graph")
            );
        };
        let (kind, kind_name) = match tensor.kind {
            TensorKind::F32 => (TensorElementType::Float32, "f32"),
            TensorKind::I32 => (TensorElementType::Int32, "i32"),
            TensorKind::I64 => (TensorElementType::Int64, "i64"),
        };
        let fits = shape.len() == tensor.shape.len()
            && shape.iter().zip(&tensor.shape).all(|(found, wanted)| match wanted {
                Dim::Fixed(n) => *found == *n || *found < 0,
                Dim::Free(_) => *found < 0,
            });
        if *ty != kind || !fits {
            let text = format!(
                "{what} `{}` of {} is {ty} {shape:?}, the manifest says {kind_name} {}",
                tensor.name,
                path.display(),
                shown(&tensor.shape)
            );
            return Err(spec
                .error(text, "correct the manifest's entry, or use the graph that it describes"));
        }
        let names = tensor.columns.len().max(tensor.labels.len());
        match tensor.shape.last() {
            Some(Dim::Fixed(n)) if *n == names as i64 => {}
            Some(Dim::Fixed(n)) if names > 0 => {
                let text =
                    format!("{what} `{}` has {n} columns, {names} names are given", tensor.name);
                return Err(spec.error(text, "name every column"));
            }
            Some(Dim::Free(name)) if names > 0 => {
                let text = format!(
                    "{what} `{}` has named columns and no fixed number `{name}` of them",
                    tensor.name
                );
                return Err(spec.error(text, "write their number as its last dimension"));
            }
            _ => {}
        }
    }
    if found.len() > wanted.len() && what == "input" {
        let text = format!(
            "{} needs inputs that the manifest does not name (it has {})",
            path.display(),
            names()
        );
        return Err(spec.error(text, "name every input"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(rows: usize, call: usize) -> Vec<usize> {
        let rows: Vec<usize> = (0..rows).collect();
        let batches: Vec<&[usize]> = in_batches(&rows, call).collect();
        assert_eq!(batches.concat(), rows, "each row once, in order");
        batches.into_iter().map(<[usize]>::len).collect()
    }

    #[test]
    fn rows_are_cut_where_filling_up_costs_more_than_another_batch() {
        assert_eq!(sizes(36, 1), [32, 4]);
        assert_eq!(sizes(36, 40), [36], "where a batch costs more than the 28 rows that fill up");
        assert_eq!(sizes(12, 1), [8, 4]);
        assert_eq!(sizes(15, 1), [15]);
        assert_eq!(sizes(130, 1), [64, 64, 2]);
        assert_eq!(sizes(1, 1), [1], "no batch is of one row, and this one is filled up to two");
        assert_eq!(sizes(0, 1), [0; 0]);
    }
}
