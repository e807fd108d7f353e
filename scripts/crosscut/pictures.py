"""Draws a line of text and brings it into the form that PP-OCR's classifiers take."""

from __future__ import annotations

import math
from typing import Any

HEIGHT, WIDTH = 48, 192  # of the direction classifier's input
_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def text_line(text: str, degrees: int = 0) -> Any:
    """Black text on light grey, as a Pillow picture; `degrees` 180 turns it upside down.

    The font is DejaVu Sans (Debian: fonts-dejavu-core), or the one inside Pillow where that is not installed.
    """
    from PIL import Image, ImageDraw, ImageFont

    try:
        font: Any = ImageFont.truetype(_FONT, 34)
    except OSError:
        font = ImageFont.load_default(34)
    left, top, right, bottom = font.getbbox(text)
    margin = 6
    picture = Image.new("RGB", (math.ceil(right - left) + 2 * margin, HEIGHT), (235, 235, 230))
    at = (margin - left, (HEIGHT - (bottom - top)) / 2 - top)
    ImageDraw.Draw(picture).text(at, text, fill=(20, 20, 30), font=font)
    return picture.rotate(degrees, expand=True) if degrees else picture


def classifier_input(picture: Any) -> Any:
    """1x3x48x192, as PP-OCR does it: height 48, at most 192 wide, (x / 255 - 0.5) / 0.5, padded right with zeros."""
    import numpy as np

    width = min(WIDTH, math.ceil(HEIGHT * picture.width / picture.height))
    pixels = np.asarray(picture.resize((width, HEIGHT)), dtype=np.float32)[:, :, ::-1]  # BGR, as OpenCV reads
    padded = np.zeros((1, 3, HEIGHT, WIDTH), np.float32)
    padded[0, :, :, :width] = (pixels.transpose(2, 0, 1) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    return padded


def direction(probabilities: Any) -> str:
    """What the classifier's two probabilities say: "upright" or "turned"."""
    upright, turned = (float(p) for p in probabilities.reshape(-1))
    return "upright" if upright >= turned else "turned"
