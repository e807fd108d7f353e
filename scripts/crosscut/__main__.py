"""Starts a module of this package, as run-module asks: `python -m crosscut MODULE [ARGUMENT...]`.

When nobody reads what it prints any more (`| head`), it ends quietly with the status of a program that SIGPIPE ends.
The signal itself stays ignored: it would also come where a program that is talked to has ended.
"""

from __future__ import annotations

import io
import os
import runpy
import signal
import sys
from typing import TextIO


class _Pipe(io.FileIO):
    def write(self, data: bytes | memoryview) -> int | None:
        try:
            return super().write(data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # for what is still in buffers
            raise SystemExit(128 + signal.SIGPIPE) from None


def _watched(stream: TextIO) -> TextIO:
    raw = _Pipe(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


if __name__ == "__main__":
    # One that the caller has closed is None.
    sys.stdout, sys.stderr = (stream and _watched(stream) for stream in (sys.stdout, sys.stderr))
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        if sys.stdout:
            sys.stdout.flush()
