"""Writes the second stage as an ONNX graph by hand and checks it against the training code.

Graph: pieces i32 [batch, length], vector f32 [batch, side], context f32 [batch, 6] -> scores f32 [batch, 8]. The table is int8 with a
scale a column, the rest float32; nothing is quantised while running, so neither padding nor batch-mates touch a score.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import deep
from export import int8, session


def graph(p):
    side = p["w5"].shape[0]
    init = lambda name, value: numpy_helper.from_array(np.ascontiguousarray(value), name)
    ints = lambda name, *values: init(name, np.array(values, np.int64))
    consts = [
        init("table", int8(p["table"], p["table_scale"])), init("scale", p["table_scale"]), init("zero", np.array(0, np.int32)),
        init("low", np.array(-1e4, np.float32)), init("soften", np.array(deep.SOFTEN, np.float32)), ints("axis_length", 1), ints("axis_last", 2), ints("at0", 0), ints("at1", 1), ints("at2", 2),
        ints("end_gate", 1), ints("end_context", 6), ints("end_left", -2), ints("end_right", np.iinfo(np.int64).max), ints("sides", 0, 1, 0, 0, 1, 0),
        *(init(k, p[k]) for k in ("c0", "d0", "ng", "nb", "c1", "d1", "c2", "d2", "wv", "bv", "w1", "b1", "w2", "w3", "w4", "w5", "b", "w6", "b6")),
    ]
    n = helper.make_node
    nodes = [
        n("Equal", ["pieces", "zero"], ["is_pad"]), n("Not", ["is_pad"], ["is_piece"]), n("Cast", ["is_piece"], ["mask2"], to=TensorProto.FLOAT),
        n("Unsqueeze", ["mask2", "axis_last"], ["mask"]), n("Unsqueeze", ["is_piece", "axis_last"], ["there"]),
        n("Gather", ["table", "pieces"], ["rows8"], axis=0), n("Cast", ["rows8"], ["rows"], to=TensorProto.FLOAT),
        n("Mul", ["rows", "scale"], ["scaled"]), n("Mul", ["scaled", "mask"], ["e"]),
        n("MatMul", ["e", "c0"], ["e0"]), n("Add", ["e0", "d0"], ["e1"]),
        n("LayerNormalization", ["e1", "ng", "nb"], ["e2"], axis=-1, epsilon=deep.EPSILON), n("Mul", ["e2", "mask"], ["x0"]),
    ]
    for k, (w, b) in enumerate((("c1", "d1"), ("c2", "d2"))):
        x, at = f"x{k}", lambda name: f"{name}{k}"
        nodes += [
            n("Pad", [x, "sides"], [at("wide")]),
            n("Slice", [at("wide"), "at0", "end_left", "axis_length"], [at("left")]), n("Slice", [at("wide"), "at2", "end_right", "axis_length"], [at("right")]),
            n("Concat", [at("left"), x, at("right")], [at("near")], axis=2), n("MatMul", [at("near"), w], [at("m")]), n("Add", [at("m"), b], [at("a")]),
            n("Relu", [at("a")], [at("r")]), n("Add", [x, at("r")], [at("s")]), n("Mul", [at("s"), "mask"], [f"x{k + 1}"]),
        ]
    nodes += [
        n("ReduceSum", ["e", "axis_length"], ["sum_e"], keepdims=0), n("ReduceSum", ["x2", "axis_length"], ["sum_x"], keepdims=0), n("ReduceSum", ["mask", "axis_length"], ["count"], keepdims=0),
        n("Sqrt", ["count"], ["root"]), n("Div", ["sum_e", "root"], ["mean_e"]), n("Div", ["sum_x", "root"], ["mean_x"]),
        n("Where", ["there", "x2", "low"], ["shown"]), n("ReduceMax", ["shown"], ["top"], axes=[1], keepdims=0),
        n("Concat", ["mean_e", "mean_x", "top"], ["pooled"], axis=1), n("MatMul", ["pooled", "wv"], ["v0"]), n("Add", ["v0", "bv"], ["v1"]), n("Relu", ["v1"], ["v"]),
        n("Slice", ["context", "at0", "end_gate", "axis_length"], ["paid"]), n("Slice", ["context", "at1", "end_context", "axis_length"], ["setting"]),
        n("Concat", ["v", "vector", "setting"], ["x"], axis=1), n("MatMul", ["x", "w1"], ["h0"]), n("Add", ["h0", "b1"], ["h1"]), n("Relu", ["h1"], ["h"]),
        n("MatMul", ["h", "w2"], ["z1"]), n("MatMul", ["v", "w3"], ["z2"]), n("MatMul", ["vector", "w5"], ["z3"]), n("MatMul", ["setting", "w4"], ["z4"]),
        n("Add", ["z1", "z2"], ["z12"]), n("Add", ["z12", "z3"], ["z123"]), n("Add", ["z123", "z4"], ["z1234"]), n("Add", ["z1234", "b"], ["z_free"]),
        n("MatMul", ["h", "w6"], ["p0"]), n("Add", ["p0", "b6"], ["p1"]), n("Softplus", ["p1"], ["p2"]), n("Mul", ["p2", "paid"], ["z_paid"]),
        n("Add", ["z_free", "z_paid"], ["z"]), n("Div", ["z", "soften"], ["soft"]), n("Div", ["z_free", "soften"], ["soft_free"]),
        n("Sigmoid", ["soft"], ["with_paid"]), n("Sigmoid", ["soft_free"], ["without_paid"]),
        # Sigmoid is not monotone to the last bit; the larger of the two is.
        n("Max", ["with_paid", "without_paid"], ["scores"]),
    ]
    value = helper.make_tensor_value_info
    g = helper.make_graph(
        nodes, "chat_second",
        [value("pieces", TensorProto.INT32, ["batch", "length"]), value("vector", TensorProto.FLOAT, ["batch", side]), value("context", TensorProto.FLOAT, ["batch", 6])],
        [value("scores", TensorProto.FLOAT, ["batch", 8])], consts,
    )
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="vigie training/chat")
    onnx.checker.check_model(model, full_check=True)
    return model


def check(path, pieces, side, context, z):
    """Same scores as the training code; batches of 2, 7 and 64, one and two threads, wider padding: the same bits a row."""
    one, two = session(path), session(path, 2)
    rows = [i for i in range(0, len(pieces), max(1, len(pieces) // 3000)) if len(pieces[i]) <= 32][: 64 * 21]
    packed, s, c = deep.pack(pieces, rows, 32), side[rows], context[rows]
    run = lambda on, *a: on.run(None, dict(zip(("pieces", "vector", "context"), a)))[0]
    want = 1 / (1 + np.exp(-z[rows] / deep.SOFTEN))
    got = np.concatenate([run(one, packed[k : k + 64], s[k : k + 64], c[k : k + 64]) for k in range(0, len(rows) - 63, 64)])
    assert np.abs(got - want[: len(got)]).max() < 1e-4, np.abs(got - want[: len(got)]).max()
    for size in (2, 7, 16, 64):
        for on in (one, two):
            other = np.concatenate([run(on, packed[k : k + size], s[k : k + size], c[k : k + size]) for k in range(0, len(got) - size + 1, size)])
            assert (other == got[: len(other)]).all(), size
    wide = np.concatenate([packed, np.zeros_like(packed)], 1)
    assert (run(one, wide[:64], s[:64], c[:64]) == got[:64]).all(), "padding changed a score"
    paid, free = c.copy(), c.copy()
    paid[:, 0], free[:, 0] = 1, 0
    assert (run(one, packed, s, paid) >= run(one, packed, s, free)).all()
    print(f"second stage: {len(got)} rows equal over batches of 2, 7, 16, 64, 1 and 2 threads and padding; largest difference to training {np.abs(got - want[: len(got)]).max():.1e}")
