"""A night's run measures what works, shows what fails as a row, and can be resumed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from crosscut import nightly, paths


@pytest.fixture
def records_folder(fake_tools, monkeypatch):
    monkeypatch.setattr(paths, "RECORDS", fake_tools / "records")
    return fake_tools / "records"


ARGUMENTS = ["--quick", "--no-build", "--model", "ppocr_cls", "--platform", "x86_64-linux"]


def _rows(folder):
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())["rows"]


def test_a_native_cell_has_times_sizes_and_directions(records_folder, capsys):
    assert nightly.main(ARGUMENTS) == 0
    (row,) = _rows(records_folder)
    samples = {m["name"]: m["samples"] for m in row["metrics"]}
    assert row["status"] == "pass" and samples["code_bytes"] == [5] and samples["arena_bytes"] == [64]
    assert samples["time"] == [0.0025] * 3
    directions = {c["sample"]: c.get("answer") for c in row["checks"]}
    assert directions == {"upright": "upright", "turned": "turned", "noise": None}
    assert "2.500 ms" in capsys.readouterr().out


def test_a_wrong_output_is_a_row_with_reason_and_command(records_folder, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_CORRUPT", "save_infer_model/scale_0.tmp_1")
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert (row["status"], row["phase"]) == ("fail", "check")
    assert row["reason"].startswith("sample upright: output 0: 2 of 2 values differ")
    assert "crosscut-run --module=" in row["reproduce"]
    assert "FAIL ppocr_cls on x86_64-linux, check:" in capsys.readouterr().out


def test_a_platform_that_is_not_built_is_a_row_and_the_others_go_on(records_folder):
    assert nightly.main([*ARGUMENTS, "--platform", "aarch64-linux"]) == 1
    rows = {row["platform"]: row for row in _rows(records_folder)}
    assert rows["x86_64-linux"]["status"] == "pass"
    assert (rows["aarch64-linux"]["status"], rows["aarch64-linux"]["phase"]) == ("fail", "run")


def test_a_refused_model_fails_in_the_compile_phase(records_folder, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSE", "HardSigmoid")
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert row["phase"] == "compile" and "HardSigmoid" in row["reason"]


def test_resume_keeps_what_passed_with_the_same_compiler(records_folder, monkeypatch):
    cells = nightly.matrix.load().select("quick", ["ppocr_cls"], ["x86_64-linux"])
    row = {"model": "ppocr_cls", "platform": "x86_64-linux", "setting": "default", "status": "pass"}
    nightly.State("quick", False).add(cells[0], {**row, "device": "from before"})
    assert nightly.main([*ARGUMENTS, "--resume"]) == 0
    assert _rows(records_folder)[0]["device"] == "from before"

    nightly.State("quick", False).add(cells[0], {**row, "device": "from before"})
    tool = paths.tool("crosscut-compile")
    tool.write_text(tool.read_text() + "\n# another build\n")
    assert nightly.State("quick", True).rows == {}


def test_unknown_names_are_errors(capsys):
    assert nightly.main(["--quick", "--platform", "vax-vms"]) == 1
    assert "no platform 'vax-vms'" in capsys.readouterr().err


def test_an_interrupt_ends_the_programs_and_resume_goes_on(records_folder, monkeypatch, capsys):
    tool, marker = paths.tool("crosscut-run"), records_folder.parent / "running"
    right = tool.read_text()
    tool.write_text(f"#!/bin/sh\necho $$ > {marker}\nexec sleep 60\n")

    def interrupt():
        while not marker.exists() or not marker.read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    start = time.monotonic()
    with pytest.raises(SystemExit) as stopped:
        nightly.main(ARGUMENTS)
    assert stopped.value.code == 130 and time.monotonic() - start < 30
    assert "--resume goes on" in capsys.readouterr().err
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
    assert not records_folder.exists()
    tool.write_text(right)
    assert nightly.main([*ARGUMENTS, "--resume"]) == 0
