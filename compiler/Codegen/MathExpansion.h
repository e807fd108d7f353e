// Replaces the operations of the math dialect by arithmetic, so that a module calls no math library on any target.
// Works on f32 scalars and fixed vectors of any length; f16 and bf16 go through f32.
//
// The largest error in units in the last place of the exact result, with and without a fused multiply-add. Every float
// of [2^-13, 2^7] was tried once on AVX2 and on SSE2 (pow, atan2: a million pairs); compiler/test/math asserts the
// bounds for every 4099th float and the hard places, and for fewer on the other targets.
//
//   exp 1      exp2 1.2   expm1 1.6  log 1      log2 1.2   log10 1.2  log1p 1.6
//   tanh 1.5   sinh 2.5   cosh 1.5   asinh 2    acosh 2.5  atanh 2.5
//   sin 1      cos 1      tan 2.5    asin 2.2   acos 1.3   atan 1.8   atan2 2
//   erf 2      erfc 5     powf 1.5   cbrt 0.6   rsqrt 1.5  fpowi: powf
//   floor, ceil, trunc, round, roundeven, sqrt: exact
//   division by a constant: 0.5 and less than a millionth; where the quotient is below 2^-100: 1, with ARMv7's NEON 2
//
// - sin, cos and tan hold that for |x| <= 2^22. Beyond, the phase is lost gradually; from 2^30 on the argument counts
//   as 0. Infinity makes NaN.
// - NaN, infinities and zeros of both signs give what C's Annex F says. Denormal arguments and results are exact to the
//   same bounds where the target keeps them. ARMv7's NEON does not, and LLVM uses it for vectors and some scalar loops:
//   there a denormal argument counts as 0, and results below 2^-124 may be 0.
// - math.exp with the attribute xcut.not_positive has an argument of at most 0, or NaN, and takes fewer instructions.
// - Left alone, as LLVM makes instructions of them or calls a builtin (soft float): sqrt, absf, copysign, fma where the
//   target has one, the integer operations, the roundings where the target has them.
#pragma once

#include "compiler/Target/Target.h"

#include "llvm/Support/Error.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace crosscut {

// `target` must outlive the patterns. They create operations of arith, math, scf (ipowi) and LLVM (RVV: lrint), whose
// dialects the context must have loaded.
void populateMathExpansionPatterns(mlir::RewritePatternSet &patterns, const TargetDescription &target);

// Applies them to a module. An error names an operation that would still call a library (f64).
llvm::Error expandMath(mlir::ModuleOp module, const TargetDescription &target);

}  // namespace crosscut
