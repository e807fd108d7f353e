// The table from operations to algorithms. Each pattern is one step: what it creates is not matched again, so the
// patterns may run greedily or in one walk.
#include "compiler/Codegen/MathExpansion.h"

#include "compiler/Codegen/MathFunctions.h"
#include "compiler/Codegen/MathRounding.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace crosscut {

namespace {

using Unary = Value (*)(MathBuilder &, Value);
using Binary = Value (*)(MathBuilder &, Value, Value);

// A pattern with what they all need.
template <typename Op>
struct MathPattern : OpRewritePattern<Op> {
  MathPattern(MLIRContext *context, const TargetDescription &target) : OpRewritePattern<Op>(context), target(target) {}
  const TargetDescription &target;

  // f32 to compute in, for f32, f16 and bf16; null for other types.
  static Type computeType(Type type) {
    Type element = getElementTypeOrSelf(type);
    if (!element.isF32() && !element.isF16() && !element.isBF16()) return nullptr;
    Type f32 = Float32Type::get(type.getContext());
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped ? Type(shaped.clone(f32)) : f32;
  }
  static Value widen(OpBuilder &builder, Location loc, Value value, Type type) {
    return value.getType() == type ? value : arith::ExtFOp::create(builder, loc, type, value);
  }
  static Value narrow(OpBuilder &builder, Location loc, Value value, Type type) {
    return value.getType() == type ? value : arith::TruncFOp::create(builder, loc, type, value);
  }
  LogicalResult rewriteUnary(Op op, PatternRewriter &rewriter, Unary expand) const {
    Type type = computeType(op->getResult(0).getType());
    if (!type) return rewriter.notifyMatchFailure(op, "element type is not f32, f16 or bf16");
    MathBuilder m(rewriter, op.getLoc(), type, target);
    Value result = expand(m, widen(rewriter, op.getLoc(), op->getOperand(0), type));
    rewriter.replaceOp(op, narrow(rewriter, op.getLoc(), result, op->getResult(0).getType()));
    return success();
  }
};

template <typename Op, Unary expand>
struct UnaryPattern : MathPattern<Op> {
  using MathPattern<Op>::MathPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    return this->rewriteUnary(op, rewriter, expand);
  }
};

struct ExpPattern : MathPattern<math::ExpOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    return rewriteUnary(op, rewriter, op->hasAttr("xcut.not_positive") ? expandExpNotPositive : expandExp);
  }
};

template <typename Op, Binary expand>
struct BinaryPattern : MathPattern<Op> {
  using MathPattern<Op>::MathPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = this->computeType(op.getType());
    if (!type) return rewriter.notifyMatchFailure(op, "element type is not f32, f16 or bf16");
    MathBuilder m(rewriter, op.getLoc(), type, this->target);
    Value result = expand(m, this->widen(rewriter, op.getLoc(), op.getLhs(), type),
                          this->widen(rewriter, op.getLoc(), op.getRhs(), type));
    rewriter.replaceOp(op, this->narrow(rewriter, op.getLoc(), result, op.getType()));
    return success();
  }
};

// Roundings need no f32: f64 has its own constants.
template <typename Op, Unary expand>
struct RoundingPattern : UnaryPattern<Op, expand> {
  using UnaryPattern<Op, expand>::UnaryPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF64()) return UnaryPattern<Op, expand>::matchAndRewrite(op, rewriter);
    MathBuilder m(rewriter, op.getLoc(), op.getType(), this->target);
    rewriter.replaceOp(op, expand(m, op.getOperand()));
    return success();
  }
};

struct SincosPattern : MathPattern<math::SincosOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(math::SincosOp op, PatternRewriter &rewriter) const override {
    Type type = computeType(op.getOperand().getType());
    if (!type) return rewriter.notifyMatchFailure(op, "element type is not f32, f16 or bf16");
    MathBuilder m(rewriter, op.getLoc(), type, target);
    Value x = widen(rewriter, op.getLoc(), op.getOperand(), type);
    Type resultType = op.getOperand().getType();
    Value sine = narrow(rewriter, op.getLoc(), expandSin(m, x), resultType);
    rewriter.replaceOp(op, {sine, narrow(rewriter, op.getLoc(), expandCos(m, x), resultType)});
    return success();
  }
};

struct FmaPattern : MathPattern<math::FmaOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(math::FmaOp op, PatternRewriter &rewriter) const override {
    if (target.hasFma) return rewriter.notifyMatchFailure(op, "the target has it");
    Value product = arith::MulFOp::create(rewriter, op.getLoc(), op.getA(), op.getB());
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

// x / c for a constant c that is no power of two: x times the reciprocal in two parts, rounded once at the end. Both
// parts have the sign of c, so that infinity stays infinity; a division takes five to ten times as long.
struct DivideByConstantPattern : MathPattern<arith::DivFOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(arith::DivFOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    Attribute value;
    if (!target.hasFma || !getElementTypeOrSelf(type).isF32() || !matchPattern(op.getRhs(), m_Constant(&value)))
      return rewriter.notifyMatchFailure(op, "no fused multiply-add, not f32 or no constant");
    if (auto elements = dyn_cast<DenseFPElementsAttr>(value)) {
      if (!elements.isSplat()) return rewriter.notifyMatchFailure(op, "different divisors");
      value = elements.getSplatValue<Attribute>();
    }
    auto scalar = dyn_cast<FloatAttr>(value);
    if (!scalar) return rewriter.notifyMatchFailure(op, "no constant");
    double divisor = scalar.getValueAsDouble(), reciprocal = 1 / divisor;
    int exponent = 0;
    if (!(std::fabs(divisor) > 0x1p-100 && std::fabs(divisor) < 0x1p100) ||
        std::fabs(std::frexp(divisor, &exponent)) == 0.5)
      return rewriter.notifyMatchFailure(op, "the reciprocal is exact, or not a normal number in two parts");
    float high = static_cast<float>(reciprocal);
    if (std::fabs(high) > std::fabs(reciprocal)) high = std::nextafter(high, 0.0f);
    MathBuilder m(rewriter, op.getLoc(), type, target);
    Value x = op.getLhs();
    rewriter.replaceOp(op, m.fma(x, m.f(high), m.mul(x, m.f(reciprocal - high))));
    return success();
  }
};

// min(max(x, low), high), NaN for NaN.
struct ClampPattern : MathPattern<math::ClampFOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(math::ClampFOp op, PatternRewriter &rewriter) const override {
    MathBuilder m(rewriter, op.getLoc(), op.getType(), target);
    Value x = op.getValue(), low = op.getMin(), high = op.getMax();
    x = m.select(m.greater(low, x), low, x);
    rewriter.replaceOp(op, m.select(m.less(high, x), high, x));
    return success();
  }
};

// a if b is NaN, b if a is.
template <typename Op, bool larger>
struct NumberPattern : MathPattern<Op> {
  using MathPattern<Op>::MathPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    MathBuilder m(rewriter, op.getLoc(), op.getType(), this->target);
    Value a = op.getLhs(), b = op.getRhs();
    Value result = m.select(larger ? m.greater(a, b) : m.less(a, b), a, b);
    rewriter.replaceOp(op, m.select(m.compare(arith::CmpFPredicate::UNO, b, b), a, result));
    return success();
  }
};

// NaN if either is; the zero without (with) the sign of two zeros.
template <typename Op, bool larger>
struct ExtremePattern : MathPattern<Op> {
  using MathPattern<Op>::MathPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32()) return rewriter.notifyMatchFailure(op, "element type is not f32");
    MathBuilder m(rewriter, op.getLoc(), op.getType(), this->target);
    Value a = op.getLhs(), b = op.getRhs();
    Value equal = larger ? m.andI(m.f2i(a), m.f2i(b)) : m.orI(m.f2i(a), m.f2i(b));
    Value result = m.select(larger ? m.greater(a, b) : m.less(a, b), a, b);
    result = m.select(m.equal(a, b), m.i2f(equal), result);
    rewriter.replaceOp(op, m.select(m.compare(arith::CmpFPredicate::UNO, a, b), m.add(a, b), result));
    return success();
  }
};

// isnan: x is unordered with itself; isfinite, isinf, isnormal: |x| against constants.
enum class Class { nan, infinite, finite, normal };
template <typename Op, Class which>
struct ClassPattern : MathPattern<Op> {
  using MathPattern<Op>::MathPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Value x = op.getOperand();
    MathBuilder m(rewriter, op.getLoc(), x.getType(), this->target);
    if (which == Class::nan) {
      rewriter.replaceOp(op, m.compare(arith::CmpFPredicate::UNO, x, x));
      return success();
    }
    const llvm::fltSemantics &format = cast<FloatType>(getElementTypeOrSelf(x.getType())).getFloatSemantics();
    Value a = m.abs(x), infinity = m.f(std::numeric_limits<double>::infinity());
    Value finite = m.less(a, infinity);
    if (which == Class::infinite) finite = m.equal(a, infinity);
    if (which == Class::normal) {
      Value least = m.f(llvm::APFloat::getSmallestNormalized(format).convertToDouble());
      finite = m.andCondition(finite, m.lessEqual(least, a));
    }
    rewriter.replaceOp(op, finite);
    return success();
  }
};

template <typename Op, bool isSigned>
struct FloatToIntPattern : MathPattern<Op> {
  using MathPattern<Op>::MathPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type source = op.getIn().getType();
    bool isF64 = getElementTypeOrSelf(source).isF64();
    Type type = isF64 ? source : this->computeType(source);
    unsigned width = getElementTypeOrSelf(op.getType()).getIntOrFloatBitWidth();
    if (!type || width < 8 || width > 64) return rewriter.notifyMatchFailure(op, "types");
    MathBuilder m(rewriter, op.getLoc(), type, this->target);
    Value x = this->widen(rewriter, op.getLoc(), op.getIn(), type);
    rewriter.replaceOp(op,
                       isSigned ? expandFloatToSigned(m, x, op.getType()) : expandFloatToUnsigned(m, x, op.getType()));
    return success();
  }
};

// x^n by products for small constant n, else as a power of floats.
struct FloatIntPowerPattern : MathPattern<math::FPowIOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(math::FPowIOp op, PatternRewriter &rewriter) const override {
    Type type = computeType(op.getType());
    if (!type) return rewriter.notifyMatchFailure(op, "element type is not f32, f16 or bf16");
    MathBuilder m(rewriter, op.getLoc(), type, target);
    Value x = widen(rewriter, op.getLoc(), op.getLhs(), type);
    APInt constant;
    Value y;
    if (matchPattern(op.getRhs(), m_ConstantInt(&constant)) && constant.getSignificantBits() <= 32)
      y = m.f(static_cast<double>(constant.getSExtValue()));
    else y = m.intToFloat(op.getRhs());
    rewriter.replaceOp(op, narrow(rewriter, op.getLoc(), expandPow(m, x, y), op.getType()));
    return success();
  }
};

// Squaring and multiplying, a loop over the bits of the exponent. Negative exponents: 1 / x^n rounded towards zero,
// that is 0 unless x is 1 or -1.
struct IntPowerPattern : MathPattern<math::IPowIOp> {
  using MathPattern::MathPattern;
  LogicalResult matchAndRewrite(math::IPowIOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getType();
    unsigned width = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
    auto constant = [&](int64_t value) -> Value {
      TypedAttr scalar = rewriter.getIntegerAttr(getElementTypeOrSelf(type), value);
      auto shaped = dyn_cast<ShapedType>(type);
      if (shaped) scalar = DenseElementsAttr::get(shaped, Attribute(scalar));
      return arith::ConstantOp::create(rewriter, loc, scalar);
    };
    auto compare = [&](OpBuilder &b, arith::CmpIPredicate predicate, Value lhs, Value rhs) -> Value {
      return arith::CmpIOp::create(b, loc, predicate, lhs, rhs);
    };
    auto select = [&](OpBuilder &b, Value condition, Value lhs, Value rhs) -> Value {
      return arith::SelectOp::create(b, loc, condition, lhs, rhs);
    };
    Value x = op.getLhs(), y = op.getRhs(), zero = constant(0), one = constant(1), minusOne = constant(-1);
    auto i32 = [&](int32_t value) -> Value {
      return arith::ConstantOp::create(rewriter, loc, rewriter.getI32IntegerAttr(value));
    };
    auto loop = scf::ForOp::create(
        rewriter, loc, i32(0), i32(width), i32(1), ValueRange{one, x, y},
        [&](OpBuilder &b, Location, Value, ValueRange state) {
          Value odd = compare(b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, loc, state[2], one), zero);
          Value product = arith::MulIOp::create(b, loc, state[0], state[1]);
          Value square = arith::MulIOp::create(b, loc, state[1], state[1]);
          Value rest = arith::ShRUIOp::create(b, loc, state[2], one);
          scf::YieldOp::create(b, loc, ValueRange{select(b, odd, product, state[0]), square, rest});
        });
    Value odd = compare(rewriter, arith::CmpIPredicate::ne, arith::AndIOp::create(rewriter, loc, y, one), zero);
    Value inverse =
        select(rewriter, compare(rewriter, arith::CmpIPredicate::eq, x, minusOne), select(rewriter, odd, minusOne, one),
               select(rewriter, compare(rewriter, arith::CmpIPredicate::eq, x, one), one, zero));
    Value negative = compare(rewriter, arith::CmpIPredicate::slt, y, zero);
    rewriter.replaceOp(op, select(rewriter, negative, inverse, loop.getResult(0)));
    return success();
  }
};

}  // namespace

static Value expandRsqrt(MathBuilder &m, Value x) { return m.div(m.f(1), m.sqrt(x)); }

void populateMathExpansionPatterns(RewritePatternSet &patterns, const TargetDescription &target) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ExpPattern, UnaryPattern<math::Exp2Op, expandExp2>, UnaryPattern<math::ExpM1Op, expandExpm1>,
               UnaryPattern<math::LogOp, expandLog>, UnaryPattern<math::Log2Op, expandLog2>,
               UnaryPattern<math::Log10Op, expandLog10>, UnaryPattern<math::Log1pOp, expandLog1p>,
               UnaryPattern<math::TanhOp, expandTanh>, UnaryPattern<math::SinhOp, expandSinh>,
               UnaryPattern<math::CoshOp, expandCosh>, UnaryPattern<math::AsinhOp, expandAsinh>,
               UnaryPattern<math::AcoshOp, expandAcosh>, UnaryPattern<math::AtanhOp, expandAtanh>,
               UnaryPattern<math::SinOp, expandSin>, UnaryPattern<math::CosOp, expandCos>,
               UnaryPattern<math::TanOp, expandTan>, UnaryPattern<math::AsinOp, expandAsin>,
               UnaryPattern<math::AcosOp, expandAcos>, UnaryPattern<math::AtanOp, expandAtan>,
               UnaryPattern<math::ErfOp, expandErf>, UnaryPattern<math::ErfcOp, expandErfc>,
               UnaryPattern<math::CbrtOp, expandCbrt>, UnaryPattern<math::RsqrtOp, expandRsqrt>,
               BinaryPattern<math::PowFOp, expandPow>, BinaryPattern<math::Atan2Op, expandAtan2>,
               RoundingPattern<math::RoundOp, expandRound>, SincosPattern, FmaPattern, DivideByConstantPattern,
               ClampPattern, FloatIntPowerPattern, IntPowerPattern, ClassPattern<math::IsNaNOp, Class::nan>,
               ClassPattern<math::IsInfOp, Class::infinite>, ClassPattern<math::IsFiniteOp, Class::finite>,
               ClassPattern<math::IsNormalOp, Class::normal>>(context, target);
  if (!target.hasRounding)
    patterns.add<RoundingPattern<math::FloorOp, expandFloor>, RoundingPattern<math::CeilOp, expandCeil>,
                 RoundingPattern<math::TruncOp, expandTrunc>, RoundingPattern<math::RoundEvenOp, expandRoundEven>>(
        context, target);
  if (!target.hasMinMaxNum)
    patterns.add<NumberPattern<arith::MaxNumFOp, true>, NumberPattern<arith::MinNumFOp, false>>(context, target);
  bool scalar = target.vectorBits == 0;
  if (scalar && !target.hasMinMaxNum && !target.hasRounding)  // may be soft float, where LLVM calls fmaximumf
    patterns.add<ExtremePattern<arith::MaximumFOp, true>, ExtremePattern<arith::MinimumFOp, false>>(context, target);
  if (target.avoidsVectorRtz)
    patterns.add<FloatToIntPattern<arith::FPToSIOp, true>, FloatToIntPattern<arith::FPToUIOp, false>>(context, target);
}

// Operations that remain for LLVM to make instructions of.
static bool isLowered(Operation *op, const TargetDescription &target) {
  if (isa<math::SqrtOp, math::AbsFOp, math::AbsIOp, math::CopySignOp, math::CountLeadingZerosOp,
          math::CountTrailingZerosOp, math::CtPopOp>(op))
    return true;
  if (isa<math::FmaOp>(op)) return target.hasFma;
  return isa<math::FloorOp, math::CeilOp, math::TruncOp, math::RoundEvenOp>(op) && target.hasRounding;
}

llvm::Error expandMath(ModuleOp module, const TargetDescription &target) {
  RewritePatternSet patterns(module.getContext());
  populateMathExpansionPatterns(patterns, target);
  walkAndApplyPatterns(module, std::move(patterns));

  Operation *left = nullptr;
  module.walk([&](Operation *op) {
    if (op->getName().getDialectNamespace() != "math" || isLowered(op, target)) return WalkResult::advance();
    left = op;
    return WalkResult::interrupt();
  });
  if (!left) return llvm::Error::success();
  std::string text;
  llvm::raw_string_ostream(text) << left->getLoc() << ": " << left->getName().getStringRef() << " on "
                                 << left->getOperand(0).getType() << " is not supported";
  return llvm::createStringError(text);
}

}  // namespace crosscut
