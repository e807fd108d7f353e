"""What the page shows, worked out of the history: plain values, no HTML.

The head is the latest version. A cell that was not run there shows its latest run, marked as such; one that a later run of
its whole selection did not have any more has left the matrix.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from crosscut.page import metrics
from crosscut.page.changes import Change, Kind
from crosscut.page.history import Cell, History, Measurement, Point, Run, Version
from crosscut.page.spark import VERSIONS, sparkline

Changes = dict[str, dict[int, Change]]  # by metric, then by the number of the run


@dataclass(frozen=True)
class Value:
    """A metric of a cell, as of its latest run."""

    metric: metrics.Metric
    measurement: Measurement
    change: Change
    spark: str  # the path of an SVG

    @property
    def text(self) -> str:
        return metrics.shown(self.measurement.value, self.measurement.unit)

    @property
    def before(self) -> str:
        point = self.change.before
        if point is None:
            return ""
        old = point.metrics[self.metric.name]
        return metrics.shown(old.value, old.unit)


@dataclass(frozen=True)
class CellView:
    cell: Cell
    id: str  # of its element, its link and its history's file
    latest: Point
    at_head: bool
    values: dict[str, Value]
    since: Version | None  # when it began to fail
    passed: Version | None  # when it last passed before that
    fixed: bool  # passes at the head, failed the time before

    @property
    def status(self) -> str:
        return str(self.latest.row.status)

    @property
    def newly_broken(self) -> bool:
        """It passed before, and its latest run is the first that fails."""
        return self.since is not None and self.since.number == self.latest.run.version and self.passed is not None

    def value(self, metric: str) -> Value | None:
        if metric == metrics.COST:
            return self.values.get("time") or self.values.get("instructions")
        return self.values.get(metric)

    @property
    def reproduce(self) -> str:
        row = self.latest.row
        return row.reproduce or shlex.join(["scripts/nightly", "--model", row.model, "--platform", row.platform])


@dataclass(frozen=True)
class Event:
    """A change at the head in one metric of a cell."""

    view: CellView
    value: Value

    @property
    def size(self) -> float:
        return abs((self.value.change.ratio or 1) - 1)


@dataclass
class Tally:
    """What a version's runs showed: cells that pass and fail, and cells with changes by the metric's word for them."""

    passing: int = 0
    failing: int = 0
    worse: Counter[str] = field(default_factory=Counter)
    better: Counter[str] = field(default_factory=Counter)


RowKey = tuple[str, str, str, int]  # model, setting, device, threads


@dataclass
class Overview:
    """The whole first page. `cells` are those of the matrix, `gone` those that left it."""

    versions: list[Version]
    runs: list[Run]
    tallies: list[Tally]
    refusals: list[tuple[str, str]]
    cells: list[CellView] = field(default_factory=list)
    gone: list[CellView] = field(default_factory=list)

    @property
    def head(self) -> Version | None:
        return self.versions[-1] if self.versions else None

    @property
    def previous(self) -> Version | None:
        return self.versions[-2] if len(self.versions) > 1 else None

    @property
    def head_runs(self) -> list[Run]:
        return [run for run in self.runs if run.version == len(self.versions) - 1]

    @property
    def at_head(self) -> list[CellView]:
        return [view for view in self.cells if view.at_head]

    @property
    def broken(self) -> list[CellView]:
        """Failing cells: those of the head first, new failures before old ones."""
        failing = [view for view in self.cells if view.status == "fail"]
        return sorted(failing, key=lambda view: (not view.at_head, -(view.since.number if view.since else 0)))

    @property
    def fixed(self) -> list[CellView]:
        return [view for view in self.cells if view.fixed]

    def events(self, kind: Kind) -> list[Event]:
        """Changes at the head: costs first, then by size."""
        found = [
            Event(view, value) for view in self.at_head for value in view.values.values() if value.change.kind is kind
        ]
        return sorted(found, key=lambda event: (not event.value.metric.cost, -event.size))

    @property
    def metrics(self) -> list[metrics.Metric]:
        names = {name for view in self.cells for name in view.values}
        return [metrics.metric(name) for name in sorted(names, key=metrics.rank)]

    @property
    def platforms(self) -> list[str]:
        return list(dict.fromkeys(view.cell.platform for view in self.cells))

    @property
    def target_cpus(self) -> dict[str, str]:
        """The CPU that a platform's modules were compiled for, by the latest that says so."""
        views = reversed(self.cells)
        return {view.cell.platform: view.latest.row.target_cpu for view in views if view.latest.row.target_cpu}

    @property
    def rows(self) -> list[tuple[Cell, dict[str, CellView]]]:
        """The lines of the matrix: one of the line's cells for its names, and its cells by platform."""
        models = list(dict.fromkeys(view.cell.model for view in self.cells))
        rows: dict[RowKey, dict[str, CellView]] = {}
        for view in self.cells:
            cell = view.cell
            rows.setdefault((cell.model, cell.setting, cell.device, cell.threads), {})[cell.platform] = view
        ordered = sorted(rows.items(), key=lambda row: models.index(row[0][0]))
        return [(next(iter(views.values())).cell, views) for _, views in ordered]

    @property
    def tables(self) -> list[tuple[str, list[str], list[tuple[Cell, dict[str, CellView]]]]]:
        """The matrix in tables with a head each: its platforms, and its lines. Boards, which few models fit, stand alone:
        platforms of which a cell has the size of an image in flash."""
        boards = {view.cell.platform for view in self.cells if "flash_bytes" in view.values}
        every, rows, found = self.platforms, self.rows, []
        for head, kind in (("Model", set(every) - boards), ("On boards", boards)):
            lines = [{p: view for p, view in views.items() if p in kind} for _, views in rows]
            if kind:
                named = [(next(iter(views.values())).cell, views) for views in lines if views]
                found.append((head, [p for p in every if p in kind], named))
        return found


def overview(history: History, refusals: list[tuple[str, str]]) -> Overview:
    """The page without its cells, which `add` brings one by one, and `finish` puts in order."""
    return Overview(history.versions, history.runs, [Tally() for _ in history.versions], refusals)


def add(page: Overview, cell: Cell, points: Sequence[Point], found: Changes) -> CellView:
    """Looks at one cell, whose points are not kept."""
    head = len(page.versions) - 1
    latest = points[-1]
    version = latest.run.version
    failing_from = _failing_from(points)
    since = page.versions[points[failing_from].run.version] if failing_from is not None else None
    passed = [p for p in points[: failing_from or 0] if p.row.status == "pass"]
    earlier = [p for p in points if p.run.version != version]
    view = CellView(
        cell,
        identifier(cell),
        latest,
        version == head,
        {} if latest.failed and not latest.metrics else _values(points, found, head),
        since,
        page.versions[passed[-1].run.version] if passed else None,
        version == head and latest.row.status == "pass" and bool(earlier) and earlier[-1].failed,
    )
    (page.gone if _left(page, latest.run) else page.cells).append(view)
    _count(page.tallies, points, found)
    return view


def _left(page: Overview, last: Run) -> bool:
    """Whether a run after a cell's last one would have had the cell."""
    return any(run.whole and last.selection in (None, run.selection) for run in page.runs[last.number + 1 :])


def finish(page: Overview) -> None:
    """Cells in the order of benchmarks/matrix.json, which is that of the records' rows; the latest run's first."""
    for views in (page.cells, page.gone):
        views.sort(key=lambda view: (-view.latest.run.version, -view.latest.run.number, view.latest.row.id))


def identifier(cell: Cell) -> str:
    """Names the cell in links and file names: readable, and unique by a hash."""
    parts = [cell.model, cell.platform, cell.setting, cell.device, str(cell.threads)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9]+", "-", "-".join([cell.model, cell.platform]).lower()).strip("-")
    return f"{words[:80]}-{digest}"


def _failing_from(points: Sequence[Point]) -> int | None:
    """The index of the first of the failures that the history ends with."""
    first = None
    for index in range(len(points) - 1, -1, -1):
        if not points[index].failed:
            break
        first = index
    return first


def _values(points: Sequence[Point], found: Changes, head: int) -> dict[str, Value]:
    latest = points[-1]
    recent = [point for point in points if point.run.version > head - VERSIONS]
    values = {}
    for name, measurement in latest.metrics.items():
        by_version = {p.run.version: p.metrics[name].value for p in recent if name in p.metrics}
        spark = sparkline(list(by_version.items()), head, measurement.exact)
        values[name] = Value(metrics.metric(name), measurement, found[name][latest.run.number], spark)
    return values


def _count(tallies: list[Tally], points: Sequence[Point], found: Changes) -> None:
    """Adds the cell to the tally of each version it was run at, by its latest run there."""
    last = {point.run.version: point for point in points}
    for version, point in last.items():
        tally = tallies[version]
        tally.passing += point.row.status == "pass"
        tally.failing += point.failed
        worse, better = set(), set()
        for name in point.metrics:
            kind = found[name][point.run.number].kind
            if kind is Kind.WORSE:
                worse.add(metrics.metric(name).worse)
            elif kind is Kind.BETTER:
                better.add(metrics.metric(name).better)
        tally.worse.update(worse)
        tally.better.update(better)


def words(counts: Counter[str]) -> Iterable[tuple[str, int]]:
    """("slower", 2), ("larger", 3): in the order of the metrics."""
    known = list(dict.fromkeys(word for m in metrics.KNOWN for word in (m.worse, m.better)))
    rank = {word: number for number, word in enumerate(known)}
    return sorted(counts.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0]))
