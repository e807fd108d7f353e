// exp and its relatives. x = n ln 2 + r with |r| <= ln 2 / 2: adding 1.5 * 2^23 rounds x / ln 2 to the integer n and
// leaves n in the low bits of the sum, from where a shift makes the exponent of 2^n; no conversion between float and
// integer is needed, which are slow or missing on several targets.
#include "compiler/Codegen/MathCoefficients.h"
#include "compiler/Codegen/MathFunctions.h"

using mlir::Value;

namespace crosscut {

using namespace coefficients;

static constexpr double kRounder = 0x1.8p23;

namespace {
struct Reduced {
  Value r;     // |r| <= ln 2 / 2
  Value bits;  // of the float kRounder + bias + n
};
}  // namespace

static Reduced reduce(MathBuilder &m, Value x, double bias) {
  Value rounder = m.f(kRounder + bias);
  Value shifted = m.fma(x, m.f(kLog2E[0]), rounder);
  Value n = m.sub(shifted, rounder);
  Value r = m.subProduct(m.subProduct(x, n, kLn2[0]), n, kLn2[1]);
  return {r, m.f2i(shifted)};
}

// exp(r) - 1, relative to its own size.
static Value expm1OfReduced(MathBuilder &m, Value r) { return m.fma(m.mul(r, r), m.polynomial(kExpm1, r), r); }

Value expOfReduced(MathBuilder &m, Value r) {
  Value p = m.polynomial(kExp, r);
  // Without a fused multiply-add the last step of Horner's scheme would round twice; on NEON it is shorter so.
  if (!m.target.hasFma || m.isNeon()) return m.add(m.f(1), m.fma(m.mul(r, r), p, r));
  return m.fma(m.fma(p, r, m.f(1)), r, m.f(1));
}

// 2^n is written as a product of two powers, so that neither overflows nor underflows and a denormal result is rounded
// once. The halves of n + 254 are the two biased exponents.
Value scaleByPower(MathBuilder &m, Value p, Value bits) {
  Value half = m.shiftRight(bits, 1);
  Value low = m.i2f(m.shiftLeft(half, 23));
  Value high = m.i2f(m.shiftLeft(m.subI(bits, half), 23));
  return m.mul(m.mul(p, low), high);
}

Value expandExp(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, m.atMost(m.atLeast(x, -104), 89), 254);
  return scaleByPower(m, expOfReduced(m, reduced.r), reduced.bits);
}

// 2^n fits one float when 64 is added to n, as long as n is at most 64.
Value expandExpNotPositive(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, m.atLeast(x, -104), 127 + 64);
  Value scale = m.i2f(m.shiftLeft(reduced.bits, 23));
  return m.mul(m.mul(expOfReduced(m, reduced.r), scale), m.f(0x1p-64));
}

Value expandExp2(MathBuilder &m, Value x) {
  x = m.atMost(m.atLeast(x, -150), 129);
  Value rounder = m.f(kRounder + 254);
  Value shifted = m.add(x, rounder);
  Value r = m.sub(x, m.sub(shifted, rounder));
  Value p = m.fma(m.polynomial(kExp2, r), r, m.f(1));
  return scaleByPower(m, p, m.f2i(shifted));
}

// (exp(x) - 1) / 2 for x in [-18, 89]. The half keeps 2^(n - 1) finite for every n.
static Value halfExpm1(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, x, 126);
  Value scale = m.i2f(m.shiftLeft(reduced.bits, 23));
  return m.fma(scale, expm1OfReduced(m, reduced.r), m.sub(scale, m.f(0.5)));
}

Value expandExpm1(MathBuilder &m, Value x) {
  Value half = halfExpm1(m, m.atMost(m.atLeast(x, -18), 89));
  return m.copySign(m.add(half, half), x);
}

// A polynomial up to 0.65, 1 - 2 / (exp(2a) + 1) from there on, where the fraction's errors count half. From 9.05 on
// it is 1.
Value expandTanh(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value square = m.mul(a, a);
  Value small = m.fma(m.mul(a, square), m.polynomial(kTanh, square), a);
  Reduced reduced = reduce(m, m.atMost(m.add(a, a), 18.1), 127);
  Value scale = m.i2f(m.shiftLeft(reduced.bits, 23));
  Value denominator = m.fma(scale, expOfReduced(m, reduced.r), m.f(1));
  Value large = m.sub(m.f(1), m.div(m.f(2), denominator));
  return m.copySign(m.select(m.less(a, m.f(0.65)), small, large), x);
}

// exp(a) / 2 for a >= 0, finite as long as that is.
static Value halfExp(MathBuilder &m, Value a) {
  Reduced reduced = reduce(m, m.atMost(a, 90), 253);
  return scaleByPower(m, expOfReduced(m, reduced.r), reduced.bits);
}

// With e = exp(a) - 1: (e + e / (e + 1)) / 2; from 10 on exp(-a) is below half an ulp.
Value expandSinh(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value half = halfExpm1(m, m.atMost(a, 10));
  Value small = m.add(half, m.div(half, m.add(m.add(half, half), m.f(1))));
  return m.copySign(m.select(m.less(a, m.f(10)), small, halfExp(m, a)), x);
}

Value expandCosh(MathBuilder &m, Value x) {
  Value half = halfExp(m, m.abs(x));
  return m.add(half, m.div(m.f(0.25), half));
}

}  // namespace crosscut
