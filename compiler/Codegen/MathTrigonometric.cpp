// Trigonometric functions. The argument is brought to [-pi/4, pi/4] by subtracting a multiple of pi/2 whose parts are
// short enough that every product is exact: nothing is lost up to 2^22, also without a fused multiply-add.
#include "compiler/Codegen/MathCoefficients.h"
#include "compiler/Codegen/MathFunctions.h"

using mlir::Value;

namespace crosscut {

using namespace coefficients;

namespace {
struct Quadrant {
  Value r, rest;  // r + rest in [-pi/4, pi/4]
  Value n;        // its number modulo 2^11, as an integer
};
}  // namespace

static Value roundTo(MathBuilder &m, Value x, double k, double rounder) {
  return m.sub(m.fma(x, m.f(k), m.f(rounder)), m.f(rounder));
}

// a >= 0. n = coarse + fine, coarse a multiple of 2^11.
static Quadrant reduce(MathBuilder &m, Value a) {
  constexpr double kTwoByPi = 0.63661977236758134;
  // Beyond 2^30 the subtraction means nothing; 0 keeps the result finite, and inf - inf makes NaN of inf.
  a = m.select(m.less(m.f(0x1p30), a), m.sub(a, a), a);
  Value coarse = roundTo(m, a, kTwoByPi, 0x1.8p34);
  Value r = m.subProduct(a, coarse, kHalfPiShort[0]);
  r = m.subProduct(r, coarse, kHalfPiShort[1]);
  Value coarse3 = m.mul(coarse, m.f(kHalfPiShort[2]));
  Value rounder = m.f(0x1.8p23);
  Value shifted = m.fma(m.sub(r, coarse3), m.f(kTwoByPi), rounder);
  Value fine = m.sub(shifted, rounder);
  r = m.subProduct(r, fine, kHalfPiShort[0]);
  r = m.subProduct(r, fine, kHalfPiShort[1]);
  r = m.sub(r, coarse3);

  // What the last subtractions round away, which counts near multiples of pi/2.
  Value rest = m.f(0);
  auto subtract = [&](Value term) {
    Value next = m.sub(r, term);
    rest = m.add(rest, m.sub(m.sub(r, next), term));
    r = next;
  };
  subtract(m.mul(fine, m.f(kHalfPiShort[2])));
  subtract(m.mul(coarse, m.f(kHalfPiShort[3])));
  subtract(m.mul(fine, m.f(kHalfPiShort[3])));
  subtract(m.mul(m.add(coarse, fine), m.f(kHalfPiShort[4])));
  return {r, rest, m.f2i(shifted)};
}

static Value sinOfReduced(MathBuilder &m, const Quadrant &q, Value square) {
  Value tail = m.fma(m.mul(q.r, square), m.polynomial(kSin, square), q.rest);
  return m.add(q.r, tail);
}

static Value cosOfReduced(MathBuilder &m, const Quadrant &q, Value square) {
  Value tail = m.fma(m.mul(square, square), m.polynomial(kCos, square), m.neg(m.mul(q.r, q.rest)));
  // 1 - square / 2 is rounded; what that loses is added back.
  Value half = m.mul(square, m.f(0.5));
  Value top = m.sub(m.f(1), half);
  Value lost = m.sub(m.sub(m.f(1), top), half);
  return m.add(top, m.add(tail, lost));
}

// sin(|x| + n pi/2) without its sign, and the number of the quadrant.
static std::pair<Value, Value> sinOrCos(MathBuilder &m, Value x, uint32_t turn) {
  Quadrant q = reduce(m, m.abs(x));
  Value n = turn ? m.addI(q.n, m.i(turn)) : q.n;
  Value square = m.mul(q.r, q.r);
  Value even = m.isZero(m.andI(n, m.i(1)));
  return {m.select(even, sinOfReduced(m, q, square), cosOfReduced(m, q, square)), n};
}

Value expandSin(MathBuilder &m, Value x) {
  auto [value, n] = sinOrCos(m, x, 0);
  Value sign = m.xorI(m.f2i(x), m.shiftLeft(n, 30));
  return m.i2f(m.xorI(m.f2i(value), m.andI(sign, m.i(0x80000000))));
}

Value expandCos(MathBuilder &m, Value x) {
  auto [value, n] = sinOrCos(m, x, 1);
  return m.i2f(m.xorI(m.f2i(value), m.andI(m.shiftLeft(n, 30), m.i(0x80000000))));
}

// sin / cos, or -cos / sin in odd quadrants.
Value expandTan(MathBuilder &m, Value x) {
  Quadrant q = reduce(m, m.abs(x));
  Value square = m.mul(q.r, q.r);
  Value sine = sinOfReduced(m, q, square), cosine = cosOfReduced(m, q, square);
  Value even = m.isZero(m.andI(q.n, m.i(1)));
  Value value = m.div(m.select(even, sine, cosine), m.select(even, cosine, sine));
  Value sign = m.xorI(m.f2i(x), m.shiftLeft(q.n, 31));
  return m.i2f(m.xorI(m.f2i(value), m.andI(sign, m.i(0x80000000))));
}

namespace {
// asin(|x|), or asin(sqrt((1 - |x|) / 2)) where |x| > 1/2, as argument + tail.
struct ArcSine {
  Value argument, tail;
  Value upper;  // |x| > 1/2
};
}  // namespace

static ArcSine arcSine(MathBuilder &m, Value a) {
  Value upper = m.less(m.f(0.5), a);
  Value halfRest = m.fma(a, m.f(-0.5), m.f(0.5));
  Value square = m.select(upper, halfRest, m.mul(a, a));
  Value argument = m.select(upper, m.sqrt(halfRest), a);
  return {argument, m.mul(m.mul(argument, square), m.polynomial(kAsin, square)), upper};
}

// scale pi/2 - 2 (argument + tail), smallest last.
static Value reflected(MathBuilder &m, double scale, const ArcSine &s) {
  Value high = m.sub(m.f(scale * kHalfPi[0]), m.add(s.argument, s.argument));
  return m.sub(high, m.sub(m.add(s.tail, s.tail), m.f(scale * kHalfPi[1])));
}

// asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)) beyond 1/2.
Value expandAsin(MathBuilder &m, Value x) {
  ArcSine s = arcSine(m, m.abs(x));
  Value inner = m.add(s.argument, s.tail);
  return m.copySign(m.select(s.upper, reflected(m, 1, s), inner), x);
}

Value expandAcos(MathBuilder &m, Value x) {
  ArcSine s = arcSine(m, m.abs(x));
  Value value = m.add(s.argument, s.tail);
  Value outer = m.select(m.less(x, m.f(0)), reflected(m, 2, s), m.add(value, value));
  Value inner = m.sub(m.f(kHalfPi[0]), m.sub(m.copySign(value, x), m.f(kHalfPi[1])));
  return m.select(s.upper, outer, inner);
}

// atan(t) for t in [0, 1].
static Value atanOfReduced(MathBuilder &m, Value t) {
  Value square = m.mul(t, t);
  return m.fma(m.mul(t, square), m.polynomial(kAtan, square), t);
}

// high + low - value.
static Value fromAngle(MathBuilder &m, double scale, Value value) {
  return m.sub(m.f(scale * kHalfPi[0]), m.sub(value, m.f(scale * kHalfPi[1])));
}

Value expandAtan(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value inverse = m.less(m.f(1), a);
  Value t = m.div(m.select(inverse, m.f(1), a), m.select(inverse, a, m.f(1)));
  Value r = atanOfReduced(m, t);
  return m.copySign(m.select(inverse, fromAngle(m, 1, r), r), x);
}

// Zeros and infinities of both signs as C's atan2 has them: 0 / 0 counts as 0, inf / inf as 1.
Value expandAtan2(MathBuilder &m, Value y, Value x) {
  Value ay = m.abs(y), ax = m.abs(x);
  Value swapped = m.less(ax, ay);
  Value numerator = m.select(swapped, ax, ay), denominator = m.select(swapped, ay, ax);
  Value zero = m.equal(denominator, m.f(0));
  Value t = m.div(numerator, denominator);
  t = m.select(m.equal(numerator, denominator), m.select(zero, m.f(0), m.f(1)), t);
  Value r = atanOfReduced(m, t);
  r = m.select(swapped, fromAngle(m, 1, r), r);
  r = m.select(m.isNegative(m.f2i(x)), fromAngle(m, 2, r), r);
  r = m.copySign(r, y);
  return m.select(m.compare(mlir::arith::CmpFPredicate::UNO, x, y), m.add(x, y), r);
}

}  // namespace crosscut
