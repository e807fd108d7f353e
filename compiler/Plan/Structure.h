// Recognises what a linalg.generic computes, from its indexing maps and body.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace crosscut {

enum class LoopRole {
  Rows,       // in the first operand and the result
  Columns,    // in the second operand and the result
  Batch,      // in all three
  Reduction,  // in both operands, not in the result
};

// The product in a body that yields nothing but its accumulator plus a product; null where it does something else.
mlir::Operation *matchSumOfProducts(mlir::linalg::GenericOp op);

// A sum of products of two operands with at least one loop of Columns and one of Reduction: matrix products and
// convolutions, not depthwise ones.
struct Contraction {
  llvm::SmallVector<LoopRole> roles;
};
std::optional<Contraction> matchContraction(mlir::linalg::GenericOp op);

// Reads an operand at sums of loops: convolutions and pooling.
bool hasWindow(mlir::linalg::GenericOp op);

// The body yields its only used input, and no element is computed: a transpose, a broadcast, a copy. Returns the input.
mlir::OpOperand *matchCopy(mlir::linalg::GenericOp op);

// Every element of the only result is this constant.
mlir::TypedAttr matchFill(mlir::linalg::GenericOp op);

// Whether the reader of a reduction's result works element by element, so that it can do so on registers.
bool canBeEpilogue(mlir::OpOperand &use);

// The order of the result's dimensions in memory, outermost first, that the kernel of a contraction or window prefers
// (channels last), and likewise of the first operand. Empty: no preference.
llvm::SmallVector<unsigned> preferredResultOrder(mlir::linalg::GenericOp op);
llvm::SmallVector<unsigned> preferredInputOrder(mlir::linalg::GenericOp op);

}  // namespace crosscut
