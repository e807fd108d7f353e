"""A worker process, and what can go wrong with a contender."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from crosscut import paths, runner

# For one answer. An inference takes seconds at most; a load may optimise the graph, and QEMU is a hundred times slower.
TIMEOUT = 600.0


class ContenderError(Exception):
    """A contender failed in a phase (of the record's), for a reason in one line, as a command shows."""

    def __init__(self, phase: str, reason: str, reproduce: str = "") -> None:
        super().__init__(reason)
        self.phase, self.reason, self.reproduce = phase, reason, reproduce


class Worker:
    """Starts peers/worker.py by `command`, waits for its first answer (`facts`), and asks it. Close it in the end.

    A worker that ends, or does not answer within `timeout` seconds (default TIMEOUT), raises ContenderError, and so does
    every later request. Its standard error is kept in `log`.
    """

    def __init__(
        self,
        command: list[str | Path],
        task: dict[str, Any],
        log: Path,
        environment: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        argv = [*map(str, command), json.dumps(task)]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self.shell = shlex.join([*(paths.relative(part) for part in argv[:-1]), argv[-1]])
        self.log, self.timeout, self._expired = log, timeout or TIMEOUT, False
        self._errors = log.open("w+", errors="replace")
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**kept, "ORT_DISABLE_TELEMETRY": "1", **(environment or {})},
            start_new_session=True,
        )
        try:
            self.facts = self._answer("prepare")
        except BaseException:
            self.close(0)
            raise

    def ask(self, *request: object, phase: str = "run") -> Any:
        assert self._process.stdin
        with suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(" ".join(map(str, request)) + "\n")
            self._process.stdin.flush()
        return self._answer(phase)

    def _answer(self, phase: str) -> Any:
        assert self._process.stdout
        timer = threading.Timer(self.timeout, self._expire)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith("\n"):
            raise ContenderError(phase, self._reason(), self.shell)
        try:
            return json.loads(line)
        except ValueError:
            raise ContenderError(phase, f"answers {line.strip()[:80]!r}", self.shell) from None

    def _expire(self) -> None:
        self._expired = True
        self.kill()

    def _reason(self) -> str:
        code = self._process.wait()
        if self._expired:
            return f"no answer within {self.timeout:g} s"
        self._errors.seek(0)
        stderr = self._errors.read()
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        ended = runner.Result((), code, "", stderr, 0.0)
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        # A Python exception's own line is the last one; of a signal under QEMU the result knows.
        return ended.reason if "uncaught target signal" in stderr else (lines or [f"exit status {code}"])[-1][:400]

    def kill(self) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self, patience: float = 30) -> None:
        """Lets the worker end by itself; kills it when it does not within `patience` seconds."""
        with suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._errors.close()
