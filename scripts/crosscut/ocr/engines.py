"""What runs the three PP-OCR models: modules that Crosscut compiled, on any platform, or ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from crosscut import models, paths, runner
from crosscut.matrix import Platform

DETECTOR, CLASSIFIER, RECOGNISER = MODELS = ("ppocr_det", "ppocr_cls", "ppocr_rec")
TIMEOUT = 1800.0  # seconds of one run; a large page takes minutes on an emulated CPU


class EngineError(Exception):
    """A model can not be compiled or run; one line says which and why."""


class Engine(Protocol):
    def run(self, model: str, values: Any) -> Any:
        """The one output of a model for its one input."""
        ...


class Reference:
    """ONNX Runtime, one thread."""

    def __init__(self) -> None:
        self._sessions = {model: models.reference_session(models.get(model).onnx) for model in MODELS}

    def run(self, model: str, values: Any) -> Any:
        return self._sessions[model].run(None, {"x": values})[0]


def missing_programs(platform: Platform) -> list[Path]:
    """What of the compiler and the platform's crosscut-run is not built."""
    programs = (paths.tool("crosscut-compile"), paths.program("crosscut-run", platform.build))
    return [program for program in programs if not program.is_file()]


class Compiled:
    """Modules with dynamic sizes, compiled once a platform, run by the platform's crosscut-run.

    `say` is told what takes long.
    """

    def __init__(self, platform: Platform, say: Callable[[str], None] = lambda _: None) -> None:
        for program in missing_programs(platform):
            raise EngineError(f"{paths.relative(program)} is not built")
        self.platform = platform
        self.modules = {model: self._compile(model, say) for model in MODELS}

    def _compile(self, name: str, say: Callable[[str], None]) -> Path:
        model, module = models.get(name), paths.module_path(self.platform.name, f"{name}.any-size")
        sources = (model.onnx, paths.tool("crosscut-compile"))
        if module.is_file() and all(module.stat().st_mtime >= source.stat().st_mtime for source in sources):
            return module
        module.parent.mkdir(parents=True, exist_ok=True)
        done = runner.run(runner.compile_command(model.onnx, module, self.platform.name))
        if not done.ok:
            raise EngineError(f"{name} for {self.platform.name}: {done.reason}")
        say(f"compiled {name} for {self.platform.name} in {done.seconds:.1f} s")
        return module

    def run(self, model: str, values: Any) -> Any:
        with tempfile.TemporaryDirectory() as name:
            source, result = Path(name) / "input.npy", Path(name) / "output.npy"
            np.save(source, values)
            arguments = [f"--module={self.modules[model]}", f"--input=@{source}", f"--output=@{result}"]
            done = runner.run(runner.on_platform(self.platform, "crosscut-run", arguments), TIMEOUT)
            if not done.ok:
                raise EngineError(f"{model} on {self.platform.name}: {done.reason}")
            return np.load(result)
