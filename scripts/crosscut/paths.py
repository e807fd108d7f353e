"""Where things are in the source and build trees (ARCHITECTURE.md, "Build tree"). The one place that knows."""

from __future__ import annotations

import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
# Another build tree is chosen by the environment, for tests that must not touch the usual one.
BUILD = Path(os.environ.get("CROSSCUT_BUILD_DIR", SOURCE / "build")).resolve()

MODELS = SOURCE / "models"
MATRIX = SOURCE / "benchmarks" / "matrix.json"
BUDGETS = SOURCE / "benchmarks" / "budgets.json"
RECORD_SCHEMA = SOURCE / "results" / "record.schema.json"
RECORDS = SOURCE / "results" / "records"
MODELS_LOCK = SOURCE / "scripts" / "requirements-models.lock"
EXPECTATIONS = SOURCE / "scripts" / "crosscut" / "conformance-expectations.json"

# Downloaded packages, which every build tree shares.
WHEELS = SOURCE / "build" / "wheels"

HOST_PLATFORM = "x86_64-linux"


def tool(name: str) -> Path:
    """A program of the host build: the compiler or a native tool."""
    return BUILD / "host" / "bin" / name


def program(name: str, build_dir: str) -> Path:
    """A program built for a platform; `build_dir` is the platform's folder in the build tree ("host" for native)."""
    return BUILD / build_dir / "bin" / name


def model_dir(name: str) -> Path:
    return BUILD / "models" / name


def module_path(platform: str, model: str) -> Path:
    return BUILD / "modules" / platform / f"{model}.xcm"


def relative(path: Path | str) -> str:
    """The path as people type it: relative to the source tree when inside it."""
    path = Path(path)
    try:
        return str(path.relative_to(SOURCE))
    except ValueError:
        return str(path)
