//! The places where all is well: a boxing ring, a charity marathon, a shooter, a bedroom, a webcam.

use crate::sim::canvas::{Canvas, mix, tone};
use crate::sim::figure::{self, Clothes, Pose};
use crate::sim::scene::Scene;

const RED: Clothes = Clothes {
    skin: [196.0, 146.0, 112.0],
    hair: [34.0, 28.0, 28.0],
    top: [196.0, 146.0, 112.0],
    legs: [200.0, 46.0, 50.0],
};
const BLUE: Clothes = Clothes {
    skin: [138.0, 96.0, 70.0],
    hair: [22.0, 18.0, 20.0],
    top: [138.0, 96.0, 70.0],
    legs: [52.0, 92.0, 204.0],
};
const REFEREE: Clothes = Clothes {
    skin: [220.0, 180.0, 152.0],
    hair: [120.0, 112.0, 104.0],
    top: [214.0, 218.0, 224.0],
    legs: [34.0, 34.0, 40.0],
};
const PLAYER: Clothes = Clothes {
    skin: [226.0, 184.0, 156.0],
    hair: [146.0, 84.0, 44.0],
    top: [232.0, 180.0, 66.0],
    legs: [58.0, 64.0, 88.0],
};

/// Draws the boxing ring: two boxers, a referee, the crowd behind.
pub fn ring(canvas: &mut Canvas, scene: &Scene) -> f32 {
    canvas.gradient([0.0, 0.0, 320.0, 110.0], [14.0, 14.0, 26.0], [42.0, 34.0, 50.0]);
    for i in 0..66u64 {
        let fixed = Scene { t: 0.0, ..scene.clone() };
        let x = (i % 22) as f32 * 15.0 + fixed.draw(1.0, i) * 8.0;
        let y =
            42.0 + (i / 22) as f32 * 17.0 + scene.wave(1.3, fixed.draw(1.0, i + 99) as f64) * 1.6;
        let colour = mix([44.0, 36.0, 46.0], [98.0, 76.0, 72.0], fixed.draw(1.0, i + 300));
        canvas.ellipse((x, y), 5.0, 6.0, 0.0, colour);
        canvas.rect(x - 7.0, y + 5.0, 14.0, 14.0, 5.0, tone(colour, 0.6));
    }
    canvas.convex(
        &[(52.0, 108.0), (268.0, 108.0), (330.0, 184.0), (-10.0, 184.0)],
        [206.0, 208.0, 214.0],
    );
    canvas.ellipse((160.0, 146.0), 46.0, 15.0, 0.0, [158.0, 178.0, 206.0]);
    for (y, colour) in
        [(72.0, [208.0, 56.0, 56.0]), (84.0, [226.0, 226.0, 226.0]), (96.0, [62.0, 92.0, 206.0])]
    {
        canvas.limb((48.0, y), (272.0, y), 1.3, 1.3, colour);
    }
    canvas.rect(44.0, 62.0, 8.0, 50.0, 2.0, [190.0, 40.0, 44.0]);
    canvas.rect(268.0, 62.0, 8.0, 50.0, 2.0, [44.0, 70.0, 190.0]);

    let circle = scene.wave(11.0, 0.0) * 22.0;
    let close = scene.wave(4.3, 0.2) * 10.0;
    let mut referee = Pose::standing((160.0 - circle * 1.6, 104.0), 0.82);
    referee.arms = [(-0.6, -1.4), (0.6, 1.4)];
    figure::draw(canvas, &referee, &REFEREE);
    let guard = |side: f32, punch: f32, other: f32| {
        // The far hand guards; a punch stretches the arm towards the other boxer.
        [
            (side * (0.3 + punch * 1.2), side * (2.5 - punch * 0.9)),
            (side * (0.2 + other * 1.3), side * (2.6 - other * 1.0)),
        ]
    };
    let jab = |salt: u64, phase: f64| {
        let busy = if scene.draw(1.1, salt) > 0.35 { 1.0 } else { 0.0 };
        scene.wave(0.62, phase).max(0.0) * busy
    };
    for (clothes, glove, side, at, salt) in [
        (&RED, [214.0, 40.0, 44.0], 1.0, 128.0 + circle + close, 1),
        (&BLUE, [40.0, 76.0, 214.0], -1.0, 196.0 + circle - close, 2),
    ] {
        let bounce = scene.wave(0.8, 0.3 * salt as f64).abs() * 3.0;
        let mut pose = Pose::standing((at, 118.0 - bounce), 1.12);
        let (left, right) = (jab(salt, 0.0), jab(salt + 10, 0.5));
        pose.arms = guard(side, left, right);
        pose.lean = side * (0.12 + 0.18 * left) - side * 0.1 * jab(3 - salt, 0.0);
        pose.legs = [(-0.34, -0.12), (0.34, 0.12)];
        pose.gloves = Some(glove);
        figure::draw(canvas, &pose, clothes);
    }
    for y in [118.0, 134.0] {
        canvas.limb((-4.0, y + 22.0), (324.0, y + 22.0), 1.5, 1.5, [190.0, 60.0, 60.0]);
    }
    canvas.glow((160.0, 0.0), 170.0, [255.0, 250.0, 230.0], 0.34);
    canvas.dim(0.96, 0.5);
    let round = 3 + (scene.t / 240.0) as u32;
    let left = 180 - (scene.t as u32 % 180);
    canvas.rect_faint(112.0, 8.0, 96.0, 13.0, 2.0, [12.0, 12.0, 20.0], 0.8);
    let words = format!("R{round}  {}:{:02}", left / 60, left % 60);
    canvas.text((120.0, 11.0), 1.5, &words, [240.0, 220.0, 120.0]);
    2.2
}

/// Draws the marathon: two players on a sofa, the runner's screen, the thermometer.
pub fn desk(canvas: &mut Canvas, scene: &Scene) -> f32 {
    canvas.gradient([0.0, 0.0, 320.0, 180.0], [34.0, 74.0, 128.0], [20.0, 42.0, 86.0]);
    for i in 0..26u64 {
        let fixed = Scene { t: 0.0, ..scene.clone() };
        let at = (fixed.draw(1.0, i) * 320.0, fixed.draw(1.0, i + 60) * 96.0);
        canvas.ellipse_faint(at, 1.2, 1.2, 0.0, [220.0, 230.0, 250.0], 0.6);
    }
    // The game being run.
    canvas.rect(10.0, 26.0, 150.0, 88.0, 3.0, [16.0, 18.0, 26.0]);
    canvas.gradient([13.0, 29.0, 144.0, 60.0], [110.0, 180.0, 232.0], [178.0, 220.0, 240.0]);
    canvas.rect(13.0, 89.0, 144.0, 22.0, 0.0, [106.0, 166.0, 82.0]);
    let run = (scene.t * 34.0) as f32;
    for i in 0..5 {
        let x = 13.0 + (i as f32 * 34.0 - run).rem_euclid(170.0);
        if (16.0..146.0).contains(&x) {
            canvas.rect(x, 74.0 - (i % 2) as f32 * 14.0, 11.0, 15.0, 1.0, [170.0, 106.0, 62.0]);
        }
    }
    let hop = scene.wave(1.2, 0.0).max(0.0) * 17.0;
    canvas.rect(62.0, 76.0 - hop, 10.0, 13.0, 2.0, [214.0, 52.0, 58.0]);
    canvas.ellipse((67.0, 74.0 - hop), 5.0, 5.0, 0.0, [238.0, 196.0, 158.0]);
    canvas.text((14.0, 12.0), 2.0, "MARATHON", [250.0, 226.0, 120.0]);
    // Sofa and players.
    canvas.rect(6.0, 134.0, 250.0, 52.0, 10.0, [176.0, 70.0, 84.0]);
    canvas.rect(6.0, 156.0, 250.0, 30.0, 8.0, [150.0, 56.0, 70.0]);
    for (i, x) in [58.0, 118.0, 178.0, 222.0].into_iter().enumerate() {
        let phase = i as f64 * 0.27;
        let mut pose = Pose::seated((x, 172.0 + scene.wave(2.4, phase) * 1.2), 0.94);
        let cheer = scene.draw(9.0, i as u64) > 0.7;
        pose.mouth = scene.wave(0.5, phase).max(0.0) * scene.draw(2.0, i as u64 + 40);
        pose.nod = scene.wave(3.0, phase) * 0.12;
        pose.arms = if cheer {
            [(-2.5, -2.9 + scene.wave(0.6, phase) * 0.4), (2.5, 2.9 - scene.wave(0.6, phase) * 0.4)]
        } else {
            [(-0.4, 0.9 + scene.wave(0.9, phase) * 0.08), (0.4, -0.9)]
        };
        let top = [[232.0, 180.0, 66.0], [80.0, 170.0, 130.0], [150.0, 120.0, 210.0], [220.0; 3]];
        let hair = [[146.0, 84.0, 44.0], [36.0, 28.0, 26.0], [190.0, 160.0, 96.0], [70.0; 3]];
        figure::draw(canvas, &pose, &Clothes { top: top[i], hair: hair[i], ..PLAYER });
    }
    // Thermometer.
    let full = (scene.raised / 60_000.0).clamp(0.0, 1.0) as f32;
    canvas.rect(280.0, 34.0, 16.0, 106.0, 8.0, [228.0, 232.0, 238.0]);
    canvas.ellipse((288.0, 146.0), 15.0, 15.0, 0.0, [228.0, 232.0, 238.0]);
    canvas.ellipse((288.0, 146.0), 11.5, 11.5, 0.0, [216.0, 48.0, 56.0]);
    canvas.rect(283.5, 138.0 - 100.0 * full, 9.0, 100.0 * full + 4.0, 4.0, [216.0, 48.0, 56.0]);
    for i in 0..5 {
        canvas.rect(297.0, 44.0 + i as f32 * 20.0, 6.0, 1.4, 0.0, [228.0, 232.0, 238.0]);
    }
    canvas.text((218.0, 14.0), 2.0, &format!("${:.0}", scene.raised), [250.0; 3]);
    canvas.dim(1.0, 0.3);
    1.8
}

/// Draws the screen of a shooter.
pub fn game(canvas: &mut Canvas, scene: &Scene) -> f32 {
    let turn = scene.wave(6.1, 0.0) * 46.0 + scene.wave(2.3, 0.4) * 18.0;
    canvas.gradient([0.0, 0.0, 320.0, 92.0], [118.0, 166.0, 206.0], [206.0, 196.0, 170.0]);
    canvas.gradient([0.0, 90.0, 320.0, 90.0], [150.0, 132.0, 104.0], [104.0, 92.0, 76.0]);
    for i in 0..7i32 {
        // Walls and crates pass by as the player turns.
        let x = (i as f32 * 74.0 + turn * (1.0 + (i % 3) as f32 * 0.4)).rem_euclid(480.0) - 90.0;
        let tall = 40.0 + (i * 37 % 5) as f32 * 9.0;
        let colour =
            [[168.0, 142.0, 108.0], [128.0, 120.0, 112.0], [152.0, 104.0, 78.0]][i as usize % 3];
        canvas.rect(x, 106.0 - tall, 62.0, tall + 12.0, 1.0, colour);
        canvas.rect(x, 106.0 - tall, 12.0, tall + 12.0, 1.0, tone(colour, 0.76));
        canvas.rect(x + 20.0, 114.0 - tall, 14.0, 14.0, 0.0, tone(colour, 0.6));
    }
    for i in 0..3u64 {
        let here = scene.draw(2.6, i);
        let x = here * 240.0 + 40.0 + turn * 0.7 + scene.wave(1.4, i as f64 * 0.3) * 22.0;
        let size = 0.9 + 0.5 * scene.draw(2.6, i + 20);
        canvas.rect(x - 6.0 * size, 92.0, 12.0 * size, 20.0 * size, 2.0, [70.0, 60.0, 96.0]);
        canvas.rect(x - 4.5 * size, 83.0, 9.0 * size, 9.0 * size, 2.0, [196.0, 90.0, 86.0]);
        canvas.rect(x - 6.0 * size, 92.0 + 19.0 * size, 4.5 * size, 9.0 * size, 1.0, [44.0; 3]);
        canvas.rect(x + 1.5 * size, 92.0 + 19.0 * size, 4.5 * size, 9.0 * size, 1.0, [44.0; 3]);
    }
    // The weapon and its flash.
    let shooting = scene.draw(0.9, 77) > 0.55;
    let kick = if shooting { scene.wave(0.17, 0.0).abs() * 5.0 } else { 0.0 };
    canvas.convex(
        &[(196.0, 128.0 + kick), (214.0, 124.0 + kick), (268.0, 184.0), (222.0, 184.0)],
        [54.0, 56.0, 64.0],
    );
    canvas.rect(191.0, 122.0 + kick, 12.0, 10.0, 2.0, [36.0, 38.0, 44.0]);
    if shooting && scene.wave(0.17, 0.0) > 0.0 {
        canvas.ellipse((192.0, 120.0 + kick), 12.0, 9.0, 0.4, [255.0, 226.0, 130.0]);
        canvas.ellipse((192.0, 120.0 + kick), 5.0, 4.0, 0.4, [255.0, 250.0, 220.0]);
    }
    for (x, y, w, h) in [
        (154.0, 89.4, 4.0, 1.2),
        (162.0, 89.4, 4.0, 1.2),
        (159.4, 84.0, 1.2, 4.0),
        (159.4, 92.0, 1.2, 4.0),
    ] {
        canvas.rect(x, y, w, h, 0.0, [90.0, 255.0, 170.0]);
    }
    // Head-up display, score, feed of kills.
    canvas.rect_faint(8.0, 160.0, 88.0, 14.0, 2.0, [10.0, 14.0, 20.0], 0.7);
    let health = 30 + (scene.draw(7.0, 3) * 70.0) as u32;
    canvas.text((12.0, 163.5), 1.6, &format!("HP {health}"), [120.0, 240.0, 150.0]);
    let ammo = 25 - (scene.t * 3.0) as u32 % 25;
    canvas.text((60.0, 163.5), 1.6, &format!("{ammo}/90"), [240.0; 3]);
    canvas.rect_faint(122.0, 6.0, 76.0, 13.0, 2.0, [10.0, 14.0, 20.0], 0.7);
    let ours = (scene.t / 170.0) as u32 + 4;
    let clock = 100 - scene.t as u32 % 100;
    canvas.text(
        (127.0, 9.2),
        1.4,
        &format!("{ours} {}:{:02} 5", clock / 60, clock % 60),
        [240.0; 3],
    );
    for i in 0..2u64 {
        if scene.draw(5.0, 31 + i) > 0.4 {
            canvas.rect_faint(
                232.0,
                24.0 + i as f32 * 11.0,
                80.0,
                9.0,
                1.0,
                [90.0, 20.0, 30.0],
                0.7,
            );
            canvas.rect(236.0, 26.5 + i as f32 * 11.0, 28.0, 4.0, 0.0, [220.0; 3]);
            canvas.rect(280.0, 26.5 + i as f32 * 11.0, 26.0, 4.0, 0.0, [240.0, 170.0, 160.0]);
        }
    }
    // The player in a corner.
    canvas.rect(8.0, 28.0, 66.0, 50.0, 2.0, [30.0, 26.0, 44.0]);
    let mut pose = Pose::standing((0.0, 0.0), 1.0);
    pose.mouth = scene.wave(0.5, 0.1).max(0.0) * scene.draw(3.0, 9);
    let at = (41.0 + scene.wave(3.7, 0.0) * 2.0, 52.0);
    canvas.limb((41.0, 72.0), (41.0, 77.0), 15.0, 16.0, [60.0, 60.0, 74.0]);
    figure::draw_head(canvas, at, scene.wave(4.1, 0.0) * 0.08, 1.05, &pose, &PLAYER);
    canvas.limb((at.0 - 10.0, at.1), (at.0 - 10.0, at.1 + 2.0), 3.0, 3.0, [30.0; 3]);
    canvas.limb((at.0 + 10.0, at.1), (at.0 + 10.0, at.1 + 2.0), 3.0, 3.0, [30.0; 3]);
    canvas.rect(0.0, 78.0, 82.0, 2.5, 0.0, [120.0, 90.0, 220.0]);
    1.2
}

/// Draws the bedroom: a sleeper who breathes faintly and turns over now and then.
pub fn bed(canvas: &mut Canvas, scene: &Scene) -> f32 {
    canvas.gradient([0.0, 0.0, 320.0, 120.0], [52.0, 58.0, 86.0], [70.0, 74.0, 98.0]);
    canvas.gradient([0.0, 118.0, 320.0, 62.0], [62.0, 52.0, 54.0], [44.0, 38.0, 42.0]);
    canvas.rect(36.0, 14.0, 58.0, 62.0, 2.0, [92.0, 90.0, 100.0]);
    canvas.gradient([39.0, 17.0, 52.0, 56.0], [20.0, 28.0, 62.0], [48.0, 60.0, 100.0]);
    canvas.ellipse((76.0, 32.0), 8.0, 8.0, 0.0, [226.0, 228.0, 214.0]);
    canvas.rect(64.0, 14.0, 2.0, 62.0, 0.0, [92.0, 90.0, 100.0]);
    canvas.rect(228.0, 26.0, 40.0, 30.0, 1.0, [104.0, 94.0, 86.0]);
    canvas.rect(231.0, 29.0, 34.0, 24.0, 0.0, [66.0, 88.0, 92.0]);
    // Bedside table and a small lamp.
    canvas.rect(12.0, 112.0, 32.0, 40.0, 2.0, [92.0, 70.0, 56.0]);
    canvas.rect(25.0, 96.0, 4.0, 17.0, 1.0, [150.0, 130.0, 100.0]);
    canvas.convex(&[(19.0, 82.0), (35.0, 82.0), (40.0, 98.0), (14.0, 98.0)], [240.0, 204.0, 140.0]);
    // Bed.
    canvas.rect(52.0, 78.0, 12.0, 82.0, 4.0, [104.0, 76.0, 58.0]);
    canvas.rect(58.0, 126.0, 236.0, 30.0, 5.0, [190.0, 188.0, 196.0]);
    canvas.rect(288.0, 112.0, 10.0, 48.0, 4.0, [104.0, 76.0, 58.0]);
    canvas.ellipse((92.0, 122.0), 28.0, 10.0, -0.1, [224.0, 222.0, 226.0]);
    let turning = scene.t.rem_euclid(310.0) < 3.5 && scene.t > 20.0;
    let (dx, dy) =
        if turning { (scene.wave(1.7, 0.0) * 5.0, scene.wave(1.1, 0.2) * 3.0) } else { (0.0, 0.0) };
    let breath = scene.wave(4.4, 0.0) * 1.7;
    let head = Pose { eyes_shut: true, ..Pose::standing((0.0, 0.0), 1.0) };
    let sleeper = Clothes { hair: [96.0, 58.0, 40.0], ..PLAYER };
    figure::draw_head(canvas, (96.0 + dx, 115.0 + dy), -1.2, 1.15, &head, &sleeper);
    let cloth = [92.0, 122.0, 158.0];
    for (x, y, rx, ry) in [
        (132.0, 128.0, 30.0, 18.0 + breath),
        (168.0, 130.0, 34.0, 16.0 + breath * 0.6),
        (212.0, 131.0, 38.0, 14.0),
        (258.0, 133.0, 32.0, 13.0),
    ] {
        canvas.ellipse((x + dx, y + dy), rx, ry, 0.0, cloth);
    }
    canvas.rect(106.0, 128.0, 186.0, 30.0, 8.0, tone(cloth, 0.88));
    for i in 0..5 {
        let x = 128.0 + i as f32 * 34.0;
        canvas.limb((x, 126.0), (x + 9.0, 154.0), 1.0, 1.0, tone(cloth, 0.72));
    }
    canvas.glow((27.0, 92.0), 110.0, [255.0, 196.0, 120.0], 0.5);
    canvas.glow((66.0, 40.0), 150.0, [90.0, 110.0, 170.0], 0.22);
    canvas.dim(0.82, 0.7);
    3.4
}

/// Draws one person who talks before a webcam.
pub fn webcam(canvas: &mut Canvas, scene: &Scene) -> f32 {
    canvas.gradient([0.0, 0.0, 320.0, 180.0], [70.0, 52.0, 96.0], [46.0, 40.0, 66.0]);
    let pulse = (scene.wave(37.0, 0.0) + 1.0) / 2.0;
    let strip = mix([200.0, 70.0, 160.0], [70.0, 150.0, 220.0], pulse);
    canvas.rect(0.0, 22.0, 320.0, 3.0, 1.0, strip);
    canvas.rect(26.0, 44.0, 60.0, 4.0, 0.0, [112.0, 82.0, 66.0]);
    for i in 0..6 {
        canvas.rect(
            30.0 + i as f32 * 8.0,
            30.0,
            6.0,
            14.0,
            1.0,
            mix(strip, [200.0, 160.0, 90.0], i as f32 / 6.0),
        );
    }
    canvas.ellipse((262.0, 74.0), 18.0, 22.0, 0.3, [62.0, 112.0, 72.0]);
    canvas.ellipse((278.0, 84.0), 14.0, 18.0, -0.4, [76.0, 132.0, 84.0]);
    canvas.rect(256.0, 98.0, 26.0, 26.0, 4.0, [170.0, 104.0, 72.0]);
    // Chair.
    canvas.rect(112.0, 62.0, 96.0, 130.0, 22.0, [36.0, 36.0, 46.0]);
    canvas.rect(120.0, 70.0, 14.0, 110.0, 6.0, [190.0, 60.0, 80.0]);
    canvas.rect(186.0, 70.0, 14.0, 110.0, 6.0, [190.0, 60.0, 80.0]);
    let mut pose = Pose::standing((160.0 + scene.wave(6.0, 0.0) * 4.0, 186.0), 2.2);
    pose.lean = scene.wave(5.1, 0.3) * 0.05;
    pose.nod = scene.wave(2.7, 0.0) * 0.1;
    pose.mouth = scene.wave(0.41, 0.0).max(0.0) * scene.draw(1.3, 4);
    pose.arms = [
        (-0.5, 0.5 + 0.3 * scene.wave(2.1, 0.0)),
        (0.7 + 0.2 * scene.wave(1.9, 0.2), 2.2 + 0.5 * scene.wave(1.2, 0.5)),
    ];
    figure::draw(canvas, &pose, &Clothes { top: [86.0, 120.0, 190.0], ..PLAYER });
    canvas.glow((160.0, 190.0), 150.0, [140.0, 170.0, 230.0], 0.2);
    canvas.dim(1.0, 0.45);
    2.4
}
