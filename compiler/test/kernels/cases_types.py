"""Integers, booleans, conversions; infinities and NaN."""

from __future__ import annotations

import numpy as np
from builder import DTYPES, Function, Value
from families import Family, family
from operations import clip, concat, contract, convert, elementwise, pool, reduce, scalar_operand, select

NAN, INF = np.nan, np.inf


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
