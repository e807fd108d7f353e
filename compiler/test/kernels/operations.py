"""The operations that the models of these tests are made of, each with its reference and its error bound."""

from __future__ import annotations

import numpy as np
from builder import DTYPES, TINY, Dim, Function, Value, gamma, gather
from elementwise import FLOAT, INTEGER, Operation, conversion


def view(f: Function, text: str, x: Value, dims: list[Dim], move) -> Value:
    """An operation that only moves elements."""
    err = move(np.broadcast_to(x.err, x.ref.shape)) if x.kind == "f32" else None
    return f.value(text, dims, x.kind, move(x.ref), err)


def type_of(dims: list[Dim], kind: str) -> str:
    return Value("", dims, kind, None, None).type


# ---- Elementwise -----------------------------------------------------------------------------------------------------
def elementwise(f: Function, op: str | Operation, *values: Value) -> Value:
    """Operands are broadcast as numpy does: a dimension of size 1 is read at index 0."""
    table = FLOAT if values[0].kind == "f32" else INTEGER
    operation = table[op] if isinstance(op, str) else op
    rank = max(len(v.dims) for v in values)
    dims = [Dim(1)] * rank
    for v in values:
        for i, d in enumerate(v.dims, rank - len(v.dims)):
            if d.name or dims[i].value == 1:
                dims[i] = d
    loops = [f"i{i}" for i in range(rank)]
    maps = []
    for v in values:
        names = loops[rank - len(v.dims) :]
        spread = dims[rank - len(v.dims) :]
        stays = [d.value == 1 and not d.name and s != d for d, s in zip(v.dims, spread, strict=True)]
        maps.append(["0" if s else n for n, s in zip(names, stays, strict=True)])
    kind = operation.kind or values[0].kind
    with np.errstate(all="ignore"):
        ref = operation.compute(*(v.ref for v in values))
        err = operation.error(ref, *(v.ref for v in values), *(v.err for v in values)) if operation.error else None
    if kind == "f32" and err is not None:
        err = np.where(np.isfinite(ref), np.nan_to_num(err, nan=0, posinf=0), 0)

    def body(names):
        element = "i1" if values[0].kind == "bool" else values[0].kind.replace("u", "i")
        return [f"%r = {operation.text.format(*names[:-1], t=element)}"], "%r"

    shape = [d.value for d in dims]
    return f.generic(
        list(values), [*maps, loops], loops, loops, f.empty(dims, kind), dims, kind, body,
        np.broadcast_to(ref, shape), None if err is None else np.broadcast_to(err, shape),
    )  # fmt: skip


def scalar_operand(f: Function, value: float, kind: str = "f32") -> Value:
    return f.const([], kind, np.array(value))


def clip(f: Function, x: Value, low: float, high: float) -> Value:
    return elementwise(f, "minimum", elementwise(f, "maximum", x, scalar_operand(f, low)), scalar_operand(f, high))


def convert(f: Function, x: Value, kind: str) -> Value:
    return elementwise(f, conversion(x.kind, kind), x)


def select(f: Function, condition: Value, x: Value, y: Value) -> Value:
    element = "i1" if x.kind == "bool" else x.kind.replace("u", "i")

    def error(result, c, a, b, ec, ea, eb):
        return np.maximum(ea, eb)

    text = f"arith.select {{0}}, {{1}}, {{2}} : {element}"
    return elementwise(f, Operation(text, np.where, error, x.kind), condition, x, y)


# ---- Sums of products ------------------------------------------------------------------------------------------------
def contract(f: Function, a: Value, b: Value, maps, sizes: dict[str, Dim] | None = None, init: Value | None = None,
             named: str = "") -> Value:  # fmt: skip
    """out[maps[2]] = init + sum a[maps[0]] * b[maps[1]]. `sizes`: extents that no operand tells (windows).

    With `named`, that operation of linalg is written instead of a generic one.
    """
    loops = list(maps[2])
    extents: dict[str, Dim] = dict(sizes or {})
    for operand, exprs in ((a, maps[0]), (b, maps[1])):
        for dim, text in zip(operand.dims, exprs, strict=True):
            if text.isidentifier():
                extents.setdefault(text, dim)
    loops += [n for n in extents if n not in loops]
    counts = {n: d.value for n, d in extents.items()}
    dims = [extents[n] for n in maps[2]]
    if init is None:
        init = f.fill(dims, a.kind, 0)
    letters = {n: chr(97 + i) for i, n in enumerate(loops)}
    terms = []

    def product(x, y):
        (x, used_x), (y, used_y) = gather(x, maps[0], loops, counts), gather(y, maps[1], loops, counts)
        spec = ",".join("".join(letters[n] for n in used) for used in (used_x, used_y))
        return np.einsum(f"{spec}->{''.join(letters[n] for n in maps[2])}", x, y, optimize=True)

    if a.kind == "f32":
        with np.errstate(invalid="ignore"):  # infinities: no bound matters there
            absolute = product(np.abs(a.ref), np.abs(b.ref))
            carried = product(np.abs(a.ref) + a.err, np.abs(b.ref) + b.err) - absolute + init.err
            carried = np.maximum(np.nan_to_num(carried, nan=0), 0)
            ref = init.ref + product(a.ref, b.ref)
        n = int(np.prod([counts[loop] for loop in loops if loop not in maps[2]]))
        err = carried + gamma(n + 1) * (absolute + np.abs(init.ref) + carried) + n * TINY
        terms = [ref, err]
    else:
        with np.errstate(over="ignore"):
            terms = [(init.ref + product(a.ref, b.ref)).astype(a.ref.dtype), None]
    if named:
        out = type_of(dims, a.kind)
        text = f"{named} ins({a.name}, {b.name} : {a.type}, {b.type}) outs({init.name} : {out}) -> {out}"
        return f.value(text, dims, a.kind, *terms)
    multiply, add = ("mulf", "addf") if a.kind == "f32" else ("muli", "addi")
    element = a.kind.replace("u", "i")

    def body(names):
        return [
            f"%p = arith.{multiply} {names[0]}, {names[1]} : {element}",
            f"%s = arith.{add} {names[2]}, %p : {element}",
        ], "%s"

    return f.generic([a, b], maps, loops, maps[2], init.name, dims, a.kind, body, *terms)


def spread(f: Function, x: Value, dims: list[Dim], axis: int) -> Value:
    """A vector along `axis` of `dims`: a bias as the init of a contraction."""
    out = type_of(dims, x.kind)
    added = [i for i in range(len(dims)) if i != axis]
    shape = [-1 if i == axis else 1 for i in range(len(dims))]
    text = f"linalg.broadcast ins({x.name} : {x.type}) outs({f.empty(dims, x.kind)} : {out}) dimensions = {added}"
    return view(f, text, x, dims, lambda v: np.broadcast_to(v.reshape(shape), [d.value for d in dims]))


def conv(f: Function, x: Value, w: Value, bias: Value | None = None, stride=1, dilation=1, named: str = "") -> Value:
    """NCHW... and FCHW..., any number of spatial dimensions; no padding: that is an operation of its own."""
    spatial = len(x.dims) - 2
    stride = [stride] * spatial if isinstance(stride, int) else stride
    dilation = [dilation] * spatial if isinstance(dilation, int) else dilation
    out = [f"y{i}" for i in range(spatial)]
    kernel = [f"k{i}" for i in range(spatial)]
    window = [f"{y}*{s}+{k}*{d}" for y, k, s, d in zip(out, kernel, stride, dilation, strict=True)]
    sizes = {"n": x.dims[0], "oc": w.dims[0]}
    for i, y in enumerate(out):
        sizes[y] = f.window_dim(x.dims[2 + i], w.dims[2 + i].value, stride[i], dilation[i])
    dims = list(sizes.values())
    init = spread(f, bias, dims, 1) if bias else None
    maps = [["n", "ic", *window], ["oc", "ic", *kernel], ["n", "oc", *out]]
    return contract(f, x, w, maps, sizes, init, named)


def winograd_matrices(outputs: int, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A', G and B' of F(outputs, 3), from the points at which polynomials are evaluated (Toom and Cook).

    With stride 2, of two outputs: the even inputs by F(2, 2) with points 0, 1 and infinity, the odd ones as they are.
    """
    if stride == 2:
        g = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 1, 0], [0, 1, 0]])
        b = np.array([[1, 0, -1, 0, 0], [0, 0, 1, 0, 0], [0, 0, -1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]])
        return np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]]), g, b
    points = {2: [0, 1, -1], 4: [0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5)]}[outputs]
    n = outputs + 2
    a, g, b = np.zeros([outputs, n]), np.zeros([n, 3]), np.zeros([n, n])
    for j, point in enumerate(points):
        others = [p for p in points if p != point]
        a[:, j] = np.power(point, range(outputs))
        g[j] = np.power(point, range(3)) / np.prod([point - p for p in others])
        b[j, : n - 1] = np.poly(others)[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(points)[::-1]
    return a, g, b


def winograd_bound(x: np.ndarray, w: np.ndarray, outputs: int, stride: int) -> np.ndarray:
    """How far Winograd's algorithm may be off: for x [n, c, h, w] and w [oc, c, 3, 3], by elements of the result.

    Each of the transforms, A' (sum U * V) A with U = G w G' and V = B' d B, is bound by itself with absolute values in it
    (as a sum of products is); a value passes at most 5 roundings in each of the four one-dimensional transforms, those of
    the constants counted, one of U, one a channel, one of a product and one of the bias.
    """
    a, g, b = winograd_matrices(outputs, stride)
    n, c, h, width = x.shape
    high, wide = ((s - 3) // stride + 1 for s in (h, width))  # of the result
    down, across = (-(-s // outputs) for s in (high, wide))
    # Tiles that reach beyond the image read its last row or column again.
    apart, inputs = stride * outputs, np.arange(len(b))
    rows = np.minimum(apart * np.arange(down)[:, None] + inputs, (high - 1) * stride + 2)
    columns = np.minimum(apart * np.arange(across)[:, None] + inputs, (wide - 1) * stride + 2)
    tiles = np.abs(x)[:, :, rows[:, None, :, None], columns[None, :, None, :]]
    v = np.einsum("ij,nctsjk,lk->nctsil", np.abs(b), tiles, np.abs(b), optimize=True)
    u = np.abs(np.einsum("ij,ocjk,lk->ocil", g, w, g, optimize=True))
    m = np.einsum("ocij,nctsij->notsij", u, v, optimize=True)
    y = np.einsum("ij,notsjk,lk->notisl", np.abs(a), m, np.abs(a), optimize=True)
    y = y.reshape(n, w.shape[0], down * outputs, across * outputs)
    return gamma(c + 23) * y[:, :, :high, :wide]


def conv_winograd(f: Function, x: Value, w: Value, bias: Value | None = None, stride: int = 1) -> Value:
    """A 3x3 convolution that may be computed by Winograd's algorithm."""
    y = conv(f, x, w, bias, stride)
    bounds = [winograd_bound(x.ref, w.ref, outputs, stride) for outputs in ((2, 4) if stride == 1 else (2,))]
    y.err = y.err + np.max(bounds, axis=0)
    return y


def conv_grouped(f: Function, x: Value, w: Value, groups: int, bias: Value | None = None, stride=1) -> Value:
    """w: [groups * oc, ic, ky, kx]; the channels are split by reshapes, as importers do."""
    n, c, h, width = x.dims
    oc, ic = w.shape[0] // groups, w.shape[1]
    split = expand(f, x, [[0], [1, 2], [3], [4]], [n, Dim(groups), Dim(c.value // groups), h, width])
    weights = expand(f, w, [[0, 1], [2], [3], [4]], [Dim(groups), Dim(oc), Dim(ic), *w.dims[2:]])
    sizes = {"n": n, "g": Dim(groups), "oc": Dim(oc)}
    for i, y in enumerate(("y", "x")):
        sizes[y] = f.window_dim(x.dims[2 + i], w.shape[2 + i], stride, 1)
    init = None
    if bias:
        flat = spread(f, bias, [n, Dim(groups * oc), sizes["y"], sizes["x"]], 1)
        init = expand(f, flat, [[0], [1, 2], [3], [4]], list(sizes.values()))
    window = [f"y*{stride}+ky", f"x*{stride}+kx"]
    maps = [["n", "g", "ic", *window], ["g", "oc", "ic", "ky", "kx"], ["n", "g", "oc", "y", "x"]]
    y = contract(f, split, weights, maps, sizes, init)
    return collapse(f, y, [[0], [1, 2], [3], [4]])


def depthwise(f: Function, x: Value, w: Value, bias: Value | None = None, stride=1, dilation=1, named="") -> Value:
    """w: [c, ky, kx]."""
    sizes = {"n": x.dims[0], "c": x.dims[1]}
    for i, y in enumerate(("y", "x")):
        sizes[y] = f.window_dim(x.dims[2 + i], w.shape[1 + i], stride, dilation)
    init = spread(f, bias, list(sizes.values()), 1) if bias else None
    window = [f"y*{stride}+ky*{dilation}", f"x*{stride}+kx*{dilation}"]
    return contract(f, x, w, [["n", "c", *window], ["c", "ky", "kx"], ["n", "c", "y", "x"]], sizes, init, named)


# ---- Reductions ------------------------------------------------------------------------------------------------------
REDUCTIONS = {  # kind class → name → MLIR, numpy, neutral element
    "f32": {
        "sum": ("arith.addf", np.sum, 0.0),
        "mul": ("arith.mulf", np.prod, 1.0),
        "max": ("arith.maximumf", np.max, -np.inf),
        "min": ("arith.minimumf", np.min, np.inf),
    },
    "integer": {
        "sum": ("arith.addi", np.sum, 0),
        "mul": ("arith.muli", np.prod, 1),
        "max": ("arith.maxsi", np.max, None),
        "min": ("arith.minsi", np.min, None),
        "and": ("arith.andi", np.bitwise_and.reduce, -1),
    },
}


def neutral(op: str, kind: str):
    value = REDUCTIONS["f32" if kind == "f32" else "integer"][op][2]
    if value is None:
        info = np.iinfo(DTYPES[kind])
        return info.min if op == "max" else info.max
    return value


def reduced(op: str, kind: str, ref: np.ndarray, err: np.ndarray, axes: tuple[int, ...]):
    """Reference and bound of reducing `axes`."""
    compute = REDUCTIONS["f32" if kind == "f32" else "integer"][op][1]
    count = int(np.prod([ref.shape[a] for a in axes]))
    start = {} if op == "and" else {"initial": neutral(op, kind)}
    with np.errstate(all="ignore"):
        if kind != "f32":
            if op in ("sum", "mul"):
                start["dtype"] = ref.dtype
            return compute(ref, axis=axes, **start), None
        result = compute(ref, axis=axes, **start)
        if op == "sum":
            total = np.sum(np.abs(ref) + err, axis=axes)
            bound = np.sum(err, axis=axes) + gamma(count) * total + TINY
        elif op == "mul":
            most = np.prod(np.abs(ref) + err, axis=axes)
            bound = most - np.abs(result) + gamma(count) * most + count * TINY
        else:
            bound = np.max(err, axis=axes, initial=0)
    return result, np.where(np.isfinite(result), np.nan_to_num(bound, nan=0, posinf=0), 0)


def reduction_body(op: str, kind: str):
    name = REDUCTIONS["f32" if kind == "f32" else "integer"][op][0]
    return lambda names: ([f"%r = {name} {names[0]}, {names[-1]} : {kind.replace('u', 'i')}"], "%r")


def reduce(f: Function, x: Value, axes: list[int], op: str) -> Value:
    loops = [f"i{i}" for i in range(len(x.dims))]
    kept = [n for i, n in enumerate(loops) if i not in axes]
    dims = [d for i, d in enumerate(x.dims) if i not in axes]
    init = f.fill(dims, x.kind, neutral(op, x.kind))
    ref, err = reduced(op, x.kind, x.ref, np.broadcast_to(x.err, x.ref.shape), tuple(axes))
    return f.generic([x], [loops, kept], loops, kept, init.name, dims, x.kind, reduction_body(op, x.kind), ref, err)


def pool(f: Function, x: Value, kernel, stride=1, dilation=1, op: str = "max") -> Value:
    sizes = {"n": x.dims[0], "c": x.dims[1]}
    for i, y in enumerate(("y", "x")):
        sizes[y] = f.window_dim(x.dims[2 + i], kernel[i], stride, dilation)
    out = list(sizes)
    sizes |= {"ky": Dim(kernel[0]), "kx": Dim(kernel[1])}
    loops = list(sizes)
    exprs = ["n", "c", f"y*{stride}+ky*{dilation}", f"x*{stride}+kx*{dilation}"]
    window = Value(f.empty([sizes["ky"], sizes["kx"]], x.kind), [sizes["ky"], sizes["kx"]], x.kind, None, None)
    counts = {n: d.value for n, d in sizes.items()}
    values, _ = gather(x.ref, exprs, loops, counts)
    errors, _ = gather(np.broadcast_to(x.err, x.ref.shape), exprs, loops, counts)
    ref, err = reduced(op, x.kind, values, errors, (4, 5))
    dims = [sizes[n] for n in out]
    init = f.fill(dims, x.kind, neutral(op, x.kind))
    return f.generic(
        [x, window],
        [exprs, ["ky", "kx"], out],
        loops,
        out,
        init.name,
        dims,
        x.kind,
        reduction_body(op, x.kind),
        ref,
        err,
    )


def softmax(f: Function, x: Value) -> Value:
    """Along the last dimension; the values are shifted by their maximum, as everyone does."""
    last = len(x.dims) - 1
    top = unsqueeze(f, reduce(f, x, [last], "max"))
    e = elementwise(f, "exp", elementwise(f, "sub", x, top))
    return elementwise(f, "div", e, unsqueeze(f, reduce(f, e, [last], "sum")))


# ---- Movement --------------------------------------------------------------------------------------------------------
def unsqueeze(f: Function, x: Value) -> Value:
    groups = [[i] for i in range(len(x.dims) - 1)] + [[len(x.dims) - 1, len(x.dims)]]
    return expand(f, x, groups, [*x.dims, Dim(1)])


def expand(f: Function, x: Value, groups: list[list[int]], dims: list[Dim]) -> Value:
    shape = ", ".join(d.name or str(d.value) for d in dims)
    text = f"tensor.expand_shape {x.name} {groups} output_shape [{shape}] : {x.type} into {type_of(dims, x.kind)}"
    return view(f, text, x, dims, lambda v: v.reshape([d.value for d in dims]))


def collapse(f: Function, x: Value, groups: list[list[int]]) -> Value:
    dims = []
    for group in groups:
        dim = x.dims[group[0]]
        for i in group[1:]:
            other = x.dims[i]
            dim = f.dim_mul(dim, other.value) if not other.name else f.dim_mul(other, dim.value)
        dims.append(dim)
    text = f"tensor.collapse_shape {x.name} {groups} : {x.type} into {type_of(dims, x.kind)}"
    return view(f, text, x, dims, lambda v: v.reshape([d.value for d in dims]))


def transpose(f: Function, x: Value, order: list[int]) -> Value:
    dims = [x.dims[i] for i in order]
    out = type_of(dims, x.kind)
    text = f"linalg.transpose ins({x.name} : {x.type}) outs({f.empty(dims, x.kind)} : {out}) permutation = {order}"
    return view(f, text, x, dims, lambda v: v.transpose(order))


def pad(f: Function, x: Value, low: list[int], high: list[int], value: float = 0) -> Value:
    dims = [f.dim_add(d, a + b) for d, a, b in zip(x.dims, low, high, strict=True)]
    scalar = f.scalar(x.kind, value)
    arguments = ", ".join(f"%p{i}: index" for i in range(len(dims)))
    element = "i1" if x.kind == "bool" else x.kind.replace("u", "i")
    text = (
        f"tensor.pad {x.name} low[{', '.join(map(str, low))}] high[{', '.join(map(str, high))}] {{\n"
        f"  ^bb0({arguments}):\n    tensor.yield {scalar} : {element}\n  }} : {x.type} to {type_of(dims, x.kind)}"
    )
    ref = np.pad(x.ref, list(zip(low, high, strict=True)), constant_values=value)
    err = np.pad(np.broadcast_to(x.err, x.ref.shape), list(zip(low, high, strict=True)))
    return f.value(text, dims, x.kind, ref, err)


def slice_of(f: Function, x: Value, offsets: list[int], sizes: list[int], strides: list[int]) -> Value:
    dims = [Dim(n) for n in sizes]
    text = (
        f"tensor.extract_slice {x.name}[{', '.join(map(str, offsets))}] [{', '.join(map(str, sizes))}] "
        f"[{', '.join(map(str, strides))}] : {x.type} to {type_of(dims, x.kind)}"
    )
    at = tuple(slice(o, o + (n - 1) * s + 1 if n else o, s) for o, n, s in zip(offsets, sizes, strides, strict=True))
    return view(f, text, x, dims, lambda v: v[at])


def insert(f: Function, x: Value, into: Value, offsets: list[int], strides: list[int]) -> Value:
    text = (
        f"tensor.insert_slice {x.name} into {into.name}[{', '.join(map(str, offsets))}] "
        f"[{', '.join(d.text for d in x.dims)}] [{', '.join(map(str, strides))}] : {x.type} into {into.type}"
    )
    at = tuple(slice(o, o + (n - 1) * s + 1 if n else o, s) for o, n, s in zip(offsets, x.shape, strides, strict=True))
    ref, err = into.ref.copy(), np.broadcast_to(into.err, into.ref.shape).copy()
    ref[at], err[at] = x.ref, x.err
    return f.value(text, into.dims, x.kind, ref, err)


def concat(f: Function, values: list[Value], axis: int) -> Value:
    dims = list(values[0].dims)
    for v in values[1:]:
        dims[axis] = f.dim_add(dims[axis], v.dims[axis])
    names = ", ".join(v.name for v in values)
    types = ", ".join(v.type for v in values)
    text = f"tensor.concat dim({axis}) {names} : ({types}) -> {type_of(dims, values[0].kind)}"
    ref = np.concatenate([v.ref for v in values], axis)
    err = np.concatenate([np.broadcast_to(v.err, v.ref.shape) for v in values], axis)
    return f.value(text, dims, values[0].kind, ref, err)


def take(f: Function, table: Value, indices: Value) -> Value:
    """out[i..., j...] = table[indices[i...], j...]: a tensor captured by the body."""
    dims = [*indices.dims, *table.dims[1:]]
    loops = [f"i{i}" for i in range(len(dims))]
    rest = range(len(indices.dims), len(dims))

    def body(names):
        lines = [f"%k = arith.index_cast {names[0]} : {indices.kind} to index"]
        lines += [f"%j{i} = linalg.index {i} : index" for i in rest]
        at = ", ".join(["%k", *(f"%j{i}" for i in rest)])
        return [*lines, f"%e = tensor.extract {table.name}[{at}] : {table.type}"], "%e"

    maps = [loops[: len(indices.dims)], loops]
    err = np.broadcast_to(table.err, table.ref.shape)[indices.ref]
    init = f.empty(dims, table.kind)
    return f.generic([indices], maps, loops, loops, init, dims, table.kind, body, table.ref[indices.ref], err)


def enlarge(f: Function, x: Value, factor: int) -> Value:
    """Nearest neighbours, by the last two of four dimensions: indices computed in the body."""
    dims = [*x.dims[:2], *(f.dim_mul(d, factor) for d in x.dims[2:])]
    loops = ["n", "c", "y", "x"]

    def body(names):
        lines = [f"%i{i} = linalg.index {i} : index" for i in range(4)] + [f"%f = arith.constant {factor} : index"]
        lines += [f"%j{i} = arith.divui %i{i}, %f : index" for i in (2, 3)]
        return [*lines, f"%e = tensor.extract {x.name}[%i0, %i1, %j2, %j3] : {x.type}"], "%e"

    ref, err = (np.repeat(np.repeat(np.broadcast_to(v, x.ref.shape), factor, 2), factor, 3) for v in (x.ref, x.err))
    return f.generic([], [loops], loops, loops, f.empty(dims, x.kind), dims, x.kind, body, ref, err)


def repeat(f: Function, x: Value, down: int, across: int) -> Value:
    """Nearest neighbours, by the last two of four dimensions: each repeated along a dimension that then joins it."""
    n, c, height, width = x.dims
    dims = [n, c, height, Dim(down), width, Dim(across)]
    loops = [f"d{i}" for i in range(6)]
    ref, err = (
        np.broadcast_to(v.reshape([*v.shape[:3], 1, v.shape[3], 1]), [d.value for d in dims])
        for v in (x.ref, np.broadcast_to(x.err, x.ref.shape))
    )
    maps = [[loops[i] for i in (0, 1, 2, 4)], loops]
    init = f.empty(dims, x.kind)
    y = f.generic([x], maps, loops, loops, init, dims, x.kind, lambda names: ([], names[0]), ref, err)
    return collapse(f, y, [[0], [1], [2, 3], [4, 5]])


def positions(f: Function, dims: list[Dim], axis: int) -> Value:
    """The index along `axis` as i64."""
    loops = [f"i{i}" for i in range(len(dims))]

    def body(names):
        return [f"%i = linalg.index {axis} : index", "%r = arith.index_cast %i : index to i64"], "%r"

    shape = [d.value for d in dims]
    ref = np.broadcast_to(
        np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(dims))]), shape
    ).astype(np.int64)
    return f.generic([], [loops], loops, loops, f.empty(dims, "i64"), dims, "i64", body, ref)
