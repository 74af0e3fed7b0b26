"""The last stage's network: the lower layers of the large encoder, over pieces, with the context beside.

x = norm(piece + place + kind); then per layer x = norm(x + attention(x)), x = norm(x + W gelu(V x)), as in BERT. The message's meaning is
v = [x of the opening piece, mean of x]. h = tanh(W1 [v, setting] + b1); z = W2 h + W4 setting + b + paid * softplus(W6 h + b6): `paid` never
lowers a score.
"""

import jax
import jax.numpy as jnp
import numpy as np

LENGTHS = [8, 12, 16, 24, 32, 64, 128]
LIMIT = 128
HIDDEN = 192
HEADS = 12
EPSILON = 1e-12
SOFTEN = 2.0
# In training: closer, since most messages are short.
EDGES = [8, 11, 14, 18, 24, 36, 64, 128]
jax.config.update("jax_default_prng_impl", "unsafe_rbg")


def init(source, table, layers, seed):
    """`source`: the large encoder; `table`: vectors of the pieces."""
    rng = np.random.default_rng(seed)
    width = source.width
    n = lambda *shape, gain=1.0: (gain * rng.normal(0, 1, shape) / np.sqrt(shape[0])).astype(np.float32)
    p = {"table": table, "place": source.vector("emb.pos").reshape(-1, width)[: LIMIT] + source.vector("emb.type")[:width],
         "g": source.vector("emb.ln.w"), "o": source.vector("emb.ln.b"),
         "w1": n(2 * width + 5, HIDDEN), "b1": np.zeros(HIDDEN, np.float32), "w2": n(HIDDEN, 8), "w4": np.zeros((5, 8), np.float32),
         "b": np.full(8, -3.0, np.float32), "w6": 0.1 * n(HIDDEN, 8), "b6": np.full(8, -2.0, np.float32)}
    for k, layer in enumerate(layers):
        get = lambda name: source.vector(f"l{layer}.{name}")
        mat = lambda name, inner=width: source.rows(f"l{layer}.{name}", inner).T.copy()
        p |= {f"{k}.qkv": np.concatenate([mat("q.w"), mat("k.w"), mat("v.w")], 1), f"{k}.qkvb": np.concatenate([get("q.b"), get("k.b"), get("v.b")]),
              f"{k}.a": mat("ao.w"), f"{k}.ab": get("ao.b"), f"{k}.ag": get("aln.w"), f"{k}.ao": get("aln.b"),
              f"{k}.i": mat("fi.w"), f"{k}.ib": get("fi.b"), f"{k}.f": mat("fo.w", source.inner), f"{k}.fb": get("fo.b"),
              f"{k}.fg": get("oln.w"), f"{k}.fo": get("oln.b")}
    return p


def norm(x, g, o):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPSILON) * g + o


def drop(x, key, share):
    """Leaves out columns, the same of all pieces of a message: a draw a piece would cost as much as a layer."""
    if key is None:
        return x
    shape = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
    return x * jax.random.bernoulli(key, 1 - share, shape) / (1 - share)


def hidden(p, pieces, key=None, share=0.1, seen=None):
    """Vectors of the pieces [batch, length, width] and which are there; `seen`, a dict, gets what each matrix takes in."""
    layers = sum(1 for name in p if name.endswith(".qkv"))
    batch, length = pieces.shape
    keys = [None] * (2 * layers + 2) if key is None else list(jax.random.split(key, 2 * layers + 2))
    there = pieces != 0
    if key is not None:
        # Now and then a piece is not understood.
        pieces = jnp.where((pieces > 3) & jax.random.bernoulli(keys[0], 0.05, pieces.shape), 1, pieces)
    seen = {} if seen is None else seen

    def linear(x, name, bias):
        seen[name] = x
        # One flat product: the compiler is slow at any other.
        return (x.reshape(-1, x.shape[-1]) @ p[name]).reshape(*x.shape[:-1], -1) + p[bias]

    x = norm(p["table"][pieces] + p["place"][:length], p["g"], p["o"])
    x = drop(x, keys[1], share)
    out = jnp.where(there, 0.0, -1e4)[:, None, None, :]
    for k in range(layers):
        width = x.shape[-1]
        one = width // HEADS
        q, key_, v = jnp.split(linear(x, f"{k}.qkv", f"{k}.qkvb").reshape(batch, length, 3 * HEADS, one), 3, axis=2)
        weight = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, key_) / np.sqrt(one) + out, -1)
        got = jnp.einsum("bhqk,bkhd->bqhd", weight, v).reshape(batch, length, width)
        x = norm(x + drop(linear(got, f"{k}.a", f"{k}.ab"), keys[2 + 2 * k], share), p[f"{k}.ag"], p[f"{k}.ao"])
        inner = jax.nn.gelu(linear(x, f"{k}.i", f"{k}.ib"), approximate=True)
        x = norm(x + drop(linear(inner, f"{k}.f", f"{k}.fb"), keys[3 + 2 * k], share), p[f"{k}.fg"], p[f"{k}.fo"])
    return x, there


def narrowed(p, keep, inner, packed):
    """The first `keep` layers with the `inner` units of each that give most on some texts `packed`; what the others give on average goes to the bias."""
    seen = inputs(p, packed)
    p = {k: np.asarray(v) for k, v in p.items() if not k.split(".")[0].isdigit() or int(k.split(".")[0]) < keep}
    for k in range(keep):
        a = np.asarray(seen[f"{k}.f"])[packed != 0]
        worth = a.var(0) * (p[f"{k}.f"] ** 2).sum(1)
        best = np.sort(np.argsort(-worth)[:inner])
        rest = np.setdiff1d(np.arange(len(worth)), best)
        p[f"{k}.fb"] = p[f"{k}.fb"] + a.mean(0)[rest] @ p[f"{k}.f"][rest]
        p |= {f"{k}.i": p[f"{k}.i"][:, best], f"{k}.ib": p[f"{k}.ib"][best], f"{k}.f": p[f"{k}.f"][best]}
    return p


def inputs(p, pieces):
    """What each matrix of the layers takes in, by its name."""
    seen = {}
    hidden(p, pieces, seen=seen)
    return seen


def meaning(p, pieces, key=None):
    x, there = hidden(p, pieces, key)
    m = there.astype(jnp.float32)[..., None]
    return jnp.concatenate([x[:, 0], (x * m).sum(1) / m.sum(1)], -1)


def logits(p, pieces, context, key=None):
    """Logits [batch, 8]."""
    key, last = (None, None) if key is None else jax.random.split(key)
    v = drop(meaning(p, pieces, key), last, 0.1)
    setting, paid = context[:, 1:], context[:, :1]
    h = jnp.tanh(jnp.concatenate([v, setting], 1) @ p["w1"] + p["b1"])
    z = h @ p["w2"] + setting @ p["w4"] + p["b"]
    return z + paid * jax.nn.softplus(h @ p["w6"] + p["b6"])
