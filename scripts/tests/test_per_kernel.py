"""`crosscut-bench --per-kernel` prints a table of a model's kernels, slowest first, and refuses what it can not measure."""

from __future__ import annotations

import pytest

from crosscut import matrix, models, paths, runner

pytestmark = pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file() or not paths.program("crosscut-bench", "host").is_file(),
    reason="the compiler or crosscut-bench is not built",
)


def _bench(tmp_path, *flags):
    model, module = models.get("simple"), tmp_path / "simple.xcm"
    done = runner.run(runner.compile_command(model.onnx, module, paths.HOST_PLATFORM, model.fixed_shapes))
    assert done.ok, done.reason
    arguments = [f"--module={module}", *(f"--input=@{path}" for path in model.samples()[0].inputs), *flags]
    return runner.run(runner.on_platform(matrix.load().platform(paths.HOST_PLATFORM), "crosscut-bench", arguments))


def test_every_kernel_has_a_line_with_its_time_and_the_slowest_comes_first(tmp_path):
    done = _bench(tmp_path, "--per-kernel")
    assert done.ok, done.reason
    header, *rows, total = done.stdout.splitlines()
    assert header.split() == ["us", "share", "calls", "GFLOP/s", "kernel"]
    times = [float(row.split()[0]) for row in rows]
    assert len(rows) >= 3 and times == sorted(times, reverse=True) and all(time > 0 for time in times)
    assert abs(float(total.split()[0]) - sum(times)) <= 0.01 * (len(times) + 1)
    convolution = next(row for row in rows if "conv" in row.lower())
    assert float(convolution.split()[3]) > 0


def test_a_device_whose_kernels_are_not_measured_is_refused(tmp_path):
    done = _bench(tmp_path, "--per-kernel", "--device=local-task")
    assert done.code == 1 and "local-sync" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
