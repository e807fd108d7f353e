// Lets a step write its result over an input that nobody reads afterwards: a residual's sum over one of its terms, an
// activation over what it is applied to. That saves the memory, and the reading of it that every write begins with.
#include "compiler/Plan/Plan.h"

using namespace mlir;

namespace crosscut {
namespace {

int64_t value(Size size) { return *constantOf(size); }

// Every element of the result is computed from the same element of this input, in the same turn of the loops.
bool matches(const Access &input, const Access &output) {
  const Buffer *from = input.ref.buffer, *to = output.ref.buffer;
  return isArena(input.ref) && from != to && from->elementType == to->elementType && from->elements == to->elements &&
         input.strides == output.strides && input.offset == output.offset;
}

// The kernel that makes the step's result, of which there is one in the arena; or null.
Step *lastKernel(Step &step) {
  Step &last = step.kind == StepKind::Chain ? step.chain->stages.back().step : step;
  bool isOne = last.kind == StepKind::Kernel && last.outputs.size() == 1 && isArena(last.outputs.front().ref);
  return isOne ? &last : nullptr;
}

// Whether a stage has read what it needs of each row before a later stage writes `output` there. Rows from a band's
// first to the last but `fresh` were read for the bands before.
bool readsAhead(const Chain &chain, const Stage &stage, const Access &input, const Access &output) {
  const Stage &last = chain.stages.back();
  int64_t end = value(output.offset) + 1, rowLength = value(output.strides[last.rowLoop]);
  for (auto [loop, extent] : llvm::enumerate(last.step.nest.extents))
    if (loop != last.rowLoop) end += value(output.strides[loop]) * (value(extent) - 1);
  for (int64_t band = 1; band < chain.bands; ++band) {
    int64_t row = chain.bandStart(band);
    int64_t fresh = stage.scale * row + std::max(stage.first, stage.last + 1 - stage.scale);
    int64_t read = value(input.offset) + std::max<int64_t>(0, fresh) * value(input.strides[stage.rowLoop]);
    if (read < end + (row - 1) * rowLength) return false;
  }
  return true;
}

// Whether the result may be written over this buffer although other stages of the chain read it.
bool mayOverwrite(const Chain &chain, const Buffer *buffer, const Access &output) {
  if (chain.outer * chain.items != 1) return false;  // items run in any order
  if (llvm::any_of(chain.buffers, [&](const ChainBuffer &inner) { return inner.buffer == buffer; })) return false;
  for (const Stage &stage : llvm::ArrayRef(chain.stages).drop_back()) {
    // These stages write into the chain's own buffers, so what is found here is read. Kernels take different pointers
    // for different offsets.
    for (const Access *access : accessesOf(stage.step))
      if (access->ref.buffer == buffer &&
          !(access->offset == output.offset && readsAhead(chain, stage, *access, output)))
        return false;
  }
  return true;
}

}  // namespace

Buffer *resultBuffer(Step &step) {
  Step *last = lastKernel(step);
  return last ? last->outputs.front().ref.buffer : nullptr;
}

llvm::SmallVector<Buffer *> reusableInputs(Step &whole) {
  llvm::SmallVector<Buffer *> buffers;
  Step *last = lastKernel(whole);
  if (!last) return buffers;
  Step &step = *last;
  SmallVector<const Access *> candidates;
  for (Epilogue &epilogue : step.epilogues)
    for (auto [access, chained] : llvm::zip(epilogue.inputs, epilogue.chained))
      if (!chained) candidates.push_back(&access);
  // What a reduction reads is read again for other results.
  if (!llvm::is_contained(step.nest.isReduction, true))
    for (Access &access : step.nest.inputs) candidates.push_back(&access);
  for (const Access *candidate : candidates) {
    if (!matches(*candidate, step.outputs.front())) continue;
    // Nothing else in the step may look into that buffer: kernels take different pointers for different memory.
    unsigned uses = 0;
    forEachRef(step, [&](TensorRef &ref) { uses += ref.buffer == candidate->ref.buffer; });
    bool isFree = uses == 1 && (whole.kind != StepKind::Chain ||
                                mayOverwrite(*whole.chain, candidate->ref.buffer, step.outputs.front()));
    if (isFree) buffers.push_back(candidate->ref.buffer);
  }
  return buffers;
}

void reuseInputs(FunctionPlan &plan) {
  for (auto [i, step] : llvm::enumerate(plan.steps)) {
    int index = static_cast<int>(i);
    Buffer *replaced = resultBuffer(step), *reused = nullptr;
    if (!replaced || replaced->firstStep != index) continue;
    for (Buffer *candidate : reusableInputs(step))
      if (!reused && candidate->lastStep == index) reused = candidate;
    if (!reused) continue;
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
