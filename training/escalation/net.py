"""The monotone model, its training and its graph (ONNX).

Each signal passes steps `clip((x - a) / (b - a), 0, 1)` between fixed knots. Beside the single steps stand conjunctions, `max(s + t - 1, 0)`
of a step s of one signal and a step t of another: a body that lies still *and* voices that worry. Four sums f with weights >= 0 of
both go out: concern = p(f0), danger = concern * p(f1), threat_to_life = danger * p(f2), imminent = concern * p(f3), p the logistic
function, drawn with straight lines. Every operation is one that rounding leaves monotone (sums, products with factors >= 0, min, max,
in a fixed order), so that raising a signal lowers no output by a single bit, and danger <= concern, threat_to_life <= danger for
every input. Training is a convex problem with one answer: logistic regressions with weights >= 0.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy import sparse

from signals import COLUMNS

COUNT = [0, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 64, 150]
KNOTS = {
    "voices": [0, 1, 2, 3, 4, 6, 8, 12, 20, 32],
    "peak": [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1],
    "eur": [0, 5, 20, 50, 100, 200, 500, 1000, 3000],
    "still": [0, 20, 40, 60, 120, 300, 900, 3600],
    "days": [0, 1, 2, 4, 8, 16, 32, 60],
    "hours": [0, 6, 12, 24, 48, 96, 200, 400],
    "few": [0, 0.2, 0.5, 1, 2, 4],
}


def knots(name):
    stem = name.split(".")[1]
    for key, test in [("voices", stem.endswith("_voices")), ("peak", stem.endswith("_peak")), ("eur", stem.endswith("_eur")),
                      ("still", stem.startswith("still")), ("days", stem.startswith("days")), ("hours", stem.startswith("hours")),
                      ("few", stem in ("measures", "count"))]:
        if test:
            return KNOTS[key]
    return COUNT


STEPS = [(i, a, b) for i, name in enumerate(COLUMNS) for a, b in zip(knots(name), knots(name)[1:])]
PICK = np.array([s[0] for s in STEPS])
LOW = np.array([s[1] for s in STEPS], np.float32)
SCALE = np.array([1 / (s[2] - s[1]) for s in STEPS], np.float32)

# Which signals mean more together than each by itself; the steps of each that are paired (by their upper knot).
TOGETHER = [
    ("picture.still.30m", [40, 120, 900], "chat.distress_voices.2m", [2, 3, 6]),
    ("picture.still.30m", [40, 300], "chat.distress.60s", [1, 2, 4]),
    ("picture.still_after_motion.30m", [20, 60, 300], "chat.distress.60s", [0.5, 1, 2]),
    ("picture.still.30m", [40, 300], "money.acts.24h", [2, 8]),
    ("picture.violence.10m", [2, 4, 8], "chat.distress_voices.2m", [2, 4, 8]),
    ("picture.violence.10m", [2, 4, 8], "chat.incitement_voices.2m", [2, 4]),
    ("picture.violence.10m", [1, 2, 4, 8], "money.acts.10m", [1, 2, 4]),
    ("coupling.violence_after_money.10m", [1, 2, 4, 8], "money.acts.10m", [1, 2, 4]),
    ("coupling.motion_after_money.10m", [1, 2, 4], "money.acts.10m", [1, 2, 4]),
    ("coupling.distress_after_money.24h", [0.5, 1, 4], "chat.distress_voices.2m", [2, 4, 8]),
    ("money.acts.24h", [2, 4, 8, 16], "chat.distress.60s", [1, 2, 4]),
    ("money.acts.24h", [2, 4, 8, 16], "history.days_with_acts.90d", [2, 4, 8, 16]),
    ("money.acts.10m", [1, 2, 4], "history.days_with_acts.90d", [2, 4, 8, 16]),
    ("money.acts.10m", [1, 2, 4], "stream.hours_live.now", [24, 96]),
    ("money.acts.10m", [1, 2, 4], "chat.incitement_voices.2m", [2, 4, 8]),
    ("chat.self_harm.10m", [1, 2, 4], "chat.distress_voices.2m", [2, 4]),
    ("chat.self_harm.10m", [1, 2, 4], "chat.distress.60s", [1, 2]),
    ("chat.self_harm.10m", [0.5, 1, 2], "chat.self_harm_urging_voices.2m", [2, 4]),
    ("chat.self_harm_peak.60s", [0.8, 0.9, 0.95], "chat.self_harm.10m", [1, 2]),
    ("chat.threat_peak.60s", [0.8, 0.9, 0.95], "chat.threat_voices.2m", [2, 3, 4]),
    ("chat.threat_peak.60s", [0.8, 0.9], "chat.threat.60s", [2, 4]),
    ("chat.harassment_voices.2m", [8, 12, 20], "chat.threat_voices.2m", [2, 4, 8]),
    ("chat.harassment_voices.2m", [8, 12, 20], "chat.self_harm_urging_voices.2m", [2, 4, 8]),
    ("notice.count.7d", [0.5], "money.acts.10m", [1, 2]),
    ("notice.count.7d", [0.5], "picture.violence.10m", [2, 4]),
]


def place(name, upper):
    """The step of a signal that ends at this knot."""
    return next(k for k, (i, _, b) in enumerate(STEPS) if COLUMNS[i] == name and b == upper)


PAIRS = np.array([(place(a, p), place(b, q)) for a, ps, b, qs in TOGETHER for p in ps for q in qs])


def steps(x):
    return np.clip((x[:, PICK] - LOW) * SCALE, 0, 1).astype(np.float32)


def features(x):
    """Steps and conjunctions, sparse: of a thousand, some forty are above 0."""
    parts = []
    for rows in np.array_split(x, max(1, len(x) // 4000)):
        s = steps(rows)
        parts.append(sparse.csr_matrix(np.concatenate([s, np.maximum(s[:, PAIRS[:, 0]] + s[:, PAIRS[:, 1]] - 1, 0)], 1)))
    return sparse.vstack(parts, format="csr")


def logistic(f, target, weight, rounds=250, l1=2e-5):
    """Weights >= 0 and a constant that make the weighted likelihood highest, by accelerated projected gradient steps."""
    rng, back = np.random.default_rng(1), f.T.tocsr()
    weight = (weight / weight.sum()).astype(np.float32)
    # The steepest curvature, by power iteration, sets the step.
    v = rng.random(f.shape[1] + 1).astype(np.float32)
    for _ in range(8):
        g = weight * (f @ v[:-1] + v[-1])
        v = np.append(back @ g, g.sum())
        top = np.linalg.norm(v)
        v /= top
    rate = 3.5 / top
    w = y = np.zeros(f.shape[1] + 1, np.float32)
    w[-1] = y[-1] = -3
    t = 1.0
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-(f @ y[:-1] + y[-1])))
        g = weight * (p - target)
        new = y - rate * np.append(back @ g + l1, g.sum())
        new[:-1] = np.maximum(new[:-1], 0)
        new = new.astype(np.float32)
        after = (1 + np.sqrt(1 + 4 * t * t)) / 2
        if (new - w) @ (new - y) > 0:  # it overshot: begin anew from here
            y, t = new, 1.0
        else:
            y, t = (new + (t - 1) / after * (new - w)).astype(np.float32), after
        w = new
    return w


def train(x, target, weight, log=print):
    """Targets [n, 4]: concern (soft), danger, threat to life, imminent. Each is learnt where the one before it holds."""
    f = features(x)
    w = np.zeros((f.shape[1] + 1, 4), np.float32)
    for k, of in ((0, None), (1, 0), (2, 1), (3, 0)):
        # Below the level before, a tenth of the weight: there too it should not answer yes.
        share = np.ones(len(x)) if of is None else np.where(target[:, of] >= 0.9, 1.0, 0.1)
        keep = share * weight > 0
        if of is not None:
            keep &= (share == 1) | (np.arange(len(x)) % 4 == 0)
        keep = np.flatnonzero(keep)
        w[:, k] = logistic(f[keep], target[keep, k], (weight * share)[keep])
        log(f"output {k}: {(w[:-1, k] > 1e-4).sum()} weights")
    n = len(STEPS)
    return {"v": w[:n], "u": w[n:-1], "c": w[-1]}


def sums(p, x):
    f = features(x)
    return f[:, : len(STEPS)] @ p["v"] + f[:, len(STEPS) :] @ p["u"] + p["c"]


def probabilities(p, x):
    s = 1 / (1 + np.exp(-sums(p, x).astype(np.float64)))
    danger = s[:, 0] * s[:, 1]
    return np.stack([s[:, 0], danger, danger * s[:, 2], s[:, 0] * s[:, 3]], 1)


# -- the graph --------------------------------------------------------------------------------------------------------------------
LOGIT_KNOTS = np.concatenate([np.arange(-10, -4, 0.5), np.arange(-4, 4, 0.25), np.arange(4, 10.01, 0.5)]).astype(np.float32)


def picks(columns, which):
    """[columns, picked]: a one where a column is picked."""
    return (np.arange(columns)[:, None] == np.asarray(which)[None]).astype(np.float32)


def graph(p):
    nodes, consts = [], []

    def const(name, value):
        consts.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(op, ins, out, **attributes):
        nodes.append(helper.make_node(op, ins, [out], **attributes))
        return out

    zero, one = const("zero", np.float32(0)), const("one", np.float32(1))
    # Columns are picked by a product with ones and noughts: exact, and far faster than the operator that gathers them.
    # Those of the pairs are picked again, which is cheaper than out of the steps.
    every = np.concatenate([np.arange(len(PICK)), PAIRS[:, 0], PAIRS[:, 1]])
    x = node("MatMul", ["signals", const("pick", picks(len(COLUMNS), PICK[every]))], "picked")
    x = node("Sub", [x, const("low", LOW[every])], "above")
    x = node("Mul", [x, const("scale", SCALE[every])], "scaled")
    x = node("Clip", [x, zero, one], "every")
    sizes = const("sizes", np.array([len(PICK), len(PAIRS), len(PAIRS)], np.int64))
    f, left, right = "steps", "firsts", "seconds"
    nodes.append(helper.make_node("Split", [x, sizes], [f, left, right], axis=1))
    both = node("Max", [node("Sub", [node("Add", [left, right], "added"), one], "beyond"), zero], "together")
    z = node("Add", [node("MatMul", [f, const("v", p["v"])], "part_v"), node("MatMul", [both, const("u", p["u"])], "part_u")], "parts")
    z = node("Add", [z, const("c", p["c"].astype(np.float32))], "logits")
    # The logistic function with straight lines between knots: a constant and steps with weights >= 0.
    a, b = LOGIT_KNOTS[:-1], LOGIT_KNOTS[1:]
    sigma = lambda t: 1 / (1 + np.exp(-t.astype(np.float64)))
    z = node("Unsqueeze", [z, const("axis2", np.array([2], np.int64))], "logits3")
    z = node("Clip", [node("Mul", [node("Sub", [z, const("ka", a)], "ks"), const("kw", (1 / (b - a)).astype(np.float32))], "kr"), zero, one], "kc")
    z = node("MatMul", [z, const("rise", (sigma(b) - sigma(a)).astype(np.float32)[:, None])], "risen")
    z = node("Squeeze", [z, const("axis2b", np.array([2], np.int64))], "risen2")
    s = node("Min", [node("Add", [z, const("floor", np.float32(sigma(a[:1])[0]))], "sigmoid"), one], "parts_p")
    for i, name in enumerate(["s0", "s1", "s2", "s3"]):
        node("Gather", [s, const(f"at{i}", np.array([i], np.int64))], name, axis=1)
    node("Mul", ["s0", "s1"], "danger")
    node("Mul", ["danger", "s2"], "life")
    node("Mul", ["s0", "s3"], "imminent")
    node("Concat", ["s0", "danger", "life", "imminent"], "scores", axis=1)
    signals = helper.make_tensor_value_info("signals", TensorProto.FLOAT, ["batch", len(COLUMNS)])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])
    model = helper.make_model(helper.make_graph(nodes, "escalation", [signals], [scores], consts),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
