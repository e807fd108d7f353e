// See Size.h.
#include "compiler/Plan/Size.h"

using namespace mlir;

namespace crosscut {

Size product(llvm::ArrayRef<Size> sizes, MLIRContext *context) {
  Size result = getAffineConstantExpr(1, context);
  for (Size size : sizes) result = result * size;
  return result;
}

Size Symbols::symbolFor(Value value) {
  auto [it, inserted] = index.try_emplace(value, hostValues.size());
  if (inserted) hostValues.push_back(value);
  return getAffineSymbolExpr(it->second, context);
}

void forEachSymbol(Size size, llvm::function_ref<void(unsigned)> visit) {
  size.walk([&](AffineExpr expr) {
    if (auto symbol = llvm::dyn_cast<AffineSymbolExpr>(expr)) visit(symbol.getPosition());
  });
}

}  // namespace crosscut
