// See Shapes.h. Static dimensions come from the type; dynamic ones are traced to the operations that chose them.
#include "compiler/Plan/Shapes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace crosscut {

Size Shapes::sizeOf(OpFoldResult value) {
  if (auto attr = dyn_cast<Attribute>(value)) return symbols.constant(cast<IntegerAttr>(attr).getInt());
  return sizeOf(cast<Value>(value));
}

Size Shapes::sizeOf(Value value) {
  if (auto constant = getConstantIntValue(value)) return symbols.constant(*constant);
  Operation *op = value.getDefiningOp();
  if (!op) return symbols.symbolFor(value);
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    // The dimension of an argument is a symbol itself: the operation stays as the value that the entry point loads.
    if (index && !isa<BlockArgument>(dim.getSource())) return dimsOf(dim.getSource())[*index];
    if (index) {
      auto type = cast<RankedTensorType>(dim.getSource().getType());
      if (!type.isDynamicDim(*index)) return symbols.constant(type.getDimSize(*index));
      return dimsOf(dim.getSource())[*index];
    }
  }
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
    Value source = op->getOperand(0);
    // An index that came from a narrower or wider integer may be computed from sizes again.
    if (auto *inner = source.getDefiningOp())
      if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::AddIOp, arith::SubIOp, arith::MulIOp>(inner))
        return sizeOf(source);
    return symbols.symbolFor(value);
  }
  if (auto add = dyn_cast<arith::AddIOp>(op)) return sizeOf(add.getLhs()) + sizeOf(add.getRhs());
  if (auto sub = dyn_cast<arith::SubIOp>(op)) return sizeOf(sub.getLhs()) - sizeOf(sub.getRhs());
  if (auto mul = dyn_cast<arith::MulIOp>(op)) return sizeOf(mul.getLhs()) * sizeOf(mul.getRhs());
  if (isa<arith::DivUIOp, arith::FloorDivSIOp>(op)) {
    Size divisor = sizeOf(op->getOperand(1));
    if (constantOf(divisor).value_or(0) > 0) return sizeOf(op->getOperand(0)).floorDiv(divisor);
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    SmallVector<AffineExpr> dims, syms;
    for (Value v : apply.getDimOperands()) dims.push_back(sizeOf(v));
    for (Value v : apply.getSymbolOperands()) syms.push_back(sizeOf(v));
    return apply.getAffineMap().getResult(0).replaceDimsAndSymbols(dims, syms);
  }
  return symbols.symbolFor(value);
}

const Sizes &Shapes::dimsOf(Value tensor) {
  auto it = known.find(tensor);
  if (it != known.end()) return it->second;
  Sizes dims = computeDims(tensor);
  return known[tensor] = std::move(dims);
}

Sizes Shapes::computeDims(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Sizes dims;
  for (int64_t dim : type.getShape()) dims.push_back(ShapedType::isDynamic(dim) ? Size() : symbols.constant(dim));
  if (type.hasStaticShape()) return dims;
  auto fill = [&](auto sizeAt) {
    for (auto [i, dim] : llvm::enumerate(dims))
      if (!dim) dim = sizeAt(i);
  };
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    OpBuilder builder = OpBuilder::atBlockBegin(argument.getOwner());
    fill([&](size_t i) {
      return symbols.symbolFor(tensor::DimOp::create(builder, tensor.getLoc(), tensor, static_cast<int64_t>(i)));
    });
    return dims;
  }
  Operation *op = tensor.getDefiningOp();
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    Sizes init = dimsOf(linalgOp.getDpsInits()[cast<OpResult>(tensor).getResultNumber()]);
    fill([&](size_t i) { return init[i]; });
  } else if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
    SmallVector<OpFoldResult> sizes = empty.getMixedSizes();
    fill([&](size_t i) { return sizeOf(sizes[i]); });
  } else if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    Sizes source = dimsOf(cast.getSource());
    fill([&](size_t i) { return source[i]; });
  } else if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Sizes source = dimsOf(pad.getSource());
    SmallVector<OpFoldResult> low = pad.getMixedLowPad(), high = pad.getMixedHighPad();
    fill([&](size_t i) { return source[i] + sizeOf(low[i]) + sizeOf(high[i]); });
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<OpFoldResult> sizes = expand.getMixedOutputShape();
    fill([&](size_t i) { return sizeOf(sizes[i]); });
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    Sizes source = dimsOf(collapse.getSrc());
    auto groups = collapse.getReassociationIndices();
    fill([&](size_t i) {
      Size size = symbols.constant(1);
      for (int64_t d : groups[i]) size = size * source[d];
      return size;
    });
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    SmallVector<OpFoldResult> sizes = slice.getMixedSizes();
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    Sizes kept;
    for (auto [i, size] : llvm::enumerate(sizes))
      if (!dropped[i]) kept.push_back(sizeOf(size));
    fill([&](size_t i) { return kept[i]; });
  } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    Sizes dest = dimsOf(insert.getDest());
    fill([&](size_t i) { return dest[i]; });
  } else if (auto call = dyn_cast<func::CallOp>(op)) {
    // A plugin's call gives the open dimensions of its results, one after the other, as its last operands.
    SmallVector<Value> sizes =
        llvm::to_vector(llvm::make_filter_range(call.getOperands(), [](Value v) { return v.getType().isIndex(); }));
    unsigned next = 0;
    for (Value result : call.getResults().take_front(llvm::cast<OpResult>(tensor).getResultNumber()))
      next += llvm::cast<RankedTensorType>(result.getType()).getNumDynamicDims();
    fill([&](size_t) { return next < sizes.size() ? sizeOf(sizes[next++]) : symbols.constant(0); });
  } else if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    fill([&](size_t i) {
      Size size = dimsOf(concat.getInputs()[0])[i];
      if (i == concat.getDim())
        for (Value input : llvm::drop_begin(concat.getInputs())) size = size + dimsOf(input)[i];
      return size;
    });
  } else {
    // Unknown to planning, which refuses it by name later; the dimension itself can still be asked for.
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    fill([&](size_t i) {
      return symbols.symbolFor(tensor::DimOp::create(builder, tensor.getLoc(), tensor, static_cast<int64_t>(i)));
    });
  }
  return dims;
}

}  // namespace crosscut
