"""CI from the matrix: writes .github/workflows/matrix.yml, and gives the verdict over its jobs' records.

  python3 -m crosscut.ci workflow [--check]     write the workflow, or say whether it is what the matrix asks for
  python3 -m crosscut.ci verdict FOLDER         every cell of the selection must have passed in the records of FOLDER

The compiler and all programs are built once; one job a platform then runs that platform's cells with them. A job that
ends without a record, or with one that lacks a cell, fails in the verdict like a cell that failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from crosscut import matrix, paths, records, report

WORKFLOW = paths.SOURCE / ".github" / "workflows" / "matrix.yml"

# Steps that several jobs begin with.
_CHECKOUT = """\
      - run: apt-get update && apt-get install -y --no-install-recommends ca-certificates git zstd
      - uses: actions/checkout@v4
      - run: git config --global --add safe.directory "$GITHUB_WORKSPACE"
"""
_RESTORE = (
    _CHECKOUT
    + """\
      - uses: actions/download-artifact@v4
        with:
          name: build
      - run: tar --zstd -xf build.tar.zst && scripts/setup
"""
)

_TEMPLATE = """\
# Written by `python3 -m crosscut.ci workflow` from benchmarks/matrix.json. Change those.
#
# A push or a pull request runs the selection quick, the night the selection full. One build, a job a platform, and the
# verdict, which reads the records that the jobs leave.
name: matrix
on:
  push:
    branches: [main]
  pull_request:
  schedule:
    - cron: "17 1 * * *"
  workflow_dispatch:

permissions:
  contents: read

env:
  SELECTION: ${{{{ (github.event_name == 'schedule' || github.event_name == 'workflow_dispatch') && 'full' || 'quick' }}}}

jobs:
  build:
    runs-on: ubuntu-24.04
    container: debian:12
    timeout-minutes: 120
    steps:
{checkout}      - run: scripts/setup
      - run: cmake --preset host && cmake --build build/host --target all platforms
      - run: scripts/crosscut/run-module crosscut.models get {models}
      - run: tar --zstd -cf build.tar.zst build
      - uses: actions/upload-artifact@v4
        with:
          name: build
          path: build.tar.zst
          retention-days: 1

  platform:
    needs: build
    strategy:
      fail-fast: false
      matrix:
        platform:
{platforms}
    name: ${{{{ matrix.platform }}}}
    runs-on: ubuntu-24.04
    container: debian:12
    timeout-minutes: 120
    steps:
{restore}      - run: scripts/nightly --no-build --selection "$SELECTION" --platform ${{{{ matrix.platform }}}}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: records-${{{{ matrix.platform }}}}
          path: results/records/*.json
          if-no-files-found: ignore

  verdict:
    needs: platform
    if: always()
    runs-on: ubuntu-24.04
    container: debian:12
    timeout-minutes: 20
    steps:
{restore}      - uses: actions/download-artifact@v4
        with:
          pattern: records-*
          path: results/records
          merge-multiple: true
      - run: scripts/crosscut/run-module crosscut.ci verdict --selection "$SELECTION" results/records
      - run: scripts/dashboard
        if: always()
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: dashboard
          path: build/dashboard
"""


class VerdictError(Exception):
    """Records that can not be read."""


def workflow(table: matrix.Matrix) -> str:
    platforms = "\n".join(f"          - {name}" for name in table.platforms)
    return _TEMPLATE.format(platforms=platforms, models=" ".join(table.models), checkout=_CHECKOUT, restore=_RESTORE)


def verdict(cells: list[matrix.Cell], folder: Path) -> list[dict[str, Any]]:
    """A row for each cell: the latest of the records in the folder, or a failure when none has it."""
    found: dict[str, dict[str, Any]] = {}
    for record in sorted(map(_read, sorted(folder.glob("*.json"))), key=lambda r: str(r["started"])):
        if record["kind"] == "nightly":
            for row in record["rows"]:
                found[f"{row['model']}/{row['platform']}/{row['setting']}"] = row
    return [found.get(cell.key) or _missing(cell) for cell in cells]


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        records.validate(record)
        return record
    except (OSError, ValueError, records.RecordError) as error:
        raise VerdictError(f"{path.name}: {str(error).splitlines()[0]}") from error


def _missing(cell: matrix.Cell) -> dict[str, Any]:
    from crosscut.cells import Work

    work = Work(cell)
    work.fail("prepare", "no record has this cell: its job did not get so far")
    return work.row


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="crosscut.ci", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("workflow", help="write .github/workflows/matrix.yml")
    command.add_argument("--check", action="store_true", help="write nothing; exit status 1 when it would change")
    command = commands.add_parser("verdict", help="exit status 0 when every cell of the selection passed")
    command.add_argument("folder", type=Path, help="where the jobs' records are")
    command.add_argument("--selection", default="quick", help="of benchmarks/matrix.json (default: quick)")
    options = parser.parse_args(arguments)
    try:
        table = matrix.load()
        if options.command == "workflow":
            return _workflow(table, options.check)
        rows = verdict(table.select(options.selection), options.folder)
    except (matrix.MatrixError, VerdictError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report.text(rows))
    failed = sum(row["status"] != "pass" for row in rows)
    print(f"\n{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _workflow(table: matrix.Matrix, check: bool) -> int:
    text = workflow(table)
    if WORKFLOW.is_file() and WORKFLOW.read_text() == text:
        return 0
    if check:
        print(
            f"error: {paths.relative(WORKFLOW)} is not what the matrix asks for: crosscut.ci workflow", file=sys.stderr
        )
        return 1
    WORKFLOW.parent.mkdir(parents=True, exist_ok=True)
    WORKFLOW.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
