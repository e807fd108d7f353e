"""Writes and compiles the kernels that crosscut-kernel-bench times, and what they have to compute.

In DIR: kernels.mlir with a function for each shape, kernels.xcm compiled from it, and of each function an input and its
output. All values are small integers, so that every sum is exact in whatever order it is made; that is why 3x3
convolutions are compiled as plain sums, without Winograd's algorithm.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from crosscut import matrix, paths, runner
from crosscut.shapes import Operation, conv, depthwise, matmul, tensor

# As layers of MobileNetV2, ResNet50 and MiniLM have them.
SHAPES: dict[str, Operation] = {
    "matmul_128x1536x384": matmul(128, 1536, 384),
    "matmul_128x384x1536": matmul(128, 384, 1536),
    "matmul_128x384x384": matmul(128, 384, 384),
    "matmul_1x1000x1280": matmul(1, 1000, 1280),
    "conv1x1_56x56_24to144": conv(56, 56, 24, 144, 1),
    "conv1x1_14x14_384to96": conv(14, 14, 384, 96, 1),
    "conv1x1_7x7_320to1280": conv(7, 7, 320, 1280, 1),
    "conv3x3_56x56_64to64": conv(56, 56, 64, 64, 3),
    "conv3x3_14x14_256to256": conv(14, 14, 256, 256, 3),
    "depthwise3x3_56x56_144": depthwise(56, 56, 144),
    "depthwise3x3_14x14_576": depthwise(14, 14, 576),
}


def write(folder: Path, shapes: dict[str, Operation]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = []
    for name, op in shapes.items():
        rng = np.random.default_rng(0)
        x, weights = rng.integers(-3, 4, op.input), rng.integers(-2, 3, op.weights)
        weights.flat[0] = 1  # never all alike: that would be no tensor of weights
        body = "\n  ".join(op.text("", weights))
        text.append(
            f"func.func @{name}(%x: {tensor(op.input)}) -> {tensor(op.output)} {{\n  {body}\n"
            f"  return %r : {tensor(op.output)}\n}}\n"
        )
        np.save(folder / f"{name}.input.npy", x.astype(np.float32))
        np.save(folder / f"{name}.output.npy", op.reference(x, weights).astype(np.float32))
    (folder / "kernels.mlir").write_text("".join(text))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/kernel-shapes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--platform", default=paths.HOST_PLATFORM, metavar="NAME", help="default: %(default)s")
    parser.add_argument("--only", action="append", choices=list(SHAPES), metavar="SHAPE", help="repeatable")
    options = parser.parse_args(arguments)
    try:
        platform = matrix.load().platform(options.platform)
        write(options.folder, {name: SHAPES[name] for name in options.only or SHAPES})
        model, module = options.folder / "kernels.mlir", options.folder / "kernels.xcm"
        done = runner.run(runner.compile_command(model, module, platform.name, None, ("--winograd=off",)))
    except (matrix.MatrixError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not done.ok:
        print(f"error: {done.reason}", file=sys.stderr)
    return 0 if done.ok else 1


if __name__ == "__main__":
    sys.exit(main())
