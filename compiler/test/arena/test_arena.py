"""The arena: how it is drawn, its bound, and its limit."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree
from pathlib import Path

import drawing
import numpy as np
import onnx
import pytest
from conftest import SOURCE
from toolchain import must_run

from crosscut.onnx_graph import Graph

AARCH64 = ["--target=aarch64-linux", "--cpu=cortex-a76"]


def compiled(tools, model: Path, module: Path, *flags: str) -> drawing.Drawing:
    return drawing.read(must_run([tools.compiler, model, "-o", module, "--print-arena", *flags]))


# Two branches, each a wide tensor that is reduced to a narrow one; both results go into a product. The file computes
# the wide ones first, which needs both at once, and the branch first whose result is larger.
WIDE = {"a": (40, 64), "b": (3, 512)}
INNER = 8


def branches(path: Path) -> dict[str, np.ndarray]:
    graph = Graph("branches")
    for name in ("b", "a"):
        graph.op("MatMul", [f"x_{name}", graph.weight((INNER, WIDE[name][1]), 0.5)], f"wide_{name}")
    for name in ("b", "a"):
        graph.op("ReduceMax", [f"wide_{name}"], f"narrow_{name}", axes=[0], keepdims=1)
    graph.op("Transpose", ["narrow_a"], "column_a", perm=[1, 0])
    graph.op("MatMul", ["column_a", "narrow_b"], "product")
    inputs = {f"x_{name}": (rows, INNER) for name, (rows, _) in WIDE.items()}
    graph.write(path, inputs, {"product": (64, 512)})
    rng = np.random.default_rng(3)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in inputs.items()}


# ---- Drawings ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def small_net(tmp_path_factory) -> Path:
    """MobileNetV2 of pictures of 96x96."""
    script = SOURCE / "models/mobilenetv2/generate.py"
    spec = importlib.util.spec_from_file_location("mobilenetv2_generate", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("models") / "mobilenetv2_96.onnx"
    module.generate(path, 96)
    return path


def test_the_text_says_what_is_alive_when(tools, tmp_path):
    model = tmp_path / "branches.onnx"
    branches(model)
    drawn = compiled(tools, model, tmp_path / "m.xcm", *AARCH64)
    sizes = {tensor.name: tensor.bytes for tensor in drawn.tensors}
    assert sizes == {"wide_a": 10240, "wide_b": 6144, "narrow_a": 256, "narrow_b": 2048}
    alive = drawn.alive()
    assert max(alive) == drawn.bound and alive.index(drawn.bound) == drawn.peak
    assert drawn.ratio == round(drawn.arena / drawn.bound, 3)
    for tensor in drawn.tensors:
        assert tensor.at_peak == (tensor.first <= drawn.peak <= tensor.last)
        cells = "".join("█" if tensor.first <= i <= tensor.last else "·" for i in range(drawn.steps))
        assert tensor.cells == cells
    assert drawn.lines[-1].split()[-1].count("█") == alive.count(drawn.bound)


@pytest.mark.parametrize("columns", [20, 80, 100, 300])
def test_the_text_keeps_to_the_terminal(columns, tools, small_net, tmp_path, monkeypatch):
    """From 72 columns on; large models share lines and columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    drawn = compiled(tools, small_net, tmp_path / "m.xcm", "--opt=0", *AARCH64)
    assert max(map(len, drawn.lines[3:])) <= max(72, columns)
    assert len(drawn.lines) <= 45
    assert any("smaller ones" in line for line in drawn.lines)
    assert all(len(t.cells) == len(drawn.tensors[0].cells) for t in drawn.tensors)


def test_scratch_memory_is_stated(tools, small_net, tmp_path):
    drawn = compiled(tools, small_net, tmp_path / "m.xcm", "--opt=0", *AARCH64)
    windows = [t for t in drawn.tensors if "▒" in t.cells]
    assert windows and all(t.name.startswith("windows of ") for t in windows)
    assert drawn.scratch == sum(t.bytes for t in windows if t.at_peak) > 0


def test_the_picture_shows_every_tensor_at_its_place(tools, small_net, tmp_path):
    svg = tmp_path / "arena.svg"
    must_run([tools.compiler, small_net, "-o", tmp_path / "m.xcm", "--opt=0", f"--print-arena={svg}", *AARCH64])
    drawn = compiled(tools, small_net, tmp_path / "m.xcm", "--opt=0", *AARCH64)
    root = xml.etree.ElementTree.parse(svg).getroot()
    space = {"s": "http://www.w3.org/2000/svg"}
    boxes = []
    for rect in root.findall("s:rect[@class='tensor']", space):
        lines = rect.findtext("s:title", "", space).split("\n")
        numbers = re.fullmatch(r"([\d,]+) bytes at ([\d,]+), steps (\d+) to (\d+)", lines[1])
        size, at, first, last = (int(number.replace(",", "")) for number in numbers.groups())
        boxes.append((size, at, first, last, float(rect.get("width")), float(rect.get("height"))))
    assert len(boxes) > 40
    assert max(size + at for size, at, *_ in boxes) <= drawn.arena
    assert {(t.bytes, t.first, t.last) for t in drawn.tensors} <= {(size, *steps) for size, _, *steps, _, _ in boxes}
    most, _, begin, end, width, height = max(boxes)
    for i, (size, at, first, last, *drawn_as) in enumerate(boxes):
        # Drawn to scale, and no two over each other.
        assert drawn_as[0] == pytest.approx(width / (end - begin + 1) * (last - first + 1), abs=0.8)
        assert drawn_as[1] == pytest.approx(height * size / most, abs=0.11)
        for other_size, other_at, other_first, other_last, *_ in boxes[:i]:
            if first <= other_last and other_first <= last:
                assert at + size <= other_at or other_at + other_size <= at


def test_names_can_not_break_the_picture(tools, tmp_path):
    model, svg = tmp_path / "m.onnx", tmp_path / "m.svg"
    branches(model)
    graph = onnx.load(model)
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == "wide_a":
                    names[i] = '<b a="&\n\x01">ä'
    onnx.save(graph, model)
    text = must_run([tools.compiler, model, "-o", tmp_path / "m.xcm", f"--print-arena={svg}", *AARCH64])
    assert '<b a="&??">ä' in drawing.read(text).names
    titles = [t.text for t in xml.etree.ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith('<b a="&??">ä\n') for title in titles)


def test_a_dynamic_arena_is_said_to_be_one(tools, tmp_path):
    graph = Graph("dynamic")
    graph.op("MatMul", ["x", graph.weight((8, 8), 1.0)], "a")
    graph.op("Softmax", ["a"], "y", axis=1)
    graph.write(tmp_path / "m.onnx", {"x": ("n", 8)}, {"y": ("n", 8)})
    command = [tools.compiler, tmp_path / "m.onnx", "-o", tmp_path / "m.xcm", *AARCH64]
    text = must_run([*command, f"--print-arena={tmp_path / 'm.svg'}"])
    assert "arena of main: as large as the inputs ask" in text
    assert "as large as the inputs ask" in (tmp_path / "m.svg").read_text()
    done = tools.compile(*command[1:4:2], "--max-arena=64K", *AARCH64)
    assert done.returncode == 1 and "--max-arena needs static shapes" in done.stderr


# ---- Limits and budgets -----------------------------------------------------------------------------------------------
def test_too_large_an_arena_is_an_error_that_names_what_is_alive(tools, tmp_path):
    model = tmp_path / "branches.onnx"
    branches(model)
    peak = 4 * (40 * 64 + 3 * 512 + 512)
    files = set(tmp_path.iterdir())
    svg = f"--print-arena={tmp_path / 'm.svg'}"
    done = tools.compile(model, tmp_path / "m.xcm", f"--max-arena={peak - 1}", svg, *AARCH64)
    assert done.returncode == 1
    assert done.stderr == (
        f"crosscut-compile: error: {model}: the arena takes {peak} bytes, more than --max-arena={peak - 1}; {peak} bytes "
        "are alive at the peak, while 'ReduceMax:narrow_b' runs: wide_a 10240, wide_b 6144, narrow_b 2048\n"
    )
    assert set(tmp_path.iterdir()) == files
    assert tools.compile(model, tmp_path / "m.xcm", f"--max-arena={peak}", *AARCH64).returncode == 0
