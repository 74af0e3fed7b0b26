"""One command from the data folder to `models/chat/`: both stages, their manifest entry, the parity fixture, the card's numbers.

    python training/chat/train.py            # data from $VIGIE_DATA, default ../shared/data
    python training/chat/train.py --first    # the first stage alone

Everything is seeded.
"""

import argparse
import hashlib
import os
import pickle
import sys
import time
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
import net
import report
import text
from corpus import LABELS

BUCKETS = 196608
DIM = 32
HIDDEN = 64
SEED = 11
VERSION = "0.4.0"
SETTINGS = ["real", "game", "sport", "fiction", "unknown"]
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
    return np.array(text.features_of_tokens(tok, BUCKETS, 512), np.int32), tok


def extract(texts):
    """Ids and tokens of each text; kept between runs as long as `text.py` is the same."""
    cache = ROOT / ".cache" / f"chat-ids-{hashlib.sha256((HERE / 'text.py').read_bytes()).hexdigest()[:12]}.pkl"
    known = pickle.loads(cache.read_bytes()) if cache.exists() else {}
    before = len(known)
    for t in texts:
        if t not in known:
            known[t] = read(t)
    if len(known) > before:
        cache.parent.mkdir(exist_ok=True)
        cache.write_bytes(pickle.dumps(known))
    return [known[t][0] for t in texts], [known[t][1] for t in texts]


def words_of(tok, ids):
    """How many of the ids are words or pairs of words: they come first."""
    return min(len(set(tok)) + len({(a, b) for a, b in zip(["^"] + tok, tok + ["~"])}), len(ids))


class Run:
    """The rows with all that is made of them."""

    def __init__(self, folder, log):
        self.log = log
        self.rows = data.read(folder)
        self.ids, self.tokens = extract([r["text"] for r in self.rows])
        self.context = context_of(self.rows)
        self.y, self.mask, self.weight = arrays(self.rows)
        self.split = np.array([r["split"] for r in self.rows])
        self.train = np.flatnonzero(self.split == "train")
        self.boost = np.ones_like(self.y)
        for j, label in enumerate(LABELS):
            self.boost[:, j] = np.where(self.y[:, j] >= 0.5, BOOST.get(label, 2.5), 1.0)
        log(f"{len(self.rows)} rows, {np.mean([len(i) for i in self.ids]):.0f} ids a row")

    def first(self, epochs, opinion=None):
        """The first stage's parameters and logits; `opinion`: logits of the second stage, from which it learns too, to agree on what is worth a second look."""
        pick = self.train
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


def second_entry(vocabulary, path, drop, calibration):
    lines = (path.parent / "pieces.txt").read_bytes()
    return {"second": {
        "file": f"chat/{path.name}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "vocabulary": "chat/pieces.txt", "vocabulary_sha256": hashlib.sha256(lines).hexdigest(), "lengths": encoder.LENGTHS, "drop": drop,
        "inputs": [{"name": "pieces", "type": "i32", "shape": ["batch", "length"]},
                   {"name": "context", "type": "f32", "shape": ["batch", 6], "columns": ["paid", *SETTINGS]}],
        "outputs": [{"name": "scores", "type": "f32", "shape": ["batch", 8], "labels": LABELS}],
        "calibration": calibration,
    }}


class Model:
    """Both stages with their calibration: what the daemon runs, for any texts."""

    def __init__(self, run, params, second, z1, z2):
        self.run, self.params, self.second = run, params, second
        self.first_points = cascade.calibrate(run.rows, z1, run.y, run.mask)
        self.points = cascade.calibrate(run.rows, z2, run.y, run.mask, encoder.SOFTEN)
        p1, p2 = cascade.apply(z1, self.first_points), cascade.apply(z2, self.points, encoder.SOFTEN)
        self.drop = cascade.limits(run.rows, z1, p1, p2)
        # The first stage's word stands for what it drops alone: little, and less the surer it is.
        self.first_points = cascade.below(self.first_points, self.drop)

    def stages(self, texts, context):
        """Logits of either stage, the first's unpaid."""
        ids, tokens = zip(*map(read, texts))
        free = context.copy()
        free[:, 0] = 0
        z1 = self.run.read(self.params, list(ids), free)
        paid = context[:, 0] > 0
        z2 = self.second.read(tokens, free)
        more = z2.copy()
        if paid.any():
            more[paid] = self.second.read([t for t, is_paid in zip(tokens, paid) if is_paid], context[paid])
        return z1, z2, more

    def scores(self, texts, context):
        """Calibrated scores as the daemon tells them, and which messages the first stage drops."""
        z1, free, paid = self.stages(texts, context)
        p1 = cascade.apply(z1, self.first_points)
        gone = cascade.dropped(z1, self.drop)
        out = np.where(gone[:, None], p1, cascade.apply(free, self.points, encoder.SOFTEN))
        more = np.maximum(out, cascade.apply(paid, self.points, encoder.SOFTEN))
        return np.where(context[:, :1] > 0, more, out), gone


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", default=os.environ.get("VIGIE_DATA", str(ROOT / "../shared/data")))
    args.add_argument("--epochs", type=int, default=7)
    args.add_argument("--first", action="store_true", help="the first stage alone")
    args.add_argument("--dry", action="store_true", help="train and report, write no model")
    args.add_argument("--second", help="a kept second stage (second.pkl), to leave out its training")
    args.add_argument("--logits", help="with --second: the kept logits.pkl, to calibrate anew what is trained")
    args.add_argument("--begun", help="a kept second-N.pkl, to go on after its pass")
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
    import second

    deep = out.parent / "second.onnx"
    if args.second:
        stage = second.Second.of(*pickle.loads(Path(args.second).read_bytes()), run, deep, log)
    else:
        each = lambda epoch, p, lines: keep(f"second-{epoch}", ({k: np.asarray(v) for k, v in p.items()}, lines))
        begun = (*pickle.loads(Path(args.begun).read_bytes()), int(args.begun.rpartition("-")[2].split(".")[0]) + 1) if args.begun else None
        stage = second.Second(run, deep, log, keep=each, begun=begun)
        keep("second", (stage.params, stage.vocabulary.lines))
    log("second stage trained")
    # All is read as unpaid, and so calibrated: payment only raises.
    if args.logits:
        params, z1, z2 = pickle.loads(Path(args.logits).read_bytes())
    else:
        free = run.context.copy()
        free[:, 0] = 0
        z2 = stage.read(run.tokens, free)
        log("and read")
        params, _ = run.first(args.epochs, z2)
        z1 = run.read(params, None, free)
        keep("logits", (params, z1, z2))
    model = Model(run, params, stage, z1, z2)
    log("first stage trained, both calibrated")
    finish.card(model, z1, z2, log)
    if not args.dry:
        finish.ship(model, z1, z2, log)


if __name__ == "__main__":
    main()
