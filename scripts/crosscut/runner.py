"""Starts programs: the compiler, and a platform's programs under its runner.

A program that ends by a signal, runs out of time or can not be started is a result with a reason, not an exception.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from crosscut import paths
from crosscut.matrix import Platform

# The plugin that counts instructions between the marks of crosscut-bench (benchmarks/qemu-plugin).
PLUGIN_NAME = "libcrosscut-count.so"
FMA_NAME = "libcrosscut-qemu-fma.so"  # benchmarks/qemu-fma.c


@dataclass(frozen=True)
class Result:
    """What became of a program. `code` is negative for a signal, None for a program that did not end or start."""

    command: tuple[str, ...]
    code: int | None
    stdout: str
    stderr: str
    seconds: float
    problem: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def reason(self) -> str:
        """One line: why this is not ok."""
        if self.ok:
            return ""
        if self.problem:
            return self.problem
        if self.code is not None and self.code < 0:
            return f"ended by {_signal_name(-self.code)}"
        # QEMU's own message for a signal of the guest comes with exit status 128 + signal.
        if self.code is not None and self.code > 128 and "uncaught target signal" in self.stderr:
            return f"ended by {_signal_name(self.code - 128)} (under QEMU)"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or [f"exit status {self.code}"])[0][:400]

    @property
    def shell(self) -> str:
        return shell(self.command)


def shell(command: Sequence[str | Path]) -> str:
    """A command as people type it in the source tree: --input=@build/x.npy, -plugin build/a.so,out=build/b.json."""
    return shlex.join(
        re.sub(r"(^|=@?|,)(/[^,=]*)", lambda match: match[1] + paths.relative(match[2]), str(part)) for part in command
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Stopped(Exception):
    """The user has interrupted this command; nothing is started any more."""


_live: set[int] = set()
_stopping = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT and SIGTERM end the programs that run, too, and then this command: exit status 130."""

    def stop(*_: object) -> None:
        _stopping.set()
        for group in list(_live):
            _kill_group(group)
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _stopping.clear()


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@cache
def _die_with_parent() -> tuple[str, ...]:
    """Starts a program so that the kernel ends it when this process is killed: nothing of ours may run on for minutes
    beside the next call. (util-linux' setpriv; without it programs start by themselves.)"""
    program = shutil.which("setpriv")
    return (program, "--pdeathsig", "KILL", "--") if program else ()


@cache
def _can_multiply_add() -> bool:
    """Whether this machine has the instructions of benchmarks/qemu-fma.c."""
    try:
        flags = re.search(r"^flags\s*:.*\bfma\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        return os.uname().machine == "x86_64" and flags is not None
    except OSError:
        return False


def _environment(program: str) -> dict[str, str] | None:
    """QEMU gets a faster fmaf(), where it is built; what QEMU runs does not see it. Otherwise what this process has."""
    library = paths.BUILD / "host" / "lib" / FMA_NAME
    if not Path(program).name.startswith("qemu-") or not library.is_file() or not _can_multiply_add():
        return None
    return {**os.environ, "LD_PRELOAD": str(library), "QEMU_UNSET_ENV": "LD_PRELOAD"}


def run(command: list[str | Path], timeout: float = 600.0) -> Result:
    argv = tuple(str(part) for part in command)
    start = time.monotonic()

    def result(code: int | None, out: bytes | None, err: bytes | None, problem: str = "") -> Result:
        seconds = time.monotonic() - start
        texts = [(stream or b"").decode("utf-8", "replace") for stream in (out, err)]
        return Result(argv, code, texts[0], texts[1], seconds, problem)

    if _stopping.is_set():
        raise Stopped
    try:
        process = subprocess.Popen(
            [*_die_with_parent(), *argv] if shutil.which(argv[0]) else argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(argv[0]),
            start_new_session=True,
        )
    except OSError as error:
        return result(None, None, None, f"{paths.relative(argv[0])}: {error.strerror}")
    _live.add(process.pid)
    try:
        if _stopping.is_set():  # since the last look: whoever stops may have read `_live` without this one
            raise Stopped
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill_group(process.pid)
        out, err = process.communicate()
        return result(None, out, err, f"did not end within {timeout:g} s")
    except BaseException:  # an interrupt, which communicate() passes on before the program has ended
        _kill_group(process.pid)
        process.wait()
        raise
    finally:
        _live.discard(process.pid)
    if _stopping.is_set():
        raise Stopped
    return result(process.returncode, out, err)


class Failed(Exception):
    """A program that had to end well did not: why, and the command, in one line."""


def checked(command: list[str | Path], timeout: float = 600.0) -> Result:
    done = run(command, timeout)
    if not done.ok:
        raise Failed(f"{done.reason}: {done.shell}"[:2000])
    return done


def plugin() -> Path:
    return paths.BUILD / "host" / "lib" / PLUGIN_NAME


def on_platform(platform: Platform, program: str, arguments: list[str], counts: Path | None = None) -> list[str | Path]:
    """The command that starts a platform's program; `counts` is where the counting plugin writes."""
    emulator = list(platform.runner)
    if counts and emulator:
        emulator[1:1] = ["-plugin", f"{plugin()},out={counts}"]
    return [*emulator, paths.program(program, platform.build), *arguments]


def compile_command(
    model: Path,
    output: Path,
    target: str | None,
    shapes: dict[str, list[int]] | None = None,
    options: tuple[str, ...] = (),
) -> list[str | Path]:
    """The compiler's command. The native platform is compiled for this machine, which is what no --target means."""
    command: list[str | Path] = [paths.tool("crosscut-compile"), model, "-o", output]
    if target and target != paths.HOST_PLATFORM:
        command.append(f"--target={target}")
    for name, dims in (shapes or {}).items():
        command.append(f"--input-shape={name}={'x'.join(map(str, dims))}")
    return [*command, *options]
