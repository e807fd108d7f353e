"""Compiles the matrix, runs it on every platform, checks the outputs, measures, prints a table and writes a record.

Every cell of benchmarks/matrix.json is compiled for its platform, run there (natively, or under QEMU) on all of the
model's samples, compared with ONNX Runtime's outputs within the model's tolerance, and measured by crosscut-bench:
milliseconds natively, instructions under QEMU, where time means nothing. A cell that fails is a row with its reason
and the command that shows it again; the others go on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosscut import build, matrix, models, paths, runner
from crosscut.bench import BenchError, count_instructions, module_facts, time_native
from crosscut.matrix import Cell
from crosscut.progress import Progress
from crosscut.table import instructions, milliseconds, render, size

TIMEOUT = 600.0
JOBS = 2


class CellFailure(Exception):
    """A cell failed in a phase, for a reason, as a command shows."""

    def __init__(self, phase: str, reason: str, reproduce: str) -> None:
        super().__init__(reason)
        self.phase, self.reason, self.reproduce = phase, reason, reproduce


@dataclass
class Work:
    """The folder of a cell's files, and what was found so far (the record's row)."""

    cell: Cell
    model: models.Model
    row: dict[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> Path:
        name = self.cell.model if self.cell.setting.name == "default" else f"{self.cell.model}.{self.cell.setting.name}"
        return paths.module_path(self.cell.platform.name, name)

    @property
    def folder(self) -> Path:
        return paths.BUILD / "nightly" / self.cell.key


def compile_cell(work: Work) -> None:
    cell, model = work.cell, work.model
    work.module.parent.mkdir(parents=True, exist_ok=True)
    command = runner.compile_command(
        model.onnx, work.module, cell.platform.name, model.fixed_shapes, cell.setting.compile
    )
    done = runner.run(command, TIMEOUT)
    if not done.ok:
        raise CellFailure("compile", done.reason, done.shell)
    work.row["metrics"].append(_metric("compile_time", "seconds", [round(done.seconds, 4)], exact=False))
    work.row["module_sha256"] = hashlib.sha256(work.module.read_bytes()).hexdigest()
    facts = module_facts(work.module)
    work.row["target"] = facts.pop("target")
    for name, value in {**facts, "file_bytes": work.module.stat().st_size}.items():
        if value is not None:
            work.row["metrics"].append(_metric(name, "bytes", [value], exact=True))


def check_cell(work: Work) -> None:
    """Runs every sample on the platform and compares; a direction classifier must also say which way up it is."""
    from crosscut.compare import outputs_match
    from crosscut.pictures import direction

    cell, model = work.cell, work.model
    work.folder.mkdir(parents=True, exist_ok=True)
    failure = None
    for sample in model.samples():
        outputs = [work.folder / f"{sample.name}.output{i}.npy" for i in range(len(sample.outputs))]
        for path in outputs:
            path.unlink(missing_ok=True)
        arguments = [f"--module={work.module}", f"--device={cell.setting.device}", f"--threads={cell.setting.threads}"]
        arguments += [f"--input=@{path}" for path in sample.inputs] + [f"--output=@{path}" for path in outputs]
        done = runner.run(runner.on_platform(cell.platform, "crosscut-run", arguments), TIMEOUT)
        if not done.ok:
            raise CellFailure("run", f"sample {sample.name}: {done.reason}", done.shell)
        problem, largest, arrays = outputs_match(sample.outputs, outputs, model.tolerance.atol, model.tolerance.rtol)
        check: dict[str, Any] = {"sample": sample.name, "ok": not problem, "largest_error": largest}
        wanted = model.facts.get("directions", {}).get(sample.name)
        if wanted and arrays:
            check["answer"] = direction(arrays[0])
            if check["answer"] != wanted:
                problem = f"says {check['answer']}, expected {wanted}" + (f"; {problem}" if problem else "")
                check["ok"] = False
        if problem:
            check["problem"] = problem
        work.row["checks"].append(check)
        if problem and failure is None:
            failure = CellFailure("check", f"sample {sample.name}: {problem}", done.shell)
    if failure:
        raise failure


def measure_cell(work: Work) -> None:
    cell, sample = work.cell, work.model.samples()[0]
    try:
        if cell.platform.emulated:
            count = count_instructions(cell, work.model, work.module, sample, work.folder)
            work.row["metrics"].append(_metric("instructions", "instructions", [count], exact=True))
        else:
            times = time_native(cell, work.model, work.module, sample, work.folder)
            work.row["metrics"].append(_metric("time", "seconds", times, exact=False))
    except BenchError as error:
        raise CellFailure("measure", error.reason, error.reproduce) from error


def _metric(name: str, unit: str, samples: list[float], exact: bool) -> dict[str, Any]:
    from crosscut import records

    return records.metric(name, unit, samples, exact=exact)


def run_cell(cell: Cell, quiet: Quiet) -> dict[str, Any]:
    """One cell, whole. Never raises for what the cell does: the failure is in the row."""
    row: dict[str, Any] = {
        "model": cell.model,
        "platform": cell.platform.name,
        "setting": cell.setting.name,
        "status": "pass",
        "runner": list(cell.platform.runner),
        "emulator": emulator_version(cell.platform),
        "device": cell.setting.device,
        "threads": cell.setting.threads,
        "checks": [],
        "metrics": [],
    }
    try:
        work = Work(cell, models.find(cell.model), row)
        with quiet.noisy():
            compile_cell(work)
            check_cell(work)
        with quiet.noisy() if cell.platform.emulated else quiet.alone():
            measure_cell(work)
    except CellFailure as failure:
        row.update(status="fail", phase=failure.phase, reason=failure.reason, reproduce=failure.reproduce)
    except (OSError, ValueError, models.ModelError) as error:
        row.update(status="fail", phase="prepare", reason=str(error), reproduce=reproduce(cell))
    return row


def reproduce(cell: Cell) -> str:
    return f"scripts/nightly --quick --model {cell.model} --platform {cell.platform.name}"


class Quiet:
    """Lets many work, or one alone: times are taken while this process runs nothing else."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._active, self._waiting = 0, 0

    def noisy(self) -> Any:
        return _Hold(self, alone=False)

    def alone(self) -> Any:
        return _Hold(self, alone=True)


class _Hold:
    def __init__(self, quiet: Quiet, alone: bool) -> None:
        self._quiet, self._alone = quiet, alone

    def __enter__(self) -> None:
        quiet = self._quiet
        with quiet._condition:
            if self._alone:
                quiet._waiting += 1
                quiet._condition.wait_for(lambda: quiet._active == 0)
                quiet._waiting -= 1
                quiet._active = -1
            else:
                quiet._condition.wait_for(lambda: quiet._active >= 0 and not quiet._waiting)
                quiet._active += 1

    def __exit__(self, *_: object) -> None:
        quiet = self._quiet
        with quiet._condition:
            quiet._active = 0 if self._alone else quiet._active - 1
            quiet._condition.notify_all()


_versions: dict[str, str | None] = {}


def emulator_version(platform: matrix.Platform) -> str | None:
    """First line of the emulator's --version; counts depend on it."""
    if not platform.runner:
        return None
    emulator = platform.runner[0]
    if emulator not in _versions:
        done = runner.run([emulator, "--version"], 30)
        _versions[emulator] = done.stdout.splitlines()[0].strip() if done.ok and done.stdout else None
    return _versions[emulator]


class State:
    """The rows of an unfinished run, so that --resume goes on where it stopped."""

    def __init__(self, selection: str, resume: bool) -> None:
        self.path = paths.BUILD / "nightly" / f"{selection}.state.json"
        self._lock = threading.Lock()
        self.rows: dict[str, dict[str, Any]] = {}
        self.key = build_key()
        if resume and self.path.is_file():
            saved = json.loads(self.path.read_text())
            if saved["key"] == self.key:
                self.rows = saved["rows"]

    def add(self, cell: Cell, row: dict[str, Any]) -> None:
        with self._lock:
            self.rows[cell.key] = row
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps({"key": self.key, "rows": self.rows}))
            temporary.replace(self.path)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


def build_key() -> str:
    """Changes with the compiler and the matrix; rows of another build are not resumed."""
    digest = hashlib.sha256(paths.MATRIX.read_bytes())
    tool = paths.tool("crosscut-compile")
    if tool.is_file():
        digest.update(f"{tool.stat().st_mtime_ns} {tool.stat().st_size}".encode())
    return digest.hexdigest()


def summary(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    samples = {m["name"]: m["samples"] for m in row.get("metrics", [])}
    cost = "-"
    if "time" in samples:
        cost = milliseconds(min(samples["time"]))
    elif "instructions" in samples:
        cost = instructions(samples["instructions"][0])
    bytes_of = {name: values[0] for name, values in samples.items() if name.endswith("_bytes")}
    says = {c["sample"]: c["answer"] for c in row.get("checks", []) if "answer" in c}
    compile_time = samples.get("compile_time")
    return [
        row["model"],
        row["platform"],
        row["status"],
        cost,
        size(bytes_of.get("code_bytes")),
        size(bytes_of.get("weight_bytes")),
        size(bytes_of.get("arena_bytes")),
        f"{compile_time[0]:.2f} s" if compile_time else "-",
        ", ".join(says.values()) if says else "",
    ]


HEADER = ["model", "platform", "status", "cost", "code", "weights", "arena", "compile", "the pictures are"]


def report(rows: list[dict[str, Any]], path: Path) -> None:
    print(render(HEADER, [summary(row) for row in rows], right=(3, 4, 5, 6, 7)))
    failures = [row for row in rows if row["status"] != "pass"]
    for row in failures:
        print(f"\nFAIL {row['model']} on {row['platform']}, {row['phase']}: {row['reason']}\n  {row['reproduce']}")
    print(f"\ncost: milliseconds natively, instructions under QEMU\nrecord: {paths.relative(path)}")
    print(f"{len(rows) - len(failures)} passed, {len(failures)} failed")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/nightly", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the selection 'quick' of the matrix instead of 'full'")
    parser.add_argument("--resume", action="store_true", help="keep the passed rows of a run that was interrupted")
    parser.add_argument("--model", action="append", metavar="NAME", help="only this model; repeatable")
    parser.add_argument("--platform", action="append", metavar="NAME", help="only this platform; repeatable")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help="cells at a time (default %(default)s)")
    parser.add_argument("--no-build", action="store_true", help="use the programs as they are")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    selection = "quick" if options.quick else "full"
    try:
        cells = matrix.load().select(selection, options.model, options.platform)
    except matrix.MatrixError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    from crosscut import records

    if not options.no_build:
        try:
            build.ensure([cell.platform for cell in cells])
        except (build.BuildError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    record = records.start("nightly", ["scripts/nightly", *(arguments if arguments is not None else sys.argv[1:])])
    try:
        for name in dict.fromkeys(cell.model for cell in cells):
            print(f"model {name}", file=sys.stderr, flush=True)
            models.get(name)
    except models.ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1

    state = State(selection, options.resume)
    missing = [cell for cell in cells if state.rows.get(cell.key, {}).get("status") != "pass"]
    if len(missing) < len(cells):
        print(f"resuming: {len(cells) - len(missing)} of {len(cells)} are done", file=sys.stderr, flush=True)
    # Native cells first: they are timed alone, so nobody has to wait for them later. Then the slowest, which are the
    # last ones of the matrix: QEMU emulates long vectors element by element.
    missing = [c for c in missing if not c.platform.emulated] + [c for c in reversed(missing) if c.platform.emulated]
    progress, quiet = Progress(len(missing), "nightly"), Quiet()

    def one(cell: Cell) -> None:
        row = run_cell(cell, quiet)
        state.add(cell, row)
        progress.step(f"{cell.model} on {cell.platform.name}: {row['status']}", always=True)

    try:
        with runner.interruptible(), ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(one, missing))
    except SystemExit:
        print(f"interrupted; {len(state.rows)} of {len(cells)} cells are done, --resume goes on", file=sys.stderr)
        raise
    record["rows"] = [state.rows[cell.key] for cell in cells]
    try:
        path = records.write(record)
    except records.RecordError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    state.forget()
    report(record["rows"], path)
    return 0 if all(row["status"] == "pass" for row in record["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
