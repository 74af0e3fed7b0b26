//! One ONNX graph in one session: the library is found and loaded once, the file's digest and its tensors are checked
//! against the manifest, and it runs batches of a few fixed sizes, filled up, never of one row, so that a row's
//! scores depend on that row alone.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ndarray::{ArrayD, ArrayViewD};
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::manifest::{Dim, ModelError, ModelSpec, TensorKind, TensorSpec, shown};
use crate::event::Digest;

/// Name of the library that the wheel ships, the version that this crate is tested with.
pub const LIBRARY: &str = "libonnxruntime.so.1.32.0";

/// Rows of a batch: the smallest that holds them is taken, the rest is filled up.
pub const BATCH_SIZES: [usize; 6] = [2, 4, 8, 16, 32, 64];

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

/// The size to which a batch of `rows` is filled up; at most the largest of [`BATCH_SIZES`].
pub fn filled(rows: usize) -> usize {
    BATCH_SIZES.into_iter().find(|size| *size >= rows).unwrap_or(BATCH_SIZES[5])
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
}

impl<'a> Input<'a> {
    fn tensor(self) -> Result<SessionInputValue<'a>, ort::Error> {
        Ok(match self {
            Input::F32(data) => TensorRef::from_array_view(data)?.into_dyn().into(),
            Input::I32(data) => TensorRef::from_array_view(data)?.into_dyn().into(),
        })
    }
}

/// A session on one graph.
pub struct Graph {
    session: Session,
    told: String,
    outputs: Vec<TensorSpec>,
    inputs: Vec<String>,
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
        let digest = Digest::of(&bytes).hex();
        if digest != sha256 {
            let what =
                format!("{} has SHA-256 {digest}, the manifest says {sha256}", path.display());
            return Err(spec.error(what, "restore the file, or write its digest into the manifest"));
        }
        let session = session(&bytes).map_err(|e| {
            spec.error(
                format!("ONNX Runtime refuses {} ({e})", path.display()),
                "use a graph with opset 20 or lower",
            )
        })?;
        check_tensors(spec, &path, inputs, session.inputs(), "input")?;
        check_tensors(spec, &path, outputs, session.outputs(), "output")?;
        let inputs = inputs.iter().map(|input| input.name.clone()).collect();
        Ok(Self { session, told: spec.told(), outputs: outputs.to_vec(), inputs })
    }

    /// Runs a batch of one of [`BATCH_SIZES`] rows; the inputs are in the manifest's order. Gives each output, its first
    /// dimension the batch. Errors: the runtime's, or an output that is not finite.
    pub fn run<const N: usize>(
        &mut self,
        inputs: [Input; N],
    ) -> Result<Vec<ArrayD<f32>>, ModelError> {
        let told = &self.told;
        let failed = |what: String| ModelError::Run { model: told.clone(), what };
        let mut values = Vec::with_capacity(N);
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
            if data.iter().any(|x| !x.is_finite()) {
                return Err(failed(format!("output `{}` is not finite", spec.name)));
            }
            out.push(data.to_owned());
        }
        Ok(out)
    }
}

fn session(bytes: &[u8]) -> Result<Session, String> {
    let environment = ENVIRONMENT.get().ok_or("the runtime is not loaded")?;
    let builder = Session::builder(environment).map_err(|e| e.to_string())?;
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
    session(&std::fs::read(path).map_err(|e| e.to_string())?)
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
