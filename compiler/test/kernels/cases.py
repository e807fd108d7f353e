"""What is tested: families of cases. A case is a function of the model; a family is compiled as one module.

Sizes are those at which code generators go wrong: 1, primes, one less and one more than the width of a vector (4, 8, 16,
and RISC-V's 16, 32 and 64 with grouped registers) and of a register tile, and 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from builder import DTYPES, Dim, Function, Value
from operations import (  # fmt: skip
    clip,
    collapse,
    concat,
    contract,
    conv,
    conv_grouped,
    convert,
    depthwise,
    elementwise,
    enlarge,
    expand,
    insert,
    pad,
    pool,
    positions,
    reduce,
    scalar_operand,
    select,
    slice_of,
    softmax,
    spread,
    take,
    transpose,
)

NAN, INF = np.nan, np.inf


@dataclass(frozen=True)
class Case:
    name: str
    build: Callable  # (Function) → None; reads f.size when there are sizes
    sizes: tuple[int, ...] = (0,)

    def at(self, size: int) -> Function:
        f = Function(self.name, size)
        self.build(f)
        assert f.outputs
        return f


@dataclass
class Family:
    name: str
    cases: list[Case] = field(default_factory=list)

    def add(self, name: str, build: Callable, sizes: tuple[int, ...] = (0,)) -> None:
        self.cases.append(Case(name.replace("-", "m"), build, sizes))


FAMILIES: dict[str, Family] = {}


def family(function):
    FAMILIES[function.__name__] = made = Family(function.__name__)
    function(made)
    return function


# ---- Matrix products -------------------------------------------------------------------------------------------------
A_MAPS = {"n": ["m", "k"], "t": ["k", "m"]}
B_MAPS = {"n": ["k", "n"], "t": ["n", "k"]}
C_MAPS = {"n": ["m", "n"], "t": ["n", "m"]}


def matmul(f: Function, m: int, k: int, n: int, form: str = "nnn", constant: bool = False, kind: str = "f32") -> None:
    extent = {"m": m, "k": k, "n": n}
    maps = [table[letter] for table, letter in zip((A_MAPS, B_MAPS, C_MAPS), form, strict=True)]
    a = f.arg([extent[x] for x in maps[0]], kind)
    b = (f.const if constant else f.arg)([extent[x] for x in maps[1]], kind)
    f.output(contract(f, a, b, maps))


@family
def matmul_shapes(cases: Family) -> None:
    for m, k, n in [
        (1, 1, 1), (1, 64, 64), (64, 64, 1), (16, 1, 16), (5, 7, 3), (7, 13, 17), (13, 31, 15), (15, 16, 33), (6, 5, 47),
        (17, 9, 63), (4, 3, 65), (31, 8, 31), (9, 17, 129), (2, 2, 2), (3, 127, 5), (29, 64, 48), (1, 3, 257),
    ]:  # fmt: skip
        for constant in (False, True):
            name = f"matmul_{m}x{k}x{n}{'_weights' if constant else ''}"
            cases.add(name, lambda f, m=m, k=k, n=n, c=constant: matmul(f, m, k, n, constant=c))
    for m, k, n in [(0, 3, 5), (3, 0, 5), (3, 5, 0)]:
        cases.add(f"matmul_empty_{m}x{k}x{n}", lambda f, m=m, k=k, n=n: matmul(f, m, k, n))


@family
def matmul_forms(cases: Family) -> None:
    for form in ("ntn", "tnn", "ttn", "nnt", "ntt", "tnt", "ttt"):
        for m, k, n in [(7, 19, 33), (17, 5, 13), (1, 31, 8)]:
            for constant in (False, True):
                name = f"matmul_{form}_{m}x{k}x{n}{'_weights' if constant else ''}"
                cases.add(name, lambda f, a=(m, k, n, form, constant): matmul(f, *a))
    for kind in ("i32", "i64"):
        cases.add(f"matmul_{kind}", lambda f, kind=kind: matmul(f, 7, 13, 19, kind=kind))
        cases.add(f"matmul_{kind}_weights", lambda f, kind=kind: matmul(f, 5, 6, 33, constant=True, kind=kind))

    def named(f: Function) -> None:
        maps = [["m", "k"], ["k", "n"], ["m", "n"]]
        f.output(contract(f, f.arg([11, 23]), f.arg([23, 37]), maps, named="linalg.matmul"))

    def named_batch(f: Function) -> None:
        maps = [["b", "m", "k"], ["b", "k", "n"], ["b", "m", "n"]]
        f.output(contract(f, f.arg([3, 11, 23]), f.arg([3, 23, 37]), maps, named="linalg.batch_matmul"))

    cases.add("matmul_named", named)
    cases.add("matmul_named_batch", named_batch)

    def batched(f: Function, maps, a, b) -> None:
        f.output(contract(f, f.arg(a), f.arg(b), maps))

    # Heads of attention: [b, s, h, d] x [b, t, h, d] -> [b, h, s, t], and back.
    scores = [["b", "s", "h", "d"], ["b", "t", "h", "d"], ["b", "h", "s", "t"]]
    cases.add("matmul_attention_scores", lambda f: batched(f, scores, [2, 7, 3, 8], [2, 9, 3, 8]))
    mix = [["b", "h", "s", "t"], ["b", "t", "h", "d"], ["b", "s", "h", "d"]]
    cases.add("matmul_attention_mix", lambda f: batched(f, mix, [2, 3, 7, 9], [2, 9, 3, 8]))
    shared = [["b", "m", "k"], ["k", "n"], ["b", "m", "n"]]
    cases.add("matmul_batch_shares_b", lambda f: batched(f, shared, [3, 5, 17], [17, 21]))
    two = [["m", "i", "j"], ["i", "j", "n"], ["m", "n"]]
    cases.add("matmul_two_reductions", lambda f: batched(f, two, [5, 3, 7], [3, 7, 19]))
    vector = [["k"], ["k", "n"], ["n"]]
    cases.add("matmul_vector_times_matrix", lambda f: batched(f, vector, [33], [33, 17]))
    matrix = [["m", "k"], ["k"], ["m"]]
    cases.add("matmul_matrix_times_vector", lambda f: batched(f, matrix, [19, 33], [33]))
    cases.add("matmul_dot", lambda f: batched(f, [["k"], ["k"], []], [129], [129]))
    cases.add("matmul_outer", lambda f: batched(f, [["m"], ["n"], ["m", "n"]], [13], [21]))


@family
def matmul_epilogues(cases: Family) -> None:
    maps = [["m", "k"], ["k", "n"], ["m", "n"]]

    def product(f: Function, m=13, k=29, n=43, bias=False) -> Value:
        init = spread(f, f.const([n]), [Dim(m), Dim(n)], 1) if bias else None
        return contract(f, f.arg([m, k]), f.const([k, n]), maps, init=init)

    cases.add("epilogue_bias", lambda f: f.output(product(f, bias=True)))
    cases.add("epilogue_bias_clip", lambda f: f.output(clip(f, product(f, bias=True), 0, 6)))

    def residual(f: Function) -> None:
        y = product(f, bias=True)
        f.output(elementwise(f, "add", y, f.arg([13, 43])))

    def row_and_column(f: Function) -> None:
        y = elementwise(f, "mul", product(f), f.arg([13, 1]))
        f.output(elementwise(f, "add", y, f.const([43])))

    def twice(f: Function) -> None:  # the product itself is an output too
        y = product(f, bias=True)
        f.output(y, elementwise(f, "maximum", y, scalar_operand(f, 0)))

    def transposed(f: Function) -> None:
        f.output(transpose(f, clip(f, product(f, bias=True), -1, 1), [1, 0]))

    def chain(f: Function) -> None:
        hidden = elementwise(f, "maximum", product(f, bias=True), scalar_operand(f, 0))
        f.output(contract(f, hidden, f.const([43, 11]), maps))

    def two_products(f: Function) -> None:
        a = contract(f, f.arg([9, 17]), f.const([17, 21]), maps)
        f.output(elementwise(f, "add", a, contract(f, f.arg([9, 5]), f.const([5, 21]), maps)))

    for build in (residual, row_and_column, twice, transposed, chain, two_products):
        cases.add(f"epilogue_{build.__name__}", build)


# ---- Convolutions ----------------------------------------------------------------------------------------------------
def convolution(f: Function, c, oc, h, w, k, stride=1, dilation=1, low=(0, 0), high=(0, 0), batch=1, tail="") -> None:
    kernel = [k, k] if isinstance(k, int) else k
    x = f.arg([batch, c, h, w])
    if any(low) or any(high):
        x = pad(f, x, [0, 0, *low], [0, 0, *high])
    y = conv(f, x, f.const([oc, c, *kernel]), f.const([oc]) if tail else None, stride, dilation)
    if "c" in tail:
        y = clip(f, y, 0, 6)
    if "r" in tail:
        y = elementwise(f, "add", y, f.arg(y.shape))
    f.output(y)


@family
def convolutions(cases: Family) -> None:
    def add(name: str, *args, **keys) -> None:
        cases.add(f"conv_{name}", lambda f: convolution(f, *args, **keys))

    for c, oc, h, w in [(1, 1, 1, 1), (3, 17, 5, 7), (16, 31, 7, 7), (33, 16, 1, 13), (7, 65, 3, 3), (8, 5, 9, 4)]:
        add(f"1x1_{c}to{oc}_{h}x{w}", c, oc, h, w, 1, tail="b")
        add(f"3x3_{c}to{oc}_{h}x{w}", c, oc, h, w, 3, low=(1, 1), high=(1, 1), tail="bc")
    for stride in (1, 2, 3):
        for k in (1, 3, 5, 7):
            add(f"{k}x{k}_stride{stride}", 5, 18, 13, 11, k, stride, low=(k // 2,) * 2, high=(k // 2,) * 2, tail="b")
    add("first_layer", 3, 24, 15, 19, 3, 2, low=(0, 0), high=(1, 1), tail="bc")
    add("dilated", 6, 9, 13, 12, 3, 1, 2, low=(2, 2), high=(2, 2))
    add("dilated_strided", 4, 17, 15, 17, 3, 2, 3, low=(3, 1), high=(0, 4), tail="b")
    add("asymmetric_padding", 5, 8, 6, 9, 3, low=(2, 0), high=(1, 3), tail="b")
    add("odd_kernel", 5, 11, 9, 10, [1, 5], low=(0, 2), high=(0, 2), tail="b")
    add("tall_kernel", 5, 11, 9, 10, [4, 2], [2, 1], tail="b")
    add("batch", 7, 19, 5, 6, 3, low=(1, 1), high=(1, 1), batch=3, tail="bc")
    add("residual", 8, 23, 7, 9, 1, tail="br")
    add("clip_residual", 8, 23, 7, 9, 3, low=(1, 1), high=(1, 1), tail="bcr")
    add("empty_batch", 3, 4, 5, 5, 3, batch=0, tail="b")
    add("kernel_is_image", 9, 20, 4, 5, [4, 5], tail="b")
    cases.add("conv_1d", lambda f: f.output(conv(f, f.arg([2, 5, 23]), f.const([9, 5, 3]), f.const([9]), 2)))
    cases.add("conv_3d", lambda f: f.output(conv(f, f.arg([1, 3, 5, 6, 7]), f.const([10, 3, 3, 2, 3]), f.const([10]))))

    def named(f: Function, name: str, form: str) -> None:
        op = f"linalg.{name} {{strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}}"
        if form == "nchw":
            f.output(conv(f, f.arg([1, 6, 9, 11]), f.const([13, 6, 3, 3]), f.const([13]), 2, named=op))
        elif form == "depthwise":
            f.output(depthwise(f, f.arg([1, 6, 9, 11]), f.const([6, 3, 3]), f.const([6]), 2, named=op))
        else:
            x, w = f.arg([1, 9, 11, 6]), f.const([3, 3, 6, 13])
            sizes = {"n": Dim(1), "y": Dim(4), "x": Dim(5), "oc": Dim(13)}
            maps = [["n", "y*2+ky", "x*2+kx", "ic"], ["ky", "kx", "ic", "oc"], ["n", "y", "x", "oc"]]
            f.output(contract(f, x, w, maps, sizes, named=op))

    cases.add("conv_named_nchw", lambda f: named(f, "conv_2d_nchw_fchw", "nchw"))
    cases.add("conv_named_nhwc", lambda f: named(f, "conv_2d_nhwc_hwcf", "nhwc"))
    cases.add("conv_named_depthwise", lambda f: named(f, "depthwise_conv_2d_nchw_chw", "depthwise"))
    cases.add("conv_weights_are_an_input", lambda f: f.output(conv(f, f.arg([1, 5, 7, 8]), f.arg([9, 5, 3, 3]))))

    def padded_twice(f: Function) -> None:  # two readers that want different halos
        x = clip(f, conv(f, f.arg([1, 4, 8, 9]), f.const([12, 4, 1, 1]), f.const([12])), 0, 6)
        small = conv(f, pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([7, 12, 3, 3]))
        large = conv(f, pad(f, x, [0, 0, 2, 2], [0, 0, 2, 2]), f.const([7, 12, 5, 5]))
        f.output(elementwise(f, "add", small, large))

    cases.add("conv_padded_twice", padded_twice)


@family
def grouped_convolutions(cases: Family) -> None:
    for c, oc, groups, k, stride in [
        (4, 6, 2, 3, 1), (6, 9, 3, 1, 1), (32, 32, 2, 3, 2), (8, 40, 4, 3, 1), (34, 34, 17, 3, 1), (10, 10, 5, 1, 2),
    ]:  # fmt: skip

        def build(f: Function, c=c, oc=oc, groups=groups, k=k, stride=stride) -> None:
            x = pad(f, f.arg([1, c, 7, 8]), [0, 0, k // 2, k // 2], [0, 0, k // 2, k // 2])
            y = conv_grouped(f, x, f.const([oc, c // groups, k, k]), groups, f.const([oc]), stride)
            f.output(clip(f, y, -1, 1))

        cases.add(f"grouped_{c}to{oc}_by{groups}_{k}x{k}_stride{stride}", build)
    for c, h, w, k, stride, dilation, batch in [
        (1, 5, 5, 3, 1, 1, 1), (16, 7, 7, 3, 1, 1, 1), (17, 9, 8, 3, 2, 1, 1), (33, 5, 6, 5, 1, 1, 2), (24, 14, 13, 3, 1, 1, 1),
        (3, 11, 10, 7, 2, 1, 1), (65, 4, 5, 3, 1, 2, 1), (8, 1, 1, 3, 1, 1, 1), (15, 9, 9, 5, 2, 1, 1), (31, 6, 7, 3, 3, 1, 1),
    ]:  # fmt: skip

        def build(f: Function, c=c, h=h, w=w, k=k, s=stride, d=dilation, batch=batch) -> None:
            p = d * (k // 2)
            x = pad(f, f.arg([batch, c, h, w]), [0, 0, p, p], [0, 0, p, p])
            f.output(clip(f, depthwise(f, x, f.const([c, k, k]), f.const([c]), s, d), 0, 6))

        cases.add(f"depthwise_{c}_{h}x{w}_{k}x{k}_stride{stride}_dilation{dilation}_batch{batch}", build)

    def block(f: Function, stride: int, residual: bool) -> None:
        """MobileNetV2's building block."""
        x = f.arg([1, 9, 10, 11])
        y = clip(f, conv(f, x, f.const([34, 9, 1, 1]), f.const([34])), 0, 6)
        y = pad(f, y, [0, 0, 1, 1], [0, 0, 1, 1])
        y = clip(f, depthwise(f, y, f.const([34, 3, 3]), f.const([34]), stride), 0, 6)
        y = conv(f, y, f.const([9, 34, 1, 1]), f.const([9]))
        f.output(elementwise(f, "add", x, y) if residual else y)

    cases.add("inverted_residual", lambda f: block(f, 1, True))
    cases.add("inverted_strided", lambda f: block(f, 2, False))

    def squeeze_excite(f: Function) -> None:
        x = pad(f, f.arg([1, 18, 6, 7]), [0, 0, 1, 1], [0, 0, 1, 1])
        y = depthwise(f, x, f.const([18, 3, 3]), f.const([18]))
        mean = elementwise(f, "mul", reduce(f, y, [2, 3], "sum"), scalar_operand(f, 1 / 42))
        mean = expand(f, mean, [[0], [1, 2, 3]], [Dim(1), Dim(18), Dim(1), Dim(1)])
        hidden = elementwise(f, "maximum", conv(f, mean, f.const([5, 18, 1, 1]), f.const([5])), scalar_operand(f, 0))
        gate = clip(f, conv(f, hidden, f.const([18, 5, 1, 1]), f.const([18])), 0, 1)
        f.output(elementwise(f, "mul", y, gate))

    cases.add("squeeze_excite", squeeze_excite)


# ---- Elementwise, reductions, pooling --------------------------------------------------------------------------------
@family
def elementwise_ops(cases: Family) -> None:
    def binary(f: Function, op: str, a, b, kind="f32") -> None:
        f.output(elementwise(f, op, f.arg(a, kind), f.arg(b, kind)))

    for n in (1, 3, 15, 16, 17, 63, 65, 1031):
        cases.add(f"add_{n}", lambda f, n=n: binary(f, "add", [n], [n]))
    for a, b in [
        ([5, 7], [7]), ([5, 7], [5, 1]), ([5, 1], [1, 7]), ([3, 17, 5], [17, 1]), ([2, 3, 4, 19], [3, 1, 1]), ([1], [9, 33]),
        ([1, 19, 3, 5], [1, 19, 1, 1]), ([4, 1, 6, 1], [5, 1, 7]), ([0, 5], [5]), ([], [3, 5]), ([], []),
    ]:  # fmt: skip
        name = f"broadcast_{'x'.join(map(str, a))}_with_{'x'.join(map(str, b))}"
        cases.add(name, lambda f, a=a, b=b: binary(f, "mul", a, b))
    for op in ("sub", "maximum", "minimum", "maxnum", "minnum", "lt", "ge", "ne"):
        cases.add(op, lambda f, op=op: binary(f, op, [7, 19], [7, 19]))

    def unary(f: Function, op: str) -> None:
        x = f.arg([3, 23])
        f.output(elementwise(f, op, elementwise(f, "abs", x) if op == "sqrt" else x))

    for op in ("neg", "abs", "sqrt", "floor", "ceil", "exp"):
        cases.add(op, lambda f, op=op: unary(f, op))

    def division(f: Function) -> None:
        f.output(
            elementwise(f, "div", f.arg([5, 21]), f.arg([5, 21], data=f.data.uniform(0.5, 2, [5, 21]).astype("f")))
        )

    def polynomial(f: Function) -> None:
        x = f.arg([3, 37])
        y = elementwise(f, "mul", x, f.const([37]))
        for _ in range(3):
            y = elementwise(f, "mul", elementwise(f, "add", y, f.const([3, 1])), x)
        f.output(y)

    def choose(f: Function) -> None:
        x, y = f.arg([9, 17]), f.arg([9, 17])
        f.output(select(f, elementwise(f, "lt", x, y), elementwise(f, "neg", x), y))

    def unchanged(f: Function) -> None:
        f.output(f.arg([3, 5]), f.arg([], "i32"))

    def same_result_twice(f: Function) -> None:
        y = elementwise(f, "neg", f.arg([3, 5]))
        f.output(y, y)

    def constant_result(f: Function) -> None:
        f.arg([1])
        f.output(f.const([5, 7]), f.fill([Dim(3), Dim(2)], "i32", 7))

    for build in (division, polynomial, choose, unchanged, same_result_twice, constant_result):
        cases.add(build.__name__, build)


@family
def reductions(cases: Family) -> None:
    shape = [5, 18, 3, 7]
    for axes in ([0], [1], [2], [3], [0, 1], [1, 2], [2, 3], [1, 3], [0, 3], [0, 1, 2], [1, 2, 3], [0, 1, 2, 3]):
        for op in ("sum", "max") if len(axes) > 1 else ("sum", "max", "min", "mul"):
            name = f"{op}_over_{''.join(map(str, axes))}"
            cases.add(name, lambda f, axes=axes, op=op: f.output(reduce(f, f.arg(shape), axes, op)))
    for n in (1, 2, 15, 17, 33, 64, 257):
        cases.add(f"sum_of_{n}", lambda f, n=n: f.output(reduce(f, f.arg([3, n]), [1], "sum")))
        cases.add(f"max_of_{n}", lambda f, n=n: f.output(reduce(f, f.arg([n]), [0], "max")))
        cases.add(f"columns_{n}", lambda f, n=n: f.output(reduce(f, f.arg([7, n]), [0], "min")))
    cases.add("sum_of_none", lambda f: f.output(reduce(f, f.arg([4, 0]), [1], "sum")))
    cases.add("max_of_none", lambda f: f.output(reduce(f, f.arg([0, 17]), [0], "max")))
    for kind in ("i8", "i32", "i64"):
        for op in ("sum", "max", "min", "and"):
            cases.add(
                f"{op}_{kind}",
                lambda f, k=kind, op=op: f.output(*(reduce(f, f.arg([9, 21], k), [a], op) for a in (0, 1))),
            )

    def softmax_rows(f: Function) -> None:
        f.output(softmax(f, f.arg([7, 33])))

    def mean_square(f: Function) -> None:
        x = f.arg([5, 19])
        f.output(reduce(f, elementwise(f, "mul", x, x), [1], "sum"))

    def then_epilogue(f: Function) -> None:
        y = reduce(f, f.arg([5, 9, 19]), [1], "sum")
        f.output(clip(f, elementwise(f, "mul", y, f.const([19])), -1, 1))

    for build in (softmax_rows, mean_square, then_epilogue):
        cases.add(build.__name__, build)


@family
def pooling(cases: Family) -> None:
    for c, h, w, k, stride, p, dilation in [
        (16, 8, 8, (2, 2), 2, 0, 1), (17, 9, 7, (3, 3), 2, 1, 1), (3, 5, 11, (3, 2), 1, 0, 1), (33, 7, 7, (7, 7), 1, 0, 1),
        (5, 9, 9, (3, 3), 3, 0, 1), (1, 6, 6, (2, 3), 1, 1, 2), (8, 4, 15, (1, 5), 2, 0, 1),
    ]:  # fmt: skip
        for op in ("max", "sum"):

            def build(f: Function, c=c, h=h, w=w, k=k, s=stride, p=p, d=dilation, op=op) -> None:
                x = f.arg([2, c, h, w])
                if p:
                    x = pad(f, x, [0, 0, p, p], [0, 0, p, p], -INF if op == "max" else 0)
                f.output(pool(f, x, k, s, d, op))

            cases.add(f"{op}pool_{c}_{h}x{w}_{k[0]}x{k[1]}_stride{stride}_pad{p}_dilation{dilation}", build)

    def after_conv(f: Function) -> None:
        y = clip(f, conv(f, f.arg([1, 3, 9, 11]), f.const([18, 3, 3, 3]), f.const([18])), 0, 6)
        y = pool(f, y, (3, 3), 2, op="max")
        f.output(conv(f, y, f.const([7, 18, 1, 1])))

    def global_mean(f: Function) -> None:
        y = clip(f, conv(f, f.arg([2, 3, 6, 5]), f.const([21, 3, 1, 1]), f.const([21])), 0, 6)
        f.output(elementwise(f, "mul", reduce(f, y, [2, 3], "sum"), scalar_operand(f, 1 / 30)))

    cases.add("pool_after_conv", after_conv)
    cases.add("global_mean", global_mean)


# ---- Movement --------------------------------------------------------------------------------------------------------
@family
def movement(cases: Family) -> None:
    for shape, order in [
        ([5, 17], [1, 0]), ([33, 16], [1, 0]), ([3, 5, 7], [2, 1, 0]), ([2, 7, 5, 9], [0, 2, 3, 1]), ([2, 5, 9, 7], [0, 3, 1, 2]),
        ([4, 3, 6], [1, 0, 2]), ([2, 3, 4, 5, 6], [4, 2, 0, 3, 1]), ([1, 7, 1, 3], [3, 2, 1, 0]), ([0, 3], [1, 0]),
    ]:  # fmt: skip
        name = f"transpose_{'x'.join(map(str, shape))}_{''.join(map(str, order))}"
        cases.add(name, lambda f, s=shape, o=order: f.output(transpose(f, f.arg(s), o)))
    for kind in ("i64", "u8", "bool"):
        cases.add(f"transpose_{kind}", lambda f, k=kind: f.output(transpose(f, f.arg([7, 19], k), [1, 0])))

    def reshapes(f: Function) -> None:
        x = f.arg([6, 4, 5])
        f.output(collapse(f, x, [[0, 1], [2]]), expand(f, x, [[0, 1], [2], [3]], [Dim(2), Dim(3), Dim(4), Dim(5)]))

    def reshape_of_transpose(f: Function) -> None:  # has to be copied
        f.output(collapse(f, transpose(f, f.arg([6, 4, 5]), [1, 0, 2]), [[0, 1], [2]]))

    def flatten_after_conv(f: Function) -> None:
        y = conv(f, f.arg([2, 3, 4, 5]), f.const([7, 3, 3, 3]), f.const([7]))
        flat = collapse(f, y, [[0], [1, 2, 3]])
        f.output(contract(f, flat, f.const([42, 11]), [["m", "k"], ["k", "n"], ["m", "n"]]))

    def slices(f: Function) -> None:
        x = f.arg([9, 17, 5])
        f.output(
            slice_of(f, x, [1, 2, 0], [5, 7, 5], [1, 1, 1]),
            slice_of(f, x, [0, 1, 0], [5, 8, 3], [2, 2, 2]),
            slice_of(f, x, [8, 16, 4], [1, 1, 1], [1, 1, 1]),
            slice_of(f, x, [0, 0, 0], [0, 17, 5], [1, 1, 1]),
        )

    def inserts(f: Function) -> None:
        x = f.arg([9, 17])
        f.output(insert(f, f.arg([3, 5]), x, [1, 7], [1, 1]), insert(f, f.arg([4, 6]), x, [1, 0], [2, 3]), x)

    def concats(f: Function) -> None:
        x, y = f.arg([3, 5, 7]), f.arg([3, 2, 7])
        f.output(concat(f, [x, y], 1), concat(f, [x, x, elementwise(f, "neg", x)], 0), concat(f, [y, y], 2))

    def concat_of_convs(f: Function) -> None:  # both write into the parts of one buffer
        x = f.arg([1, 5, 6, 7])
        a = clip(f, conv(f, x, f.const([9, 5, 1, 1]), f.const([9])), 0, 6)
        b = conv(f, pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([14, 5, 3, 3]), f.const([14]))
        both = concat(f, [a, b], 1)
        f.output(conv(f, pad(f, both, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([6, 23, 3, 3])), b)

    def concat_with_itself(f: Function) -> None:
        y = elementwise(f, "neg", f.arg([4, 6]))
        f.output(concat(f, [y, y], 0), concat(f, [concat(f, [y, y], 1), f.arg([4, 3])], 1))

    def pads(f: Function) -> None:
        x = f.arg([3, 5, 7])
        f.output(
            pad(f, x, [0, 1, 2], [1, 0, 3], 1.5),
            pad(f, f.arg([5], "i64"), [2], [3], -7),
            pad(f, pad(f, x, [1, 0, 0], [0, 0, 1], -INF), [0, 2, 0], [0, 0, 0], NAN),
            pad(f, f.arg([0, 4]), [1, 0], [1, 1], 3),
        )

    def chain(f: Function) -> None:
        x = transpose(f, f.arg([6, 10, 4]), [2, 0, 1])
        x = pad(f, slice_of(f, x, [1, 0, 1], [3, 6, 4], [1, 1, 2]), [0, 1, 0], [1, 0, 2], -1)
        y = collapse(f, x, [[0, 1], [2]])
        f.output(concat(f, [y, transpose(f, f.arg([6, 28]), [1, 0])], 1))

    def scatter_of_reads(f: Function) -> None:  # one value, read in three layouts
        y = conv(f, f.arg([1, 3, 6, 5]), f.const([8, 3, 1, 1]), f.const([8]))
        f.output(y, transpose(f, y, [0, 2, 3, 1]), slice_of(f, y, [0, 2, 1, 0], [1, 3, 4, 5], [1, 2, 1, 1]))

    for build in (
        reshapes, reshape_of_transpose, flatten_after_conv, slices, inserts, concats, concat_of_convs, concat_with_itself,
        pads, chain, scatter_of_reads,
    ):  # fmt: skip
        cases.add(build.__name__, build)


@family
def gathers(cases: Family) -> None:
    def rows(f: Function, kind: str, index: str) -> None:
        at = f.data.integers(0, 13, [4, 3])
        f.output(take(f, f.arg([13, 19], kind), f.arg([4, 3], index, data=at.astype(DTYPES[index]))))

    for kind in ("f32", "i64", "bool"):
        cases.add(f"take_{kind}_rows", lambda f, k=kind: rows(f, k, "i64"))
    cases.add("take_by_i32", lambda f: rows(f, "f32", "i32"))

    def from_constant(f: Function) -> None:
        f.output(take(f, f.const([50, 7]), f.arg([11], "i64", data=f.data.integers(0, 50, [11]))))

    def of_computed(f: Function) -> None:
        table = clip(f, contract(f, f.arg([9, 5]), f.const([5, 17]), [["m", "k"], ["k", "n"], ["m", "n"]]), 0, 1)
        f.output(
            elementwise(f, "add", take(f, table, f.arg([6], "i64", data=f.data.integers(0, 9, [6]))), f.arg([6, 17]))
        )

    def of_empty(f: Function) -> None:
        f.output(take(f, f.arg([5, 3]), f.arg([0], "i64")))

    def nearest(f: Function) -> None:
        y = conv(f, f.arg([1, 3, 4, 5]), f.const([9, 3, 1, 1]), f.const([9]))
        f.output(enlarge(f, y, 2), enlarge(f, f.arg([2, 3, 3, 4]), 3))

    def index_as_value(f: Function) -> None:
        where = positions(f, [Dim(5), Dim(21)], 1)
        f.output(where, elementwise(f, "lt", where, f.arg([5, 1], "i64", data=np.arange(5)[:, None] * 5)))

    for build in (from_constant, of_computed, of_empty, nearest, index_as_value):
        cases.add(f"take_{build.__name__}", build)


# ---- Types -----------------------------------------------------------------------------------------------------------
@family
def types(cases: Family) -> None:
    for kind in ("i8", "u8", "i16", "i32", "u32", "i64"):

        def arithmetic(f: Function, kind=kind) -> None:
            x, y = f.arg([3, 23], kind), f.arg([3, 23], kind)
            unsigned = kind.startswith("u")
            for op in (
                "add",
                "sub",
                "mul",
                "and",
                "or",
                "xor",
                *(("umax", "ult") if unsigned else ("max", "min", "lt")),
                "eq",
            ):
                f.output(elementwise(f, op, x, y))

        def division(f: Function, kind=kind) -> None:
            info = np.iinfo(DTYPES[kind])
            y = f.data.integers(1, info.max, [5, 13], dtype=info.dtype, endpoint=True)
            if info.min < 0:
                y[f.data.integers(0, 2, y.shape) == 1] *= -1
            f.output(
                elementwise(f, "udiv" if info.min == 0 else "div", f.arg([5, 13], kind), f.arg([5, 13], kind, data=y))
            )

        def conversions(f: Function, kind=kind) -> None:
            x = f.arg([3, 19], kind)
            f.output(convert(f, x, "f32"))
            bits = int(kind[1:])
            if bits < 64:
                f.output(convert(f, x, "i64"))
            if bits > 8:
                f.output(convert(f, x, "i8"))
            info = np.iinfo(DTYPES[kind])
            whole = f.data.integers(max(info.min, -(2**23)), min(info.max, 2**23), [3, 19]).astype(np.float32)
            f.output(convert(f, f.arg([3, 19], data=whole), kind))

        cases.add(f"arithmetic_{kind}", arithmetic)
        cases.add(f"division_{kind}", division)
        cases.add(f"conversions_{kind}", conversions)

    def logic(f: Function) -> None:
        x, y = f.arg([5, 19], "bool"), f.arg([5, 19], "bool")
        f.output(elementwise(f, "and", x, y), elementwise(f, "or", x, y), elementwise(f, "xor", x, y))
        f.output(convert(f, x, "f32"), convert(f, y, "i64"), select(f, x, f.arg([5, 19]), f.arg([5, 19])))
        f.output(concat(f, [x, y], 0), select(f, x, y, elementwise(f, "xor", x, y)))

    def masks(f: Function) -> None:
        mask = elementwise(f, "and", f.arg([9, 1], "bool"), f.arg([1, 17], "bool"))
        f.output(mask, select(f, mask, f.arg([9, 17]), f.const([], data=np.array(-1e9))))
        f.output(reduce(f, convert(f, mask, "i32"), [1], "sum"))

    def truncation(f: Function) -> None:
        x = f.arg([4, 16], data=f.data.uniform(-100, 100, [4, 16]).astype(np.float32))
        f.output(convert(f, x, "i32"), convert(f, elementwise(f, "floor", x), "i64"), convert(f, x, "i8"))

    for build in (logic, masks, truncation):
        cases.add(build.__name__, build)


@family
def special_values(cases: Family) -> None:
    values = np.array([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 7.0, 2e-38, 3e38, -3e38], np.float32)

    def grid(f: Function) -> tuple[Value, Value]:
        n = len(values)
        return f.arg([n, n], data=np.repeat(values, n).reshape(n, n)), f.arg(
            [n, n], data=np.tile(values, n).reshape(n, n)
        )

    def clips(f: Function) -> None:
        x, _ = grid(f)
        f.output(clip(f, x, 0, 6), clip(f, x, -INF, 6), elementwise(f, "maximum", x, scalar_operand(f, 0)))

    def comparisons(f: Function) -> None:
        x, y = grid(f)
        for op in ("maximum", "minimum", "maxnum", "minnum", "lt", "ge", "ne"):
            f.output(elementwise(f, op, x, y))

    def arithmetic(f: Function) -> None:
        x, y = grid(f)
        f.output(*(elementwise(f, op, x, y) for op in ("add", "sub", "mul")))

    def clip_after_matmul(f: Function) -> None:  # in the epilogue, from registers
        data = f.data.standard_normal([9, 17]).astype(np.float32)
        data[2, 3], data[4, 5], data[6, 0] = NAN, INF, -INF
        y = contract(f, f.arg([9, 17], data=data), f.const([17, 21]), [["m", "k"], ["k", "n"], ["m", "n"]])
        f.output(clip(f, y, -1, 1))

    def extremes_with_nan(f: Function) -> None:
        data = f.data.standard_normal([8, 35]).astype(np.float32)
        data[1, 0], data[2, 34], data[3, 17], data[5, 2], data[6, 20] = NAN, NAN, NAN, INF, -INF
        x = f.arg([8, 35], data=data)
        f.output(*(reduce(f, x, [axis], op) for axis in (0, 1) for op in ("max", "min", "sum")))

    def pool_with_nan(f: Function) -> None:
        data = f.data.standard_normal([1, 18, 6, 7]).astype(np.float32)
        data[0, 3, 2, 2], data[0, 17, 5, 6], data[0, 0] = NAN, NAN, -INF
        f.output(pool(f, f.arg([1, 18, 6, 7], data=data), (2, 3), 1))

    for build in (clips, comparisons, arithmetic, clip_after_matmul, extremes_with_nan, pool_with_nan):
        cases.add(f"special_{build.__name__}", build)


# ---- Dynamic dimensions ----------------------------------------------------------------------------------------------
@family
def dynamic(cases: Family) -> None:
    batches, widths = (1, 2, 7, 16, 33), (3, 5, 17, 32, 47)
    maps = [["m", "k"], ["k", "n"], ["m", "n"]]

    def perceptron(f: Function) -> None:
        x = f.arg([f.size, 19], dynamic=[0])
        hidden = spread(f, f.const([34]), [x.dims[0], Dim(34)], 1)
        y = elementwise(f, "maximum", contract(f, x, f.const([19, 34]), maps, init=hidden), scalar_operand(f, 0))
        f.output(softmax(f, contract(f, y, f.const([34, 10]), maps)))

    def columns(f: Function) -> None:  # the vectorised loop itself
        x = f.arg([5, f.size], dynamic=[1])
        f.output(contract(f, f.arg([7, 5]), x, maps), elementwise(f, "mul", x, f.const([5, 1])))

    def depth(f: Function) -> None:
        x, y = f.arg([5, f.size], dynamic=[1]), f.arg([f.size, 17], dynamic=[0])
        f.output(contract(f, x, y, maps), reduce(f, x, [1], "sum"), reduce(f, y, [0], "max"))

    def convolution(f: Function) -> None:
        x = pad(f, f.arg([1, 3, 6, f.size], dynamic=[3]), [0, 0, 1, 1], [0, 0, 1, 1])
        y = clip(f, conv(f, x, f.const([18, 3, 3, 3]), f.const([18]), 2), 0, 6)
        y = clip(f, depthwise(f, pad(f, y, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([18, 3, 3]), f.const([18])), 0, 6)
        y = conv(f, y, f.const([7, 18, 1, 1]), f.const([7]))
        f.output(y, reduce(f, y, [2, 3], "sum"))

    def batch_of_images(f: Function) -> None:
        x = f.arg([f.size, 4, 5, 6], dynamic=[0])
        y = conv(f, x, f.const([9, 4, 3, 3]), f.const([9]))
        f.output(pool(f, y, (2, 2), 1), transpose(f, y, [0, 2, 3, 1]))

    def sequences(f: Function) -> None:
        x = f.arg([2, f.size, 3, 8], dynamic=[1])
        scores = [["b", "s", "h", "d"], ["b", "t", "h", "d"], ["b", "h", "s", "t"]]
        y = Value(x.name, [x.dims[0], Dim(x.dims[1].value, x.dims[1].name), *x.dims[2:]], x.kind, x.ref, x.err)
        weights = softmax(f, contract(f, x, y, scores))
        f.output(contract(f, weights, x, [["b", "h", "s", "t"], ["b", "t", "h", "d"], ["b", "s", "h", "d"]]))

    def moves(f: Function) -> None:
        x = f.arg([f.size, 6], dynamic=[0])
        f.output(concat(f, [x, f.arg([3, 6])], 0), pad(f, x, [1, 0], [2, 1], 2), transpose(f, x, [1, 0]))
        f.output(collapse(f, x, [[0, 1]]))

    def gathered(f: Function) -> None:
        at = f.arg([f.size], "i64", dynamic=[0], data=f.data.integers(0, 20, [f.size]))
        f.output(elementwise(f, "add", take(f, f.const([20, 11]), at), f.const([11])))

    def two_inputs(f: Function) -> None:
        x, y = f.arg([f.size, 13], dynamic=[0]), f.arg([f.size, 1], dynamic=[0])
        f.output(elementwise(f, "add", x, y), concat(f, [x, y], 1))

    for build in (perceptron, depth, batch_of_images, gathered, two_inputs):
        cases.add(f"dynamic_{build.__name__}", build, batches)
    for build in (columns, convolution, sequences, moves):
        cases.add(f"dynamic_{build.__name__}", build, widths)
    cases.add("dynamic_empty", perceptron, (0, 4))
    cases.add("dynamic_empty_moves", moves, (0, 1))
