// See Winograd.h.
//
// F(4x4, 3x3) multiplies 36 times for 16 outputs where the sum of products multiplies 144 times, F(2x2, 3x3) 16 times
// for 4 outputs instead of 36, with stride 2 25 times. Against that stand the transforms, tiles that reach beyond the
// image, and weights that take 4, 1.8 and 2.8 times the memory: late layers of a network have many weights and few
// outputs, and the larger tile then waits for memory. An estimate of cycles from the target's description weighs these.
#include "compiler/Plan/Winograd.h"

#include "compiler/Codegen/Cost.h"
#include "compiler/Plan/Planner.h"
#include "compiler/Plan/Structure.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;

namespace crosscut {
namespace {

// Time of so many multiply-adds, at the target's peak, has every byte to save by which weights grow.
constexpr double leastSavedByByte = 3;
constexpr int64_t itemsWanted = 16;  // enough to share between threads; each has scratch memory of its own
// A convolution of unknown height or width is taken to have this many rows and columns.
constexpr int64_t assumedExtent = 32;
// Below this a sum of products takes some microseconds: too little to gain for memory that is several times as large.
constexpr double leastMultiplyAdds = 1e6;

bool isF32(Type type) { return type.isF32(); }

// The loops and stride of what an image's dimension is read with: output loop * stride + kernel loop.
struct Window {
  unsigned output, kernel;
  int64_t stride;
};
std::optional<Window> matchWindow(AffineExpr expr, const Contraction &contraction) {
  auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!sum || sum.getKind() != AffineExprKind::Add) return std::nullopt;
  auto loopOf = [](AffineExpr term, int64_t &stride) -> std::optional<unsigned> {
    stride = 1;
    if (auto product = dyn_cast<AffineBinaryOpExpr>(term)) {
      auto factor = dyn_cast<AffineConstantExpr>(product.getRHS());
      if (product.getKind() != AffineExprKind::Mul || !factor) return std::nullopt;
      stride = factor.getValue();
      term = product.getLHS();
    }
    auto dim = dyn_cast<AffineDimExpr>(term);
    return dim ? std::optional(dim.getPosition()) : std::nullopt;
  };
  int64_t stride, dilation;
  auto output = loopOf(sum.getLHS(), stride), kernel = loopOf(sum.getRHS(), dilation);
  if (!output || !kernel) return std::nullopt;
  if (contraction.roles[*output] == LoopRole::Reduction) std::swap(output, kernel), std::swap(stride, dilation);
  if (contraction.roles[*output] != LoopRole::Rows || contraction.roles[*kernel] != LoopRole::Reduction)
    return std::nullopt;
  if (dilation != 1) return std::nullopt;
  return Window{*output, *kernel, stride};
}

// The loops of a two-dimensional 3x3 convolution of stride 1 or 2 and dilation 1 without groups.
std::optional<WinogradForm> matchWinograd(const Step &step) {
  auto op = dyn_cast_or_null<linalg::GenericOp>(step.nest.op);
  if (!op || step.outputs.size() != 1) return std::nullopt;
  auto contraction = matchContraction(op);
  if (!contraction) return std::nullopt;
  const Nest &nest = step.nest;
  for (const Access &access : nest.inputs)
    if (!isF32(access.ref.elementType)) return std::nullopt;
  if (!isF32(nest.inits[0].ref.elementType)) return std::nullopt;
  const TensorRef &weights = nest.inputs[1].ref;
  if (!weights.buffer || weights.buffer->kind != BufferKind::Constant || nest.inputs[0].ref.isSplat())
    return std::nullopt;

  WinogradForm form;
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  llvm::SmallVector<Window> windows;
  bool haveChannels = false, haveColumns = false;
  for (AffineExpr expr : input.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      LoopRole role = contraction->roles[dim.getPosition()];
      if (role == LoopRole::Reduction && !haveChannels) form.channels = dim.getPosition(), haveChannels = true;
      else if (role == LoopRole::Rows && form.batch < 0) form.batch = dim.getPosition();
      else return std::nullopt;
      continue;
    }
    std::optional<Window> window = matchWindow(expr, *contraction);
    if (!window || !isConstant(nest.extents[window->kernel], 3)) return std::nullopt;
    windows.push_back(*window);
  }
  for (unsigned loop = 0; loop < contraction->roles.size(); ++loop)
    if (contraction->roles[loop] == LoopRole::Columns) {
      if (haveColumns) return std::nullopt;
      form.columns = loop, haveColumns = true;
    }
  unsigned used = 2 + 2 * windows.size() + (form.batch >= 0);
  if (windows.size() != 2 || !haveChannels || !haveColumns || used != contraction->roles.size()) return std::nullopt;
  if (windows[0].stride != windows[1].stride || windows[0].stride > 2) return std::nullopt;
  form.stride = windows[0].stride;
  form.y = windows[0].output, form.ky = windows[0].kernel;
  form.x = windows[1].output, form.kx = windows[1].kernel;

  auto positive = [&](unsigned loop) { return constantOf(nest.extents[loop]).value_or(0) > 0; };
  if (!positive(form.channels) || !positive(form.columns)) return std::nullopt;
  for (unsigned loop : {form.y, form.x})
    if (isConstant(nest.extents[loop], 0)) return std::nullopt;
  if (form.batch >= 0 && isConstant(nest.extents[form.batch], 0)) return std::nullopt;
  const Access &w = nest.inputs[1];
  if (!isStatic(w.offset)) return std::nullopt;
  for (Size stride : w.strides)
    if (!isStatic(stride)) return std::nullopt;
  return form;
}

// An odd number of cache lines: the same element of neighbouring points or tiles never falls into one set of the cache.
int64_t padded(int64_t elements, const TargetDescription &target) {
  int64_t line = std::max<int64_t>(1, target.lineBytes / 4);
  elements = llvm::alignTo(elements, line);
  return elements / line % 2 ? elements : elements + line;
}

void choosePieces(WinogradForm &form, const Nest &nest, const PlanOptions &options) {
  const TargetDescription &target = options.target;
  int64_t channels = *constantOf(nest.extents[form.channels]), columns = *constantOf(nest.extents[form.columns]);
  int64_t matrices = int64_t(form.points()) * form.points();
  auto tiles = constantOf(winogradTiles(form, nest));
  int64_t bytesPerTile = matrices * channels * 4;
  // A group's transformed input takes a quarter of the second-level cache at most.
  int64_t most = std::max<int64_t>(1, target.l2Bytes / 4 / bytesPerTile);
  Tile tile = chooseTile(target, {1, tiles, columns, channels});
  form.tileRows = tile.rows;
  form.tileVectors = tile.vectors;
  // Sixteen tiles for one reading of a panel of weights are enough.
  int64_t rowsAtOnce = std::min<int64_t>(most / tile.rows, llvm::divideCeil(16, tile.rows));
  form.tilesAtOnce = std::max<int64_t>(1, rowsAtOnce) * tile.rows;
  int64_t groups = tiles ? llvm::divideCeil(*tiles, form.tilesAtOnce) : itemsWanted;
  llvm::SmallVector<Panels> panels = splitColumns(columns, tile, target, Tails::Exact);
  int64_t panelCount = countOf(panels);

  form.separate = tiles && (groups < itemsWanted / 2 || bytesPerTile * *tiles <= int64_t(target.l2Bytes));
  form.panelsPerItem = form.separate ? llvm::divideCeil(panelCount, itemsWanted) : panelCount;
  form.blocks = llvm::divideCeil(panelCount, form.panelsPerItem);

  form.interleaved = target.scalarFma ? tile.rows : 1;
  form.productsStride = padded(matrices * panels.front().width(), target);
  int64_t tilesThere = llvm::alignTo(form.separate ? *tiles : form.tilesAtOnce, form.interleaved);
  form.transformedStride = padded(tilesThere * channels, target);
  form.transformedPerItem = form.transformedStride * matrices;
  form.productsPerItem = form.productsStride * form.tilesAtOnce;
  bool fewRegisters = target.vectorRegisters < 32 && target.vectorGroup == 1 && target.lanes() > 1;
  if (fewRegisters && form.outputs == 4) {
    form.factors = WinogradForm::factorVectors * target.lanes();
    form.productsPerItem += padded(form.factors, target);
  }

  // Every item has memory of its own: fewer of them where that is much beside the second-level cache.
  int64_t itemBytes = 4 * (form.productsPerItem + (form.separate ? 0 : form.transformedPerItem));
  int64_t items = std::clamp<int64_t>(4 * int64_t(target.l2Bytes) / itemBytes, itemsWanted / 4, itemsWanted);
  form.ranges = std::min(groups, std::max<int64_t>(1, items / form.blocks));
}

}  // namespace

ConvolutionSize sizeOf(const WinogradForm &form, const Nest &nest) {
  auto extent = [&](unsigned loop) { return constantOf(nest.extents[loop]).value_or(assumedExtent); };
  return {form.batch < 0 ? 1 : constantOf(nest.extents[form.batch]).value_or(1),
          extent(form.y),
          extent(form.x),
          extent(form.channels),
          extent(form.columns),
          form.stride};
}

Size winogradTiles(const WinogradForm &form, const Nest &nest) {
  Size tiles = nest.extents[form.y].ceilDiv(form.outputs) * nest.extents[form.x].ceilDiv(form.outputs);
  return form.batch < 0 ? tiles : tiles * nest.extents[form.batch];
}

std::optional<WinogradForm> chooseWinograd(const Step &step, const PlanOptions &options) {
  if (options.winograd == WinogradMode::Off) return std::nullopt;
  std::optional<WinogradForm> form = matchWinograd(step);
  if (!form) return std::nullopt;
  const TargetDescription &target = options.target;
  const Nest &nest = step.nest;
  ConvolutionSize size = sizeOf(*form, nest);
  bool automatic = options.winograd == WinogradMode::Auto;
  // Microcontrollers have no room for larger weights and scratch memory; small networks shall not grow by them.
  double work = 9.0 * size.batch * size.height * size.width * size.channels * size.columns;
  bool small = (target.vectorBits == 0 && target.indexBits == 32) || work < leastMultiplyAdds;
  if (automatic && (small || options.favorMinPeakMemory)) return std::nullopt;
  double direct = plainConvolutionCycles(target, size);
  double most = automatic ? 0 : -HUGE_VAL;  // of what a tile's size saves, less what its weights have to save
  std::optional<unsigned> best;
  for (unsigned outputs : {4, 2}) {
    if (outputs * form->stride > 4) continue;
    double cycles = winogradCost(target, size, outputs).cycles;
    form->outputs = outputs;
    double grows = (double(form->points()) * form->points() - 9) * size.channels * size.columns * sizeof(float);
    double gain = (direct - cycles) * multiplyAddsPerCycle(target);
    if (automatic) gain -= grows * leastSavedByByte;
    if (gain <= most || (automatic && cycles > 0.9 * direct)) continue;
    most = gain;
    best = outputs;
  }
  if (!best) return std::nullopt;
  form->outputs = *best;
  choosePieces(*form, nest, options);
  return form;
}

void Planner::emitReduction(Step step) {
  std::optional<WinogradForm> form = chooseWinograd(step, options);
  if (!form) {
    emit(std::move(step));
    return;
  }
  auto scratch = [&](const char *what, int64_t elements) {
    TensorRef ref;
    ref.buffer = newArenaBuffer(nameOf(step.nest.op) + what, Float32Type::get(context()), constant(elements));
    ref.buffer->isScratch = true;
    ref.elementType = ref.buffer->elementType;
    ref.dims = {constant(elements)};
    ref.strides = {constant(1)};
    ref.offset = constant(0);
    return ref;
  };
  form->transformed = scratch(" (transformed input)",
                              form->separate ? form->transformedPerItem : form->transformedPerItem * form->items());
  form->products = scratch(" (products)", form->productsPerItem * form->items());
  if (form->separate) {
    Step transform;
    transform.kind = StepKind::WinogradInput;
    transform.name = nameOf(step.nest.op) + ".transform";
    transform.nest = step.nest;
    transform.nest.inits.clear();
    transform.nest.inputs.resize(1);
    transform.winograd = form;
    transform.winograd->products = {};
    emit(std::move(transform));
    // The kernel itself reads what that step leaves behind, and of its first operand nothing.
    step.nest.inputs[0] = {form->transformed, Sizes(step.nest.extents.size(), constant(0)), constant(0)};
  }
  step.winograd = std::move(form);
  emit(std::move(step));
}

}  // namespace crosscut
