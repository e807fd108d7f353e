// What one turn of the loops of Generic.cpp computes: a tile of results, or what is transposed or summed in lanes.
#include "compiler/Codegen/GenericGenerator.h"

#include "llvm/ADT/bit.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace crosscut {

// Interleaving the upper half of the vectors with the lower moves one bit of the row to the lane and one back.
void GenericGenerator::emitTransposed(const Position &at, unsigned lanes) {
  Operand *input = space.find(Operand::Input, 0);
  SmallVector<Value> block;
  for (unsigned i = 0; i < lanes; ++i) {
    Value pointer = k.advance(pointerTo(*input, at, {}), input->element, input->strides[walk.vectorLoop], k.c(i));
    block.push_back(k.load(pointer, input->element, lanes, input->strides[walk.rowLoop]));
  }
  SmallVector<int64_t> low, high;
  for (unsigned i = 0; i < lanes / 2; ++i) {
    low.append({i, i + lanes});
    high.append({i + lanes / 2, i + lanes / 2 + lanes});
  }
  for (unsigned round = 1; round < lanes; round *= 2) {
    SmallVector<Value> next;
    for (unsigned i = 0; i < lanes / 2; ++i)
      for (ArrayRef<int64_t> mask : {ArrayRef(low), ArrayRef(high)})
        next.push_back(vector::ShuffleOp::create(k.b, k.loc, block[i], block[i + lanes / 2], mask));
    block = next;
  }
  for (unsigned i = 0; i < lanes; ++i) storeTile(at, block[i], lanes, {0, i});
}

SmallVector<Value> GenericGenerator::initial(const Position &at, unsigned lanes, Place place) {
  SmallVector<Value> values;
  for (unsigned i = 0; i < step.nest.inits.size(); ++i)
    for (const Operand &operand : space.operands)
      if (operand.role == Operand::Init && operand.position == i)
        values.push_back(k.broadcast(
            loadOperand(k, operand, pointerTo(operand, at, place), lanes, walk.lanesReduce ? -1 : walk.vectorLoop),
            lanes));
  return values;
}

Value GenericGenerator::loopValue(const Position &at, unsigned member, Place place) {
  int loop = space.loopOf(member);
  if (loop < 0 || !at.values[loop]) return k.c(0);
  unsigned beyond = loop == walk.rowLoop ? place.row : loop == walk.bandLoop ? place.band : 0;
  return beyond ? k.add(at.values[loop], k.c(beyond)) : at.values[loop];
}

// One turn of the nest's body.
SmallVector<Value> GenericGenerator::bodyAt(const Position &at, ArrayRef<Value> acc, unsigned lanes, Place place) {
  SmallVector<Value> arguments(step.nest.inputs.size());
  for (const Operand &operand : space.operands)
    if (operand.role == Operand::Input)
      arguments[operand.position] = loadOperand(k, operand, pointerTo(operand, at, place), lanes, walk.vectorLoop);
  if (!step.nest.op) return arguments;  // a copy
  Block &body = step.nest.op->getRegion(0).front();
  arguments.append(acc.begin(), acc.end());
  while (arguments.size() < body.getNumArguments())
    arguments.push_back(k.constant(cast<TypedAttr>(k.b.getZeroAttr(body.getArgument(arguments.size()).getType()))));
  BodyContext bodyContext;
  auto index = [&](unsigned loop) { return loopValue(at, loop, place); };
  bodyContext.index = index;
  bodyContext.lanes = lanes;
  bodyContext.captured = step.nest.captured;
  if (walk.vectorLoop >= 0) bodyContext.vectorLoop = space.loops[walk.vectorLoop].members.back();
  return k.cloneBody(body, arguments, bodyContext);
}

SmallVector<Value> GenericGenerator::reduce(unsigned loop, const Position &at, ArrayRef<Value> acc, unsigned lanes,
                                            ArrayRef<Place> places) {
  unsigned results = acc.size() / places.size();
  if (loop == space.loops.size()) {
    SmallVector<Value> next;
    for (auto [i, place] : llvm::enumerate(places))
      next.append(bodyAt(at, acc.slice(i * results, results), lanes, place));
    return next;
  }
  if (static_cast<int>(loop) == walk.sharedLoop && places.back().band) return reduceBands(at, acc, lanes, places);
  // Short loops of a window are written out.
  auto extent = constantOf(space.loops[loop].extent);
  if (extent && *extent <= mostWrittenOut && walk.rowLoop >= 0) {
    SmallVector<Value> values(acc);
    for (int64_t i = 0; i < *extent; ++i) values = reduce(loop + 1, enter(at, loop, k.c(i)), values, lanes, places);
    return values;
  }
  SmallVector<Value> wide;
  for (Value value : acc) wide.push_back(k.broadcast(value, lanes));
  return k.loop(k.c(0), k.expand(space.loops[loop].extent), k.c(1), wide, [&](Value iv, ArrayRef<Value> carried) {
    SmallVector<Value> next = reduce(loop + 1, enter(at, loop, iv), carried, lanes, places);
    for (Value &value : next) value = k.broadcast(value, lanes);
    return next;
  });
}

// Row by row of the input: what the bands make of it, each in the order of its own sum.
SmallVector<Value> GenericGenerator::reduceBands(const Position &at, ArrayRef<Value> acc, unsigned lanes,
                                                 ArrayRef<Place> places) {
  struct Turn {
    int64_t inputAt;
    unsigned band;
    int64_t tap;
  };
  Operand *input = space.find(Operand::Input, 0);
  int64_t bandStep = *constantOf(input->strides[walk.bandLoop]), tapStep = *constantOf(input->strides[walk.sharedLoop]);
  unsigned bands = places.back().band + 1, perBand = acc.size() / bands;
  SmallVector<Turn> turns;
  for (unsigned band = 0; band < bands; ++band)
    for (int64_t tap = 0; tap < *constantOf(space.loops[walk.sharedLoop].extent); ++tap)
      turns.push_back({band * bandStep + tap * tapStep, band, tap});
  llvm::stable_sort(turns, [](const Turn &x, const Turn &y) { return x.inputAt < y.inputAt; });
  SmallVector<Value> values(acc);
  for (const Turn &turn : turns) {
    MutableArrayRef<Value> ofBand = MutableArrayRef(values).slice(turn.band * perBand, perBand);
    llvm::copy(reduce(walk.sharedLoop + 1, enter(at, walk.sharedLoop, k.c(turn.tap)), ofBand, lanes,
                      places.slice(turn.band * places.size() / bands, places.size() / bands)),
               ofBand.begin());
  }
  return values;
}

// A reduction along the lanes: vectors of partial results, combined at the end with what is left over. Several at once,
// since each waits for what was added to it before.
SmallVector<Value> GenericGenerator::reduceInLanes(const Position &at) {
  constexpr unsigned mostChains = 4;
  unsigned lanes = k.target.lanes(), chains = mostChains;
  auto extent = constantOf(space.loops[walk.vectorLoop].extent);
  if (extent) {
    lanes = std::min<unsigned>(lanes, llvm::bit_floor(static_cast<uint64_t>(*extent)));
    chains = std::clamp<int64_t>(*extent / lanes, 1, mostChains);
  }
  unsigned outer = walk.vectorLoop;  // the vector loop is the last one
  Value length = k.expand(space.loops[walk.vectorLoop].extent);
  auto wholeOf = [&](unsigned step) { return k.sub(length, k.rem(length, k.c(step))); };
  Value neutral = k.broadcast(k.constant(combiner->neutral), lanes);
  auto combine = [&](Value x, Value y) {
    auto flags = arith::FastMathFlagsAttr::get(k.b.getContext(), combiner->flags);
    return vector::makeArithReduction(k.b, k.loc, combiner->kind, x, y, flags);
  };
  auto add = [&](const Position &here, Value iv, Value acc, unsigned width) {
    return k.broadcast(bodyAt(enter(here, walk.vectorLoop, iv), {acc}, width, {})[0], width);
  };
  // Carried: a vector for each chain, and a scalar. Loops of the reduction outside the vectors come first.
  auto nest = [&](auto &self, unsigned loop, const Position &here, ArrayRef<Value> carried) -> SmallVector<Value> {
    if (loop != outer)
      return k.loop(
          k.c(0), k.expand(space.loops[loop].extent), k.c(1), SmallVector<Value>(carried),
          [&](Value iv, ArrayRef<Value> inner) { return self(self, loop + 1, enter(here, loop, iv), inner); });
    SmallVector<Value> vectors(carried.drop_back());
    Value together = wholeOf(lanes * chains), single = wholeOf(lanes);
    vectors = k.loop(k.c(0), together, k.c(lanes * chains), vectors, [&](Value iv, ArrayRef<Value> acc) {
      SmallVector<Value> next;
      for (unsigned i = 0; i < chains; ++i) next.push_back(add(here, k.add(iv, k.c(i * lanes)), acc[i], lanes));
      return next;
    });
    if (chains > 1)
      vectors[0] = k.loop(together, single, k.c(lanes), {vectors[0]}, [&](Value iv, ArrayRef<Value> acc) {
        return SmallVector<Value>{add(here, iv, acc[0], lanes)};
      })[0];
    vectors.push_back(k.loop(single, length, k.c(1), {carried.back()}, [&](Value iv, ArrayRef<Value> acc) {
      return SmallVector<Value>{add(here, iv, acc[0], 1)};
    })[0]);
    return vectors;
  };
  SmallVector<Value> parts(chains, neutral);
  parts.push_back(initial(at, 1, {})[0]);
  parts = nest(nest, walk.parallelLoops, at, parts);
  Value scalar = parts.pop_back_val();
  for (unsigned step = 1; step < chains; step *= 2)
    for (unsigned i = 0; i + step < chains; i += 2 * step) parts[i] = combine(parts[i], parts[i + step]);
  if (lanes == 1) return {combine(parts[0], scalar)};
  // Lanes are partial results already, so that their order means nothing either: halves are added, not one by one.
  return {vector::ReductionOp::create(k.b, k.loc, combiner->kind, parts[0], scalar,
                                      combiner->flags | arith::FastMathFlags::reassoc)};
}

bool GenericGenerator::readsInit() const {
  if (!step.nest.op) return false;
  auto arguments = step.nest.op->getRegion(0).front().getArguments().drop_front(step.nest.inputs.size());
  return llvm::any_of(arguments, [](Value argument) { return !argument.use_empty(); });
}

void GenericGenerator::emitTile(const Position &at, unsigned lanes, unsigned rows) {
  if (walk.lanesReduce) {
    storeTile(at, applied(at, reduceInLanes(at), 1, {}), 1, {});
    return;
  }
  if (walk.transposes && rows == lanes) {
    emitTransposed(at, lanes);
    return;
  }
  SmallVector<Value> values;
  SmallVector<Place> places;
  for (unsigned band = 0; band < bandsHere; ++band)
    for (unsigned row = 0; row < rows; ++row) places.push_back({band, row});
  bool reduces = walk.parallelLoops < space.loops.size();
  for (Place place : places) {
    if (reduces || readsInit()) values.append(initial(at, lanes, place));
    if (!reduces) {
      SmallVector<Value> results = bodyAt(at, ArrayRef<Value>(values), lanes, place);
      storeTile(at, applied(at, results, lanes, place), lanes, place);
      values.clear();
    }
  }
  if (!reduces) return;
  unsigned results = values.size() / places.size();
  values = reduce(walk.parallelLoops, at, values, lanes, places);
  for (auto [i, place] : llvm::enumerate(places))
    storeTile(at, applied(at, ArrayRef<Value>(values).slice(i * results, results), lanes, place), lanes, place);
}

Value GenericGenerator::pointerTo(const Operand &operand, const Position &at, Place place) {
  Value pointer = at.pointers[&operand - space.operands.data()];
  if (operand.splat) return pointer;
  if (place.band) pointer = k.advance(pointer, operand.element, operand.strides[walk.bandLoop], k.c(place.band));
  if (place.row) pointer = k.advance(pointer, operand.element, operand.strides[walk.rowLoop], k.c(place.row));
  return pointer;
}

// What the epilogues make of the results of one row.
SmallVector<Value> GenericGenerator::applied(const Position &at, ArrayRef<Value> results, unsigned lanes, Place place) {
  return applyEpilogues(
      k, step, space, SmallVector<Value>(results), lanes, walk.lanesReduce ? -1 : walk.vectorLoop,
      [&](const Operand &operand) { return pointerTo(operand, at, place); },
      [&](unsigned member) { return loopValue(at, member, place); });
}

void GenericGenerator::storeTile(const Position &at, ArrayRef<Value> values, unsigned lanes, Place place) {
  for (unsigned i = 0; i < step.outputs.size(); ++i) {
    Operand *output = space.find(Operand::Output, i);
    Size stride = walk.lanesReduce || walk.vectorLoop < 0 ? size(1) : output->strides[walk.vectorLoop];
    k.store(values[i], pointerTo(*output, at, place), output->element, lanes, stride);
  }
}

}  // namespace crosscut
