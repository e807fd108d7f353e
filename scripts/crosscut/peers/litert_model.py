"""LiteRT's form of a model, written by onnx2tf, which needs no TensorFlow for it.

onnx2tf computes no shapes from constants, as ONNX Runtime does when it folds them: it gets the folded graph. And it does
not see hard swish in its four parts, for which XNNPACK has a kernel (2 to 4 % of the instructions of the PP-OCR models).
Images become NHWC, LiteRT's own order; the worker gives and takes arrays as the .tflite file has them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from crosscut.peers import engines
from crosscut.peers.engines import Case
from crosscut.peers.packages import LOCK, ONNX2TF_LOCK, venv
from crosscut.peers.process import ContenderError

# With float32 and its own graph passes; no other program that happens to be installed simplifies the graph first.
_FLAGS = ["--tflite_backend", "flatbuffer_direct", "--not_use_onnxsim", "--non_verbose"]


def prepare(case: Case) -> Path:
    """The .tflite file."""
    key = ["litert", engines.digest(case.fixed), Path(__file__).read_text(), LOCK.read_text(), ONNX2TF_LOCK.read_text()]
    return engines.cached(key, ["model.tflite"], lambda folder: _convert(case.fixed, folder))[0]


def _convert(source: Path, folder: Path) -> None:
    """onnx2tf writes a half-precision file and reports, too; one file is kept."""
    import onnx

    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        folded, written = Path(temporary) / "model.onnx", Path(temporary) / "model_float32.tflite"
        engines.fold(source, folded)
        onnx.save(use_hard_swish(onnx.load(str(folded))), str(folded))
        flags = list(_FLAGS)
        if kept := ambiguous_inputs(folded):
            flags += ["--keep_shape_absolutely_input_names", *kept]
        engines.checked([venv() / "bin" / "onnx2tf", "-i", folded, "-o", temporary, *flags], "onnx2tf")
        if not written.is_file():
            raise ContenderError("compile", "onnx2tf: writes no model")
        written.replace(folder / "model.tflite")


def ambiguous_inputs(source: Path) -> list[str]:
    """Inputs whose shape does not tell whether onnx2tf has moved their channels: 1x8x8x8. They are kept as they are."""
    import onnx

    inputs = onnx.load(str(source), load_external_data=False).graph.input
    shapes = {info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim] for info in inputs}
    return [name for name, shape in shapes.items() if len(shape) > 2 and shape == [shape[0], *shape[2:], shape[1]]]


def use_hard_swish(proto: Any) -> Any:
    """The model with x · clip(x + 3, 0, 6) / 6 as HardSwish, in an opset that has it; as it is, when it has none."""
    from onnx import numpy_helper, version_converter

    if not {"Add", "Clip", "Mul", "Div"} <= {node.op_type for node in proto.graph.node}:
        return proto
    new = proto
    if any(entry.domain in ("", "ai.onnx") and entry.version < 14 for entry in proto.opset_import):
        new = version_converter.convert_version(proto, 17)
    graph = new.graph
    numbers = {t.name: numpy_helper.to_array(t).item() for t in graph.initializer if max(t.dims, default=1) == 1}
    maker = {output: node for node in graph.node for output in node.output}
    used = [name for node in graph.node for name in node.input] + [info.name for info in graph.output]

    def made_by(kind: str, name: str) -> Any:
        """The node of this kind that makes a tensor for one user alone."""
        node = maker.get(name)
        return node if node is not None and node.op_type == kind and used.count(name) == 1 else None

    gone: list[str] = []
    for last in graph.node:
        product = made_by("Mul", last.input[0]) if last.op_type == "Div" and numbers.get(last.input[1]) == 6 else None
        for x, factor in (product.input, product.input[::-1]) if product else ():
            clip = made_by("Clip", factor)
            if clip is None or [numbers.get(name) for name in clip.input[1:]] != [0, 6]:
                continue
            total = made_by("Add", clip.input[0])
            if total and x in total.input and 3 in [numbers.get(name) for name in total.input]:
                gone += [*product.output, *clip.output, *total.output]
                last.op_type = "HardSwish"
                last.input[:] = [x]
                break
    if not gone:
        return proto
    kept = [node for node in graph.node if node.output[0] not in gone]
    del graph.node[:]
    graph.node.extend(kept)
    return new
