// What the bodies of linalg operations cost.
#pragma once

#include "compiler/Target/Target.h"

#include "mlir/IR/Operation.h"

namespace crosscut {

// Instructions that the body of `op` becomes, roughly; 0 for a null op.
double operationsOf(mlir::Operation *op, const TargetDescription &target);

// Whether the body of `op` has a function that becomes a polynomial, which has many constants (MathExpansion.h).
bool callsFunction(mlir::Operation *op, const TargetDescription &target);

}  // namespace crosscut
