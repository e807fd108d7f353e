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

namespace {

// A parameter that belongs to dimension `dim` of a tensor of `rank` dimensions, or to all of it, shaped to broadcast.
Value parameter(Emitter &e, Value v, int64_t rank, int64_t dim) {
  Dims d = e.dims(v), shape(rank, e.attr(1));
  if (d.empty() || (d.size() == 1 && constantOf(d[0]) == 1)) return e.reshape(v, {});
  if (d.size() > 1) return v;
  shape[dim] = d[0];
  return e.reshape(v, shape);
}

// Input `i` less its zero point (input `zero`, one for each entry of dimension `dim` or a single one), as int32.
Value shifted(Op &op, unsigned i, unsigned zero, int64_t dim) {
  Emitter &e = op.e;
  SmallVector<Value> inputs{op.in(i)};
  if (op.has(zero)) inputs.push_back(parameter(e, op.in(zero), op.rank(i), dim));
  return e.map(op.dims(i), e.elementType(kI32), inputs, [&](Body &s, ValueRange v) {
    Value x = s.cast(v[0], op.type(i), kI32);
    return v.size() == 1 ? x : s.sub(x, s.cast(v[1], op.type(i), kI32));
  });
}

// round(sum * a's scale * b's scale / y's scale) + y's zero point, saturated: inputs 1, 4, 6 and 7.
LogicalResult requantize(Op &op, Value sum, int64_t dimA, int64_t dimB) {
  Emitter &e = op.e;
  int64_t rank = Emitter::rank(sum);
  for (unsigned i : {1u, 4u, 6u})
    if (op.type(i) != kF32) return op.fail("only float32 scales are supported");
  ElementType to = op.type(7);
  if (!isInteger(to) || elementBytes(to) > 2)
    return op.fail(Twine("type ") + elementTypeName(to) + " is not supported");
  double low, high;
  integerLimits(to, low, high);
  Value scaleA = parameter(e, op.in(1), rank, dimA), scaleB = parameter(e, op.in(4), rank, dimB),
        scaleY = parameter(e, op.in(6), rank, dimA), zeroY = parameter(e, op.in(7), rank, dimA);
  op.result(e.map(e.dims(sum), e.elementType(to), {sum, scaleA, scaleB, scaleY, zeroY},
                  [&](Body &s, ValueRange v) {
                    Value scale = s.div(s.mul(v[1], v[2]), v[3]);
                    Value q = s.op<math::RoundEvenOp>(s.mul(s.cast(v[0], kI32, kF32), scale));
                    q = s.add(q, s.cast(v[4], to, kF32));
                    q = s.select(s.gt(q, s.like(q, low)), q, s.like(q, low));
                    q = s.select(s.lt(q, s.like(q, high)), q, s.like(q, high));
                    return s.cast(q, kF32, to);
                  }),
            to);
  return success();
}

}  // namespace

// Products of integers less their zero points, accumulated in int32.
LogicalResult lowerMatMulInteger(Op &op) {
  Value a = shifted(op, 0, 2, std::max<int64_t>(op.rank(0) - 2, 0)), b = shifted(op, 1, 3, op.rank(1) - 1);
  op.result(matmul(op.e, a, b, op.e.elementType(kI32)), kI32);
  return success();
}

LogicalResult lowerQLinearMatMul(Op &op) {
  Value a = shifted(op, 0, 2, std::max<int64_t>(op.rank(0) - 2, 0)), b = shifted(op, 3, 5, op.rank(3) - 1);
  Value sum = matmul(op.e, a, b, op.e.elementType(kI32));
  int64_t rank = Emitter::rank(sum);
  return requantize(op, sum, std::max<int64_t>(rank - 2, 0), rank - 1);
}

// Padding is the zero point, which is what a zero of the shifted input stands for.
LogicalResult lowerConvInteger(Op &op) {
  Value result;
  if (failed(convolve(op, shifted(op, 0, 2, 1), shifted(op, 1, 3, 0), {}, result))) return failure();
  op.result(result, kI32);
  return success();
}

LogicalResult lowerQLinearConv(Op &op) {
  Value result;
  Value bias = op.has(8) ? op.in(8) : Value();
  if (failed(convolve(op, shifted(op, 0, 2, 1), shifted(op, 3, 5, 0), bias, result))) return failure();
  return requantize(op, result, 1, 1);
}

}  // namespace crosscut::onnxir
