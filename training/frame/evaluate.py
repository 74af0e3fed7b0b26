"""Measures the look head on sources that it was not trained on, and calibrates it.

In: looks with labels, places and groups. Out: out-of-fold and leave-one-place-out logits, tables of AUC, recall and
false positives with 95 % intervals (bootstrap by source), the points of the calibration map.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import fight

FOLDS = 10
# Share of each place and class in training. Classes of one place weigh alike or lean to calm, so that the kind of
# place does not tell; stills and games that hold no violence push against faces, embraces, sleepers and sport.
BUDGET = {
    ("cctv", 1): 1.0, ("cctv", 0): 2.0, ("street_cctv", 1): 0.6, ("street_cctv", 0): 1.2, ("crowds", 1): 0.6,
    ("crowds", 0): 0.8, ("hockey", 1): 0.5, ("hockey", 0): 0.6, ("mixed", 1): 0.6, ("mixed", 0): 0.6,
    ("stills", 1): 1.5, ("stills", 0): 0.6, ("sports", 0): 1.5, ("innocent", 0): 1.0, ("webcam", 0): 0.6,
    ("falls", 0): 0.4, ("games", 0): 0.6,
}  # fmt: skip
FALSE = 0.05  # share of sport and innocent pictures that may score 0.5 or more


def weights(table, mask):
    """Weight of each look: its place's budget, shared among groups by the root of their size and by trust."""
    out = np.zeros(len(table.label))
    for (place, label), budget in BUDGET.items():
        rows = mask & (table.place == place) & (table.label == label)
        if rows.any():
            _, group, size = np.unique(table.group[rows], return_inverse=True, return_counts=True)
            share = table.trust[rows] / np.sqrt(size[group])
            out[rows] = budget * share / share.sum()
    return out


def fitted(table, mask):
    """A `fight.Fight` of the looks of `mask`."""
    weight = weights(table, mask)
    used = weight > 0
    return fight.fit(table.seen[used], table.label[used], weight[used], table.alone[used])


def folds(table, seed=1):
    """The fold of each look: FOLDS of groups."""
    groups, index = np.unique(table.group, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(groups)) % FOLDS)[index]


def out_of_fold(table, usable):
    """Logit of each look by a head that saw nothing of its group."""
    fold = folds(table)
    logit = np.full(len(fold), np.nan)
    for k in range(FOLDS):
        rows = fold == k
        logit[rows] = fitted(table, usable & ~rows).logits(table.seen[rows], table.alone[rows])
    return logit


def left_out(table, usable, place):
    """Logit of each look of `place` by a head that saw nothing of that place."""
    rows = table.place == place
    return fitted(table, usable & ~rows).logits(table.seen[rows], table.alone[rows])


def platt(logit, label, weight):
    """(slope, offset) of the calibrated logit on the given mix."""
    model = LogisticRegression(C=1e4).fit(logit[:, None], label, sample_weight=weight / weight.mean())
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def decision(logit, table, rows, slope, offset):
    """The offset that puts 0.5 where at most FALSE of sport and innocent looks score so, if that is stricter."""
    strict = np.mean([np.quantile(logit[rows & (table.place == place)], 1 - FALSE) for place in ("sports", "innocent")])
    return min(offset, -slope * float(strict))


def points(slope, offset):
    """Piecewise-linear map from the graph's score to the probability, non-decreasing, from 0 to 1."""
    x = 1 / (1 + np.exp(-np.concatenate([[-9.0, -7.0], np.linspace(-6, 6, 25), [7.0, 9.0]])))
    x = np.concatenate([[0.0], x, [1.0]]).round(6)
    inner = np.log(np.clip(x, 1e-6, 1 - 1e-6) / (1 - np.clip(x, 1e-6, 1 - 1e-6)))
    y = 1 / (1 + np.exp(-(slope * inner + offset)))
    y[0], y[-1] = 0.0, 1.0
    return np.stack([x, np.maximum.accumulate(y.round(4))], 1)


def reliability(score, label, weight, bins=10):
    """[(mean score, share of positives, share of the mix, looks)] of each tenth of the scale, and the expected
    calibration error: the mean distance between the first two, weighed by the third."""
    place = np.minimum((score * bins).astype(int), bins - 1)
    told = []
    for k in range(bins):
        rows = place == k
        if weight[rows].sum() > 0:
            w = weight[rows] / weight[rows].sum()
            told.append((float(w @ score[rows]), float(w @ label[rows]), float(weight[rows].sum() / weight.sum()), int(rows.sum())))
    return told, float(sum(share * abs(mean - positive) for mean, positive, share, _ in told))


def apply(curve, logit):
    return np.interp(1 / (1 + np.exp(-logit.astype(np.float64))), curve[:, 0], curve[:, 1])


def interval(measure, group, seed=5, rounds=500):
    """The measure on all rows and its 95 % bootstrap interval by group; rounds without both classes are skipped."""
    groups, index = np.unique(group, return_inverse=True)
    rows = [np.flatnonzero(index == k) for k in range(len(groups))]
    rng, values = np.random.default_rng(seed), []
    for _ in range(rounds):
        chosen = np.concatenate([rows[k] for k in rng.integers(0, len(groups), len(groups))])
        value = measure(chosen)
        if value is not None:
            values.append(value)
    low, high = np.percentile(values, [2.5, 97.5])
    value = measure(np.arange(len(index)))
    if low == high == 0.0:  # nothing happened in any source: the exact bound for so many sources
        high = 1 - 0.025 ** (1 / len(groups))
    return value, low, high


def auc(label, score):
    def measure(rows):
        return roc_auc_score(label[rows], score[rows]) if 0 < label[rows].sum() < len(rows) else None

    return measure


def share(hit):
    return lambda rows: float(hit[rows].mean())
