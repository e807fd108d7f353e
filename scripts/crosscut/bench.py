"""Measures one module with crosscut-bench and crosscut-run, and asks crosscut-info what it holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscut import firmware_size, paths, runner
from crosscut.matrix import Cell
from crosscut.models import Model, Sample

TIMEOUT = 900.0
REPETITIONS = 9
MEMORY_SAMPLES = 3


class BenchError(Exception):
    """A measurement that could not be taken, with the command that shows it."""

    def __init__(self, reason: str, reproduce: str) -> None:
        super().__init__(reason)
        self.reason, self.reproduce = reason, reproduce


def arguments(model: Model, module: Path, sample: Sample, device: str, threads: int) -> list[str]:
    """crosscut-bench verifies against --expected before it times."""
    return [
        f"--module={module}",
        f"--device={device}",
        f"--threads={threads}",
        *(f"--input=@{path}" for path in sample.inputs),
        *(f"--expected=@{path}" for path in sample.outputs),
        f"--atol={model.tolerance.atol:g}",
        f"--rtol={model.tolerance.rtol:g}",
    ]


def read_times(path: Path) -> list[float]:
    """Seconds of one inference, one value a repetition, from Google Benchmark's JSON."""
    factors = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    content = json.loads(path.read_text())
    times = []
    for entry in content.get("benchmarks", []):
        if entry.get("error_occurred"):
            raise ValueError(entry.get("error_message", "the benchmark reports an error"))
        if entry.get("run_type", "iteration") == "iteration":
            times.append(entry["real_time"] * factors[entry["time_unit"]])
    if not times:
        raise ValueError("the benchmark reports no time")
    return times


def run_timed(command: list[str | Path], output: Path) -> list[float]:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    done = runner.run([*command, f"--benchmark_out={output}", "--benchmark_out_format=json"], TIMEOUT)
    if not done.ok:
        raise BenchError(done.reason, done.shell)
    try:
        return read_times(output)
    except (OSError, ValueError, KeyError) as error:
        raise BenchError(f"{paths.relative(output)}: {error}", done.shell) from error


def time_native(cell: Cell, model: Model, sample: Sample, folder: Path) -> tuple[list[float], str]:
    """Seconds of one inference, one value a repetition, and the command."""
    flags = arguments(model, cell.module, sample, cell.setting.device, cell.setting.threads)
    flags += ["--benchmark_min_time=0.2", f"--benchmark_repetitions={REPETITIONS}"]
    command = runner.on_platform(cell.platform, "crosscut-bench", flags)
    return run_timed(command, folder / "bench.json"), runner.shell(command)


def memory(cell: Cell, model: Model, sample: Sample, folder: Path) -> tuple[dict[str, list[float]], str]:
    """Bytes: peak_rss and arena_bytes of one inference by crosscut-run, where the system tells, and the command.

    The program reads its own peak: what wait4() and getrusage() say of a child is at least this process's own size,
    because Linux keeps the peak over exec.
    """
    flags = [f"--module={cell.module}", f"--device={cell.setting.device}", f"--threads={cell.setting.threads}"]
    flags += [f"--input=@{path}" for path in sample.inputs]
    flags += [f"--output=@{folder / path.name}" for path in sample.outputs]
    command = runner.on_platform(cell.platform, "crosscut-run", [*flags, "--print-statistics"])
    found: dict[str, list[float]] = {}
    for _ in range(MEMORY_SAMPLES):
        done = runner.run(command, TIMEOUT)
        if not done.ok:
            raise BenchError(done.reason, done.shell)
        said = dict(line.split(": ", 1) for line in done.stderr.splitlines() if ": " in line)
        for name, metric in (("peak_rss_bytes", "peak_rss"), ("arena_bytes", "arena_bytes")):
            if name in said:
                found.setdefault(metric, []).append(int(said[name]))
    return found, runner.shell(command)


def read_count(path: Path) -> int:
    """The instructions of the marked regions in the plugin's output."""
    content = json.loads(path.read_text())
    if not content["exact"]:
        raise ValueError("more than one thread ran: the count is not exact")
    regions = content["regions"]
    if not regions:
        raise ValueError("no marked region was counted")
    return sum(int(region["instructions"]) for region in regions)


@dataclass(frozen=True)
class KernelTime:
    """Seconds of one kernel in all its calls of an inference; `predicted` share of the peak, 0 when there is none."""

    index: int
    name: str
    seconds: float
    calls: int
    predicted: float


def read_per_kernel(text: str) -> list[KernelTime]:
    """The rows of the table that crosscut-bench --per-kernel prints, slowest first."""
    found = []
    for line in text.splitlines()[1:-1]:
        us, _, calls, _, _, predicted, index, name = line.split(maxsplit=7)
        share = 0.0 if predicted == "-" else float(predicted.removesuffix("%")) / 100
        found.append(KernelTime(int(index), name, float(us) / 1e6, int(calls), share))
    return found


def module_info(module: Path) -> dict[str, Any]:
    """What crosscut-info says of a module."""
    done = runner.run([paths.tool("crosscut-info"), module, "--json"], 60)
    if not done.ok:
        raise ValueError(f"crosscut-info: {done.reason}")
    return json.loads(done.stdout)


def module_facts(module: Path) -> dict[str, Any]:
    """Sizes and target of a module; null where crosscut-info does not say them."""
    info = module_info(module)
    variants, functions = info.get("variants", []), info.get("functions", [])
    arenas = [f["arena_bytes"] for f in functions if isinstance(f.get("arena_bytes"), int)]
    first = variants[0] if variants else {}
    return {
        "code_bytes": sum(v.get("code_bytes", 0) for v in variants) or None,
        "weight_bytes": info.get("weights_bytes"),
        "arena_bytes": max(arenas) if arenas else None,
        "target": {
            "triple": str(info.get("triple", "")),
            "cpu": str(first.get("cpu", "")),
            "features": str(first.get("features", "")),
        },
    }


def static_facts(archive: Path, said: str) -> dict[str, Any]:
    """The same of a statically linked model, from its header, its symbols and what the compiler said."""
    header = archive.with_suffix(".h").read_text()

    def constant(name: str) -> int:
        found = re.search(rf"^#define \w+_{name} (\d+)", header, re.MULTILINE)
        if not found:
            raise ValueError(f"{paths.relative(archive.with_suffix('.h'))}: no {name}")
        return int(found[1])

    triple = re.search(r"^// Target: ([^,]+), CPU ([^,\n]+)", header, re.MULTILINE)
    features = re.search(r"^target .*?, features ([^,\n]*(?:,[+-][^,\n]*)*)", said, re.MULTILINE)
    return {
        "code_bytes": firmware_size.code(archive),
        "weight_bytes": constant("WEIGHTS_BYTES"),
        "arena_bytes": constant("ARENA_BYTES"),
        "target": {
            "triple": triple[1] if triple else "",
            "cpu": triple[2] if triple else "",
            "features": features[1] if features else "",
        },
    }
