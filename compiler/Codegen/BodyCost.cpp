// See BodyCost.h.
#include "compiler/Codegen/BodyCost.h"

using namespace mlir;

namespace crosscut {

static constexpr unsigned functionWeight = 20;

static unsigned weightOf(Operation &op, const TargetDescription &target) {
  if (op.hasTrait<OpTrait::IsTerminator>() || op.hasTrait<OpTrait::ConstantLike>()) return 0;
  if (isa<linalg::IndexOp, arith::IndexCastOp, tensor::ExtractOp>(op)) return 0;
  if (isa<arith::DivFOp, math::SqrtOp, math::RsqrtOp>(op)) return 4;
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(op)) return 10;
  if (isa<math::AbsFOp, math::FmaOp, math::CopySignOp>(op)) return 1;
  if (isa<math::FloorOp, math::CeilOp, math::TruncOp, math::RoundEvenOp>(op)) return target.hasRounding ? 1 : 4;
  if (op.getDialect() && op.getDialect()->getNamespace() == "math") return functionWeight;
  // A product that is only added is part of a fused multiply-add.
  bool isTerm = isa<arith::MulFOp>(op) && op.hasOneUse() && isa<arith::AddFOp>(*op.user_begin());
  return isTerm && target.hasFma ? 0 : 1;
}

double operationsOf(Operation *op, const TargetDescription &target) {
  double operations = 0;
  if (op)
    for (Region &region : op->getRegions())
      region.walk([&](Operation *inner) { operations += weightOf(*inner, target); });
  return operations;
}

bool callsFunction(Operation *op, const TargetDescription &target) {
  for (Region &region : op->getRegions())
    for (Operation &inner : region.getOps())
      if (weightOf(inner, target) == functionWeight) return true;
  return false;
}

}  // namespace crosscut
