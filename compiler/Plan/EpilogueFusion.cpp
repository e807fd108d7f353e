// Joins elementwise operations to the reduction whose result they read, so that they work on registers.
#include "compiler/Plan/Planner.h"

using namespace mlir;

namespace crosscut {

// Emits a waiting reduction with what it has taken in so far.
void Planner::flush(Value value) {
  auto it = pending.find(value.getAsOpaquePointer());
  if (it == pending.end()) return;
  Step step = std::move(it->second);
  pending.erase(it);
  TensorRef ref = destinationOf(value);
  AffineMap map = cast<linalg::GenericOp>(value.getDefiningOp()).getIndexingMapsArray().back();
  // The result's map is in the loops of the operation that made it: the last epilogue's or the nest's own.
  Access access;
  access.ref = ref;
  access.offset = ref.offset;
  access.strides.assign(step.nest.extents.size(), constant(0));
  for (unsigned d = 0; d < map.getNumResults(); ++d) {
    unsigned loop = map.getDimPosition(d);
    if (!step.epilogues.empty()) loop = step.epilogues.back().loopOf[loop];
    access.strides[loop] = ref.strides[d];
  }
  step.outputs.push_back(access);
  emitReduction(std::move(step));
  refs[value] = ref;
}

bool Planner::mayTakeEpilogue(linalg::GenericOp op) {
  if (op->getNumResults() != 1 || !op->hasOneUse() || placements.count(op->getResult(0))) return false;
  OpOperand &use = *op->getUses().begin();
  return use.getOwner()->getBlock() == op->getBlock() && canBeEpilogue(use);
}

// Joins an elementwise operation to the reduction that makes one of its inputs.
bool Planner::tryEpilogue(linalg::GenericOp op) {
  OpOperand *chained = nullptr;
  for (OpOperand *input : op.getDpsInputOperands())
    if (pending.count(input->get().getAsOpaquePointer())) chained = input;  // the last one: it was computed last
  if (!chained || op.getNumReductionLoops() || op->getNumResults() != 1) return false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(input->get().getType()) && !input->get().getDefiningOp<arith::ConstantOp>())
      return false;
    for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults())
      if (!isLinear(expr)) return false;
  }
  Value result = chained->get();
  Step step = std::move(pending[result.getAsOpaquePointer()]);
  pending.erase(result.getAsOpaquePointer());
  // Loops of `op` by the dimensions of the result that they walk.
  AffineMap made = cast<linalg::GenericOp>(result.getDefiningOp()).getIndexingMapsArray().back();
  AffineMap read = op.getMatchingIndexingMap(chained);
  Epilogue epilogue;
  epilogue.op = op;
  epilogue.loopOf.resize(op.getNumLoops());
  for (unsigned d = 0; d < read.getNumResults(); ++d) {
    unsigned loop = made.getDimPosition(d);
    if (!step.epilogues.empty()) loop = step.epilogues.back().loopOf[loop];
    epilogue.loopOf[read.getDimPosition(d)] = loop;
  }
  unsigned loops = step.nest.extents.size();
  for (OpOperand *input : op.getDpsInputOperands()) {
    bool isChained = input == chained;
    epilogue.chained.push_back(isChained);
    Access access;
    access.offset = constant(0);
    if (!isChained) {
      TensorRef ref;
      if (isa<RankedTensorType>(input->get().getType())) {
        ref = refOf(input->get());
      } else {
        ref.splat = input->get().getDefiningOp<arith::ConstantOp>().getValue();
        ref.elementType = input->get().getType();
        ref.offset = constant(0);
      }
      AffineMap map = op.getMatchingIndexingMap(input);
      access = accessFor(ref, map, op.getNumLoops());
      for (unsigned d = 0; d < map.getNumResults(); ++d)
        if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(d)))
          constrain(step.nest.extents[epilogue.loopOf[dim.getPosition()]], ref.dims[d]);
      Sizes strides(loops, constant(0));
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) strides[epilogue.loopOf[loop]] = access.strides[loop];
      access.strides = strides;
    }
    epilogue.inputs.push_back(access);
  }
  op.getBody()->walk([&](tensor::ExtractOp extract) {
    epilogue.captured.push_back({extract.getTensor(), refOf(extract.getTensor())});
  });
  step.epilogues.push_back(std::move(epilogue));
  step.name = nameOf(op) == step.name ? step.name : step.name + "+" + nameOf(op);
  pending[op->getResult(0).getAsOpaquePointer()] = std::move(step);
  if (!mayTakeEpilogue(op)) flush(op->getResult(0));
  return true;
}

}  // namespace crosscut
