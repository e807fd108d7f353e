// The kernel of a chain: band by band of the last stage's rows, each stage computes the rows that are new. See
// Plan/Chains.cpp.
//
// The stages are emitted like kernels of their own, with the outer loop taken out of their nests, the number of rows
// known only when running, and pointers that begin at the first of these rows.
#include "compiler/Codegen/Kernels.h"

using namespace mlir;

namespace crosscut {
namespace {

class ChainGenerator {
 public:
  ChainGenerator(KernelBuilder &k, const Step &step, const FunctionPlan &plan, WeightBlob &weights)
      : k(k), chain(*step.chain), plan(plan), weights(weights), context(k.b.getContext()) {}

  GeneratedKernel run();

 private:
  Size size(int64_t value) { return getAffineConstantExpr(value, context); }
  // The first of a buffer's rows that the band needs, given the band's first row.
  Value windowStart(const ChainBuffer &inner, Value row) {
    return k.add(k.mul(row, k.c(inner.scale)), k.c(inner.first));
  }
  // Address of a row of a buffer's window, counted from the window's first row.
  Value windowRow(const ChainBuffer &inner, Value row);
  void emitBand(Value outer, Value band, Value isFresh);
  void fillRows(const ChainBuffer &inner, Value from, Value to);
  void keepShared(const ChainBuffer &inner, Value isFresh, Value rowsBefore);
  void emitStage(unsigned number, Value outer, Value firstRow, Value rows, Value bandRow);

  KernelBuilder &k;
  const Chain &chain;
  const FunctionPlan &plan;
  WeightBlob &weights;
  MLIRContext *context;
  Value slot;  // bytes from the first slot of the scratch memory to that of these items
};

Value ChainGenerator::windowRow(const ChainBuffer &inner, Value row) {
  TensorRef ref;
  ref.buffer = chain.scratch;
  ref.elementType = inner.buffer->elementType;
  Value pointer = k.pointerTo(ref, size(inner.scratchOffset / elementBytes(ref.elementType)));
  pointer = k.advance(pointer, k.b.getI8Type(), slot);
  return k.advance(pointer, ref.elementType, k.mul(row, k.c(inner.rowElements)));
}

// Sets rows of the window to the border's value.
void ChainGenerator::fillRows(const ChainBuffer &inner, Value from, Value to) {
  Type element = inner.buffer->elementType;
  Value begin = windowRow(inner, from), value = k.constant(inner.border);
  Value elements = k.mul(k.sub(to, from), k.c(inner.rowElements));
  unsigned lanes = k.target.lanes();
  Value whole = k.sub(elements, k.rem(elements, k.c(lanes)));
  k.loop(k.c(0), whole, k.c(lanes),
         [&](Value i) { k.store(k.broadcast(value, lanes), k.advance(begin, element, i), element, lanes, size(1)); });
  if (lanes == 1) return;
  k.loop(whole, elements, k.c(1), [&](Value i) { k.store(value, k.advance(begin, element, i), element, 1, size(1)); });
}

// The last rows of the window before, of a band of `rowsBefore`, are the first of this one.
void ChainGenerator::keepShared(const ChainBuffer &inner, Value isFresh, Value rowsBefore) {
  if (!inner.sharedRows()) return;
  Value again = arith::XOrIOp::create(k.b, k.loc, isFresh, k.constant(k.b.getBoolAttr(true)));
  k.ifThen(again, [&] {
    Value to = windowRow(inner, k.c(0)), from = windowRow(inner, k.mul(rowsBefore, k.c(inner.scale)));
    Type element = inner.buffer->elementType;
    int64_t count = inner.sharedRows() * inner.rowElements;
    unsigned lanes = k.target.lanes();
    int64_t whole = count / lanes * lanes;
    auto copy = [&](Value i, unsigned width) {
      Value value = k.load(k.advance(from, element, i), element, width, size(1));
      k.store(value, k.advance(to, element, i), element, width, size(1));
    };
    k.loop(k.c(0), k.c(whole), k.c(lanes), [&](Value i) { copy(i, lanes); });
    if (whole < count) k.loop(k.c(whole), k.c(count), k.c(1), [&](Value i) { copy(i, 1); });
  });
}

// Emits a stage for `rows` of its rows, of which the first is `firstRow`.
void ChainGenerator::emitStage(unsigned number, Value outer, Value firstRow, Value rows, Value bandRow) {
  const Stage &stage = chain.stages[number];
  const Step &whole = stage.step;
  Step part;
  part.name = whole.name;
  part.nest = whole.nest;
  part.epilogues = whole.epilogues;
  part.outputs = whole.outputs;
  Size count = getAffineSymbolExpr(plan.symbols->values().size() + number, context);
  k.defineSymbol(count, rows);
  part.nest.extents[stage.rowLoop] = count;
  part.nest.rowLoop = stage.rowLoop;
  part.nest.usualRows = stage.scale * chain.mostRows();
  if (stage.outerLoop) part.nest.extents[*stage.outerLoop] = size(1);

  llvm::DenseMap<const Access *, const Access *> original;
  auto pair = [&](std::vector<Access> &mine, const std::vector<Access> &theirs) {
    for (auto [copy, access] : llvm::zip(mine, theirs)) {
      original[&copy] = &access;
      if (stage.outerLoop) copy.strides[*stage.outerLoop] = size(0);
    }
  };
  pair(part.nest.inputs, whole.nest.inputs);
  pair(part.nest.inits, whole.nest.inits);
  pair(part.outputs, whole.outputs);
  for (auto [copy, epilogue] : llvm::zip(part.epilogues, whole.epilogues)) pair(copy.inputs, epilogue.inputs);

  k.locateInstead = [&](const Access &access) -> Value {
    const Access &from = *original.lookup(&access);
    for (const ChainBuffer &inner : chain.buffers) {
      if (inner.buffer != from.ref.buffer) continue;
      int64_t offset = *constantOf(from.offset), stride = *constantOf(from.strides[stage.rowLoop]);
      Value row = k.add(k.mul(firstRow, k.c(stride / inner.rowElements)), k.c(offset / inner.rowElements));
      Value pointer = windowRow(inner, k.sub(row, windowStart(inner, bandRow)));
      return k.advance(pointer, access.ref.elementType, k.c(offset % inner.rowElements));
    }
    Value pointer = k.pointerTo(from.ref, from.offset);
    if (stage.outerLoop) pointer = k.advance(pointer, access.ref.elementType, from.strides[*stage.outerLoop], outer);
    return k.advance(pointer, access.ref.elementType, from.strides[stage.rowLoop], firstRow);
  };
  emitNest(k, part, weights);
  k.locateInstead = nullptr;
  k.choices.back().cycles *= double(chain.rows) / chain.mostRows() * chain.outer;
}

void ChainGenerator::emitBand(Value outer, Value band, Value isFresh) {
  auto startOf = [&](Value number) { return k.startOf(number, k.c(chain.rows), k.c(chain.bands)); };
  Value from = startOf(band), to = startOf(k.add(band, k.c(1)));
  Value rowsBefore = k.sub(from, startOf(k.sub(band, k.c(1))));
  Value zero = k.c(0);
  for (auto [number, stage] : llvm::enumerate(chain.stages)) {
    if (stage.output < 0) {
      emitStage(number, outer, from, k.sub(to, from), from);
      continue;
    }
    const ChainBuffer &inner = chain.buffers[stage.output];
    Value start = windowStart(inner, from);
    Value end = k.add(k.mul(k.sub(to, k.c(1)), k.c(inner.scale)), k.c(inner.last + 1));
    keepShared(inner, isFresh, rowsBefore);
    Value fresh = k.add(start, arith::SelectOp::create(k.b, k.loc, isFresh, zero, k.c(inner.sharedRows())));
    auto clamp = [&](Value row) { return k.min(k.max(row, k.c(inner.interiorFrom)), k.c(inner.interiorTo)); };
    Value first = clamp(fresh), last = clamp(end);
    if (inner.border) {
      // Columns of the border stay from band to band; rows of it above the interior occur in the first band alone.
      k.ifThen(isFresh, [&] { fillRows(inner, zero, k.c(inner.windowRows(chain.mostRows()))); });
      if (inner.scale * (chain.rows - 1) + inner.last >= inner.interiorTo) {
        Value below = k.max(fresh, k.c(inner.interiorTo));
        k.ifThen(k.less(below, end), [&] { fillRows(inner, k.sub(below, start), k.sub(end, start)); });
      }
    }
    Value firstRow = k.sub(first, k.c(inner.interiorFrom));
    emitStage(number, outer, firstRow, k.sub(last, first), from);
  }
}

GeneratedKernel ChainGenerator::run() {
  slot = k.mul(k.begin, k.c(chain.slotBytes));
  Value perTurn = k.c(chain.items);
  k.loop(k.begin, k.end, k.c(1), [&](Value item) {
    Value part = k.rem(item, perTurn), outer = k.div(item, perTurn);
    Value bands = k.c(chain.bands);
    Value from = k.startOf(part, bands, perTurn), to = k.startOf(k.add(part, k.c(1)), bands, perTurn);
    auto equal = [&](Value x, Value y) -> Value {
      return arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq, x, y);
    };
    // Rows before the first band of this run of items, or of an image, are nowhere to be found.
    Value seam = arith::OrIOp::create(k.b, k.loc, equal(item, k.begin), equal(part, k.c(0)));
    k.loop(from, to, k.c(1), [&](Value band) {
      Value isFresh = arith::AndIOp::create(k.b, k.loc, seam, equal(band, from));
      emitBand(outer, band, isFresh);
    });
  });
  return k.finish(size(chain.outer * chain.items));
}

}  // namespace

GeneratedKernel generateChain(KernelBuilder &k, const Step &step, const FunctionPlan &plan, WeightBlob &weights) {
  return ChainGenerator(k, step, plan, weights).run();
}

}  // namespace crosscut
