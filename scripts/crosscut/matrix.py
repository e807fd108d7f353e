"""The one definition of models × platforms × settings: benchmarks/matrix.json.

  platforms   name: the compiler's (`crosscut-compile --target=NAME`) and that of the file of facts toolchains/NAME.cmake;
              runner: what starts its programs, nothing for this machine; build: the folder of the build tree with its
              programs, default NAME; compile: options of crosscut-compile in place of --target=NAME; board: true for a
              machine without an operating system, whose firmware is linked for each model (benchmarks/board)
  models      a name of models/, or {name, tags}
  settings    name; compile: options of crosscut-compile; device, threads: where it runs, default local-sync, 1;
              shapes: "fixed" (default: those that the model names) or "dynamic"; memory, of a board: where its code runs,
              "flash" (default) or "ram"
  selections  lists of products {models, platforms, settings}. models: "all", or names and tags, less those that
              `without` names; platforms: "all", or kinds ("native", "emulated", "boards") and names; samples: so many
              of a model's, not all

Names elsewhere (CMake's targets, scripts/test, CI) come from here; tests keep the compiler's own table and the toolchain
files alike. `python3 -m crosscut.matrix platforms|builds|libraries|cells` prints names of it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
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
    compile: tuple[str, ...]
    board: bool = False

    @property
    def emulated(self) -> bool:
        """Not this machine: what is measured is counted."""
        return bool(self.runner)

    @property
    def kind(self) -> str:
        return "boards" if self.board else "emulated" if self.emulated else "native"


@dataclass(frozen=True)
class Setting:
    name: str
    compile: tuple[str, ...]
    device: str
    threads: int
    dynamic: bool
    ram: bool = False

    @property
    def static(self) -> bool:
        """Linked into the program, instead of loaded."""
        return "--format=static" in self.compile


@dataclass(frozen=True)
class Cell:
    """One point of the matrix."""

    model: str
    platform: Platform
    setting: Setting
    samples: int | None = None  # so many of the model's; None: all

    @property
    def key(self) -> str:
        return f"{self.model}/{self.platform.name}/{self.setting.name}"

    @property
    def name(self) -> str:
        """As people say it."""
        setting = "" if self.setting.name == "default" else f" ({self.setting.name})"
        return f"{self.model}{setting} on {self.platform.name}"

    @property
    def compile(self) -> tuple[str, ...]:
        """Options of crosscut-compile, without those for the shapes of inputs."""
        return (*self.platform.compile, *self.setting.compile)

    @property
    def module(self) -> Path:
        """Settings that only say where a module runs share it."""
        own = self.setting.compile or self.setting.dynamic
        name = f"{self.model}.{self.setting.name}" if own else self.model
        path = paths.module_path(self.platform.name, name)
        return path.with_suffix(".a") if self.setting.static else path


_BLOCK = {"models", "without", "platforms", "settings", "samples"}


class Matrix:
    def __init__(self, facts: dict[str, Any]) -> None:
        keys = {"platforms", "models", "settings", "selections"}
        _keys(facts, "the matrix", keys, keys)
        self.platforms = {p.name: p for p in map(_platform, facts["platforms"])}
        models = [{"name": m} if isinstance(m, str) else m for m in facts["models"]]
        for model in models:
            _keys(model, "a model", {"name"}, {"name", "tags"})
        self.tags = {m["name"]: frozenset(m.get("tags", [])) for m in models}
        self.settings = {s.name: s for s in map(_setting, facts["settings"])}
        self.selections: dict[str, list[dict[str, Any]]] = facts["selections"]
        for what in ("platforms", "models", "settings"):
            if len({"platforms": self.platforms, "models": self.tags, "settings": self.settings}[what]) != len(
                facts[what]
            ):
                raise MatrixError(f"matrix: {what}: a name occurs twice")
        for tag in frozenset().union(*self.tags.values()) & {"all", *self.tags}:
            raise MatrixError(f"matrix: tag {tag!r} is a model's name, or 'all'")
        for selection in self.selections:
            self.select(selection)

    @property
    def models(self) -> list[str]:
        return list(self.tags)

    @property
    def builds(self) -> list[str]:
        """Platforms with a build of their own, beside the host's: those that have a toolchain file."""
        return [n for n in self.platforms if (paths.SOURCE / "toolchains" / f"{n}.cmake").is_file()]

    @property
    def libraries(self) -> list[str]:
        """Platforms that libraries are built for, "host" first: every one with Linux programs of its own, unless its
        toolchain file names one that it shares them with."""
        found = ["host"]
        for name in self.builds:
            if self.platforms[name].board or not self.platforms[name].emulated:
                continue
            facts = (paths.SOURCE / "toolchains" / f"{name}.cmake").read_text()
            shared = re.search(r"^set\(CROSSCUT_DEPS_PLATFORM (\S+)\)", facts, re.MULTILINE)
            found.append(shared[1] if shared else name)
        return list(dict.fromkeys(found))

    def platform(self, name: str) -> Platform:
        return _pick(self.platforms, name, "platform")

    def cell(self, model: str, platform: str, setting: str) -> Cell:
        """Any combination, whether a selection has it or not."""
        _pick(dict(self.tags), model, "model")
        cell = Cell(model, self.platform(platform), _pick(self.settings, setting, "setting"))
        _check_setting(cell.setting, cell.platform)
        return cell

    def select(
        self,
        selection: str,
        models: list[str] | None = None,
        platforms: list[str] | None = None,
        settings: list[str] | None = None,
    ) -> list[Cell]:
        """The cells of a selection, cut down to the models, platforms and settings named; each once, in its order."""
        cells: dict[str, Cell] = {}
        for block in _pick(self.selections, selection, "selection"):
            _keys(block, f"selection {selection}", {"models", "platforms", "settings"}, _BLOCK)
            samples = block.get("samples")
            if samples is not None and (not isinstance(samples, int) or samples < 1):
                raise MatrixError(f"matrix: selection {selection}: samples must be a number of at least 1")
            for model in self._models(block["models"], block.get("without", [])):
                for setting in (_pick(self.settings, name, "setting") for name in block["settings"]):
                    for platform in self._platforms(block["platforms"]):
                        _check_setting(setting, platform)
                        cell = Cell(model, platform, setting, samples)
                        cells.setdefault(cell.key, cell)
        for what, wanted, known in (
            ("model", models, {c.model for c in cells.values()}),
            ("platform", platforms, {c.platform.name for c in cells.values()}),
            ("setting", settings, {c.setting.name for c in cells.values()}),
        ):
            for name in wanted or []:
                _pick(dict.fromkeys(sorted(known)), name, what)
        found = [
            cell
            for cell in cells.values()
            if (not models or cell.model in models)
            and (not platforms or cell.platform.name in platforms)
            and (not settings or cell.setting.name in settings)
        ]
        if not found:
            raise MatrixError(f"matrix: selection {selection!r} has no such cell")
        return found

    def _models(self, wanted: str | list[str], without: list[str]) -> list[str]:
        known = {*self.tags, *frozenset().union(*self.tags.values())}
        for name in [*([] if wanted == "all" else wanted), *without]:
            _pick(dict.fromkeys(sorted(known)), name, "model or tag")
        return [
            name
            for name, tags in self.tags.items()
            if (wanted == "all" or {name, *tags} & set(wanted)) and not {name, *tags} & set(without)
        ]

    def _platforms(self, wanted: str | list[str]) -> list[Platform]:
        every = list(self.platforms.values())
        if wanted == "all":
            return every
        names = [wanted] if isinstance(wanted, str) else wanted
        known = {**dict.fromkeys(p.kind for p in every), **self.platforms}
        for name in names:
            _pick(known, name, "platform or kind")
        return [p for name in names for p in every if name in (p.name, p.kind)]


def _check_setting(setting: Setting, platform: Platform) -> None:
    if platform.emulated and setting.threads != 1:
        raise MatrixError(f"matrix: {setting.name} on {platform.name}: counts need one thread")
    if (setting.static or setting.ram) and not platform.board:
        raise MatrixError(f"matrix: {setting.name} on {platform.name}: it is for boards")


def _platform(facts: dict[str, Any]) -> Platform:
    _keys(facts, "a platform", {"name", "runner"}, {"name", "runner", "build", "compile", "board"})
    name = facts["name"]
    # What no --target means is this machine's CPU: what people who run here are after.
    default = {} if name == paths.HOST_PLATFORM else {"target": name}
    options = _options(facts.get("compile", default))
    return Platform(name, facts.get("build", name), tuple(facts["runner"]), options, facts.get("board", False))


def _setting(facts: dict[str, Any]) -> Setting:
    _keys(facts, "a setting", {"name"}, {"name", "compile", "device", "threads", "shapes", "memory"})
    shapes = facts.get("shapes", "fixed")
    if shapes not in ("fixed", "dynamic"):
        raise MatrixError(f"matrix: setting {facts['name']}: shapes {shapes!r}; there are: fixed, dynamic")
    memory = facts.get("memory", "flash")
    if memory not in ("flash", "ram"):
        raise MatrixError(f"matrix: setting {facts['name']}: memory {memory!r}; there are: flash, ram")
    device, threads = facts.get("device", "local-sync"), facts.get("threads", 1)
    options = _options(facts.get("compile", {}))
    return Setting(facts["name"], options, device, threads, shapes == "dynamic", memory == "ram")


def _options(facts: dict[str, Any]) -> tuple[str, ...]:
    """{"opt": 1} → --opt=1; CMake makes the arguments of add_model() of the same facts."""
    return tuple(f"--{name}={value}" for name, value in facts.items())


def _keys(facts: dict[str, Any], what: str, needed: set[str], known: set[str]) -> None:
    for name in sorted(needed - set(facts)):
        raise MatrixError(f"matrix: {what} lacks {name!r}: {json.dumps(facts)[:80]}")
    for name in sorted(set(facts) - known):
        raise MatrixError(f"matrix: {what}: unknown {name!r}; there are: {', '.join(sorted(known))}")


def _pick(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise MatrixError(f"matrix: no {what} {name!r}; there are: {', '.join(known)}")
    return known[name]


@cache
def load(path: Path = paths.MATRIX) -> Matrix:
    try:
        return Matrix(json.loads(path.read_text()))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MatrixError(f"{paths.relative(path)}: {error!r}") from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="crosscut.matrix", description="Prints names of benchmarks/matrix.json.")
    parser.add_argument("--file", type=Path, default=paths.MATRIX, help="another matrix")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("platforms", help="the platforms that run models")
    builds = commands.add_parser("builds", help="the platforms that are built beside the host")
    builds.add_argument("--tested", action="store_true", help="only those whose tests run by themselves")
    commands.add_parser("libraries", help="the platforms that scripts/setup builds libraries for")
    cells = commands.add_parser("cells", help="model/platform/setting of a selection")
    cells.add_argument("selection", nargs="?", default="full")
    options = parser.parse_args(arguments)
    try:
        table = load(options.file)
        if options.command == "cells":
            found = [cell.key for cell in table.select(options.selection)]
        elif options.command == "builds":
            found = [name for name in table.builds if not (options.tested and table.platforms[name].board)]
        elif options.command == "libraries":
            found = table.libraries
        else:
            found = list(table.platforms)
    except MatrixError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
