"""The kernels' inner loops are made of the instructions that their CPU is fast at, and keep their values in registers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from loops import STYLES, disassemble, innermost_loops
from toolchain import must_run


@dataclass(frozen=True)
class Expectation:
    style: str
    flags: tuple[str, ...]
    multiply_add: str  # on whole vector registers
    tile: int  # the largest tile of results in registers has this many at least
    # Spills that are known, in all loops together, and reloads of pointers for each multiply-add; with some room, since
    # schedules move. Fewer is better, and then these numbers should follow.
    spills: int = 0
    window_spills: int = 0
    window_reloads: float = 1 / 8
    winograd: float = 2.75  # instructions for each multiply-add of the products of Winograd's algorithm


X86 = ("--target=x86_64-linux",)
RVV = r"^vfm(acc|add)\.v[fv] "
EXPECTATIONS = {
    "x86-64-v4": Expectation("x86_64", (*X86, "--cpu=x86-64-v4"), r"^vfmadd\d+ps .*%zmm", 24, winograd=1.75),
    "x86-64-v3": Expectation(
        "x86_64", (*X86, "--cpu=x86-64-v3"), r"^vfmadd\d+ps .*%ymm", 8, window_spills=24, winograd=2
    ),
    "aarch64-linux": Expectation("aarch64", ("--target=aarch64-linux",), r"^fmla v\d+\.4s", 16, winograd=1.3),
    # The nine weights of a window and its sums need more than sixteen registers.
    "armv7-linux": Expectation("arm", ("--target=armv7-linux",), r"^v(fma|mla)\.f32 q", 8, window_spills=70),
    "riscv64-v128-linux": Expectation("riscv64", ("--target=riscv64-v128-linux",), RVV, 7),
    "riscv64-v256-linux": Expectation("riscv64", ("--target=riscv64-v256-linux",), RVV, 7),
    "riscv64-v512-linux": Expectation("riscv64", ("--target=riscv64-v512-linux",), RVV, 7),
}
IN_LOOP = 4  # multiply-adds that make a loop one of those that the time is spent in


@pytest.fixture(scope="module", params=EXPECTATIONS)
def compiled(request, tools):
    """(what is expected, how it is written, the innermost loops of MobileNetV2 that multiply and add)."""
    from crosscut import models

    expected = EXPECTATIONS[request.param]
    module = tools.work / f"mobilenetv2-{request.param}.xcm"
    must_run([tools.compiler, models.get("mobilenetv2").onnx, "-o", module, *expected.flags])
    style = STYLES[expected.style]
    loops = innermost_loops(disassemble(module), style)
    return expected, style, [loop for loop in loops if loop.count(expected.multiply_add) >= IN_LOOP]


def test_inner_loops_multiply_and_add_whole_vectors(compiled):
    expected, style, loops = compiled
    sums = [loop for loop in loops if not loop.count(style.store)]
    # 35 convolutions by 1x1 and the first layer, many of one shape; depthwise ones may be unrolled wholly.
    assert len(sums) >= 15
    assert max(loop.count(expected.multiply_add) for loop in sums) >= expected.tile


def spills(loops, style):
    return sum(loop.count(style.spill) for loop in loops)


def test_inner_loops_do_not_spill(compiled):
    """Loops that only sum, and loops over windows that store results as they go (depthwise convolutions)."""
    expected, style, loops = compiled
    sums = [loop for loop in loops if not loop.count(style.store)]
    windows = [loop for loop in loops if loop.count(style.store)]
    for name, group, limit, reloads in (
        ("sums", sums, expected.spills, 1 / 8),
        ("windows", windows, expected.window_spills, expected.window_reloads),
    ):
        count = spills(group, style)
        others = sum(loop.count(style.stack, style.spill) for loop in group)
        products = sum(loop.count(expected.multiply_add) for loop in group)
        print(f"{name}: {len(group)} loops, {products} multiply-adds, {count} spills, {others} other uses of the stack")
        worst = max(group, key=lambda loop: loop.count(style.spill), default="")
        assert count <= limit, f"{count} spills in {name}, {limit} are known; the worst loop:\n{worst}"
        assert others <= products * reloads, (
            f"pointers are reloaded {others} times for {products} multiply-adds in {name}"
        )


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_winograd_products_stay_in_registers(name, tools):
    """A 3x3 convolution of 64 channels: the loops of its matrix products, which store nothing."""
    from builder import Function
    from operations import conv, pad

    expected = EXPECTATIONS[name]
    f = Function("layer")
    x = pad(f, f.arg([1, 64, 56, 56]), [0, 0, 1, 1], [0, 0, 1, 1])
    f.output(conv(f, x, f.const([64, 64, 3, 3]), f.const([64])))
    model, module = tools.work / "winograd.mlir", tools.work / f"winograd-{name}.xcm"
    model.write_text(f.text())
    must_run([tools.compiler, model, "-o", module, "--winograd=always", *expected.flags])
    style = STYLES[expected.style]
    loops = [loop for loop in innermost_loops(disassemble(module), style) if not loop.count(style.store)]
    products = [loop for loop in loops if loop.count(expected.multiply_add) >= IN_LOOP]
    assert products
    largest = max(products, key=lambda loop: loop.count(expected.multiply_add))
    count = largest.count(expected.multiply_add)
    print(f"{len(largest.instructions)} instructions for {count} multiply-adds")
    assert count >= min(expected.tile, 8)
    assert not spills([largest], style), str(largest)
    assert len(largest.instructions) <= expected.winograd * count, str(largest)


def test_vectors_of_one_loop_are_equal_where_halves_are_as_fast(tools):
    """Zen 4 has one unit for 512 bits that is two for 256: among halves, whole vectors would all go to one of the two."""
    from builder import Function
    from operations import conv

    f = Function("layer")
    f.output(conv(f, f.arg([1, 144, 56, 56]), f.const([24, 144, 1, 1]), f.const([24])))
    model, module = tools.work / "halves.mlir", tools.work / "halves.xcm"
    model.write_text(f.text())
    must_run([tools.compiler, model, "-o", module, *X86, "--cpu=znver4"])
    loops = innermost_loops(disassemble(module), STYLES["x86_64"])
    sums = [loop for loop in loops if loop.count(r"^vfmadd\d+ps ") >= IN_LOOP]
    assert sums
    for loop in sums:
        assert not (loop.count(r"^vfmadd\d+ps .*%zmm") and loop.count(r"^vfmadd\d+ps (?!.*%zmm).*%ymm")), str(loop)
