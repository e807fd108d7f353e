// The transforms of Winograd's minimal filtering F(m x m, 3x3) for m = 2 and 4: Y = A'[(G w G') * (B' d B)] A, with *
// element by element (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015).
//
// With stride 2, m = 2, the five inputs of a line are two convolutions of stride 1: of those at even places with two
// weights, F(2, 2) from three products, and of the two at odd places with one weight.
//
// With stride 1, the matrices follow from the points at which polynomials are evaluated: 0, 1, -1 and infinity for m =
// 2; 0, sqrt(1/2), sqrt(2), their opposites and infinity for m = 4. Usual for m = 4 are 1 and 2 in the place of these
// roots, at twice the rounding error: their powers up to the third differ more in size. As the product of the roots is
// 1, many elements of B are the same.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"
#include "compiler/Plan/Plan.h"

namespace crosscut {

class WinogradTransform {
 public:
  WinogradTransform(KernelBuilder &k, const WinogradForm &form) : k(k), form(form) {}
  // B' d: as many values as there are points.
  llvm::SmallVector<mlir::Value> input(llvm::ArrayRef<mlir::Value> d);
  // A' p: a value of each point to m.
  llvm::SmallVector<mlir::Value> output(llvm::ArrayRef<mlir::Value> p);

  // Where registers are few, LLVM would keep factors in them throughout the kernel, and the sums of the products in
  // memory instead. From here on factors are loaded from memory, of WinogradForm::factorVectors vectors, that products
  // are written to, too.
  void keepFactorsAt(mlir::Value memory);

 private:
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value scale(double factor, mlir::Value x);
  mlir::Value addScaled(mlir::Value x, double factor, mlir::Value y);  // x + factor * y
  mlir::Value splat(double value, mlir::Type type);

  KernelBuilder &k;
  const WinogradForm &form;
  mlir::Value factors;
};

// G w G' of one 3x3 filter, in double precision: `to` gets points² values, at most 36, row by row.
void transformFilter(const double (&w)[3][3], const WinogradForm &form, double *to);

}  // namespace crosscut
