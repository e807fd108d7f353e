// Chooses register tiles from the description of the target.
#pragma once

#include "compiler/Target/Target.h"

#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>

namespace crosscut {

// A contraction computes `rows` × `vectors` registers of results at once. Rows are neighbours along the innermost row
// loop; where that is short, whole turns of it from `bands` turns of the loop outside.
struct Tile {
  unsigned rows = 1;
  unsigned vectors = 1;
  unsigned bands = 1;
};

// Steps of the innermost reduction in one turn of its loop, for a tile of this size. `lanewise`: four values of each
// row are loaded at once.
unsigned unrollFor(const TargetDescription &target, unsigned rows, unsigned vectors, bool lanewise);

// A run of panels of equal width over the columns of a contraction. A panel is `vectors` vectors of `lanes` wide; the
// last may have fewer lanes, and fewer columns than lanes: its other lanes are multiplied with zeros and not stored.
struct Panels {
  int64_t start = 0;  // first column
  int64_t count = 0;  // panels
  unsigned lanes = 1, vectors = 1;
  unsigned lastLanes = 1, lastColumns = 1;  // of a panel's last vector
  unsigned lanesOf(unsigned vector) const { return vector + 1 == vectors ? lastLanes : lanes; }
  unsigned columnsOf(unsigned vector) const { return vector + 1 == vectors ? lastColumns : lanes; }
  int64_t width() const { return int64_t(lanes) * (vectors - 1) + lastLanes; }
  int64_t columns() const { return int64_t(lanes) * (vectors - 1) + lastColumns; }
};

// Whether what is left of the columns may be filled up to a whole register. Weights that are packed can be.
enum class Tails { Exact, Filled };

// Extents of a contraction; unknown ones are taken as large. `bands`: of the row loop outside `rows`, 1 without one.
struct ContractionSize {
  std::optional<int64_t> bands, rows, columns, depth;
  Tails tails = Tails::Exact;
};

// The tile with the lowest predicted time.
Tile chooseTile(const TargetDescription &target, const ContractionSize &size);

// Splits `columns` into panels of the tile's width and a narrower one for what is left. Exact: the powers of two in
// what then still is left, one by one.
llvm::SmallVector<Panels> splitColumns(int64_t columns, const Tile &tile, const TargetDescription &target, Tails tails);
// Panels of all runs.
int64_t countOf(llvm::ArrayRef<Panels> runs);

}  // namespace crosscut
