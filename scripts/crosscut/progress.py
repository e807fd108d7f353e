"""Says on standard error how far a command is: what of how many, and the time left."""

from __future__ import annotations

import sys
import threading
import time


def duration(seconds: float) -> str:
    seconds = round(seconds)
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60:02d} s"


class Progress:
    """Thread-safe. On a terminal one line is rewritten; elsewhere a line is printed every `every` seconds."""

    def __init__(self, total: int, what: str, every: float = 10.0, quiet: bool = False) -> None:
        self.total, self.what, self.every, self.quiet = total, what, every, quiet
        self.done = 0
        self._start = self._printed = time.monotonic()
        self._lock = threading.Lock()
        self._terminal = sys.stderr.isatty()

    def step(self, text: str = "", always: bool = False) -> None:
        """One more is done; `always` prints the line wherever the output goes."""
        with self._lock:
            self.done += 1
            passed = time.monotonic() - self._start
            left = passed / self.done * (self.total - self.done)
            due = time.monotonic() - self._printed >= self.every
            if self.quiet or not (always or due or self._terminal or self.done == self.total):
                return
            self._printed = time.monotonic()
            line = f"[{self.done}/{self.total}] {self.what}: {text}"
            line += f" ({duration(passed)}, " + (f"about {duration(left)} left)" if self.done < self.total else "done)")
            if self._terminal and not always:
                end = "\n" if self.done == self.total else ""
                print(f"\r\x1b[K{line[:160]}", end=end, file=sys.stderr, flush=True)
            else:
                print(("\r\x1b[K" if self._terminal else "") + line, file=sys.stderr, flush=True)
