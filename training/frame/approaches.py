"""Measures truly different ways to tell a fight on cameras that were not seen, by the same folds of sources, for the card.

In: the table of `train.py`. Out: for each approach the AUC on `fight_clips` with its 95 % interval by source video. All see
the same looks of clips, whole ones, with the same weights; what differs is what of a look they read and how they decide.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.svm import SVC

import evaluate
import look
from backbone import POOLED


def _linear(columns):
    def fit(x, label, weight):
        own = x[:, columns]
        head = look.fit(own, label, weight)
        return lambda other: head.logits(other[:, columns])

    return fit


def _reduced(x, weight, count=256):
    center, scale = look.scaled(x, weight)
    pca = PCA(count, svd_solver="randomized", random_state=0).fit((x - center) * scale)
    return lambda other: pca.transform((other - center) * scale)


def _kernel(x, label, weight):
    reduce = _reduced(x, weight)
    near = reduce(x)
    width = 0.5 / near.var(0).sum()
    model = SVC(C=10, gamma=width).fit(near, label, sample_weight=weight / weight.mean())
    return lambda other: model.decision_function(reduce(other))


def _trees(x, label, weight):
    reduce = _reduced(x, weight, 64)
    model = ExtraTreesClassifier(150, min_samples_leaf=3, random_state=0).fit(reduce(x), label, sample_weight=weight)
    return lambda other: model.predict_proba(reduce(other))[:, 1]


def _amount(x, label, weight):
    return lambda other: other[:, 2 * POOLED : 3 * POOLED].sum(1)


MOVING = {
    "how much its moving part changes, alone": _amount,
    "moving part, what it shows: linear": _linear(np.r_[0:POOLED]),
    "moving part, how it differs and changes: linear": _linear(np.r_[POOLED : look.WIDTH]),
    "moving part, all descriptors: linear (shipped)": _linear(np.r_[0 : look.WIDTH]),
    "moving part, all: support vectors, RBF kernel on 256 components": _kernel,
    "moving part, all: 150 random trees on 64 components": _trees,
}


def measure(table, whole, place="cctv"):
    """{approach: (AUC, low, high)} on the plain looks of `place`; `whole` f32 [n,1280] is of whole pictures."""
    groups, index = np.unique(table.group, return_inverse=True)
    fold = (np.random.default_rng(1).permutation(len(groups)) % evaluate.FOLDS)[index]
    test = table.usable & (table.variant == "plain") & (table.place == place)
    weight = evaluate.weights(table, table.usable & table.clip & np.isin(table.variant, ["plain", "handled"]))
    approaches = {"whole picture: linear": (_linear(np.r_[0:POOLED]), np.sqrt(np.maximum(whole, 0)))}
    approaches |= {name: (fit, table.described) for name, fit in MOVING.items()}
    told = {}
    for name, (fit, x) in approaches.items():
        score = np.full(len(index), np.nan)
        for k in range(evaluate.FOLDS):
            train, rows = (weight > 0) & (fold != k), test & (fold == k)
            if rows.any():
                score[rows] = fit(x[train], table.label[train], weight[train])(x[rows])
        told[name] = evaluate.interval(evaluate.auc(table.label[test], score[test]), table.group[test])
    return told
