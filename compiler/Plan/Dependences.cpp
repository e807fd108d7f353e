// See Dependences.h. Memory is compared by whole buffers and their places in the arena. Only where two steps write to
// the same buffer, as they do for a padded tensor and for a concatenation, the parts that they write are compared.
#include "compiler/Plan/Dependences.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/STLExtras.h"

namespace crosscut {
namespace {

using Static = llvm::SmallVector<int64_t, 4>;

std::optional<Static> constantsOf(llvm::ArrayRef<Size> sizes) {
  Static values;
  for (Size size : sizes) {
    auto value = constantOf(size);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

// Dimensions of more than one element from the largest stride to the smallest, when elements of different positions lie
// at different places whatever the extents of the outermost one.
std::optional<llvm::SmallVector<unsigned, 4>> nestedOrder(const Static &dims, const Static &strides) {
  llvm::SmallVector<unsigned, 4> order;
  for (unsigned d = 0; d < dims.size(); ++d)
    if (dims[d] != 1) order.push_back(d);
  llvm::stable_sort(order, [&](unsigned i, unsigned j) { return strides[i] > strides[j]; });
  for (unsigned i = 0; i < order.size(); ++i) {
    if (strides[order[i]] <= 0) return std::nullopt;
    if (i && dims[order[i]] * strides[order[i]] > strides[order[i - 1]]) return std::nullopt;
  }
  return order;
}

// Whether a kernel writes inside the box that the border surrounds.
bool isInside(const TensorRef &ref, const Step &border) {
  const TensorRef &outer = border.outer;
  if (ref.dims.size() != outer.dims.size() || ref.strides != outer.strides) return false;
  Size corner = outer.offset;
  for (auto [low, stride] : llvm::zip(border.low, outer.strides)) corner = corner + low * stride;
  if (ref.offset == corner && ref.dims == border.innerDims) return true;
  // A part of that box.
  auto dims = constantsOf(ref.dims), outerDims = constantsOf(outer.dims), strides = constantsOf(outer.strides);
  auto inner = constantsOf(border.innerDims);
  auto at = constantOf(ref.offset - corner);
  if (!dims || !outerDims || !strides || !inner || !at || *at < 0) return false;
  auto order = nestedOrder(*outerDims, *strides);
  if (!order) return false;
  for (unsigned d : *order) {
    if (*at / (*strides)[d] + (*dims)[d] > (*inner)[d]) return false;
    *at %= (*strides)[d];
  }
  return *at == 0;
}

// Whether two boxes of one tensor lie beside each other in one dimension.
bool areBeside(const TensorRef &a, const TensorRef &b) {
  if (a.strides != b.strides || a.dims.size() != b.dims.size()) return false;
  auto strides = constantsOf(a.strides), dimsA = constantsOf(a.dims), dimsB = constantsOf(b.dims);
  auto distance = constantOf(b.offset - a.offset);
  if (!strides || !dimsA || !dimsB || !distance) return false;
  if (*distance < 0) return areBeside(b, a);
  for (unsigned d = 0; d < strides->size(); ++d) {
    int64_t stride = (*strides)[d];
    if (stride <= 0 || *distance % stride || *distance / stride < (*dimsA)[d]) continue;
    Static around = *dimsA;  // the smallest box that holds both
    for (unsigned i = 0; i < around.size(); ++i) around[i] = std::max(around[i], (*dimsB)[i]);
    around[d] = *distance / stride + (*dimsB)[d];
    if (nestedOrder(around, *strides)) return true;
  }
  return false;
}

bool writeApart(const Step &a, const Step &b, const TensorRef &refA, const TensorRef &refB) {
  bool borderA = a.kind == StepKind::FillBorder, borderB = b.kind == StepKind::FillBorder;
  if (borderA && borderB) return false;
  if (borderA) return isInside(refB, a);
  if (borderB) return isInside(refA, b);
  return areBeside(refA, refB);
}

struct Write {
  const Buffer *buffer;
  const TensorRef *ref;  // null: any of its elements, at any time
};

// What a step touches. A chain reads again what it has written to its scratch memory, and nothing outside sees what its
// stages hand to each other.
struct Footprint {
  llvm::SmallVector<const Buffer *, 8> reads;
  llvm::SmallVector<Write, 2> writes;

  explicit Footprint(const Step &step) { add(step); }

 private:
  void add(const Step &step);
  void read(const TensorRef &ref) {
    if (ref.buffer && ref.buffer->kind != BufferKind::Constant && !isInner(*ref.buffer)) reads.push_back(ref.buffer);
  }
  void write(const TensorRef &ref) {
    if (!isInner(*ref.buffer)) writes.push_back({ref.buffer, &ref});
  }
  static bool isInner(const Buffer &buffer) { return buffer.kind == BufferKind::Arena && buffer.firstStep < 0; }
};

void Footprint::add(const Step &step) {
  if (step.kind == StepKind::Chain) {
    writes.push_back({step.chain->scratch, nullptr});
    for (const Stage &stage : step.chain->stages) add(stage.step);
    return;
  }
  for (const Access &access : step.nest.inputs) read(access.ref);
  for (const Access &access : step.nest.inits) read(access.ref);
  for (const auto &[value, ref] : step.nest.captured) read(ref);
  for (const Epilogue &epilogue : step.epilogues) {
    for (auto [access, chained] : llvm::zip(epilogue.inputs, epilogue.chained))
      if (!chained) read(access.ref);
    for (const auto &[value, ref] : epilogue.captured) read(ref);
  }
  for (const Access &access : step.outputs) write(access.ref);
  if (step.kind == StepKind::FillBorder) write(step.outer);
  if (const auto &form = step.winograd) {
    // What a step of its own has transformed is read as an input.
    bool transforms = step.kind == StepKind::WinogradInput || !form->separate;
    if (transforms) writes.push_back({form->transformed.buffer, nullptr});
    if (step.kind != StepKind::WinogradInput) writes.push_back({form->products.buffer, nullptr});
  }
}

bool sharePlace(const FunctionPlan &plan, SameMemory same, const Buffer &a, const Buffer &b) {
  if (&a == &b || same == SameMemory::Buffer) return &a == &b;
  if (a.kind != BufferKind::Arena || b.kind != BufferKind::Arena) return false;
  if (plan.dynamicArena) return a.slot == b.slot;
  auto end = [](const Buffer &buffer) {
    return buffer.arenaOffset + *constantOf(buffer.elements) * elementBytes(buffer.elementType);
  };
  return a.arenaOffset < end(b) && b.arenaOffset < end(a);
}

}  // namespace

std::vector<llvm::SmallVector<unsigned, 4>> dependencesOf(const FunctionPlan &plan, SameMemory same) {
  unsigned count = plan.steps.size();
  std::vector<Footprint> footprints;
  for (const Step &step : plan.steps) footprints.emplace_back(step);
  auto conflict = [&](unsigned i, unsigned j) {
    for (const Write &a : footprints[i].writes) {
      for (const Buffer *b : footprints[j].reads)
        if (sharePlace(plan, same, *a.buffer, *b)) return true;
      for (const Write &b : footprints[j].writes) {
        if (!sharePlace(plan, same, *a.buffer, *b.buffer)) continue;
        bool comparable = a.buffer == b.buffer && a.ref && b.ref;
        if (!comparable || !writeApart(plan.steps[i], plan.steps[j], *a.ref, *b.ref)) return true;
      }
    }
    for (const Write &b : footprints[j].writes)
      for (const Buffer *a : footprints[i].reads)
        if (sharePlace(plan, same, *a, *b.buffer)) return true;
    return false;
  };
  std::vector<llvm::SmallVector<unsigned, 4>> dependences(count);
  std::vector<llvm::BitVector> earlier(count, llvm::BitVector(count));  // all that a step waits for, through others too
  for (unsigned j = 0; j < count; ++j) {
    for (unsigned i = j; i-- > 0;) {
      if (earlier[j].test(i) || !conflict(i, j)) continue;
      dependences[j].push_back(i);
      earlier[j] |= earlier[i];
      earlier[j].set(i);
    }
    llvm::sort(dependences[j]);
  }
  return dependences;
}

}  // namespace crosscut
