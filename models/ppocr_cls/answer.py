"""Says which way up the direction classifier thinks a line of text is."""

from __future__ import annotations

from typing import Any

from crosscut import pictures


def answer(outputs: list[Any], sample: str) -> str:
    return pictures.direction(outputs[0])
