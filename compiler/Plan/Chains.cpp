// Finds runs of kernels that are better run together, band by band of rows.
//
// A convolution's result that is larger than the cache goes out to memory and comes back for the next kernel. In a
// chain each kernel computes only the rows that the next ones need for a band of the last one's rows, into a window
// that stays in the cache. That is possible where every tensor that the kernels hand to each other is read row by row:
// a row of the reader needs some neighbouring rows of the tensor, at a fixed distance from those of the row before.
//
// Nests are numbers, so this is found from their strides. The stride of the writer's row loop is the length of a row; a
// reader's loop moves whole rows where its stride is a multiple of that, and stays within a row otherwise. One loop
// outside the rows (a batch, a head of attention) may be common to all kernels of a chain.
#include "compiler/Plan/Plan.h"

#include "compiler/Plan/Structure.h"

using namespace mlir;

namespace crosscut {
namespace {

constexpr int64_t mostItems = 8;
constexpr unsigned mostStages = 12;

int64_t value(Size size) { return *constantOf(size); }
int64_t bytesOf(const Buffer &buffer) { return value(buffer.elements) * elementBytes(buffer.elementType); }

bool isPlain(const Access &access) {
  if (access.ref.isSplat()) return true;
  if (!constantOf(access.offset) || !access.ref.buffer || !constantOf(access.ref.buffer->elements)) return false;
  return llvm::all_of(access.strides, [](Size s) { return constantOf(s).value_or(-1) >= 0; });
}

bool asksForIndices(Operation *op) {
  return op && op->walk([](Operation *inner) {
                   return isa<linalg::IndexOp, tensor::ExtractOp>(inner) ? WalkResult::interrupt()
                                                                         : WalkResult::advance();
                 }).wasInterrupted();
}

bool mayBeStage(const Step &step) {
  if (step.kind != StepKind::Kernel || step.winograd || step.outputs.size() != 1) return false;
  if (asksForIndices(step.nest.op)) return false;
  for (const Epilogue &epilogue : step.epilogues)
    if (asksForIndices(epilogue.op)) return false;
  if (!llvm::all_of(step.nest.extents, [](Size e) { return constantOf(e).value_or(0) > 0; })) return false;
  return llvm::all_of(accessesOf(step), [](const Access *access) { return isPlain(*access); });
}

int64_t savedBytes(const Chain &chain) {
  int64_t bytes = 0;
  for (const ChainBuffer &inner : chain.buffers) bytes += bytesOf(*inner.buffer);
  return bytes;
}

// One attempt to make a chain of some steps, with given row and outer loops of the last one.
class ChainBuilder {
 public:
  ChainBuilder(FunctionPlan &plan, ArrayRef<int> members) : plan(plan), members(members), stages(members.size()) {}

  std::shared_ptr<Chain> build(unsigned rowLoop, std::optional<unsigned> outerLoop);

 private:
  struct Need {
    int64_t scale, first, last;
  };
  const Step &step(unsigned member) const { return plan.steps[members[member]]; }
  int producerOf(const Buffer *buffer, unsigned before) const;
  bool chooseProducerLoops(unsigned producer, unsigned consumer, const Access &read);
  bool relate(unsigned producer, unsigned consumer, const Access &read);
  bool addBuffer(unsigned producer, Chain &chain);
  bool constantsAreFixed(unsigned member) const;

  FunctionPlan &plan;
  ArrayRef<int> members;
  std::vector<Stage> stages;
  std::vector<std::optional<Need>> needs = std::vector<std::optional<Need>>(members.size());
};

int ChainBuilder::producerOf(const Buffer *buffer, unsigned before) const {
  for (unsigned i = 0; i < before; ++i)
    if (step(i).outputs.front().ref.buffer == buffer) return i;
  return -1;
}

// The loops of the producer that the consumer's outer and row loop run along.
bool ChainBuilder::chooseProducerLoops(unsigned producer, unsigned consumer, const Access &read) {
  const Step &from = step(producer), &to = step(consumer);
  const Access &written = from.outputs.front();
  std::optional<unsigned> outer;
  if (auto loop = stages[consumer].outerLoop) {
    int64_t stride = value(read.strides[*loop]);
    for (unsigned i = 0; i < from.nest.extents.size(); ++i)
      if (stride && !from.nest.isReduction[i] && value(written.strides[i]) == stride &&
          from.nest.extents[i] == to.nest.extents[*loop])
        outer = i;
    if (!outer) return false;
  }
  int row = -1;
  for (unsigned i = 0; i < from.nest.extents.size(); ++i) {
    if (from.nest.isReduction[i] || i == outer || isConstant(from.nest.extents[i], 1)) continue;
    if (row < 0 || value(written.strides[i]) > value(written.strides[row])) row = i;
  }
  if (row < 0 || value(written.strides[row]) == 0) return false;
  Stage &stage = stages[producer];
  if (needs[producer] && (stage.rowLoop != unsigned(row) || stage.outerLoop != outer)) return false;
  stage.rowLoop = row;
  stage.outerLoop = outer;
  return true;
}

// What the consumer needs of the producer's rows.
bool ChainBuilder::relate(unsigned producer, unsigned consumer, const Access &read) {
  if (!chooseProducerLoops(producer, consumer, read)) return false;
  const Nest &nest = step(consumer).nest;
  const Stage &stage = stages[consumer];
  int64_t length = value(step(producer).outputs.front().strides[stages[producer].rowLoop]);
  int64_t scale = value(read.strides[stage.rowLoop]);
  if (scale == 0 || scale % length) return false;
  scale /= length;
  int64_t first = value(read.offset) / length, within = value(read.offset) % length, span = 0;
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop) {
    int64_t stride = value(read.strides[loop]), turns = value(nest.extents[loop]) - 1;
    if (loop == stage.rowLoop || loop == stage.outerLoop || !stride || !turns) continue;
    if (stride % length == 0) {
      if (!nest.isReduction[loop]) return false;
      span += stride / length * turns;
    } else {
      within += stride * turns;
    }
  }
  if (within >= length) return false;
  Need need{scale * stage.scale, scale * stage.first + first, scale * stage.last + first + span};
  std::optional<Need> &known = needs[producer];
  if (known && known->scale != need.scale) return false;
  if (known) need = {need.scale, std::min(known->first, need.first), std::max(known->last, need.last)};
  known = need;
  return true;
}

// The producer's result becomes a window of rows.
bool ChainBuilder::addBuffer(unsigned producer, Chain &chain) {
  const Step &from = step(producer);
  const Access &written = from.outputs.front();
  Stage &stage = stages[producer];
  const Need &need = *needs[producer];
  ChainBuffer inner;
  inner.buffer = written.ref.buffer;
  inner.rowElements = value(written.strides[stage.rowLoop]);
  inner.scale = need.scale;
  inner.first = need.first;
  inner.last = need.last;
  inner.interiorFrom = value(written.offset) / inner.rowElements;
  inner.interiorTo = inner.interiorFrom + value(from.nest.extents[stage.rowLoop]);
  int64_t within = value(written.offset) % inner.rowElements;
  for (unsigned loop = 0; loop < from.nest.extents.size(); ++loop)
    if (loop != stage.rowLoop && loop != stage.outerLoop)
      within += value(written.strides[loop]) * (value(from.nest.extents[loop]) - 1);
  if (within >= inner.rowElements) return false;
  int64_t elements = stage.outerLoop ? value(written.strides[*stage.outerLoop]) : value(inner.buffer->elements);
  if (elements % inner.rowElements) return false;
  int64_t rows = elements / inner.rowElements;
  for (const Step &border : plan.steps)
    if (border.kind == StepKind::FillBorder && border.outer.buffer == inner.buffer) inner.border = border.value;
  int64_t lastRow = inner.scale * (chain.rows - 1) + inner.last;
  if (inner.first < 0 || lastRow >= rows) return false;
  if (!inner.border && (inner.first < inner.interiorFrom || lastRow >= inner.interiorTo)) return false;
  stage.scale = need.scale;
  stage.first = need.first - inner.interiorFrom;
  stage.last = need.last - inner.interiorFrom;
  stage.output = chain.buffers.size();
  chain.buffers.push_back(inner);
  return true;
}

// Constants are laid out once: they must not change from row to row or from one outer turn to the next.
bool ChainBuilder::constantsAreFixed(unsigned member) const {
  const Stage &stage = stages[member];
  return llvm::all_of(accessesOf(step(member)), [&](const Access *access) {
    if (access->ref.isSplat() || access->ref.buffer->kind != BufferKind::Constant) return true;
    return isConstant(access->strides[stage.rowLoop], 0) &&
           (!stage.outerLoop || isConstant(access->strides[*stage.outerLoop], 0));
  });
}

std::shared_ptr<Chain> ChainBuilder::build(unsigned rowLoop, std::optional<unsigned> outerLoop) {
  auto chain = std::make_shared<Chain>();
  const Step &last = step(members.size() - 1);
  chain->rows = value(last.nest.extents[rowLoop]);
  chain->outer = outerLoop ? value(last.nest.extents[*outerLoop]) : 1;
  stages.back().rowLoop = rowLoop;
  stages.back().outerLoop = outerLoop;
  for (unsigned member = members.size(); member-- > 0;) {
    if (member + 1 < members.size() && (!needs[member] || !addBuffer(member, *chain))) return nullptr;
    if (!constantsAreFixed(member)) return nullptr;
    SmallVector<const Access *> accesses = accessesOf(step(member));
    for (const Access *access : ArrayRef(accesses).drop_back()) {
      if (!isArena(access->ref)) continue;
      int producer = producerOf(access->ref.buffer, member);
      if (producer >= 0 && !relate(producer, member, *access)) return nullptr;
    }
  }
  chain->stages = std::move(stages);
  return chain;
}

class ChainFinder {
 public:
  ChainFinder(FunctionPlan &plan, const PlanOptions &options)
      : plan(plan), options(options), forMemory(options.favorMinPeakMemory && hasStaticArena(plan)) {}
  void run();

 private:
  bool isClosed(ArrayRef<int> members) const;
  std::shared_ptr<Chain> build(ArrayRef<int> members);
  bool chooseBands(Chain &chain, ArrayRef<int> members) const;
  void replace(ArrayRef<int> members, std::shared_ptr<Chain> chain);
  void collect(int head);
  void select(uint64_t limit);
  uint64_t lowestPeak() const;
  uint64_t peakOf(int step);
  uint64_t peakOf(ArrayRef<int> members, const Chain &chain) const;

  struct Candidate {
    SmallVector<int> members;
    std::shared_ptr<Chain> chain;
    int64_t saved;
    uint64_t peak;  // bytes alive in the arena while it runs
  };
  FunctionPlan &plan;
  const PlanOptions &options;
  bool forMemory;
  std::vector<std::vector<Candidate>> candidates;  // by their last step
  std::vector<uint64_t> peaks;                     // by step
};

// Nobody else writes or reads what the steps hand to each other.
bool ChainFinder::isClosed(ArrayRef<int> members) const {
  for (int member : members.drop_back()) {
    const Buffer *buffer = plan.steps[member].outputs.front().ref.buffer;
    if (!isArena(plan.steps[member].outputs.front().ref) || buffer->lastStep > members.back()) return false;
    for (auto [i, step] : llvm::enumerate(plan.steps)) {
      if (step.kind == StepKind::FillBorder && step.outer.buffer == buffer) continue;
      bool inside = llvm::is_contained(members, static_cast<int>(i));
      bool used = false;
      forEachRef(step, [&](TensorRef &ref) { used |= ref.buffer == buffer; });
      if (used && !inside) return false;
      if (inside && static_cast<int>(i) != member && step.outputs.front().ref.buffer == buffer) return false;
    }
  }
  return true;
}

std::shared_ptr<Chain> ChainFinder::build(ArrayRef<int> members) {
  const Step &last = plan.steps[members.back()];
  SmallVector<unsigned> loops;
  for (unsigned i = 0; i < last.nest.extents.size(); ++i)
    if (!last.nest.isReduction[i] && value(last.nest.extents[i]) > 1) loops.push_back(i);
  llvm::stable_sort(loops, [&](unsigned i, unsigned j) {
    return value(last.outputs.front().strides[i]) > value(last.outputs.front().strides[j]);
  });
  auto attempt = [&](unsigned row, std::optional<unsigned> outer) {
    std::shared_ptr<Chain> chain = ChainBuilder(plan, members).build(row, outer);
    if (chain && !chooseBands(*chain, members)) chain = nullptr;
    return chain;
  };
  for (unsigned row : loops) {
    if (auto chain = attempt(row, std::nullopt)) return chain;
    for (unsigned outer : loops)
      if (outer != row)
        if (auto chain = attempt(row, outer)) return chain;
  }
  return nullptr;
}

// Rows of the busiest of so many threads that take a chain's items one after the other.
int64_t busiestRows(const Chain &chain, unsigned threads) {
  SmallVector<int64_t> done(threads, 0);
  auto startOf = [&](int64_t item) { return chain.bandStart(chain.itemStart(item)); };
  for (int64_t number = 0; number < chain.outer * chain.items; ++number) {
    int64_t item = number % chain.items;
    *llvm::min_element(done) += startOf(item + 1) - startOf(item);
  }
  return *llvm::max_element(done);
}

// Bands down to two thirds of the height that they could have, and so many items of them, that two threads, and half as
// important four, are done soonest. What is worth less than 2 % counts as equal: of equals the highest bands, then four
// items, as each needs memory of its own. `mostItems`: that memory allows for these bands; 0: there can be no such
// bands.
void shareBands(Chain &chain, llvm::function_ref<int64_t()> mostItems) {
  int64_t fewest = chain.bands, bestBands = fewest, bestItems = 1, least = 0;
  for (chain.bands = fewest; 2 * chain.bands <= 3 * fewest && chain.bands <= chain.rows; ++chain.bands) {
    int64_t most = std::min(mostItems(), chain.bands);
    for (int64_t items : {4, 8, 7, 6, 5, 3, 2, 1}) {
      if (items > most) continue;
      chain.items = items;
      int64_t busiest = 2 * busiestRows(chain, 2) + busiestRows(chain, 4);
      if (least && busiest + busiest / 50 >= least) continue;
      least = busiest;
      bestBands = chain.bands;
      bestItems = chain.items;
    }
  }
  chain.bands = bestBands;
  chain.items = bestItems;
}

// As many rows a band as the windows leave in half the cache; to save memory as few as possible. False when the chain
// does not pay.
bool ChainFinder::chooseBands(Chain &chain, ArrayRef<int> members) const {
  int64_t saved = savedBytes(chain), weights = 0;
  if (!options.favorMinPeakMemory && saved < int64_t(options.target.l2Bytes)) return false;
  for (int member : members)
    for (const Access *access : accessesOf(plan.steps[member]))
      if (access->ref.buffer && access->ref.buffer->kind == BufferKind::Constant)
        weights += bytesOf(*access->ref.buffer);
  auto place = [&](int64_t rows) {
    uint64_t bytes = 0;
    for (ChainBuffer &inner : chain.buffers) {
      inner.scratchOffset = bytes;
      uint64_t window = inner.windowRows(rows) * inner.rowElements * elementBytes(inner.buffer->elementType);
      bytes += llvm::alignTo(window, 64);
    }
    return bytes;
  };
  // Rows that two windows share are moved: source and destination must not overlap.
  auto allowed = [&](int64_t rows) {
    return rows == chain.rows || llvm::all_of(chain.buffers, [&](const ChainBuffer &inner) {
             return inner.scale * rows >= inner.sharedRows();
           });
  };
  int64_t best = 0;
  for (int64_t rows = 1; rows <= chain.rows && !(best && options.favorMinPeakMemory); ++rows)
    if (allowed(rows) && (options.favorMinPeakMemory || place(rows) <= options.target.l2Bytes / 2)) best = rows;
  if (!best) return false;
  chain.bands = llvm::divideCeil(chain.rows, best);
  while (chain.bands > 1 && !allowed(chain.leastRows())) --chain.bands;
  chain.slotBytes = llvm::alignTo(place(chain.mostRows()), 64);
  if (options.favorMinPeakMemory) return chain.outer * int64_t(chain.slotBytes) < saved;
  // Weights are read once a band, and must leave room for the windows.
  if (weights > int64_t(options.target.l2Bytes) / 4 || chain.bands * chain.outer * weights > 2 * saved) return false;
  shareBands(chain, [&]() -> int64_t {
    if (chain.bands > 1 && !allowed(chain.leastRows())) return 0;
    uint64_t slot = std::max<uint64_t>(1, llvm::alignTo(place(chain.mostRows()), 64));
    return std::clamp<int64_t>(saved / int64_t(slot), 1, mostItems) / chain.outer;
  });
  chain.slotBytes = llvm::alignTo(place(chain.mostRows()), 64);
  return chain.outer * chain.items * int64_t(chain.slotBytes) <= saved;
}

void ChainFinder::replace(ArrayRef<int> members, std::shared_ptr<Chain> chain) {
  MLIRContext *context = plan.symbols->getContext();
  plan.buffers.push_back(std::make_unique<Buffer>());
  chain->scratch = plan.buffers.back().get();
  chain->scratch->elementType = IntegerType::get(context, 8);
  chain->scratch->elements = getAffineConstantExpr(chain->outer * chain->items * int64_t(chain->slotBytes), context);
  Step joined;
  joined.kind = StepKind::Chain;
  joined.name = plan.steps[members.front()].name + " ... " + plan.steps[members.back()].name;
  for (auto [stage, member] : llvm::zip(chain->stages, members)) stage.step = std::move(plan.steps[member]);
  joined.chain = chain;
  chain->scratch->names = {"windows of " + joined.name};
  chain->scratch->isScratch = true;
  plan.steps[members.back()] = std::move(joined);
  llvm::SmallDenseSet<int> gone;
  for (int member : members.drop_back()) gone.insert(member);
  for (auto [i, step] : llvm::enumerate(plan.steps))
    for (const ChainBuffer &inner : chain->buffers)
      if (step.kind == StepKind::FillBorder && step.outer.buffer == inner.buffer) gone.insert(i);
  std::vector<Step> kept;
  for (auto [i, step] : llvm::enumerate(plan.steps))
    if (!gone.count(i)) kept.push_back(std::move(step));
  plan.steps = std::move(kept);
}

// The chains that may begin at step `head`, each longer than the one before.
void ChainFinder::collect(int head) {
  if (!mayBeStage(plan.steps[head])) return;
  SmallVector<int> members{head};
  for (size_t next = head + 1; next < plan.steps.size() && members.size() < mostStages; ++next) {
    const Step &step = plan.steps[next];
    if (step.kind == StepKind::FillBorder) continue;
    const Access &handed = plan.steps[members.back()].outputs.front();
    if (!mayBeStage(step) || !isArena(handed.ref)) return;
    // Past a small tensor another chain may begin.
    bool small = bytesOf(*handed.ref.buffer) < int64_t(options.target.l2Bytes) / 4;
    if (small && !options.favorMinPeakMemory && isClosed(members)) return;
    members.push_back(next);
    if (!isClosed(members)) continue;
    if (std::shared_ptr<Chain> chain = build(members))
      candidates[next].push_back({members, chain, savedBytes(*chain), forMemory ? peakOf(members, *chain) : 0});
  }
}

// Bytes alive in the arena while a step runs by itself.
uint64_t ChainFinder::peakOf(int step) {
  uint64_t bytes = 0;
  for (const auto &buffer : plan.buffers)
    if (buffer->firstStep >= 0 && buffer->firstStep <= step && step <= buffer->lastStep) bytes += bytesInArena(*buffer);
  Buffer *result = resultBuffer(plan.steps[step]);
  bool isInPlace = result && result->firstStep == step &&
                   llvm::any_of(reusableInputs(plan.steps[step]), [&](Buffer *b) { return b->lastStep == step; });
  return isInPlace ? bytes - bytesInArena(*result) : bytes;
}

uint64_t ChainFinder::peakOf(ArrayRef<int> members, const Chain &chain) const {
  uint64_t bytes = chain.outer * chain.items * chain.slotBytes;
  for (const auto &buffer : plan.buffers)
    if (buffer->firstStep >= 0 && buffer->firstStep <= members.back() && members.front() <= buffer->lastStep &&
        llvm::none_of(chain.buffers, [&](const ChainBuffer &inner) { return inner.buffer == buffer.get(); }))
      bytes += bytesInArena(*buffer);
  return bytes;
}

// The peak of the whole plan with the chains that make it lowest.
uint64_t ChainFinder::lowestPeak() const {
  std::vector<uint64_t> lowest(plan.steps.size() + 1, 0);  // of the first i steps
  for (size_t i = 1; i < lowest.size(); ++i) {
    lowest[i] = std::max(lowest[i - 1], peaks[i - 1]);
    for (const Candidate &candidate : candidates[i - 1])
      lowest[i] = std::min(lowest[i], std::max(lowest[candidate.members.front()], candidate.peak));
  }
  return lowest.back();
}

void ChainFinder::run() {
  int count = plan.steps.size();
  candidates.resize(count);
  for (int step = 0; step < count; ++step) {
    collect(step);
    peaks.push_back(forMemory ? peakOf(step) : 0);
  }
  select(forMemory ? lowestPeak() : UINT64_MAX);
}

// Of all candidates without a step in common, those that together keep most bytes in the cache, while no more than
// `limit` bytes are alive at once.
void ChainFinder::select(uint64_t limit) {
  int count = plan.steps.size();
  // best[i]: bytes that chains among the first i steps save at most, negative when these need more than the limit;
  // taken[i]: the one that ends with step i - 1.
  std::vector<int64_t> best(count + 1, 0);
  std::vector<Candidate *> taken(count + 1, nullptr);
  for (int i = 1; i <= count; ++i) {
    best[i] = peaks[i - 1] <= limit ? best[i - 1] : -1;
    for (Candidate &candidate : candidates[i - 1]) {
      int64_t before = best[candidate.members.front()], total = before + candidate.saved;
      if (before < 0 || candidate.peak > limit || total <= best[i]) continue;
      best[i] = total;
      taken[i] = &candidate;
    }
  }
  // From the end, so that the numbers of earlier steps stay.
  for (int i = count; i > 0;) {
    Candidate *chosen = taken[i];
    i = chosen ? chosen->members.front() : i - 1;
    if (chosen) replace(chosen->members, chosen->chain);
  }
}

}  // namespace

void formChains(FunctionPlan &plan, const PlanOptions &options) { ChainFinder(plan, options).run(); }

}  // namespace crosscut
