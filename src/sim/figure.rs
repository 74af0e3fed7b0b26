//! Rounded figures: a pose (angles of limbs) and clothes come in, a person stands on the canvas.

use super::canvas::{Canvas, Colour, Point, tone};

/// What a figure wears.
#[derive(Clone, Copy, Debug)]
pub struct Clothes {
    pub skin: Colour,
    pub hair: Colour,
    pub top: Colour,
    pub legs: Colour,
}

/// How a figure stands. Angles are radians; a limb at 0 hangs down, positive swings to the right of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Pose {
    /// Middle of the hips, in pixels.
    pub hip: Point,
    /// Size; at 1 a standing figure is about 92 pixels tall.
    pub scale: f32,
    /// Lean of the trunk, positive to the right.
    pub lean: f32,
    /// Tilt of the head against the trunk.
    pub nod: f32,
    /// Upper and lower arm, left then right.
    pub arms: [(f32, f32); 2],
    /// Thigh and shin, left then right.
    pub legs: [(f32, f32); 2],
    /// Length of the thighs as seen: 1 standing, about 0.45 when seated towards the camera.
    pub thigh: f32,
    /// How far the mouth is open, 0..=1.
    pub mouth: f32,
    pub eyes_shut: bool,
    /// Boxing gloves, if any.
    pub gloves: Option<Colour>,
}

impl Pose {
    /// Upright, arms hanging.
    pub fn standing(hip: Point, scale: f32) -> Self {
        Self {
            hip,
            scale,
            lean: 0.0,
            nod: 0.0,
            arms: [(-0.25, -0.1), (0.25, 0.1)],
            legs: [(-0.14, -0.06), (0.14, 0.06)],
            thigh: 1.0,
            mouth: 0.0,
            eyes_shut: false,
            gloves: None,
        }
    }

    /// Seated, facing the camera, hands on the knees.
    pub fn seated(hip: Point, scale: f32) -> Self {
        Self {
            arms: [(-0.55, 0.35), (0.55, -0.35)],
            legs: [(-0.65, -0.05), (0.65, 0.05)],
            thigh: 0.5,
            ..Self::standing(hip, scale)
        }
    }
}

fn step(from: Point, angle: f32, length: f32) -> Point {
    (from.0 + angle.sin() * length, from.1 + angle.cos() * length)
}

/// Draws the figure; returns the middle of its head.
pub fn draw(canvas: &mut Canvas, pose: &Pose, clothes: &Clothes) -> Point {
    let s = pose.scale;
    let trunk = |length: f32| {
        (pose.hip.0 + pose.lean.sin() * length * s, pose.hip.1 - pose.lean.cos() * length * s)
    };
    let across =
        |at: Point, by: f32| (at.0 + pose.lean.cos() * by * s, at.1 + pose.lean.sin() * by * s);
    let shoulders = trunk(30.0);
    let neck = trunk(35.0);
    let tilt = pose.lean + pose.nod;
    let head = (neck.0 + tilt.sin() * 9.0 * s, neck.1 - tilt.cos() * 9.0 * s);

    for (side, (thigh, shin)) in [-1.0, 1.0].into_iter().zip(pose.legs) {
        let hip = across(pose.hip, 4.5 * side);
        let knee = step(hip, thigh, 20.0 * s * pose.thigh);
        let foot = step(knee, shin, 20.0 * s);
        canvas.limb(hip, knee, 6.4 * s, 5.6 * s, tone(clothes.legs, 0.72));
        canvas.limb(hip, knee, 5.6 * s, 4.8 * s, clothes.legs);
        canvas.limb(knee, foot, 5.0 * s, 3.8 * s, tone(clothes.legs, 0.9));
        let toe = (foot.0 + 3.5 * s * side, foot.1 + 1.0 * s);
        canvas.limb(foot, toe, 3.6 * s, 3.0 * s, [38.0, 36.0, 40.0]);
    }
    let dark = tone(clothes.top, 0.7);
    let waist = trunk(3.0);
    let chest = trunk(24.0);
    canvas.limb(waist, chest, 10.4 * s, 12.0 * s, dark);
    canvas.limb(waist, chest, 9.4 * s, 11.0 * s, clothes.top);
    canvas.limb(neck, trunk(28.0), 3.6 * s, 4.2 * s, tone(clothes.skin, 0.82));

    for (side, (upper, lower)) in [-1.0, 1.0].into_iter().zip(pose.arms) {
        let shoulder = across((shoulders.0, shoulders.1 + 2.0 * s), 10.0 * side);
        let elbow = step(shoulder, upper, 16.0 * s);
        let hand = step(elbow, lower, 14.0 * s);
        canvas.limb(shoulder, elbow, 5.2 * s, 4.6 * s, dark);
        canvas.limb(shoulder, elbow, 4.4 * s, 3.8 * s, tone(clothes.top, 0.93));
        canvas.limb(elbow, hand, 3.6 * s, 3.0 * s, tone(clothes.skin, 0.9));
        match pose.gloves {
            Some(glove) => canvas.ellipse(hand, 5.6 * s, 5.0 * s, lower, glove),
            None => canvas.ellipse(hand, 3.4 * s, 3.2 * s, 0.0, clothes.skin),
        }
    }
    draw_head(canvas, head, tilt, s, pose, clothes);
    head
}

/// Draws a head alone; `tilt` is absolute.
pub fn draw_head(
    canvas: &mut Canvas,
    at: Point,
    tilt: f32,
    s: f32,
    pose: &Pose,
    clothes: &Clothes,
) {
    let place = |x: f32, y: f32| {
        let (sin, cos) = tilt.sin_cos();
        (at.0 + (x * cos - y * sin) * s, at.1 + (x * sin + y * cos) * s)
    };
    canvas.ellipse(place(0.0, -1.6), 9.6 * s, 10.2 * s, tilt, clothes.hair);
    canvas.ellipse(place(0.0, 1.6), 8.2 * s, 8.8 * s, tilt, clothes.skin);
    canvas.ellipse(place(0.0, -7.4), 8.2 * s, 3.4 * s, tilt, clothes.hair);
    let ink = [40.0, 30.0, 30.0];
    for x in [-3.2, 3.2] {
        if pose.eyes_shut {
            canvas.limb(place(x - 1.4, 0.6), place(x + 1.4, 0.6), 0.5 * s, 0.5 * s, ink);
        } else {
            canvas.ellipse(place(x, 0.3), 1.2 * s, 1.4 * s, tilt, ink);
        }
    }
    let open = 0.5 + 2.0 * pose.mouth;
    canvas.ellipse(place(0.0, 5.8), 2.4 * s, open * s, tilt, [120.0, 46.0, 46.0]);
}
