// The operations one by one: which are only another view of memory, which copy, which compute.
#include "compiler/Plan/Planner.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace crosscut {

llvm::Error Planner::visitGeneric(linalg::GenericOp op) {
  if (TypedAttr fill = matchFill(op)) {
    TensorRef ref = refOf(op.getDpsInits()[0]);
    ref.buffer = nullptr;
    ref.splat = fill;
    ref.strides.assign(ref.dims.size(), constant(0));
    ref.offset = constant(0);
    finish(op->getResult(0), ref, op);
    return llvm::Error::success();
  }
  if (OpOperand *input = matchCopy(op)) {
    TensorRef source = refOf(input->get());
    Access access = accessFor(source, op.getMatchingIndexingMap(input), op.getNumLoops());
    AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    TensorRef view = source;
    view.dims = shapes.dimsOf(op->getResult(0));
    view.offset = access.offset;
    view.strides.clear();
    for (unsigned d = 0; d < output.getNumResults(); ++d)
      view.strides.push_back(access.strides[output.getDimPosition(d)]);
    AffineMap map = op.getMatchingIndexingMap(input);
    for (unsigned d = 0; d < map.getNumResults(); ++d)
      if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(d)))
        for (unsigned e = 0; e < output.getNumResults(); ++e)
          if (output.getDimPosition(e) == dim.getPosition()) constrain(view.dims[e], source.dims[d]);
    finish(op->getResult(0), view, op);
    return llvm::Error::success();
  }
  if (tryEpilogue(op)) return llvm::Error::success();
  llvm::Expected<Nest> nest = makeNest(op);
  if (!nest) return nest.takeError();
  Step step;
  step.name = nameOf(op);
  step.nest = std::move(*nest);
  for (Value result : op->getResults())
    if (!op.getMatchingIndexingMap(op.getTiedOpOperand(cast<OpResult>(result))).isProjectedPermutation())
      return llvm::createStringError(step.name + ": a result that is not indexed by loops alone");
  if (op.getNumReductionLoops() && mayTakeEpilogue(op)) {
    pending[op->getResult(0).getAsOpaquePointer()] = std::move(step);
    return llvm::Error::success();
  }
  for (OpResult result : op->getResults()) {
    TensorRef ref = destinationOf(result);
    step.outputs.push_back(accessFor(ref, op.getMatchingIndexingMap(op.getTiedOpOperand(result)), op.getNumLoops()));
    refs[result] = ref;
  }
  emitReduction(std::move(step));
  return llvm::Error::success();
}

llvm::Error Planner::visitPad(tensor::PadOp op) {
  auto value = op.getConstantPaddingValue();
  auto constantOp = value ? value.getDefiningOp<arith::ConstantOp>() : arith::ConstantOp();
  if (!constantOp) return llvm::createStringError(nameOf(op) + ": padding with a value that is no constant");
  Sizes low;
  for (OpFoldResult l : op.getMixedLowPad()) low.push_back(shapes.sizeOf(l));
  TensorRef source = refOf(op.getSource());
  TensorRef whole = destinationOf(op.getResult(), tensorNameOf(op.getSource()) + " (padded)");
  Step border;
  border.kind = StepKind::FillBorder;
  border.name = nameOf(op) + ".border";
  border.outer = whole;
  border.low = low;
  border.innerDims = source.dims;
  border.value = constantOp.getValue();
  emit(std::move(border));
  TensorRef inner = sliceView(whole, low, {}, source.dims);
  if (!sameMemory(inner, source)) copy(source, inner, nameOf(op) + ".pad");
  // The border is written once, but after the buffer came to life with its interior: it must live from the first step.
  refs[op.getResult()] = whole;
  return llvm::Error::success();
}

llvm::Error Planner::visitConcat(tensor::ConcatOp op) {
  TensorRef whole = destinationOf(op.getResult());
  Sizes offsets(whole.dims.size(), constant(0));
  for (Value input : op.getInputs()) {
    TensorRef source = refOf(input);
    TensorRef part = sliceView(whole, offsets, {}, source.dims);
    if (!sameMemory(part, source)) copy(source, part, nameOf(op));
    offsets[op.getDim()] = offsets[op.getDim()] + source.dims[op.getDim()];
  }
  refs[op.getResult()] = whole;
  return llvm::Error::success();
}

llvm::Error Planner::visitInsertSlice(tensor::InsertSliceOp op) {
  TensorRef whole = destinationOf(op.getResult());
  copy(refOf(op.getDest()), whole, nameOf(op));
  Sizes offsets, steps, sizes;
  for (OpFoldResult v : op.getMixedOffsets()) offsets.push_back(shapes.sizeOf(v));
  for (OpFoldResult v : op.getMixedStrides()) steps.push_back(shapes.sizeOf(v));
  for (OpFoldResult v : op.getMixedSizes()) sizes.push_back(shapes.sizeOf(v));
  TensorRef part = sliceView(whole, offsets, steps, sizes);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  TensorRef narrow = part;
  narrow.dims.clear();
  narrow.strides.clear();
  for (unsigned d = 0; d < sizes.size(); ++d)
    if (!dropped[d]) {
      narrow.dims.push_back(part.dims[d]);
      narrow.strides.push_back(part.strides[d]);
    }
  copy(refOf(op.getSource()), narrow, nameOf(op));
  refs[op.getResult()] = whole;
  return llvm::Error::success();
}

llvm::Error Planner::visitReshape(Operation *op, Value source, llvm::ArrayRef<ReassociationIndices> groups,
                                  bool expands) {
  TensorRef ref = refOf(source);
  const Sizes dims = shapes.dimsOf(op->getResult(0));
  // Shapes that come from data must not reach beyond the tensor.
  for (auto [i, group] : llvm::enumerate(groups)) {
    Size size = constant(1);
    for (int64_t d : group) size = size * (expands ? dims[d] : ref.dims[d]);
    constrain(expands ? ref.dims[i] : dims[i], size);
  }
  if (expands) {
    finish(op->getResult(0), expandView(ref, groups, dims), op);
    return llvm::Error::success();
  }
  std::optional<TensorRef> view = collapseView(ref, groups, dims);
  if (auto placed = placements.find(op->getResult(0)); !view && placed != placements.end()) {
    view = placed->second;
    copy(ref, expandView(*view, groups, ref.dims), nameOf(op));
  }
  if (!view) {
    // In the order of the layout where that keeps what becomes one dimension together, else in the model's.
    Order order = layout.orderOf(source);
    if (!collapseView(denseRef(nullptr, ref.elementType, ref.dims, order), groups, dims))
      order = naturalOrder(ref.dims.size());
    view = collapseView(materialize(ref, order, nameOf(op)), groups, dims);
  }
  finish(op->getResult(0), *view, op);
  return llvm::Error::success();
}

}  // namespace crosscut
