"""Whatever a program does is a result with a one-line reason."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from crosscut import matrix, paths, runner


@pytest.mark.parametrize(
    "script, reason",
    [
        ("exit 3", "exit status 3"),
        ("echo noise >&2; echo 'x: error: bad model' >&2; exit 1", "x: error: bad model"),
        ("kill -ILL $$", "ended by SIGILL"),
        ("echo 'qemu: uncaught target signal 11 (Segmentation fault)' >&2; exit 139", "ended by SIGSEGV (under QEMU)"),
    ],
)
def test_a_failure_has_a_reason(script, reason):
    assert runner.run(["sh", "-c", script]).reason == reason


def test_a_program_that_has_to_end_well_fails_with_its_reason_and_its_command():
    with pytest.raises(runner.Failed, match=r"^exit status 3: sh -c 'exit 3'$"):
        runner.checked(["sh", "-c", "exit 3"])
    assert runner.checked(["echo", "x"]).stdout == "x\n"


def test_a_program_that_does_not_end_is_stopped_with_its_children():
    result = runner.run(["sh", "-c", "sleep 60 & sleep 60"], timeout=0.3)
    assert result.reason == "did not end within 0.3 s" and result.seconds < 5


def test_a_program_that_is_not_there_is_named():
    assert runner.run(["/no/such/program"]).reason == "/no/such/program: No such file or directory"


def test_the_plugin_goes_to_the_emulator_and_only_there(tmp_path):
    table = matrix.load()
    counts = tmp_path / "counts.json"
    command = runner.on_platform(table.platform("aarch64-linux"), "crosscut-bench", ["--x"], counts)
    assert command[0] == "qemu-aarch64" and command[1] == "-plugin" and str(counts) in str(command[2])
    assert command[-2:] == [paths.BUILD / "aarch64-linux" / "bin" / "crosscut-bench", "--x"]
    native = runner.on_platform(table.platform("x86_64-linux"), "crosscut-bench", ["--x"], counts)
    assert native == [paths.BUILD / "host" / "bin" / "crosscut-bench", "--x"]


def test_commands_are_shown_as_people_type_them():
    result = runner.run(["true", paths.SOURCE / "models" / "a b", f"--input=@{paths.SOURCE}/build/x.npy"])
    assert result.shell == "true 'models/a b' --input=@build/x.npy"


def test_an_interrupt_waits_for_the_program_that_it_ends(tmp_path, monkeypatch):
    """However long that takes: communicate() alone would leave a program that is slow to die."""

    class Impatient(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self._sigint_wait_secs = 0

    monkeypatch.setattr(subprocess, "Popen", Impatient)
    started = tmp_path / "started"

    def interrupt():
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    with pytest.raises(SystemExit) as stopped, runner.interruptible():
        runner.run(["sh", "-c", f"echo $$ > '{started}'; exec sleep 60"])
    assert stopped.value.code == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
