// See Work.h.
#include "compiler/Plan/Work.h"

#include "compiler/Plan/Structure.h"
#include "compiler/Plan/Winograd.h"

#include "llvm/ADT/SmallSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace crosscut {
namespace {

uint64_t times(uint64_t x, uint64_t y) { return llvm::SaturatingMultiply(x, y); }

// Whether the nest's result is a sum of products over its reductions: contractions, depthwise convolutions.
bool sumsProducts(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  return generic && generic.getNumReductionLoops() && matchSumOfProducts(generic);
}

// Adds up what steps touch, each region of memory once.
class WorkCounter {
 public:
  Work work;
  bool known = true;

  void read(const Access &access, ArrayRef<Size> extents) {
    if (access.ref.isSplat() || !access.ref.buffer || inside.count(access.ref.buffer)) return;
    const void *offset = access.offset.getImpl();
    if (!seen.insert({access.ref.buffer, offset}).second) return;
    uint64_t bytes = footprint(access, extents);
    if (access.ref.buffer->kind == BufferKind::Constant) {
      work.weightBytes += bytes;
      return;
    }
    work.readBytes += bytes;
    work.largestTensor = std::max(work.largestTensor, bytes);
  }
  void write(const Access &access, ArrayRef<Size> extents) {
    if (inside.count(access.ref.buffer)) return;
    uint64_t bytes = footprint(access, extents);
    work.writtenBytes += bytes;
    work.largestTensor = std::max(work.largestTensor, bytes);
  }
  void add(const Step &step);

 private:
  uint64_t sizeOf(const TensorRef &ref, ArrayRef<Size> dims);
  uint64_t footprint(const Access &access, ArrayRef<Size> extents);
  void addNest(const Step &step);
  void addWinograd(const Step &step);

  llvm::DenseSet<std::pair<const Buffer *, const void *>> seen;
  llvm::SmallPtrSet<const Buffer *, 4> inside;  // handed on within a chain
};

uint64_t WorkCounter::sizeOf(const TensorRef &ref, ArrayRef<Size> dims) {
  uint64_t bytes = elementBytes(ref.elementType);
  for (Size dim : dims) {
    auto extent = constantOf(dim);
    known &= extent.has_value();
    bytes = times(bytes, extent.value_or(0));
  }
  return bytes;
}

// Elements that the loops reach: at most one for every turn of those that move, and at most those between the first and
// the last one; windows reach most elements several times.
uint64_t WorkCounter::footprint(const Access &access, ArrayRef<Size> extents) {
  uint64_t turns = 1, span = 1;
  bool spanKnown = true;
  for (auto [extent, stride] : llvm::zip(extents, access.strides)) {
    if (isConstant(stride, 0)) continue;
    auto count = constantOf(extent), step = constantOf(stride);
    known &= count.has_value();
    spanKnown &= step.has_value();
    turns = times(turns, count.value_or(0));
    if (count && *count && step) span += times(*count - 1, std::abs(*step));
    else if (count && !*count) return 0;
  }
  return times(spanKnown ? std::min(turns, span) : turns, elementBytes(access.ref.elementType));
}

void WorkCounter::addWinograd(const Step &step) {
  const WinogradForm &form = *step.winograd;
  const Nest &nest = step.nest;
  uint64_t matrices = uint64_t(form.points()) * form.points();
  auto channels = constantOf(nest.extents[form.channels]), columns = constantOf(nest.extents[form.columns]);
  auto tiles = constantOf(winogradTiles(form, nest));
  uint64_t transformed = times(times(matrices, times(tiles.value_or(0), *channels)), 4);
  known &= tiles.has_value();
  if (step.kind == StepKind::WinogradInput) {
    read(nest.inputs[0], nest.extents);
    work.writtenBytes += transformed;
  } else {
    if (form.separate) work.readBytes += transformed;
    else read(nest.inputs[0], nest.extents);
    work.weightBytes += times(times(matrices, *channels), *columns) * 4;
  }
  if (form.separate) work.largestTensor = std::max(work.largestTensor, transformed);
}

void WorkCounter::addNest(const Step &step) {
  const Nest &nest = step.nest;
  if (step.winograd) {
    addWinograd(step);
  } else {
    for (const Access &access : nest.inputs) read(access, nest.extents);
  }
  if (step.kind == StepKind::WinogradInput) return;
  auto isRead = [&](unsigned init) {
    if (!nest.op) return false;
    Block &body = nest.op->getRegion(0).front();
    unsigned argument = nest.inputs.size() + init;
    return argument < body.getNumArguments() && !body.getArgument(argument).use_empty();
  };
  for (auto [i, access] : llvm::enumerate(nest.inits))
    if (isRead(i)) read(access, nest.extents);
  for (const Epilogue &epilogue : step.epilogues)
    for (auto [access, chained] : llvm::zip(epilogue.inputs, epilogue.chained))
      if (!chained) read(access, nest.extents);
  for (const Access &access : step.outputs) write(access, nest.extents);
  // Gathered elements: one for every result, where the tensor has as many.
  auto gathered = [&](ArrayRef<std::pair<Value, TensorRef>> captured) {
    for (const auto &[value, ref] : captured) {
      if (ref.isSplat() || !ref.buffer || inside.count(ref.buffer) || step.outputs.empty()) continue;
      uint64_t bytes = std::min(sizeOf(ref, ref.dims), footprint(step.outputs.front(), nest.extents));
      (ref.buffer->kind == BufferKind::Constant ? work.weightBytes : work.readBytes) += bytes;
    }
  };
  gathered(nest.captured);
  for (const Epilogue &epilogue : step.epilogues) gathered(epilogue.captured);
  if (!sumsProducts(nest.op)) return;
  uint64_t flops = 2;
  for (Size extent : nest.extents) {
    auto count = constantOf(extent);
    known &= count.has_value();
    flops = times(flops, count.value_or(0));
  }
  work.flops += flops;
}

void WorkCounter::add(const Step &step) {
  if (step.kind == StepKind::FillBorder) {
    uint64_t border = sizeOf(step.outer, step.outer.dims);
    uint64_t inner = sizeOf(step.outer, step.innerDims);
    work.writtenBytes += border > inner ? border - inner : 0;
  } else if (step.kind == StepKind::Chain) {
    for (const ChainBuffer &buffer : step.chain->buffers) inside.insert(buffer.buffer);
    for (const Stage &stage : step.chain->stages) addNest(stage.step);
  } else {
    addNest(step);
  }
}

}  // namespace

Work workOf(const Step &step) {
  WorkCounter counter;
  counter.add(step);
  return counter.known ? counter.work : Work();
}

}  // namespace crosscut
