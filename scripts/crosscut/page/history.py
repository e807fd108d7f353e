"""The history in the index as versions and points.

A version is a commit. Its runs count together, however many there are; what was run from a modified tree, or outside a
repository, is a version of its own. Versions are in the order of their commits' times where the records have them, else
of their first run, so that measuring an old commit once more changes the past and not the present.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from crosscut.store import Store

KIND = "nightly"


@dataclass(frozen=True)
class Machine:
    architecture: str
    cpu: str
    cores: int

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} core{'s' * (self.cores != 1)}, {self.architecture}"


@dataclass(frozen=True)
class Run:
    """One record. `number` is its place in the history, `version` that of its version."""

    number: int
    version: int
    started: str
    finished: str
    machine: Machine
    system: str
    compiler: str | None
    compiler_sha256: str | None
    file: str
    selection: str | None  # of benchmarks/matrix.json
    whole: bool  # nothing was left out of the selection


def version_name(commit: str | None, modified: bool) -> str:
    return (commit[:7] if commit else "no commit") + "+" * modified


@dataclass(frozen=True)
class Version:
    number: int
    commit: str | None
    modified: bool
    subject: str
    committed: str | None
    started: str  # of its latest run

    @property
    def name(self) -> str:
        """Short: 1a2b3c4, 1a2b3c4+ for a modified tree."""
        return version_name(self.commit, self.modified)


@dataclass(frozen=True)
class Measurement:
    unit: str
    exact: bool
    lower_is_better: bool
    samples: tuple[float, ...]

    @cached_property
    def value(self) -> float:
        """The best sample: what disturbs a measurement only ever makes it worse."""
        return min(self.samples) if self.lower_is_better else max(self.samples)


@dataclass(frozen=True)
class Point:
    """One row of a run: what became of a cell."""

    run: Run
    row: Any  # of the table `result`
    metrics: dict[str, Measurement]

    @property
    def failed(self) -> bool:
        return bool(self.row.status == "fail")

    @property
    def target(self) -> tuple[str | None, ...]:
        return (self.row.triple, self.row.target_cpu, self.row.features)


@dataclass(frozen=True)
class Cell:
    """What a series belongs to: a model on a platform with a setting."""

    model: str
    platform: str
    setting: str
    device: str
    threads: int

    def __str__(self) -> str:
        return " · ".join([self.model, self.platform, *self.details])

    @property
    def details(self) -> list[str]:
        """What is not usual about the setting: its name, which says it, or what "default" does not say."""
        if self.setting != "default":
            return [self.setting]
        parts = []
        if self.device not in ("", "local-sync"):
            parts.append(self.device)
        if self.threads > 1:
            parts.append(f"{self.threads} threads")
        return parts


class History:
    """Runs and versions, oldest first; cells one at a time, since all of them may be more than memory holds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.runs(KIND)
        keys = [_version_key(row) for row in rows]
        first: dict[Any, tuple[Any, ...]] = {}
        committed: dict[str | None, str] = {}
        for row in rows:
            if row.committed:
                committed[row.commit] = row.committed
        for key, row in zip(keys, rows, strict=True):
            when = committed.get(row.commit) or row.started
            first.setdefault(key, (when, row.modified, row.started, row.digest))
        numbers = {key: number for number, key in enumerate(sorted(first, key=lambda key: first[key]))}
        ordered = sorted(
            zip(keys, rows, strict=True), key=lambda pair: (numbers[pair[0]], pair[1].started, pair[1].digest)
        )
        self.runs = [_run(number, numbers[key], row) for number, (key, row) in enumerate(ordered)]
        self._by_id = {row.id: run for run, (_, row) in zip(self.runs, ordered, strict=True)}
        self.versions = [
            _version(number, [row for _, row in group])
            for number, group in groupby(ordered, lambda pair: numbers[pair[0]])
        ]

    def cells(self) -> Iterator[tuple[Cell, list[Point]]]:
        """Each cell's points, oldest version first."""
        rows = self._store.results(KIND)
        for cell, group in groupby(rows, lambda pair: _cell(pair[0])):
            points = [
                Point(
                    self._by_id[row.run_id],
                    row,
                    {
                        name: Measurement(m.unit, m.exact, m.better == "lower", tuple(m.samples))
                        for name, m in metrics.items()
                    },
                )
                for row, metrics in group
                if row.run_id in self._by_id
            ]
            points.sort(key=lambda point: point.run.number)
            yield cell, points


def _version_key(row: Any) -> Any:
    return row.commit if row.commit and not row.modified else (row.commit, row.digest)


def _run(number: int, version: int, row: Any) -> Run:
    machine = Machine(row.architecture, row.cpu, row.cores)
    selection = row.selection or {}
    whole = bool(selection) and not any(selection[part] for part in ("models", "platforms", "settings"))
    return Run(
        number,
        version,
        row.started,
        row.finished,
        machine,
        row.system,
        row.compiler,
        row.compiler_sha256,
        row.file,
        selection.get("name"),
        whole,
    )


def _version(number: int, rows: list[Any]) -> Version:
    subjects = [row.subject for row in rows if row.subject]
    committed = [row.committed for row in rows if row.committed]
    return Version(
        number,
        rows[0].commit,
        rows[0].modified,
        subjects[-1] if subjects else "",
        committed[-1] if committed else None,
        rows[-1].started,
    )


def _cell(row: Any) -> Cell:
    return Cell(row.model, row.platform, row.setting, row.device, row.threads)
