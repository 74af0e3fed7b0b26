"""Makes the stage between: one narrow layer over the last stage's pieces, taught what the last stage says, so that it may drop what the n-grams cannot.

Its ninth column, `again`, is how likely the last stage raises anything: the drop rule's own.
"""

from pathlib import Path

import numpy as np
import onnx

import cascade
import encoder
import fit
import graph
import report
import second
from corpus import LABELS
from export import session

AGAIN = "again"
WIDTH, INNER, HEAD = 96, 192, 64
EPOCHS, RATE, SEED = 4, 2e-3, 3
TOKENS = 16384
# What a row weighs: what is dropped most is real chat.
REAL, WRITTEN = 3.0, 0.5


def widened(p, rng):
    """One more output column."""
    more = lambda w: np.concatenate([w, 0.1 * rng.normal(0, 1, (*w.shape[:-1], 1)).astype(np.float32)], -1)
    return p | {name: more(p[name]) for name in ("w2", "w4", "b", "w6", "b6")}


def init(pieces, seed=SEED):
    rng = np.random.default_rng(seed)
    n = lambda *shape: (rng.normal(0, 1, shape) / np.sqrt(shape[0])).astype(np.float32)
    one, nought = lambda k: np.ones(k, np.float32), lambda k: np.zeros(k, np.float32)
    p = {"table": rng.normal(0, 0.3, (pieces, WIDTH)).astype(np.float32), "place": rng.normal(0, 0.05, (encoder.LIMIT, WIDTH)).astype(np.float32),
         "g": one(WIDTH), "o": nought(WIDTH), "w1": n(2 * WIDTH + 5, HEAD), "b1": nought(HEAD), "w2": n(HEAD, 9), "w4": np.zeros((5, 9), np.float32),
         "b": np.full(9, -3.0, np.float32), "w6": 0.1 * n(HEAD, 9), "b6": np.full(9, -2.0, np.float32)}
    return p | {"0.qkv": n(WIDTH, 3 * WIDTH), "0.qkvb": nought(3 * WIDTH), "0.a": n(WIDTH, WIDTH), "0.ab": nought(WIDTH), "0.ag": one(WIDTH), "0.ao": nought(WIDTH),
                "0.i": n(WIDTH, INNER), "0.ib": nought(INNER), "0.f": n(INNER, WIDTH), "0.fb": nought(WIDTH), "0.fg": one(WIDTH), "0.fo": nought(WIDTH)}


def dropped(z, drop, points):
    """Which rows the stage drops: those below the limits that it does not raise itself."""
    columns = [*LABELS, AGAIN]
    score = report.sigmoid(z / encoder.SOFTEN)
    below = np.all([score[:, columns.index(label)] < limit for label, limit in drop.items()], axis=0)
    return below & (cascade.apply(z[:, :8], points, encoder.SOFTEN) < 0.5).all(1)


class Middle:
    """`said`: what the last stage says of each row, calibrated [rows, 8]."""

    def __init__(self, run, vocabulary, said, path, log, epochs=EPOCHS):
        self.vocabulary = vocabulary
        source, _, _ = report.masks(run.rows)
        written = np.isin(source, ["hand", "corpus"])
        weight = np.where(written, WRITTEN, np.where(np.isin(source, list(cascade.NAMES)), REAL, 1.0)).astype(np.float32)
        y = np.concatenate([said, said.max(1, keepdims=True) >= 0.5], 1).astype(np.float32)
        heed = np.ones_like(y)
        heed[:, 8] = 2.0
        free = run.context.copy()
        free[:, 0] = 0
        cut = {i: vocabulary.of(run.tokens[i], encoder.LIMIT) for i in run.pupil}

        def draw(epoch, params):
            return run.pupil, [cut[i] for i in run.pupil]

        take = lambda rows: (free[rows], y[rows], heed[rows], weight[rows])
        p = fit.fit(init(vocabulary.end), draw, take, epochs, RATE, SEED, log=log, tokens=TOKENS, fast=())
        p["table"], p["table_scale"] = report.quantise(p["table"])
        self.params = p
        self.finish(run, path, log)

    @classmethod
    def of(cls, params, vocabulary, run, path, log):
        """From kept parameters."""
        self = cls.__new__(cls)
        self.params, self.vocabulary = params, vocabulary
        self.finish(run, path, log)
        return self

    def finish(self, run, path, log):
        """Measures the ranges on training texts, writes the graph."""
        some = np.random.default_rng(SEED).choice(run.train, 4096, replace=False)
        cut = [self.vocabulary.of(run.tokens[i], encoder.LIMIT) for i in some]
        onnx.save(graph.graph(self.params, graph.ranges(self.params, cut, np.arange(len(cut)), log)), str(path))
        self.session = session(Path(path))

    def read(self, tokens, context):
        """Logits [rows, 9] as the written graph gives them."""
        return second.read(self.session, [self.vocabulary.of(tok, encoder.LIMIT) for tok in tokens], context)
