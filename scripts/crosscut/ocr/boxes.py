"""Finds the lines of text on the map that PP-OCR's detector makes of a page, and cuts them out.

The map says of every pixel how likely it belongs to the inner part of a line (differentiable binarisation,
https://arxiv.org/abs/1911.08947), so what is found there is widened by an amount that depends on its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

LIKELY = 0.3  # pixels above this belong to a line
SURE = 0.6  # the mean over a box must be above this
WIDEN = 1.6  # times area over circumference, outwards on each side
SMALLEST = 3  # the shorter side of a box, pixels of the map
MOST = 1000  # boxes of a page


@dataclass(frozen=True)
class Box:
    """A rectangle, maybe oblique: its corners from the upper left clockwise, float32 4x2 (x, y) in pixels of the page,
    and the mean of the map in it."""

    corners: Any
    sure: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return float(np.hypot(*(self.corners[1] - self.corners[0]))), float(
            np.hypot(*(self.corners[3] - self.corners[0]))
        )

    def rounded(self) -> list[list[int]]:
        return [[int(x), int(y)] for x, y in np.rint(self.corners)]


def find(probabilities: Any, width: int, height: int) -> list[Box]:
    """The boxes of a map (1x1xHxW) of a page of `width` x `height`, in the order in which people read."""
    likely = probabilities[0, 0]
    # One more pixel to the right and below joins what a thin gap parts.
    mask = cv2.dilate((likely > LIKELY).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([width / likely.shape[1], height / likely.shape[0]], np.float32)
    boxes = []
    for contour in contours[:MOST]:
        centre, (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < SMALLEST:
            continue
        sure = _mean_inside(likely, cv2.boxPoints((centre, (w, h), angle)))
        if sure < SURE:
            continue
        out = 2 * WIDEN * w * h / (2 * (w + h))
        corners = cv2.boxPoints((centre, (w + out, h + out), angle)) * scale
        corners = np.clip(corners, 0, np.array([width, height], np.float32))
        boxes.append(Box(_clockwise(corners), sure))
    return _reading_order(boxes)


def cut(page: Any, box: Box) -> Any:
    """The picture inside a box, straightened. Lines that run downwards are laid on their left side."""
    from PIL import Image

    width, height = (max(1, round(side)) for side in box.size)
    origin, right, _, below = box.corners
    across, down = (right - origin) / width, (below - origin) / height
    coefficients = (across[0], down[0], origin[0], across[1], down[1], origin[1])
    line = page.transform(
        (width, height), Image.Transform.AFFINE, [float(c) for c in coefficients], Image.Resampling.BICUBIC
    )
    return line.transpose(Image.Transpose.ROTATE_90) if height >= 1.5 * width else line


def _mean_inside(likely: Any, corners: Any) -> float:
    left, top = np.floor(corners.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = np.ascontiguousarray(likely[top:bottom, left:right])
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(part, inside)[0])


def _clockwise(corners: Any) -> Any:
    """From the upper left: of the two leftmost corners the upper one."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    (top_left, bottom_left), (top_right, bottom_right) = (side[np.argsort(side[:, 1])] for side in (left, right))
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)


def _reading_order(boxes: list[Box]) -> list[Box]:
    """Row by row. A box is in the row of the one before it when their middles are less than half its height apart."""
    rows: list[list[Box]] = []

    def middle(box: Box) -> float:
        return float(box.corners[:, 1].mean())

    for box in sorted(boxes, key=middle):
        height = math.dist((0, box.corners[:, 1].min()), (0, box.corners[:, 1].max()))
        if rows and middle(box) - middle(rows[-1][-1]) < height / 2:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: float(box.corners[:, 0].min()))]
