// What kernels cost on a target: the one model by which register tiles and algorithms are chosen, and from which
// --explain predicts.
//
// Costs are cycles of one core that runs the kernel alone. They follow from the TargetDescription, never from a
// measurement, so that the same command gives the same module everywhere.
#pragma once

#include "compiler/Codegen/Tiles.h"

namespace crosscut {

// Multiply-adds of single floats that the target starts in a cycle at most: its peak.
double multiplyAddsPerCycle(const TargetDescription &target);

// ---- Register tiles ------------------------------------------------------------------------------------------------

// One step of the reduction for a tile of `rows` and the columns of a panel.
struct StepCost {
  double cycles = 0;  // that it takes
  double rank = 0;    // cycles, and a little for every instruction: between equally fast tiles, fewer instructions
};
StepCost stepCost(const TargetDescription &target, unsigned rows, const Panels &panels);

// A contraction of this size with this tile. By rank, which choices follow, or by cycles, which predictions do.
enum class CostOf { Rank, Cycles };
double contractionCost(const TargetDescription &target, const ContractionSize &size, const Tile &tile, CostOf what);

// ---- Winograd's algorithm ------------------------------------------------------------------------------------------

struct ConvolutionSize {
  int64_t batch, height, width, channels, columns;  // of the result; input channels, output channels
  unsigned stride;
};

// A 3x3 convolution as a plain sum of products, and by F(outputs x outputs, 3x3) with its transforms, whose input's
// part is `inputCycles`. Both with the weights' way from memory.
struct WinogradCost {
  double cycles = 0, inputCycles = 0;
};
double plainConvolutionCycles(const TargetDescription &target, const ConvolutionSize &size);
WinogradCost winogradCost(const TargetDescription &target, const ConvolutionSize &size, unsigned outputs);

// ---- Everything else -----------------------------------------------------------------------------------------------

// A loop that is walked in vectors of `lanes` elements: what one turn of it does.
struct LoopCost {
  double turns = 0;
  unsigned lanes = 1;
  double operations = 0, loads = 0, stores = 0;  // instructions, were a vector one register
  double control = 2;                            // instructions of the loop itself
};
double loopCycles(const TargetDescription &target, const LoopCost &loop);

// ---- Memory --------------------------------------------------------------------------------------------------------

// Weights of a whole model do not stay in a core's caches from one inference to the next.
double weightCycles(const TargetDescription &target, uint64_t bytes);
// `bytes` read and written, of tensors of which the largest has `largest`: they stay in the second-level cache from one
// kernel to the next when that has room there.
double tensorCycles(const TargetDescription &target, uint64_t largest, uint64_t bytes);

}  // namespace crosscut
