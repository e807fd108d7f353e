"""Is a measurement better, worse or the same as the one before? The one place with the rule.

Before: the latest earlier version that has the metric; for a noisy metric, on the same machine.

- An exact metric has changed when its value differs at all.
- A noisy metric has changed when its best sample and its median moved the same way, and the best sample, against the
  one before and against the median of the last LEVEL (so that the way back from an outlier is no event), by more than
    * 5 %, or 25 % where there are fewer than five samples of a time (compile_time has one),
    * the spread of either run, (median − best) / best,
    * three standard deviations of the steps between earlier runs of the series (1.4826 × the median of their sizes),
      once there are five of them.
- A change is no event of the commit, and is shown grey, where something else explains it: another machine, CPU,
  emulator or model file; or the very same module taking another time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice, pairwise
from statistics import median

from crosscut.page.history import Measurement, Point

FLOOR = 0.05
FLOOR_OF_FEW = 0.25
FEW = 5
STEPS = 30  # how far back noise is looked for
LEVEL = 5


class Kind(Enum):
    FIRST = "first"  # nothing to compare with
    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    OTHER = "other"  # something else than the commit explains it


@dataclass(frozen=True)
class Change:
    """`ratio` is now / before; `limit` what a noisy metric had to exceed; `why` explains OTHER."""

    kind: Kind
    before: Point | None = None
    ratio: float | None = None
    limit: float | None = None
    why: str = ""


def changes(points: Sequence[Point], metric: str) -> dict[int, Change]:
    """The change at every point that has the metric, by the number of its run; points as History gives them."""
    found: dict[int, Change] = {}
    earlier: list[Point] = []
    for point in points:
        now = point.metrics.get(metric)
        if now is None:
            continue
        before = (p for p in reversed(earlier) if p.run.version != point.run.version)
        comparable = (p for p in before if p.metrics[metric].unit == now.unit)
        latest = next(comparable, None)
        if latest is None:
            found[point.run.number] = Change(Kind.FIRST)
        elif now.exact:
            found[point.run.number] = _exact(point, now, latest, metric)
        else:
            found[point.run.number] = _noisy(point, now, [latest, *islice(comparable, STEPS)], metric)
        earlier.append(point)
    return found


def _exact(point: Point, now: Measurement, before: Point, metric: str) -> Change:
    old = before.metrics[metric]
    if now.value == old.value:
        return Change(Kind.SAME, before, 1.0)
    ratio = _ratio(old.value, now.value)
    why = _explanation(point, before)
    same_module = point.row.module_sha256 is not None and point.row.module_sha256 == before.row.module_sha256
    if not why and same_module and point.row.emulator != before.row.emulator:
        why = "same module, another emulator"
    return Change(Kind.OTHER if why else _direction(now, ratio), before, ratio, None, why)


def _noisy(point: Point, now: Measurement, earlier: list[Point], metric: str) -> Change:
    """`earlier` begins with the latest."""
    same_machine = [p for p in earlier if p.run.machine == point.run.machine]
    if not same_machine:
        return Change(Kind.OTHER, earlier[0], why="first time on this machine")
    before = same_machine[0]
    old = before.metrics[metric]
    values = [p.metrics[metric].value for p in same_machine]
    limit = max(_floor(now, old), _spread(now), _spread(old), _usual_step(values))
    ratio, level = _ratio(old.value, now.value), _ratio(median(values[:LEVEL]), now.value)
    medians = _ratio(median(old.samples), median(now.samples))
    moved = (ratio > 1) == (level > 1) == (medians > 1) and min(abs(ratio - 1), abs(level - 1)) > limit
    if not moved:
        return Change(Kind.SAME, before, ratio, limit)
    why = _explanation(point, before) or _same_program(point, before, metric)
    return Change(Kind.OTHER if why else _direction(now, ratio), before, ratio, limit, why)


def _explanation(point: Point, before: Point) -> str:
    row, old = point.row, before.row
    if row.model_sha256 and old.model_sha256 and row.model_sha256 != old.model_sha256:
        return "another model file"
    return "compiled for another CPU" if point.target != before.target else ""


def _same_program(point: Point, before: Point, metric: str) -> str:
    """What was measured did not change: the compiler itself for compile_time, else the module."""
    if metric == "compile_time":
        now, old = point.run.compiler_sha256, before.run.compiler_sha256
        return "the same compiler: the machine" if now and now == old else ""
    now, old = point.row.module_sha256, before.row.module_sha256
    return "the same module: the machine" if now and now == old else ""


def _direction(now: Measurement, ratio: float) -> Kind:
    return Kind.WORSE if (ratio > 1) == now.lower_is_better else Kind.BETTER


def _floor(*measurements: Measurement) -> float:
    few = any(m.unit == "seconds" and len(m.samples) < FEW for m in measurements)
    return FLOOR_OF_FEW if few else FLOOR


def _spread(measurement: Measurement) -> float:
    if not measurement.value:
        return 0.0
    return abs(median(measurement.samples) - measurement.value) / measurement.value


def _usual_step(values: list[float]) -> float:
    """Three standard deviations of the relative steps between the last values."""
    steps = [abs(math.log(new / old)) for new, old in pairwise(values) if old > 0 and new > 0]
    return 3 * 1.4826 * median(steps) if len(steps) >= FEW else 0.0


def _ratio(old: float, new: float) -> float:
    return new / old if old else (math.inf if new else 1.0)
