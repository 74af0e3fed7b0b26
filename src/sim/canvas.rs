//! A small rasteriser: anti-aliased shapes on an RGB buffer, a 3×5 pixel font, light and camera noise. Shapes come in,
//! JPEG goes out; the same calls give the same bytes.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Width of every picture in pixels.
pub const WIDTH: usize = 320;
/// Height of every picture in pixels.
pub const HEIGHT: usize = 180;

/// Red, green, blue, each 0..=255.
pub type Colour = [f32; 3];

/// A point in picture pixels; y goes down.
pub type Point = (f32, f32);

/// Mixes two colours: `share` 0 gives `a`, 1 gives `b`.
pub fn mix(a: Colour, b: Colour, share: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share)
}

/// A colour made darker (`by` < 1) or lighter (`by` > 1).
pub fn tone(colour: Colour, by: f32) -> Colour {
    colour.map(|c| (c * by).min(255.0))
}

/// The picture being drawn. `origin` moves and `zoom` enlarges, around the picture's middle, what is drawn after they
/// are set: a camera that shakes or comes near.
pub struct Canvas {
    px: Vec<Colour>,
    pub origin: Point,
    pub zoom: f32,
}

impl Canvas {
    /// A picture of one colour.
    pub fn new(colour: Colour) -> Self {
        Self { px: vec![colour; WIDTH * HEIGHT], origin: (0.0, 0.0), zoom: 1.0 }
    }

    fn on_screen(&self, at: Point) -> Point {
        let (x, y) = (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0);
        let zoom = self.zoom;
        (x + (at.0 - x) * zoom + self.origin.0, y + (at.1 - y) * zoom + self.origin.1)
    }

    /// Blends `colour` where the signed distance `inside` (pixels, negative within the shape) is below zero.
    fn shape(
        &mut self,
        bounds: [f32; 4],
        colour: Colour,
        alpha: f32,
        inside: impl Fn(f32, f32) -> f32,
    ) {
        let zoom = self.zoom;
        let (left, top) = self.on_screen((bounds[0], bounds[1]));
        let (right, bottom) = self.on_screen((bounds[2], bounds[3]));
        let clip = |v: f32, max: usize| v.clamp(0.0, max as f32) as usize;
        let (left, right) = (clip(left - 1.0, WIDTH), clip(right + 2.0, WIDTH));
        let (top, bottom) = (clip(top - 1.0, HEIGHT), clip(bottom + 2.0, HEIGHT));
        // The way back from the screen to what is drawn.
        let (zero_x, zero_y) = self.on_screen((0.0, 0.0));
        for y in top..bottom {
            for x in left..right {
                let at = ((x as f32 + 0.5 - zero_x) / zoom, (y as f32 + 0.5 - zero_y) / zoom);
                let distance = inside(at.0, at.1) * zoom;
                let cover = (0.5 - distance).clamp(0.0, 1.0) * alpha;
                if cover > 0.0 {
                    let at = &mut self.px[y * WIDTH + x];
                    *at = mix(*at, colour, cover);
                }
            }
        }
    }

    /// A rectangle with corners rounded by `round` pixels.
    pub fn rect(&mut self, x: f32, y: f32, w: f32, h: f32, round: f32, colour: Colour) {
        self.rect_faint(x, y, w, h, round, colour, 1.0);
    }

    /// [`Canvas::rect`], `alpha` opaque.
    #[expect(clippy::too_many_arguments, reason = "a rectangle, its colour and its opacity")]
    pub fn rect_faint(
        &mut self,
        x: f32,
        y: f32,
        w: f32,
        h: f32,
        round: f32,
        colour: Colour,
        alpha: f32,
    ) {
        let (cx, cy) = (x + w / 2.0, y + h / 2.0);
        self.shape([x, y, x + w, y + h], colour, alpha, |px, py| {
            let dx = (px - cx).abs() - w / 2.0 + round;
            let dy = (py - cy).abs() - h / 2.0 + round;
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - round
        });
    }

    /// A rectangle whose colour runs from `upper` to `lower`.
    pub fn gradient(&mut self, area: [f32; 4], upper: Colour, lower: Colour) {
        let [x, y, w, h] = area;
        let steps = h.ceil().max(1.0) as usize;
        for i in 0..steps {
            let share = i as f32 / steps as f32;
            self.rect(x, y + i as f32, w, 1.6, 0.0, mix(upper, lower, share));
        }
    }

    /// A line with round ends, `ra` thick (radius) at `a` and `rb` at `b`.
    pub fn limb(&mut self, a: Point, b: Point, ra: f32, rb: f32, colour: Colour) {
        let r = ra.max(rb);
        let bounds = [a.0.min(b.0) - r, a.1.min(b.1) - r, a.0.max(b.0) + r, a.1.max(b.1) + r];
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = (dx * dx + dy * dy).max(1e-6);
        self.shape(bounds, colour, 1.0, |x, y| {
            let along = (((x - a.0) * dx + (y - a.1) * dy) / length).clamp(0.0, 1.0);
            (x - a.0 - along * dx).hypot(y - a.1 - along * dy) - (ra + (rb - ra) * along)
        });
    }

    /// An ellipse, turned by `angle` radians.
    pub fn ellipse(&mut self, at: Point, rx: f32, ry: f32, angle: f32, colour: Colour) {
        self.ellipse_faint(at, rx, ry, angle, colour, 1.0);
    }

    /// [`Canvas::ellipse`], `alpha` opaque.
    pub fn ellipse_faint(
        &mut self,
        at: Point,
        rx: f32,
        ry: f32,
        angle: f32,
        colour: Colour,
        alpha: f32,
    ) {
        let r = rx.max(ry);
        let (sin, cos) = angle.sin_cos();
        let bounds = [at.0 - r, at.1 - r, at.0 + r, at.1 + r];
        self.shape(bounds, colour, alpha, |x, y| {
            let (dx, dy) = (x - at.0, y - at.1);
            let (u, v) = ((dx * cos + dy * sin) / rx, (dy * cos - dx * sin) / ry);
            (u.hypot(v) - 1.0) * rx.min(ry)
        });
    }

    /// A convex polygon; corners clockwise as seen (y down).
    pub fn convex(&mut self, corners: &[Point], colour: Colour) {
        let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        for corner in corners {
            bounds = [
                bounds[0].min(corner.0),
                bounds[1].min(corner.1),
                bounds[2].max(corner.0),
                bounds[3].max(corner.1),
            ];
        }
        self.shape(bounds, colour, 1.0, |x, y| {
            corners.iter().zip(corners.iter().cycle().skip(1)).fold(f32::MIN, |most, (a, b)| {
                let (dx, dy) = (b.0 - a.0, b.1 - a.1);
                let length = dx.hypot(dy).max(1e-6);
                most.max(((x - a.0) * dy - (y - a.1) * dx) / length)
            })
        });
    }

    /// A lamp's light around `at`, reaching `r` pixels, added to what is there.
    pub fn glow(&mut self, at: Point, r: f32, colour: Colour, strength: f32) {
        let at = self.on_screen(at);
        let r = r * self.zoom;
        for (i, px) in self.px.iter_mut().enumerate() {
            let distance = ((i % WIDTH) as f32 - at.0).hypot((i / WIDTH) as f32 - at.1);
            let light = (1.0 - distance / r).max(0.0).powi(2) * strength;
            *px = [0, 1, 2].map(|c| (px[c] + colour[c] * light).min(255.0));
        }
    }

    /// Darkens everything, the corners by `corners` more.
    pub fn dim(&mut self, to: f32, corners: f32) {
        for (i, px) in self.px.iter_mut().enumerate() {
            let x = (i % WIDTH) as f32 / WIDTH as f32 - 0.5;
            let y = (i / WIDTH) as f32 / HEIGHT as f32 - 0.5;
            let light = to * (1.0 - corners * 2.0 * (x * x + y * y));
            *px = px.map(|c| c * light);
        }
    }

    /// Capitals, digits and `€ $ % : / . ! -`, each letter 3×5 dots of `size` pixels; others are left blank.
    pub fn text(&mut self, at: Point, size: f32, words: &str, colour: Colour) {
        for (i, letter) in words.chars().enumerate() {
            let rows = glyph(letter);
            for (y, row) in rows.iter().enumerate() {
                for x in 0..3 {
                    if row & (4 >> x) != 0 {
                        let left = at.0 + (i * 4 + x) as f32 * size;
                        self.rect(left, at.1 + y as f32 * size, size, size, 0.0, colour);
                    }
                }
            }
        }
    }

    /// Grain of a camera: every pixel moves by about `sigma` levels, differently for each `seed`.
    pub fn grain(&mut self, seed: u64, sigma: f32) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for px in &mut self.px {
            // xorshift64: two bytes give a triangular draw, a third tints it.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let byte = |shift: u32| ((state >> shift) & 255) as f32 / 255.0;
            let grain = (byte(8) + byte(24) - 1.0) * 2.45 * sigma;
            let tint = (byte(40) - 0.5) * sigma;
            *px = [px[0] + grain + tint, px[1] + grain, px[2] + grain - tint];
        }
    }

    /// The picture as JPEG of the given quality (1..=100).
    pub fn jpeg(&self, quality: u8) -> Vec<u8> {
        let rgb: Vec<u8> =
            self.px.iter().flat_map(|px| px.map(|c| c.clamp(0.0, 255.0) as u8)).collect();
        let mut out = Vec::with_capacity(24 * 1024);
        let mut encoder = Encoder::new(&mut out, quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        // Fails for a size of 0 or a short buffer only; both are constants here.
        encoder
            .encode(&rgb, WIDTH as u16, HEIGHT as u16, ColorType::Rgb)
            .expect("a full buffer of the stated size");
        out
    }
}

/// Five rows of three bits.
fn glyph(letter: char) -> [u8; 5] {
    match letter {
        '0' | 'O' => [7, 5, 5, 5, 7],
        '1' => [2, 6, 2, 2, 7],
        '2' => [7, 1, 7, 4, 7],
        '3' => [7, 1, 3, 1, 7],
        '4' => [5, 5, 7, 1, 1],
        '5' => [7, 4, 7, 1, 7],
        'S' => [3, 4, 2, 1, 6],
        '6' => [7, 4, 7, 5, 7],
        '7' => [7, 1, 2, 2, 2],
        '8' => [7, 5, 7, 5, 7],
        '9' => [7, 5, 7, 1, 7],
        'A' => [2, 5, 7, 5, 5],
        'B' => [6, 5, 6, 5, 6],
        'C' => [3, 4, 4, 4, 3],
        'D' => [6, 5, 5, 5, 6],
        'E' => [7, 4, 6, 4, 7],
        'F' => [7, 4, 6, 4, 4],
        'G' => [3, 4, 5, 5, 3],
        'H' => [5, 5, 7, 5, 5],
        'I' => [7, 2, 2, 2, 7],
        'J' => [1, 1, 1, 5, 2],
        'K' => [5, 5, 6, 5, 5],
        'L' => [4, 4, 4, 4, 7],
        'M' => [5, 7, 7, 5, 5],
        'N' => [6, 5, 5, 5, 5],
        'P' => [6, 5, 6, 4, 4],
        'Q' => [2, 5, 5, 6, 3],
        'R' => [6, 5, 6, 5, 5],
        'T' => [7, 2, 2, 2, 2],
        'U' => [5, 5, 5, 5, 7],
        'V' => [5, 5, 5, 5, 2],
        'W' => [5, 5, 7, 7, 5],
        'X' => [5, 5, 2, 5, 5],
        'Y' => [5, 5, 2, 2, 2],
        'Z' => [7, 1, 2, 4, 7],
        '€' => [3, 6, 4, 6, 3],
        '$' => [3, 6, 2, 3, 6],
        '%' => [5, 1, 2, 4, 5],
        ':' => [0, 2, 0, 2, 0],
        '/' => [1, 1, 2, 4, 4],
        '.' => [0, 0, 0, 0, 2],
        '!' => [2, 2, 2, 0, 2],
        '-' => [0, 0, 7, 0, 0],
        '+' => [0, 2, 7, 2, 0],
        _ => [0; 5],
    }
}
