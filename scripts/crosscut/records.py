"""One run = one self-contained JSON record: where, what, and every measurement or failure as a row.

The schema is results/record.schema.json. A record is checked against it before it is written, and is written beside
its final name first, so that a record is whole or absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform as machine_facts
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crosscut import paths

SCHEMA_VERSION = 2


class RecordError(Exception):
    """A record that does not match the schema, or can not be written."""


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    return _time(datetime.now(UTC))


def start(kind: str, command: list[str]) -> dict[str, Any]:
    """A record without rows."""
    return {
        "schema": SCHEMA_VERSION,
        "kind": kind,
        "command": command,
        "started": now(),
        "finished": None,
        "source": source(),
        "machine": machine(),
        "compiler": compiler(),
        "rows": [],
    }


def source() -> dict[str, Any]:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(paths.SOURCE), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    seconds, _, subject = git("log", "-1", "--format=%ct %s").partition(" ")
    return {
        "commit": git("rev-parse", "HEAD") or None,
        "committed": _time(datetime.fromtimestamp(int(seconds), UTC)) if seconds else None,
        "subject": subject or None,
        "modified": bool(git("status", "--porcelain", "-uno")),
    }


def machine() -> dict[str, Any]:
    """What times depend on; no name or address of the machine."""
    cpu = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "architecture": machine_facts.machine(),
        "cpu": cpu or machine_facts.processor() or "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{machine_facts.system()} {machine_facts.release()}",
    }


def compiler() -> dict[str, Any]:
    tool = paths.tool("crosscut-compile")
    if not tool.is_file():
        return {"version": None, "sha256": None}
    done = subprocess.run([str(tool), "--version"], capture_output=True, text=True)
    lines = [line.strip() for line in done.stdout.splitlines() if "crosscut" in line.lower()]
    version = lines[0] if done.returncode == 0 and lines else None
    return {"version": version, "sha256": hashlib.sha256(tool.read_bytes()).hexdigest()}


def metric(name: str, unit: str, samples: list[float], *, exact: bool, better: str = "lower") -> dict[str, Any]:
    return {"name": name, "unit": unit, "samples": samples, "exact": exact, "better": better}


def validate(record: dict[str, Any]) -> None:
    import jsonschema

    schema = json.loads(paths.RECORD_SCHEMA.read_text())
    try:
        jsonschema.validate(record, schema, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "record"
        raise RecordError(f"{where}: {error.message}") from error


def latest(kind: str, count: int) -> list[dict[str, Any]]:
    """The newest records of a kind in the usual folder, newest first; those of another schema are passed over."""
    found: list[dict[str, Any]] = []
    for path in sorted(paths.RECORDS.glob(f"*-{kind}*.json"), reverse=True):
        if len(found) == count:
            break
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(record, dict) and record.get("schema") == SCHEMA_VERSION and isinstance(record.get("rows"), list):
            found.append(record)
    return found


def write(record: dict[str, Any], folder: Path | None = None) -> Path:
    """Checks and writes the record; returns its path, <folder>/<started>-<kind>.json."""
    record["finished"] = now()
    validate(record)
    folder = folder or paths.RECORDS
    stamp = record["started"].replace(":", "").replace("-", "")
    try:
        return _write_new(record, folder, f"{stamp}-{record['kind']}")
    except OSError as error:
        raise RecordError(f"{paths.relative(folder)}: {error.strerror}") from error


def _write_new(record: dict[str, Any], folder: Path, stem: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(record, stream, indent=1, allow_nan=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        for number in range(1000):  # two runs within a second keep both records
            path = folder / (f"{stem}.json" if number == 0 else f"{stem}-{number}.json")
            try:
                os.link(temporary, path)
                return path
            except FileExistsError:
                continue
        raise RecordError(f"{stem}: too many records of the same second")
    finally:
        Path(temporary).unlink(missing_ok=True)
