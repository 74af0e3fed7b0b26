//! The living room at night: two hosts, a tired man on a sofa, what is done to him, and the blanket under which he
//! lies at the end.

use crate::sim::canvas::{Canvas, Colour, Point, mix, tone};
use crate::sim::figure::{self, Clothes, Pose};
use crate::sim::scene::{Act, Mood, Scene};

const HOST: Clothes = Clothes {
    skin: [222.0, 178.0, 148.0],
    hair: [58.0, 40.0, 30.0],
    top: [198.0, 62.0, 58.0],
    legs: [52.0, 58.0, 84.0],
};
const FRIEND: Clothes = Clothes {
    skin: [176.0, 128.0, 96.0],
    hair: [26.0, 22.0, 24.0],
    top: [66.0, 146.0, 110.0],
    legs: [70.0, 66.0, 62.0],
};
const TIRED: Clothes = Clothes {
    skin: [216.0, 176.0, 152.0],
    hair: [116.0, 96.0, 74.0],
    top: [148.0, 150.0, 160.0],
    legs: [86.0, 92.0, 108.0],
};

/// Draws the living room.
pub fn sofa(canvas: &mut Canvas, scene: &Scene) -> f32 {
    // Held in the hand while the hosts are there, near and shaking while something happens; left on a shelf when they are gone.
    let (near, sway) = match (scene.mood, scene.act) {
        (Mood::Usual, None) => (1.42, 2.0),
        (Mood::Usual, Some(_)) => (1.55, 9.0),
        (_, Some((Act::Shake | Act::Water, _))) => (1.2, 4.0),
        (Mood::Lying, None) => (1.2, 1.4),
        _ => (1.2, 0.0),
    };
    let pace = if scene.act.is_some() { 1.0 } else { 2.6 };
    canvas.zoom = near;
    canvas.origin = (
        -8.0 * near + scene.wave(0.83 * pace, 0.1) * sway + scene.wave(0.47, 0.3) * sway * 0.4,
        -24.0 * (near - 0.85) + scene.wave(0.71 * pace, 0.6) * sway * 0.8,
    );
    room(canvas, scene);
    match scene.mood {
        Mood::Usual => upright(canvas, scene),
        Mood::Lying | Mood::Still => lying(canvas, scene),
    }
    table(canvas);
    canvas.glow((284.0, 62.0), 120.0, [255.0, 190.0, 110.0], 0.34);
    (canvas.origin, canvas.zoom) = ((0.0, 0.0), 1.0);
    let dark = if scene.mood == Mood::Usual { 1.0 } else { 0.78 };
    canvas.dim(dark, 0.55);
    overlay(canvas, scene);
    3.0
}

fn room(canvas: &mut Canvas, scene: &Scene) {
    canvas.gradient([-40.0, -30.0, 400.0, 156.0], [64.0, 60.0, 92.0], [104.0, 92.0, 110.0]);
    // Window with a dark street and a lit house opposite.
    canvas.rect(22.0, 18.0, 62.0, 58.0, 2.0, [44.0, 40.0, 50.0]);
    canvas.gradient([26.0, 22.0, 54.0, 50.0], [18.0, 22.0, 44.0], [34.0, 38.0, 62.0]);
    for (i, x) in [32.0, 44.0, 61.0].into_iter().enumerate() {
        let lit = if i == 1 { [210.0, 180.0, 110.0] } else { [52.0, 54.0, 70.0] };
        canvas.rect(x, 44.0 + i as f32 * 5.0, 7.0, 9.0, 0.0, lit);
    }
    canvas.rect(52.0, 18.0, 2.5, 58.0, 0.0, [44.0, 40.0, 50.0]);
    canvas.rect(14.0, 14.0, 9.0, 72.0, 3.0, [112.0, 60.0, 70.0]);
    canvas.rect(83.0, 14.0, 9.0, 72.0, 3.0, [112.0, 60.0, 70.0]);
    // Shelf and poster.
    canvas.rect(118.0, 22.0, 34.0, 44.0, 1.0, [226.0, 214.0, 186.0]);
    canvas.rect(121.0, 25.0, 28.0, 38.0, 0.0, [72.0, 110.0, 140.0]);
    canvas.ellipse((135.0, 44.0), 9.0, 9.0, 0.0, [232.0, 150.0, 70.0]);
    canvas.rect(176.0, 42.0, 66.0, 3.5, 0.0, [92.0, 66.0, 50.0]);
    for i in 0..9 {
        let height = 11.0 + (i * 7 % 5) as f32 * 1.8;
        let colour: Colour =
            [[168.0, 70.0, 66.0], [70.0, 108.0, 148.0], [190.0, 162.0, 86.0]][i % 3];
        canvas.rect(179.0 + i as f32 * 6.0, 42.0 - height, 5.0, height, 0.5, colour);
    }
    // A strip of light that changes its colour slowly.
    let pulse = (scene.wave(41.0, 0.0) + 1.0) / 2.0;
    let strip = mix([140.0, 60.0, 200.0], [60.0, 110.0, 210.0], pulse);
    canvas.rect(-40.0, 6.0, 400.0, 2.5, 1.0, strip);
    canvas.gradient([-40.0, 126.0, 400.0, 90.0], [92.0, 70.0, 58.0], [64.0, 48.0, 42.0]);
    for i in 0..6 {
        let y = 130.0 + i as f32 * i as f32 * 2.2;
        canvas.rect_faint(-40.0, y, 400.0, 1.0, 0.0, [40.0, 30.0, 28.0], 0.5);
    }
    canvas.ellipse((165.0, 168.0), 130.0, 24.0, 0.0, [104.0, 60.0, 66.0]);
    canvas.ellipse((165.0, 168.0), 118.0, 20.0, 0.0, [122.0, 74.0, 76.0]);
    // Lamp.
    canvas.limb((284.0, 64.0), (284.0, 150.0), 1.6, 1.6, [60.0, 52.0, 50.0]);
    canvas.ellipse((284.0, 152.0), 12.0, 3.0, 0.0, [60.0, 52.0, 50.0]);
    let shade = [(274.0, 44.0), (294.0, 44.0), (302.0, 66.0), (266.0, 66.0)];
    canvas.convex(&shade, [255.0, 226.0, 164.0]);
    // Sofa.
    canvas.rect(62.0, 82.0, 204.0, 58.0, 10.0, [58.0, 74.0, 92.0]);
    canvas.rect(66.0, 84.0, 97.0, 40.0, 8.0, [76.0, 96.0, 118.0]);
    canvas.rect(165.0, 84.0, 97.0, 40.0, 8.0, [76.0, 96.0, 118.0]);
    canvas.rect(62.0, 118.0, 204.0, 28.0, 8.0, [66.0, 84.0, 104.0]);
    canvas.rect(66.0, 116.0, 97.0, 14.0, 6.0, [88.0, 110.0, 132.0]);
    canvas.rect(165.0, 116.0, 97.0, 14.0, 6.0, [88.0, 110.0, 132.0]);
    canvas.rect(50.0, 96.0, 20.0, 52.0, 8.0, [62.0, 80.0, 100.0]);
    canvas.rect(258.0, 96.0, 20.0, 52.0, 8.0, [62.0, 80.0, 100.0]);
}

fn table(canvas: &mut Canvas) {
    canvas.rect(34.0, 158.0, 84.0, 6.0, 2.0, [126.0, 92.0, 62.0]);
    canvas.rect(40.0, 164.0, 4.0, 18.0, 0.0, [92.0, 66.0, 46.0]);
    canvas.rect(108.0, 164.0, 4.0, 18.0, 0.0, [92.0, 66.0, 46.0]);
    for (x, colour) in [(46.0, [196.0, 48.0, 52.0]), (55.0, [70.0, 150.0, 84.0])] {
        canvas.rect(x, 148.0, 6.0, 10.5, 1.5, colour);
        canvas.rect(x + 1.0, 146.8, 4.0, 1.6, 0.8, [206.0, 206.0, 210.0]);
    }
    canvas.rect(72.0, 142.0, 30.0, 16.0, 1.5, [46.0, 48.0, 54.0]);
    canvas.rect(74.0, 144.0, 26.0, 12.0, 0.5, [96.0, 142.0, 176.0]);
    canvas.rect(68.0, 156.5, 38.0, 2.5, 1.0, [58.0, 60.0, 66.0]);
}

fn overlay(canvas: &mut Canvas, scene: &Scene) {
    canvas.rect_faint(8.0, 164.0, 74.0, 11.0, 2.0, [10.0, 10.0, 14.0], 0.62);
    canvas.ellipse((14.5, 169.5), 2.4, 2.4, 0.0, [230.0, 40.0, 50.0]);
    let words = format!("LIVE {:.0}H", scene.hours_live.floor());
    canvas.text((20.0, 166.8), 1.1, &words, [240.0, 240.0, 240.0]);
}

/// The talk of somebody: arms and mouth move with `phase`.
fn talk(pose: &mut Pose, scene: &Scene, phase: f64, much: f32) {
    pose.mouth = scene.wave(0.43, phase).max(0.0) * scene.draw(1.6, (phase * 97.0) as u64) * 1.4;
    pose.nod += scene.wave(3.1, phase) * 0.12 * much;
    pose.lean += scene.wave(2.7, phase) * 0.12 * much;
    pose.hip.0 += scene.wave(1.9, phase + 0.2) * 1.6 * much;
    pose.arms[1].0 += (0.45 + 0.5 * scene.wave(1.4, phase)) * much;
    pose.arms[1].1 += (1.6 + 0.8 * scene.wave(0.9, phase)) * much;
    pose.arms[0].0 -= 0.12 * scene.wave(2.9, phase + 0.3).abs() * much;
}

fn upright(canvas: &mut Canvas, scene: &Scene) {
    let mut host = Pose::seated((104.0, 122.0), 1.0);
    let mut tired = Pose::seated((172.0, 123.0), 1.0);
    tired.lean = 0.1 + scene.wave(9.0, 0.2) * 0.04;
    tired.nod = 0.22 + scene.wave(7.0, 0.5) * 0.12;
    tired.eyes_shut = scene.draw(4.0, 5) < 0.55;
    let mut friend = Pose::seated((234.0, 122.0), 1.0);
    match scene.act {
        None => {
            talk(&mut host, scene, 0.0, 1.0);
            talk(&mut friend, scene, 0.37, 0.8);
        }
        Some((act, since)) => {
            let since = since as f32;
            friend = Pose::standing((224.0, 116.0), 1.08);
            tired.eyes_shut = true;
            tired.mouth = 0.7;
            host.mouth = 0.8;
            host.hip.1 += scene.wave(0.5, 0.0) * 1.6;
            host.arms = [
                (-1.9 + 0.5 * scene.wave(0.7, 0.0), -2.6),
                (1.9 + 0.5 * scene.wave(0.6, 0.4), 2.6),
            ];
            strike(act, scene, since, &mut host, &mut tired, &mut friend);
        }
    }
    figure::draw(canvas, &host, &HOST);
    figure::draw(canvas, &tired, &TIRED);
    figure::draw(canvas, &friend, &FRIEND);
    if let Some((Act::Water, since)) = scene.act {
        splash(canvas, scene, since as f32);
    }
}

fn strike(
    act: Act,
    scene: &Scene,
    since: f32,
    host: &mut Pose,
    tired: &mut Pose,
    friend: &mut Pose,
) {
    match act {
        Act::Slap => {
            // The arm swings through in the first third of each 1.3 s.
            let beat = (since / 1.3).fract();
            let swing = if beat < 0.3 { beat / 0.3 } else { (1.0 - beat) / 0.7 };
            friend.hip.0 = 222.0 - swing * 14.0;
            friend.lean = -0.18 - swing * 0.3;
            friend.arms[0] = (-0.5 - swing * 1.5, -2.4 + swing * 0.9);
            friend.arms[1] = (0.9 - swing * 0.5, 0.6);
            tired.lean = 0.1 - swing * 0.6;
            tired.nod = 0.1 - swing * 0.75;
            tired.hip.0 -= swing * 8.0;
            tired.arms = [(-0.8 - swing, 0.7), (1.1 + swing * 0.9, -1.9)];
        }
        Act::Shove => {
            let push = scene.wave(1.1, 0.0);
            friend.hip.0 = 212.0 + push * 13.0;
            friend.lean = -0.4 + push * 0.2;
            friend.arms = [(-1.4, -1.6 + push * 0.2), (-0.9, -1.5)];
            *host = Pose::standing((132.0 + push * 11.0, 116.0), 1.04);
            host.lean = 0.36 + push * 0.16;
            host.arms = [(1.0, 1.5), (1.4, 1.6)];
            host.mouth = 0.6;
            tired.hip.0 += push * 20.0;
            tired.lean = push * 0.62;
            tired.nod = -push * 0.55;
            tired.arms = [(-1.7 + push, -0.4), (1.7 + push, 0.4)];
        }
        _ => {
            let tilt = (since / 1.5).fract();
            friend.hip.0 = 216.0;
            friend.lean = -0.2;
            friend.arms = [(-2.0 - tilt * 0.5, -2.0), (-1.6 - tilt * 0.5, -1.8)];
            tired.lean = 0.12 * scene.wave(0.4, 0.0);
            tired.nod = 0.3 * scene.wave(0.5, 0.2);
            tired.arms = [(-1.4, 2.7), (1.4, -2.7)];
            tired.hip.0 += 4.0 * scene.wave(0.6, 0.4);
        }
    }
}

fn splash(canvas: &mut Canvas, scene: &Scene, since: f32) {
    canvas.convex(
        &[(182.0, 58.0), (200.0, 62.0), (197.0, 76.0), (184.0, 74.0)],
        [84.0, 120.0, 190.0],
    );
    for i in 0..70u64 {
        let start = scene_draw(scene, i);
        let fall = (since * 1.3 + start).fract();
        let x = 186.0 - fall * (8.0 + 26.0 * scene_draw(scene, i + 500));
        let y = 68.0 + fall * fall * 74.0 - 8.0 * scene_draw(scene, i + 900) * (1.0 - fall);
        let r = 1.0 + 1.9 * scene_draw(scene, i + 1300);
        canvas.ellipse_faint((x, y), r, r * 1.5, 0.0, [150.0, 200.0, 245.0], 0.85);
    }
}

/// A draw that never changes within a scenario.
fn scene_draw(scene: &Scene, salt: u64) -> f32 {
    Scene { t: 0.0, ..scene.clone() }.draw(1.0, salt)
}

fn lying(canvas: &mut Canvas, scene: &Scene) {
    let (mut dx, mut dy, mut breath) = (0.0, 0.0, 0.0);
    if scene.mood == Mood::Lying {
        breath = scene.wave(4.2, 0.0) * 1.5;
    }
    if let Some((Act::Shake, _)) = scene.act {
        dx = scene.wave(0.55, 0.0) * 10.0;
        dy = scene.wave(0.4, 0.3) * 3.5;
    }
    if let Some((Act::Water, _)) = scene.act {
        dx = scene.wave(0.9, 0.0) * 3.0;
    }
    canvas.ellipse((95.0, 110.0), 21.0, 9.0, -0.2, [206.0, 202.0, 196.0]);
    let head = Pose { eyes_shut: true, ..Pose::standing((0.0, 0.0), 1.0) };
    figure::draw_head(canvas, (100.0 + dx, 106.0 + dy), -1.25, 1.12, &head, &TIRED);
    blanket(canvas, (dx, dy), breath);
    if scene.mood == Mood::Still && scene.act.is_none() {
        return;
    }
    match scene.act {
        Some((Act::Bottle, since)) => bottle(canvas, (since / 1.2) as f32),
        Some((act, since)) => {
            let mut friend = Pose::standing((206.0, 120.0), 1.12);
            friend.lean = -0.34 + scene.wave(0.55, 0.0) * 0.12;
            friend.arms = [(-0.9, -0.5 + scene.wave(0.55, 0.0) * 0.4), (-0.5, -0.4)];
            figure::draw(canvas, &friend, &FRIEND);
            if act == Act::Water {
                splash(canvas, scene, since as f32);
            }
        }
        None => {
            let mut host = Pose::standing((272.0, 122.0), 1.1);
            talk(&mut host, scene, 0.2, 0.9);
            figure::draw(canvas, &host, &HOST);
        }
    }
}

fn blanket(canvas: &mut Canvas, (dx, dy): Point, breath: f32) {
    let cloth = [142.0, 88.0, 66.0];
    let humps = [
        (130.0, 116.0, 27.0, 14.0 + breath),
        (160.0, 117.0, 28.0, 13.0 + breath * 0.7),
        (192.0, 116.0, 27.0, 13.5),
        (222.0, 118.0, 24.0, 10.5),
        (244.0, 116.0, 13.0, 12.0),
    ];
    for (x, y, rx, ry) in humps {
        canvas.ellipse((x + dx, y + dy - 1.0), rx + 1.2, ry + 1.2, 0.0, tone(cloth, 0.62));
    }
    for (x, y, rx, ry) in humps {
        canvas.ellipse((x + dx, y + dy), rx, ry, 0.0, cloth);
    }
    canvas.rect(106.0 + dx, 116.0 + dy, 150.0, 20.0, 7.0, tone(cloth, 0.9));
    for i in 0..9 {
        let x = 116.0 + i as f32 * 16.0 + dx;
        let top = 107.0 + dy - if i < 4 { breath * 0.8 } else { 0.0 };
        canvas.limb((x, top), (x + 3.0, 134.0 + dy), 1.1, 1.1, tone(cloth, 1.28));
    }
    for y in [113.0, 122.0, 130.0] {
        canvas.limb((112.0 + dx, y + dy), (252.0 + dx, y + dy), 0.9, 0.9, tone(cloth, 0.74));
    }
}

fn bottle(canvas: &mut Canvas, share: f32) {
    let along = share.clamp(0.0, 1.0);
    let at = (312.0 - along * 150.0, 60.0 + along * along * 50.0);
    let turn = along * 9.0;
    let tip = (at.0 + turn.cos() * 9.0, at.1 + turn.sin() * 9.0);
    canvas.limb(at, tip, 3.2, 1.6, [176.0, 216.0, 232.0]);
}
