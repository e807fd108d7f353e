"""A board checks a model by itself, is counted only when that is right, and stays within its budgets."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from crosscut import boards, cells, firmware_size, matrix, models, paths, records, runner

BOARDS = [p.name for p in matrix.load().platforms.values() if p.board]
BUDGETS = json.loads(paths.BUDGETS.read_text())["cells"]


def _cell(platform, setting="default", model="digits"):
    table = matrix.load()
    return matrix.Cell(model, table.platform(platform), table.settings[setting])


@pytest.fixture
def build(tmp_path, monkeypatch):
    """The build tree's programs, in a tree whose cells are this test's own. Makes rows of cells."""
    needed = [paths.tool("crosscut-compile"), runner.plugin()]
    needed += [paths.program(boards.LINKER, name) for name in BOARDS]
    if missing := [path for path in needed if not path.is_file()]:
        pytest.skip(f"not built: {paths.relative(missing[0])}")
    models.get("digits")
    tree = tmp_path / "build"
    tree.mkdir()
    for name in ("host", "models", *BOARDS):
        (tree / name).symlink_to(paths.BUILD / name)
    monkeypatch.setattr(paths, "BUILD", tree)

    def run(cell, before_run=lambda work: None):
        work = cells.Work(cell)
        work.model = models.find(cell.model)
        work.attempt("compile", cells.compile_cell)
        before_run(work)
        work.attempt("run", cells.run_cell)
        return work.row

    return run


def _metrics(row):
    return {metric["name"]: metric["samples"][0] for metric in row["metrics"]}


@pytest.mark.parametrize("board", BOARDS)
def test_a_loaded_and_a_linked_model_are_right_on_every_board(build, board):
    found = {}
    for setting in ("default", "static"):
        row = build(_cell(board, setting))
        assert row["status"] == "pass", row["reason"]
        assert [check["answer"] for check in row["checks"]] == list(models.find("digits").answers.values())
        found[setting] = _metrics(row)
    loaded, linked = found["default"], found["static"]
    assert loaded["weight_bytes"] == linked["weight_bytes"] and loaded["arena_bytes"] == linked["arena_bytes"]
    # The kernels are the same, but for what the optimiser makes of them in a program; the loader is what differs.
    assert abs(loaded["instructions"] - linked["instructions"]) < 0.1 * linked["instructions"]
    assert loaded["program_bytes"] > linked["program_bytes"] + 1000
    assert loaded["ram_bytes"] > linked["ram_bytes"] > linked["arena_bytes"]
    for values in found.values():
        # Equal where the optimiser has put every kernel into the function that calls it.
        assert values["flash_bytes"] >= values["program_bytes"] + values["weight_bytes"]
        assert values["ram_bytes"] >= values["arena_bytes"] + values["stack_bytes"]


def test_counts_repeat_exactly_and_a_module_in_ram_counts_as_in_flash(build):
    counts = [_metrics(build(_cell("cortex-m4-mps2", s)))["instructions"] for s in ("default", "default", "ram")]
    assert counts[0] == counts[1] == counts[2]


def test_a_row_of_a_board_is_one_of_a_record(build):
    record = records.start("nightly", ["scripts/nightly"])
    record["rows"] = [build(_cell("cortex-m3-mps2", "static"))]
    record["finished"] = records.now()
    records.validate(record)
    assert list(record["rows"][0]["commands"]) == ["compile", "measure"]


def test_the_command_of_a_row_links_and_runs_again(build):
    row = build(_cell("cortex-m4-mps2", "static"))
    folder = paths.BUILD / "nightly" / "digits" / "cortex-m4-mps2" / "static"
    first = json.loads((folder / "counts.json").read_text())
    (folder / "counts.json").unlink()
    (folder / "bench.elf").unlink()
    subprocess.run(row["commands"]["measure"], shell=True, cwd=paths.SOURCE, check=True, capture_output=True)
    assert json.loads((folder / "counts.json").read_text()) == first


def test_what_the_firmware_prints_is_a_row_by_itself(build, monkeypatch):
    printed = []
    read = boards.read
    monkeypatch.setattr(boards, "read", lambda *arguments: printed.append(read(*arguments)) or printed[-1])
    row = build(_cell("rv32imac-virt"))
    record = records.start("nightly", ["scripts/nightly"])
    record.update(rows=[printed[0][0]], finished=records.now())
    records.validate(record)
    assert printed[0][0]["platform"] == row["platform"] and printed[0][0]["status"] == "pass"


@pytest.mark.parametrize("board", ["cortex-m0-microbit", "cortex-m4-mps2", "rv64gc-virt"])
def test_a_wrong_output_is_found_on_the_board_and_not_counted(build, board, monkeypatch):
    write = boards.write_model

    def spoil(folder, *arguments):
        write(folder, *arguments)
        data = bytearray((folder / "samples.bin").read_bytes())
        # Of the second sample, the first element of what is the most: below the least.
        second = len(data) // 6
        data[second + 256 + 64 : second + 256 + 68] = np.float32(-1).tobytes()
        (folder / "samples.bin").write_bytes(data)

    monkeypatch.setattr(boards, "write_model", spoil)
    row = build(_cell(board))
    assert (row["status"], row["phase"], row["reason"]) == ("fail", "check", "wrong output")
    assert "instructions" not in _metrics(row)


def test_a_model_that_does_not_fit_fails_with_the_reason(build):
    row = build(_cell("cortex-m0-microbit", "ram"))
    assert (row["status"], row["phase"]) == ("fail", "run")
    assert row["reason"] == "no memory for a copy of the module"


def test_a_program_that_does_not_link_fails_with_the_linkers_reason(build):
    row = build(_cell("cortex-m3-mps2"), before_run=lambda work: work.cell.module.unlink())
    assert (row["status"], row["phase"]) == ("fail", "build") and "digits.xcm" in row["reason"]
    assert "crosscut-firmware module" in row["commands"]["measure"]


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda b: f"{b['model']}-{b['platform']}-{b['setting']}")
def test_programs_stay_within_their_budgets(build, budget):
    row = build(_cell(budget["platform"], budget["setting"], budget["model"]))
    assert row["status"] == "pass", row["reason"]
    values = _metrics(row)
    assert all(values[name] <= most for name, most in budget.items() if isinstance(most, int))


def test_a_program_above_its_budget_fails_with_both_numbers():
    values = {"program_bytes": 6145}
    problem = boards.over_budget(_cell("cortex-m4-mps2"), values)
    assert problem == "program_bytes is 6145, its budget 6144 (benchmarks/budgets.json)"
    assert not boards.over_budget(_cell("cortex-m4-mps2"), {"program_bytes": 6144})
    assert not boards.over_budget(_cell("cortex-m3-mps2"), values)


def test_the_board_allows_no_more_than_the_tolerance(tmp_path):
    model = models.get("digits")
    sample = model.samples()[0]
    boards.write_model(tmp_path, _cell("cortex-m4-mps2"), model, [sample], {"model": "digits"})
    data = (tmp_path / "samples.bin").read_bytes()
    expected = np.load(sample.outputs[0]).ravel().astype(np.float64)
    bound = model.tolerance.atol + model.tolerance.rtol * np.abs(expected)
    least, most = (np.frombuffer(data[at : at + 40], np.float32).astype(np.float64) for at in (256, 320))
    assert np.all(least >= expected - bound) and np.all(most <= expected + bound)
    assert np.all(least <= expected) and np.all(most >= expected)
    assert len(data) == 256 + 64 + 64


@pytest.mark.parametrize("text", ["", "fault\n", "{", "output zero 0 3f\n{}", "output what 0 00\n{}"])
def test_firmware_that_prints_no_row_is_a_failure(text, tmp_path):
    done = runner.Result(("qemu",), 100, text, "", 0.1)
    with pytest.raises(boards.BoardError, match="^[^\n]+$") as raised:
        boards.read(done, tmp_path, models.find("digits").samples())
    assert raised.value.phase == "run"


def test_sizes_of_what_is_no_program_are_an_error_of_one_line(tmp_path, capsys):
    path = tmp_path / "firmware.elf"
    path.write_text("no program")
    assert firmware_size.main([str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: firmware.elf: ")
