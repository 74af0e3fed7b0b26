//! What the simulated camera of a channel sees at one moment: a set, a mood and a time come in, a JPEG goes out.
//! The pictures are drawn: they show motion and stillness, and teach no model anything.

use serde::Deserialize;

use super::canvas::Canvas;
use super::sets;

/// The place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// A living room at night: a sofa, three people.
    Sofa,
    /// A boxing ring.
    Ring,
    /// A marathon's sofa and thermometer.
    Desk,
    /// The screen of a shooter with the player in a corner.
    Game,
    /// A bedroom with a sleeper.
    Bed,
    /// One person before a webcam.
    Webcam,
}

/// What is done to somebody on the sofa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Slap,
    Shove,
    Water,
    /// Somebody lying is shaken awake.
    Shake,
    /// A bottle is thrown at somebody lying; they do not move.
    Bottle,
}

impl Act {
    /// How long it moves in the picture, seconds.
    pub fn seconds(self) -> f64 {
        match self {
            Act::Slap => 18.0,
            Act::Shove => 24.0,
            Act::Water => 16.0,
            Act::Shake => 14.0,
            Act::Bottle => 1.2,
        }
    }
}

/// What goes on there; sets without a story know `Usual` only.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    Usual,
    /// The tired one lies under a blanket and breathes.
    Lying,
    /// The same, without breath.
    Still,
}

/// A moment of a channel, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Scene {
    pub set: Set,
    pub mood: Mood,
    /// The act under way and the seconds since it began.
    pub act: Option<(Act, f64)>,
    /// Seconds since the scenario began.
    pub t: f64,
    /// Hours that the stream has been live, as its overlay says.
    pub hours_live: f64,
    /// Euros on the thermometer.
    pub raised: f64,
    pub seed: u64,
}

impl Scene {
    /// The picture as JPEG, 320×180. The same scene gives the same bytes; a moment later the grain differs.
    pub fn jpeg(&self) -> Vec<u8> {
        let mut canvas = Canvas::new([0.0; 3]);
        let grain = match self.set {
            Set::Sofa => sets::sofa(&mut canvas, self),
            Set::Ring => sets::ring(&mut canvas, self),
            Set::Desk => sets::desk(&mut canvas, self),
            Set::Game => sets::game(&mut canvas, self),
            Set::Bed => sets::bed(&mut canvas, self),
            Set::Webcam => sets::webcam(&mut canvas, self),
        };
        let moment = (self.t * 1000.0).round() as i64 as u64;
        canvas.grain(self.seed ^ moment.wrapping_mul(0x2545_f491_4f6c_dd1d), grain);
        canvas.jpeg(82)
    }

    /// A wave of the given period in seconds, -1..=1; `phase` keeps people from moving in step.
    pub(super) fn wave(&self, period: f64, phase: f64) -> f32 {
        ((self.t / period + phase) * std::f64::consts::TAU).sin() as f32
    }

    /// A draw in 0..1 that stays for `every` seconds.
    pub(super) fn draw(&self, every: f64, salt: u64) -> f32 {
        let slot = (self.t / every).floor() as i64 as u64;
        let mut x =
            self.seed ^ slot.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xd1b5);
        x ^= x >> 32;
        x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
        x ^= x >> 32;
        x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
        (x >> 40) as f32 / (1u64 << 24) as f32
    }
}
