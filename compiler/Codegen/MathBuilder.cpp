#include "compiler/Codegen/MathBuilder.h"

using mlir::Value;

namespace crosscut {

// Without a fused multiply-add: Dekker's product. Clearing 12 bits halves a number into two of 12 bits, whose products
// are exact. Contraction of these operations by a back end would not change the result.
std::pair<Value, Value> MathBuilder::exactProduct(Value a, Value b) {
  Value high = mul(a, b);
  if (target.hasFma) return {high, mlir::math::FmaOp::create(builder, loc, a, b, neg(high))};
  auto split = [&](Value x) -> std::pair<Value, Value> {
    Value top = i2f(andI(f2i(x), i(0xfffff000)));
    return {top, sub(x, top)};
  };
  auto [aTop, aRest] = split(a);
  auto [bTop, bRest] = split(b);
  Value low = sub(mul(aTop, bTop), high);
  low = add(low, mul(aTop, bRest));
  low = add(low, mul(aRest, bTop));
  return {high, add(low, mul(aRest, bRest))};
}

}  // namespace crosscut
