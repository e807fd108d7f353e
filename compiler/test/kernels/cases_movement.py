"""What only moves elements: transposes, reshapes, slices, pads, concatenations, gathers."""

from __future__ import annotations

import numpy as np
from builder import DTYPES, Dim, Function, Value
from families import Family, family
from operations import (
    clip,
    collapse,
    concat,
    contract,
    conv,
    elementwise,
    enlarge,
    expand,
    insert,
    pad,
    positions,
    repeat,
    slice_of,
    take,
    transpose,
)

NAN, INF = np.nan, np.inf


@family
def movement(cases: Family) -> None:
    for shape, order in [
        ([5, 17], [1, 0]), ([33, 16], [1, 0]), ([3, 5, 7], [2, 1, 0]), ([2, 7, 5, 9], [0, 2, 3, 1]), ([2, 5, 9, 7], [0, 3, 1, 2]),
        ([4, 3, 6], [1, 0, 2]), ([2, 3, 4, 5, 6], [4, 2, 0, 3, 1]), ([1, 7, 1, 3], [3, 2, 1, 0]), ([0, 3], [1, 0]),
        ([64, 48], [1, 0]), ([37, 19], [1, 0]), ([2, 35, 3, 18], [0, 2, 3, 1]), ([8, 8], [1, 0]), ([4, 127], [1, 0]),
    ]:  # fmt: skip
        name = f"transpose_{'x'.join(map(str, shape))}_{''.join(map(str, order))}"
        cases.add(name, lambda f, s=shape, o=order: f.output(transpose(f, f.arg(s), o)))
    for kind in ("i64", "u8", "bool"):
        cases.add(f"transpose_{kind}", lambda f, k=kind: f.output(transpose(f, f.arg([7, 19], k), [1, 0])))

    # Images made larger: read where they are added, written where they are joined, or copied.
    def image(f: Function, channels: int, height: int, width: int, dynamic: bool = False) -> Value:
        shape = [1, 5, f.size if dynamic else height, f.size + 1 if dynamic else width]
        x = f.arg(shape, dynamic=[2, 3] if dynamic else [])
        return conv(f, x, f.const([channels, 5, 1, 1]), f.const([channels]))

    def repeated_and_added(f: Function, channels: int, down: int, across: int) -> None:
        y = repeat(f, image(f, channels, 3, 5), down, across)
        f.output(elementwise(f, "add", f.arg([1, channels, 3 * down, 5 * across]), y))

    for channels, down, across in [(1, 2, 2), (6, 2, 2), (17, 2, 3), (24, 1, 4), (33, 8, 1)]:
        name = f"repeated_{channels}_channels_{down}x{across}"
        cases.add(name, lambda f, c=channels, d=down, a=across: repeated_and_added(f, c, d, a))

    def repeated_and_padded(f: Function) -> None:  # as in a pyramid of features
        small = image(f, 7, 4, 3)
        middle = elementwise(f, "add", image(f, 7, 8, 6), repeat(f, small, 2, 2))
        large = elementwise(f, "add", image(f, 7, 16, 12), repeat(f, middle, 2, 2))
        y = conv(f, pad(f, large, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([4, 7, 3, 3]))
        f.output(y, concat(f, [repeat(f, small, 4, 4), repeat(f, middle, 2, 2), large], 1))

    def repeated_twice_used(f: Function) -> None:
        y = repeat(f, image(f, 9, 3, 4), 2, 2)
        f.output(elementwise(f, "add", y, f.arg([1, 9, 6, 8])), elementwise(f, "mul", y, y))

    def repeated_of_natural_order(f: Function) -> None:
        y = repeat(f, f.arg([2, 3, 4, 5]), 2, 2)
        f.output(y, elementwise(f, "add", y, f.arg([2, 3, 8, 10])))

    def repeated_of_unknown_size(f: Function) -> None:
        y = repeat(f, image(f, 6, 0, 0, dynamic=True), 2, 2)
        f.output(elementwise(f, "maximum", y, f.arg([1, 6, 1, 1])), y)

    for build in (repeated_and_padded, repeated_twice_used, repeated_of_natural_order):
        cases.add(build.__name__, build)
    cases.add("repeated_of_unknown_size", repeated_of_unknown_size, (1, 2, 5, 8))

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
