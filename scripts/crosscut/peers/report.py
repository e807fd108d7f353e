"""Tables, and rows of a record, from outcomes."""

from __future__ import annotations

import statistics
from typing import Any

from crosscut import records
from crosscut.models import sha256
from crosscut.peers.engines import Case
from crosscut.peers.outcome import Outcome
from crosscut.table import markdown, render, size

Result = tuple[Case, list[Outcome]]

_WORDS = {"prepare": "does not load", "compile": "does not compile", "check": "wrong output"}
_NATIVE = ["model", "threads", "contender", "version", "least ms", "median ms", "spread", "peak RSS", "to ship"]
_EMULATED = ["model", "platform", "contender", "version", "instructions", "to ship"]
_RATIO = "Crosscut / it"


def word(outcome: Outcome) -> str:
    """For a cell: why there is no value."""
    if outcome.missing:
        return "no wheel"
    return _WORDS.get(outcome.failure.phase, "fails") if outcome.failure else "not measured"


def ratio(outcomes: list[Outcome], other: Outcome) -> float | None:
    """Crosscut's least cost by the other's; None when either has none."""
    own = outcomes[0]
    return own.least / other.least if own.ok and other.ok else None


def best_peer(outcomes: list[Outcome]) -> Outcome | None:
    return min((outcome for outcome in outcomes[1:] if outcome.ok), key=lambda outcome: outcome.least, default=None)


def _native_cells(case: Case, outcome: Outcome) -> list[str]:
    if not outcome.ok:
        cells = [word(outcome), "", ""]
    else:
        low, median, high = statistics.quantiles(outcome.cost, n=4) if len(outcome.cost) > 1 else outcome.cost * 3
        spread = f"{(high - low) / median * 100:.1f} %"
        cells = [f"{outcome.least * 1e3:.3f}", f"{median * 1e3:.3f}", spread]
    first = [case.model.name, str(case.threads), outcome.contender, outcome.version]
    return [*first, *cells, size(outcome.peak_rss), size(outcome.shipped_bytes)]


def _emulated_cells(case: Case, outcome: Outcome) -> list[str]:
    count = f"{outcome.least / 1e6:.2f} M" if outcome.ok else word(outcome)
    names = [case.model.name, case.platform.name, outcome.contender, outcome.version]
    return [*names, count, size(outcome.shipped_bytes)]


def _table(results: list[Result]) -> tuple[list[str], list[list[str]], range]:
    emulated = results[0][0].platform.emulated
    header, rows = [*(_EMULATED if emulated else _NATIVE), _RATIO], []
    for case, outcomes in results:
        for outcome in outcomes:
            value = ratio(outcomes, outcome)
            cells = (_emulated_cells if emulated else _native_cells)(case, outcome)
            rows.append([*cells, f"{value:.2f}" if value else "-"])
        best = best_peer(outcomes)
        value = ratio(outcomes, best) if best else None
        blank = [""] * (len(header) - 5)
        rows.append(
            [*rows[-1][:2], "best peer", best.contender if best else "", *blank, f"{value:.2f}" if value else "-"]
        )
    return header, rows, range(4, len(header)) if emulated else range(1, len(header))


def _notes(results: list[Result]) -> list[str]:
    """Why contenders have no value, one line each."""
    notes = []
    for case, outcomes in results:
        where = case.platform.name if case.platform.emulated else f"{case.threads} thread{'s' * (case.threads > 1)}"
        for outcome in outcomes:
            if not outcome.ok:
                notes.append(f"{case.model.name}, {where}, {outcome.contender}: {outcome.failure or outcome.missing}")
    return notes


_EXPLANATION = {
    False: "peak RSS: for one inference, of the engine without its Python; to ship: library and model file",
    True: "instructions of one inference, counted by QEMU; to ship: library and model file",
}


def text(results: list[Result]) -> str:
    header, rows, right = _table(results)
    right = [column for column in right if header[column] not in ("contender", "version")]
    notes = [_EXPLANATION[results[0][0].platform.emulated], *_notes(results)]
    return render(header, rows, right) + "\n\n" + "\n".join(notes)


def markdown_text(results: list[Result]) -> str:
    header, rows, right = _table(results)
    right = [column for column in right if header[column] not in ("contender", "version")]
    notes = [_EXPLANATION[results[0][0].platform.emulated], *_notes(results)]
    return markdown(header, rows, right) + "\n\n" + "\n".join(f"- {note}" for note in notes) + "\n"


def record_rows(results: list[Result]) -> list[dict[str, Any]]:
    return [_row(case, outcome) for case, outcomes in results for outcome in outcomes]


def _row(case: Case, outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": case.model.name,
        "platform": case.platform.name,
        "setting": case.cpu or "default",
        "status": "pass",
        "contender": outcome.contender,
        "threads": case.threads,
        "reproduce": case.reproduce,
        "model_sha256": sha256(case.model.onnx),
        "checks": [],
        "metrics": [],
    }
    if outcome.version and outcome.contender != "crosscut":
        row["contender"] += f" {outcome.version}"
    if case.platform.emulated:
        row["runner"] = list(case.platform.runner)
    if outcome.missing:
        row |= {"status": "excluded", "reason": outcome.missing}
    elif outcome.failure:
        # A peer that refuses a model is a fact about the peer; everything else went wrong.
        refused = outcome.failure.phase == "compile" and outcome.contender != "crosscut"
        row |= {"status": "unsupported" if refused else "fail", "phase": outcome.failure.phase}
        row |= {"reason": outcome.failure.reason}
        if outcome.failure.reproduce:
            row["commands"] = {
                "compile" if outcome.failure.phase == "compile" else "measure": outcome.failure.reproduce
            }
    if outcome.largest_error is not None:
        row["checks"].append({"sample": case.sample.name, "ok": True, "largest_error": outcome.largest_error})
    elif outcome.failure and outcome.failure.phase == "check":
        row["checks"].append({"sample": case.sample.name, "ok": False, "problem": outcome.failure.reason})
    row["metrics"] = _metrics(case, outcome)
    return row


def _metrics(case: Case, outcome: Outcome) -> list[dict[str, Any]]:
    metrics = []
    if outcome.ok:
        name, unit = ("instructions", "instructions") if case.platform.emulated else ("time", "seconds")
        metrics.append(records.metric(name, unit, outcome.cost, exact=outcome.exact))
    if outcome.peak_rss is not None:
        metrics.append(records.metric("peak_rss", "bytes", [outcome.peak_rss], exact=False))
    if outcome.shipped_bytes is not None:
        metrics.append(records.metric("shipped_bytes", "bytes", [outcome.shipped_bytes], exact=True))
    return metrics
