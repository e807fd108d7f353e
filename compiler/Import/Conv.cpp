// Convolutions: a zero tensor.pad where there is padding, then one linalg.generic over (n, oc, spatial..., ic, k...),
// (n, g, oc, spatial..., ic, k...) with groups, or (n, c, spatial..., k...) for depthwise ones; its body is one
// multiply and one add, its init the bias.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

LogicalResult readWindow(Op &op, ArrayRef<OpFoldResult> input, ArrayRef<int64_t> kernel, bool ceilMode,
                         Window &window) {
  size_t n = kernel.size();
  Emitter &e = op.e;
  window.kernel.assign(kernel.begin(), kernel.end());
  window.strides = op.intsAttribute("strides");
  window.dilations = op.intsAttribute("dilations");
  SmallVector<int64_t> pads = op.intsAttribute("pads");
  if (window.strides.empty()) window.strides.assign(n, 1);
  if (window.dilations.empty()) window.dilations.assign(n, 1);
  if (pads.empty()) pads.assign(2 * n, 0);
  if (window.strides.size() != n || window.dilations.size() != n || pads.size() != 2 * n)
    return op.fail("strides, dilations and pads do not fit a kernel of rank " + Twine(n));
  for (size_t i = 0; i < n; ++i)
    if (window.strides[i] < 1 || window.dilations[i] < 1 || kernel[i] < 1 || pads[i] < 0 || pads[n + i] < 0)
      return op.fail("kernel, strides, dilations or pads are out of range");
  std::string autoPad = op.attribute("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  for (size_t i = 0; i < n; ++i) {
    OpFoldResult extent = e.attr((kernel[i] - 1) * window.dilations[i] + 1), stride = e.attr(window.strides[i]);
    OpFoldResult low = e.attr(0), high = e.attr(0), out;
    if (same) {
      out = e.ceilDiv(input[i], stride);
      OpFoldResult needed = e.add(e.mul(e.sub(out, e.attr(1)), stride), extent);
      OpFoldResult total = e.max(e.sub(needed, input[i]), e.attr(0));
      OpFoldResult half = e.floorDiv(total, e.attr(2)), rest = e.sub(total, half);
      low = autoPad == "SAME_UPPER" ? half : rest;
      high = autoPad == "SAME_UPPER" ? rest : half;
    } else {
      if (autoPad != "VALID") {
        low = e.attr(pads[i]);
        high = e.attr(pads[n + i]);
      }
      OpFoldResult span = e.sub(e.add(e.add(input[i], low), high), extent);
      if (!ceilMode) {
        out = e.add(e.floorDiv(span, stride), e.attr(1));
      } else {
        out = e.add(e.ceilDiv(span, stride), e.attr(1));
        // A last window that would start in the padding is left out: ceil(span / s) * s < input + low.
        OpFoldResult starts = e.ceilDiv(e.add(input[i], low), stride);
        out = e.min(out, starts);
        OpFoldResult needed = e.add(e.mul(e.sub(out, e.attr(1)), stride), extent);
        high = e.max(high, e.sub(e.sub(needed, input[i]), low));
      }
      if (auto known = constantOf(out)) {
        if (*known < 0) return op.fail("the kernel is larger than the padded input");
      } else {
        out = e.max(out, e.attr(0));
      }
    }
    window.low.push_back(low);
    window.high.push_back(high);
    window.out.push_back(out);
  }
  return success();
}

LogicalResult staticDims(Op &op, unsigned input, SmallVector<int64_t> &result) {
  for (OpFoldResult d : op.dims(input)) {
    auto known = constantOf(d);
    if (!known) return op.fail("input " + Twine(input) + " has a shape that is not known at compile time");
    result.push_back(*known);
  }
  return success();
}

Value padSpatial(Emitter &e, Value x, const Window &window, TypedAttr value) {
  Dims low(2, e.attr(0)), high(2, e.attr(0));
  low.append(window.low);
  high.append(window.high);
  return e.pad(x, low, high, value);
}

namespace {

// The init of a convolution: its bias [c...] broadcast over every other dimension, or zeros.
Value initial(Emitter &e, const Dims &dims, ArrayRef<int64_t> channelDims, Value bias, Type element) {
  if (!bias) return e.splat(dims, element, 0);
  SmallVector<int64_t> added;
  for (int64_t d = 0; d < int64_t(dims.size()); ++d)
    if (!llvm::is_contained(channelDims, d)) added.push_back(d);
  Value result = linalg::BroadcastOp::create(e.b, e.loc, bias, e.empty(dims, element), added).getResult()[0];
  e.setDims(result, dims);
  return result;
}

}  // namespace

LogicalResult convolve(Op &op, Value input, Value weights, Value bias, Value &result) {
  Emitter &e = op.e;
  Dims x = e.dims(input);
  SmallVector<int64_t> w(cast<RankedTensorType>(weights.getType()).getShape());
  if (llvm::is_contained(w, ShapedType::kDynamic))
    return op.fail("the weights have a shape that is not known at compile time");
  if (x.size() < 3 || w.size() != x.size()) return op.fail("input and weights have to be of one rank, at least 3");
  size_t spatial = x.size() - 2;
  int64_t groups = op.attribute("group", int64_t(1)), outChannels = w[0];
  auto channels = constantOf(x[1]);
  if (!channels) return op.fail("the number of input channels is not known at compile time");
  if (groups < 1 || outChannels % groups || *channels != w[1] * groups)
    return op.fail("weights of " + Twine(w[1]) + " channels in " + Twine(groups) + " groups do not fit an input of " +
                   Twine(*channels));
  Window window;
  if (failed(
          readWindow(op, ArrayRef<OpFoldResult>(x).drop_front(2), ArrayRef<int64_t>(w).drop_front(2), false, window)))
    return failure();

  Type element = Emitter::element(input);
  input = padSpatial(e, input, window, cast<TypedAttr>(e.b.getZeroAttr(element)));
  Dims padded = e.dims(input);
  bool depthwise = groups == *channels && outChannels == *channels && groups > 1, grouped = groups > 1 && !depthwise;
  int64_t perGroup = outChannels / groups;

  // Loop order: n, [g,] oc, spatial..., [ic,] k...
  unsigned next = 0;
  auto dim = [&] { return e.b.getAffineDimExpr(next++); };
  AffineExpr n = dim(), g = grouped ? dim() : AffineExpr(), oc = dim();
  SmallVector<AffineExpr> at;
  for (size_t i = 0; i < spatial; ++i) at.push_back(dim());
  unsigned parallel = next;
  AffineExpr ic = depthwise ? AffineExpr() : dim();
  SmallVector<AffineExpr> inputMap{n}, weightMap, outputMap{n};
  if (grouped) {
    inputMap.append({g, ic});
    weightMap.append({g, oc, ic});
    outputMap.append({g, oc});
  } else {
    inputMap.push_back(depthwise ? oc : ic);
    weightMap.push_back(oc);
    if (!depthwise) weightMap.push_back(ic);
    outputMap.push_back(oc);
  }
  for (size_t i = 0; i < spatial; ++i) {
    AffineExpr k = dim();
    inputMap.push_back(at[i] * window.strides[i] + k * window.dilations[i]);
    weightMap.push_back(k);
    outputMap.push_back(at[i]);
  }

  Dims out{x[0]};
  if (grouped) {
    Dims split{padded[0], e.attr(groups), e.attr(w[1])};
    split.append(padded.begin() + 2, padded.end());
    input = e.reshape(input, split);
    Dims weightSplit = e.attrs({groups, perGroup});
    weightSplit.append(e.attrs(ArrayRef<int64_t>(w).drop_front(1)));
    weights = e.reshape(weights, weightSplit);
    if (bias) bias = e.reshape(bias, e.attrs({groups, perGroup}));
    out.append({e.attr(groups), e.attr(perGroup)});
  } else {
    if (depthwise) {
      Dims flat = e.attrs({outChannels});
      flat.append(e.attrs(ArrayRef<int64_t>(w).drop_front(2)));
      weights = e.reshape(weights, flat);
    }
    out.push_back(e.attr(outChannels));
  }
  out.append(window.out);

  SmallVector<int64_t> channelDims{1};
  if (grouped) channelDims.push_back(2);
  SmallVector<IteratorType> iterators(next, IteratorType::reduction);
  std::fill(iterators.begin(), iterators.begin() + parallel, IteratorType::parallel);
  MLIRContext *context = e.b.getContext();
  result = e.generic({input, weights}, initial(e, out, channelDims, bias, element),
                     {AffineMap::get(next, 0, inputMap, context), AffineMap::get(next, 0, weightMap, context),
                      AffineMap::get(next, 0, outputMap, context)},
                     iterators, [](Body &s, ValueRange v) { return s.add(v[2], s.mul(v[0], v[1])); });
  Dims whole{x[0], e.attr(outChannels)};
  whole.append(window.out);
  result = e.reshape(result, whole);
  return success();
}

LogicalResult lowerConv(Op &op) {
  Value result;
  if (failed(convolve(op, op.in(0), op.in(1), op.has(2) ? op.in(2) : Value(), result))) return failure();
  op.result(result, op.type());
  return success();
}

LogicalResult lowerConvTranspose(Op &op) {
  Emitter &e = op.e;
  Dims x = op.dims(0);
  SmallVector<int64_t> w;
  if (failed(staticDims(op, 1, w))) return failure();
  if (x.size() < 3 || w.size() != x.size()) return op.fail("input and weights have to be of one rank, at least 3");
  size_t spatial = x.size() - 2;
  int64_t groups = op.attribute("group", int64_t(1));
  if (groups < 1 || w[0] % groups || constantOf(x[1]) != w[0])
    return op.fail("weights do not fit the input's channels");
  int64_t inPerGroup = w[0] / groups, outPerGroup = w[1];
  auto orDefault = [&](const char *name, int64_t value) {
    SmallVector<int64_t> list = op.intsAttribute(name);
    if (list.empty()) list.assign(spatial, value);
    return list;
  };
  SmallVector<int64_t> strides = orDefault("strides", 1), dilations = orDefault("dilations", 1),
                       outputPadding = orDefault("output_padding", 0), pads = op.intsAttribute("pads"),
                       outputShape = op.intsAttribute("output_shape");
  if (pads.empty()) pads.assign(2 * spatial, 0);
  if (strides.size() != spatial || dilations.size() != spatial || outputPadding.size() != spatial ||
      pads.size() != 2 * spatial)
    return op.fail("strides, dilations and pads do not fit the input");
  if (outputShape.size() > spatial) outputShape.erase(outputShape.begin(), outputShape.end() - spatial);
  std::string autoPad = op.attribute("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  Dims out{x[0], e.attr(groups * outPerGroup)};
  SmallVector<OpFoldResult> low;
  for (size_t i = 0; i < spatial; ++i) {
    if (strides[i] < 1 || dilations[i] < 1) return op.fail("strides or dilations are out of range");
    OpFoldResult full = e.add(e.mul(e.sub(x[2 + i], e.attr(1)), e.attr(strides[i])),
                              e.attr(outputPadding[i] + (w[2 + i] - 1) * dilations[i] + 1));
    if (!outputShape.empty() || same) {
      OpFoldResult size = outputShape.empty() ? e.mul(x[2 + i], e.attr(strides[i])) : e.attr(outputShape[i]);
      OpFoldResult total = e.max(e.sub(full, size), e.attr(0)), half = e.floorDiv(total, e.attr(2));
      low.push_back(autoPad == "SAME_UPPER" ? half : e.sub(total, half));
      out.push_back(size);
    } else {
      if (autoPad == "VALID") pads[i] = pads[spatial + i] = 0;
      low.push_back(e.attr(pads[i]));
      out.push_back(e.sub(full, e.attr(pads[i] + pads[spatial + i])));
    }
  }

  // Each output element gathers the input elements that reach it: those where (o + low - k * dilation) is a multiple
  // of the stride. Loops: n, oc, spatial..., ic, k...
  Type element = op.elementType();
  Value input = op.in(0), weights = op.in(1), bias = op.has(2) ? op.in(2) : Value();
  unsigned loops = 2 + spatial + 1 + spatial;
  SmallVector<AffineExpr> outputMap, windowMap{e.b.getAffineDimExpr(2 + spatial)};
  for (unsigned d = 0; d < 2 + spatial; ++d) outputMap.push_back(e.b.getAffineDimExpr(d));
  for (unsigned d = 0; d < spatial; ++d) windowMap.push_back(e.b.getAffineDimExpr(3 + spatial + d));
  Dims windowDims = e.attrs({inPerGroup});
  windowDims.append(e.attrs(ArrayRef<int64_t>(w).drop_front(2)));
  SmallVector<IteratorType> iterators(loops, IteratorType::reduction);
  std::fill(iterators.begin(), iterators.begin() + 2 + spatial, IteratorType::parallel);
  SmallVector<Value> lows, sizes;
  for (size_t i = 0; i < spatial; ++i) {
    lows.push_back(e.index(low[i]));
    sizes.push_back(e.index(x[2 + i]));
  }
  MLIRContext *context = e.b.getContext();
  Value result = e.generic({e.empty(windowDims, element)}, initial(e, out, {1}, bias, element),
                           {AffineMap::get(loops, 0, windowMap, context), AffineMap::get(loops, 0, outputMap, context)},
                           iterators, [&](Body &s, ValueRange v) {
                             Value oc = s.iv(1), ic = s.iv(2 + spatial);
                             Value group = s.op<arith::DivUIOp>(oc, s.index(outPerGroup));
                             Value channel = s.add(s.mul(group, s.index(inPerGroup)), ic);
                             SmallVector<Value> at{s.iv(0), channel},
                                 weightAt{channel, s.op<arith::RemUIOp>(oc, s.index(outPerGroup))};
                             Value reaches = s.integer(s.b.getI1Type(), 1), zero = s.index(0);
                             for (size_t i = 0; i < spatial; ++i) {
                               Value k = s.iv(3 + spatial + i);
                               Value shifted = s.sub(s.add(s.iv(2 + i), lows[i]), s.mul(k, s.index(dilations[i])));
                               Value stride = s.index(strides[i]);
                               Value quotient = s.op<arith::DivSIOp>(shifted, stride);
                               Value exact = s.eq(s.mul(quotient, stride), shifted);
                               Value inside = s.andi(s.ge(shifted, zero), s.lt(quotient, sizes[i]));
                               reaches = s.andi(reaches, s.andi(exact, inside));
                               at.push_back(s.max(s.min(quotient, s.sub(sizes[i], s.index(1))), zero));
                               weightAt.push_back(k);
                             }
                             Value term = s.mul(extract(s, input, at), extract(s, weights, weightAt));
                             return s.select(reaches, s.add(v[1], term), v[1]);
                           });
  op.result(result, op.type());
  return success();
}

}  // namespace crosscut::onnxir
