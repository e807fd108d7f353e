// The innermost loop of every sum of products: a register tile of rows x vectors of sums, step by step.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"
#include "compiler/Codegen/Tiles.h"

namespace crosscut {

struct ProductLoop {
  Panels panels;  // one of them: the columns
  unsigned rows = 1;

  // Values of the rows, one a step: `rowAt` finds another row's from the first row's.
  mlir::Value a;
  mlir::Type aElement;
  mlir::TypedAttr aSplat;  // all of them, or null
  Size aStep;              // elements from one step to the next
  llvm::function_ref<mlir::Value(mlir::Value first, unsigned row)> rowAt;

  // Values of the columns.
  mlir::Value b;
  mlir::Type bElement;
  mlir::TypedAttr bSplat;
  Size bStep, bColumn;  // elements from one step, and from one column, to the next

  // What is fetched meanwhile, so many bytes a step; null: nothing.
  mlir::Value next;
  int64_t nextBytes = 0;
};

// Adds the products of `steps` steps to the sums, which lie row by row.
llvm::SmallVector<mlir::Value> addProducts(KernelBuilder &k, const ProductLoop &loop, Size steps,
                                           llvm::ArrayRef<mlir::Value> sums);

}  // namespace crosscut
