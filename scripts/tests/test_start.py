"""scripts/crosscut/run-module starts a module of the package, and bears that nobody reads what it prints."""

from __future__ import annotations

import os
import subprocess

import pytest

from crosscut import paths

RUN_MODULE = paths.SOURCE / "scripts" / "crosscut" / "run-module"


def _start(*arguments: str, **streams) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([RUN_MODULE, *arguments], timeout=60, check=False, **streams)


def test_arguments_and_the_exit_status_are_the_modules():
    done = _start("crosscut.matrix", "--help", capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"usage: ") and not done.stderr
    refused = _start("crosscut.profile", "nothing", capture_output=True)
    assert refused.returncode == 1 and refused.stderr.startswith(b"error: ") and not refused.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("module", ["matrix", "page"])
def test_a_reader_that_has_gone_is_no_error(module, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = _start(f"crosscut.{module}", "--help", stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert done.returncode == 141 and not done.stderr


def test_closed_standard_output_is_no_error_of_its_own():
    done = subprocess.run(["sh", "-c", f"'{RUN_MODULE}' crosscut.profile nothing >&-"], capture_output=True, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith(b"error: ")
