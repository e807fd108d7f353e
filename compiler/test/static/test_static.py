"""--format=static: objects that link into any program of their target, headers that any compiler takes, and the values
of the same model as a module."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from toolchain import COMPILERS, must_run, run

HERE = Path(__file__).parent
# By triple, as people may type it; what no platform is named after.
TRIPLES = ["armv6-linux-gnueabihf", "thumbv6m-none-eabi", "thumbv7m-none-eabi", "thumbv7em-none-eabi",
           "thumbv8.1m.main-none-eabihf", "riscv32-unknown-elf", "aarch64-none-elf", "i386-pc-linux-elf"]  # fmt: skip
# What every C compiler expects of its environment, and what linkers define.
ALLOWED = {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", ".TOC."}
WARNINGS = {
    "gcc": ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Wstrict-prototypes"],
    "g++": ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Wold-style-cast"],
    "clang-22": ["-Weverything", "-Wno-declaration-after-statement"],
    "clang++-22": ["-Weverything", "-Wno-c++98-compat", "-Wno-c++98-compat-pedantic", "-Wno-unsafe-buffer-usage"],
}


def elf_targets() -> list[str]:
    """What --list-targets has, as compiler/test/targets checks it, without WebAssembly."""
    platforms = HERE.parents[1] / "Target" / "Platforms.cpp"
    names = re.findall(r'^    \{"([^"]+)", "', platforms.read_text(), re.MULTILINE)
    assert len(names) > 10
    return [name for name in names if not name.startswith("wasm")]


@pytest.fixture(scope="module")
def simple() -> Path:
    from crosscut import models

    return models.get("simple").onnx


@pytest.fixture(scope="module")
def static(tools, simple):
    """Compiles `simple` for a target into a folder of its own, once."""
    made = {}

    def compile(target, *flags):
        key = (target, *flags)
        if key not in made:
            folder = tools.work / re.sub(r"[^a-z0-9]+", "_", "-".join(("static", *key)))
            folder.mkdir()
            must_run(
                [
                    tools.compiler,
                    simple,
                    "--format=static",
                    "-o",
                    folder / "simple.o",
                    *[f"--target={target}"] * bool(target),
                    *flags,
                ]
            )
            made[key] = folder
        return made[key]

    return compile


def symbols(path: Path) -> list[tuple[str, str]]:
    """(kind, name) of an object's symbols that a linker sees."""
    lines = must_run(["llvm-nm-22", "--extern-only", path]).splitlines()
    return [(kind, name) for kind, name in re.findall(r"^[0-9a-f ]* (\w) (\S+)$", "\n".join(lines), re.MULTILINE)]


@pytest.mark.parametrize("target", [*elf_targets(), *TRIPLES])
def test_object_offers_one_function_and_needs_memcpy_and_memset_at_most(static, target):
    found = symbols(static(target) / "simple.o")
    assert {name for kind, name in found if kind == "U"} <= ALLOWED
    assert [(kind, name) for kind, name in found if kind != "U"] == [("T", "simple_run")]


def test_object_is_data_and_code_that_nothing_writes(static):
    for target in ("x86_64-linux", "cortex-m4", "riscv32-unknown-elf"):
        sections = must_run(["llvm-readelf-22", "-SW", static(target) / "simple.o"])
        assert not re.search(r"\bWAX?\b", sections)
        assert ".stack_sizes" not in sections
        # On Linux, without this note linkers make the whole program's stack executable; elsewhere they complain of it.
        assert (".note.GNU-stack" in sections) == ("linux" in target)


@pytest.mark.parametrize("compiler", WARNINGS)
@pytest.mark.parametrize("standard", ["oldest", "newest"])
def test_header_compiles_with_all_warnings(static, tmp_path, compiler, standard):
    plus = "++" in compiler
    source = tmp_path / ("all.cpp" if plus else "all.c")
    source.write_text(
        '#include "simple.h"\n#include "simple.h"\n'
        "int call(const float *x, float *y);\n"
        "int call(const float *x, float *y) {\n"
        "  static SIMPLE_ALIGNED unsigned char arena[SIMPLE_ARENA_BYTES];\n"
        "  static const int shape[SIMPLE_X_RANK] = SIMPLE_X_SHAPE;\n"
        "  return simple_run(x, y, arena) + shape[0];\n}\n"
    )
    flag = {("oldest", False): "c99", ("newest", False): "c17", ("oldest", True): "c++11", ("newest", True): "c++20"}[
        (standard, plus)
    ]
    must_run(
        [
            compiler,
            f"-std={flag}",
            "-Werror",
            *WARNINGS[compiler],
            f"-I{static('')}",
            "-c",
            source,
            "-o",
            tmp_path / "all.o",
        ]
    )


@pytest.mark.parametrize("platform_name", COMPILERS)
def test_values_are_those_of_the_module(tools, simple, classifier, classifier_shape, tmp_path, platform_name):
    """Two models in one program, bit for bit: what the code generator makes of a model depends on no format."""
    platform = tools.platform(platform_name)
    if not platform.is_built() or not shutil.which(COMPILERS[platform_name]):
        pytest.skip(f"{platform_name} is not built")
    from crosscut import models

    jobs = {
        "simple": (simple, models.get("simple").samples()[0].inputs[0], []),
        "classifier": (classifier / "model.onnx", classifier / "input.npy", [classifier_shape]),
    }
    expected = []
    for name, (model, value, flags) in jobs.items():
        must_run([tools.compiler, model, "--format=static", "-o", tmp_path / f"lib{name}.a", *platform.target, *flags])
        (tmp_path / f"lib{name}.h").rename(tmp_path / f"{name}.h")
        must_run([tools.compiler, model, "-o", tmp_path / f"{name}.xcm", *platform.target, *flags])
        output = tmp_path / f"{name}.npy"
        done = platform.run_module(f"--module={tmp_path / f'{name}.xcm'}", f"--input=@{value}", f"--output=@{output}")
        assert done.returncode == 0, done.stderr
        expected.append(np.load(output).astype("<f4").tobytes())
    program = tmp_path / "two_models"
    must_run([COMPILERS[platform_name], "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", HERE / "two_models.c", "-o", program,
              f"-I{tmp_path}", f"-L{tmp_path}", "-lclassifier", "-lsimple"])  # fmt: skip
    inputs = b"".join(np.load(value).astype("<f4").tobytes() for _, value, _ in jobs.values())
    done = subprocess.run([*platform.runner, program], input=inputs, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(expected)
    # And they are right, by the model's own tolerance.
    wanted, bound = (np.fromfile(classifier / f"{n}.bin", "<f4") for n in ("expected", "bound"))
    assert (np.abs(np.frombuffer(expected[1], "<f4") - wanted.ravel()) <= bound.ravel()).all()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="no compiler for Cortex-M")
@pytest.mark.parametrize("abi", ["soft", "softfp", "hard"])
def test_object_links_with_programs_of_its_float_abi(static, tmp_path, abi):
    triple = "thumbv7em-none-eabihf" if abi == "hard" else "thumbv7em-none-eabi"
    folder = static(triple, "--cpu=cortex-m4", f"--abi={abi}")
    main = tmp_path / "main.c"
    main.write_text('#include "simple.h"\nfloat x[SIMPLE_X_ELEMENTS], y[SIMPLE_Y_ELEMENTS];\n'
                    "static SIMPLE_ALIGNED unsigned char arena[SIMPLE_ARENA_BYTES];\n"
                    "float scale(float v) { return v + 1; }\n"
                    "int main(void) { return simple_run(x, y, arena); }\n")  # fmt: skip

    def link(user):
        flags = [
            "-mcpu=cortex-m4",
            "-mthumb",
            f"-mfloat-abi={user}",
            *([] if user == "soft" else ["-mfpu=fpv4-sp-d16"]),
        ]
        return run(
            [
                "arm-none-eabi-gcc",
                *flags,
                "--specs=nosys.specs",
                f"-I{folder}",
                main,
                folder / "simple.o",
                "-o",
                tmp_path / "a.elf",
            ]
        )

    for user in ("soft", "softfp", "hard"):
        done = link(user)
        if (user == "hard") == (abi == "hard"):
            assert done.returncode == 0, done.stderr
        else:
            assert done.returncode != 0 and "VFP register arguments" in done.stderr
    # Soft code touches no floating-point register.
    code = must_run(["llvm-objdump-22", "-d", "--mcpu=cortex-m4", folder / "simple.o"])
    assert bool(re.search(r"\bv(add|mul|mov|ldr|str)", code)) == (abi != "soft")


@pytest.mark.parametrize(
    "cpu, abi, flags", [("+m,+a,+c", "", "soft-float ABI"), ("+m,+a,+f,+d,+c", "", "double-float ABI"),
                        ("+m,+a,+f,+d,+c", "ilp32", "soft-float ABI"), ("+m,+a,+f,+c", "ilp32f", "single-float ABI")]
)  # fmt: skip
def test_riscv_object_says_its_abi(static, cpu, abi, flags):
    options = ["--cpu=generic-rv32", f"--features=-d,-f,{cpu}", *([f"--abi={abi}"] if abi else [])]
    header = must_run(["llvm-readelf-22", "-h", static("riscv32-unknown-elf", *options) / "simple.o"])
    assert flags in header or (flags == "soft-float ABI" and "float ABI" not in header)


def test_weights_lie_in_the_section_that_is_asked_for(static):
    def weights(folder):
        listing = must_run(["llvm-readelf-22", "-SW", folder / "simple.o"])
        ((name, flags, alignment),) = re.findall(
            r"(\S+) +PROGBITS +0+ [0-9a-f]+ 0017e8 00 +(\w+) +\d+ +\d+ +(\d+)", listing
        )
        assert alignment == "64"
        return name, flags

    assert weights(static("cortex-m4")) == (".rodata.simple_weights", "A")
    assert weights(static("cortex-m4", "--weights-section=.qspi_flash")) == (".qspi_flash", "A")


def onnx_with_names(path: Path, names: list[str], outputs: list[str]) -> None:
    """Sums its inputs of two elements, one output for each name."""
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in names]
    nodes = [helper.make_node("Sum", names, [output]) for output in outputs]
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in outputs]
    graph = helper.make_graph(nodes, "g", tensors, results)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("compiler", WARNINGS)
def test_any_name_becomes_an_identifier(tools, tmp_path, compiler):
    names = [
        "int",
        "1",
        "a/b",
        "a.b",
        "A_B",
        "arena",
        "class",
        "x*/ #error",
        'quote"??/\\',
        "line\nbreak",
        "größe",
        "___",
        "run",
    ]
    onnx_with_names(tmp_path / "m.onnx", names, ["int#", "naïve"])
    object = tmp_path / "2 fast-models.o"
    must_run([tools.compiler, tmp_path / "m.onnx", "--format=static", "-o", object])
    header = (tmp_path / "2 fast-models.h").read_text(encoding="ascii")
    parameters = re.findall(r"(\w+)\[", header.split("int m2_fast_models_run(")[1])
    assert parameters == ["int_", "t1", "a_b", "a_b_2", "A_B_3", "arena_", "class_", "x_error", "quote", "line_break", "gr_e",
                          "tensor", "run", "int_2", "na_ve"]  # fmt: skip
    assert '#define M2_FAST_MODELS_QUOTE_NAME "quote\\042\\077\\077/\\134"' in header
    plus = "++" in compiler
    source = tmp_path / ("all.cpp" if plus else "all.c")
    source.write_text(
        '#include "2 fast-models.h"\nextern const char *name;\nconst char *name = M2_FAST_MODELS_GR_E_NAME;\n'
    )
    must_run([compiler, "-Werror", *WARNINGS[compiler], "-c", source, "-o", tmp_path / "all.o"])


def test_each_function_gets_a_c_function(tools, tmp_path):
    body = "%r = arith.addf %x, %x : tensor<2xf32>\n  return %r : tensor<2xf32>\n}\n"
    functions = [
        f"func.func @{name}(%x: tensor<2xf32>) -> tensor<2xf32> {{\n  {body}" for name in ("main", "twice", "run")
    ]
    (tmp_path / "m.mlir").write_text("".join(functions))
    must_run([tools.compiler, tmp_path / "m.mlir", "--format=static", "-o", tmp_path / "m.a", "--name=My model"])
    defined = [name for kind, name in symbols(tmp_path / "m.a") if kind == "T"]
    assert sorted(defined) == ["My_model_run", "My_model_run_2", "My_model_twice"]
    main = tmp_path / "main.c"
    main.write_text('#include "m.h"\nint main(void) {\n  float x[2] = {1, 2}, y[2];\n'
                    "  return My_model_twice(x, y, 0) || y[1] != 4 || My_model_run_2(y, x, 0) || x[0] != 4;\n}\n")  # fmt: skip
    must_run(["gcc", "-Wall", "-Werror", main, tmp_path / "m.a", "-o", tmp_path / "main"])
    must_run([tmp_path / "main"])


def test_debug_symbols_name_the_nodes(tools, simple, tmp_path):
    must_run([tools.compiler, simple, "--format=static", "-o", tmp_path / "m.o", "--debug-symbols"])
    assert "Conv" in must_run(["llvm-dwarfdump-22", tmp_path / "m.o"])


def test_the_same_command_writes_the_same_bytes(tools, simple, tmp_path):
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        must_run([tools.compiler, simple, "--format=static", "-o", tmp_path / name / "m.a", "--target=aarch64-linux"])
        written.append([(tmp_path / name / f"m.{suffix}").read_bytes() for suffix in ("a", "h")])
    assert written[0] == written[1]
