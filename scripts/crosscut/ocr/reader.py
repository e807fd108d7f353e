"""From a page to the text on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crosscut import models, pictures
from crosscut.ocr import boxes, text
from crosscut.ocr.boxes import Box
from crosscut.ocr.engines import CLASSIFIER, DETECTOR, RECOGNISER, Engine

SURELY_TURNED = 0.9


@dataclass(frozen=True)
class ReadLine:
    """A line of text: where it is, what it says, how sure that is (0 to 1), and whether it was upside down."""

    box: Box
    text: str
    confidence: float
    turned: bool


def read(page: Any, engine: Engine, say: Callable[[str], None] = lambda _: None) -> list[ReadLine]:
    """The lines of a page (a Pillow picture), in the order in which people read. `say` is told how far it is."""
    alphabet = text.characters(models.find(RECOGNISER).onnx)
    likely = engine.run(DETECTOR, pictures.detector_input(page))
    found = boxes.find(likely, page.width, page.height)
    lines = []
    for number, box in enumerate(found, 1):
        say(f"line {number} of {len(found)}")
        picture = boxes.cut(page, box)
        probabilities = engine.run(CLASSIFIER, pictures.classifier_input(picture))
        turned = bool(probabilities[0, 1] > SURELY_TURNED)
        if turned:
            picture = picture.rotate(180)
        values = engine.run(RECOGNISER, pictures.recogniser_input(picture))
        lines.append(ReadLine(box, *text.decode(values[0], alphabet), turned))
    return lines
