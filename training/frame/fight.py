"""The judge of a fight: a linear model over what the moving part shows and how it changes, and, where a look moves, a radial
kernel machine over that and its surroundings.

In: what is judged of a look, f32 [n,5760]: the descriptors of `look.describe`, then how far the means of the moving part lie from
those of the whole pictures; labels and weights. Out: a `Fight` and its nodes in the graph. A single picture has neither motion
nor surroundings: the linear model alone judges it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from backbone import POOLED
from look import WIDTH, scaled

COMPONENTS = 256  # principal components of each of the two parts
SURROUNDINGS = 0.7  # how much the second part counts
STRENGTH = 1e-4  # scikit-learn's C of the linear model
MARKS = 1500  # looks of training that the kernel compares with (Nyström's method: Williams and Seeger 2001)
BREADTH = 0.5  # of the kernel's exponent, over the components' summed variance
RIDGE = 1.0
SHARE = 3.5  # of the machine beside the linear model: twice its weight, by the deviations of logits on unseen looks


def seen(described, whole):
    """f32 [n,5760] of the descriptors and of the whole pictures' mean features [n,1280]."""
    return np.concatenate([described, described[:, :POOLED] - np.sqrt(np.maximum(whole, 0))], 1)


@dataclass
class Kernel:
    center: np.ndarray  # f32 [5760]
    scale: np.ndarray  # f32 [5760], in units of the kernel's breadth
    parts: tuple  # [256,4480] and [256,1280], values of float16
    marks: np.ndarray  # [marks,512], values of float16
    weight: np.ndarray  # f32 [marks]

    def logits(self, x):
        return near(components((x - self.center) * self.scale, self.parts), self.marks) @ self.weight

    def nodes(self, g, x):
        """The logit [batch,1] of x [batch,5760]."""
        # The batch stands on the right of each matrix product, so that every row is a product of its own.
        last = g.const([2], np.int64)
        standard = g.node("Mul", g.node("Sub", x, g.const(self.center[None])), g.const(self.scale[None]))
        place = []
        for start, part in zip((0, WIDTH), self.parts):
            own = g.node("Unsqueeze", g.cut(standard, 1, start, start + part.shape[1]), last)
            place.append(g.node("MatMul", g.half(part), own))
        place = g.node("Concat", *place, axis=1)
        both = g.node("Mul", g.const(2.0), g.node("MatMul", g.half(self.marks), place))
        size = g.node("Add", g.sum(g.node("Mul", place, place), 1, keep=1), g.const((self.marks**2).sum(1)[:, None]))
        close = g.node("Exp", g.node("Neg", g.node("Max", g.node("Sub", size, both), g.const(0.0))))
        return g.sum(g.node("Mul", close, g.const(self.weight[:, None])), 1)


@dataclass
class Fight:
    weight: np.ndarray  # f32 [4480]
    bias: float
    kernel: Kernel  # its logit is added where a look moves
    several: tuple = (1.0, 0.0)  # slope and offset of the calibrated logit, of looks of several pictures
    single: tuple = (1.0, 0.0)  # of single pictures

    def logits(self, x, alone):
        linear = x[:, :WIDTH] @ self.weight + self.bias
        return np.where(alone, _line(self.single, linear), _line(self.several, linear + self.kernel.logits(x)))

    def nodes(self, g, x, alone):
        """The logit [batch,1] of x [batch,5760]; `alone` [batch,1] is 1 for a single picture, else 0."""
        linear = g.linear(g.cut(x, 1, 0, WIDTH), self.weight, self.bias)
        line = lambda pair, value: g.node("Add", g.node("Mul", value, g.const(pair[0])), g.const(pair[1]))
        several = line(self.several, g.node("Add", linear, self.kernel.nodes(g, x)))
        several = g.node("Mul", several, g.node("Sub", g.const(1.0), alone))
        return g.node("Add", several, g.node("Mul", line(self.single, linear), alone))


def _line(pair, value):
    return pair[0] * value + pair[1]


def near(a, marks):
    """exp(-d²) of every row to every mark, f32 [n,marks]."""
    away = (a**2).sum(1)[:, None] - 2 * a @ marks.T + (marks**2).sum(1)
    return np.exp(-np.maximum(away, 0))


def _half(values):
    return values.astype(np.float16).astype(np.float32)


def components(standard, parts):
    """f32 [n,512] of standardised looks."""
    return np.concatenate([standard[:, :WIDTH] @ parts[0].T, standard[:, WIDTH:] @ parts[1].T], 1)


def reduced(x, weight):
    """(centre, scale, parts, components [n,512]) of what is judged."""
    center, scale = (np.concatenate(both) for both in zip(scaled(x[:, :WIDTH], weight), scaled(x[:, WIDTH:], weight)))
    scale[WIDTH:] *= SURROUNDINGS
    standard = (x - center) * scale
    parts = tuple(
        _half(PCA(COMPONENTS, svd_solver="randomized", iterated_power=1, random_state=0).fit(own).components_)
        for own in (standard[:, :WIDTH], standard[:, WIDTH:])
    )
    return center, scale, parts, components(standard, parts)


def logistic(z, label, weight, strength=STRENGTH):
    """(coefficients, offset) of weighted ridge logistic regression."""
    model = LogisticRegression(C=strength, max_iter=150, tol=1e-3)
    model.fit(z, label, sample_weight=(weight / weight.mean()).astype(np.float32))
    return model.coef_[0], float(model.intercept_[0])


def machine(z, label, weight):
    """(marks, weights, offset) of a kernel ridge machine over components in units of the kernel's breadth."""
    w = weight / weight.mean()
    marks = _half(z[np.random.default_rng(0).permutation(len(z))[:MARKS]])
    sign = 2.0 * label - 1
    base = float(w @ sign / w.sum())
    close, own = near(z, marks).astype(np.float64), near(marks, marks).astype(np.float64)
    system = (close * w[:, None]).T @ close + RIDGE * own
    system[np.diag_indices_from(system)] += 1e-3 * RIDGE
    return marks, cho_solve(cho_factor(system), close.T @ (w * (sign - base))).astype(np.float32), base


def fit(x, label, weight, alone):
    """A `Fight`; `alone` tells the looks of a single picture."""
    center, scale, parts, z = reduced(x, weight)
    moves = ~alone
    unit = np.float32(np.sqrt(BREADTH / z[moves].var(0).sum()))
    marks, told, _ = machine(z[moves] * unit, label[moves], weight[moves])
    kernel = Kernel(center, scale * unit, parts, marks, np.float32(SHARE) * told)
    coefficients, bias = logistic(z[:, :COMPONENTS], label, weight)
    raw = coefficients @ parts[0] * scale[:WIDTH]
    return Fight(raw.astype(np.float32), float(bias - center[:WIDTH] @ raw), kernel)
