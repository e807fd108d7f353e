// Results that are chosen by comparing elements: TopK, Compress, NonZero. Positions come from counting how many are
// before each element, so that every step is a reduction and none depends on the one before.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

// The k largest (smallest): each element's rank is how many come before it, then each result picks the element of its
// rank. Quadratic in the axis, without a sort's dependent steps.
LogicalResult lowerTopK(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0), out = dims;
  int64_t rank = dims.size(), axis = op.attribute("axis", int64_t(-1));
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  bool largest = op.attribute("largest", int64_t(1));
  if (op.hasAttribute("k")) {
    out[axis] = e.attr(op.attribute("k", int64_t(0)));
  } else if (auto k = op.constantInts(1); k && k->size() == 1) {
    out[axis] = e.attr((*k)[0]);
  } else if (auto declared = op.declaredDims(0, rank)) {
    out = *declared;
  } else {
    return op.fail("a k known at run time only needs a result of a stated shape");
  }
  if (constantOf(dims[axis]) && constantOf(out[axis]).value_or(0) > *constantOf(dims[axis]))
    return op.fail("k is larger than the axis");
  Value x = op.in(0);
  Type i64 = e.b.getI64Type();
  MLIRContext *context = e.b.getContext();
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  SmallVector<AffineExpr> own, other;
  for (int64_t d = 0; d < rank; ++d) {
    own.push_back(e.b.getAffineDimExpr(d));
    other.push_back(e.b.getAffineDimExpr(d == axis ? rank : d));
  }
  AffineMap ownMap = AffineMap::get(rank + 1, 0, own, context), otherMap = AffineMap::get(rank + 1, 0, other, context);
  Value ranks = e.generic(
      {x, x}, e.splat(dims, i64, 0), {ownMap, otherMap, ownMap}, iterators,
      [&](Body &s, ValueRange v) {
        Body plain{s.b, s.loc, false};
        Value before = largest ? s.gt(v[1], v[0]) : s.lt(v[1], v[0]);
        Value tie = s.andi(s.eq(v[1], v[0]), plain.lt(s.iv(rank), s.iv(axis)));
        return s.add(v[2], s.op<arith::ExtUIOp>(i64, s.ori(before, tie)));
      },
      op.isUnsigned());
  auto pick = [&](Type element, bool position) {
    return e.generic({x, ranks}, e.splat(out, element, 0), {otherMap, otherMap, ownMap}, iterators,
                     [&](Body &s, ValueRange v) {
                       Value here = s.eq(v[1], s.fromIndex(s.iv(axis), i64));
                       return s.select(here, position ? s.fromIndex(s.iv(rank), i64) : v[0], v[2]);
                     });
  };
  op.result(0, pick(op.elementType(), false), op.type());
  if (op.wants(1)) op.result(1, pick(i64, true), kI64);
  return success();
}

// Positions of the true elements of condition [n], the first `count` of them.
static Value chosenPositions(Emitter &e, Value condition, OpFoldResult count) {
  OpFoldResult n = e.dims(condition)[0];
  Type i64 = e.b.getI64Type();
  AffineExpr i = e.b.getAffineDimExpr(0), j = e.b.getAffineDimExpr(1);
  auto map = [&](AffineExpr expr) { return AffineMap::get(2, 0, {expr}, e.b.getContext()); };
  SmallVector<IteratorType> iterators{IteratorType::parallel, IteratorType::reduction};
  // How many are chosen before each, then the position of the k-th chosen one.
  Value before = e.generic({condition}, e.splat({n}, i64, 0), {map(j), map(i)}, iterators, [&](Body &s, ValueRange v) {
    Value counts = s.andi(v[0], s.lt(s.iv(1), s.iv(0)));
    return s.add(v[1], s.op<arith::ExtUIOp>(i64, counts));
  });
  return e.generic({condition, before}, e.splat({count}, i64, 0), {map(j), map(j), map(i)}, iterators,
                   [&](Body &s, ValueRange v) {
                     Value here = s.andi(v[0], s.eq(v[1], s.fromIndex(s.iv(0), i64)));
                     return s.select(here, s.fromIndex(s.iv(1), i64), v[2]);
                   });
}

// The number of results is data: supported where the model states it.
LogicalResult lowerCompress(Op &op) {
  Emitter &e = op.e;
  auto declared = op.declaredDims(0);
  if (!declared) return op.fail("a result whose size depends on data needs a stated shape");
  Value x = op.in(0), condition = op.in(1);
  Dims dims = op.dims(0);
  int64_t axis = op.attribute("axis", int64_t(0));
  if (!op.hasAttribute("axis")) {
    OpFoldResult all = e.product(dims);
    x = e.reshape(x, {all});
    dims = {all};
  }
  if (failed(op.normalizeAxis(axis, dims.size()))) return failure();
  if (declared->size() != dims.size()) return op.fail("the stated shape does not fit");
  Value chosen = chosenPositions(e, condition, (*declared)[axis]);
  Value size = e.index(dims[axis]);
  op.result(e.produce(*declared, op.elementType(),
                      [&](Body &s, ValueRange iv) {
                        SmallVector<Value> at(iv.begin(), iv.end());
                        at[axis] = s.wrapIndex(s.toIndex(extract(s, chosen, {iv[axis]})), size);
                        return extract(s, x, at);
                      }),
            op.type());
  return success();
}

LogicalResult lowerNonZero(Op &op) {
  Emitter &e = op.e;
  auto declared = op.declaredDims(0);
  if (!declared || declared->size() != 2) return op.fail("a result whose size depends on data needs a stated shape");
  Dims dims = op.dims(0);
  Value x = e.reshape(op.in(0), {e.product(dims)});
  Value condition = e.map(e.elementType(kBool), {x}, [](Body &s, ValueRange v) { return s.ne(v[0], s.like(v[0], 0)); });
  Value chosen = chosenPositions(e, condition, (*declared)[1]);
  SmallVector<Value> sizes;
  for (OpFoldResult d : dims) sizes.push_back(e.index(d));
  Type i64 = e.b.getI64Type();
  op.result(e.produce(*declared, i64,
                      [&](Body &s, ValueRange iv) {
                        Value rest = s.toIndex(extract(s, chosen, {iv[1]})), result = s.index(0);
                        for (size_t d = dims.size(); d-- > 0;) {
                          Value size = s.max(sizes[d], s.index(1));
                          Value own = s.op<arith::RemUIOp>(rest, size);
                          result = s.select(s.eq(iv[0], s.index(d)), own, result);
                          rest = s.op<arith::DivUIOp>(rest, size);
                        }
                        return s.fromIndex(result, i64);
                      }),
            kI64);
  return success();
}

}  // namespace crosscut::onnxir
