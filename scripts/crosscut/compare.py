"""Reads outputs back and weighs them against expected ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def outputs_match(
    expected: list[Path], actual: list[Path], atol: float, rtol: float
) -> tuple[str, float | None, list[Any]]:
    """The first problem ("" when all match), the largest error of float outputs, and the actual arrays.

    |actual - expected| <= atol + rtol * |expected|; NaN equals NaN.
    """
    import numpy as np

    problem, largest, arrays = "", None, []
    for index, (want_path, got_path) in enumerate(zip(expected, actual, strict=True)):
        want = np.load(want_path)
        try:
            got = np.load(got_path)
        except (OSError, ValueError) as error:
            return f"output {index}: {error}", largest, arrays
        arrays.append(got)
        if got.dtype != want.dtype or got.shape != want.shape:
            problem = problem or (
                f"output {index}: {got.dtype} {list(got.shape)}, expected {want.dtype} {list(want.shape)}"
            )
            continue
        if not want.size:
            continue
        error = np.abs(got.astype(np.float64) - want.astype(np.float64))
        if np.isfinite(error).any():
            largest = max(largest or 0.0, float(np.nanmax(np.where(np.isfinite(error), error, 0.0))))
        right = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
        if not right.all() and not problem:
            at = tuple(int(i) for i in np.argwhere(~right)[0]) if right.ndim else ()
            problem = (
                f"output {index}: {int((~right).sum())} of {want.size} values differ, first at {list(at)}: "
                f"{got[at]}, expected {want[at]}; largest difference {float(error.max()):.3g}"
            )
    return problem, largest, arrays
