"""The elementwise operations: how MLIR writes them, what they compute, and how errors pass through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from builder import DTYPES, TINY, U, element_type


@dataclass(frozen=True)
class Operation:
    text: str  # {0} {1} ... operands, {t} their element type, {r} the result's
    compute: Callable
    error: Callable | None = None  # (result, *values, *errors); None: exact inputs give exact results
    kind: str = ""  # of the result, empty: the operands'


def rounded(result, *parts):
    carried = sum(parts)
    return carried + U * (np.abs(result) + carried) + TINY


def divided(result, a, b, ea, eb):
    least = np.abs(b) - eb
    assert (least > 0).all(), "the divisor may be zero"
    # A constant divisor's quotient may be a millionth further from the exact one than half a unit.
    return rounded(result, (ea + np.abs(result) * eb) / least + 1e-6 * U * np.abs(result))


def rooted(result, a, ea):
    return np.sqrt(a + ea) - np.sqrt(np.maximum(a - ea, 0)) + U * np.abs(result)


def exact_only(result, *parts):
    errors = parts[len(parts) // 2 :]
    assert not any(np.any(e) for e in errors), "a step function of an inexact value"
    return np.zeros_like(result)


def larger(result, *parts):
    return np.maximum.reduce(np.broadcast_arrays(*parts[len(parts) // 2 :]))


FLOAT = {
    "add": Operation("arith.addf {0}, {1} : f32", np.add, lambda r, a, b, ea, eb: rounded(r, ea, eb)),
    "sub": Operation("arith.subf {0}, {1} : f32", np.subtract, lambda r, a, b, ea, eb: rounded(r, ea, eb)),
    "mul": Operation(
        "arith.mulf {0}, {1} : f32",
        np.multiply,
        lambda r, a, b, ea, eb: rounded(r, np.abs(a) * eb, np.abs(b) * ea, ea * eb),
    ),
    "div": Operation("arith.divf {0}, {1} : f32", np.divide, divided),
    "maximum": Operation("arith.maximumf {0}, {1} : f32", np.maximum, larger),
    "minimum": Operation("arith.minimumf {0}, {1} : f32", np.minimum, larger),
    "maxnum": Operation("arith.maxnumf {0}, {1} : f32", np.fmax, larger),
    "minnum": Operation("arith.minnumf {0}, {1} : f32", np.fmin, larger),
    "neg": Operation("arith.negf {0} : f32", np.negative, larger),
    "abs": Operation("math.absf {0} : f32", np.abs, larger),
    "sqrt": Operation("math.sqrt {0} : f32", np.sqrt, rooted),
    "floor": Operation("math.floor {0} : f32", np.floor, exact_only),
    "ceil": Operation("math.ceil {0} : f32", np.ceil, exact_only),
    # Within 3 units in the last place, which compiler/test/math measures.
    "exp": Operation("math.exp {0} : f32", np.exp, lambda r, a, ea: np.abs(r) * (np.expm1(ea) + 6 * U) + TINY),
    "lt": Operation("arith.cmpf olt, {0}, {1} : f32", np.less, exact_only, "bool"),
    "ge": Operation("arith.cmpf oge, {0}, {1} : f32", np.greater_equal, exact_only, "bool"),
    "ne": Operation("arith.cmpf une, {0}, {1} : f32", np.not_equal, exact_only, "bool"),
}


def wrapping(function):
    def compute(*values):
        with np.errstate(over="ignore"):
            return function(*values)

    return compute


def truncated_division(a, b):
    # numpy rounds towards minus infinity, arith.divsi towards zero.
    wide = np.sign(a.astype(np.int64)) * np.sign(b.astype(np.int64))
    return (wide * (np.abs(a.astype(np.int64)) // np.abs(b.astype(np.int64)))).astype(a.dtype)


INTEGER = {
    "add": Operation("arith.addi {0}, {1} : {t}", wrapping(np.add)),
    "sub": Operation("arith.subi {0}, {1} : {t}", wrapping(np.subtract)),
    "mul": Operation("arith.muli {0}, {1} : {t}", wrapping(np.multiply)),
    "div": Operation("arith.divsi {0}, {1} : {t}", truncated_division),
    "udiv": Operation("arith.divui {0}, {1} : {t}", np.floor_divide),
    "and": Operation("arith.andi {0}, {1} : {t}", np.bitwise_and),
    "or": Operation("arith.ori {0}, {1} : {t}", np.bitwise_or),
    "xor": Operation("arith.xori {0}, {1} : {t}", np.bitwise_xor),
    "max": Operation("arith.maxsi {0}, {1} : {t}", np.maximum),
    "min": Operation("arith.minsi {0}, {1} : {t}", np.minimum),
    "umax": Operation("arith.maxui {0}, {1} : {t}", np.maximum),
    "umin": Operation("arith.minui {0}, {1} : {t}", np.minimum),
    "lt": Operation("arith.cmpi slt, {0}, {1} : {t}", np.less, None, "bool"),
    "ult": Operation("arith.cmpi ult, {0}, {1} : {t}", np.less, None, "bool"),
    "eq": Operation("arith.cmpi eq, {0}, {1} : {t}", np.equal, None, "bool"),
}


def conversion(source: str, to: str) -> Operation:
    """Between element types; a float must be exact, and inside the integer's range."""
    a, b = element_type(source), element_type(to)
    unsigned = source.startswith("u") or source == "bool"
    if source == "f32":
        name = "arith.fptoui" if to.startswith("u") else "arith.fptosi"
    elif to == "f32":
        name = "arith.uitofp" if unsigned else "arith.sitofp"
    elif int(a[1:]) < int(b[1:]):
        name = "arith.extui" if unsigned else "arith.extsi"
    else:
        name = "arith.trunci"
    dtype = np.float64 if to == "f32" else DTYPES[to]

    def error(result, value, carried):
        return U * np.abs(result) if to == "f32" else np.zeros(np.shape(result))

    return Operation(f"{name} {{0}} : {a} to {b}", lambda value: value.astype(dtype), error, to)
