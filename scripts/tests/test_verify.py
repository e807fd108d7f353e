"""The first node that diverges is named, fused or not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from crosscut import matrix, models, verify


@pytest.fixture
def verifier(fake_tools, tmp_path):
    model = models.get("simple")
    feeds = {"x": np.load(model.samples()[0].inputs[0])}
    platform = matrix.load().platform("x86_64-linux")
    return verify.Verifier(onnx.load(model.onnx), feeds, platform, {}, tmp_path), feeds


def test_agreement_covers_every_node(verifier):
    comparisons, remark = verify.verify(*verifier, 1e-4)
    assert [c.operator for c in comparisons] == ["Conv", "Relu", "MaxPool", "Flatten", "Gemm"]
    assert not any(c.problem for c in comparisons) and remark == "the model compiled as it is agrees, too"


def test_a_wrong_tensor_is_named_by_its_node(verifier, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_CORRUPT", "pool")
    comparisons, remark = verify.verify(*verifier, 1e-4)
    assert verify.report(comparisons, remark, "x86_64-linux", False) == 1
    assert "first divergence at node 2, MaxPool 'pool', tensor pool:" in capsys.readouterr().out


def test_what_is_wrong_only_when_fused_is_found_by_bisection(verifier, monkeypatch):
    monkeypatch.setenv("FAKE_FUSED", "1")
    monkeypatch.setenv("FAKE_CORRUPT", "y")
    comparisons, remark = verify.verify(*verifier, 1e-4)
    assert [c.tensor for c in comparisons] == ["y"] and "fused" in remark


def test_a_wrong_reference_is_noticed():
    tensors = [verify.Tensor(0, "a", "a", "Relu"), verify.Tensor(1, "b", "b", "Add")]
    actual = {"a": np.ones(4, np.float32), "b": np.full(4, 2, np.float32)}
    wrong = {"a": np.ones(4, np.float32), "b": np.array([2, 2, 2.5, 2], np.float32)}
    first, second = verify.compare(tensors, wrong, actual, 1e-4)
    assert not first.problem and second.problem.startswith("1 of 4 values differ, first at [2]: 2.0, expected 2.5")


def test_shapes_and_types_are_compared_before_values():
    tensor = [verify.Tensor(0, "a", "a", "Relu")]
    value = np.ones((2, 2), np.float32)
    assert "shape [4]" in verify.compare(tensor, {"a": value}, {"a": value.reshape(4)}, 1e-4)[0].problem
    assert "type int64" in verify.compare(tensor, {"a": value}, {"a": value.astype(np.int64)}, 1e-4)[0].problem


def test_nan_and_infinity_must_be_where_the_reference_has_them():
    tensor = [verify.Tensor(0, "a", "a", "Div")]
    want = np.array([np.nan, np.inf, 1], np.float32)
    assert not verify.compare(tensor, {"a": want}, {"a": want.copy()}, 1e-4)[0].problem
    assert verify.compare(tensor, {"a": want}, {"a": np.array([0, np.inf, 1], np.float32)}, 1e-4)[0].problem
