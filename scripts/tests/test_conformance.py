"""Cases are classified by what the compiler, the program and the values say, never by name."""

from __future__ import annotations

import numpy as np
import pytest

from crosscut import conformance, conformance_cases, matrix


@pytest.fixture(scope="module")
def cases():
    return {case.name: case for case in conformance_cases.load()}


@pytest.fixture
def harness(fake_tools):
    return conformance.Harness(matrix.load().platform("x86_64-linux"))


def _expect(implemented, not_implemented=()):
    return {"implemented": list(implemented), "not implemented": list(not_implemented)}


def test_cases_know_their_operator_and_types(cases):
    assert cases["test_add"].operator == "Add" and not cases["test_add"].excluded
    expanded = cases["test_softmax_axis_0_expanded"]
    assert expanded.operator == "Softmax" and "Softmax" not in expanded.operators
    assert cases["test_cast_FLOAT_to_FLOAT16"].excluded == "type float16"
    assert cases["test_sequence_insert_at_back"].excluded == "type sequence"
    assert sum(not case.excluded for case in cases.values()) > 1500


def test_the_sample_is_fixed_and_spreads_over_operators(cases):
    usable = [case for case in cases.values() if not case.excluded]
    first = conformance_cases.sample(usable, 60)
    assert first == conformance_cases.sample(list(reversed(usable)), 60)
    assert len({case.operator for case in first}) == 60


def test_a_right_case_passes_and_leaves_no_files(cases, harness):
    for name in ("test_add", "test_reshape_negative_dim", "test_nonzero_example", "test_and2d"):
        outcome = harness.run(cases[name])
        assert (outcome.status, outcome.reason) == ("pass", "")
        assert not (harness.folder / name).exists()


def test_a_wrong_value_fails_with_its_place_and_its_files(cases, harness, monkeypatch):
    monkeypatch.setenv("FAKE_CORRUPT", "sum")
    outcome = harness.run(cases["test_add"])
    assert outcome.status == "fail" and outcome.accepted
    assert outcome.reason.startswith("output 0: 60 of 60 values differ, first at [0, 0, 0]:")
    assert (harness.folder / "test_add" / "model.onnx").is_file()


def test_a_crash_fails_by_signal(cases, harness, monkeypatch):
    monkeypatch.setenv("FAKE_CRASH", "run")
    assert harness.run(cases["test_add"]).reason == "run: ended by SIGILL"
    monkeypatch.setenv("FAKE_CRASH", "compile")
    outcome = harness.run(cases["test_add"])
    assert (outcome.status, outcome.reason) == ("fail", "compile: ended by SIGSEGV")


def test_a_refusal_is_unsupported_by_operator(cases, harness, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSE", "Add")
    outcome = harness.run(cases["test_add"])
    assert (outcome.status, outcome.refused) == ("unsupported", "Add")


def test_a_refusal_of_an_implemented_operator_is_a_failure(cases, harness, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSE", "Add")
    refused = harness.run(cases["test_add"])
    monkeypatch.delenv("FAKE_REFUSE")
    accepted = harness.run(cases["test_add_bcast"])
    verdict = conformance.weigh([refused, accepted], _expect(["Add"]))
    assert [outcome.case.name for outcome in verdict.failures] == ["test_add"]
    assert verdict.failures[0].reason.startswith("refused, though Add is implemented")


def test_an_expansion_into_missing_operators_is_not_a_failure(cases, harness, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSE", "Exp")
    outcomes = [harness.run(cases["test_softmax_axis_0"]), harness.run(cases["test_softmax_axis_0_expanded"])]
    verdict = conformance.weigh(outcomes, _expect(["Softmax"], ["Exp"]))
    assert not verdict.failures and not verdict.problems
    assert [outcome.status for outcome in outcomes] == ["pass", "unsupported"]


def test_a_refusal_inside_an_inlined_function_is_one_of_the_operator_itself(cases):
    outcome = conformance.Outcome(cases["test_hannwindow"], "p", "unsupported", "Cos ...", False, "Cos")
    verdict = conformance.weigh([outcome], _expect(["Cos"], ["HannWindow"]))
    assert outcome.status == "unsupported" and not verdict.problems
    conformance.weigh([outcome], _expect(["Cos", "HannWindow"]))
    assert outcome.status == "fail"


def test_an_expansion_does_not_show_that_the_operator_is_implemented(cases, harness):
    outcomes = [harness.run(cases["test_softmax_axis_0_expanded"])]
    assert conformance.weigh(outcomes, None).implemented == set()


@pytest.mark.parametrize(
    "expected, refuse, problem",
    [
        (_expect([], ["Add"]), "", "Add: the compiler accepts it, the expectations say it is not implemented"),
        (_expect(["Add"]), "Add", "Add: the compiler accepts no case, the expectations say it is implemented"),
        (_expect([]), "", "Add: not in the expectations"),
    ],
)
def test_a_difference_from_the_expectations_is_a_problem(cases, harness, monkeypatch, expected, refuse, problem):
    monkeypatch.setenv("FAKE_REFUSE", refuse)
    assert conformance.weigh([harness.run(cases["test_add"])], expected).problems == [problem]


@pytest.mark.parametrize(
    "message, expected",
    [
        ("error: m.onnx: node 'y' (CumSum, opset 14): the operator is not supported", "CumSum"),
        ("error: m.onnx: node 'y' (CumSum, opset 14): the axis is computed at run time", "CumSum"),
        ("error: m.onnx: node 'y' (Resize, opset 28): mode 'cubic' is not supported", "Resize"),
        ("error: m.onnx: CumSum:y: attribute reverse is not supported", "CumSum"),
        ("error: m.onnx: unsupported element type f16", ""),
        ("error: m.onnx: can not read", None),
    ],
)
def test_refusals_are_read_from_the_message(message, expected):
    assert conformance.refused_operator(message, frozenset({"CumSum", "Add"})) == expected


def test_values_are_compared_by_onnx_rule(cases):
    case = cases["test_add"]
    one = np.array([1.0, np.nan], np.float32)
    assert not conformance_cases.difference(case, one, np.array([1.0009, np.nan], np.float32))
    assert "1 of 2 values differ" in conformance_cases.difference(case, one, np.array([1.002, np.nan], np.float32))
    assert "type int32" in conformance_cases.difference(case, one, np.array([1, 2], np.int32))
    assert "shape 2x1, expected 2" in conformance_cases.difference(case, one, one.reshape(2, 1))


def test_the_table_shows_operator_by_platform(cases, harness):
    verdict = conformance.weigh(
        [harness.run(cases["test_add"]), harness.run(cases["test_cast_FLOAT_to_FLOAT16"])], None
    )
    text = conformance.operator_table(verdict, ["x86_64-linux"])
    assert "Add       yes          1/1" in text and "Cast      no           1 excluded" in text
