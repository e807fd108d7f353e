// See Tiles.h. What a tile costs is in Cost.cpp; what does not fit the registers is not considered.
#include "compiler/Codegen/Tiles.h"

#include "compiler/Codegen/Cost.h"

#include "llvm/ADT/bit.h"

#include <algorithm>

namespace crosscut {
namespace {

// Registers that a tile takes, at most, and that it may take. Some are left spare: schedules that need all of them
// spill now and then.
unsigned registersOf(const TargetDescription &target, unsigned rows, unsigned vectors) {
  unsigned used = rows * vectors + vectors;
  if (target.laneFma) return used + rows;  // several k of each row in a register
  // Rows come from scalar registers, or from memory as part of the only multiply-add that needs them.
  if (target.scalarFma || (target.foldsBroadcast && vectors == 1)) return used;
  return used + 1;
}

unsigned registersFor(const TargetDescription &target) {
  unsigned registers = std::max(4u, target.vectorRegisters);
  return target.vectorGroup > 1 ? registers : registers - target.spareRegisters;
}

}  // namespace

unsigned unrollFor(const TargetDescription &target, unsigned rows, unsigned vectors, bool lanewise) {
  if (lanewise) return 4;
  // With few registers, schedulers that see several steps at once load too early and spill.
  bool roomy = target.vectorRegisters >= 32 || target.foldsBroadcast;
  unsigned work = rows * vectors;
  return work >= 16 || !roomy ? 1 : work >= 8 ? 2 : 4;
}

llvm::SmallVector<Panels> splitColumns(int64_t columns, const Tile &tile, const TargetDescription &target,
                                       Tails tails) {
  unsigned lanes = target.lanes();
  llvm::SmallVector<Panels> panels;
  int64_t at = 0;
  unsigned others = lanes;  // of a panel's vectors before the last
  auto addPanels = [&](int64_t count, unsigned vectors, unsigned lastLanes, unsigned lastColumns) {
    if (!count) return;
    Panels run;
    run.start = at;
    run.count = count;
    run.vectors = vectors;
    run.lanes = vectors > 1 ? others : lastLanes;
    run.lastLanes = lastLanes;
    run.lastColumns = lastColumns;
    panels.push_back(run);
    at += count * run.columns();
  };
  addPanels(columns / (int64_t(lanes) * tile.vectors), tile.vectors, lanes, lanes);
  unsigned whole = (columns - at) / lanes, rest = (columns - at) % lanes;
  bool ofHalves = target.hasTwoHalves() && rest && rest <= lanes / 2;
  if (ofHalves && registersOf(target, tile.rows, 2 * whole + 1) <= registersFor(target)) {
    // Among halves, whole vectors would all go to the same one of the two units.
    others = lanes / 2;
    whole *= 2;
  } else if (!rest || ofHalves || target.vectorGroup > 1) {
    // RVV takes an instruction for every change of a vector's length: there, vectors of one panel are equal.
    addPanels(whole ? 1 : 0, whole, lanes, lanes);
    whole = 0;
  }
  while (rest) {
    // No register is narrower than four lanes, and scalars among vectors cost conversions.
    unsigned width =
        tails == Tails::Filled ? std::max(std::min(lanes, 4u), llvm::bit_ceil(rest)) : llvm::bit_floor(rest);
    unsigned stored = std::min(width, rest);
    addPanels(1, whole + 1, width, stored);
    rest -= stored;
    whole = 0;
  }
  return panels;
}

int64_t countOf(llvm::ArrayRef<Panels> runs) {
  int64_t count = 0;
  for (const Panels &run : runs) count += run.count;
  return count;
}

Tile chooseTile(const TargetDescription &target, const ContractionSize &size) {
  unsigned lanes = target.lanes();
  unsigned limit = registersFor(target);
  int64_t b = size.bands.value_or(64), r = std::max<int64_t>(1, size.rows.value_or(1 << 12));
  int64_t n = size.columns.value_or(1 << 12);
  Tile best;
  double bestCost = -1;
  auto consider = [&](const Tile &tile) {
    double cost = contractionCost(target, size, tile, CostOf::Rank);
    if (bestCost >= 0 && cost >= bestCost * 0.995) return;
    bestCost = cost;
    best = tile;
  };
  for (unsigned vectors = 1; vectors <= 14; ++vectors) {
    if (vectors > 1 && int64_t(vectors) * lanes >= n + lanes) break;
    auto fits = [&](int64_t height) {
      return height <= target.maxTileRows && registersOf(target, height, vectors) <= limit;
    };
    for (unsigned height = 1; height <= r && fits(height); ++height) consider({height, vectors, 1});
    for (unsigned bands = 2; bands <= b && size.bands && size.rows && fits(bands * r); ++bands)
      consider({static_cast<unsigned>(bands * r), vectors, bands});
  }
  return best;
}

}  // namespace crosscut
