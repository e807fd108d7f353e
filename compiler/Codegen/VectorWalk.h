// How a nest that is no contraction is walked in vectors, and what that costs.
#pragma once

#include "compiler/Codegen/LoopSpace.h"

namespace crosscut {

// Loops are those of the LoopSpace; -1: none.
struct VectorWalk {
  unsigned parallelLoops = 0;  // these come first, then the reductions
  int vectorLoop = -1;         // walked in vectors of `lanes`
  int rowLoop = -1;            // `rowsAtOnce` neighbouring results at once
  int bandLoop = -1;           // of `bandsAtOnce` turns of this loop, which overlap along `sharedLoop` of a window
  int sharedLoop = -1;
  bool lanesReduce = false;  // the vector loop is a reduction
  bool transposes = false;   // blocks of rows, whose values lie side by side, become columns in registers
  unsigned rowsAtOnce = 1, bandsAtOnce = 1, lanes = 1;
};

// Loops of a window with at most so many turns are written out.
constexpr int64_t mostWrittenOut = 7;

// By how many turns of such a loop of the window what the operand reads moves on with a turn of `loop`; nothing where
// the two do not meet again.
std::optional<int64_t> overlapStep(const LoopSpace &space, const Operand &operand, unsigned loop, unsigned window);

KernelChoice describeWalk(const Step &step, const LoopSpace &space, VectorWalk walk, const TargetDescription &target);

}  // namespace crosscut
