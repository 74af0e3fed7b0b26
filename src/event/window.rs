//! How long a signal remembers, by the window in its name.

use super::Signal;

impl Signal {
    /// The built-in half-life of its sum or peak, in milliseconds: half of the window in its name. None for what does
    /// not fade: counts of voices, shares of the messages, what holds now.
    pub fn half_life_ms(self) -> Option<i64> {
        let stem = self.stem();
        let share = matches!(
            self,
            Signal::ChatAlike60s | Signal::ChatLaughter60s | Signal::CouplingLift24h
        );
        if share || self == Signal::PictureCamera2m || stem.ends_with("_voices") {
            return None;
        }
        let window = self.name().rsplit('.').next()?;
        let unit = match window.chars().last()? {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        let number: i64 = window[..window.len() - 1].parse().ok()?;
        Some(number * unit / 2)
    }
}
