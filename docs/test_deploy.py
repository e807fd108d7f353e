"""Runs every command of deploy.md in one shell session, top to bottom, and compares what it prints.

A block marked ```sh is run; a ```text block behind it is what must come out, where a line `...` stands for any lines
and `...` in a line for any characters. Blocks marked ```sh setup are what scripts/test does before it gets here.
Everything is built in a folder of its own, which looks like the repository with its set-up done.

build/venv/bin/python -m pytest docs
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1]
DOCUMENT = (SOURCE / "docs/deploy.md").read_text()


@dataclass(frozen=True)
class Block:
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}"


def blocks() -> list[Block]:
    found = re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", DOCUMENT, re.MULTILINE)
    return [Block(DOCUMENT.count("\n", 0, m.start()) + 2, m[1], m[2]) for m in found]


def runs() -> list[tuple[Block, str | None]]:
    """Each block of commands, with what it has to print, if that is stated. Where it is not, a sample prints what it
    did before."""
    every, before, found = blocks(), {}, []
    for block, after in zip(every, [*every[1:], Block(0, "", "")], strict=True):
        if block.kind != "sh":
            continue
        sample = re.search(r"runtime/samples/\w+", block.text)
        expected = after.text if after.kind == "text" else before.get(sample and sample[0])
        if sample:
            before[sample[0]] = expected
        found.append((block, expected))
    return found


def pattern(expected: str) -> str:
    lines = []
    for line in expected.splitlines():
        anything = line == "..."
        lines.append(r"(?:.*\n)*?" if anything else r".*".join(map(re.escape, line.split("..."))) + r" *\n")
    return "".join(lines)


@pytest.fixture(scope="session")
def repository(pytestconfig, tmp_path_factory) -> Path:
    """A folder as the set-up leaves it: sources, build/host, the platforms; what is built beside them is new."""
    folder = tmp_path_factory.mktemp("deploy")
    for entry in SOURCE.iterdir():
        if entry.name != "build":
            (folder / entry.name).symlink_to(entry)
    build = folder / "build"
    build.mkdir()
    for name in ("venv", "deps", "models", "wheels"):
        (build / name).symlink_to(SOURCE / "build" / name)
    (build / "host").symlink_to(pytestconfig.getoption("--host-build"))
    for toolchain in (SOURCE / "toolchains").glob("*-linux.cmake"):
        platform = pytestconfig.getoption("--platforms-root") / toolchain.stem
        if platform.is_dir():
            (build / toolchain.stem).symlink_to(platform)
    return folder


@pytest.mark.parametrize("block, expected", runs(), ids=lambda value: str(value) if isinstance(value, Block) else "")
def test_commands_do_what_the_document_says(repository, block, expected):
    kept = repository / "build/environment"  # what earlier blocks exported
    script = f"set -euo pipefail\n[ ! -f {kept} ] || . {kept}\n{block.text}\nexport -p >{kept}\n"
    done = subprocess.run(
        ["bash", "-c", script], cwd=repository, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.text}\n{done.stdout[-4000:]}"
    if expected is not None and not re.fullmatch(pattern(expected), done.stdout):
        pytest.fail(f"expected:\n{expected}\nprinted:\n{done.stdout[-4000:]}", pytrace=False)


def test_set_up_is_what_the_tests_do():
    script = (SOURCE / "scripts/test").read_text()
    lines = [line for block in blocks() if block.kind == "sh setup" for line in block.text.splitlines()]
    assert lines and not [
        line for line in lines if not re.search(rf"[ {{]{re.escape(line)}(;|$)", script, re.MULTILINE)
    ]


# ---- Facts that the document states about other files ----------------------------------------------------------------


def boards() -> dict[str, dict[str, str]]:
    """What the toolchain files of boards set, by name."""
    facts = {}
    for toolchain in sorted((SOURCE / "toolchains").glob("*.cmake")):
        values = dict(re.findall(r"^set\((\w+) (.*)\)", toolchain.read_text(), re.MULTILINE))
        if "CROSSCUT_BOARD" in values:
            facts[toolchain.stem] = values
    assert len(facts) == 9
    return facts


def commands() -> str:
    return "\n".join(block.text for block, _ in runs())


def test_every_platform_is_built():
    for board in boards():
        assert f"toolchains/{board}.cmake" in commands(), board
    for platform in (SOURCE / "toolchains").glob("*-linux.cmake"):
        name = platform.stem.removesuffix("-linux")
        assert name == "x86_64" or re.search(rf"for platform in .*\b{name}\b", commands()), name


@pytest.mark.parametrize("board", boards())
def test_each_board_has_its_memory_map(board):
    script = (SOURCE / f"toolchains/boards/{boards()[board]['CROSSCUT_BOARD']}.ld").read_text()
    regions = re.findall(r"ORIGIN = (0x[0-9a-f]+), LENGTH = (\d+)([KM])", script)
    assert len(regions) == 2
    text = ", ".join(f"{size} {unit}B at {origin}" for origin, size, unit in regions)
    (section,) = [part for part in DOCUMENT.split("\n### ")[1:] if f"toolchains/{board}.cmake" in part]
    assert text in section


def test_every_hook_is_listed():
    hooks = set(re.findall(r"xcut_generic(_\w+)\(", (SOURCE / "runtime/include/crosscut/generic.h").read_text()))
    assert len(hooks) == 6
    for hook in hooks:
        assert re.search(rf"^\| .*{hook}`", DOCUMENT, re.MULTILINE), hook


# After the commands, whose programs are measured.
def test_sizes_are_those_of_the_programs(repository):
    def flash(program: Path) -> int:
        sizes = subprocess.run(["llvm-size-22", program], check=True, capture_output=True, text=True).stdout
        text, data, *_ = sizes.splitlines()[1].split()
        return int(text) + int(data)

    def row(board: str) -> list[int]:
        name = board.rsplit("-", 1)[0]
        digits, loader = repository / "build" / name, repository / "build" / f"elf-{name}"
        header = (digits / "digits.static/digits.h").read_text()
        weights, *ram = (int(re.search(rf"_{what}_BYTES (\d+)", header)[1]) for what in ("WEIGHTS", "ARENA", "STACK"))
        module = (loader / "xor.xcm").stat().st_size
        return [flash(digits / "program") - weights, weights, *ram, flash(loader / "program") - module, module]

    measured = {board.rsplit("-", 1)[0]: [value / 1024 for value in row(board)] for board in boards()}
    stated = {}
    for line in re.findall(r"^\| ([\w-]+) ((?:\| [\d.]+ ){6})\|$", DOCUMENT, re.MULTILINE):
        stated[line[0]] = [float(cell) for cell in re.findall(r"[\d.]+", line[1])]
    table = "\n".join(f"| {name} | {' | '.join(f'{v:.1f}' for v in values)} |" for name, values in measured.items())
    assert stated.keys() == measured.keys(), f"the table should be\n{table}"
    for name, values in measured.items():
        for value, said in zip(values, stated[name], strict=True):
            # Smaller is no error, until the document is far from what is so.
            assert said / 2 - 0.1 <= value <= said * 1.1 + 0.1, f"{name}; the table should be\n{table}"
