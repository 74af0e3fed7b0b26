"""The second stage's network and its training: pieces, the first stage's vector and the context in, eight scores out.

e is the piece's vector, x = norm(W0 e + b0); twice x += relu(W [x left, x, x right] + b): one branch of the large encoder, from whose weights
these start. v = relu(Wv [sum e / sqrt n, sum x / sqrt n, max x] + bv) is the message's meaning, first taught to point where the large encoder's
vector points; h = relu(W1 [v, s, setting] + b1); z = W2 h + W3 v + W5 s + W4 setting + b + paid * softplus(W6 h + b6), s from the first stage.
"""

import jax
import jax.numpy as jnp
import numpy as np

LENGTHS = [8, 16, 32, 64, 128]
# Padded lengths in training: closer, since most messages are short.
EDGES = [8, 14, 24, 48, 128]
LIMIT = 128
DEEP = 256
HIDDEN = 96
EPSILON = 1e-5
# The graph gives sigmoid(z / SOFTEN), so that sure scores keep their digits.
SOFTEN = 2.0


def init(start, side, seed):
    """`start`: the pieces' vectors and the branch, as `second.first_meanings` takes them from the large encoder."""
    rng = np.random.default_rng(seed)
    d, k = start["table"].shape[1], start["c0"].shape[1]
    n = lambda *shape, gain=1.0: (gain * rng.normal(0, 1, shape) / np.sqrt(shape[0])).astype(np.float32)
    zero = lambda size: np.zeros(size, np.float32)
    return start | {
        "wv": n(d + 2 * k, DEEP, gain=1.2), "bv": zero(DEEP), "u": n(DEEP, 512),
        "w1": n(DEEP + side + 5, HIDDEN), "b1": zero(HIDDEN), "w2": n(HIDDEN, 8), "w3": 0.3 * n(DEEP, 8), "w4": np.zeros((5, 8), np.float32),
        "w5": 0.3 * n(side, 8), "b": np.full(8, -3.0, np.float32), "w6": 0.1 * n(HIDDEN, 8), "b6": np.full(8, -2.0, np.float32),
    }


def meaning(p, pieces, key=None):
    m = (pieces != 0).astype(jnp.float32)[..., None]
    if key is not None:
        # Now and then a piece is not understood.
        pieces = jnp.where((pieces > 2) & jax.random.bernoulli(key, 0.06, pieces.shape), 1, pieces)
    e = p["table"][pieces] * m
    x = e @ p["c0"] + p["d0"]
    x = x - x.mean(-1, keepdims=True)
    x = (x / jnp.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * p["ng"] + p["nb"]) * m
    side = ((0, 0), (1, 1), (0, 0))
    for w, b in (("c1", "d1"), ("c2", "d2")):
        wide = jnp.pad(x, side)
        near = jnp.concatenate([wide[:, :-2], x, wide[:, 2:]], -1)
        x = (x + jax.nn.relu(near @ p[w] + p[b])) * m
    root = jnp.sqrt(m.sum(1))
    top = jnp.where(m > 0, x, -1e4).max(1)
    return jax.nn.relu(jnp.concatenate([e.sum(1) / root, x.sum(1) / root, top], 1) @ p["wv"] + p["bv"])


def logits(p, pieces, side, context, key=None):
    if key is not None:
        key, k1, k2, k3 = jax.random.split(key, 4)
        # The first stage knows its training texts by heart: it is often left out.
        side = side * jax.random.bernoulli(k1, 0.6, (side.shape[0], 1))
    v = meaning(p, pieces, key)
    if key is not None:
        v = v * jax.random.bernoulli(k2, 0.85, v.shape) / 0.85
    setting, paid = context[:, 1:], context[:, :1]
    h = jax.nn.relu(jnp.concatenate([v, side, setting], 1) @ p["w1"] + p["b1"])
    z = h @ p["w2"] + v @ p["w3"] + side @ p["w5"] + setting @ p["w4"] + p["b"]
    return z + paid * jax.nn.softplus(h @ p["w6"] + p["b6"])


def pack(pieces, rows, length):
    out = np.zeros((len(rows), length), np.int32)
    for k, r in enumerate(rows):
        v = pieces[r][:length]
        out[k, : len(v)] = v
    return out


def plan(pieces, rng, tokens=4096, edges=EDGES):
    """Batches of row numbers with their padded length and size, shuffled."""
    length = np.array([len(v) for v in pieces])
    bucket = np.searchsorted(np.array(edges), np.minimum(length, edges[-1]))
    out = []
    for b, edge in enumerate(edges):
        rows = np.flatnonzero(bucket == b)
        rng.shuffle(rows)
        size = min(1024, tokens // edge)
        out += [(rows[k : k + size], edge, size) for k in range(0, len(rows), size)]
    order = rng.permutation(len(out))
    return [out[k] for k in order]


def adam(loss, slow, decay):
    """One step; `slow`: share of the rate for the table, which stays as it is where that is 0."""

    def step(p, o, table, args, key, n, lr):
        fixed = {} if table is None else {"table": table}
        value, grad = jax.value_and_grad(lambda q: loss(q | fixed, *args, key))(p)
        new_p, new_o = {}, {}
        for k in p:
            m1 = 0.9 * o[k][0] + 0.1 * grad[k]
            m2 = 0.98 * o[k][1] + 0.02 * grad[k] ** 2
            up = (m1 / (1 - 0.9**n)) / (jnp.sqrt(m2 / (1 - 0.98**n)) + 1e-8)
            rate = lr * (slow if k == "table" else 1.0)
            new_p[k] = p[k] - rate * up - (lr * decay * p[k] if p[k].ndim == 2 and k != "table" else 0.0)
            new_o[k] = (m1, m2)
        return new_p, new_o, value

    return jax.jit(step, donate_argnums=(0, 1))


def fit(params, loss, pieces_of, arrays, epochs, rate, seed, slow=0.3, decay=0.01, log=print, parts=None):
    """`pieces_of(epoch)` gives the rows' pieces, `arrays(rows)` what else the loss takes of them; padded rows have weight 0."""
    table = None
    if not slow:
        table = jnp.asarray(params["table"])
        params = {k: v for k, v in params.items() if k != "table"}
    opt = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in params.items()}
    step = adam(loss, slow, decay)
    rng = np.random.default_rng(seed)
    key = jax.random.PRNGKey(seed)
    n, total = 0, None
    for epoch in range(epochs):
        pieces = pieces_of(epoch)
        batches = plan(pieces, rng)
        total = total or epochs * len(batches)
        seen = 0.0
        for k, (rows, edge, size) in enumerate(batches):
            n += 1
            short = size - len(rows)
            full = np.concatenate([rows, np.full(short, rows[0])]) if short else rows
            real = np.concatenate([np.ones(len(rows)), np.zeros(short)]).astype(np.float32)
            lr = rate * min(1.0, n / 200) * max(0.02, 1 - n / total)
            key, sub = jax.random.split(key)
            params, opt, value = step(params, opt, table, (pack(pieces, full, edge), real, *arrays(full)), sub, np.float32(n), np.float32(lr))
            seen += float(value)
            if parts and k % parts == parts - 1:
                log(f"    {k + 1} of {len(batches)}: {seen / (k + 1):.4f}")
        log(f"  epoch {epoch + 1}/{epochs} loss {seen / len(batches):.4f}")
    fixed = {} if table is None else {"table": table}
    return {k: np.array(v) for k, v in (params | fixed).items()}


def teach_meaning(p, pieces, real, vectors, key):
    u = meaning(p, pieces, key) @ p["u"]
    u = u / jnp.sqrt((u * u).sum(1, keepdims=True) + 1e-6)
    return ((1 - (u * vectors).sum(1)) * real).sum() / real.sum()


def teach_labels(p, pieces, real, side, context, y, mask, weight, vectors, key):
    k1, k2 = jax.random.split(key)
    z = logits(p, pieces, side, context, k1)
    bce = jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))
    w = weight * real
    return (bce * mask * w[:, None]).sum() / w.sum()


def run(forward, params, pieces, *arrays):
    """`forward` of all rows, in batches of their lengths."""
    go = jax.jit(forward)
    length = np.array([len(v) for v in pieces])
    bucket = np.searchsorted(np.array(LENGTHS), np.minimum(length, LIMIT))
    out = None
    for b, edge in enumerate(LENGTHS):
        rows = np.flatnonzero(bucket == b)
        size = min(1024, 32768 // edge)
        for k in range(0, len(rows), size):
            part = rows[k : k + size]
            full = np.concatenate([part, np.full(size - len(part), part[0])])
            got = np.asarray(go(params, pack(pieces, full, edge), *(a[full] for a in arrays)))[: len(part)]
            if out is None:
                out = np.zeros((len(pieces), got.shape[1]), np.float32)
            out[part] = got
    return out
