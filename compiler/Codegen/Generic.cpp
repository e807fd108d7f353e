// Kernels for everything that is no sum of products over weights: elementwise operations, pooling and depthwise
// windows, reductions, copies between layouts.
//
// One loop is walked in vectors: a parallel one along which results lie side by side, else (sums along a row) a
// reduction whose lanes are combined at the end. Windows compute several neighbouring results at once, so that their
// weights and the values that they share are loaded once. Loops that stay outside make the work items.
#include "compiler/Codegen/BodyCost.h"
#include "compiler/Codegen/GenericGenerator.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace crosscut {

bool GenericGenerator::bodiesVectorize() {
  if (step.nest.op && !isVectorizable(step.nest.op->getRegion(0).front())) return false;
  for (const Epilogue &epilogue : step.epilogues)
    if (!isVectorizable(epilogue.op->getRegion(0).front())) return false;
  return true;
}

// How well the loop is walked in vectors; less than 0: not at all.
int GenericGenerator::scoreAsVector(unsigned loop) {
  auto extent = constantOf(space.loops[loop].extent);
  if (extent && *extent < 2) return -1;
  int score = 0;
  for (Operand &operand : space.operands) {
    if (operand.splat) continue;
    bool unit = isConstant(operand.strides[loop], 1), fixed = isConstant(operand.strides[loop], 0);
    if (operand.packed) unit = unit || !fixed;  // laid out as this kernel likes
    if (operand.role == Operand::Output) score += unit ? 8 : fixed ? -100 : -4;
    else score += unit ? 4 : fixed ? 1 : -3;
  }
  if (extent && *extent < k.target.lanes()) score -= 2;
  return score;
}

// Whether lanes along the loop would read an input whose elements lie apart.
bool GenericGenerator::gathers(unsigned loop) {
  return llvm::any_of(space.operands, [&](const Operand &operand) {
    return operand.role == Operand::Input && !operand.splat && !operand.packed &&
           !isConstant(operand.strides[loop], 1) && !isConstant(operand.strides[loop], 0);
  });
}

// The innermost reduction of at least this length that can be walked in lanes, or -1.
int GenericGenerator::reductionInLanes(int64_t shortest) {
  for (unsigned loop = space.loops.size(); loop-- > walk.parallelLoops;) {
    bool fits = true, moves = false;
    for (Operand &operand : space.operands) {
      if (operand.role != Operand::Input || operand.splat) continue;
      fits &= isConstant(operand.strides[loop], 1) || isConstant(operand.strides[loop], 0);
      moves |= isConstant(operand.strides[loop], 1);
    }
    if (fits && moves && constantOf(space.loops[loop].extent).value_or(64) >= shortest) return loop;
  }
  return -1;
}

void GenericGenerator::arrangeLoops() {
  space.dropUnit();
  Operand *output = space.find(Operand::Output, 0);
  auto outside = [&](Operand *operand) {
    return [operand](unsigned i, unsigned j) {
      auto si = constantOf(operand->strides[i]), sj = constantOf(operand->strides[j]);
      if (si && sj) return *si > *sj;
      return !si && sj;
    };
  };
  SmallVector<unsigned> parallel, sums;
  for (unsigned i = 0; i < space.loops.size(); ++i) (space.loops[i].reduction ? sums : parallel).push_back(i);
  llvm::stable_sort(parallel, outside(output));
  if (Operand *input = space.find(Operand::Input, 0); input && !input->splat) llvm::stable_sort(sums, outside(input));
  SmallVector<unsigned> order(parallel);
  order.append(sums);
  space.reorder(order);
  walk.parallelLoops = parallel.size();

  bool vectors = k.target.lanes() > 1 && bodiesVectorize();
  auto choose = [&](unsigned from, unsigned to) {
    int best = -1, bestScore = 4;
    for (unsigned loop = from; loop < to; ++loop)
      if (int score = scoreAsVector(loop); score > bestScore || (score == bestScore && best >= 0))
        best = loop, bestScore = score;
    return best;
  };
  if (vectors) walk.vectorLoop = choose(0, walk.parallelLoops);
  combiner = matchCombiner(step.nest.op);
  // Lanes along a reduction: every input that moves must move by one. Also where neighbouring results would have to
  // gather what they sum: a sum in lanes reads rows as they lie, and its partial sums lose less.
  if (vectors && combiner && (walk.vectorLoop < 0 || gathers(walk.vectorLoop)))
    if (int loop = reductionInLanes(walk.vectorLoop < 0 ? 2 : 4 * k.target.lanes()); loop >= 0)
      walk.vectorLoop = loop, walk.lanesReduce = true;
  // Vectors innermost of their kind; constants are laid out in this order.
  if (walk.vectorLoop >= 0) {
    SmallVector<unsigned> moved;
    unsigned last = walk.lanesReduce ? space.loops.size() : walk.parallelLoops;
    for (unsigned i = 0; i < space.loops.size(); ++i) {
      if (i == last) moved.push_back(walk.vectorLoop);
      if (static_cast<int>(i) != walk.vectorLoop) moved.push_back(i);
    }
    if (last == space.loops.size()) moved.push_back(walk.vectorLoop);
    space.reorder(moved);
    walk.vectorLoop = last - 1;
  }
  // Constants: what is summed over outside, then the parallel loops, so that neighbouring lanes read neighbours.
  SmallVector<unsigned> packing;
  for (unsigned i = walk.parallelLoops; i < space.loops.size(); ++i) packing.push_back(i);
  for (unsigned i = 0; i < walk.parallelLoops; ++i) packing.push_back(i);
  SmallVector<unsigned> back(packing.size());
  for (unsigned i = 0; i < packing.size(); ++i) back[packing[i]] = i;
  if (!walk.lanesReduce) {
    space.reorder(packing);
    space.packConstants();
    space.reorder(back);
  } else {
    space.packConstants();
  }
  SmallVector<unsigned, 2> vectorMembers;
  if (walk.vectorLoop >= 0) vectorMembers = space.loops[walk.vectorLoop].members;
  space.merge([](const Loop &, const Loop &) { return true; });
  walk.parallelLoops = 0;
  for (unsigned i = 0; i < space.loops.size(); ++i) {
    if (!space.loops[i].reduction) walk.parallelLoops = i + 1;
    if (walk.vectorLoop >= 0 && llvm::is_contained(space.loops[i].members, vectorMembers.back())) walk.vectorLoop = i;
  }
  if (chooseTransposition()) return;
  // Windows: several neighbours at once along the innermost loop that is not walked in vectors.
  bool window = walk.parallelLoops < space.loops.size() && !walk.lanesReduce;
  if (window && walk.vectorLoop >= 0 && walk.parallelLoops >= 2 && bodiesVectorize()) {
    walk.rowLoop =
        walk.vectorLoop == static_cast<int>(walk.parallelLoops) - 1 ? walk.parallelLoops - 2 : walk.parallelLoops - 1;
    chooseBands();
    unsigned most = k.target.vectorRegisters >= 32 ? 7 : k.target.vectorRegisters >= 16 ? 4 : 2;
    if (walk.bandsAtOnce > 1) {
      // The sums of two bands leave less room for what they share; it is more where windows are further apart. The
      // multiply-adds of AVX-512 can read it from memory.
      const Sizes &strides = space.find(Operand::Input, 0)->strides;
      bool apart = strides[walk.bandLoop] != strides[walk.sharedLoop];
      most = k.target.foldsBroadcast ? (apart ? 5 : 7) : apart ? 3 : 5;
    }
    auto extent = constantOf(space.loops[walk.rowLoop].extent);
    walk.rowsAtOnce = most;
    if (extent) {
      int64_t length = std::max<int64_t>(1, *extent);
      walk.rowsAtOnce = llvm::divideCeil(length, llvm::divideCeil(length, int64_t(most)));
      for (unsigned rows = walk.rowsAtOnce; rows > walk.rowsAtOnce / 2 && rows > 1; --rows)
        if (*extent % rows == 0) {
          walk.rowsAtOnce = rows;
          break;
        }
    }
  }
}

// Rows of a window's results that overlap in what they read are computed together, so that this is loaded once.
void GenericGenerator::chooseBands() {
  Operand *input = space.find(Operand::Input, 0);
  if (k.target.vectorRegisters < 32 || !input || input->splat) return;
  for (unsigned loop = 0; loop < walk.parallelLoops; ++loop) {
    if (int(loop) == walk.vectorLoop || int(loop) == walk.rowLoop) continue;
    if (constantOf(space.loops[loop].extent).value_or(2) < 2) continue;
    for (unsigned sum = walk.parallelLoops; sum < space.loops.size(); ++sum) {
      if (!overlapStep(space, *input, loop, sum)) continue;
      walk.bandLoop = loop;
      walk.sharedLoop = sum;
      walk.bandsAtOnce = 2;
      return;
    }
  }
}

// A copy whose input lies side by side along another loop than its output: blocks of as many vectors as lanes are
// loaded along the one, transposed in registers and stored along the other.
bool GenericGenerator::chooseTransposition() {
  unsigned lanes = k.target.lanes();
  if (walk.vectorLoop < 0 || lanes == 1 || k.target.vectorGroup > 1 || walk.parallelLoops < space.loops.size())
    return false;
  if (!step.epilogues.empty() || step.nest.inputs.size() != 1 || step.outputs.size() != 1 || readsInit()) return false;
  if (step.nest.op && !llvm::hasSingleElement(step.nest.op->getRegion(0).front())) return false;
  Operand *input = space.find(Operand::Input, 0), *output = space.find(Operand::Output, 0);
  if (input->splat || input->packed || input->element != output->element || !input->element.isF32()) return false;
  if (!isConstant(output->strides[walk.vectorLoop], 1) || isConstant(input->strides[walk.vectorLoop], 0)) return false;
  for (unsigned loop = 0; loop < walk.parallelLoops; ++loop) {
    auto extent = constantOf(space.loops[loop].extent);
    if (static_cast<int>(loop) == walk.vectorLoop || !isConstant(input->strides[loop], 1) ||
        extent.value_or(lanes) < lanes)
      continue;
    walk.rowLoop = loop;
    walk.rowsAtOnce = lanes;
    walk.transposes = true;
    return true;
  }
  return false;
}

GenericGenerator::Position GenericGenerator::enter(const Position &at, unsigned loop, Value value) {
  Position next = at;
  next.values[loop] = value;
  for (auto [i, operand] : llvm::enumerate(space.operands))
    if (!operand.splat) next.pointers[i] = k.advance(at.pointers[i], operand.element, operand.strides[loop], value);
  return next;
}

// Emits the loops of all items, and returns how many there are.
Size GenericGenerator::run() {
  arrangeLoops();
  space.bind(k, weights);
  Position start;
  start.values.resize(space.loops.size());
  for (Operand &operand : space.operands) start.pointers.push_back(operand.pointer);

  if (step.nest.rowLoop) {  // a stage of a chain gets its rows from there
    emitLoops(0, start);
    return size(1);
  }
  // Items: leading parallel loops until there is enough to share, keeping vectors and rows whole; one long vector loop
  // is cut into pieces.
  int64_t work = 1;
  bool known = true;
  for (const Loop &loop : space.loops) {
    if (auto extent = constantOf(loop.extent)) work *= std::max<int64_t>(1, *extent);
    else known = false;
  }
  unsigned itemLoops = 0;
  Size items = size(1);
  int64_t count = 1;
  auto enough = [&] { return known && (count >= 32 || work / count < minItemWork / 8); };
  while (itemLoops < walk.parallelLoops && static_cast<int>(itemLoops) != walk.vectorLoop &&
         static_cast<int>(itemLoops) != walk.rowLoop && static_cast<int>(itemLoops) != walk.bandLoop) {
    auto extent = constantOf(space.loops[itemLoops].extent);
    if (enough()) break;
    if (!known && itemLoops >= 2) break;
    count *= std::max<int64_t>(1, extent.value_or(16));
    items = items * space.loops[itemLoops].extent;
    ++itemLoops;
  }
  bool cutBands = static_cast<int>(itemLoops) == walk.bandLoop && !enough();
  if (cutBands) items = items * space.loops[walk.bandLoop].extent.ceilDiv(walk.bandsAtOnce);
  bool cutVector = itemLoops == 0 && walk.vectorLoop == 0 && !walk.lanesReduce && walk.rowLoop < 0;
  int64_t piece = int64_t(k.target.lanes()) * 2048;
  if (cutVector) items = space.loops[0].extent.ceilDiv(piece);
  k.loop(k.begin, k.end, k.c(1), [&](Value item) {
    if (cutVector) {
      Value from = k.mul(item, k.c(piece));
      Value to = k.min(k.add(from, k.c(piece)), k.expand(space.loops[0].extent));
      emitVectorLoop(start, from, to);
      return;
    }
    Position at = start;
    Value group;
    if (cutBands) {
      Value groups = k.expand(space.loops[walk.bandLoop].extent.ceilDiv(walk.bandsAtOnce));
      group = k.rem(item, groups);
      item = k.div(item, groups);
    }
    SmallVector<Value> values(itemLoops);
    for (unsigned loop = itemLoops; loop-- > 0;) {
      Value n = k.expand(space.loops[loop].extent);
      values[loop] = loop ? k.rem(item, n) : item;
      if (loop) item = k.div(item, n);
    }
    for (unsigned loop = 0; loop < itemLoops; ++loop) at = enter(at, loop, values[loop]);
    if (cutBands) {
      Value from = k.mul(group, k.c(walk.bandsAtOnce));
      emitBands(at, from, k.min(k.add(from, k.c(walk.bandsAtOnce)), k.expand(space.loops[walk.bandLoop].extent)));
      return;
    }
    emitLoops(itemLoops, at);
  });
  return items;
}

void GenericGenerator::emitLoops(unsigned loop, const Position &at) {
  // Rows and vectors are entered by their own functions, after all other parallel loops.
  while (loop < walk.parallelLoops &&
         (static_cast<int>(loop) == walk.vectorLoop || static_cast<int>(loop) == walk.rowLoop))
    ++loop;
  if (loop >= walk.parallelLoops) {
    if (walk.vectorLoop >= 0 && !walk.lanesReduce)
      emitVectorLoop(at, k.c(0), k.expand(space.loops[walk.vectorLoop].extent));
    else emitRows(at, 1);
    return;
  }
  Value extent = k.expand(space.loops[loop].extent);
  if (static_cast<int>(loop) == walk.bandLoop) {
    emitBands(at, k.c(0), extent);
    return;
  }
  k.loop(k.c(0), extent, k.c(1), [&](Value iv) { emitLoops(loop + 1, enter(at, loop, iv)); });
}

void GenericGenerator::emitBands(const Position &at, Value from, Value to) {
  auto bands = [&](Value band, unsigned count) {
    bandsHere = count;
    emitLoops(walk.bandLoop + 1, enter(at, walk.bandLoop, band));
    bandsHere = 1;
  };
  Value whole = k.sub(to, k.rem(k.sub(to, from), k.c(walk.bandsAtOnce)));
  k.loop(from, whole, k.c(walk.bandsAtOnce), [&](Value band) { bands(band, walk.bandsAtOnce); });
  if (auto known = constantOf(space.loops[walk.bandLoop].extent)) {
    if (*known % walk.bandsAtOnce) k.ifThen(k.less(whole, to), [&] { bands(whole, *known % walk.bandsAtOnce); });
  } else {
    k.loop(whole, to, k.c(1), [&](Value band) { bands(band, 1); });
  }
}

KernelChoice GenericGenerator::describe() const {
  VectorWalk described = walk;
  if (walk.vectorLoop >= 0) described.lanes = walk.lanesReduce ? k.target.lanes() : lanesAtOnce();
  return describeWalk(step, space, described, k.target);
}

// Lanes of one operation. What rows share, a window's weights, stays in registers while the rows are walked: shorter
// groups of registers where that lets them fit.
unsigned GenericGenerator::lanesAtOnce() const {
  unsigned lanes = k.target.lanes(), registers = k.target.vectorRegisters;
  bool shares =
      walk.rowLoop >= 0 && llvm::any_of(space.operands, [&](const Operand &operand) {
        return operand.role == Operand::Input && !operand.splat && isConstant(operand.strides[walk.rowLoop], 0);
      });
  if (!shares) return lanes;
  int64_t taps = 1;
  for (unsigned loop = walk.parallelLoops; loop < space.loops.size(); ++loop)
    taps *= constantOf(space.loops[loop].extent).value_or(64);
  for (unsigned shorter = 1; shorter <= k.target.vectorGroup; shorter *= 2)
    if (taps + 2 * walk.rowsAtOnce + 1 <= registers * shorter) return lanes / shorter;
  return lanes;
}

// Short bodies are written out several times, as the loop would be half of the instructions.
unsigned GenericGenerator::vectorsAtOnce() const {
  if (k.target.lanes() == 1 || walk.rowLoop >= 0 || walk.parallelLoops < space.loops.size() || readsInit()) return 1;
  double operations = operationsOf(step.nest.op, k.target);
  for (const Epilogue &epilogue : step.epilogues) operations += operationsOf(epilogue.op, k.target);
  return operations <= 8 ? 4 : 1;
}

void GenericGenerator::emitVectorLoop(const Position &at, Value from, Value to) {
  unsigned lanes = lanesAtOnce();
  auto extent = constantOf(space.loops[walk.vectorLoop].extent);
  if (extent) lanes = std::min<unsigned>(lanes, llvm::bit_floor(static_cast<uint64_t>(std::max<int64_t>(1, *extent))));
  Value whole = k.sub(to, k.rem(k.sub(to, from), k.c(lanes)));
  if (unsigned vectors = vectorsAtOnce(); vectors > 1 && lanes == k.target.lanes()) {
    // All are computed before one is stored, as their loads could not pass a store of unknown place.
    Value together = k.sub(to, k.rem(k.sub(to, from), k.c(vectors * lanes)));
    k.loop(from, together, k.c(vectors * lanes), [&](Value iv) {
      SmallVector<Position> places;
      SmallVector<SmallVector<Value>> results;
      for (unsigned i = 0; i < vectors; ++i) {
        places.push_back(enter(at, walk.vectorLoop, k.add(iv, k.c(i * lanes))));
        results.push_back(applied(places[i], bodyAt(places[i], {}, lanes, {}), lanes, {}));
      }
      for (unsigned i = 0; i < vectors; ++i) storeTile(places[i], results[i], lanes, {});
    });
    from = together;
  }
  k.loop(from, whole, k.c(lanes), [&](Value iv) { emitRows(enter(at, walk.vectorLoop, iv), lanes); });
  if (lanes == 1) return;
  if (!extent) {
    k.loop(whole, to, k.c(1), [&](Value iv) { emitRows(enter(at, walk.vectorLoop, iv), 1); });
    return;
  }
  // What is left, in halves of a vector.
  Value next = whole;
  for (unsigned width = lanes / 2; width; width /= 2) {
    if (!(*extent % lanes & width)) continue;
    k.ifThen(k.less(next, to), [&] { emitRows(enter(at, walk.vectorLoop, next), width); });
    next = k.add(next, k.c(width));
  }
}

void GenericGenerator::emitRows(const Position &at, unsigned lanes) {
  if (walk.rowLoop < 0) {
    emitTile(at, lanes, 1);
    return;
  }
  Value extent = k.expand(space.loops[walk.rowLoop].extent);
  Value whole = k.sub(extent, k.rem(extent, k.c(walk.rowsAtOnce)));
  k.loop(k.c(0), whole, k.c(walk.rowsAtOnce),
         [&](Value iv) { emitTile(enter(at, walk.rowLoop, iv), lanes, walk.rowsAtOnce); });
  if (walk.rowsAtOnce == 1) return;
  if (auto known = constantOf(space.loops[walk.rowLoop].extent)) {
    if (*known % walk.rowsAtOnce) emitTile(enter(at, walk.rowLoop, whole), lanes, *known % walk.rowsAtOnce);
  } else {
    k.loop(whole, extent, k.c(1), [&](Value iv) { emitTile(enter(at, walk.rowLoop, iv), lanes, 1); });
  }
}

Size emitGeneric(KernelBuilder &k, const Step &step, WeightBlob &weights) {
  GenericGenerator generator(k, step, weights);
  Size items = generator.run();
  k.choices.push_back(generator.describe());
  return items;
}

}  // namespace crosscut
