//! The simulated platform of `vigie demo`: a WebSocket server that speaks the wire format, with composed chat, drawn
//! pictures and simulated time, and a webhook receiver that tells in words what arrives. It knows nothing of the
//! daemon; what it draws shows motion and stillness only and is no material for training.

mod canvas;
mod figure;
mod platform;
mod receiver;
mod recording;
mod scene;
mod script;
mod sets;
mod show;
mod timeline;
mod typing;
mod words;

pub use canvas::{HEIGHT, WIDTH};
pub use platform::{DEFAULT_SPEED, serve};
pub use receiver::{Receiver, ReceiverError};
pub use scene::{Act, Mood, Scene, Set};
pub use script::{DEFAULT_START, Scenario, TimedEvent};
pub use words::{Words, in_words};
