"""Where the programs are that the compiler's tests use; CTest says so (CMakeLists.txt), by hand the usual build tree is.

build/venv/bin/python -m pytest compiler/test/kernels --platform=armv7-linux -k conv
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "kernels"), str(SOURCE / "scripts")]

NOT_BUILT = 77  # CTest's status of a skipped test


def pytest_addoption(parser):
    group = parser.getgroup("crosscut")
    group.addoption("--compiler", default=SOURCE / "build/host/bin/crosscut-compile", help="crosscut-compile")
    group.addoption("--host-programs", default=SOURCE / "build/host/bin", help="folder of the native programs")
    group.addoption("--platforms-root", default=SOURCE / "build", help="folder of the platforms' builds")
    group.addoption("--platform", default="x86_64-linux", help="the platform to test, or PLATFORM:CPU")
    group.addoption("--keep", default=None, help="folder to keep the modules and models in")


@pytest.fixture(scope="session")
def tools(pytestconfig, tmp_path_factory):
    from toolchain import Tools

    option = pytestconfig.getoption
    work = Path(option("--keep")) if option("--keep") else tmp_path_factory.mktemp("modules")
    work.mkdir(parents=True, exist_ok=True)
    tools = Tools(Path(option("--compiler")), Path(option("--host-programs")), Path(option("--platforms-root")), work)
    if not tools.compiler.is_file():
        pytest.exit(f"{tools.compiler} is not built", NOT_BUILT)
    return tools


@pytest.fixture(scope="session")
def platform(pytestconfig, tools):
    platform = tools.platform(pytestconfig.getoption("--platform"))
    if not platform.is_built():
        pytest.exit(f"{platform.name} is not built", NOT_BUILT)
    return platform


def write_case(tools, name: str, sample: str) -> Path:
    """Folder with a model of models/: model.onnx, one sample's input (input.npy), as raw floats too (input.bin), what
    ONNX Runtime says of it (expected.bin) and how far each value may be off (bound.bin)."""
    from crosscut import models

    model = models.get(name)
    case = next(s for s in model.samples() if s.name == sample)
    folder = tools.work / name
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(model.onnx.read_bytes())
    expected = np.load(case.outputs[0])
    bound = model.tolerance.atol + model.tolerance.rtol * np.abs(expected)
    (folder / "input.npy").write_bytes(case.inputs[0].read_bytes())
    for file, values in (("input", np.load(case.inputs[0])), ("expected", expected), ("bound", bound)):
        (folder / f"{file}.bin").write_bytes(values.astype("<f4").tobytes())
    return folder


def shape_options(name: str) -> list[str]:
    from crosscut import models

    return [f"--input-shape={i}={'x'.join(map(str, dims))}" for i, dims in models.find(name).fixed_shapes.items()]


@pytest.fixture(scope="session")
def classifier(tools) -> Path:
    """The PP-OCR direction classifier, and a turned line of text."""
    return write_case(tools, "ppocr_cls", "turned")


@pytest.fixture(scope="session")
def classifier_shape() -> str:
    return shape_options("ppocr_cls")[0]
