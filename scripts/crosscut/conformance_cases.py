"""The ONNX project's backend node cases (onnx.backend.test), as this harness sees them.

A case is used as the `onnx` package gives it: the model as it is, inputs fed at run time, expected outputs and
tolerance its own. Cases that hold another type than float32, integers of 8 to 64 bit or bool are excluded by that type.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, TypeProto

USABLE_TYPES = {
    getattr(TensorProto, name)
    for name in ("FLOAT", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
}
_EXPANDED = re.compile(r"_expanded(_ver\d+)?$")


@dataclass(frozen=True)
class Case:
    """`operator` is what the case is about, `operators` is everything that its graph holds."""

    name: str
    operator: str
    operators: frozenset[str]
    model: onnx.ModelProto
    data: list[tuple[list[Any], list[Any]]]  # of each data set: inputs, expected outputs
    rtol: float
    atol: float
    excluded: str = ""  # why this case can not be asked of the compiler yet

    @property
    def rank(self) -> str:
        """A fixed pseudo-random order."""
        return hashlib.sha256(self.name.encode()).hexdigest()


def load() -> list[Case]:
    """All node cases, by name."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        raw = sorted(load_model_tests(kind="node"), key=lambda case: case.name)
    subjects = {case.name: _subject(case) for case in raw}
    cases = []
    for case in raw:
        base = _EXPANDED.sub("", case.name)
        operators = frozenset(_operator(node) for node in _nodes(case.model.graph))
        excluded = _why_excluded(case.model, case.data_sets)
        operator = subjects.get(base, subjects[case.name])
        data = [(list(inputs), list(outputs)) for inputs, outputs in case.data_sets]
        cases.append(Case(case.name, operator, operators, case.model, data, case.rtol, case.atol, excluded))
    return cases


def sample(cases: list[Case], count: int) -> list[Case]:
    """A fixed subset: every operator's first case by `rank`, then every operator's second, and so on."""
    seen: dict[str, int] = {}
    order = []
    for case in sorted(cases, key=lambda c: c.rank):
        seen[case.operator] = seen.get(case.operator, 0) + 1
        order.append((seen[case.operator], case.rank, case))
    chosen = sorted(order, key=lambda entry: entry[:2])[:count]
    return sorted((case for _, _, case in chosen), key=lambda case: case.name)


def difference(case: Case, expected: Any, actual: Any) -> str:
    """Why `actual` is not the expected output, or "" when it is: ONNX's own rule, NaN equal to NaN."""
    expected = np.asarray(expected)
    if actual.dtype != expected.dtype:
        return f"type {actual.dtype}, expected {expected.dtype}"
    if actual.shape != expected.shape:
        return f"shape {_dims(actual.shape)}, expected {_dims(expected.shape)}"
    if expected.dtype == np.bool_:
        wrong = actual != expected
    else:
        wrong = ~np.isclose(actual, expected, rtol=case.rtol, atol=case.atol, equal_nan=True)
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.ndim else ()
    return (
        f"{int(wrong.sum())} of {wrong.size} values differ, first at {list(at)}: {actual[at]}, expected {expected[at]}"
    )


def _dims(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _operator(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _graphs(inner)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for each in _graphs(graph):
        yield from each.node


def _subject(case: Any) -> str:
    """The operator that a case is about: its only node, or the one whose name begins the case's name."""
    operators = list(dict.fromkeys(_operator(node) for node in case.model.graph.node))
    if len(operators) == 1:
        return operators[0]
    name = case.name.removeprefix("test_").replace("_", "").lower()
    matching = [o for o in operators if name.startswith(o.rpartition(".")[2].lower())]
    return max(matching, key=len) if matching else operators[0]


def _why_excluded(model: onnx.ModelProto, data_sets: Any) -> str:
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # some cases are not meant to be inferred; the declared types are left then
        inferred = model
    for kind in _types(inferred):
        if kind not in USABLE_TYPES:
            return f"type {kind if isinstance(kind, str) else TensorProto.DataType.Name(kind).lower()}"
    for inputs, outputs in data_sets:
        if any(not isinstance(value, np.ndarray | np.generic) for value in [*inputs, *outputs]):
            return "type sequence, optional or map"
    return ""


def _types(model: onnx.ModelProto) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        for info in [*graph.input, *graph.output, *graph.value_info]:
            kind = info.type.WhichOneof("value")
            if kind == "tensor_type":
                if info.type.tensor_type.elem_type != TensorProto.UNDEFINED:
                    yield info.type.tensor_type.elem_type
            elif kind is not None:
                yield kind.removesuffix("_type")
        for tensor in graph.initializer:
            yield tensor.data_type
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR:
                    yield attribute.t.data_type
                elif attribute.type == onnx.AttributeProto.TYPE_PROTO and isinstance(attribute.tp, TypeProto):
                    yield (attribute.tp.WhichOneof("value") or "unknown").removesuffix("_type")
                elif attribute.name in ("to", "dtype", "output_dtype") and attribute.i != TensorProto.UNDEFINED:
                    yield attribute.i
