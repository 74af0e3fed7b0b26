"""The chat network and its training: hashed ids and context in, eight scores out. Also the word n-gram baseline beside it.

s = sum(g e) / sqrt(1 + sum(g)) over the ids that are not 0, where g is the sigmoid of the table row's first column and e the others
(`fold` multiplies them beforehand, so that what ships only adds rows up);
h = relu(W1 [s, setting]); z = W2 h + W3 s + W4 setting + b + paid * softplus(W5 h + b5): `paid` never lowers a score.
"""

import jax
import jax.numpy as jnp
import numpy as np

LENGTHS = [16, 32, 64, 128, 256, 512]
DROP_IDS = 0.18
jax.config.update("jax_default_prng_impl", "unsafe_rbg")


def init(buckets, dim, hidden, seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(0, 0.1, (buckets, dim + 1)).astype(np.float32)
    table[:, 0] = 0.0
    table[0] = 0.0
    n = lambda *shape: (rng.normal(0, 1, shape) / np.sqrt(shape[0])).astype(np.float32)
    return {"table": table, "w1": n(dim + 5, hidden), "b1": np.zeros(hidden, np.float32), "w2": n(hidden, 8), "w3": n(dim, 8),
            "w4": np.zeros((5, 8), np.float32), "b": np.full(8, -3.0, np.float32), "w5": 0.1 * n(hidden, 8), "b5": np.full(8, -2.0, np.float32)}


def vector(p, ids, key=None):
    """The bag's vector [batch, dim]; with a key, ids and columns are dropped, as in training."""
    m = (ids != 0).astype(jnp.float32)
    if key is not None:
        k1, k2 = jax.random.split(key)
        m = m * jax.random.bernoulli(k1, 1 - DROP_IDS, ids.shape)
    e = p["table"][ids]
    g = jax.nn.sigmoid(e[..., 0]) * m
    s = (g[..., None] * e[..., 1:]).sum(1) / jnp.sqrt(1.0 + g.sum(1))[:, None]
    if key is not None:
        s = s * jax.random.bernoulli(k2, 0.9, (1, s.shape[1])) / 0.9
    return s


def fold(p):
    """The table as g, g e a row: one sum a message is left. Row 0 is 0."""
    g = 1 / (1 + np.exp(-p["table"][:, :1]))
    table = np.concatenate([g, g * p["table"][:, 1:]], 1)
    table[0] = 0
    return p | {"table": table.astype(np.float32)}


def folded_vector(p, ids):
    total = p["table"][ids].sum(1)
    return total[:, 1:] / jnp.sqrt(1.0 + total[:, :1])


def folded_logits(p, ids, context):
    return head(p, folded_vector(p, ids), context)


def logits(p, ids, context, key=None):
    """Logits [batch, 8]."""
    return head(p, vector(p, ids, key), context)


def head(p, s, context):
    setting, paid = context[:, 1:], context[:, :1]
    h = jax.nn.relu(jnp.concatenate([s, setting], 1) @ p["w1"] + p["b1"])
    z = h @ p["w2"] + s @ p["w3"] + setting @ p["w4"] + p["b"]
    return z + paid * jax.nn.softplus(h @ p["w5"] + p["b5"])


def linear_logits(p, ids, context, key=None):
    m = (ids != 0).astype(jnp.float32)
    s = (p["table"][ids] * m[..., None]).sum(1) / jnp.sqrt(1.0 + m.sum(1))[:, None]
    return s + context @ p["w4"] + p["b"]


def batches(ids, limit=128):
    """Lists of (row numbers, padded length): rows of one length bucket together."""
    length = np.array([len(i) for i in ids])
    edge = np.array([n for n in LENGTHS if n <= limit])
    bucket = np.searchsorted(edge, np.minimum(length, limit))
    return bucket, edge


def pack(ids, rows, length):
    out = np.zeros((len(rows), length), np.int32)
    for k, r in enumerate(rows):
        v = ids[r][:length]
        out[k, : len(v)] = v
    return out


def train(ids, context, y, mask, weight, params, forward, epochs, rate, seed, decay=0.0, log=print):
    """Adam with a falling rate; rows are drawn once an epoch, grouped by length."""
    opt = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in params.items()}
    bucket, edge = batches(ids)
    sizes = {b: int(min(1024, 65536 // edge[b])) for b in range(len(edge))}
    total = epochs * sum(int(np.ceil((bucket == b).sum() / sizes[b])) for b in range(len(edge)))

    def loss(p, i, c, t, m, w, key):
        z = forward(p, i, c, key)
        bce = jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return (bce * m * w[:, None]).sum() / w.sum()

    def step(p, o, i, c, t, m, w, key, n, lr):
        value, grad = jax.value_and_grad(loss)(p, i, c, t, m, w, key)
        new_p, new_o = {}, {}
        for k in p:
            m1 = 0.9 * o[k][0] + 0.1 * grad[k]
            m2 = 0.98 * o[k][1] + 0.02 * grad[k] ** 2
            up = (m1 / (1 - 0.9**n)) / (jnp.sqrt(m2 / (1 - 0.98**n)) + 1e-8)
            new_p[k] = p[k] - lr * (up + (decay * p[k] if k in ("table", "w1") else 0.0))
            new_o[k] = (m1, m2)
        return new_p, new_o, value

    step = jax.jit(step, donate_argnums=(0, 1))
    rng = np.random.default_rng(seed)
    key = jax.random.PRNGKey(seed)
    n = 0
    for epoch in range(epochs):
        plan = []
        for b in range(len(edge)):
            rows = np.flatnonzero(bucket == b)
            rng.shuffle(rows)
            plan += [(rows[k : k + sizes[b]], edge[b], sizes[b]) for k in range(0, len(rows), sizes[b])]
        rng.shuffle(plan)
        seen = 0.0
        for rows, length, size in plan:
            n += 1
            short = size - len(rows)
            w = np.concatenate([weight[rows], np.zeros(short, np.float32)]).astype(np.float32)
            full = np.concatenate([rows, np.full(short, rows[0])]) if short else rows
            lr = rate * min(1.0, n / 100) * (0.03 + 0.97 * (1 - n / total))
            key, sub = jax.random.split(key)
            params, opt, value = step(params, opt, pack(ids, full, length), context[full], y[full], mask[full], w, sub, np.float32(n), np.float32(lr))
            seen += float(value)
        log(f"  epoch {epoch + 1}/{epochs} loss {seen / len(plan):.4f}")
    return {k: np.array(v) for k, v in params.items()}


def predict(forward, params, ids, context, width=8):
    """`forward` of all rows, [rows, width]."""
    run = jax.jit(forward)
    out = np.zeros((len(ids), width), np.float32)
    bucket, edge = batches(ids, 512)
    for b in range(len(edge)):
        rows = np.flatnonzero(bucket == b)
        size = int(min(1024, 131072 // edge[b]))
        for k in range(0, len(rows), size):
            part = rows[k : k + size]
            full = np.concatenate([part, np.full(size - len(part), part[0])])
            out[part] = np.asarray(run(params, pack(ids, full, edge[b]), context[full]))[: len(part)]
    return out
