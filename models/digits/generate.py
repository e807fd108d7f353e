"""Writes the network for handwritten digits as ONNX, with the weights that train.py has learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crosscut.onnx_graph import Graph


def generate(path: Path) -> None:
    weights = np.load(Path(__file__).with_name("weights.npz"))
    graph = Graph("digits")

    def constants(layer: str) -> list[str]:
        return [graph.constant(weights[name], name=name) for name in (f"{layer}.weight", f"{layer}.bias")]

    def conv_relu(x: str, name: str) -> str:
        x = graph.op("Conv", [x, *constants(name)], name, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
        return graph.op("Relu", [x], f"{name}.relu")

    def halved(x: str) -> str:
        return graph.op("MaxPool", [x], f"{x}.pool", kernel_shape=[2, 2], strides=[2, 2])

    x = conv_relu("picture", "conv0")
    x = halved(conv_relu(x, "conv1"))
    x = halved(conv_relu(x, "conv2"))
    x = graph.op("Gemm", [graph.op("Flatten", [x], "flatten", axis=1), *constants("dense")], "dense", transB=1)
    graph.op("Softmax", [x], "probabilities", axis=1)
    graph.write(path, {"picture": (1, 1, 8, 8)}, {"probabilities": (1, 10)})
