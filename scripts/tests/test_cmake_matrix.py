"""CMake's targets for modules are the cells of the matrix, with the options that scripts/nightly gives the compiler."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest

from crosscut import matrix, models, paths, runner

pytestmark = pytest.mark.skipif(
    not shutil.which("clang++-22") or not (paths.SOURCE / "build" / "deps" / "install").is_dir(),
    reason="scripts/setup has not been run",
)


def _configure(folder, *options):
    command = ["cmake", "--preset", "host", "-B", str(folder), "-DCROSSCUT_BUILD_TESTS=OFF", *options]
    return subprocess.run(command, cwd=paths.SOURCE, capture_output=True, text=True)


def _flags(folder, target):
    """The options of every command that makes a module, by the module's name."""
    done = subprocess.run(["ninja", "-C", str(folder), "-t", "commands", target], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        if "/crosscut-compile /" in line:
            words = shlex.split(line.split(" && ", 1)[1])
            at = words.index("-o")
            found[words[at + 1].rpartition("/")[2]] = sorted(words[at + 2 :])
    return found


def _expected(cells):
    found = {}
    for cell in cells:
        shapes = {} if cell.setting.dynamic else models.find(cell.model).fixed_shapes
        name = f"{cell.model}.{cell.setting.name}.{cell.platform.name}"
        # A linked model's functions are called as its target.
        own = (f"--name={name}",) if cell.setting.static else ()
        command = runner.compile_command(cell.module, cell.module, None, shapes, (*cell.compile, *own))
        found[name + (".a" if cell.setting.static else ".xcm")] = sorted(map(str, command[4:]))
    return found


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A build tree whose matrix has one more model and one more platform, and that matrix."""
    facts = json.loads(paths.MATRIX.read_text())
    facts["models"].append("matmul_softmax")
    compile = {"target": "aarch64-linux", "cpu": "cortex-a55", "features": "+dotprod"}
    facts["platforms"].append(
        {"name": "made-up-linux", "build": "aarch64-linux", "runner": ["true"], "compile": compile}
    )
    folder = tmp_path_factory.mktemp("made_up")
    file = folder / "matrix.json"
    file.write_text(json.dumps(facts))
    done = _configure(folder / "build", f"-DCROSSCUT_MATRIX_FILE={file}")
    assert done.returncode == 0, done.stderr
    return folder / "build", matrix.Matrix(facts)


def test_every_cell_has_a_target_with_its_options_and_an_entry_more_is_targets_more(made_up):
    folder, table = made_up
    expected = _expected(table.select("full"))
    assert _flags(folder, "matrix") == expected
    assert expected["matmul_softmax.default.made-up-linux.xcm"] == [
        "--cpu=cortex-a55",
        "--features=+dotprod",
        "--target=aarch64-linux",
    ]


@pytest.mark.parametrize("what, name", [("platforms", "made-up-linux"), ("models", "matmul_softmax")])
def test_a_platform_and_a_model_have_a_target_each(made_up, what, name):
    folder, table = made_up
    assert _flags(folder, f"matrix-{name}") == _expected(table.select("full", **{what: [name]}))


def test_modules_of_the_matrix_are_not_part_of_all(made_up):
    assert not [name for name in _flags(made_up[0], "all") if name.endswith(("-linux.xcm", "-mps2.xcm", ".a"))]


def test_a_broken_matrix_is_an_error_that_names_the_file(tmp_path):
    file = tmp_path / "matrix.json"
    file.write_text(paths.MATRIX.read_text().replace('"threads2", "device"', '"threads2", "devise"'))
    done = _configure(tmp_path / "build", f"-DCROSSCUT_MATRIX_FILE={file}")
    assert done.returncode != 0
    assert str(file) in done.stderr.replace("\n", "") and "unknown 'devise'" in done.stderr
