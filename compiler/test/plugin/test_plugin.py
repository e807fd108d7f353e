"""Plugins: models that call functions of the program's, as modules and statically linked, natively and under QEMU.

Data are small whole numbers, and factors powers of two, so that every value is exact and can be compared for equality
with numpy's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from toolchain import COMPILERS, Platform, must_run, run

HERE = Path(__file__).parent
INCLUDE = HERE.parents[2] / "runtime" / "include"
DEVICES = [("local-sync", 1), ("local-task", 3)]
NO_WINOGRAD = "--winograd=off"  # which rounds


@pytest.fixture(scope="module", params=COMPILERS)
def machine(request, tools) -> Platform:
    platform = tools.platform(request.param)
    if not platform.is_built() or not shutil.which(COMPILERS[request.param]):
        pytest.skip(f"{request.param} is not built")
    return platform


@pytest.fixture(scope="module")
def host(tools) -> Platform:
    return tools.platform("x86_64-linux")


def build(platform: Platform, folder: Path, *sources: Path | str) -> Path:
    program = folder / "program"
    must_run([COMPILERS[platform.name], "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}", f"-I{HERE}",
              f"-I{folder}", *sources, "-o", program, "-pthread"])  # fmt: skip
    return program


@pytest.fixture(scope="module")
def loaded(machine, tmp_path_factory) -> Path:
    """The program that runs modules."""
    folder = tmp_path_factory.mktemp(machine.name)
    return build(machine, folder, HERE / "loaded.c", HERE / "plugins.c", machine.runtime)


@pytest.fixture(scope="module")
def loaded_here(host, tmp_path_factory) -> Path:
    return build(host, tmp_path_factory.mktemp("host"), HERE / "loaded.c", HERE / "plugins.c", host.runtime)


def start(platform: Platform, program: Path, *arguments: object, inputs: list[np.ndarray]):
    data = b"".join(np.ascontiguousarray(i).tobytes() for i in inputs)
    command = [*platform.runner, program, *arguments]
    return subprocess.run([str(c) for c in command], input=data, capture_output=True, timeout=300)


def split(data: bytes, like: list[np.ndarray]) -> list[np.ndarray]:
    arrays = []
    for array in like:
        arrays.append(np.frombuffer(data[: array.nbytes], array.dtype).reshape(array.shape))
        data = data[array.nbytes :]
    assert not data
    return arrays


# ---- Models ----------------------------------------------------------------------------------------------------------

TYPES = {np.dtype(t): helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in ("f4", "u1", "i8", "?", "f8")}


def info(name: str, shape, dtype="f4"):
    return helper.make_tensor_value_info(name, TYPES[np.dtype(dtype)], shape)


def save(path: Path, nodes, inputs, outputs, stated=(), weights=None) -> Path:
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers, value_info=list(stated))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 3), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def plugin(op: str, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, domain="acme", **attributes)


def whole(shape, low=-3, high=3, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.float32)


def convolution(x: np.ndarray, w: np.ndarray, stride: int, pad: int) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k = w.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, w)


def mixed(path: Path):
    """Convolutions, whose kernels have channels last, and plugins, which see them where the model has them; a plugin
    whose result is an output and is read again, and two that do not depend on each other."""
    x, w1, w2 = whole((1, 8, 12, 12)), whole((16, 8, 3, 3), seed=1), whole((8, 16, 1, 1), seed=2)
    shift, back = whole((16,), seed=3), whole((8,), seed=4)
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        plugin("Affine", ["a"], ["b"], scale=0.5, shift=[float(v) for v in shift]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Conv", ["c", "w2"], ["d"], kernel_shape=[1, 1]),
        plugin("Affine", ["d"], ["e"], scale=2.0, shift=[float(v) for v in back]),
        plugin("Affine", ["d"], ["f"], scale=-1.0, shift=[float(v) for v in back]),
        helper.make_node("Sub", ["e", "f"], ["g"]),
        helper.make_node("Transpose", ["e"], ["h"], perm=[0, 2, 3, 1]),
    ]
    stated = [info("b", [1, 16, 6, 6]), info("f", [1, 8, 6, 6])]
    outputs = [info("e", [1, 8, 6, 6]), info("g", [1, 8, 6, 6]), info("h", [1, 6, 6, 8])]
    save(path, nodes, [info("x", x.shape)], outputs, stated, {"w1": w1, "w2": w2})
    c = np.maximum(convolution(x, w1, 2, 1) * 0.5 + shift[:, None, None], 0)
    d = convolution(c, w2, 1, 0)
    e, f = d * 2 + back[:, None, None], -d + back[:, None, None]
    return [x], [v.astype("f4") for v in (e, e - f, e.transpose(0, 2, 3, 1))]


def compare(path: Path):
    """Two plugins, several types, a constant and a shape that is no number of elements."""
    a, b = (whole((3, 5), 0, 255, seed).astype("u1") for seed in (5, 6))
    nodes = [
        plugin("Compare", ["a", "b"], ["m", "n"]),
        plugin("Compare", ["a", "k"], ["o", "p"]),
        helper.make_node("Add", ["n", "p"], ["q"]),
        helper.make_node("And", ["m", "o"], ["r"]),
    ]
    stated = [info("n", [], "i8"), info("o", [3, 5], "?"), info("p", [], "i8")]
    outputs = [info("m", [3, 5], "?"), info("q", [], "i8"), info("r", [3, 5], "?")]
    k = np.full((3, 5), 100, "u1")
    k[1] = 7
    save(path, nodes, [info("a", a.shape, "u1"), info("b", b.shape, "u1")], outputs, stated, {"k": k})
    return [a, b], [a > b, np.int64((a > b).sum() + (a > k).sum()), (a > b) & (a > k)]


def describe(path: Path):
    x = whole((4,))
    table = numpy_helper.from_array(np.array([[1, 65535, 3], [4, 5, 6]], "u2"))
    mask = numpy_helper.from_array(np.array([True, False, True]))
    node = plugin("Describe", ["x"], ["y"], name="all of them", axis=-3, list=[1, -2, 2**63 - 1], none="",
                  mode="größer", table=table, mask=mask)  # fmt: skip
    save(path, [node], [info("x", [4])], [info("y", [4])])
    return [x], [x]


MODELS = {"mixed": mixed, "compare": compare, "describe": describe}


@pytest.mark.parametrize("name", MODELS)
def test_modules_call_plugins(tools, machine, loaded, tmp_path, name):
    inputs, expected = MODELS[name](tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm", *machine.target, NO_WINOGRAD])
    for device, threads in DEVICES:
        done = start(machine, loaded, tmp_path / "m.xcm", device, threads, 5, inputs=inputs)
        assert done.returncode == 0, done.stderr
        for actual, wanted in zip(split(done.stdout, expected * 5), expected * 5, strict=True):
            np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("name", MODELS)
def test_static_models_call_plugins(tools, machine, tmp_path, name):
    inputs, expected = MODELS[name](tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "--format=static", "-o", tmp_path / "m.a", *machine.target,
              NO_WINOGRAD])  # fmt: skip
    parameters = re.findall(r"(M_\w+)_ELEMENTS\]", (tmp_path / "m.h").read_text())
    assert parameters or name == "compare"
    names = re.search(r"int m_run\((.*)\);", (tmp_path / "m.h").read_text())[1].split(", ")[:-1]
    assert len(names) == len(inputs) + len(expected)
    sizes = [array.nbytes for array in [*inputs, *map(np.asarray, expected)]]
    buffers = "".join(f"static _Alignas(64) unsigned char t{i}[{size}];\n" for i, size in enumerate(sizes))
    reads = "".join(f"  if (fread(t{i}, 1, sizeof t{i}, stdin) != sizeof t{i}) return 2;\n" for i in range(len(inputs)))
    writes = "".join(
        f"  fwrite(t{i}, 1, sizeof t{i}, stdout);\n" for i in range(len(inputs), len(inputs) + len(expected))
    )
    arguments = ", ".join(f"(void *)t{i}" for i in range(len(sizes)))
    (tmp_path / "main.c").write_text(
        f'#include "m.h"\n#include <stdio.h>\n{buffers}'
        "static M_ALIGNED unsigned char arena[M_ARENA_BYTES + 64];\n"
        f"int main(void) {{\n{reads}  if (m_run({arguments}, arena)) return 3;\n{writes}  return fflush(stdout);\n}}\n"
    )
    program = build(machine, tmp_path, tmp_path / "main.c", HERE / "plugins.c", tmp_path / "m.a")
    done = start(machine, program, inputs=inputs)
    assert done.returncode == 0, done.stderr
    expected = [np.asarray(e) for e in expected]
    for actual, wanted in zip(split(done.stdout, expected), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)


# ---- Open dimensions -------------------------------------------------------------------------------------------------


def rows(path: Path, stated="n") -> Path:
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["a"]),
        plugin("Rows", ["a"], ["b"]),
        helper.make_node("Neg", ["b"], ["y"]),
    ]
    return save(path, nodes, [info("x", ["n", 5])], [info("y", [stated])], [info("b", [stated])],
                {"two": np.float32([2])})  # fmt: skip


def test_open_dimensions_follow_the_inputs(tools, machine, loaded, tmp_path):
    must_run([tools.compiler, rows(tmp_path / "m.onnx"), "-o", tmp_path / "m.xcm", *machine.target])
    for n in (1, 7, 40, 0):
        x = whole((n, 5), seed=n)
        done = start(machine, loaded, tmp_path / "m.xcm", "local-task", 2, 1, n, inputs=[x])
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(np.frombuffer(done.stdout, "f4"), -(2 * x).sum(1))


def test_static_models_of_open_dimensions_call_plugins(tools, machine, tmp_path):
    """Planned, run between guards, and refused where sizes do not fit, for every number of rows."""
    must_run([tools.compiler, rows(tmp_path / "m.onnx"), "--format=static", "-o", tmp_path / "m.a", *machine.target])
    program = build(machine, tmp_path, HERE / "open_sizes.c", HERE / "plugins.c", tmp_path / "m.a")
    for n in (1, 7, 40, 0):
        x = whole((n, 5), seed=n)
        done = start(machine, program, n, inputs=[x])
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(np.frombuffer(done.stdout, "f4"), -(2 * x).sum(1))


def test_a_missing_plugin_of_open_dimensions_is_an_error_of_the_linkers(tools, host, tmp_path):
    must_run([tools.compiler, rows(tmp_path / "m.onnx"), "--format=static", "-o", tmp_path / "m.a"])
    done = run(
        ["gcc", "-w", f"-I{INCLUDE}", f"-I{tmp_path}", HERE / "open_sizes.c", tmp_path / "m.a", "-o", tmp_path / "main"]
    )
    assert done.returncode != 0 and "undefined reference to `plugin_acme_Rows'" in done.stderr


def test_input_shapes_reach_what_is_stated(tools, host, loaded_here, tmp_path):
    must_run([tools.compiler, rows(tmp_path / "m.onnx"), "-o", tmp_path / "m.xcm", "--input-shape=x=6x5"])
    x = whole((6, 5))
    done = start(host, loaded_here, tmp_path / "m.xcm", "local-sync", 1, 1, inputs=[x])
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.frombuffer(done.stdout, "f4"), -(2 * x).sum(1))
    assert re.search(r"output +y: 6xf32", must_run([tools.host_programs / "crosscut-info", tmp_path / "m.xcm"]))


# ---- Failures --------------------------------------------------------------------------------------------------------


def failing(path: Path, op: str, shape) -> Path:
    """Kernels before, beside and after a plugin that fails."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["a"]),
        plugin(op, ["a"], ["b"], name="third floor"),
        helper.make_node("Exp", ["x"], ["c"]),
        helper.make_node("ReduceSum", ["b"], ["d"], keepdims=0),
        helper.make_node("Add", ["c", "d"], ["y"]),
    ]
    return save(path, nodes, [info("x", [64, 65])], [info("y", [64, 65])], [info("b", shape)])


@pytest.mark.parametrize("device, threads", DEVICES)
def test_a_plugins_error_ends_the_call_and_is_told(tools, machine, loaded, tmp_path, device, threads):
    failing(tmp_path / "m.onnx", "Fail", [3])
    must_run([tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm", *machine.target])
    done = start(machine, loaded, tmp_path / "m.xcm", device, threads, 1, inputs=[whole((64, 65))])
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        "plugin 'acme.Fail', node 'Fail:third floor': there is no such sensor (status 17)\n"
    )


def test_a_plugins_error_is_the_static_functions_result(tools, machine, tmp_path):
    failing(tmp_path / "m.onnx", "Fail", [3])
    must_run([tools.compiler, tmp_path / "m.onnx", "--format=static", "-o", tmp_path / "m.a", *machine.target])
    (tmp_path / "main.c").write_text(
        '#include "m.h"\n#include "plugins.h"\nstatic M_ALIGNED unsigned char arena[M_ARENA_BYTES];\n'
        "static float x[M_X_ELEMENTS], y[M_Y_ELEMENTS];\n"
        "int main(void) { return m_run(x, y, arena) == XCUT_RUN_PLUGIN ? 0 : 1; }\n"
    )
    program = build(machine, tmp_path, tmp_path / "main.c", HERE / "plugins.c", tmp_path / "m.a")
    must_run([*machine.runner, program])


def test_a_plugin_that_makes_another_shape_fails(tools, host, loaded_here, tmp_path):
    failing(tmp_path / "m.onnx", "Rows", [63])
    must_run([tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm"])
    done = start(host, loaded_here, tmp_path / "m.xcm", "local-sync", 1, 1, inputs=[whole((64, 65))])
    assert done.returncode == 1 and b"'Rows:third floor': would make another shape than the model states" in done.stderr


def test_a_missing_plugin_is_named_at_load_and_by_the_tools(tools, machine, tmp_path):
    mixed(tmp_path / "m.onnx")
    module = tmp_path / "m.xcm"
    text = must_run([tools.compiler, tmp_path / "m.onnx", "-o", module, *machine.target])
    assert "calls plugins acme.Affine" in text
    done = machine.run_module(f"--module={module}", "--input=1x8x12x12xf32=0")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"{module}: module calls plugins that this program does not offer: 'acme.Affine'" in done.stderr
    assert "\nplugins  acme.Affine\n" in must_run([tools.host_programs / "crosscut-info", module])


@pytest.fixture(scope="module")
def library(machine, tmp_path_factory) -> Path:
    """The tests' plugins as a shared library."""
    return shared(machine, tmp_path_factory.mktemp("library"), EXPORTED, HERE / "plugins.c")


EXPORTED = """#include "plugins.h"
static const xcut_plugin plugins[] = {{"acme.Affine", plugin_acme_Affine, 0}, {"acme.Compare", plugin_acme_Compare, 0}};
XCUT_EXPORT_PLUGINS(plugins)
"""


def shared(platform: Platform, folder: Path, text: str, *sources: Path) -> Path:
    (folder / "table.c").write_text(text)
    must_run([COMPILERS[platform.name], "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
              "-fvisibility=hidden", f"-I{INCLUDE}", f"-I{HERE}", folder / "table.c", *sources, "-o",
              folder / "plugins.so"])  # fmt: skip
    return folder / "plugins.so"


@pytest.mark.parametrize("program", ["crosscut-run", "crosscut-bench"])
def test_the_programs_take_plugins_from_shared_libraries(tools, machine, library, tmp_path, program):
    [x], expected = mixed(tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm", *machine.target, NO_WINOGRAD])
    np.save(tmp_path / "x.npy", x)
    arguments = [f"--module={tmp_path / 'm.xcm'}", f"--input=@{tmp_path / 'x.npy'}", "--atol=0", "--rtol=0"]
    for i, values in enumerate(expected):
        np.save(tmp_path / f"y{i}.npy", values)
        arguments.append(f"--expected=@{tmp_path / f'y{i}.npy'}")
    if program == "crosscut-bench":
        arguments.append("--once")
    command = [*machine.runner, machine.programs / program, *arguments]
    done = run([*command, f"--plugin={library}"])
    assert done.returncode == 0, done.stderr
    done = run(command)
    assert done.returncode == 1 and "'acme.Affine'" in done.stderr


WRONG_ABI = """#include "plugins.h"
__attribute__((visibility("default"))) extern const xcut_plugin_table xcut_plugins;
const xcut_plugin_table xcut_plugins = {XCUT_ABI_VERSION + 1, 0, 0};
"""
NO_FUNCTION = 'static const xcut_plugin plugins[] = {{"acme.Affine", 0, 0}};\nXCUT_EXPORT_PLUGINS(plugins)\n'


@pytest.mark.parametrize(
    "text, reason",
    [
        ("int xcut_plugin;\n", "exports no table 'xcut_plugins'"),
        (WRONG_ABI, "compiled for ABI version 2, this program has 1"),
        ('#include "plugins.h"\n' + NO_FUNCTION, "a plugin without name or function"),
        (None, "file too short"),
        ("absent", "cannot open shared object file"),
    ],
)
@pytest.mark.parametrize("program", ["crosscut-run", "crosscut-bench"])
def test_shared_libraries_that_are_none_are_refused(tools, host, tmp_path, program, text, reason):
    library = tmp_path / "plugins.so"
    if text is None:
        library.write_bytes(b"\x7fELF")
    elif text != "absent":
        shared(host, tmp_path, text)
    mixed(tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm"])
    done = run([tools.host_programs / program, f"--module={tmp_path / 'm.xcm'}", "--input=1x8x12x12xf32=0",
                f"--plugin={library}"])  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert reason in done.stderr and "plugins.so" in done.stderr


def test_a_missing_plugin_is_an_error_of_the_linkers(tools, host, tmp_path):
    compare(tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "--format=static", "-o", tmp_path / "m.a"])
    (tmp_path / "main.c").write_text('#include "m.h"\nint main(void) { return m_run(0, 0, 0, 0, 0, 0); }\n')
    done = run(["gcc", "-w", tmp_path / "main.c", tmp_path / "m.a", "-o", tmp_path / "main"])
    assert done.returncode != 0 and "undefined reference to `plugin_acme_Compare'" in done.stderr


def test_static_headers_with_plugins_stand_alone(tools, tmp_path):
    mixed(tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "--format=static", "-o", tmp_path / "m.a"])
    assert (
        'int32_t plugin_acme_Affine(struct xcut_plugin_call *call);  // "acme.Affine"' in (tmp_path / "m.h").read_text()
    )
    use = '#include "m.h"\n#include <crosscut/plugin.h>\n#include "m.h"\n'
    define = 'int32_t plugin_acme_Affine(xcut_plugin_call *call) { return xcut_plugin_fail(call, "x"); }\n'
    for compiler, suffix, flags in (("gcc", "c", ["-std=c11"]), ("g++", "cpp", ["-std=c++11"]),
                                    ("clang-22", "c", ["-std=c11"]), ("clang++-22", "cpp", ["-std=c++20"])):  # fmt: skip
        for source in ('#include "m.h"\nextern int made;\nint made;\n', use + define):
            file = tmp_path / f"use.{suffix}"
            file.write_text(source)
            must_run([compiler, *flags, "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{INCLUDE}", "-c", file,
                      "-o", tmp_path / "use.o"])  # fmt: skip


# ---- What the compiler says -------------------------------------------------------------------------------------------


def refused(tools, path: Path, *flags: str) -> str:
    made = path.with_suffix(".a" if "--format=static" in flags else ".xcm")
    done = run([tools.compiler, path, "-o", made, *flags])
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and not made.exists()
    return done.stderr


def test_outputs_that_nothing_is_known_of_are_refused(tools, tmp_path):
    x, y = info("x", ["n", 4]), info("y", ["n", 4])
    relu = helper.make_node("Relu", ["b"], ["y"])
    path = save(tmp_path / "m.onnx", [plugin("Affine", ["x"], ["b"]), relu], [x], [y])
    assert "node 'b' (acme.Affine, opset 3): a call of a plugin, and the model does not state the type and shape of its output 'b'" in refused(tools, path)  # fmt: skip
    save(path, [plugin("Affine", ["x"], ["b"]), relu], [x], [y], [info("b", ["m", 4])])
    assert "dimension 0 of its output 'b' is neither a number nor the name of a dimension" in refused(tools, path)
    save(path, [plugin("Affine", ["x"], ["b"]), relu], [x], [y], [info("b", [2**40, 2**40])])
    assert "its output 'b' is larger than memory" in refused(tools, path)
    save(path, [plugin("Affine", ["x"], ["y"])], [x], [info("y", [4], "f8")])
    assert "type float64 is not supported" in refused(tools, path)


def test_what_plugins_are_not_given_is_refused(tools, tmp_path):
    x, y = info("x", [4]), info("y", [4])
    path = tmp_path / "m.onnx"
    save(path, [plugin("Affine", ["x", "", "x"], ["y"])], [x], [y])
    assert "input 1 is left out, which a plugin's call can not have" in refused(tools, path)
    save(path, [plugin("Affine", ["x"], ["", "y"])], [x], [y])
    assert "output 0 is left out, which a plugin's call can not have" in refused(tools, path)
    save(path, [plugin("Affine", ["x"], ["y"], names=["a", "b"])], [x], [y])
    assert "attribute 'names' is of a kind that plugins are not given" in refused(tools, path)
    double = numpy_helper.from_array(np.zeros(3))
    save(path, [plugin("Affine", ["x"], ["y"], table=double)], [x], [y])
    assert "attribute 'table' is of a kind" in refused(tools, path)
    save(path, [plugin("A\nb", ["x"], ["y"])], [x], [y])
    assert "control characters" in refused(tools, path)
    save(path, [plugin("A.b", ["x"], ["a"]), plugin("A_b", ["a"], ["y"])], [x], [y], [info("a", [4])])
    assert "the plugins 'acme.A.b' and 'acme.A_b' would both be plugin_acme_A_b()" in refused(
        tools, path, "--format=static"
    )


def test_check_lists_plugins_and_what_is_not_supported(tools, tmp_path):
    mixed(tmp_path / "m.onnx")
    text = must_run([tools.compiler, tmp_path / "m.onnx", "--check"])
    assert text.endswith("m.onnx: every operator is supported; calls the plugins acme.Affine\n")
    nodes = [
        plugin("Fail", ["x"], ["a"]),
        plugin("Rows", ["a"], ["b"]),
        helper.make_node("Scaler", ["a"], ["c"], domain="ai.onnx.ml", offset=[1.0], scale=[2.0]),
        helper.make_node("Add", ["b", "c"], ["y"]),
    ]
    path = save(tmp_path / "bad.onnx", nodes, [info("x", [4])], [info("y", [4])], [info("a", [4])])
    done = run([tools.compiler, path, "--check"])
    assert done.returncode == 1
    assert "operator ai.onnx.ml.Scaler (opset 3): the operator is not supported" in done.stdout
    assert "operator acme.Rows (opset 3): a call of a plugin, and the model does not state" in done.stdout
    assert "acme.Fail" not in done.stdout


def test_operators_of_other_domains_are_never_taken_for_onnxs(tools, host, tmp_path):
    """Of the same name, with the attributes and inputs that ONNX's has, and with nonsense."""
    weights = {"w": whole((8, 8, 1, 1)), **{k: np.ones(8, "f4") for k in ("scale", "shift", "mean", "var")}}
    big = numpy_helper.from_array(np.zeros(5000, "f4"))
    empty = numpy_helper.from_array(np.zeros((0, 3), "f4"))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[1, 1]),
        plugin("BatchNormalization", ["a", "scale", "shift", "mean", "var"], ["b"], epsilon=1.0),
        plugin("Constant", [], ["c"], value=big),
        plugin("Reshape", ["b", "c"], ["d"], empty=empty, axis=2),
        plugin("LayerNormalization", ["d"], ["e", "f"]),
        plugin("Loop", ["e", "f"], ["y"]),
    ]
    nodes[3].attribute.append(helper.make_attribute("floats", [], attr_type=onnx.AttributeProto.FLOATS))
    stated = [info(n, [1, 8, 2, 2]) for n in "bdef"] + [info("c", [5000])]
    path = save(tmp_path / "m.onnx", nodes, [info("x", [1, 8, 2, 2])], [info("y", [1, 8, 2, 2])], stated, weights)
    must_run([tools.compiler, path, "-o", tmp_path / "m.xcm"])
    listed = must_run([tools.host_programs / "crosscut-info", tmp_path / "m.xcm"])
    names = ["BatchNormalization", "Constant", "Reshape", "LayerNormalization", "Loop"]
    assert sorted(re.search(r"\nplugins  (.*)", listed)[1].split(", ")) == sorted(f"acme.{n}" for n in names)


@pytest.mark.parametrize(
    "target", ["wasm32", "cortex-m0", "cortex-m55", "riscv32-unknown-elf", "thumbv7em-none-eabi", "armebv7r-none-eabi"]
)
def test_every_kind_of_target_has_plugins(tools, tmp_path, target):
    mixed(tmp_path / "m.onnx")
    must_run([tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm", f"--target={target}"])
    if target != "wasm32":
        must_run([tools.compiler, tmp_path / "m.onnx", "--format=static", "-o", tmp_path / "m.o", f"--target={target}"])
        undefined = must_run(["llvm-nm-22", "--undefined-only", "--just-symbol-name", tmp_path / "m.o"]).split()
        assert "plugin_acme_Affine" in undefined
        assert set(undefined) <= {"plugin_acme_Affine", "memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}


def test_plugins_take_part_in_memory_planning(tools, tmp_path):
    """A row of plugins needs two tensors at a time, however long it is."""
    steps = [f"t{i}" for i in range(9)]
    nodes = [plugin("Affine", [a], [b], scale=1.0, shift=[0.0] * 4) for a, b in zip(steps, steps[1:], strict=False)]
    stated = [info(name, [1, 4, 100]) for name in steps[1:-1]]
    path = save(tmp_path / "m.onnx", nodes, [info("t0", [1, 4, 100])], [info("t8", [1, 4, 100])], stated)
    text = must_run([tools.compiler, path, "-o", tmp_path / "m.xcm"])
    assert "arena 3200 B, calls plugins acme.Affine, 0 kernels" in text


# ---- MLIR ------------------------------------------------------------------------------------------------------------

MLIR = """
func.func private @"acme.Affine"(tensor<2x3xf32>) -> tensor<2x3xf32>
func.func private @sums(tensor<?x3xf32>, index) -> tensor<?xf32> attributes {xcut.plugin = "acme.Rows"}
func.func @main(%x: tensor<2x3xf32>, %y: tensor<?x3xf32>) -> (tensor<2x3xf32>, tensor<?xf32>) {
  %zero = arith.constant 0 : index
  %n = tensor.dim %y, %zero : tensor<?x3xf32>
  %a = func.call @"acme.Affine"(%x) {xcut.attributes = {scale = 2.0 : f32, shift = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>}}
    : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %b = arith.addf %a, %x : tensor<2x3xf32>
  %c = func.call @sums(%y, %n) : (tensor<?x3xf32>, index) -> tensor<?xf32>
  return %b, %c : tensor<2x3xf32>, tensor<?xf32>
}
"""


def test_calls_of_functions_without_body_are_plugins(tools, machine, loaded, tmp_path):
    (tmp_path / "m.mlir").write_text(MLIR)
    must_run([tools.compiler, tmp_path / "m.mlir", "-o", tmp_path / "m.xcm", *machine.target])
    x, y = whole((2, 3)), whole((5, 3), seed=1)
    done = start(machine, loaded, tmp_path / "m.xcm", "local-sync", 1, 1, 5, inputs=[x, y])
    assert done.returncode == 0, done.stderr
    expected = [(x * 2 + np.float32([1, 2, 3]) + x).astype("f4"), y.sum(1)]
    for actual, wanted in zip(split(done.stdout, expected), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize(
    "declaration, call, reason",
    [
        ("(f32) -> tensor<2xf32>", "", "argument 0 of @p is not a tensor of a supported type"),
        ("(tensor<2xf32>) -> f32", "", "result 0 of @p is not a tensor of a supported type"),
        ("(tensor<2xf32>) -> tensor<?xf32>", "", "@p: a plugin takes an index for each open dimension of its results"),
        ("(tensor<2xf32>, index) -> tensor<2xf32>", "", "@p: a plugin takes an index for each open dimension"),
        ("(index, tensor<2xf32>) -> tensor<?xf32>", "", "@p: a plugin takes tensors first, then sizes"),
        ("(tensor<2xf64>) -> tensor<2xf32>", "", "argument 0 of @p is not a tensor of a supported type"),
        ("(tensor<2xf32>) -> tensor<2xf32>", "{xcut.attributes = {a = [1, 2]}}",
         "attribute 'a' has a form that plugins are not given"),
        ("(tensor<2xf32>) -> tensor<2xf32>", "{xcut.attributes = {a = 1.0 : f64}}",
         "attribute 'a' has a form that plugins are not given"),
        ('(tensor<2xf32>) -> tensor<2xf32> attributes {xcut.plugin = ""}', "", "the plugin's name is empty"),
        ("(%a: tensor<2xf32>) -> tensor<2xf32> { return %a : tensor<2xf32> }", "",
         "a call of a function that has a body is not supported"),
    ],
)  # fmt: skip
def test_calls_of_another_form_are_refused(tools, tmp_path, declaration, call, reason):
    text = f"func.func private @p{declaration}\nfunc.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {{\n"
    if declaration.startswith(("(tensor<2xf32>) -> tensor<2xf32>", "(%a")):
        text += f"  %y = func.call @p(%x) {call} : (tensor<2xf32>) -> tensor<2xf32>\n  return %y : tensor<2xf32>\n}}\n"
    else:
        text += "  return %x : tensor<2xf32>\n}\n"
    (tmp_path / "m.mlir").write_text(text)
    assert reason in refused(tools, tmp_path / "m.mlir")
