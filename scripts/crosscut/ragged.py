"""Looks for cliffs: sizes at which a kernel is much slower than at the round size beside it.

Compiles matrix products and convolutions of every size from 1 to 130 along one dimension, the others fixed and round,
runs them and compares the multiply-adds that each reaches with those at the nearest multiple of 16. Natively: a
microsecond, by crosscut-bench --per-kernel. On an emulated platform: an instruction, counted by QEMU, which repeats
exactly. Shows the sizes that reach less than 70 %, with the tile that the compiler chose. Exit status: 0, 1 on an error.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscut import bench, matrix, paths, profile, runner, table
from crosscut.matrix import Platform
from crosscut.shapes import Operation, conv, depthwise, matmul, tensor

ROUND = 16
TIMEOUT = 1800.0


# The dimension that is walked, the others as layers of networks have them.
SWEEPS: dict[str, Callable[[int], Operation]] = {
    "matmul rows": lambda n: matmul(n, 64, 64),
    "matmul columns": lambda n: matmul(56, n, 64),
    "matmul depth": lambda n: matmul(56, 64, n),
    "conv1x1 input channels": lambda n: conv(14, 14, n, 64, 1),
    "conv1x1 output channels": lambda n: conv(14, 14, 64, n, 1),
    "conv3x3 input channels": lambda n: conv(14, 14, n, 32, 3),
    "conv3x3 output channels": lambda n: conv(14, 14, 32, n, 3),
    "conv3x3 width": lambda n: conv(14, n, 32, 32, 3),
    "depthwise channels": lambda n: depthwise(14, 14, n),
    "depthwise width": lambda n: depthwise(14, n, 64),
}


class RaggedError(Exception):
    """Why there is no comparison, in one line."""


@dataclass(frozen=True)
class Point:
    size: int
    speed: float  # multiply-adds an instruction, or a nanosecond
    choice: str  # of the compiler
    ratio: float = 1.0  # to the speed at the round size


def module_text(operations: dict[int, Operation]) -> str:
    """A function with an input and an output for each operation. Kernels are named after their line in it."""
    rng = np.random.default_rng(0)
    lines = []
    for size, op in operations.items():
        lines += op.text(str(size), rng.standard_normal(op.weights))
    arguments = ", ".join(f"%x{size}: {tensor(op.input)}" for size, op in operations.items())
    results = ", ".join(f"%r{size}" for size in operations)
    types = ", ".join(tensor(op.output) for op in operations.values())
    body = "\n  ".join(lines)
    return f"func.func @main({arguments}) -> ({types}) {{\n  {body}\n  return {results} : {types}\n}}\n"


def choices(steps: list[dict], sizes: list[int]) -> dict[int, str]:
    found = {}
    for step in steps:
        size, choice = _size_of(step["name"], sizes), step["choices"][0]
        if size is None or not step["flops"]:
            continue
        text = choice["algorithm"]
        if choice["panel_columns"]:
            text += f" {choice['tile_rows']}x{choice['tile_vectors']}, panels of {choice['panel_columns']}"
        elif choice["tile_rows"]:
            text += f", {choice['tile_rows']} at once, vectors of {choice['lanes']}"
        found[size] = text
    return found


def _size_of(name: str, sizes: list[int]) -> int | None:
    """The size whose operation, or a part of it, the kernel is: "linalg.matmul:line 4", "…:line 4.transform". In
    module_text each operation takes three lines, its own last, below the function's head."""
    line = re.search(r":line (\d+)", name)
    index, rest = divmod(int(line[1]) - 4, 3) if line else (-1, 0)
    return sizes[index] if rest == 0 and 0 <= index < len(sizes) else None


def kernel_costs(platform: Platform, module: Path, operations: dict[int, Operation]) -> dict[int, float]:
    """Of every kernel, by its index, in all its calls: instructions, or natively nanoseconds."""
    inputs = [f"--input={'x'.join(map(str, op.input))}xf32=0.5" for op in operations.values()]
    arguments = [f"--module={module}", *inputs]
    if not platform.emulated:
        done = runner.checked(runner.on_platform(platform, "crosscut-bench", [*arguments, "--per-kernel"]), TIMEOUT)
        return {row.index: 1e9 * row.seconds for row in bench.read_per_kernel(done.stdout)}
    counted = profile.count(platform, module, arguments, module.with_suffix(".counts.json"))
    return {row.index: float(row.instructions) for row in counted.rows if row.index is not None}


def costs(steps: list[dict], kernels: dict[int, float], sizes: list[int]) -> dict[int, float]:
    """Of every size: its steps' kernels. One that several steps share (the transform of an input) costs each the same."""
    calls = Counter(step["kernel"] for step in steps)
    found: dict[int, float] = {}
    for step in steps:
        size, kernel = _size_of(step["name"], sizes), step["kernel"]
        if size is not None:
            found[size] = found.get(size, 0.0) + kernels.get(kernel, 0.0) / calls[kernel]
    return found


def neighbour(size: int) -> int:
    """The nearest multiple of 16; of two, the smaller."""
    return max(ROUND, (size + ROUND // 2 - 1) // ROUND * ROUND)


def measure(sweep: str, platform: Platform, sizes: list[int], flags: tuple[str, ...]) -> list[Point]:
    make = SWEEPS[sweep]
    wanted = sorted({*sizes, *map(neighbour, sizes)})
    operations = {size: make(size) for size in wanted}
    folder = paths.BUILD / "ragged" / platform.name
    folder.mkdir(parents=True, exist_ok=True)
    stem = sweep.replace(" ", "-")
    model, module, explained = (folder / f"{stem}{suffix}" for suffix in (".mlir", ".xcm", ".json"))
    model.write_text(module_text(operations))
    command = runner.compile_command(model, module, platform.name, None, (f"--explain={explained}", *flags))
    runner.checked(command, TIMEOUT)
    steps = json.loads(explained.read_text())["steps"]
    cost, choice = costs(steps, kernel_costs(platform, module, operations), wanted), choices(steps, wanted)
    missing = [size for size in wanted if not cost.get(size)]
    if missing:
        raise RaggedError(f"{sweep}: size {missing[0]} was not measured")
    speed = {size: op.multiply_adds / cost[size] for size, op in operations.items()}
    return [Point(n, speed[n], choice.get(n, "-"), speed[n] / speed[neighbour(n)]) for n in sizes]


def report(sweep: str, points: list[Point], below: float, unit: str) -> str:
    slow = [p for p in points if p.ratio < below]
    ratios = sorted(p.ratio for p in points)
    median = ratios[len(ratios) // 2]
    head = f"{sweep}: {len(slow)} of {len(points)} sizes below {100 * below:.0f} %, median {100 * median:.0f} %"
    if not slow:
        return head
    rows = [[str(p.size), f"{p.speed:.2f}", f"{100 * p.ratio:.0f} %", str(neighbour(p.size)), p.choice] for p in slow]
    header = ["size", f"multiply-adds {unit}", "of", "round", "how"]
    return f"{head}\n{table.render(header, rows, (0, 1, 2, 3))}\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/ragged", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("sweeps", nargs="*", metavar="SWEEP", help=f"default: all of {', '.join(SWEEPS)}")
    add("--platform", default=paths.HOST_PLATFORM, metavar="NAME", help="default: %(default)s")
    add("--first", type=int, default=1, metavar="N", help="first size (default %(default)s)")
    add("--last", type=int, default=130, metavar="N", help="last size (default %(default)s)")
    add("--step", type=int, default=1, metavar="N", help="from size to size (default %(default)s)")
    add("--below", type=float, default=0.7, metavar="X", help="show sizes below this share (default %(default)s)")
    add("--compile", action="append", default=[], metavar="FLAG", help="for crosscut-compile; repeatable")
    add("--json", type=Path, metavar="FILE", help="write every size there, too")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sweeps if name not in SWEEPS]
    if unknown or not 1 <= options.first <= options.last <= 1024 or options.step < 1:
        parser.error(f"no sweep {unknown[0]!r}" if unknown else "sizes are from 1 to 1024")
    results = {}
    try:
        platform = matrix.load().platform(options.platform)
        with runner.interruptible():
            for sweep in options.sweeps or SWEEPS:
                sizes = list(range(options.first, options.last + 1, options.step))
                results[sweep] = measure(sweep, platform, sizes, tuple(options.compile))
                unit = "an instruction" if platform.emulated else "a ns"
                print(report(sweep, results[sweep], options.below, unit), flush=True)
        if options.json:
            content = {sweep: [vars(p) for p in points] for sweep, points in results.items()}
            options.json.write_text(json.dumps({"platform": platform.name, "sweeps": content}, indent=1) + "\n")
    except (RaggedError, runner.Failed, profile.ProfileError, matrix.MatrixError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
