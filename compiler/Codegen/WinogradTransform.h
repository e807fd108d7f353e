// The transforms of Winograd's minimal filtering F(m x m, 3x3) for m = 2 and 4: Y = A'[(G w G') * (B' d B)] A, with *
// element by element (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015).
//
// The matrices follow from the points at which polynomials are evaluated: 0, 1, -1 and infinity for m = 2; 0,
// sqrt(1/2), sqrt(2), their opposites and infinity for m = 4. Usual for m = 4 are 1 and 2 in the place of these roots,
// at twice the rounding error: their powers up to the third differ more in size. As the product of the roots is 1, many
// elements of B are the same.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"

namespace crosscut {

class WinogradTransform {
 public:
  WinogradTransform(KernelBuilder &k, unsigned outputs) : k(k), outputs(outputs) {}
  // B' d: m + 2 values to m + 2.
  llvm::SmallVector<mlir::Value> input(llvm::ArrayRef<mlir::Value> d);
  // A' p: m + 2 values to m.
  llvm::SmallVector<mlir::Value> output(llvm::ArrayRef<mlir::Value> p);

 private:
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value scale(double factor, mlir::Value x);
  mlir::Value addScaled(mlir::Value x, double factor, mlir::Value y);  // x + factor * y
  mlir::Value splat(double value, mlir::Type type);

  KernelBuilder &k;
  unsigned outputs;
};

// G w G' of one 3x3 filter, in double precision: `to` gets (outputs + 2)² values, row by row.
void transformFilter(const double (&w)[3][3], unsigned outputs, double *to);

}  // namespace crosscut
