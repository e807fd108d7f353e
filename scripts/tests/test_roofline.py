"""The roofline's table and picture say what was measured."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import pytest

from crosscut import paths, roofline
from crosscut.roofline import Kernel, Roofs

ROOFS = Roofs("avx2+fma", 100e9, 80e9, 16e9)
KERNELS = [
    Kernel(1, "Conv:a<b", 400e-6, 1, 0.95, 36e6, 1e6),
    Kernel(0, "Gemm:c", 100e-6, 2, 0.08, 1e6, 2e6),
    Kernel(2, "Softmax:d", 50e-6, 1, 0, 0, 1e6),
]
TABLE = """       us   share  calls  GFLOP/s    peak  predicted  kernel  node
   400.00   72.7%      1     90.0   90.0%      95.0%       1  Conv:a b
    50.00    9.1%      2        -       -          -       2  Softmax:d
   450.00  sum of the least times; the machine's peak, measured with avx2+fma: 100.0 GFLOP/s
"""


def test_the_benchs_table_is_read_with_the_modules_work():
    infos = [{"flops": 0, "bytes": 0}, {"flops": 36000000, "bytes": 1000}, {"flops": 0, "bytes": 500}]
    kernels, vectors = roofline.read_kernels(TABLE, infos)
    assert vectors == "avx2+fma"
    assert kernels[0] == Kernel(1, "Conv:a b", pytest.approx(400e-6), 1, pytest.approx(0.95), 36e6, 1000)
    assert (kernels[1].calls, kernels[1].bytes, kernels[1].predicted) == (2, 1000, 0)


def test_roofs_are_the_best_repetitions():
    entries = [
        {"run_name": "peak/sse2", "flops": 5, "run_type": "iteration"},
        {"run_name": "peak/sse2", "flops": 7, "run_type": "iteration"},
        {"run_name": "peak/sse2", "flops": 99, "run_type": "aggregate"},
        {"run_name": "read/l2", "bytes_per_second": 3},
        {"run_name": "read/memory", "bytes_per_second": 2},
    ]
    assert roofline.read_roofs(json.dumps({"benchmarks": entries}), "sse2") == Roofs("sse2", 7, 3, 2)
    with pytest.raises(roofline.RooflineError, match="peak/neon"):
        roofline.read_roofs(json.dumps({"benchmarks": entries}), "neon")


def test_the_table_has_every_kernel_with_its_shares():
    header, _, first, second, third, last = roofline.text(ROOFS, KERNELS).splitlines()
    assert header.split()[:3] == ["us", "share", "calls"]
    assert first.split() == ["400.0", "72.7", "%", "1", "2.5", "36.0", "90.0", "90", "%", "95", "%", "1", "Conv:a<b"]
    assert second.split()[4:8] == ["20.0", "0.5", "10.0", "10"]
    assert third.split()[4:] == ["20.0", "-", "-", "-", "-", "2", "Softmax:d"]
    assert "100.0 GFLOP/s (avx2+fma)" in last and "memory 16.0 GB/s" in last


def test_a_point_lies_where_its_figures_say():
    drawn = ElementTree.fromstring(roofline.picture("a & b", ROOFS, KERNELS))
    space = "{http://www.w3.org/2000/svg}"
    circles = drawn.findall(f"{space}circle")
    assert len(circles) == 2  # the kernel without sums of products is in the table alone
    # From 0.5 to 50 FLOPs a byte and from 10 to 200 GFLOP/s: 36 and 90, 0.5 and 10.
    places = [(float(c.get("cx")), float(c.get("cy"))) for c in circles]
    wide, high = roofline.RIGHT - roofline.LEFT, roofline.BOTTOM - roofline.TOP
    across, up = math.log10(36 / 0.5) / 2, math.log(90 / 10) / math.log(20)
    assert places[0] == pytest.approx((roofline.LEFT + wide * across, roofline.BOTTOM - high * up), abs=0.1)
    assert places[1] == pytest.approx((roofline.LEFT, roofline.BOTTOM), abs=0.1)
    assert len(drawn.findall(f"{space}polyline")) == 3
    assert "Conv:a<b" in "".join(drawn.itertext())


@pytest.mark.skipif(
    not paths.tool("crosscut-compile").is_file() or not paths.program("crosscut-roofs-bench", "host").is_file(),
    reason="the compiler or the benchmarks are not built",
)
def test_a_model_is_measured_and_drawn(tmp_path, capsys):
    picture = tmp_path / "simple.svg"
    assert roofline.main(["simple", f"--svg={picture}"]) == 0
    assert "picture: " in capsys.readouterr().out
    ElementTree.parse(picture)


def test_an_unknown_model_is_one_line(capsys):
    assert roofline.main(["nothing"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
