"""Says on standard error how far a command is: what of how many, and the time left."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType


def duration(seconds: float) -> str:
    seconds = round(seconds)
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60:02d} s"


class Progress(AbstractContextManager["Progress"]):
    """Thread-safe. On a terminal one line is rewritten; elsewhere a line is printed every `every` seconds.

    `left` estimates the seconds left; without it they follow from what has been done so far. Used in a `with`, a line
    also comes when nothing was done for `every` seconds: what has begun and is not done.
    """

    def __init__(
        self,
        total: int,
        what: str,
        every: float = 10.0,
        quiet: bool = False,
        left: Callable[[], float | None] | None = None,
    ) -> None:
        self.total, self.what, self.every, self.quiet = total, what, every, quiet
        self.done = 0
        self._left = left
        self._start = self._printed = time.monotonic()
        self._lock = threading.RLock()
        self._terminal = sys.stderr.isatty()
        self._running: dict[str, float] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Progress:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            with self._lock:
                if self._running and time.monotonic() - self._printed >= self.every:
                    names = [f"{name} for {duration(time.monotonic() - s)}" for name, s in self._running.items()]
                    self._print(f"running {', '.join(names)}", False)

    def begin(self, name: str) -> None:
        """Something has begun; `step` with the same name ends it."""
        with self._lock:
            self._running[name] = time.monotonic()

    def step(self, text: str = "", always: bool = False, name: str = "") -> None:
        """One more is done; `always` prints the line wherever the output goes."""
        with self._lock:
            self.done += 1
            self._running.pop(name, None)
            due = time.monotonic() - self._printed >= self.every
            if always or due or self._terminal or self.done == self.total:
                self._print(text, always)

    def _print(self, text: str, always: bool) -> None:
        if self.quiet:
            return
        self._printed = time.monotonic()
        passed = self._printed - self._start
        line = f"[{self.done}/{self.total}] {self.what}: {text} ({duration(passed)}"
        if self.done == self.total:
            line += ", done)"
        else:
            left = self._left() if self._left else passed / self.done * (self.total - self.done) if self.done else None
            line += f", about {duration(left)} left)" if left is not None else ")"
        if self._terminal and not always:
            print(
                f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}",
                end="\n" * (self.done == self.total),
                file=sys.stderr,
                flush=True,
            )
        else:
            print("\r\x1b[K" * self._terminal + line, file=sys.stderr, flush=True)
