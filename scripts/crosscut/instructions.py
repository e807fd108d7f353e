"""What machine instructions do, by their names: sums of products, other arithmetic, loads, stores, the rest.

Good enough to see what a kernel spends its instructions on. An x86 instruction that computes with an operand in memory
counts as what it computes.
"""

from __future__ import annotations

import re
from pathlib import Path

from crosscut import runner

CLASSES = ("multiply-add", "other", "load", "store", "control")
DISASSEMBLER = "llvm-objdump-22"
TIMEOUT = 300.0

# By the start of an ELF machine's name: patterns of the classes, the first that fits counts; else it is control (with
# the arithmetic of addresses).
_STYLES: dict[str, dict[str, str]] = {
    "aarch64": {
        "multiply-add": r"fml[as]\b|fn?m(add|sub)\b",
        "load": r"ld|prfm",
        "store": r"st",
        "other": r"f|\S+\s+v\d|(dup|mov[iz]?|ins|zip|uzp|trn|ext)\s+[vsdq]\d",
    },
    "arm": {
        "multiply-add": r"v(n?ml[as]|fn?m[as])\b|vfn?m[as]\.",
        "load": r"vld|ld|pop|pld",
        "store": r"vst|st|push",
        "other": r"v",
    },
    "riscv": {
        "multiply-add": r"vfn?m(acc|add|sac|sub)|fn?m(add|sub)\.",
        "load": r"vl(e|s|u|r|\d)|fl[wd]\b|l[bhwd]u?\b|c\.f?l[wd]",
        "store": r"vs(?!et)(e|s|u|r|\d)|fs[wd]\b|s[bhwd]\b|c\.f?s[wd]",
        "other": r"v(?!set)|f",
    },
    "x86": {
        "multiply-add": r"vfn?m(add|sub)",
        "store": r"v?mov\S*\s+%\S+, .*\(.*\)$|v?extract\S*\s+.*\(.*\)$|push",
        "load": r"v?mov\S*\s+.*\(.*\),|v(broadcast|pbroadcast)\S*\s+.*\(.*\),|pop|prefetch",
        "other": r"v|\S+[ps][sd]\s|p(add|sub|mul|and|or|xor|s[lr]l|shuf)\S*\s",
    },
}
_STYLES["i386"] = _STYLES["x86"]


def classify(machine: str, text: str) -> str:
    """Of one instruction as the disassembler prints it; `machine`: of its file format ("elf64-littleaarch64")."""
    machine = machine.lower().removeprefix("elf64-").removeprefix("elf32-").removeprefix("little")
    for start, patterns in _STYLES.items():
        if machine.startswith(start):
            for name, pattern in patterns.items():
                if re.match(pattern, text):
                    return name
    return "control"


def classes_of(module: Path) -> dict[int, str]:
    """By the address of each instruction in the module's file."""
    text = runner.checked([DISASSEMBLER, "-d", "--no-show-raw-insn", str(module)], TIMEOUT).stdout
    found = re.search(r"file format (\S+)", text)
    machine = found[1] if found else ""
    lines = re.finditer(r"^\s*([0-9a-f]+):\s+(\S.*)$", text, re.MULTILINE)
    return {int(line[1], 16): classify(machine, re.sub(r"\s+", " ", line[2])) for line in lines}
