"""Writes MobileNetV2 1.0 for 224x224 pictures (Sandler et al., https://arxiv.org/abs/1801.04381, table 2), batch
normalisation already folded into the convolutions, with seeded weights: the shapes, and so the time, of the real model.
`size` makes it one for pictures of another size.

Deviations keep the activations' size through the layers: sqrt(2 / fan-in) before a Clip(0, 6), which loses about half
of the power, sqrt(1 / fan-in) before a linear output. Projections inside a residual block are halved, so that the
residual sums do not grow.
"""

from __future__ import annotations

import math
from pathlib import Path

from crosscut.onnx_graph import Graph

# expansion, output channels, blocks, stride of the first block
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def generate(path: Path, size: int = 224) -> None:
    graph = Graph("mobilenetv2")
    zero, six = graph.constant(0.0, name="relu6.min"), graph.constant(6.0, name="relu6.max")

    def conv(
        x: str, name: str, ci: int, co: int, kernel: int = 1, stride: int = 1, groups: int = 1, gain: float = 2.0
    ) -> str:
        fan_in = ci // groups * kernel * kernel
        weight = graph.weight((co, ci // groups, kernel, kernel), math.sqrt(gain / fan_in), f"{name}.weight")
        bias = graph.weight((co,), 0.1, f"{name}.bias")
        return graph.op(
            "Conv",
            [x, weight, bias],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            dilations=[1, 1],
            group=groups,
        )

    def relu6(x: str) -> str:
        return graph.op("Clip", [x, zero, six], f"{x}.relu6")

    x, channels, block = relu6(conv("input", "stem", 3, 32, 3, 2)), 32, 0
    for expansion, out, repeats, first_stride in STAGES:
        for index in range(repeats):
            stride = first_stride if index == 0 else 1
            residual = stride == 1 and channels == out
            hidden, y = channels * expansion, x
            if expansion != 1:
                y = relu6(conv(y, f"block{block}.expand", channels, hidden))
            y = relu6(conv(y, f"block{block}.depthwise", hidden, hidden, 3, stride, hidden))
            y = conv(y, f"block{block}.project", hidden, out, gain=0.25 if residual else 1.0)
            x = graph.op("Add", [x, y], f"block{block}.add") if residual else y
            channels, block = out, block + 1
    x = relu6(conv(x, "head", channels, 1280))
    x = graph.op("GlobalAveragePool", [x], "pool")
    x = graph.op("Flatten", [x], "flatten", axis=1)
    weight = graph.weight((1000, 1280), math.sqrt(1 / 1280), "classifier.weight")
    graph.op("Gemm", [x, weight, graph.weight((1000,), 0.1, "classifier.bias")], "output", transB=1)
    graph.write(path, {"input": (1, 3, size, size)}, {"output": (1, 1000)})
