"""Draws lines and pages of text, and brings pictures into the form that PP-OCR's models take.

Pictures are Pillow's, RGB. Arrays are float32, 1x3xHxW, the colours in the order blue, green, red.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

HEIGHT = 48  # of a line, for the direction classifier and the recogniser
WIDTH = 192  # of a line, for the direction classifier
_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
_PAPER, _INK = (235, 235, 230), (20, 20, 30)


@dataclass(frozen=True)
class Line:
    """A line of text on a page: where its picture's upper left corner is and the size of its letters, in pixels."""

    text: str
    left: int
    top: int
    size: int
    turned: bool = False  # upside down


# What the demonstration and the tests read. The small one is for processors that are emulated.
PAGE = (640, 480)
PAGE_LINES = (
    Line("Crosscut reads this page", 36, 24, 36),
    Line("Six models, every CPU", 60, 96, 30),
    Line("upside down, but legible", 90, 160, 28, turned=True),
    Line("Invoice 2026-0417", 40, 226, 32),
    Line("Total: 1,250.75 EUR", 300, 290, 26),
    Line("one command, one page", 44, 346, 34),
    Line("The end.", 420, 420, 30),
)
SMALL_PAGE = (160, 96)
SMALL_PAGE_LINES = (Line("Page 7", 20, 10, 26), Line("CPU", 60, 52, 26, turned=True))


def _font(size: int) -> Any:
    """DejaVu Sans (Debian: fonts-dejavu-core), or the font inside Pillow where that is not installed."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype(_FONT, size)
    except OSError:
        return ImageFont.load_default(size)


def text_line(text: str, degrees: int = 0, size: int = 34, height: int = HEIGHT) -> Any:
    """Black text on light grey, `height` pixels high and as wide as the text; `degrees` 180 turns it upside down."""
    from PIL import Image, ImageDraw

    font = _font(size)
    left, top, right, bottom = font.getbbox(text)
    margin = 6
    picture = Image.new("RGB", (math.ceil(right - left) + 2 * margin, height), _PAPER)
    at = (margin - left, (height - (bottom - top)) / 2 - top)
    ImageDraw.Draw(picture).text(at, text, fill=_INK, font=font)
    return picture.rotate(degrees, expand=True) if degrees else picture


def page(size: tuple[int, int] = PAGE, lines: tuple[Line, ...] = PAGE_LINES) -> Any:
    """A page of `size` (width, height) with these lines on it."""
    from PIL import Image

    picture = Image.new("RGB", size, _PAPER)
    for line in lines:
        drawn = text_line(line.text, 180 if line.turned else 0, line.size, math.ceil(1.4 * line.size))
        picture.paste(drawn, (line.left, line.top))
    return picture


def _normalised(picture: Any, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Any:
    import numpy as np

    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)[:, :, ::-1] / np.float32(255)
    values = (pixels - np.asarray(mean, np.float32)) / np.asarray(deviation, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _line_input(picture: Any, width: int, padded: int) -> Any:
    """48 rows, `width` columns between -1 and 1, and zeros up to `padded` columns."""
    import numpy as np

    values = np.zeros((1, 3, HEIGHT, padded), np.float32)
    values[..., :width] = _normalised(picture.resize((width, HEIGHT)), (0.5,) * 3, (0.5,) * 3)
    return values


def classifier_input(picture: Any) -> Any:
    """1x3x48x192: a line brought to 48 rows, made narrower where it has more than 192 columns, padded where less."""
    return _line_input(picture, min(WIDTH, math.ceil(HEIGHT * picture.width / picture.height)), WIDTH)


def recogniser_input(picture: Any, width: int | None = None) -> Any:
    """1x3x48xW: a line brought to 48 rows. W is what that gives, but at least 8, or `width`, which is filled likewise
    as for the classifier."""
    own = max(8, math.ceil(HEIGHT * picture.width / picture.height))
    return _line_input(picture, min(own, width or own), width or own)


def detector_input(picture: Any, longest: int = 960) -> Any:
    """1x3xHxW: a page, made smaller where a side is longer than `longest`, to sides that are multiples of 32."""
    scale = min(1.0, longest / max(picture.size))
    width, height = (max(32, round(side * scale / 32) * 32) for side in picture.size)
    # Mean and deviation of the photographs that the detector's first layers were trained on.
    return _normalised(picture.resize((width, height)), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def direction(probabilities: Any) -> str:
    """What the classifier's two probabilities say: "upright" or "turned"."""
    upright, turned = (float(p) for p in probabilities.reshape(-1))
    return "upright" if upright >= turned else "turned"
