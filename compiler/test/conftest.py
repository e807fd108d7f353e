"""Where the programs are that the compiler's tests use; CTest says so (CMakeLists.txt), by hand the usual build tree is.

build/venv/bin/python -m pytest compiler/test/kernels --platform=armv7-linux -k conv
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(SOURCE / "scripts")]

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


@pytest.fixture(scope="session")
def classifier(tools) -> Path:
    """Folder with the PP-OCR direction classifier: model.onnx, and a turned line of text (input.npy), as raw floats
    too (input.bin), what
    ONNX Runtime says of it (expected.bin) and how far each value may be off (bound.bin)."""
    from crosscut import models

    model = models.get("ppocr_cls")
    sample = next(s for s in model.samples() if s.name == "turned")
    folder = tools.work / "classifier"
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(model.onnx.read_bytes())
    expected = np.load(sample.outputs[0])
    bound = model.tolerance.atol + model.tolerance.rtol * np.abs(expected)
    (folder / "input.npy").write_bytes(sample.inputs[0].read_bytes())
    for name, values in (("input", np.load(sample.inputs[0])), ("expected", expected), ("bound", bound)):
        (folder / f"{name}.bin").write_bytes(values.astype("<f4").tobytes())
    return folder


@pytest.fixture(scope="session")
def classifier_shape() -> str:
    from crosscut import models

    (name, dims), *_ = models.get("ppocr_cls").fixed_shapes.items()
    return f"--input-shape={name}={'x'.join(map(str, dims))}"
