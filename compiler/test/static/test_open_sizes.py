"""--format=static of models whose sizes the program chooses: planned and checked by C functions, on every platform."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_static import COMPILERS, WARNINGS, symbols
from toolchain import must_run

HERE = Path(__file__).parent
INCLUDE = HERE.parents[2] / "runtime" / "include"
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror"]


@pytest.mark.parametrize("platform_name", COMPILERS)
@pytest.mark.parametrize("name", ["matmul_softmax", "conv_dynamic_width"])
def test_values_are_right_at_every_size(tools, tmp_path, platform_name, name):
    platform = tools.platform(platform_name)
    if not platform.is_built() or not shutil.which(COMPILERS[platform_name]):
        pytest.skip(f"{platform_name} is not built")
    from crosscut import models

    model = models.get(name)
    must_run([tools.compiler, model.onnx, "--format=static", "-o", tmp_path / "m.o", *platform.target])
    program = tmp_path / "open_sizes"
    must_run(
        [COMPILERS[platform_name], *STRICT, HERE / "open_sizes.c", tmp_path / "m.o", f"-I{tmp_path}", "-o", program]
    )
    for sample in model.samples():
        x, expected = np.load(sample.inputs[0]), np.load(sample.outputs[0]).astype(np.float64)
        data = np.array(x.shape, "<i8").tobytes() + x.astype("<f4").tobytes()
        done = subprocess.run([*platform.runner, program], input=data, capture_output=True, timeout=300)
        assert done.returncode == 0, f"{sample.name}: status {done.returncode} {done.stderr}"
        dims = np.frombuffer(done.stdout[: 8 * expected.ndim], "<i8")
        assert tuple(dims) == expected.shape
        y = np.frombuffer(done.stdout[8 * expected.ndim :], "<f4").reshape(expected.shape)
        assert (np.abs(y - expected) <= model.tolerance.atol + model.tolerance.rtol * np.abs(expected)).all()


@pytest.fixture(scope="module")
def expand(tools) -> Path:
    """A model whose output has the sizes that an input's values say, compiled; and one whose inputs have to fit."""
    f32, i64 = TensorProto.FLOAT, TensorProto.INT64
    folder = tools.work / "open_sizes"
    folder.mkdir()

    def write(name, nodes, inputs, outputs):
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
                                  [helper.make_tensor_value_info(*o) for o in outputs])  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, folder / f"{name}.onnx")
        must_run([tools.compiler, folder / f"{name}.onnx", "--format=static", "-o", folder / f"{name}.o"])

    write("expand", [helper.make_node("Expand", ["x", "shape"], ["y"])],
          [("x", f32, [1, 3]), ("shape", i64, [2])], [("y", f32, ["a", "b"])])  # fmt: skip
    write("stated", [helper.make_node("Expand", ["x", "shape"], ["y"])],
          [("x", f32, [1, 3]), ("shape", i64, [2])], [("y", f32, [2, 3])])  # fmt: skip
    write("add", [helper.make_node("Add", ["x", "x_dims"], ["y"]), helper.make_node("ReduceSum", ["y"], ["sum"], keepdims=1)],
          [("x", f32, ["n", 2]), ("x_dims", f32, ["n", 2])], [("y", f32, ["n", 2]), ("sum", f32, [1, 1])])  # fmt: skip
    return folder


def run_with(folder: Path, name: str, body: str) -> None:
    """Runs a program of this body, linked with the model `name` of the folder; it has to return 0."""
    source = folder / f"run_{name}.c"
    source.write_text(f'#include "{name}.h"\n#include <crosscut/abi.h>\nint main(void) {{\n{body}}}\n')
    must_run(["gcc", *STRICT, f"-I{INCLUDE}", source, folder / f"{name}.o", "-o", source.with_suffix("")])
    must_run([source.with_suffix("")])


def test_sizes_that_values_say_are_planned_from_the_values(expand):
    run_with(
        expand,
        "expand",
        "  const float x[3] = {1, 2, 3};\n  float y[6];\n"
        "  const int64_t shape[2] = {2, 3};\n  int64_t dims[2];\n"
        "  int64_t bytes = expand_plan(shape, dims);\n"
        "  if (bytes != 0 || dims[0] != 2 || dims[1] != 3) return 1;\n"
        "  if (expand_run(x, shape, y, dims, 0, bytes)) return 2;\n"
        "  for (int i = 0; i < 6; ++i)\n    if (y[i] != x[i % 3]) return 3;\n"
        "  const int64_t more[2] = {5, 1};\n"
        "  if (expand_plan(more, dims) != 0 || dims[0] != 5 || dims[1] != 3) return 4;\n"
        "  if (!expand_run(x, shape, y, dims, 0, 0)) return 5;\n"
        "  const int64_t wrong[4][2] = {{2, 4}, {2, 2}, {2, INT64_C(4294967299)}, {-1, 3}};\n"
        "  dims[0] = 2, dims[1] = 3;\n"
        "  for (int i = 0; i < 4; ++i)\n"
        "    if (expand_run(x, wrong[i], y, dims, 0, 0) != XCUT_RUN_DATA || expand_plan(wrong[i], dims) >= 0) return 6 + i;\n"
        "  return 0;\n",
    )


@pytest.mark.parametrize("platform_name", COMPILERS)
@pytest.mark.parametrize("stated", [False, True])
def test_values_that_do_not_fit_a_tensor_are_refused(tools, expand, tmp_path, platform_name, stated):
    """Expand to a shape that an input holds: by its rules, or as the model states; else an error that names the input."""
    platform = tools.platform(platform_name)
    if not platform.is_built():
        pytest.skip(f"{platform_name} is not built")
    model = expand / ("stated.onnx" if stated else "expand.onnx")
    must_run([tools.compiler, model, "-o", tmp_path / "m.xcm", *platform.target])

    def ask(*shape: int):
        text = f"2xi64=[{' '.join(map(str, shape))}]"
        return platform.run_module(
            f"--module={tmp_path / 'm.xcm'}", "--input=x=1x3xf32=[[1 2 3]]", f"--input=shape={text}"
        )

    for shape in [(2, 3), (2, 1), (5, 3), (1, 1)]:
        done = ask(*shape)
        if stated and shape[0] != 2:
            assert done.returncode == 1 and f"input 'shape': value {shape[0]} is out of range" in done.stderr
        else:
            rows = "[1 2 3]" * shape[0]
            assert (done.returncode, done.stdout) == (0, f"y: {shape[0]}x3xf32=[{rows}]\n"), done.stderr
    for shape, wrong in [((2, 4), 4), ((2, 2), 2), ((2, 0), 0), ((2, 2**32 + 3), 2**32 + 3), ((-1, 3), -1)]:
        done = ask(*shape)
        assert done.returncode == 1 and f"input 'shape': value {wrong} is out of range" in done.stderr, shape


def test_inputs_that_do_not_fit_together_are_refused(expand):
    assert sorted(name for kind, name in symbols(expand / "add.o") if kind == "T") == ["add_plan", "add_run"]
    run_with(
        expand,
        "add",
        "  const float x[4] = {1, 2, 3, 4};\n  float y[4], sum[ADD_SUM_ELEMENTS];\n  ADD_ALIGNED char arena[4096];\n"
        "  const int64_t two[2] = {2, 2}, one[2] = {1, 2};\n  int64_t dims[2];\n"
        "  int64_t bytes = add_plan(two, two, dims);\n"
        "  if (bytes < 0 || bytes > 4096 || dims[0] != 2 || dims[1] != 2) return 1;\n"
        "  if (add_run(x, two, x, two, y, dims, sum, arena, bytes)) return 2;\n"
        "  if (y[3] != 8 || sum[0] != 20) return 3;\n"
        "  return add_plan(two, one, dims) >= 0 ? 4 : 0;\n",
    )


@pytest.mark.parametrize("compiler", WARNINGS)
def test_header_compiles_with_all_warnings(expand, tmp_path, compiler):
    source = tmp_path / ("all.cpp" if "++" in compiler else "all.c")
    source.write_text('#include "expand.h"\n#include "add.h"\n')
    flag = "-std=c++11" if "++" in compiler else "-std=c99"
    must_run([compiler, flag, "-Werror", *WARNINGS[compiler], f"-I{expand}", "-c", source, "-o", tmp_path / "all.o"])
