// The short-time Fourier transform by its definition: each output sums its whole frame. Quadratic in the frame, for the
// short ones that models of sound hold.
//
// DFT itself is left out: two of its cases expect the rounding noise of a float32 FFT where the result is exactly zero.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

namespace {

// cos and sin of 2 pi k n / size. The quadrant is found in integers, so that multiples of a quarter are exact.
std::pair<Value, Value> turn(Body &s, Value k, Value n, Value size) {
  Value quarters = s.mul(s.op<arith::RemUIOp>(s.mul(k, n), size), s.index(4));
  Value quadrant = s.op<arith::DivUIOp>(quarters, size), rest = s.sub(quarters, s.mul(quadrant, size));
  auto f = [&](Value v) { return s.op<arith::SIToFPOp>(s.b.getF32Type(), s.fromIndex(v, s.b.getI32Type())); };
  Value angle = s.div(s.mul(f(rest), s.constant(s.b.getF32Type(), 1.5707963267948966)), f(size));
  Value c = s.op<math::CosOp>(angle), d = s.op<math::SinOp>(angle);
  Value first = s.eq(quadrant, s.index(0)), second = s.eq(quadrant, s.index(1)), third = s.eq(quadrant, s.index(2));
  Value cosine = s.select(first, c, s.select(second, s.neg(d), s.select(third, s.neg(c), d)));
  Value sine = s.select(first, d, s.select(second, c, s.select(third, s.neg(d), s.neg(c))));
  return {cosine, sine};
}

struct Sum {
  SmallVector<AffineMap> maps;
  SmallVector<IteratorType> iterators;
  Value window;

  // Loops: the output's dimensions, then one of `extent`.
  Sum(Emitter &e, unsigned rank, OpFoldResult extent) : window(e.empty({extent}, e.b.getF32Type())) {
    SmallVector<AffineExpr> out;
    for (unsigned d = 0; d < rank; ++d) out.push_back(e.b.getAffineDimExpr(d));
    maps = {AffineMap::get(rank + 1, 0, {e.b.getAffineDimExpr(rank)}, e.b.getContext()),
            AffineMap::get(rank + 1, 0, out, e.b.getContext())};
    iterators.assign(rank + 1, IteratorType::parallel);
    iterators.back() = IteratorType::reduction;
  }
};

}  // namespace

LogicalResult lowerSTFT(Op &op) {
  Emitter &e = op.e;
  Body outer = e.body();
  Dims x = op.dims(0), out;
  auto parts = x.size() == 3 ? constantOf(x.back()) : x.size() == 2 ? std::optional<int64_t>(1) : std::nullopt;
  if (!parts || *parts < 1 || *parts > 2) return op.fail("the signal has to be [batch, length, 1 or 2]");
  bool half = op.attribute("onesided", int64_t(1)), complex = *parts == 2, isFlat = x.size() == 2;
  const Scalars *step = op.scalars(1), *length = op.has(3) ? op.scalars(3) : nullptr;
  if (!step || step->size() != 1) return op.fail("frame_step is computed at run time");
  Value window = op.has(2) ? op.in(2) : Value();
  OpFoldResult frame;
  if (length) frame = op.toIndex((*length)[0]);
  else if (window) frame = op.dims(2)[0];
  else return op.fail("neither a window nor frame_length is known");
  Value n = outer.max(e.index(frame), outer.index(1)), hop = outer.max(e.index(op.toIndex((*step)[0])), outer.index(1));
  if (auto declared = op.declaredDims(0, 4)) {
    out = *declared;
  } else {
    auto known = constantOf(frame), hopKnown = constantOf((*step)[0]);
    if (!known || *known < 1 || !hopKnown || *hopKnown < 1)
      return op.fail("frames known at run time only need a result of a stated shape");
    OpFoldResult frames = e.add(e.floorDiv(e.sub(x[1], frame), e.attr(*hopKnown)), e.attr(1));
    out = {x[0], e.max(frames, e.attr(0)), e.attr(half ? *known / 2 + 1 : *known), e.attr(2)};
  }
  // A frame has at most twice as many elements as a half spectrum has bins.
  OpFoldResult extent = constantOf(frame) ? frame : half ? e.mul(out[2], e.attr(2)) : out[2];
  Value source = op.in(0), samples = e.index(x[1]), windowSize = window ? e.index(op.dims(2)[0]) : Value();
  Sum sum(e, 4, extent);
  op.result(e.generic({sum.window}, e.splat(out, e.b.getF32Type(), 0), sum.maps, sum.iterators,
                      [&](Body &s, ValueRange v) {
                        Value i = s.iv(4), at = s.add(s.mul(s.iv(1), hop), i);
                        Value counts = s.andi(s.lt(i, n), s.lt(at, samples));
                        Value safe = s.wrapIndex(s.select(counts, at, s.index(0)), samples);
                        auto part = [&](int64_t p) {
                          SmallVector<Value> position{s.iv(0), safe};
                          if (!isFlat) position.push_back(s.index(p));
                          return extract(s, source, position);
                        };
                        Value re = part(0), im = complex ? part(1) : s.like(re, 0);
                        if (window) {
                          Value w = extract(s, window, {s.wrapIndex(i, windowSize)});
                          re = s.mul(re, w);
                          im = s.mul(im, w);
                        }
                        auto [c, d] = turn(s, s.iv(2), i, n);
                        d = s.neg(d);
                        Value real = s.sub(s.mul(re, c), s.mul(im, d));
                        Value imaginary = s.add(s.mul(re, d), s.mul(im, c));
                        Value term = s.select(s.eq(s.iv(3), s.index(0)), real, imaginary);
                        return s.select(counts, s.add(v[1], term), v[1]);
                      }),
            kF32);
  return success();
}

}  // namespace crosscut::onnxir
