// Lets a step write its result over an input that nobody reads afterwards: a residual's sum over one of its terms, an
// activation over what it is applied to. That saves the memory, and the reading of it that every write begins with.
#include "compiler/Plan/Plan.h"

using namespace mlir;

namespace crosscut {
namespace {

// Every element of the result is computed from the same element of this input, in the same turn of the loops.
bool matches(const Access &input, const Access &output) {
  const Buffer *from = input.ref.buffer, *to = output.ref.buffer;
  return isArena(input.ref) && from != to && from->elementType == to->elementType && from->elements == to->elements &&
         input.strides == output.strides && input.offset == output.offset;
}

// The buffer that the result of step `index` may be written over, or null.
Buffer *findReusable(Step &step, int index) {
  if (step.kind != StepKind::Kernel || step.outputs.size() != 1) return nullptr;
  Access &output = step.outputs.front();
  if (!isArena(output.ref) || output.ref.buffer->firstStep != index) return nullptr;
  SmallVector<const Access *> candidates;
  for (Epilogue &epilogue : step.epilogues)
    for (auto [access, chained] : llvm::zip(epilogue.inputs, epilogue.chained))
      if (!chained) candidates.push_back(&access);
  // What a reduction reads is read again for other results.
  if (!llvm::is_contained(step.nest.isReduction, true))
    for (Access &access : step.nest.inputs) candidates.push_back(&access);
  for (const Access *candidate : candidates) {
    if (!matches(*candidate, output) || candidate->ref.buffer->lastStep != index) continue;
    // Nothing else in the step may look into that buffer: kernels take different pointers for different memory.
    unsigned uses = 0;
    forEachRef(step, [&](TensorRef &ref) { uses += ref.buffer == candidate->ref.buffer; });
    if (uses == 1) return candidate->ref.buffer;
  }
  return nullptr;
}

}  // namespace

void reuseInputs(FunctionPlan &plan) {
  for (auto [index, step] : llvm::enumerate(plan.steps)) {
    Buffer *reused = findReusable(step, static_cast<int>(index));
    if (!reused) continue;
    Buffer *replaced = step.outputs.front().ref.buffer;
    reused->lastStep = replaced->lastStep;
    replaced->firstStep = replaced->lastStep = -1;
    reused->names.insert(reused->names.end(), replaced->names.begin(), replaced->names.end());
    for (Step &later : llvm::drop_begin(plan.steps, index))
      forEachRef(later, [&](TensorRef &ref) {
        if (ref.buffer == replaced) ref.buffer = reused;
      });
  }
}

}  // namespace crosscut
