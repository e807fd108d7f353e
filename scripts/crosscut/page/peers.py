"""Crosscut beside other engines: of each model, the latest comparison by scripts/compare-peers.

A ratio is the other's cost by Crosscut's, both of one run on one machine: above 1, Crosscut is faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from crosscut.page import metrics
from crosscut.page.history import Machine, Measurement, version_name
from crosscut.store import Store

KIND = "peers"
OWN = "crosscut"
_WORDS = {"unsupported": "not compiled", "excluded": "not to be had", "fail": "fails"}


@dataclass(frozen=True)
class Result:
    """What one engine needed; without a `measurement`, `word` says in short and `reason` in full why there is none."""

    engine: str
    release: str
    measurement: Measurement | None
    word: str
    reason: str

    @property
    def text(self) -> str:
        return metrics.shown(self.measurement.value, self.measurement.unit) if self.measurement else self.word


@dataclass(frozen=True)
class Comparison:
    """A model with so many threads, or on an emulated platform."""

    model: str
    platform: str
    threads: int
    emulated: bool
    own: Result
    others: dict[str, Result]
    version: str
    subject: str
    started: str
    machine: Machine
    reproduce: str

    @property
    def where(self) -> str:
        return self.platform if self.emulated else f"{self.threads} thread{'s' * (self.threads != 1)}"

    def ratio(self, other: Result) -> float | None:
        if not other.measurement or not self.own.measurement or not self.own.measurement.value:
            return None
        return other.measurement.value / self.own.measurement.value

    @property
    def best(self) -> Result | None:
        """The fastest of the others."""
        ratios = [(ratio, other) for other in self.others.values() if (ratio := self.ratio(other)) is not None]
        return min(ratios, key=lambda pair: pair[0], default=(0.0, None))[1]


@dataclass(frozen=True)
class Comparisons:
    """All of them, and the engines' names in the order of the records."""

    engines: list[str]
    rows: list[Comparison]

    @property
    def missing(self) -> list[tuple[Comparison, Result]]:
        """Results without a measurement."""
        return [(row, r) for row in self.rows for r in (row.own, *row.others.values()) if not r.measurement]


def comparisons(store: Store, models: Sequence[str]) -> Comparisons:
    """The latest comparisons in the index; `models` gives the order, others follow."""
    runs = {row.id: row for row in store.runs(KIND)}
    order = {model: number for number, model in enumerate(models)}
    found, engines = [], []
    # What was compiled for an older CPU than the machine's (--cpu) is in the records alone.
    usual = (pair for pair in store.results(KIND) if pair[0].setting == "default")
    cells = groupby(usual, lambda pair: (pair[0].model, pair[0].platform, pair[0].threads))
    for _, pairs in cells:
        latest: list[tuple[Any, dict[str, Any]]] = []
        for pair in pairs:  # the oldest run first
            if latest and latest[-1][0].run_id != pair[0].run_id:
                latest = []
            latest.append(pair)
        latest.sort(key=lambda pair: pair[0].id)
        run = runs.get(latest[0][0].run_id)
        if run and (comparison := _comparison(run, latest)):
            found.append(comparison)
            engines.append([run.started, list(comparison.others)])
    found.sort(key=lambda c: (order.get(c.model, len(order)), c.model, c.emulated, c.platform, c.threads))
    names = [name for _, listed in sorted(engines, reverse=True) for name in listed]
    return Comparisons(list(dict.fromkeys(names)), found)


def _comparison(run: Any, rows: list[tuple[Any, dict[str, Any]]]) -> Comparison | None:
    results = {result.engine: result for result in (_result(row, parts) for row, parts in rows)}
    if OWN not in results:
        return None
    own, row = results.pop(OWN), rows[0][0]
    return Comparison(
        row.model,
        row.platform,
        row.threads,
        bool(row.runner),
        own,
        results,
        version_name(run.commit, run.modified),
        run.subject or "",
        run.started,
        Machine(run.architecture, run.cpu, run.cores),
        row.reproduce or "",
    )


def _result(row: Any, parts: dict[str, Any]) -> Result:
    engine, _, release = row.contender.partition(" ")
    cost = parts.get("time") or parts.get("instructions")
    measurement = None
    if row.status == "pass" and cost is not None and cost.samples:
        measurement = Measurement(cost.unit, cost.exact, cost.better == "lower", tuple(cost.samples))
    word = _WORDS.get(row.status, "not measured")
    return Result(engine, release, measurement, word, row.reason or word)
