"""The index over run records: a database that is made from the record files alone.

SQLite by default, any other database that SQLAlchemy knows (PostgreSQL) by its URL. A record is indexed once, whatever
its file is called: the digest of its content is the key. A file that is no record is refused by name, remembered with
the reason, and stops nothing.

  run           one record: commit, machine, compiler, when
  result        one of its rows: model, platform, setting, device, threads; passed or failed, and what was resolved
  measurement   one metric of a row, with its raw samples
  refusal       a file that was refused, and why

A series is (model, platform, setting, device, threads, metric) over the runs of a kind. Time and order come from the
records: nothing here depends on when or where the index was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from crosscut import record_reader

# Changes with the tables below. An index of another layout is made anew (SQLite) or refused (URL).
LAYOUT = 1

_tables = sa.MetaData()


def _text(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


layout = sa.Table("layout", _tables, sa.Column("version", sa.Integer, primary_key=True))
refusal = sa.Table("refusal", _tables, sa.Column("file", sa.Text, primary_key=True), _text("reason", False))
run = sa.Table(
    "run",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(64), unique=True, nullable=False),
    _text("file", False),
    _text("kind", False),
    _text("started", False),
    _text("finished", False),
    _text("commit"),
    _text("committed"),
    _text("subject"),
    sa.Column("modified", sa.Boolean, nullable=False),
    _text("architecture", False),
    _text("cpu", False),
    sa.Column("cores", sa.BigInteger, nullable=False),
    _text("system", False),
    _text("compiler"),
    _text("compiler_sha256"),
    sa.Column("command", sa.JSON, nullable=False),
    sa.Column("selection", sa.JSON),
)
result = sa.Table(
    "result",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.ForeignKey("run.id", ondelete="CASCADE"), nullable=False, index=True),
    _text("model", False),
    _text("platform", False),
    _text("setting", False),
    # What a row does not have is empty, not NULL: NULLs differ from each other in a unique key.
    _text("device", False),
    sa.Column("threads", sa.BigInteger, nullable=False),
    _text("contender", False),
    _text("operator", False),
    _text("status", False),
    _text("phase"),
    _text("reason"),
    _text("reproduce"),
    sa.Column("commands", sa.JSON),
    _text("model_sha256"),
    _text("module_sha256"),
    _text("triple"),
    _text("target_cpu"),
    _text("features"),
    sa.Column("flags", sa.JSON),
    sa.Column("runner", sa.JSON),
    _text("emulator"),
    sa.Column("checks", sa.JSON),
    sa.UniqueConstraint("run_id", *record_reader.ROW_KEY),
    sa.Index("result_cell", "model", "platform", "setting", "device", "threads"),
)
measurement = sa.Table(
    "measurement",
    _tables,
    sa.Column("result_id", sa.ForeignKey("result.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    _text("unit", False),
    sa.Column("exact", sa.Boolean, nullable=False),
    _text("better", False),
    sa.Column("samples", sa.JSON, nullable=False),
)


class StoreError(Exception):
    """A database that can not be opened, or whose layout is another."""


@dataclass
class Update:
    """What an update found: files indexed now, known before, and refused (name, reason)."""

    added: int = 0
    known: int = 0
    forgotten: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


class Store:
    """An open index. Made by `open_file` or `open_url`; close it, or use it in a `with`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def update(self, folder: Path, *, only_this_folder: bool = False) -> Update:
        """Indexes the folder's *.json. With `only_this_folder` the index forgets what is no longer there."""
        if not folder.is_dir():
            raise StoreError(f"{folder}: no such folder of records")
        update = Update()
        digests = set()
        for path in sorted(folder.glob("*.json")):
            if path.name.startswith("."):
                continue
            try:
                content = record_reader.load(path)
                key = record_reader.digest(content)
                added = not self._knows(key) and self._add(record_reader.check(content), key, path.name)
            except record_reader.Refused as refused:
                update.refused.append((printable(path.name), printable(str(refused))))
                continue
            except RecursionError:  # of what JSON's reader could still hold
                update.refused.append((printable(path.name), record_reader.TOO_DEEP))
                continue
            digests.add(key)
            update.added += added
            update.known += not added
        with self.engine.begin() as connection:
            if only_this_folder:
                update.forgotten = self._forget_others(connection, digests)
                connection.execute(sa.delete(refusal))
            for name, reason in update.refused:
                connection.execute(sa.delete(refusal).where(refusal.c.file == name))
                connection.execute(sa.insert(refusal).values(file=name, reason=reason))
        return update

    def _knows(self, key: str) -> bool:
        with self.engine.connect() as connection:
            return connection.execute(sa.select(run.c.id).where(run.c.digest == key)).first() is not None

    def _add(self, record: dict[str, Any], key: str, name: str) -> bool:
        """One record, whole or not at all; False when it is there already."""
        with self.engine.begin() as connection:
            insert = _insert(connection)
            values = {**_run_values(record), "digest": key, "file": name}
            run_id = connection.execute(
                insert(run).values(values).on_conflict_do_nothing(index_elements=["digest"]).returning(run.c.id)
            ).scalar_one_or_none()
            if run_id is None:
                return False
            if not record["rows"]:
                return True
            made = connection.execute(
                sa.insert(result).returning(result.c.id, sort_by_parameter_order=True),
                [{"run_id": run_id, **_result_values(row)} for row in record["rows"]],
            )
            measurements = [
                {"result_id": result_id, "metric": metric["name"]}
                | {name: metric[name] for name in ("unit", "exact", "better", "samples")}
                for result_id, row in zip(made.scalars(), record["rows"], strict=True)
                for metric in row.get("metrics", [])
            ]
            if measurements:
                connection.execute(sa.insert(measurement), measurements)
            return True

    def _forget_others(self, connection: Connection, digests: set[str]) -> int:
        known = connection.execute(sa.select(run.c.id, run.c.digest)).all()
        gone = [run_id for run_id, key in known if key not in digests]
        for run_id in gone:
            rows = sa.select(result.c.id).where(result.c.run_id == run_id)
            connection.execute(sa.delete(measurement).where(measurement.c.result_id.in_(rows)))
            connection.execute(sa.delete(result).where(result.c.run_id == run_id))
            connection.execute(sa.delete(run).where(run.c.id == run_id))
        return len(gone)

    def runs(self, kind: str) -> list[sa.Row[Any]]:
        """The runs of a kind, oldest first."""
        with self.engine.connect() as connection:
            # The digest decides between runs of the same second, so that the order never depends on the index.
            query = sa.select(run).where(run.c.kind == kind).order_by(run.c.started, run.c.digest)
            return list(connection.execute(query))

    def results(self, kind: str) -> Iterator[tuple[sa.Row[Any], dict[str, sa.Row[Any]]]]:
        """Every row of the runs of a kind with its measurements by metric: cell by cell, oldest run first."""
        cell = (result.c.model, result.c.platform, result.c.setting, result.c.device, result.c.threads)
        order = (*cell, run.c.started, run.c.digest, result.c.contender, result.c.operator)
        rows = sa.select(result).join(run).where(run.c.kind == kind).order_by(*order)
        parts = sa.select(measurement, result.c.id.label("row")).select_from(sa.join(sa.join(measurement, result), run))
        parts = parts.where(run.c.kind == kind).order_by(*order, measurement.c.metric)
        options = {"stream_results": True, "yield_per": 5000}
        with self.engine.connect() as one, self.engine.connect() as other:
            measurements = iter(other.execution_options(**options).execute(parts))
            pending = next(measurements, None)
            for row in one.execution_options(**options).execute(rows):
                metrics: dict[str, sa.Row[Any]] = {}
                while pending is not None and pending.row == row.id:
                    metrics[pending.metric] = pending
                    pending = next(measurements, None)
                yield row, metrics

    def refusals(self) -> list[tuple[str, str]]:
        with self.engine.connect() as connection:
            return [(row.file, row.reason) for row in connection.execute(sa.select(refusal).order_by(refusal.c.file))]


def open_file(path: Path) -> Store:
    """The index in an SQLite file, made when it is missing, and made anew when it is of another layout or broken."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(f"sqlite:///{path}")
        except StoreError:
            if path.exists() and not _is_index(path):
                raise StoreError(f"{path}: not an index of records; it is left as it is") from None
            path.unlink(missing_ok=True)
            return _open(f"sqlite:///{path}")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _is_index(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(16) in (b"", b"SQLite format 3\0")


def open_url(url: str) -> Store:
    """The index in the database of an SQLAlchemy URL; its tables are made when they are missing."""
    return _open(url)


def _open(url: str) -> Store:
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name not in ("sqlite", "postgresql"):
            raise StoreError(f"{engine.dialect.name}: SQLite and PostgreSQL are the databases that are known")
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _tune_sqlite)
        with engine.begin() as connection:
            _tables.create_all(connection)
            found = connection.execute(sa.select(layout.c.version)).scalars().all()
            if not found:
                connection.execute(sa.insert(layout).values(version=LAYOUT))
            elif found != [LAYOUT]:
                raise StoreError(f"{shown(url)}: layout {found} of the index, not {LAYOUT}; drop its tables")
        return Store(engine)
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        raise StoreError(f"{shown(url)}: {first_line(error)}") from error


def _tune_sqlite(connection: Any, _: object) -> None:
    # An index is made anew from its records, so it need not outlive a power cut.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA busy_timeout = 60000")


def _insert(connection: Connection) -> Any:
    """`on_conflict_do_nothing` is the same in both dialects, but not in the core."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def _run_values(record: dict[str, Any]) -> dict[str, Any]:
    source, machine = record["source"], record["machine"]
    return {
        **{name: record[name] for name in ("kind", "started", "finished", "command")},
        **{name: source.get(name) for name in ("commit", "committed", "subject", "modified")},
        **{name: machine[name] for name in ("architecture", "cpu", "cores", "system")},
        "compiler": record["compiler"]["version"],
        "compiler_sha256": record["compiler"].get("sha256"),
        "selection": record.get("selection"),
    }


def _result_values(row: dict[str, Any]) -> dict[str, Any]:
    same = ("model", "platform", "setting", "status", "phase", "reason", "reproduce", "commands")
    same += ("model_sha256", "module_sha256", "flags", "runner", "emulator", "checks")
    target = row.get("target", {})
    return {
        **{name: row.get(name) for name in same},
        **{name: row.get(name, "") for name in ("device", "contender", "operator")},
        "threads": row.get("threads", 0),
        "triple": target.get("triple"),
        "target_cpu": target.get("cpu"),
        "features": target.get("features"),
    }


def first_line(error: Exception) -> str:
    """What the database itself says, without the statement."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def shown(url: str) -> str:
    """The URL without its password."""
    with suppress(sa.exc.ArgumentError, ValueError):
        return sa.make_url(url).render_as_string(hide_password=True)
    return "database URL"


def printable(text: str) -> str:
    """For a terminal: file names and reasons may hold anything."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
