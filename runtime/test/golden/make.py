"""Adds a set of golden modules beside the old ones: what today's compiler writes, for every later runtime to load.

build/venv/bin/python runtime/test/golden/make.py

The set is a folder named after the ABI version and a number (abi1-2 follows abi1-1). It holds the model, a module for
each target, and inputs and outputs as raw little-endian bytes. All values are small multiples of 1/4, so that sums are
exact in any order: outputs are the same bits on every machine. They come from integer arithmetic, and ONNX Runtime says
the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
sys.path.insert(0, str(SOURCE / "scripts"))

from crosscut import models, onnx_graph  # noqa: E402

# An image for each instruction set, for the oldest CPU that has it; images.cmake says what runs which.
IMAGES = {
    "x86_64": ["--target=x86_64-linux", "--cpu=x86-64"],
    "i686": ["--target=i686-linux"],
    "armv7": ["--target=armv7-linux"],
    "thumbv6m": ["--target=cortex-m0"],
    "thumbv7em": ["--target=cortex-m4"],
    "thumbv8.1m": ["--target=cortex-m55"],
    "aarch64": ["--target=aarch64-linux", "--cpu=generic"],
    "rv32imac": ["--target=rv32imac"],
    "rv32gcv": ["--target=rv32gcv"],
    "rv64gc": ["--target=rv64gc"],
    "rv64gcv": ["--target=riscv64-v128-linux"],
}
ROWS, FEATURES, HIDDEN, CLASSES, WORDS = 5, 8, 12, 5, 7
ORDER = [3, 0, 5, 2, 6, 1, 4]  # of the words in the table
SEED = 2


def quarters(seed: int, *shape: int) -> np.ndarray:
    """Seeded multiples of 1/4 from -2 to 2, times 4: integers."""
    return np.floor(onnx_graph.uniform(seed, shape, -8, 9)).astype(np.int64)


def make_model(path: Path, calls_plugin: bool = True) -> dict[str, np.ndarray]:
    """Any number of rows: a table's row for an index, added to two dense layers; and the place of the greatest value.
    A plugin (golden_plugin.h) looks the index up first; without it, ONNX's Gather does. Returns inputs and outputs in the
    model's order."""
    shapes = [(FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,), (WORDS, CLASSES), (ROWS, FEATURES)]
    w1, b1, w2, b2, table, x = (quarters(SEED + i, *shape) for i, shape in enumerate(shapes))
    word = np.arange(1, ROWS + 1, dtype=np.int64) * 3 % WORDS

    graph = onnx_graph.Graph("golden")

    def constant(name: str, values: np.ndarray) -> str:
        return graph.constant(values / 4, name=name)

    hidden = graph.op("Add", [graph.op("MatMul", ["x", constant("w1", w1)]), constant("b1", b1)])
    dense = graph.op("MatMul", [graph.op("Relu", [hidden]), constant("w2", w2)])
    dense = graph.op("Add", [dense, constant("b2", b2)])
    mirrored = graph.op("Sub", [graph.constant(WORDS - 1, np.int64, "last"), "word"])
    if calls_plugin:
        graph.op("Lookup", [mirrored], "index", domain="golden", entries=ORDER)
    else:
        graph.op("Gather", [graph.constant(ORDER, np.int64, "entries"), mirrored], "index")
    graph.op("Add", [dense, graph.op("Gather", [constant("table", table), "index"], axis=0)], "y")
    graph.op("ArgMax", ["y"], "best", axis=1, keepdims=0)
    graph.write(
        path,
        {"x": ("rows", FEATURES), "word": ("rows",)},
        {"y": ("rows", CLASSES), "best": ("rows",)},
        integers=["word", "best", "index"],
        stated={"index": ("rows",)},
    )

    # In units of 1/64: each product takes two factors of 1/4 together.
    y = np.maximum(x @ w1 + 4 * b1, 0) @ w2 + 16 * (b2 + table[np.array(ORDER)[WORDS - 1 - word]])
    best = y.argmax(axis=1)
    assert ((y == y.max(axis=1, keepdims=True)).sum(axis=1) == 1).all() and len(set(best)) >= 3, "take another SEED"
    assert np.abs(y).max() < 2**24, "not exact in float32"
    return {
        "x": (x / 4).astype("<f4"),
        "word": word.astype("<i8"),
        "y": (y / 64).astype("<f4"),
        "best": best.astype("<i8"),
    }


def next_set() -> Path:
    abi = (SOURCE / "runtime/include/crosscut/abi.h").read_text()
    version = re.search(r"#define XCUT_ABI_VERSION (\d+)", abi)[1]
    number = 1
    while (HERE / f"abi{version}-{number}").exists():
        number += 1
    return HERE / f"abi{version}-{number}"


def main() -> int:
    compiler = SOURCE / "build/host/bin/crosscut-compile"
    with tempfile.TemporaryDirectory(dir=HERE, prefix=".making-") as making:
        folder = Path(making) / "set"
        folder.mkdir()
        tensors = make_model(folder / "model.onnx")
        make_model(Path(making) / "reference.onnx", calls_plugin=False)
        session = models.reference_session(Path(making) / "reference.onnx")
        for output, value in zip(
            ("y", "best"), session.run(None, {"x": tensors["x"], "word": tensors["word"]}), strict=True
        ):
            assert (value == tensors[output]).all(), f"ONNX Runtime disagrees about {output}"
        for tensor, values in zip(("input0", "input1", "output0", "output1"), tensors.values(), strict=True):
            (folder / f"{tensor}.bin").write_bytes(values.tobytes())
        for name, flags in IMAGES.items():
            command = [compiler, folder / "model.onnx", "-o", folder / f"{name}.xcm", *flags]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        made = next_set()
        folder.rename(made)
    made.chmod(0o755)
    print(f"{made.name}: {sum(file.stat().st_size for file in made.iterdir())} bytes with {len(IMAGES)} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
