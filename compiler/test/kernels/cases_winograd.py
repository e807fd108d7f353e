"""3x3 convolutions by Winograd's algorithm: tiles that reach beyond the image, vectors that reach beyond the channels."""

from __future__ import annotations

import numpy as np
from builder import Function
from families import Family, family
from operations import clip, concat, conv_winograd, elementwise, pad, reduce, scalar_operand, slice_of, transpose


def convolution(f: Function, c, oc, h, w, batch=1, tail="b", padding=1, stride=1) -> None:
    x = f.arg([batch, c, h, w])
    if padding:
        x = pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1])
    y = conv_winograd(f, x, f.const([oc, c, 3, 3]), f.const([oc]) if "b" in tail else None, stride)
    for letter in tail:
        if letter == "r":
            y = elementwise(f, "maximum", y, scalar_operand(f, 0))
        elif letter == "c":
            y = clip(f, y, 0, 6)
        elif letter == "a":  # a residual
            y = elementwise(f, "add", y, f.arg(y.shape))
        elif letter == "k":  # a factor for each channel and place
            y = elementwise(f, "mul", y, f.const(y.shape))
    f.output(y)


@family
def winograd(cases: Family) -> None:
    cases.compile = ("--winograd=always",)

    def add(name: str, *args, **keys) -> None:
        cases.add(f"winograd_{name}", lambda f: convolution(f, *args, **keys))

    # Heights and widths around multiples of both tiles; fewer outputs than one tile has.
    for h, w in [(1, 1), (1, 9), (2, 3), (3, 2), (4, 4), (5, 8), (6, 7), (7, 5), (8, 12), (9, 4), (13, 10), (14, 14)]:
        add(f"5to6_{h}x{w}", 5, 6, h, w)
    # Channels around the widths of vectors and of register tiles.
    for c, oc in [(1, 1), (1, 17), (3, 5), (3, 33), (4, 7), (5, 3), (7, 8), (8, 9), (15, 16), (16, 15), (17, 31), (31, 17),
                  (33, 64), (64, 24), (65, 63)]:  # fmt: skip
        add(f"{c}to{oc}", c, oc, 6, 9)
    for tail in ("", "b", "r", "bc", "ba", "bra", "bac", "k", "bka"):
        add(f"tail_{tail or 'none'}", 6, 18, 7, 6, tail=tail)
    add("batch", 5, 20, 5, 6, batch=3, tail="bra")
    add("batch_of_one_tile", 9, 10, 3, 4, batch=5)
    add("no_padding", 6, 12, 10, 11, padding=0)
    add("many_tiles", 4, 10, 37, 50, tail="br")  # several groups an item
    add("wide", 96, 24, 12, 40, tail="br")
    add("deep", 130, 70, 5, 6, tail="ba")

    # Stride 2: even and odd sizes, so that the last row or column is read or not; fewer outputs than a tile has.
    for h, w in [(1, 1), (1, 8), (2, 2), (2, 3), (3, 4), (5, 5), (6, 9), (8, 8), (9, 6), (13, 12), (16, 7)]:
        add(f"stride_{h}x{w}", 5, 6, h, w, stride=2)
    for c, oc in [(1, 1), (3, 17), (7, 8), (16, 15), (17, 31), (33, 64), (130, 70)]:
        add(f"stride_{c}to{oc}", c, oc, 9, 7, stride=2, tail="bra")
    add("stride_batch", 5, 20, 6, 9, batch=3, tail="bac", stride=2)
    add("stride_no_padding", 6, 12, 10, 11, padding=0, stride=2)
    add("stride_many_tiles", 4, 10, 51, 66, tail="br", stride=2)

    def chain(f: Function) -> None:  # transforms read halos that convolutions wrote
        x = f.arg([1, 6, 11, 10])
        for c, oc in [(6, 17), (17, 9), (9, 9)]:
            x = pad(f, x, [0, 0, 1, 1], [0, 0, 1, 1])
            x = elementwise(
                f, "maximum", conv_winograd(f, x, f.const([oc, c, 3, 3]), f.const([oc])), scalar_operand(f, 0)
            )
        f.output(x, reduce(f, x, [2, 3], "sum"))

    cases.add("winograd_chain", chain)

    def parts(f: Function) -> None:  # results with strides of their own, and one in another order
        x = pad(f, f.arg([1, 7, 9, 6]), [0, 0, 1, 1], [0, 0, 1, 1])
        y = conv_winograd(f, x, f.const([12, 7, 3, 3]), f.const([12]))
        z = conv_winograd(f, x, f.const([5, 7, 3, 3]))
        f.output(
            concat(f, [y, z], 1),
            transpose(f, y, [0, 2, 3, 1]),
            slice_of(f, z, [0, 1, 2, 1], [1, 3, 5, 4], [1, 1, 1, 1]),
        )

    cases.add("winograd_parts", parts)

    def asymmetric(f: Function) -> None:
        x = pad(f, f.arg([1, 5, 6, 9]), [0, 0, 2, 0], [0, 0, 1, 3])
        f.output(conv_winograd(f, x, f.const([8, 5, 3, 3])))

    cases.add("winograd_asymmetric_padding", asymmetric)

    def dynamic(f: Function, dims, stride=1) -> None:
        shape = [1, 6, 5, 7]
        for d in dims:
            shape[d] = f.size + d
        x = pad(f, f.arg(shape, dynamic=dims), [0, 0, 1, 1], [0, 0, 1, 1])
        y = conv_winograd(f, x, f.const([19, 6, 3, 3]), f.const([19]), stride)
        f.output(elementwise(f, "maximum", y, scalar_operand(f, 0)))

    sizes = (1, 2, 3, 4, 7, 8, 21)
    cases.add("winograd_dynamic_width", lambda f: dynamic(f, [3]), sizes)
    cases.add("winograd_dynamic_image", lambda f: dynamic(f, [2, 3]), sizes)
    cases.add("winograd_dynamic_batch", lambda f: dynamic(f, [0]), sizes)
    cases.add("winograd_stride_dynamic_image", lambda f: dynamic(f, [2, 3], 2), sizes)

    def large_values(
        f: Function, stride=1
    ) -> None:  # alternating signs and sizes: transforms add up what the sum cancels
        y, x = np.mgrid[0:9, 0:10]
        data = np.where((y + x) % 2, -1, 1) * np.logspace(-3, 4, 9)[:, None] * f.data.uniform(0.5, 1, [1, 6, 9, 10])
        x = f.arg([1, 6, 9, 10], data=data.astype(np.float32))
        f.output(conv_winograd(f, x, f.const([8, 6, 3, 3]), stride=stride))

    cases.add("winograd_large_values", large_values)
    cases.add("winograd_stride_large_values", lambda f: large_values(f, 2))


@family
def winograd_on_threads(cases: Family) -> None:
    cases.compile = ("--winograd=always",)
    cases.flags = ("--device=local-task", "--threads=3")
    cases.add("winograd_threads_image", lambda f: convolution(f, 24, 20, 61, 50, tail="bra"))
    cases.add("winograd_threads_channels", lambda f: convolution(f, 130, 150, 7, 6, tail="br"))
    cases.add("winograd_stride_threads", lambda f: convolution(f, 40, 20, 61, 50, tail="bra", stride=2))
