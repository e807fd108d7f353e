"""The contenders of a native comparison, behind one interface: outputs, time, close.

Crosscut is measured by its own programs, started for each round; the other engines by a worker process each, which
lives as long as the comparison.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from crosscut import bench, paths, runner
from crosscut.peers import engines
from crosscut.peers.engines import Case, Given
from crosscut.peers.packages import venv
from crosscut.peers.process import ContenderError, Worker


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Within, this process and what it starts run on the last `threads` of the CPUs that it may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Contender(Protocol):
    """Made ready: model compiled or loaded. Failing methods raise ContenderError."""

    name: str
    version: str
    peak_rss: int | None
    shipped_bytes: int

    def outputs(self) -> list[Path]: ...
    def time(self, seconds: float, repeats: int) -> list[float]: ...
    def close(self, patience: float = ...) -> None: ...


VERSION = "this tree"


class Crosscut:
    """crosscut-bench verifies the outputs of each round before it times."""

    name, version = "crosscut", VERSION

    def __init__(self, case: Case) -> None:
        self.case = case
        self.module = compile_module(case)
        self.device = "local-sync" if case.threads == 1 else "local-task"
        self.peak_rss: int | None = None
        self.shipped_bytes = shipped_bytes(case, self.module)

    def outputs(self) -> list[Path]:
        files, self.peak_rss = run_module(self.case, self.module, self.device)
        return files

    def time(self, seconds: float, repeats: int) -> list[float]:
        case = self.case
        flags = bench.arguments(case.model, self.module, case.sample, self.device, case.threads)
        flags += [f"--benchmark_min_time={seconds:g}", f"--benchmark_repetitions={repeats}"]
        command = runner.on_platform(case.platform, "crosscut-bench", flags)
        try:
            return bench.run_timed(command, case.folder / "bench.json")
        except bench.BenchError as error:
            raise ContenderError("measure", error.reason, error.reproduce) from error

    def close(self, patience: float = 0) -> None:
        pass


def compile_module(case: Case) -> Path:
    module = case.folder / f"{case.model.name}.xcm"
    options = (*case.platform.compile, *([f"--cpu={case.cpu}"] if case.cpu else []))
    command = runner.compile_command(case.model.onnx, module, None, case.model.fixed_shapes, options)
    done = runner.run(command)
    if not done.ok:
        raise ContenderError("compile", done.reason, done.shell)
    return module


def shipped_bytes(case: Case, module: Path) -> int:
    """The module, and crosscut-run: the runtime is linked into programs."""
    return program_bytes(paths.program("crosscut-run", case.platform.build)) + module.stat().st_size


def run_module(case: Case, module: Path, device: str) -> tuple[list[Path], int | None]:
    """crosscut-run's output files, and its peak RSS (of QEMU's, where there is one)."""
    files = [case.folder / f"crosscut.output{i}.npy" for i in range(len(case.sample.outputs))]
    flags = [f"--module={module}", f"--device={device}", f"--threads={case.threads}", "--print-statistics"]
    flags += [f"--input=@{path}" for path in case.sample.inputs] + [f"--output=@{path}" for path in files]
    done = runner.run(runner.on_platform(case.platform, "crosscut-run", flags))
    if not done.ok:
        raise ContenderError("run", done.reason, done.shell)
    found = re.search(r"^peak_rss_bytes: (\d+)", done.stderr, re.MULTILINE)
    return files, int(found[1]) if found else None


def program_bytes(path: Path) -> int:
    """Size of a 64-bit ELF program without what strip takes away: the end of its last loaded segment."""
    content = path.read_bytes()
    if content[:5] != b"\x7fELF\x02":  # a script, in tests
        return len(content)
    table, size, count = (struct.unpack_from(form, content, at)[0] for form, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
    headers = (struct.unpack_from("<IIQQQQQQ", content, table + i * size) for i in range(count))
    return max(header[2] + header[5] for header in headers if header[0] == 1)


class Peer:
    """Another engine in its worker process."""

    def __init__(self, name: str, case: Case) -> None:
        self.name, self.case = name, case
        given = engines.prepare(name, case)
        with pinned(case.threads):
            log = case.folder / f"{name}.log"
            self.worker = Worker(worker_command(), task(name, case, given), log, engines.environment(case))
        self.version: str = self.worker.facts["version"]
        self.peak_rss: int | None = self.worker.facts["peak_rss"]
        self.shipped_bytes = self.worker.facts["shipped_bytes"] + sum(path.stat().st_size for path in given.model)

    def outputs(self) -> list[Path]:
        return worker_outputs(self.worker, self.name, self.case)

    def time(self, seconds: float, repeats: int) -> list[float]:
        return self.worker.ask("time", seconds, repeats, phase="measure")

    def close(self, patience: float = 30) -> None:
        self.worker.close(patience)


def worker_command() -> list[str | Path]:
    return [venv() / "bin" / "python", "-P", Path(__file__).with_name("worker.py")]


def task(name: str, case: Case, given: Given) -> dict[str, object]:
    """What worker.py is told."""
    import numpy as np

    shapes = [list(np.load(path, mmap_mode="r").shape) for path in case.sample.outputs]
    files = {"model": list(map(str, given.model)), "inputs": list(map(str, given.inputs))}
    names = {f"{kind}_names": [entry["name"] for entry in case.model.facts[kind]] for kind in ("inputs", "outputs")}
    return {"engine": name, "threads": case.threads, "shapes": shapes, **names, **files}


def worker_outputs(worker: Worker, name: str, case: Case) -> list[Path]:
    wanted = [case.folder / f"{name}.output{i}.npy" for i in range(len(case.sample.outputs))]
    for path in wanted:
        path.unlink(missing_ok=True)
    count = worker.ask("outputs", case.folder / f"{name}.output")
    if count != len(wanted):
        raise ContenderError("run", f"{count} outputs, expected {len(wanted)}", worker.shell)
    return wanted


def start(name: str, case: Case) -> Contender:
    return Crosscut(case) if name == "crosscut" else Peer(name, case)
