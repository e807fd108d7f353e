"""LiteRT's form of a model, written by onnx2tf, which needs no TensorFlow for it.

onnx2tf computes no shapes from constants, as ONNX Runtime does when it folds them: it gets the folded graph. Images
become NHWC, LiteRT's own order; the worker gives and takes arrays as the .tflite file has them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

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
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        folded, written = Path(temporary) / "model.onnx", Path(temporary) / "model_float32.tflite"
        engines.fold(source, folded)
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
