"""`scripts/profile` gives every instruction of an inference to the kernel that it belongs to."""

from __future__ import annotations

import struct

import pytest

from crosscut import instructions, matrix, paths, profile, runner


def _image() -> bytes:
    """A header of 64 bytes whose entry address is 64, a table of 16, then code without repetition."""
    header = bytearray(64)
    header[4:6] = 2, 1  # 64 bits, little endian
    struct.pack_into("<Q", header, 24, 64)
    return bytes(header) + bytes(16) + bytes(i * 7 % 251 for i in range(240))


def _block(image, base, offset, length, instructions, executions):
    content = image[offset : offset + length]
    return {
        "address": hex(base + offset),
        "instructions": instructions,
        "executions": executions,
        "bytes": content.hex(),
    }


def test_blocks_belong_to_the_kernel_that_they_lie_in():
    image, base = _image(), 0x7F0000001000
    kernels = [
        {"name": "second", "flops": 80, "code_offset": 16 + 100},
        {"name": "first", "flops": 0, "code_offset": 16},
    ]
    blocks = [
        _block(image, base, 80, 20, 5, 10),
        _block(image, base, 179, 1, 1, 3),  # too short to be found by itself
        _block(image, base, 180, 20, 5, 100),
        {"address": "0x10000", "instructions": 7, "executions": 2, "bytes": "ff" * 28},
    ]
    rows, outside = profile.attribute(image, kernels, blocks)
    assert {row.name: row.instructions for row in rows} == {
        "first": 53,
        "second": 500,
        "(before the kernels)": 0,
    }
    assert [row.index for row in rows] == [1, 0, None]
    assert not any(row.classes for row in rows)
    classes = {80: "load", 84: "multiply-add", 96: "store", 180: "load", 300: "store"}
    rows, _ = profile.attribute(image, kernels, blocks, classes)
    assert {row.name: dict(row.classes) for row in rows if row.classes} == {
        "first": {"load": 10, "multiply-add": 10, "store": 10},
        "second": {"load": 100},
    }
    assert {row.name: row.calls for row in rows if row.calls} == {"first": 10, "second": 100}
    assert outside == 14


@pytest.mark.parametrize(
    ("machine", "text", "expected"),
    [
        ("elf64-littleaarch64", "fmla v1.4s, v2.4s, v3.s[0]", "multiply-add"),
        ("elf64-littleaarch64", "ldp q1, q2, [x0], #0x20", "load"),
        ("elf64-littleaarch64", "stp q1, q2, [x0]", "store"),
        ("elf64-littleaarch64", "fmaxnm v1.4s, v2.4s, v3.4s", "other"),
        ("elf64-littleaarch64", "mov v1.16b, v2.16b", "other"),
        ("elf64-littleaarch64", "add x1, x2, #0x10", "control"),
        ("elf64-littleaarch64", "b.ne 0x640", "control"),
        ("elf32-littlearm", "vmla.f32 q0, q1, d4[0]", "multiply-add"),
        ("elf32-littlearm", "vfma.f32 q0, q1, q2", "multiply-add"),
        ("elf32-littlearm", "vld1.32 {d0, d1}, [r1]!", "load"),
        ("elf32-littlearm", "vmax.f32 q0, q1, q2", "other"),
        ("elf32-littlearm", "bne 0x80", "control"),
        ("elf64-littleriscv", "vfmacc.vf v4, ft3, v0", "multiply-add"),
        ("elf64-littleriscv", "fmadd.s fa0, fa1, fa2, fa3", "multiply-add"),
        ("elf64-littleriscv", "vle32.v v0, (a0)", "load"),
        ("elf64-littleriscv", "flw ft3, 0x0(a3)", "load"),
        ("elf64-littleriscv", "vse32.v v0, (a0)", "store"),
        ("elf64-littleriscv", "vsetvli a0, a1, e32, m4, ta, ma", "control"),
        ("elf64-littleriscv", "vfmax.vf v0, v1, fa0", "other"),
        ("elf64-x86-64", "vfmadd231ps (%rax){1to16}, %zmm1, %zmm2", "multiply-add"),
        ("elf64-x86-64", "vmovups (%rax), %ymm1", "load"),
        ("elf64-x86-64", "vmovups %ymm1, (%rax)", "store"),
        ("elf32-i386", "mulps %xmm1, %xmm2", "other"),
        ("elf64-x86-64", "addq $0x20, %rax", "control"),
        ("elf64-unknown", "anything", "control"),
    ],
)
def test_what_an_instruction_does_follows_from_its_name(machine, text, expected):
    assert instructions.classify(machine, text) == expected


def test_a_program_that_never_ran_the_module_has_no_profile():
    blocks = [{"address": "0x10000", "instructions": 7, "executions": 2, "bytes": "ff" * 28}]
    with pytest.raises(profile.ProfileError):
        profile.attribute(_image(), [{"name": "k", "flops": 0, "code_offset": 16}], blocks)


@pytest.mark.skipif(
    not paths.program("crosscut-bench", "aarch64-linux").is_file() or not runner.plugin().is_file(),
    reason="the programs for aarch64-linux are not built",
)
def test_the_kernels_of_a_model_add_up(capsys):
    assert profile.main(["ppocr_cls", "--platform", "aarch64-linux"]) == 0
    header, _, *rows, last = capsys.readouterr().out.splitlines()
    first = ["instructions", "share", "calls", "multiply-adds", "each"]
    assert header.split() == [*first, *instructions.CLASSES, "kernel"]
    counts = [float(row.split()[0]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == pytest.approx(float(last.split()[0]), abs=0.01 * len(rows))
    # What is not the module's is the call of it.
    assert float(next(row for row in rows if "(outside the module)" in row).split()[0]) < 0.1
    rates = [float(row.split()[5]) for row in rows if row.split()[5] != "-"]
    assert rates and all(0 < rate <= 4 for rate in rates)
    # Four lanes: the sums of products among the instructions are a quarter of the multiply-adds, or some more.
    for row in rows:
        cells = row.replace(" %", "").split()
        if cells[4] != "-":
            shares = [float(cell) for cell in cells[5:10]]
            assert sum(shares) == pytest.approx(100, abs=3)
            assert shares[0] >= 100 * float(cells[4]) / 4 - 1, row


def test_unknown_names_are_errors_of_one_line(capsys):
    for arguments in (["nothing"], ["digits", "--platform", "pdp11"], ["digits", "--setting", "fast"]):
        assert profile.main(arguments) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert matrix.load().cell("digits", paths.HOST_PLATFORM, "default").key
