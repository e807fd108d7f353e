"""The page's folder is a pure function of the records, whole, and never takes the place of somebody's own files."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

import made_records as made
import pytest

from crosscut import page, paths
from crosscut.page import __main__ as command
from crosscut.page import folder as site
from crosscut.page import metrics

NATIVE, EMULATED = made.NATIVE, "aarch64-linux"


def _cost(factor):
    return lambda row: made.scaled(row, "time" if row["platform"] == NATIVE else "instructions", factor)


# ---- values as text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (0.0050794, "seconds", "5.079 ms"),
        (0.000322, "seconds", "322.0 µs"),
        (2.5, "seconds", "2.50 s"),
        (107_020_000, "instructions", "107.0 M"),
        (999, "instructions", "999"),
        (1.5e12, "instructions", "1500.0 G"),
        (60_200, "bytes", "60.2 KB"),
        (0, "bytes", "0 B"),
    ],
)
def test_values_read_well(value, unit, text):
    assert metrics.shown(value, unit) == text


@pytest.mark.parametrize(
    "ratio, text",
    [(1.032, "+3.2 %"), (0.88, "−12 %"), (1.00004, "+0.004 %"), (1 + 1e-9, "+<0.001 %"), (20, "+20.0 ×")],  # noqa: RUF001
)
def test_percents_read_well(ratio, text):
    assert metrics.percent(ratio) == text


# ---- the folder ------------------------------------------------------------------------------------------------------


def _text(path):
    """The page without its markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", path.read_text()))


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_records_make_the_same_bytes(tmp_path):
    """At once, one by one, in another order, under other names, with another index."""
    records = made.history(4, ["a", "b"], [NATIVE, EMULATED])
    page.write(made.write(tmp_path / "at_once", *records), tmp_path / "one")
    folder = tmp_path / "one_by_one"
    for number in (2, 0, 3, 1):
        page.write(made.write(folder, records[number]), tmp_path / "other")
    assert _files(tmp_path / "one") == _files(tmp_path / "other")
    (tmp_path / "one.sqlite").unlink()
    page.write(tmp_path / "at_once", tmp_path / "one")
    assert _files(tmp_path / "one") == _files(tmp_path / "other")


def test_every_link_of_the_page_has_its_target(tmp_path):
    records = made.history(3, ["a", "b"], [NATIVE, EMULATED], lambda n, row: _cost(1 + n / 5)(row))
    records[-1]["rows"][0] = made.failing("a", NATIVE)
    text = page.write(made.write(tmp_path / "records", *records), tmp_path / "page").read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'href="#([^"]+)"', text):
        assert link.split("/")[0] in ids
    for file in re.findall(r'(?:src|href)="([^#"]+)"', text):
        assert (tmp_path / "page" / file).is_file()
    for cell in re.findall(r'<td id="([^"]+)"', text):
        assert (tmp_path / "page" / "history" / f"{cell}.js").is_file()
    for value in re.findall(r'name="metric" value="([^"]+)"', text):
        assert value == metrics.COST or (tmp_path / "page" / "tables" / f"{value}.js").is_file()


def test_scripts_hold_the_points_as_the_records_have_them(tmp_path):
    records = made.history(3, ["m"], [EMULATED])
    page.write(made.write(tmp_path / "records", *records), tmp_path / "page")
    (path,) = [p for p in (tmp_path / "page" / "history").iterdir() if p.name != "runs.js"]
    _, _, data = path.read_text().removesuffix(");\n").partition(",")
    series = {part["name"]: part for part in json.loads(data)["metrics"]}
    wanted = [record["rows"][0]["metrics"][0]["samples"] for record in records]
    assert [point[6] for point in series["instructions"]["points"]] == wanted


def test_a_long_list_of_changes_is_folded_and_complete(tmp_path):
    models = [f"m{number}" for number in range(30)]
    records = made.history(2, models, [EMULATED], lambda n, row: _cost(1 + n * int(row["model"][1:] or 0) / 99)(row))
    text = page.write(made.write(tmp_path / "records", *records), tmp_path / "page").read_text()
    section = text[text.index('<section id="worse">') : text.index('<section id="matrix">')]
    shown = re.findall(r'<td data-label="Model">(m\d+)', section)
    assert shown == [f"m{number}" for number in range(29, 0, -1)]  # the largest first
    first, _, more = section.partition('<details class="more">')
    assert (first.count("<tr><td"), more.count("<tr><td")) == (10, 19)


def test_files_that_are_no_records_are_named_on_the_page(tmp_path):
    folder = made.write(tmp_path / "records", *made.history(1, ["m"], [NATIVE]))
    (folder / "<b>.json").write_text("{")
    text = page.write(folder, tmp_path / "page").read_text()
    assert "<b>.json" not in text
    assert "<b>.json: not JSON" in html.unescape(text.replace("<code>", "").replace("</code>", ""))


def test_boards_stand_in_a_table_of_their_own(tmp_path):
    flash = [made.metric("flash_bytes", "bytes", 50_624, exact=True)]
    rows = [made.row("a", NATIVE), made.row("b", NATIVE), made.row("b", "cortex-m4-mps2", metrics=flash)]
    index = page.write(made.write(tmp_path / "records", made.record(0, rows)), tmp_path / "page")
    systems, boards = re.findall(r'<table class="matrix">.*?</table>', index.read_text(), re.DOTALL)
    assert NATIVE in systems and "cortex" not in systems and systems.count("<tr>") == 3
    assert "cortex-m4-mps2" in boards and NATIVE not in boards and boards.count("<tr>") == 2


def test_metrics_that_nobody_knows_are_shown(tmp_path):
    rows = [made.row("m", NATIVE, metrics=[made.metric("L2 misses/s", "instructions", 5, exact=True)])]
    index = page.write(made.write(tmp_path / "records", made.record(0, rows)), tmp_path / "page")
    assert "L2 misses/s" in _text(index)
    assert len(list((tmp_path / "page" / "tables").iterdir())) == 1


def test_a_folder_that_is_no_dashboard_is_left_as_it_is(tmp_path):
    folder = made.write(tmp_path / "records", *made.history(1, ["m"], [NATIVE]))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("my page")
    (tmp_path / "file").write_text("")
    for name in ("mine", "file"):
        with pytest.raises(page.PageError, match=name):
            page.write(folder, tmp_path / name)
    assert (tmp_path / "mine" / "index.html").read_text() == "my page"


def test_a_page_that_can_not_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    folder = made.write(tmp_path / "records", *made.history(1, ["m"], [NATIVE]))
    page.write(folder, tmp_path / "page")
    before = _files(tmp_path / "page")
    made.write(folder, *made.history(2, ["m"], [NATIVE]))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site.html, "index", full)
    with pytest.raises(page.PageError, match="No space left"):
        page.write(folder, tmp_path / "page")
    assert _files(tmp_path / "page") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page", "page.sqlite", "records"]


def test_files_of_a_cell_that_is_gone_do_not_stay(tmp_path):
    folder = made.write(tmp_path / "records", *made.history(1, ["m", "n"], [NATIVE]))
    page.write(folder, tmp_path / "page")
    shutil.rmtree(folder)
    page.write(made.write(folder, *made.history(1, ["m"], [NATIVE])), tmp_path / "page")
    assert not list((tmp_path / "page" / "history").glob("n-*"))


def test_an_index_that_breaks_is_one_line(tmp_path):
    folder = made.write(tmp_path / "records", *made.history(1, ["m"], [NATIVE]))
    page.write(folder, tmp_path / "page")
    with sqlite3.connect(tmp_path / "page.sqlite") as connection:
        connection.execute("drop table measurement")
        connection.execute("create table measurement (surprise)")
    made.write(folder, *made.history(2, ["m"], [NATIVE]))
    with pytest.raises(page.PageError, match=r"page\.sqlite.*may be deleted.*measurement") as caught:
        page.write(folder, tmp_path / "page")
    assert "\n" not in str(caught.value)


def test_the_commands_help_needs_python_alone():
    """Before scripts/setup has run there is no virtual environment."""
    command = [sys.executable, "-S", "-m", "crosscut.page", "--help"]
    environment = {"PYTHONPATH": str(paths.SOURCE / "scripts"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: scripts/dashboard")


def test_the_command_prints_where_the_page_is(tmp_path, capsys):
    folder = made.write(tmp_path / "records", *made.history(1, ["m"], [NATIVE]))
    assert command.main(["--records", str(folder), "--output", str(tmp_path / "page")]) == 0
    assert capsys.readouterr().out == f"dashboard: {tmp_path / 'page' / 'index.html'}\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--records", "nowhere"], "nowhere: no such folder of records"),
        (["--database", "nonsense"], "URL"),
        (["--database", "oracle://user:secret@host/db"], "oracle"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(tmp_path, capsys, arguments, message):
    assert command.main(["--output", str(tmp_path / "page"), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error and "secret" not in error
    assert not (tmp_path / "page").exists()
