"""The rows of a run that is not finished, on disk after every cell, so that the next call goes on where it stopped.

A row is taken over when everything it came from is the same still: compiler, model and samples, options, the platform's
programs and emulator, all by content. Rows that failed are run again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

from crosscut import boards, cells, models, paths, records, runner
from crosscut.matrix import Cell


@cache
def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def identity(cell: Cell) -> str:
    """A hash over everything that the cell's row depends on, apart from the machine."""
    programs = [paths.tool("crosscut-compile"), paths.tool("crosscut-info")]
    programs += [paths.program(name, cell.platform.build) for name in ("crosscut-run", "crosscut-bench")]
    programs += [runner.plugin()] if cell.platform.emulated else []
    programs += boards.programs(cell.platform) if cell.platform.board else []
    model = models.find(cell.model)
    files = [model.onnx, model.folder / "model.json"]
    for sample in [*model.samples(), *model.dynamic_samples()]:
        files += [*sample.inputs, *sample.outputs]
    facts = {
        "files": [_digest(path) for path in [*programs, *files]],
        "compile": cell.compile,
        "runner": cell.platform.runner,
        "emulator": cells.emulator_version(cell.platform),
        "device": [cell.setting.device, cell.setting.threads, cell.setting.dynamic, cell.setting.ram, cell.samples],
        "schema": records.SCHEMA_VERSION,
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class Unfinished:
    """One file for each set of cells that was asked for. Thread-safe."""

    def __init__(self, wanted: list[Cell], fresh: bool) -> None:
        name = hashlib.sha256("\n".join(sorted(cell.key for cell in wanted)).encode()).hexdigest()[:12]
        self.path = paths.BUILD / "nightly" / f"unfinished-{name}.json"
        self.started = records.now()
        self._lock = threading.Lock()
        self._rows: dict[str, Any] = {}
        self._said = False
        if fresh:
            self.forget()
        elif self.path.is_file():
            self._read()

    def _read(self) -> None:
        try:
            saved = json.loads(self.path.read_text())
            self._rows, self.started = dict(saved["rows"]), str(saved["started"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"{paths.relative(self.path)}: not readable, starting anew: {error}", file=sys.stderr)

    def kept(self, cell: Cell, identity: str) -> dict[str, Any] | None:
        """The cell's row from before, when it passed and nothing has changed."""
        saved = self._rows.get(cell.key)
        if not saved or saved["identity"] != identity or saved["row"]["status"] != "pass":
            return None
        row: dict[str, Any] = saved["row"]
        return row

    def add(self, cell: Cell, identity: str, row: dict[str, Any]) -> None:
        """Keeps a row. That it can not be kept (disk full) is said once, and costs the run nothing."""
        with self._lock:
            self._rows[cell.key] = {"identity": identity, "row": row}
            temporary = self.path.with_suffix(".tmp")
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with temporary.open("w") as stream:
                    json.dump({"started": self.started, "rows": self._rows}, stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(self.path)
            except OSError as error:
                if not self._said:
                    print(f"{paths.relative(self.path)}: {error.strerror}: could not be resumed", file=sys.stderr)
                self._said = True

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".tmp").unlink(missing_ok=True)
