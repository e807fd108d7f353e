"""A whole model compiled for WebAssembly runs in Node.js, with one script as its host."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from conftest import SOURCE
from toolchain import must_run, run

SCRIPT = SOURCE / "compiler" / "test" / "wasm" / "run.mjs"
pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="no Node.js")


@pytest.fixture(scope="module")
def module(tools, classifier, classifier_shape):
    module = tools.work / "classifier.wasm"
    must_run(
        [tools.compiler, classifier / "model.onnx", "-o", module, "--target=wasm32-unknown-unknown", classifier_shape]
    )
    return module


def test_classifier_is_right_in_node(tools, classifier, module):
    output = tools.work / "wasm-output.npy"
    must_run(["node", SCRIPT, f"--module={module}", f"--input=@{classifier / 'input.npy'}", f"--output=@{output}"])
    actual = np.load(output).astype(np.float64).ravel()
    expected, bound = (np.fromfile(classifier / name, "<f4") for name in ("expected.bin", "bound.bin"))
    assert actual.shape == expected.shape and actual.size
    assert (np.abs(actual - expected) <= bound).all()


def test_module_imports_nothing(module):
    script = "console.log(WebAssembly.Module.imports(new WebAssembly.Module(require('fs').readFileSync(process.argv[1]))).length)"
    assert must_run(["node", "-e", script, module]).strip() == "0"


def test_kernels_use_simd(module):
    text = must_run(["llvm-objdump-22", "-d", module])
    assert "f32x4.mul" in text and "f32x4.add" in text


def test_another_shape_is_an_error(tools, module):
    np.save(tools.work / "short.npy", np.zeros([1, 3, 4, 4], np.float32))
    done = run(["node", SCRIPT, f"--module={module}", f"--input=@{tools.work / 'short.npy'}"])
    assert done.returncode == 1 and "expected" in done.stderr
