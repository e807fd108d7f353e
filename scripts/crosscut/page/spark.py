"""A series' recent history as the path of a small SVG."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 96, 20, 2
VERSIONS = 60
# Changes smaller than this fill a part of the height only, so that noise does not look like cliffs.
LEAST_RANGE = {True: 0.005, False: 0.10}


def sparkline(values: Sequence[tuple[int, float]], head: int, exact: bool) -> str:
    """The path of (version, value) pairs, oldest first; a version that is missing breaks the line.

    The last VERSIONS versions up to `head` share the width, so that the lines of all cells stand one above the other.
    """
    shown = [(version, value) for version, value in values if version > head - VERSIONS]
    if not shown:
        return ""
    low, high = min(value for _, value in shown), max(value for _, value in shown)
    middle, extent = (low + high) / 2, max(high - low, LEAST_RANGE[exact] * high, 1e-12)
    count = min(VERSIONS, head + 1)
    path, last = [], None
    for version, value in shown:
        place = version - (head + 1 - count)
        x = MARGIN + (WIDTH - 2 * MARGIN) * (place / (count - 1) if count > 1 else 1)
        y = HEIGHT / 2 - (HEIGHT - 2 * MARGIN) * (value - middle) / extent
        follows = last is not None and version - last <= 1
        path.append(f"{'L' if follows else 'M'}{x:.0f} {y:.0f}")
        if not follows:
            path.append("h0")  # a point alone is drawn as a dot
        last = version
    return "".join(path)
