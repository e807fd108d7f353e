// Reductions over axes. Axes that only run time tells are supported where the result's shape is stated by the model:
// the elements of each result are then gathered by index arithmetic on the axes.
#include "compiler/Import/Lowerings.h"

#include "llvm/ADT/StringSwitch.h"

#include <limits>

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

Value absPower(Body &s, Value x, int64_t p) {
  Value a = p % 2 ? s.abs(x) : x, result = a;
  for (int64_t i = 1; i < p && i < 64; ++i) result = s.mul(result, a);
  return result;
}

Value root(Body &s, Value x, int64_t p) {
  if (p == 1) return x;
  if (p == 2) return s.op<math::SqrtOp>(x);
  return s.op<math::PowFOp>(x, s.like(x, 1.0 / p));
}

Value scaleByCount(Emitter &e, Value sum, OpFoldResult count) {
  Type element = Emitter::element(sum);
  auto known = constantOf(count);
  if (known && isa<FloatType>(element))
    return e.map(element, {sum}, [&](Body &s, ValueRange v) { return s.mul(v[0], s.like(v[0], 1.0 / *known)); });
  Value n = e.index(count);
  return e.map(element, {sum}, [&](Body &s, ValueRange v) {
    if (!isa<FloatType>(element)) return s.div(v[0], s.fromIndex(n, element));
    return s.div(v[0], s.op<arith::SIToFPOp>(element, s.fromIndex(n, s.b.getI64Type())));
  });
}

Dims withoutAxes(const Dims &dims, ArrayRef<int64_t> axes) {
  Dims result;
  for (size_t d = 0; d < dims.size(); ++d)
    if (!llvm::is_contained(axes, int64_t(d))) result.push_back(dims[d]);
  return result;
}
Dims keepAxes(Emitter &e, const Dims &dims, ArrayRef<int64_t> axes) {
  Dims result = dims;
  for (int64_t a : axes) result[a] = e.attr(1);
  return result;
}

namespace {

enum class Kind { Sum, Mean, Prod, Max, Min, L1, L2, SumSquare, LogSum, LogSumExp };

Value reduceKind(Op &op, Kind kind, Value x, ArrayRef<int64_t> axes) {
  Emitter &e = op.e;
  Type element = Emitter::element(x);
  bool isUnsigned = op.isUnsigned();
  Dims dims = e.dims(x), kept = withoutAxes(dims, axes);
  auto sum = [&](BodyFn term) {
    return e.reduce(
        x, axes, e.splat(kept, element, 0), [&](Body &s, ValueRange v) { return s.add(v[1], term(s, v.take_front())); },
        isUnsigned);
  };
  auto identity = [](Body &, ValueRange v) { return v[0]; };
  auto square = [](Body &s, ValueRange v) { return s.mul(v[0], v[0]); };
  auto apply = [&](Value v, BodyFn fn) { return e.map(element, {v}, fn, isUnsigned); };
  switch (kind) {
    case Kind::Sum: return sum(identity);
    case Kind::Mean: {
      OpFoldResult count = e.attr(1);
      for (int64_t a : axes) count = e.mul(count, dims[a]);
      return scaleByCount(e, sum(identity), count);
    }
    case Kind::Prod:
      return e.reduce(
          x, axes, e.splat(kept, element, 1), [](Body &s, ValueRange v) { return s.mul(v[1], v[0]); }, isUnsigned);
    case Kind::Max:
      return e.reduce(
          x, axes, e.splat(kept, lowestValue(e, element, isUnsigned)),
          [](Body &s, ValueRange v) { return s.max(v[1], v[0]); }, isUnsigned);
    case Kind::Min:
      return e.reduce(
          x, axes, e.splat(kept, highestValue(e, element, isUnsigned)),
          [](Body &s, ValueRange v) { return s.min(v[1], v[0]); }, isUnsigned);
    case Kind::L1: return sum([](Body &s, ValueRange v) { return s.abs(v[0]); });
    case Kind::SumSquare: return sum(square);
    case Kind::L2:
      return apply(sum(square), [&](Body &s, ValueRange v) {
        if (isFloat(op.type())) return s.op<math::SqrtOp>(v[0]);
        return s.cast(s.op<math::SqrtOp>(s.cast(v[0], op.type(), kF32)), kF32, op.type());
      });
    case Kind::LogSum:
      return apply(sum(identity), [&](Body &s, ValueRange v) {
        if (isFloat(op.type())) return s.op<math::LogOp>(v[0]);
        return s.cast(s.op<math::LogOp>(s.cast(v[0], op.type(), kF32)), kF32, op.type());
      });
    case Kind::LogSumExp: break;
  }
  // Shifted by the maximum, which no exponent then exceeds; an infinite maximum shifts nothing.
  Value max = reduceKind(op, Kind::Max, x, axes);
  Value shift = apply(max, [](Body &s, ValueRange v) {
    Value infinite = s.eq(s.abs(v[0]), s.like(v[0], std::numeric_limits<double>::infinity()));
    return s.select(infinite, s.like(v[0], 0), v[0]);
  });
  unsigned rank = dims.size();
  SmallVector<AffineExpr> keptExprs;
  SmallVector<IteratorType> iterators(rank, IteratorType::reduction);
  for (unsigned d = 0; d < rank; ++d)
    if (!llvm::is_contained(axes, int64_t(d))) {
      keptExprs.push_back(e.b.getAffineDimExpr(d));
      iterators[d] = IteratorType::parallel;
    }
  AffineMap keptMap = AffineMap::get(rank, 0, keptExprs, e.b.getContext());
  Value total =
      e.generic({x, shift}, e.splat(kept, element, 0), {e.b.getMultiDimIdentityMap(rank), keptMap, keptMap}, iterators,
                [](Body &s, ValueRange v) { return s.add(v[2], s.op<math::ExpOp>(s.sub(v[0], v[1]))); });
  return e.map(element, {total, shift}, [](Body &s, ValueRange v) { return s.add(s.op<math::LogOp>(v[0]), v[1]); });
}

// All sets of axes whose removal (or reduction to 1) leads from `in` to `out`.
SmallVector<SmallVector<int64_t>> axesThatFit(ArrayRef<int64_t> in, ArrayRef<int64_t> out, bool keep) {
  SmallVector<SmallVector<int64_t>> fits;
  for (unsigned set = 0; set < (1u << in.size()); ++set) {
    SmallVector<int64_t> shape, axes;
    for (size_t d = 0; d < in.size(); ++d) {
      if (!(set >> d & 1)) {
        shape.push_back(in[d]);
        continue;
      }
      axes.push_back(d);
      if (keep) shape.push_back(1);
    }
    if (ArrayRef<int64_t>(shape) == out) fits.push_back(axes);
  }
  return fits;
}

// The elements that belong to one result, along a last dimension, for axes known at run time only.
Value gatherReduced(Op &op, Value x, ArrayRef<int64_t> in, ArrayRef<int64_t> out, const Scalars &axes) {
  Emitter &e = op.e;
  Body s = e.body();
  int64_t rank = in.size(), total = 1, results = 1;
  for (int64_t d : in) total *= d;
  for (int64_t d : out) results *= d;
  SmallVector<Value> reduced, reducedStride(rank), keptStride(rank);
  for (int64_t d = 0; d < rank; ++d) {
    Value any = s.integer(e.b.getI1Type(), 0);
    for (OpFoldResult axis : axes) {
      Value a = e.index(op.toIndex(axis));
      any = s.ori(any, s.ori(s.eq(a, s.index(d)), s.eq(a, s.index(d - rank))));
    }
    reduced.push_back(any);
  }
  Value r = s.index(1), k = s.index(1);
  for (int64_t d = rank; d-- > 0;) {
    reducedStride[d] = r;
    keptStride[d] = k;
    Value size = s.index(in[d]), one = s.index(1);
    r = s.mul(r, s.select(reduced[d], size, one));
    k = s.mul(k, s.select(reduced[d], one, size));
  }
  Dims dims = e.attrs(out);
  dims.push_back(e.attr(results ? total / results : 0));
  return e.produce(dims, Emitter::element(x), [&](Body &s, ValueRange at) {
    Value linear = s.index(0);
    for (size_t d = 0; d < out.size(); ++d) linear = s.add(s.mul(linear, s.index(out[d])), at[d]);
    SmallVector<Value> position;
    for (int64_t d = 0; d < rank; ++d) {
      Value quotient = s.op<arith::DivUIOp>(s.select(reduced[d], at.back(), linear),
                                            s.select(reduced[d], reducedStride[d], keptStride[d]));
      position.push_back(s.op<arith::RemUIOp>(quotient, s.index(in[d])));
    }
    return extract(s, x, position);
  });
}

}  // namespace

LogicalResult lowerReduce(Op &op) {
  Emitter &e = op.e;
  Kind kind = llvm::StringSwitch<Kind>(op.node.op)
                  .Case("ReduceSum", Kind::Sum)
                  .Case("ReduceMean", Kind::Mean)
                  .Case("ReduceProd", Kind::Prod)
                  .Case("ReduceMax", Kind::Max)
                  .Case("ReduceMin", Kind::Min)
                  .Case("ReduceL1", Kind::L1)
                  .Case("ReduceL2", Kind::L2)
                  .Case("ReduceSumSquare", Kind::SumSquare)
                  .Case("ReduceLogSum", Kind::LogSum)
                  .Default(Kind::LogSumExp);
  bool keep = op.attribute("keepdims", int64_t(1));
  Value x = op.in(0);
  Dims dims = op.dims(0);
  int64_t rank = dims.size();
  SmallVector<int64_t> axes;
  bool given = op.hasAttribute("axes") || op.has(1);
  if (given && !op.hasAttribute("axes") && !op.constantInts(1)) {
    SmallVector<int64_t> in;
    if (failed(staticDims(op, 0, in))) return failure();
    auto declared = op.declaredDims(0);
    if (!declared || rank > 8) return op.fail("axes known at run time only need a result of a stated shape");
    SmallVector<int64_t> out;
    for (OpFoldResult d : *declared) out.push_back(*constantOf(d));
    auto fits = axesThatFit(in, out, keep);
    const Scalars *scalars = op.scalars(1);
    if (fits.empty()) return op.fail("the stated result shape fits no axes");
    if (keep || fits.size() == 1) {
      axes = fits[0];
    } else {
      if (!scalars) return op.fail("axes are computed at run time");
      x = gatherReduced(op, x, in, out, *scalars);
      Value result = reduceKind(op, kind, x, {int64_t(out.size())});
      op.result(e.reshape(result, *declared), op.type());
      return success();
    }
  } else {
    std::optional<SmallVector<int64_t>> known;
    if (failed(op.axes(1, rank, known))) return failure();
    if (known) axes = *known;
    if (axes.empty() && op.attribute("noop_with_empty_axes", int64_t(0)) && kind != Kind::SumSquare &&
        kind != Kind::L1 && kind != Kind::L2 && kind != Kind::LogSum && kind != Kind::LogSumExp) {
      op.result(0, op.tensor(0));
      return success();
    }
    if (axes.empty() && !op.attribute("noop_with_empty_axes", int64_t(0)))
      for (int64_t d = 0; d < rank; ++d) axes.push_back(d);
  }
  Value result = reduceKind(op, kind, x, axes);
  op.result(keep ? e.reshape(result, keepAxes(e, dims, axes)) : result, op.type());
  return success();
}

LogicalResult lowerArgReduce(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t rank = dims.size(), axis = op.attribute("axis", int64_t(0));
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  bool max = op.node.op == "ArgMax", last = op.attribute("select_last_index", int64_t(0));
  Value x = op.in(0);
  Value best = reduceKind(op, max ? Kind::Max : Kind::Min, x, {axis});
  // Then the first (last) position that holds it.
  Dims kept = withoutAxes(dims, {axis});
  SmallVector<AffineExpr> keptExprs;
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  iterators[axis] = IteratorType::reduction;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis) keptExprs.push_back(e.b.getAffineDimExpr(d));
  AffineMap keptMap = AffineMap::get(rank, 0, keptExprs, e.b.getContext());
  Type i64 = e.b.getI64Type();
  Value none = e.splat(kept, e.b.getI64IntegerAttr(last ? 0 : std::numeric_limits<int64_t>::max()));
  Value result = e.generic({x, best}, none, {e.b.getMultiDimIdentityMap(rank), keptMap, keptMap}, iterators,
                           [&](Body &s, ValueRange v) {
                             Value at = s.fromIndex(s.iv(axis), i64);
                             Value next = last ? s.max(v[2], at) : s.min(v[2], at);
                             return s.select(s.eq(v[0], v[1]), next, v[2]);
                           });
  if (op.attribute("keepdims", int64_t(1))) result = e.reshape(result, keepAxes(e, dims, {axis}));
  op.result(result, kI64);
  return success();
}

// CumSum, CumProd: every output reduces the elements up to its own, with the axis possibly known at run time only.
LogicalResult lowerCumulative(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t rank = dims.size();
  bool exclusive = op.attribute("exclusive", int64_t(0)), reverse = op.attribute("reverse", int64_t(0));
  bool product = op.node.op == "CumProd";
  const Scalars *axisScalar = op.scalars(1);
  if (!axisScalar || axisScalar->size() != 1) return op.fail("the axis is computed at run time");
  Value x = op.in(0);
  Body s = e.body();
  Value axis = e.index(op.toIndex((*axisScalar)[0]));
  axis = s.wrapIndex(axis, s.index(rank));
  // The length of the axis, and the largest one as the reduction's extent.
  OpFoldResult longest = dims[0];
  if (auto known = constantOf((*axisScalar)[0])) {
    if (*known < -rank || *known >= rank) return op.fail("axis " + Twine(*known) + " is out of range");
    longest = dims[*known < 0 ? *known + rank : *known];
  } else {
    for (OpFoldResult d : dims) longest = e.max(longest, d);
  }
  SmallVector<Value> sizes;
  for (OpFoldResult d : dims) sizes.push_back(e.index(d));
  unsigned loops = rank + 1;
  SmallVector<AffineExpr> outExprs;
  for (int64_t d = 0; d < rank; ++d) outExprs.push_back(e.b.getAffineDimExpr(d));
  SmallVector<IteratorType> iterators(loops, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  Type element = op.elementType();
  MLIRContext *context = e.b.getContext();
  Value result = e.generic(
      {e.empty({longest}, element)}, e.splat(dims, element, product ? 1 : 0),
      {AffineMap::get(loops, 0, {e.b.getAffineDimExpr(rank)}, context), AffineMap::get(loops, 0, outExprs, context)},
      iterators, [&](Body &s, ValueRange v) {
        Body plain{s.b, s.loc, false};
        Value k = s.iv(rank), own = s.index(0), size = s.index(1);
        SmallVector<Value> at;
        for (int64_t d = 0; d < rank; ++d) {
          Value here = s.eq(axis, s.index(d)), i = s.iv(d);
          own = s.select(here, i, own);
          size = s.select(here, sizes[d], size);
          at.push_back(s.select(here, plain.min(k, s.sub(sizes[d], s.index(1))), i));
        }
        Value counts = reverse ? (exclusive ? plain.gt(k, own) : plain.ge(k, own))
                               : (exclusive ? plain.lt(k, own) : plain.le(k, own));
        counts = s.andi(counts, plain.lt(k, size));
        Value term = extract(s, x, at);
        return s.select(counts, product ? s.mul(v[1], term) : s.add(v[1], term), v[1]);
      });
  op.result(result, op.type());
  return success();
}

}  // namespace crosscut::onnxir
