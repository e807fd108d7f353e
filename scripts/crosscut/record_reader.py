"""Reads a record file that may come from anywhere, of any version of the schema.

`load` parses a file, `check` makes a record of it: what is returned matches results/record.schema.json and is safe to index: names are plain, numbers are finite and not
negative, text can be stored, no row or metric occurs twice. Everything else is refused with a one-line reason. Records
of older versions are brought to the current form first (`_UPGRADES`, one function a version).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from crosscut import paths
from crosscut.records import SCHEMA_VERSION

LARGEST_FILE = 64 << 20
LARGEST_NUMBER = 2**53  # beyond it JavaScript's and SQLite's numbers are not exact
TOO_DEEP = "nested too deeply"
LONGEST_TEXT = 100_000
# Names become parts of identifiers, file names and links.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+:/@ -]{0,199}")
# What databases do not store: NUL, and halves of characters beyond the first 65,536.
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_NAMES = ("model", "platform", "setting", "device", "contender", "operator")
# A row is told from the others of its record by these.
ROW_KEY = ("model", "platform", "setting", "device", "threads", "contender", "operator")


class Refused(Exception):
    """A file that is no record of a run, and why."""


def load(path: Path) -> Any:
    """What the file holds, with finite numbers, not checked yet. Raises Refused for what is not JSON."""
    if not path.is_file():
        raise Refused("not a regular file")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Refused(f"larger than {LARGEST_FILE >> 20} MB")
        return json.loads(path.read_bytes(), parse_constant=_no_constant, parse_float=_finite, parse_int=_integer)
    except OSError as error:
        raise Refused(str(error.strerror)) from error
    except RecursionError as error:
        raise Refused(TOO_DEEP) from error
    except ValueError as error:  # of the decoders of JSON and UTF-8
        raise Refused(f"not JSON: {error}") from error


def check(content: Any) -> dict[str, Any]:
    """The record in its current form, made of what `load` returned. Raises Refused for everything else."""
    record = _upgrade(content)
    _check_schema(record)
    _check_text(record)
    _check_rows(record["rows"])
    return record


def digest(content: Any) -> str:
    """Of what `load` returned: the same for the same run, however its file is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _no_constant(text: str) -> float:
    raise Refused(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= LARGEST_NUMBER:
        raise Refused(f"number out of range: {text[:40]}")
    return value


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > LARGEST_NUMBER:
        raise Refused(f"number out of range: {text[:40]}")
    return int(text)


def _upgrade(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise Refused("not a record: no object")
    version = record.get("schema")
    if isinstance(version, bool) or not isinstance(version, int):
        raise Refused("not a record: no schema version")
    while version in _UPGRADES:
        try:
            _UPGRADES[version](record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(
                f"does not match version {version} of the schema ({type(error).__name__}: {error})"
            ) from error
        version += 1
        record["schema"] = version
    if version != SCHEMA_VERSION:
        raise Refused(f"version {version} of the schema; known are 1 to {SCHEMA_VERSION}")
    return record


def _from_1(record: dict[str, Any]) -> None:
    """Sizes were facts of the module; a check of a picture had its direction."""
    for row in record["rows"]:
        if (module := row.pop("module", None)) is not None:
            row["module_sha256"] = module.pop("sha256")
            sizes = [(name, value) for name, value in module.items() if value is not None]
            row.setdefault("metrics", []).extend(
                {"name": name, "unit": "bytes", "samples": [value], "exact": True, "better": "lower"}
                for name, value in sizes
            )
        for check in row.get("checks", []):
            if "direction" in check:
                check["answer"] = check.pop("direction")


_UPGRADES: dict[int, Callable[[dict[str, Any]], None]] = {1: _from_1}


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(paths.RECORD_SCHEMA.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def _check_schema(record: dict[str, Any]) -> None:
    error = next(_validator().iter_errors(record), None)
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "record"
        raise Refused(f"{where[:200]}: {error.message[:200]}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _check_text(record: dict[str, Any]) -> None:
    for text in _texts(record):
        if len(text) > LONGEST_TEXT:
            raise Refused(f"a text of {len(text)} characters")
        if _NOT_TEXT.search(text):
            raise Refused(f"a text with a NUL or half a character: {ascii(text[:40])}")


def _check_rows(rows: list[dict[str, Any]]) -> None:
    seen = set()
    for number, row in enumerate(rows):
        for field in _NAMES:
            if field in row:
                _check_name(row[field], f"rows/{number}/{field}")
        key = tuple(row.get(field) for field in ROW_KEY)
        if key in seen:
            raise Refused(f"rows/{number}: a second row for {row['model']} on {row['platform']}, {row['setting']}")
        seen.add(key)
        metrics = row.get("metrics", [])
        for metric in metrics:
            _check_name(metric["name"], f"rows/{number}/metrics/name")
            if min(metric["samples"]) < 0:
                raise Refused(f"rows/{number}: {metric['name']} is negative")
        if len({metric["name"] for metric in metrics}) < len(metrics):
            raise Refused(f"rows/{number}: a metric occurs twice")


def _check_name(name: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused(f"{where}: not a plain name: {ascii(name[:60])}")
