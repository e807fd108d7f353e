"""What the page calls each metric, and how its values read. Metrics that are not listed here are shown all the same."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass

from crosscut.table import size


@dataclass(frozen=True)
class Metric:
    """`worse` and `better` complete "2 cells are …"; a change of a `cost` is told before one of anything else."""

    name: str
    title: str
    worse: str
    better: str
    cost: bool = False

    @property
    def id(self) -> str:
        """For a file's name."""
        words = re.sub(r"[^a-z0-9_]+", "-", self.name)
        return words if words == self.name else f"{words}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


KNOWN = [
    Metric("time", "Time", "slower", "faster", cost=True),
    Metric("instructions", "Instructions", "slower", "faster", cost=True),
    Metric("code_bytes", "Code", "larger", "smaller"),
    Metric("arena_bytes", "Arena", "larger", "smaller"),
    Metric("ram_bytes", "RAM of a board", "larger", "smaller"),
    Metric("stack_bytes", "Stack on a board", "larger", "smaller"),
    Metric("flash_bytes", "Flash of a board", "larger", "smaller"),
    Metric("program_bytes", "Program beside the model", "larger", "smaller"),
    Metric("peak_rss", "Peak RSS", "larger", "smaller"),
    Metric("file_bytes", "Module file", "larger", "smaller"),
    Metric("weight_bytes", "Weights", "larger", "smaller"),
    Metric("compile_time", "Compile time", "slower to compile", "faster to compile"),
]
_BY_NAME = {metric.name: metric for metric in KNOWN}
# The table that opens first: milliseconds where there are any, else instructions.
COST = "cost"
COST_TITLE = "Time natively, instructions under QEMU"


def metric(name: str) -> Metric:
    return _BY_NAME.get(name) or Metric(name, name.replace("_", " "), "worse", "better")


def rank(name: str) -> tuple[int, str]:
    """Known metrics first, in the order above."""
    known = list(_BY_NAME)
    return (known.index(name) if name in _BY_NAME else len(known), name)


def shown(value: float, unit: str) -> str:
    """A value with its unit, for people: 5.079 ms, 107.0 M, 60.2 KB. Powers of 1000."""
    if unit == "seconds":
        if value >= 10:
            return f"{value:.1f} s"
        if value >= 1:
            return f"{value:.2f} s"
        return f"{_four(value * 1e3)} ms" if value >= 1e-3 else f"{_four(value * 1e6)} µs"
    if unit == "instructions":
        for letter, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
            if value >= factor:
                return f"{_four(value / factor)} {letter}"
        return f"{value:.0f}"
    if unit == "bytes":
        return size(value)
    return f"{value:g} {unit}"


def _four(value: float) -> str:
    """Four digits: 5.079, 50.79, 507.9."""
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:.{digits}f}"


def percent(ratio: float) -> str:
    """The change in percent with its sign: +3.2 %, −12 %, +0.004 %."""
    if math.isinf(ratio):
        return "from 0"
    change = (ratio - 1) * 100
    sign = "+" if change > 0 else "−"  # noqa: RUF001
    change = abs(change)
    if change >= 999.5:
        return f"{sign}{ratio:.1f} ×" if ratio > 1 else f"{sign}{change:.0f} %"
    if 0 < change < 0.001:
        return f"{sign}<0.001 %"
    digits = 0 if change >= 10 else 1 if change >= 1 else 2 if change >= 0.1 else 3
    return f"{sign}{change:.{digits}f} %"
