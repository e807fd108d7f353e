"""Writes a model as MLIR text and computes, along the way, what it has to compute.

Every value carries its reference, in double precision, and a bound on how far a single-precision computation of it may
be off: a running error analysis. With u = 2^-24 and g(n) = n u / (1 - n u), a sum of n products in any order, with or
without fused multiply-adds, is within g(n) * sum |a||b| of the exact one, plus what the operands were already off by
(Higham, Accuracy and Stability of Numerical Algorithms, 3.1). So tolerances follow from shapes and data; none is chosen.
Integers and booleans are exact, and wrap.

Dimensions may be dynamic: a Dim then has the name of the SSA value that holds it, besides its value in this run.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

U = 2.0**-24
TINY = 2.0**-126  # platforms may flush what is smaller

DTYPES = {"f32": np.float32, "bool": np.bool_, "i8": np.int8, "u8": np.uint8, "i16": np.int16, "i32": np.int32,
          "u32": np.uint32, "i64": np.int64}  # fmt: skip


def gamma(n: int) -> float:
    return n * U / (1 - n * U)


def element_type(kind: str) -> str:
    """As MLIR has it: integers are signless."""
    return "i1" if kind == "bool" else kind.replace("u", "i")


@dataclass(frozen=True)
class Dim:
    value: int
    name: str = ""

    @property
    def text(self) -> str:
        return "?" if self.name else str(self.value)


@dataclass
class Value:
    name: str
    dims: list[Dim]
    kind: str
    ref: np.ndarray
    err: np.ndarray

    @property
    def shape(self) -> list[int]:
        return [d.value for d in self.dims]

    @property
    def type(self) -> str:
        return f"tensor<{''.join(d.text + 'x' for d in self.dims)}{element_type(self.kind)}>"


@dataclass
class Output:
    value: Value

    def problem(self, actual: np.ndarray) -> str:
        """Empty when `actual` is right."""
        ref, err = self.value.ref, self.value.err
        if actual.dtype != DTYPES[self.value.kind] or list(actual.shape) != self.value.shape:
            return f"is {actual.dtype}{list(actual.shape)}, expected {self.value.kind}{self.value.shape}"
        if self.value.kind != "f32":
            wrong = actual != ref
        else:
            actual = actual.astype(np.float64)
            with np.errstate(invalid="ignore"):
                near = np.abs(actual - ref) <= err + TINY
            # Beyond the largest float a result is infinite.
            over = np.isinf(actual) & (np.abs(ref) + err > np.finfo(np.float32).max) & (np.sign(actual) == np.sign(ref))
            wrong = ~(near | over | (actual == ref) | (np.isnan(actual) & np.isnan(ref)))
        if not wrong.any():
            return ""
        at = tuple(np.argwhere(wrong)[0])
        return (
            f"{wrong.sum()} of {wrong.size} elements are wrong, first at {list(map(int, at))}: "
            f"{actual[at]}, expected {ref[at]} +- {np.broadcast_to(err, ref.shape)[at]:.3g}"
        )


def parse_expr(text: str) -> tuple[dict[str, int], int]:
    """"y*2+ky+3" → ({y: 2, ky: 1}, 3)."""
    loops: dict[str, int] = {}
    constant = 0
    for term in text.split("+"):
        name, _, factor = term.partition("*")
        if name.isdigit():
            constant += int(name)
        else:
            loops[name] = loops.get(name, 0) + int(factor or 1)
    return loops, constant


def affine_map(loops: list[str], exprs: list[str]) -> str:
    def expression(text: str) -> str:
        used, constant = parse_expr(text)
        terms = [f"d{loops.index(n)}" + (f" * {c}" if c != 1 else "") for n, c in used.items()]
        return " + ".join(terms + ([str(constant)] if constant or not terms else []))

    return f"affine_map<({', '.join(f'd{i}' for i in range(len(loops)))}) -> ({', '.join(map(expression, exprs))})>"


def gather(array: np.ndarray, exprs: list[str], loops: list[str], extents: dict[str, int]) -> tuple[np.ndarray, list[str]]:
    """The operand's elements over the loops that it moves along, and these loops in order."""
    used = [loop for loop in loops if any(loop in parse_expr(e)[0] for e in exprs)]
    index = []
    for text in exprs:
        terms, constant = parse_expr(text)
        at = np.full([1] * len(used), constant)
        for name, factor in terms.items():
            shape = [1] * len(used)
            shape[used.index(name)] = extents[name]
            at = at + factor * np.arange(extents[name]).reshape(shape)
        index.append(at)
    result = array[tuple(index)] if index else array
    return np.broadcast_to(result, [extents[loop] for loop in used]), used


@dataclass
class Function:
    """One function of a model, run at one size."""

    name: str
    size: int = 0  # of the dynamic dimension, 0 when all are static
    lines: list[str] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    count: int = 0

    def __post_init__(self):
        seed = zlib.crc32(self.name.encode())
        self.constants = np.random.default_rng(seed)  # the same at every size
        self.data = np.random.default_rng([seed, self.size])

    # ---- Text ----
    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text: str) -> str:
        name = self.fresh()
        self.lines.append(f"{name} = {text}")
        return name

    def value(self, text: str, dims: list[Dim], kind: str, ref: np.ndarray, err: np.ndarray | None = None) -> Value:
        ref = np.asarray(ref)
        assert list(ref.shape) == [d.value for d in dims], (ref.shape, dims)
        err = np.zeros(ref.shape) if err is None or kind != "f32" else np.broadcast_to(err, ref.shape)
        return Value(self.emit(text), dims, kind, ref, err)

    def text(self) -> str:
        arguments = ", ".join(f'{v.name}: {v.type} {{xcut.type = "{v.kind}"}}' for v in self.inputs)
        results = ", ".join(f'{o.value.type} {{xcut.type = "{o.value.kind}"}}' for o in self.outputs)
        names = ", ".join(o.value.name for o in self.outputs)
        types = ", ".join(o.value.type for o in self.outputs)
        body = "\n".join("  " + line for line in self.lines)
        return f"func.func @{self.name}({arguments}) -> ({results}) {{\n{body}\n  return {names} : {types}\n}}\n"

    # ---- Dimensions ----
    def index(self, dim: Dim | int) -> str:
        if isinstance(dim, Dim) and dim.name:
            return dim.name
        return self.emit(f"arith.constant {dim.value if isinstance(dim, Dim) else dim} : index")

    def dim_op(self, op: str, dim: Dim, other: Dim | int, value: int) -> Dim:
        if not dim.name and not (isinstance(other, Dim) and other.name):
            return Dim(value)
        return Dim(value, self.emit(f"arith.{op} {self.index(dim)}, {self.index(other)} : index"))

    def dim_add(self, dim: Dim, by: Dim | int) -> Dim:
        other = by.value if isinstance(by, Dim) else by
        if other < 0:
            return self.dim_op("subi", dim, -other, dim.value + other)
        return self.dim_op("addi", dim, by, dim.value + other) if by != 0 else dim

    def dim_mul(self, dim: Dim, by: int) -> Dim:
        return self.dim_op("muli", dim, by, dim.value * by) if by != 1 else dim

    def dim_div(self, dim: Dim, by: int) -> Dim:
        return self.dim_op("floordivsi", dim, by, dim.value // by) if by != 1 else dim

    def window_dim(self, dim: Dim, kernel: int, stride: int, dilation: int) -> Dim:
        return self.dim_add(self.dim_div(self.dim_add(dim, -dilation * (kernel - 1) - 1), stride), 1)

    # ---- Sources ----
    def make(self, rng, shape: list[int], kind: str) -> np.ndarray:
        if kind == "f32":
            return rng.standard_normal(shape).astype(np.float32)
        if kind == "bool":
            return rng.integers(0, 2, shape).astype(np.bool_)
        info = np.iinfo(DTYPES[kind])
        return rng.integers(info.min, info.max, shape, dtype=DTYPES[kind], endpoint=True)

    def exact(self, array: np.ndarray, kind: str) -> np.ndarray:
        return array.astype(np.float64) if kind == "f32" else array.astype(DTYPES[kind])

    def arg(self, shape, kind: str = "f32", dynamic=(), data: np.ndarray | None = None) -> Value:
        """An input; the dimensions `dynamic` are written as `?`."""
        data = self.make(self.data, shape, kind) if data is None else np.asarray(data)
        value = Value(f"%a{len(self.inputs)}", [], kind, self.exact(data, kind), np.zeros(shape))
        value.dims = [Dim(n, "?" if i in dynamic else "") for i, n in enumerate(shape)]
        for i in dynamic:
            name = self.emit(f"tensor.dim {value.name}, {self.index(i)} : {value.type}")
            value.dims[i] = Dim(shape[i], name)
        self.inputs.append(value)
        return value

    def const(self, shape, kind: str = "f32", data: np.ndarray | None = None) -> Value:
        data = self.make(self.constants, shape, kind) if data is None else np.asarray(data).astype(DTYPES[kind])
        dims = [Dim(n) for n in data.shape]
        kind_type = Value("", dims, kind, data, data).type
        if data.size == 0:
            text = "dense<>"
        elif kind == "bool":
            text = f"dense<{data.tolist()}>".replace("True", "true").replace("False", "false")
        else:
            text = f'dense<"0x{data.astype(data.dtype.newbyteorder("<")).tobytes().hex().upper()}">'
        return self.value(f"arith.constant {text} : {kind_type}", dims, kind, self.exact(data, kind))

    def scalar(self, kind: str, value) -> str:
        if kind == "f32":
            bits = int(np.float32(value).view(np.uint32))
            return self.emit(f"arith.constant 0x{bits:08X} : f32")
        if kind == "bool":
            return self.emit(f"arith.constant {'true' if value else 'false'}")
        return self.emit(f"arith.constant {int(value)} : {element_type(kind)}")

    def empty(self, dims: list[Dim], kind: str) -> str:
        sizes = ", ".join(d.name for d in dims if d.name)
        return self.emit(f"tensor.empty({sizes}) : {Value('', dims, kind, None, None).type}")

    def fill(self, dims: list[Dim], kind: str, value) -> Value:
        ref = np.full([d.value for d in dims], value, np.float64 if kind == "f32" else DTYPES[kind])
        scalar, empty = self.scalar(kind, value), self.empty(dims, kind)
        text = Value("", dims, kind, None, None).type
        return self.value(
            f"linalg.fill ins({scalar} : {element_type(kind)}) outs({empty} : {text}) -> {text}", dims, kind, ref
        )

    def output(self, *values: Value) -> None:
        self.outputs += [Output(v) for v in values]

    # ---- linalg.generic ----
    def generic(self, ins, maps, loops, parallel, init: str, dims, kind, body, ref, err=None) -> Value:
        """`body(names)` gives the lines of the body and the name to yield; names: one an input, then the output's."""
        types = [v.type for v in ins]
        result = Value("", dims, kind, None, None).type
        names = [f"%in{i}" for i in range(len(ins))] + ["%out"]
        kinds = [element_type(v.kind) for v in ins] + [element_type(kind)]
        lines, yielded = body(names)
        arguments = ", ".join(f"{n}: {k}" for n, k in zip(names, kinds, strict=True))
        iterators = ", ".join('"parallel"' if loop in parallel else '"reduction"' for loop in loops)
        operands = f"ins({', '.join(v.name for v in ins)} : {', '.join(types)}) " if ins else ""
        text = (
            f"linalg.generic {{indexing_maps = [{', '.join(affine_map(loops, m) for m in maps)}], "
            f"iterator_types = [{iterators}]}} {operands}outs({init} : {result}) {{\n  ^bb0({arguments}):\n"
            + "".join(f"    {line}\n" for line in lines)
            + f"    linalg.yield {yielded} : {element_type(kind)}\n  }} -> {result}"
        )
        return self.value(text, dims, kind, ref, err)
