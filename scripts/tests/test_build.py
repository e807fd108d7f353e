"""A build says which platform could not be built, and ends when it is interrupted."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time

import pytest

from crosscut import build, matrix, paths

# Builds what it is asked for unless FAKE_BROKEN names it, and sleeps when it is to hang.
_CMAKE = """
import os, sys, time
print("[1/2] Building", flush=True)
broken = os.environ.get("FAKE_BROKEN", "nothing")
if "FAKE_HANG" in os.environ:
    open(os.environ["FAKE_HANG"], "w").write(str(os.getpid()))
    time.sleep(60)
sys.exit(any(broken in argument for argument in sys.argv[1:]))
"""


@pytest.fixture
def fake_cmake(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    (tmp_path / "build" / "host").mkdir(parents=True)
    (tmp_path / "build" / "host" / "build.ninja").write_text("")
    path = tmp_path / "bin" / "cmake"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{_CMAKE}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def _platforms():
    return list(matrix.load().platforms.values())


def test_what_builds_is_no_failure(fake_cmake):
    assert build.ensure(_platforms()) == {}


def test_a_platform_that_does_not_build_is_named_with_its_log(fake_cmake, monkeypatch):
    monkeypatch.setenv("FAKE_BROKEN", "platform-armv7-linux")
    failed = build.ensure(_platforms())
    assert list(failed) == ["armv7-linux"] and "build-armv7-linux.log" in failed["armv7-linux"]
    assert "[1/2] Building" in (paths.BUILD / "build-armv7-linux.log").read_text()


def test_a_host_that_does_not_build_is_an_error(fake_cmake, monkeypatch):
    monkeypatch.setenv("FAKE_BROKEN", "--build")
    with pytest.raises(build.BuildError, match=r"failed, see .*build\.log"):
        build.ensure(_platforms())


def test_a_machine_without_cmake_is_told_so(fake_cmake, monkeypatch):
    shutil.rmtree(fake_cmake / "bin")
    monkeypatch.setenv("PATH", str(fake_cmake / "bin"))
    with pytest.raises(build.BuildError, match="cmake: No such file or directory"):
        build.ensure(_platforms())


def test_an_interrupt_ends_the_build(fake_cmake):
    marker = fake_cmake / "running"
    environment = {**os.environ, "FAKE_HANG": str(marker), "CROSSCUT_BUILD_DIR": str(paths.BUILD)}
    environment["PYTHONPATH"] = str(paths.SOURCE / "scripts")
    process = subprocess.Popen([sys.executable, "-m", "crosscut.nightly", "--quick"], env=environment)
    for _ in range(1200):
        if marker.exists() and marker.read_text():
            break
        time.sleep(0.05)
    process.terminate()
    assert process.wait(30) == 130
    for _ in range(100):
        try:
            os.kill(int(marker.read_text()), 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the build runs on")
