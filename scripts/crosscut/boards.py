"""A cell of the matrix on a board: firmware linked for its model, run under qemu-system, its row read back.

The firmware is benchmarks/board; bench.h there says what it takes. It checks every sample by itself before it counts, and
prints its outputs, which are compared here once more, as on every platform, and its row.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosscut import firmware_size, models, paths, runner
from crosscut.matrix import Cell, Platform

if TYPE_CHECKING:
    import numpy as np

LINKER = "crosscut-firmware"
LINK_TIMEOUT = 120.0
ALIGNMENT = 64


class BoardError(Exception):
    """Firmware that can not be linked, or printed something else than a row; the command shows it."""

    def __init__(self, phase: str, reason: str, command: str) -> None:
        super().__init__(reason)
        self.phase, self.command = phase, command


def programs(platform: Platform) -> list[Path]:
    """What firmware is made of, beside the model."""
    sources = paths.SOURCE / "benchmarks" / "board"
    build = paths.BUILD / platform.build
    return [*sorted(sources.glob("*.[ch]")), build / "bin" / LINKER, build / "runtime" / "libcrosscut_runtime.a"]


def _c_type(array: np.ndarray[Any, Any]) -> str:
    names = {"bool": "BOOL", "float32": "F32", "float64": "F64"}
    name = names.get(array.dtype.name) or array.dtype.name.replace("uint", "U").replace("int", "I")
    return f"XCUT_TYPE_{name}"


def _tensors(macro: str, arrays: list[np.ndarray[Any, Any]]) -> str:
    entries = (
        f"X({', '.join([str(i), str(a.nbytes), _c_type(a), str(a.ndim), *map(str, a.shape)])})"
        for i, a in enumerate(arrays)
    )
    return f"#define {macro}(X) {' '.join(entries)}\n"


def _padded(array: np.ndarray[Any, Any]) -> bytes:
    content = array.tobytes()
    return content + bytes(-len(content) % ALIGNMENT)


def write_model(
    folder: Path, cell: Cell, model: models.Model, samples: list[models.Sample], row: dict[str, Any]
) -> None:
    """model.h and the samples, with the least and the most of every output that is right."""
    import numpy as np

    tolerance = model.tolerance
    data = b""
    for sample in samples:
        inputs, outputs = ([np.load(path) for path in part] for part in (sample.inputs, sample.outputs))
        data += b"".join(_padded(array) for array in inputs)
        for array in outputs:
            if array.dtype == np.float32:
                bound = tolerance.atol + tolerance.rtol * np.abs(array.astype(np.float64))
                # Rounded inwards, so that the board allows no more than is allowed here.
                least, most = array - bound, array + bound
                low, high = least.astype(np.float32), most.astype(np.float32)
                low = np.where(low < least, np.nextafter(low, np.float32(np.inf)), low)
                high = np.where(high > most, np.nextafter(high, np.float32(-np.inf)), high)
                data += _padded(low) + _padded(high)
            else:
                data += _padded(array) * 2
    (folder / "samples.bin").write_bytes(data)
    members = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in row.items())
    text = _tensors("BENCH_INPUTS", inputs) + _tensors("BENCH_OUTPUTS", outputs)
    text += f"#define BENCH_ROW {json.dumps(members)}\n"
    text += f"#define BENCH_SAMPLES {{{', '.join(json.dumps(sample.name) for sample in samples)}}}\n"
    text += f'#define BENCH_DATA "{folder}/samples.bin"\n'
    if cell.setting.static:
        macro = cell.model.upper()
        text += f'#define BENCH_HEADER "{cell.module.with_suffix(".h")}"\n'
        text += f"#define BENCH_RUN {cell.model}_run\n#define BENCH_ARENA_BYTES {macro}_ARENA_BYTES\n"
    else:
        text += f'#define BENCH_MODULE "{cell.module}"\n#define BENCH_COPY {int(cell.setting.ram)}\n'
    (folder / "model.h").write_text(text)


def link(folder: Path, cell: Cell) -> str:
    """Makes bench.elf and smallest.elf in `folder`; returns the command."""
    for name in ("bench.elf", "smallest.elf"):
        (folder / name).unlink(missing_ok=True)
    command: list[str | Path] = [paths.program(LINKER, cell.platform.build)]
    command += ["static", folder, cell.module] if cell.setting.static else ["module", folder]
    done = runner.run(command, LINK_TIMEOUT)
    if not done.ok:
        raise BoardError("build", done.reason, done.shell)
    return done.shell


def run(folder: Path, cell: Cell, counts: Path) -> runner.Result:
    """Starts bench.elf in the emulator; the counting plugin writes `counts`."""
    emulator = list(cell.platform.runner)
    emulator[1:1] = ["-plugin", f"{runner.plugin()},out={counts}"]
    return runner.run([*emulator, folder / "bench.elf"], 3600.0)


def read(
    done: runner.Result, folder: Path, samples: list[models.Sample]
) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """The row that bench.elf printed, and its outputs as .npy files, sample by sample."""
    import numpy as np

    lines = (done.stdout + done.stderr).splitlines()
    rows = [line for line in lines if line.startswith("{")]
    try:
        row: dict[str, Any] = json.loads(rows[-1])
        outputs: dict[str, list[Path]] = {}
        for line in lines:
            if not line.startswith("output "):
                continue
            name, index, digits = line.split()[1:]
            sample = next(sample for sample in samples if sample.name == name)
            like = np.load(sample.outputs[int(index)])
            array = np.frombuffer(bytes.fromhex(digits), like.dtype).reshape(like.shape)
            path = folder / f"{name}.output{index}.npy"
            np.save(path, array)
            outputs.setdefault(name, []).append(path)
    except (LookupError, ValueError, StopIteration) as error:
        reason = done.reason or f"the firmware printed no row ({type(error).__name__}: {error})"
        raise BoardError("run", reason, done.shell) from error
    if done.ok != (row.get("status") == "pass"):
        raise BoardError("run", done.reason or "the firmware failed, and ended well", done.shell)
    return row, outputs


def over_budget(cell: Cell, values: dict[str, float]) -> str:
    """What is larger than benchmarks/budgets.json allows, or "": for each cell there, a metric and its most bytes."""
    for budget in json.loads(paths.BUDGETS.read_text())["cells"]:
        if [budget.pop(name) for name in ("model", "platform", "setting")] != cell.key.split("/"):
            continue
        for name, most in budget.items():
            if values[name] > most:
                return f"{name} is {values[name]}, its budget {most} ({paths.relative(paths.BUDGETS)})"
    return ""


def sizes(folder: Path) -> dict[str, int]:
    """Of the smallest program with the model: `flash_bytes`, and what of it is neither model nor module."""
    found = firmware_size.read(folder / "smallest.elf")
    return {"flash_bytes": found.flash, "program_bytes": found.program}
