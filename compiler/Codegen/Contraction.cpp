// Kernels for sums of products: matrix products and convolutions.
//
// A tile of rows × vectors of results stays in registers while the reduction runs; each step loads the vectors of one
// row of the weight panel and multiplies them with one value of every row. Weights are packed panel by panel in exactly
// that order. Rows are output pixels of one image row, or of the whole image where memory allows to see it as one row.
// A work item is one panel over some rows, so that a panel's weights are read once and stay in the cache.
#include "compiler/Codegen/BodyCost.h"
#include "compiler/Codegen/Cost.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Plan/Structure.h"

using namespace mlir;

namespace crosscut {
namespace {

// Panels of one width, with positions that may only be known when running.
struct PanelRun {
  Value firstPanel, firstColumn;
  std::optional<Value> lastPanel;  // exclusive; none: no panel comes after
  Panels panels;                   // one of them; without `start` and `count` where these are not known
  int64_t packedStart = 0;         // columns of panels before this run, when weights are packed
};

class ContractionGenerator {
  using Pointers = llvm::DenseMap<const Operand *, Value>;

 public:
  ContractionGenerator(KernelBuilder &k, const Step &step, ArrayRef<unsigned char> roles, WeightBlob &weights)
      : k(k), step(step), roles(roles), weights(weights), context(k.b.getContext()), space(step, context) {}

  Size run();

 private:
  LoopRole roleOf(unsigned loop) const { return static_cast<LoopRole>(roles[space.loops[loop].members.front()]); }
  Size size(int64_t value) { return getAffineConstantExpr(value, context); }
  void arrangeLoops();
  void packPanels();
  void planPrefetch();
  void chooseItems(std::optional<int64_t> depth, int64_t width);
  int64_t inputDepth();
  KernelChoice describe(const TargetDescription &target, std::optional<int64_t> depth);
  void emitItem(Value item);
  void emitPanel(const PanelRun &run, Value panel, ArrayRef<Value> outer, Value yFrom, Value yTo, Value xFrom,
                 Value xTo);
  void emitTile(const PanelRun &run, unsigned rows, Value x);
  void reduce(unsigned at, Value a, Value bp, const PanelRun &run, unsigned rows, SmallVector<Value> &acc);
  SmallVector<Value> innermost(Value a, Value bp, const PanelRun &run, unsigned rows, ArrayRef<Value> acc, Value from,
                               Value to, unsigned unroll, bool lanewise);
  Size stridesOfB(unsigned loop, const PanelRun &run);
  void storeVector(Value vector, Value row, Value offset, Lanes lanes, const Pointers &tileAt);
  void storeByLoop(const Panels &panels, unsigned rows, ArrayRef<Value> acc, const Pointers &tileAt);
  Value loopValue(unsigned member, Value row, Value column);
  bool hasManyRegisters() const { return k.target.vectorRegisters >= 32; }
  // Whether LLVM must not load early for this step of the innermost loop, since the tile leaves no room. With many
  // registers that is where several steps' values of the rows are loaded anew; else it pairs loads of two such groups.
  bool isTight(unsigned rows, unsigned vectors, bool newGroup) const {
    if (!hasManyRegisters()) return true;
    return newGroup && rows * vectors + 2 * (rows + vectors) > k.target.vectorRegisters + 4;
  }
  // Rows of a tile that lie in one turn of the row loop outside.
  unsigned rowsOfBand() const { return tile.rows / tile.bands; }
  Value advanceRows(Value pointer, const Operand &operand, Value row);

  KernelBuilder &k;
  const Step &step;
  ArrayRef<unsigned char> roles;
  WeightBlob &weights;
  MLIRContext *context;
  LoopSpace space;

  // Loop numbers after arranging: outer loops first, then y (or none), x, the reductions, the columns.
  unsigned outerLoops = 0;
  int y = -1;
  unsigned x = 0, columns = 0;
  SmallVector<unsigned> reductions;
  Operand *a = nullptr, *b = nullptr, *init = nullptr;
  bool packed = false;
  int64_t packedDepth = 0, packedColumns = 0;  // columns: of the model; panels may be wider
  // While a panel is multiplied, the next one is fetched: this many of its bytes with every row; 0: it is not.
  int64_t prefetchPerRow = 0;
  Tails tails = Tails::Exact;
  Tile tile;
  Size yChunk, xChunk, panels;
  bool rowsFirst = false;  // neighbouring items: panels of the same rows, else rows of the same panel
  SmallVector<Panels> staticPanels;

  // State while emitting.
  Pointers pointers;
  SmallVector<Value> loopValues;
  Value aPointer, bPointer, column;
  Value prefetchBase, prefetchFrom;  // what this tile fetches of the next panel: so many bytes behind this pointer
  Value depthDone;                   // steps of the reduction before the innermost loop
  Value sums;                        // a tile in memory, for epilogues by a loop
};

// Outer loops, y, x, reductions, columns; each kind merged where memory allows.
void ContractionGenerator::arrangeLoops() {
  space.dropUnit();
  auto append = [&](LoopRole role) {
    for (unsigned i = 0; i < space.loops.size(); ++i)
      if (roleOf(i) == role) return;
    // A loop of one turn, so that every kind exists.
    for (unsigned i = 0; i < roles.size(); ++i) {
      if (static_cast<LoopRole>(roles[i]) != role) continue;
      Loop loop;
      loop.extent = size(1);
      loop.reduction = role == LoopRole::Reduction;
      loop.members.push_back(i);
      space.loops.push_back(loop);
      for (Operand &operand : space.operands) operand.strides.push_back(size(role == LoopRole::Columns ? 1 : 0));
      return;
    }
  };
  // Where the model has no row at all (a vector times a matrix), the batch gives one.
  bool hasRows = llvm::is_contained(roles, static_cast<unsigned char>(LoopRole::Rows));
  append(LoopRole::Columns);
  append(LoopRole::Reduction);
  if (hasRows) append(LoopRole::Rows);

  Operand *output = space.find(Operand::Output, 0);
  auto before = [&](Operand *operand) {
    return [operand](unsigned i, unsigned j) {
      auto si = constantOf(operand->strides[i]), sj = constantOf(operand->strides[j]);
      if (si && sj) return *si > *sj;
      return !si && sj;  // dynamic strides are larger than static ones
    };
  };
  SmallVector<unsigned> outer, rows, sums, cols;
  for (unsigned i = 0; i < space.loops.size(); ++i) switch (roleOf(i)) {
      case LoopRole::Batch: outer.push_back(i); break;
      case LoopRole::Rows: rows.push_back(i); break;
      case LoopRole::Reduction: sums.push_back(i); break;
      case LoopRole::Columns: cols.push_back(i); break;
    }
  llvm::stable_sort(rows, before(output));
  llvm::stable_sort(sums, before(space.find(Operand::Input, 0)));
  llvm::stable_sort(cols, before(output));
  SmallVector<unsigned> order(outer);
  order.append(cols.begin(), cols.end() - 1);
  order.append(rows);
  order.append(sums);
  order.push_back(cols.back());
  space.reorder(order);
  if (!hasRows) {
    // Before the reductions.
    Loop loop;
    loop.extent = size(1);
    unsigned at = outer.size() + cols.size() - 1;
    space.loops.insert(space.loops.begin() + at, loop);
    for (Operand &operand : space.operands) operand.strides.insert(operand.strides.begin() + at, size(0));
  }
  auto role = [&](const Loop &loop) {
    return loop.members.empty() ? LoopRole::Rows : static_cast<LoopRole>(roles[loop.members.front()]);
  };
  space.packConstants();
  space.merge([&](const Loop &o, const Loop &i) { return role(o) == role(i); });

  unsigned count = space.loops.size();
  columns = count - 1;
  for (unsigned i = 0; i < count; ++i)
    if (role(space.loops[i]) == LoopRole::Reduction) reductions.push_back(i);
  x = reductions.front() - 1;
  outerLoops = x;
  if (x > 0 && role(space.loops[x - 1]) == LoopRole::Rows) {
    y = x - 1;
    outerLoops = y;
  }
  a = space.find(Operand::Input, 0);
  b = space.find(Operand::Input, 1);
  init = space.find(Operand::Init, 0);
}

// Rearranges packed weights [outer][depth][columns] into panels [outer][panel][depth][width].
void ContractionGenerator::packPanels() {
  if (!packed) return;
  packedColumns = *constantOf(space.loops[columns].extent);
  packedDepth = 1;
  for (unsigned loop : reductions) packedDepth *= *constantOf(space.loops[loop].extent);
  unsigned bytes = elementBytes(b->element);
  std::vector<char> &data = *b->packed;
  int64_t block = packedDepth * packedColumns * bytes;
  int64_t panelColumns = 0;
  for (const Panels &run : staticPanels) panelColumns += run.count * run.width();
  std::vector<char> result(data.size() / packedColumns * panelColumns);
  char *to = result.data();
  for (int64_t at = 0; at + block <= int64_t(data.size()); at += block) {
    for (const Panels &run : staticPanels)
      for (int64_t p = 0; p < run.count; ++p)
        for (int64_t d = 0; d < packedDepth; ++d) {
          int64_t column = run.start + p * run.columns();
          memcpy(to, data.data() + at + (d * packedColumns + column) * bytes, run.columns() * bytes);
          to += run.width() * bytes;
        }
  }
  // Dense strides counted columns of the model.
  for (unsigned loop = 0; loop < outerLoops; ++loop)
    b->strides[loop] = size(*constantOf(b->strides[loop]) / packedColumns * panelColumns);
  data = std::move(result);
}

// Weights that are used for few rows come from memory as fast as they are multiplied, or hold the multiplication up.
void ContractionGenerator::planPrefetch() {
  constexpr int64_t mostRows = 512;
  auto xExtent = constantOf(space.loops[x].extent), yExtent = y >= 0 ? constantOf(space.loops[y].extent) : 1;
  if (!packed || !xExtent || !yExtent) return;
  int64_t rows = *xExtent * *yExtent, bytes = packedDepth * elementBytes(b->element);
  if (rows < 2 || rows > mostRows || bytes * packedColumns < int64_t(k.target.l1Bytes)) return;
  prefetchPerRow = llvm::divideCeil(bytes * tile.vectors * k.target.lanes(), rows);
}

// Elements from one turn of a reduction loop to the next.
Size ContractionGenerator::stridesOfB(unsigned loop, const PanelRun &run) {
  if (!packed) return b->strides[loop];
  // Dense strides count columns; panels are as wide as the run.
  return size(*constantOf(b->strides[loop]) / packedColumns * run.panels.width());
}

// Emits the loops of all items, and returns how many there are.
Size ContractionGenerator::run() {
  arrangeLoops();
  auto extent = [&](unsigned loop) { return constantOf(space.loops[loop].extent); };
  std::optional<int64_t> depth = 1;
  for (unsigned loop : reductions) depth = depth && extent(loop) ? std::optional(*depth * *extent(loop)) : std::nullopt;
  TargetDescription target = k.target;
  bool isFloat = isa<FloatType>(a->element);
  if (!isFloat) target.laneFma = target.foldsBroadcast = target.scalarFma = false;
  packed = b->packed.has_value();
  tails = packed && isFloat && allowsUnusedLanes(step) ? Tails::Filled : Tails::Exact;
  tile = chooseTile(target, {y >= 0 ? extent(y) : 1, space.usualExtent(x), extent(columns), depth, tails});
  unsigned lanes = target.lanes();
  int64_t width = int64_t(tile.vectors) * lanes;

  if (auto n = extent(columns)) {
    staticPanels = splitColumns(*n, tile, target, tails);
    panels = size(countOf(staticPanels));
  } else {
    Size columnCount = space.loops[columns].extent;
    panels = columnCount.floorDiv(width) + (columnCount % width).floorDiv(lanes) + columnCount % lanes;
  }
  packPanels();
  planPrefetch();
  space.bind(k, weights);

  chooseItems(depth, width);
  Size items = panels;
  if (xChunk) items = items * space.loops[x].extent.ceilDiv(xChunk);
  if (y >= 0 && yChunk) items = items * space.loops[y].extent.ceilDiv(yChunk);
  for (unsigned loop = 0; loop < outerLoops; ++loop) items = items * space.loops[loop].extent;
  bool isStage = step.nest.rowLoop.has_value();
  Value first = isStage ? k.c(0) : k.begin, last = isStage ? k.expand(items) : k.end;
  k.loop(first, last, k.c(1), [&](Value item) { emitItem(item); });

  k.choices.push_back(describe(target, depth));
  return items;
}

// Rows of one item, and the order of items. Neighbouring items mostly go to the same thread: where the weights are
// smaller than what the rows read and write, threads share the rows, and find in their caches what they wrote as rows
// of the layer before. Else they share the panels, and each reads its own part of the weights only.
void ContractionGenerator::chooseItems(std::optional<int64_t> depth, int64_t width) {
  auto extent = [&](unsigned loop) { return constantOf(space.loops[loop].extent); };
  int64_t rowWork =
      std::max<int64_t>(1, depth.value_or(256) * std::min<int64_t>(width, extent(columns).value_or(width)));
  int64_t rowsWanted = (minItemWork + rowWork - 1) / rowWork;
  int64_t chunk = (rowsWanted + tile.rows - 1) / tile.rows * tile.rows;
  auto xExtent = extent(x);
  xChunk = size(xExtent && chunk >= *xExtent ? std::max<int64_t>(1, *xExtent) : chunk);
  int64_t yWanted = xExtent ? std::max<int64_t>(1, rowsWanted / std::max<int64_t>(1, *xExtent)) : 1;
  yChunk = size(y >= 0 && extent(y) ? std::clamp<int64_t>(yWanted, 1, std::max<int64_t>(1, *extent(y))) : 1);
  if (tile.bands > 1) {
    xChunk = space.loops[x].extent;
    yChunk = size(llvm::alignTo(*constantOf(yChunk), tile.bands));
  }
  // A stage of a chain gets its rows from there: all of them at once.
  if (step.nest.rowLoop) {
    xChunk = yChunk = Size();
    return;
  }
  int64_t rows = xExtent.value_or(64) * (y >= 0 ? extent(y).value_or(64) : 1), n = extent(columns).value_or(width);
  int64_t weightBytes = packed ? depth.value_or(256) * n : 0;
  rowsFirst = weightBytes < rows * (inputDepth() + n) && rows >= 8 * int64_t(tile.rows);
}

// Values of the first operand that a row reads and its neighbour does not.
int64_t ContractionGenerator::inputDepth() {
  int64_t values = 1;
  for (unsigned loop : reductions)
    if (isConstant(a->strides[loop], 1)) values = constantOf(space.loops[loop].extent).value_or(256);
  return values;
}

KernelChoice ContractionGenerator::describe(const TargetDescription &target, std::optional<int64_t> depth) {
  KernelChoice choice;
  choice.name = step.name;
  choice.algorithm = "direct";
  choice.tileRows = tile.rows;
  choice.tileVectors = tile.vectors;
  choice.lanes = target.lanes();
  choice.panelColumns = int64_t(tile.vectors) * choice.lanes;
  ContractionSize size{y >= 0 ? space.usualExtent(y) : 1, space.usualExtent(x), space.usualExtent(columns), depth,
                       tails};
  bool known = size.bands && size.rows && size.columns && depth;
  double turns = 1;
  for (unsigned loop = 0; loop < outerLoops; ++loop) {
    auto extent = space.usualExtent(loop);
    known = known && extent;
    turns *= extent.value_or(0);
  }
  if (known) choice.cycles = turns * contractionCost(target, size, tile, CostOf::Cycles);
  return choice;
}

void ContractionGenerator::emitItem(Value item) {
  auto split = [&](Size count) {
    Value n = k.expand(count);
    Value part = k.rem(item, n);
    item = k.div(item, n);
    return part;
  };
  auto range = [&](unsigned loop, Size chunk) {
    if (!chunk) return std::make_pair(k.c(0), k.expand(space.loops[loop].extent));
    Value from = k.mul(split(space.loops[loop].extent.ceilDiv(chunk)), k.expand(chunk));
    Value to = k.min(k.add(from, k.expand(chunk)), k.expand(space.loops[loop].extent));
    return std::make_pair(from, to);
  };
  Value panel = rowsFirst ? split(panels) : Value();
  auto [xFrom, xTo] = range(x, xChunk);
  Value yFrom = k.c(0), yTo = k.c(1);
  if (y >= 0) std::tie(yFrom, yTo) = range(y, yChunk);
  if (!rowsFirst) panel = split(panels);
  SmallVector<Value> outer(outerLoops);
  for (unsigned loop = outerLoops; loop-- > 0;) outer[loop] = split(space.loops[loop].extent);

  SmallVector<PanelRun> runs;
  unsigned lanes = k.target.lanes();
  if (!staticPanels.empty()) {
    int64_t first = 0, packedStart = 0;
    for (const Panels &run : staticPanels) {
      runs.push_back({k.c(first), k.c(run.start), k.c(first + run.count), run, packedStart});
      first += run.count;
      packedStart += run.count * run.width();
    }
    runs.back().lastPanel.reset();
  } else if (!isStatic(space.loops[columns].extent)) {
    Size n = space.loops[columns].extent;
    int64_t width = int64_t(lanes) * tile.vectors;
    Size full = n.floorDiv(width), single = (n % width).floorDiv(lanes);
    Value afterFull = k.expand(full), afterSingle = k.expand(full + single);
    auto panelsOf = [](unsigned lanes, unsigned vectors) { return Panels{0, 0, lanes, vectors, lanes, lanes}; };
    runs.push_back({k.c(0), k.c(0), afterFull, panelsOf(lanes, tile.vectors)});
    if (tile.vectors > 1) runs.push_back({afterFull, k.expand(full * width), afterSingle, panelsOf(lanes, 1)});
    if (lanes > 1) runs.push_back({afterSingle, k.expand(full * width + single * lanes), std::nullopt, panelsOf(1, 1)});
    else runs.back().lastPanel.reset();
  }
  for (auto [i, run] : llvm::enumerate(runs)) {
    auto body = [&, run = run] { emitPanel(run, panel, outer, yFrom, yTo, xFrom, xTo); };
    if (runs.size() == 1) {
      body();
    } else {
      auto notBefore = [&] {
        Value before = k.less(panel, run.firstPanel);
        k.ifThen(arith::XOrIOp::create(k.b, k.loc, before, k.constant(k.b.getBoolAttr(true))), body);
      };
      if (!run.lastPanel) notBefore();
      else if (i == 0) k.ifThen(k.less(panel, *run.lastPanel), body);
      else k.ifThen(k.less(panel, *run.lastPanel), notBefore);
    }
  }
}

void ContractionGenerator::emitPanel(const PanelRun &run, Value panel, ArrayRef<Value> outer, Value yFrom, Value yTo,
                                     Value xFrom, Value xTo) {
  Value index = k.sub(panel, run.firstPanel);
  Value width = k.c(run.panels.width());
  column = k.add(run.firstColumn, k.mul(index, k.c(run.panels.columns())));
  loopValues.assign(space.loops.size(), Value());
  for (unsigned loop = 0; loop < outerLoops; ++loop) loopValues[loop] = outer[loop];
  for (Operand &operand : space.operands) {
    if (operand.splat) continue;
    Value pointer = operand.pointer;
    for (unsigned loop = 0; loop < outerLoops; ++loop)
      pointer = k.advance(pointer, operand.element, operand.strides[loop], outer[loop]);
    if (&operand == b && packed) {
      Value start = k.add(k.c(run.packedStart * packedDepth), k.mul(index, k.mul(width, k.c(packedDepth))));
      pointer = k.advance(pointer, operand.element, start);
    } else {
      pointer = k.advance(pointer, operand.element, operand.strides[columns], column);
    }
    pointers[&operand] = pointer;
  }
  auto saved = pointers;
  auto enterBand = [&](Value yValue) {
    if (y < 0) return;
    loopValues[y] = yValue;
    for (Operand &operand : space.operands)
      if (!operand.splat) pointers[&operand] = k.advance(saved[&operand], operand.element, operand.strides[y], yValue);
  };
  if (tile.bands > 1) {
    // Whole rows of several bands, then the bands that are left; as many in the last item of every panel.
    unsigned width = tile.rows / tile.bands, rest = *constantOf(space.loops[y].extent) % tile.bands;
    Value whole = k.sub(yTo, k.rem(k.sub(yTo, yFrom), k.c(tile.bands)));
    k.loop(yFrom, whole, k.c(tile.bands), [&](Value yValue) {
      enterBand(yValue);
      emitTile(run, tile.rows, xFrom);
    });
    if (rest)
      k.ifThen(k.less(whole, yTo), [&] {
        enterBand(whole);
        emitTile(run, rest * width, xFrom);
      });
    pointers = saved;
    return;
  }
  k.loop(yFrom, yTo, k.c(1), [&](Value yValue) {
    enterBand(yValue);
    auto extentX = constantOf(space.loops[x].extent);
    int64_t rows = tile.rows;
    if (extentX && *extentX < rows) rows = std::max<int64_t>(1, *extentX);
    // Whole tiles, then what is left: of known height, or of the height that is likely and then row by row.
    Value whole = k.sub(xTo, k.rem(k.sub(xTo, xFrom), k.c(rows)));
    k.loop(xFrom, whole, k.c(rows), [&](Value xValue) { emitTile(run, rows, xValue); });
    if (rows == 1) return;
    if (extentX) {
      if (*extentX % rows) k.ifThen(k.less(whole, xTo), [&] { emitTile(run, *extentX % rows, whole); });
      return;
    }
    if (int64_t likely = space.usualExtent(x).value_or(rows / 2) % rows; likely > 1) {
      Value end = k.add(whole, k.c(likely));
      Value isThere = k.less(end, k.add(xTo, k.c(1)));
      k.ifThen(isThere, [&] { emitTile(run, likely, whole); });
      whole = arith::SelectOp::create(k.b, k.loc, isThere, end, whole);
    }
    k.loop(whole, xTo, k.c(1), [&](Value xValue) { emitTile(run, 1, xValue); });
  });
  pointers = saved;
}

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
  auto at = [&](const Operand &operand, unsigned row, unsigned vector) {
    Value pointer = advanceRows(here[&operand], operand, k.c(row));
    return k.advance(pointer, operand.element, operand.strides[columns], k.c(int64_t(vector) * panels.lanes));
  };

  SmallVector<Value> acc(rows * panels.vectors);
  for (unsigned u = 0; u < panels.vectors; ++u) {
    Lanes lanes(panels.lanesOf(u), panels.columnsOf(u));
    Value shared;
    for (unsigned row = 0; row < rows; ++row) {
      bool same = isConstant(init->strides[x], 0) && (y < 0 || isConstant(init->strides[y], 0));
      Value value = same && row ? shared : Value();
      if (!value)
        value =
            k.broadcast(loadOperand(k, *init, init->splat ? Value() : at(*init, row, u), lanes, columns), lanes.count);
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

// Applies the epilogues to sums of a row of the tile, `offset` columns from the first, and stores the results.
void ContractionGenerator::storeVector(Value vector, Value row, Value offset, Lanes lanes, const Pointers &tileAt) {
  auto at = [&](const Operand &operand) {
    Value pointer = advanceRows(tileAt.lookup(&operand), operand, row);
    return k.advance(pointer, operand.element, operand.strides[columns], offset);
  };
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
  if (!sums) sums = k.allocate(element, int64_t(tile.rows) * tile.vectors * k.target.lanes());
  auto at = [&](Value row, Value offset) {
    return k.advance(k.advance(sums, element, k.mul(row, k.c(width))), element, offset);
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

}  // namespace

Size emitContraction(KernelBuilder &k, const Step &step, ArrayRef<unsigned char> roles, WeightBlob &weights) {
  return ContractionGenerator(k, step, roles, weights).run();
}

}  // namespace crosscut
