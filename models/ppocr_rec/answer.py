"""Says what the recogniser read."""

from __future__ import annotations

from typing import Any

from crosscut import models
from crosscut.ocr import text


def answer(outputs: list[Any], sample: str) -> str:
    alphabet = text.characters(models.find("ppocr_rec").onnx)
    return " / ".join(text.decode(line, alphabet)[0] for line in outputs[0])
