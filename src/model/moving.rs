//! Where things move in a look: brightness that changes between consecutive pictures beyond what a moved camera
//! explains. Comes in: small grey pictures. Goes out: the square in which most of the change lies, to be seen closely.

/// Columns and rows of the grey pictures on which motion is located.
pub const GRID: (u32, u32) = (96, 54);
const COLUMNS: usize = GRID.0 as usize;
const ROWS: usize = GRID.1 as usize;
/// Farthest that a camera is taken to turn between two pictures, in points of the grid.
const TURN: isize = 3;
/// A change of brightness counts as this at most while the camera's turn is sought: people in front of it must not decide.
const CAPPED: u8 = 30;
/// What each point of a turn must gain, in steps of brightness: a camera rests unless it is seen to turn.
const TURN_COST: f64 = 0.02;
/// Steps of brightness that noise explains.
const NOISE: f64 = 2.0;
/// Mean change beyond noise, in steps of brightness over the whole grid, from which on something moves.
const LEAST: f64 = 1e-3;
/// Rounds in which the square closes in on the strongest motion.
const ROUNDS: usize = 4;
/// How many deviations of the motion around its centre the square reaches.
const REACH: f64 = 2.2;
/// Shortest side of the square, as a share of the picture's shorter side.
const SHORTEST: f64 = 0.3;

/// A part of a picture, in fractions of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Part {
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };
}

/// The part in which things move: a square in pixels of pictures whose height is `aspect` times their width, or the whole
/// where nothing moves. `greys` are pictures of [`GRID`] points in order of time.
pub fn part(greys: &[Vec<u8>], aspect: f64) -> Part {
    let change = excess(&blurred(&changes(greys)));
    if change.iter().sum::<f64>() < LEAST * (COLUMNS * ROWS) as f64 {
        return Part::WHOLE;
    }
    // Points in units of the picture's width.
    let at = |place: usize| {
        let (x, y) = ((place % COLUMNS) as f64, (place / COLUMNS) as f64);
        ((x + 0.5) / COLUMNS as f64, (y + 0.5) / ROWS as f64 * aspect)
    };
    let mut weights = change.clone();
    let (mut x, mut y, mut spread) = (0.0, 0.0, 0.0);
    for _ in 0..ROUNDS {
        let total: f64 = weights.iter().sum();
        let mean = |what: &dyn Fn(f64, f64) -> f64| {
            let weighed = weights.iter().enumerate().map(|(place, weight)| {
                let (x, y) = at(place);
                weight * what(x, y)
            });
            weighed.sum::<f64>() / total
        };
        (x, y) = (mean(&|x, _| x), mean(&|_, y| y));
        let away = |px: f64, py: f64| (px - x).powi(2) + (py - y).powi(2);
        spread = (mean(&away) / 2.0).sqrt();
        let width = (1.6 * spread).max(0.08);
        weights = (change.iter().enumerate())
            .map(|(place, change)| {
                let (px, py) = at(place);
                change * (-away(px, py) / (2.0 * width * width)).exp()
            })
            .collect();
    }
    let shorter = aspect.min(1.0);
    let side = (2.0 * REACH * spread).clamp(SHORTEST * shorter, shorter);
    let left = (x - side / 2.0).clamp(0.0, 1.0 - side);
    let top = (y - side / 2.0).clamp(0.0, aspect - side);
    Part { left, top: top / aspect, right: left + side, bottom: (top + side) / aspect }
}

/// Mean absolute change of each point between consecutive pictures, the camera's turns undone.
fn changes(greys: &[Vec<u8>]) -> Vec<f64> {
    let mut sums = vec![0u32; COLUMNS * ROWS];
    for pair in greys.windows(2) {
        let turn = turn(&pair[0], &pair[1]);
        each(turn, &pair[0], &pair[1], |place, change| sums[place] += u32::from(change));
    }
    let pairs = greys.len().saturating_sub(1).max(1) as f64;
    sums.into_iter().map(|sum| f64::from(sum) / pairs).collect()
}

/// Tells the change of each point that both pictures show when the second is moved by (columns, rows).
fn each((dx, dy): (isize, isize), a: &[u8], b: &[u8], mut tell: impl FnMut(usize, u8)) {
    let (columns, rows) = (COLUMNS as isize, ROWS as isize);
    for y in dy.max(0)..rows + dy.min(0) {
        let from = (y * columns + dx.max(0)) as usize;
        let other = ((y - dy) * columns + (-dx).max(0)) as usize;
        let width = (columns - dx.abs()) as usize;
        let both = a[from..from + width].iter().zip(&b[other..other + width]);
        for (step, (a, b)) in both.enumerate() {
            tell(from + step, a.abs_diff(*b));
        }
    }
}

/// The move of the whole picture that explains most of the change.
fn turn(a: &[u8], b: &[u8]) -> (isize, isize) {
    let (mut best, mut found) = (f64::INFINITY, (0, 0));
    for dy in -TURN..=TURN {
        for dx in -TURN..=TURN {
            let mut sum = 0u32;
            each((dx, dy), a, b, |_, change| sum += u32::from(change.min(CAPPED)));
            let points = (COLUMNS as isize - dx.abs()) * (ROWS as isize - dy.abs());
            let cost = f64::from(sum) / points as f64 + TURN_COST * (dx.abs() + dy.abs()) as f64;
            if cost < best {
                (best, found) = (cost, (dx, dy));
            }
        }
    }
    found
}

/// Two passes of the binomial filter of five points along each axis; the border is repeated.
fn blurred(map: &[f64]) -> Vec<f64> {
    let pass = |map: &[f64], step: usize, length: usize, place: usize| {
        let along = place / step % length;
        let first = place - along * step;
        let value = |offset: isize| {
            map[first + (along as isize + offset).clamp(0, length as isize - 1) as usize * step]
        };
        (value(-2) + 4.0 * value(-1) + 6.0 * value(0) + 4.0 * value(1) + value(2)) / 16.0
    };
    let mut map = map.to_vec();
    for _ in 0..2 {
        for (step, length) in [(1, COLUMNS), (COLUMNS, ROWS)] {
            map = (0..map.len()).map(|place| pass(&map, step, length, place)).collect();
        }
    }
    map
}

/// What lies beyond noise and beyond twice the median, which is what moves everywhere.
fn excess(map: &[f64]) -> Vec<f64> {
    let mut sorted = map.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = (sorted[middle - 1] + sorted[middle]) / 2.0;
    map.iter().map(|value| (value - 2.0 * median - NOISE).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A textured background moved by `turn` points, and a bright block at (x, y).
    fn scene(turn: usize, x: usize, y: usize) -> Vec<u8> {
        (0..COLUMNS * ROWS)
            .map(|place| {
                let (column, row) = (place % COLUMNS, place / COLUMNS);
                if (x..x + 8).contains(&column) && (y..y + 12).contains(&row) {
                    return 250;
                }
                (((column + turn) * 37 + row * 11) % 97) as u8
            })
            .collect()
    }

    #[test]
    fn the_square_lies_where_the_block_moves() {
        let greys: Vec<_> = (0..8).map(|k| scene(0, 60 + k % 3, 20)).collect();
        let found = part(&greys, 0.5625);
        let (x, y) = ((found.left + found.right) / 2.0, (found.top + found.bottom) / 2.0);
        assert!((x - 65.0 / 96.0).abs() < 0.05 && (y - 26.0 / 54.0).abs() < 0.08, "{found:?}");
        let (width, height) = (found.right - found.left, found.bottom - found.top);
        assert!((height * 0.5625 - width).abs() < 1e-9, "a square: {found:?}");
        assert!(width < 0.4, "{found:?}");
    }

    #[test]
    fn a_turning_camera_alone_moves_nothing_and_hides_nothing() {
        let panned: Vec<_> = (0..8).map(|k| scene(2 * k, 200, 0)).collect();
        assert_eq!(part(&panned, 0.75), Part::WHOLE);
        let both: Vec<_> = (0..8).map(|k| scene(2 * k, 20 + 4 * (k % 2), 30)).collect();
        let found = part(&both, 0.75);
        assert!(found.right < 0.6 && found.bottom > 0.6 && found != Part::WHOLE, "{found:?}");
    }

    #[test]
    fn stillness_noise_and_single_pictures_show_the_whole() {
        let still = vec![scene(0, 10, 10); 8];
        assert_eq!(part(&still, 0.5625), Part::WHOLE);
        assert_eq!(part(&still[..1], 0.5625), Part::WHOLE);
        let noise: Vec<Vec<u8>> = (0..8u32)
            .map(|k| (0..5184u32).map(|i| 90 + ((i * 7919 + k * 104_729) % 5) as u8).collect())
            .collect();
        assert_eq!(part(&noise, 0.5625), Part::WHOLE);
    }

    #[test]
    fn the_square_stays_inside_pictures_of_any_shape() {
        for aspect in [0.1, 0.42, 1.0, 1.78, 8.0] {
            for (x, y) in [(0, 0), (88, 42), (88, 0), (40, 20)] {
                let greys: Vec<_> = (0..5).map(|k| scene(0, x, y + k % 2)).collect();
                let found = part(&greys, aspect);
                assert!(found.left >= 0.0 && found.top >= 0.0, "{found:?}");
                assert!(found.right <= 1.0 + 1e-9 && found.bottom <= 1.0 + 1e-9, "{found:?}");
                assert!(found.left < found.right && found.top < found.bottom, "{found:?}");
            }
        }
    }
}
