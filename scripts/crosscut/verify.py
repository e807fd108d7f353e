"""Compares every intermediate tensor of an ONNX model with ONNX Runtime, on any platform, and names the first node
that diverges.

The model is compiled with its intermediate tensors as outputs, a hundred at a time; ONNX Runtime runs the same. An
output keeps a tensor from being fused away, so the model is compared as it is, too: when only that one is wrong, single
tensors are made outputs, one a compilation, by bisection.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscut import matrix, models, paths, runner

TIMEOUT = 600.0
KEPT_AT_ONCE = 100  # tensors a compilation; crosscut-run takes at most 256


class VerifyError(Exception):
    """The comparison can not be made; one line says why."""


@dataclass(frozen=True)
class Comparison:
    """One tensor. `problem` is empty when it is right."""

    index: int
    node: str
    operator: str
    tensor: str
    largest_error: float
    problem: str


@dataclass(frozen=True)
class Tensor:
    index: int
    name: str
    node: str
    operator: str


def intermediates(model: Any) -> list[Tensor]:
    """Every tensor that a node of the main graph makes, in topological order; constants are not compared."""
    found = []
    for index, node in enumerate(model.graph.node):
        if node.op_type != "Constant":
            label = node.name or next((o for o in node.output if o), "")
            found += [Tensor(index, output, label, node.op_type) for output in node.output if output]
    return found


def with_outputs(model: Any, names: list[str], types: dict[str, Any]) -> Any:
    """A copy of the model that also returns `names`; `types` holds what is known of them (value_info by name)."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {output.name for output in copy.graph.output}
    copy.graph.output.extend(types[name] for name in names if name not in present)
    return copy


def reference_values(model: Any, tensors: list[Tensor], feeds: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """ONNX Runtime's value of each tensor, and its value_info."""
    import onnx

    known = {info.name: info for info in onnx.shape_inference.infer_shapes(model).graph.value_info}
    empty = {t.name: onnx.helper.make_empty_tensor_value_info(t.name) for t in tensors}
    session = models.reference_session(with_outputs(model, [t.name for t in tensors], empty).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    values = dict(zip(names, session.run(None, feeds), strict=True))
    types = {}
    for tensor in tensors:
        info, value = known.get(tensor.name), values[tensor.name]
        if info is None or not info.type.tensor_type.HasField("shape"):
            dims = [f"{tensor.name}.{axis}" for axis in range(value.ndim)]
            info = onnx.helper.make_tensor_value_info(
                tensor.name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), dims
            )
        types[tensor.name] = info
    return values, types


def compare(tensors: list[Tensor], expected: dict[str, Any], actual: dict[str, Any], rtol: float) -> list[Comparison]:
    """Tensor by tensor, in order. A value is right within rtol of its own size and of the tensor's RMS."""
    import numpy as np

    found = []
    for tensor in tensors:
        want, got = expected[tensor.name], actual[tensor.name]
        largest, problem = 0.0, ""
        if want.dtype != got.dtype:
            problem = f"type {got.dtype}, expected {want.dtype}"
        elif want.shape != got.shape:
            problem = f"shape {list(got.shape)}, expected {list(want.shape)}"
        elif want.size:
            if np.issubdtype(want.dtype, np.floating):
                wide = want.astype(np.float64)
                finite = wide[np.isfinite(wide)]
                scale = float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
                right = np.isclose(got.astype(np.float64), wide, rtol=rtol, atol=rtol * scale, equal_nan=True)
                with np.errstate(invalid="ignore"):
                    error = np.abs(got.astype(np.float64) - wide)
                largest = float(np.nanmax(error)) if np.isfinite(error).any() else 0.0
            else:
                right = want == got
                largest = float(np.count_nonzero(~right))
            if not right.all():
                at = tuple(int(i) for i in np.argwhere(~right)[0]) if right.ndim else ()
                problem = f"{int((~right).sum())} of {want.size} values differ, first at {list(at)}: "
                problem += f"{got[at]}, expected {want[at]}; largest difference {largest:.3g}"
        found.append(Comparison(tensor.index, tensor.node, tensor.operator, tensor.name, largest, problem))
    return found


class Verifier:
    """Compiles variations of one model for one platform and runs them on the same inputs."""

    def __init__(
        self, model: Any, feeds: dict[str, Any], platform: matrix.Platform, shapes: dict[str, list[int]], folder: Path
    ) -> None:
        import numpy as np

        self.model, self.platform, self.shapes, self.folder = model, platform, shapes, folder
        self.inputs = []
        for index, value in enumerate(feeds.values()):
            path = folder / f"input{index}.npy"
            np.save(path, value)
            self.inputs.append(f"--input=@{path}")

    def values(self, model: Any) -> dict[str, Any]:
        """Compiles `model` and returns all its outputs by name."""
        import numpy as np

        path, module = self.folder / "model.onnx", self.folder / "model.xcm"
        path.write_bytes(model.SerializeToString())
        compiled = runner.run(runner.compile_command(path, module, None, self.shapes, self.platform.compile), TIMEOUT)
        if not compiled.ok:
            raise VerifyError(f"compile: {compiled.reason}")
        names = [output.name for output in model.graph.output]
        files = [self.folder / f"output{index}.npy" for index in range(len(names))]
        arguments = [f"--module={module}", *self.inputs, *(f"--output=@{file}" for file in files)]
        done = runner.run(runner.on_platform(self.platform, "crosscut-run", arguments), TIMEOUT)
        if not done.ok:
            raise VerifyError(f"run: {done.reason}")
        return {name: np.load(file) for name, file in zip(names, files, strict=True)}


def verify(verifier: Verifier, feeds: dict[str, Any], rtol: float) -> tuple[list[Comparison], str]:
    """All comparisons, and a sentence on the model's own outputs."""
    model = verifier.model
    tensors = intermediates(model)
    expected, types = reference_values(model, tensors, feeds)
    usable = [t for t in tensors if expected[t.name].dtype.kind in "fiub" and expected[t.name].dtype.itemsize <= 8]
    actual: dict[str, Any] = {}
    for first in range(0, len(usable), KEPT_AT_ONCE):
        kept = [t.name for t in usable[first : first + KEPT_AT_ONCE]]
        values = verifier.values(with_outputs(model, kept, types))
        actual.update({name: values[name] for name in kept})
    comparisons = compare(usable, expected, actual, rtol)
    if any(c.problem for c in comparisons):
        return comparisons, ""

    outputs = {output.name for output in model.graph.output}
    own = [t for t in usable if t.name in outputs]
    plain = compare(own, expected, verifier.values(model), rtol)
    if not any(c.problem for c in plain):
        return comparisons, "the model compiled as it is agrees, too"

    # Right with every tensor kept, wrong when fused: find the first tensor that is wrong when it alone is kept.
    low, high, found = 0, len(usable) - 1, plain
    while low < high:
        middle = (low + high) // 2
        tensor = usable[middle]
        values = verifier.values(with_outputs(model, [tensor.name], types))
        single = compare([tensor], expected, values, rtol)
        if single[0].problem:
            high, found = middle, single
        else:
            low = middle + 1
    return [c for c in found if c.problem], "only the model compiled as it is (fused) diverges; found by bisection"


def _feeds(options: argparse.Namespace, onnx_path: Path, model: models.Model | None, shapes: Any) -> dict[str, Any]:
    import numpy as np

    from crosscut.onnx_graph import uniform

    session = models.reference_session(onnx_path)
    inputs = session.get_inputs()
    if options.input:
        if len(options.input) != len(inputs):
            raise VerifyError(f"{len(options.input)} inputs given, the model has {len(inputs)}")
        return {i.name: np.load(path) for i, path in zip(inputs, options.input, strict=True)}
    if model:
        chosen = model.samples()[-1] if not options.sample else None
        for sample in model.samples():
            if sample.name == options.sample:
                chosen = sample
        if chosen is None:
            raise VerifyError(f"{model.name} has no sample {options.sample!r}")
        return {i.name: np.load(path) for i, path in zip(inputs, chosen.inputs, strict=True)}
    feeds = {}
    for index, info in enumerate(inputs):
        dims = shapes.get(info.name, info.shape)
        if info.type != "tensor(float)" or any(not isinstance(d, int) for d in dims):
            raise VerifyError(f"input {info.name} is {info.type} of {dims}: give --input or --input-shape")
        feeds[info.name] = uniform(index + 1, dims)
    return feeds


def _shapes(options: list[str], model: models.Model | None) -> dict[str, list[int]]:
    shapes = dict(model.fixed_shapes) if model else {}
    for option in options:
        name, _, dims = option.rpartition("=")
        try:
            shapes[name] = [int(d) for d in dims.split("x")]
        except ValueError:
            raise VerifyError(f"--input-shape={option}: expected NAME=1x3x48x192") from None
    return shapes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/crosscut-verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="an ONNX file, or the name of a model of models/")
    parser.add_argument("--platform", default=paths.HOST_PLATFORM, help="platform of benchmarks/matrix.json")
    parser.add_argument("--input", action="append", default=[], metavar="FILE.npy", help="inputs, in order")
    parser.add_argument("--sample", help="sample of a named model; default: its last")
    parser.add_argument("--input-shape", action="append", default=[], metavar="NAME=1x3x48x192")
    parser.add_argument("--rtol", type=float, default=1e-4, help="allowed error, of a value and of its tensor's RMS")
    parser.add_argument("--all", action="store_true", help="print every tensor, not only the first that diverges")
    options = parser.parse_args(arguments)
    try:
        import onnx

        model = None if options.model.endswith(".onnx") else models.get(options.model)
        path = model.onnx if model else Path(options.model)
        if not path.is_file():
            raise VerifyError(f"{path}: no such file")
        platform = matrix.load().platform(options.platform)
        shapes = _shapes(options.input_shape, model)
        feeds = _feeds(options, path, model, shapes)
        with tempfile.TemporaryDirectory(prefix="crosscut-verify-") as folder:
            verifier = Verifier(onnx.load(str(path)), feeds, platform, shapes, Path(folder))
            comparisons, remark = verify(verifier, feeds, options.rtol)
    except (VerifyError, models.ModelError, matrix.MatrixError) as error:
        print(f"error: {options.model}: {error}", file=sys.stderr)
        return 1
    return report(comparisons, remark, platform.name, options.all)


def report(comparisons: list[Comparison], remark: str, platform: str, everything: bool) -> int:
    if everything:
        for c in comparisons:
            state = c.problem or f"ok, largest difference {c.largest_error:.3g}"
            print(f"{c.index:4} {c.operator:24} {c.tensor}: {state}")
    wrong = [c for c in comparisons if c.problem]
    if remark:
        print(remark)
    if not wrong:
        print(f"{platform}: all {len(comparisons)} tensors agree with ONNX Runtime")
        return 0
    first = wrong[0]
    print(
        f"{platform}: first divergence at node {first.index}, {first.operator} '{first.node}', tensor {first.tensor}:"
    )
    print(f"  {first.problem}")
    print(f"  {len(wrong)} of {len(comparisons)} tensors diverge")
    return 1


if __name__ == "__main__":
    sys.exit(main())
