"""Records match the schema and appear whole or not at all."""

from __future__ import annotations

import json

import pytest

from crosscut import records


def _record(**row):
    record = records.start("nightly", ["scripts/nightly", "--quick"])
    base = {"model": "m", "platform": "x86_64-linux", "setting": "default", "status": "pass"}
    record["rows"] = [{**base, **row}]
    return record


def test_a_row_with_measurements_is_accepted(tmp_path):
    metric = records.metric("time", "seconds", [0.001, 0.0011], exact=False)
    checks = [{"sample": "upright", "ok": True, "largest_error": 1e-7, "answer": "upright"}]
    path = records.write(_record(metrics=[metric], checks=checks), tmp_path)
    assert json.loads(path.read_text())["rows"][0]["metrics"] == [metric]


@pytest.mark.parametrize(
    "row, where",
    [
        ({"status": "fail"}, "reason"),
        ({"status": "fail", "reason": "wrong output"}, "reproduce"),
        ({"status": "slow"}, "slow"),
        ({"surprise": 1}, "surprise"),
        ({"metrics": [{"name": "time", "unit": "hours", "samples": [1], "exact": True, "better": "lower"}]}, "hours"),
        (
            {"metrics": [{"name": "time", "unit": "seconds", "samples": [], "exact": True, "better": "lower"}]},
            "metrics",
        ),
    ],
)
def test_a_row_that_does_not_match_is_refused_and_leaves_no_file(tmp_path, row, where):
    with pytest.raises(records.RecordError, match=where):
        records.write(_record(**row), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_numbers_leave_no_file(tmp_path):
    record = _record(metrics=[records.metric("time", "seconds", [float("nan")], exact=False)])
    with pytest.raises(ValueError, match="JSON compliant"):
        records.write(record, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_of_the_same_second_keep_both_records(tmp_path):
    first, second = _record(), _record()
    second["started"] = first["started"]
    assert records.write(first, tmp_path) != records.write(second, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_can_not_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(records.RecordError, match="file"):
        records.write(_record(), tmp_path / "file" / "records")
