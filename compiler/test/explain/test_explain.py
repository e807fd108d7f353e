"""crosscut-compile --explain tells what was chosen, and counts operations and bytes as one does on paper."""

from __future__ import annotations

import json
import re

import pytest
from builder import Function
from operations import conv, depthwise
from toolchain import must_run

TARGETS = ("x86_64-linux", "aarch64-linux", "armv7-linux", "riscv64-v128-linux", "wasm32")


def explain(tools, name: str, fill, *flags: str) -> dict:
    """The explanation of a model that fill(function) describes."""
    function = Function("main")
    fill(function)
    model, module, file = (tools.work / f"{name}{suffix}" for suffix in (".mlir", ".xcm", ".json"))
    model.write_text(function.text())
    must_run([tools.compiler, model, "-o", module, f"--explain={file}", *flags])
    return json.loads(file.read_text())


def steps_with(explanation: dict, algorithm: str) -> list[dict]:
    return [s for s in explanation["steps"] if any(c["algorithm"].startswith(algorithm) for c in s["choices"])]


@pytest.mark.parametrize("target", TARGETS)
def test_a_pointwise_convolution_counts_its_sums_and_each_tensor_once(tools, target):
    def fill(f):
        f.output(conv(f, f.arg([1, 32, 14, 15]), f.const([48, 32, 1, 1]), f.const([48])))

    (step,) = steps_with(explain(tools, f"pointwise-{target}", fill, f"--target={target}"), "direct")
    assert step["flops"] == 2 * 14 * 15 * 32 * 48
    assert step["read_bytes"] == 4 * (14 * 15 * 32 + 32 * 48 + 48)
    assert step["written_bytes"] == 4 * 14 * 15 * 48
    assert 0 < step["peak_share"] <= 1 and step["cycles"] > 0
    (choice,) = step["choices"]
    assert choice["tile_rows"] >= 1 and choice["panel_columns"] == choice["tile_vectors"] * choice["lanes"]


def test_a_window_reads_each_element_once_and_counts_its_taps(tools):
    def fill(f):
        f.output(depthwise(f, f.arg([1, 48, 12, 17]), f.const([48, 3, 3]), f.const([48])))

    (step,) = steps_with(explain(tools, "depthwise", fill, "--target=aarch64-linux"), "windows")
    assert step["flops"] == 2 * 10 * 15 * 48 * 9
    assert step["read_bytes"] == 4 * (12 * 17 * 48 + 9 * 48 + 48)
    assert step["written_bytes"] == 4 * 10 * 15 * 48


def test_winograd_counts_the_operations_of_the_plain_sum_and_its_larger_weights(tools):
    def fill(f):
        f.output(conv(f, f.arg([1, 64, 30, 30]), f.const([64, 64, 3, 3]), None))

    always = explain(tools, "winograd", fill, "--target=x86_64-linux", "--winograd=always")
    off = explain(tools, "plain", fill, "--target=x86_64-linux", "--winograd=off")
    (plain,) = steps_with(off, "direct")
    assert plain["flops"] == 2 * 28 * 28 * 64 * 64 * 9
    fast = [s for s in steps_with(always, "winograd") if s["flops"]]
    assert [s["flops"] for s in fast] == [plain["flops"]]
    points = {"winograd F(4x4)": 36, "winograd F(2x2)": 16}[fast[0]["choices"][0]["algorithm"]]
    assert fast[0]["read_bytes"] >= 4 * points * 64 * 64


def test_the_modules_kernel_table_has_the_same_figures(tools):
    from crosscut import models

    file, module = tools.work / "cls.json", tools.work / "cls.xcm"
    model = models.get("ppocr_cls")
    shapes = [f"--input-shape={name}={'x'.join(map(str, dims))}" for name, dims in model.fixed_shapes.items()]
    must_run([tools.compiler, model.onnx, "-o", module, f"--explain={file}", "--target=x86_64-linux", *shapes])
    explained = json.loads(file.read_text())
    info = json.loads(must_run([tools.host_programs / "crosscut-info", module, "--json"]))
    kernels = info["variants"][0]["kernels"]
    assert {s["kernel"] for s in explained["steps"]} == set(range(len(kernels)))
    for step in explained["steps"]:
        kernel = kernels[step["kernel"]]
        assert kernel["flops"] == step["flops"]
        assert kernel["bytes"] == step["read_bytes"] + step["written_bytes"] > 0
        assert step["items"] >= 1 and step["cycles"] > 0
        assert step["bound"] in ("arithmetic", "weights", "tensors")
    chains = [s for s in explained["steps"] if s["bands"]]
    assert all(len(s["choices"]) >= 2 and s["band_rows"] >= 1 for s in chains)


def test_sizes_that_are_not_known_are_not_made_up(tools):
    model, file = tools.work / "dynamic.mlir", tools.work / "dynamic.json"
    model.write_text(
        "func.func @main(%a: tensor<?x16xf32>, %b: tensor<16x24xf32>, %o: tensor<?x24xf32>) -> tensor<?x24xf32> {\n"
        "  %r = linalg.matmul ins(%a, %b : tensor<?x16xf32>, tensor<16x24xf32>) outs(%o : tensor<?x24xf32>)"
        " -> tensor<?x24xf32>\n  return %r : tensor<?x24xf32>\n}\n"
    )
    text = must_run([tools.compiler, model, "-o", tools.work / "dynamic.xcm", "--explain"])
    assert re.search(r"(?m)^ +0 +0 .* - +- .*direct, tile \d+x\d+, panels of \d+ ", text)
    must_run([tools.compiler, model, "-o", tools.work / "dynamic.xcm", f"--explain={file}"])
    (step,) = steps_with(json.loads(file.read_text()), "direct")
    assert step["flops"] == step["read_bytes"] == step["cycles"] == 0 and step["items"] is None


def test_the_same_command_explains_the_same_and_the_module_is_the_same_without(tools, classifier, classifier_shape):
    model, modules, texts = classifier / "model.onnx", [], []
    for number, flags in enumerate((["--explain"], ["--explain"], [])):
        module = tools.work / f"same{number}.xcm"
        done = must_run([tools.compiler, model, "-o", module, "--target=aarch64-linux", classifier_shape, *flags])
        modules.append(module.read_bytes())
        texts.append(done.splitlines()[2:])
    assert modules[0] == modules[1] == modules[2]
    assert texts[0] == texts[1] and len(texts[0]) > 20 and not texts[2]


def test_a_file_that_can_not_be_written_is_an_error(tools):
    model = tools.work / "small.mlir"
    model.write_text(
        "func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {\n"
        "  %r = arith.addf %a, %a : tensor<4xf32>\n  return %r : tensor<4xf32>\n}\n"
    )
    done = tools.compile(model, tools.work / "small.xcm", "--explain=no/such/folder/x.json")
    assert done.returncode == 1 and "no/such/folder/x.json" in done.stderr and done.stderr.count("\n") == 1
