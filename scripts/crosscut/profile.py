"""Says where an inference spends itself: every kernel of a model, most costly first.

On an emulated platform: instructions of each kernel, counted by QEMU, and how many multiply-adds one instruction
brings (a vector of four floats can bring four); then what the instructions are: sums of products, other arithmetic,
loads, stores, and the rest, which counts and branches. Natively: microseconds and GFLOP/s, by crosscut-bench --per-kernel.
The model is compiled as benchmarks/matrix.json says, into build/profile/. Exit status: 0, or 1 on an error.
"""

from __future__ import annotations

import argparse
import bisect
import json
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosscut import bench, matrix, models, paths, records, runner, table
from crosscut.instructions import CLASSES, classes_of
from crosscut.matrix import Cell, Platform

ALL_BLOCKS = 1_000_000
COMPILE_TIMEOUT = 300.0
RUN_TIMEOUT = 3600.0


class ProfileError(Exception):
    """Why there is no profile, in one line."""


@dataclass
class Kernel:
    """What one costs in all its calls; `index` in the module, None for what is no kernel."""

    name: str
    flops: int  # of one call
    index: int | None = None
    calls: int = 0
    instructions: int = 0
    classes: Counter[str] = field(default_factory=Counter)  # instructions of each of CLASSES, where known


@dataclass(frozen=True)
class Counted:
    """Where the instructions of one inference, `total`, went. What is not a kernel's is a row, too."""

    rows: list[Kernel]
    total: int


def table_offset(image: bytes) -> int:
    """Where a module's table lies in its file: the entry address of its ELF header."""
    order = "<" if image[5] == 1 else ">"
    return int(struct.unpack_from(order + ("I" if image[4] == 1 else "Q"), image, 24)[0])


def attribute(
    image: bytes, kernels: list[dict[str, Any]], blocks: list[dict[str, Any]], classes: dict[int, str] | None = None
) -> tuple[list[Kernel], int]:
    """Instructions of each kernel, and those outside the module (the program that runs it, the C library).

    `image` is the module's file, which runs as it lies: a block of the plugin's output belongs to it when its bytes
    are found there at one and the same distance from its address. What lies between two kernels counts with the first:
    its constants, functions that the compiler adds. `classes`: of the instructions, by their places in the file.
    """
    code = [
        (int(block["address"], 16), bytes.fromhex(block["bytes"]), block["executions"], block["instructions"])
        for block in blocks
    ]
    found: Counter[int] = Counter()
    for address, content, executions, instructions in code:
        if len(content) >= 16 and image.count(content) == 1:
            found[address - image.find(content)] += executions * instructions
    if not found:
        raise ProfileError("no block of the module was counted")
    base = found.most_common(1)[0][0]

    ordered = sorted(enumerate(kernels), key=lambda item: item[1]["code_offset"])
    starts = [table_offset(image) + kernel["code_offset"] for _, kernel in ordered]
    rows = [Kernel(kernel["name"], kernel["flops"], index) for index, kernel in ordered]
    before = Kernel("(before the kernels)", 0)
    outside = 0
    for address, content, executions, instructions in code:
        count = executions * instructions
        offset = address - base
        if not 0 <= offset < len(image) or image[offset : offset + len(content)] != content:
            outside += count
            continue
        index = bisect.bisect_right(starts, offset) - 1
        row = rows[index] if index >= 0 else before
        row.instructions += count
        for place in range(offset, offset + len(content)):
            if classes and place in classes:
                row.classes[classes[place]] += executions
        if index >= 0 and offset == starts[index]:
            row.calls += executions
    return [*rows, before], outside


def count(platform: Platform, module: Path, arguments: list[str], counts: Path) -> Counted:
    """Counts one inference under QEMU. `arguments` are crosscut-bench's; the plugin writes `counts`."""
    command = runner.on_platform(platform, "crosscut-bench", [*arguments, "--once"], counts)
    command[command.index("-plugin") + 1] += f",blocks={ALL_BLOCKS}"
    runner.checked(command, RUN_TIMEOUT)
    total = bench.read_count(counts)
    kernels = bench.module_info(module)["variants"][0]["kernels"]
    blocks = json.loads(counts.read_text())["blocks"]
    rows, outside = attribute(module.read_bytes(), kernels, blocks, classes_of(module))
    return Counted([*rows, Kernel("(outside the module)", 0, instructions=outside)], total)


def emulated(cell: Cell, module: Path, sample: models.Sample, folder: Path) -> str:
    arguments = bench.arguments(models.find(cell.model), module, sample, "local-sync", 1)
    counted = count(cell.platform, module, arguments, folder / "counts.json")
    lines = []
    for row in sorted((r for r in counted.rows if r.instructions), key=lambda r: -r.instructions):
        rate = f"{row.calls * row.flops / 2 / row.instructions:.2f}" if row.flops else "-"
        share = f"{100 * row.instructions / counted.total:.1f} %"
        known = sum(row.classes.values())
        kinds = [f"{100 * row.classes[name] / known:.0f} %" if known else "-" for name in CLASSES]
        lines.append([table.instructions(row.instructions), share, str(row.calls or "-"), rate, *kinds, row.name])
    header = ["instructions", "share", "calls", "multiply-adds each", *CLASSES, "kernel"]
    numbers = tuple(range(len(header) - 1))
    return f"{table.render(header, lines, numbers)}\n{table.instructions(counted.total)} instructions"


def native(cell: Cell, module: Path, sample: models.Sample) -> str:
    setting = cell.setting
    arguments = bench.arguments(models.find(cell.model), module, sample, setting.device, setting.threads)
    command = runner.on_platform(cell.platform, "crosscut-bench", [*arguments, "--per-kernel"])
    return runner.checked(command, RUN_TIMEOUT).stdout.rstrip()


def profile(cell: Cell) -> str:
    if cell.platform.board:
        raise ProfileError(f"{cell.platform.name}: boards have no crosscut-bench; scripts/nightly counts their calls")
    model = models.get(cell.model)
    found = model.dynamic_samples() if cell.setting.dynamic else model.samples()
    if not found:
        raise ProfileError(f"{cell.model} has no samples for the setting {cell.setting.name}")
    folder = paths.BUILD / "profile" / cell.key
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / "model.xcm"
    shapes = {} if cell.setting.dynamic else model.fixed_shapes
    runner.checked(runner.compile_command(model.onnx, module, None, shapes, cell.compile), COMPILE_TIMEOUT)
    return emulated(cell, module, found[0], folder) if cell.platform.emulated else native(cell, module, found[0])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="of benchmarks/matrix.json")
    parser.add_argument("--platform", default=paths.HOST_PLATFORM, metavar="NAME", help="default: %(default)s")
    parser.add_argument("--setting", default="default", metavar="NAME", help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        table_of_cells = matrix.load()
        cell = table_of_cells.cell(options.model, options.platform, options.setting)
        with runner.interruptible():
            print(profile(cell))
    except (
        ProfileError,
        runner.Failed,
        matrix.MatrixError,
        models.ModelError,
        records.RecordError,
        ValueError,
        OSError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
