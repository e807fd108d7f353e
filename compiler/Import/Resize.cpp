// Resize and Upsample. Nearest by whole factors, which is what models use, is a broadcast; other nearest modes gather;
// linear and cubic work on one axis after the other, as a weighted sum over a window of taps.
//
// Coordinates are float32, computed where they are used, because scales may be known at run time only.
#include "compiler/Import/Lowerings.h"

#include <cmath>

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

namespace {

struct Axis {
  int64_t dim;
  OpFoldResult in, out;
  OpFoldResult scale;  // f32
  OpFoldResult roiStart, roiEnd;
};

struct Settings {
  std::string mode, coordinates, nearest;
  bool antialias = false, excludeOutside = false;
  float cubicA = -0.75f, extrapolation = 0;
};

Value f32Of(Emitter &e, OpFoldResult s) {
  if (Value v = dyn_cast<Value>(s)) return v;
  return arith::ConstantOp::create(e.b, e.loc, cast<TypedAttr>(cast<Attribute>(s)));
}
Value floorToIndex(Body &s, Value f) {
  return s.toIndex(s.op<arith::FPToSIOp>(s.b.getI32Type(), s.op<math::FloorOp>(f)));
}

// The values that the coordinate of every output position is made of, outside the loops.
struct Coordinates {
  Value in, out, scale, inSize, start, end;
  Value exactOut;  // in * scale, which `out` is the whole part of
  const Settings &settings;

  Coordinates(Emitter &e, const Axis &axis, const Settings &settings) : settings(settings) {
    Body s = e.body();
    inSize = e.index(axis.in);
    in = s.toFloat(inSize);
    out = s.toFloat(e.index(axis.out));
    scale = f32Of(e, axis.scale);
    exactOut = s.mul(scale, in);
    if (settings.coordinates == "tf_crop_and_resize") {
      start = f32Of(e, axis.roiStart);
      end = f32Of(e, axis.roiEnd);
    }
  }

  // Where output position `at` reads, in the input's coordinates.
  Value original(Body &s, Value at) const {
    Value x = s.toFloat(at), half = s.like(x, 0.5), one = s.like(x, 1), zero = s.like(x, 0);
    StringRef mode = settings.coordinates;
    if (mode == "asymmetric") return s.div(x, scale);
    Value centered = s.sub(s.div(s.add(x, half), scale), half);
    if (mode == "half_pixel") return centered;
    if (mode == "pytorch_half_pixel") return s.select(s.ne(exactOut, one), centered, zero);
    if (mode == "half_pixel_symmetric") {
      Value adjustment = s.div(out, exactOut), center = s.mul(in, half);
      return s.add(s.mul(center, s.sub(one, adjustment)), centered);
    }
    Value last = s.sub(in, one), steps = s.sub(exactOut, one);
    Value several = s.gt(s.abs(steps), s.like(x, 1e-6)), safe = s.select(several, steps, one);
    if (mode == "align_corners") return s.select(several, s.div(s.mul(x, last), safe), zero);
    // tf_crop_and_resize
    Value span = s.sub(end, start);
    Value inside = s.add(s.mul(start, last), s.div(s.mul(s.mul(x, span), last), safe));
    return s.select(several, inside, s.mul(s.mul(half, s.add(start, end)), last));
  }
  Value outside(Body &s, Value x) const { return s.ori(s.lt(x, s.like(x, 0)), s.gt(x, s.sub(in, s.like(x, 1)))); }
};

Value nearestIndex(Body &s, Value x, StringRef mode) {
  Value half = s.like(x, 0.5);
  if (mode == "floor") return floorToIndex(s, x);
  if (mode == "round_prefer_ceil") return floorToIndex(s, s.add(x, half));
  Value up = mode == "ceil" ? x : s.sub(x, half);
  return s.toIndex(s.op<arith::FPToSIOp>(s.b.getI32Type(), s.op<math::CeilOp>(up)));
}

// Weight of a tap at `distance` from the coordinate.
Value tapWeight(Body &s, Value distance, const Settings &settings) {
  Value d = s.abs(distance), one = s.like(d, 1), zero = s.like(d, 0);
  if (settings.mode == "linear") {
    Value w = s.sub(one, d);
    return s.select(s.lt(w, zero), zero, w);
  }
  double a = settings.cubicA;
  auto c = [&](double v) { return s.like(d, v); };
  // ((a + 2) d - (a + 3)) d d + 1, and ((d - 5) d + 8) d a - 4 a, as Horner schemes.
  Value near = s.add(s.mul(s.mul(s.sub(s.mul(c(a + 2), d), c(a + 3)), d), d), one);
  Value far = s.sub(s.mul(s.add(s.mul(s.sub(s.mul(c(a), d), c(5 * a)), d), c(8 * a)), d), c(4 * a));
  return s.select(s.le(d, one), near, s.select(s.lt(d, s.like(d, 2)), far, zero));
}

// One axis by linear or cubic interpolation.
LogicalResult interpolate(Op &op, Value &x, const Axis &axis, const Settings &settings) {
  Emitter &e = op.e;
  Dims dims = e.dims(x), outDims = dims;
  outDims[axis.dim] = axis.out;
  int64_t support = settings.mode == "linear" ? 1 : 2, reach = support;
  bool antialias = settings.antialias;
  if (antialias) {
    auto in = constantOf(axis.in), out = constantOf(axis.out);
    if (!in || !out || *out == 0) return op.fail("antialias needs static sizes");
    reach = support * std::max<int64_t>(1, (*in + *out - 1) / *out + 1);
  }
  int64_t taps = 2 * reach + (antialias ? 1 : 0);
  Coordinates coordinates(e, axis, settings);
  Body outer = e.body();
  Value one = outer.constant(e.b.getF32Type(), 1);
  Value filterScale = antialias ? outer.select(outer.lt(coordinates.scale, one), coordinates.scale, one) : Value();
  // Position and weight of tap k of output `at`.
  auto tap = [&](Body &s, Value at, Value k, Value &index) {
    Value c = coordinates.original(s, at);
    index = s.add(s.add(floorToIndex(s, c), s.index(1 - reach)), k);
    Value distance = s.sub(s.toFloat(index), c);
    if (antialias) distance = s.mul(distance, filterScale);
    Value w = tapWeight(s, distance, settings);
    if (settings.excludeOutside) {
      Value inside = s.andi(s.ge(index, s.index(0)), s.lt(index, coordinates.inSize));
      w = s.select(inside, w, s.like(w, 0));
    }
    index = s.max(s.min(index, s.sub(coordinates.inSize, s.index(1))), s.index(0));
    return w;
  };
  int64_t rank = dims.size();
  MLIRContext *context = e.b.getContext();
  Type f32 = e.b.getF32Type();
  Value window = e.empty(e.attrs({taps}), f32);
  Value sum;
  if (antialias || settings.excludeOutside)
    sum = e.generic({window}, e.splat({axis.out}, f32, 0),
                    {AffineMap::get(2, 0, {e.b.getAffineDimExpr(1)}, context),
                     AffineMap::get(2, 0, {e.b.getAffineDimExpr(0)}, context)},
                    {IteratorType::parallel, IteratorType::reduction}, [&](Body &s, ValueRange v) {
                      Value index;
                      return s.add(v[1], tap(s, s.iv(0), s.iv(1), index));
                    });
  SmallVector<AffineExpr> outMap;
  for (int64_t d = 0; d < rank; ++d) outMap.push_back(e.b.getAffineDimExpr(d));
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  Value source = x;
  Value result = e.generic({window}, e.splat(outDims, f32, 0),
                           {AffineMap::get(rank + 1, 0, {e.b.getAffineDimExpr(rank)}, context),
                            AffineMap::get(rank + 1, 0, outMap, context)},
                           iterators, [&](Body &s, ValueRange v) {
                             Value index;
                             Value w = tap(s, s.iv(axis.dim), s.iv(rank), index);
                             SmallVector<Value> at;
                             for (int64_t d = 0; d < rank; ++d) at.push_back(d == axis.dim ? index : s.iv(d));
                             return s.add(v[1], s.mul(w, extract(s, source, at)));
                           });
  if (sum)
    result =
        e.generic({result, sum}, e.empty(outDims, f32),
                  {e.b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, {e.b.getAffineDimExpr(axis.dim)}, context),
                   e.b.getMultiDimIdentityMap(rank)},
                  SmallVector<IteratorType>(rank, IteratorType::parallel),
                  [](Body &s, ValueRange v) { return s.div(v[0], v[1]); });
  if (settings.coordinates == "tf_crop_and_resize")
    result = e.map(outDims, f32, {result}, [&](Body &s, ValueRange v) {
      Value c = coordinates.original(s, s.iv(axis.dim));
      return s.select(coordinates.outside(s, c), s.like(v[0], settings.extrapolation), v[0]);
    });
  x = result;
  return success();
}

// The whole factor k when every output o reads input o / k, else 0.
int64_t wholeFactor(const Axis &axis, const Settings &settings) {
  auto attribute = dyn_cast<Attribute>(axis.scale);
  if (!attribute || settings.mode != "nearest") return 0;
  double scale = cast<FloatAttr>(attribute).getValueAsDouble();
  if (scale < 1 || scale != std::floor(scale) || scale > 64) return 0;
  int64_t k = int64_t(scale);
  StringRef c = settings.coordinates, n = settings.nearest;
  if (c == "asymmetric") return n == "floor" || k == 1 ? k : 0;
  // (r + 0.5) / k - 0.5 for r in 0 ... k-1 lies strictly between -0.5 and 0.5: rounding to the nearest gives 0.
  if (c == "half_pixel" || (c == "pytorch_half_pixel" && constantOf(axis.out).value_or(0) > 1))
    return n.starts_with("round") || k == 1 ? k : 0;
  return 0;
}

Value repeatByFactors(Emitter &e, Value x, ArrayRef<Axis> axes, ArrayRef<int64_t> factors) {
  Dims dims = e.dims(x), wide, out = dims;
  SmallVector<int64_t> added;
  size_t next = 0;
  for (size_t d = 0; d < dims.size(); ++d) {
    wide.push_back(dims[d]);
    if (next < axes.size() && axes[next].dim == int64_t(d)) {
      if (factors[next] > 1) {
        added.push_back(wide.size());
        wide.push_back(e.attr(factors[next]));
        out[d] = e.mul(dims[d], e.attr(factors[next]));
      }
      ++next;
    }
  }
  if (added.empty()) return x;
  Value result = linalg::BroadcastOp::create(e.b, e.loc, x, e.empty(wide, Emitter::element(x)), added).getResult()[0];
  e.setDims(result, wide);
  return e.reshape(result, out);
}

LogicalResult readAxes(Op &op, Settings &settings, SmallVector<Axis> &axes) {
  Emitter &e = op.e;
  Body s = e.body();
  Dims dims = op.dims(0);
  int64_t rank = dims.size();
  auto declared = op.declaredDims(0, rank);
  SmallVector<int64_t> list = op.intsAttribute("axes");
  if (list.empty())
    for (int64_t d = 0; d < rank; ++d) list.push_back(d);
  for (int64_t &a : list)
    if (failed(op.normalizeAxis(a, rank))) return failure();
  bool upsample = op.node.op == "Upsample", old = op.opset < 11;
  Scalars scales;
  if (op.hasAttribute("scales")) {
    for (float f : op.node.attributes.at("scales").floats) scales.push_back(e.b.getF32FloatAttr(f));
  } else if (unsigned at = upsample || old ? 1 : 2; op.has(at)) {
    const Scalars *known = op.scalars(at);
    if (!known) return op.fail("scales are computed at run time");
    scales = *known;
  }
  const Scalars *sizes = upsample || old || !op.has(3) ? nullptr : op.scalars(3);
  if (scales.empty() && !sizes) return op.fail("neither scales nor sizes are known");
  if ((sizes ? sizes->size() : scales.size()) != list.size()) return op.fail("scales or sizes do not fit the axes");
  const Scalars *roi = !upsample && !old ? op.scalars(1) : nullptr;
  std::string policy = op.attribute("keep_aspect_ratio_policy", "stretch");
  Type f32 = e.b.getF32Type();
  auto fold = [](Value v) -> OpFoldResult {
    if (auto c = v.getDefiningOp<arith::ConstantOp>()) return c.getValue();
    return v;
  };
  Value kept;
  if (sizes && policy != "stretch") {
    for (size_t i = 0; i < list.size(); ++i) {
      Value ratio = s.div(s.toFloat(e.index(op.toIndex((*sizes)[i]))), s.toFloat(e.index(dims[list[i]])));
      if (!kept) kept = ratio;
      else kept = s.select(policy == "not_larger" ? s.lt(ratio, kept) : s.gt(ratio, kept), ratio, kept);
    }
  }
  for (size_t i = 0; i < list.size(); ++i) {
    Axis axis;
    axis.dim = list[i];
    axis.in = dims[list[i]];
    if (sizes) {
      Value in = s.toFloat(e.index(axis.in));
      if (kept) {
        axis.scale = fold(kept);
        Value size = s.op<math::FloorOp>(s.add(s.mul(kept, in), s.constant(f32, 0.5)));
        axis.out = op.toIndex(fold(s.op<arith::FPToSIOp>(e.b.getI64Type(), size)));
      } else {
        axis.out = op.toIndex((*sizes)[i]);
        axis.scale = fold(s.div(s.toFloat(e.index(axis.out)), in));
      }
    } else {
      axis.scale = scales[i];
      Value size = s.op<math::FloorOp>(s.mul(s.toFloat(e.index(axis.in)), f32Of(e, axis.scale)));
      axis.out = op.toIndex(fold(s.op<arith::FPToSIOp>(e.b.getI64Type(), size)));
    }
    if (declared) axis.out = (*declared)[axis.dim];
    else axis.out = e.max(axis.out, e.attr(0));
    if (settings.coordinates == "tf_crop_and_resize") {
      if (!roi || roi->size() != 2 * list.size()) return op.fail("roi is missing or computed at run time");
      axis.roiStart = (*roi)[i];
      axis.roiEnd = (*roi)[list.size() + i];
    }
    axes.push_back(axis);
  }
  llvm::sort(axes, [](const Axis &a, const Axis &b) { return a.dim < b.dim; });
  return success();
}

}  // namespace

LogicalResult lowerResize(Op &op) {
  Emitter &e = op.e;
  bool upsample = op.node.op == "Upsample", old = upsample || op.opset < 11;
  Settings settings;
  settings.mode = op.attribute("mode", "nearest");
  settings.coordinates = op.attribute("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  settings.nearest = op.attribute("nearest_mode", old ? "floor" : "round_prefer_floor");
  settings.antialias = op.attribute("antialias", int64_t(0));
  settings.excludeOutside = op.attribute("exclude_outside", int64_t(0));
  settings.cubicA = op.attribute("cubic_coeff_a", -0.75f);
  settings.extrapolation = op.attribute("extrapolation_value", 0.0f);
  if (settings.mode == "bilinear") settings.mode = "linear";
  if (settings.mode != "nearest" && settings.mode != "linear" && settings.mode != "cubic")
    return op.fail("mode '" + settings.mode + "' is not supported");
  static const llvm::StringSet<> coordinateModes = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                                    "align_corners", "asymmetric",           "tf_crop_and_resize"};
  static const llvm::StringSet<> nearestModes = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  if (!coordinateModes.contains(settings.coordinates))
    return op.fail("coordinate_transformation_mode '" + settings.coordinates + "' is not supported");
  if (!nearestModes.contains(settings.nearest))
    return op.fail("nearest_mode '" + settings.nearest + "' is not supported");
  SmallVector<Axis> axes;
  if (failed(readAxes(op, settings, axes))) return failure();
  Value x = op.in(0);
  if (settings.mode != "nearest") {
    if (op.type() != kF32) return op.fail("interpolation of integers is not supported");
    for (const Axis &axis : axes) {
      bool same = constantOf(axis.in) && constantOf(axis.in) == constantOf(axis.out);
      auto scale = dyn_cast<Attribute>(axis.scale);
      if (same && scale && cast<FloatAttr>(scale).getValueAsDouble() == 1 &&
          settings.coordinates != "tf_crop_and_resize")
        continue;
      if (failed(interpolate(op, x, axis, settings))) return failure();
    }
    op.result(x, op.type());
    return success();
  }
  SmallVector<int64_t> factors;
  for (const Axis &axis : axes) factors.push_back(wholeFactor(axis, settings));
  if (llvm::none_of(factors, [](int64_t f) { return f == 0; })) {
    op.result(repeatByFactors(e, x, axes, factors), op.type());
    return success();
  }
  Dims out = op.dims(0);
  SmallVector<Coordinates> coordinates;
  for (const Axis &axis : axes) {
    out[axis.dim] = axis.out;
    coordinates.emplace_back(e, axis, settings);
  }
  Type element = op.elementType();
  op.result(e.produce(out, element,
                      [&](Body &s, ValueRange iv) {
                        SmallVector<Value> at(iv.begin(), iv.end());
                        Value outside = s.integer(s.b.getI1Type(), 0);
                        for (size_t i = 0; i < axes.size(); ++i) {
                          if (factors[i] == 1) continue;
                          Value c = coordinates[i].original(s, iv[axes[i].dim]);
                          Value last = s.sub(coordinates[i].inSize, s.index(1));
                          Value index = nearestIndex(s, c, settings.nearest);
                          at[axes[i].dim] = s.max(s.min(index, last), s.index(0));
                          outside = s.ori(outside, coordinates[i].outside(s, c));
                        }
                        Value v = extract(s, x, at);
                        if (settings.coordinates != "tf_crop_and_resize") return v;
                        return s.select(outside, s.constant(element, settings.extrapolation), v);
                      }),
            op.type());
  return success();
}

}  // namespace crosscut::onnxir
