// Scalar arithmetic of linalg bodies: one name for floats, signed and unsigned integers.
//
// Integer division is defined for every pair of operands here, because ONNX feeds run-time data into it and the
// machine's instruction would trap: no model input may end the process.
#include "compiler/Import/Emitter.h"

namespace crosscut::onnxir {

using namespace mlir;

bool isUnsigned(ElementType type) {
  return type == kU8 || type == kU16 || type == kU32 || type == kU64 || type == kBool;
}
bool isFloat(ElementType type) { return type == kF32 || type == kF16 || type == kBF16 || type == kF64; }
bool isInteger(ElementType type) { return (type >= kU8 && type <= kI64) || type == kU32 || type == kU64; }

std::optional<int64_t> constantOf(OpFoldResult value) { return getConstantIntValue(value); }

static bool isF(Value v) { return llvm::isa<FloatType>(v.getType()); }

Value Body::integer(Type type, int64_t value) {
  if (llvm::isa<IndexType>(type)) return arith::ConstantIndexOp::create(b, loc, value);
  unsigned width = llvm::cast<IntegerType>(type).getWidth();
  return arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(type, APInt(width, uint64_t(value), /*isSigned=*/false, /*implicitTrunc=*/true)));
}
Value Body::constant(Type type, double value) {
  if (auto f = llvm::dyn_cast<FloatType>(type)) return arith::ConstantOp::create(b, loc, b.getFloatAttr(f, value));
  return integer(type, int64_t(value));
}
Value Body::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value Body::iv(unsigned dim) { return linalg::IndexOp::create(b, loc, dim); }

Value Body::add(Value a, Value c) { return isF(a) ? op<arith::AddFOp>(a, c) : op<arith::AddIOp>(a, c); }
Value Body::sub(Value a, Value c) { return isF(a) ? op<arith::SubFOp>(a, c) : op<arith::SubIOp>(a, c); }
Value Body::mul(Value a, Value c) { return isF(a) ? op<arith::MulFOp>(a, c) : op<arith::MulIOp>(a, c); }

// The constant integer that `v` is, if it is one.
static std::optional<int64_t> integerConstant(Value v) { return getConstantIntValue(v); }

Value Body::div(Value a, Value c) {
  if (isF(a)) return op<arith::DivFOp>(a, c);
  auto known = integerConstant(c);
  if (known && *known > 0) return isUnsigned ? op<arith::DivUIOp>(a, c) : op<arith::DivSIOp>(a, c);
  Value one = integer(a.getType(), 1), zero = integer(a.getType(), 0);
  if (isUnsigned) return op<arith::DivUIOp>(a, select(eq(c, zero), one, c));
  // INT_MIN / -1 traps too: divide by 1 and negate.
  Value minusOne = eq(c, integer(a.getType(), -1));
  Value quotient = op<arith::DivSIOp>(a, select(ori(minusOne, eq(c, zero)), one, c));
  return select(minusOne, sub(zero, a), quotient);
}
Value Body::rem(Value a, Value c) {
  if (isF(a)) return op<arith::RemFOp>(a, c);
  auto known = integerConstant(c);
  if (known && *known > 0) return isUnsigned ? op<arith::RemUIOp>(a, c) : op<arith::RemSIOp>(a, c);
  Value one = integer(a.getType(), 1), zero = integer(a.getType(), 0);
  if (isUnsigned) return op<arith::RemUIOp>(a, select(eq(c, zero), one, c));
  return op<arith::RemSIOp>(a, select(ori(eq(c, integer(a.getType(), -1)), eq(c, zero)), one, c));
}
Value Body::floorMod(Value a, Value c) {
  Value r = rem(a, c);
  if (!isF(a) && isUnsigned) return r;
  // The remainder takes the divisor's sign.
  Value zero = like(a, 0);
  Value differ = xori(lt(r, zero), lt(c, zero));
  return select(andi(ne(r, zero), differ), add(r, c), r);
}
Value Body::neg(Value a) { return isF(a) ? op<arith::NegFOp>(a) : sub(like(a, 0), a); }
Value Body::abs(Value a) {
  if (isF(a)) return op<math::AbsFOp>(a);
  return isUnsigned ? a : select(lt(a, like(a, 0)), neg(a), a);
}

static Value compare(Body &body, Value a, Value c, arith::CmpFPredicate f, arith::CmpIPredicate s,
                     arith::CmpIPredicate u) {
  if (isF(a)) return body.op<arith::CmpFOp>(f, a, c);
  return body.op<arith::CmpIOp>(body.isUnsigned ? u : s, a, c);
}
Value Body::lt(Value a, Value c) {
  return compare(*this, a, c, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt, arith::CmpIPredicate::ult);
}
Value Body::le(Value a, Value c) {
  return compare(*this, a, c, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle, arith::CmpIPredicate::ule);
}
Value Body::gt(Value a, Value c) {
  return compare(*this, a, c, arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt, arith::CmpIPredicate::ugt);
}
Value Body::ge(Value a, Value c) {
  return compare(*this, a, c, arith::CmpFPredicate::OGE, arith::CmpIPredicate::sge, arith::CmpIPredicate::uge);
}
Value Body::eq(Value a, Value c) {
  return compare(*this, a, c, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq, arith::CmpIPredicate::eq);
}
Value Body::ne(Value a, Value c) {
  return compare(*this, a, c, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne, arith::CmpIPredicate::ne);
}
// Which of two zeros is less, ONNX leaves open; a NaN is passed on.
Value Body::min(Value a, Value c) {
  if (isF(a)) return op<arith::MinimumFOp>(a, c, arith::FastMathFlags::nsz);
  return isUnsigned ? op<arith::MinUIOp>(a, c) : op<arith::MinSIOp>(a, c);
}
Value Body::max(Value a, Value c) {
  if (isF(a)) return op<arith::MaximumFOp>(a, c, arith::FastMathFlags::nsz);
  return isUnsigned ? op<arith::MaxUIOp>(a, c) : op<arith::MaxSIOp>(a, c);
}
Value Body::select(Value condition, Value a, Value c) { return op<arith::SelectOp>(condition, a, c); }
Value Body::andi(Value a, Value c) { return op<arith::AndIOp>(a, c); }
Value Body::ori(Value a, Value c) { return op<arith::OrIOp>(a, c); }
Value Body::xori(Value a, Value c) { return op<arith::XOrIOp>(a, c); }
Value Body::logicalNot(Value a) { return xori(a, integer(a.getType(), 1)); }

Value Body::cast(Value v, ElementType from, ElementType to) {
  if (from == to) return v;
  Emitter types(b, loc);
  Type type = types.elementType(to);
  if (to == kBool) return ne(v, like(v, 0));
  if (isF(v)) {
    if (llvm::isa<FloatType>(type)) return v;
    // Unsigned: by way of a wider signed type, so that negative numbers wrap as they do in numpy.
    unsigned width = type.getIntOrFloatBitWidth();
    if (onnxir::isUnsigned(to) && width == 64) return op<arith::FPToUIOp>(type, v);
    unsigned wide = width < 32 ? 32 : (onnxir::isUnsigned(to) ? 64 : width);
    Value integer = op<arith::FPToSIOp>(b.getIntegerType(wide), v);
    return wide == width ? integer : op<arith::TruncIOp>(type, integer);
  }
  bool fromUnsigned = onnxir::isUnsigned(from);
  if (llvm::isa<FloatType>(type)) return fromUnsigned ? op<arith::UIToFPOp>(type, v) : op<arith::SIToFPOp>(type, v);
  unsigned have = v.getType().getIntOrFloatBitWidth(), want = type.getIntOrFloatBitWidth();
  if (have == want) return v;
  if (have > want) return op<arith::TruncIOp>(type, v);
  return fromUnsigned ? op<arith::ExtUIOp>(type, v) : op<arith::ExtSIOp>(type, v);
}

Value Body::toIndex(Value v) {
  if (llvm::isa<IndexType>(v.getType())) return v;
  if (auto from = v.getDefiningOp<arith::IndexCastOp>())
    if (llvm::isa<IndexType>(from.getIn().getType())) return from.getIn();
  return isUnsigned ? op<arith::IndexCastUIOp>(b.getIndexType(), v) : op<arith::IndexCastOp>(b.getIndexType(), v);
}
Value Body::fromIndex(Value v, Type type) { return op<arith::IndexCastOp>(type, v); }
Value Body::toFloat(Value index) { return op<arith::SIToFPOp>(b.getF32Type(), fromIndex(index, b.getI32Type())); }

Value Body::wrapIndex(Value index, Value size) {
  Body s{b, loc, false};
  Value zero = s.integer(index.getType(), 0), one = s.integer(index.getType(), 1);
  Value wrapped = s.select(s.lt(index, zero), s.add(index, size), index);
  return s.max(s.min(wrapped, s.sub(size, one)), zero);
}

Value extract(Body &body, Value tensor, ValueRange indices) {
  return tensor::ExtractOp::create(body.b, body.loc, tensor, indices);
}

}  // namespace crosscut::onnxir
