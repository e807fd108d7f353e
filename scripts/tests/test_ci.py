"""CI comes from the matrix, and its verdict from the records."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess

import pytest

from crosscut import cells, ci, matrix, paths, records


def _jobs(text):
    """The platforms of the workflow's job `platform`."""
    return re.findall(r"^ {10}- (\S+)$", text, re.MULTILINE)


def test_the_workflow_in_the_repository_is_what_the_matrix_asks_for():
    assert ci.main(["workflow", "--check"]) == 0
    assert _jobs(ci.WORKFLOW.read_text()) == list(matrix.load().platforms)


def test_a_platform_more_is_a_job_more():
    facts = copy.deepcopy(json.loads(paths.MATRIX.read_text()))
    facts["platforms"].append({"name": "made-up-linux", "build": "aarch64-linux", "runner": ["true"]})
    assert _jobs(ci.workflow(matrix.Matrix(facts))) == [*matrix.load().platforms, "made-up-linux"]


def test_a_workflow_that_is_out_of_date_is_said_and_written_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ci, "WORKFLOW", tmp_path / "workflows" / "matrix.yml")
    assert ci.main(["workflow", "--check"]) == 1 and "error: " in capsys.readouterr().err
    assert ci.main(["workflow"]) == 0 and ci.main(["workflow", "--check"]) == 0


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_the_workflow_is_well_formed():
    done = subprocess.run(["actionlint", str(ci.WORKFLOW)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def cells_of_quick(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RECORDS", tmp_path)
    return matrix.load().select("quick")


def _write(rows, started="2026-11-22T01:00:00Z"):
    record = records.start("nightly", ["scripts/nightly"])
    record.update(rows=rows, started=started)
    return records.write(record)


def _rows(found, **changes):
    rows = [cells.Work(cell).row for cell in found]
    for row in rows:
        row.update(changes)
    return rows


def test_the_verdict_is_good_when_the_records_together_have_every_cell(cells_of_quick, tmp_path, capsys):
    half = len(cells_of_quick) // 2
    _write(_rows(cells_of_quick[:half]))
    _write(_rows(cells_of_quick[half:]))
    assert ci.main(["verdict", str(tmp_path)]) == 0
    assert f"{len(cells_of_quick)} passed, 0 failed" in capsys.readouterr().out


def test_a_cell_that_no_record_has_fails_the_verdict(cells_of_quick, tmp_path, capsys):
    _write(_rows(cells_of_quick[:-1]))
    assert ci.main(["verdict", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "no record has this cell" in shown and f"{len(cells_of_quick) - 1} passed, 1 failed" in shown


def test_a_row_that_failed_fails_the_verdict_unless_a_later_record_has_it_passed(cells_of_quick, tmp_path, capsys):
    _write(_rows(cells_of_quick))
    failed = _rows(cells_of_quick[:1], status="fail", phase="run", reason="ended by SIGILL")
    _write(failed, "2026-11-22T02:00:00Z")
    assert ci.main(["verdict", str(tmp_path)]) == 1 and "SIGILL" in capsys.readouterr().out
    _write(_rows(cells_of_quick[:1]), "2026-11-22T03:00:00Z")
    assert ci.main(["verdict", str(tmp_path)]) == 0


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_file_that_is_no_record_is_an_error_that_names_it(tmp_path, content, capsys):
    (tmp_path / "x.json").write_text(content)
    assert ci.main(["verdict", str(tmp_path)]) == 1
    assert "error: x.json: " in capsys.readouterr().err
