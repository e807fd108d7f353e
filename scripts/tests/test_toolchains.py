"""The matrix starts programs as CMake's toolchain files do."""

from __future__ import annotations

import json
import re

from crosscut import paths


def test_runners_are_those_of_the_toolchain_files() -> None:
    platforms = json.loads((paths.SOURCE / "benchmarks" / "matrix.json").read_text())["platforms"]
    assert len(platforms) >= 8
    for platform in platforms:
        text = (paths.SOURCE / "toolchains" / f"{platform['name']}.cmake").read_text()
        emulator = re.search(r"^set\(CMAKE_CROSSCOMPILING_EMULATOR ([^)]*)\)", text, re.MULTILINE)
        assert platform["runner"] == (emulator.group(1).split() if emulator else [])


def test_presets_name_every_toolchain_file() -> None:
    presets = json.loads((paths.SOURCE / "CMakePresets.json").read_text())
    named = {p["name"] for p in presets["configurePresets"] if not p.get("hidden")}
    assert named - {"host"} == {path.stem for path in (paths.SOURCE / "toolchains").glob("*.cmake")}
