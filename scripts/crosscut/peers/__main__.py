"""Compares Crosscut with ONNX Runtime, OpenVINO, LiteRT, IREE and ncnn: same model, same inputs, float32.

Natively: milliseconds of one inference, with the same number of threads on the same CPUs. Each contender has a process
of its own. Rounds are interleaved, and the order turns with each round; a sample is the mean of a short batch. The
table shows the least sample, the median and the spread (the distance of the quartiles), peak RSS, what has to be
shipped, and the ratio of Crosscut's least sample to each other's.

With --platform, under QEMU: instructions of one inference on that CPU, of the engines that have a build for it.

With --cpu, natively, as on an older CPU (x86-64-v3: with AVX2 alone): Crosscut and IREE compile for it, and OpenVINO is
kept to it; the other engines choose when they start, and use all that this machine has.

Outputs are checked before anything is measured. A contender that does not compile the model, crashes, hangs or answers
wrongly is a row with its reason. LiteRT, whose kernels are XNNPACK's, gets images in its own order, NHWC.

The engines come from PyPI and Debian, pinned, at the first call: 1 GB in build/venv-peers, 0.5 GB in build/peers. What
LiteRT, IREE and ncnn made of a model is kept in build/peers/cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from crosscut import build, matrix, models, paths, records, runner
from crosscut.matrix import Platform
from crosscut.peers import emulated, engines, native, packages, report
from crosscut.peers.engines import Case
from crosscut.peers.process import ContenderError
from crosscut.progress import Progress


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/compare-peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help="default: the models of benchmarks/matrix.json")
    add("--threads", type=_positive, action="append", metavar="N", help="repeatable; default 1")
    add("--platform", action="append", metavar="NAME", help="AArch64 or RISC-V, under QEMU; repeatable")
    add("--cpu", choices=engines.LEVELS, help="natively: a level of x86-64 instead of what this machine has")
    add("--rounds", type=_positive, default=10, metavar="N", help="interleaved rounds (default %(default)s)")
    add("--markdown", type=Path, metavar="FILE", help="write the table as Markdown, too")
    add("--json", type=Path, metavar="FILE", help="write the record here instead of results/records/")
    add("--no-build", action="store_true", help="use the programs as they are")
    add("--lock", action="store_true", help="only write scripts/peers-debian.lock, from what Debian has today")
    options = parser.parse_args(arguments)
    if options.platform and options.threads:
        parser.error("--threads is for the native comparison; under QEMU there is one thread")
    if options.platform and options.cpu:
        parser.error("--cpu is for the native comparison; under QEMU the platform has one")
    return options


def platforms(names: list[str] | None) -> list[Platform]:
    """The platforms named; none: this machine's."""
    found = [matrix.load().platform(name) for name in dict.fromkeys(names or [paths.HOST_PLATFORM])]
    for platform in found:
        if names and (not platform.emulated or emulated.architecture(platform) not in packages.ARCHITECTURES):
            known = [p.name for p in matrix.load().platforms.values() if p.kind == "emulated"]
            known = [n for n in known if emulated.architecture(matrix.load().platform(n)) in packages.ARCHITECTURES]
            raise matrix.MatrixError(f"--platform {platform.name}: no peers there; there are: {', '.join(known)}")
    return found


def cases(options: argparse.Namespace, where: list[Platform]) -> list[Case]:
    """Every comparison that was asked for; their models are made where they are not there yet."""
    names = list(dict.fromkeys(options.models or matrix.load().models))
    for name in names:
        models.find(name)
    found = [models.get(name) for name in names]
    threads = sorted(set(options.threads or [1]))
    return [Case(model, model.samples()[0], p, n, options.cpu or "") for p in where for model in found for n in threads]


def compare_all(todo: list[Case], rounds: int) -> list[report.Result]:
    total = sum(emulated.steps() if case.platform.emulated else native.steps(rounds) for case in todo)
    progress, results = Progress(total, "compare"), []
    for case in todo:
        where = case.platform.name if case.platform.emulated else f"{case.threads} thread{'s' * (case.threads > 1)}"

        def tell(text: str, name: str = f"{case.model.name}, {where}") -> None:
            progress.step(f"{name}: {text}", always=True)

        outcomes = emulated.compare(case, tell) if case.platform.emulated else native.compare(case, rounds, tell)
        results.append((case, outcomes))
    return results


def write(results: list[report.Result], options: argparse.Namespace, command: list[str]) -> None:
    if options.markdown:
        _replace(options.markdown, report.markdown_text(results))
    record = records.start("peers", command)
    record["rows"] = report.record_rows(results)
    if options.json:
        record["finished"] = records.now()
        records.validate(record)
        _replace(options.json, json.dumps(record, indent=1, allow_nan=False) + "\n")
        path = options.json
    else:
        path = records.write(record)
    print(f"record: {paths.relative(path)}")


def _replace(path: Path, content: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(content)
    new.replace(path)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    typed = ["scripts/compare-peers", *(arguments if arguments is not None else sys.argv[1:])]
    try:
        if options.lock:
            packages.lock_debian()
            print(paths.relative(packages.DEBIAN_LOCK))
            return 0
        with runner.interruptible():
            where = platforms(options.platform)
            todo = cases(options, where)
            if not options.no_build:
                build.ensure(where)
            packages.install_venv()
            results = compare_all(todo, options.rounds)
        print(report.text(results), flush=True)
        write(results, options, typed)
    except (
        build.BuildError,
        ContenderError,
        models.ModelError,
        matrix.MatrixError,
        records.RecordError,
        OSError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    broken = [case.model.name for case, outcomes in results if not outcomes[0].ok]
    if broken:
        print(f"error: Crosscut failed on {', '.join(dict.fromkeys(broken))}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
