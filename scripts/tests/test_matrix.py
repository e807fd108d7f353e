"""The matrix holds together and agrees with the toolchain files and the compiler."""

from __future__ import annotations

import re
import subprocess
from platform import machine

import pytest

from crosscut import matrix, models, paths


def test_quick_selection_is_two_models_on_eight_platforms():
    cells = matrix.load().select("quick")
    assert {cell.model for cell in cells} == {"mobilenetv2", "ppocr_cls"}
    assert len({cell.platform.name for cell in cells}) == 8
    assert len(cells) == len({cell.key for cell in cells}) == 16


def test_selection_is_cut_down_by_name():
    cells = matrix.load().select("quick", ["ppocr_cls"], ["aarch64-linux", "riscv64-v256-linux"])
    assert [cell.platform.name for cell in cells] == ["aarch64-linux", "riscv64-v256-linux"]


@pytest.mark.parametrize("arguments", [("weekly",), ("quick", ["resnet"]), ("quick", None, ["vax-vms"])])
def test_unknown_names_are_errors_that_list_the_known_ones(arguments):
    with pytest.raises(matrix.MatrixError, match="there are: "):
        matrix.load().select(*arguments)


def test_a_broken_matrix_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "matrix.json"
    path.write_text('{"platforms": [')
    with pytest.raises(matrix.MatrixError, match=r"matrix\.json"):
        matrix.load(path)


def test_every_model_of_the_matrix_exists():
    for name in matrix.load().models:
        assert models.find(name).facts["name"] == name


@pytest.mark.parametrize("name", matrix.load().platforms)
def test_the_runner_is_that_of_the_toolchain_file(name, tmp_path):
    toolchain = paths.SOURCE / "toolchains" / f"{name}.cmake"
    script = tmp_path / "show.cmake"
    script.write_text(f'include({toolchain})\nmessage("emulator=${{CMAKE_CROSSCOMPILING_EMULATOR}}")\n')
    done = subprocess.run(
        ["cmake", f"-DCMAKE_HOST_SYSTEM_PROCESSOR={machine()}", "-P", str(script)], capture_output=True, text=True
    )
    found = re.search(r"^emulator=(.*)$", done.stderr, re.MULTILINE)
    assert found, done.stderr
    assert [part for part in found[1].split(";") if part] == list(matrix.load().platform(name).runner)


@pytest.mark.skipif(not paths.tool("crosscut-compile").is_file(), reason="crosscut-compile is not built")
def test_the_compiler_lists_every_platform_as_tested():
    done = subprocess.run([paths.tool("crosscut-compile"), "--list-targets"], capture_output=True, text=True)
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    for name in matrix.load().platforms:
        assert "tested" in lines[name] and "compile-only" not in lines[name]
