// The algorithms of the math expansion, one function each; MathExpansion.h states their errors. All take and return f32
// scalars or vectors of f32.
#pragma once

#include "compiler/Codegen/MathBuilder.h"

namespace crosscut {

// MathExponential.cpp
mlir::Value expandExp(MathBuilder &m, mlir::Value x);
mlir::Value expandExpNotPositive(MathBuilder &m, mlir::Value x);  // x <= 0 or NaN
mlir::Value expandExp2(MathBuilder &m, mlir::Value x);
mlir::Value expandExpm1(MathBuilder &m, mlir::Value x);
mlir::Value expandTanh(MathBuilder &m, mlir::Value x);
mlir::Value expandSinh(MathBuilder &m, mlir::Value x);
mlir::Value expandCosh(MathBuilder &m, mlir::Value x);
// exp(r) for |r| <= ln 2 / 2.
mlir::Value expOfReduced(MathBuilder &m, mlir::Value r);
// p * 2^n, rounded once, for p in [0.25, 4] and n in [-150, 129]; bits are those of the float 1.5 * 2^23 + 254 + n.
mlir::Value scaleByPower(MathBuilder &m, mlir::Value p, mlir::Value bits);

// MathLogarithm.cpp
mlir::Value expandLog(MathBuilder &m, mlir::Value x);
mlir::Value expandLog2(MathBuilder &m, mlir::Value x);
mlir::Value expandLog10(MathBuilder &m, mlir::Value x);
mlir::Value expandLog1p(MathBuilder &m, mlir::Value x);
mlir::Value expandAsinh(MathBuilder &m, mlir::Value x);
mlir::Value expandAcosh(MathBuilder &m, mlir::Value x);
mlir::Value expandAtanh(MathBuilder &m, mlir::Value x);

// MathPower.cpp
mlir::Value expandPow(MathBuilder &m, mlir::Value x, mlir::Value y);
mlir::Value expandCbrt(MathBuilder &m, mlir::Value x);

// MathTrigonometric.cpp
mlir::Value expandSin(MathBuilder &m, mlir::Value x);
mlir::Value expandCos(MathBuilder &m, mlir::Value x);
mlir::Value expandTan(MathBuilder &m, mlir::Value x);
mlir::Value expandAsin(MathBuilder &m, mlir::Value x);
mlir::Value expandAcos(MathBuilder &m, mlir::Value x);
mlir::Value expandAtan(MathBuilder &m, mlir::Value x);
mlir::Value expandAtan2(MathBuilder &m, mlir::Value y, mlir::Value x);

// MathError.cpp
mlir::Value expandErf(MathBuilder &m, mlir::Value x);
mlir::Value expandErfc(MathBuilder &m, mlir::Value x);

}  // namespace crosscut
