"""Instructions of one inference under QEMU: Crosscut's, and those of the engines that have a build for that CPU.

Engines run in a Python of their CPU (peers/packages.py), on the CPU that the platform names, and set the marks that
benchmarks/qemu-plugin counts between, around an inference after the first. What a call from Python costs, some 4,000
instructions, is counted alone and taken off. Counts of the engines repeat within 0.1 %, Crosscut's exactly.
"""

from __future__ import annotations

import json
from pathlib import Path

from crosscut import bench, paths, runner
from crosscut.matrix import Platform
from crosscut.peers import contenders, engines, packages
from crosscut.peers.engines import Case
from crosscut.peers.native import NAMES, Tell, caught
from crosscut.peers.outcome import Outcome, check
from crosscut.peers.process import ContenderError, Worker

TIMEOUT = 3600.0


def architecture(platform: Platform) -> str:
    """The CPU architecture that the platform's emulator is for: aarch64."""
    return platform.runner[0].rpartition("qemu-")[2]


def steps() -> int:
    """How often compare() calls `tell`."""
    return len(NAMES)


def compare(case: Case, tell: Tell) -> list[Outcome]:
    """One outcome a contender, Crosscut's first. Calls `tell` after each."""
    engines.fix_shapes(case)
    outcomes = [Outcome(name) for name in NAMES]
    for outcome in outcomes:
        with caught(outcome):
            if outcome.contender == "crosscut":
                _count_crosscut(case, outcome)
            elif outcome.contender in packages.ARCHITECTURES[architecture(case.platform)].engines:
                _count_peer(case, outcome)
            else:
                outcome.missing = f"neither a wheel on PyPI nor a package in Debian for {architecture(case.platform)}"
        count = f"{outcome.least / 1e6:.2f} M instructions" if outcome.ok else outcome.failure or outcome.missing
        tell(f"{outcome.contender}: {count}")
    return outcomes


def _count_crosscut(case: Case, outcome: Outcome) -> None:
    """crosscut-bench --once checks the outputs of the very run that it marks."""
    outcome.version = contenders.VERSION
    module = contenders.compile_module(case)
    outcome.shipped_bytes = contenders.shipped_bytes(case, module)
    files = contenders.run_module(case, module, "local-sync")[0]
    outcome.largest_error = check(case.model, case.sample, files)
    counts = case.folder / "crosscut.counts.json"
    flags = [*bench.arguments(case.model, module, case.sample, "local-sync", 1), "--once"]
    counts.unlink(missing_ok=True)
    done = runner.run(runner.on_platform(case.platform, "crosscut-bench", flags, counts), TIMEOUT)
    if not done.ok:
        raise ContenderError("measure", done.reason, done.shell)
    outcome.cost, outcome.exact = [sum(read_counts(counts, done.shell))], True


def _count_peer(case: Case, outcome: Outcome) -> None:
    root = packages.install_root(packages.ARCHITECTURES[architecture(case.platform)])
    given = engines.prepare(outcome.contender, case)
    counts = case.folder / f"{outcome.contender}.counts.json"
    counts.unlink(missing_ok=True)
    task = contenders.task(outcome.contender, case, given)
    log = case.folder / f"{outcome.contender}.log"
    worker = Worker(_command(case.platform, root, counts), task, log, root.environment(), TIMEOUT)
    try:
        outcome.version = worker.facts["version"]
        outcome.shipped_bytes = worker.facts["shipped_bytes"] + sum(path.stat().st_size for path in given.model)
        files = contenders.worker_outputs(worker, outcome.contender, case)
        outcome.largest_error = check(case.model, case.sample, files)
        worker.ask("count", phase="measure")
    finally:
        worker.close()  # the plugin writes when the program ends
    regions = read_counts(counts, worker.shell)
    if len(regions) != 2:
        raise ContenderError("measure", f"{len(regions)} regions were counted, expected 2", worker.shell)
    call, inference = regions
    outcome.cost = [inference - call]


def _command(platform: Platform, root: packages.Root, counts: Path) -> list[str | Path]:
    """The platform's runner, with the plugin, and with the engines' folder for the root."""
    emulator: list[str | Path] = list(platform.runner)
    if "-L" in emulator:
        at = emulator.index("-L")
        del emulator[at : at + 2]
    emulator[1:1] = ["-plugin", f"{runner.plugin()},out={counts}", "-L", root.folder]
    environment = root.environment()
    libraries = environment.pop("LD_LIBRARY_PATH")  # QEMU itself must not see it
    return [
        *emulator,
        "-E",
        f"LD_LIBRARY_PATH={libraries}",
        root.python,
        "-P",
        Path(contenders.__file__).with_name("worker.py"),
    ]


def read_counts(path: Path, reproduce: str) -> list[int]:
    """Instructions of each marked region in the plugin's output."""
    try:
        regions = [int(region["instructions"]) for region in json.loads(path.read_text())["regions"]]
    except (OSError, ValueError, KeyError) as error:
        raise ContenderError("measure", f"{paths.relative(path)}: {error}", reproduce) from error
    if not regions:
        raise ContenderError("measure", f"{paths.relative(path)}: no marked region was counted", reproduce)
    return regions
