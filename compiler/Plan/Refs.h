// Arithmetic on TensorRefs: the views that need no copy.
#pragma once

#include "compiler/Plan/Plan.h"

namespace crosscut {

using Order = llvm::SmallVector<unsigned, 6>;  // dimensions from outermost to innermost in memory

Order naturalOrder(unsigned rank);
// Strides of a dense tensor whose dimensions lie in `order`.
Sizes denseStrides(llvm::ArrayRef<Size> dims, llvm::ArrayRef<unsigned> order, mlir::MLIRContext *context);

// Dimensions [group] of `ref` as one: none when the memory is not one run. Unit dimensions never matter.
std::optional<TensorRef> collapseView(const TensorRef &ref, llvm::ArrayRef<mlir::ReassociationIndices> groups,
                                      llvm::ArrayRef<Size> dims);
// The opposite; always possible.
TensorRef expandView(const TensorRef &ref, llvm::ArrayRef<mlir::ReassociationIndices> groups,
                     llvm::ArrayRef<Size> dims);
// The box at `offsets` of `dims`, every `steps`.
TensorRef sliceView(const TensorRef &ref, llvm::ArrayRef<Size> offsets, llvm::ArrayRef<Size> steps,
                    llvm::ArrayRef<Size> dims);
bool sameMemory(const TensorRef &a, const TensorRef &b);
// Two orders that differ in unit dimensions alone describe the same memory.
bool sameOrder(llvm::ArrayRef<unsigned> a, llvm::ArrayRef<unsigned> b, llvm::ArrayRef<Size> dims);

}  // namespace crosscut
