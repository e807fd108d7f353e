"""Small models for tests: one fixed shape, and two whose size is known only when they run."""

from __future__ import annotations

import math
from pathlib import Path

from crosscut.onnx_graph import Graph


def simple(path: Path) -> None:
    """A convolution with bias, Relu, pooling and a fully connected layer: one of each of what most networks hold."""
    graph = Graph("simple")
    x = graph.op(
        "Conv",
        ["x", graph.weight((8, 3, 3, 3), math.sqrt(2 / 27), "conv.weight"), graph.weight((8,), 0.1, "conv.bias")],
        "conv",
        kernel_shape=[3, 3],
        strides=[1, 1],
        pads=[1, 1, 1, 1],
    )
    x = graph.op("Relu", [x], "relu")
    x = graph.op("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    x = graph.op("Flatten", [x], "flatten", axis=1)
    weight = graph.weight((10, 128), math.sqrt(1 / 128), "fc.weight")
    graph.op("Gemm", [x, weight, graph.weight((10,), 0.1, "fc.bias")], "y", transB=1)
    graph.write(path, {"x": (1, 3, 8, 8)}, {"y": (1, 10)})


def matmul_softmax(path: Path) -> None:
    """Matrix product and softmax, any number of rows."""
    graph = Graph("matmul_softmax")
    x = graph.op("MatMul", ["x", graph.weight((64, 48), math.sqrt(4 / 64), "weight")], "matmul")
    x = graph.op("Add", [x, graph.weight((48,), 0.5, "bias")], "biased")
    graph.op("Softmax", [x], "y", axis=-1)
    graph.write(path, {"x": ("batch", 64)}, {"y": ("batch", 48)})


def conv_dynamic_width(path: Path) -> None:
    """Two convolutions, the second with stride 2 and a residual before it, on pictures of any width."""
    graph = Graph("conv_dynamic_width")

    def conv(x: str, name: str, ci: int, co: int, stride: int) -> str:
        weight = graph.weight((co, ci, 3, 3), math.sqrt(2 / (9 * ci)), f"{name}.weight")
        bias = graph.weight((co,), 0.1, f"{name}.bias")
        return graph.op("Conv", [x, weight, bias], name, kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4)

    x = graph.op("Relu", [conv("x", "conv0", 3, 16, 1)], "relu0")
    x = graph.op("Add", [x, graph.op("Relu", [conv(x, "conv1", 16, 16, 1)], "relu1")], "add")
    graph.op("Relu", [conv(x, "conv2", 16, 24, 2)], "y")
    graph.write(path, {"x": (1, 3, 32, "width")}, {"y": (1, 24, 16, "out_width")})
