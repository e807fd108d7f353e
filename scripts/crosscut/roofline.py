"""Draws a model's kernels below what this machine can do at most.

Measures the roofs (multiply-adds on registers, reading from the second cache and from memory: crosscut-roofs-bench) and
each kernel (crosscut-bench --per-kernel), one thread. Prints a table, slowest kernel first, and writes an SVG: a point
is a kernel, its place FLOPs for each byte that it reads or writes at least against GFLOP/s, its area its share of the
time; the slowest have numbers. A point may lie above the line of memory: caches keep tensors from kernel to kernel.
Kernels without sums of products have no FLOPs, and are in the table alone, with GB/s. Exit status: 0, 1 on an error.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from crosscut import bench, matrix, models, paths, records, runner, table, templates

TIMEOUT = 900.0
LABELLED = 10
WIDTH, HEIGHT = 1080, 560
LEFT, RIGHT, TOP, BOTTOM = 70, 700, 60, 500


class RooflineError(Exception):
    """Why there is no picture, in one line."""


@dataclass(frozen=True)
class Roofs:
    """Of one core: FLOPs a second with the vectors named, bytes a second."""

    vectors: str
    flops: float
    l2: float
    memory: float


@dataclass(frozen=True)
class Kernel(bench.KernelTime):
    """Its work in all its calls of one inference, too."""

    flops: float
    bytes: float

    @property
    def intensity(self) -> float:
        return self.flops / self.bytes

    @property
    def rate(self) -> float:
        return self.flops / self.seconds


def read_roofs(text: str, vectors: str) -> Roofs:
    """The best of the repetitions in crosscut-roofs-bench's JSON."""
    best: dict[str, float] = {}
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("run_type", "iteration") == "iteration":
            value = float(entry.get("flops", entry.get("bytes_per_second", 0)))
            name = entry["run_name"]
            best[name] = max(best.get(name, 0), value)
    try:
        return Roofs(vectors, best[f"peak/{vectors}"], best["read/l2"], best["read/memory"])
    except KeyError as error:
        raise RooflineError(f"crosscut-roofs-bench measured no {error}") from error


def read_kernels(text: str, kernels: list[dict]) -> tuple[list[Kernel], str]:
    """The kernels of a --per-kernel table, slowest first, and the kind of vectors that the peak was measured with."""
    vectors = re.search(r"measured with (\S+): ", text.splitlines()[-1])
    if not vectors:
        raise RooflineError("crosscut-bench --per-kernel tells no peak")
    found = []
    for row in bench.read_per_kernel(text):
        work = {name: row.calls * kernels[row.index][name] for name in ("flops", "bytes")}
        found.append(Kernel(**vars(row), **work))
    return found, vectors[1]


def measure(model: models.Model, folder: Path) -> tuple[Roofs, list[Kernel]]:
    folder.mkdir(parents=True, exist_ok=True)
    module, explained = folder / "model.xcm", folder / "explain.json"
    explain = (f"--explain={explained}",)
    command = runner.compile_command(model.onnx, module, paths.HOST_PLATFORM, model.fixed_shapes, explain)
    runner.checked(command, TIMEOUT)
    info = bench.module_info(module)
    host = matrix.load().platform(paths.HOST_PLATFORM)
    arguments = bench.arguments(model, module, model.samples()[0], "local-sync", 1)
    flags = [*arguments, "--per-kernel", f"--explain={explained}"]
    told = runner.checked(runner.on_platform(host, "crosscut-bench", flags), TIMEOUT).stdout
    kernels, vectors = read_kernels(told, info["variants"][0]["kernels"])
    flags = ["--benchmark_format=json", "--benchmark_min_time=0.05", "--benchmark_repetitions=5"]
    measured = runner.checked(runner.on_platform(host, "crosscut-roofs-bench", flags), TIMEOUT).stdout
    return read_roofs(measured, vectors), kernels


def told(kernel: Kernel, total: float, roofs: Roofs) -> str:
    share = f"{1e6 * kernel.seconds:.0f} us, {100 * kernel.seconds / total:.1f} % of the time"
    return f"{share}, {kernel.rate / 1e9:.1f} GFLOP/s, {100 * kernel.rate / roofs.flops:.0f} % of the peak"


def text(roofs: Roofs, kernels: list[Kernel]) -> str:
    total = sum(k.seconds for k in kernels)
    rows = []
    for k in kernels:
        time = [f"{1e6 * k.seconds:.1f}", f"{100 * k.seconds / total:.1f} %", str(k.calls)]
        bandwidth = f"{k.bytes / k.seconds / 1e9:.1f}" if k.bytes else "-"
        figures = ["-"] * 4
        if k.flops and k.bytes:
            predicted = f"{100 * k.predicted:.0f} %" if k.predicted else "-"
            figures = [f"{k.intensity:.1f}", f"{k.rate / 1e9:.1f}", f"{100 * k.rate / roofs.flops:.0f} %", predicted]
        rows.append([*time, bandwidth, *figures, str(k.index), k.name])
    header = ["us", "share", "calls", "GB/s", "FLOPs/byte", "GFLOP/s", "of peak", "predicted", "kernel", "node"]
    flops = sum(k.flops for k in kernels)
    return (
        f"{table.render(header, rows, tuple(range(9)))}\n"
        f"roofs: {roofs.flops / 1e9:.1f} GFLOP/s ({roofs.vectors}), second cache {roofs.l2 / 1e9:.1f} GB/s, "
        f"memory {roofs.memory / 1e9:.1f} GB/s; all kernels {flops / total / 1e9:.1f} GFLOP/s"
    )


class Scale:
    """Logarithmic: values to pixels from `start` to `end`, between round values that have all of them between."""

    STEPS = (1, 2, 5)

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        marks = [step * 10.0**decade for decade in decades for step in self.STEPS]
        self.low = max(m for m in marks if m <= low)
        self.high = min(m for m in marks if m > high)
        self.marks = [m for m in marks if self.low <= m <= self.high]
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self) -> list[dict]:
        return [{"at": self(mark), "text": f"{mark:g}"} for mark in self.marks]


def picture(title: str, roofs: Roofs, kernels: list[Kernel]) -> str:
    shown = [k for k in kernels if k.flops and k.bytes]
    if not shown:
        raise RooflineError("no kernel of the model is a sum of products")
    total = sum(k.seconds for k in kernels)
    x = Scale(min(k.intensity for k in shown), max(k.intensity for k in shown), LEFT, RIGHT)
    y = Scale(min(k.rate for k in shown) / 1e9, max(roofs.flops, *(k.rate for k in shown)) / 1e9, BOTTOM, TOP)
    first, last = x.low, x.high

    def roof(bandwidth: float, name: str, colour: str) -> dict:
        # From where the line enters the picture to where it meets the peak.
        meets = min(last, roofs.flops / bandwidth)
        start = min(meets, max(first, y.low * 1e9 / bandwidth))
        points = [(start, start * bandwidth), (meets, meets * bandwidth)]
        at = math.sqrt(start * meets)
        return {
            "points": " ".join(f"{x(i)},{y(r / 1e9)}" for i, r in points),
            "colour": colour,
            "x": x(at) + 8,
            "y": y(at * bandwidth / 1e9) + 14,
            "anchor": "start",
            "text": f"{name} {bandwidth / 1e9:.0f} GB/s",
        }

    peak = {
        "points": f"{x(first)},{y(roofs.flops / 1e9)} {x(last)},{y(roofs.flops / 1e9)}",
        "colour": "#b03030",
        "x": LEFT + 6,
        "y": y(roofs.flops / 1e9) - 6,
        "anchor": "start",
        "text": f"peak {roofs.flops / 1e9:.0f} GFLOP/s, {roofs.vectors}",
    }
    points = [
        {
            "x": x(k.intensity),
            "y": y(k.rate / 1e9),
            "radius": round(3 + 40 * math.sqrt(k.seconds / total) / 2, 1),
            "name": k.name,
            "told": told(k, total, roofs),
        }
        for k in shown
    ]
    labels = place_labels([(p["x"], p["y"]) for p in points[:LABELLED]])
    legend = [
        {"number": i + 1, "name": shorten(k.name, 52), "told": told(k, total, roofs)}
        for i, k in enumerate(shown[:LABELLED])
    ]
    done = sum(k.flops for k in shown) / total / 1e9
    environment = templates.environment(Path(__file__).parent / "templates")
    return environment.get_template("roofline.svg").render(
        title=title,
        subtitle=f"{1e3 * total:.2f} ms on one core, {done:.1f} GFLOP/s; area: share of the time",
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
        roofs=[
            roof(roofs.memory, "memory", "#3a7d44"),
            roof(roofs.l2, "second cache", "#a06a00"),
            peak,
        ],
        points=points,
        labels=labels,
        legend=legend,
    )


def place_labels(points: list[tuple[float, float]]) -> list[dict]:
    """Numbers beside their points, each where it is furthest from the points and the numbers that are there."""
    taken = list(points)
    labels = []
    for number, (px, py) in enumerate(points, 1):
        places = [
            (px + r * math.cos(a), py + r * math.sin(a))
            for r in (16, 26, 38)
            for a in [i * math.pi / 6 for i in range(12)]
        ]
        inside = [(i, j) for i, j in places if LEFT + 8 < i < RIGHT - 8 and TOP + 8 < j < BOTTOM - 4]

        def room(place: tuple[float, float]) -> float:
            near = min(math.dist(place, other) for other in taken)
            return min(near, 18.0)

        best = max(inside or places, key=room)
        taken.append(best)
        labels.append({"number": number, "x": round(best[0], 1), "y": round(best[1] + 4, 1), "px": px, "py": py})
    return labels


def shorten(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/roofline", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="of benchmarks/matrix.json")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="default: build/roofline/MODEL.svg")
    options = parser.parse_args(arguments)
    folder = paths.BUILD / "roofline"
    output = options.svg or folder / f"{options.model}.svg"
    try:
        model = models.get(options.model)
        with runner.interruptible():
            roofs, kernels = measure(model, folder / model.name)
        drawn = picture(f"{model.name}, {records.machine()['cpu']}", roofs, kernels)
        output.write_text(drawn)
    except (RooflineError, runner.Failed, models.ModelError, matrix.MatrixError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text(roofs, kernels))
    print(f"picture: {paths.relative(output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
