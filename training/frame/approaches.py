"""Measures truly different ways to tell a fight, and a filmed picture, on material that was not seen, for the card.

In: the tables of `train.py` and `camera.py`. Out: for each approach its AUC. All see the same looks with the same weights; what
differs is what of a look they read and how they decide.

    python training/frame/approaches.py     # measures anew what each costs, writes it into the card and draws it against its accuracy
"""

import os
import re
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

import camera
import evaluate
import fight
import look
from backbone import MAPS, PLACES, POOLED
from extract import session
from scatter import scatter

CLIPS = ("cctv", "street_cctv", "crowds", "hockey", "mixed")  # places with looks of both classes that move


def _linear(strength):
    def judge(z, label, weight):
        told, _ = fight.logistic(z, label, weight, strength)
        return lambda other: other @ told

    return judge


def _kernel(z, label, weight):
    unit = np.float32(np.sqrt(fight.BREADTH / z.var(0).sum()))
    marks, told, _ = fight.machine(z * unit, label, weight)
    return lambda other: fight.near(other * unit, marks) @ told


def _trees(z, label, weight):
    model = ExtraTreesClassifier(150, min_samples_leaf=3, random_state=0).fit(z, label, sample_weight=weight)
    return lambda other: model.predict_proba(other)[:, 1]


_shown = lambda z: z[:, : fight.COMPONENTS]
# What is read of a look's components or of its raw numbers, and how it is judged.
FIGHT = {
    "how much the moving part changes, one number": (None, None),
    "whole pictures: linear": ("whole", _linear(3e-4)),
    "moving part: linear": (_shown, _linear(3e-4)),
    "moving part and surroundings: linear": (lambda z: z, _linear(3e-4)),
    "moving part: kernel machine": (_shown, _kernel),
    "moving part and surroundings: kernel machine": (lambda z: z, _kernel),
    "moving part and surroundings: 150 random trees on 64 components": (lambda z: z[:, np.r_[0:32, fight.COMPONENTS : fight.COMPONENTS + 32]], _trees),
}


def _judged(table, whole, train, rows):
    """{approach: logits of `rows`} by models that saw `train`."""
    x, label = table.seen, table.label[train]
    weight = evaluate.weights(table, train)[train]
    center, scale, parts, z = fight.reduced(x[train], weight)
    other = fight.components((x[rows] - center) * scale, parts)
    told = {}
    for name, (read, judge) in FIGHT.items():
        if judge is None:
            told[name] = x[rows, 2 * POOLED : 3 * POOLED].sum(1)
        elif read == "whole":
            spread = whole[train].std(0) + 0.1 * np.median(whole[train].std(0))
            told[name] = judge(whole[train] / spread, label, weight)(whole[rows] / spread)
        else:
            told[name] = judge(read(z), label, weight)(read(other))
    return told


def violence(table, whole, folds):
    """{approach: [(AUC, low, high) on `fight_clips`, unseen source; mean AUC of CLIPS, unseen source; the same, unseen place]}
    on looks that move; `whole` f32 [n,1280] is of whole pictures, `folds` holds the logits of the shipped head."""
    fold, moves = evaluate.folds(table), ~table.alone
    usable, test = table.usable & moves, table.usable & moves & (table.variant == "plain") & np.isin(table.place, CLIPS)
    whole = np.sqrt(np.maximum(whole, 0))
    near, far = ({name: np.full(len(fold), np.nan) for name in FIGHT} for _ in (0, 1))
    cuts = [(near, test & (fold == k), usable & (fold != k)) for k in range(evaluate.FOLDS)]
    cuts += [(far, test & (table.place == place), usable & (table.place != place)) for place in CLIPS]
    for logits, rows, train in cuts:
        for name, told in _judged(table, whole, train, rows).items():
            logits[name][rows] = told
    name = "kernel machine, and a linear model of all looks, stills among them (shipped)"
    near[name], far[name] = folds[""], np.full(len(fold), np.nan)
    for place in CLIPS:
        far[name][table.place == place] = folds[place]

    def auc(logit, place):
        rows = test & (table.place == place)
        return evaluate.interval(evaluate.auc(table.label[rows], logit[rows]), table.group[rows])

    mean = lambda logit: float(np.mean([auc(logit, place)[0] for place in CLIPS]))
    return {name: [auc(near[name], "cctv"), mean(near[name]), mean(far[name])] for name in near}


# Backbone passes that an approach reads of a look of eight pictures: six of the moving part, two of whole pictures.
PASSES = {"whole": 2, "moving part and": 8, "moving part": 6, "how much": 6, "kernel machine, and": 8}
HEAD = "| what is read, and how it is judged | AUC on `fight_clips`, unseen source | mean AUC of five places, unseen source | the same, unseen place |"
COST = " looks/s, models alone, one core |"
ROUNDS = 15


def rates(folder, names):
    """{approach: looks a second}: its backbone passes and its head, one thread, a look at a time, the median of rounds turn by turn.
    Decoding and finding the moving part are not counted: they are the same for all that look at it."""
    rng = np.random.default_rng(5)
    backbone, head = session(folder / "backbone.onnx"), session(folder / "look.onnx")
    pixels = {n: rng.normal(0, 1, (n, 3, 224, 224)).astype(np.float32) for n in set(PASSES.values())}
    shown = {"features": rng.random((1, look.FRAMES, POOLED + MAPS * PLACES)).astype(np.float32), "present": np.ones((1, look.FRAMES), np.float32)}
    z, marks = rng.random((1, 2 * fight.COMPONENTS)).astype(np.float32), rng.random((fight.MARKS, 2 * fight.COMPONENTS)).astype(np.float32)
    trees = ExtraTreesClassifier(150, min_samples_leaf=3, random_state=0).fit(rng.random((4000, 64)), rng.random(4000) < 0.5)

    def judge(name):
        if "shipped" in name:
            return lambda: head.run(None, shown)
        if "kernel" in name:
            return lambda: fight.near(z, marks) @ marks[:, 0]
        return (lambda: trees.predict_proba(z[:, :64])) if "trees" in name else (lambda: z @ z[0])

    took = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            count = next(n for words, n in PASSES.items() if name.startswith(words))
            did = judge(name)
            began = time.perf_counter()
            backbone.run(["features"], {"pixels": pixels[count]})
            did()
            took[name].append(time.perf_counter() - began)
    return {name: 1 / float(np.median(times)) for name, times in took.items()}


def timed(folder):
    """Times each approach of the card's table, writes that into it as a last column, and draws it against the accuracies."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    table = re.search(r"(?m)^\| what is read, and how it is judged \|.*\n(\|.*\n)+", card).group()
    rows = [[cell.strip() for cell in line.strip("|").split("|")][:4] for line in table.splitlines()[2:]]
    rate = rates(folder, [name for name, *_ in rows])
    lines = [HEAD + COST, "| --- " * 5 + "|", *(f"| {' | '.join(row)} | {rate[row[0]]:.1f} |" for row in rows)]
    (folder / "README.md").write_text(card.replace(table, "\n".join(lines) + "\n"), encoding="utf-8")
    points = [(name, rate[name], *(float(value.split()[0]) for value in values)) for name, *values in rows]
    accuracies = ["AUC on fight_clips, unseen source", "mean AUC of five places, unseen source", "mean AUC of five places, unseen place"]
    scatter(points, accuracies, "looks of eight pictures", folder / "approaches.svg")


FILMED = {
    "linear (shipped)": (None, None),
    "linear on 64 components": (64, _linear(1e-2)),
    "kernel machine on 128 components": (128, _kernel),
    "150 random trees on 64 components": (64, _trees),
    "distance from the mean of the filmed, 64 components": (64, "distance"),
}


def filmed(table, shipped):
    """{approach: [mean AUC over unfilmed families left out, lowest]}; `shipped` holds the logits of the shipped head."""
    logits = {name: np.full(len(table.filmed), np.nan) for name in FILMED}
    logits["linear (shipped)"] = shipped
    for rows, used in camera.left_out(table):
        weight = camera.weights(table, used)
        used = weight > 0
        z, other = camera.reduced(table.described[used], table.described[rows])
        for name, (count, judge) in FILMED.items():
            if judge == "distance":
                own = z[table.filmed[used], :count]
                logits[name][rows] = -(((other[:, :count] - own.mean(0)) / own.std(0)) ** 2).sum(1)
            elif judge:
                logits[name][rows] = judge(z[:, :count], table.filmed[used].astype(int), weight[used])(other[:, :count])
    told = {}
    for name, logit in logits.items():
        areas = camera.areas(table, logit)
        told[name] = [float(np.mean(areas)), float(min(areas))]
    return told


if __name__ == "__main__":
    timed(Path(__file__).resolve().parents[2] / "models/frame")
