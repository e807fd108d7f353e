"""What an image in flash consists of: `python3 -m crosscut.firmware_size PROGRAM [--flash N] [--program N]`.

An image holds the model (kernels and weights of a statically linked one, the file of a module) and the program: start-up
code, entry point, runtime. Symbols tell them apart: <model>_kernel<N> and <model>_weights of crosscut-compile, `module` and
`module_end` around a file. With --flash or --program it fails above that many bytes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Debian's names first; a cross compiler's own tools would do as well.
_TOOLS = ("llvm-{}-22", "llvm-{}")


class SizeError(Exception):
    """A program whose sizes can not be read."""


@dataclass(frozen=True)
class Sizes:
    flash: int  # code, constants and the variables' first values
    model: int  # of flash: kernels and weights, or the module's file

    @property
    def program(self) -> int:
        return self.flash - self.model


def _run(tool: str, *arguments: str | Path) -> str:
    program = next(filter(None, (shutil.which(name.format(tool)) for name in _TOOLS)), None)
    if not program:
        raise SizeError(f"no {_TOOLS[0].format(tool)}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SizeError((done.stderr.strip().splitlines() or ["no reason given"])[0])
    return done.stdout


def read(program: Path) -> Sizes:
    text, data = map(int, _run("size", "--format=berkeley", program).splitlines()[1].split()[:2])
    model = 0
    places: dict[str, int] = {}
    for line in _run("nm", "--print-size", "--format=posix", program).splitlines():
        name, _, *numbers = line.split()
        if numbers:
            places[name] = int(numbers[0], 16)
        if len(numbers) == 2 and re.search(r"_kernel\d+$|_weights$", name):
            model += int(numbers[1], 16)
    model += places.get("module_end", 0) - places.get("module", 0)
    return Sizes(text + data, model)


def code(archive: Path) -> int:
    """Of a statically linked model: its functions."""
    lines = (line.split() for line in _run("nm", "--print-size", "--format=posix", archive).splitlines())
    return sum(int(part[3], 16) for part in lines if len(part) == 4 and part[1] in "tT")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="crosscut.firmware_size", description=__doc__.splitlines()[0])
    parser.add_argument("elf", type=Path, metavar="PROGRAM")
    parser.add_argument("--flash", type=int, metavar="N", help="at most so many bytes in all")
    parser.add_argument("--program", type=int, metavar="N", help="at most so many bytes beside the model")
    options = parser.parse_args(arguments)
    try:
        found = read(options.elf)
    except (SizeError, OSError, ValueError, IndexError) as error:
        print(f"error: {options.elf.name}: {error}", file=sys.stderr)
        return 1
    ok = True
    for what, value, budget in (("flash", found.flash, options.flash), ("program", found.program, options.program)):
        print(f"{what}: {value} bytes" + (f" of at most {budget}" if budget is not None else ""))
        if budget is not None and value > budget:
            print(f"error: {options.elf.name}: {what} has {value} bytes, more than {budget}", file=sys.stderr)
            ok = False
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
