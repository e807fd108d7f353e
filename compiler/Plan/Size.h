// Sizes that may depend on the shapes of a call.
//
// Every dimension, stride and offset is an AffineExpr: a constant when the model is static, else an expression of
// symbols. A symbol stands for an index value of the model's function that the entry point computes (an input's
// dimension, or scalar arithmetic that affine expressions can not say). MLIR simplifies and uniques the expressions, so
// equal sizes are equal pointers.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"

#include <optional>

namespace crosscut {

using Size = mlir::AffineExpr;
using Sizes = llvm::SmallVector<Size, 4>;

inline std::optional<int64_t> constantOf(Size size) {
  if (auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(size)) return constant.getValue();
  return std::nullopt;
}
inline bool isConstant(Size size, int64_t value) { return constantOf(size) == value; }
inline bool isStatic(Size size) { return llvm::isa<mlir::AffineConstantExpr>(size); }
Size product(llvm::ArrayRef<Size> sizes, mlir::MLIRContext *context);

// The symbols of one function: symbol i is the index value values[i].
class Symbols {
 public:
  explicit Symbols(mlir::MLIRContext *context) : context(context) {}
  Size symbolFor(mlir::Value value);
  Size constant(int64_t value) const { return mlir::getAffineConstantExpr(value, context); }
  llvm::ArrayRef<mlir::Value> values() const { return hostValues; }
  mlir::MLIRContext *getContext() const { return context; }

 private:
  mlir::MLIRContext *context;
  llvm::SmallVector<mlir::Value> hostValues;
  llvm::DenseMap<mlir::Value, unsigned> index;
};

// Calls `visit` with the number of every symbol that `size` uses.
void forEachSymbol(Size size, llvm::function_ref<void(unsigned)> visit);

}  // namespace crosscut
