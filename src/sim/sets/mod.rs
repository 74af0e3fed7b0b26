//! The places of the simulated cameras. Each draws one scene on a canvas and says how grainy its camera is
//! (standard deviation in levels of 255).

mod sofa;
mod stage;

pub use sofa::sofa;
pub use stage::{bed, desk, game, ring, webcam};
