"""What each engine is given: the model with fixed shapes, and what its own compiler makes of it.

Compiling takes seconds to minutes, so that results, and refusals, are kept in build/peers/cache under the hash of all
that they depend on.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosscut import paths, records, runner
from crosscut.matrix import Platform
from crosscut.models import Model, Sample
from crosscut.peers.packages import LOCK, venv
from crosscut.peers.process import ContenderError

NAMES = ("onnxruntime", "openvino", "litert", "iree", "ncnn")
COMPILE_TIMEOUT = 900.0
# Levels of x86-64 that a comparison can be for, as oneDNN calls them.
LEVELS = {"x86-64-v2": "SSE41", "x86-64-v3": "AVX2", "x86-64-v4": "AVX512_CORE"}


@dataclass(frozen=True)
class Case:
    """One comparison: a model with the inputs of one sample, on a platform, with so many threads; `cpu`: a
    level of x86-64 (LEVELS) to compile for, instead of this machine's CPU."""

    model: Model
    sample: Sample
    platform: Platform
    threads: int
    cpu: str = ""

    @property
    def folder(self) -> Path:
        name = f"{self.model.name}.{self.threads}{self.cpu and f'.{self.cpu}'}"
        return paths.BUILD / "peers" / self.platform.name / name

    @property
    def fixed(self) -> Path:
        return self.folder / f"{self.model.name}.onnx"

    @property
    def reproduce(self) -> str:
        threads = f" --threads {self.threads}" if self.threads > 1 else ""
        platform = f" --platform {self.platform.name}" if self.platform.emulated else ""
        cpu = f" --cpu {self.cpu}" if self.cpu else ""
        return f"scripts/compare-peers {self.model.name}{threads}{platform}{cpu}"


def fix_shapes(case: Case) -> None:
    """Writes the model with the shapes that Crosscut compiles it for, so that the peers can plan for them, too."""
    import onnx

    proto = onnx.load(str(case.model.onnx))
    for info in proto.graph.input:
        for dim, value in zip(
            info.type.tensor_type.shape.dim, case.model.fixed_shapes.get(info.name, []), strict=False
        ):
            dim.dim_value = value
    case.folder.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, str(case.fixed))


@dataclass(frozen=True)
class Given:
    """What an engine loads, and the inputs (.npy) that it runs on."""

    model: list[Path]
    inputs: list[Path]


def prepare(engine: str, case: Case) -> Given:
    """ContenderError("compile", …) when the engine's own compiler refuses the model."""
    from crosscut.peers import litert_model, ncnn_model

    if engine == "ncnn":
        return ncnn_model.prepare(case)
    made = {"litert": litert_model.prepare, "iree": _iree}.get(engine, lambda case: case.fixed)
    return Given([made(case)], case.sample.inputs)


def cached(key: list[str], names: list[str], make: Callable[[Path], None]) -> list[Path]:
    """Files `names` that make(folder) writes, from the cache where they are. A refusal, a ContenderError("compile", …),
    is kept like a result."""
    name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    folder = paths.BUILD / "peers" / "cache" / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new.") as temporary:
            new = Path(temporary) / "result"
            new.mkdir()
            try:
                make(new)
            except ContenderError as error:
                if error.phase != "compile":
                    raise
                for path in new.iterdir():
                    path.unlink()
                (new / "refused").write_text(error.reason)
            try:
                new.replace(folder)
            except OSError:
                if not folder.is_dir():  # another comparison made it in the meantime
                    raise
    refused = folder / "refused"
    if refused.is_file():
        raise ContenderError("compile", refused.read_text())
    return [folder / name for name in names]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tool(name: str) -> Path:
    return venv() / "bin" / name


def checked(command: list[str | Path], what: str) -> None:
    """Runs an engine's compiler. One that does not start or end is no refusal."""
    done = runner.run(command, COMPILE_TIMEOUT)
    if not done.ok:
        phase = "prepare" if done.code is None else "compile"
        raise ContenderError(phase, f"{what}: {_first_error(done)}")


def _first_error(done: runner.Result) -> str:
    """MLIR's errors begin with the file's place; that tells nobody anything here. A Python exception's line is the last."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    for line in lines:
        if "error: " in line:
            return line.partition("error: ")[2][:300]
    return (lines[-1] if any(line.startswith("Traceback ") for line in lines) else done.reason)[:300]


def fold(source: Path, target: Path) -> None:
    """Writes the model with its constants folded by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


# --- IREE ---

# The best that was found: im2col made MobileNetV2 and the direction classifier faster; not every model compiles with it.
# With AVX-512, MiniLM's kernels need more stack than the default allows.
_IREE_FLAGS = ("--iree-opt-level=O3", "--iree-opt-data-tiling", "--iree-llvmcpu-stack-allocation-limit=131072")
_IREE_FLAG_SETS = ([*_IREE_FLAGS, "--iree-global-opt-use-im2col-for-convs"], [*_IREE_FLAGS])


def environment(case: Case) -> dict[str, str]:
    """What keeps engines that choose their code when they start to the case's level, where they can be told (oneDNN in
    OpenVINO)."""
    return {"ONEDNN_MAX_CPU_ISA": LEVELS[case.cpu]} if case.cpu else {}


def _iree_target(case: Case) -> list[str]:
    platform = case.platform
    if not platform.emulated:
        return [f"--iree-llvmcpu-target-cpu={case.cpu or 'host'}"]
    cpu = platform.runner[platform.runner.index("-cpu") + 1]
    triple = f"{platform.runner[0].removeprefix('qemu-')}-linux-gnu"
    return [f"--iree-llvmcpu-target-triple={triple}", f"--iree-llvmcpu-target-cpu={cpu}"]


def _iree(case: Case) -> Path:
    target = _iree_target(case)
    machine = "" if case.platform.emulated else records.machine()["cpu"]
    key = ["iree", digest(case.fixed), *target, machine, *map(str, _IREE_FLAG_SETS), LOCK.read_text()]
    return cached(key, ["model.vmfb"], lambda folder: _compile_iree(case, target, folder))[0]


def _compile_iree(case: Case, target: list[str], folder: Path) -> None:
    """The graph as it is, or else with its constants folded by ONNX Runtime; with im2col, or else without."""
    folded, problem = folder / "folded.onnx", None
    for source in (case.fixed, folded):
        if source == folded:
            fold(case.fixed, folded)
        imported, module = folder / "model.mlir", folder / "model.vmfb"
        for flags in _IREE_FLAG_SETS:
            backend = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu"]
            try:
                checked([_tool("iree-import-onnx"), source, "-o", imported, "--opset-version", "17"], "import")
                checked([_tool("iree-compile"), imported, "-o", module, *backend, *target, *flags], "iree-compile")
                imported.unlink()
                folded.unlink(missing_ok=True)
                return
            except ContenderError as error:
                problem = problem or error
    assert problem
    raise problem
