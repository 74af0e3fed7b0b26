"""Makes the looks of every item and their backbone features, once: later runs read them from the cache.

In: items, the backbone graph, a cache folder. Out: `Looks`, one row a look: features f32 [n,8,1280],
present f32 [n,8], the item's index and the variant (`plain`, `crop`, `shaken`).
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

import pictures

SEED = 20
SHAKEN_FRAMES = 5  # pictures of a look made from one still
CROPS = {"webcam": 4, "mixed": 4, "falls": 2}  # augmented looks for each of a clip; else 1
SHAKES = {"innocent": 3, "falls": 2}  # augmented looks for each still; else 1


@dataclass
class Looks:
    features: np.ndarray
    present: np.ndarray
    item: np.ndarray
    variant: np.ndarray


def session(model):
    """An ONNX Runtime session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def looks_of(item, rng):
    """(variant, pictures) of each look of one item."""
    if item.clip:
        decoded = pictures.clip_pictures(item.path)
        for start in pictures.look_starts(len(decoded)):
            look = pictures.clip_look(decoded, start)
            yield "plain", look
            for _ in range(CROPS.get(item.place, 1) if item.train else 0):
                part, flip = pictures.window(rng, 0.5, 0.9), rng.random() < 0.5
                yield "crop", [pictures.recompress(pictures.crop(p, part, flip), rng) for p in look]
        return
    still = Image.open(item.path).convert("RGB")
    yield "plain", [still]
    for _ in range(SHAKES.get(item.place, 1) if item.train else 0):
        yield "shaken", [pictures.recompress(p, rng) for p in pictures.shaken(still, rng, SHAKEN_FRAMES, item.box)]


def extract(items, root, model, cache):
    """The looks of `items`, from the cache if the items, the code and the backbone are the same."""
    digest = hashlib.sha256(Path(model).read_bytes())
    for code in (Path(__file__), Path(pictures.__file__)):
        digest.update(code.read_bytes())
    digest.update("\n".join(f"{i.path.relative_to(root)} {i.box} {i.train}" for i in items).encode())
    path = Path(cache) / f"looks-{digest.hexdigest()[:16]}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        backbone, began = session(model), time.time()
        rows = []
        for index, item in enumerate(items):
            rng = np.random.default_rng([SEED, zlib.crc32(str(item.path.relative_to(root)).encode())])
            for variant, look in looks_of(item, rng):
                rows.append((index, variant, pictures.features(backbone, look)))
            if index % 100 == 99 or index + 1 == len(items):
                print(f"features: {index + 1}/{len(items)} sources, {time.time() - began:.0f} s", file=sys.stderr, flush=True)
        np.savez(
            path,
            frames=np.concatenate([row[2] for row in rows]),
            count=np.array([len(row[2]) for row in rows]),
            item=np.array([row[0] for row in rows]),
            variant=np.array([row[1] for row in rows]),
        )
    kept = np.load(path)
    count, frames = kept["count"], kept["frames"]
    features = np.zeros((len(count), pictures.FRAMES, frames.shape[1]), np.float32)
    present = (np.arange(pictures.FRAMES) < count[:, None]).astype(np.float32)
    features[present > 0] = frames
    return Looks(features, present, kept["item"], kept["variant"])
