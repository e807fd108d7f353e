// Kernels for 3x3 convolutions by Winograd's minimal filtering (WinogradForm in Plan.h, WinogradTransform.h).
//
// A group of tiles passes through three stages that hand over in scratch memory: the input's transform, one matrix
// product for every point with the register tiles of contractions, and the output's transform with the step's
// epilogues, which work on registers as in any other kernel. Both transforms are walked channel by channel in vectors.
// Tiles that reach beyond the image read its last row or column instead of what is not there, and write what is there.
#include "compiler/Plan/Winograd.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Codegen/ProductLoop.h"
#include "compiler/Codegen/Tiles.h"
#include "compiler/Codegen/WinogradTransform.h"

#include "llvm/ADT/bit.h"

using namespace mlir;

namespace crosscut {
namespace {

class WinogradGenerator {
 public:
  WinogradGenerator(KernelBuilder &k, const Step &step, WeightBlob &weights)
      : k(k),
        step(step),
        form(*step.winograd),
        weights(weights),
        context(k.b.getContext()),
        space(step, context),
        transform(k, form),
        points(form.points()) {}

  Size runInput();
  Size run();

 private:
  struct TilePosition {
    Value batch, y, x;  // of its first output
    Value ragged;       // whether it reaches beyond the image; null: no tile does
  };

  Size size(int64_t value) { return getAffineConstantExpr(value, context); }
  int64_t extent(unsigned loop) { return *constantOf(step.nest.extents[loop]); }
  bool mayBeRagged(unsigned loop) { return !isConstant(step.nest.extents[loop] % form.outputs, 0); }
  TilePosition locate(Value tile);
  Value maximum(Value x, Value y) { return arith::MaxSIOp::create(k.b, k.loc, x, y); }
  Value pointerAt(const Operand &operand, Value pointer, const TilePosition &at);
  void forVectors(int64_t count, llvm::function_ref<void(Value from, unsigned lanes)> body);
  void ifRagged(const TilePosition &at, llvm::function_ref<void(bool)> body);

  Value transformedAt(Value base, Value tile);
  void emitInput(Value first, Value last, Value origin, Value to);
  void transformBothWays(unsigned lines, unsigned lanes, llvm::function_ref<Value(Value i, Value j)> load,
                         llvm::function_ref<SmallVector<Value>(ArrayRef<Value>)> oneWay,
                         llvm::function_ref<void(Value i, ArrayRef<Value> line)> finish);
  void emitInputTile(const TilePosition &at, Value to, bool ragged);
  uint64_t packWeights();
  void emitPanels(Value panelFrom, Value panelTo, Value first, Value last, Value transformed, Value products);
  void emitProducts(const Panels &run, Value panelWeights, Value tiles, Value transformed, Value products);
  void emitRegisterTile(const Panels &run, unsigned rows, Value row, Value a, Value b, Value to);
  void emitOutputTile(const Panels &run, unsigned lanes, const TilePosition &at, Value from, Value column, bool ragged);

  KernelBuilder &k;
  const Step &step;
  const WinogradForm &form;
  WeightBlob &weights;
  MLIRContext *context;
  LoopSpace space;
  WinogradTransform transform;
  unsigned points;
  Type f32 = Float32Type::get(context);
  SmallVector<Panels> panels;
  Value weightsPointer, between;
};

WinogradGenerator::TilePosition WinogradGenerator::locate(Value tile) {
  TilePosition at;
  Size across = step.nest.extents[form.x].ceilDiv(form.outputs), down = step.nest.extents[form.y].ceilDiv(form.outputs);
  at.x = k.mul(k.rem(tile, k.expand(across)), k.c(form.outputs));
  Value line = k.div(tile, k.expand(across));
  bool single = form.batch < 0 || isConstant(step.nest.extents[form.batch], 1);
  at.batch = single ? k.c(0) : k.div(line, k.expand(down));
  at.y = k.mul(single ? line : k.rem(line, k.expand(down)), k.c(form.outputs));
  for (auto [loop, start] : {std::pair(form.y, at.y), std::pair(form.x, at.x)}) {
    if (!mayBeRagged(loop)) continue;
    Value beyond = k.less(k.expand(step.nest.extents[loop]), k.add(start, k.c(form.outputs)));
    at.ragged = at.ragged ? arith::OrIOp::create(k.b, k.loc, at.ragged, beyond).getResult() : beyond;
  }
  return at;
}

Value WinogradGenerator::pointerAt(const Operand &operand, Value pointer, const TilePosition &at) {
  if (form.batch >= 0) pointer = k.advance(pointer, operand.element, operand.access->strides[form.batch], at.batch);
  pointer = k.advance(pointer, operand.element, operand.access->strides[form.y], at.y);
  return k.advance(pointer, operand.element, operand.access->strides[form.x], at.x);
}

// Walks `count` elements in vectors of one width; the last one begins early enough to end with the elements, and works
// on some of them a second time.
void WinogradGenerator::forVectors(int64_t count, llvm::function_ref<void(Value, unsigned)> body) {
  unsigned lanes = std::min<uint64_t>(k.target.lanes(), llvm::bit_floor(uint64_t(count)));
  k.loop(k.c(0), k.c(count), k.c(lanes), [&](Value from) {
    if (count % lanes) from = k.min(from, k.c(count - lanes));
    body(from, lanes);
  });
}

void WinogradGenerator::ifRagged(const TilePosition &at, llvm::function_ref<void(bool)> body) {
  if (!at.ragged) {
    body(false);
    return;
  }
  auto op = scf::IfOp::create(k.b, k.loc, at.ragged, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(op.thenBlock());
  body(true);
  k.b.setInsertionPointToStart(op.elseBlock());
  body(false);
}

// ---- Input ---------------------------------------------------------------------------------------------------------

// The first channel of a tile, for the first point.
Value WinogradGenerator::transformedAt(Value base, Value tile) {
  Value block = k.div(tile, k.c(form.interleaved)), place = k.rem(tile, k.c(form.interleaved));
  return k.advance(base, f32, k.add(k.mul(block, k.c(extent(form.channels) * form.interleaved)), place));
}

// Tiles first to last; tile `origin` lies at `to`.
void WinogradGenerator::emitInput(Value first, Value last, Value origin, Value to) {
  k.loop(first, last, k.c(1), [&](Value tile) {
    TilePosition at = locate(tile);
    Value row = transformedAt(to, k.sub(tile, origin));
    ifRagged(at, [&](bool ragged) { emitInputTile(at, row, ragged); });
  });
}

void WinogradGenerator::emitInputTile(const TilePosition &at, Value to, bool ragged) {
  const Operand &input = *space.find(Operand::Input, 0);
  const Sizes &strides = input.access->strides;
  Value base = pointerAt(input, input.pointer, at);
  // Offset of a row or column of the tile from its first one.
  auto offset = [&](unsigned loop, unsigned window, Value start, Value i) {
    if (ragged && mayBeRagged(loop)) {
      Value outputsLeft = k.sub(k.expand(step.nest.extents[loop] + -1), start);
      i = k.min(i, k.add(k.mul(outputsLeft, k.c(form.stride)), k.c(2)));
    }
    return k.mul(i, k.expand(strides[window]));
  };
  Size channelStride = strides[form.channels], apart = size(form.interleaved);
  forVectors(extent(form.channels), [&](Value channel, unsigned lanes) {
    Value from = k.advance(base, f32, channelStride, channel);
    Value there = k.advance(to, f32, apart, channel);
    transformBothWays(
        points, lanes,
        [&](Value i, Value j) {
          Value pointer = k.advance(from, f32, offset(form.y, form.ky, at.y, i));
          pointer = k.advance(pointer, f32, offset(form.x, form.kx, at.x, j));
          return k.broadcast(k.load(pointer, f32, lanes, channelStride), lanes);
        },
        [&](ArrayRef<Value> values) { return transform.input(values); },
        [&](Value i, ArrayRef<Value> line) {
          Value row = k.advance(there, f32, k.mul(i, k.c(points * form.transformedStride)));
          for (unsigned j = 0; j < points; ++j)
            k.store(line[j], k.advance(row, f32, k.c(j * form.transformedStride)), f32, lanes, apart);
        });
  });
}

// Transforms the columns of a tile and then its lines, of which there are `lines` after the columns. Where there are 32
// registers, all of the tile is kept in them; else in memory between the two.
void WinogradGenerator::transformBothWays(unsigned lines, unsigned lanes,
                                          llvm::function_ref<Value(Value i, Value j)> load,
                                          llvm::function_ref<SmallVector<Value>(ArrayRef<Value>)> oneWay,
                                          llvm::function_ref<void(Value i, ArrayRef<Value> line)> finish) {
  if (k.target.vectorRegisters >= 32) {
    SmallVector<SmallVector<Value>> all(lines);
    for (unsigned j = 0; j < points; ++j) {
      SmallVector<Value> column;
      for (unsigned i = 0; i < points; ++i) column.push_back(load(k.c(i), k.c(j)));
      column = oneWay(column);
      for (unsigned i = 0; i < lines; ++i) all[i].push_back(column[i]);
    }
    for (unsigned i = 0; i < lines; ++i) finish(k.c(i), oneWay(all[i]));
    return;
  }
  if (!between) between = k.allocate(f32, int64_t(points) * points * k.target.lanes());
  k.loop(k.c(0), k.c(points), k.c(1), [&](Value j) {
    SmallVector<Value> column;
    for (unsigned i = 0; i < points; ++i) column.push_back(load(k.c(i), j));
    column = oneWay(column);
    Value to = k.advance(between, f32, k.mul(j, k.c(lanes)));
    for (unsigned i = 0; i < lines; ++i)
      k.store(column[i], k.advance(to, f32, k.c(i * points * lanes)), f32, lanes, size(1));
  });
  k.loop(k.c(0), k.c(lines), k.c(1), [&](Value i) {
    Value from = k.advance(between, f32, k.mul(i, k.c(points * lanes)));
    SmallVector<Value> line;
    for (unsigned j = 0; j < points; ++j)
      line.push_back(k.load(k.advance(from, f32, k.c(j * lanes)), f32, lanes, size(1)));
    finish(i, oneWay(line));
  });
}

Size WinogradGenerator::runInput() {
  space.bind(k, weights);
  Value to = k.pointerTo(form.transformed, form.transformed.offset);
  int64_t tiles = *constantOf(winogradTiles(form, step.nest));
  // A few tiles an item.
  int64_t work = int64_t(points) * points * 4 * extent(form.channels);
  int64_t count = std::clamp<int64_t>(minItemWork / 8 / work, 1, tiles);
  k.loop(k.begin, k.end, k.c(1), [&](Value item) {
    Value first = k.mul(item, k.c(count)), last = k.min(k.add(first, k.c(count)), k.c(tiles));
    emitInput(first, last, k.c(0), to);
  });
  return size((tiles + count - 1) / count);
}

// ---- Products ------------------------------------------------------------------------------------------------------

// Transforms the filters; the order is [panel][point][channel][column of the panel]. Returns where they are.
uint64_t WinogradGenerator::packWeights() {
  const Access &access = step.nest.inputs[1];
  const char *data = access.ref.buffer->data.data();
  auto stride = [&](unsigned loop) { return *constantOf(access.strides[loop]); };
  int64_t channels = extent(form.channels), matrices = int64_t(points) * points;
  std::vector<char> packed(matrices * channels * extent(form.columns) * 4);
  double transformed[36];
  int64_t before = 0;  // elements of earlier panels
  for (const Panels &run : panels)
    for (int64_t p = 0; p < run.count; ++p) {
      int64_t width = run.width();
      for (int64_t channel = 0; channel < channels; ++channel)
        for (int64_t column = 0; column < width; ++column) {
          int64_t start = *constantOf(access.offset) + channel * stride(form.channels) +
                          (run.start + p * width + column) * stride(form.columns);
          double filter[3][3];
          for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 3; ++x) {
              float value;
              memcpy(&value, data + (start + y * stride(form.ky) + x * stride(form.kx)) * 4, 4);
              filter[y][x] = value;
            }
          transformFilter(filter, form, transformed);
          for (int64_t i = 0; i < matrices; ++i) {
            auto value = static_cast<float>(transformed[i]);
            memcpy(&packed[(before + (i * channels + channel) * width + column) * 4], &value, 4);
          }
        }
      before += matrices * channels * width;
    }
  return weights.add(packed, 4);
}

Size WinogradGenerator::run() {
  panels = splitColumns(extent(form.columns), Tile{form.tileRows, form.tileVectors}, k.target, Tails::Exact);
  int64_t panelCount = countOf(panels);
  weightsPointer = k.weightsPointer(packWeights());
  // Constants that epilogues read are laid out with neighbouring columns side by side.
  SmallVector<unsigned> order;
  for (unsigned loop = 0; loop < space.loops.size(); ++loop)
    if (loop != form.columns) order.push_back(loop);
  order.push_back(form.columns);
  space.reorder(order);
  space.packConstants();
  Operand *filter = space.find(Operand::Input, 1);
  filter->packed.reset();
  filter->pointer = weightsPointer;
  if (form.separate) space.find(Operand::Input, 0)->pointer = weightsPointer;  // not read
  space.bind(k, weights);
  Value transformed = k.pointerTo(form.transformed, form.transformed.offset);
  Value products = k.pointerTo(form.products, form.products.offset);
  // One slot a call: its items run one after the other.
  products = k.advance(products, f32, k.mul(k.begin, k.c(form.productsPerItem)));
  if (!form.separate) transformed = k.advance(transformed, f32, k.mul(k.begin, k.c(form.transformedPerItem)));
  if (form.factors) transform.keepFactorsAt(k.advance(products, f32, k.c(form.productsStride * form.tilesAtOnce)));

  Value tiles = k.expand(winogradTiles(form, step.nest));
  Value atOnce = k.c(form.tilesAtOnce), ranges = k.c(form.ranges);
  k.loop(k.begin, k.end, k.c(1), [&](Value item) {
    Value range = k.rem(item, ranges), block = k.div(item, ranges);
    if (form.blocks == 1) block = k.c(0);
    Value panelFrom = k.mul(block, k.c(form.panelsPerItem));
    Value panelTo = k.min(k.add(panelFrom, k.c(form.panelsPerItem)), k.c(panelCount));
    Value groups = k.div(k.add(tiles, k.c(form.tilesAtOnce - 1)), atOnce);
    Value from = k.startOf(range, groups, ranges), to = k.startOf(k.add(range, k.c(1)), groups, ranges);
    k.loop(from, to, k.c(1), [&](Value group) {
      Value first = k.mul(group, atOnce), last = k.min(k.add(first, atOnce), tiles);
      Value here = transformed;
      if (form.separate) here = transformedAt(transformed, first);
      else emitInput(first, last, first, here);
      emitPanels(panelFrom, panelTo, first, last, here, products);
    });
  });
  return size(form.items());
}

void WinogradGenerator::emitPanels(Value panelFrom, Value panelTo, Value first, Value last, Value transformed,
                                   Value products) {
  int64_t before = 0, weightsBefore = 0;
  int64_t panelDepth = int64_t(points) * points * extent(form.channels);
  for (const Panels &run : panels) {
    Value from = k.sub(panelFrom, k.c(before)), to = k.sub(panelTo, k.c(before));
    if (panels.size() > 1) from = maximum(from, k.c(0)), to = k.min(to, k.c(run.count));
    k.loop(from, to, k.c(1), [&](Value panel) {
      Value start = k.add(k.c(weightsBefore), k.mul(panel, k.c(panelDepth * run.width())));
      emitProducts(run, k.advance(weightsPointer, f32, start), k.sub(last, first), transformed, products);
      k.loop(first, last, k.c(1), [&](Value tile) {
        TilePosition at = locate(tile);
        Value row = k.advance(products, f32, k.mul(k.sub(tile, first), k.c(form.productsStride)));
        auto vectorAt = [&](Value offset, unsigned lanes) {
          Value column = k.add(k.add(k.c(run.start), k.mul(panel, k.c(run.width()))), offset);
          Value source = k.advance(row, f32, offset);
          ifRagged(at, [&](bool ragged) { emitOutputTile(run, lanes, at, source, column, ragged); });
        };
        // The last vector may be narrower.
        int64_t equal = run.lastLanes == run.lanes ? run.width() : run.width() - run.lastLanes;
        k.loop(k.c(0), k.c(equal), k.c(run.lanes), [&](Value offset) { vectorAt(offset, run.lanes); });
        if (equal < run.width()) vectorAt(k.c(equal), run.lastLanes);
      });
    });
    before += run.count;
    weightsBefore += run.count * run.width() * panelDepth;
  }
}

// products[tile][point][column] = transformed[tile][point][channel] x weights[point][channel][column]
void WinogradGenerator::emitProducts(const Panels &run, Value panelWeights, Value tiles, Value transformed,
                                     Value products) {
  unsigned rows = form.tileRows;
  k.loop(k.c(0), k.c(points * points), k.c(1), [&](Value point) {
    Value a = k.advance(transformed, f32, k.mul(point, k.c(form.transformedStride)));
    Value b = k.advance(panelWeights, f32, k.mul(point, k.c(extent(form.channels) * run.width())));
    Value to = k.advance(products, f32, k.mul(point, k.c(run.width())));
    auto tileAt = [&](unsigned count, Value row) { emitRegisterTile(run, count, row, a, b, to); };
    auto known = constantOf(winogradTiles(form, step.nest));
    unsigned rest = known ? *known % rows : 0;
    // Where the number of tiles is not known, what lies behind the last one is multiplied, too, and never read.
    Value whole = known ? k.sub(tiles, k.rem(tiles, k.c(rows))) : tiles;
    k.loop(k.c(0), whole, k.c(rows), [&](Value row) { tileAt(rows, row); });
    if (rest) k.ifThen(k.less(whole, tiles), [&] { tileAt(rest, whole); });
  });
}

// `row`: the first tile's, in its group.
void WinogradGenerator::emitRegisterTile(const Panels &run, unsigned rows, Value row, Value a, Value b, Value to) {
  int64_t depth = extent(form.channels);
  int64_t rowStride = form.interleaved > 1 ? 1 : depth;
  auto rowAt = [&](Value first, unsigned other) { return k.advance(first, f32, k.c(other * rowStride)); };
  ProductLoop loop;
  loop.panels = run;
  loop.rows = rows;
  loop.a = transformedAt(a, row), loop.aElement = f32, loop.aStep = size(form.interleaved), loop.rowAt = rowAt;
  loop.b = b, loop.bElement = f32, loop.bStep = size(run.width()), loop.bColumn = size(1);
  SmallVector<Value> sums;
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned u = 0; u < run.vectors; ++u)
      sums.push_back(k.broadcast(k.constant(k.b.getF32FloatAttr(0)), run.lanesOf(u)));
  sums = addProducts(k, loop, size(depth), sums);
  to = k.advance(to, f32, k.mul(row, k.c(form.productsStride)));
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned u = 0; u < run.vectors; ++u)
      k.store(sums[i * run.vectors + u], k.advance(to, f32, k.c(i * form.productsStride + u * run.lanes)), f32,
              run.lanesOf(u), size(1));
}

// ---- Output --------------------------------------------------------------------------------------------------------

void WinogradGenerator::emitOutputTile(const Panels &run, unsigned lanes, const TilePosition &at, Value from,
                                       Value column, bool ragged) {
  unsigned m = form.outputs;
  auto strideOf = [&](const Operand &operand, unsigned loop) { return operand.strides[space.loopOf(loop)]; };
  auto pointer = [&](const Operand &operand, Value i, unsigned j) {
    Value result = operand.pointer;
    if (form.batch >= 0) result = k.advance(result, operand.element, strideOf(operand, form.batch), at.batch);
    result = k.advance(result, operand.element, strideOf(operand, form.columns), column);
    result = k.advance(result, operand.element, strideOf(operand, form.y), k.add(at.y, i));
    return k.advance(result, operand.element, strideOf(operand, form.x), k.add(at.x, k.c(j)));
  };
  int vectorLoop = space.loopOf(form.columns);
  Operand *init = space.find(Operand::Init, 0), *output = space.find(Operand::Output, 0);
  auto finish = [&](Value value, Value i, unsigned j) {
    auto loopValue = [&](unsigned member) {
      if (member == form.columns) return column;
      if (member == form.y) return k.add(at.y, i);
      if (member == form.x) return k.add(at.x, k.c(j));
      return at.batch;
    };
    Value start = loadOperand(k, *init, init->splat ? Value() : pointer(*init, i, j), lanes, vectorLoop);
    bool isZero = init->splat && cast<FloatAttr>(init->splat).getValue().isZero();
    if (!isZero) value = arith::AddFOp::create(k.b, k.loc, value, k.broadcast(start, lanes));
    SmallVector<Value> values = applyEpilogues(
        k, step, space, {value}, lanes, vectorLoop, [&](const Operand &operand) { return pointer(operand, i, j); },
        loopValue);
    k.store(values[0], pointer(*output, i, j), output->element, lanes, output->strides[vectorLoop]);
  };
  auto inside = [&](unsigned loop, Value start, Value offset, llvm::function_ref<void()> body) {
    if (ragged && mayBeRagged(loop)) k.ifThen(k.less(k.add(start, offset), k.expand(step.nest.extents[loop])), body);
    else body();
  };
  transformBothWays(
      m, lanes,
      [&](Value i, Value j) {
        Value place = k.mul(k.add(k.mul(i, k.c(points)), j), k.c(run.width()));
        return k.load(k.advance(from, f32, place), f32, lanes, size(1));
      },
      [&](ArrayRef<Value> values) { return transform.output(values); },
      [&](Value i, ArrayRef<Value> line) {
        inside(form.y, at.y, i, [&] {
          for (unsigned j = 0; j < m; ++j) inside(form.x, at.x, k.c(j), [&] { finish(line[j], i, j); });
        });
      });
}

}  // namespace

// Cycles of the convolution with and without its input's transform; 0 when its size is not known.
static double predictedCycles(const Step &step, const TargetDescription &target, bool input, bool products) {
  const WinogradForm &form = *step.winograd;
  if (!constantOf(winogradTiles(form, step.nest))) return 0;
  WinogradCost cost = winogradCost(target, sizeOf(form, step.nest), form.outputs);
  return (input ? cost.inputCycles : 0) + (products ? cost.cycles - cost.inputCycles : 0);
}

Size emitWinogradInput(KernelBuilder &k, const Step &step, WeightBlob &weights) {
  KernelChoice choice;
  choice.name = step.name;
  choice.algorithm = "winograd input";
  choice.lanes = k.target.lanes();
  choice.cycles = predictedCycles(step, k.target, true, false);
  k.choices.push_back(choice);
  return WinogradGenerator(k, step, weights).runInput();
}

Size emitWinograd(KernelBuilder &k, const Step &step, WeightBlob &weights) {
  const WinogradForm &form = *step.winograd;
  std::string side = std::to_string(form.outputs);
  KernelChoice choice;
  choice.name = step.name;
  choice.algorithm = "winograd F(" + side + "x" + side + ")" + (form.stride == 2 ? ", stride 2" : "");
  choice.tileRows = form.tileRows;
  choice.tileVectors = form.tileVectors;
  choice.lanes = k.target.lanes();
  choice.panelColumns = int64_t(form.tileVectors) * choice.lanes;
  choice.cycles = predictedCycles(step, k.target, !form.separate, true);
  k.choices.push_back(choice);
  return WinogradGenerator(k, step, weights).run();
}

}  // namespace crosscut
