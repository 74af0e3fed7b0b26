//! Intervals at 95 %, so that one evening is not taken for a proof.

/// Half of what lies outside.
const TAIL: f64 = 0.025;
/// Standard normal quantile of 0.975.
const Z: f64 = 1.959_963_985;

/// Wilson's interval of a share (E. B. Wilson, 1927); the whole range where nothing was tried.
pub fn share(hits: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let z2 = Z * Z;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// Garwood's exact interval of a Poisson mean of which `count` were seen (F. Garwood, 1936).
pub fn mean(count: u64) -> (f64, f64) {
    let most = 4.0 * (count as f64 + 10.0);
    let low = match count {
        0 => 0.0,
        // P(at least `count`) falls to the tail as the mean falls.
        _ => bisect(most, |mean| 1.0 - at_most(count - 1, mean) < TAIL),
    };
    (low, bisect(most, |mean| at_most(count, mean) > TAIL))
}

/// The greatest number up to `most` for which `holds`, which holds below it and not above.
fn bisect(most: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// P(X ≤ `count`) of a Poisson variable; summed in logarithms, so that a large mean does not vanish.
fn at_most(count: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let mut factorial = 0.0;
    let mut sum = 0.0;
    for k in 0..=count {
        if k > 0 {
            factorial += (k as f64).ln();
        }
        sum += (k as f64 * mean.ln() - mean - factorial).exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: (f64, f64), known: (f64, f64)) {
        let off = (found.0 - known.0).abs().max((found.1 - known.1).abs());
        assert!(off < 5e-3, "{found:?}, known: {known:?}");
    }

    /// Known values: Poisson limits of Ulm (1990) and R's `poisson.test`; Wilson's of Newcombe (1998).
    #[test]
    fn they_are_those_of_the_tables() {
        near(mean(0), (0.0, 3.689));
        near(mean(1), (0.0253, 5.572));
        near(mean(10), (4.795, 18.390));
        near(mean(100), (81.364, 121.627));
        near(share(81, 263), (0.2553, 0.3662));
        near(share(0, 20), (0.0, 0.1611));
        assert_eq!(share(0, 0), (0.0, 1.0));
    }
}
