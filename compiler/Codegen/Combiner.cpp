// See Combiner.h.
#include "compiler/Codegen/Combiner.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace crosscut {

std::optional<Combiner> matchCombiner(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInits() != 1) return std::nullopt;
  Block *body = generic.getBody();
  Value acc = body->getArguments().back();
  Operation *last = cast<linalg::YieldOp>(body->getTerminator()).getOperand(0).getDefiningOp();
  if (!last || last->getBlock() != body || !acc.hasOneUse() || last->getNumOperands() != 2) return std::nullopt;
  if (last->getOperand(0) != acc && last->getOperand(1) != acc) return std::nullopt;
  Type type = acc.getType();
  Builder b(op->getContext());
  auto integer = [&](const llvm::APInt &value) { return cast<TypedAttr>(b.getIntegerAttr(type, value)); };
  auto real = [&](double value) { return cast<TypedAttr>(b.getFloatAttr(type, value)); };
  double inf = std::numeric_limits<double>::infinity();
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  using K = vector::CombiningKind;
  auto combiner =
      llvm::TypeSwitch<Operation *, std::optional<Combiner>>(last)
          .Case([&](arith::AddFOp) { return Combiner{K::ADD, real(0)}; })
          .Case([&](arith::MulFOp) { return Combiner{K::MUL, real(1)}; })
          .Case([&](arith::MaximumFOp) { return Combiner{K::MAXIMUMF, real(-inf)}; })
          .Case([&](arith::MinimumFOp) { return Combiner{K::MINIMUMF, real(inf)}; })
          .Case([&](arith::MaxNumFOp) { return Combiner{K::MAXNUMF, real(-inf)}; })
          .Case([&](arith::MinNumFOp) { return Combiner{K::MINNUMF, real(inf)}; })
          .Case([&](arith::AddIOp) { return Combiner{K::ADD, integer(llvm::APInt::getZero(bits))}; })
          .Case([&](arith::MulIOp) { return Combiner{K::MUL, integer(llvm::APInt(bits, 1))}; })
          .Case([&](arith::MaxSIOp) { return Combiner{K::MAXSI, integer(llvm::APInt::getSignedMinValue(bits))}; })
          .Case([&](arith::MinSIOp) { return Combiner{K::MINSI, integer(llvm::APInt::getSignedMaxValue(bits))}; })
          .Case([&](arith::MaxUIOp) { return Combiner{K::MAXUI, integer(llvm::APInt::getZero(bits))}; })
          .Case([&](arith::MinUIOp) { return Combiner{K::MINUI, integer(llvm::APInt::getAllOnes(bits))}; })
          .Case([&](arith::AndIOp) { return Combiner{K::AND, integer(llvm::APInt::getAllOnes(bits))}; })
          .Case([&](arith::OrIOp) { return Combiner{K::OR, integer(llvm::APInt::getZero(bits))}; })
          .Default([](Operation *) { return std::nullopt; });
  if (auto math = dyn_cast<arith::ArithFastMathInterface>(last); math && combiner)
    combiner->flags = math.getFastMathFlagsAttr().getValue();
  return combiner;
}

}  // namespace crosscut
