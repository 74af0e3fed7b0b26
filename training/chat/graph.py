"""Writes a stage over pieces as an ONNX graph by hand and checks it against the training code.

Graph: pieces i32 [batch, length], context f32 [batch, 6] -> scores f32 [batch, 8 or more]. Table and layers are int8 with a scale a
column; what a layer takes in is rounded to 8 bits by fixed ranges (`ranges`, the training texts' own), so neither padding nor batch-mates touch a
score. Weights keep to 7 bits: processors without VNNI add up 16-bit pairs, which must not run over; so every machine gives the same scores.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import encoder
import fit
from export import int8, session

# Largest weight: see the module.
MOST = 63


def columns(w):
    """int8 weights and the scale of each column."""
    scale = np.maximum(np.abs(w).max(0), 1e-8) / MOST
    return np.clip(np.round(w / scale), -MOST, MOST).astype(np.int8), scale.astype(np.float32)


def layers(p):
    return sum(1 for name in p if name.endswith(".qkv"))


def graph(p, ranges):
    """`ranges`: name of a layer's input, as `0.qkv`, -> (lowest, highest) value; without any the layers stay float32."""
    consts, nodes = [], []
    put = lambda name, value: (consts.append(numpy_helper.from_array(np.ascontiguousarray(value), name)), name)[1]
    ints = lambda name, *values: put(name, np.array(values, np.int64))
    n = lambda op, take, give, **more: (nodes.append(helper.make_node(op, take, give, **more)), give[0])[1]
    f32 = lambda value: np.array(value, np.float32)

    def linear(x, name, bias):
        w = p[name]
        if name not in ranges:
            return n("Add", [n("MatMul", [x, put(name, w)], [f"{name}_m"]), put(bias, p[bias])], [f"{name}_y"])
        low, high = ranges[name]
        low, high = min(low, 0.0), max(high, 0.0)
        step = np.float32((high - low) / 255)
        zero = np.uint8(np.clip(np.round(-low / step), 0, 255))
        whole, scale = columns(w)
        q = n("QuantizeLinear", [x, put(f"{name}_step", f32(step)), put(f"{name}_zero", np.array(zero, np.uint8))], [f"{name}_q"])
        # One product of whole numbers, scaled back with the bias added.
        return n("MatMulIntegerToFloat", [q, put(name, whole), f"{name}_step", put(f"{name}_scale", scale), f"{name}_zero", "", put(bias, p[bias])],
                 [f"{name}_y"], domain="com.microsoft")

    def norm(x, g, o, give):
        return n("LayerNormalization", [x, put(g, p[g]), put(o, p[o])], [give], axis=-1, epsilon=encoder.EPSILON)

    def joined(x, more, g, o, give):
        # In two steps: the operator that does both at once is far slower here.
        return norm(n("Add", [x, more], [f"{give}_sum"]), g, o, give)

    put("table", int8(p["table"], p["table_scale"]))
    put("place", p["place"])
    ints("axis_length", 1), ints("axis_last", 2), ints("at0", 0), ints("at1", 1), ints("end_gate", 1), ints("end_context", 6), ints("axis0", 0)
    put("zero", np.array(0, np.int32))
    put("scale", p["table_scale"])
    n("Equal", ["pieces", "zero"], ["is_pad"]), n("Not", ["is_pad"], ["is_piece"]), n("Cast", ["is_piece"], ["mask2"], to=TensorProto.FLOAT)
    n("Cast", ["is_piece"], ["there"], to=TensorProto.INT32)
    n("Unsqueeze", ["mask2", "axis_last"], ["mask"])
    n("Gather", ["table", "pieces"], ["rows8"], axis=0), n("Cast", ["rows8"], ["rows"], to=TensorProto.FLOAT), n("Mul", ["rows", "scale"], ["scaled"])
    n("Shape", ["pieces"], ["length"], start=1, end=2), n("Slice", ["place", "at0", "length", "axis0"], ["places"])
    x = norm(n("Add", ["scaled", "places"], ["e"]), "g", "o", "x")
    for k in range(layers(p)):
        y = linear(x, f"{k}.qkv", f"{k}.qkvb")
        q, key, v = (f"{k}.{part}" for part in ("query", "key", "value"))
        n("Split", [y], [q, key, v], axis=2, num_outputs=3)
        a = n("MultiHeadAttention", [q, key, v, "", "there"], [f"{k}.heads"], domain="com.microsoft", num_heads=encoder.HEADS, mask_filter_value=-1e4)
        x = joined(x, linear(a, f"{k}.a", f"{k}.ab"), f"{k}.ag", f"{k}.ao", f"{k}.x1")
        i = n("FastGelu", [linear(x, f"{k}.i", f"{k}.ib")], [f"{k}.gelu"], domain="com.microsoft")
        x = joined(x, linear(i, f"{k}.f", f"{k}.fb"), f"{k}.fg", f"{k}.fo", f"{k}.x2")
    n("Slice", [x, "at0", "at1", "axis_length"], ["first3"]), ints("none", 1), n("Squeeze", ["first3", "none"], ["first"])
    n("Mul", [x, "mask"], ["shown"]), n("ReduceSum", ["shown", "axis_length"], ["sum"], keepdims=0), n("ReduceSum", ["mask", "axis_length"], ["count0"], keepdims=0)
    put("one", f32(1.0)), n("Max", ["count0", "one"], ["count"]), n("Div", ["sum", "count"], ["mean"])
    for name in ("w1", "b1", "w2", "w4", "b", "w6", "b6"):
        put(name, p[name])
    put("soften", f32(encoder.SOFTEN))
    n("Slice", ["context", "at0", "end_gate", "axis_length"], ["paid"]), n("Slice", ["context", "at1", "end_context", "axis_length"], ["setting"])
    n("Concat", ["first", "mean", "setting"], ["v"], axis=1), n("MatMul", ["v", "w1"], ["h0"]), n("Add", ["h0", "b1"], ["h1"]), n("Tanh", ["h1"], ["h"])
    n("MatMul", ["h", "w2"], ["z1"]), n("MatMul", ["setting", "w4"], ["z2"])
    n("Add", ["z1", "z2"], ["z12"]), n("Add", ["z12", "b"], ["z_free"])
    n("MatMul", ["h", "w6"], ["p0"]), n("Add", ["p0", "b6"], ["p1"]), n("Softplus", ["p1"], ["p2"]), n("Mul", ["p2", "paid"], ["z_paid"])
    n("Add", ["z_free", "z_paid"], ["z"]), n("Div", ["z", "soften"], ["soft"]), n("Div", ["z_free", "soften"], ["soft_free"])
    n("Sigmoid", ["soft"], ["with_paid"]), n("Sigmoid", ["soft_free"], ["without_paid"])
    # Sigmoid is not monotone to the last bit; the larger of the two is.
    n("Max", ["with_paid", "without_paid"], ["scores"])
    value = helper.make_tensor_value_info
    g = helper.make_graph(
        nodes, "chat_second",
        [value("pieces", TensorProto.INT32, ["batch", "length"]), value("context", TensorProto.FLOAT, ["batch", 6])],
        [value("scores", TensorProto.FLOAT, ["batch", len(p["b"])])], consts,
    )
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)], ir_version=9, producer_name="vigie training/chat")


def parameters(path):
    """Parameters out of a written graph, its whole numbers scaled back: what a training may go on from where nothing else was kept."""
    import onnx

    got = {c.name: numpy_helper.to_array(c) for c in onnx.load(str(path)).graph.initializer}
    p = {"table": got["table"].astype(np.float32) * got["scale"]}
    for name, value in got.items():
        if value.dtype == np.int8 and name != "table":
            p[name] = value.astype(np.float32) * got[f"{name}_scale"]
        elif value.dtype == np.float32 and value.ndim and not name.endswith("_scale") and name != "scale":
            p[name] = value
    return p


def check(path, pieces, context):
    """Batches of 2, 7 and 64, one and two threads, wider padding: the same bits a row; payment never lowers a score."""
    one, two = session(path), session(path, 2)
    rows = [i for i in range(0, len(pieces), max(1, len(pieces) // 1500)) if len(pieces[i]) <= 32][: 64 * 12]
    packed, c = fit.pack(pieces, rows, 32), context[rows]
    run = lambda on, *a: on.run(None, dict(zip(("pieces", "context"), a)))[0]
    got = np.concatenate([run(one, packed[k : k + 64], c[k : k + 64]) for k in range(0, len(rows) - 63, 64)])
    for size in (2, 7, 16, 64):
        for on in (one, two):
            other = np.concatenate([run(on, packed[k : k + size], c[k : k + size]) for k in range(0, len(got) - size + 1, size)])
            assert (other == got[: len(other)]).all(), size
    wide = np.concatenate([packed, np.zeros_like(packed)], 1)
    apart = np.abs(run(one, wide[:64], c[:64]) - got[:64]).max()
    paid, free = c.copy(), c.copy()
    paid[:, 0], free[:, 0] = 1, 0
    assert (run(one, packed[:64], paid[:64]) >= run(one, packed[:64], free[:64])).all()
    print(f"{path.name}: {len(got)} rows equal over batches of 2, 7, 16, 64 and 1 and 2 threads; padding to twice the length changes a score by {apart:.1e} at most")


def ranges(p, pieces, rows, log=print):
    """Lowest and highest input of each layer over some texts: the outer .01 % beyond the third is cut off."""
    import jax

    taken = {}
    look = jax.jit(lambda q, a: encoder.inputs(q, a))
    for k in range(0, len(rows), 256):
        part = rows[k : k + 256]
        packed = fit.pack(pieces, part, 32)
        for name, value in look(p, packed).items():
            v = np.asarray(value)[packed != 0].ravel()
            taken.setdefault(name, []).append([v.min(), v.max(), *np.quantile(v, [1e-5, 1 - 1e-5])])
    out = {}
    for name, found in taken.items():
        low, high = np.median([f[2] for f in found]), np.median([f[3] for f in found])
        lowest, highest = min(f[0] for f in found), max(f[1] for f in found)
        out[name] = (float(max(lowest, 1.5 * low)), float(min(highest, 1.5 * high)))
        log(f"    {name}: {out[name][0]:.2f} to {out[name][1]:.2f} of {lowest:.2f} to {highest:.2f}")
    return out
