"""CPUs and profiles that people name, of microcontrollers above all: a model compiled for one says the same of itself as what
clang compiles for it, and holds no instruction that it lacks."""

from __future__ import annotations

import json
import re

import pytest
from conftest import write_case
from toolchain import must_run

CORTEX_M = {
    "thumbv6m-none-eabi": ["cortex-m0", "cortex-m0plus", "cortex-m1"],
    "thumbv7m-none-eabi": ["cortex-m3"],
    "thumbv7em-none-eabihf": ["cortex-m4", "cortex-m7"],
    "thumbv8m.base-none-eabi": ["cortex-m23"],
    "thumbv8m.main-none-eabihf": ["cortex-m33", "cortex-m35p"],
    "thumbv8.1m.main-none-eabihf": ["cortex-m52", "cortex-m55", "cortex-m85"],
}
CORTEX_A = [f"cortex-a{n}" for n in (5, 7, 8, 9, 12, 15, 17)]
CORTEX_A64 = [f"cortex-a{n}" for n in (35, 53, 55, 57, 72, 73, 75, 76, 77, 78)]
PROFILES = {
    "riscv32-unknown-elf": ["rvi20u32", "rv32imac", "rv32imafc_zba", "rv32gcv"],
    "riscv64-unknown-elf": ["rvi20u64", "rva20u64", "rva22u64", "rva23u64", "rvb23u64", "rv64gcv_zvl256b"],
}
ARM = [(target, cpu) for target, cpus in CORTEX_M.items() for cpu in cpus]
ARM += [("armv7-linux-gnueabihf", cpu) for cpu in CORTEX_A]
RISCV = [(target, profile) for target, profiles in PROFILES.items() for profile in profiles]


@pytest.fixture(scope="module")
def digits(tools):
    return write_case(tools, "digits", "three") / "model.onnx"


@pytest.fixture(scope="module")
def archive(tools, digits):
    """Compiles the model for a CPU, statically linked."""

    def compile(target, cpu):
        path = tools.work / f"{target}-{cpu}.a"
        flags = ["--format=static", "--name=digits", f"--target={target}", f"--cpu={cpu}"]
        must_run([tools.compiler, digits, "-o", path, *flags])
        return path

    return compile


def _attributes(path, *names):
    """Of the first object: what its attributes say, by name."""
    text = must_run(["llvm-readelf-22", "-A", path])
    found = {}
    for entry in re.findall(r"Attribute \{(.*?)\}", text, re.DOTALL):
        facts = dict(re.findall(r"^\s*(\w+): (.*?)\s*$", entry, re.MULTILINE))
        if facts.get("TagName") in names:
            found[facts["TagName"]] = facts["Value"]
    assert found, text
    return found


def _by_clang(tools, target, *flags):
    source, output = tools.work / "empty.c", tools.work / "empty.o"
    source.write_text("int zero(void) { return 0; }\n")
    must_run(["clang-22", f"--target={target}", *flags, "-c", source, "-o", output])
    return output


def _instructions(path, *flags):
    lines = must_run(["llvm-objdump-22", "-d", "--no-show-raw-insn", *flags, path]).splitlines()
    return [line for line in lines if re.match(r"\s+[0-9a-f]+:\s", line) and ".word" not in line]


@pytest.mark.parametrize("target, cpu", ARM)
def test_arm_attributes_are_clangs(tools, archive, target, cpu):
    names = ("CPU_arch", "CPU_arch_profile", "FP_arch", "MVE_arch", "ABI_VFP_args", "DIV_use")
    ours = archive(target, cpu)
    assert _attributes(ours, *names) == _attributes(_by_clang(tools, target, f"-mcpu={cpu}"), *names)
    # Disassembled as that CPU would read it.
    instructions = _instructions(ours, f"--mcpu={cpu}")
    assert len(instructions) > 1000 and not [line for line in instructions if "<unknown>" in line]


@pytest.mark.parametrize("target, profile", RISCV)
def test_risc_v_profiles_are_clangs(tools, archive, target, profile):
    ours = archive(target, profile)
    assert _attributes(ours, "arch") == _attributes(_by_clang(tools, target, f"-march={profile}"), "arch")
    instructions = _instructions(ours)  # by the object's own attributes
    assert len(instructions) > 1000 and not [line for line in instructions if "<unknown>" in line]


# What the module asks of its machine, by the macro that says the same to a C program.
MACROS = {
    "dotprod": "__ARM_FEATURE_DOTPROD",
    "lse": "__ARM_FEATURE_ATOMICS",
    "crc": "__ARM_FEATURE_CRC32",
    "rdm": "__ARM_FEATURE_QRDMX",
    "fullfp16": "__ARM_FEATURE_FP16_VECTOR_ARITHMETIC",
    "rcpc": "__ARM_FEATURE_RCPC",
    "sve": "__ARM_FEATURE_SVE",
}


@pytest.mark.parametrize("cpu", CORTEX_A64)
def test_aarch64_features_are_clangs(tools, digits, cpu):
    info = tools.host_programs / "crosscut-info"
    if not info.is_file():
        pytest.skip("crosscut-info is not built")
    module = tools.work / f"{cpu}.xcm"
    must_run([tools.compiler, digits, "-o", module, "--target=aarch64-none-elf", f"--cpu={cpu}"])
    needed = json.loads(must_run([info, module, "--json"]))["variants"][0]["required_features"]
    defined = must_run(["clang-22", "--target=aarch64-none-elf", f"-mcpu={cpu}", "-E", "-dM", "-xc", "/dev/null"])
    expected = {name for name, macro in MACROS.items() if f"#define {macro} " in defined}
    assert set(needed) & set(MACROS) == expected


@pytest.mark.parametrize("target, cpus", [*CORTEX_M.items(), ("armv7-linux", CORTEX_A), ("aarch64-linux", CORTEX_A64)])
def test_arm_cpus_are_listed(tools, target, cpus):
    assert {*cpus} <= {
        line.split()[0] for line in must_run([tools.compiler, "--list-cpus", f"--target={target}"]).splitlines()
    }
