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

// A run of panels of equal width over the columns of a contraction.
struct Panels {
  int64_t start = 0;  // first column
  int64_t count = 0;  // panels
  unsigned lanes = 1, vectors = 1;
  int64_t width() const { return int64_t(lanes) * vectors; }
};

// Extents of a contraction; unknown ones are taken as large. `bands`: of the row loop outside `rows`, 1 without one.
struct ContractionSize {
  std::optional<int64_t> bands, rows, columns, depth;
};

// The tile with the lowest predicted time.
Tile chooseTile(const TargetDescription &target, const ContractionSize &size);

// Splits `columns` into panels of the tile's width and, for what is left, narrower ones of whole registers, then of
// halves of a register down to one column.
llvm::SmallVector<Panels> splitColumns(int64_t columns, const Tile &tile, unsigned lanes);

}  // namespace crosscut
