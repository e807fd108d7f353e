"""Kernels that run together, band by band of rows (compiler/Plan/Chains.cpp). To save memory, chains are formed at every
size, with as few rows a band as they can have; on threads, chains of tensors that are larger than a core's cache."""

from __future__ import annotations

from builder import Function, Value
from families import Family, family
from operations import clip, contract, conv, depthwise, elementwise, pad, reduce, softmax


def relu6(f: Function, x: Value) -> Value:
    return clip(f, x, 0, 6)


def pointwise(f: Function, x: Value, to: int) -> Value:
    return conv(f, x, f.const([to, x.shape[1], 1, 1]), f.const([to]))


def window(f: Function, x: Value, k: int, stride: int = 1, dilation: int = 1, value: float = 0) -> Value:
    c, p = x.shape[1], dilation * (k // 2)
    x = pad(f, x, [0, 0, p, p], [0, 0, p, p], value)
    return depthwise(f, x, f.const([c, k, k]), f.const([c]), stride, dilation)


def block(f: Function, c: int, wide: int, h: int, w: int, k=3, stride=1, dilation=1, residual=False, batch=1) -> None:
    """Wide, then a window over each channel, then narrow: MobileNetV2's inverted residual."""
    x = f.arg([batch, c, h, w])
    y = relu6(f, window(f, relu6(f, pointwise(f, x, wide)), k, stride, dilation))
    y = pointwise(f, y, c)
    f.output(elementwise(f, "add", x, y) if residual else y)


@family
def chains(cases: Family) -> None:
    cases.compile = ("--favor=min-peak-memory",)

    def add(name: str, build) -> None:
        cases.add(f"chain_{name}", build)

    for c, wide, h, w in [
        (1, 5, 3, 3),
        (3, 17, 7, 5),
        (16, 33, 5, 16),
        (5, 64, 13, 1),
        (9, 31, 2, 17),
        (7, 15, 16, 15),
    ]:
        add(f"block_{c}to{wide}_{h}x{w}", lambda f, a=(c, wide, h, w): block(f, *a))
    for k, stride, dilation in [(3, 2, 1), (5, 1, 1), (5, 2, 1), (3, 3, 1), (3, 1, 2), (3, 2, 3), (7, 1, 1), (1, 1, 1)]:
        name = f"window{k}_stride{stride}_dilation{dilation}"
        add(name, lambda f, a=(k, stride, dilation): block(f, 6, 19, 14, 11, *a))
    add("residual", lambda f: block(f, 8, 23, 11, 9, residual=True))
    add("batch", lambda f: block(f, 4, 18, 9, 7, batch=3))

    def blocks(f: Function) -> None:  # halos grow from the end of the chain to its beginning
        x = relu6(f, pointwise(f, f.arg([1, 3, 23, 9]), 18))
        for k, stride in ((3, 1), (5, 2), (3, 1)):
            x = relu6(f, pointwise(f, relu6(f, window(f, x, k, stride)), 17))
        f.output(x)

    def residuals(f: Function) -> None:  # each sum is written over the tensor that it adds to
        x = pointwise(f, f.arg([1, 2, 17, 13]), 6)
        for k in (3, 5, 3):
            y = relu6(f, window(f, relu6(f, pointwise(f, x, 33)), k))
            x = elementwise(f, "add", x, pointwise(f, y, 6))
        f.output(pointwise(f, x, 3))

    def dense_windows(f: Function) -> None:
        x = f.arg([1, 3, 13, 12])
        for to in (17, 6, 9):
            x = pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1])
            x = relu6(f, conv(f, x, f.const([to, x.shape[1], 3, 3]), f.const([to])))
        f.output(x)

    def lopsided_padding(f: Function) -> None:
        x = relu6(f, pointwise(f, f.arg([1, 5, 12, 9]), 18))
        x = pad(f, x, [0, 0, 3, 0], [0, 0, 1, 2], 0.5)
        f.output(relu6(f, depthwise(f, x, f.const([18, 4, 3]), f.const([18]))))

    def padding_of_ones(f: Function) -> None:
        x = relu6(f, pointwise(f, f.arg([1, 5, 8, 9]), 18))
        f.output(pointwise(f, window(f, x, 3, value=1), 4))

    def two_readers(f: Function) -> None:  # of different halos: the window is as high as the larger one asks
        x = relu6(f, pointwise(f, f.arg([1, 4, 9, 8]), 18))
        f.output(elementwise(f, "add", window(f, x, 3), window(f, x, 5)))

    def shared_inside(f: Function) -> None:  # a tensor that two kernels of the chain read
        x = relu6(f, pointwise(f, f.arg([1, 4, 9, 8]), 18))
        y = relu6(f, window(f, x, 3))
        f.output(pointwise(f, elementwise(f, "add", x, y), 5))

    def result_is_used_twice(f: Function) -> None:
        x = relu6(f, pointwise(f, f.arg([1, 4, 9, 8]), 18))
        y = pointwise(f, relu6(f, window(f, x, 3)), 5)
        f.output(y, reduce(f, y, [2, 3], "sum"))

    def attention(f: Function) -> None:
        heads, rows, depth = 3, 19, 8
        q, k, v = (f.arg([heads, rows, depth]) for _ in range(3))
        scores = contract(f, q, k, [["h", "i", "d"], ["h", "j", "d"], ["h", "i", "j"]])
        f.output(contract(f, softmax(f, scores), v, [["h", "i", "j"], ["h", "j", "d"], ["h", "i", "d"]]))

    def perceptron(f: Function) -> None:
        x = f.arg([37, 12])
        for to in (33, 7):
            x = relu6(f, contract(f, x, f.const([x.shape[1], to]), [["m", "k"], ["k", "n"], ["m", "n"]]))
        f.output(x)

    for build in (blocks, residuals, dense_windows, lopsided_padding, padding_of_ones, two_readers, shared_inside,
                  result_is_used_twice, attention, perceptron):  # fmt: skip
        add(build.__name__, build)


@family
def chains_on_threads(cases: Family) -> None:
    cases.flags = ("--device=local-task", "--threads=3")
    cases.add("chain_large", lambda f: block(f, 7, 131, 59, 61))
    cases.add("chain_large_strided", lambda f: block(f, 5, 129, 61, 63, 5, 2))
