"""The input arrays of the samples of the three PP-OCR models: pages and lines of text that are drawn now."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscut import pictures
from crosscut.pictures import Line


def detector(size: list[int], lines: list[list[Any]]) -> list[np.ndarray]:
    """A page of `size` (width, height); a line is its text, left, top and size."""
    drawn = tuple(Line(*line) for line in lines)
    return [pictures.detector_input(pictures.page((size[0], size[1]), drawn))]


def detector_page() -> list[np.ndarray]:
    """The page that the demonstration reads when it is given none, 1x3x480x640."""
    return [pictures.detector_input(pictures.page())]


def classifier(text: str, degrees: int) -> list[np.ndarray]:
    return [pictures.classifier_input(pictures.text_line(text, degrees))]


def recogniser(texts: list[str], width: int) -> list[np.ndarray]:
    """Lines brought to `width` columns, one below the other in a batch."""
    return [np.concatenate([pictures.recogniser_input(pictures.text_line(text), width) for text in texts])]
