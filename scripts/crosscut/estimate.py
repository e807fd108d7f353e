"""How long a night has still to go, from how long its cells took before."""

from __future__ import annotations

import statistics
import time

from crosscut import paths, records
from crosscut.matrix import Cell


class Estimate:
    """Seconds left, from how long cells took in the latest records, else in this run."""

    def __init__(self, jobs: int, cells: list[Cell]) -> None:
        self.jobs = jobs
        self.known = durations()
        self.waiting = {cell.key: cell for cell in cells}
        self._begun: dict[str, float] = {}
        self._spent: dict[str, float] = {}

    def spend(self, cell: Cell, seconds: float) -> None:
        """A part of the cell is done."""
        self._spent[cell.key] = seconds

    def begin(self, cell: Cell) -> None:
        self._begun[cell.key] = time.monotonic()

    def done(self, cell: Cell, seconds: float) -> None:
        self.waiting.pop(cell.key, None)
        self.known[cell.key] = seconds

    def left(self) -> float | None:
        """None while cells of a kind that has not run yet are waiting."""
        total = 0.0
        for cell in list(self.waiting.values()):
            expected = self.expected(cell)
            if expected is None:
                return None
            expected -= self._spent.get(cell.key, 0.0)
            if cell.key in self._begun:
                expected -= time.monotonic() - self._begun[cell.key]
            total += max(expected, 0.0) / (self.jobs if cell.platform.emulated else 1)
        return total

    def expected(self, cell: Cell) -> float | None:
        """A cell that never ran takes as long as its model did elsewhere, natively or emulated as it is itself; else as
        long as an average model, in proportion to what both took natively."""
        if cell.key in self.known:
            return self.known[cell.key]
        seconds: dict[str, list[float]] = {}
        native: dict[str, list[float]] = {}
        for key, value in self.known.items():
            model, platform, _ = key.split("/")
            (native if platform == paths.HOST_PLATFORM else seconds).setdefault(model, []).append(value)
        if not cell.platform.emulated:
            seconds, native = native, {}
        if cell.model in seconds:
            return statistics.median(seconds[cell.model])
        if not seconds:
            return None
        ratios = [
            statistics.median(values) * (statistics.median(native[cell.model]) / statistics.median(native[model]))
            for model, values in seconds.items()
            if model in native and cell.model in native
        ]
        return statistics.mean(ratios or [value for values in seconds.values() for value in values])


def durations() -> dict[str, float]:
    found: dict[str, float] = {}
    for record in reversed(records.latest("nightly", 5)):
        for row in record["rows"]:
            if row.get("status") == "pass" and row.get("seconds"):
                found[f"{row.get('model')}/{row.get('platform')}/{row.get('setting')}"] = float(row["seconds"])
    return found
