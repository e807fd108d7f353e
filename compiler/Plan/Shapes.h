// The dimensions of every tensor value of a function, as Sizes.
#pragma once

#include "compiler/Plan/Plan.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace crosscut {

class Shapes {
 public:
  explicit Shapes(Symbols &symbols) : symbols(symbols) {}

  // Dimensions of a ranked tensor.
  const Sizes &dimsOf(mlir::Value tensor);
  // An index value or attribute as a Size; a symbol when it is no affine expression of others.
  Size sizeOf(mlir::OpFoldResult value);
  Size sizeOf(mlir::Value value);

 private:
  Sizes computeDims(mlir::Value tensor);

  Symbols &symbols;
  llvm::DenseMap<mlir::Value, Sizes> known;
};

}  // namespace crosscut
