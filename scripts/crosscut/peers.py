"""Compares Crosscut with ONNX Runtime and OpenVINO: same model, same inputs, same number of threads, float32.

Each contender has a process of its own. Rounds are interleaved, and the order turns with each round, so that a machine
that changes its speed changes it for all. A sample is the mean of a short batch; the table shows the least sample, the
median and the spread, and the ratio of the least samples to Crosscut's. Outputs are checked against each other first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from crosscut import bench, matrix, models, paths, runner
from crosscut.models import Model, Sample
from crosscut.table import markdown, render

PEERS = ("onnxruntime", "openvino")
VENV = paths.BUILD / "venv-peers"
LOCK = paths.SOURCE / "scripts" / "requirements-peers.lock"
BATCH_SECONDS = 0.03


class PeerError(Exception):
    """A contender can not be started or answers wrongly."""


class Crosscut:
    """Crosscut as a contender: crosscut-bench, started for each round. It verifies before it times."""

    name = "crosscut"

    def __init__(self, model: Model, sample: Sample, threads: int, folder: Path) -> None:
        self.model, self.sample, self.threads, self.folder = model, sample, threads, folder
        self.module = folder / f"{model.name}.xcm"
        done = runner.run(runner.compile_command(model.onnx, self.module, paths.HOST_PLATFORM, model.fixed_shapes))
        if not done.ok:
            raise PeerError(f"crosscut: {done.reason}\n  {done.shell}")
        self.platform = matrix.load().platform(paths.HOST_PLATFORM)
        self.device = "local-sync" if threads == 1 else "local-task"
        self.version = "this tree"

    def outputs(self) -> list[Path]:
        files = [self.folder / f"crosscut.output{i}.npy" for i in range(len(self.sample.outputs))]
        flags = [f"--module={self.module}", f"--device={self.device}", f"--threads={self.threads}"]
        flags += [f"--input=@{path}" for path in self.sample.inputs] + [f"--output=@{path}" for path in files]
        done = runner.run(runner.on_platform(self.platform, "crosscut-run", flags))
        if not done.ok:
            raise PeerError(f"crosscut: {done.reason}\n  {done.shell}")
        return files

    def time(self, repetitions: int, iterations: int) -> list[float]:
        flags = bench.arguments(self.model, self.module, self.sample, self.device, self.threads)
        flags += [f"--iterations={iterations}", f"--benchmark_repetitions={repetitions}"]
        command = runner.on_platform(self.platform, "crosscut-bench", flags)
        try:
            return bench.run_timed(command, self.folder / "bench.json")
        except bench.BenchError as error:
            raise PeerError(f"crosscut: {error.reason}\n  {error.reproduce}") from error

    def close(self) -> None:
        pass


class Peer:
    """Another engine, in a process that lives as long as the comparison."""

    def __init__(self, name: str, model: Path, sample: Sample, threads: int, folder: Path) -> None:
        self.name, self.folder, self.count = name, folder, len(sample.outputs)
        worker = Path(__file__).with_name("peer_worker.py")
        command = [VENV / "bin" / "python", worker, name, model, str(threads), *sample.inputs]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.errors = (folder / f"{name}.log").open("w+")
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.version = self._answer()["version"]

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            lines = self.errors.read().strip().splitlines() or ["no answer"]
            raise PeerError(f"{self.name}: {lines[-1]}")
        return json.loads(line)

    def _ask(self, request: str) -> Any:
        assert self.process.stdin
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return self._answer()

    def outputs(self) -> list[Path]:
        self._ask(f"outputs {self.folder / self.name}.output")
        return [self.folder / f"{self.name}.output{i}.npy" for i in range(self.count)]

    def time(self, repetitions: int, iterations: int) -> list[float]:
        return self._ask(f"time {repetitions} {iterations}")

    def close(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(30)
        self.errors.close()


def install_peers() -> None:
    """Makes build/venv-peers from the lock file, unless it was made from this very lock file."""
    stamp = VENV / "lock"
    if stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes():
        return
    print("installing the peers into build/venv-peers", file=sys.stderr, flush=True)
    python = str(VENV / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(LOCK)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise PeerError(f"{' '.join(command[:4])}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    stamp.write_bytes(LOCK.read_bytes())


def fixed_model(model: Model, folder: Path) -> Path:
    """The model with the shapes that Crosscut compiles it for, so that the peers can plan for them, too."""
    if not model.fixed_shapes:
        return model.onnx
    import onnx

    proto = onnx.load(str(model.onnx))
    for info in proto.graph.input:
        for dim, value in zip(info.type.tensor_type.shape.dim, model.fixed_shapes.get(info.name, []), strict=False):
            dim.dim_value = value
    path = folder / f"{model.name}.fixed.onnx"
    onnx.save(proto, str(path))
    return path


def compare(model: Model, threads: int, rounds: int) -> dict[str, Any]:
    """All samples of one model, by contender, with versions and the largest difference of outputs."""
    from crosscut.compare import outputs_match

    folder = paths.BUILD / "peers" / f"{model.name}.{threads}"
    folder.mkdir(parents=True, exist_ok=True)
    sample = model.samples()[0]
    source = fixed_model(model, folder)
    contenders: list[Any] = []
    try:
        contenders.append(Crosscut(model, sample, threads, folder))
        contenders += [Peer(name, source, sample, threads, folder) for name in PEERS]
        outputs = {contender.name: contender.outputs() for contender in contenders}
        errors: dict[str, float | None] = {}
        for name, files in outputs.items():
            for other in outputs:
                # Each of the two has an error of its own: against each other they are allowed twice the tolerance.
                factor = 1 if "onnxruntime" in (name, other) else 2
                atol, rtol = factor * model.tolerance.atol, factor * model.tolerance.rtol
                problem, largest, _ = outputs_match(outputs[other], files, atol, rtol)
                if problem:
                    raise PeerError(f"{model.name}: {name} differs from {other}: {problem}")
                if other == "onnxruntime":
                    errors[name] = largest
        single = min(contenders[1].time(3, 1))
        iterations = max(1, round(BATCH_SECONDS / single))
        times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        for contender in contenders:  # one round that does not count
            contender.time(2, iterations)
        for round_number in range(rounds):
            turn = round_number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                times[contender.name] += contender.time(5, iterations)
            print(f"  round {round_number + 1} of {rounds}: " + _least(times), file=sys.stderr, flush=True)
        versions = {contender.name: contender.version for contender in contenders}
        return {"model": model.name, "threads": threads, "times": times, "versions": versions, "errors": errors}
    finally:
        for contender in contenders:
            contender.close()


def _least(times: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {min(values) * 1e3:.3f} ms" for name, values in times.items())


HEADER = ["model", "threads", "contender", "version", "least ms", "median ms", "spread", "Crosscut / it"]


def rows(results: list[dict[str, Any]]) -> list[list[str]]:
    """Table rows; the spread is the distance of the quartiles in percent of the median."""
    table = []
    for result in results:
        own = min(result["times"]["crosscut"])
        for name, values in result["times"].items():
            low, median, high = statistics.quantiles(values, n=4)
            table.append(
                [
                    result["model"],
                    str(result["threads"]),
                    name,
                    result["versions"][name],
                    f"{min(values) * 1e3:.3f}",
                    f"{median * 1e3:.3f}",
                    f"{(high - low) / median * 100:.1f} %",
                    f"{own / min(values):.2f}",
                ]
            )
        best = min(min(values) for name, values in result["times"].items() if name != "crosscut")
        table.append([result["model"], str(result["threads"]), "best peer", "", *[""] * 3, f"{own / best:.2f}"])
    return table


def record(results: list[dict[str, Any]], command: list[str]) -> dict[str, Any]:
    from crosscut import records

    record = records.start("peers", command)
    for result in results:
        for name, values in result["times"].items():
            record["rows"].append(
                {
                    "model": result["model"],
                    "platform": paths.HOST_PLATFORM,
                    "setting": "default",
                    "status": "pass",
                    "contender": f"{name} {result['versions'][name]}" if name != "crosscut" else name,
                    "threads": result["threads"],
                    "checks": [{"sample": "against onnxruntime", "ok": True, "largest_error": result["errors"][name]}],
                    "metrics": [records.metric("time", "seconds", values, exact=False)],
                }
            )
    return record


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/compare-peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: the models of benchmarks/matrix.json")
    parser.add_argument("--threads", type=int, action="append", metavar="N", help="repeatable; default 1")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="interleaved rounds (default %(default)s)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record here instead of results/records/")
    options = parser.parse_args(arguments)
    from crosscut import records

    try:
        names = options.models or matrix.load().models
        for name in names:
            models.find(name)
        install_peers()
        results = []
        for name in names:
            for threads in options.threads or [1]:
                print(f"{name}, {threads} thread{'s' * (threads > 1)}", file=sys.stderr, flush=True)
                results.append(compare(models.get(name), threads, options.rounds))
        right = (1, 4, 5, 6, 7)
        print(render(HEADER, rows(results), right))
        if options.markdown:
            options.markdown.write_text(markdown(HEADER, rows(results), right) + "\n")
        result = record(results, ["scripts/compare-peers", *(arguments if arguments is not None else sys.argv[1:])])
        if options.json:
            result["finished"] = records.now()
            records.validate(result)
            options.json.write_text(json.dumps(result, indent=1) + "\n")
            path = options.json
        else:
            path = records.write(result)
        print(f"record: {paths.relative(path)}")
    except (PeerError, models.ModelError, matrix.MatrixError, records.RecordError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
