"""Says how many lines of text the detector's map shows."""

from __future__ import annotations

from typing import Any

from crosscut.ocr import boxes


def answer(outputs: list[Any], sample: str) -> str:
    likely = outputs[0]
    found = len(boxes.find(likely, likely.shape[3], likely.shape[2]))
    return "1 line" if found == 1 else f"{found} lines"
