"""Runs the ONNX backend node cases through crosscut-compile and crosscut-run, on any platform.

An operator counts as implemented when the compiler accepts a case that is about it. All cases that are about it must
then pass; only a case that is written out in other operators (..._expanded) may be refused for one of those that is not
implemented. conformance-expectations.json says which operators are implemented, and a difference from it, in either
direction, fails the run. No case is treated differently from another.

Results: pass; fail, with the reason; unsupported, with what the compiler refuses; excluded, by element type.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosscut import matrix, paths, runner
from crosscut.progress import Progress
from crosscut.table import render

TIMEOUT = 120.0
# The importer refuses a node: "file: node 'y' (Unique, opset 11): reason". Later phases quote "Unique:y: ...".
_REFUSED_NODE = re.compile(r"node '.*' \(([A-Za-z_][\w.]*), opset \d+\): ")
_REFUSAL = re.compile(r"unsupported|not supported|not implemented", re.IGNORECASE)


@dataclass
class Outcome:
    """What became of one case on one platform."""

    case: Any  # conformance_cases.Case; that module needs numpy and onnx, --help does not
    platform: str
    status: str  # pass, fail, unsupported, excluded
    reason: str = ""
    accepted: bool = False  # by the compiler
    refused: str = ""  # the operator that the compiler names in its refusal
    commands: list[str] = field(default_factory=list)


class Harness:
    """Runs cases on one platform, each in a folder of its own that is removed when the case passes."""

    def __init__(self, platform: matrix.Platform, keep: bool = False) -> None:
        self.platform, self.keep = platform, keep
        self.folder = paths.BUILD / "conformance" / platform.name

    def run(self, case: Any) -> Outcome:
        if case.excluded:
            return Outcome(case, self.platform.name, "excluded", case.excluded)
        folder = self.folder / case.name
        folder.mkdir(parents=True, exist_ok=True)
        outcome = self._run(case, folder)
        if not self.keep and outcome.status == "pass":
            shutil.rmtree(folder)
        return outcome

    def _run(self, case: Any, folder: Path) -> Outcome:
        model, module = folder / "model.onnx", folder / "model.xcm"
        model.write_bytes(case.model.SerializeToString())
        compiled = runner.run(runner.compile_command(model, module, None, None, self.platform.compile), TIMEOUT)
        commands = [compiled.shell]
        if not compiled.ok:
            refused = refused_operator(compiled.stderr, case.operators) if compiled.code == 1 else None
            if refused is None:
                return Outcome(case, self.platform.name, "fail", f"compile: {compiled.reason}", commands=commands)
            return Outcome(case, self.platform.name, "unsupported", compiled.reason, False, refused, commands)
        for index, (inputs, expected) in enumerate(case.data):
            problem, command = self._run_data(case, folder, module, index, inputs, expected)
            commands.append(command)
            if problem:
                return Outcome(case, self.platform.name, "fail", problem, True, commands=commands)
        return Outcome(case, self.platform.name, "pass", "", True, commands=commands)

    def _run_data(
        self, case: Any, folder: Path, module: Path, index: int, inputs: list[Any], expected: list[Any]
    ) -> tuple[str, str]:
        import numpy as np

        from crosscut.conformance_cases import difference

        arguments = [f"--module={module}"]
        for number, value in enumerate(inputs):
            path = folder / f"data{index}.input{number}.npy"
            np.save(path, np.asarray(value))
            arguments.append(f"--input=@{path}")
        outputs = [folder / f"data{index}.output{number}.npy" for number in range(len(expected))]
        for path in outputs:
            path.unlink(missing_ok=True)
        arguments += [f"--output=@{path}" for path in outputs]
        done = runner.run(runner.on_platform(self.platform, "crosscut-run", arguments), TIMEOUT)
        if not done.ok:
            return f"run: {done.reason}", done.shell
        for number, (path, value) in enumerate(zip(outputs, expected, strict=True)):
            try:
                actual = np.load(path)
            except (OSError, ValueError) as error:
                return f"output {number}: {error}", done.shell
            problem = difference(case, value, actual)
            if problem:
                return f"output {number}: {problem}", done.shell
        return "", done.shell


def refused_operator(message: str, operators: frozenset[str]) -> str | None:
    """The operator that the compiler refuses, "" for another refusal, None when the message is no refusal."""
    node = _REFUSED_NODE.search(message)
    if node:
        return node.group(1)
    lines = [line for line in message.splitlines() if _REFUSAL.search(line)]
    if not lines:
        return None
    for line in lines:
        words = set(re.findall(r"[A-Za-z_][\w.]*", line))
        named = [operator for operator in operators if operator in words or operator.rpartition(".")[2] in words]
        if named:
            return max(named, key=len)
    return ""


@dataclass
class Verdict:
    """The outcomes weighed against the expectations."""

    outcomes: list[Outcome]
    implemented: set[str]
    problems: list[str]

    @property
    def failures(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status == "fail"]


def _shown_implemented(outcomes: list[Outcome]) -> set[str]:
    """Operators of which the compiler accepts a case that holds the operator itself, not its expansion."""
    return {o.case.operator for o in outcomes if o.accepted and o.case.operator in o.case.operators}


def _asked(outcomes: list[Outcome]) -> set[str]:
    return {o.case.operator for o in outcomes if o.status != "excluded" and o.case.operator in o.case.operators}


def weigh(outcomes: list[Outcome], expected: dict[str, list[str]] | None) -> Verdict:
    """Decides what counts as implemented, turns refusals of implemented operators into failures, compares with the
    expectations. Without expectations only the outcomes themselves count."""
    accepted, asked = _shown_implemented(outcomes), _asked(outcomes)
    implemented = accepted | (set(expected["implemented"]) if expected else set())
    for outcome in outcomes:
        # What is refused inside an inlined function counts as a refusal of the operator that the case itself has.
        refused = outcome.refused if outcome.refused in outcome.case.operators else outcome.case.operator
        if outcome.status == "unsupported" and {refused, outcome.case.operator} <= implemented:
            outcome.status = "fail"
            outcome.reason = f"refused, though {refused} is implemented: {outcome.reason}"
    problems = []
    if expected is not None:
        listed = {"implemented": set(expected["implemented"]), "not implemented": set(expected["not implemented"])}
        for operator in sorted(asked):
            is_listed = [key for key, operators in listed.items() if operator in operators]
            if not is_listed:
                problems.append(f"{operator}: not in the expectations")
            elif is_listed == ["not implemented"] and operator in accepted:
                problems.append(f"{operator}: the compiler accepts it, the expectations say it is not implemented")
            elif is_listed == ["implemented"] and operator not in accepted:
                problems.append(f"{operator}: the compiler accepts no case, the expectations say it is implemented")
    return Verdict(outcomes, implemented, problems)


def expectations_from(outcomes: list[Outcome], path: Path) -> None:
    """Writes the expectations file from a full run."""
    accepted, asked = _shown_implemented(outcomes), _asked(outcomes)
    content = {"implemented": sorted(accepted), "not implemented": sorted(asked - accepted)}
    path.write_text(json.dumps(content, indent=1) + "\n")


def operator_table(verdict: Verdict, platforms: list[str]) -> str:
    """Operator × platform: passed of asked, and what failed."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for outcome in verdict.outcomes:
        cell = counts.setdefault((outcome.case.operator, outcome.platform), {})
        cell[outcome.status] = cell.get(outcome.status, 0) + 1

    def text(operator: str, platform: str) -> str:
        cell = counts.get((operator, platform), {})
        asked = cell.get("pass", 0) + cell.get("fail", 0)
        notes = [f"{asked - cell.get('fail', 0)}/{asked}"] if asked else []
        notes += ["FAIL"] if cell.get("fail") else []
        notes += [f"{cell[s]} {s}" for s in ("unsupported", "excluded") if cell.get(s)]
        return " ".join(notes) or "-"

    operators = sorted({operator for operator, _ in counts}, key=str.lower)
    rows = [
        [operator, "yes" if operator in verdict.implemented else "no", *(text(operator, p) for p in platforms)]
        for operator in operators
    ]
    return render(["operator", "implemented", *platforms], rows)


def record(verdict: Verdict, command: list[str]) -> dict[str, Any]:
    from crosscut import records

    record = records.start("conformance", command)
    for outcome in verdict.outcomes:
        row = {
            "model": outcome.case.name,
            "operator": outcome.case.operator,
            "platform": outcome.platform,
            "setting": "default",
            "status": outcome.status,
        }
        if outcome.reason:
            row["reason"] = outcome.reason
        if outcome.status == "fail":
            row["reproduce"] = f"scripts/conformance --platform {outcome.platform} --case {outcome.case.name}"
        record["rows"].append(row)
    return record


def load_expectations(path: Path) -> dict[str, list[str]] | None:
    return json.loads(path.read_text()) if path.is_file() else None


def choose(cases: list[Any], options: argparse.Namespace, expected: dict[str, list[str]] | None) -> list[Any]:
    """The cases that the command line asks for."""
    from crosscut.conformance_cases import sample

    if options.case:
        chosen = [case for case in cases if case.name in options.case]
        missing = sorted(set(options.case) - {case.name for case in chosen})
        if missing:
            raise SystemExit(f"error: no such case: {', '.join(missing)}")
        return chosen
    if options.operator:
        chosen = [case for case in cases if case.operator in options.operator]
        missing = sorted(set(options.operator) - {case.operator for case in chosen})
        if missing:
            raise SystemExit(f"error: no case is about: {', '.join(missing)}")
        cases = chosen
    if options.sample:
        known = set(expected["implemented"]) if expected else None
        usable = [c for c in cases if not c.excluded and (known is None or c.operators | {c.operator} <= known)]
        return sample(usable, options.sample)
    return cases


def run_all(cases: list[Any], platforms: list[matrix.Platform], jobs: int, keep: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for platform in platforms:
        harness = Harness(platform, keep)
        progress = Progress(len(cases), platform.name)
        failed = 0
        with runner.interruptible(), ThreadPoolExecutor(jobs) as pool:
            for outcome in pool.map(harness.run, cases):
                outcomes.append(outcome)
                failed += outcome.status == "fail"
                progress.step(f"{failed} failed, now {outcome.case.name}")
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--platform", action="append", metavar="NAME", help="platform of benchmarks/matrix.json, or 'all'; repeatable"
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="only a fixed sample of N cases of implemented operators"
    )
    parser.add_argument("--operator", action="append", metavar="OP", help="only cases about this operator; repeatable")
    parser.add_argument("--case", action="append", metavar="NAME", help="only this case; repeatable")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="cases at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: build/conformance/result.json")
    parser.add_argument("--keep", action="store_true", help="keep the files of cases that pass too")
    parser.add_argument("--table", action="store_true", help="print the whole table, not only implemented operators")
    parser.add_argument("--update-expectations", action="store_true", help="write the expectations from this run")
    options = parser.parse_args(arguments)
    try:
        table = matrix.load()
        wanted = options.platform or [paths.HOST_PLATFORM]
        every = [p for p in table.platforms.values() if not p.board]
        platforms = every if wanted == ["all"] else [table.platform(name) for name in wanted]
        for platform in platforms:
            if platform.board:
                raise matrix.MatrixError(f"{platform.name}: boards have no crosscut-run")
    except matrix.MatrixError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for program in [paths.tool("crosscut-compile"), *(paths.program("crosscut-run", p.build) for p in platforms)]:
        if not program.is_file():
            print(f"error: {paths.relative(program)} is not built; scripts/test builds it", file=sys.stderr)
            return 1

    from crosscut import conformance_cases, records

    print("loading the cases of the onnx package", file=sys.stderr, flush=True)
    expected = load_expectations(paths.EXPECTATIONS)
    cases = choose(conformance_cases.load(), options, expected)
    outcomes = run_all(cases, platforms, options.jobs, options.keep)
    if options.update_expectations:
        if options.case or options.operator or options.sample:
            print("error: --update-expectations needs all cases", file=sys.stderr)
            return 1
        expectations_from(outcomes, paths.EXPECTATIONS)
        expected = load_expectations(paths.EXPECTATIONS)
    # With cases named one by one, an operator that they do not show to be implemented is no difference.
    verdict = weigh(outcomes, None if options.case else expected)

    path = options.json or paths.BUILD / "conformance" / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = record(verdict, ["scripts/conformance", *(arguments if arguments is not None else sys.argv[1:])])
    result["finished"] = records.now()
    records.validate(result)
    path.write_text(json.dumps(result, indent=1) + "\n")
    report(verdict, [platform.name for platform in platforms], options.table)
    print(f"record: {paths.relative(path)}")
    return 1 if verdict.failures or verdict.problems else 0


def report(verdict: Verdict, platforms: list[str], everything: bool) -> None:
    shown = verdict
    if not everything:
        kept = [o for o in verdict.outcomes if o.case.operator in verdict.implemented or o.status == "fail"]
        shown = Verdict(kept, verdict.implemented, verdict.problems)
    print(operator_table(shown, platforms))
    for outcome in verdict.failures:
        print(f"\nFAIL {outcome.case.name} on {outcome.platform}: {outcome.reason}")
        for command in outcome.commands:
            print(f"  {command}")
    for problem in verdict.problems:
        print(f"MISMATCH {problem}")
    print()
    for platform in platforms:
        counts = dict.fromkeys(("pass", "fail", "unsupported", "excluded"), 0)
        for outcome in verdict.outcomes:
            if outcome.platform == platform:
                counts[outcome.status] += 1
        print(f"{platform}: " + ", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
