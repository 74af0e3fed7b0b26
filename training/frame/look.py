"""The head that judges a look: what its moving part shows on average, how much it differs, how fast it changes and where.

In: features f32 [n,8,16960] (six rows of the moving part, two of whole pictures; 1,280 pooled features and 320 maps of
7 x 7 each) and present f32 [n,8]. Out: a linear model over standardised descriptors, fitted by weighted ridge
logistic regression; and the ONNX graph of it and of the heads of `camera.py` and `down.py`.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from backbone import MAPS, PLACES, POOLED

FRAMES = 8  # rows of a look: first MOVING of the moving part, then two whole pictures
MOVING = 6
WIDTH = 3 * POOLED + 2 * MAPS


def describe(features, present):
    """Descriptors f32 [n,4480] of the moving part, square roots; absent rows count for nothing, one row has no change."""
    shown, p = features[:, :MOVING], present[:, :MOVING, None]
    pooled, maps = shown[:, :, :POOLED], shown[:, :, POOLED:]
    count = np.maximum(p.sum(1), 1)
    mean = (pooled * p).sum(1) / count
    deviation = (np.abs(pooled - mean[:, None]) * p).sum(1) / count
    pair = p[:, 1:] * p[:, :-1]
    pairs = np.maximum(pair.sum(1), 1)
    change = (np.abs(pooled[:, 1:] - pooled[:, :-1]) * pair).sum(1) / pairs
    local = np.abs(maps[:, 1:] - maps[:, :-1]) * pair
    local = local.reshape(*local.shape[:2], MAPS, PLACES).mean(3)
    return np.sqrt(np.concatenate([mean, deviation, change, local.sum(1) / pairs, local.max(1)], 1)).astype(np.float32)


def whole(features, present):
    """Mean pooled features f32 [n,1280] of the whole pictures."""
    p = present[:, MOVING:, None]
    return (features[:, MOVING:, :POOLED] * p).sum(1) / np.maximum(p.sum(1), 1)


# --- fitting: what stands below does not change the looks in the cache


@dataclass
class Head:
    """A linear judge of the 1,280 mean features of whole pictures: `camera`, `person_down`."""

    weight: np.ndarray
    bias: float

    def logits(self, described):
        return described @ self.weight + self.bias


BLOCKS = [POOLED] * 3 + [MAPS] * 2


def scaled(described, weight):
    """(centre, scale) that standardise the descriptors."""
    w = (weight / weight.sum()).astype(np.float32)
    center = w @ described
    spread = np.sqrt(np.maximum(w @ described**2 - center**2, 0))
    parts = np.split(spread, np.cumsum(BLOCKS)[:-1]) if len(spread) == WIDTH else [spread]
    scale = 1 / np.concatenate([part + 0.1 * np.median(part) for part in parts])
    return center, scale


def fit(described, label, weight, strength=1e-3):
    """A `Head` by weighted ridge logistic regression on the standardised descriptors; `strength` is scikit-learn's C."""
    center, scale = scaled(described, weight)
    model = LogisticRegression(C=strength, max_iter=150, tol=1e-3)
    model.fit((described - center) * scale, label, sample_weight=(weight / weight.mean()).astype(np.float32))
    raw = model.coef_[0] * scale
    return Head(raw.astype(np.float32), float(model.intercept_[0] - center @ raw))


class _Nodes:
    """The graph under construction."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def const(self, values, kind=np.float32):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(self, op, *inputs, **attributes):
        out = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def cut(self, x, axis, start, end):
        return self.node("Slice", x, *(self.const([v], np.int64) for v in (start, end, axis)))

    def sum(self, x, axis, keep=0):
        return self.node("ReduceSum", x, self.const([axis], np.int64), keepdims=keep)

    def half(self, values):
        """A constant stored as float16, used as float32."""
        return self.node("Cast", self.const(values, np.float16), to=TensorProto.FLOAT)

    def linear(self, x, weight, bias):
        # A product and a sum, not a matrix product, so that a row never depends on how many rows there are.
        total = self.sum(self.node("Mul", x, self.const(weight[None])), 1, keep=1)
        return self.node("Add", total, self.const([bias]))


def build(heads):
    """The ONNX graph: features [batch,8,16960], present [batch,8] -> scores [batch,n], in the order of `heads`: first a
    `fight.Fight`, then linear ones that read the whole pictures alone."""
    g = _Nodes()
    one, zero = g.const(1.0), g.const(0.0)
    there = g.node("Unsqueeze", "present", g.const([2], np.int64))
    near, far = g.cut("features", 1, 0, MOVING), g.cut("features", 1, MOVING, FRAMES)
    p, q = g.cut(there, 1, 0, MOVING), g.cut(there, 1, MOVING, FRAMES)
    pooled, maps = g.cut(near, 2, 0, POOLED), g.cut(near, 2, POOLED, POOLED + MAPS * PLACES)
    count = g.node("Max", g.sum(p, 1), one)
    mean = g.node("Div", g.sum(g.node("Mul", pooled, p), 1), count)
    away = g.node("Abs", g.node("Sub", pooled, g.node("Unsqueeze", mean, g.const([1], np.int64))))
    deviation = g.node("Div", g.sum(g.node("Mul", away, p), 1), count)
    pair = g.node("Mul", g.cut(p, 1, 1, MOVING), g.cut(p, 1, 0, MOVING - 1))
    pairs = g.node("Max", g.sum(pair, 1), one)

    def moved(x):
        change = g.node("Abs", g.node("Sub", g.cut(x, 1, 1, MOVING), g.cut(x, 1, 0, MOVING - 1)))
        return g.node("Mul", change, pair)

    change = g.node("Div", g.sum(moved(pooled), 1), pairs)
    local = g.node("Reshape", moved(maps), g.const([0, MOVING - 1, MAPS, PLACES], np.int64))
    local = g.node("ReduceMean", local, axes=[3], keepdims=0)
    most = g.node("ReduceMax", local, axes=[1], keepdims=0)
    joined = g.node("Concat", mean, deviation, change, g.node("Div", g.sum(local, 1), pairs), most, axis=1)
    # Pooled features are never negative; the maximum keeps the root finite for any other input.
    described = g.node("Sqrt", g.node("Max", joined, zero))
    seen = g.sum(g.node("Mul", g.cut(far, 2, 0, POOLED), q), 1)
    seen = g.node("Div", seen, g.node("Max", g.sum(q, 1), one))
    seen = g.node("Sqrt", g.node("Max", seen, zero))
    alone = g.node("Sub", one, g.node("Min", g.sum(pair, 1), one))
    surroundings = g.node("Sub", g.cut(described, 1, 0, POOLED), seen)
    logits = [heads[0].nodes(g, g.node("Concat", described, surroundings, axis=1), alone)]
    scores = [g.node("Sigmoid", logit) for logit in logits + [g.linear(seen, head.weight, head.bias) for head in heads[1:]]]
    g.nodes.append(helper.make_node("Concat", scores, ["scores"], axis=1))
    graph = helper.make_graph(
        g.nodes,
        "vigie-frame-look",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FRAMES, POOLED + MAPS * PLACES]),
            helper.make_tensor_value_info("present", TensorProto.FLOAT, ["batch", FRAMES]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(heads)])],
        g.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="vigie")
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    return model
