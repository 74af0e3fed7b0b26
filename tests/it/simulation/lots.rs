//! Everything that is left to chance, drawn from one seed: each part of a simulation draws its own lots, so that one
//! part may draw more without changing what another one draws.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

pub struct Lots(ChaCha8Rng);

impl Lots {
    /// The lots of one part of the simulation of `seed`.
    pub fn of(seed: u64, part: &str) -> Self {
        Self(ChaCha8Rng::from_seed(Sha256::digest(format!("{seed} {part}")).into()))
    }

    pub fn within(&mut self, range: Range<i64>) -> i64 {
        self.0.random_range(range)
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, p: i64) -> bool {
        self.within(0..1000) < p
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.within(0..of.len() as i64) as usize]
    }

    /// Spans of time within `range`, each as long as `length` says, in order and not overlapping.
    pub fn spans(&mut self, many: i64, range: Range<i64>, length: Range<i64>) -> Vec<Range<i64>> {
        let mut begins: Vec<i64> = (0..many).map(|_| self.within(range.clone())).collect();
        begins.sort_unstable();
        let mut out: Vec<Range<i64>> = Vec::new();
        for begin in begins {
            let end = begin + self.within(length.clone());
            if out.last().is_none_or(|last| last.end < begin) {
                out.push(begin..end);
            }
        }
        out
    }
}
