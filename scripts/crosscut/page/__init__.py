"""The dashboard: a folder of static files that opens from disk, made from the index over run records.

`write(records, output)` is what scripts/dashboard and scripts/nightly call. The page is a pure function of the index:
the same records make the same bytes, wherever and whenever it is written.
"""

from crosscut.page.folder import PageError, write

__all__ = ["PageError", "write"]
