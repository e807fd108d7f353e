// Softmax and the normalisations: reductions over some axes, then one map that reads their results through an indexing
// map without those axes.
#include "compiler/Import/Lowerings.h"

#include <cmath>

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

namespace {

struct Axes {
  Emitter &e;
  Dims dims, kept;
  SmallVector<int64_t> axes;
  AffineMap all, keptMap;

  Axes(Emitter &e, const Dims &dims, ArrayRef<int64_t> axes)
      : e(e), dims(dims), kept(withoutAxes(dims, axes)), axes(axes.begin(), axes.end()) {
    SmallVector<AffineExpr> exprs;
    for (size_t d = 0; d < dims.size(); ++d)
      if (!llvm::is_contained(axes, int64_t(d))) exprs.push_back(e.b.getAffineDimExpr(d));
    all = e.b.getMultiDimIdentityMap(dims.size());
    keptMap = AffineMap::get(dims.size(), 0, exprs, e.b.getContext());
  }
  OpFoldResult count() {
    OpFoldResult n = e.attr(1);
    for (int64_t a : axes) n = e.mul(n, dims[a]);
    return n;
  }
  // sum over the axes of term(x, per-group values...)
  Value sum(Value x, ArrayRef<Value> groups, BodyFn term) {
    SmallVector<Value> inputs{x};
    inputs.append(groups.begin(), groups.end());
    SmallVector<AffineMap> maps{all};
    maps.append(groups.size() + 1, keptMap);
    SmallVector<IteratorType> iterators(dims.size(), IteratorType::parallel);
    for (int64_t a : axes) iterators[a] = IteratorType::reduction;
    return e.generic(inputs, e.splat(kept, Emitter::element(x), 0), maps, iterators,
                     [&](Body &s, ValueRange v) { return s.add(v.back(), term(s, v.drop_back())); });
  }
  // Over all elements: body(x..., per-group values..., others...) with a map for each of the others.
  Value apply(ArrayRef<Value> full, ArrayRef<Value> groups, ArrayRef<std::pair<Value, AffineMap>> others, BodyFn body) {
    SmallVector<Value> inputs(full.begin(), full.end());
    SmallVector<AffineMap> maps(full.size(), all);
    inputs.append(groups.begin(), groups.end());
    maps.append(groups.size(), keptMap);
    for (auto &[v, map] : others) {
      inputs.push_back(v);
      maps.push_back(map);
    }
    maps.push_back(all);
    SmallVector<IteratorType> iterators(dims.size(), IteratorType::parallel);
    return e.generic(inputs, e.empty(dims, Emitter::element(full[0])), maps, iterators,
                     [&](Body &s, ValueRange v) { return body(s, v.drop_back()); });
  }
  Value mean(Value x) {
    return scaleByCount(e, sum(x, {}, [](Body &, ValueRange v) { return v[0]; }), count());
  }
  Value variance(Value x, Value mean) {
    return scaleByCount(e,
                        sum(x, {mean},
                            [](Body &s, ValueRange v) {
                              Value d = s.sub(v[0], v[1]);
                              return s.mul(d, d);
                            }),
                        count());
  }
  AffineMap only(ArrayRef<int64_t> loops) {
    SmallVector<AffineExpr> exprs;
    for (int64_t d : loops) exprs.push_back(e.b.getAffineDimExpr(d));
    return AffineMap::get(dims.size(), 0, exprs, e.b.getContext());
  }
};

Value inverseDeviation(Emitter &e, Value variance, double epsilon) {
  return e.map(Emitter::element(variance), {variance}, [&](Body &s, ValueRange v) {
    return s.div(s.like(v[0], 1), s.op<math::SqrtOp>(s.add(v[0], s.like(v[0], epsilon))));
  });
}

// An operand of lower rank that broadcasts against `dims`, with its indexing map; unit dimensions are dropped.
std::pair<Value, AffineMap> broadcastOperand(Emitter &e, Value v, const Dims &dims) {
  Dims own = e.dims(v), kept;
  SmallVector<AffineExpr> exprs;
  for (size_t i = 0; i < own.size(); ++i) {
    size_t d = i + dims.size() - own.size();
    if (constantOf(own[i]) == 1 && constantOf(dims[d]) != 1) continue;
    kept.push_back(own[i]);
    exprs.push_back(e.b.getAffineDimExpr(d));
  }
  return {e.reshape(v, kept), AffineMap::get(dims.size(), 0, exprs, e.b.getContext())};
}

LogicalResult softmaxAxes(Op &op, SmallVector<int64_t> &axes) {
  int64_t rank = op.rank(), axis = op.attribute("axis", int64_t(op.opset < 13 ? 1 : -1));
  if (rank == 0) return op.fail("a scalar has no axis");
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  axes.push_back(axis);
  // Before opset 13 everything from the axis on is one dimension.
  if (op.opset < 13)
    for (int64_t d = axis + 1; d < rank; ++d) axes.push_back(d);
  return success();
}

}  // namespace

// exp(x - max): the mark spares the code generator what only large arguments need (MathExpansion.h).
static Value expBelowMax(Body &s, ValueRange v) {
  Value exp = s.op<math::ExpOp>(s.sub(v[0], v[1]));
  exp.getDefiningOp()->setAttr("xcut.not_positive", s.b.getUnitAttr());
  return exp;
}

LogicalResult lowerSoftmax(Op &op) {
  SmallVector<int64_t> axisList;
  if (failed(softmaxAxes(op, axisList))) return failure();
  Emitter &e = op.e;
  Value x = op.in(0);
  Type element = op.elementType();
  Axes axes(e, op.dims(0), axisList);
  Value max = e.reduce(x, axisList, e.splat(axes.kept, lowestValue(e, element, false)),
                       [](Body &s, ValueRange v) { return s.max(v[1], v[0]); });
  if (op.node.op == "LogSoftmax") {
    Value total = axes.sum(x, {max}, expBelowMax);
    Value log = e.map(element, {total}, [](Body &s, ValueRange v) { return s.op<math::LogOp>(v[0]); });
    op.result(axes.apply({x}, {max, log}, {}, [](Body &s, ValueRange v) { return s.sub(s.sub(v[0], v[1]), v[2]); }),
              op.type());
    return success();
  }
  Value exp = axes.apply({x}, {max}, {}, expBelowMax);
  Value total = axes.sum(exp, {}, [](Body &, ValueRange v) { return v[0]; });
  // One division a row; the sum is at least 1. The product rounds once more than a quotient would: by half a unit in
  // the last place, beside one of each exponential and one of each addition of the sum.
  Value share = e.map(element, {total}, [](Body &s, ValueRange v) { return s.div(s.like(v[0], 1), v[0]); });
  op.result(axes.apply({exp}, {share}, {}, [](Body &s, ValueRange v) { return s.mul(v[0], v[1]); }), op.type());
  return success();
}

LogicalResult lowerHardmax(Op &op) {
  SmallVector<int64_t> axisList;
  if (failed(softmaxAxes(op, axisList))) return failure();
  if (axisList.size() > 1) {
    for (size_t i = 1; i < axisList.size(); ++i)
      if (constantOf(op.dims(0)[axisList[i]]) != 1) return op.fail("several axes before opset 13 are not supported");
    axisList.resize(1);
  }
  Emitter &e = op.e;
  Value x = op.in(0);
  Axes axes(e, op.dims(0), axisList);
  int64_t axis = axisList[0];
  Value max = e.reduce(x, axisList, e.splat(axes.kept, lowestValue(e, op.elementType(), false)),
                       [](Body &s, ValueRange v) { return s.max(v[1], v[0]); });
  SmallVector<IteratorType> iterators(axes.dims.size(), IteratorType::parallel);
  iterators[axis] = IteratorType::reduction;
  Value none = e.splat(axes.kept, e.b.getI64IntegerAttr(std::numeric_limits<int64_t>::max()));
  Value first =
      e.generic({x, max}, none, {axes.all, axes.keptMap, axes.keptMap}, iterators, [&](Body &s, ValueRange v) {
        Value at = s.fromIndex(s.iv(axis), s.b.getI64Type());
        return s.select(s.eq(v[0], v[1]), s.min(v[2], at), v[2]);
      });
  op.result(axes.apply({x}, {first}, {},
                       [&](Body &s, ValueRange v) {
                         Value here = s.eq(s.fromIndex(s.iv(axis), s.b.getI64Type()), v[1]);
                         return s.select(here, s.like(v[0], 1), s.like(v[0], 0));
                       }),
            op.type());
  return success();
}

LogicalResult lowerBatchNorm(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  if (dims.size() < 2) return op.fail("the input has to be of rank 2 or more");
  float epsilon = op.attribute("epsilon", 1e-5f), momentum = op.attribute("momentum", 0.9f);
  bool training = op.attribute("training_mode", int64_t(0));
  Value x = op.in(0), scale = op.in(1), shift = op.in(2), mean = op.in(3), variance = op.in(4);
  SmallVector<int64_t> others{0};
  for (size_t d = 2; d < dims.size(); ++d) others.push_back(d);
  Axes axes(e, dims, others);
  if (training) {
    Value batchMean = axes.mean(x), batchVariance = axes.variance(x, batchMean);
    auto running = [&](Value old, Value now) {
      return e.map(Emitter::element(old), {old, now}, [&](Body &s, ValueRange v) {
        return s.add(s.mul(v[0], s.like(v[0], momentum)), s.mul(v[1], s.like(v[1], 1.0 - momentum)));
      });
    };
    if (op.wants(1)) op.result(1, running(mean, batchMean), op.type(3));
    if (op.wants(2)) op.result(2, running(variance, batchVariance), op.type(4));
    mean = batchMean;
    variance = batchVariance;
  } else if (const HostTensor *hs = op.host(1), *hb = op.host(2), *hm = op.host(3), *hv = op.host(4);
             hs && hb && hm && hv && hs->type == kF32 && hb->type == kF32 && hm->type == kF32 && hv->type == kF32) {
    // Constant statistics: one multiply and one add.
    std::string factor, offset;
    for (int64_t c = 0; c < hs->count(); ++c) {
      double a = hs->as<float>()[c] / std::sqrt(double(hv->as<float>()[c]) + epsilon);
      float f = float(a), o = float(hb->as<float>()[c] - hm->as<float>()[c] * a);
      factor.append(reinterpret_cast<char *>(&f), sizeof f);
      offset.append(reinterpret_cast<char *>(&o), sizeof o);
    }
    HostTensor fa{kF32, op.node.name + ".scale", hs->dims, std::make_shared<const std::string>(std::move(factor))};
    HostTensor fb{kF32, op.node.name + ".offset", hs->dims, std::make_shared<const std::string>(std::move(offset))};
    Value a = e.constant(fa), b = e.constant(fb);
    op.result(axes.apply({x}, {a, b}, {}, [](Body &s, ValueRange v) { return s.add(s.mul(v[0], v[1]), v[2]); }),
              op.type());
    return success();
  }
  op.result(axes.apply({x}, {mean, inverseDeviation(e, variance, epsilon), scale, shift}, {},
                       [](Body &s, ValueRange v) { return s.add(s.mul(s.mul(s.sub(v[0], v[1]), v[2]), v[3]), v[4]); }),
            op.type());
  return success();
}

// LayerNormalization and RMSNormalization.
LogicalResult lowerLayerNorm(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t rank = dims.size(), axis = op.attribute("axis", int64_t(-1));
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  float epsilon = op.attribute("epsilon", 1e-5f);
  SmallVector<int64_t> axisList;
  for (int64_t d = axis; d < rank; ++d) axisList.push_back(d);
  Axes axes(e, dims, axisList);
  Value x = op.in(0);
  SmallVector<std::pair<Value, AffineMap>> others{broadcastOperand(e, op.in(1), dims)};
  if (op.node.op == "RMSNormalization") {
    Value square = axes.sum(x, {}, [](Body &s, ValueRange v) { return s.mul(v[0], v[0]); });
    Value inverse = inverseDeviation(e, scaleByCount(e, square, axes.count()), epsilon);
    op.result(axes.apply({x}, {inverse}, others, [](Body &s, ValueRange v) { return s.mul(s.mul(v[0], v[1]), v[2]); }),
              op.type());
    return success();
  }
  Value mean = axes.mean(x), inverse = inverseDeviation(e, axes.variance(x, mean), epsilon);
  if (op.has(2)) others.push_back(broadcastOperand(e, op.in(2), dims));
  op.result(axes.apply({x}, {mean, inverse}, others,
                       [](Body &s, ValueRange v) {
                         Value y = s.mul(s.mul(s.sub(v[0], v[1]), v[2]), v[3]);
                         return v.size() > 4 ? s.add(y, v[4]) : y;
                       }),
            op.type());
  Dims keep = keepAxes(e, dims, axisList);
  if (op.wants(1)) op.result(1, e.reshape(mean, keep), op.type());
  if (op.wants(2)) op.result(2, e.reshape(inverse, keep), op.type());
  return success();
}

LogicalResult lowerInstanceNorm(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  if (dims.size() < 3) return op.fail("the input has to be of rank 3 or more");
  SmallVector<int64_t> axisList;
  for (size_t d = 2; d < dims.size(); ++d) axisList.push_back(d);
  Axes axes(e, dims, axisList);
  Value x = op.in(0), mean = axes.mean(x);
  Value inverse = inverseDeviation(e, axes.variance(x, mean), op.attribute("epsilon", 1e-5f));
  AffineMap channel = axes.only({1});
  op.result(axes.apply({x}, {mean, inverse}, {{op.in(1), channel}, {op.in(2), channel}},
                       [](Body &s, ValueRange v) { return s.add(s.mul(s.mul(s.sub(v[0], v[1]), v[2]), v[3]), v[4]); }),
            op.type());
  return success();
}

LogicalResult lowerGroupNorm(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t groups = op.attribute("num_groups", int64_t(0));
  auto channels = dims.size() >= 2 ? constantOf(dims[1]) : std::nullopt;
  if (!channels || groups < 1 || *channels % groups) return op.fail("num_groups does not divide the channels");
  Dims split{dims[0], e.attr(groups), e.attr(*channels / groups)};
  split.append(dims.begin() + 2, dims.end());
  SmallVector<int64_t> axisList;
  for (size_t d = 2; d < split.size(); ++d) axisList.push_back(d);
  Axes axes(e, split, axisList);
  Value x = e.reshape(op.in(0), split), mean = axes.mean(x);
  Value inverse = inverseDeviation(e, axes.variance(x, mean), op.attribute("epsilon", 1e-5f));
  // One scale a channel since opset 21, one a group before.
  bool perChannel = constantOf(op.dims(1)[0]) == *channels;
  auto parameter = [&](unsigned i) -> std::pair<Value, AffineMap> {
    if (!perChannel) return {op.in(i), axes.only({1})};
    return {e.reshape(op.in(i), e.attrs({groups, *channels / groups})), axes.only({1, 2})};
  };
  Value y = axes.apply({x}, {mean, inverse}, {parameter(1), parameter(2)},
                       [](Body &s, ValueRange v) { return s.add(s.mul(s.mul(s.sub(v[0], v[1]), v[2]), v[3]), v[4]); });
  op.result(e.reshape(y, dims), op.type());
  return success();
}

LogicalResult lowerLRN(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t size = op.attribute("size", int64_t(1)), rank = dims.size();
  if (size < 1 || rank < 2) return op.fail("size or rank is out of range");
  double alpha = op.attribute("alpha", 1e-4f), beta = op.attribute("beta", 0.75f), bias = op.attribute("bias", 1.0f);
  Type element = op.elementType();
  Value x = op.in(0);
  Dims low(rank, e.attr(0)), high = low;
  low[1] = e.attr((size - 1) / 2);
  high[1] = e.attr(size - 1 - (size - 1) / 2);
  Value padded = e.pad(x, low, high, e.b.getFloatAttr(element, 0));
  SmallVector<AffineExpr> inputMap, outputMap;
  AffineExpr k = e.b.getAffineDimExpr(rank);
  for (int64_t d = 0; d < rank; ++d) {
    outputMap.push_back(e.b.getAffineDimExpr(d));
    inputMap.push_back(d == 1 ? outputMap[d] + k : outputMap[d]);
  }
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  MLIRContext *context = e.b.getContext();
  Value squares = e.generic({padded, e.empty({e.attr(size)}, element)}, e.splat(dims, element, 0),
                            {AffineMap::get(rank + 1, 0, inputMap, context), AffineMap::get(rank + 1, 0, {k}, context),
                             AffineMap::get(rank + 1, 0, outputMap, context)},
                            iterators, [](Body &s, ValueRange v) { return s.add(v[2], s.mul(v[0], v[0])); });
  op.result(e.map(element, {x, squares},
                  [&](Body &s, ValueRange v) {
                    Value base = s.add(s.like(v[0], bias), s.mul(s.like(v[0], alpha / size), v[1]));
                    return s.div(v[0], s.op<math::PowFOp>(base, s.like(v[0], beta)));
                  }),
            op.type());
  return success();
}

LogicalResult lowerLpNorm(Op &op) {
  Emitter &e = op.e;
  int64_t axis = op.attribute("axis", int64_t(-1)), p = op.attribute("p", int64_t(2));
  if (failed(op.normalizeAxis(axis, op.rank()))) return failure();
  if (p != 1 && p != 2) return op.fail("p has to be 1 or 2");
  Axes axes(e, op.dims(0), {axis});
  Value x = op.in(0);
  Value sum = axes.sum(x, {}, [&](Body &s, ValueRange v) { return absPower(s, v[0], p); });
  Value norm = e.map(op.elementType(), {sum}, [&](Body &s, ValueRange v) { return root(s, v[0], p); });
  // A norm of zero gives zeros.
  op.result(axes.apply({x}, {norm}, {},
                       [](Body &s, ValueRange v) {
                         Value zero = s.like(v[0], 0);
                         return s.select(s.eq(v[1], zero), zero, s.div(v[0], v[1]));
                       }),
            op.type());
  return success();
}

}  // namespace crosscut::onnxir
