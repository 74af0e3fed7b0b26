"""The head that judges a look: what its pictures show on average, how much they differ, how fast they change.

In: features f32 [n,8,1280] and present f32 [n,8]. Out: a linear model over three standardised descriptors
(mean, mean absolute deviation, mean absolute change between consecutive pictures), fitted by weighted
logistic regression on principal components; and the ONNX graph of it and of the head of `camera.py`.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

FRAMES, WIDTH = 8, 1280


def describe(features, present):
    """Descriptors f32 [n,3840], square roots; absent pictures count for nothing, one picture has no change."""
    p = present[:, :, None]
    count = np.maximum(p.sum(1), 1)
    mean = (features * p).sum(1) / count
    deviation = (np.abs(features - mean[:, None]) * p).sum(1) / count
    pair = p[:, 1:] * p[:, :-1]
    change = (np.abs(features[:, 1:] - features[:, :-1]) * pair).sum(1) / np.maximum(pair.sum(1), 1)
    return np.sqrt(np.concatenate([mean, deviation, change], 1)).astype(np.float32)


@dataclass
class Head:
    weight: np.ndarray  # [3840] of raw descriptors; `camera` uses the first 1,280 only, the means
    bias: float

    def logits(self, described):
        return described @ self.weight + self.bias

    def scores(self, described):
        return 1 / (1 + np.exp(-self.logits(described)))


def fit(described, label, weight, components=512, strength=3e-4, motion=0.7):
    """A `Head` by weighted ridge logistic regression on `components` principal components of the standardised
    descriptors; deviation and change count `motion` as much as the mean, `strength` is scikit-learn's C."""
    w = (weight / weight.sum()).astype(np.float32)
    center = w @ described
    spread = np.sqrt(np.maximum(w @ described**2 - center**2, 0))
    scale = 1 / (spread + 0.1 * np.median(spread.reshape(3, -1), 1).repeat(WIDTH))
    scale[WIDTH:] *= motion
    standard = (described - center) * scale
    _, _, basis = randomized_svd(standard * np.sqrt(w * len(w))[:, None], components, n_iter=3, random_state=0)
    model = LogisticRegression(C=strength, max_iter=500)
    model.fit(standard @ basis.T, label, sample_weight=weight / weight.mean())
    raw = (model.coef_[0] @ basis) * scale
    return Head(raw.astype(np.float32), float(model.intercept_[0] - center @ raw))


def build(head, camera):
    """The ONNX graph of both heads: features [batch,8,1280], present [batch,8] -> scores [batch,2], violence and camera."""
    nodes, weights = [], []

    def const(name, values, kind=np.float32):
        weights.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(op, inputs, out, **attributes):
        nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out

    one = const("one", 1.0)
    axis1, axis2 = const("axis1", [1], np.int64), const("axis2", [2], np.int64)
    first, second = const("first", [0], np.int64), const("second", [1], np.int64)
    last, end = const("last", [FRAMES - 1], np.int64), const("end", [FRAMES], np.int64)
    p = node("Unsqueeze", ["present", axis2], "p")
    count = node("Max", [node("ReduceSum", [p, axis1], "p_sum", keepdims=0), one], "count")
    shown = node("Mul", ["features", p], "shown")
    mean = node("Div", [node("ReduceSum", [shown, axis1], "f_sum", keepdims=0), count], "mean")
    away = node("Abs", [node("Sub", ["features", node("Unsqueeze", [mean, axis1], "mean1")], "away0")], "away")
    away = node("ReduceSum", [node("Mul", [away, p], "away_shown"), axis1], "away_sum", keepdims=0)
    deviation = node("Div", [away, count], "deviation")
    later = node("Slice", ["features", second, end, axis1], "later")
    earlier = node("Slice", ["features", first, last, axis1], "earlier")
    pair = node("Mul", [node("Slice", [p, second, end, axis1], "p_later"), node("Slice", [p, first, last, axis1], "p_earlier")], "pair")
    pairs = node("Max", [node("ReduceSum", [pair, axis1], "pair_sum", keepdims=0), one], "pairs")
    change = node("Mul", [node("Abs", [node("Sub", [later, earlier], "change0")], "change1"), pair], "change2")
    change = node("Div", [node("ReduceSum", [change, axis1], "change_sum", keepdims=0), pairs], "change")
    joined = node("Concat", [mean, deviation, change], "joined", axis=1)
    # Features are never negative; the maximum keeps the root finite for any other input.
    joined = node("Sqrt", [node("Max", [joined, const("zero", 0.0)], "positive")], "described")
    # A product and a sum, not a matrix product, so that a row never depends on how many rows there are.
    axis_w, width = const("axis_w", [1], np.int64), const("width", [WIDTH], np.int64)
    product = node("Mul", [joined, const("weight", head.weight[None])], "product")
    total = node("ReduceSum", [product, axis_w], "total", keepdims=1)
    violence = node("Sigmoid", [node("Add", [total, const("bias", [head.bias])], "logit")], "violence")
    means = node("Slice", [joined, first, width, axis1], "means")
    product = node("Mul", [means, const("camera_weight", camera.weight[None])], "camera_product")
    total = node("ReduceSum", [product, axis_w], "camera_total", keepdims=1)
    filmed = node("Sigmoid", [node("Add", [total, const("camera_bias", [camera.bias])], "camera_logit")], "camera")
    node("Concat", [violence, filmed], "scores", axis=1)
    graph = helper.make_graph(
        nodes,
        "vigie-frame-look",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FRAMES, WIDTH]),
            helper.make_tensor_value_info("present", TensorProto.FLOAT, ["batch", FRAMES]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="vigie")
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    return model
