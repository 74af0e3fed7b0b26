"""A text model of three stages, small and untrained, for the tests: `tests/fixtures/three_stages/` with what the training code says of a thousand messages.

    python training/chat/small.py
"""

import hashlib
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import numpy as np
import onnx

import cascade
import corpus
import encoder
import export
import graph
import manifest
import middle
import net
import pieces as pieces_
import report
import second as second_
import text
import train
from corpus import LABELS

OUT = train.ROOT / "tests/fixtures/three_stages"
BUCKETS, DIM, WIDTH = 3001, 6, 12
BLEND = {"threat": 1.0, "toxicity": 0.4}
WORDS = "^ je tu il le la un une va vais tuer frappe salut chat the you him kill hello stop ! ? €".split()
# Words that are cut and not mended; the rest of the edges is mended or cut.
KNOWN = ["tuerie", "killer", "frapper"]


class Source:
    """Random weights in place of the large encoder's."""

    width, inner = WIDTH, 2 * WIDTH

    def __init__(self, rng):
        self.rng = rng

    def vector(self, name):
        kind = name.rsplit(".", 2)[-2:]
        if name == "emb.pos":
            return self.rng.normal(0, 0.3, encoder.LIMIT * WIDTH).astype(np.float32)
        if kind[-1] == "w":
            return np.ones(WIDTH, np.float32)
        return self.rng.normal(0, 0.1, self.inner if kind[-2] == "fi" else WIDTH).astype(np.float32)

    def rows(self, name, width):
        out = self.inner if name.endswith("fi.w") else WIDTH
        return self.rng.normal(0, 1 / np.sqrt(width), (out, width)).astype(np.float32)


def stages(seed=2):
    """Random parameters of the stages."""
    rng = np.random.default_rng(seed)
    first = net.init(BUCKETS, DIM, 8, seed)
    first["table"] = rng.normal(0, 1.0, first["table"].shape).astype(np.float32)
    first["b"] = np.full(8, -1.0, np.float32)
    first = net.fold(first)
    first["table"], first["table_scale"] = report.quantise(first["table"])
    lines = WORDS + [c for c in "abcdefghijklmnopqrstuvwxyz" if c not in WORDS] + [f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"] + ["##er", "##ent"]
    further = []
    for layers in ([0], [0, 1]):
        table = rng.normal(0, 1, (pieces_.FIRST + len(lines), WIDTH)).astype(np.float32)
        p = encoder.init(Source(rng), table, layers, seed)
        p["b"] = np.zeros(8, np.float32)
        if layers == [0]:
            p = middle.widened(p, rng)
        p["table"], p["table_scale"] = report.quantise(p["table"])
        further.append(p)
    return first, further, pieces_.Pieces(lines + [pieces_.KNOWN + word for word in KNOWN])


def limit(z, share, soften):
    """A score of which `share` of the rows stay below with every column of `z`, and a line that reads .4 there."""
    x = round(float(np.quantile(report.sigmoid(z / soften).max(1), share)), 4)
    return x, {label: [[0.0, 0.0], [x, 0.4], [1.0, 1.0]] for label in LABELS}


def messages(count):
    rows = corpus.messages(seed=98, per_pattern=4)
    random.Random(5).shuffle(rows)
    texts = [t for t in export.EDGES if len(t) < 2000] + [r["text"] for r in rows]
    return texts[:count]


def main(count=1000):
    first, further, vocabulary = stages()
    texts = messages(count)
    tokens = [text.tokens(t) for t in texts]
    ids = [np.array(text.features_of_tokens(tok, BUCKETS, 512), np.int32) for tok in tokens]
    pieces = [vocabulary.of(tok, encoder.LIMIT) for tok in tokens]
    settings, paid = [train.SETTINGS[k % 5] for k in range(count)], [k % 4 == 1 for k in range(count)]
    free = np.zeros((count, 6), np.float32)
    for k, name in enumerate(settings):
        free[k, 1 + train.SETTINGS.index(name)] = 1
    with_paid = free.copy()
    with_paid[:, 0] = paid
    z1 = net.predict(net.folded_logits, first, ids, free)
    OUT.mkdir(parents=True, exist_ok=True)
    onnx.save(export.graph(first), str(OUT / "first.onnx"))
    sessions = []
    for name, p in zip(("second", "third"), further):
        onnx.save(graph.graph(p, graph.ranges(p, pieces, np.arange(count))), str(OUT / f"{name}.onnx"))
        sessions.append(export.session(OUT / f"{name}.onnx"))
    z2, z3, z3_paid = (second_.read(on, pieces, c) for on, c in ((sessions[0], free), (sessions[1], free), (sessions[1], with_paid)))
    z3, z3_paid = cascade.blended(z1, z3, BLEND), cascade.blended(z1, z3_paid, BLEND)

    # Each stage drops a good part of what it reads; the last one's lines are any that rise.
    first_limit, first_points = limit(z1, 0.4, 1.0)
    second_limit, _ = limit(z2[:, 8:], 0.5, encoder.SOFTEN)
    _, second_points = limit(z2[:, :8], 0.6, encoder.SOFTEN)
    points = {label: [[0.0, 0.0], [0.3, 0.1 + 0.02 * k], [0.6, 0.7], [1.0, 1.0]] for k, label in enumerate(LABELS)}
    drops = [{label: first_limit for label in LABELS}, {middle.AGAIN: second_limit}]
    gone = [(report.sigmoid(z1) < first_limit).all(1), middle.dropped(z2, drops[1], second_points)]
    by = np.where(gone[0], 0, np.where(gone[1], 1, 2))
    each = [cascade.apply(z1, first_points), cascade.apply(z2[:, :8], second_points, encoder.SOFTEN), cascade.apply(z3, points, encoder.SOFTEN)]
    free_said = np.stack(each)[by, np.arange(count)]
    said = np.where(np.array(paid)[:, None], np.maximum(free_said, cascade.apply(z3_paid, points, encoder.SOFTEN)), free_said)

    (OUT / "pieces.txt").write_text("\n".join(vocabulary.lines) + "\n", encoding="utf-8")
    digest = lambda name: hashlib.sha256((OUT / name).read_bytes()).hexdigest()
    context = {"name": "context", "type": "f32", "shape": ["batch", 6], "columns": ["paid", *train.SETTINGS]}
    scores = {"name": "scores", "type": "f32", "shape": ["batch", 8], "labels": LABELS}
    stage = lambda name, drop, points, labels=LABELS, **more: {
        "file": f"{name}.onnx", "sha256": digest(f"{name}.onnx"), "vocabulary": "pieces.txt", "vocabulary_sha256": digest("pieces.txt"), "lengths": encoder.LENGTHS,
        "drop": drop, "inputs": [{"name": "pieces", "type": "i32", "shape": ["batch", "length"]}, context], "outputs": [scores | {"shape": ["batch", len(labels)], "labels": labels}], "calibration": points} | more
    (OUT / "manifest.toml").unlink(missing_ok=True)
    manifest.update_entry({
        "name": "small", "version": "0.0.1", "kind": "text", "file": "first.onnx", "sha256": digest("first.onnx"), "licence": "Apache-2.0", "card": "none",
        "preprocess": {"type": "hashed_ngrams", "buckets": BUCKETS, "lengths": net.LENGTHS},
        "inputs": [{"name": "ids", "type": "i32", "shape": ["batch", "length"]}, context], "outputs": [scores], "calibration": first_points,
        "second": stage("second", drops[0], second_points, [*LABELS, middle.AGAIN]), "third": stage("third", drops[1], points, blend={label: weight / encoder.SOFTEN for label, weight in BLEND.items()}),
    }, OUT / "manifest.toml")
    dump = lambda value: json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    told = [dump([t, paid[k], settings[k], int(by[k]), pieces[k], [round(float(x), 5) for x in said[k]]]) for k, t in enumerate(texts)]
    (OUT / "told.json").write_text("[\n" + ",\n".join(told) + "\n]\n", encoding="utf-8")
    print(len(told), "messages, told by each stage", np.bincount(by), sum(p.stat().st_size for p in OUT.iterdir()) // 1000, "kB")


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    main()
