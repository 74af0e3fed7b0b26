//! The `model` room: ONNX sessions, preprocessing, micro-batching, and the door at which events are admitted. It knows
//! nothing of how channels remember or risk judges.

mod batcher;
mod cache;
mod door;
pub mod escalation;
pub mod graph;
pub mod image;
mod manifest;
pub mod moving;
pub mod pieces;
mod queue;
mod reader;
mod scorer;
pub mod text;
mod tokenized;

pub use batcher::{Inference, InferenceOptions, LookJob, Rejected, Scored, Scoring, Watcher};
pub use cache::Reading;
pub use door::{Door, OpenLookFrame, Ready};
pub use escalation::Escalation;
pub use graph::{compute_on, load_runtime};
pub use manifest::{
    Channels, Dim, Fit, Layout, Manifest, ModelError, ModelKind, ModelSpec, Planes, Preprocess,
    StageSpec, TensorSpec,
};
pub use queue::{Standing, Ticket};
pub use scorer::{Looked, Message, MessageScores, Scorer};
