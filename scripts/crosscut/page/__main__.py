"""Writes the dashboard from the records: a folder of static files that opens from disk, with no network.

The records are indexed in a database first (SQLite beside the page, or any that --database names), from their files
alone. Files that are no records are named and stop nothing.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from crosscut import paths


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/dashboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--records", type=Path, default=paths.RECORDS, metavar="DIR", help="folder of record files (results/records)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=paths.BUILD / "dashboard",
        metavar="DIR",
        help="folder to write (build/dashboard)",
    )
    parser.add_argument("--database", metavar="URL", help="SQLAlchemy URL of the index, to which the records are added")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args(arguments)
    from crosscut.page import PageError, write

    try:
        page = write(options.records, options.output, options.database)
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"dashboard: {paths.relative(page)}")
    if options.open and not webbrowser.open(page.as_uri()):
        print(f"error: no browser to open {paths.relative(page)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
