"""Where the build is that documents are tested with; CTest says so (CMakeLists.txt), by hand the usual build tree is."""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption("--host-build", type=Path, default=SOURCE / "build/host")
    parser.addoption("--platforms-root", type=Path, default=SOURCE / "build")
