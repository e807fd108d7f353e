"""Reads modules as a loader on the target would, whatever the target's byte order: ELF by hand, tables by abi.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = 0x314D4358
PT_LOAD, PT_DYNAMIC = 1, 2
DYNAMIC_RELOCATIONS = {7: "RELA", 17: "REL", 22: "TEXTREL", 23: "JMPREL", 36: "RELR", 1: "NEEDED"}


@dataclass(frozen=True)
class Segment:
    kind: int
    flags: int
    offset: int
    address: int
    file_bytes: int
    memory_bytes: int


class Elf:
    def __init__(self, path: Path) -> None:
        self.bytes = path.read_bytes()
        assert self.bytes[:4] == b"\x7fELF"
        self.bits = {1: 32, 2: 64}[self.bytes[4]]
        self.order = {1: "<", 2: ">"}[self.bytes[5]]
        word = "Q" if self.bits == 64 else "I"
        header = self.unpack(f"HHI{word}{word}{word}IHHHHHH", 16)
        self.type, self.machine, _, self.entry, at, _, self.flags, _, size, count, *_ = header
        self.segments = [self.segment(at + i * size) for i in range(count)]

    def unpack(self, fields: str, at: int) -> tuple:
        return struct.unpack_from(self.order + fields, self.bytes, at)

    def segment(self, at: int) -> Segment:
        if self.bits == 64:
            kind, flags, offset, address, _, file_bytes, memory_bytes, _ = self.unpack("IIQQQQQQ", at)
        else:
            kind, offset, address, _, file_bytes, memory_bytes, flags, _ = self.unpack("IIIIIIII", at)
        return Segment(kind, flags, offset, address, file_bytes, memory_bytes)

    @property
    def dynamic_tags(self) -> list[int]:
        size, fields = (16, "qQ") if self.bits == 64 else (8, "iI")
        tags = []
        for segment in self.segments:
            if segment.kind == PT_DYNAMIC:
                tags += [self.unpack(fields, segment.offset + i)[0] for i in range(0, segment.file_bytes, size)]
        return tags


@dataclass(frozen=True)
class Table:
    """The module table and what lies behind its offsets; `at` is its place in the file."""

    image: Elf
    at: int

    def field(self, kind: str, offset: int) -> int:
        return self.image.unpack(kind, self.at + offset)[0]

    def text(self, offset: int) -> str:
        start = self.at + offset + self.field("i", offset)
        return self.image.bytes[start : self.image.bytes.index(b"\0", start)].decode()

    @property
    def magic(self) -> int:
        return self.field("I", 0)

    @property
    def version(self) -> int:
        return self.field("H", 4)

    @property
    def checksum_is_right(self) -> bool:
        checksum, checked = self.field("I", 8), self.field("Q", 16)
        value = 0x811C9DC5
        image = self.image.bytes[:checked] + bytes(-checked % 4)
        for i, word in enumerate(struct.unpack(f"<{len(image) // 4}I", image)):
            value = ((value ^ (0 if 4 * i == self.at + 8 else word)) * 0x01000193) & 0xFFFFFFFF
        return value == checksum

    @property
    def arch(self) -> int:
        return self.field("I", 12)

    @property
    def weights(self) -> bytes:
        offset, size = self.field("Q", 24), self.field("Q", 32)
        return self.image.bytes[offset : offset + size]

    @property
    def triple(self) -> str:
        return self.text(56)
