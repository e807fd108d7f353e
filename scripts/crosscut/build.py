"""Builds what a command needs of the compiler and the platforms' programs; nothing when all of it is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from crosscut import paths
from crosscut.matrix import Platform


class BuildError(Exception):
    """A build failed; one line says which and where its log is."""


def ensure(platforms: list[Platform]) -> None:
    """Host build, then the platforms' sub-builds. Says every ten seconds how far it is."""
    host = paths.BUILD / "host"
    if not (host / "build.ninja").is_file():
        _logged(["cmake", "--preset", "host"], "configuring", paths.BUILD / "configure.log")
    targets = ["all", *dict.fromkeys(f"platform-{p.build}" for p in platforms if p.build != "host")]
    _logged(["cmake", "--build", str(host), "--target", *targets], "building", paths.BUILD / "build.log")


def _logged(command: list[str], what: str, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    printed, last = time.monotonic(), ""
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=paths.SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert process.stdout
        for line in process.stdout:
            stream.write(line)
            last = line.strip() if re.match(r"\[\d+/\d+\]", line) else last
            if time.monotonic() - printed >= 10:
                printed = time.monotonic()
                print(f"{what}: {last[:120]}", file=sys.stderr, flush=True)
    if process.wait():
        raise BuildError(f"{' '.join(command[:3])}: failed, see {paths.relative(log)}")
