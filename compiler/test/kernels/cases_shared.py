"""Work that is large enough to be shared: many work items, cut in the middle of rows, columns and images, on threads."""

from __future__ import annotations

import numpy as np
from builder import Dim, Function
from families import Family, family
from operations import (
    clip,
    concat,
    contract,
    conv,
    depthwise,
    elementwise,
    pad,
    pool,
    reduce,
    softmax,
    spread,
    take,
    transpose,
)

MAPS = [["m", "k"], ["k", "n"], ["m", "n"]]


@family
def shared_work(cases: Family) -> None:
    cases.flags = ("--device=local-task", "--threads=3")

    def matmul(f: Function) -> None:
        m, k, n = 131, 67, 197
        init = spread(f, f.const([n]), [Dim(m), Dim(n)], 1)
        f.output(clip(f, contract(f, f.arg([m, k]), f.const([k, n]), MAPS, init=init), -1, 1))

    def matmul_of_inputs(f: Function) -> None:
        f.output(contract(f, f.arg([257, 33]), f.arg([33, 131]), MAPS))

    def matmul_batches(f: Function) -> None:
        maps = [["b", "m", "k"], ["b", "n", "k"], ["b", "m", "n"]]
        f.output(softmax(f, contract(f, f.arg([13, 31, 19]), f.arg([13, 37, 19]), maps)))

    def pointwise(f: Function) -> None:
        x = f.arg([1, 17, 41, 39])
        y = conv(f, x, f.const([101, 17, 1, 1]), f.const([101]))
        f.output(elementwise(f, "add", y, f.arg(y.shape)))

    def images(f: Function) -> None:
        x = pad(f, f.arg([3, 5, 37, 29]), [0, 0, 1, 1], [0, 0, 1, 1])
        y = clip(f, conv(f, x, f.const([35, 5, 3, 3]), f.const([35]), 2), 0, 6)
        f.output(pool(f, y, (3, 3), 2))

    def block(f: Function) -> None:
        x = f.arg([1, 11, 31, 33])
        y = clip(f, conv(f, x, f.const([66, 11, 1, 1]), f.const([66])), 0, 6)
        y = depthwise(f, pad(f, y, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([66, 3, 3]), f.const([66]))
        y = conv(f, clip(f, y, 0, 6), f.const([11, 66, 1, 1]), f.const([11]))
        f.output(elementwise(f, "add", x, y), reduce(f, y, [2, 3], "sum"))

    def long_vector(f: Function) -> None:
        f.output(elementwise(f, "mul", f.arg([150_001]), f.arg([1])))

    def moves(f: Function) -> None:
        x = f.arg([123, 311])
        y = elementwise(f, "neg", x)
        f.output(transpose(f, x, [1, 0]), concat(f, [x, y], 1), pad(f, y, [17, 3], [2, 41], 3))

    def sums(f: Function) -> None:
        x = f.arg([37, 29, 41])
        f.output(*(reduce(f, x, axes, "sum") for axes in ([0], [1], [2], [0, 2])), reduce(f, x, [1], "max"))

    def rows_by_index(f: Function) -> None:
        f.output(take(f, f.const([97, 61]), f.arg([1009], "i64", data=f.data.integers(0, 97, [1009]).astype(np.int64))))

    def branches(f: Function) -> None:
        """Branches that may run side by side, written into parts of one tensor, twice; padded with frames."""
        x = f.arg([1, 13, 23, 29])
        for _ in range(2):
            channels = x.shape[1]
            a = clip(f, conv(f, x, f.const([19, channels, 1, 1]), f.const([19])), 0, 6)
            b = conv(f, x, f.const([9, channels, 1, 1]), f.const([9]))
            b = clip(f, conv(f, pad(f, b, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([21, 9, 3, 3]), f.const([21])), 0, 6)
            c = pool(f, pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1], -100), (3, 3), 1)
            c = conv(f, c, f.const([8, channels, 1, 1]), f.const([8]))
            d = depthwise(f, pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1]), f.const([channels, 3, 3]), f.const([channels]))
            x = concat(f, [a, b, elementwise(f, "add", d, x), c], 1)
        f.output(x, reduce(f, a, [2, 3], "sum"))

    def heads(f: Function) -> None:
        """Three products of one input, and what follows from all of them."""
        x = f.arg([67, 48])
        q, k, v = (contract(f, x, f.const([48, 48]), MAPS) for _ in range(3))
        scores = softmax(f, contract(f, q, k, [["m", "k"], ["n", "k"], ["m", "n"]]))
        f.output(elementwise(f, "add", contract(f, scores, v, MAPS), x))

    def any_branches(f: Function) -> None:
        x = f.arg([f.size, 37], dynamic=[0])
        a, b, c = (clip(f, contract(f, x, f.const([37, n]), MAPS), -1, 1) for n in (51, 37, 37))
        f.output(a, elementwise(f, "add", b, c), concat(f, [b, c], 1))

    cases.add("shared_any_branches", any_branches, (1, 63, 500))
    products = (matmul, matmul_of_inputs, matmul_batches, pointwise, images, block, branches, heads)
    for build in (*products, long_vector, moves, sums, rows_by_index):
        cases.add(f"shared_{build.__name__}", build)

    def any_size(f: Function) -> None:
        x = f.arg([f.size, 51], dynamic=[0])
        y = clip(f, contract(f, x, f.const([51, 83]), MAPS), 0, 1)
        f.output(y, transpose(f, y, [1, 0]), reduce(f, y, [0], "max"))

    cases.add("shared_any_size", any_size, (1, 64, 129, 401, 1000))
