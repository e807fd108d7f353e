// Kernels for sums of products: matrix products and convolutions.
//
// A tile of rows × vectors of results stays in registers while the reduction runs; each step loads the vectors of one
// row of the weight panel and multiplies them with one value of every row. Weights are packed panel by panel in exactly
// that order. Rows are output pixels of one image row, or of the whole image where memory allows to see it as one row.
// A work item is one panel over some rows, so that a panel's weights are read once and stay in the cache.
#include "compiler/Codegen/ContractionGenerator.h"

using namespace mlir;

namespace crosscut {

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
  // As many chunks, of more equal size.
  auto even = [](int64_t extent, int64_t most) { return llvm::divideCeil(extent, llvm::divideCeil(extent, most)); };
  if (xExtent && *xExtent > chunk) chunk = llvm::alignTo(even(*xExtent, chunk), tile.rows);
  else if (xExtent) chunk = std::max<int64_t>(1, *xExtent);
  xChunk = size(chunk);
  int64_t yWanted = xExtent ? std::max<int64_t>(1, rowsWanted / std::max<int64_t>(1, *xExtent)) : 1;
  int64_t yExtent = y >= 0 ? std::max<int64_t>(1, extent(y).value_or(1)) : 1;
  yChunk = size(even(yExtent, std::min(yWanted, yExtent)));
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
Size emitContraction(KernelBuilder &k, const Step &step, ArrayRef<unsigned char> roles, WeightBlob &weights) {
  return ContractionGenerator(k, step, roles, weights).run();
}

}  // namespace crosscut
