"""Elementwise operations with broadcasting, reductions over each axis, pooling."""

from __future__ import annotations

import numpy as np
from builder import Dim, Function
from families import Family, family
from operations import clip, conv, elementwise, pad, pool, reduce, scalar_operand, select, softmax

INF = np.inf


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
