"""Times and counts are read from what the programs write, or refused with a reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crosscut import bench, matrix, models, paths, runner


def _write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_times_are_repetitions_in_seconds_without_aggregates(tmp_path):
    entries = [
        {"run_type": "iteration", "real_time": 2.0, "time_unit": "ms"},
        {"run_type": "iteration", "real_time": 1500.0, "time_unit": "us"},
        {"run_type": "aggregate", "real_time": 9.0, "time_unit": "ms"},
    ]
    assert bench.read_times(_write(tmp_path / "b.json", {"benchmarks": entries})) == [0.002, 0.0015]


def test_an_error_of_the_benchmark_is_the_reason(tmp_path):
    entry = {"run_type": "iteration", "error_occurred": True, "error_message": "wrong output"}
    with pytest.raises(ValueError, match="wrong output"):
        bench.read_times(_write(tmp_path / "b.json", {"benchmarks": [entry]}))


@pytest.mark.parametrize(
    "content, reason",
    [
        ({"exact": True, "regions": []}, "no marked region"),
        ({"exact": False, "regions": [{"id": 0, "instructions": 5}]}, "more than one thread"),
    ],
)
def test_counts_that_mean_nothing_are_refused(tmp_path, content, reason):
    with pytest.raises(ValueError, match=reason):
        bench.read_count(_write(tmp_path / "c.json", content))


def test_a_count_is_that_of_the_marked_regions(tmp_path):
    content = {"exact": True, "instructions": 99, "regions": [{"id": 0, "instructions": 40}]}
    assert bench.read_count(_write(tmp_path / "c.json", content)) == 40


# ---- With the programs of this build ---------------------------------------------------------------------------------

needs_build = pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file() or not paths.tool("crosscut-bench").is_file(),
    reason="crosscut-compile and crosscut-bench are not built",
)


def _module(platform, folder):
    model = models.get("conv_dynamic_width")
    module = folder / "model.xcm"
    done = runner.run(runner.compile_command(model.onnx, module, None, model.fixed_shapes, platform.compile))
    assert done.ok, done.reason
    return model, module


@needs_build
def test_once_checks_writes_the_outputs_and_times_nothing(tmp_path):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _module(platform, tmp_path)
    sample = model.samples()[0]
    output, wrong = tmp_path / "out.npy", tmp_path / "wrong.npy"
    flags = [*bench.arguments(model, module, sample, "local-sync", 1), "--once", f"--output=@{output}"]
    done = runner.run(runner.on_platform(platform, "crosscut-bench", flags))
    assert done.ok and done.stdout == "", done.reason
    values = np.load(sample.outputs[0])
    np.testing.assert_allclose(np.load(output), values, atol=model.tolerance.atol, rtol=model.tolerance.rtol)

    np.save(wrong, values + np.float32(1))
    output.unlink()
    flags = [flag if not flag.startswith("--expected") else f"--expected=@{wrong}" for flag in flags]
    done = runner.run(runner.on_platform(platform, "crosscut-bench", flags))
    assert done.code == 1 and "wrong output" in done.reason and output.is_file()


@needs_build
@pytest.mark.parametrize("bad", ["--output=out.npy", "--output=@", "--output=@/no/such/folder/x.npy"])
def test_an_output_that_can_not_be_written_is_an_error_of_one_line(tmp_path, bad):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _module(platform, tmp_path)
    flags = [*bench.arguments(model, module, model.samples()[0], "local-sync", 1), "--once", bad]
    done = runner.run(runner.on_platform(platform, "crosscut-bench", flags))
    assert done.code == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr


@needs_build
@pytest.mark.parametrize(
    "platform", [p for p in matrix.load().platforms.values() if p.kind == "emulated"], ids=lambda p: p.name
)
def test_the_checked_run_is_counted_like_any_other_and_repeats_exactly(platform, tmp_path):
    if not paths.program("crosscut-bench", platform.build).is_file():
        pytest.skip(f"{platform.name} is not built")
    model, module = _module(platform, tmp_path)
    longer = tmp_path / "a folder of another length" / "model.xcm"
    longer.parent.mkdir()
    longer.write_bytes(module.read_bytes())

    def count(path, how):
        counts = tmp_path / "counts.json"
        flags = [*bench.arguments(model, path, model.samples()[0], "local-sync", 1), how]
        done = runner.run(runner.on_platform(platform, "crosscut-bench", flags, counts))
        assert done.ok, done.reason
        return bench.read_count(counts)

    once = count(module, "--once")
    assert count(longer, "--once") == once
    # Apart from the call it is the benchmark's own loop that lies between the marks.
    assert abs(count(module, "--iterations=1") - once) <= 20


@needs_build
def test_memory_is_that_of_the_program_and_not_of_this_process(tmp_path):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _module(platform, tmp_path)
    setting = matrix.load().settings["default"]
    cell = matrix.Cell("conv_dynamic_width", platform, setting)
    cell.module.parent.mkdir(parents=True, exist_ok=True)
    cell.module.write_bytes(module.read_bytes())
    ballast = bytearray(64_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    found, command = bench.memory(cell, model, model.samples()[0], tmp_path)
    assert all(0 < value < 16e6 for value in found["peak_rss"]) and found["arena_bytes"][0] >= 0
    assert "--print-statistics" in command
    cell.module.unlink()
