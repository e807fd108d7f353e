// The kernel that writes the frame of a padded tensor. What lies inside is written by the kernels that compute it.
#include "compiler/Codegen/Cost.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Plan/Work.h"

#include "llvm/ADT/bit.h"

using namespace mlir;

namespace crosscut {
namespace {

// Sets one box of a tensor to a value.
void fillBox(KernelBuilder &k, const TensorRef &ref, ArrayRef<Size> from, ArrayRef<Size> extents, Value scalar) {
  SmallVector<unsigned> order;
  for (unsigned d = 0; d < extents.size(); ++d)
    if (!isConstant(extents[d], 1)) order.push_back(d);
  llvm::stable_sort(order, [&](unsigned i, unsigned j) {
    auto si = constantOf(ref.strides[i]), sj = constantOf(ref.strides[j]);
    if (si && sj) return *si > *sj;
    return !si && sj;
  });
  Value pointer = k.pointerTo(ref, ref.offset);
  Type element = ref.elementType;
  for (unsigned d = 0; d < extents.size(); ++d)
    pointer = k.advance(pointer, element, ref.strides[d], k.expand(from[d]));
  auto nest = [&](auto &self, unsigned i, Value at) -> void {
    if (i == order.size()) {
      k.store(scalar, at, element, 1, getAffineConstantExpr(1, k.b.getContext()));
      return;
    }
    unsigned d = order[i];
    Value extent = k.expand(extents[d]);
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
  k.loop(k.begin, k.end, k.c(1), [&](Value) {
    // Dimension by dimension: what lies before and after the inner box, over the inner part of earlier dimensions and
    // the whole of later ones.
    Sizes from(outer.dims.size(), getAffineConstantExpr(0, context)), extents = outer.dims;
    for (unsigned d = 0; d < outer.dims.size(); ++d) {
      Size high = outer.dims[d] - step.low[d] - step.innerDims[d];
      from[d] = getAffineConstantExpr(0, context);
      extents[d] = step.low[d];
      if (!isConstant(extents[d], 0)) fillBox(k, outer, from, extents, scalar);
      from[d] = step.low[d] + step.innerDims[d];
      extents[d] = high;
      if (!isConstant(extents[d], 0)) fillBox(k, outer, from, extents, scalar);
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
  return k.finish(getAffineConstantExpr(1, context));
}

}  // namespace crosscut
