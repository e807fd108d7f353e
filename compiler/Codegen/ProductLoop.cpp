// See ProductLoop.h.
#include "compiler/Codegen/ProductLoop.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace crosscut {
namespace {

constexpr unsigned lanesTogether = 4;  // steps whose values of a row are loaded at once, where that is done

class ProductLoopBuilder {
 public:
  ProductLoopBuilder(KernelBuilder &k, const ProductLoop &loop) : k(k), loop(loop) {}

  SmallVector<Value> run(Size steps, ArrayRef<Value> sums);

 private:
  bool hasManyRegisters() const { return k.target.vectorRegisters >= 32; }
  // Whether LLVM must not load early for this step, since the tile leaves no room. With many registers that is where
  // several steps' values of the rows are loaded anew; else it pairs loads of two such groups.
  bool isTight(bool newGroup) const {
    if (!hasManyRegisters()) return true;
    unsigned rows = loop.rows, vectors = loop.panels.vectors;
    return newGroup && rows * vectors + 2 * (rows + vectors) > k.target.vectorRegisters + 4;
  }
  SmallVector<Value> turns(ArrayRef<Value> sums, Value from, Value to, unsigned unroll, bool lanewise);
  void addStep(MutableArrayRef<Value> sums, Value a, Value b, unsigned step, bool lanewise);

  KernelBuilder &k;
  const ProductLoop &loop;
  SmallVector<Value> together;  // of each row, several steps' values
};

SmallVector<Value> ProductLoopBuilder::run(Size steps, ArrayRef<Value> sums) {
  bool isFloat = isa<FloatType>(loop.aElement);
  bool lanewise = isFloat && k.target.laneFma && loop.panels.lanes > 1 && isConstant(loop.aStep, 1);
  unsigned unroll = unrollFor(k.target, loop.rows, loop.panels.vectors, lanewise);
  auto count = constantOf(steps);
  // Up to four turns in one, for the loop's own instructions.
  unsigned most = lanewise && hasManyRegisters() ? 4 * unroll : unroll;
  while (unroll < most && count && *count % (2 * unroll) == 0 && *count >= 4 * unroll) unroll *= 2;
  if (count && *count < unroll) unroll = 1;
  Value whole = k.sub(k.expand(steps), k.rem(k.expand(steps), k.c(unroll)));
  if (count) whole = k.c(*count / unroll * unroll);
  SmallVector<Value> results = turns(sums, k.c(0), whole, unroll, lanewise && unroll > 1);
  if (unroll > 1 && !(count && *count % unroll == 0)) results = turns(results, whole, k.expand(steps), 1, false);
  return results;
}

SmallVector<Value> ProductLoopBuilder::turns(ArrayRef<Value> sums, Value from, Value to, unsigned unroll,
                                             bool lanewise) {
  // Where the loop reads.
  enum { A, B, Next, Walks };
  struct Walk {
    Value base;
    Type element;
    Size stride;  // elements a step
  } walks[Walks] = {{loop.a, loop.aElement, loop.aStep}, {loop.b, loop.bElement, loop.bStep}, {loop.next, {}, {}}};
  auto advance = [&](unsigned walk, Value pointer, Value steps) {
    const Walk &w = walks[walk];
    return walk == Next ? k.bytesBehind(pointer, k.mul(steps, k.c(loop.nextBytes)))
                        : k.advance(pointer, w.element, w.stride, steps);
  };
  // On NEON, pointers go from turn to turn: LLVM would multiply to find them from the loop's number.
  bool carries = k.target.laneFma;
  SmallVector<Value> inits(sums);
  for (unsigned walk = 0; walk < Walks; ++walk)
    if (carries && walks[walk].base) inits.push_back(advance(walk, walks[walk].base, from));
  SmallVector<Value> results = k.loop(from, to, k.c(unroll), inits, [&](Value iv, ArrayRef<Value> carried) {
    SmallVector<Value> acc(carried.take_front(sums.size())), next;
    carried = carried.drop_front(sums.size());
    Value here[Walks];
    for (unsigned walk = 0; walk < Walks; ++walk) {
      if (!walks[walk].base) continue;
      here[walk] = carries ? carried.consume_front() : advance(walk, walks[walk].base, iv);
      if (carries) next.push_back(advance(walk, here[walk], k.c(unroll)));
    }
    if (loop.next) k.prefetch(here[Next]);
    for (unsigned step = 0; step < unroll; ++step) addStep(acc, here[A], here[B], step, lanewise);
    acc.append(next);
    return acc;
  });
  results.resize(sums.size());
  return results;
}

void ProductLoopBuilder::addStep(MutableArrayRef<Value> sums, Value a, Value b, unsigned step, bool lanewise) {
  const Panels &panels = loop.panels;
  bool newGroup = step % lanesTogether == 0;
  if (lanewise && step && isTight(newGroup)) k.keepLoadsApart();
  if (lanewise && newGroup) {
    together.resize(loop.rows);
    for (unsigned row = 0; row < loop.rows; ++row) {
      Value at = k.advance(loop.rowAt(a, row), loop.aElement, loop.aStep, k.c(step));
      together[row] = k.load(at, loop.aElement, lanesTogether, loop.aStep);
    }
  }
  SmallVector<Value> columns;
  Value bStep = loop.bSplat ? Value() : k.advance(b, loop.bElement, loop.bStep, k.c(step));
  for (unsigned u = 0; u < panels.vectors; ++u) {
    Value at = loop.bSplat ? Value() : k.advance(bStep, loop.bElement, loop.bColumn, k.c(int64_t(u) * panels.lanes));
    Value loaded = at ? k.load(at, loop.bElement, panels.lanesOf(u), loop.bColumn) : k.constant(loop.bSplat);
    columns.push_back(k.broadcast(loaded, panels.lanesOf(u)));
  }
  for (unsigned row = 0; row < loop.rows; ++row) {
    Value scalar;
    if (lanewise) {
      scalar = vector::ExtractOp::create(k.b, k.loc, together[row], int64_t(step % lanesTogether));
    } else if (loop.aSplat) {
      scalar = k.constant(loop.aSplat);
    } else {
      Value at = k.advance(loop.rowAt(a, row), loop.aElement, loop.aStep, k.c(step));
      scalar = k.load(at, loop.aElement, 1, getAffineConstantExpr(0, k.b.getContext()));
    }
    for (unsigned u = 0; u < panels.vectors; ++u) {
      Value &sum = sums[row * panels.vectors + u];
      sum = k.multiplyAdd(k.broadcast(scalar, panels.lanesOf(u)), columns[u], sum, lanewise);
    }
  }
}

}  // namespace

SmallVector<Value> addProducts(KernelBuilder &k, const ProductLoop &loop, Size steps, ArrayRef<Value> sums) {
  return ProductLoopBuilder(k, loop).run(steps, sums);
}

}  // namespace crosscut
