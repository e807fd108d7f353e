"""QEMU's faster fmaf() adds exactly what the C library's does, and programs under QEMU see nothing of it."""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess

import numpy as np
import pytest

from crosscut import matrix, paths, runner

LIBRARY = paths.BUILD / "host" / "lib" / runner.FMA_NAME
needs_library = pytest.mark.skipif(
    not LIBRARY.is_file() or not runner._can_multiply_add(), reason="not built, or not for this machine"
)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 3.4e38, 1.0, -1.0, 1.17549435e-38]


@needs_library
@pytest.mark.parametrize(("name", "bits", "kind"), [("fmaf", "u4", ctypes.c_float), ("fma", "u8", ctypes.c_double)])
def test_it_is_the_c_library_s_to_the_bit(name, bits, kind):
    libraries = [ctypes.CDLL(str(LIBRARY)), ctypes.CDLL(ctypes.util.find_library("m"))]
    ours, theirs = (getattr(library, name) for library in libraries)
    for function in (ours, theirs):
        function.argtypes, function.restype = [kind] * 3, kind
    number = np.dtype(bits.replace("u", "f"))
    random = np.random.default_rng(7).integers(0, 2 ** (8 * number.itemsize), 3000, np.dtype(bits)).view(number)
    cases = [*random.reshape(-1, 3), *[(x, y, z) for x in SPECIAL for y in SPECIAL for z in SPECIAL]]
    for x, y, z in cases:
        mine, expected = (np.array(f(float(x), float(y), float(z)), number) for f in (ours, theirs))
        assert mine.tobytes() == expected.tobytes() or (np.isnan(mine) and np.isnan(expected)), (x, y, z)


@needs_library
def test_qemu_gets_it_and_what_qemu_runs_does_not():
    assert runner._environment("/usr/bin/crosscut-run") is None
    environment = runner._environment("qemu-riscv64")
    assert environment and environment["LD_PRELOAD"] == str(LIBRARY)
    built = [p for p in matrix.load().platforms.values() if p.kind == "emulated"]
    built = [p for p in built if paths.program("crosscut-run", p.build).is_file()]
    if not built:
        pytest.skip("no platform is built")
    # The guest's dynamic linker complains on standard error about a library of another machine.
    command = [str(part) for part in runner.on_platform(built[0], "crosscut-run", ["--list-drivers"])]
    leaky = {k: v for k, v in environment.items() if k != "QEMU_UNSET_ENV"}
    assert "LD_PRELOAD" in subprocess.run(command, env=leaky, capture_output=True, text=True).stderr
    done = runner.run(command)
    assert done.ok and not done.stderr
