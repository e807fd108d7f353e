// Pooling: a window generic over (n, c, spatial..., k...); the shape of the window comes from a tensor.empty operand,
// as in upstream's pooling ops. Averages divide the window's sum by the number of elements that count.
#include "compiler/Import/Lowerings.h"

#include <limits>

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

TypedAttr lowestValue(Emitter &e, Type element, bool isUnsigned) {
  if (auto f = dyn_cast<FloatType>(element)) return e.b.getFloatAttr(f, -std::numeric_limits<double>::infinity());
  unsigned width = element.getIntOrFloatBitWidth();
  return e.b.getIntegerAttr(element, isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width));
}

TypedAttr highestValue(Emitter &e, Type element, bool isUnsigned) {
  if (auto f = dyn_cast<FloatType>(element)) return e.b.getFloatAttr(f, std::numeric_limits<double>::infinity());
  unsigned width = element.getIntOrFloatBitWidth();
  return e.b.getIntegerAttr(element, isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width));
}

namespace {

Value windowReduce(Emitter &e, Value x, const Window &window, TypedAttr initial, BodyFn body, bool isUnsigned = false) {
  size_t spatial = window.kernel.size();
  unsigned loops = 2 + 2 * spatial;
  SmallVector<AffineExpr> inputMap{e.b.getAffineDimExpr(0), e.b.getAffineDimExpr(1)}, windowMap, outputMap = inputMap;
  for (size_t i = 0; i < spatial; ++i) {
    AffineExpr at = e.b.getAffineDimExpr(2 + i), k = e.b.getAffineDimExpr(2 + spatial + i);
    inputMap.push_back(at * window.strides[i] + k * window.dilations[i]);
    windowMap.push_back(k);
    outputMap.push_back(at);
  }
  SmallVector<IteratorType> iterators(loops, IteratorType::reduction);
  std::fill(iterators.begin(), iterators.begin() + 2 + spatial, IteratorType::parallel);
  Dims d = e.dims(x), out{d[0], d[1]};
  out.append(window.out);
  MLIRContext *context = e.b.getContext();
  return e.generic({x, e.empty(e.attrs(window.kernel), Emitter::element(x))}, e.splat(out, initial),
                   {AffineMap::get(loops, 0, inputMap, context), AffineMap::get(loops, 0, windowMap, context),
                    AffineMap::get(loops, 0, outputMap, context)},
                   iterators, body, isUnsigned);
}

LogicalResult poolWindow(Op &op, Window &window) {
  Dims x = op.dims(0);
  if (x.size() < 3) return op.fail("the input has to be of rank 3 or more");
  SmallVector<int64_t> kernel = op.intsAttribute("kernel_shape");
  if (kernel.size() != x.size() - 2) return op.fail("kernel_shape does not fit the input");
  return readWindow(op, ArrayRef<OpFoldResult>(x).drop_front(2), kernel, op.attribute("ceil_mode", int64_t(0)), window);
}

// Position of the first maximum of each window in the unpadded input, as ONNX counts it.
Value maxIndices(Op &op, Value x, const Window &window, bool columnMajor) {
  Emitter &e = op.e;
  size_t spatial = window.kernel.size();
  Dims d = op.dims(0), out{d[0], d[1]};
  out.append(window.out);
  SmallVector<Value> low, size;
  for (size_t i = 0; i < spatial; ++i) {
    low.push_back(e.index(window.low[i]));
    size.push_back(e.index(d[2 + i]));
  }
  Value channels = e.index(d[1]);
  return e.produce(
      out, e.b.getI64Type(),
      [&](Body &s, ValueRange at) {
        Body plain{s.b, s.loc, false};
        Value zero = s.index(0), best, bestIndex;
        SmallVector<int64_t> k(spatial, 0);
        int64_t count = 1;
        for (int64_t n : window.kernel) count *= n;
        for (int64_t step = 0; step < count; ++step) {
          int64_t rest = step;
          for (size_t i = spatial; i-- > 0; rest /= window.kernel[i]) k[i] = rest % window.kernel[i];
          SmallVector<Value> position{at[0], at[1]};
          Value inside = s.integer(s.b.getI1Type(), 1);
          for (size_t i = 0; i < spatial; ++i) {
            Value p =
                s.add(s.sub(s.mul(at[2 + i], s.index(window.strides[i])), low[i]), s.index(k[i] * window.dilations[i]));
            inside = s.andi(inside, s.andi(plain.ge(p, zero), plain.lt(p, size[i])));
            position.push_back(plain.max(plain.min(p, s.sub(size[i], s.index(1))), zero));
          }
          Value value = extract(s, x, position);
          Value flat = s.add(s.mul(at[0], channels), at[1]);
          if (columnMajor) {
            Value inner = zero, stride = s.index(1), plane = s.index(1);
            for (size_t i = 0; i < spatial; ++i) {
              inner = s.add(inner, s.mul(position[2 + i], stride));
              stride = s.mul(stride, size[i]);
              plane = stride;
            }
            flat = s.add(s.mul(flat, plane), inner);
          } else {
            for (size_t i = 0; i < spatial; ++i) flat = s.add(s.mul(flat, size[i]), position[2 + i]);
          }
          if (!best) {
            best = s.select(inside, value,
                            arith::ConstantOp::create(s.b, s.loc, lowestValue(e, value.getType(), s.isUnsigned)));
            bestIndex = flat;
            continue;
          }
          Value better = s.andi(inside, s.gt(value, best));
          best = s.select(better, value, best);
          bestIndex = s.select(better, flat, bestIndex);
        }
        return s.fromIndex(bestIndex, s.b.getI64Type());
      },
      op.isUnsigned());
}

// How many elements of output position `at` count: those inside the input, or inside the declared padding.
Value windowCount(Body &s, const Window &window, ValueRange at, ArrayRef<Value> low, ArrayRef<Value> begin,
                  ArrayRef<Value> end) {
  Value count;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    Value start = s.sub(s.mul(at[2 + i], s.index(window.strides[i])), low[i]);
    Value d = s.index(window.dilations[i]), one = s.index(1), zero = s.index(0);
    // k from ceil((begin - start) / d) to ceil((end - start) / d), inside 0 ... kernel.
    auto ceilDiv = [&](Value x) {
      Value positive = s.max(x, zero);
      return s.op<arith::DivUIOp>(s.add(positive, s.sub(d, one)), d);
    };
    Value first = ceilDiv(s.sub(begin[i], start));
    Value last = s.min(ceilDiv(s.sub(end[i], start)), s.index(window.kernel[i]));
    Value n = s.max(s.sub(last, first), zero);
    count = count ? s.mul(count, n) : n;
  }
  return s.op<arith::SIToFPOp>(s.b.getF32Type(), s.fromIndex(count, s.b.getI32Type()));
}

}  // namespace

LogicalResult lowerMaxPool(Op &op) {
  Window window;
  if (failed(poolWindow(op, window))) return failure();
  Emitter &e = op.e;
  TypedAttr lowest = lowestValue(e, op.elementType(), op.isUnsigned());
  Value x = padSpatial(e, op.in(0), window, lowest);
  op.result(windowReduce(
                e, x, window, lowest, [](Body &s, ValueRange v) { return s.max(v[2], v[0]); }, op.isUnsigned()),
            op.type());
  if (op.wants(1)) op.result(1, maxIndices(op, op.in(0), window, op.attribute("storage_order", int64_t(0)) == 1), kI64);
  return success();
}

LogicalResult lowerAveragePool(Op &op) {
  Window window;
  if (failed(poolWindow(op, window))) return failure();
  Emitter &e = op.e;
  Type element = op.elementType();
  if (!isFloat(op.type())) return op.fail("only float32 is supported");
  Dims input = op.dims(0);
  Value sum = windowReduce(e, padSpatial(e, op.in(0), window, e.b.getFloatAttr(element, 0)), window,
                           e.b.getFloatAttr(element, 0), [](Body &s, ValueRange v) { return s.add(v[2], v[0]); });
  bool includePad = op.attribute("count_include_pad", int64_t(0));
  bool ceilMode = op.attribute("ceil_mode", int64_t(0));
  bool padded = llvm::any_of(llvm::concat<OpFoldResult>(window.low, window.high),
                             [](OpFoldResult p) { return constantOf(p) != 0; });
  double area = 1;
  for (int64_t k : window.kernel) area *= k;
  if (!padded || (includePad && !ceilMode)) {
    op.result(e.map(element, {sum}, [&](Body &s, ValueRange v) { return s.mul(v[0], s.like(v[0], 1 / area)); }),
              op.type());
    return success();
  }
  // The padding that was declared counts, what ceil_mode adds does not.
  SmallVector<int64_t> pads = op.intsAttribute("pads");
  size_t spatial = window.kernel.size();
  bool isDeclared = op.attribute("auto_pad", "NOTSET") == "NOTSET" && pads.size() == 2 * spatial;
  SmallVector<Value> low, begin, end;
  for (size_t i = 0; i < spatial; ++i) {
    low.push_back(e.index(window.low[i]));
    OpFoldResult high = isDeclared ? e.attr(pads[spatial + i]) : ceilMode ? e.attr(0) : window.high[i];
    begin.push_back(includePad ? e.index(e.sub(e.attr(0), window.low[i])) : e.index(e.attr(0)));
    end.push_back(e.index(includePad ? e.add(input[2 + i], high) : input[2 + i]));
  }
  op.result(e.map(element, {sum},
                  [&](Body &s, ValueRange v) {
                    SmallVector<Value> at;
                    for (size_t d = 0; d < input.size(); ++d) at.push_back(s.iv(d));
                    return s.div(v[0], windowCount(s, window, at, low, begin, end));
                  }),
            op.type());
  return success();
}

LogicalResult lowerLpPool(Op &op) {
  Window window;
  if (failed(poolWindow(op, window))) return failure();
  Emitter &e = op.e;
  Type element = op.elementType();
  int64_t p = op.attribute("p", int64_t(2));
  if (p < 1) return op.fail("p has to be positive");
  Value x = padSpatial(e, op.in(0), window, e.b.getFloatAttr(element, 0));
  Value sum = windowReduce(e, x, window, e.b.getFloatAttr(element, 0),
                           [&](Body &s, ValueRange v) { return s.add(v[2], absPower(s, v[0], p)); });
  op.result(e.map(element, {sum}, [&](Body &s, ValueRange v) { return root(s, v[0], p); }), op.type());
  return success();
}

LogicalResult lowerGlobalPool(Op &op) {
  Emitter &e = op.e;
  Dims d = op.dims(0);
  if (d.size() < 3) return op.fail("the input has to be of rank 3 or more");
  Type element = op.elementType();
  Dims kept{d[0], d[1]}, out = kept;
  out.append(d.size() - 2, e.attr(1));
  SmallVector<int64_t> axes;
  for (size_t i = 2; i < d.size(); ++i) axes.push_back(i);
  Value result;
  if (op.node.op == "GlobalMaxPool") {
    result = e.reduce(
        op.in(0), axes, e.splat(kept, lowestValue(e, element, op.isUnsigned())),
        [](Body &s, ValueRange v) { return s.max(v[1], v[0]); }, op.isUnsigned());
  } else if (op.node.op == "GlobalLpPool") {
    int64_t p = op.attribute("p", int64_t(2));
    if (p < 1) return op.fail("p has to be positive");
    result = e.reduce(op.in(0), axes, e.splat(kept, element, 0),
                      [&](Body &s, ValueRange v) { return s.add(v[1], absPower(s, v[0], p)); });
    result = e.map(element, {result}, [&](Body &s, ValueRange v) { return root(s, v[0], p); });
  } else {
    if (!isFloat(op.type())) return op.fail("only float32 is supported");
    result =
        e.reduce(op.in(0), axes, e.splat(kept, element, 0), [](Body &s, ValueRange v) { return s.add(v[1], v[0]); });
    result = scaleByCount(e, result, e.product(ArrayRef<OpFoldResult>(d).drop_front(2)));
  }
  op.result(e.reshape(result, out), op.type());
  return success();
}

}  // namespace crosscut::onnxir
