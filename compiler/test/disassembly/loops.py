"""Finds the innermost loops of a module's machine code, from llvm-objdump's text.

A loop is what lies between a branch and the earlier instruction that it goes back to; it is innermost when no other such
branch lies inside. Compilers lay loops out that way; one that is laid out otherwise is not seen, so tests also ask that
loops are found at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from toolchain import must_run


@dataclass(frozen=True)
class Style:
    """How an architecture writes what we look for. Patterns are searched in `mnemonic operands`."""

    branch: str  # the last hexadecimal number of such an instruction is where it goes
    stack: str  # any use of the stack pointer
    spill: str  # of a vector register, or the address for that
    store: str  # of results: vectors to memory, not to the stack
    address: str = r"0x([0-9a-f]+)"


_X86_SPILL = r"%[xyz]mm.*\(%[er]sp|\(%[er]sp.*%[xyz]mm"
_X86_STORE = r"^vmov[au]ps %[xyz]mm\d+, (?!.*%[er]sp)"
STYLES = {
    "x86_64": Style(r"^j\w+\s", r"%[er]sp\b", _X86_SPILL, _X86_STORE),
    "aarch64": Style(
        r"^(b|b\.\w+|cbn?z|tbn?z)\s", r"\bsp\b", r"^(ld|st)\w* (q|{).*\bsp\b", r"^st[rup1]\w* (q|{)(?!.*\bsp\b)"
    ),
    # Quad registers are spilled through an address in a general register.
    "arm": Style(
        r"^(b(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?(\.w|\.n)?|cbn?z)\s",
        r"\bsp\b",
        r"^v\w+(\.\d+)? .*\bsp\b|^(add|sub|mov) \w+, sp\b",
        r"^vst1",
    ),
    "riscv64": Style(
        r"^(b\w+|j|c\.j|c\.b\w+)\s",
        r"\bsp\b",
        r"^v[ls]\dr\.v ",  # whole registers are moved for nothing else
        r"^vse32\.v",
    ),
}


@dataclass(frozen=True)
class Instruction:
    address: int
    text: str  # mnemonic and operands, one space between


@dataclass(frozen=True)
class Loop:
    instructions: tuple[Instruction, ...]

    def count(self, pattern: str, but_not: str = "$^") -> int:
        texts = [i.text for i in self.instructions if not re.search(but_not, i.text)]
        return sum(1 for text in texts if re.search(pattern, text))

    def __str__(self) -> str:
        return "\n".join(f"  {i.address:x}: {i.text}" for i in self.instructions)


def disassemble(module: Path) -> list[Instruction]:
    text = must_run(["llvm-objdump-22", "-d", "--no-show-raw-insn", "--no-leading-headers", module])
    found = []
    for line in text.splitlines():
        if match := re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line):
            found.append(Instruction(int(match[1], 16), re.sub(r"\s+", " ", match[2].split("<")[0]).strip() + " "))
    assert found, f"no code in {module}"
    return found


def innermost_loops(instructions: list[Instruction], style: Style) -> list[Loop]:
    position = {i.address: n for n, i in enumerate(instructions)}
    spans = []
    for end, instruction in enumerate(instructions):
        if not re.search(style.branch, instruction.text):
            continue
        targets = re.findall(style.address, instruction.text)
        start = position.get(int(targets[-1], 16)) if targets else None
        if start is not None and start <= end:
            spans.append((start, end))
    spans.sort(key=lambda span: (span[1], -span[0]))
    # Sorted by end: the innermost loop around a branch is the first that ends there; one that begins inside another that
    # was kept encloses nothing of it only when it begins after its end.
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if not any(start <= s and e <= end for s, e in kept):
            kept.append((start, end))
    return [Loop(tuple(instructions[start : end + 1])) for start, end in kept]
