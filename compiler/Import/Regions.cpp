// Sampling at positions that data gives: RoiAlign and DeformConv, both by bilinear interpolation of four neighbours.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

namespace {

// One axis of an interpolation: the two neighbours, in range, their weights, and whether each counts.
struct Neighbours {
  Value index[2], weight[2], inside[2];

  Neighbours(Body &s, Value c, Value size) {
    Value f = s.toFloat(size), zero = s.like(c, 0), one = s.like(c, 1);
    // Far positions are brought near first, so that the conversion to an integer is defined.
    Value near = s.select(s.gt(c, s.like(c, -2)), c, s.like(c, -2));
    near = s.select(s.lt(near, s.add(f, one)), near, s.add(f, one));
    Value base = s.op<math::FloorOp>(near), t = s.sub(near, base);
    for (int i = 0; i < 2; ++i) {
      Value p = i ? s.add(base, one) : base;
      inside[i] = s.andi(s.ge(p, zero), s.lt(p, f));
      index[i] = s.wrapIndex(s.toIndex(s.op<arith::FPToSIOp>(s.b.getI32Type(), s.select(inside[i], p, zero))), size);
      weight[i] = i ? t : s.sub(one, t);
    }
  }
};

}  // namespace

LogicalResult lowerRoiAlign(Op &op) {
  Emitter &e = op.e;
  Dims x = op.dims(0), rois = op.dims(1);
  if (x.size() != 4 || rois.size() != 2) return op.fail("the input has to be of rank 4, the regions of rank 2");
  int64_t height = op.attribute("output_height", int64_t(1)), width = op.attribute("output_width", int64_t(1));
  int64_t ratio = op.attribute("sampling_ratio", int64_t(0));
  if (ratio < 1) return op.fail("a sampling_ratio of 0 is not supported");
  float scale = op.attribute("spatial_scale", 1.0f);
  bool isMax = op.attribute("mode", "avg") == "max";
  bool halfPixel = op.attribute("coordinate_transformation_mode", op.opset < 16 ? "output_half_pixel" : "half_pixel") ==
                   "half_pixel";
  Value image = op.in(0), regions = op.in(1), batches = op.in(2);
  Value sizes[2] = {e.index(x[2]), e.index(x[3])}, batchCount = e.index(x[0]);
  int64_t bins[2] = {height, width};
  Dims out{rois[0], x[1], e.attr(height), e.attr(width)};
  SmallVector<AffineExpr> outMap, windowMap{e.b.getAffineDimExpr(4), e.b.getAffineDimExpr(5)};
  for (unsigned d = 0; d < 4; ++d) outMap.push_back(e.b.getAffineDimExpr(d));
  SmallVector<IteratorType> iterators(6, IteratorType::parallel);
  iterators[4] = iterators[5] = IteratorType::reduction;
  Type element = op.elementType();
  Value init = isMax ? e.splat(out, lowestValue(e, element, false)) : e.splat(out, element, 0);
  Value result = e.generic(
      {e.empty(e.attrs({ratio, ratio}), element)}, init,
      {AffineMap::get(6, 0, windowMap, e.b.getContext()), AffineMap::get(6, 0, outMap, e.b.getContext())}, iterators,
      [&](Body &s, ValueRange v) {
        Value batch = s.wrapIndex(s.toIndex(extract(s, batches, {s.iv(0)})), batchCount);
        SmallVector<Neighbours> axes;
        Value reaches = s.integer(s.b.getI1Type(), 1);
        for (int a = 0; a < 2; ++a) {
          // A region is x1, y1, x2, y2.
          auto edge = [&](int64_t i) {
            Value c = extract(s, regions, {s.iv(0), s.index(i)});
            c = s.mul(c, s.like(c, scale));
            return halfPixel ? s.sub(c, s.like(c, 0.5)) : c;
          };
          Value start = edge(1 - a), length = s.sub(edge(3 - a), start), one = s.like(start, 1);
          if (!halfPixel) length = s.select(s.lt(length, one), one, length);
          Value bin = s.div(length, s.like(length, bins[a]));
          Value inBin = s.div(s.mul(s.add(s.toFloat(s.iv(4 + a)), s.like(bin, 0.5)), bin), s.like(bin, ratio));
          Value c = s.add(s.add(start, s.mul(s.toFloat(s.iv(2 + a)), bin)), inBin);
          // A position more than one outside reads nothing, others are brought to the border.
          Value size = s.toFloat(sizes[a]), zero = s.like(c, 0), last = s.sub(size, one);
          reaches = s.andi(reaches, s.andi(s.ge(c, s.like(c, -1)), s.le(c, size)));
          c = s.select(s.gt(c, zero), c, zero);
          c = s.select(s.lt(c, last), c, last);
          axes.emplace_back(s, c, sizes[a]);
        }
        Value total;
        for (int i = 0; i < 2; ++i)
          for (int k = 0; k < 2; ++k) {
            Value p = extract(s, image, {batch, s.iv(1), axes[0].index[i], axes[1].index[k]});
            Value term = s.mul(p, s.mul(axes[0].weight[i], axes[1].weight[k]));
            term = s.select(reaches, term, s.like(term, 0));
            total = !total ? term : isMax ? s.max(total, term) : s.add(total, term);
          }
        return isMax ? s.max(v[1], total) : s.add(v[1], total);
      });
  if (!isMax)
    result = e.map(element, {result},
                   [&](Body &s, ValueRange v) { return s.mul(v[0], s.like(v[0], 1.0 / (ratio * ratio))); });
  op.result(result, op.type());
  return success();
}

LogicalResult lowerDeformConv(Op &op) {
  Emitter &e = op.e;
  Dims x = op.dims(0), offsets = op.dims(2);
  SmallVector<int64_t> w;
  if (failed(staticDims(op, 1, w))) return failure();
  if (x.size() != 4 || w.size() != 4) return op.fail("input and weights have to be of rank 4");
  int64_t groups = op.attribute("group", int64_t(1)), offsetGroups = op.attribute("offset_group", int64_t(1));
  auto channels = constantOf(x[1]);
  if (!channels || groups < 1 || offsetGroups < 1 || w[0] % groups || *channels != w[1] * groups ||
      *channels % offsetGroups)
    return op.fail("weights and groups do not fit the input's channels");
  Window window;
  if (failed(
          readWindow(op, ArrayRef<OpFoldResult>(x).drop_front(2), ArrayRef<int64_t>(w).drop_front(2), false, window)))
    return failure();
  Dims out{x[0], e.attr(w[0]), window.out[0], window.out[1]};
  Type element = op.elementType();
  Value image = op.in(0), weights = op.in(1), shifts = op.in(2), mask = op.has(4) ? op.in(4) : Value();
  Value init = e.splat(out, element, 0);
  if (op.has(3)) {
    init = linalg::BroadcastOp::create(e.b, e.loc, op.in(3), e.empty(out, element), ArrayRef<int64_t>{0, 2, 3})
               .getResult()[0];
    e.setDims(init, out);
  }
  Value sizes[2] = {e.index(x[2]), e.index(x[3])}, low[2] = {e.index(window.low[0]), e.index(window.low[1])};
  int64_t cells = w[2] * w[3], perOffsetGroup = *channels / offsetGroups;
  // Loops: n, oc, y, x, ic of the group, ky, kx.
  SmallVector<AffineExpr> outMap, windowMap;
  for (unsigned d = 0; d < 4; ++d) outMap.push_back(e.b.getAffineDimExpr(d));
  for (unsigned d = 4; d < 7; ++d) windowMap.push_back(e.b.getAffineDimExpr(d));
  SmallVector<IteratorType> iterators(7, IteratorType::parallel);
  iterators[4] = iterators[5] = iterators[6] = IteratorType::reduction;
  op.result(
      e.generic({e.empty(e.attrs({w[1], w[2], w[3]}), element)}, init,
                {AffineMap::get(7, 0, windowMap, e.b.getContext()), AffineMap::get(7, 0, outMap, e.b.getContext())},
                iterators,
                [&](Body &s, ValueRange v) {
                  Value group = s.op<arith::DivUIOp>(s.iv(1), s.index(w[0] / groups));
                  Value channel = s.add(s.mul(group, s.index(w[1])), s.iv(4));
                  Value offsetGroup = s.op<arith::DivUIOp>(channel, s.index(perOffsetGroup));
                  Value cell = s.add(s.mul(s.iv(5), s.index(w[3])), s.iv(6));
                  Value place = s.add(s.mul(offsetGroup, s.index(cells)), cell);
                  SmallVector<Neighbours> axes;
                  for (int a = 0; a < 2; ++a) {
                    Value grid = s.add(s.sub(s.mul(s.iv(2 + a), s.index(window.strides[a])), low[a]),
                                       s.mul(s.iv(5 + a), s.index(window.dilations[a])));
                    Value which = s.add(s.mul(place, s.index(2)), s.index(a));
                    Value shift = extract(s, shifts, {s.iv(0), which, s.iv(2), s.iv(3)});
                    axes.emplace_back(s, s.add(s.toFloat(grid), shift), sizes[a]);
                  }
                  Value total;
                  for (int i = 0; i < 2; ++i)
                    for (int k = 0; k < 2; ++k) {
                      Value p = extract(s, image, {s.iv(0), channel, axes[0].index[i], axes[1].index[k]});
                      p = s.select(s.andi(axes[0].inside[i], axes[1].inside[k]), p, s.like(p, 0));
                      Value term = s.mul(p, s.mul(axes[0].weight[i], axes[1].weight[k]));
                      total = total ? s.add(total, term) : term;
                    }
                  if (mask) total = s.mul(total, extract(s, mask, {s.iv(0), place, s.iv(2), s.iv(3)}));
                  Value weight = extract(s, weights, {s.iv(1), s.iv(4), s.iv(5), s.iv(6)});
                  return s.add(v[1], s.mul(total, weight));
                }),
      op.type());
  return success();
}

}  // namespace crosscut::onnxir
