"""The matrix holds together, is what runs and builds come from, and agrees with the toolchain files and the compiler."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from platform import machine

import pytest

from crosscut import conformance, matrix, models, paths, profile

FACTS = json.loads(paths.MATRIX.read_text())


def _with(**more):
    """The matrix with entries added."""
    facts = copy.deepcopy(FACTS)
    for what, entry in more.items():
        facts[what].append(entry)
    return matrix.Matrix(facts)


def _keys(cells):
    return [cell.key for cell in cells]


def test_full_holds_every_model_on_every_platform_and_all_of_quick():
    table = matrix.load()
    full = _keys(table.select("full"))
    systems = [p.name for p in table.platforms.values() if not p.board]
    assert {f"{m}/{p}/default" for m in table.models for p in systems} <= set(full)
    assert set(_keys(table.select("quick"))) <= set(full) and len(full) == len(set(full))


def test_quick_runs_slow_models_natively_only():
    platforms = {c.platform.name for c in matrix.load().select("quick", ["resnet50"])}
    assert platforms == {paths.HOST_PLATFORM}


def test_quick_emulates_heavy_models_with_one_sample_and_full_with_all():
    (quick,) = matrix.load().select("quick", ["minilm"], ["aarch64-linux"])
    (full,) = matrix.load().select("full", ["minilm"], ["aarch64-linux"], ["default"])
    assert (quick.samples, full.samples) == (1, None) and quick.key == full.key


def test_a_model_is_one_entry():
    before, after = matrix.load(), _with(models="made_up")
    new = set(_keys(after.select("full"))) - set(_keys(before.select("full")))
    systems = {f"made_up/{p.name}/default" for p in before.platforms.values() if not p.board}
    assert systems <= new and all(k.startswith("made_up/") for k in new)
    assert f"made_up/{paths.HOST_PLATFORM}/default" in _keys(after.select("quick"))


def test_a_platform_is_one_entry():
    entry = {
        "name": "aarch64-a55-linux",
        "build": "aarch64-linux",
        "runner": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-cpu", "cortex-a55"],
        "compile": {"target": "aarch64-linux", "cpu": "cortex-a55"},
    }
    after = _with(platforms=entry)
    cells = after.select("full", platforms=["aarch64-a55-linux"])
    assert {c.model for c in cells} == set(after.models)
    assert cells[0].compile == ("--target=aarch64-linux", "--cpu=cortex-a55")
    assert "aarch64-a55-linux" not in after.builds  # it runs the programs of aarch64-linux


def test_settings_reach_the_cells():
    (cell,) = matrix.load().select("full", ["mobilenetv2"], ["aarch64-linux"], ["opt1"])
    assert cell.compile == ("--target=aarch64-linux", "--opt=1") and cell.module.name == "mobilenetv2.opt1.xcm"
    (cell,) = matrix.load().select("full", ["mobilenetv2"], None, ["threads2"])
    assert (cell.setting.device, cell.setting.threads, cell.platform.name) == ("local-task", 2, paths.HOST_PLATFORM)


def test_selection_is_cut_down_by_name():
    cells = matrix.load().select("quick", ["ppocr_cls"], ["aarch64-linux", "riscv64-v256-linux"])
    assert [cell.platform.name for cell in cells] == ["aarch64-linux", "riscv64-v256-linux"]


@pytest.mark.parametrize(
    "arguments", [("weekly",), ("quick", ["vgg"]), ("quick", None, ["vax-vms"]), ("full", None, None, ["fastest"])]
)
def test_unknown_names_are_errors_that_list_the_known_ones(arguments):
    with pytest.raises(matrix.MatrixError, match="there are: "):
        matrix.load().select(*arguments)


def test_a_combination_without_cells_is_an_error():
    with pytest.raises(matrix.MatrixError, match="no such cell"):
        matrix.load().select("full", None, ["aarch64-linux"], ["threads2"])


@pytest.mark.parametrize(
    "what, entry, message",
    [
        ("models", "mobilenetv2", "models: a name occurs twice"),
        ("models", {"name": "m", "tags": ["mobilenetv2"]}, "tag 'mobilenetv2'"),
        ("models", {"name": "m", "tag": ["slow"]}, "unknown 'tag'"),
        ("platforms", {"name": "vax"}, "lacks 'runner'"),
        ("platforms", {"name": "aarch64-linux", "runner": []}, "platforms: a name occurs twice"),
        ("settings", {"name": "s", "threats": 2}, "unknown 'threats'"),
        ("settings", {"name": "s", "shapes": "round"}, "shapes 'round'"),
        ("settings", {"name": "s", "memory": "rom"}, "memory 'rom'"),
    ],
)
def test_what_does_not_hold_together_is_an_error(what, entry, message):
    with pytest.raises(matrix.MatrixError, match=message):
        _with(**{what: entry})


@pytest.mark.parametrize(
    "block, message",
    [
        ({"models": ["vgg"], "platforms": "all", "settings": ["default"]}, "no model or tag 'vgg'"),
        ({"models": "all", "platforms": ["vax"], "settings": ["default"]}, "no platform or kind 'vax'"),
        ({"models": "all", "platforms": "all", "settings": ["fastest"]}, "no setting 'fastest'"),
        ({"models": "all", "platforms": "all", "settings": ["threads2"]}, "counts need one thread"),
        ({"models": "all", "platforms": "native", "settings": ["static"]}, "it is for boards"),
        ({"models": "all", "platforms": "emulated", "settings": ["ram"]}, "it is for boards"),
        ({"models": "all", "platforms": "all"}, "lacks 'settings'"),
        ({"models": "all", "platforms": "all", "settings": ["default"], "sample": 1}, "unknown 'sample'"),
        ({"models": "all", "platforms": "all", "settings": ["default"], "samples": 0}, "samples must be"),
    ],
)
def test_a_selection_that_does_not_hold_together_is_an_error(block, message):
    facts = copy.deepcopy(FACTS)
    facts["selections"]["full"].append(block)
    with pytest.raises(matrix.MatrixError, match=message):
        matrix.Matrix(facts)


@pytest.mark.parametrize("text", ['{"platforms": [', "[]", '{"platforms": 3}', "{}"])
def test_a_broken_matrix_is_an_error_of_one_line(tmp_path, text):
    path = tmp_path / "matrix.json"
    path.write_text(text)
    with pytest.raises(matrix.MatrixError, match="^[^\n]*matrix[^\n]*$"):
        matrix.load(path)


def test_every_model_of_the_matrix_exists():
    for name in matrix.load().models:
        assert models.find(name).facts["name"] == name


@pytest.mark.parametrize("name", [p.name for p in matrix.load().platforms.values() if p.name in matrix.load().builds])
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


def test_a_board_is_one_entry():
    entry = {
        "name": "made-up-board",
        "board": True,
        "build": "cortex-m3-mps2",
        "runner": ["qemu-system-arm", "-kernel"],
    }
    before, after = matrix.load(), _with(platforms={**entry, "compile": {"target": "cortex-m3"}})
    new = set(_keys(after.select("quick"))) - set(_keys(before.select("quick")))
    assert new == {"digits/made-up-board/default", "digits/made-up-board/static"}
    assert after.platform("made-up-board").kind == "boards"


def test_models_that_fit_run_on_every_board_loaded_and_linked():
    table = matrix.load()
    boards = {p.name for p in table.platforms.values() if p.board}
    assert len(boards) == 9
    for setting in ("default", "static"):
        assert {
            c.platform.name for c in table.select("quick", ["digits"], None, [setting]) if c.platform.board
        } == boards


def test_a_linked_model_is_an_archive_and_a_copied_module_the_same_file():
    for name, file in (("default", "digits.xcm"), ("static", "digits.static.a"), ("ram", "digits.xcm")):
        (cell,) = matrix.load().select("full", ["digits"], ["cortex-m4-mps2"], [name])
        assert cell.module.name == file and cell.setting.ram == (name == "ram")


def test_commands_for_programs_refuse_boards_by_name(capsys):
    assert profile.main(["digits", "--platform=cortex-m4-mps2"]) == 1
    assert "cortex-m4-mps2: boards have no crosscut-bench" in capsys.readouterr().err
    assert conformance.main(["--platform=cortex-m4-mps2"]) == 1
    assert "cortex-m4-mps2: boards have no crosscut-run" in capsys.readouterr().err
    assert profile.main(["digits", "--setting=static"]) == 1
    assert "it is for boards" in capsys.readouterr().err


def test_libraries_are_built_for_what_the_platforms_look_for(tmp_path):
    """CMake's own reading of the toolchain files; programs that run natively use the host's."""
    table = matrix.load()
    script, wanted = tmp_path / "show.cmake", {"host"}
    for name in table.builds:
        script.write_text(
            f'include({paths.SOURCE}/toolchains/{name}.cmake)\nmessage("<${{CROSSCUT_DEPS_PLATFORM}}>")\n'
        )
        done = subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=True)
        if table.platforms[name].emulated and not table.platforms[name].board:
            wanted.add(re.search("<(.*)>", done.stderr)[1] or name)
    assert table.libraries[0] == "host" and sorted(table.libraries) == sorted(wanted)
    assert len(wanted) < len(table.builds)


def test_every_toolchain_file_is_a_platform_and_every_preset_is_built():
    boards = {p.name for p in matrix.load().platforms.values() if p.board}
    files = {p.stem: p.read_text() for p in (paths.SOURCE / "toolchains").glob("*.cmake")}
    assert set(files) <= set(matrix.load().platforms)
    assert {name for name, text in files.items() if "set(CROSSCUT_BOARD " in text} == boards
    builds = set(matrix.load().builds)
    presets = json.loads((paths.SOURCE / "CMakePresets.json").read_text())
    assert builds == {p["name"] for p in presets["configurePresets"] if not p.get("hidden")} - {"host"}


@pytest.mark.skipif(not paths.tool("crosscut-compile").is_file(), reason="crosscut-compile is not built")
def test_the_compilers_table_of_tested_platforms_is_the_matrix():
    done = subprocess.run([paths.tool("crosscut-compile"), "--list-targets"], capture_output=True, text=True)
    tested = {line.split()[0] for line in done.stdout.splitlines() if " tested " in line}
    platforms = matrix.load().platforms.values()
    systems = {p.name for p in platforms if not p.board and p.build in (p.name, "host")}
    boards = {option.removeprefix("--target=") for p in platforms if p.board for option in p.compile}
    assert tested == systems | boards | {"wasm32"}


def test_the_command_prints_names(capsys):
    assert matrix.main(["platforms"]) == 0
    assert capsys.readouterr().out.split() == list(matrix.load().platforms)
    assert matrix.main(["cells", "quick"]) == 0
    assert capsys.readouterr().out.split() == _keys(matrix.load().select("quick"))
    assert matrix.main(["cells", "weekly"]) == 1 and "error: " in capsys.readouterr().err
