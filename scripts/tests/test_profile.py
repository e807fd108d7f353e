"""`scripts/profile` gives every instruction of an inference to the kernel that it belongs to."""

from __future__ import annotations

import struct

import pytest

from crosscut import matrix, paths, profile, runner


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
    assert {row.name: row.calls for row in rows if row.calls} == {"first": 10, "second": 100}
    assert outside == 14


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
    assert header.split() == ["instructions", "share", "calls", "multiply-adds", "each", "kernel"]
    counts = [float(row.split()[0]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == pytest.approx(float(last.split()[0]), abs=0.01 * len(rows))
    # What is not the module's is the call of it.
    assert float(next(row for row in rows if "(outside the module)" in row).split()[0]) < 0.1
    rates = [float(row.split()[5]) for row in rows if row.split()[5] != "-"]
    assert rates and all(0 < rate <= 4 for rate in rates)


def test_unknown_names_are_errors_of_one_line(capsys):
    for arguments in (["nothing"], ["digits", "--platform", "pdp11"], ["digits", "--setting", "fast"]):
        assert profile.main(arguments) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert matrix.load().cell("digits", paths.HOST_PLATFORM, "default").key
