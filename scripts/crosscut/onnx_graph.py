"""Writes ONNX models with seeded weights, the same bytes on every machine.

Weights come from SplitMix64 (https://prng.di.unimi.it/splitmix64.c) by integer arithmetic and one exact conversion, not
from numpy's generators, whose streams may change between versions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Dims = Sequence[int | str]


def uniform(seed: int, shape: Sequence[int], low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """float32 values in [low, high), a function of seed and position only."""
    count = math.prod(shape)
    with np.errstate(over="ignore"):
        x = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 32)) * _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    unit = (x >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)  # 24 bits: exact in float32
    return (unit * np.float32(high - low) + np.float32(low)).reshape(tuple(shape))


class Graph:
    """A model under construction: `op` adds a node and returns the name of its result."""

    def __init__(self, name: str, opset: int = 17) -> None:
        self.name, self.opset = name, opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._names = 0

    def constant(self, values: Any, dtype: Any = np.float32, name: str | None = None) -> str:
        array = np.ascontiguousarray(np.asarray(values, dtype=dtype))
        name = name or f"c{len(self.initializers)}"
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.initializers.append(
            helper.make_tensor(name, kind, array.shape, array.astype(array.dtype.newbyteorder("<")).tobytes(), raw=True)
        )
        return name

    def weight(self, shape: Sequence[int], deviation: float, name: str | None = None) -> str:
        """Seeded weights of the given standard deviation; the seed is the position in the model."""
        bound = math.sqrt(3.0) * deviation
        return self.spread(shape, -bound, bound, name)

    def spread(self, shape: Sequence[int], low: float, high: float, name: str | None = None) -> str:
        """Seeded values in [low, high); the seed is the position in the model."""
        return self.constant(uniform(len(self.initializers) + 1, shape, low, high), name=name)

    def op(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        self._names += 1
        output = output or f"{op_type.lower()}_{self._names}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=output, **attributes))
        return output

    def write(
        self,
        path: Path,
        inputs: dict[str, Dims],
        outputs: dict[str, Dims],
        integers: Collection[str] = (),
        stated: dict[str, Dims] | None = None,
    ) -> None:
        """Inputs, outputs and what is `stated` of other tensors are float32, those named in `integers` int64."""

        def infos(tensors: dict[str, Dims]) -> list[onnx.ValueInfoProto]:
            kinds = {name: TensorProto.INT64 if name in integers else TensorProto.FLOAT for name in tensors}
            return [helper.make_tensor_value_info(n, kinds[n], list(s)) for n, s in tensors.items()]

        graph = helper.make_graph(
            self.nodes, self.name, infos(inputs), infos(outputs), self.initializers, value_info=infos(stated or {})
        )
        domains = sorted({node.domain for node in self.nodes} - {""})  # of plugins
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        model.producer_name = "crosscut"
        model.producer_version = ""
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString(deterministic=True))
