"""Makes the looks of every item and what the backbone sees in them, once: later runs read them from the cache.

In: items, the backbone graph, a cache folder. Out: `Looks`, one row a look: the descriptors of its moving part, the pooled
features of its whole pictures, the item's index and the variant (`plain`, `handled`, `short`, `shaken`).
"""

import hashlib
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import look
import moving
import pictures

SEED = 20
SHAKEN_FRAMES = 4  # pictures of a look made from one still
HANDLED = {"cctv": 2, "webcam": 3, "mixed": 4}  # augmented looks for each of a clip; else 1
SHAKES = {"innocent": 1, "falls": 1, "stills": 1}  # augmented looks for each still
SHAKEN_SPORT = 6  # one sport still in so many is shaken


@dataclass
class Looks:
    described: np.ndarray  # float32 [n, look.WIDTH]
    whole: np.ndarray  # float32 [n, 1280], mean of its whole pictures
    item: np.ndarray
    variant: np.ndarray
    count: np.ndarray  # pictures


def session(model):
    """An ONNX Runtime session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def looks_of(item, rng):
    """(variant, pictures) of each look of one item."""
    if item.clip:
        decoded = pictures.clip_pictures(item.path)
        starts = pictures.look_starts(len(decoded))
        if item.start is not None:
            starts = [max(0, min(len(decoded) - 2, round(item.start * pictures.RATE) + (len(decoded) if item.start < 0 else 0)))]
        for start in starts:
            seen = pictures.clip_look(decoded, start)
            yield "plain", seen
            for _ in range(HANDLED.get(item.place, 1) if item.train else 0):
                yield "handled", pictures.handled(seen, rng)
        return
    still = Image.open(item.path).convert("RGB")
    yield "plain", [still]
    shakes = SHAKES.get(item.place, 0)
    if item.place == "sports":
        shakes = int(rng.integers(SHAKEN_SPORT) == 0)
    for _ in range(shakes if item.train else 0):
        yield "shaken", [pictures.recompress(p, rng) for p in pictures.shaken(still, rng, SHAKEN_FRAMES, item.box)]


def rows(backbone, seen):
    """What the runtime lays out of a look: features f32 [8,16960] and present f32 [8]."""
    part = moving.part(seen)
    chosen = moving.spread(len(seen))
    closely = [pictures.pixels(seen[k], part) for k in chosen]
    ends = [seen[0], seen[-1]] if len(seen) > 1 else [seen[0]]
    batch = np.stack(closely + [pictures.pixels(p) for p in ends])
    found = backbone.run(["features"], {"pixels": batch})[0]
    features, present = np.zeros((look.FRAMES, found.shape[1]), np.float32), np.zeros(look.FRAMES, np.float32)
    slots = list(range(len(chosen))) + list(range(look.MOVING, look.MOVING + len(ends)))
    features[slots], present[slots] = found, 1.0
    return features, present


def shortened(features, present, rng):
    """The rows of a shorter look cut out of a whole one: one picture, seen whole, or three to five."""
    out, there = np.zeros_like(features), np.zeros_like(present)
    if rng.random() < 0.4:
        out[[0, look.MOVING]] = features[look.MOVING]
        there[[0, look.MOVING]] = 1.0
        return out, there
    count = int(rng.integers(3, look.MOVING))
    first = int(rng.integers(0, look.MOVING + 1 - count))
    out[:count] = features[first : first + count]
    out[look.MOVING :] = features[look.MOVING :]
    there[:count] = there[look.MOVING :] = 1.0
    return out, there


def _item(backbone, item, key, path):
    """Writes the looks of one item."""
    rng = np.random.default_rng([SEED, zlib.crc32(key.encode())])
    described, whole, variant, count = [], [], [], []
    for name, seen in looks_of(item, rng):
        found = [(name, *rows(backbone, seen))]
        if len(seen) == pictures.FRAMES:
            found.append(("short", *shortened(*found[0][1:], rng)))
        for name, features, present in found:
            described.append(look.describe(features[None], present[None])[0])
            whole.append(look.whole(features[None], present[None])[0])
            variant.append(name)
            count.append(int(present[: look.MOVING].sum()))
    partial = path.with_name(path.name + f".{np.random.default_rng().integers(1 << 30)}.npz")
    np.savez(partial, described=np.array(described, np.float16), whole=np.array(whole, np.float16), variant=variant, count=count)
    partial.rename(path)


def extract(items, root, model, cache, backwards=False):
    """The looks of `items`, from the cache where the item, the code and the backbone are the same."""
    digest = hashlib.sha256(Path(model).read_bytes())
    for code in (__file__, pictures.__file__, moving.__file__, look.__file__):
        digest.update(Path(code).with_name(Path(code).name).read_bytes().split(b"\n# --- fitting")[0])
    folder = Path(cache) / f"looks-{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    backbone, began, made, paths = None, time.time(), 0, []
    for index in reversed(range(len(items))) if backwards else range(len(items)):
        item = items[index]
        key = f"{item.path.relative_to(root)} {item.box} {item.train} {item.place} {item.start}"
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.npz"
        paths.append(path)
        if not path.exists():
            backbone = backbone or session(model)
            _item(backbone, item, key, path)
            made += 1
            if made % 50 == 0:
                print(f"features: {len(paths)}/{len(items)} sources, {time.time() - began:.0f} s", file=sys.stderr, flush=True)
    if backwards:
        paths.reverse()
    kept = [dict(np.load(path)) for path in paths]
    join = lambda name: np.concatenate([part[name] for part in kept])
    index = np.repeat(np.arange(len(kept)), [len(part["count"]) for part in kept])
    return Looks(join("described").astype(np.float32), join("whole").astype(np.float32), index, join("variant"), join("count"))
