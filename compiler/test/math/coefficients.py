#!/usr/bin/env python3
"""Derives the polynomials of compiler/Codegen/MathCoefficients.h; prints that file.

Needs numpy and mpmath. Each polynomial is a discrete minimax fit (Lawson's iteratively reweighted least squares on
Chebyshev nodes) of a function that mpmath evaluates, with the weight that makes the error of the final result, not of
the polynomial, the one that is levelled. Coefficients become floats one at a time, from the lowest power up, and the
rest is fitted again after each, so that the later ones take up the rounding of the earlier ones. The comment of a table
gives what is left: the largest weighted error of the rounded coefficients in exact arithmetic.

    python3 compiler/test/math/coefficients.py > compiler/Codegen/MathCoefficients.h
"""

import sys

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def nodes(low, high, count=1200):
    k = np.arange(count)
    return low + (high - low) * 0.5 * (1 - np.cos(np.pi * (k + 0.5) / count))


def lawson(matrix, target, rounds=250):
    """Coefficients c that minimise max |matrix @ c - target|."""
    weights = np.full(len(target), 1 / len(target))
    best = None
    for _ in range(rounds):
        root = np.sqrt(weights)
        scaled = matrix * root[:, None]
        scale = np.abs(scaled).max(axis=0)
        c = np.linalg.lstsq(scaled / scale, target * root, rcond=1e-18)[0] / scale
        error = np.abs(matrix @ c - target)
        if best is None or error.max() < best[0]:
            best = (error.max(), c)
        weights = weights * (error / error.max()) + 1e-15
        weights /= weights.sum()
    return best


def fit(name, why, function, weight, low, high, count, variable=lambda x: x):
    """function(x) ~ sum c[i] * variable(x)**i on [low, high]; prints a table with the c as floats."""
    x = nodes(low, high)
    target = np.array([float(function(mp.mpf(float(v)))) for v in x])
    scale = np.array([abs(float(weight(mp.mpf(float(v))))) for v in x])
    powers = np.vstack([variable(x) ** i for i in range(count)]).T
    left = target * scale
    weighted = powers * scale[:, None]
    result = []
    for i in range(count):
        _, c = lawson(weighted[:, i:], left)
        rounded = np.float32(c[0])
        result.append(rounded)
        left = left - weighted[:, i] * float(rounded)
    bound = np.log2(np.abs(left).max())
    print(f"// {why}")
    print(f"// On [{low:g}, {high:g}]; error 2^{bound:.1f}.")
    text = ", ".join(f"{float(v):.9g}f" for v in result)
    line = f"constexpr float {name}[] = {{{text}}};"
    if len(line) > 120:
        half = (len(result) + 1) // 2
        line = (
            f"constexpr float {name}[] = {{{', '.join(f'{float(v):.9g}f' for v in result[:half])},\n    "
            f"{', '.join(f'{float(v):.9g}f' for v in result[half:])}}};"
        )
    print(line + "\n")


def split(name, value, bits, why):
    """value as floats whose first members have `bits` significant bits, the last one 24."""
    print(f"// {why}")
    parts = []
    rest = mp.mpf(value)
    for b in bits:
        exponent = mp.floor(mp.log(abs(rest), 2))
        unit = mp.mpf(2) ** (exponent - b + 1)
        part = mp.nint(rest / unit) * unit
        parts.append(np.float32(float(part)))
        rest -= part
    print(f"constexpr float {name}[] = {{{', '.join(f'{float(v):.9g}f' for v in parts)}}};\n")


def main():
    print("""// Polynomials of the math expansion. Written by compiler/test/math/coefficients.py, which says how they were found.
// clang-format off
#pragma once

namespace crosscut::coefficients {
""")
    ln2 = mp.log(2)
    split("kLn2", ln2, [13, 24], "ln 2; products of the first part with integers up to 2^11 are exact.")
    split("kLog10Of2", mp.log(2, 10), [13, 24], "log10 2, likewise.")
    split("kLog2E", 1 / ln2, [24, 24], "log2 e.")
    split("kTwoLog2E", 2 / ln2, [24, 24], "2 log2 e.")
    split("kLog10E", 1 / mp.log(10), [24, 24], "log10 e.")
    split("kHalfPi", mp.pi / 2, [24, 24], "pi / 2.")
    split(
        "kHalfPiShort",
        mp.pi / 2,
        [11, 11, 11, 11, 24],
        "pi / 2; products of all but the last with integers of 13 significant bits are exact.",
    )
    split("kThird", mp.mpf(1) / 3, [24, 24], "1 / 3.")
    r = 0.3467
    fit(
        "kExpm1",
        "(exp(r) - 1 - r) / r^2; error relative to exp(r) - 1.",
        lambda x: (mp.expm1(x) - x) / x**2,
        lambda x: x**2 / mp.expm1(x),
        -r,
        r,
        6,
    )
    fit(
        "kExp",
        "The same; error relative to exp(r).",
        lambda x: (mp.expm1(x) - x) / x**2,
        lambda x: x**2 / mp.exp(x),
        -r,
        r,
        5,
    )
    fit("kExp2", "(2^r - 1) / r; error absolute.", lambda x: mp.expm1(x * ln2) / x, lambda x: x, -0.5001, 0.5001, 6)
    fit(
        "kLog1p",
        "(log(1 + f) - f + f^2 / 2) / f^3; error relative to log(1 + f).",
        lambda x: (mp.log1p(x) - x + x * x / 2) / x**3,
        lambda x: x**3 / mp.log1p(x),
        float(mp.sqrt(0.5) - 1),
        float(mp.sqrt(2) - 1),
        9,
    )
    fit(
        "kAtanh",
        "(atanh(s) - s - s^3 / 3) / s^5 in powers of s^2; error relative to atanh(s).",
        lambda x: (mp.atanh(x) - x - x**3 / 3) / x**5,
        lambda x: x**4,
        1e-2,
        0.1717,
        3,
        lambda x: x * x,
    )
    q = 0.7856
    fit(
        "kSin",
        "(sin(r) - r) / r^3 in powers of r^2; error relative to sin(r).",
        lambda x: (mp.sin(x) - x) / x**3,
        lambda x: x**3 / mp.sin(x),
        1e-3,
        q,
        3,
        lambda x: x * x,
    )
    fit(
        "kCos",
        "(cos(r) - 1 + r^2 / 2) / r^4 in powers of r^2; error relative to cos(r).",
        lambda x: (mp.cos(x) - 1 + x * x / 2) / x**4,
        lambda x: x**4 / mp.cos(x),
        1e-2,
        q,
        3,
        lambda x: x * x,
    )
    fit(
        "kAsin",
        "(asin(x) - x) / x^3 in powers of x^2; error relative to asin(x).",
        lambda x: (mp.asin(x) - x) / x**3,
        lambda x: x**3 / mp.asin(x),
        1e-3,
        0.5,
        5,
        lambda x: x * x,
    )
    fit(
        "kAtan",
        "(atan(t) - t) / t^3 in powers of t^2; error relative to atan(t).",
        lambda x: (mp.atan(x) - x) / x**3,
        lambda x: x**3 / mp.atan(x),
        1e-3,
        1.0,
        8,
        lambda x: x * x,
    )
    fit(
        "kTanh",
        "(tanh(x) - x) / x^3 in powers of x^2; error relative to tanh(x).",
        lambda x: (mp.tanh(x) - x) / x**3,
        lambda x: x**3 / mp.tanh(x),
        1e-3,
        0.65,
        5,
        lambda x: x * x,
    )
    edge = 1.2
    fit(
        "kErfSmall",
        "erf(x) / x - 1 in powers of x^2; error relative to erf(x).",
        lambda x: mp.erf(x) / x - 1,
        lambda x: x / mp.erf(x),
        1e-3,
        edge,
        7,
        lambda x: x * x,
    )
    fit(
        "kErfTail",
        "erfc(x)^(1/8) in powers of x - 2.25; error of erfc(x), absolute.",
        lambda x: mp.erfc(x) ** (mp.mpf(1) / 8),
        lambda x: 8 * mp.erfc(x) ** (mp.mpf(7) / 8),
        edge,
        3.93,
        8,
        lambda x: x - 2.25,
    )
    fit(
        "kErfcScaled",
        "erfc(a) exp(a^2) (a + 2) in powers of (a - 2) / (a + 2); error relative.",
        lambda x: mp.erfc(x) * mp.exp(x * x) * (x + 2),
        lambda x: 1 / (mp.erfc(x) * mp.exp(x * x) * (x + 2)),
        0.6,
        10.1,
        10,
        lambda x: (x - 2) / (x + 2),
    )
    fit(
        "kCbrtGuess",
        "cbrt(m), the start of two steps; error relative.",
        lambda x: mp.cbrt(x),
        lambda x: 1 / mp.cbrt(x),
        1.0,
        2.0,
        3,
    )
    print("}  // namespace crosscut::coefficients")


if __name__ == "__main__":
    sys.exit(main())
