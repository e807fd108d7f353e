// A small vocabulary for writing floating-point algorithms on f32 scalars and vectors as arith and math ops: constants
// are splatted to the type at hand, and fused multiply-add is used where the target has it.
#pragma once

#include "compiler/Target/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

namespace crosscut {

class MathBuilder {
 public:
  using Value = mlir::Value;

  // `type` is f32 or a vector of f32. (The operations that involve no integers work on f64 too.)
  MathBuilder(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type, const TargetDescription &target)
      : builder(builder), loc(loc), type(type), target(target) {}

  // The same, on another element type of the same shape.
  mlir::Type like(mlir::Type element) const {
    auto shaped = mlir::dyn_cast<mlir::ShapedType>(type);
    return shaped ? mlir::Type(shaped.clone(element)) : element;
  }
  mlir::Type intType() const { return like(builder.getI32Type()); }

  Value f(double value) { return constant(builder.getFloatAttr(mlir::getElementTypeOrSelf(type), value), type); }
  Value i(uint32_t value) {
    return constant(builder.getIntegerAttr(builder.getI32Type(), static_cast<int32_t>(value)), intType());
  }
  Value infinity() { return i2f(i(0x7f800000)); }
  Value nan() { return i2f(i(0x7fc00000)); }

  Value add(Value a, Value b) { return mlir::arith::AddFOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubFOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulFOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) { return mlir::arith::DivFOp::create(builder, loc, a, b); }
  Value neg(Value a) { return mlir::arith::NegFOp::create(builder, loc, a); }
  Value abs(Value a) { return mlir::math::AbsFOp::create(builder, loc, a); }
  Value sqrt(Value a) { return mlir::math::SqrtOp::create(builder, loc, a); }
  Value copySign(Value magnitude, Value sign) { return mlir::math::CopySignOp::create(builder, loc, magnitude, sign); }
  // a * b + c, with one rounding or two. Callers must be right with either.
  Value fma(Value a, Value b, Value c) {
    if (target.hasFma) return mlir::math::FmaOp::create(builder, loc, a, b, c);
    return add(mul(a, b), c);
  }
  // Vectors of NEON.
  bool isNeon() const { return target.laneFma && mlir::isa<mlir::VectorType>(type); }
  // c - a * k for a constant k.
  Value subProduct(Value c, Value a, double k) {
    if (target.hasFma) return mlir::math::FmaOp::create(builder, loc, a, f(-k), c);
    return sub(c, mul(a, f(k)));
  }
  // c[0] + x (c[1] + x (c[2] + ...)). NEON's multiply-add overwrites what it adds to, so that each constant is copied
  // first; there pairs of terms share a copy: (c[0] + c[1] x) + x^2 ((c[2] + c[3] x) + ...).
  template <size_t N>
  Value polynomial(const float (&c)[N], Value x) {
    if (isNeon() && N >= 5) {
      Value square = mul(x, x);
      auto pair = [&](size_t k) { return k + 1 < N ? fma(x, f(c[k + 1]), f(c[k])) : f(c[k]); };
      size_t last = (N - 1) / 2 * 2;
      Value result = pair(last);
      for (size_t k = last; k > 0; k -= 2) result = fma(result, square, pair(k - 2));
      return result;
    }
    Value result = f(c[N - 1]);
    for (size_t k = N - 1; k-- > 0;) result = fma(result, x, f(c[k]));
    return result;
  }
  // a * b as high + low, exact unless it underflows.
  std::pair<Value, Value> exactProduct(Value a, Value b);
  // The sum of a and b as high + low; needs |a| >= |b| or a = 0.
  std::pair<Value, Value> quickSum(Value a, Value b) {
    Value high = add(a, b);
    return {high, sub(b, sub(high, a))};
  }

  Value addI(Value a, Value b) { return mlir::arith::AddIOp::create(builder, loc, a, b); }
  Value subI(Value a, Value b) { return mlir::arith::SubIOp::create(builder, loc, a, b); }
  Value mulI(Value a, Value b) { return mlir::arith::MulIOp::create(builder, loc, a, b); }
  Value andI(Value a, Value b) { return mlir::arith::AndIOp::create(builder, loc, a, b); }
  Value orI(Value a, Value b) { return mlir::arith::OrIOp::create(builder, loc, a, b); }
  Value xorI(Value a, Value b) { return mlir::arith::XOrIOp::create(builder, loc, a, b); }
  Value shiftLeft(Value a, uint32_t bits) { return mlir::arith::ShLIOp::create(builder, loc, a, i(bits)); }
  Value shiftRight(Value a, uint32_t bits) { return mlir::arith::ShRUIOp::create(builder, loc, a, i(bits)); }
  Value shiftRightSigned(Value a, uint32_t bits) { return mlir::arith::ShRSIOp::create(builder, loc, a, i(bits)); }
  Value f2i(Value a) { return mlir::arith::BitcastOp::create(builder, loc, intType(), a); }
  Value i2f(Value a) { return mlir::arith::BitcastOp::create(builder, loc, type, a); }
  Value intToFloat(Value a) { return mlir::arith::SIToFPOp::create(builder, loc, type, a); }

  Value select(Value condition, Value a, Value b) {
    return mlir::arith::SelectOp::create(builder, loc, condition, a, b);
  }
  // Ordered comparisons: false when either is NaN.
  Value less(Value a, Value b) { return compare(mlir::arith::CmpFPredicate::OLT, a, b); }
  Value lessEqual(Value a, Value b) { return compare(mlir::arith::CmpFPredicate::OLE, a, b); }
  Value greater(Value a, Value b) { return compare(mlir::arith::CmpFPredicate::OGT, a, b); }
  Value equal(Value a, Value b) { return compare(mlir::arith::CmpFPredicate::OEQ, a, b); }
  Value compare(mlir::arith::CmpFPredicate predicate, Value a, Value b) {
    return mlir::arith::CmpFOp::create(builder, loc, predicate, a, b);
  }
  Value isZero(Value bits) {
    return mlir::arith::CmpIOp::create(builder, loc, mlir::arith::CmpIPredicate::eq, bits, i(0));
  }
  Value isNegative(Value bits) {
    return mlir::arith::CmpIOp::create(builder, loc, mlir::arith::CmpIPredicate::slt, bits, i(0));
  }
  Value andCondition(Value a, Value b) { return mlir::arith::AndIOp::create(builder, loc, a, b); }
  Value orCondition(Value a, Value b) { return mlir::arith::OrIOp::create(builder, loc, a, b); }

  // The larger and the smaller of a number and a constant; NaN stays NaN. Compare and select in the order that is one
  // instruction on x86 (maxps returns its second operand when either is NaN); NEON's own maximum keeps NaN.
  Value atLeast(Value x, double low) {
    if (isNeon()) return mlir::arith::MaximumFOp::create(builder, loc, x, f(low));
    return select(greater(f(low), x), f(low), x);
  }
  Value atMost(Value x, double high) {
    if (isNeon()) return mlir::arith::MinimumFOp::create(builder, loc, x, f(high));
    return select(less(f(high), x), f(high), x);
  }

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Type type;
  const TargetDescription &target;

 private:
  Value constant(mlir::TypedAttr scalar, mlir::Type resultType) {
    auto shaped = mlir::dyn_cast<mlir::ShapedType>(resultType);
    mlir::TypedAttr value =
        shaped ? mlir::TypedAttr(mlir::DenseElementsAttr::get(shaped, mlir::Attribute(scalar))) : scalar;
    return mlir::arith::ConstantOp::create(builder, loc, value);
  }
};

}  // namespace crosscut
