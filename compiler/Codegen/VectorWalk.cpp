// See VectorWalk.h.
//
// A turn of the innermost loop does what the body says, and loads what moves with it; what neighbouring results share
// is loaded once for all of them. Epilogues and stores come once a result.
#include "compiler/Codegen/VectorWalk.h"
#include "compiler/Codegen/BodyCost.h"
#include "compiler/Codegen/Cost.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace crosscut {
namespace {

class WalkCost {
 public:
  WalkCost(const LoopSpace &space, const VectorWalk &walk) : space(space), walk(walk) {}

  // Turns of loops `from` to `to`, the vector loop's in vectors; nothing when they are not known.
  std::optional<double> turns(unsigned from, unsigned to) const {
    double result = 1;
    for (unsigned loop = from; loop < to; ++loop) {
      auto extent = space.usualExtent(loop);
      if (!extent) return std::nullopt;
      result *= int(loop) == walk.vectorLoop ? llvm::divideCeil(*extent, int64_t(walk.lanes)) : double(*extent);
    }
    return result;
  }
  // Turns of the window's loops that are written out (Generic.cpp), for all results at once.
  double writtenOut() const {
    double turns = walk.rowsAtOnce * walk.bandsAtOnce;
    for (unsigned loop = space.loops.size(); walk.rowLoop >= 0 && loop-- > walk.parallelLoops;) {
      auto extent = constantOf(space.loops[loop].extent);
      if (!extent || *extent > mostWrittenOut) break;
      turns *= *extent;
    }
    return turns;
  }
  // Loads of an operand in one turn, and stores likewise.
  double accesses(const Operand &operand) const {
    if (operand.splat) return 0;
    double count = 1;
    if (walk.rowLoop >= 0 && operand.role == Operand::Input && walk.parallelLoops < space.loops.size())
      count = overlap(operand, walk.rowLoop, space.loops.size() - 1, walk.rowsAtOnce) *
              overlap(operand, walk.bandLoop, walk.sharedLoop, walk.bandsAtOnce);
    if (walk.vectorLoop >= 0) {
      Size stride = operand.strides[walk.vectorLoop];
      if (!isConstant(stride, 0) && !isConstant(stride, 1) && !walk.transposes) count *= walk.lanes;  // one by one
    }
    for (auto [loop, atOnce] : {std::pair(walk.rowLoop, walk.rowsAtOnce), {walk.bandLoop, walk.bandsAtOnce}})
      if (loop >= 0 && isConstant(operand.strides[loop], 0)) count /= atOnce;
    return count;
  }

 private:
  // Of what `atOnce` neighbouring results read along a loop of the window, the share that is not read twice.
  double overlap(const Operand &operand, int loop, int window, unsigned atOnce) const {
    auto step = loop < 0 ? std::nullopt : overlapStep(space, operand, loop, window);
    if (!step || *step == 0) return 1;
    int64_t taps = *constantOf(space.loops[window].extent);
    return double((atOnce - 1) * *step + taps) / double(atOnce * taps);
  }

  const LoopSpace &space;
  const VectorWalk &walk;
};

}  // namespace

std::optional<int64_t> overlapStep(const LoopSpace &space, const Operand &operand, unsigned loop, unsigned window) {
  auto step = constantOf(operand.strides[loop]), apart = constantOf(operand.strides[window]);
  auto taps = constantOf(space.loops[window].extent);
  if (!step || !apart || *apart <= 0 || *step % *apart || !taps || *taps > mostWrittenOut) return std::nullopt;
  return *step / *apart < *taps ? std::optional(*step / *apart) : std::nullopt;
}

KernelChoice describeWalk(const Step &step, const LoopSpace &space, VectorWalk walk, const TargetDescription &target) {
  if (auto extent = walk.vectorLoop >= 0 ? constantOf(space.loops[walk.vectorLoop].extent) : std::nullopt)
    walk.lanes = std::min<unsigned>(walk.lanes, llvm::bit_floor(uint64_t(std::max<int64_t>(1, *extent))));
  unsigned loops = space.loops.size();
  bool reduces = walk.parallelLoops < loops;
  KernelChoice choice;
  choice.name = step.name;
  choice.algorithm = walk.transposes ? "transpose" : walk.rowLoop >= 0 ? "windows" : reduces ? "reduction" : "loop";
  choice.lanes = walk.lanes;
  choice.tileRows = walk.rowLoop >= 0 ? walk.rowsAtOnce * walk.bandsAtOnce : 0;

  WalkCost cost(space, walk);
  auto all = cost.turns(0, loops), results = cost.turns(0, walk.parallelLoops);
  if (!all || !results) return choice;
  LoopCost inside, once;
  inside.turns = *all;
  once.turns = *results;
  inside.control /= cost.writtenOut();
  inside.lanes = walk.lanes;
  once.lanes = walk.lanesReduce ? 1 : walk.lanes;
  inside.operations = operationsOf(step.nest.op, target);
  for (const Epilogue &epilogue : step.epilogues) once.operations += operationsOf(epilogue.op, target);
  for (const Operand &operand : space.operands) {
    if (operand.role == Operand::Input) inside.loads += cost.accesses(operand);
    else if (operand.role == Operand::Output) once.stores += cost.accesses(operand);
    else if (operand.role == Operand::EpilogueInput || reduces) once.loads += cost.accesses(operand);
  }
  if (walk.transposes) once.operations += llvm::Log2_32(std::max(1u, walk.lanes));
  if (walk.lanesReduce) once.operations += 2 * llvm::Log2_32_Ceil(std::max(1u, walk.lanes));
  if (!reduces) {
    inside.operations += once.operations;
    inside.loads += once.loads;
    inside.stores += once.stores;
    choice.cycles = loopCycles(target, inside);
    return choice;
  }
  choice.cycles = loopCycles(target, inside) + loopCycles(target, once);
  return choice;
}

}  // namespace crosscut
