"""Dimensions that are chosen at each call: one module, several sizes."""

from __future__ import annotations

from builder import Dim, Function, Value
from families import Family, family
from operations import (
    clip,
    collapse,
    concat,
    contract,
    conv,
    depthwise,
    elementwise,
    expand,
    pad,
    pool,
    reduce,
    scalar_operand,
    softmax,
    spread,
    take,
    transpose,
)


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

    def rows_in_two_dimensions(f: Function) -> None:
        x = f.arg([f.size, 3, 19], dynamic=[0])
        y = contract(f, collapse(f, x, [[0, 1], [2]]), f.const([19, 34]), maps)
        y = expand(f, y, [[0, 1], [2]], [x.dims[0], Dim(3), Dim(34)])
        y = elementwise(f, "add", y, f.const([34]))
        f.output(elementwise(f, "exp", elementwise(f, "div", y, scalar_operand(f, 11))))

    def moves(f: Function) -> None:
        x = f.arg([f.size, 6], dynamic=[0])
        f.output(concat(f, [x, f.arg([3, 6])], 0), pad(f, x, [1, 0], [2, 1], 2), transpose(f, x, [1, 0]))
        f.output(collapse(f, x, [[0, 1]]))

    def gathered(f: Function) -> None:
        at = f.arg([f.size], "i64", dynamic=[0], data=f.data.integers(0, 20, [f.size]))
        f.output(elementwise(f, "add", take(f, f.const([20, 11]), at), f.const([11])))

    def long_rows(f: Function) -> None:  # summed in lanes, however many rows there are
        x = f.arg([f.size, 133], dynamic=[0])
        f.output(softmax(f, x), reduce(f, x, [1], "max"), reduce(f, x, [1], "sum"))

    def two_inputs(f: Function) -> None:
        x, y = f.arg([f.size, 13], dynamic=[0]), f.arg([f.size, 1], dynamic=[0])
        f.output(elementwise(f, "add", x, y), concat(f, [x, y], 1))

    for build in (perceptron, depth, batch_of_images, gathered, long_rows, two_inputs, rows_in_two_dimensions):
        cases.add(f"dynamic_{build.__name__}", build, batches)
    for build in (columns, convolution, sequences, moves):
        cases.add(f"dynamic_{build.__name__}", build, widths)
    cases.add("dynamic_empty", perceptron, (0, 4))
    cases.add("dynamic_empty_moves", moves, (0, 1))
