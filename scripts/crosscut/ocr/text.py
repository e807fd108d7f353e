"""The text that PP-OCR's recogniser means: one character, or none, for each of its steps along a line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

NOTHING = 0  # the class between two characters


@cache
def characters(model: Path) -> list[str]:
    """What each class of the recogniser stands for: "" for the first, the model file's list, and the space."""
    import onnx

    facts = {fact.key: fact.value for fact in onnx.load(model, load_external_data=False).metadata_props}
    if "character" not in facts:
        raise ValueError(f"{model.name}: no list of characters in the model's metadata")
    return ["", *facts["character"].splitlines(), " "]


def decode(probabilities: Any, alphabet: list[str]) -> tuple[str, float]:
    """The text of one line (steps x classes) and the mean probability of its characters, 0 where there is no text.

    A character counts once however many steps it lasts (connectionist temporal classification).
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(alphabet):
        raise ValueError(f"a line's output is {list(probabilities.shape)}, the model knows {len(alphabet)} characters")
    best = probabilities.argmax(axis=1)
    starts = np.append(True, best[1:] != best[:-1]) & (best != NOTHING)
    sure = probabilities.max(axis=1)[starts]
    return "".join(alphabet[k] for k in best[starts]), float(sure.mean()) if sure.size else 0.0
