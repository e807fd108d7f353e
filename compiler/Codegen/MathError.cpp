// The error function. Around 0 a polynomial relative to x; further out 1 - p(x)^8, as the eighth root of erfc is smooth
// and small enough there that its rounding errors do not count: faster than a division, and more accurate than one
// rational function for the whole line.
#include "compiler/Codegen/MathCoefficients.h"
#include "compiler/Codegen/MathFunctions.h"

using mlir::Value;

namespace crosscut {

using namespace coefficients;

// erf(x) for |x| <= 1.2.
static Value erfSmall(MathBuilder &m, Value x) { return m.fma(x, m.polynomial(kErfSmall, m.mul(x, x)), x); }

Value expandErf(MathBuilder &m, Value x) {
  Value a = m.atMost(m.abs(x), 3.95);  // from here on 1
  Value root = m.polynomial(kErfTail, m.sub(a, m.f(2.25)));
  Value square = m.mul(root, root);
  Value fourth = m.mul(square, square);
  Value large = m.sub(m.f(1), m.mul(fourth, fourth));
  return m.copySign(m.select(m.less(a, m.f(1.2)), erfSmall(m, a), large), x);
}

// erfc(a) = exp(-a^2) p((a - 2) / (a + 2)) / (a + 2). The square is exact in two parts, as its error would be
// multiplied by itself.
Value expandErfc(MathBuilder &m, Value x) {
  Value a = m.atMost(m.abs(x), 10.1);  // from here on 0
  auto [square, squareRest] = m.exactProduct(a, a);
  constexpr double kRounder = 0x1.8p23 + 254;
  Value shifted = m.fma(square, m.f(-kLog2E[0]), m.f(kRounder));
  Value n = m.sub(shifted, m.f(kRounder));
  Value r = m.subProduct(m.neg(square), n, kLn2[0]);
  r = m.sub(m.subProduct(r, n, kLn2[1]), squareRest);
  Value power = expOfReduced(m, r);

  Value reciprocal = m.div(m.f(1), m.add(a, m.f(2)));
  Value t = m.mul(m.sub(a, m.f(2)), reciprocal);
  Value p = m.mul(m.polynomial(kErfcScaled, t), reciprocal);
  Value large = scaleByPower(m, m.mul(power, p), m.f2i(shifted));
  large = m.select(m.less(x, m.f(0)), m.sub(m.f(2), large), large);
  return m.select(m.less(a, m.f(0.65)), m.sub(m.f(1), erfSmall(m, x)), large);
}

}  // namespace crosscut
