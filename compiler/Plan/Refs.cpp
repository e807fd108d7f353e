// See Refs.h.
#include "compiler/Plan/Refs.h"

using namespace mlir;

namespace crosscut {

Order naturalOrder(unsigned rank) {
  Order order(rank);
  for (unsigned i = 0; i < rank; ++i) order[i] = i;
  return order;
}

Sizes denseStrides(llvm::ArrayRef<Size> dims, llvm::ArrayRef<unsigned> order, MLIRContext *context) {
  Sizes strides(dims.size());
  Size stride = getAffineConstantExpr(1, context);
  for (unsigned d : llvm::reverse(order)) {
    strides[d] = stride;
    stride = stride * dims[d];
  }
  return strides;
}

std::optional<TensorRef> collapseView(const TensorRef &ref, llvm::ArrayRef<ReassociationIndices> groups,
                                      llvm::ArrayRef<Size> dims) {
  TensorRef result = ref;
  result.dims.assign(dims.begin(), dims.end());
  result.strides.clear();
  for (const ReassociationIndices &group : groups) {
    Size stride, expected;
    for (int64_t d : llvm::reverse(group)) {
      if (isConstant(ref.dims[d], 1)) continue;
      if (!stride) stride = ref.strides[d];
      else if (!ref.isSplat() && ref.strides[d] != expected) return std::nullopt;
      expected = ref.strides[d] * ref.dims[d];
    }
    result.strides.push_back(stride ? stride : getAffineConstantExpr(1, ref.offset.getContext()));
  }
  return result;
}

TensorRef expandView(const TensorRef &ref, llvm::ArrayRef<ReassociationIndices> groups, llvm::ArrayRef<Size> dims) {
  TensorRef result = ref;
  result.dims.assign(dims.begin(), dims.end());
  result.strides.assign(dims.size(), getAffineConstantExpr(1, ref.offset.getContext()));
  for (auto [i, group] : llvm::enumerate(groups)) {
    Size stride = ref.strides[i];
    for (int64_t d : llvm::reverse(group)) {
      result.strides[d] = stride;
      stride = stride * dims[d];
    }
  }
  return result;
}

TensorRef sliceView(const TensorRef &ref, llvm::ArrayRef<Size> offsets, llvm::ArrayRef<Size> steps,
                    llvm::ArrayRef<Size> dims) {
  TensorRef result = ref;
  result.dims.assign(dims.begin(), dims.end());
  for (unsigned d = 0; d < dims.size(); ++d) {
    result.offset = result.offset + offsets[d] * ref.strides[d];
    if (!steps.empty()) result.strides[d] = ref.strides[d] * steps[d];
  }
  return result;
}

bool sameMemory(const TensorRef &a, const TensorRef &b) {
  if (a.buffer != b.buffer || !a.buffer || a.offset != b.offset) return false;
  for (unsigned d = 0; d < a.dims.size(); ++d)
    if (a.strides[d] != b.strides[d] && !isConstant(a.dims[d], 1)) return false;
  return true;
}

bool sameOrder(llvm::ArrayRef<unsigned> a, llvm::ArrayRef<unsigned> b, llvm::ArrayRef<Size> dims) {
  auto real = [&](unsigned d) { return !isConstant(dims[d], 1); };
  Order x(llvm::make_filter_range(a, real)), y(llvm::make_filter_range(b, real));
  return x == y;
}

}  // namespace crosscut
