// Slice and Pad, with bounds that are constants, shape arithmetic, or numbers read from an input at run time.
//
// Bounds are worked out in 64-bit integers, because models write INT64_MAX for "to the end" and an index may be
// narrower.
#include "compiler/Import/Lowerings.h"

#include "mlir/IR/Matchers.h"

#include <limits>

namespace crosscut::onnxir {

using namespace mlir;

namespace {

Value valueOf(Emitter &e, OpFoldResult s) {
  if (Value v = dyn_cast<Value>(s)) return v;
  return arith::ConstantOp::create(e.b, e.loc, cast<TypedAttr>(cast<Attribute>(s)));
}
OpFoldResult folded(Value v) {
  Attribute attribute;
  if (matchPattern(v, m_Constant(&attribute))) return attribute;
  return v;
}

// One dimension's part of a slice, all i64.
struct Range {
  OpFoldResult start, step, count;
};

Range sliceRange(Op &op, OpFoldResult startIn, OpFoldResult endIn, OpFoldResult stepIn, OpFoldResult dim) {
  Emitter &e = op.e;
  Body s = e.body();
  Value size = valueOf(e, op.toI64(dim)), start = valueOf(e, startIn), end = valueOf(e, endIn),
        step = valueOf(e, stepIn);
  Value zero = s.like(size, 0), one = s.like(size, 1);
  auto clamp = [&](Value v, Value low, Value high) {
    Value wrapped = s.select(s.lt(v, zero), s.add(v, size), v);
    return s.min(s.max(wrapped, low), high);
  };
  Value backwards = s.lt(step, zero);
  Value last = s.max(s.sub(size, one), zero);
  Value from = s.select(backwards, clamp(start, zero, last), clamp(start, zero, size));
  Value to = s.select(backwards, clamp(end, s.like(size, -1), last), clamp(end, zero, size));
  Value distance = s.select(backwards, s.sub(from, to), s.sub(to, from));
  Value stride = s.max(s.abs(step), one);
  Value count = s.div(s.add(s.max(distance, zero), s.sub(stride, one)), stride);
  return {folded(from), stepIn, folded(count)};
}

}  // namespace

LogicalResult lowerSlice(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t rank = dims.size();
  auto read = [&](unsigned input, const char *attribute) -> std::optional<Scalars> {
    if (op.hasAttribute(attribute)) {
      Scalars result;
      for (int64_t v : op.intsAttribute(attribute)) result.push_back(e.b.getI64IntegerAttr(v));
      return result;
    }
    const Scalars *known = op.scalars(input);
    return known ? std::optional<Scalars>(*known) : std::nullopt;
  };
  auto starts = read(1, "starts"), ends = read(2, "ends");
  auto axes = read(3, "axes"), steps = read(4, "steps");
  if (!starts || !ends || (op.has(3) && !axes) || (op.has(4) && !steps))
    return op.fail("bounds are computed at run time");
  size_t n = starts->size();
  auto i64 = [&](int64_t v) { return OpFoldResult(e.b.getI64IntegerAttr(v)); };
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i < n; ++i) axes->push_back(i64(i));
  }
  if (!steps) steps = Scalars(n, i64(1));
  if (ends->size() != n || axes->size() != n || steps->size() != n)
    return op.fail("starts, ends, axes and steps differ in length");

  SmallVector<Range> ranges;
  for (OpFoldResult d : dims) ranges.push_back({i64(0), i64(1), op.toI64(d)});
  bool fromData = false;
  for (size_t i = 0; i < n; ++i) {
    if (constantOf((*steps)[i]) == 0) return op.fail("a step is zero");
    for (OpFoldResult v : {(*starts)[i], (*ends)[i], (*steps)[i], (*axes)[i]}) fromData |= comesFromData(v);
    if (auto axis = constantOf((*axes)[i])) {
      if (failed(op.normalizeAxis(*axis, rank))) return failure();
      ranges[*axis] = sliceRange(op, (*starts)[i], (*ends)[i], (*steps)[i], dims[*axis]);
      continue;
    }
    // The axis itself is known at run time only: every dimension may be the one.
    Body s = e.body();
    Value axis = valueOf(e, (*axes)[i]);
    for (int64_t d = 0; d < rank; ++d) {
      Value here = s.ori(s.eq(axis, s.like(axis, d)), s.eq(axis, s.like(axis, d - rank)));
      Range r = sliceRange(op, (*starts)[i], (*ends)[i], (*steps)[i], dims[d]);
      auto pick = [&](OpFoldResult yes, OpFoldResult no) {
        return folded(s.select(here, valueOf(e, yes), valueOf(e, no)));
      };
      ranges[d] = {pick(r.start, ranges[d].start), pick(r.step, ranges[d].step), pick(r.count, ranges[d].count)};
    }
  }

  Dims offsets, sizes;
  SmallVector<int64_t> strides;
  bool forward = true;
  for (Range &r : ranges) {
    offsets.push_back(op.toIndex(r.start));
    sizes.push_back(op.toIndex(r.count));
    auto step = constantOf(r.step);
    forward &= step && *step > 0;
    strides.push_back(step.value_or(1));
  }
  auto declared = op.declaredDims(0, rank);
  bool stated = fromData && declared;
  if (stated) {
    sizes = *declared;
  } else if (forward) {
    op.result(e.slice(op.in(0), offsets, sizes, strides), op.type());
    return success();
  }
  Value x = op.in(0);
  SmallVector<Value> start, step, size;
  for (int64_t d = 0; d < rank; ++d) {
    start.push_back(e.index(offsets[d]));
    step.push_back(e.index(op.toIndex(ranges[d].step)));
    size.push_back(e.index(dims[d]));
  }
  op.result(e.produce(sizes, op.elementType(),
                      [&](Body &s, ValueRange at) {
                        SmallVector<Value> position;
                        for (int64_t d = 0; d < rank; ++d) {
                          if (constantOf(ranges[d].start) == 0 && constantOf(ranges[d].step) == 1) {
                            position.push_back(at[d]);
                            continue;
                          }
                          Value p = s.add(start[d], s.mul(at[d], step[d]));
                          // The result's shape was stated, so run-time bounds must not lead outside.
                          if (stated) p = Body{s.b, s.loc, false}.wrapIndex(p, size[d]);
                          position.push_back(p);
                        }
                        return extract(s, x, position);
                      }),
            op.type());
  return success();
}

LogicalResult lowerPad(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t rank = dims.size();
  std::string mode = op.attribute("mode", "constant");
  Scalars pads;
  if (op.hasAttribute("pads") || op.hasAttribute("paddings")) {
    for (int64_t v : op.intsAttribute(op.hasAttribute("pads") ? "pads" : "paddings"))
      pads.push_back(e.b.getI64IntegerAttr(v));
  } else if (const Scalars *known = op.scalars(1)) {
    pads = *known;
  } else {
    return op.fail("pads are computed at run time");
  }
  size_t n = pads.size() / 2;
  SmallVector<OpFoldResult> low(rank, e.attr(0)), high(rank, e.attr(0));
  if (op.has(3)) {
    const Scalars *axes = op.scalars(3);
    if (!axes || axes->size() != n) return op.fail("axes do not fit pads");
    Body s = e.body();
    for (size_t i = 0; i < n; ++i) {
      for (int64_t d = 0; d < rank; ++d) {
        auto axis = constantOf((*axes)[i]);
        if (axis) {
          if (*axis != d && *axis != d - rank) continue;
          low[d] = op.toIndex(pads[i]);
          high[d] = op.toIndex(pads[n + i]);
          continue;
        }
        Value a = valueOf(e, (*axes)[i]);
        Value here = s.ori(s.eq(a, s.like(a, d)), s.eq(a, s.like(a, d - rank)));
        low[d] = folded(s.select(here, e.index(op.toIndex(pads[i])), e.index(low[d])));
        high[d] = folded(s.select(here, e.index(op.toIndex(pads[n + i])), e.index(high[d])));
      }
    }
  } else {
    if (int64_t(n) != rank) return op.fail("pads do not fit a tensor of rank " + Twine(rank));
    for (int64_t d = 0; d < rank; ++d) {
      low[d] = op.toIndex(pads[d]);
      high[d] = op.toIndex(pads[n + d]);
    }
  }
  bool constant = true, fromData = false, negative = false;
  for (OpFoldResult p : llvm::concat<OpFoldResult>(low, high)) {
    constant &= constantOf(p).has_value();
    negative |= constantOf(p).value_or(0) < 0;
    fromData |= comesFromData(p);
  }
  Value x = op.in(0);
  Type element = op.elementType();
  TypedAttr fill = cast<TypedAttr>(e.b.getZeroAttr(element));
  Value fillTensor;
  if (op.hasAttribute("value")) fill = e.b.getFloatAttr(element, op.attribute("value", 0.0f));
  if (op.has(2)) {
    Value v = op.in(2);
    if (TypedAttr scalar = Emitter::scalarConstant(v)) fill = scalar;
    else fillTensor = e.reshape(v, {});
  }
  if (constant && mode == "constant" && !fillTensor) {
    if (negative) {
      Dims offsets, sizes;
      for (int64_t d = 0; d < rank; ++d) {
        int64_t l = std::min<int64_t>(*constantOf(low[d]), 0), h = std::min<int64_t>(*constantOf(high[d]), 0);
        offsets.push_back(e.attr(-l));
        sizes.push_back(e.add(dims[d], e.attr(l + h)));
        if (constantOf(sizes.back()).value_or(0) < 0) return op.fail("pads remove more than there is");
        low[d] = e.attr(*constantOf(low[d]) - l);
        high[d] = e.attr(*constantOf(high[d]) - h);
      }
      x = e.slice(x, offsets, sizes, SmallVector<int64_t>(rank, 1));
    }
    op.result(e.pad(x, low, high, fill), op.type());
    return success();
  }
  Dims out;
  for (int64_t d = 0; d < rank; ++d) out.push_back(e.add(e.add(dims[d], low[d]), high[d]));
  if (fromData) {
    auto declared = op.declaredDims(0, rank);
    for (int64_t d = 0; d < rank; ++d) out[d] = declared ? (*declared)[d] : e.max(out[d], e.attr(0));
  }
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    return op.fail("mode '" + mode + "' is not supported");
  SmallVector<Value> before, size;
  for (int64_t d = 0; d < rank; ++d) {
    before.push_back(e.index(low[d]));
    size.push_back(e.index(dims[d]));
  }
  op.result(e.produce(out, element,
                      [&](Body &s, ValueRange at) {
                        SmallVector<Value> position;
                        Value inside = s.integer(s.b.getI1Type(), 1), zero = s.index(0), one = s.index(1);
                        for (int64_t d = 0; d < rank; ++d) {
                          if (constantOf(low[d]) == 0 && constantOf(high[d]) == 0) {
                            position.push_back(at[d]);
                            continue;
                          }
                          Value p = s.sub(at[d], before[d]), last = s.sub(size[d], one);
                          if (mode == "wrap") p = s.floorMod(p, size[d]);
                          if (mode == "reflect") {
                            // Period 2 * (size - 1); the second half runs backwards.
                            Value period = s.max(s.mul(s.index(2), last), one);
                            p = s.floorMod(p, period);
                            p = s.select(s.gt(p, last), s.sub(period, p), p);
                          }
                          if (mode == "constant") inside = s.andi(inside, s.andi(s.ge(p, zero), s.lt(p, size[d])));
                          position.push_back(s.max(s.min(p, last), zero));
                        }
                        Value v = extract(s, x, position);
                        if (mode != "constant") return v;
                        Value other = fillTensor ? extract(s, fillTensor, {})
                                                 : Value(arith::ConstantOp::create(s.b, s.loc, fill));
                        return s.select(inside, v, other);
                      }),
            op.type());
  return success();
}

}  // namespace crosscut::onnxir
