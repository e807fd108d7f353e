"""Made-up records of runs, as scripts/nightly writes them, for tests of the index and the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLATFORMS = ["x86_64-linux", "i686-linux", "armv7-linux", "aarch64-linux", "riscv64-linux", "riscv64-v128-linux"]
PLATFORMS += ["riscv64-v256-linux", "riscv64-v512-linux"]
NATIVE = PLATFORMS[0]
FIRST_DAY = 20_000  # after 1970


def sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def day(number: int, hour: int = 3) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, hour, tzinfo=UTC) + timedelta(days=FIRST_DAY + number)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def metric(name: str, unit: str, *samples: float, exact: bool) -> dict[str, Any]:
    return {"name": name, "unit": unit, "samples": list(samples), "exact": exact, "better": "lower"}


def row(model: str, platform: str, *, build: object = 0, cost: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A passing row; `cost` scales time or instructions, `build` tells one module from another."""
    native = platform == NATIVE
    base = 1 + int(sha(model)[:4], 16) / 4096 + int(sha(platform)[:4], 16) / 16384
    if native:
        times = [base * 1e-3 * cost * factor for factor in (1.0, 1.004, 1.009, 1.002, 1.03, 1.006)]
        measured = metric("time", "seconds", *times, exact=False)
    else:
        measured = metric("instructions", "instructions", round(base * 4e7 * cost), exact=True)
    return {
        "model": model,
        "platform": platform,
        "setting": "default",
        "status": "pass",
        "reproduce": f"scripts/nightly --quick --model {model} --platform {platform}",
        "commands": {"compile": f"build/host/bin/crosscut-compile {model}.onnx --target={platform}"},
        "runner": [] if native else [f"qemu-{platform.partition('-')[0]}"],
        "emulator": None if native else "qemu 7.2.22",
        "device": "local-sync",
        "threads": 1,
        "flags": ["--opt-level=3"],
        "model_sha256": sha(model),
        "module_sha256": sha(model, platform, build),
        "target": {"triple": f"{platform}-gnu", "cpu": "rocketlake" if native else "generic", "features": "+a,+b"},
        "checks": [{"sample": "seeded", "ok": True, "largest_error": 3.6e-06, "answer": "upright"}],
        "metrics": [
            measured,
            metric("compile_time", "seconds", 1.1 * base, exact=False),
            metric("code_bytes", "bytes", round(base * 30_000), exact=True),
            metric("arena_bytes", "bytes", round(base * 3e6), exact=True),
            metric("peak_rss", "bytes", round(base * 2e7), exact=False),
            metric("file_bytes", "bytes", round(base * 1.4e7), exact=True),
        ],
        **changes,
    }


def failing(model: str, platform: str, reason: str = "sample seeded: output differs", **changes: Any) -> dict[str, Any]:
    made = row(model, platform, status="fail", phase="check", reason=reason)
    made["metrics"] = made["metrics"][1:]
    made["checks"] = [{"sample": "seeded", "ok": False, "largest_error": 0.5, "problem": "output differs"}]
    return {**made, **changes}


def scaled(made: dict[str, Any], name: str, factor: float) -> dict[str, Any]:
    """The row with one metric's samples multiplied."""
    for part in made["metrics"]:
        if part["name"] == name:
            part["samples"] = [round(v * factor) if part["exact"] else v * factor for v in part["samples"]]
    return made


def record(number: int, rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The run of the night after commit `number`."""
    return {
        "schema": 2,
        "kind": "nightly",
        "command": ["scripts/nightly"],
        "started": day(number),
        "finished": day(number, hour=4),
        "selection": {"name": "full", "models": None, "platforms": None, "settings": None},
        "source": {
            "commit": hashlib.sha1(f"commit {number}".encode()).hexdigest(),
            "committed": day(number, hour=1),
            "subject": f"Do thing {number}",
            "modified": False,
        },
        "machine": {"architecture": "x86_64", "cpu": "Made-up CPU", "cores": 2, "system": "Linux 6.1"},
        "compiler": {"version": "crosscut-compile 0.1.0", "sha256": sha("compiler", number)},
        "rows": rows,
        **changes,
    }


def compared(
    model: str, costs: dict[str, float | str], *, threads: int = 1, platform: str = NATIVE
) -> list[dict[str, Any]]:
    """Rows of a comparison: seconds (instructions, where emulated) by contender, or why there are none."""
    name, unit = ("time", "seconds") if platform == NATIVE else ("instructions", "instructions")
    rows = []
    for contender, cost in costs.items():
        found = {"model": model, "platform": platform, "setting": "default", "contender": contender, "threads": threads}
        found |= {"reproduce": f"scripts/compare-peers {model}", "model_sha256": sha(model), "checks": []}
        if platform != NATIVE:
            found["runner"] = [f"qemu-{platform.partition('-')[0]}"]
        if isinstance(cost, str):
            found |= {"status": "unsupported", "phase": "compile", "reason": cost, "metrics": []}
        else:
            found |= {"status": "pass", "metrics": [metric(name, unit, cost * 1.1, cost, exact=False)]}
        rows.append(found)
    return rows


def comparison(number: int, rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A record of scripts/compare-peers at commit `number`."""
    made = record(number, rows, kind="peers", command=["scripts/compare-peers"], **changes)
    del made["selection"]
    return made


def commit_name(number: int) -> str:
    """As the page shows it."""
    return str(record(number, [])["source"]["commit"][:7])


def write(folder: Path, *records: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for made in records:
        (folder / f"{made['started'].replace(':', '')}-{sha(made)[:6]}.json").write_text(json.dumps(made))
    return folder


def history(
    commits: int, models: list[str], platforms: list[str], change: Callable[..., dict[str, Any] | None] | None = None
) -> list[dict[str, Any]]:
    """Runs of all cells; `change(number, row)` may change a row, or drop it by returning None."""
    made = []
    for number in range(commits):
        rows: list[dict[str, Any]] = []
        for model in models:
            for platform in platforms:
                found = row(model, platform, build=number)
                kept = change(number, found) if change else found
                if kept:
                    rows.append(kept)
        made.append(record(number, rows))
    return made
