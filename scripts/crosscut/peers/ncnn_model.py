"""ncnn's form of a model, written by pnnx, after what ncnn and pnnx can not take is put in other words.

ncnn has no cast from integers to float: an integer input that is only cast (MiniLM's attention mask) becomes a float
input. pnnx tries a graph on random indices below ten: tables with fewer rows are padded, which no valid index sees. And
it does not see the axes of a ReduceSum, which are an input since opset 13: a sum becomes a mean times a number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crosscut.peers import engines
from crosscut.peers.engines import Case, Given
from crosscut.peers.packages import LOCK, venv
from crosscut.peers.process import ContenderError

_FILES = ["model.ncnn.param", "model.ncnn.bin", "inputs.json"]
_TABLE_ROWS = 16
# Operators that hand on what they get, whatever its type.
_MOVES = {"Unsqueeze", "Squeeze", "Reshape", "Transpose", "Flatten", "Identity", "Expand", "Slice"}
_TYPES = {"float32": "f32", "int64": "i64", "int32": "i32", "uint8": "u8", "int8": "i8", "bool": "bool"}


def prepare(case: Case) -> Given:
    """The .param and .bin files, and the sample's inputs as arrays of ncnn's types."""
    import numpy as np

    key = ["ncnn", engines.digest(case.fixed), Path(__file__).read_text(), LOCK.read_text()]
    *model, types = engines.cached(key, _FILES, lambda folder: _convert(case, folder))
    inputs = []
    for index, (path, kind) in enumerate(zip(case.sample.inputs, json.loads(types.read_text()), strict=True)):
        value = np.load(path)
        # There are no 64-bit integers, and no batch dimension.
        value = value.astype({"int64": "int32"}.get(kind, kind), copy=False)
        value = value[0] if value.ndim > 1 and value.shape[0] == 1 else value
        inputs.append(case.folder / f"ncnn.input{index}.npy")
        np.save(inputs[-1], value)
    return Given(model, inputs)


def _convert(case: Case, folder: Path) -> None:
    """pnnx writes nine files beside the model; two are kept."""
    import numpy as np
    import onnx

    proto = onnx.load(str(case.fixed))
    pad_tables(proto)
    use_means(proto)
    floats = make_float(proto)
    source = folder / "model.onnx"
    onnx.save(proto, str(source))
    shapes, types = [], []
    for info, path in zip(proto.graph.input, case.sample.inputs, strict=True):
        value = np.load(path, mmap_mode="r")
        types.append("float32" if info.name in floats else value.dtype.name)
        if types[-1] not in _TYPES:
            raise ContenderError("compile", f"pnnx: no input of type {types[-1]}")
        shapes.append(f"[{','.join(map(str, value.shape))}]{_TYPES[types[-1]]}")
    program = next(venv().glob("lib/python*/site-packages/pnnx/pnnx"), None)
    if program is None:
        raise ContenderError("prepare", "build/venv-peers has no pnnx")
    engines.checked([program, source, "fp16=0", f"inputshape={','.join(shapes)}"], "pnnx")
    kept = [folder / name for name in _FILES[:2]]
    if not all(path.is_file() for path in kept):
        raise ContenderError("compile", "pnnx: writes no ncnn model")
    unknown = unconverted(kept[0])
    for path in folder.iterdir():
        if path not in kept:
            path.unlink()
    if unknown:
        raise ContenderError("compile", f"pnnx: ncnn has no {', '.join(unknown)}")
    (folder / _FILES[2]).write_text(json.dumps(types))


def pad_tables(proto: Any) -> None:
    """Adds rows of zeros to small tables that indices from outside choose rows of."""
    import numpy as np
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    inputs = {info.name for info in proto.graph.input}
    for node in proto.graph.node:
        if node.op_type == "Gather" and node.input[1] in inputs and node.input[0] in tensors:
            tensor = tensors[node.input[0]]
            rows = numpy_helper.to_array(tensor)
            if len(rows) < _TABLE_ROWS and not any(a.name == "axis" and a.i for a in node.attribute):
                more = np.zeros((_TABLE_ROWS - len(rows), *rows.shape[1:]), rows.dtype)
                tensor.CopyFrom(numpy_helper.from_array(np.concatenate([rows, more]), tensor.name))


def use_means(proto: Any) -> None:
    """ReduceSum over known axes of a known shape → ReduceMean and Mul; for opsets where that still has an attribute."""
    import math

    import numpy as np
    from onnx import helper, numpy_helper, shape_inference

    if any(entry.domain in ("", "ai.onnx") and entry.version >= 18 for entry in proto.opset_import):
        return
    axes_of = {tensor.name: tensor for tensor in proto.graph.initializer}
    graph = shape_inference.infer_shapes(proto).graph
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in [*graph.input, *graph.value_info]}
    nodes = []
    for node in proto.graph.node:
        nodes.append(node)
        if node.op_type != "ReduceSum" or len(node.input) < 2 or node.input[1] not in axes_of:
            continue
        axes, shape = numpy_helper.to_array(axes_of[node.input[1]]).tolist(), shapes.get(node.input[0], [])
        count = math.prod(shape[axis] for axis in axes) if shape else 0
        if not axes or not count:
            continue
        output, mean = node.output[0], f"{node.output[0]}.mean"
        node.op_type, node.output[0] = "ReduceMean", mean
        del node.input[1:]
        node.attribute.append(helper.make_attribute("axes", axes))
        proto.graph.initializer.append(numpy_helper.from_array(np.float32(count), f"{mean}.count"))
        nodes.append(helper.make_node("Mul", [mean, f"{mean}.count"], [output]))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def make_float(proto: Any) -> set[str]:
    """Makes float inputs of the integer inputs that are only moved about and cast to float; returns their names."""
    from onnx import TensorProto

    changed = set()
    for info in proto.graph.input:
        if info.type.tensor_type.elem_type not in (TensorProto.INT64, TensorProto.INT32):
            continue
        moved, casts, other = {info.name}, [], False
        for node in proto.graph.node:  # in the order of their dependencies
            if not moved & set(node.input):
                continue
            if node.op_type == "Cast" and any(a.name == "to" and a.i == TensorProto.FLOAT for a in node.attribute):
                casts.append(node)
            elif node.op_type in _MOVES and node.input[0] in moved and not moved & set(node.input[1:]):
                moved |= set(node.output)
            else:
                other = True
        if casts and not other and not moved & {output.name for output in proto.graph.output}:
            changed.add(info.name)
            info.type.tensor_type.elem_type = TensorProto.FLOAT
            for node in casts:
                node.op_type = "Identity"
                del node.attribute[:]
    del proto.graph.value_info[:]
    return changed


def unconverted(param: Path) -> list[str]:
    """Layers that pnnx passed on because ncnn has nothing like them: their names have a namespace (aten::, pnnx.)."""
    layers = {line.split()[0] for line in param.read_text().splitlines()[2:] if line.strip()}
    return sorted(layer for layer in layers if "::" in layer or "." in layer)
