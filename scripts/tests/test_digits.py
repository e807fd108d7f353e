"""The network for handwritten digits knows them, is small, and can be trained anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest

from crosscut import models, onnx_graph, paths


def _digits(script, function):
    return models._function(models.find("digits"), {"script": script, "function": function})


def test_digits_names_more_than_95_percent_of_the_held_out_pictures():
    session = models.reference_session(models.get("digits").onnx)
    _, _, pictures, labels = _digits("train.py", "split")(*_digits("digits.py", "pictures_and_labels")())
    named = [session.run(None, {"picture": picture[None]})[0].argmax() for picture in pictures]
    assert len(labels) == 359 and np.mean(named == labels) > 0.95


def test_digits_is_small_enough_for_a_microcontroller():
    weights = onnx.load(models.get("digits").onnx).graph.initializer
    assert sum(4 * int(np.prod(t.dims)) for t in weights) < 64 * 1024


def test_training_anew_learns_the_digits(tmp_path):
    script, output = models.find("digits").folder / "train.py", tmp_path / "weights.npz"
    command = [sys.executable, script, "--epochs=10", f"--output={output}"]
    environment = {**os.environ, "PYTHONPATH": str(paths.SOURCE / "scripts")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]
    _, _, pictures, labels = _digits("train.py", "split")(*_digits("digits.py", "pictures_and_labels")())
    accuracy, weights = _digits("train.py", "accuracy"), dict(np.load(output))
    assert accuracy(weights, pictures, labels) > 0.92
    assert accuracy({name: np.roll(value, 1) for name, value in weights.items()}, pictures, labels) < 0.5


def test_the_gradient_that_training_uses_is_the_loss_s():
    forward, backward, softmax = (_digits("train.py", name) for name in ("forward", "backward", "softmax"))
    weights = {n: v.astype(np.float64) for n, v in _digits("train.py", "initial")(np.random.default_rng(1)).items()}
    pictures = onnx_graph.uniform(5, (4, 1, 8, 8), 0, 1).astype(np.float64)
    wanted = np.eye(10)[[3, 1, 4, 1]]

    def loss():
        return -(wanted * np.log(softmax(forward(weights, pictures)[0]))).sum()

    logits, kept = forward(weights, pictures)
    slopes = backward(weights, kept, softmax(logits) - wanted)
    for name, value in weights.items():
        for at in (0, value.size // 2, value.size - 1):
            before, step = value.flat[at], 1e-5
            value.flat[at] = before + step
            above = loss()
            value.flat[at] = before - step
            below = loss()
            value.flat[at] = before
            assert slopes[name].flat[at] == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-6), name


def test_the_pictures_of_the_sample_are_digits_that_were_held_out():
    source = (paths.SOURCE / "runtime/samples/digits/pictures.h").read_text()
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    pictures, labels = _digits("digits.py", "pictures_and_labels")()
    found = re.findall(r"// number (\d+) of the collection, a (\w+)\n *\{([\d,\s]+)\}", source)
    assert len(found) == 6
    for number, word, values in found:
        assert int(number) >= len(labels) - 359 and words[labels[int(number)]] == word
        assert ([int(v) / 16 for v in values.split(",")] == pictures[int(number)].ravel()).all()


@pytest.mark.parametrize("sample", ["zero", "three", "four", "seven", "nine", "unclear"])
def test_the_words_about_digits_do_not_hang_on_rounding(sample):
    probabilities = np.load(next(s for s in models.get("digits").samples() if s.name == sample).outputs[0])
    second, first = np.sort(probabilities.reshape(-1))[-2:]
    assert first - second > 0.03 and abs(first - 0.7) > 0.1
