"""One cell of the matrix: compiled, run on its platform, compared with ONNX Runtime, measured. The result is a row.

Whatever goes wrong is in the row: the phase, a one-line reason, the command that runs the cell again, and the bare
commands of every step. Nothing a model or a program does ends the run of the other cells.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosscut import bench, boards, matrix, models, paths, records, runner
from crosscut.compare import outputs_match
from crosscut.matrix import Cell

COMPILE_TIMEOUT = 300.0
RUN_TIMEOUT = 3600.0  # emulators need many minutes for large models on a busy machine
COMPILE_SAMPLES = 3  # natively


class Failure(Exception):
    """A cell failed in a phase, for a reason."""

    def __init__(self, phase: str, reason: str) -> None:
        super().__init__(reason)
        self.phase, self.reason = phase, reason


@dataclass
class Work:
    """A cell with its model and what was found so far: the record's row."""

    cell: Cell
    row: dict[str, Any] = field(default_factory=dict)
    model: models.Model | None = None

    def __post_init__(self) -> None:
        cell = self.cell
        self.row.update(
            model=cell.model,
            platform=cell.platform.name,
            setting=cell.setting.name,
            status="pass",
            reproduce=reproduce(cell),
            commands={},
            seconds=0.0,
            runner=list(cell.platform.runner),
            device=cell.setting.device,
            threads=cell.setting.threads,
            checks=[],
            metrics=[],
        )

    @property
    def folder(self) -> Path:
        return paths.BUILD / "nightly" / self.cell.key

    @property
    def failed(self) -> bool:
        return self.row["status"] != "pass"

    def metric(self, name: str, unit: str, samples: list[float], exact: bool) -> None:
        self.row["metrics"].append(records.metric(name, unit, samples, exact=exact))

    def fail(self, phase: str, reason: str) -> None:
        lines = reason.strip().splitlines() or ["no reason given"]
        self.row.update(status="fail", phase=phase, reason=lines[0][:500])

    def attempt(self, phase: str, step: Callable[[Work], None]) -> None:
        """A step, unless an earlier one failed. Its failure, and any surprise in it, is kept in the row."""
        if self.failed:
            return
        start = time.monotonic()
        try:
            step(self)
        except Failure as failure:
            self.fail(failure.phase, failure.reason)
        except OSError as error:
            self.fail(phase, f"{paths.relative(error.filename or self.folder)}: {error.strerror or error}")
        except (models.ModelError, bench.BenchError, ValueError) as error:
            self.fail(phase, str(error))
        except runner.Stopped:
            raise
        except Exception as error:  # a mistake in a model's script or in here must not cost the other cells their night
            self.fail(phase, f"{type(error).__name__}: {error}")
        finally:
            self.row["seconds"] = round(self.row["seconds"] + time.monotonic() - start, 3)


def reproduce(cell: Cell) -> str:
    return f"scripts/nightly --model {cell.model} --platform {cell.platform.name} --setting {cell.setting.name}"


def samples(work: Work) -> list[models.Sample]:
    """The first is the one that is measured."""
    assert work.model
    found = work.model.dynamic_samples() if work.cell.setting.dynamic else work.model.samples()
    if not found:
        raise ValueError(f"{work.cell.model}: model.json has no samples for the setting {work.cell.setting.name}")
    return found[: work.cell.samples]


def compile_cell(work: Work) -> None:
    """Natively several times, for the time. Nothing else should run meanwhile: the compiler uses all cores."""
    cell, model = work.cell, work.model
    assert model
    cell.module.parent.mkdir(parents=True, exist_ok=True)
    shapes = {} if cell.setting.dynamic else model.fixed_shapes
    # What functions are called: of programs that link several models, each has a name of its own.
    own = (f"--name={cell.model}",) if cell.setting.static else ()
    command = runner.compile_command(model.onnx, cell.module, None, shapes, (*cell.compile, *own))
    work.row.update(model_sha256=model.facts["sha256"], flags=[str(part) for part in command[4:]])
    seconds = []
    for _ in range(1 if cell.platform.emulated else COMPILE_SAMPLES):
        done = runner.run(command, COMPILE_TIMEOUT)
        work.row["commands"]["compile"] = done.shell
        if not done.ok:
            raise Failure("compile", done.reason)
        seconds.append(round(done.seconds, 4))
    work.metric("compile_time", "seconds", seconds, exact=False)
    work.row["module_sha256"] = hashlib.sha256(cell.module.read_bytes()).hexdigest()
    facts = bench.static_facts(cell.module, done.stderr) if cell.setting.static else bench.module_facts(cell.module)
    work.row["target"] = facts.pop("target")
    for name, value in {**facts, "file_bytes": cell.module.stat().st_size}.items():
        if value is not None:
            work.metric(name, "bytes", [value], exact=True)


def share_module(work: Work, other: Work) -> None:
    """Takes over what `other` found when it compiled the module that both run; its compile time stays with it."""
    for name in ("model_sha256", "flags", "module_sha256", "target"):
        if name in other.row:
            work.row[name] = other.row[name]
    work.row["commands"].update(other.row["commands"])
    work.row["metrics"] = [m for m in other.row["metrics"] if m["name"] != "compile_time"]
    if other.failed:
        raise Failure(other.row["phase"], other.row["reason"])


def run_cell(work: Work) -> None:
    """Runs every sample on the platform and compares. Under QEMU the run of the first is also the one that is counted:
    there an inference takes minutes."""
    cell = work.cell
    work.row["emulator"] = emulator_version(cell.platform)
    work.folder.mkdir(parents=True, exist_ok=True)
    (_run_on_board if cell.platform.board else _run_programs)(work)


def _run_programs(work: Work) -> None:
    cell = work.cell
    failure = None
    for index, sample in enumerate(samples(work)):
        counts = work.folder / "counts.json" if index == 0 and cell.platform.emulated else None
        problem = _check(work, sample, counts)
        failure = failure or (Failure("check", f"sample {sample.name}: {problem}") if problem else None)
        if counts and not problem:
            work.metric("instructions", "instructions", [bench.read_count(counts)], exact=True)
    if failure:
        raise failure


def _run_on_board(work: Work) -> None:
    """The firmware runs every sample, and is counted when all are right. Its outputs are compared here, too."""
    cell, model, counts = work.cell, work.model, work.folder / "counts.json"
    assert model
    counts.unlink(missing_ok=True)
    facts = {"model": cell.model, "platform": cell.platform.name, "setting": cell.setting.name}
    facts |= {name: work.row[name] for name in ("reproduce", "device", "threads")}
    try:
        boards.write_model(work.folder, cell, model, samples(work), facts)
        linked = boards.link(work.folder, cell)
        done = boards.run(work.folder, cell, counts)
        work.row["commands"]["measure"] = f"{linked} && {done.shell}"
        row, outputs = boards.read(done, work.folder, samples(work))
    except boards.BoardError as error:
        work.row["commands"].setdefault("measure", error.command)
        raise Failure(error.phase, str(error)) from error
    problem = row.get("reason", "")
    for sample in samples(work):
        if sample.name in outputs:
            problem = _compare(work, sample, outputs[sample.name], "") or problem
    if problem:
        raise Failure(row.get("phase", "check"), problem)
    work.metric("instructions", "instructions", [bench.read_count(counts)], exact=True)
    known = {metric["name"] for metric in work.row["metrics"]}
    for metric in row["metrics"]:
        if metric["name"] not in known:
            work.row["metrics"].append(metric)
    for name, value in boards.sizes(work.folder).items():
        work.metric(name, "bytes", [value], exact=True)
    values = {metric["name"]: metric["samples"][0] for metric in work.row["metrics"]}
    if problem := boards.over_budget(cell, values):
        raise Failure("measure", problem)


def _check(work: Work, sample: models.Sample, counts: Path | None) -> str:
    """One run: why its outputs are not right, or "". Its command is kept while nothing has failed before."""
    cell, model = work.cell, work.model
    assert model
    outputs = [work.folder / f"{sample.name}.output{i}.npy" for i in range(len(sample.outputs))]
    for path in [*outputs, *([counts] if counts else [])]:
        path.unlink(missing_ok=True)
    arguments = bench.arguments(model, cell.module, sample, cell.setting.device, cell.setting.threads)
    arguments += [f"--output=@{path}" for path in outputs] + ["--once"] * bool(counts)
    program = "crosscut-bench" if counts else "crosscut-run"
    done = runner.run(runner.on_platform(cell.platform, program, arguments, counts), RUN_TIMEOUT)
    step = "measure" if counts else "run"
    if all(check["ok"] for check in work.row["checks"]):
        work.row["commands"][step] = done.shell
    if not done.ok and not all(path.is_file() for path in outputs):
        raise Failure("run", f"sample {sample.name}: {done.reason}")
    return _compare(work, sample, outputs, done.reason)


def _compare(work: Work, sample: models.Sample, outputs: list[Path], said_by_program: str) -> str:
    """Why a sample's outputs are not right, or ""; the check is added to the row."""
    model = work.model
    assert model
    problem, largest, arrays = outputs_match(sample.outputs, outputs, model.tolerance.atol, model.tolerance.rtol)
    check: dict[str, Any] = {"sample": sample.name, "largest_error": largest}
    if arrays and (said := models.answer(model, sample.name, arrays)) is not None:
        check["answer"] = said
        wanted = model.answers.get(sample.name, said)
        if said != wanted:
            problem = f"says {said!r}, expected {wanted!r}" + (f"; {problem}" if problem else "")
    problem = problem or said_by_program  # it compares, too
    check["ok"] = not problem
    if problem:
        check["problem"] = problem
    work.row["checks"].append(check)
    return problem


def measure_cell(work: Work) -> None:
    """Natively: time and memory. Nothing else should run meanwhile."""
    cell, sample, model = work.cell, samples(work)[0], work.model
    assert model
    times, work.row["commands"]["measure"] = bench.time_native(cell, model, sample, work.folder)
    work.metric("time", "seconds", times, exact=False)
    memory, work.row["commands"]["memory"] = bench.memory(cell, model, sample, work.folder)
    if "peak_rss" in memory:
        work.metric("peak_rss", "bytes", memory["peak_rss"], exact=False)
    if "arena_bytes" in memory and not any(m["name"] == "arena_bytes" for m in work.row["metrics"]):
        work.metric("arena_bytes", "bytes", memory["arena_bytes"][:1], exact=True)


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
