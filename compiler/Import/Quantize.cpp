// Linear quantisation, one scale a tensor, an axis or a block.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;

namespace {

// The scale (or zero point) that belongs to an element: a scalar, or a value read by the element's position.
LogicalResult readParameter(Op &op, unsigned input, std::function<Value(Body &)> &read) {
  Emitter &e = op.e;
  Dims dims = op.dims(0), own = op.dims(input);
  Value tensor = op.in(input);
  int64_t axis = op.attribute("axis", int64_t(1)), block = op.attribute("block_size", int64_t(0));
  if (own.empty() || (own.size() == 1 && constantOf(own[0]) == 1)) {
    Value scalar = e.reshape(tensor, {});
    read = [scalar](Body &s) { return extract(s, scalar, {}); };
    return success();
  }
  if (failed(op.normalizeAxis(axis, dims.size()))) return failure();
  if (own.size() == 1) {
    read = [tensor, axis](Body &s) { return extract(s, tensor, {s.iv(axis)}); };
    return success();
  }
  if (own.size() != dims.size()) return op.fail("scale does not fit the input");
  if (block < 1) return op.fail("block_size is missing");
  size_t rank = dims.size();
  read = [tensor, axis, block, rank](Body &s) {
    SmallVector<Value> at;
    for (size_t d = 0; d < rank; ++d)
      at.push_back(int64_t(d) == axis ? s.op<arith::DivUIOp>(s.iv(d), s.index(block)) : s.iv(d));
    return extract(s, tensor, at);
  };
  return success();
}

void integerLimits(ElementType type, double &low, double &high) {
  unsigned bits = 8 * elementBytes(type);
  low = isUnsigned(type) ? 0 : -std::ldexp(1.0, bits - 1);
  high = std::ldexp(1.0, isUnsigned(type) ? bits : bits - 1) - 1;
}

}  // namespace

LogicalResult lowerQuantizeLinear(Op &op) {
  Emitter &e = op.e;
  auto declaredType = static_cast<ElementType>(op.attribute("output_dtype", int64_t(0)));
  ElementType to = op.has(2) ? op.type(2) : declaredType != kUndefined ? declaredType : kU8;
  if (!isInteger(to) || elementBytes(to) > 2)
    return op.fail(Twine("type ") + elementTypeName(to) + " is not supported");
  std::function<Value(Body &)> scale, zero;
  if (failed(readParameter(op, 1, scale)) || (op.has(2) && failed(readParameter(op, 2, zero)))) return failure();
  double low, high;
  integerLimits(to, low, high);
  ElementType from = op.type();
  op.result(e.map(e.elementType(to), {op.in(0)},
                  [&](Body &s, ValueRange v) {
                    Value x = s.cast(v[0], from, kF32);
                    Value q = s.op<math::RoundEvenOp>(s.div(x, s.cast(scale(s), op.type(1), kF32)));
                    if (op.has(2)) q = s.add(q, s.cast(zero(s), to, kF32));
                    q = s.select(s.gt(q, s.like(q, low)), q, s.like(q, low));
                    q = s.select(s.lt(q, s.like(q, high)), q, s.like(q, high));
                    return s.cast(q, kF32, to);
                  }),
            to);
  return success();
}

LogicalResult lowerDequantizeLinear(Op &op) {
  Emitter &e = op.e;
  std::function<Value(Body &)> scale, zero;
  if (failed(readParameter(op, 1, scale)) || (op.has(2) && failed(readParameter(op, 2, zero)))) return failure();
  ElementType from = op.type();
  if (op.type(1) != kF32) return op.fail("only float32 scales are supported");
  op.result(e.map(e.elementType(kF32), {op.in(0)},
                  [&](Body &s, ValueRange v) {
                    // 8 and 16 bit differences fit int32; 32 bit ones are taken as they are.
                    Value x = s.cast(v[0], from, kI32);
                    if (op.has(2)) x = s.sub(x, s.cast(zero(s), from, kI32));
                    return s.mul(s.cast(x, kI32, kF32), scale(s));
                  }),
            kF32);
  return success();
}

}  // namespace crosscut::onnxir
