//! Memory that fades: sums and maxima that halve in a fixed time, in constant space and without a clock. They are
//! computed by `libm`, so that the same events give the same bits on every machine.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

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

    /// Adds another amount to each window.
    pub fn add_each(&mut self, at: Timestamp, xs: [f64; N], half_lives: &[i64; N]) {
        for ((sum, half_life), x) in self.0.iter_mut().zip(half_lives).zip(xs) {
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
}
