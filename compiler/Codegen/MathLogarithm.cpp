// log and its relatives. x = m 2^e with m in [sqrt(1/2), sqrt(2)), so that e is 0 around 1 and nothing cancels; then
// log(x) = e ln 2 + log(1 + f), f = m - 1.
#include "compiler/Codegen/MathCoefficients.h"
#include "compiler/Codegen/MathFunctions.h"

using mlir::Value;

namespace crosscut {

using namespace coefficients;

static constexpr uint32_t kSqrtHalfBits = 0x3f3504f3;

namespace {
struct Reduced {
  Value e;  // an integer, as a float
  Value f;
};
}  // namespace

// The m of bits that had kSqrtHalfBits subtracted.
static Value mantissa(MathBuilder &m, Value offsetBits) {
  return m.i2f(m.addI(m.andI(offsetBits, m.i(0x007fffff)), m.i(kSqrtHalfBits)));
}

static Reduced reduce(MathBuilder &m, Value x) {
  Value denormal = m.less(x, m.f(0x1p-126));
  Value scaled = m.select(denormal, m.mul(x, m.f(0x1p25)), x);
  Value bits = m.subI(m.f2i(scaled), m.i(kSqrtHalfBits));
  Value e = m.intToFloat(m.shiftRightSigned(bits, 23));
  return {m.add(e, m.select(denormal, m.f(-25), m.f(0))), m.sub(mantissa(m, bits), m.f(1))};
}

// log(1 + f) - f.
static Value log1pTail(MathBuilder &m, Value f) {
  Value square = m.mul(f, f);
  Value cubic = m.mul(m.mul(square, f), m.polynomial(kLog1p, f));
  return m.fma(square, m.f(-0.5), cubic);
}

// log(0) = -inf, log(x < 0) = NaN, log(inf) = inf, log(NaN) = NaN.
static Value specialLogs(MathBuilder &m, Value x, Value result) {
  result = m.select(m.equal(x, m.infinity()), x, result);
  Value atMostZero = m.select(m.equal(x, m.f(0)), m.neg(m.infinity()), m.nan());
  return m.select(m.greater(x, m.f(0)), result, atMostZero);
}

// e ln 2 + f + tail, smallest first.
static Value sumLog(MathBuilder &m, Value e, Value f, Value tail) {
  Value low = m.add(f, m.fma(e, m.f(kLn2[1]), tail));
  return m.fma(e, m.f(kLn2[0]), low);
}

Value expandLog(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, x);
  return specialLogs(m, x, sumLog(m, reduced.e, reduced.f, log1pTail(m, reduced.f)));
}

// (f + tail) k with k = high + low.
static Value scaledLog(MathBuilder &m, Value f, const float (&k)[2]) {
  auto [product, error] = m.exactProduct(f, m.f(k[0]));
  Value low = m.fma(log1pTail(m, f), m.f(k[0]), m.fma(f, m.f(k[1]), error));
  return m.add(product, low);
}

Value expandLog2(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, x);
  return specialLogs(m, x, m.add(reduced.e, scaledLog(m, reduced.f, kLog2E)));
}

Value expandLog10(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, x);
  Value low = m.fma(reduced.e, m.f(kLog10Of2[1]), scaledLog(m, reduced.f, kLog10E));
  return specialLogs(m, x, m.fma(reduced.e, m.f(kLog10Of2[0]), low));
}

// The exponent is that of the rounded 1 + x, but f is made from x itself: (1 + x) 2^-e - 1 = x 2^-e + (2^-e - 1), where
// both terms are exact as long as e <= 24; beyond that the 1 does not count.
static Value log1pFinite(MathBuilder &m, Value x) {
  Value bits = m.subI(m.f2i(m.add(x, m.f(1))), m.i(kSqrtHalfBits));
  Value scale = m.i2f(m.subI(m.i(0x3f800000), m.andI(bits, m.i(0xff800000))));
  Value f = m.fma(x, scale, m.sub(scale, m.f(1)));
  f = m.select(m.greater(x, m.f(0x1p40)), m.sub(mantissa(m, bits), m.f(1)), f);
  Value e = m.intToFloat(m.shiftRightSigned(bits, 23));
  return sumLog(m, e, f, log1pTail(m, f));
}

Value expandLog1p(MathBuilder &m, Value x) {
  Value result = log1pFinite(m, x);
  result = m.select(m.equal(x, m.infinity()), x, result);
  Value atMostMinusOne = m.select(m.equal(x, m.f(-1)), m.neg(m.infinity()), m.nan());
  result = m.select(m.greater(x, m.f(-1)), result, atMostMinusOne);
  return m.select(m.equal(x, m.f(0)), x, result);  // -0 too
}

// log(1 + w) for w >= 0, NaN for w < 0 and NaN; plus ln 2 where `doubled`, which may be null.
static Value log1pPlus(MathBuilder &m, Value w, Value doubled = nullptr) {
  Value result = log1pFinite(m, w);
  if (doubled) result = m.add(result, m.select(doubled, m.f(0.693147180559945), m.f(0)));
  result = m.select(m.less(w, m.infinity()), result, w);
  return m.select(m.less(w, m.f(0)), m.nan(), result);
}

// Beyond 2^30 both are log(2a), where squares could overflow.
static constexpr double kLarge = 0x1p30;

// asinh(a) = log1p(a + a^2 / (1 + sqrt(1 + a^2))).
Value expandAsinh(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value large = m.greater(a, m.f(kLarge));
  Value square = m.mul(a, a);
  Value root = m.sqrt(m.add(square, m.f(1)));
  Value w = m.add(a, m.div(square, m.add(root, m.f(1))));
  return m.copySign(log1pPlus(m, m.select(large, a, w), large), x);
}

// acosh(x) = log1p(t + sqrt(t (t + 2))), t = x - 1, which is exact where it is small.
Value expandAcosh(MathBuilder &m, Value x) {
  Value t = m.sub(x, m.f(1));
  Value large = m.greater(x, m.f(kLarge));
  Value w = m.add(t, m.sqrt(m.mul(t, m.add(t, m.f(2)))));
  Value result = log1pPlus(m, m.select(large, x, w), large);
  return m.select(m.less(x, m.f(1)), m.nan(), result);
}

// atanh(a) = log1p(2a / (1 - a)) / 2; beyond 1 the argument is below -2 and the result NaN.
Value expandAtanh(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value w = m.div(m.add(a, a), m.sub(m.f(1), a));
  return m.copySign(m.mul(m.f(0.5), log1pPlus(m, w)), x);
}

}  // namespace crosscut
