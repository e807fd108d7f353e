"""The arena: how it is drawn, its bound, the order of steps that needs least of it, and what models take of it."""

from __future__ import annotations

import importlib.util
import itertools
import math
import re
import xml.etree.ElementTree
from pathlib import Path

import drawing
import numpy as np
import onnx
import pytest
from conftest import SOURCE, shape_options
from toolchain import must_run

from crosscut import models
from crosscut.onnx_graph import Graph

AARCH64 = ["--target=aarch64-linux", "--cpu=cortex-a76"]
MEMORY = "--favor=min-peak-memory"


def compiled(tools, model: Path, module: Path, *flags: str) -> drawing.Drawing:
    return drawing.read(must_run([tools.compiler, model, "-o", module, "--print-arena", *flags]))


def agrees_with_onnxruntime(platform, model: Path, module: Path, inputs: dict[str, np.ndarray], atol: float) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    expected = session.run(None, inputs)
    arguments = [f"--module={module}"]
    for name, value in inputs.items():
        np.save(module.parent / f"{name}.npy", value)
        arguments.append(f"--input=@{module.parent / f'{name}.npy'}")
    for i, value in enumerate(expected):
        np.save(module.parent / f"expected{i}.npy", value)
        arguments.append(f"--expected=@{module.parent / f'expected{i}.npy'}")
    for device in (["--device=local-sync"], ["--device=local-task", "--threads=3"]):
        done = platform.run_module(*arguments, *device, f"--atol={atol}", "--rtol=1e-5")
        assert done.returncode == 0, done.stdout + done.stderr


# ---- The order of steps -----------------------------------------------------------------------------------------------
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


def least_peak() -> int:
    """Of all orders of the five kernels, by trying each."""
    made = {name: 4 * math.prod(shape) for name, shape in WIDE.items()} | {
        name.upper(): 4 * shape[1] for name, shape in WIDE.items()
    }
    peaks = []
    for order in itertools.permutations("abAB"):  # wide a, wide b, narrow A, narrow B; then the product
        if order.index("a") > order.index("A") or order.index("b") > order.index("B"):
            continue
        alive, peak = set(), 0
        for step in order:
            alive.add(step)
            peak = max(peak, sum(made[tensor] for tensor in alive))
            alive.discard(step.lower() if step.isupper() else "")
        peaks.append(peak)
    assert len(set(peaks)) > 2, "an order that does not matter tests nothing"
    return min(peaks)


def test_steps_come_in_the_order_that_needs_least(tools, platform, tmp_path):
    model, module = tmp_path / "branches.onnx", tmp_path / "branches.xcm"
    inputs = branches(model)
    own = compiled(tools, model, module, *platform.target)
    agrees_with_onnxruntime(platform, model, module, inputs, 1e-5)
    best = compiled(tools, model, module, MEMORY, *platform.target)
    agrees_with_onnxruntime(platform, model, module, inputs, 1e-5)
    assert own.bound == 4 * sum(math.prod(shape) for shape in WIDE.values()) + 4 * WIDE["b"][1]
    assert best.bound == least_peak() < own.bound
    assert best.arena == best.bound


def test_what_other_steps_overwrite_stays_behind_them(tools, platform, tmp_path):
    """Parts of a concatenation, its border and its readers, in an order that the search would like to change."""
    graph = Graph("parts")
    parts = []
    for i, channels in enumerate((24, 3, 17)):
        wide = graph.op("Conv", ["x", graph.weight((32, 4, 1, 1), 0.5)], f"wide{i}")
        wide = graph.op("Softmax", [wide], f"soft{i}", axis=1)
        parts.append(graph.op("Conv", [wide, graph.weight((channels, 32, 1, 1), 2.0)], f"part{i}"))
    graph.op("Concat", parts, "all", axis=1)
    graph.op("Conv", ["all", graph.weight((5, 44, 3, 3), 0.05)], "y", pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    graph.op("GlobalAveragePool", ["all"], "z")
    model, module = tmp_path / "parts.onnx", tmp_path / "parts.xcm"
    graph.write(model, {"x": (1, 4, 9, 11)}, {"y": (1, 5, 9, 11), "z": (1, 44, 1, 1)})
    x = np.random.default_rng(5).standard_normal((1, 4, 9, 11)).astype(np.float32)
    compiled(tools, model, module, MEMORY, *platform.target)
    agrees_with_onnxruntime(platform, model, module, {"x": x}, 1e-5)


# ---- In place ---------------------------------------------------------------------------------------------------------
def residuals(path: Path, kernel: int, blocks: int = 3, batch: int = 1) -> np.ndarray:
    """Residual blocks, wide inside, as MobileNetV2 has them."""
    graph = Graph("residuals")
    x = graph.op("Conv", ["x", graph.weight((6, 2, 1, 1), 1.0)], "first")
    for i in range(blocks):
        y = graph.op("Conv", [x, graph.weight((33, 6, 1, 1), 0.5)], f"wide{i}")
        y = graph.op("Relu", [y], f"relu{i}")
        y = graph.op("Conv", [y, graph.weight((33, 1, kernel, kernel), 1.0 / kernel)], f"depthwise{i}", group=33,
                     pads=[kernel // 2] * 4, kernel_shape=[kernel, kernel])  # fmt: skip
        y = graph.op("Conv", [y, graph.weight((6, 33, 1, 1), 0.1)], f"narrow{i}")
        x = graph.op("Add", [x, y], f"sum{i}")
    graph.op("Conv", [x, graph.weight((3, 6, 1, 1), 1.0)], "y")
    graph.write(path, {"x": (batch, 2, 17, 13)}, {"y": (batch, 3, 17, 13)})
    return np.random.default_rng(kernel).standard_normal((batch, 2, 17, 13)).astype(np.float32)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_chain_writes_its_residual_over_its_input(kernel, tools, platform, tmp_path):
    model, module = tmp_path / "residuals.onnx", tmp_path / "residuals.xcm"
    x = residuals(model, kernel)
    drawn = compiled(tools, model, module, MEMORY, *platform.target)
    assert "first = sum0 = sum1" in drawn.names
    agrees_with_onnxruntime(platform, model, module, {"x": x}, 1e-5)


def test_images_of_a_batch_run_in_any_order(tools, platform, tmp_path):
    model, module = tmp_path / "residuals.onnx", tmp_path / "residuals.xcm"
    x = residuals(model, 3, batch=3)
    compiled(tools, model, module, MEMORY, *platform.target)
    agrees_with_onnxruntime(platform, model, module, {"x": x}, 1e-5)


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
    for flags in ([f"--max-arena={peak}"], [f"--max-arena={peak - 1}", MEMORY]):
        assert tools.compile(model, tmp_path / "m.xcm", *flags, *AARCH64).returncode == 0


def test_mobilenetv2_of_96_pixels_needs_little(tools, platform, small_net, tmp_path):
    """At most 0.6 MB, within 5 % of the bound, and the values stay those of ONNX Runtime."""
    for flags in (AARCH64, ["--target=cortex-m7"], ["--target=riscv64-v128-linux"]):
        drawn = compiled(tools, small_net, tmp_path / "other.xcm", MEMORY, "--max-arena=600000", "--opt=0", *flags)
        assert drawn.arena <= 1.05 * drawn.bound
    module = tmp_path / "m.xcm"
    compiled(tools, small_net, module, MEMORY, *platform.target)
    picture = np.random.default_rng(1).standard_normal((1, 3, 96, 96)).astype(np.float32)
    agrees_with_onnxruntime(platform, small_net, module, {"input": picture}, models.find("mobilenetv2").tolerance.atol)


@pytest.mark.parametrize(
    "target", ["cortex-m3", "cortex-m4", "cortex-m55", "cortex-a53", "rv32imac", "rv64gc", "x86_64-linux"]
)
def test_digits_run_in_64_kilobytes(target, tools, tmp_path):
    flags = [f"--target={target}"] if target.startswith(("cortex-m", "rv32")) else [f"--target={target}", MEMORY]
    model = models.get("digits").onnx
    assert tools.compile(model, tmp_path / "m.xcm", "--max-arena=64K", "--opt=0", *flags).returncode == 0


# Bytes of the arena on Cortex-A76: for latency, and for memory.
BUDGETS = {
    "mobilenetv2": (6008896, 1502784),
    "resnet50": (6332160, 4920320),
    "minilm": (2267648, 1005056),
    "ppocr_cls": (658176, 658176),
    "ppocr_det": (17881728, 17135616),
    "ppocr_rec": (2731008, 2534400),
    "digits": (69376, 7360),
}


@pytest.mark.parametrize("favor", ["latency", "min-peak-memory"])
@pytest.mark.parametrize("name", BUDGETS)
def test_models_keep_their_budget(name, favor, tools, tmp_path):
    """Within 5 % of the bound, and no larger than stated. What takes less lowers its budget here."""
    model = models.get(name).onnx
    flags = [f"--favor={favor}", "--opt=0", *AARCH64, *shape_options(name)]
    drawn = compiled(tools, model, tmp_path / "m.xcm", *flags)
    assert drawn.arena <= 1.05 * drawn.bound
    assert drawn.arena <= BUDGETS[name][favor != "latency"]
