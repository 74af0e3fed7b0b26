"""Writes the trained network as an ONNX graph by hand, checks it against the training code, and makes the parity fixture.

Graph: ids i32 [batch, length], context f32 [batch, 6] -> scores f32 [batch, 8]. The table is int8
with a scale a column; its sums are whole numbers, so neither padding nor batch-mates touch a score.
"""

import json

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import net
import text


def int8(table, scale):
    whole = np.clip(np.round(table / scale), -127, 127).astype(np.int8)
    whole[0] = 0
    return whole


def graph(p):
    dim = p["table"].shape[1] - 1
    scale = p["table_scale"]
    init = lambda name, value: numpy_helper.from_array(np.ascontiguousarray(value), name)
    ints = lambda name, value: init(name, np.array([value], np.int64))
    consts = [
        init("table", int8(p["table"], scale)), init("scale", scale), init("one", np.array(1.0, np.float32)),
        ints("axis_length", 1), ints("at0", 0), ints("at1", 1), ints("end_gate", 1), ints("end_row", dim + 1), ints("end_context", 6),
        *(init(k, p[k]) for k in ("w1", "b1", "w2", "w3", "w4", "b", "w5", "b5")),
    ]
    n = helper.make_node
    nodes = [
        n("Gather", ["table", "ids"], ["rows8"], axis=0), n("Cast", ["rows8"], ["rows"], to=TensorProto.FLOAT),
        n("ReduceSum", ["rows", "axis_length"], ["total8"], keepdims=0), n("Mul", ["total8", "scale"], ["total"]),
        n("Slice", ["total", "at0", "end_gate", "axis_length"], ["mass"]), n("Slice", ["total", "at1", "end_row", "axis_length"], ["sum"]),
        n("Add", ["mass", "one"], ["mass1"]), n("Sqrt", ["mass1"], ["norm"]), n("Div", ["sum", "norm"], ["vector"]),
        # The head.
        n("Slice", ["context", "at0", "end_gate", "axis_length"], ["paid"]), n("Slice", ["context", "at1", "end_context", "axis_length"], ["setting"]),
        n("Concat", ["vector", "setting"], ["x"], axis=1), n("MatMul", ["x", "w1"], ["h0"]), n("Add", ["h0", "b1"], ["h1"]), n("Relu", ["h1"], ["h"]),
        n("MatMul", ["h", "w2"], ["z1"]), n("MatMul", ["vector", "w3"], ["z2"]), n("MatMul", ["setting", "w4"], ["z3"]),
        n("Add", ["z1", "z2"], ["z12"]), n("Add", ["z12", "z3"], ["z123"]), n("Add", ["z123", "b"], ["z_free"]),
        n("MatMul", ["h", "w5"], ["p0"]), n("Add", ["p0", "b5"], ["p1"]), n("Softplus", ["p1"], ["p2"]), n("Mul", ["p2", "paid"], ["z_paid"]),
        n("Add", ["z_free", "z_paid"], ["z"]), n("Sigmoid", ["z"], ["with_paid"]), n("Sigmoid", ["z_free"], ["without_paid"]),
        # Sigmoid is not monotone to the last bit; the larger of the two is.
        n("Max", ["with_paid", "without_paid"], ["scores"]),
    ]
    g = helper.make_graph(
        nodes, "chat",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "length"]), helper.make_tensor_value_info("context", TensorProto.FLOAT, ["batch", 6])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 8])], consts,
    )
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="vigie training/chat")
    onnx.checker.check_model(model, full_check=True)
    return model


def session(path, threads=1):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write(params, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph(params), str(path))


def read(session, ids, context):
    """Scores [rows, 8] of a written graph, in batches of one padded length."""
    place = np.searchsorted(np.array(net.LENGTHS), np.minimum([len(v) for v in ids], net.LENGTHS[-1]))
    out = np.zeros((len(ids), 8), np.float32)
    for b, length in enumerate(net.LENGTHS):
        rows = np.flatnonzero(place == b)
        for k in range(0, len(rows), 64):
            part = rows[k : k + 64]
            packed = np.zeros((len(part), length), np.int32)
            for n, i in enumerate(part):
                packed[n, : min(len(ids[i]), length)] = ids[i][:length]
            out[part] = session.run(["scores"], {"ids": packed, "context": context[part]})[0]
    return out


def check(path, params, ids, context, z):
    """Same scores as the training code; batches of 2, 7 and 64, one and two threads, wider padding: the same bits a row."""
    one, two = session(path), session(path, 2)
    rows = [i for i in range(0, len(ids), max(1, len(ids) // 4000)) if len(ids[i]) <= 128][:64 * 21]
    packed, ctx = net.pack(ids, rows, 128), context[rows]
    run = lambda s, a, c: s.run(["scores"], {"ids": a, "context": c})[0]
    want = 1 / (1 + np.exp(-z[rows]))
    got = np.concatenate([run(one, packed[k : k + 64], ctx[k : k + 64]) for k in range(0, len(rows), 64)])
    assert np.abs(got - want).max() < 1e-4, np.abs(got - want).max()
    for size in (2, 7, 64):
        for s in (one, two):
            other = np.concatenate([run(s, packed[k : k + size], ctx[k : k + size]) for k in range(0, len(rows) - size + 1, size)])
            assert (other == got[: len(other)]).all(), size
    mates = run(one, packed[::-1][:64].copy(), ctx[::-1][:64].copy())[::-1]
    assert (mates == got[-64:]).all()
    wide = np.concatenate([packed, np.zeros_like(packed)], 1)
    assert (run(one, wide[:64], ctx[:64]) == got[:64]).all(), "padding changed a score"
    nothing = run(one, np.zeros((64, 16), np.int32), ctx[:64])
    paid, free = ctx.copy(), ctx.copy()
    paid[:, 0], free[:, 0] = 1, 0
    assert np.isfinite(nothing).all() and (run(one, packed, paid) >= run(one, packed, free)).all()
    print(f"onnx: {len(rows)} rows equal over batches of 2, 7, 64, 1 and 2 threads and padding; largest difference to training {np.abs(got - want).max():.1e}")


EDGES = [
    "", " ", "😂", "😂😂😂😂", "👨‍👩‍👧‍👦 famille", "k y s", "K.Y.S", "k1ll h1m", "kуs", "𝐤𝐢𝐥𝐥", "🅺🆈🆂", "ｆｒａｐｐｅ", "e\u0301touffe", "fra\u200bppe le", "STOOOOP",
    "http://exemple.fr/a?b=c www.exemple.fr", "@Jean_Dupont frappe-le !!!", ":hand-wave::hand-wave: salut :)", "12:30:45", "20€ 20 € $20 £5 20balles", "«bonjour» “hello”",
    "œuf æther straße ñandú Łódź", "привет", "日本語のチャット", "مرحبا", "हिन्दी", "ไทย", "c'est qu'il l'a dit I'm can't", "f*ck s**t **", "a", "aa", "aaa", "!?!?", "- - -", "a b c d",
    "\u202eabc", "x" * 5000, "mot " * 3000, ("très " * 1200) + "long", "\u0000\u0001 ok", "İstanbul ǅ ﬁn ①②③ ½ ㎏", "ΣΑΣ αβγ aβc", "1a2b3c 0xdead h4x0r 4ever b4", "e\u0489\u0488t",
]


def fixture(path, out, buckets, count=1200, scored=200):
    """Texts of the corpus and edge cases; for each the number of ids and an FNV-1a of them, for some the ids, for some the scores."""
    import random

    import corpus

    rows = [r for r in corpus.messages(seed=99, per_pattern=4)]
    random.Random(4).shuffle(rows)
    texts = EDGES + [r["text"] for r in rows[: count - len(EDGES)]]
    ids = [text.features(t, buckets, 512) for t in texts]

    def digest(values):
        return text._fnv(text._OFFSET, b"".join(int(v).to_bytes(4, "little") for v in values))

    contexts = [[float(k % 3 == 0)] + [float(k % 5 == j) for j in range(5)] for k in range(scored)]
    s = session(path)
    scores = []
    for k in range(scored):
        v = np.array(ids[k], np.int32)
        length = next((n for n in net.LENGTHS if n >= len(v)), 512)
        a = np.zeros((2, length), np.int32)
        a[:, : len(v)] = v
        c = np.array([contexts[k]] * 2, np.float32)
        scores.append([round(float(x), 6) for x in s.run(["scores"], {"ids": a, "context": c})[0][0]])
    lines = [
        '{"buckets": %d, "max": 512, "columns": ["paid", "real", "game", "sport", "fiction", "unknown"],' % buckets,
        '"texts": [', ",\n".join(json.dumps([t, len(i), digest(i), text.normalise(t) if len(t) < 300 else None], ensure_ascii=True) for t, i in zip(texts, ids)), "],",
        '"ids": [', ",\n".join(json.dumps([k, ids[k]], separators=(",", ":")) for k in range(45, 65)), "],",
        '"scores": [', ",\n".join(json.dumps([k, contexts[k], scores[k]], separators=(",", ":")) for k in range(scored)), "]}",
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
