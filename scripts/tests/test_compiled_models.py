"""The small models, compiled once each, agree with ONNX Runtime at every size, on every platform that is built."""

from __future__ import annotations

import numpy as np
import pytest

from crosscut import matrix, models, paths, runner
from crosscut.compare import outputs_match

PLATFORMS = list(matrix.load().platforms.values())
needs_compiler = pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file(), reason="crosscut-compile is not built"
)


def _compile(name, platform, folder, shapes=None):
    model, module = models.get(name), folder / f"{name}.xcm"
    done = runner.run(runner.compile_command(model.onnx, module, None, shapes or model.fixed_shapes, platform.compile))
    assert done.ok, f"{done.reason}\n{done.shell}"
    return model, module


def _run(platform, module, sample, folder):
    outputs = [folder / path.name for path in sample.outputs]
    arguments = [f"--module={module}", *(f"--input=@{path}" for path in sample.inputs)]
    arguments += [f"--output=@{path}" for path in outputs]
    return runner.run(runner.on_platform(platform, "crosscut-run", arguments)), outputs


@needs_compiler
@pytest.mark.parametrize("name", ["simple", "matmul_softmax", "conv_dynamic_width"])
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
def test_one_module_agrees_with_onnx_runtime_at_every_size(platform, name, tmp_path):
    if not paths.program("crosscut-run", platform.build).is_file():
        pytest.skip(f"{platform.name} is not built")
    model, module = _compile(name, platform, tmp_path)
    for sample in model.samples():
        done, outputs = _run(platform, module, sample, tmp_path)
        assert done.ok, f"{sample.name}: {done.reason}\n{done.shell}"
        problem, _, _ = outputs_match(sample.outputs, outputs, model.tolerance.atol, model.tolerance.rtol)
        assert not problem, f"{sample.name}: {problem}\n{done.shell}"


@needs_compiler
def test_a_fixed_shape_agrees_and_refuses_other_sizes(tmp_path):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _compile("matmul_softmax", platform, tmp_path, {"x": [7, 64]})
    for sample in model.samples():
        done, outputs = _run(platform, module, sample, tmp_path)
        if sample.name != "rows7":
            assert done.code == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
            assert not any(path.exists() for path in outputs)
            continue
        assert done.ok, done.reason
        problem, _, _ = outputs_match(sample.outputs, outputs, model.tolerance.atol, model.tolerance.rtol)
        assert not problem
        outputs[0].unlink()


@needs_compiler
def test_crosscut_run_itself_tells_right_from_wrong(tmp_path):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _compile("simple", platform, tmp_path)
    sample = model.samples()[0]
    wrong = tmp_path / "wrong.npy"
    values = np.load(sample.outputs[0])
    values[0, 3] += 0.01
    np.save(wrong, values)
    flags = [f"--module={module}", f"--input=@{sample.inputs[0]}", "--atol=2e-5", "--rtol=1e-5"]
    for expected, code in ((sample.outputs[0], 0), (wrong, 1)):
        command = runner.on_platform(platform, "crosscut-run", [*flags, f"--expected=@{expected}"])
        assert runner.run(command).code == code
