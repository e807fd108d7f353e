"""Measures the reference's own rounding error: ONNX Runtime's float32 outputs against a float64 evaluation by onnx.

The tolerances in model.json are derived from what this prints.
"""

from __future__ import annotations

from typing import Any

from crosscut import models


def analyse(name: str) -> None:
    """Prints how far ONNX Runtime's float32 outputs are from a float64 evaluation of the same model."""
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = models.get(name)
    wide = ReferenceEvaluator(_to_float64(onnx.load(str(model.onnx))))
    print(f"{name}: ONNX Runtime against float64, unit roundoff 2^-24 = {2.0**-24:.1e}")
    for sample in [*model.samples(), *model.dynamic_samples()]:
        arrays = [np.load(path) for path in sample.inputs]
        arrays = [array.astype(np.float64) if array.dtype == np.float32 else array for array in arrays]
        exact = wide.run(None, dict(zip((i["name"] for i in model.facts["inputs"]), arrays, strict=True)))
        for path, value in zip(sample.outputs, exact, strict=True):
            error, scale = np.abs(np.load(path) - value), np.sqrt(np.mean(value**2))
            print(
                f"  {sample.name}: largest error {error.max():.2e}, RMS {np.sqrt(np.mean(error**2)):.2e}, "
                f"RMS of the values {scale:.3g}, allowed {model.tolerance.atol:g} + {model.tolerance.rtol:g}·|x|"
            )


def _to_float64(model: Any) -> Any:
    import onnx
    from onnx import TensorProto, numpy_helper

    def widen(tensor: Any) -> None:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("f8"), tensor.name))

    for tensor in model.graph.initializer:
        widen(tensor)
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            # Before opset 14, onnx.reference mixes the statistics of the input in; with momentum 1 nothing of them.
            kept = [
                onnx.AttributeProto.FromString(a.SerializeToString()) for a in node.attribute if a.name != "momentum"
            ]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("momentum", 1.0)])
        for attribute in node.attribute:
            if attribute.HasField("t"):
                widen(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    for info in [*model.graph.input, *model.graph.output]:
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    del model.graph.value_info[:]
    return model
