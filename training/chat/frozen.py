"""A head on the large encoder's frozen vectors: the bound that the second stage is held against, and its teacher for labels.

h = relu(W1 [vector, s, setting] + b1); z = W2 h + W3 [vector, s] + b + paid * softplus(W5 h + b5). `side` may be empty.
"""

import jax
import jax.numpy as jnp
import numpy as np

HIDDEN = 256


def init(width, seed):
    rng = np.random.default_rng(seed)
    n = lambda *shape, gain=1.0: (gain * rng.normal(0, 1, shape) / np.sqrt(shape[0])).astype(np.float32)
    return {"w1": n(width + 5, HIDDEN), "b1": np.zeros(HIDDEN, np.float32), "w2": n(HIDDEN, 8), "w3": 0.3 * n(width, 8),
            "b": np.full(8, -3.0, np.float32), "w5": 0.1 * n(HIDDEN, 8), "b5": np.full(8, -2.0, np.float32)}


def logits(p, x, context, key=None):
    if key is not None:
        x = x * jax.random.bernoulli(key, 0.85, x.shape) / 0.85
    h = jax.nn.relu(jnp.concatenate([x, context[:, 1:]], 1) @ p["w1"] + p["b1"])
    z = h @ p["w2"] + x @ p["w3"] + p["b"]
    return z + context[:, :1] * jax.nn.softplus(h @ p["w5"] + p["b5"])


def train(x, context, y, mask, weight, epochs=6, rate=1.5e-3, seed=5, size=2048, log=print):
    def loss(p, x, c, t, m, w, key):
        z = logits(p, x, c, key)
        bce = jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return (bce * m * w[:, None]).sum() / w.sum()

    @jax.jit
    def step(p, o, x, c, t, m, w, key, n, lr):
        value, grad = jax.value_and_grad(loss)(p, x, c, t, m, w, key)
        new_p, new_o = {}, {}
        for k in p:
            m1, m2 = 0.9 * o[k][0] + 0.1 * grad[k], 0.99 * o[k][1] + 0.01 * grad[k] ** 2
            up = (m1 / (1 - 0.9**n)) / (jnp.sqrt(m2 / (1 - 0.99**n)) + 1e-8)
            new_p[k] = p[k] - lr * (up + (0.02 * p[k] if p[k].ndim == 2 else 0.0))
            new_o[k] = (m1, m2)
        return new_p, new_o, value

    p = init(x.shape[1], seed)
    o = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in p.items()}
    rng, key, n = np.random.default_rng(seed), jax.random.PRNGKey(seed), 0
    total = epochs * (len(x) // size)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        seen = 0.0
        for k in range(0, len(x) - size + 1, size):
            rows = order[k : k + size]
            n += 1
            key, sub = jax.random.split(key)
            lr = np.float32(rate * min(1.0, n / 50) * max(0.03, 1 - n / total))
            p, o, value = step(p, o, x[rows].astype(np.float32), context[rows], y[rows], mask[rows], weight[rows], sub, np.float32(n), lr)
            seen += float(value)
        log(f"  epoch {epoch + 1}/{epochs} loss {seen / (len(x) // size):.4f}")
    return {k: np.array(v) for k, v in p.items()}


def predict(p, x, context, size=8192):
    go = jax.jit(logits)
    out = np.zeros((len(x), 8), np.float32)
    for k in range(0, len(x), size):
        out[k : k + size] = np.asarray(go(p, x[k : k + size].astype(np.float32), context[k : k + size]))
    return out
