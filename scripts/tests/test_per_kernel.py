"""`crosscut-bench --per-kernel` prints a table of a model's kernels, slowest first, and refuses what it can not measure."""

from __future__ import annotations

import json
import re

import pytest

from crosscut import matrix, models, paths, runner

pytestmark = pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file() or not paths.program("crosscut-bench", "host").is_file(),
    reason="the compiler or crosscut-bench is not built",
)


def _bench(tmp_path, *flags):
    model, module = models.get("simple"), tmp_path / "simple.xcm"
    explain = (f"--explain={tmp_path / 'simple.json'}",)
    done = runner.run(runner.compile_command(model.onnx, module, paths.HOST_PLATFORM, model.fixed_shapes, explain))
    assert done.ok, done.reason
    arguments = [f"--module={module}", *(f"--input=@{path}" for path in model.samples()[0].inputs), *flags]
    return runner.run(runner.on_platform(matrix.load().platform(paths.HOST_PLATFORM), "crosscut-bench", arguments))


def test_every_kernel_has_a_line_with_its_time_and_the_slowest_comes_first(tmp_path):
    done = _bench(tmp_path, "--per-kernel")
    assert done.ok, done.reason
    header, *rows, total = done.stdout.splitlines()
    assert header.split() == ["us", "share", "calls", "GFLOP/s", "peak", "predicted", "kernel", "node"]
    times = [float(row.split()[0]) for row in rows]
    assert len(rows) >= 3 and times == sorted(times, reverse=True) and all(time > 0 for time in times)
    assert abs(float(total.split()[0]) - sum(times)) <= 0.01 * (len(times) + 1)
    convolution = next(row for row in rows if "conv" in row.lower())
    gigaflops, share, predicted = convolution.split()[3:6]
    assert predicted == "-"
    peak = float(re.search(r"peak, measured with \S+: ([0-9.]+) GFLOP/s", total)[1])
    assert float(share[:-1]) == pytest.approx(100 * float(gigaflops) / peak, rel=0.1, abs=0.1) and peak > 0


def test_with_the_compilers_explanation_the_predicted_share_stands_beside_the_measured_one(tmp_path):
    done = _bench(tmp_path, "--per-kernel", f"--explain={tmp_path / 'simple.json'}")
    assert done.ok, done.reason
    steps = json.loads((tmp_path / "simple.json").read_text())["steps"]
    expected = {step["name"]: step["peak_share"] for step in steps if step["flops"]}
    rows = [line.split(maxsplit=7) for line in done.stdout.splitlines()[1:-1]]
    shown = {row[7]: float(row[5][:-1]) for row in rows if row[5] != "-"}
    assert shown == {name: pytest.approx(100 * share, abs=0.06) for name, share in expected.items()} and shown


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("no JSON", "no explanation"),
        ("[]", "no explanation"),
        ('{"target": {"flops_per_cycle": 1}, "steps": [{"kernel": 99, "flops": 0, "cycles": 0}]}', "another module"),
        ('{"target": {"flops_per_cycle": 1}, "steps": [{"kernel": -1, "flops": 0, "cycles": 0}]}', "another module"),
        ('{"target": {"flops_per_cycle": 1}, "steps": [{"kernel": 0, "flops": 7, "cycles": 0}]}', "another module"),
        ('{"target": {"flops_per_cycle": "x"}, "steps": []}', "no explanation"),
        (None, "can not be read"),
    ],
)
def test_an_explanation_that_is_none_or_of_another_module_is_refused(tmp_path, content, reason):
    file = tmp_path / "explanation.json"
    if content is not None:
        file.write_text(content)
    done = _bench(tmp_path, "--per-kernel", f"--explain={file}")
    assert done.code == 1 and not done.stdout
    assert str(file) in done.stderr and reason in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_an_explanation_without_per_kernel_is_refused(tmp_path):
    done = _bench(tmp_path, "--explain=x.json")
    assert done.code == 1 and "--per-kernel" in done.stderr


def test_a_device_whose_kernels_are_not_measured_is_refused(tmp_path):
    done = _bench(tmp_path, "--per-kernel", "--device=local-task")
    assert done.code == 1 and "local-sync" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
