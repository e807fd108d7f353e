"""The closing tables of a night: is anything broken, what does each model cost where, and what does it need."""

from __future__ import annotations

from typing import Any

from crosscut import matrix
from crosscut.table import render, size

Row = dict[str, Any]

# Floors that a newcomer should see at once when one is missed.
COMPILE_SECONDS = 10.0
RSS_ALLOWANCE = 6e6  # beyond weights and arena


def samples(row: Row) -> dict[str, list[float]]:
    return {m["name"]: m["samples"] for m in row.get("metrics", [])}


def cost(row: Row) -> str:
    """The shortest time natively, instructions under QEMU, of a row that passed."""
    found = samples(row)
    if "time" in found:
        seconds = min(found["time"])
        return f"{_digits(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{_digits(seconds * 1e6)} us"
    if "instructions" in found:
        count = found["instructions"][0]
        return f"{_digits(count / 1e6)} M" if count >= 1e6 else f"{_digits(count / 1e3)} k"
    return ""


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def status(row: Row) -> str:
    return f"ok {cost(row)}".strip() if row["status"] == "pass" else f"FAIL {row.get('phase', '')}".strip()


def label(row: Row) -> str:
    return row["model"] if row["setting"] == "default" else f"{row['model']} {row['setting']}"


def on_board(row: Row) -> bool:
    platform = matrix.load().platforms.get(row["platform"])
    return platform is not None and platform.board


def platforms_table(rows: list[Row]) -> str:
    """Models down, platforms across; nothing where a cell was not asked for."""
    platforms = list(dict.fromkeys(row["platform"] for row in rows))
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        cells.setdefault(label(row), {})[row["platform"]] = status(row)
    short = [name.removesuffix("-linux") for name in platforms]
    body = [[name, *(found.get(platform, "") for platform in platforms)] for name, found in cells.items()]
    return render(["", *short], body, right=tuple(range(1, len(platforms) + 1)))


BOARD_SIZES = {
    "code_bytes": "code",
    "weight_bytes": "weights",
    "arena_bytes": "arena",
    "ram_bytes": "RAM",
    "flash_bytes": "flash",
    "program_bytes": "program",
}


def boards_table(rows: list[Row]) -> str:
    """A line for each model on each board: what a call costs in each setting, and sizes: those of the first setting that
    has them; the program's in every setting where it is another one."""
    groups: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["platform"]), {})[row["setting"]] = row
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    body = []
    for (model, platform), found in groups.items():
        every = [samples(row) for row in found.values()]
        sizes = [_sizes(name, [values[name][0] for values in every if name in values]) for name in BOARD_SIZES]
        body.append([model, platform, *(status(found[s]) if s in found else "" for s in settings), *sizes])
    header = ["", "", *settings, *BOARD_SIZES.values()]
    return render(header, body, right=tuple(range(2, len(header))))


def _sizes(name: str, found: list[float]) -> str:
    if not found or name != "program_bytes":
        return size(found[0] if found else None)
    # What has a budget to the byte is shown to the byte.
    return " / ".join(f"{value:.0f}" for value in dict.fromkeys(found)) + " B"


NEEDS = ["", "code", "weights", "arena", "module", "peak RSS", "allowed", "compile", "answers"]


def needs_table(rows: list[Row]) -> str:
    """What a model needs: sizes over its platforms, memory natively, the longest compile time, what its outputs say."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(label(row), []).append(row)
    return render(NEEDS, [_needs(name, found) for name, found in groups.items()], right=tuple(range(1, 8)))


def _needs(name: str, rows: list[Row]) -> list[str]:
    values = [samples(row) for row in rows]

    def span(metric: str) -> str:
        found = sorted({v[metric][0] for v in values if metric in v})
        texts = list(dict.fromkeys(size(x) for x in (found[:1] + found[-1:])))
        if len(texts) == 2 and texts[0].split()[1] == texts[1].split()[1]:
            texts[0] = texts[0].split()[0]
        return "-".join(texts) if texts else "-"

    native = next((v for v in values if "peak_rss" in v), {})
    rss = min(native["peak_rss"]) if native else None
    allowed = rss_allowed(native)
    compile_time = max((min(v["compile_time"]) for v in values if "compile_time" in v), default=None)
    return [
        name,
        span("code_bytes"),
        span("weight_bytes"),
        span("arena_bytes"),
        span("file_bytes"),
        size(rss) + " !" * bool(rss and allowed and rss > allowed),
        size(allowed),
        "-" if compile_time is None else f"{compile_time:.2f} s" + " !" * (compile_time > COMPILE_SECONDS),
        answers(rows),
    ]


def rss_allowed(found: dict[str, list[float]]) -> float | None:
    parts = [found[name][0] for name in ("weight_bytes", "arena_bytes") if name in found]
    return sum(parts) + RSS_ALLOWANCE if len(parts) == 2 else None


def answers(rows: list[Row]) -> str:
    """What the outputs say, unless one sample's say different things; a platform may run a part of the samples."""
    said: dict[str, set[str]] = {}
    for row in rows:
        for check in row.get("checks", []):
            if check.get("answer"):
                said.setdefault(check["sample"], set()).add(check["answer"])
    torn = [sample for sample, texts in said.items() if len(texts) > 1]
    text = f"differ: {', '.join(torn)}" if torn else "; ".join(dict.fromkeys(min(texts) for texts in said.values()))
    return text if len(text) <= 60 else f"{text[:57]}..."


def failures(rows: list[Row]) -> str:
    """Why, and the two commands: the cell again, and the bare program of the step that failed."""
    lines = []
    for row in rows:
        if row["status"] == "pass":
            continue
        lines += [
            "",
            f"FAIL {label(row)} on {row['platform']}, {row['phase']}: {row['reason']}",
            f"  {row['reproduce']}",
        ]
        commands = list(row.get("commands", {}).values())
        lines += [f"  {commands[-1]}"] if commands else []
    return "\n".join(lines)


def text(rows: list[Row]) -> str:
    failed = sum(row["status"] != "pass" for row in rows)
    boards = [row for row in rows if on_board(row)]
    others = [row for row in rows if not on_board(row)]
    right = "ok: right on every sample; then the time natively, instructions under QEMU"
    parts = [platforms_table(others), "", right, ""] * bool(others)
    parts += [
        boards_table(boards),
        "",
        *([] if others else [right]),
        "RAM: arena, runtime and stack of a call; flash: the smallest program with the model; program: of that, what is no",
        "kernel, weights or module",
        "",
    ] * bool(boards)
    parts += [
        needs_table(others),
        "",
        "sizes over all platforms; memory natively, allowed: weights + arena + 6 MB; compile: longest; !: above",
    ] * bool(others)
    if failed:
        parts.append(failures(rows))
    return "\n".join(parts)
