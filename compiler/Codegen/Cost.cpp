// See Cost.h.
//
// Register tiles: one step of the reduction needs rows × vectors multiply-adds, `vectors` loads of weights and (unless
// a multiply-add reads memory by itself, or takes an element of a register) `rows` broadcasts; it can not be faster
// than the latency of the multiply-add allows for the number of independent accumulators.
#include "compiler/Codegen/Cost.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace crosscut {
namespace {

// Cycles of starting a tile, and of a panel, beside their steps.
constexpr double tileStart = 12, panelStart = 20;
// Cycles that the first rows of a panel wait for its weights, when these come from beyond the first cache, and what a
// byte of them costs each time when a panel does not stay there either.
constexpr double panelLatency = 1000, secondCacheByte = 0.0025;

// Sums of products, and the weights for them, that take `factor` times those of one point of the kernel. Most of the
// time for the weights adds to that of the arithmetic: rows of a panel are read as fast as they are needed, not faster.
double sumCycles(const TargetDescription &target, double factor, double outputs, const ConvolutionSize &size) {
  double weights = double(size.channels) * size.columns;
  return 1.1 * factor * outputs * weights / multiplyAddsPerCycle(target) + factor * weights * 4 / target.streamedBytes;
}

// Time of an instruction on a vector of `lanes`, of that on a whole one: of a group of registers fewer take part, and
// where there is one unit for 512 bits, it is two for 256.
double shareOf(const TargetDescription &target, unsigned lanes) {
  double atOnce = target.vectorBits / (target.hasTwoHalves() ? 64 : 32);
  return target.vectorBits ? std::max<double>(lanes, atOnce) / std::max<double>(target.lanes(), atOnce) : 1;
}

}  // namespace

double multiplyAddsPerCycle(const TargetDescription &target) {
  return std::max(1u, target.vectorBits / 32) * double(std::max(1u, target.fmaPipes));
}

StepCost stepCost(const TargetDescription &target, unsigned rows, const Panels &panels) {
  unsigned vectors = panels.vectors;
  double registers =
      ((vectors - 1) * shareOf(target, panels.lanes) + shareOf(target, panels.lastLanes)) * target.vectorGroup;
  unsigned unroll = unrollFor(target, rows, vectors, target.laneFma);
  double multiplyAdds = rows * registers / std::max(1u, target.fmaPipes);
  double loads = registers + (target.laneFma ? rows / 4.0 : rows);
  double latency = target.fmaLatency;
  // All instructions of a step, with its share of the loop's counter and branch.
  double issued = rows * registers + loads + 3.0 / unroll;
  if (target.foldsBroadcast && vectors == 1) issued -= rows;  // loads that are part of a multiply-add
  double cycles = std::max({multiplyAdds, loads / 2, latency, issued / target.issueWidth});
  return {cycles, cycles + target.instructionWeight * issued + 0.4 / unroll};
}

double contractionCost(const TargetDescription &target, const ContractionSize &size, const Tile &tile, CostOf what) {
  int64_t bands = size.bands.value_or(64), rows = std::max<int64_t>(1, size.rows.value_or(1 << 12));
  int64_t columns = size.columns.value_or(1 << 12), depth = size.depth.value_or(256);
  auto costOfTile = [&](unsigned height, const Panels &panels) {
    StepCost step = stepCost(target, height, panels);
    double perStep = what == CostOf::Rank ? step.rank : step.cycles;
    if (what == CostOf::Rank && depth * panels.width() * 4 > int64_t(target.l1Bytes / 2))
      perStep += panels.width() * 4 * secondCacheByte;
    return perStep * depth + height * panels.vectors + tileStart;
  };
  double start = panelStart;
  if (target.vectorBits && double(depth) * columns * 4 > target.l1Bytes) start += panelLatency;
  bool joined = tile.bands > 1;  // a tile takes whole rows of several bands
  int64_t whole = joined ? bands / tile.bands : rows / tile.rows * bands;
  unsigned rest = joined ? bands % tile.bands * rows : rows % tile.rows;
  double cost = 0;
  for (const Panels &panels : splitColumns(columns, tile, target, size.tails)) {
    double perPanel = double(whole) * costOfTile(tile.rows, panels);
    if (rest) perPanel += costOfTile(rest, panels) * (joined ? 1 : bands);
    cost += panels.count * (perPanel + start);
  }
  return cost;
}

double plainConvolutionCycles(const TargetDescription &target, const ConvolutionSize &size) {
  return sumCycles(target, 9, double(size.batch) * size.height * size.width, size);
}

WinogradCost winogradCost(const TargetDescription &target, const ConvolutionSize &size, unsigned outputs) {
  double side = (outputs - 1) * size.stride + 3, points = side * side;
  double tiles = double(size.batch) * llvm::divideCeil(size.height, outputs) * llvm::divideCeil(size.width, outputs);
  double lanes = target.lanes();
  // Loads, stores and one-dimensional transforms of twelve operations, four for the smaller tile; products are stored
  // once by the multiplication. What does not fit the registers is stored and loaded between the two directions.
  double line = outputs == 4 ? 12 : 4;
  if (!target.hasFma) line *= 1.7;
  double spills = target.vectorGroup > 1 || target.vectorRegisters < 32 ? 2 * points : points / 2;
  double in = 2 * points + 2 * side * line + spills;
  double out = 2 * points + (side + outputs) * line + 3 * outputs * outputs + spills;
  double transforms = tiles * (in * llvm::divideCeil(size.channels, int64_t(lanes)) +
                               out * llvm::divideCeil(size.columns, int64_t(lanes)));
  WinogradCost cost;
  cost.cycles = sumCycles(target, points, tiles, size) + transforms * target.vectorGroup / 2;
  cost.inputCycles = tiles * in * llvm::divideCeil(size.channels, int64_t(lanes)) * target.vectorGroup / 2;
  return cost;
}

double loopCycles(const TargetDescription &target, const LoopCost &loop) {
  // Shorter vectors take fewer registers of a group, but never less than one.
  double lanesOfRegister = std::max(1u, target.vectorBits / 32);
  double registers = std::max(1.0, loop.lanes / lanesOfRegister);
  double operations = loop.operations * registers, loads = loop.loads * registers, stores = loop.stores * registers;
  double issued = operations + loads + stores + loop.control;
  double perTurn =
      std::max({operations / std::max(1u, target.fmaPipes), loads / 2, stores, issued / target.issueWidth});
  return loop.turns * perTurn;
}

double weightCycles(const TargetDescription &target, uint64_t bytes) { return bytes / target.streamedBytes; }

double tensorCycles(const TargetDescription &target, uint64_t largest, uint64_t bytes) {
  return largest > target.l2Bytes ? bytes / target.streamedBytes : 0;
}

}  // namespace crosscut
