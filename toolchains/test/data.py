"""Writes what the boards' firmware runs: `data.py FOLDER` makes simple.onnx, and for each model its input and, for every
element of its output, the least and greatest value that is right, as raw floats."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from crosscut import models


def write(path: Path, content: bytes) -> None:
    # Unchanged files stay as they are, so that nothing is built again.
    if not path.is_file() or path.read_bytes() != content:
        path.write_bytes(content)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    simple = models.get("simple")
    sample = simple.samples()[0]
    expected = np.load(sample.outputs[0]).astype(np.float64)
    bound = simple.tolerance.atol + simple.tolerance.rtol * np.abs(expected)
    x = np.array([-1, 2, -3, 4], np.float64)  # of tiny.mlir, which is exact
    data = {
        "simple": (np.load(sample.inputs[0]), expected - bound, expected + bound),
        "tiny": (x, np.maximum(x, 0) * 2, np.maximum(x, 0) * 2),
    }
    write(folder / "simple.onnx", simple.onnx.read_bytes())
    for name, values in data.items():
        for what, value in zip(("input", "least", "most"), values, strict=True):
            write(folder / f"{name}.{what}", value.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
