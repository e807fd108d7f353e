// Tensors that are made from a shape or a few numbers, and masks of positions.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;

LogicalResult lowerConstantOfShape(Op &op) {
  Emitter &e = op.e;
  Dims dims;
  if (auto declared = op.declaredDims(0)) {
    dims = *declared;
  } else {
    const Scalars *shape = op.scalars(0);
    if (!shape) return op.fail("the shape is computed at run time");
    for (OpFoldResult d : *shape) {
      if (constantOf(d).value_or(0) < 0) return op.fail("a dimension is negative");
      dims.push_back(comesFromData(d) ? e.max(op.toIndex(d), e.attr(0)) : op.toIndex(d));
    }
  }
  ElementType type = kF32;
  TypedAttr fill = e.b.getF32FloatAttr(0);
  if (auto it = op.node.attributes.find("value"); it != op.node.attributes.end() && it->second.tensor) {
    const HostTensor &value = *it->second.tensor;
    type = value.type;
    if (!isSupported(type)) return op.fail(Twine("type ") + elementTypeName(type) + " is not supported");
    if (value.count() != 1) return op.fail("value has to be one element");
    HostTensor scalar = value;
    scalar.dims.clear();
    fill = Emitter::scalarConstant(e.constant(scalar));
  }
  op.result(e.splat(dims, fill), type);
  return success();
}

LogicalResult lowerRange(Op &op) {
  Emitter &e = op.e;
  Dims dims;
  ElementType type = op.type();
  if (auto declared = op.declaredDims(0, 1)) {
    dims = *declared;
  } else {
    const Scalars *start = op.scalars(0), *limit = op.scalars(1), *delta = op.scalars(2);
    if (!start || !limit || !delta) return op.fail("its bounds are computed at run time");
    if (isFloat(type)) {
      double a[3];
      const Scalars *all[] = {start, limit, delta};
      for (int i = 0; i < 3; ++i) {
        auto attribute = dyn_cast<Attribute>((*all[i])[0]);
        if (!attribute) return op.fail("its bounds are computed at run time");
        a[i] = cast<FloatAttr>(attribute).getValueAsDouble();
      }
      double count = a[2] == 0 ? -1 : std::ceil((a[1] - a[0]) / a[2]);
      if (!(count < 1e9)) return op.fail("the range is too long");
      dims.push_back(e.attr(std::max<int64_t>(0, int64_t(count))));
    } else {
      auto step = constantOf((*delta)[0]);
      if (!step || *step == 0) return op.fail("the step has to be a constant other than zero");
      OpFoldResult a = op.toIndex((*start)[0]), b = op.toIndex((*limit)[0]);
      OpFoldResult distance = *step > 0 ? e.sub(b, a) : e.sub(a, b);
      dims.push_back(e.max(e.ceilDiv(distance, e.attr(std::abs(*step))), e.attr(0)));
    }
  }
  Value start = op.in(0), delta = op.in(2);
  start = e.reshape(start, {});
  delta = e.reshape(delta, {});
  op.result(e.map(dims, op.elementType(), {start, delta},
                  [&](Body &s, ValueRange v) {
                    Value i = s.fromIndex(s.iv(0), s.b.getI64Type());
                    return s.add(v[0], s.mul(s.cast(i, kI64, type), v[1]));
                  }),
            type);
  return success();
}

// Hann, Hamming and Blackman: sums of cosines of the position.
LogicalResult lowerWindow(Op &op) {
  Emitter &e = op.e;
  auto type = static_cast<ElementType>(op.attribute("output_datatype", int64_t(kF32)));
  if (type != kF32) return op.fail(Twine("type ") + elementTypeName(type) + " is not supported");
  Dims dims;
  if (auto known = op.constantInts(0); known && known->size() == 1) dims = {e.attr((*known)[0])};
  else if (auto declared = op.declaredDims(0, 1)) dims = *declared;
  else if (const Scalars *size = op.scalars(0); size && size->size() == 1)
    dims = {e.max(op.toIndex((*size)[0]), e.attr(0))};
  else return op.fail("the size is computed at run time");
  double a0 = 0.5, a1 = 0.5, a2 = 0;
  if (op.node.op == "HammingWindow") a0 = 25.0 / 46, a1 = 21.0 / 46;
  if (op.node.op == "BlackmanWindow") a0 = 0.42, a2 = 0.08;
  bool periodic = op.attribute("periodic", int64_t(1));
  OpFoldResult period = periodic ? dims[0] : e.max(e.sub(dims[0], e.attr(1)), e.attr(1));
  Body outer = e.body();
  Value size = outer.cast(outer.fromIndex(e.index(period), e.b.getI64Type()), kI64, kF32);
  op.result(e.produce(dims, e.b.getF32Type(),
                      [&](Body &s, ValueRange iv) {
                        Value n = s.cast(s.fromIndex(iv[0], s.b.getI64Type()), kI64, kF32);
                        Value angle = s.div(s.mul(n, s.like(n, 6.283185307179586)), size);
                        Value w = s.sub(s.like(n, a0), s.mul(s.like(n, a1), s.op<math::CosOp>(angle)));
                        if (a2 == 0) return w;
                        Value twice = s.op<math::CosOp>(s.mul(angle, s.like(n, 2)));
                        return s.add(w, s.mul(s.like(n, a2), twice));
                      }),
            kF32);
  return success();
}

LogicalResult lowerEyeLike(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  if (dims.size() != 2) return op.fail("the input has to be of rank 2");
  int64_t k = op.attribute("k", int64_t(0));
  ElementType type = static_cast<ElementType>(op.attribute("dtype", int64_t(op.type())));
  if (!isSupported(type)) return op.fail(Twine("type ") + elementTypeName(type) + " is not supported");
  Type element = e.elementType(type);
  op.result(e.produce(dims, element,
                      [&](Body &s, ValueRange iv) {
                        Value on = s.eq(s.add(iv[0], s.index(k)), iv[1]);
                        return s.select(on, s.constant(element, 1), s.constant(element, 0));
                      }),
            type);
  return success();
}

LogicalResult lowerTrilu(Op &op) {
  Emitter &e = op.e;
  int64_t rank = op.rank();
  if (rank < 2) return op.fail("the input has to be of rank 2 or more");
  bool upper = op.attribute("upper", int64_t(1));
  Value k;
  if (op.has(1)) {
    const Scalars *known = op.scalars(1);
    if (!known || known->size() != 1) return op.fail("k is computed at run time");
    k = e.index(op.toIndex((*known)[0]));
  } else {
    k = e.index(e.attr(0));
  }
  op.result(e.map(op.elementType(), {op.in(0)},
                  [&](Body &s, ValueRange v) {
                    Value row = s.add(s.iv(rank - 2), k), column = s.iv(rank - 1);
                    Value keep = upper ? s.ge(column, row) : s.le(column, row);
                    return s.select(keep, v[0], s.like(v[0], 0));
                  }),
            op.type());
  return success();
}

LogicalResult lowerBitCast(Op &op) {
  auto to = static_cast<ElementType>(op.attribute("to", int64_t(0)));
  ElementType from = op.type();
  if (!isSupported(to)) return op.fail(Twine("type ") + elementTypeName(to) + " is not supported");
  if (elementBytes(to) != elementBytes(from)) return op.fail("the types differ in width");
  Type target = op.e.elementType(to);
  Tensor same = op.tensor(0);
  if (op.elementType() == target) {
    op.result(op.in(0), to);
    return success();
  }
  if (to == kBool || from == kBool) {
    op.result(op.e.map(target, {op.in(0)}, [&](Body &s, ValueRange v) { return s.cast(v[0], from, to); }), to);
    return success();
  }
  op.result(op.e.map(target, {op.in(0)}, [&](Body &s, ValueRange v) { return s.op<arith::BitcastOp>(target, v[0]); }),
            to);
  return success();
}

// Optional values do not exist here: an input is a tensor, which is one, or left out.
LogicalResult lowerOptionalHasElement(Op &op) {
  Tensor known;
  known.type = kBool;
  known.scalars = Scalars{OpFoldResult(op.e.b.getBoolAttr(op.has(0)))};
  op.result(0, std::move(known));
  return success();
}

LogicalResult lowerOptionalGetElement(Op &op) {
  if (!op.has(0)) return op.fail("an element of nothing is not supported");
  op.result(0, op.tensor(0));
  return success();
}

}  // namespace crosscut::onnxir
