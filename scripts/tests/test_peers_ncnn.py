"""What is put in other words for ncnn computes the same."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from crosscut.models import reference_session
from crosscut.peers import ncnn_model


def _model(nodes, inputs, initializers, outputs=("y",)):
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _run(model, **feeds):
    return reference_session(model.SerializeToString()).run(None, feeds)[0]


def test_small_tables_get_rows_that_no_valid_index_sees():
    nodes = [helper.make_node("Gather", ["table", "ids"], ["y"])]
    table = np.arange(8, dtype=np.float32).reshape(2, 4)
    model = _model(nodes, [("ids", TensorProto.INT64, [1, 3])], {"table": table})
    ids = np.array([[0, 1, 0]])
    before = _run(model, ids=ids)
    ncnn_model.pad_tables(model)
    assert numpy_helper.to_array(model.graph.initializer[0]).shape == (16, 4)
    assert np.array_equal(_run(model, ids=ids), before)
    assert not _run(model, ids=np.array([[9, 9, 9]])).any()


def test_only_tables_that_inputs_index_by_rows_are_padded():
    table = np.ones((4, 2), np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["a"], axis=1),
        helper.make_node("Gather", ["table", "constant"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["y"], axis=1),
    ]
    constants = {"table": table, "constant": np.array([3, 2, 1, 0])}
    model = _model(nodes, [("ids", TensorProto.INT64, [3])], constants)
    ncnn_model.pad_tables(model)
    assert numpy_helper.to_array(model.graph.initializer[0]).shape == (4, 2)


def test_a_mask_that_is_only_cast_becomes_a_float_input():
    nodes = [
        helper.make_node("Unsqueeze", ["mask", "axis"], ["wide"]),
        helper.make_node("Cast", ["wide"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "two"], ["y"]),
    ]
    constants = {"axis": np.array([1]), "two": np.float32(2)}
    model = _model(nodes, [("mask", TensorProto.INT64, [1, 4])], constants)
    mask = np.array([[1, 0, 1, 1]])
    before = _run(model, mask=mask)
    assert ncnn_model.make_float(model) == {"mask"}
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert np.array_equal(_run(model, mask=mask.astype(np.float32)), before)


def test_an_integer_input_with_another_use_stays():
    cast = helper.make_node("Cast", ["ids"], ["f"], to=TensorProto.FLOAT)
    gather = [helper.make_node("Gather", ["table", "ids"], ["g"]), helper.make_node("Add", ["g", "f"], ["y"])]
    model = _model([cast, *gather], [("ids", TensorProto.INT64, [3])], {"table": np.ones(4, np.float32)})
    assert ncnn_model.make_float(model) == set()
    assert model.graph.node[0].op_type == "Cast"
    divided = [helper.make_node("Div", ["ids", "two"], ["d"]), helper.make_node("Cast", ["d"], ["y"], to=1)]
    model = _model(divided, [("ids", TensorProto.INT64, [3])], {"two": np.array(2)})
    assert ncnn_model.make_float(model) == set()  # integers divide differently


def test_sums_over_known_axes_become_means():
    sums = [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    model = _model(sums, [("x", TensorProto.FLOAT, [2, 3, 5])], {"axes": np.array([1, -1])})
    x = np.random.default_rng(7).standard_normal((2, 3, 5), np.float32)
    before = _run(model, x=x)
    ncnn_model.use_means(model)
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert [node.op_type for node in model.graph.node] == ["ReduceMean", "Mul"]
    # 15 terms are added and scaled twice: 17 roundings of half a unit, of the sum of absolute values.
    bound = 17 * 2.0**-24 * np.abs(x).sum(axis=(1, 2))
    assert (np.abs(_run(model, x=x) - before) <= bound).all()


def test_sums_over_unknown_sizes_stay():
    sums = [helper.make_node("ReduceSum", ["x", "axes"], ["y"])]
    model = _model(sums, [("x", TensorProto.FLOAT, ["n", 5])], {"axes": np.array([0])})
    ncnn_model.use_means(model)
    assert [node.op_type for node in model.graph.node] == ["ReduceSum"]


def test_layers_that_ncnn_does_not_have_are_named(tmp_path):
    param = tmp_path / "model.param"
    param.write_text("7767517\n3 3\nInput in0 0 1 in0\npnnx.Expression e 1 1 in0 1\nTensor.to w 1 1 1 out0\n")
    assert ncnn_model.unconverted(param) == ["Tensor.to", "pnnx.Expression"]
