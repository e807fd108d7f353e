// Operators that compute each output element from the same element of their inputs, with numpy's broadcasting.
//
// Clamps are compare and select with the input last, so that NaN passes through them as ONNX wants.
#include "compiler/Import/Lowerings.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>
#include <limits>

namespace crosscut::onnxir {

using namespace mlir;

namespace {

Value sigmoid(Body &s, Value x) {
  Value one = s.like(x, 1);
  return s.div(one, s.add(one, s.op<math::ExpOp>(s.neg(x))));
}
Value clampLow(Body &s, Value x, Value low) { return s.select(s.lt(x, low), low, x); }
Value clampHigh(Body &s, Value x, Value high) { return s.select(s.gt(x, high), high, x); }
// log(1 + e) for e in 0 ... 1, exact for small e too: what rounding takes from 1 + e is put back by the quotient.
Value logOnePlus(Body &s, Value e) {
  Value one = s.like(e, 1), u = s.add(e, one), lost = s.eq(u, one);
  Value quotient = s.div(e, s.select(lost, one, s.sub(u, one)));
  return s.select(lost, e, s.mul(s.op<math::LogOp>(u), quotient));
}
// log(1 + exp(x)) without overflow.
Value softplus(Body &s, Value x) {
  Value tail = logOnePlus(s, s.op<math::ExpOp>(s.neg(s.abs(x))));
  return s.add(clampLow(s, x, s.like(x, 0)), tail);
}
// x tanh(log(1 + exp(x))) = x n / (n + 2) with n = e (e + 2), e = exp(x); 1 is what it tends to.
Value mish(Body &s, Value x) {
  Value e = s.op<math::ExpOp>(clampHigh(s, x, s.like(x, 20))), two = s.like(x, 2);
  Value n = s.mul(e, s.add(e, two));
  return s.mul(x, s.div(n, s.add(n, two)));
}
Value expMinusOne(Body &s, Value x) { return s.sub(s.op<math::ExpOp>(x), s.like(x, 1)); }

Value gelu(Body &s, Value x, bool tanhForm) {
  Value half = s.mul(s.like(x, 0.5), x);
  Value inner;
  if (tanhForm) {
    Value cube = s.mul(s.mul(x, x), x);
    inner = s.op<math::TanhOp>(s.mul(s.like(x, 0.79788456080286535588), s.add(x, s.mul(s.like(x, 0.044715), cube))));
  } else {
    inner = s.op<math::ErfOp>(s.mul(x, s.like(x, 0.70710678118654752440)));
  }
  return s.mul(half, s.add(s.like(x, 1), inner));
}

// Integer power by squaring, for every exponent.
Value integerPower(Body &s, Value base, Value exponent, bool exponentUnsigned) {
  Value one = s.like(base, 1), zero = s.like(base, 0);
  Type exponentType = exponent.getType();
  Value expZero = s.integer(exponentType, 0);
  Value negative;
  Value magnitude = exponent;
  if (!exponentUnsigned) {
    Body sign{s.b, s.loc, false};
    negative = sign.lt(exponent, expZero);
    magnitude = sign.abs(exponent);
  }
  Value result = one, square = base;
  unsigned bits = exponentType.getIntOrFloatBitWidth();
  for (unsigned k = 0; k < bits; ++k) {
    Value bit = s.andi(s.op<arith::ShRUIOp>(magnitude, s.integer(exponentType, k)), s.integer(exponentType, 1));
    result = s.select(s.ne(bit, expZero), s.mul(result, square), result);
    if (k + 1 < bits) square = s.mul(square, square);
  }
  if (!negative) return result;
  // 1 / base^n: not zero for 1 and -1 alone, where it is base^n itself.
  Value unit = s.ori(s.eq(base, one), s.eq(base, s.integer(base.getType(), -1)));
  return s.select(negative, s.select(unit, result, zero), result);
}

Value sign(Body &s, Value x) {
  Value zero = s.like(x, 0);
  Value positive = s.select(s.gt(x, zero), s.like(x, 1), x);
  return isa<FloatType>(x.getType()) || !s.isUnsigned ? s.select(s.lt(x, zero), s.like(x, -1), positive) : positive;
}

template <typename MathOp>
Value mathOp(Body &s, Value x) {
  return s.op<MathOp>(x);
}

using Unary = Value (*)(Body &, Value);
Unary simpleUnary(StringRef name) {
  return llvm::StringSwitch<Unary>(name)
      .Case("Relu", [](Body &s, Value x) { return clampLow(s, x, s.like(x, 0)); })
      .Case("Sigmoid", [](Body &s, Value x) { return sigmoid(s, x); })
      .Case("HardSwish",
            [](Body &s, Value x) {
              Value gate = s.add(s.mul(x, s.like(x, 1.0 / 6)), s.like(x, 0.5));
              return s.mul(x, clampHigh(s, clampLow(s, gate, s.like(x, 0)), s.like(x, 1)));
            })
      .Case("Softplus", [](Body &s, Value x) { return softplus(s, x); })
      .Case("Softsign", [](Body &s, Value x) { return s.div(x, s.add(s.like(x, 1), s.abs(x))); })
      .Case("Mish", [](Body &s, Value x) { return mish(s, x); })
      .Case("Reciprocal", [](Body &s, Value x) { return s.div(s.like(x, 1), x); })
      .Case("Abs", [](Body &s, Value x) { return s.abs(x); })
      .Case("Neg", [](Body &s, Value x) { return s.neg(x); })
      .Case("Sign", [](Body &s, Value x) { return sign(s, x); })
      .Case("Not", [](Body &s, Value x) { return s.logicalNot(x); })
      .Case("BitwiseNot", [](Body &s, Value x) { return s.xori(x, s.integer(x.getType(), -1)); })
      .Case("Identity", [](Body &, Value x) { return x; })
      .Case("Exp", mathOp<math::ExpOp>)
      .Case("Log", mathOp<math::LogOp>)
      .Case("Sqrt", mathOp<math::SqrtOp>)
      .Case("Tanh", mathOp<math::TanhOp>)
      .Case("Erf", mathOp<math::ErfOp>)
      .Case("Floor", mathOp<math::FloorOp>)
      .Case("Ceil", mathOp<math::CeilOp>)
      .Case("Round", mathOp<math::RoundEvenOp>)
      .Case("Sin", mathOp<math::SinOp>)
      .Case("Cos", mathOp<math::CosOp>)
      .Case("Tan", mathOp<math::TanOp>)
      .Case("Asin", mathOp<math::AsinOp>)
      .Case("Acos", mathOp<math::AcosOp>)
      .Case("Atan", mathOp<math::AtanOp>)
      .Case("Sinh", mathOp<math::SinhOp>)
      .Case("Cosh", mathOp<math::CoshOp>)
      .Case("Asinh", mathOp<math::AsinhOp>)
      .Case("Acosh", mathOp<math::AcoshOp>)
      .Case("Atanh", mathOp<math::AtanhOp>)
      .Default(nullptr);
}

using Binary = Value (Body::*)(Value, Value);
Binary arithmeticOp(StringRef name) {
  return llvm::StringSwitch<Binary>(name)
      .Cases({"Add", "Sum", "Mean"}, &Body::add)
      .Case("Sub", &Body::sub)
      .Case("Mul", &Body::mul)
      .Case("Div", &Body::div)
      .Case("Min", &Body::min)
      .Case("Max", &Body::max)
      .Cases({"And", "BitwiseAnd"}, &Body::andi)
      .Cases({"Or", "BitwiseOr"}, &Body::ori)
      .Cases({"Xor", "BitwiseXor"}, &Body::xori)
      .Default(nullptr);
}
Binary comparisonOp(StringRef name) {
  return llvm::StringSwitch<Binary>(name)
      .Case("Equal", &Body::eq)
      .Case("Less", &Body::lt)
      .Case("LessOrEqual", &Body::le)
      .Case("Greater", &Body::gt)
      .Case("GreaterOrEqual", &Body::ge)
      .Default(nullptr);
}

// x ^ constant without a call for the usual exponents; null for others.
Value knownPower(Body &s, Value x, float exponent) {
  if (exponent == 1) return x;
  if (exponent == 2) return s.mul(x, x);
  if (exponent == 3) return s.mul(s.mul(x, x), x);
  if (exponent == 0.5f) return s.op<math::SqrtOp>(x);
  if (exponent == -1) return s.div(s.like(x, 1), x);
  return {};
}

}  // namespace

LogicalResult lowerUnary(Op &op) {
  Unary fn = simpleUnary(op.node.op);
  if (op.node.op == "Identity") return op.result(0, op.tensor(0)), success();
  op.result(op.e.map(
                op.elementType(), {op.in(0)}, [&](Body &s, ValueRange v) { return fn(s, v[0]); }, op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerActivation(Op &op) {
  StringRef name = op.node.op;
  float alpha = op.attribute("alpha", name == "LeakyRelu"     ? 0.01f
                                      : name == "HardSigmoid" ? 0.2f
                                      : name == "Selu"        ? 1.67326319217681884765625f
                                                              : 1.0f);
  float beta = op.attribute("beta", 0.5f);
  float gamma = op.attribute("gamma", 1.05070102214813232421875f);
  float lambd = op.attribute("lambd", 0.5f), bias = op.attribute("bias", 0.0f);
  bool tanhForm = op.attribute("approximate", "none") == "tanh";
  auto body = [&](Body &s, Value x) -> Value {
    Value zero = s.like(x, 0), a = s.like(x, alpha);
    if (name == "LeakyRelu") return s.select(s.lt(x, zero), s.mul(a, x), x);
    if (name == "Elu") return s.select(s.lt(x, zero), s.mul(a, expMinusOne(s, x)), x);
    if (name == "Selu") {
      Value low = s.sub(s.mul(a, s.op<math::ExpOp>(x)), a);
      return s.mul(s.like(x, gamma), s.select(s.gt(x, zero), x, low));
    }
    if (name == "Celu") return s.select(s.lt(x, zero), s.mul(a, expMinusOne(s, s.div(x, a))), x);
    if (name == "HardSigmoid")
      return clampHigh(s, clampLow(s, s.add(s.mul(a, x), s.like(x, beta)), zero), s.like(x, 1));
    if (name == "ThresholdedRelu") return s.select(s.gt(x, a), x, zero);
    if (name == "Swish") return s.mul(x, sigmoid(s, alpha == 1 ? x : s.mul(a, x)));
    if (name == "Shrink") {
      Value below = s.lt(x, s.like(x, -lambd)), above = s.gt(x, s.like(x, lambd));
      return s.select(below, s.add(x, s.like(x, bias)), s.select(above, s.sub(x, s.like(x, bias)), zero));
    }
    return gelu(s, x, tanhForm);
  };
  op.result(op.e.map(
                op.elementType(), {op.in(0)}, [&](Body &s, ValueRange v) { return body(s, v[0]); }, op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerArithmetic(Op &op) {
  Binary fn = arithmeticOp(op.node.op);
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < op.inputCount(); ++i) inputs.push_back(op.in(i));
  bool mean = op.node.op == "Mean" && inputs.size() > 1;
  op.result(op.e.map(
                op.elementType(), inputs,
                [&](Body &s, ValueRange v) {
                  Value result = v[0];
                  for (Value other : v.drop_front()) result = (s.*fn)(result, other);
                  return mean ? s.mul(result, s.like(result, 1.0 / inputs.size())) : result;
                },
                op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerComparison(Op &op) {
  Binary fn = comparisonOp(op.node.op);
  op.result(op.e.map(
                op.e.elementType(kBool), {op.in(0), op.in(1)},
                [&](Body &s, ValueRange v) { return (s.*fn)(v[0], v[1]); }, op.isUnsigned()),
            kBool);
  return success();
}

LogicalResult lowerMod(Op &op) {
  bool c = op.attribute("fmod", int64_t(0));
  op.result(op.e.map(
                op.elementType(), {op.in(0), op.in(1)},
                [&](Body &s, ValueRange v) { return c ? s.rem(v[0], v[1]) : s.floorMod(v[0], v[1]); }, op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerPow(Op &op) {
  ElementType base = op.type(0), exponent = op.type(1);
  if (base == kBool || exponent == kBool) return op.fail("bool operands are not supported");
  auto constant = op.constantFloat(1);
  if (auto ints = op.constantInts(1); ints && ints->size() == 1 && isFloat(base)) constant = float((*ints)[0]);
  op.result(op.e.map(
                op.elementType(0), {op.in(0), op.in(1)},
                [&](Body &s, ValueRange v) -> Value {
                  if (isFloat(base)) {
                    if (constant)
                      if (Value known = knownPower(s, v[0], *constant)) return known;
                    return s.op<math::PowFOp>(v[0], s.cast(v[1], exponent, kF32));
                  }
                  if (isFloat(exponent)) return s.cast(s.op<math::PowFOp>(s.cast(v[0], base, kF32), v[1]), kF32, base);
                  return integerPower(s, v[0], v[1], isUnsigned(exponent));
                },
                op.isUnsigned()),
            base);
  return success();
}

LogicalResult lowerBitShift(Op &op) {
  bool left = op.attribute("direction", "LEFT") == "LEFT";
  op.result(op.e.map(op.elementType(), {op.in(0), op.in(1)},
                     [&](Body &s, ValueRange v) {
                       unsigned width = v[0].getType().getIntOrFloatBitWidth();
                       // A shift by the width or more (a negative one counts as such) leaves nothing but the sign; the
                       // machine's is undefined.
                       Body plain{s.b, s.loc, true};
                       Value inside = plain.lt(v[1], s.integer(v[1].getType(), width));
                       bool arithmetic = !left && !isUnsigned(op.type());
                       Value count = s.select(inside, v[1], s.integer(v[1].getType(), arithmetic ? width - 1 : 0));
                       if (arithmetic) return s.op<arith::ShRSIOp>(v[0], count);
                       Value shifted = left ? s.op<arith::ShLIOp>(v[0], count) : s.op<arith::ShRUIOp>(v[0], count);
                       return s.select(inside, shifted, s.like(v[0], 0));
                     }),
            op.type());
  return success();
}

LogicalResult lowerClip(Op &op) {
  Value x = op.in(0);
  SmallVector<Value> inputs{x};
  int low = -1, high = -1;
  std::optional<double> lowConstant, highConstant;
  if (op.hasAttribute("min")) lowConstant = op.attribute("min", 0.0f);
  if (op.hasAttribute("max")) highConstant = op.attribute("max", 0.0f);
  for (unsigned i = 1; i < 3; ++i) {
    if (!op.has(i)) continue;
    (i == 1 ? low : high) = inputs.size();
    Dims d = op.dims(i);
    if (d.size() > 1 || (d.size() == 1 && constantOf(d[0]) != 1)) return op.fail("min and max have to be scalars");
    inputs.push_back(op.e.reshape(op.in(i), {}));
  }
  auto constant = [&](Body &s, Value like, double v) { return s.like(like, v); };
  op.result(op.e.map(
                op.dims(0), op.elementType(), inputs,
                [&](Body &s, ValueRange v) {
                  Value y = v[0];
                  if (low >= 0 || lowConstant) y = clampLow(s, y, low >= 0 ? v[low] : constant(s, y, *lowConstant));
                  if (high >= 0 || highConstant)
                    y = clampHigh(s, y, high >= 0 ? v[high] : constant(s, y, *highConstant));
                  return y;
                },
                op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerPRelu(Op &op) {
  Dims d = op.dims(0);
  op.result(op.e.map(
                d, op.elementType(), {op.in(0), op.in(1)},
                [&](Body &s, ValueRange v) {
                  return s.isUnsigned ? v[0] : s.select(s.lt(v[0], s.like(v[0], 0)), s.mul(v[0], v[1]), v[0]);
                },
                op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerWhere(Op &op) {
  op.result(op.e.map(op.elementType(1), {op.in(0), op.in(1), op.in(2)},
                     [](Body &s, ValueRange v) { return s.select(v[0], v[1], v[2]); }),
            op.type(1));
  return success();
}

LogicalResult lowerIsNaN(Op &op) {
  op.result(op.e.map(op.e.elementType(kBool), {op.in(0)},
                     [](Body &s, ValueRange v) { return s.op<arith::CmpFOp>(arith::CmpFPredicate::UNO, v[0], v[0]); }),
            kBool);
  return success();
}

LogicalResult lowerIsInf(Op &op) {
  bool negative = op.attribute("detect_negative", int64_t(1)), positive = op.attribute("detect_positive", int64_t(1));
  double infinity = std::numeric_limits<double>::infinity();
  op.result(op.e.map(op.e.elementType(kBool), {op.in(0)},
                     [&](Body &s, ValueRange v) -> Value {
                       Value result = s.integer(s.b.getI1Type(), 0);
                       if (positive) result = s.eq(v[0], s.like(v[0], infinity));
                       if (negative) result = s.ori(result, s.eq(v[0], s.like(v[0], -infinity)));
                       return result;
                     }),
            kBool);
  return success();
}

LogicalResult lowerCast(Op &op) {
  ElementType to = op.node.op == "CastLike" ? op.type(1) : static_cast<ElementType>(op.attribute("to", int64_t(0)));
  if (!isSupported(to)) return op.fail(Twine("type ") + elementTypeName(to) + " is not supported");
  ElementType from = op.type();
  if (from == to) return op.result(0, op.tensor(0)), success();
  op.result(op.e.map(
                op.e.elementType(to), {op.in(0)}, [&](Body &s, ValueRange v) { return s.cast(v[0], from, to); },
                op.isUnsigned()),
            to);
  return success();
}

}  // namespace crosscut::onnxir
