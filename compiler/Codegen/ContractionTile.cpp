// A register tile of a contraction: the sums, step by step, then what the epilogues make of them.
#include "compiler/Codegen/BodyCost.h"
#include "compiler/Codegen/ContractionGenerator.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

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
  bool isFloat = isa<FloatType>(a->element);
  bool lanewise = isFloat && k.target.laneFma && run.panels.lanes > 1 && isConstant(a->strides[loop], 1);
  unsigned vectors = run.panels.vectors, unroll = unrollFor(k.target, rows, vectors, lanewise);
  auto count = constantOf(extent);
  // Up to four turns in one, for the loop's own instructions.
  unsigned most = lanewise && hasManyRegisters() ? 4 * unroll : unroll;
  while (unroll < most && count && *count % (2 * unroll) == 0 && *count >= 4 * unroll) unroll *= 2;
  if (count && *count < unroll) unroll = 1;
  Value whole = k.sub(k.expand(extent), k.rem(k.expand(extent), k.c(unroll)));
  if (count) whole = k.c(*count / unroll * unroll);
  acc = innermost(aPtr, bPtr, run, rows, acc, k.c(0), whole, unroll, lanewise && unroll > 1);
  if (unroll > 1 && !(count && *count % unroll == 0))
    acc = innermost(aPtr, bPtr, run, rows, acc, whole, k.expand(extent), 1, false);
}

SmallVector<Value> ContractionGenerator::innermost(Value aPtr, Value bPtr, const PanelRun &run, unsigned rows,
                                                   ArrayRef<Value> acc, Value from, Value to, unsigned unroll,
                                                   bool lanewise) {
  unsigned loop = reductions.back();
  const Panels &panels = run.panels;
  Size bStride = stridesOfB(loop, run);
  Size columnStride = packed ? size(1) : b->strides[columns];
  // Where the loop reads. As far into the tile's share of the next panel as the tile is done, it fetches that.
  enum { A, B, Next, Walks };
  struct Walk {
    Value base;
    Type element;
    Size stride;  // elements a turn
  } walks[Walks] = {{aPtr, a->element, a->strides[loop]}, {bPtr, b->element, bStride}, {}};
  if (prefetchFrom) {
    int64_t bytes = llvm::divideCeil(prefetchPerRow * rows, packedDepth);
    Value start = k.add(prefetchFrom, k.mul(depthDone, k.c(bytes)));
    walks[Next] = {k.bytesBehind(prefetchBase, start), k.b.getI8Type(), size(bytes)};
  }
  auto advance = [&](unsigned walk, Value pointer, Value turns) {
    const Walk &w = walks[walk];
    return walk == Next ? k.bytesBehind(pointer, k.mul(turns, k.expand(w.stride)))
                        : k.advance(pointer, w.element, w.stride, turns);
  };
  // On NEON, pointers go from turn to turn: LLVM would multiply to find them from the loop's number.
  bool carries = k.target.laneFma;
  SmallVector<Value> inits(acc);
  for (unsigned walk = 0; walk < Walks; ++walk)
    if (carries && walks[walk].base) inits.push_back(advance(walk, walks[walk].base, from));
  SmallVector<Value> results = k.loop(from, to, k.c(unroll), inits, [&](Value iv, ArrayRef<Value> carried) {
    SmallVector<Value> sums(carried.take_front(acc.size())), next;
    carried = carried.drop_front(acc.size());
    Value here[Walks];
    for (unsigned walk = 0; walk < Walks; ++walk) {
      if (!walks[walk].base) continue;
      here[walk] = carries ? carried.consume_front() : advance(walk, walks[walk].base, iv);
      if (carries) next.push_back(advance(walk, here[walk], k.c(unroll)));
    }
    if (prefetchFrom) k.prefetch(here[Next]);
    constexpr unsigned lanesTogether = 4;
    SmallVector<Value> together(rows);
    for (unsigned step = 0; step < unroll; ++step) {
      bool newGroup = step % lanesTogether == 0;
      if (lanewise && step && isTight(rows, panels.vectors, newGroup)) k.keepLoadsApart();
      if (lanewise && newGroup)
        for (unsigned row = 0; row < rows; ++row) {
          Value at = k.advance(advanceRows(here[A], *a, k.c(row)), a->element, size(1), k.c(step));
          together[row] = k.load(at, a->element, lanesTogether, size(1));
        }
      SmallVector<Value> weightsHere;
      Value bStep = b->splat ? Value() : k.advance(here[B], b->element, bStride, k.c(step));
      for (unsigned u = 0; u < panels.vectors; ++u) {
        Value at = b->splat ? Value() : k.advance(bStep, b->element, columnStride, k.c(int64_t(u) * panels.lanes));
        Value loaded = at ? k.load(at, b->element, panels.lanesOf(u), columnStride) : k.constant(b->splat);
        weightsHere.push_back(k.broadcast(loaded, panels.lanesOf(u)));
      }
      for (unsigned row = 0; row < rows; ++row) {
        Value scalar;
        if (lanewise) {
          scalar = vector::ExtractOp::create(k.b, k.loc, together[row], int64_t(step % lanesTogether));
        } else if (a->splat) {
          scalar = k.constant(a->splat);
        } else {
          Value at = advanceRows(here[A], *a, k.c(row));
          scalar = k.load(k.advance(at, a->element, a->strides[loop], k.c(step)), a->element, 1, size(0));
        }
        for (unsigned u = 0; u < panels.vectors; ++u) {
          Value &sum = sums[row * panels.vectors + u];
          sum = k.multiplyAdd(k.broadcast(scalar, panels.lanesOf(u)), weightsHere[u], sum, lanewise);
        }
      }
    }
    sums.append(next);
    return sums;
  });
  results.resize(acc.size());
  return results;
}

}  // namespace crosscut
