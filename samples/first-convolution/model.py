"""Cuts the classifier's first convolution out: `model.py FOLDER` writes conv.onnx, input.bin and expected.bin.

What follows the convolution up to the next one (normalisation, activation) stays with it, as a compiler fuses it. The
shape is fixed, the input is the sample "upright", and the expected output is ONNX Runtime's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.utils
import onnxruntime

from crosscut import models


def cut(model: onnx.ModelProto, shape: list[int]) -> onnx.ModelProto:
    """The nodes before the second convolution's input."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    end = convolutions[1].input[0]
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = size
    del model.graph.value_info[:]
    model = onnx.shape_inference.infer_shapes(model)
    part = onnx.utils.Extractor(model).extract_model([model.graph.input[0].name], [end])
    onnx.checker.check_model(part)
    return part


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    classifier = models.get("ppocr_cls")
    part = cut(onnx.load(classifier.onnx), classifier.fixed_shapes["x"])
    x = np.load(classifier.samples()[0].inputs[0])
    session = onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {part.graph.input[0].name: x})
    contents = {"conv.onnx": part.SerializeToString(), "input.bin": x.tobytes(), "expected.bin": y.tobytes()}
    for name, content in contents.items():
        path = folder / name
        # Unchanged files stay as they are, so that nothing is built again.
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
    print(f"{[node.op_type for node in part.graph.node if node.op_type != 'Constant']}: {x.shape} -> {y.shape}")


if __name__ == "__main__":
    main()
