//! Memory that fades: sums and maxima that halve in a fixed time, in constant space and without a clock. They are
//! computed by `libm`, so that the same events give the same bits on every machine.

use serde::{Deserialize, Serialize};

use std::sync::Arc;

use crate::event::{Signal, Timestamp};

/// 2^(-elapsed/half_life); 1 for an elapsed time of 0 or less.
fn left(elapsed_ms: i64, half_life_ms: i64) -> f64 {
    if elapsed_ms <= 0 {
        return 1.0;
    }
    libm::exp2(-(elapsed_ms as f64) / half_life_ms as f64)
}

/// A sum whose parts halve every half-life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum(f64, i64);

impl Sum {
    /// Adds `x` at `at`; nothing at all happens for 0, so that what adds nothing changes no bit.
    pub fn add(&mut self, at: Timestamp, x: f64, half_life_ms: i64) {
        if x > 0.0 {
            self.0 = self.at(at, half_life_ms) + x;
            self.1 = self.1.max(at.0);
        }
    }

    pub fn at(&self, at: Timestamp, half_life_ms: i64) -> f64 {
        if self.0 == 0.0 { 0.0 } else { self.0 * left(at.0 - self.1, half_life_ms) }
    }
}

/// The highest of values that each halve every half-life. One register is exact: fading keeps their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peak(f64, i64);

impl Peak {
    pub fn raise(&mut self, at: Timestamp, x: f64, half_life_ms: i64) {
        if x > self.at(at, half_life_ms) {
            *self = Self(x, at.0);
        }
    }

    pub fn at(&self, at: Timestamp, half_life_ms: i64) -> f64 {
        if self.0 == 0.0 { 0.0 } else { self.0 * left(at.0 - self.1, half_life_ms) }
    }
}

/// The same contributions over several windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sums<const N: usize>(#[serde(with = "array")] [Sum; N]);

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self([Sum::default(); N])
    }
}

impl<const N: usize> Sums<N> {
    pub fn add(&mut self, at: Timestamp, x: f64, half_lives: &[i64; N]) {
        for (sum, half_life) in self.0.iter_mut().zip(half_lives) {
            sum.add(at, x, *half_life);
        }
    }

    pub fn at(&self, at: Timestamp, half_lives: &[i64; N]) -> [f64; N] {
        let mut out = [0.0; N];
        for ((out, sum), half_life) in out.iter_mut().zip(&self.0).zip(half_lives) {
            *out = sum.at(at, *half_life);
        }
        out
    }
}

mod array {
    use super::Sum;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer, const N: usize>(a: &[Sum; N], s: S) -> Result<S::Ok, S::Error> {
        a.as_slice().serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        d: D,
    ) -> Result<[Sum; N], D::Error> {
        let list = Vec::<Sum>::deserialize(d)?;
        list.try_into().map_err(|_| serde::de::Error::custom("a sum for each window is expected"))
    }
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Half-lives are half of the window that a signal is named after.
pub mod half {
    use super::{DAY, HOUR, MINUTE, SECOND};

    pub const S60: i64 = 30 * SECOND;
    pub const M10: i64 = 5 * MINUTE;
    pub const M30: i64 = 15 * MINUTE;
    pub const H24: i64 = 12 * HOUR;
    pub const D7: i64 = 7 * DAY / 2;
    pub const D30: i64 = 15 * DAY;
    pub const D90: i64 = 45 * DAY;
    /// 60 s, 10 min, 24 h, 30 d.
    pub const CHAT: [i64; 4] = [S60, M10, H24, D30];
    /// 10 min, 24 h, 30 d.
    pub const LONG: [i64; 3] = [M10, H24, D30];
}

/// Half-lives by signal: the built-in ones but where the config says otherwise (`[signals] decays`).
#[derive(Clone, Debug, Default)]
pub struct HalfLives(Option<Arc<Vec<i64>>>);

impl HalfLives {
    /// The built-in ones but for these, in milliseconds. What does not fade is let be.
    pub fn with(changed: &[(Signal, i64)]) -> Self {
        if changed.is_empty() {
            return Self(None);
        }
        let mut all: Vec<i64> =
            Signal::all().map(|signal| signal.half_life_ms().unwrap_or(half::S60)).collect();
        for (signal, ms) in changed {
            all[*signal as usize] = (*ms).max(1);
        }
        Self(Some(Arc::new(all)))
    }

    /// The half-life of one signal, whose built-in one is given.
    pub fn of(&self, signal: Signal, built_in: i64) -> i64 {
        self.0.as_ref().map_or(built_in, |all| all[signal as usize])
    }

    /// Those of several windows of one sum.
    pub fn each<const N: usize>(&self, signals: [Signal; N], built_in: &[i64; N]) -> [i64; N] {
        self.0.as_ref().map_or(*built_in, |all| signals.map(|signal| all[signal as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_halves_in_its_half_life_and_adding_nothing_changes_no_bit() {
        let mut sum = Sum::default();
        sum.add(Timestamp(0), 4.0, 1000);
        assert_eq!(sum.at(Timestamp(1000), 1000), 2.0);
        let before = sum;
        sum.add(Timestamp(700), 0.0, 1000);
        assert_eq!(sum, before);
        sum.add(Timestamp(1000), 1.0, 1000);
        assert_eq!(sum.at(Timestamp(1000), 1000), 3.0);
    }

    #[test]
    fn a_peak_keeps_the_highest_even_when_a_lower_one_comes_later() {
        let mut peak = Peak::default();
        peak.raise(Timestamp(0), 0.9, 1000);
        peak.raise(Timestamp(100), 0.3, 1000);
        assert!((peak.at(Timestamp(1000), 1000) - 0.45).abs() < 1e-12);
        peak.raise(Timestamp(1000), 0.5, 1000);
        assert_eq!(peak.at(Timestamp(1000), 1000), 0.5);
    }

    #[test]
    fn every_built_in_half_life_is_half_of_the_window_in_the_name() {
        for signal in Signal::all() {
            let known = HalfLives::with(&[(Signal::ChatMessages60s, half::S60)]);
            if let Some(ms) = signal.half_life_ms() {
                assert_eq!(known.of(signal, 0), ms, "{}", signal.name());
            }
        }
        let known = |signals: [Signal; 4]| signals.map(|s| s.half_life_ms().unwrap());
        assert_eq!(known(Signal::chat_sums(crate::event::ChatLabel::Threat)), half::CHAT);
        assert_eq!(Signal::HistoryMeasures90d.half_life_ms(), Some(half::D90));
        assert_eq!(Signal::NoticeCount7d.half_life_ms(), Some(half::D7));
        assert_eq!(Signal::PictureStill30m.half_life_ms(), Some(half::M30));
        assert_eq!(Signal::MoneyActs24h.half_life_ms(), Some(half::H24));
        let changed = HalfLives::with(&[(Signal::MoneyActs24h, 7)]);
        assert_eq!(changed.of(Signal::MoneyActs24h, 0), 7);
        assert_eq!(Signal::ChatThreatVoices2m.half_life_ms(), None);
        assert_eq!(Signal::StreamHoursLiveNow.half_life_ms(), None);
    }
}
