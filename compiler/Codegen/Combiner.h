// Recognises reductions whose partial results can be combined in any order, so that lanes may work side by side.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace crosscut {

// How partial results of a reduction are combined.
struct Combiner {
  mlir::vector::CombiningKind kind;
  mlir::TypedAttr neutral;
  mlir::arith::FastMathFlags flags = mlir::arith::FastMathFlags::none;  // of the operation
};

// The body combines its last argument with something that does not depend on it.
std::optional<Combiner> matchCombiner(mlir::Operation *op);

}  // namespace crosscut
