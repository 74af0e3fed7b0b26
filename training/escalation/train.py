"""Trains the escalation model on simulated histories, writes its graph and its manifest entry. `measure.py` writes its card.

    python training/escalation/train.py            # everything: about 2 minutes on one core
    python training/escalation/train.py --rows F   # keeps the histories' signals in F (npz), and takes them from there
"""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "training")]

import numpy as np
import onnxruntime as ort

import data
import net
from manifest import update_entry
from signals import COLUMNS
from stories import FAMILIES, SILENT

TAUGHT, KEPT = 60, 30  # stories of each family: to learn from, and to set the thresholds on
TARGET_WATCH = 0.22  # what `watch` stages are taught as p(concern): below [levels] watch, and far below concern
OUT = ROOT / "models/escalation"


def targets(level, imminent):
    t = np.zeros((len(level), 4), np.float32)
    t[:, 0] = np.where(level >= 2, 1, np.where(level == 1, TARGET_WATCH, 0))
    t[:, 1] = level >= 3
    t[:, 2] = level >= 4
    t[:, 3] = imminent & (level >= 1)
    return t


def single_messages():
    """Rows that a single message makes: above `watch` they must never go."""
    rows = []
    for label in ("distress", "self_harm_urging", "threat", "incitement"):
        for weight in (0.2, 0.6, 1.0):
            for still in (0, 60, 600):
                row = np.zeros(len(COLUMNS), np.float32)
                for w in ("60s", "10m", "24h", "30d"):
                    row[COLUMNS.index(f"chat.{label}.{w}")] = weight
                row[COLUMNS.index(f"chat.{label}_voices.2m")] = 1
                if label == "threat":
                    row[COLUMNS.index("chat.threat_peak.60s")] = 0.5 + 0.4 * weight
                row[COLUMNS.index("picture.still.30m")] = still
                rows.append(row)
    return np.array(rows)


def sharpen(p, x, level, silent):
    """Shifts f0, f1, f2 so that `[levels]` are usable: what the logistic answers at .5 / .8 / .95 is set by false raises on stories kept for this."""
    z = net.sums(p, x)
    sigma = lambda v: 1 / (1 + np.exp(-v))
    shift = np.zeros(3)
    # concern: no more than 1 in 10,000 moments of silent stories at .5, 1 in 50 at .25 (watch).
    need = max(np.quantile(z[silent, 0], 0.9999), np.quantile(z[silent, 0], 0.98) + np.log(3))
    shift[0] = -need
    concern = sigma(z[:, 0] + shift[0])
    for k, threshold, below in ((1, 0.8, 3), (2, 0.95, 4)):
        base = concern if k == 1 else concern * sigma(z[:, 1] + shift[1])
        # The largest shift at which few moments of the stage below, and hardly any of silent stories, reach the threshold.
        for s in np.arange(4, -8, -0.1):
            up = base * sigma(z[:, k] + s) >= threshold
            if up[level == below - 1].mean() <= 0.1 and up[level < below - 1].mean() <= 0.01 and up[silent].mean() <= 5e-5:
                break
        shift[k] = s
    p = dict(p)
    p["c"] = p["c"] + np.array([*shift, 0], np.float32)
    return p, shift


def rows(path):
    """Rows to learn from and rows to set thresholds on, each (signals, level, imminent, family)."""
    if path is None or not path.exists():
        sets = [data.rows(list(FAMILIES), range(TAUGHT)), data.rows(list(FAMILIES), range(10_000, 10_000 + KEPT))]
        if path is None:
            return [part[:4] for part in sets]
        np.savez_compressed(path, **{f"{k}{i}": a for k, part in enumerate(sets) for i, a in enumerate(part[:4])})
    kept = np.load(path)
    return [[kept[f"{k}{i}"] for i in range(4)] for k in (0, 1)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=Path)
    began = time.time()
    (x, level, imminent, family), (xv, lv, _, fv) = rows(parser.parse_args().rows)
    print(f"{len(x)} moments of {TAUGHT * len(FAMILIES)} stories, {time.time() - began:.0f} s")
    silent_names = [i for i, f in enumerate(FAMILIES) if FAMILIES[f] in SILENT]
    # Silent moments are many and alike: every second one, with twice the weight.
    silent = np.isin(family, silent_names)
    thin = ~silent | (np.arange(len(x)) % 2 == 0)
    x, level, imminent, silent = x[thin], level[thin], imminent[thin], silent[thin]
    weight = np.where(silent, 6.0, 1.0).astype(np.float32)
    one = single_messages()
    xt = np.concatenate([x, one])
    tt = np.concatenate([targets(level, imminent), np.tile(np.float32([0.2, 0, 0, 0]), (len(one), 1))])
    p = net.train(xt, tt, np.concatenate([weight, np.full(len(one), 40, np.float32)]))
    print(f"trained, {time.time() - began:.0f} s")
    p, shift = sharpen(p, xv, lv, np.isin(fv, silent_names))
    print("shifts of the logits:", shift.round(2), "single messages at most:", net.probabilities(p, one)[:, 0].max().round(3))
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "escalation.onnx"
    path.write_bytes(net.graph(p).SerializeToString())
    check(path, p, x[:512])
    update_entry({
        "name": "escalation", "version": "0.2.0", "kind": "tabular", "file": "escalation/escalation.onnx",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "licence": "Apache-2.0", "card": "escalation/README.md",
        "inputs": [{"name": "signals", "type": "f32", "shape": ["batch", len(COLUMNS)], "columns": list(COLUMNS)}],
        "outputs": [{"name": "scores", "type": "f32", "shape": ["batch", 4], "labels": ["concern", "danger", "threat_to_life", "imminent"]}],
    })
    print(f"wrote {path} ({path.stat().st_size} bytes), {time.time() - began:.0f} s")


def check(path, p, x):
    """The graph says what the network says; a row's answer does not depend on its batch; raising signals lowers no bit."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options)
    run = lambda rows: session.run(None, {"signals": rows})[0]
    whole = run(x)
    gap = np.abs(whole - net.probabilities(p, x)).max()
    assert gap < 0.02, gap
    for size in (2, 4, 8, 16, 32, 64):
        assert (run(x[:size]) == whole[:size]).all(), size
    rng = np.random.default_rng(1)
    for _ in range(200):
        more = x * rng.choice([1, 1, 1.001, 1.5, 4], x.shape).astype(np.float32)
        more += (rng.random(x.shape) < 0.05) * rng.exponential(1, x.shape).astype(np.float32)
        assert (run(more) >= whole).all()
    wild = run(np.float32([[1e30] * x.shape[1], [0] * x.shape[1]]))
    assert np.isfinite(wild).all() and (wild[:, :3] <= 1).all() and (np.diff(wild[:, :3]) <= 0).all()
    print(f"graph checked: straight-line logistic within {gap:.3f}, batches of 2 to 64 equal bit for bit, monotone in {200 * len(x)} pairs")


if __name__ == "__main__":
    main()
