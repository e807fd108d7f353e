"""Builds what a command needs of the compiler and the platforms' programs; nothing when all of it is up to date."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from crosscut import paths
from crosscut.matrix import Platform


class BuildError(Exception):
    """A build failed; one line says which and where its log is."""


def ensure(platforms: list[Platform]) -> dict[str, str]:
    """Host build, then the platforms' sub-builds. Says every ten seconds how far it is.

    Returns the platforms that could not be built, each with the reason. Raises BuildError when the host's build failed.
    """
    host = paths.BUILD / "host"
    if not (host / "build.ninja").is_file():
        _logged(["cmake", "--preset", "host"], "configuring", paths.BUILD / "configure.log")
    _logged(["cmake", "--build", str(host)], "building", paths.BUILD / "build.log")
    names = list(dict.fromkeys(p.build for p in platforms if p.build != "host"))
    if not names:
        return {}
    targets = [f"platform-{name}" for name in names]
    log = paths.BUILD / "build-platforms.log"
    try:
        _logged(["cmake", "--build", str(host), "--target", *targets, "--", "-k", "0"], "building", log)
        return {}
    except BuildError:
        failed: dict[str, str] = {}
        for name in names:
            try:
                log = paths.BUILD / f"build-{name}.log"
                _logged(["cmake", "--build", str(host), "--target", f"platform-{name}"], "building", log)
            except BuildError as error:
                failed[name] = str(error)
        return {p.name: failed[p.build] for p in platforms if p.build in failed}


def _logged(command: list[str], what: str, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    printed, last = time.monotonic(), ""
    with log.open("w") as stream:
        try:
            process = subprocess.Popen(
                command,
                cwd=paths.SOURCE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise BuildError(f"{command[0]}: {error.strerror}") from error
        assert process.stdout
        try:
            for line in process.stdout:
                stream.write(line)
                last = line.strip() if re.match(r"\[\d+/\d+\]", line) else last
                if time.monotonic() - printed >= 10:
                    printed = time.monotonic()
                    print(f"{what}: {last[:120]}", file=sys.stderr, flush=True)
        except BaseException:  # interrupted, or the log can not be written: the compilers end, too
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.wait():
        raise BuildError(f"{' '.join(command[:3])}: failed, see {paths.relative(log)}")
