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

/// Newcombe's interval of the area under the ROC curve, from `holding` scores and `others` (R. G. Newcombe, 2006, method
/// 5): the areas from which this one lies no further than chance carries, by the variance of Hanley and McNeil (1982).
pub fn area(area: f64, holding: u64, others: u64) -> (f64, f64) {
    let (m, n) = (holding as f64, others as f64);
    let typical = (m + n) / 2.0 - 1.0;
    let reach = |true_: f64| {
        let away = typical * ((1.0 - true_) / (2.0 - true_) + true_ / (1.0 + true_));
        Z * (true_ * (1.0 - true_) * (1.0 + away) / (m * n)).sqrt()
    };
    let low = bisect(1.0, |true_| true_ < area && area - true_ > reach(true_));
    let high = bisect(1.0, |true_| true_ < area || true_ - area < reach(true_));
    (low.min(area), high.max(area))
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

    /// Bounds from the formula by hand, and what must hold at the ends.
    #[test]
    fn an_area_of_few_scores_is_told_as_uncertain() {
        let (low, high) = area(1.0, 5, 5);
        assert!(low > 0.4 && low < 0.8 && high == 1.0, "{low} {high}");
        let (low, high) = area(1.0, 1000, 1000);
        assert!(low > 0.99 && high == 1.0, "{low} {high}");
        let (low, high) = area(0.5, 50, 50);
        assert!((low + high - 1.0).abs() < 1e-6 && low > 0.38 && low < 0.40, "{low} {high}");
        let (low, high) = area(0.0, 5, 5);
        assert!(low == 0.0 && high > 0.2 && high < 0.6, "{low} {high}");
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
