"""scripts/ragged compares each size with the round one beside it."""

from __future__ import annotations

import json

import pytest

from crosscut import paths, ragged
from crosscut.ragged import Point
from crosscut.shapes import matmul


def test_the_round_size_is_the_nearest_multiple_of_16():
    assert [ragged.neighbour(n) for n in (1, 16, 24, 25, 31, 40, 41, 130)] == [16, 16, 16, 32, 32, 32, 48, 128]


def test_a_kernel_belongs_to_the_size_of_its_line():
    text = ragged.module_text({3: matmul(3, 4, 5), 7: matmul(7, 4, 5)})
    lines = text.splitlines()
    for size in (3, 7):
        line = next(i for i, content in enumerate(lines, 1) if content.strip().startswith(f"%r{size} = "))
        assert ragged._size_of(f"linalg.matmul:line {line}.transform", [3, 7]) == size
        assert ragged._size_of(f"linalg.matmul:line {line + 1}", [3, 7]) is None
    assert ragged._size_of("Conv:else", [3, 7]) is None


def test_a_kernel_of_several_sizes_costs_each_its_part():
    steps = [
        {"name": "conv:line 4.transform", "kernel": 0},
        {"name": "conv:line 4", "kernel": 1},
        {"name": "conv:line 7.transform", "kernel": 0},
        {"name": "conv:line 7", "kernel": 2},
    ]
    assert ragged.costs(steps, {0: 10.0, 1: 100.0, 2: 200.0}, [3, 7]) == {3: 105.0, 7: 205.0}


def test_slow_sizes_are_shown_with_their_choice():
    points = [Point(16, 8.0, "direct", 1.0), Point(17, 4.0, "direct 1x2, panels of 8", 0.5)]
    text = ragged.report("matmul rows", points, 0.7, "an instruction")
    assert text.startswith("matmul rows: 1 of 2 sizes below 70 %")
    assert text.splitlines()[-1].split()[:4] == ["17", "4.00", "50", "%"]
    assert "\n" not in ragged.report("matmul rows", points, 0.4, "a ns")


@pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file() or not paths.program("crosscut-bench", "host").is_file(),
    reason="the compiler or crosscut-bench is not built",
)
def test_every_size_of_a_sweep_is_measured(tmp_path, capsys):
    file = tmp_path / "sizes.json"
    assert ragged.main(["matmul columns", "conv3x3 width", "--last=19", "--step=9", f"--json={file}"]) == 0
    assert capsys.readouterr().out.count("sizes below 70 %") == 2
    sweeps = json.loads(file.read_text())["sweeps"]
    for points in sweeps.values():
        assert [p["size"] for p in points] == [1, 10, 19]
        assert all(p["speed"] > 0 and p["ratio"] > 0 for p in points)
    assert "panels of" in sweeps["matmul columns"][1]["choice"]
