"""Draws pictures that no camera filmed: flat shapes, heads-up displays, desktops, gradients, rooms with stick figures,
blocks and noise. A seed comes in, named PIL pictures go out; also `handled`, what delivery does to any picture.
"""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

KINDS = ("shapes", "hud", "desktop", "gradient", "room", "blocks", "noise", "corridor")


def colour(rng, low=0, high=256):
    return tuple(int(v) for v in rng.integers(low, high, 3))


def word(rng, most=9):
    return "".join(chr(97 + int(k)) for k in rng.integers(0, 26, int(rng.integers(2, most))))


def write(pen, rng, x, y, words, size, fill):
    pen.text((x, y), " ".join(word(rng) for _ in range(words)), fill=fill, font=ImageFont.load_default(size))


def ramp(rng, w, h):
    """A smooth change between two to four colours in a random direction."""
    y, x = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j]
    turn = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn) if rng.random() < 0.6 else np.hypot(x - rng.random(), y - rng.random())
    along = (along - along.min()) / np.ptp(along)
    stops = rng.integers(0, 256, (int(rng.integers(2, 5)), 3))
    at = np.linspace(0, 1, len(stops))
    return Image.fromarray(np.stack([np.interp(along, at, stops[:, c]) for c in range(3)], 2).astype(np.uint8))


def shapes(rng, w, h):
    picture = Image.new("RGB", (w, h), colour(rng)) if rng.random() < 0.5 else ramp(rng, w, h)
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(3, 30))):
        x, y = rng.uniform(-0.1, 1) * w, rng.uniform(-0.1, 1) * h
        a, b = rng.uniform(0.03, 0.5) * w, rng.uniform(0.03, 0.5) * h
        kind = rng.integers(4)
        if kind == 0:
            pen.rectangle((x, y, x + a, y + b), fill=colour(rng), outline=colour(rng) if rng.random() < 0.3 else None)
        elif kind == 1:
            pen.ellipse((x, y, x + a, y + b), fill=colour(rng))
        elif kind == 2:
            points = rng.uniform(-0.5, 0.5, (int(rng.integers(3, 7)), 2)) * (a, b) + (x, y)
            pen.polygon([tuple(p) for p in points], fill=colour(rng))
        else:
            pen.line((x, y, x + a, y + b), fill=colour(rng), width=int(rng.integers(1, 12)))
    return picture


def bars(pen, rng, w, h, most=6):
    """Bars, counters and lines of text along the edges."""
    for _ in range(int(rng.integers(1, most + 1))):
        y = h * (rng.uniform(0.01, 0.15) if rng.random() < 0.5 else rng.uniform(0.8, 0.95))
        x, long = rng.uniform(0.02, 0.7) * w, rng.uniform(0.08, 0.3) * w
        if rng.random() < 0.5:
            pen.rectangle((x, y, x + long, y + h * 0.05), fill=colour(rng, 0, 90))
            pen.rectangle((x + 1, y + 1, x + long * rng.uniform(0.2, 1), y + h * 0.05 - 1), fill=colour(rng, 90))
        else:
            write(pen, rng, x, y, int(rng.integers(1, 4)), int(h * rng.uniform(0.04, 0.1)), colour(rng, 130))


def hud(rng, w, h):
    picture = (shapes, ramp, corridor, blocks)[int(rng.integers(4))](rng, w, h)
    pen = ImageDraw.Draw(picture)
    bars(pen, rng, w, h, 8)
    if rng.random() < 0.5:
        pen.line((w / 2 - 8, h / 2, w / 2 + 8, h / 2), fill=colour(rng, 150), width=2)
        pen.line((w / 2, h / 2 - 8, w / 2, h / 2 + 8), fill=colour(rng, 150), width=2)
    if rng.random() < 0.5:
        side = h * rng.uniform(0.15, 0.3)
        pen.rectangle((w - side - 5, 5, w - 5, 5 + side), fill=colour(rng, 0, 120), outline=colour(rng))
    return picture


def desktop(rng, w, h):
    dark = rng.random() < 0.5
    paper = (lambda: colour(rng, 10, 60)) if dark else (lambda: colour(rng, 215, 256))
    ink = (lambda: colour(rng, 140, 256)) if dark else (lambda: colour(rng, 0, 110))
    picture = Image.new("RGB", (w, h), paper()) if rng.random() < 0.6 else ramp(rng, w, h)
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(0, 0.5) * w, rng.uniform(0, 0.5) * h
        right, low = x + rng.uniform(0.3, 0.9) * w, y + rng.uniform(0.3, 0.9) * h
        pen.rectangle((x, y, right, low), fill=paper(), outline=ink())
        pen.rectangle((x, y, right, y + h * 0.05), fill=colour(rng))
        size = int(rng.integers(7, 16))
        for line in range(int((low - y) / (size * 1.4)) - 2):
            if rng.random() < 0.8:
                indent = x + 4 + size * int(rng.integers(0, 5)) * (rng.random() < 0.4)
                write(pen, rng, indent, y + h * 0.06 + line * size * 1.4, int(rng.integers(1, 8)), size, ink())
    pen.rectangle((0, h * 0.95, w, h), fill=colour(rng))
    return picture


def figure(pen, rng, x, foot, tall):
    """A person of ellipses and thick lines."""
    skin, thick = colour(rng, 60, 250), max(2, int(tall * rng.uniform(0.04, 0.12)))
    head, hip, neck = tall * 0.09, foot - tall * 0.45, foot - tall * 0.8
    for side in (-1, 1):
        pen.line((x, hip, x + side * tall * rng.uniform(0.03, 0.2), foot), fill=colour(rng), width=thick)
        elbow = (x + side * tall * rng.uniform(0.1, 0.25), neck + tall * rng.uniform(-0.1, 0.25))
        hand = (elbow[0] + side * tall * rng.uniform(-0.1, 0.2), elbow[1] + tall * rng.uniform(-0.2, 0.2))
        pen.line((x, neck + head / 2, *elbow, *hand), fill=skin, width=thick)
    pen.rounded_rectangle((x - tall * 0.1, neck, x + tall * 0.1, hip), radius=tall * 0.05, fill=colour(rng))
    pen.ellipse((x - head, neck - 2 * head, x + head, neck), fill=skin)
    if rng.random() < 0.5:
        pen.pieslice((x - head, neck - 2 * head, x + head, neck), 180, 360, fill=colour(rng, 0, 120))


def room(rng, w, h):
    floor = h * rng.uniform(0.55, 0.85)
    picture = Image.new("RGB", (w, h), colour(rng, 20, 240))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, floor, w, h), fill=colour(rng, 20, 200))
    for _ in range(int(rng.integers(1, 7))):  # furniture, windows, pictures on the wall
        x, a, b = rng.uniform(0, 0.9) * w, rng.uniform(0.08, 0.5) * w, rng.uniform(0.08, 0.4) * h
        y = floor - b * rng.uniform(0.6, 1.1) if rng.random() < 0.6 else rng.uniform(0, 0.4) * h
        pen.rounded_rectangle((x, y, x + a, y + b), radius=float(rng.uniform(0, 12)), fill=colour(rng))
    near = rng.random() < 0.2
    for _ in range(1 if near else int(rng.integers(0, 4))):
        tall = h * (rng.uniform(1.3, 2.5) if near else rng.uniform(0.3, 0.85))
        figure(pen, rng, rng.uniform(0.15, 0.85) * w, h * 1.8 if near else min(h, floor + rng.uniform(0, 0.3) * h), tall)
    light = np.asarray(ramp(rng, w, h).convert("L"), np.float32)[..., None] / 255
    shade = rng.uniform(0, 0.6)
    return Image.fromarray((np.asarray(picture) * (1 - shade + shade * light)).astype(np.uint8))


def blocks(rng, w, h):
    across, down = int(rng.integers(6, 40)), int(rng.integers(5, 28))
    palette = rng.integers(0, 256, (int(rng.integers(2, 9)), 3), dtype=np.uint8)
    grid = rng.choice(len(palette), (down, across), p=rng.dirichlet(np.full(len(palette), 0.7)))
    if rng.random() < 0.5:  # heaps, as in a falling-block or a jumping game
        grid[np.arange(down)[:, None] < rng.integers(0, down, across)[None]] = 0
    picture = Image.fromarray(palette[grid]).resize((w, h), Image.NEAREST)
    if rng.random() < 0.4:
        pen = ImageDraw.Draw(picture)
        for k in range(across):
            pen.line((k * w / across, 0, k * w / across, h), fill=tuple(int(v) for v in palette[0] // 2))
        for k in range(down):
            pen.line((0, k * h / down, w, k * h / down), fill=tuple(int(v) for v in palette[0] // 2))
    return picture


def corridor(rng, w, h):
    """Flat-shaded walls, floor and boxes that run to a vanishing point."""
    x, y = rng.uniform(0.3, 0.7) * w, rng.uniform(0.3, 0.6) * h
    picture = Image.new("RGB", (w, h))
    pen = ImageDraw.Draw(picture)
    corners = [(0, 0), (w, 0), (w, h), (0, h)]
    tones = [np.array(colour(rng, 20, 230)) for _ in range(4)]
    for k in range(4):
        for step in range(6):
            near = [tuple(np.array(c) + (np.array((x, y)) - c) * step / 6) for c in (corners[k], corners[(k + 1) % 4])]
            tone = tones[k] * (1 - step * 0.12) * (1 if step % 2 else rng.uniform(0.8, 1))
            pen.polygon([*near, (x, y)], fill=tuple(int(v) for v in tone))
    for _ in range(int(rng.integers(1, 7))):
        a, at = rng.uniform(0.05, 0.2) * w, rng.uniform(0, 1)
        left, low, tone = rng.uniform(0.1, 0.8) * w, y + (h - y) * at, np.array(colour(rng, 40, 240))
        pen.rectangle((left, low - a, left + a, low), fill=tuple(int(v) for v in tone))
        pen.polygon([(left + a, low - a), (left + 1.3 * a, low - 1.2 * a), (left + 1.3 * a, low - 0.2 * a), (left + a, low)], fill=tuple(int(v) for v in tone * 0.6))
    return picture


def noise(rng, w, h):
    cells = int(rng.integers(2, 60))
    field = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    picture = Image.fromarray(field).resize((w, h), (Image.BICUBIC, Image.NEAREST)[int(rng.integers(2))])
    return picture if rng.random() < 0.6 else Image.blend(picture, ramp(rng, w, h), float(rng.uniform(0.2, 0.8)))


DRAW = {"shapes": shapes, "hud": hud, "desktop": desktop, "gradient": ramp, "room": room, "blocks": blocks, "noise": noise, "corridor": corridor}


def pictures(count, seed=41):
    """(kind, picture) of `count` scenes, kinds in turn (rooms twice), 224 to 640 pixels wide."""
    turn = (*KINDS, "room")
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        w = int(rng.integers(224, 641))
        yield turn[k % len(turn)], DRAW[turn[k % len(turn)]](rng, w, int(w / rng.choice([16 / 9, 4 / 3, 1.0])))


def inset(picture, small, rng):
    """The picture with a small one in a corner, as a second camera is shown."""
    picture = picture.convert("RGB")
    (w, h), side = picture.size, max(16, int(picture.height * rng.uniform(0.2, 0.4)))
    small = small.convert("RGB").resize((int(side * rng.choice([1.0, 4 / 3, 16 / 9])), side), Image.BILINEAR)
    gap = int(h * rng.uniform(0, 0.05))
    x = gap if rng.random() < 0.5 else w - small.width - gap
    y = gap if rng.random() < 0.5 else h - side - gap
    picture = picture.copy()
    picture.paste(small, (x, y))
    return picture


def handled(picture, rng, overlay=False):
    """The picture as delivery may leave it: resized, perhaps soft, grainy, under a stream's overlay; JPEG of 45 to 90."""
    w = int(rng.integers(224, 481))
    picture = picture.convert("RGB").resize((w, max(8, round(picture.height * w / picture.width))), Image.BILINEAR)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.6))))
    sigma = rng.uniform(1, 14) if rng.random() < 0.7 else 0
    grain = rng.normal(0, 1, (picture.height, picture.width, 3 if rng.random() < 0.5 else 1)) * sigma
    light = rng.uniform(0.6, 1.25)
    picture = Image.fromarray(np.clip(np.asarray(picture) * light + grain, 0, 255).astype(np.uint8))
    if overlay:
        bars(ImageDraw.Draw(picture), rng, *picture.size)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=int(rng.integers(45, 91)))
    return Image.open(data).convert("RGB")
