"""Compiled models agree with ONNX Runtime and mean the same: small ones at every size on every platform that is built,
large ones on this machine; under QEMU these are scripts/nightly's."""

from __future__ import annotations

import numpy as np
import pytest

from crosscut import matrix, models, paths, runner
from crosscut.compare import outputs_match

PLATFORMS = [p for p in matrix.load().platforms.values() if not p.board]
needs_compiler = pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file(), reason="crosscut-compile is not built"
)


def _compile(name, platform, folder, shapes=None):
    model, module = models.get(name), folder / f"{name}.xcm"
    shapes = model.fixed_shapes if shapes is None else shapes
    done = runner.run(runner.compile_command(model.onnx, module, None, shapes, platform.compile))
    assert done.ok, f"{done.reason}\n{done.shell}"
    return model, module


def _run(platform, module, sample, folder):
    outputs = [folder / path.name for path in sample.outputs]
    arguments = [f"--module={module}", *(f"--input=@{path}" for path in sample.inputs)]
    arguments += [f"--output=@{path}" for path in outputs]
    return runner.run(runner.on_platform(platform, "crosscut-run", arguments)), outputs


def _check(platform, model, module, samples, folder):
    for sample in samples:
        done, outputs = _run(platform, module, sample, folder)
        assert done.ok, f"{sample.name}: {done.reason}\n{done.shell}"
        problem, _, arrays = outputs_match(sample.outputs, outputs, model.tolerance.atol, model.tolerance.rtol)
        assert not problem, f"{sample.name}: {problem}\n{done.shell}"
        if sample.name in model.answers:
            assert models.answer(model, sample.name, arrays) == model.answers[sample.name]


@needs_compiler
@pytest.mark.parametrize("name", ["simple", "matmul_softmax", "conv_dynamic_width", "digits"])
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
def test_one_module_agrees_with_onnx_runtime_at_every_size(platform, name, tmp_path):
    if not paths.program("crosscut-run", platform.build).is_file():
        pytest.skip(f"{platform.name} is not built")
    model, module = _compile(name, platform, tmp_path)
    _check(platform, model, module, model.samples(), tmp_path)


@needs_compiler
@pytest.mark.parametrize("name", ["resnet50", "minilm"])
def test_a_large_model_agrees_in_its_fixed_shape(name, tmp_path):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _compile(name, platform, tmp_path)
    _check(platform, model, module, model.samples(), tmp_path)


@needs_compiler
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
def test_one_module_of_minilm_takes_any_batch_and_sequence(platform, tmp_path):
    if not paths.program("crosscut-run", platform.build).is_file():
        pytest.skip(f"{platform.name} is not built")
    model, module = _compile("minilm", platform, tmp_path, {})
    samples = [*model.dynamic_samples(), *model.samples()]
    if platform.emulated:
        samples = [sample for sample in samples if sample.name in ("tokens1", "tokens7")]
    _check(platform, model, module, samples, tmp_path)


@needs_compiler
def test_minilm_refuses_more_tokens_than_it_has_positions(tmp_path):
    platform = matrix.load().platform(paths.HOST_PLATFORM)
    model, module = _compile("minilm", platform, tmp_path, {})
    inputs = [tmp_path / f"{index}.npy" for index in range(3)]
    for path in inputs:
        np.save(path, np.ones((1, 513), np.int64))
    done, outputs = _run(platform, module, models.Sample("long", inputs, model.samples()[0].outputs), tmp_path)
    assert done.code == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not outputs[0].exists()


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
