"""Fills the templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from crosscut import templates
from crosscut.page import metrics, peers, view
from crosscut.page.answer import answer
from crosscut.page.changes import Kind
from crosscut.page.points import explanation
from crosscut.page.spark import HEIGHT, WIDTH

VERSIONS_LISTED = 30
FIRST_CHANGES = 10  # the others of a list are folded
MOST_CHANGES = 500


@cache
def _environment() -> jinja2.Environment:
    environment = templates.environment(Path(__file__).parent / "templates")
    environment.filters["percent"] = metrics.percent
    environment.filters["moment"] = moment
    environment.globals.update(
        Kind=Kind, arrow=arrow, explanation=explanation, words=view.words, spark_width=WIDTH, spark_height=HEIGHT
    )
    return environment


def index(page: view.Overview, beside: peers.Comparisons) -> str:
    return _render(
        "index.html",
        page=page,
        beside=beside,
        answer=answer(page),
        first_matrix=Markup(matrix(page, metrics.COST)),
        cost=(metrics.COST, metrics.COST_TITLE),
        listed=VERSIONS_LISTED,
        first_changes=FIRST_CHANGES,
        most_changes=MOST_CHANGES,
    )


def matrix(page: view.Overview, metric: str) -> str:
    return _render("matrix.html", page=page, metric=metric)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values)


def arrow(value: view.Value) -> str:
    """▲ has more of it than before, ▼ less; whether that is good is said by the colour, the word and the list."""
    change = value.change
    if change.kind in (Kind.BETTER, Kind.WORSE) and change.ratio is not None:
        return "▲" if change.ratio > 1 else "▼"
    if change.kind is Kind.SAME:
        return "=" if change.ratio == 1 else "≈"
    return {Kind.OTHER: "◆", Kind.FIRST: "new"}.get(change.kind, "")


def moment(time: str) -> str:
    """2026-11-22 04:57 UTC of a record's time."""
    return f"{time[:10]} {time[11:16]} UTC"
