"""Matrix products: shapes, transpositions, batches, and what is fused behind them."""

from __future__ import annotations

from builder import Dim, Function, Value
from families import Family, family
from operations import clip, contract, conv, elementwise, expand, scalar_operand, spread, transpose

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

    def function(f: Function, y: Value) -> None:
        f.output(elementwise(f, "exp", elementwise(f, "div", y, scalar_operand(f, -11))))

    for m, k, n in [(1, 1, 1), (2, 3, 1), (1, 5, 43), (13, 29, 43), (9, 17, 64), (31, 7, 15), (0, 3, 5)]:
        cases.add(f"epilogue_function_{m}x{k}x{n}", lambda f, a=(m, k, n): function(f, product(f, *a)))
    for c, h, w in [(17, 7, 7), (33, 3, 5), (16, 1, 1)]:  # tiles over several rows of an image
        cases.add(
            f"epilogue_function_image_{c}_{h}x{w}",
            lambda f, c=c, h=h, w=w: function(f, conv(f, f.arg([1, 9, h, w]), f.const([c, 9, 1, 1]), f.const([c]))),
        )

    def behind_reshape(f: Function) -> None:
        y = expand(f, product(f, 15, 29, 43), [[0, 1], [2]], [Dim(3), Dim(5), Dim(43)])
        y = elementwise(f, "add", y, f.const([43]))
        y = elementwise(f, "exp", elementwise(f, "mul", y, scalar_operand(f, 0.1)))
        f.output(elementwise(f, "add", y, f.arg([3, 5, 43])))

    def behind_two_reshapes(f: Function) -> None:  # the bias changes along a dimension that the product does not know
        y = expand(f, product(f, 15, 29, 43), [[0, 1], [2]], [Dim(3), Dim(5), Dim(43)])
        y = elementwise(f, "add", y, f.const([5, 1]))
        f.output(clip(f, expand(f, y, [[0], [1], [2, 3]], [Dim(3), Dim(5), Dim(43), Dim(1)]), -1, 1))

    for build in (
        residual,
        row_and_column,
        twice,
        transposed,
        chain,
        two_products,
        behind_reshape,
        behind_two_reshapes,
    ):
        cases.add(f"epilogue_{build.__name__}", build)
