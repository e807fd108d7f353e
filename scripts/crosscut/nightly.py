"""Compiles the matrix, runs it on every platform, checks the outputs, measures, prints a table, writes record and page.

Every cell of benchmarks/matrix.json is compiled for its platform, run there (natively, or under QEMU) on all of the
model's samples, compared with ONNX Runtime's outputs within the model's tolerance, and measured: milliseconds and
memory natively, instructions under QEMU, where time means nothing. A cell that fails is a row with its reason and the
commands that show it again; the others go on. Interrupted, in whichever way, the same command goes on where it stopped.
Exit status: 0 when every cell passed, 1 when one failed or nothing could be run, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from crosscut import build, matrix, models, paths, records, report, runner
from crosscut.cells import Work, compile_cell, measure_cell, run_cell, share_module
from crosscut.estimate import Estimate
from crosscut.matrix import Cell
from crosscut.progress import Progress, duration
from crosscut.unfinished import Unfinished, identity


class Busy(Exception):
    """Another run is using the build tree."""


@contextmanager
def alone() -> Iterator[None]:
    """Two runs at once would write each other's modules and spoil each other's times."""
    path = paths.BUILD / "nightly" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise Busy(f"process {stream.read().strip() or '?'} is running the matrix in {paths.BUILD}") from None
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


def get_models(cells: list[Cell]) -> dict[str, str]:
    """Gets or makes the models; those that can not be had, each with the reason."""
    missing: dict[str, str] = {}
    names = list(dict.fromkeys(cell.model for cell in cells))
    for number, name in enumerate(names, 1):
        print(f"model {number}/{len(names)}: {name}", file=sys.stderr, flush=True)
        try:
            models.get(name)
        except Exception as error:  # a model's own scripts may do anything
            reason = str(error) if isinstance(error, models.ModelError) else f"{type(error).__name__}: {error}"
            missing[name] = reason.splitlines()[0] if reason else "can not be had"
            print(f"error: {missing[name]}", file=sys.stderr, flush=True)
    return missing


def run_all(
    cells: list[Cell],
    unfinished: Unfinished,
    started: str,
    jobs: int,
    no_model: dict[str, str],
    no_build: dict[str, str],
) -> list[dict[str, Any]]:
    """A row for each cell, in their order."""
    rows: dict[str, dict[str, Any]] = {}
    works: list[Work] = []
    identities: dict[str, str] = {}
    for cell in cells:
        work = Work(cell)
        if cell.model in no_model:
            work.fail("prepare", no_model[cell.model])
        elif cell.platform.name in no_build:
            work.fail("build", no_build[cell.platform.name])
        if work.failed:
            rows[cell.key] = work.row
            continue
        work.model = models.find(cell.model)
        identities[cell.key] = identity(cell)
        kept = unfinished.kept(cell, identities[cell.key])
        if kept:
            rows[cell.key] = kept
        else:
            works.append(work)
    kept_count = sum(row["status"] == "pass" for row in rows.values())
    if not kept_count:
        unfinished.started = started
    else:
        print(
            f"resuming the run of {unfinished.started}: {kept_count} of {len(cells)} cells are done (--fresh: all anew)",
            file=sys.stderr,
            flush=True,
        )
    estimate = Estimate(jobs, [work.cell for work in works])

    # One at a time, since the compiler uses all cores and is timed.
    compiled: dict[Path, Work] = {}
    with Progress(len(works), "compile", 30.0, left=estimate.left) as progress:
        for work in works:
            progress.begin(work.cell.name)
            other = compiled.setdefault(work.cell.module, work)
            if other is work:
                work.attempt("compile", compile_cell)
            else:
                work.attempt("compile", partial(share_module, other=other))
            estimate.spend(work.cell, work.row["seconds"])
            progress.step(f"{work.cell.name}{': failed' * work.failed}", name=work.cell.name)

    with Progress(len(works), "run", 30.0, left=estimate.left) as progress:

        def one(work: Work) -> None:
            cell = work.cell
            progress.begin(cell.name)
            estimate.begin(cell)
            work.attempt("run", run_cell)
            if not cell.platform.emulated:
                work.attempt("measure", measure_cell)
            rows[cell.key] = work.row
            unfinished.add(cell, identities[cell.key], work.row)
            estimate.done(cell, work.row["seconds"])
            progress.step(f"{cell.name}: {report.status(work.row)}", always=True, name=cell.name)

        # Times are taken while nothing else runs. Then the emulated cells, longest first.
        for work in works:
            if not work.cell.platform.emulated:
                one(work)
        emulated = [work for work in works if work.cell.platform.emulated]
        emulated.sort(key=lambda work: estimate.expected(work.cell) or 0.0, reverse=True)
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, emulated))
    return [rows[cell.key] for cell in cells]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/nightly", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--selection", default="full", metavar="NAME", help="of benchmarks/matrix.json (default: full)")
    parser.add_argument("--quick", dest="selection", action="store_const", const="quick", help="--selection quick")
    parser.add_argument("--model", action="append", metavar="NAME", help="only this model; repeatable")
    parser.add_argument("--platform", action="append", metavar="NAME", help="only this platform; repeatable")
    parser.add_argument("--setting", action="append", metavar="NAME", help="only this setting; repeatable")
    parser.add_argument("--list", action="store_true", help="print the cells and do nothing")
    parser.add_argument("--fresh", action="store_true", help="start anew, instead of where an interrupted run stopped")
    parser.add_argument(
        "--jobs",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="emulated cells at a time (default: one a CPU)",
    )
    parser.add_argument("--no-build", action="store_true", help="use the machine and the programs as they are")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    command = ["scripts/nightly", *(arguments if arguments is not None else sys.argv[1:])]
    try:
        cells = matrix.load().select(options.selection, options.model, options.platform, options.setting)
        if options.list:
            print("\n".join(cell.key for cell in cells))
            return 0
        with runner.interruptible(), alone():
            failed_builds = {} if options.no_build else build.ensure([cell.platform for cell in cells])
            return _night(cells, options, command, failed_builds)
    except (matrix.MatrixError, build.BuildError, Busy, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except SystemExit:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        raise


def _night(cells: list[Cell], options: argparse.Namespace, command: list[str], no_build: dict[str, str]) -> int:
    start = time.monotonic()
    record = records.start("nightly", command)
    record["selection"] = {
        "name": options.selection,
        "models": options.model,
        "platforms": options.platform,
        "settings": options.setting,
    }
    no_model = get_models(cells)
    unfinished = Unfinished(cells, options.fresh)
    record["rows"] = run_all(cells, unfinished, record["started"], options.jobs, no_model, no_build)
    record["started"] = unfinished.started
    print(report.text(record["rows"]))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{duration(time.monotonic() - start)}, {duration(used.ru_utime + used.ru_stime)} of processor time")
    from crosscut import page  # needs more than the standard library, which is all that --help may need

    passed = sum(row["status"] == "pass" for row in record["rows"])
    ok = passed == len(cells)
    try:
        print(f"record: {paths.relative(records.write(record))}")
        unfinished.forget()
        print(f"page:   {paths.relative(page.write(paths.RECORDS, paths.BUILD / 'dashboard'))}")
    except (records.RecordError, page.PageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        ok = False
    print(f"{passed} passed, {len(cells) - passed} failed")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
