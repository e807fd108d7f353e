// The kernel that writes the frame of a padded tensor. What lies inside is written by the kernels that compute it.
// Items are parts of the outermost dimension that has a frame: threads mostly write beside what they compute.
#include "compiler/Codegen/Cost.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Plan/Work.h"

#include "llvm/ADT/bit.h"

using namespace mlir;

namespace crosscut {
namespace {

constexpr int64_t mostItems = 4, leastItemBytes = 4096;

// Sets one box of a tensor to a value. Of dimension `cut`, only what lies from `cutFrom` to `cutTo`.
void fillBox(KernelBuilder &k, const TensorRef &ref, ArrayRef<Size> from, ArrayRef<Size> extents, Value scalar,
             unsigned cut, Value cutFrom, Value cutTo) {
  SmallVector<unsigned> order;
  for (unsigned d = 0; d < extents.size(); ++d)
    if (d == cut || !isConstant(extents[d], 1)) order.push_back(d);
  llvm::stable_sort(order, [&](unsigned i, unsigned j) {
    auto si = constantOf(ref.strides[i]), sj = constantOf(ref.strides[j]);
    if (si && sj) return *si > *sj;
    return !si && sj;
  });
  Value pointer = k.pointerTo(ref, ref.offset);
  Type element = ref.elementType;
  Value begin = k.max(cutFrom, k.expand(from[cut]));
  Value end = k.min(cutTo, k.expand(from[cut] + extents[cut]));
  for (unsigned d = 0; d < extents.size(); ++d)
    pointer = k.advance(pointer, element, ref.strides[d], d == cut ? begin : k.expand(from[d]));
  auto nest = [&](auto &self, unsigned i, Value at) -> void {
    if (i == order.size()) {
      k.store(scalar, at, element, 1, getAffineConstantExpr(1, k.b.getContext()));
      return;
    }
    unsigned d = order[i];
    Value extent = d == cut ? k.max(k.c(0), k.sub(end, begin)) : k.expand(extents[d]);
    if (i + 1 == order.size() && isConstant(ref.strides[d], 1) && k.target.lanes() > 1) {
      unsigned lanes = k.target.lanes();
      if (auto known = constantOf(extents[d]))
        lanes = std::min<unsigned>(lanes, llvm::bit_floor(static_cast<uint64_t>(std::max<int64_t>(1, *known))));
      Value whole = k.sub(extent, k.rem(extent, k.c(lanes)));
      k.loop(k.c(0), whole, k.c(lanes), [&](Value iv) {
        k.store(k.broadcast(scalar, lanes), k.advance(at, element, iv), element, lanes, ref.strides[d]);
      });
      k.loop(whole, extent, k.c(1),
             [&](Value iv) { k.store(scalar, k.advance(at, element, iv), element, 1, ref.strides[d]); });
      return;
    }
    k.loop(k.c(0), extent, k.c(1), [&](Value iv) { self(self, i + 1, k.advance(at, element, ref.strides[d], iv)); });
  };
  nest(nest, 0, pointer);
}

}  // namespace

GeneratedKernel generateBorder(KernelBuilder &k, const Step &step) {
  const TensorRef &outer = step.outer;
  MLIRContext *context = k.b.getContext();
  Value scalar = k.constant(step.value);
  unsigned cut = 0;
  while (cut + 1 < outer.dims.size() && outer.dims[cut] == step.innerDims[cut]) ++cut;
  int64_t items = std::clamp<int64_t>(workOf(step).writtenBytes / leastItemBytes, 1, mostItems);
  if (constantOf(outer.dims[cut]).value_or(0) < items || isConstant(outer.strides[cut], 1)) items = 1;
  k.loop(k.begin, k.end, k.c(1), [&](Value item) {
    Value across = k.expand(outer.dims[cut]);
    Value cutFrom = k.startOf(item, across, k.c(items)), cutTo = k.startOf(k.add(item, k.c(1)), across, k.c(items));
    // Dimension by dimension: what lies before and after the inner box, over the inner part of earlier dimensions and
    // the whole of later ones.
    Sizes from(outer.dims.size(), getAffineConstantExpr(0, context)), extents = outer.dims;
    for (unsigned d = 0; d < outer.dims.size(); ++d) {
      Size high = outer.dims[d] - step.low[d] - step.innerDims[d];
      from[d] = getAffineConstantExpr(0, context);
      extents[d] = step.low[d];
      if (!isConstant(extents[d], 0)) fillBox(k, outer, from, extents, scalar, cut, cutFrom, cutTo);
      from[d] = step.low[d] + step.innerDims[d];
      extents[d] = high;
      if (!isConstant(extents[d], 0)) fillBox(k, outer, from, extents, scalar, cut, cutFrom, cutTo);
      from[d] = step.low[d];
      extents[d] = step.innerDims[d];
    }
  });
  KernelChoice choice;
  choice.name = step.name;
  choice.algorithm = "border";
  choice.lanes = k.target.lanes();
  LoopCost cost;
  cost.turns = double(workOf(step).writtenBytes) / elementBytes(outer.elementType) / choice.lanes;
  cost.lanes = choice.lanes;
  cost.stores = 1;
  choice.cycles = loopCycles(k.target, cost);
  k.choices.push_back(choice);
  return k.finish(getAffineConstantExpr(items, context));
}

}  // namespace crosscut
