"""Times and counts are read from what the programs write, or refused with a reason."""

from __future__ import annotations

import json

import pytest

from crosscut import bench


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
