"""One command from the data folder to `models/chat/chat.onnx`, its manifest entry, the parity fixture and the report.

    python training/chat/train.py            # data from $VIGIE_DATA, default ../shared/data

Everything is seeded; two minutes on one free core.
"""

import argparse
import hashlib
import json
import os
import pickle
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

import data
import export
import manifest
import net
import report
import text
from corpus import LABELS

BUCKETS = 196608
DIM = 32
HIDDEN = 64
SEED = 11
VERSION = "0.1.0"
SETTINGS = ["real", "game", "sport", "fiction", "unknown"]


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


def extract(rows):
    """Ids of each row's text, and how many of them are words or word pairs; kept between runs as long as `text.py` is the same."""
    cache = ROOT / ".cache" / f"chat-ids-{hashlib.sha256((HERE / 'text.py').read_bytes()).hexdigest()[:12]}.pkl"
    known = pickle.loads(cache.read_bytes()) if cache.exists() else {}
    for r in rows:
        if r["text"] not in known:
            tok = text.tokens(r["text"])
            pairs = {(a, b) for a, b in zip(["^"] + tok, tok + ["~"])}
            known[r["text"]] = (np.array(text.features_of_tokens(tok, BUCKETS, 512), np.int32), len(set(tok)) + len(pairs))
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(pickle.dumps(known))
    found = [known[r["text"]] for r in rows]
    return [v for v, _ in found], [min(n, len(v)) for v, n in found]


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", default=os.environ.get("VIGIE_DATA", str(ROOT / "../shared/data")))
    args.add_argument("--epochs", type=int, default=10)
    args.add_argument("--dry", action="store_true", help="train and report, write no model")
    args.add_argument("--keep", help="folder for logits and parameters, for looking closer")
    args.add_argument("--all-patterns", action="store_true", help="train on the patterns kept for measuring, too")
    args.add_argument("--no-baseline", action="store_true")
    args = args.parse_args()
    start = time.time()
    log = lambda *a: print(f"[{time.time() - start:5.0f}s]", *a, flush=True)

    rows = data.read(args.data)
    ids, words = extract(rows)
    context = context_of(rows)
    y, mask, weight = arrays(rows)
    if args.all_patterns:
        for r in rows:
            r["split"] = "train" if r["split"] == "pattern" else r["split"]
    split = np.array([r["split"] for r in rows])
    log(f"{len(rows)} rows, {np.mean([len(i) for i in ids]):.0f} ids a row")

    pick = np.flatnonzero(split == "train")
    sub = [ids[i] for i in pick]
    # Rare labels count more, so that they are not drowned by ordinary chat.
    boost = np.ones_like(y)
    for j, label in enumerate(LABELS):
        boost[:, j] = np.where(y[:, j] >= 0.5, {"harassment": 1.5, "toxicity": 1.3}.get(label, 2.5), 1.0)
    params = net.train(sub, context[pick], y[pick], (mask * boost)[pick], weight[pick], net.init(BUCKETS, DIM, HIDDEN, SEED), net.logits,
                       args.epochs, 4e-3, SEED, decay=0.01, log=log)
    params["table"], params["table_scale"] = report.quantise(params["table"])
    z = net.predict(net.logits, params, ids, context)
    log("trained")

    base = None
    if not args.no_baseline:
        short = [v[:n] for v, n in zip(ids, words)]
        start_params = {"table": np.zeros((BUCKETS, 8), np.float32), "w4": np.zeros((6, 8), np.float32), "b": np.full(8, -3.0, np.float32)}
        linear = net.train([short[i] for i in pick], context[pick], y[pick], (mask * boost)[pick], weight[pick], start_params, net.linear_logits,
                           4, 3e-2, SEED, log=log)
        base = net.predict(net.linear_logits, linear, short, context)
        log("baseline trained")

    if args.keep:
        Path(args.keep).mkdir(parents=True, exist_ok=True)
        pickle.dump({"params": params, "z": z, "base": base, "rows": rows}, open(Path(args.keep) / "run.pkl", "wb"))
    calibration = report.calibrate(rows, z, y, mask)
    if not args.dry:
        export.write(params, ROOT / "models/chat/chat.onnx")
    print(report.tables(rows, z, y, mask, calibration, "chat"))
    if base is not None:
        print(report.tables(rows, base, y, mask, report.calibrate(rows, base, y, mask), "word n-grams, linear"))
    if args.dry:
        return

    out = ROOT / "models/chat/chat.onnx"
    export.check(out, params, ids, context, z)
    export.fixture(out, ROOT / "tests/fixtures/chat_parity.json", BUCKETS)
    manifest.update_entry({
        "name": "chat", "version": VERSION, "kind": "text", "file": "chat/chat.onnx",
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(), "licence": "Apache-2.0", "card": "chat/README.md", "languages": ["fr", "en"],
        "preprocess": {"type": "hashed_ngrams", "buckets": BUCKETS, "lengths": net.LENGTHS},
        "inputs": [{"name": "ids", "type": "i32", "shape": ["batch", "length"]},
                   {"name": "context", "type": "f32", "shape": ["batch", 6], "columns": ["paid", *SETTINGS]}],
        "outputs": [{"name": "scores", "type": "f32", "shape": ["batch", 8], "labels": LABELS}],
        "calibration": calibration,
    }, ROOT / "models/manifest.toml")
    log(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
