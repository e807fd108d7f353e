"""What LiteRT gets, and what it gives back in its own order of dimensions."""

from __future__ import annotations

import sys
import types

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from crosscut import paths
from crosscut.models import reference_session
from crosscut.peers import contenders, litert_model, worker
from crosscut.peers.process import ContenderError, Worker


def _images(path, shape=(1, 8, 6, 10)):
    """y: a convolution of x, as large as x; z: t times w. Both inputs in an order that no converter would choose."""
    rng = np.random.default_rng(3)
    constants = {
        "kernel": rng.standard_normal((shape[1], shape[1], 3, 3), np.float32),
        "w": rng.standard_normal((5, 4), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["y"], pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["t", "w"], ["z"]),
    ]
    sizes = {"t": (1, 5, 5), "x": shape, "z": (1, 5, 4), "y": shape}
    info = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()}
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", [info["t"], info["x"]], [info["z"], info["y"]], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return {name: rng.standard_normal(sizes[name], np.float32) for name in ("t", "x")}


def test_inputs_whose_shape_does_not_tell_their_order_are_kept(tmp_path):
    _images(tmp_path / "m.onnx")
    assert litert_model.ambiguous_inputs(tmp_path / "m.onnx") == ["t"]
    _images(tmp_path / "m.onnx", (1, 6, 6, 6))
    assert litert_model.ambiguous_inputs(tmp_path / "m.onnx") == ["t", "x"]


def _swish(three=3.0, shared=False, opset=12):
    """y = x · clip(x + three, 0, 6) / 6 with the factors in one order, z the same of y in the other."""
    numbers = {"three": three, "zero": 0.0, "six": 6.0}
    nodes = []
    for x, y in ("x", "y"), ("y", "z"):
        factors = [x, f"{x}.c"] if x == "x" else [f"{x}.c", x]
        nodes += [
            helper.make_node("Add", [x, "three"], [f"{x}.a"]),
            helper.make_node("Clip", [f"{x}.a", "zero", "six"], [f"{x}.c"]),
            helper.make_node("Mul", factors, [f"{x}.m"]),
            helper.make_node("Div", [f"{x}.m", "six"], [y]),
        ]
    outputs = ["z", "x.c"] if shared else ["z"]
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 9]) for name in ["x", *outputs]]
    tensors = [numpy_helper.from_array(np.float32(value), name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "graph", info[:1], info[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _operators(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("opset", [12, 17])
def test_hard_swish_in_parts_becomes_one_operator_and_computes_the_same(opset):
    x = np.linspace(-8, 8, 36, dtype=np.float32).reshape(4, 9)
    expected = reference_session(_swish(opset=opset).SerializeToString()).run(None, {"x": x})[0]
    model = litert_model.use_hard_swish(_swish(opset=opset))
    assert _operators(model) == ["HardSwish", "HardSwish"]
    onnx.checker.check_model(model, full_check=True)
    got = reference_session(model.SerializeToString()).run(None, {"x": x})[0]
    # Four operations each, of numbers up to 8 · 6, in another order: half a unit for each of twice eight.
    assert np.abs(got - expected).max() <= 16 * 2.0**-24 * 48


def test_what_is_not_hard_swish_or_has_another_user_stays():
    assert _operators(litert_model.use_hard_swish(_swish(three=2.5))) == _operators(_swish())
    assert _operators(litert_model.use_hard_swish(_swish(shared=True))) == [*_operators(_swish())[:4], "HardSwish"]


@pytest.fixture
def onnx2tf(tmp_path, monkeypatch):
    """Makes a stand-in for onnx2tf of a program's text."""
    monkeypatch.setattr(litert_model, "venv", lambda: tmp_path / "venv")

    def write(text):
        program = tmp_path / "venv" / "bin" / "onnx2tf"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n{text}")
        program.chmod(0o755)

    return write


def test_the_converter_gets_the_folded_model_and_one_file_is_kept(onnx2tf, tmp_path):
    _images(tmp_path / "m.onnx")
    made = tmp_path / "cache" / "made"
    made.mkdir(parents=True)
    onnx2tf(
        'out = Path(sys.argv[sys.argv.index("-o") + 1])\nassert Path(sys.argv[2]).is_file()\n'
        'kept = sys.argv[sys.argv.index("--keep_shape_absolutely_input_names") + 1 :]\n'
        '(out / "model_float32.tflite").write_text(" ".join(kept))\n(out / "model_float16.tflite").touch()\n'
    )
    litert_model._convert(tmp_path / "m.onnx", made)
    assert [path.name for path in made.iterdir()] == ["model.tflite"]
    assert (made / "model.tflite").read_text() == "t" and list(made.parent.iterdir()) == [made]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f():\n    raise NotImplementedError('axis is out of range')\nf()", "axis is out of range"),
        ("sys.exit(0)", "writes no model"),
    ],
)
def test_a_model_that_is_not_converted_says_why(onnx2tf, tmp_path, program, reason):
    _images(tmp_path / "m.onnx")
    made = tmp_path / "cache" / "made"
    made.mkdir(parents=True)
    onnx2tf(program)
    with pytest.raises(ContenderError, match=f"^onnx2tf: .*{reason}$") as caught:
        litert_model._convert(tmp_path / "m.onnx", made)
    assert caught.value.phase == "compile" and list(made.iterdir()) == [] and list(made.parent.iterdir()) == [made]


class _Interpreter:
    """LiteRT's interface; y = x + 1 and z = 2 t, in NHWC, outputs and inputs in another order than the model's."""

    def __init__(self, path, num_threads):
        self.threads, self.tensors = num_threads, {}

    def allocate_tensors(self):
        pass

    def get_input_details(self):
        return [
            {"name": "x", "index": 0, "shape": np.array([1, 6, 10, 8])},
            {"name": "t", "index": 1, "shape": [1, 5, 5]},
        ]

    def get_output_details(self):
        return [{"name": "y", "index": 2}, {"name": "z", "index": 3}]

    def set_tensor(self, index, value):
        assert list(value.shape) == list(self.get_input_details()[index]["shape"]) and value.flags["C_CONTIGUOUS"]
        self.tensors[index] = value

    def invoke(self):
        self.tensors |= {2: self.tensors[0] + 1, 3: self.tensors[1] * 2}

    def get_tensor(self, index):
        return self.tensors[index]


def test_arrays_are_given_and_taken_by_name_in_the_engine_s_order(monkeypatch):
    module = types.ModuleType("ai_edge_litert")
    module.interpreter = types.ModuleType("ai_edge_litert.interpreter")
    module.interpreter.Interpreter = _Interpreter
    monkeypatch.setitem(sys.modules, "ai_edge_litert", module)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module.interpreter)
    rng = np.random.default_rng(5)
    t, x = rng.standard_normal((1, 5, 5), np.float32), rng.standard_normal((1, 8, 6, 10), np.float32)
    names = {"inputs_names": ["t", "x"], "outputs_names": ["z", "y"], "shapes": [[1, 5, 5], [1, 8, 6, 10]]}
    run, outputs, _ = worker.start_litert(np, {"model": ["m"], "threads": 2, **names}, [t, x])
    run()
    assert run.__self__.threads == 2
    z, y = outputs()
    assert np.array_equal(z, 2 * t) and np.array_equal(y, x + 1)


_PYTHON = paths.BUILD / "venv-peers" / "bin" / "python"


@pytest.mark.skipif(not _PYTHON.with_name("onnx2tf").is_file(), reason="build/venv-peers is not installed")
@pytest.mark.parametrize("shape", [(1, 8, 6, 10), (1, 6, 6, 7)])
def test_the_engine_itself_computes_what_the_reference_does(tmp_path, shape):
    source, made = tmp_path / "m.onnx", tmp_path / "cache" / "made"
    made.mkdir(parents=True)
    feeds = _images(source, shape)
    litert_model._convert(source, made)
    expected = reference_session(source).run(["z", "y"], feeds)
    for name, value in feeds.items():
        np.save(tmp_path / f"{name}.npy", value)
    task = {
        "engine": "litert",
        "threads": 2,
        "model": [str(made / "model.tflite")],
        "shapes": [e.shape for e in expected],
    }
    task |= {"inputs": [str(tmp_path / f"{name}.npy") for name in feeds], "inputs_names": list(feeds)}
    task |= {"outputs_names": ["z", "y"]}
    started = Worker(contenders.worker_command(), task, tmp_path / "log")
    try:
        assert started.ask("outputs", tmp_path / "out") == 2 and started.facts["shipped_bytes"] > 1e6
    finally:
        started.close()
    weights = [numpy_helper.to_array(tensor) for tensor in onnx.load(str(source)).graph.initializer]
    product = max(np.abs(v).max() for v in feeds.values()) * max(np.abs(w).max() for w in weights)
    for index, value in enumerate(expected):
        got = np.load(tmp_path / f"out{index}.npy")
        # Up to 72 products are added, here and there: 72 roundings of half a unit each, of sums of 72 such products.
        assert got.shape == value.shape and np.abs(got - value).max() <= 2 * 72 * 2.0**-24 * 72 * product
