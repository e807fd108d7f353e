"""Reads what `crosscut-compile --print-arena` draws."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Tensor:
    name: str
    bytes: int
    first: int
    last: int
    at_peak: bool
    cells: str


@dataclass
class Drawing:
    arena: int
    bound: int
    ratio: float
    peak: int
    steps: int
    scratch: int = 0
    tensors: list[Tensor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [tensor.name for tensor in self.tensors]

    def alive(self) -> list[int]:
        """Bytes alive in each step, from the tensors' lines alone."""
        return [sum(t.bytes for t in self.tensors if t.first <= step <= t.last) for step in range(self.steps)]


HEAD = re.compile(
    r"arena of \w+: (\d+) bytes, ([0-9.]+) x the bound: (\d+) bytes alive at once in step (\d+) of 0\.\.(\d+)"
)
LINE = re.compile(r" *(\d+)  (\d+)\.\.(\d+) +(\* )?(.*?)  +([·█▒]+)")


def read(text: str) -> Drawing:
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("arena of"))
    head = HEAD.fullmatch(lines[at])
    assert head, lines[at]
    arena, ratio, bound, peak, last = head.groups()
    drawing = Drawing(int(arena), int(bound), float(ratio), int(peak), int(last) + 1)
    drawing.lines = lines[at : lines.index("", at + 3)]
    scratch = re.search(r"of which (\d+) are scratch", lines[at + 1])
    drawing.scratch = int(scratch[1]) if scratch else 0
    for line in drawing.lines:
        if found := LINE.fullmatch(line):
            count, first, end, mark, name, cells = found.groups()
            drawing.tensors.append(Tensor(name, int(count), int(first), int(end), bool(mark), cells))
    return drawing
