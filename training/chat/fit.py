"""Fine-tunes the last stage (`encoder.py`): Adam over rows grouped by length, the rate warmed up and falling, weights averaged at the end."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import encoder

TOKENS = 3072
# The head learns faster than what was taught before.
FAST = {"w1", "b1", "w2", "w4", "b", "w6", "b6"}


def pack(pieces, rows, length):
    out = np.zeros((len(rows), length), np.int32)
    for k, r in enumerate(rows):
        v = pieces[r][:length]
        out[k, : len(v)] = v
    return out


def plan(pieces, rng, tokens=TOKENS, edges=encoder.EDGES):
    """Batches of row numbers with their padded length and size, shuffled."""
    length = np.array([len(v) for v in pieces])
    bucket = np.searchsorted(np.array(edges), np.minimum(length, edges[-1]))
    out = []
    for b, edge in enumerate(edges):
        rows = np.flatnonzero(bucket == b)
        rng.shuffle(rows)
        size = min(tokens // 12, tokens // edge)
        out += [(rows[k : k + size], edge, size) for k in range(0, len(rows), size)]
    return [out[k] for k in rng.permutation(len(out))]


def loss(p, pieces, real, context, y, mask, weight, key):
    z = encoder.logits(p, pieces, context, key)
    bce = jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))
    w = weight * real
    return (bce * mask * w[:, None]).sum() / w.sum()


def step(p, o, mean, args, key, n, lr, keep, fast=FAST):
    value, grad = jax.value_and_grad(loss)(p, *args, key)
    size = jnp.sqrt(sum((g * g).sum() for g in grad.values()))
    shrink = jnp.minimum(1.0, 1.0 / (size + 1e-6))
    new_p, new_o, new_mean = {}, {}, {}
    for k in p:
        g = grad[k] * shrink
        m1 = 0.9 * o[k][0] + 0.1 * g
        m2 = 0.98 * o[k][1] + 0.02 * g**2
        up = (m1 / (1 - 0.9**n)) / (jnp.sqrt(m2 / (1 - 0.98**n)) + 1e-8)
        rate = lr * (5.0 if k in fast else 1.0)
        new_p[k] = p[k] - rate * (up + (0.01 * p[k] if p[k].ndim == 2 and k != "table" else 0.0))
        new_o[k] = (m1, m2)
        new_mean[k] = mean[k] + keep * (new_p[k] - mean[k])
    return new_p, new_o, new_mean, value


def fit(params, draw, arrays, epochs, rate, seed, log=print, parts=400, save=None, done=0, tokens=TOKENS, fast=FAST):
    """`draw(epoch, params)`: row numbers and their pieces; `arrays(rows)`: context, y, mask, weight; `done`: passes behind `params` already. Gives the
    mean of the weights over the last tenth."""
    go = jax.jit(functools.partial(step, fast=fast), donate_argnums=(0, 1, 2))
    opt = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in params.items()}
    mean = {k: v.copy() for k, v in params.items()}
    rng, key = np.random.default_rng(seed), jax.random.PRNGKey(seed)
    n, total = 0, None
    for epoch in range(done, epochs):
        names, pieces = draw(epoch, mean)
        batches = plan(pieces, rng, tokens)
        if total is None:
            n, total = done * len(batches), epochs * len(batches)
        seen, last = 0.0, 0.0
        for k, (rows, edge, size) in enumerate(batches):
            n += 1
            short = size - len(rows)
            full = np.concatenate([rows, np.full(short, rows[0])]) if short else rows
            real = np.concatenate([np.ones(len(rows)), np.zeros(short)]).astype(np.float32)
            lr = rate * min(1.0, n / (0.06 * total + 1)) * max(0.02, 1 - n / total)
            keep = 1.0 if n < 0.9 * total else 1 / (2 + n - 0.9 * total)
            key, sub = jax.random.split(key)
            params, opt, mean, value = go(params, opt, mean, (pack(pieces, full, edge), real, *arrays(names[full])), sub, np.float32(n), np.float32(lr), np.float32(keep))
            seen += float(value)
            last += float(value)
            if k % parts == parts - 1:
                log(f"    {k + 1} of {len(batches)}: {last / parts:.4f}")
                last = 0.0
        log(f"  epoch {epoch + 1}/{epochs} loss {seen / len(batches):.4f}")
        if save:
            save(epoch, mean)
    return {k: np.array(v) for k, v in mean.items()}


def run(forward, params, pieces, *arrays):
    """`forward` of all rows, in batches of their lengths."""
    go = jax.jit(forward)
    edges = np.array(encoder.EDGES)
    bucket = np.searchsorted(edges, np.minimum([len(v) for v in pieces], edges[-1]))
    out = None
    for b, edge in enumerate(edges):
        rows = np.flatnonzero(bucket == b)
        size = int(min(512, 8192 // edge))
        for k in range(0, len(rows), size):
            part = rows[k : k + size]
            full = np.concatenate([part, np.full(size - len(part), part[0])])
            got = np.asarray(go(params, pack(pieces, full, edge), *(a[full] for a in arrays)))[: len(part)]
            if out is None:
                out = np.zeros((len(pieces), got.shape[1]), np.float32)
            out[part] = got
    return out
