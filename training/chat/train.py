"""One command from the data folder to `models/chat/`: the three stages, their manifest entry, the parity fixture, the card's numbers.

    python training/chat/train.py            # data from $VIGIE_DATA, default ../shared/data
    python training/chat/train.py --first    # the first stage alone

Everything is seeded.
"""

import argparse
import functools
import hashlib
import multiprocessing
import os
import pickle
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

import cascade
import data
import encoder
import export
import manifest
import measure
import middle
import net
import report
import text
from corpus import LABELS

BUCKETS = 196608
DIM = 32
HIDDEN = 64
SEED = 11
VERSION = "0.7.0"
SETTINGS = ["real", "game", "sport", "fiction", "unknown"]
# What the first stage's logit weighs beside the last one's, where that helps on dev: they err otherwise.
BLEND = {"harassment": 0.4, "toxicity": 0.4}
# Share of the written messages that the first two stages learn from.
HEARD = 0.4
# Rare labels count more, so that they are not drowned by ordinary chat.
BOOST = {"harassment": 1.5, "toxicity": 1.3}


def context_of(rows):
    out = np.zeros((len(rows), 6), np.float32)
    for i, r in enumerate(rows):
        out[i, 0] = float(r["paid"])
        out[i, 1 + SETTINGS.index(r["setting"])] = 1.0
    return out


def arrays(rows):
    y = np.zeros((len(rows), 8), np.float32)
    mask = np.zeros((len(rows), 8), np.float32)
    for i, r in enumerate(rows):
        for label, value in r["y"].items():
            j = LABELS.index(label)
            y[i, j], mask[i, j] = value, 1.0
    weight = np.array([r["weight"] for r in rows], np.float32)
    return y, mask, weight


def read(t):
    tok = text.tokens(t)
    return ids_of(tok), tok


def ids_of(tok):
    return np.array(text.features_of_tokens(tok, BUCKETS, 512), np.int32)


def extract(what, of, keys, values):
    """`of` each value, by its key; kept between runs as long as `text.py` is the same."""
    cache = ROOT / ".cache" / f"chat-{what}-{hashlib.sha256((HERE / 'text.py').read_bytes()).hexdigest()[:12]}.pkl"
    known = pickle.loads(cache.read_bytes()) if cache.exists() else {}
    new = {k: v for k, v in zip(keys, values) if k not in known}
    if new:
        with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
            known |= zip(new, pool.map(of, new.values(), chunksize=2000))
        cache.parent.mkdir(exist_ok=True)
        cache.write_bytes(pickle.dumps(known))
    return [known[k] for k in keys]


def words_of(tok, ids):
    """How many of the ids are words or pairs of words: they come first."""
    return min(len(set(tok)) + len({(a, b) for a, b in zip(["^"] + tok, tok + ["~"])}), len(ids))


class Run:
    """The rows with all that is made of them."""

    def __init__(self, folder, log):
        self.log = log
        self.rows = data.read(folder)
        self.texts = [r["text"] for r in self.rows]
        self.tokens = extract("tokens", text.tokens, self.texts, self.texts)
        self.context = context_of(self.rows)
        self.y, self.mask, self.weight = arrays(self.rows)
        self.split = np.array([r["split"] for r in self.rows])
        self.train = np.flatnonzero(self.split == "train")
        self.boost = np.ones_like(self.y)
        for j, label in enumerate(LABELS):
            self.boost[:, j] = np.where(self.y[:, j] >= 0.5, BOOST.get(label, 2.5), 1.0)
        # Of the many written messages a part is enough for the stages that learn from the last one's word.
        chance = np.random.default_rng(SEED).random(len(self.rows))
        written = np.array([r["source"] in ("hand", "corpus") for r in self.rows])
        self.heard = (self.split != "train") | ~written | (chance < HEARD)
        self.pupil = np.flatnonzero((self.split == "train") & self.heard)
        log(f"{len(self.rows)} rows, {np.mean([len(tok) for tok in self.tokens]):.0f} tokens a row")

    @functools.cached_property
    def ids(self):
        """Of each row, for the first stage."""
        return extract("ids", ids_of, self.texts, self.tokens)

    def first(self, epochs, opinion=None):
        """The first stage's parameters and logits; `opinion`: logits of the last stage, from which it learns too, to agree on what is worth another look."""
        pick = self.pupil
        y, mask = self.y[pick], (self.mask * self.boost)[pick]
        if opinion is not None:
            said = 1 / (1 + np.exp(-opinion[pick]))
            y = np.where(mask > 0, 0.5 * y + 0.5 * said, said).astype(np.float32)
            mask = np.where(mask > 0, mask, 0.5).astype(np.float32)
        start = net.init(BUCKETS, DIM, HIDDEN, SEED)
        params = net.train([self.ids[i] for i in pick], self.context[pick], y, mask, self.weight[pick], start, net.logits, epochs, 4e-3, SEED,
                           decay=0.01, log=self.log)
        params = net.fold(params)
        params["table"], params["table_scale"] = report.quantise(params["table"])
        return params, self.read(params)

    def read(self, params, ids=None, context=None):
        return net.predict(net.folded_logits, params, ids or self.ids, self.context if context is None else context)

    def words(self):
        """The baseline: a linear model of words and pairs of words."""
        short = [v[: words_of(tok, v)] for v, tok in zip(self.ids, self.tokens)]
        start = {"table": np.zeros((BUCKETS, 8), np.float32), "w4": np.zeros((6, 8), np.float32), "b": np.full(8, -3.0, np.float32)}
        pick = self.train
        linear = net.train([short[i] for i in pick], self.context[pick], self.y[pick], (self.mask * self.boost)[pick], self.weight[pick], start,
                           net.linear_logits, 4, 3e-2, SEED, log=self.log)
        return net.predict(net.linear_logits, linear, short, self.context)


def entry(version, path, calibration, extra=None):
    out = {
        "name": "chat", "version": version, "kind": "text", "file": "chat/chat.onnx",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "licence": "Apache-2.0", "card": "chat/README.md", "languages": ["fr", "en"],
        "preprocess": {"type": "hashed_ngrams", "buckets": BUCKETS, "lengths": net.LENGTHS},
        "inputs": [{"name": "ids", "type": "i32", "shape": ["batch", "length"]},
                   {"name": "context", "type": "f32", "shape": ["batch", 6], "columns": ["paid", *SETTINGS]}],
        "outputs": [{"name": "scores", "type": "f32", "shape": ["batch", 8], "labels": LABELS}],
        "calibration": calibration,
    }
    return out | (extra or {})


def stage_entry(path, drop, calibration, labels=LABELS, blend=None):
    lines = (path.parent / "pieces.txt").read_bytes()
    return {
        "file": f"chat/{path.name}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "vocabulary": "chat/pieces.txt", "vocabulary_sha256": hashlib.sha256(lines).hexdigest(), "lengths": encoder.LENGTHS, "drop": drop,
        "inputs": [{"name": "pieces", "type": "i32", "shape": ["batch", "length"]},
                   {"name": "context", "type": "f32", "shape": ["batch", 6], "columns": ["paid", *SETTINGS]}],
        "outputs": [{"name": "scores", "type": "f32", "shape": ["batch", len(labels)], "labels": labels}],
        "calibration": calibration,
    } | ({"blend": blend} if blend else {})


class Model:
    """The stages with their calibration: what the daemon runs, for any texts. `z`: logits of the first, the one between and the last with the first's part in
    it, of all rows as unpaid."""

    def __init__(self, run, params, between, last, z):
        self.run, self.params, self.between, self.last, self.z = run, params, between, last, z
        calibrate = lambda z, soften: cascade.calibrate(run.rows, z, run.y, run.mask, soften)
        self.points = calibrate(z[2], encoder.SOFTEN)
        said = cascade.apply(z[2], self.points, encoder.SOFTEN)
        first_points = calibrate(z[0], 1.0)
        self.drop = cascade.limits(run.rows, z[0], cascade.apply(z[0], first_points), said)
        # A stage's word stands for what it drops alone: little, and less the surer it is.
        self.first_points = cascade.below(first_points, self.drop)
        self.between_points = cascade.quiet(calibrate(z[1][:, :8], encoder.SOFTEN))
        self.between_drop = {middle.AGAIN: cascade.limit(run.rows, z[1][:, 8], said, ~self.first_drops(z[0]))}

    def first_drops(self, z):
        return cascade.dropped(z, self.drop) & (cascade.apply(z, self.first_points) < 0.5).all(1)

    def gone(self, z):
        """Which rows the first stage drops, and which the first two."""
        first = self.first_drops(z[0])
        return [first, first | middle.dropped(z[1], self.between_drop, self.between_points)]

    def said(self, z):
        """Calibrated scores of rows read as unpaid."""
        each = [cascade.apply(z[0], self.first_points), cascade.apply(z[1][:, :8], self.between_points, encoder.SOFTEN), cascade.apply(z[2], self.points, encoder.SOFTEN)]
        return cascade.whole(self.gone(z), each)

    def scores(self, texts, context):
        """Calibrated scores as the daemon tells them, and which stage tells each message as unpaid, from 0."""
        ids, tokens = zip(*map(read, texts))
        free = context.copy()
        free[:, 0] = 0
        first = self.run.read(self.params, list(ids), free)
        z = [first, self.between.read(tokens, free), cascade.blended(first, self.last.read(tokens, free), BLEND)]
        out, gone = self.said(z), self.gone(z)
        paid = context[:, 0] > 0
        if paid.any():
            more = cascade.blended(first[paid], self.last.read([t for t, is_paid in zip(tokens, paid) if is_paid], context[paid]), BLEND)
            more = cascade.apply(more, self.points, encoder.SOFTEN)
            out[paid] = np.maximum(out[paid], more)
        return out, 2 - gone[0].astype(int) - gone[1]


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", default=os.environ.get("VIGIE_DATA", str(ROOT / "../shared/data")))
    args.add_argument("--epochs", type=int, default=7)
    args.add_argument("--first", action="store_true", help="the first stage alone")
    args.add_argument("--dry", action="store_true", help="train and report, write no model")
    args.add_argument("--second", help="a kept last stage (second.pkl), to leave out its training")
    args.add_argument("--logits", help="with --second: the kept logits.pkl, to calibrate anew what is trained")
    args.add_argument("--begun", help="a kept second-N.pkl, to go on after its pass; or a folder of models, to go on from the last.onnx and pieces.txt that are there")
    args.add_argument("--done", type=int, default=0, help="with --begun and a folder: how many passes count as done")
    args.add_argument("--keep", help="folder for the models and logits, for looking closer")
    args = args.parse_args()
    began = time.time()
    log = lambda *a: print(f"[{time.time() - began:5.0f}s]", *a, flush=True)
    keep = lambda name, what: args.keep and (Path(args.keep) / f"{name}.pkl").write_bytes(pickle.dumps(what))

    run = Run(args.data, log)
    out = ROOT / "models/chat/chat.onnx"
    if args.first:
        params, z = run.first(args.epochs)
        calibration = cascade.calibrate(run.rows, z, run.y, run.mask)
        p = cascade.apply(z, calibration)
        print("\n".join(measure.all_of(run.rows, p, run.y, run.mask)))
        if not args.dry:
            export.write(params, out)
            export.check(out, params, run.ids, run.context, z)
            export.fixture(out, ROOT / "tests/fixtures/chat_parity.json", BUCKETS)
            manifest.update_entry(entry(VERSION, out, calibration), ROOT / "models/manifest.toml")
        return

    import finish
    import graph
    import second

    deep = out.parent / "last.onnx"
    if args.second:
        stage = second.Second.of(*pickle.loads(Path(args.second).read_bytes()), run, deep, log)
    else:
        each = lambda epoch, p, lines: keep(f"second-{epoch}", ({k: np.asarray(v) for k, v in p.items()}, lines))
        begun = None
        if args.begun and Path(args.begun).is_dir():
            begun = (second.lifted(graph.parameters(Path(args.begun) / "last.onnx"), -1.0), (Path(args.begun) / "pieces.txt").read_text(encoding="utf-8").splitlines(), args.done)
        elif args.begun:
            begun = (*pickle.loads(Path(args.begun).read_bytes()), int(args.begun.rpartition("-")[2].split(".")[0]) + 1)
        stage = second.Second(run, deep, log, keep=each, begun=begun)
        keep("second", (stage.params, stage.vocabulary.lines))
    log("last stage trained")
    # All is read as unpaid, and so calibrated: payment only raises.
    free = run.context.copy()
    free[:, 0] = 0
    if args.logits:
        params, z, between = pickle.loads(Path(args.logits).read_bytes())
        between = middle.Middle.of(between, stage.vocabulary, run, out.parent / "between.onnx", log)
    else:
        last = np.zeros((len(run.rows), 8), np.float32)
        heard = np.flatnonzero(run.heard)
        last[heard] = stage.read([run.tokens[i] for i in heard], free[heard])
        log(f"and {len(heard)} rows read")
        params, _ = run.first(args.epochs, last)
        first = run.read(params, None, free)
        log("first stage trained")
        both = cascade.blended(first, last, BLEND)
        points = cascade.calibrate(run.rows, both, run.y, run.mask, encoder.SOFTEN)
        between = middle.Middle(run, stage.vocabulary, cascade.apply(both, points, encoder.SOFTEN), out.parent / "between.onnx", log)
        log("stage between trained")
        middle_said = np.zeros((len(run.rows), 9), np.float32)
        middle_said[heard] = between.read([run.tokens[i] for i in heard], free[heard])
        z = [first, middle_said, last]
        keep("logits", (params, z, between.params))
    model = Model(run, params, between, stage, [z[0], z[1], cascade.blended(z[0], z[2], BLEND)])
    log("all stages trained and calibrated")
    finish.card(model, log)
    if not args.dry:
        finish.ship(model, log)


if __name__ == "__main__":
    main()
