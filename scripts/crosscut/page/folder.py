"""Brings the index up to date and writes the page's folder, whole or not at all.

  index.html          the answer, what is broken, what changed, the matrix of costs, other engines; reads without
                      JavaScript, too
  tables/<metric>.js  the matrix of another metric, loaded when it is chosen
  history/<cell>.js   all points of a cell, loaded when it is opened; history/runs.js the runs they refer to
  *.css, *.js         from static/

Data are scripts because a page that was opened from disk may load scripts beside it, but not read files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy.exc

from crosscut import store
from crosscut.page import PageError, html, metrics, peers, view
from crosscut.page.changes import changes
from crosscut.page.history import History
from crosscut.page.points import cell_data, run_data

_STATIC = Path(__file__).parent / "static"
# Tells a folder that was written here from somebody's own, which is never replaced.
_MARK = '<meta name="generator" content="crosscut dashboard">'


def write(records: Path, output: Path, database: str | None = None) -> Path:
    """As crosscut.page.write says."""
    output = output.absolute()
    _check_output(output)
    try:
        index = store.open_url(database) if database else store.open_file(output.with_name(output.name + ".sqlite"))
        with index:
            index.update(records, only_this_folder=database is None)
            output.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as temporary:
                folder = Path(temporary) / "page"
                _write_files(index, folder)
                _replace(output, folder, Path(temporary) / "before")
    except store.StoreError as error:
        raise PageError(str(error)) from error
    except sqlalchemy.exc.SQLAlchemyError as error:  # broken inside, full or locked: it opened well
        where = store.shown(database) if database else f"{output}.sqlite (an index, it may be deleted)"
        raise PageError(f"{where}: {store.first_line(error)}") from error
    except OSError as error:
        raise PageError(f"{error.filename or output}: {error.strerror}") from error
    return output / "index.html"


def _check_output(output: Path) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise PageError(f"{output}: not a folder")
    page = output / "index.html"
    if any(output.iterdir()) and not (page.is_file() and _MARK.encode() in page.read_bytes()[:2000]):
        raise PageError(f"{output}: not empty, and not a dashboard; it is left as it is")


def _replace(output: Path, folder: Path, before: Path) -> None:
    if output.exists():
        output.rename(before)
    try:
        folder.rename(output)
    except OSError:
        if before.exists():
            before.rename(output)
        raise


def _write_files(index: store.Store, folder: Path) -> None:
    shutil.copytree(_STATIC, folder)
    (folder / "history").mkdir()
    (folder / "tables").mkdir()
    history = History(index)
    page = view.overview(history, index.refusals())
    for cell, points in history.cells():
        names = {name for point in points for name in point.metrics}
        found = {name: changes(points, name) for name in sorted(names, key=metrics.rank)}
        cell_view = view.add(page, cell, points, found)
        _write_script(
            folder / "history" / f"{cell_view.id}.js", "cell", cell_view.id, cell_data(cell_view, points, found)
        )
    view.finish(page)
    _write_script(folder / "history" / "runs.js", "runs", run_data(page))
    for metric in page.metrics:
        _write_script(folder / "tables" / f"{metric.id}.js", "table", metric.id, html.matrix(page, metric.name))
    beside = peers.comparisons(index, list(dict.fromkeys(cell.cell.model for cell in page.cells)))
    (folder / "index.html").write_text(html.index(page, beside), encoding="utf-8")


def _write_script(path: Path, function: str, *arguments: Any) -> None:
    # JSON in ASCII is JavaScript; "<" is escaped in case somebody puts the script into a page.
    texts = [json.dumps(a, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c") for a in arguments]
    path.write_text(f"crosscut.{function}({','.join(texts)});\n", encoding="ascii")
