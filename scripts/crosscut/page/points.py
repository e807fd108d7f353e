"""A cell's history as the data of a script: what static/history.js shows in the cell's dialogue.

Names are those of the record; the script only lays them out. Numbers that people read come as text, so that there is
one place that writes them (metrics.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from crosscut.page import metrics
from crosscut.page.changes import Change
from crosscut.page.history import Point
from crosscut.page.view import CellView, Changes, Overview


def run_data(page: Overview) -> list[dict[str, Any]]:
    """The runs, in the order of their numbers."""
    return [
        {
            "version": run.version,
            "name": page.versions[run.version].name,
            "commit": page.versions[run.version].commit,
            "subject": page.versions[run.version].subject,
            "started": run.started,
            "machine": str(run.machine),
            "system": run.system,
            "compiler": run.compiler,
            "file": run.file,
        }
        for run in page.runs
    ]


def cell_data(view: CellView, points: Sequence[Point], found: Changes) -> dict[str, Any]:
    row = view.latest.row
    return {
        "title": str(view.cell),
        "model": view.cell.model,
        "platform": view.cell.platform,
        "details": view.cell.details,
        "reproduce": view.reproduce,
        "commands": row.commands or {},
        "facts": {
            "Triple": row.triple,
            "CPU": row.target_cpu,
            "Features": row.features.replace(",", ", ") if row.features else None,
            "Flags": " ".join(row.flags) if row.flags else None,
            "Device": f"{row.device}, {row.threads} thread{'s' * (row.threads != 1)}" if row.device else None,
            "Runner": " ".join(row.runner) if row.runner else None,
            "Emulator": row.emulator,
            "Module hash": row.module_sha256,
            "Model hash": row.model_sha256,
        },
        "checks": row.checks or [],
        # run, status, phase, reason, first digits of the module's hash
        "rows": [
            [p.run.number, p.row.status, p.row.phase, p.row.reason, (p.row.module_sha256 or "")[:8]] for p in points
        ],
        "metrics": [_series(name, points, found[name]) for name in found],
    }


def _series(name: str, points: Sequence[Point], found: dict[int, Change]) -> dict[str, Any]:
    metric = metrics.metric(name)
    having = [point for point in points if name in point.metrics]
    return {
        "name": name,
        "title": metric.title,
        "unit": having[-1].metrics[name].unit,
        "exact": having[-1].metrics[name].exact,
        # run, value, its text, kind of change, its text, why it is none of the commit, samples
        "points": [_point(point, name, found[point.run.number]) for point in having],
    }


def _point(point: Point, name: str, change: Change) -> list[Any]:
    measurement = point.metrics[name]
    return [
        point.run.number,
        measurement.value,
        metrics.shown(measurement.value, measurement.unit),
        change.kind.value,
        metrics.percent(change.ratio) if change.ratio is not None and change.ratio != 1 else "",
        explanation(change),
        list(measurement.samples),
    ]


def explanation(change: Change) -> str:
    """Why a change is none of the commit, or what it had to exceed to be one."""
    if change.why:
        return change.why
    if change.limit is not None and not math.isinf(change.limit):
        return f"noise up to {change.limit * 100:.0f} %"
    return ""
