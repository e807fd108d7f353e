"""Writes ResNet50 v1.5 for 224x224 pictures (He et al., https://arxiv.org/abs/1512.03385, table 1; the stride in the 3x3
convolution, as in torchvision) with seeded weights: the shapes, and so the time, of the real model.

Convolutions have no bias, batch normalisation follows as a node of its own. Convolutions keep the power of what they
read (deviation sqrt(1 / fan-in)), so the mean and variance that normalisation stores are known without running
anything: around 0 and around that power. The last scale of a residual block is small, as after training, so that the
sums do not grow.
"""

from __future__ import annotations

import math
from pathlib import Path

from crosscut.onnx_graph import Graph

# channels inside the blocks, blocks, stride of the first block; blocks end with four times the channels
STAGES = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]
EPSILON = 1e-5


def generate(path: Path) -> None:
    graph = Graph("resnet50")

    def conv_norm(
        x: str, name: str, ci: int, co: int, kernel: int, stride: int = 1, scale: float = 1.0, power: float = 1.0
    ) -> str:
        """A convolution and its normalisation; `power` is the mean square of x, `scale` the deviation afterwards."""
        weight = graph.weight((co, ci, kernel, kernel), math.sqrt(1 / (ci * kernel**2)), f"{name}.weight")
        x = graph.op(
            "Conv",
            [x, weight],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            dilations=[1, 1],
            group=1,
        )
        statistics = [
            graph.spread((co,), 0.5 * scale, 1.5 * scale, f"{name}.norm.scale"),
            graph.spread((co,), -0.5 * scale, 0.5 * scale, f"{name}.norm.bias"),
            graph.spread((co,), -0.5 * math.sqrt(power), 0.5 * math.sqrt(power), f"{name}.norm.mean"),
            graph.spread((co,), 0.5 * power, 1.5 * power, f"{name}.norm.variance"),
        ]
        return graph.op("BatchNormalization", [x, *statistics], f"{name}.norm", epsilon=EPSILON)

    def relu(x: str) -> str:
        return graph.op("Relu", [x], f"{x}.relu")

    x = relu(conv_norm("input", "stem", 3, 64, 7, 2))
    x = graph.op("MaxPool", [x], "stem.pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels, block = 64, 0
    for inner, repeats, first_stride in STAGES:
        for index in range(repeats):
            name, stride = f"block{block}", first_stride if index == 0 else 1
            y = relu(conv_norm(x, f"{name}.conv1", channels, inner, 1))
            y = relu(conv_norm(y, f"{name}.conv2", inner, inner, 3, stride))
            y = conv_norm(y, f"{name}.conv3", inner, 4 * inner, 1, scale=0.5)
            if index == 0:
                x = conv_norm(x, f"{name}.shortcut", channels, 4 * inner, 1, stride)
            x, channels, block = relu(graph.op("Add", [y, x], f"{name}.add")), 4 * inner, block + 1
    x = graph.op("GlobalAveragePool", [x], "pool")
    x = graph.op("Flatten", [x], "flatten", axis=1)
    weight = graph.weight((1000, channels), math.sqrt(1 / channels), "classifier.weight")
    graph.op("Gemm", [x, weight, graph.weight((1000,), 0.1, "classifier.bias")], "output", transB=1)
    graph.write(path, {"input": (1, 3, 224, 224)}, {"output": (1, 1000)})
