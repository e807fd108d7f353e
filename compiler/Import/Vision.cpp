// Sampling and cropping of images: GridSample, AffineGrid, CenterCropPad, MaxUnpool, Col2Im.
#include "compiler/Import/Lowerings.h"

#include <cmath>

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

namespace {

struct Sampler {
  std::string mode, padding;
  bool alignCorners;
  float cubicA = -0.75f;

  // From -1 ... 1 to a position along an axis of `size` (f32).
  Value denormalize(Body &s, Value g, Value size) const {
    Value one = s.like(g, 1), half = s.like(g, 0.5);
    if (alignCorners) return s.mul(s.mul(s.add(g, one), half), s.sub(size, one));
    return s.mul(s.sub(s.mul(s.add(g, one), size), one), half);
  }
  // Mirrored at the borders as often as it takes.
  Value reflect(Body &s, Value x, Value size) const {
    Value low = s.like(x, alignCorners ? 0 : -0.5);
    Value range = alignCorners ? s.sub(size, s.like(x, 1)) : size;
    range = s.select(s.gt(range, s.like(x, 0)), range, s.like(x, 1));
    Value distance = s.abs(s.sub(x, low)), turns = s.op<math::FloorOp>(s.div(distance, range));
    Value rest = s.sub(distance, s.mul(turns, range)), half = s.mul(turns, s.like(x, 0.5));
    Value even = s.eq(s.op<math::FloorOp>(half), half);
    return s.add(low, s.select(even, rest, s.sub(range, rest)));
  }
  Value intoRange(Body &s, Value x, Value size) const {
    if (padding == "zeros") return x;
    if (padding == "reflection") x = reflect(s, x, size);
    Value last = s.sub(size, s.like(x, 1)), zero = s.like(x, 0);
    x = s.select(s.lt(x, zero), zero, x);
    return s.select(s.gt(x, last), last, x);
  }
  // A position that is a whole number: its index, in range, and whether it counts.
  std::pair<Value, Value> pixel(Body &s, Value x, Value size, Value sizeIndex) const {
    x = intoRange(s, x, size);
    Value inside = s.andi(s.ge(x, s.like(x, 0)), s.lt(x, size));
    Value safe = s.select(inside, x, s.like(x, 0));
    return {s.wrapIndex(s.toIndex(s.op<arith::FPToSIOp>(s.b.getI32Type(), safe)), sizeIndex), inside};
  }
  SmallVector<Value> weights(Body &s, Value t) const {
    Value one = s.like(t, 1);
    if (mode == "nearest") return {one};
    if (mode == "linear") return {s.sub(one, t), t};
    double a = cubicA;
    auto near = [&](Value d) {
      return s.add(s.mul(s.mul(s.sub(s.mul(s.like(d, a + 2), d), s.like(d, a + 3)), d), d), one);
    };
    auto far = [&](Value d) {
      Value v = s.sub(s.mul(s.like(d, a), d), s.like(d, 5 * a));
      return s.sub(s.mul(s.add(s.mul(v, d), s.like(d, 8 * a)), d), s.like(d, 4 * a));
    };
    Value rest = s.sub(one, t);
    return {far(s.add(t, one)), near(t), near(rest), far(s.add(rest, one))};
  }
};

}  // namespace

LogicalResult lowerGridSample(Op &op) {
  Emitter &e = op.e;
  Dims x = op.dims(0), grid = op.dims(1);
  int64_t spatial = x.size() - 2;
  if (spatial < 1 || grid.size() != x.size() || constantOf(grid.back()) != spatial)
    return op.fail("the grid does not fit the input");
  Sampler sampler;
  sampler.mode = op.attribute("mode", op.opset < 20 ? "bilinear" : "linear");
  if (sampler.mode == "bilinear") sampler.mode = "linear";
  if (sampler.mode == "bicubic") sampler.mode = "cubic";
  sampler.padding = op.attribute("padding_mode", "zeros");
  sampler.alignCorners = op.attribute("align_corners", int64_t(0));
  Dims out{x[0], x[1]};
  out.append(grid.begin() + 1, grid.end() - 1);
  Value image = op.in(0), positions = op.in(1);
  SmallVector<Value> sizes, floatSizes;
  Body outer = e.body();
  for (int64_t i = 0; i < spatial; ++i) {
    sizes.push_back(e.index(x[2 + i]));
    floatSizes.push_back(outer.toFloat(sizes.back()));
  }
  op.result(e.produce(out, op.elementType(),
                      [&](Body &s, ValueRange iv) {
                        // Taps of each axis: index, whether it counts, weight. The grid names the last axis first.
                        SmallVector<SmallVector<std::pair<Value, Value>>> taps(spatial);
                        SmallVector<SmallVector<Value>> weights(spatial);
                        for (int64_t i = 0; i < spatial; ++i) {
                          SmallVector<Value> at{iv[0]};
                          llvm::append_range(at, iv.drop_front(2));
                          at.push_back(s.index(spatial - 1 - i));
                          Value c = sampler.denormalize(s, extract(s, positions, at), floatSizes[i]);
                          if (sampler.mode == "nearest") c = s.op<math::RoundEvenOp>(c);
                          c = sampler.intoRange(s, c, floatSizes[i]);
                          Value base = s.op<math::FloorOp>(c);
                          weights[i] = sampler.weights(s, s.sub(c, base));
                          int64_t first = sampler.mode == "cubic" ? -1 : 0;
                          for (size_t k = 0; k < weights[i].size(); ++k)
                            taps[i].push_back(sampler.pixel(s, s.add(base, s.like(base, first + int64_t(k))),
                                                            floatSizes[i], sizes[i]));
                        }
                        Value total;
                        SmallVector<size_t> k(spatial, 0);
                        while (true) {
                          SmallVector<Value> at{iv[0], iv[1]};
                          Value counts, weight;
                          for (int64_t i = 0; i < spatial; ++i) {
                            auto [index, inside] = taps[i][k[i]];
                            at.push_back(index);
                            counts = counts ? s.andi(counts, inside) : inside;
                            weight = weight ? s.mul(weight, weights[i][k[i]]) : weights[i][k[i]];
                          }
                          Value v = extract(s, image, at);
                          v = s.mul(s.select(counts, v, s.like(v, 0)), weight);
                          total = total ? s.add(total, v) : v;
                          int64_t d = spatial - 1;
                          for (; d >= 0 && ++k[d] == weights[d].size(); --d) k[d] = 0;
                          if (d < 0) return total;
                        }
                      }),
            op.type());
  return success();
}

LogicalResult lowerAffineGrid(Op &op) {
  Emitter &e = op.e;
  Dims out, theta = op.dims(0);
  if (auto declared = op.declaredDims(0); declared && declared->size() >= 3) {
    out = *declared;
  } else {
    const Scalars *size = op.scalars(1);
    if (!size || size->size() < 4) return op.fail("the size is computed at run time");
    out.push_back(theta[0]);
    for (size_t i = 2; i < size->size(); ++i) out.push_back(e.max(op.toIndex((*size)[i]), e.attr(0)));
    out.push_back(e.attr(size->size() - 2));
  }
  int64_t spatial = out.size() - 2;
  if (spatial < 1 || theta.size() != 3) return op.fail("theta does not fit the size");
  bool align = op.attribute("align_corners", int64_t(0));
  Value matrix = op.in(0);
  Body outer = e.body();
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < spatial; ++i) sizes.push_back(outer.toFloat(e.index(out[1 + i])));
  op.result(e.produce(out, op.elementType(),
                      [&](Body &s, ValueRange iv) {
                        Value row = iv.back(), total;
                        total = extract(s, matrix, {iv[0], row, s.index(spatial)});
                        for (int64_t k = 0; k < spatial; ++k) {
                          int64_t axis = spatial - 1 - k;  // column 0 is x, the last axis
                          Value i = s.toFloat(iv[1 + axis]), one = s.like(i, 1), two = s.like(i, 2), c;
                          if (align) {
                            Value steps = s.sub(sizes[axis], one);
                            steps = s.select(s.gt(steps, one), steps, one);
                            c = s.sub(s.div(s.mul(two, i), steps), one);
                          } else {
                            c = s.sub(s.div(s.add(s.mul(two, i), one), sizes[axis]), one);
                          }
                          total = s.add(total, s.mul(extract(s, matrix, {iv[0], row, s.index(k)}), c));
                        }
                        return total;
                      }),
            op.type());
  return success();
}

// Cut or filled with zeros on both sides alike; the target shape is all that the shape input is for.
LogicalResult lowerCenterCropPad(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0), out = dims;
  int64_t rank = dims.size();
  if (auto declared = op.declaredDims(0, rank)) {
    out = *declared;
  } else {
    const Scalars *shape = op.scalars(1);
    if (!shape) return op.fail("the shape is computed at run time");
    SmallVector<int64_t> axes = op.intsAttribute("axes");
    if (axes.empty())
      for (int64_t d = 0; d < rank; ++d) axes.push_back(d);
    if (axes.size() != shape->size()) return op.fail("the shape does not fit the axes");
    for (size_t i = 0; i < axes.size(); ++i) {
      if (failed(op.normalizeAxis(axes[i], rank))) return failure();
      out[axes[i]] = e.max(op.toIndex((*shape)[i]), e.attr(0));
    }
  }
  Dims offsets, sizes, low, high;
  for (int64_t d = 0; d < rank; ++d) {
    OpFoldResult kept = e.min(dims[d], out[d]), extra = e.sub(out[d], kept);
    offsets.push_back(e.floorDiv(e.sub(dims[d], kept), e.attr(2)));
    sizes.push_back(kept);
    low.push_back(e.floorDiv(extra, e.attr(2)));
    high.push_back(e.sub(extra, low.back()));
  }
  Value x = e.slice(op.in(0), offsets, sizes, SmallVector<int64_t>(rank, 1));
  op.result(e.pad(x, low, high, cast<TypedAttr>(e.b.getZeroAttr(op.elementType()))), op.type());
  return success();
}

// Every output position looks for the pooled element that came from it.
LogicalResult lowerMaxUnpool(Op &op) {
  Emitter &e = op.e;
  Dims x = op.dims(0), out;
  size_t spatial = x.size() - 2;
  SmallVector<int64_t> kernel = op.intsAttribute("kernel_shape"), strides = op.intsAttribute("strides"),
                       pads = op.intsAttribute("pads");
  if (strides.empty()) strides.assign(spatial, 1);
  if (pads.empty()) pads.assign(2 * spatial, 0);
  if (x.size() < 3 || kernel.size() != spatial || strides.size() != spatial || pads.size() != 2 * spatial)
    return op.fail("kernel_shape, strides or pads do not fit the input");
  Dims natural{x[0], x[1]};
  for (size_t i = 0; i < spatial; ++i)
    natural.push_back(
        e.add(e.mul(e.sub(x[2 + i], e.attr(1)), e.attr(strides[i])), e.attr(kernel[i] - pads[i] - pads[spatial + i])));
  out = natural;
  if (op.has(2)) {
    auto declared = op.declaredDims(0, x.size());
    if (!declared) return op.fail("an output_shape needs a result of a stated shape");
    out = *declared;
  }
  // Indices count inside the natural shape.
  auto flatPosition = [&](Body &s, ValueRange iv, ArrayRef<Value> sizes) {
    Value flat = iv[0];
    for (size_t d = 1; d < sizes.size(); ++d) flat = s.add(s.mul(flat, sizes[d]), iv[d]);
    return flat;
  };
  OpFoldResult count = e.product(ArrayRef<OpFoldResult>(x).drop_front(2));
  Value values = e.reshape(op.in(0), {x[0], x[1], count}), indices = e.reshape(op.in(1), {x[0], x[1], count});
  SmallVector<Value> sizes;
  for (OpFoldResult d : natural) sizes.push_back(e.index(d));
  unsigned rank = out.size();
  SmallVector<AffineExpr> outMap;
  for (unsigned d = 0; d < rank; ++d) outMap.push_back(e.b.getAffineDimExpr(d));
  MLIRContext *context = e.b.getContext();
  AffineMap inMap = AffineMap::get(rank + 1, 0, {outMap[0], outMap[1], e.b.getAffineDimExpr(rank)}, context);
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  op.result(e.generic({values, indices}, e.splat(out, op.elementType(), 0),
                      {inMap, inMap, AffineMap::get(rank + 1, 0, outMap, context)}, iterators,
                      [&](Body &s, ValueRange v) {
                        SmallVector<Value> iv;
                        for (unsigned d = 0; d < rank; ++d) iv.push_back(s.iv(d));
                        Value here = s.eq(s.toIndex(v[1]), flatPosition(s, iv, sizes));
                        return s.select(here, v[0], v[2]);
                      }),
            op.type());
  return success();
}

// Each pixel sums what the blocks that cover it hold for it; the block's shape may be known at run time only.
LogicalResult lowerCol2Im(Op &op) {
  Emitter &e = op.e;
  Dims x = op.dims(0), out;
  const Scalars *image = op.scalars(1), *block = op.scalars(2);
  if (!image || !block || image->size() != block->size() || x.size() != 3)
    return op.fail("image_shape and block_shape have to be known or given as inputs");
  size_t spatial = image->size();
  auto orDefault = [&](const char *name, size_t n, int64_t value) {
    SmallVector<int64_t> list = op.intsAttribute(name);
    if (list.empty()) list.assign(n, value);
    return list;
  };
  auto strides = orDefault("strides", spatial, 1), dilations = orDefault("dilations", spatial, 1),
       pads = orDefault("pads", 2 * spatial, 0);
  if (strides.size() != spatial || dilations.size() != spatial || pads.size() != 2 * spatial)
    return op.fail("strides, dilations or pads do not fit the image");
  auto declared = op.declaredDims(0);
  if (declared && declared->size() == spatial + 2) out = *declared;
  else return op.fail("the result needs a stated shape");
  OpFoldResult blockCount = e.floorDiv(x[1], out[1]);
  Body outer = e.body();
  SmallVector<Value> kernel, steps;
  for (size_t i = 0; i < spatial; ++i) {
    kernel.push_back(outer.max(e.index(op.toIndex((*block)[i])), outer.index(1)));
    Value span = outer.sub(e.index(e.add(out[2 + i], e.attr(pads[i] + pads[spatial + i] - 1))),
                           outer.mul(outer.sub(kernel[i], outer.index(1)), outer.index(dilations[i])));
    steps.push_back(outer.max(outer.add(outer.div(span, outer.index(strides[i])), outer.index(1)), outer.index(0)));
  }
  Value columns = op.in(0), blocks = e.index(blockCount), length = e.index(x[2]);
  unsigned rank = out.size();
  SmallVector<AffineExpr> outMap;
  for (unsigned d = 0; d < rank; ++d) outMap.push_back(e.b.getAffineDimExpr(d));
  MLIRContext *context = e.b.getContext();
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  op.result(e.generic({e.empty({blockCount}, op.elementType())}, e.splat(out, op.elementType(), 0),
                      {AffineMap::get(rank + 1, 0, {e.b.getAffineDimExpr(rank)}, context),
                       AffineMap::get(rank + 1, 0, outMap, context)},
                      iterators,
                      [&](Body &s, ValueRange v) {
                        Value rest = s.iv(rank), zero = s.index(0), flat = zero;
                        Value covers = s.integer(s.b.getI1Type(), 1);
                        SmallVector<Value> k(spatial);
                        for (size_t i = spatial; i-- > 0;) {
                          k[i] = s.op<arith::RemUIOp>(rest, kernel[i]);
                          rest = s.op<arith::DivUIOp>(rest, kernel[i]);
                        }
                        for (size_t i = 0; i < spatial; ++i) {
                          Value p = s.sub(s.add(s.iv(2 + i), s.index(pads[i])), s.mul(k[i], s.index(dilations[i])));
                          Value stride = s.index(strides[i]), q = s.op<arith::DivSIOp>(p, stride);
                          Value fits = s.andi(s.andi(s.ge(p, zero), s.eq(s.mul(q, stride), p)), s.lt(q, steps[i]));
                          covers = s.andi(covers, fits);
                          flat = s.add(s.mul(flat, steps[i]), q);
                        }
                        Value channel = s.add(s.mul(s.iv(1), blocks), s.iv(rank));
                        Value safe = s.wrapIndex(s.select(covers, flat, zero), length);
                        Value term = extract(s, columns, {s.iv(0), channel, safe});
                        return s.select(covers, s.add(v[1], term), v[1]);
                      }),
            op.type());
  return success();
}

}  // namespace crosscut::onnxir
