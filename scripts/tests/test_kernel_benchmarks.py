"""The programs that time kernels by shape, loading and compiling check what they time, and say so when it is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crosscut import kernel_shapes, matrix, models, paths, runner
from crosscut.shapes import conv, depthwise, matmul

pytestmark = pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file() or not paths.program("crosscut-kernel-bench", "host").is_file(),
    reason="the compiler or the benchmarks are not built",
)
SHORT = "--benchmark_min_time=0.0001"


def run(program, *arguments):
    return runner.run(runner.on_platform(matrix.load().platform(paths.HOST_PLATFORM), program, list(arguments)))


def rows(done):
    assert done.ok, done.reason
    return {entry["name"].removesuffix("/real_time"): entry for entry in json.loads(done.stdout)["benchmarks"]}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """A folder with small shapes of each kind, compiled."""
    folder = tmp_path_factory.mktemp("kernels")
    shapes = {
        "matmul": matmul(5, 19, 33),
        "pointwise": conv(3, 4, 9, 17, 1),
        "window": conv(5, 6, 7, 8, 3),
        "depthwise": depthwise(6, 5, 21),
        "row": matmul(1, 3, 2),
    }
    kernel_shapes.write(folder, shapes)
    command = runner.compile_command(
        folder / "kernels.mlir", folder / "kernels.xcm", paths.HOST_PLATFORM, None, ("--winograd=off",)
    )
    done = runner.run(command)
    assert done.ok, done.reason
    return folder, shapes


def test_every_shape_is_timed_once_its_output_is_exact(kernels):
    folder, shapes = kernels
    found = rows(run("crosscut-kernel-bench", f"--folder={folder}", SHORT, "--benchmark_format=json"))
    assert set(found) == set(shapes)
    for name, entry in found.items():
        assert not entry.get("error_occurred"), entry
        assert entry["flops"] > 0, name


def test_the_reference_is_a_plain_sum():
    x, w = np.arange(2 * 3 * 4.0).reshape(1, 4, 3, 2), np.arange(3 * 3 * 2 * 2.0).reshape(3, 3, 2, 2)
    result = conv(2, 1, 2, 2, 3).reference(x, w)
    expected = sum(x[0, 1 + ky, kx, c] * w[ky, kx, c, 1] for ky in range(3) for kx in range(3) for c in range(2))
    assert result.shape == (1, 2, 1, 2) and result[0, 1, 0, 1] == expected


def test_a_wrong_output_is_not_timed(kernels, tmp_path):
    folder, _ = kernels
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    values = np.load(folder / "window.output.npy")
    values.flat[3] += 1
    np.save(tmp_path / "window.output.npy", values)
    done = run("crosscut-kernel-bench", f"--folder={tmp_path}", SHORT)
    assert done.code == 1 and "wrong output: 1 elements" in done.stdout


def test_a_folder_without_kernels_is_refused(tmp_path):
    done = run("crosscut-kernel-bench", f"--folder={tmp_path}")
    assert done.code == 1 and "kernels.xcm" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def _module(tmp_path):
    model, module = models.get("simple"), tmp_path / "simple.xcm"
    done = runner.run(runner.compile_command(model.onnx, module, paths.HOST_PLATFORM, model.fixed_shapes))
    assert done.ok, done.reason
    sample = model.samples()[0]
    return [f"--module={module}", *(f"--input=@{p}" for p in sample.inputs)], sample


def test_a_first_inference_and_a_warm_one_are_timed_and_checked(tmp_path):
    arguments, sample = _module(tmp_path)
    expected = [f"--expected=@{p}" for p in sample.outputs]
    found = rows(run("crosscut-load-bench", *arguments, *expected, SHORT, "--benchmark_format=json"))
    assert set(found) == {"anew", "warm"}
    wrong = np.load(sample.outputs[0])
    wrong.flat[0] += 1
    np.save(tmp_path / "wrong.npy", wrong)
    done = run("crosscut-load-bench", *arguments, f"--expected=@{tmp_path / 'wrong.npy'}", SHORT)
    assert done.code == 1 and "wrong output" in done.stderr


def test_compiling_is_timed_and_a_failure_is_a_failed_row(tmp_path):
    compiler, model = f"--compiler={paths.tool('crosscut-compile')}", models.get("simple").onnx
    done = run("crosscut-compile-bench", compiler, f"--model={model}", SHORT, "--benchmark_format=json")
    (entry,) = rows(done).values()
    assert entry["code_bytes"] > 0 and not entry.get("error_occurred")
    done = run("crosscut-compile-bench", compiler, f"--model={tmp_path / 'none.onnx'}", SHORT)
    assert done.code == 1 and "exit status is 1" in done.stdout
    done = run("crosscut-compile-bench", compiler, f"--model={model}", "--flag=--opt=9", SHORT)
    assert done.code == 1
