"""The one definition of models × platforms × settings: benchmarks/matrix.json.

Platform names are the compiler's (`crosscut-compile --target=NAME`) and the toolchains' (toolchains/NAME.cmake); a test
keeps the three alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from crosscut import paths


class MatrixError(Exception):
    """A name that the matrix does not have, or a matrix that does not hold together."""


@dataclass(frozen=True)
class Platform:
    """`build` is the platform's folder in the build tree; an empty `runner` means that programs start by themselves."""

    name: str
    build: str
    runner: tuple[str, ...]

    @property
    def emulated(self) -> bool:
        return bool(self.runner)


@dataclass(frozen=True)
class Setting:
    name: str
    compile: tuple[str, ...]
    device: str
    threads: int


@dataclass(frozen=True)
class Cell:
    """One point of the matrix."""

    model: str
    platform: Platform
    setting: Setting

    @property
    def key(self) -> str:
        return f"{self.model}/{self.platform.name}/{self.setting.name}"


class Matrix:
    def __init__(self, facts: dict[str, Any]) -> None:
        self.platforms = {p["name"]: Platform(p["name"], p["build"], tuple(p["runner"])) for p in facts["platforms"]}
        self.models: list[str] = facts["models"]
        self.settings = {
            s["name"]: Setting(s["name"], tuple(s["compile"]), s["device"], s["threads"]) for s in facts["settings"]
        }
        self.selections: dict[str, Any] = facts["selections"]
        if len(self.platforms) != len(facts["platforms"]):
            raise MatrixError("matrix: a platform's name occurs twice")

    def platform(self, name: str) -> Platform:
        return _pick(self.platforms, name, "platform")

    def select(self, selection: str, models: list[str] | None = None, platforms: list[str] | None = None) -> list[Cell]:
        """The cells of a selection, cut down to the models and platforms named, platforms innermost."""
        chosen = _pick(self.selections, selection, "selection")

        def names(key: str, every: list[str]) -> list[str]:
            return every if chosen[key] == "all" else chosen[key]

        rows = names("models", self.models)
        columns = names("platforms", list(self.platforms))
        for wanted, known, what in ((models, rows, "model"), (platforms, columns, "platform")):
            for name in wanted or []:
                _pick(dict.fromkeys(known), name, what)
        return [
            Cell(model, self.platform(platform), _pick(self.settings, setting, "setting"))
            for model in rows
            if not models or model in models
            for setting in names("settings", list(self.settings))
            for platform in columns
            if not platforms or platform in platforms
        ]


def _pick(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise MatrixError(f"matrix: no {what} {name!r}; there are: {', '.join(known)}")
    return known[name]


@cache
def load(path: Path = paths.MATRIX) -> Matrix:
    try:
        return Matrix(json.loads(path.read_text()))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MatrixError(f"{paths.relative(path)}: {error!r}") from error
