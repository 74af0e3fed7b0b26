"""Drawn pictures, and what the model says of them, so that another runtime can prove that it sees the same.

In: the two graphs. Out: JPEGs that are drawn here (no data in them) and expected.json with the first 16 features of
each, the moving part and the raw and calibrated scores of looks made of them; and checks that a row stands for itself
alone.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import extract
import fight
import look
import moving
import pictures

# What another JPEG decoder and resizer may differ by: about twice what one step of 255 in every pixel at random did.
TOLERANCE = {"features": 0.2, "scores": 0.05, "part": 0.01}


def drawn():
    """(name, picture) of six scenes of shapes, gradients and noise, of several sizes.

    All carry grain, as a camera's picture does: in a perfectly flat area one step of 255 moves features by 2 or 3.
    """
    rng = np.random.default_rng(11)
    for name, picture in _scenes(rng):
        grain = rng.normal(0, 12, (picture.height, picture.width, 1))
        yield name, Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def _scenes(rng):
    ramp = np.linspace(0, 255, 320)[None, :].repeat(180, 0)
    yield "gradient", Image.fromarray(np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 90)], 2).astype(np.uint8))
    blocks = rng.integers(0, 256, (23, 40, 3), dtype=np.uint8)
    yield "blocks", Image.fromarray(blocks).resize((640, 360), Image.BICUBIC)
    for k in range(3):  # two figures that close in on each other
        scene = Image.new("RGB", (320, 240), (70, 96, 120))
        pen = ImageDraw.Draw(scene)
        pen.rectangle((0, 170, 320, 240), fill=(120, 100, 80))
        for x, colour, arm in ((80 + 25 * k, (190, 60, 50), 30), (230 - 20 * k, (40, 70, 160), -30)):
            pen.ellipse((x - 14, 60, x + 14, 88), fill=(224, 180, 150))
            pen.rectangle((x - 18, 90, x + 18, 150), fill=colour)
            pen.line((x, 105, x + arm, 110 - 8 * k), fill=(224, 180, 150), width=8)
            pen.line((x - 8, 150, x - 14, 200), fill=(30, 30, 40), width=9)
            pen.line((x + 8, 150, x + 14, 200), fill=(30, 30, 40), width=9)
        yield f"figures-{k + 1}", scene
    wave = np.sin(np.hypot(*np.mgrid[-60:60:150j, -60:60:200j]) / 3) * 100 + 128
    yield "rings", Image.fromarray(np.stack([wave, wave[::-1] * 0.8, 255 - wave], 2).astype(np.uint8))


LOOKS = {
    "figures": ["figures-1", "figures-2", "figures-3"],
    "one": ["blocks"],
    "all": ["gradient", "blocks", "figures-1", "figures-2", "figures-3", "rings"],
    "eight": ["figures-3", "figures-1", "figures-2", "figures-3", "figures-2", "figures-1", "figures-2", "figures-3"],
    "seven": ["figures-1", "figures-2", "figures-1", "figures-3", "figures-1", "figures-2", "figures-1"],
}


def write(models, folder, curves):
    """Draws the pictures anew and writes what both graphs say of them as decoded from their JPEG bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    backbone, head = extract.session(models / "backbone.onnx"), extract.session(models / "look.onnx")
    told = {"note": "made by training/frame/train.py; pictures are drawn", "tolerance": TOLERANCE, "features": {}, "looks": {}}
    for name, picture in drawn():
        picture.save(folder / f"{name}.jpg", "JPEG", quality=88)
        row = pictures.features(backbone, [Image.open(folder / f"{name}.jpg")])[0]
        told["features"][f"{name}.jpg"] = [round(float(v), 6) for v in row[:16]]
    for name, members in LOOKS.items():
        seen = [Image.open(folder / f"{member}.jpg").convert("RGB") for member in members]
        features, present = extract.rows(backbone, seen)
        raw = head.run(None, {"features": features[None], "present": present[None]})[0][0].astype(float)
        told["looks"][name] = {"pictures": [f"{m}.jpg" for m in members], "raw": [round(float(v), 6) for v in raw]}
        told["looks"][name]["part"] = [round(float(v), 6) for v in moving.part(seen)]
        for value, (label, curve) in zip(raw, curves.items()):
            told["looks"][name][label] = round(float(np.interp(value, curve[:, 0], curve[:, 1])), 6)
    (folder / "expected.json").write_text(json.dumps(told, indent=1) + "\n")


def check(models, looks, heads):
    """Raises unless the graph equals the heads that were measured, whatever the batch and the padding."""
    rng = np.random.default_rng(2)
    shape = (64, look.FRAMES, look.POOLED + look.MAPS * look.PLACES)
    features = rng.gamma(0.4, 1.0, shape).astype(np.float32)
    features[:, :, look.POOLED :] -= 0.5
    present = (np.arange(look.FRAMES) % look.MOVING < rng.integers(1, 7, 64)[:, None]).astype(np.float32)
    feed = {"features": features, "present": present}
    session = extract.session(models / "look.onnx")
    whole = session.run(None, feed)[0]
    described = look.describe(features, present)
    seen = np.sqrt(look.whole(features, present))
    alone = present[:, :2].sum(1) < 2
    for column, head in enumerate(heads):
        logit = head.logits(fight.seen(described, seen**2), alone) if column == 0 else head.logits(seen)
        wanted = 1 / (1 + np.exp(-logit))
        assert np.abs(whole[:, column] - wanted).max() < 1e-3, f"the graph is not head {column}"
    for size in (2, 7):
        for at in range(0, 56, size):
            part = session.run(None, {k: v[at : at + size] for k, v in feed.items()})[0]
            assert (part == whole[at : at + size]).all(), f"a score depends on the batch ({size})"
    padded = {k: v.copy() for k, v in feed.items()}
    padded["features"][padded["present"] == 0] = 3.0
    assert (session.run(None, padded)[0] == whole).all(), "a score depends on the padding"
    odd = {"features": np.full((2, *shape[1:]), -1e3, np.float32), "present": np.zeros((2, look.FRAMES), np.float32)}
    assert np.isfinite(session.run(None, odd)[0]).all(), "a score is not finite"
