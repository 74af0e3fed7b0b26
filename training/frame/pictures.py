"""Turns clips and stills into looks (up to 8 pictures in 2 s) and looks into backbone features.

In: paths of mp4 clips and JPEG stills, a seed. Out: float32 pictures [n,3,224,224] as the manifest's
preprocessing makes them (plain RGB, a part stretched by a bilinear filter, (pixel - 127) / 128), and their features.
"""

import io
import subprocess

import imageio_ffmpeg
import numpy as np
from PIL import Image

from backbone import MEAN, POOLED, SIDE, STD

FRAMES = 8  # pictures of a whole look
STEP = 0.25  # seconds between two of them
RATE = 20  # pictures a second taken from a clip, from which the looks choose
LONGEST = 384  # pixels, longest side of a decoded clip


def clip_pictures(path):
    """All pictures of a clip at RATE a second: a list of PIL images."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1", "-i", str(path)]
    command += ["-vf", f"fps={RATE}", "-f", "image2pipe", "-c:v", "ppm", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    pictures, at = [], 0
    while at < len(data):
        head = data[at : at + 32].split(b"\n", 3)  # P6, "width height", 255, pixels
        width, height = (int(v) for v in head[1].split())
        start = at + sum(len(v) + 1 for v in head[:3])
        at = start + width * height * 3
        pictures.append(Image.frombytes("RGB", (width, height), data[start:at]))
    return pictures


def look_starts(count):
    """Index of the first picture of each look to take from a clip of `count` pictures: one, or two for long ones."""
    span = int(STEP * (FRAMES - 1) * RATE)
    if count <= span + 1:
        return [0]
    last = min(count - span - 1, 4 * RATE)
    return [0, last] if last >= RATE else [last // 2]


def clip_look(pictures, start):
    """The 8 pictures of the look that begins at index `start`; a clip shorter than a look is spread over all 8."""
    span = min(STEP * (FRAMES - 1) * RATE, len(pictures) - 1 - start)
    return [pictures[start + round(span * k / (FRAMES - 1))] for k in range(FRAMES)]


def recompress(picture, rng):
    """The picture as a platform might deliver it: 320 pixels wide, JPEG of quality 60 to 85."""
    width = 320
    picture = picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.BILINEAR)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=int(rng.integers(60, 86)))
    return Image.open(data).convert("RGB")


def window(rng, low, high, box=None):
    """A crop as fractions (left, top, right, bottom): `box` widened at random, or a random window of that share."""
    if box is None:
        w, h = rng.uniform(low, high), rng.uniform(low, high)
        x, y = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
        return x, y, x + w, y + h
    left, top, right, bottom = box
    w, h = (right - left) * rng.uniform(1.3, 2.2), (bottom - top) * rng.uniform(1.15, 1.7)
    x, y = (left + right) / 2 + w * rng.uniform(-0.15, 0.15), (top + bottom) / 2 + h * rng.uniform(-0.1, 0.1)
    return max(0, x - w / 2), max(0, y - h / 2), min(1, x + w / 2), min(1, y + h / 2)


def crop(picture, fractions, flip=False):
    """That part of the picture, mirrored if asked."""
    left, top, right, bottom = fractions
    w, h = picture.size
    part = picture.crop((int(left * w), int(top * h), max(int(left * w) + 8, int(right * w)), max(int(top * h) + 8, int(bottom * h))))
    return part.transpose(Image.FLIP_LEFT_RIGHT) if flip else part


def shaken(picture, rng, frames, box=None):
    """A look that moves though nothing in it does: a hand-held pan, zoom and shake over one still."""
    left, top, right, bottom = window(rng, 0.6, 0.9, box)
    drift, zoom, shake = rng.uniform(-0.02, 0.02, 2), rng.uniform(-0.015, 0.015), rng.uniform(0, 0.012)
    flip, look = rng.random() < 0.5, []
    for k in range(frames):
        dx, dy = drift * k + rng.normal(0, shake + 1e-6, 2)
        z = zoom * k
        part = (left + dx + z, top + dy + z, right + dx - z, bottom + dy - z)
        look.append(crop(picture, tuple(float(np.clip(v, 0, 1)) for v in part), flip))
    return look


def handled(look, rng):
    """The look as another camera and delivery might give it: a window of it, mirrored, darker or paler, recompressed."""
    part, flip = window(rng, 0.55, 1.0), rng.random() < 0.5
    gamma, low, gain = np.exp(rng.normal(0, 0.25)), rng.uniform(0, 25), rng.uniform(0.75, 1.1)
    grey, bar = rng.random() < 0.15, rng.random() < 0.15
    tone = np.clip(low + (np.arange(256) / 255) ** gamma * 255 * gain, 0, 255).astype(np.uint8)
    width, quality = int(rng.integers(200, 420)), int(rng.integers(45, 90))
    out = []
    for picture in look:
        picture = crop(picture, part, flip)
        picture = picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.BILINEAR)
        pixels = tone[np.asarray(picture.convert("L").convert("RGB") if grey else picture)]
        if bar:  # letterbox
            edge = max(1, len(pixels) // 9)
            pixels[:edge] = pixels[-edge:] = 0
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=quality)
        out.append(Image.open(data).convert("RGB"))
    return out


def pixels(picture, part=(0.0, 0.0, 1.0, 1.0)):
    """float32 [3,224,224] of a part of the picture, as the runtime makes it from a decoded JPEG."""
    w, h = picture.size
    box = (part[0] * w, part[1] * h, min(part[2] * w, w), min(part[3] * h, h))
    array = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.BILINEAR, box=box), np.float32)
    return ((array - MEAN) / STD).transpose(2, 0, 1)


def features(session, pictures):
    """float32 [n,1280] of a list of whole PIL images, in batches of 16 at most."""
    out = []
    for at in range(0, len(pictures), 16):
        batch = np.stack([pixels(p) for p in pictures[at : at + 16]])
        out.append(session.run(["features"], {"pixels": batch})[0][:, :POOLED])
    return np.concatenate(out)
