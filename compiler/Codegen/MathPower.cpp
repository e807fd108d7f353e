// x^y = 2^(y log2 |x|). The logarithm and the product carry twice the precision of f32, as an error in them is
// multiplied by up to 150 in the result; the exponential does not.
#include "compiler/Codegen/MathCoefficients.h"
#include "compiler/Codegen/MathFunctions.h"

#include "mlir/IR/Matchers.h"

using mlir::Value;

namespace crosscut {

using namespace coefficients;

static constexpr uint32_t kSqrtHalfBits = 0x3f3504f3;

// log2(a 2^shift) as high + low for finite a > 0: a = m 2^e as in log; log(m) = 2 atanh(s), s = (m - 1) / (m + 1).
static std::pair<Value, Value> log2InTwoParts(MathBuilder &m, Value a, Value shift) {
  Value bits = m.subI(m.f2i(a), m.i(kSqrtHalfBits));
  Value e = m.add(m.intToFloat(m.shiftRightSigned(bits, 23)), shift);
  Value mantissa = m.i2f(m.addI(m.andI(bits, m.i(0x007fffff)), m.i(kSqrtHalfBits)));

  Value f = m.sub(mantissa, m.f(1));
  Value sum = m.add(mantissa, m.f(1));
  Value sumRest = m.sub(mantissa, m.sub(sum, m.f(1)));
  Value reciprocal = m.div(m.f(1), sum);
  Value s = m.mul(f, reciprocal);
  auto [back, backRest] = m.exactProduct(s, sum);
  Value remainder = m.sub(m.sub(m.sub(f, back), backRest), m.mul(s, sumRest));
  Value sRest = m.mul(remainder, reciprocal);

  // atanh(s) = s + s^3 / 3 + ...: the second term too needs more than a float has.
  auto [square, squareRest] = m.exactProduct(s, s);
  auto [cube, cubeRest] = m.exactProduct(square, s);
  cubeRest = m.fma(squareRest, s, cubeRest);
  auto [third, thirdRest] = m.exactProduct(cube, m.f(kThird[0]));
  thirdRest = m.fma(cube, m.f(kThird[1]), m.fma(cubeRest, m.f(kThird[0]), thirdRest));
  Value tail = m.fma(m.mul(cube, square), m.polynomial(kAtanh, square), thirdRest);
  tail = m.add(tail, m.fma(sRest, square, sRest));  // the slope of atanh is 1 + s^2 + ...
  auto [high, rounded] = m.quickSum(s, third);
  Value low = m.add(rounded, tail);
  auto [product, productRest] = m.exactProduct(high, m.f(kTwoLog2E[0]));
  productRest = m.fma(high, m.f(kTwoLog2E[1]), m.fma(low, m.f(kTwoLog2E[0]), productRest));
  auto [result, rest] = m.quickSum(e, product);
  return {result, m.add(rest, productRest)};
}

// 2^(high + low).
static Value exp2OfTwoParts(MathBuilder &m, Value high, Value low) {
  Value clamped = m.atMost(m.atLeast(high, -150), 129);
  low = m.select(m.equal(clamped, high), low, m.f(0));
  Value rounder = m.f(0x1.8p23 + 254);
  Value shifted = m.add(clamped, rounder);
  Value r = m.add(m.sub(clamped, m.sub(shifted, rounder)), low);
  Value p = m.fma(m.polynomial(kExp2, r), r, m.f(1));
  return scaleByPower(m, p, m.f2i(shifted));
}

// |y| is an integer: from 2^23 on always, below when adding and subtracting 2^23 leaves it.
static Value isInteger(MathBuilder &m, Value magnitude) {
  Value rounder = m.f(0x1p23);
  Value rounded = m.sub(m.add(magnitude, rounder), rounder);
  return m.orCondition(m.equal(rounded, magnitude), m.lessEqual(rounder, magnitude));
}

// Small constant exponents that multiplication, division or a root do better.
static Value constantPower(MathBuilder &m, Value x, Value y) {
  llvm::APFloat value(0.0f);
  if (!matchPattern(y, mlir::m_ConstantFloat(&value))) return nullptr;
  double exponent = value.convertToDouble();
  if (exponent == 0) return m.f(1);
  if (exponent == 1) return x;
  if (exponent == 2) return m.mul(x, x);
  if (exponent == 3) return m.mul(m.mul(x, x), x);
  if (exponent == -1) return m.div(m.f(1), x);
  if (exponent == 0.5) {  // unlike sqrt: (-0)^0.5 = 0, (-inf)^0.5 = inf
    Value root = m.sqrt(m.add(x, m.f(0)));
    return m.select(m.equal(x, m.neg(m.infinity())), m.infinity(), root);
  }
  return nullptr;
}

Value expandPow(MathBuilder &m, Value x, Value y) {
  if (Value simple = constantPower(m, x, y)) return simple;
  Value a = m.abs(x);
  // What follows takes the scaled value, so that a target that flushes denormals is at one with itself.
  Value denormal = m.less(a, m.f(0x1p-126));
  a = m.select(denormal, m.mul(a, m.f(0x1p25)), a);
  auto [logHigh, logLow] = log2InTwoParts(m, a, m.select(denormal, m.f(-25), m.f(0)));
  // 2^40 times the smallest logarithm is far out of range already.
  Value yClamped = m.atMost(m.atLeast(y, -0x1p40), 0x1p40);
  auto [high, low] = m.exactProduct(yClamped, logHigh);
  Value result = exp2OfTwoParts(m, high, m.fma(yClamped, logLow, low));

  Value zero = m.f(0);
  Value edge = m.orCondition(m.equal(a, zero), m.equal(a, m.infinity()));
  result = m.select(edge, m.select(m.less(y, zero), m.div(m.f(1), a), a), result);

  // Negative x: odd y keep the sign, y that are no integers make NaN (unless x is -0 or -inf). Infinity is even.
  Value yMagnitude = m.abs(y);
  Value integer = isInteger(m, yMagnitude);
  Value even = isInteger(m, m.mul(yMagnitude, m.f(0.5)));
  Value signMask = m.select(even, m.i(0), m.select(integer, m.i(0x80000000), m.i(0)));
  result = m.i2f(m.xorI(m.f2i(result), m.andI(m.f2i(x), signMask)));
  Value negative = m.andCondition(m.less(x, zero), m.less(a, m.infinity()));
  Value fraction = m.compare(mlir::arith::CmpFPredicate::ONE, m.select(integer, zero, yMagnitude), zero);
  result = m.select(m.andCondition(negative, fraction), m.nan(), result);

  result = m.select(m.compare(mlir::arith::CmpFPredicate::UNO, x, y), m.nan(), result);
  Value one = m.orCondition(m.equal(x, m.f(1)), m.equal(y, zero));
  return m.select(one, m.f(1), result);
}

// a = v 2^(3q - 129) with v in [1, 8); a quadratic, then one step of Halley's, whose error is the cube of the guess's.
Value expandCbrt(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value denormal = m.less(a, m.f(0x1p-126));
  Value bits = m.f2i(m.select(denormal, m.mul(a, m.f(0x1p24)), a));
  Value exponent = m.addI(m.shiftRight(bits, 23), m.i(2));
  Value third = m.shiftRight(m.mulI(exponent, m.i(21846)), 16);
  Value rest = m.subI(exponent, m.mulI(third, m.i(3)));
  Value mantissa = m.i2f(m.orI(m.andI(bits, m.i(0x007fffff)), m.i(0x3f800000)));
  Value v = m.mul(mantissa, m.i2f(m.shiftLeft(m.addI(rest, m.i(127)), 23)));
  Value isZero = m.isZero(rest);
  Value isOne = m.isZero(m.subI(rest, m.i(1)));
  Value root = m.select(isZero, m.f(1), m.select(isOne, m.f(1.259921049894873), m.f(1.587401051968199)));
  Value c = m.mul(m.polynomial(kCbrtGuess, mantissa), root);

  // The last bits of c are dropped so that its square is exact.
  c = m.i2f(m.andI(m.f2i(c), m.i(0xfffff000)));
  Value square = m.mul(c, c);
  Value cube = m.mul(square, c);
  Value low = m.exactProduct(square, c).second;
  Value miss = m.add(m.sub(v, cube), m.neg(low));
  Value y = m.fma(c, m.div(miss, m.add(m.add(cube, cube), v)), c);

  Value scale = m.i2f(m.shiftLeft(m.addI(third, m.i(127 - 43)), 23));
  y = m.mul(m.mul(y, scale), m.select(denormal, m.f(0x1p-8), m.f(1)));
  Value regular = m.andCondition(m.less(m.f(0), a), m.less(a, m.infinity()));
  return m.copySign(m.select(regular, y, a), x);
}

}  // namespace crosscut
