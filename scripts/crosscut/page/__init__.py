"""The dashboard: a folder of static files that opens from disk, made from the index over run records.

`write` is what scripts/dashboard and scripts/nightly call. The page is a pure function of the index: the same records
make the same bytes, wherever and whenever it is written.
"""

from __future__ import annotations

from pathlib import Path


class PageError(Exception):
    """The page could not be written; one line."""


def write(records: Path, output: Path, database: str | None = None) -> Path:
    """Indexes the records, writes the page and returns the path of its index.html.

    records    folder of record files; those that are no records are named on the page and stop nothing
    output     folder of the page; replaced as a whole when it is there
    database   URL of the index; records are added to what it holds. Default: the SQLite file <output>.sqlite, which
               holds what the folder holds

    Raises PageError: no such folder, a database that can not be used, a folder that can not be written or is not ours.
    """
    from crosscut.page import folder  # needs more than the standard library, which is all that --help may need

    return folder.write(records, output, database)
