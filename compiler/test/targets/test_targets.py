"""Every target that --list-targets names compiles a whole model into a module that its loader could use: also those that
nothing here can run, of either byte order."""

from __future__ import annotations

import json
import re
import struct
import subprocess

import numpy as np
import onnx
import pytest
from conftest import SOURCE
from image import DYNAMIC_RELOCATIONS, MAGIC, PT_LOAD, Elf, Table
from toolchain import must_run

# Facts that a module's reader relies on: ELF class, byte order, e_machine, XCUT_ARCH_*; None: WebAssembly.
TARGETS = {
    "x86_64-linux": (64, "<", 62, 1),
    "i686-linux": (32, "<", 3, 2),
    "armv7-linux": (32, "<", 40, 3),
    "aarch64-linux": (64, "<", 183, 4),
    "riscv64-linux": (64, "<", 243, 6),
    "riscv64-v128-linux": (64, "<", 243, 6),
    "riscv64-v256-linux": (64, "<", 243, 6),
    "riscv64-v512-linux": (64, "<", 243, 6),
    "cortex-m0": (32, "<", 40, 3),
    "cortex-m3": (32, "<", 40, 3),
    "cortex-m4": (32, "<", 40, 3),
    "cortex-m7": (32, "<", 40, 3),
    "cortex-m55": (32, "<", 40, 3),
    "cortex-a53": (64, "<", 183, 4),
    "rv32imac": (32, "<", 243, 5),
    "rv32gcv": (32, "<", 243, 5),
    "rv64gc": (64, "<", 243, 6),
    "wasm32": None,
    "armeb-linux": (32, ">", 40, 3),
    "aarch64_be-linux": (64, ">", 183, 4),
    "riscv32-linux": (32, "<", 243, 5),
    "wasm64": None,
    "loongarch64-linux": (64, "<", 258, 255),
    "powerpc64le-linux": (64, "<", 21, 255),
    "s390x-linux": (64, ">", 22, 255),
}
# By triple, as people may type it; what no platform is named after.
TRIPLES = {
    "armv6-linux-gnueabihf": (32, "<", 40, 3),
    "thumbv6m-none-eabi": (32, "<", 40, 3),
    "thumbv7m-none-eabi": (32, "<", 40, 3),
    "thumbv8.1m.main-none-eabihf": (32, "<", 40, 3),
    "riscv32-unknown-elf": (32, "<", 243, 5),
    "aarch64-pc-linux-elf": (64, "<", 183, 4),
    "i386-pc-linux-elf": (32, "<", 3, 2),
}
ALL = TARGETS | TRIPLES


@pytest.fixture(scope="module")
def compiled(tools, classifier, classifier_shape):
    """Compiles for a target, once."""
    modules = {}

    def compile(target):
        if target not in modules:
            module = tools.work / f"classifier-{target}.xcm"
            must_run([tools.compiler, classifier / "model.onnx", "-o", module, f"--target={target}", classifier_shape])
            modules[target] = module
        return modules[target]

    return compile


def test_this_list_is_the_compilers(tools):
    listed = re.findall(r"^(\S+)\s+(tested|compile-only)\s", must_run([tools.compiler, "--list-targets"]), re.MULTILINE)
    assert [name for name, _ in listed] == list(TARGETS)
    from crosscut import matrix

    tested = {name for name, how in listed if how == "tested"}
    # What is tested is what the matrix runs, what wasm/ runs, and the boards that boot.
    boards = set()
    for toolchain in (SOURCE / "toolchains").glob("*.cmake"):
        facts = toolchain.read_text()
        if "set(CROSSCUT_BOARD " in facts:
            boards.add(re.search(r"set\(CROSSCUT_TARGET (\S+)\)", facts)[1])
    assert len(boards) == 9
    systems = {p.name for p in matrix.load().platforms.values() if not p.board}
    assert tested == {*systems, *boards, "wasm32"}


@pytest.mark.parametrize("target", [t for t, facts in ALL.items() if facts])
def test_elf_module_is_for_its_target(compiled, target):
    bits, order, machine, arch = ALL[target]
    image = Elf(compiled(target))
    assert (image.bits, image.order, image.machine, image.type) == (bits, order, machine, 3)
    loads = [s for s in image.segments if s.kind == PT_LOAD]
    assert [(s.flags, s.offset, s.address) for s in loads] == [(5, 0, 0)]  # one, readable and executable
    assert loads[0].file_bytes == loads[0].memory_bytes
    assert not [DYNAMIC_RELOCATIONS[t] for t in image.dynamic_tags if t in DYNAMIC_RELOCATIONS]
    table = Table(image, image.entry)
    assert (table.magic, table.version, table.arch) == (MAGIC, 1, arch)
    assert table.checksum_is_right
    # Big-endian ARM of the BE8 kind: data is big-endian, code little-endian.
    if target == "armeb-linux":
        assert image.flags & 0x00800000


@pytest.mark.parametrize("target", [t for t, facts in ALL.items() if facts])
def test_no_symbol_is_undefined(compiled, target):
    symbols = must_run(["llvm-readelf-22", "--dyn-symbols", compiled(target)])
    assert not [line for line in symbols.splitlines() if re.match(r"\s*[1-9]\d*:", line)]


@pytest.mark.parametrize("target", [t for t, facts in TARGETS.items() if not facts])
def test_wasm_module_imports_nothing(tools, compiled, target):
    module = compiled(target)
    assert module.read_bytes()[:8] == b"\0asm\1\0\0\0"
    text = must_run(["llvm-readobj-22", "--sections", "--symbols", module])
    assert "IMPORT" not in text
    # 64-bit memory is told by a flag of the memory section, which nothing else here can run.
    exports = must_run(["llvm-objdump-22", "-h", module])
    assert "EXPORT" in exports and "IMPORT" not in exports


def test_weights_lie_in_the_targets_byte_order(compiled, classifier):
    """The last layer's weights, packed or not, occur as floats of the target's order: the values, sorted, are the same."""
    little = Table(*(lambda e: (e, e.entry))(Elf(compiled("aarch64-linux")))).weights
    big = Table(*(lambda e: (e, e.entry))(Elf(compiled("aarch64_be-linux")))).weights
    assert len(little) == len(big) > 100_000
    count = len(little) // 4
    a = np.array(struct.unpack(f"<{count}I", little[: 4 * count]))
    b = np.array(struct.unpack(f">{count}I", big[: 4 * count]))
    assert (np.sort(a) == np.sort(b)).all() and not (a == np.frombuffer(big[: 4 * count], "<u4")).all()
    # They are the model's: those of the last matrix product, which nothing is folded into.
    weights = {n.output[0]: onnx.numpy_helper.to_array(n.attribute[0].t) for n in onnx.load(classifier / "model.onnx").graph.node
               if n.op_type == "Constant"}  # fmt: skip
    last = weights["fc_0.w_0"].astype("<f4").view("<u4").ravel()
    assert np.isin(last, b).all()


@pytest.mark.parametrize("target", ["armeb-linux", "s390x-linux", "riscv32-linux"])
def test_other_machines_refuse_by_name(tools, compiled, target):
    """This machine's runtime says what a foreign module is for, and describes none of a foreign byte order."""
    run = tools.host_programs / "crosscut-run"
    if not run.is_file():
        pytest.skip("crosscut-run is not built")
    done = subprocess.run([run, f"--module={compiled(target)}"], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1


def test_info_reads_modules_of_other_architectures(tools, compiled):
    info = tools.host_programs / "crosscut-info"
    if not info.is_file():
        pytest.skip("crosscut-info is not built")
    for target in ("aarch64-linux", "riscv32-linux", "cortex-m4"):
        facts = json.loads(must_run([info, compiled(target), "--json"]))
        assert facts["functions"][0]["name"] == "main" and facts["weights_bytes"] > 100_000
