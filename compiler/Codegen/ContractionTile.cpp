// A register tile of a contraction: the sums, step by step, then what the epilogues make of them.
#include "compiler/Codegen/BodyCost.h"
#include "compiler/Codegen/ContractionGenerator.h"
#include "compiler/Codegen/ProductLoop.h"

using namespace mlir;

namespace crosscut {

// Value of a loop of the nest, at a row of the tile and a column.
Value ContractionGenerator::loopValue(unsigned member, Value row, Value at) {
  int loop = space.loopOf(member);
  if (loop < 0) return k.c(0);
  if (loop == static_cast<int>(columns)) return at;
  if (loop == static_cast<int>(x)) return k.add(loopValues[x], tile.bands > 1 ? k.rem(row, k.c(rowsOfBand())) : row);
  if (loop == y && tile.bands > 1) return k.add(loopValues[y], k.div(row, k.c(rowsOfBand())));
  return loopValues[loop];
}

// From the first row of a tile to another.
Value ContractionGenerator::advanceRows(Value pointer, const Operand &operand, Value row) {
  if (tile.bands > 1) {
    pointer = k.advance(pointer, operand.element, operand.strides[y], k.div(row, k.c(rowsOfBand())));
    row = k.rem(row, k.c(rowsOfBand()));
  }
  return k.advance(pointer, operand.element, operand.strides[x], row);
}

void ContractionGenerator::emitTile(const PanelRun &run, unsigned rows, Value xValue) {
  const Panels &panels = run.panels;
  loopValues[x] = xValue;
  Pointers here;
  for (Operand &operand : space.operands)
    if (!operand.splat) here[&operand] = k.advance(pointers[&operand], operand.element, operand.strides[x], xValue);
  SmallVector<Value> acc(rows * panels.vectors);
  for (unsigned u = 0; u < panels.vectors; ++u) {
    Lanes lanes(panels.lanesOf(u), panels.columnsOf(u));
    Value shared;
    for (unsigned row = 0; row < rows; ++row) {
      bool same = isConstant(init->strides[x], 0) && (y < 0 || isConstant(init->strides[y], 0));
      Value value = same && row ? shared : Value();
      if (!value) {
        Value at = init->splat ? Value() : within(here, *init, k.c(row), k.c(int64_t(u) * panels.lanes));
        value = k.broadcast(loadOperand(k, *init, at, lanes, columns), lanes.count);
      }
      shared = value;
      acc[row * panels.vectors + u] = value;
    }
  }
  prefetchFrom = Value();
  depthDone = k.c(0);
  if (prefetchPerRow) {
    Value row = y >= 0 ? k.add(k.mul(loopValues[y], k.expand(space.loops[x].extent)), xValue) : xValue;
    Value distance =
        k.add(k.c(packedDepth * panels.width() * elementBytes(b->element)), k.mul(row, k.c(prefetchPerRow)));
    prefetchFrom = distance;
    prefetchBase = here[b];
  }
  reduce(0, here[a], here[b], run, rows, acc);

  bool functions =
      llvm::any_of(step.epilogues, [&](const Epilogue &epilogue) { return callsFunction(epilogue.op, k.target); });
  if (functions && acc.size() > 1) {
    storeByLoop(panels, rows, acc, here);
    return;
  }
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned u = 0; u < panels.vectors; ++u)
      storeVector(acc[row * panels.vectors + u], k.c(row), k.c(int64_t(u) * panels.lanes),
                  {panels.lanesOf(u), panels.columnsOf(u)}, here);
}

// Address of an operand at a row of the tile, `offset` columns from the first.
Value ContractionGenerator::within(const Pointers &tileAt, const Operand &operand, Value row, Value offset) {
  Value pointer = advanceRows(tileAt.lookup(&operand), operand, row);
  return k.advance(pointer, operand.element, operand.strides[columns], offset);
}

// Applies the epilogues to sums of a row of the tile, `offset` columns from the first, and stores the results.
void ContractionGenerator::storeVector(Value vector, Value row, Value offset, Lanes lanes, const Pointers &tileAt) {
  auto at = [&](const Operand &operand) { return within(tileAt, operand, row, offset); };
  Value first = k.add(column, offset);
  SmallVector<Value> values = applyEpilogues(k, step, space, {vector}, lanes, columns, at,
                                             [&](unsigned member) { return loopValue(member, row, first); });
  Operand *output = space.find(Operand::Output, 0);
  k.store(values[0], at(*output), output->element, lanes, output->strides[columns]);
}

// One vector after the other out of memory, so that the sums leave their registers to the epilogues' constants.
void ContractionGenerator::storeByLoop(const Panels &panels, unsigned rows, ArrayRef<Value> acc,
                                       const Pointers &tileAt) {
  Type element = getElementTypeOrSelf(acc.front());
  Size dense = size(1);
  int64_t width = int64_t(panels.lanes) * panels.vectors;
  if (!tileMemory) tileMemory = k.allocate(element, int64_t(tile.rows) * tile.vectors * k.target.lanes());
  auto at = [&](Value row, Value offset) {
    return k.advance(k.advance(tileMemory, element, k.mul(row, k.c(width))), element, offset);
  };
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned u = 0; u < panels.vectors; ++u)
      k.store(acc[row * panels.vectors + u], at(k.c(row), k.c(int64_t(u) * panels.lanes)), element, panels.lanesOf(u),
              dense);
  auto store = [&](Value offset, Lanes lanes) {
    k.loop(k.c(0), k.c(rows), k.c(1), [&](Value row) {
      storeVector(k.load(at(row, offset), element, lanes.count, dense), row, offset, lanes, tileAt);
    });
  };
  Lanes last(panels.lanesOf(panels.vectors - 1), panels.columnsOf(panels.vectors - 1));
  int64_t whole = last.used == panels.lanes ? width : width - panels.lanes;
  k.loop(k.c(0), k.c(whole), k.c(panels.lanes), [&](Value offset) { store(offset, panels.lanes); });
  if (whole < width) store(k.c(whole), last);
}

void ContractionGenerator::reduce(unsigned at, Value aPtr, Value bPtr, const PanelRun &run, unsigned rows,
                                  SmallVector<Value> &acc) {
  unsigned loop = reductions[at];
  Size extent = space.loops[loop].extent;
  Size bStride = stridesOfB(loop, run);
  if (at + 1 < reductions.size()) {
    acc = k.loop(k.c(0), k.expand(extent), k.c(1), acc, [&](Value iv, ArrayRef<Value> carried) {
      SmallVector<Value> inner(carried);
      Value before = depthDone;
      if (prefetchFrom) {
        int64_t inside = 1;
        for (unsigned next : llvm::drop_begin(reductions, at + 1)) inside *= *constantOf(space.loops[next].extent);
        depthDone = k.add(depthDone, k.mul(iv, k.c(inside)));
      }
      reduce(at + 1, k.advance(aPtr, a->element, a->strides[loop], iv), k.advance(bPtr, b->element, bStride, iv), run,
             rows, inner);
      depthDone = before;
      return inner;
    });
    return;
  }
  ProductLoop tileLoop;
  tileLoop.panels = run.panels;
  tileLoop.rows = rows;
  tileLoop.a = aPtr, tileLoop.aElement = a->element, tileLoop.aSplat = a->splat, tileLoop.aStep = a->strides[loop];
  auto rowAt = [&](Value first, unsigned row) { return advanceRows(first, *a, k.c(row)); };
  tileLoop.rowAt = rowAt;
  tileLoop.b = bPtr, tileLoop.bElement = b->element, tileLoop.bSplat = b->splat, tileLoop.bStep = bStride;
  tileLoop.bColumn = packed ? size(1) : b->strides[columns];
  if (prefetchFrom) {
    // As far into the tile's share of the next panel as the tile is done, the loop fetches that.
    tileLoop.nextBytes = llvm::divideCeil(prefetchPerRow * rows, packedDepth);
    Value start = k.add(prefetchFrom, k.mul(depthDone, k.c(tileLoop.nextBytes)));
    tileLoop.next = k.bytesBehind(prefetchBase, start);
  }
  acc = addProducts(k, tileLoop, extent, acc);
}

}  // namespace crosscut
