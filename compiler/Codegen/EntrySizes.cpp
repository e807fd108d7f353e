// Sizes and scalars that an entry point computes from the dimensions and elements of its arguments.
#include "compiler/Codegen/EntryBuilder.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace crosscut {

// A scalar of the model's function, computed here: dimensions and elements of arguments are loaded, the rest is copied.
llvm::Expected<Value> EntryBuilder::hostValue(Value value) {
  if (Value known = hostValues.lookup(value)) return known;
  Operation *op = value.getDefiningOp();
  Value result;
  if (!op) return llvm::createStringError("internal: an argument of the function that is no tensor");
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    auto argument = dyn_cast<BlockArgument>(dim.getSource());
    auto index = dim.getConstantIndex();
    if (!argument || !index) return llvm::createStringError("a shape that depends on computed data is not supported");
    Value dims = loadPointer(gep(tensor(argument.getArgNumber()), offsetof(xcut_tensor, dims)));
    Value wide = loadInt(gep(dims, 8 * *index), 64);
    result = arith::IndexCastOp::create(b, loc, b.getIndexType(), wide);
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    Value source = extract.getTensor();
    while (auto cast = source.getDefiningOp<tensor::CastOp>()) source = cast.getSource();
    auto argument = dyn_cast<BlockArgument>(source);
    if (!argument) return llvm::createStringError("a shape or index that depends on computed data is not supported");
    auto type = cast<RankedTensorType>(source.getType());
    readInputs.insert(argument.getArgNumber());
    Value data = loadPointer(gep(tensor(argument.getArgNumber()), offsetof(xcut_tensor, data)));
    Type element = type.getElementType();
    Value at = c(0);
    for (auto [d, index] : llvm::enumerate(extract.getIndices())) {
      llvm::Expected<Value> i = hostValue(index);
      if (!i) return i.takeError();
      llvm::Expected<Value> extent = expand(plan.inputDims[argument.getArgNumber()][d]);
      if (!extent) return extent.takeError();
      Value position = arith::IndexCastOp::create(b, loc, indexType, *i);
      position = arith::MinUIOp::create(b, loc, position, arith::SubIOp::create(b, loc, *extent, c(1)));
      at = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, at, *extent), position);
    }
    Value address = gep(data, arith::MulIOp::create(b, loc, at, c(elementBytes(element))));
    Type stored = element.isInteger(1) ? b.getI8Type() : element.isIndex() ? b.getI64Type() : element;
    result = LLVM::LoadOp::create(b, loc, stored, address, elementBytes(element));
    if (element.isInteger(1))
      result = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, result,
                                     arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(0)));
    if (element.isIndex()) result = arith::IndexCastOp::create(b, loc, element, result);
  } else {
    if (op->getNumRegions() || !isa<arith::ArithDialect, math::MathDialect>(op->getDialect()))
      return llvm::createStringError("operation " + op->getName().getStringRef() +
                                     " can not be computed before the kernels run");
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      llvm::Expected<Value> known = hostValue(operand);
      if (!known) return known.takeError();
      mapping.map(operand, *known);
    }
    result = b.clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
  }
  hostValues[value] = result;
  return result;
}

llvm::Expected<Value> EntryBuilder::expand(Size size) {
  if (auto value = constantOf(size)) return c(*value);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    llvm::Expected<Value> value = hostValue(plan.symbols->values()[symbol.getPosition()]);
    if (!value) return value.takeError();
    if (value->getType() == indexType) return *value;
    return arith::IndexCastOp::create(b, loc, indexType, *value).getResult();
  }
  auto binary = cast<AffineBinaryOpExpr>(size);
  llvm::Expected<Value> x = expand(binary.getLHS());
  if (!x) return x.takeError();
  llvm::Expected<Value> y = expand(binary.getRHS());
  if (!y) return y.takeError();
  switch (binary.getKind()) {
    case AffineExprKind::Add: return arith::AddIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::Mul: return arith::MulIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::FloorDiv: return arith::DivUIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::Mod: return arith::RemUIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::CeilDiv: {
      Value up = arith::AddIOp::create(b, loc, *x, arith::SubIOp::create(b, loc, *y, c(1)));
      return arith::DivUIOp::create(b, loc, up, *y).getResult();
    }
    default: return llvm::createStringError("internal: an unexpected size expression");
  }
}

// Bytes of the arena; the byte offset of every slot where it is dynamic.
llvm::Expected<Value> EntryBuilder::arenaBytes(SmallVectorImpl<Value> &slotOffsets) {
  if (!plan.dynamicArena) return c(plan.arenaBytes);
  Value total = c(0);
  for (const Sizes &candidates : plan.slots) {
    slotOffsets.push_back(total);
    Value largest = c(0);
    for (Size candidate : candidates) {
      llvm::Expected<Value> bytes = expand(candidate);
      if (!bytes) return bytes.takeError();
      largest = arith::MaxSIOp::create(b, loc, largest, *bytes);
    }
    Value rounded = arith::AndIOp::create(b, loc, arith::AddIOp::create(b, loc, largest, c(XCUT_ALIGNMENT - 1)),
                                          c(-XCUT_ALIGNMENT));
    total = arith::AddIOp::create(b, loc, total, rounded);
  }
  return total;
}

}  // namespace crosscut
