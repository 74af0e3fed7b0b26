"""The monotone network, its training (JAX) and its graph (ONNX).

Each signal passes steps `clip((x - a) / (b - a), 0, 1)` between fixed knots; the steps feed two hidden layers whose weights are never
negative and whose units are ramps, free above or clipped at 1 (so that they can express *and* and *or*); four sums f go out:
concern = p(f0), danger = concern * p(f1), threat_to_life = danger * p(f2), imminent = concern * p(f3), p the logistic function, drawn with
straight lines. Every operation is one that rounding leaves monotone (sums, products with factors >= 0, min, max, in a fixed order), so
that raising a signal lowers no output by a single bit, and danger <= concern, threat_to_life <= danger for every input.
"""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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
HIDDEN = (32, 16)


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


def steps(x):
    return np.clip((x[:, PICK] - LOW) * SCALE, 0, 1).astype(np.float32)


def init(seed):
    rng = np.random.default_rng(seed)
    sizes = [len(STEPS), *HIDDEN]
    p = {}
    for k, (n, m) in enumerate(zip(sizes, sizes[1:])):
        p[f"w{k}"] = (rng.random((n, m)) < (0.15 if k == 0 else 0.6)) * rng.exponential(0.25 if k == 0 else 0.3, (n, m))
        p[f"b{k}"] = rng.uniform(-1.5, 0.1, m)
    p["v"] = rng.exponential(0.2, (len(STEPS), 4)) * (rng.random((len(STEPS), 4)) < 0.1)
    p["u0"] = rng.exponential(0.3, (HIDDEN[0], 4))
    p["u1"] = rng.exponential(0.3, (HIDDEN[1], 4))
    p["c"] = np.array([-4.0, -2.5, -2.5, -3.0])
    return {k: jnp.asarray(v, jnp.float32) for k, v in p.items()}


def ramp(z):
    half = z.shape[1] // 2
    return jnp.concatenate([jnp.maximum(z[:, :half], 0), jnp.clip(z[:, half:], 0, 1)], 1)


def forward(p, f):
    h0 = ramp(f @ p["w0"] + p["b0"])
    h1 = ramp(h0 @ p["w1"] + p["b1"])
    return f @ p["v"] + h0 @ p["u0"] + h1 @ p["u1"] + p["c"]


def log_probabilities(z):
    s = jax.nn.log_sigmoid(z)
    concern = s[:, 0]
    danger = concern + s[:, 1]
    return jnp.stack([concern, danger, danger + s[:, 2], concern + s[:, 3]], 1)


def loss(p, f, target, weight, l1):
    lp = jnp.minimum(log_probabilities(forward(p, f)), -1e-6)
    bits = -(target * lp + (1 - target) * jnp.log1p(-jnp.exp(lp)))
    price = sum(jnp.sum(p[k]) for k in ("w0", "w1", "v", "u0", "u1"))
    return jnp.mean(weight * bits.sum(1)) + l1 * price


def train(x, target, weight, seed, epochs=60, rate=4e-3, l1=2e-6, batch=1024, log=print):
    f = steps(x)
    p, rng = init(seed), np.random.default_rng(seed)
    m = {k: jnp.zeros_like(v) for k, v in p.items()}
    s = {k: jnp.zeros_like(v) for k, v in p.items()}

    @jax.jit
    def step(p, m, s, n, lr, f, t, w):
        value, g = jax.value_and_grad(loss)(p, f, t, w, l1)
        m = {k: 0.9 * m[k] + 0.1 * g[k] for k in p}
        s = {k: 0.999 * s[k] + 0.001 * g[k] ** 2 for k in p}
        q = {k: p[k] - lr * (m[k] / (1 - 0.9**n)) / (jnp.sqrt(s[k] / (1 - 0.999**n)) + 1e-8) for k in p}
        return {k: v if k in ("b0", "b1", "c") else jnp.maximum(v, 0) for k, v in q.items()}, m, s, value

    n, total = 0, epochs * (len(f) // batch)
    for epoch in range(epochs):
        order, values = rng.permutation(len(f)), []
        for k in range(0, len(f) - batch + 1, batch):
            rows = order[k : k + batch]
            n += 1
            lr = rate * min(1, n / 200) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * n / total)))
            p, m, s, value = step(p, m, s, n, lr, f[rows], target[rows], weight[rows])
            values.append(float(value))
        if epoch % 10 == 9:
            log(f"epoch {epoch + 1}: loss {np.mean(values):.4f}")
    return {k: np.asarray(v) for k, v in p.items()}


def sums(p, x):
    return np.asarray(forward({k: jnp.asarray(v) for k, v in p.items()}, steps(x)))


def probabilities(p, x):
    return np.exp(np.asarray(log_probabilities(jnp.asarray(sums(p, x)))))


# -- the graph --------------------------------------------------------------------------------------------------------------------
LOGIT_KNOTS = np.concatenate([np.arange(-10, -4, 0.5), np.arange(-4, 4, 0.25), np.arange(4, 10.01, 0.5)]).astype(np.float32)


def graph(p):
    nodes, consts = [], []

    def const(name, value):
        consts.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(op, ins, out, **attributes):
        nodes.append(helper.make_node(op, ins, [out], **attributes))
        return out

    zero, one = const("zero", np.float32(0)), const("one", np.float32(1))
    x = node("Gather", ["signals", const("pick", PICK.astype(np.int64))], "picked", axis=1)
    x = node("Sub", [x, const("low", LOW)], "above")
    x = node("Mul", [x, const("scale", SCALE)], "scaled")
    f = node("Clip", [x, zero, one], "steps")

    def layer(source, k, width):
        z = node("Add", [node("MatMul", [source, const(f"w{k}", p[f"w{k}"])], f"z{k}"), const(f"b{k}", p[f"b{k}"])], f"zb{k}")
        # Free ramps first, then those clipped at 1.
        tops = np.where(np.arange(width) < width // 2, np.float32(3e38), np.float32(1)).astype(np.float32)
        return node("Min", [node("Max", [z, zero], f"r{k}"), const(f"top{k}", tops)], f"h{k}")

    h0 = layer(f, 0, HIDDEN[0])
    h1 = layer(h0, 1, HIDDEN[1])
    parts = [node("MatMul", [source, const(name, p[name])], f"part_{name}") for source, name in ((f, "v"), (h0, "u0"), (h1, "u1"))]
    z = node("Add", [node("Add", [parts[0], parts[1]], "part01"), parts[2]], "parts")
    z = node("Add", [z, const("c", p["c"])], "logits")
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
