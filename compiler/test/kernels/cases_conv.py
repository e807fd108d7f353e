"""Convolutions: kernels, strides, dilations, paddings, groups, depthwise, and blocks made of them."""

from __future__ import annotations

from builder import Dim, Function
from families import Family, family
from operations import clip, contract, conv, conv_grouped, depthwise, elementwise, expand, pad, reduce, scalar_operand


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
    for oc in (20, 24, 40, 88):  # vectors, and a half of one or less
        add(f"1x1_to{oc}", 7, oc, 5, 11, 1, tail="bc")
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
        (20, 2, 9, 3, 1, 1, 1), (18, 3, 17, 5, 1, 1, 2), (36, 6, 15, 7, 2, 1, 1),
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
