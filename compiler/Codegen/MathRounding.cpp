// Adding and subtracting 2^23 (2^52 for f64) rounds a smaller magnitude to the nearest integer, ties to even; larger
// ones, and NaN, are returned as they are. The sign is put back last, so that -0.3 rounds to -0.
#include "compiler/Codegen/MathRounding.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using mlir::Value;

namespace crosscut {

// |x| rounded to even, and |x|.
static std::pair<Value, Value> roundMagnitude(MathBuilder &m, Value x) {
  Value limit = m.f(mlir::getElementTypeOrSelf(m.type).isF64() ? 0x1p52 : 0x1p23);
  Value a = m.abs(x);
  Value rounded = m.sub(m.add(a, limit), limit);
  return {m.select(m.less(a, limit), rounded, a), a};
}

static Value oneIf(MathBuilder &m, Value condition) { return m.select(condition, m.f(1), m.f(0)); }

// Of |x|.
static Value truncMagnitude(MathBuilder &m, Value x) {
  auto [rounded, a] = roundMagnitude(m, x);
  return m.sub(rounded, oneIf(m, m.less(a, rounded)));
}

Value expandRoundEven(MathBuilder &m, Value x) { return m.copySign(roundMagnitude(m, x).first, x); }

Value expandTrunc(MathBuilder &m, Value x) { return m.copySign(truncMagnitude(m, x), x); }

Value expandFloor(MathBuilder &m, Value x) {
  Value rounded = expandRoundEven(m, x);
  return m.copySign(m.sub(rounded, oneIf(m, m.less(x, rounded))), x);
}

Value expandCeil(MathBuilder &m, Value x) {
  Value rounded = expandRoundEven(m, x);
  return m.copySign(m.add(rounded, oneIf(m, m.less(rounded, x))), x);
}

// Ties away from zero.
Value expandRound(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value truncated =
      m.target.hasRounding ? Value(mlir::math::TruncOp::create(m.builder, m.loc, a)) : truncMagnitude(m, x);
  Value up = m.lessEqual(m.f(0.5), m.sub(a, truncated));
  return m.copySign(m.add(truncated, oneIf(m, up)), x);
}

// lrint as LLVM has it: in the current rounding mode, to nearest by default.
static Value convert(MathBuilder &m, Value integral, mlir::Type resultType) {
  unsigned width = mlir::getElementTypeOrSelf(resultType).getIntOrFloatBitWidth();
  mlir::Type wide = m.like(m.builder.getIntegerType(width <= 32 ? 32 : 64));
  Value result = mlir::LLVM::LrintOp::create(m.builder, m.loc, wide, integral);
  return width < 32 ? Value(mlir::arith::TruncIOp::create(m.builder, m.loc, resultType, result)) : result;
}

Value expandFloatToSigned(MathBuilder &m, Value x, mlir::Type resultType) {
  return convert(m, expandTrunc(m, x), resultType);
}

// Results of 32 and 64 bits: what does not fit a signed integer is moved there and back.
Value expandFloatToUnsigned(MathBuilder &m, Value x, mlir::Type resultType) {
  Value truncated = expandTrunc(m, x);
  unsigned width = mlir::getElementTypeOrSelf(resultType).getIntOrFloatBitWidth();
  if (width < 32) return convert(m, truncated, resultType);
  Value half = m.f(width == 32 ? 0x1p31 : 0x1p63);
  Value high = m.lessEqual(half, truncated);
  Value low = convert(m, m.select(high, m.sub(truncated, half), truncated), resultType);
  auto constant = [&](int64_t value) -> Value {
    auto scalar = m.builder.getIntegerAttr(mlir::getElementTypeOrSelf(resultType), value);
    auto shaped = mlir::dyn_cast<mlir::ShapedType>(resultType);
    return mlir::arith::ConstantOp::create(
        m.builder, m.loc,
        shaped ? mlir::TypedAttr(mlir::DenseElementsAttr::get(shaped, mlir::Attribute(scalar)))
               : mlir::TypedAttr(scalar));
  };
  Value offset = m.select(high, constant(width == 32 ? INT32_MIN : INT64_MIN), constant(0));
  return m.xorI(low, offset);
}

}  // namespace crosscut
