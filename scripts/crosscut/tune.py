"""Finds what the model of cost can not know of a CPU, by timing models.

The compiler chooses tiles and algorithms from facts of the CPU (compiler/Target/Describe.cpp). Those that no manual
states are tried here one after the other: every value is compiled in (crosscut-compile --assume) and timed on models,
the candidates interleaved. A value is kept when the models' times, least of the rounds, improve by more than 1 % in the
geometric mean, in a second comparison as well; or when they stay within 0.5 % and the modules shrink by more than 2 %.
What was kept is written into compiler/Target/TunedFacts.inc, from where the next build of the compiler has it; no
compilation measures anything. Run it on a machine of that CPU that does nothing else.
Exit status: 0, 1 on an error.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosscut import bench, matrix, models, paths, runner, table
from crosscut.matrix import Platform
from crosscut.models import Model

TABLE = paths.SOURCE / "compiler" / "Target" / "TunedFacts.inc"
MODELS = ["mobilenetv2", "resnet50", "minilm", "ppocr_rec"]
FASTER, AS_FAST, SMALLER = 0.99, 1.005, 0.98

# Tried in this order, each with the values found before it.
CANDIDATES: dict[str, list[float]] = {
    "streamed-bytes": [2, 3, 4, 6, 8, 12],
    "instruction-weight": [0.02, 0.05, 0.1, 0.25],
    "max-tile-rows": [6, 8, 12, 16],
    "spare-registers": [0, 1, 2],
}

Facts = dict[str, float]


class TuneError(Exception):
    """Why nothing was found, in one line."""


@dataclass(frozen=True)
class Measured:
    """Least seconds, and bytes of the module, by model."""

    seconds: dict[str, float]
    bytes: dict[str, int]

    def time_to(self, other: Measured) -> float:
        """Geometric mean over the models of this time to the other's."""
        ratios = [self.seconds[name] / other.seconds[name] for name in self.seconds]
        return math.exp(sum(map(math.log, ratios)) / len(ratios))

    def size_to(self, other: Measured) -> float:
        return sum(self.bytes.values()) / sum(other.bytes.values())


# Measures sets of facts side by side.
Measure = Callable[[list[Facts]], list[Measured]]


def is_better(candidate: Measured, best: Measured) -> bool:
    time = candidate.time_to(best)
    return time < FASTER or (time < AS_FAST and candidate.size_to(best) < SMALLER)


def search(measure: Measure, say: Callable[[str], None], candidates: dict[str, list[float]] = CANDIDATES) -> Facts:
    """The facts that are worth keeping, beside those that the compiler has."""
    kept: Facts = {}
    for name, values in candidates.items():
        sets = [kept, *({**kept, name: value} for value in values)]
        found = measure(sets)
        for value, one in zip(values, found[1:], strict=True):
            say(f"{name} {value:g}: time {one.time_to(found[0]):.3f}, size {one.size_to(found[0]):.3f}")
        order = sorted(range(1, len(sets)), key=lambda i: found[i].time_to(found[0]))
        better = [i for i in order if is_better(found[i], found[0])]
        if not better:
            continue
        again = measure([kept, sets[better[0]]])
        ratio = again[1].time_to(again[0])
        if is_better(again[1], again[0]):
            kept = sets[better[0]]
            say(f"{name} {kept[name]:g} is kept: time {ratio:.3f} once more")
        else:
            say(f"{name}: no change; {sets[better[0]][name]:g} has time {ratio:.3f} once more")
    return kept


def write(path: Path, architecture: str, cpu: str, facts: Facts) -> None:
    """Replaces the CPU's lines of the table."""
    mine = f'TUNED("{architecture}", "{cpu}", '
    lines = [line for line in path.read_text().splitlines() if not line.startswith(mine)]
    head = [line for line in lines if not line.startswith("TUNED(")]
    entries = [line for line in lines if line.startswith("TUNED(")]
    entries += [f'{mine}"{name}", {value:g})' for name, value in facts.items()]
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join([*head, *sorted(entries)]) + "\n")
    partial.replace(path)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


class Bench:
    """Compiles and times models with sets of facts."""

    def __init__(self, platform: Platform, cpu: str, chosen: list[Model], rounds: int) -> None:
        self.platform, self.cpu, self.models, self.rounds = platform, cpu, chosen, rounds
        self.folder = paths.BUILD / "tune"
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, sets: list[Facts]) -> list[Measured]:
        found = [Measured({}, {}) for _ in sets]
        for model in self.models:
            modules = [self._compile(model, facts, i) for i, facts in enumerate(sets)]
            distinct: dict[bytes, list[int]] = {}
            for i, module in enumerate(modules):
                distinct.setdefault(module.read_bytes(), []).append(i)
                found[i].bytes[model.name] = module.stat().st_size
            for turn in range(self.rounds if len(distinct) > 1 else 1):
                for group in distinct.values():
                    seconds = self._seconds(model, modules[group[0]])
                    _progress(f"{model.name}: round {turn + 1} of {self.rounds}")
                    for i in group:
                        found[i].seconds[model.name] = min(seconds, found[i].seconds.get(model.name, math.inf))
        _progress("")
        return found

    def _compile(self, model: Model, facts: Facts, number: int) -> Path:
        module = self.folder / f"{model.name}.{number}.xcm"
        options = [f"--cpu={self.cpu}", *(f"--assume={name}={value:g}" for name, value in facts.items())]
        shapes = model.fixed_shapes
        runner.checked(runner.compile_command(model.onnx, module, self.platform.name, shapes, tuple(options)))
        return module

    def _seconds(self, model: Model, module: Path) -> float:
        """Of an inference; on an emulated platform instructions stand for them."""
        arguments = bench.arguments(model, module, model.samples()[0], "local-sync", 1)
        if self.platform.emulated:
            counts = self.folder / "counts.json"
            runner.checked(runner.on_platform(self.platform, "crosscut-bench", [*arguments, "--once"], counts))
            return bench.read_count(counts)
        flags = [*arguments, "--benchmark_min_time=0.2", "--benchmark_repetitions=3"]
        command = runner.on_platform(self.platform, "crosscut-bench", flags)
        return min(bench.run_timed(command, self.folder / "bench.json"))


def resolved(platform: Platform, cpu: str, model: Model) -> tuple[str, str]:
    """The triple's architecture and the CPU, as the compiler names them."""
    explanation = paths.BUILD / "tune" / "target.json"
    options = (f"--cpu={cpu}", f"--explain={explanation}")
    module = paths.BUILD / "tune" / "target.xcm"
    module.parent.mkdir(parents=True, exist_ok=True)
    runner.checked(runner.compile_command(model.onnx, module, platform.name, model.fixed_shapes, options))
    target = json.loads(explanation.read_text())["target"]
    return target["triple"].split("-")[0], target["cpu"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/tune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="*", help=f"of benchmarks/matrix.json; default: {' '.join(MODELS)}")
    parser.add_argument("--cpu", default="host", metavar="NAME", help="LLVM's name; default: this machine's")
    parser.add_argument(
        "--platform",
        default=paths.HOST_PLATFORM,
        metavar="NAME",
        help="emulated ones count instructions instead of time, which says little of real CPUs; default: %(default)s",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of every comparison; default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="print what is found, and change no file")
    options = parser.parse_args(arguments)
    try:
        if options.rounds < 1:
            raise TuneError(f"--rounds {options.rounds}: expected a number from 1")
        platform = matrix.load().platform(options.platform)
        if platform.board:
            raise TuneError(f"{platform.name}: boards run no crosscut-bench")
        with runner.interruptible():
            chosen = [models.get(name) for name in options.model or MODELS]
            architecture, cpu = resolved(platform, options.cpu, chosen[0])
            print(f"{cpu} ({architecture}), {', '.join(model.name for model in chosen)}", flush=True)
            facts = search(Bench(platform, options.cpu, chosen, options.rounds), lambda line: print(line, flush=True))
        rows = [[name, f"{value:g}"] for name, value in facts.items()]
        print(table.render(["fact", "value"], rows, (1,)) if rows else "nothing is better than what the compiler has")
        if not options.dry_run:
            write(TABLE, architecture, cpu, facts)
            print(f"written: {paths.relative(TABLE)}; the next build of the compiler has it")
    except (
        TuneError,
        runner.Failed,
        bench.BenchError,
        matrix.MatrixError,
        models.ModelError,
        ValueError,
        OSError,
    ) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except runner.Stopped:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
