"""Starts the compiler and a platform's programs, for the compiler's tests."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from crosscut import matrix, paths

WASM = "wasm32"
# C compilers, by the platform that they make programs for.
COMPILERS = {
    "x86_64-linux": "gcc",
    "i686-linux": "i686-linux-gnu-gcc",
    "armv7-linux": "arm-linux-gnueabihf-gcc",
    "aarch64-linux": "aarch64-linux-gnu-gcc",
    "riscv64-linux": "riscv64-linux-gnu-gcc",
    "riscv64-v256-linux": "riscv64-linux-gnu-gcc",
}


@dataclass(frozen=True)
class Platform:
    """A platform of benchmarks/matrix.json. `cpu` is another CPU than the platform's own, empty for that."""

    name: str
    cpu: str
    programs: Path
    runner: tuple[str, ...]

    @property
    def target(self) -> list[str]:
        """What the compiler is told. Without a CPU the native platform is this machine, which is what nothing means."""
        flags = [] if self.name == paths.HOST_PLATFORM and not self.cpu else [f"--target={self.name}"]
        return [*flags, f"--cpu={self.cpu}"] if self.cpu else flags

    def is_built(self) -> bool:
        return shutil.which("node") is not None if self.name == WASM else (self.programs / "crosscut-run").is_file()

    @property
    def runtime(self) -> Path:
        """The runtime's library, as the platform's programs have it."""
        return self.programs.parent / "runtime" / "libcrosscut_runtime.a"

    def run_module(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """crosscut-run, or what stands for it in Node.js."""
        if self.name == WASM:
            return run(["node", Path(__file__).parent / "wasm" / "run.mjs", *arguments])
        return run([*self.runner, self.programs / "crosscut-run", *arguments])


@dataclass(frozen=True)
class Tools:
    compiler: Path
    host_programs: Path
    platforms_root: Path
    work: Path  # folder for what the tests make

    def platform(self, text: str) -> Platform:
        name, _, cpu = text.partition(":")
        if name == WASM:
            return Platform(name, cpu, Path(), ())
        known = matrix.load().platform(name)
        programs = self.platforms_root / known.build / "bin"
        if name == paths.HOST_PLATFORM:
            programs = self.host_programs
        return Platform(name, cpu, programs, known.runner)

    def compile(self, model: Path, module: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        return run([self.compiler, model, "-o", module, *flags])


def run(command: list[str | Path], timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
        errors="replace",
    )  # fmt: skip


def must_run(command: list[str | Path], timeout: float = 300) -> str:
    """The program's output; a failed program is a failed test that quotes its last words."""
    done = run(command, timeout)
    assert done.returncode == 0, f"status {done.returncode}: {' '.join(map(str, command))}\n{done.stderr[-2000:]}"
    return done.stdout
