// Rounding to integers for targets without instructions for it. f32 and f64, scalars and vectors.
#pragma once

#include "compiler/Codegen/MathBuilder.h"

namespace crosscut {

// Each uses the target's instructions where TargetDescription::hasRounding says so (round: of its parts).
mlir::Value expandRoundEven(MathBuilder &m, mlir::Value x);
mlir::Value expandTrunc(MathBuilder &m, mlir::Value x);
mlir::Value expandFloor(MathBuilder &m, mlir::Value x);
mlir::Value expandCeil(MathBuilder &m, mlir::Value x);
mlir::Value expandRound(MathBuilder &m, mlir::Value x);

// arith.fptosi and arith.fptoui through the conversion in the current rounding mode, which is exact for truncated
// numbers. `resultType` has the shape of x.
mlir::Value expandFloatToSigned(MathBuilder &m, mlir::Value x, mlir::Type resultType);
mlir::Value expandFloatToUnsigned(MathBuilder &m, mlir::Value x, mlir::Type resultType);

}  // namespace crosscut
