// Gives every intermediate tensor its place in the arena.
//
// Static plans: largest buffer first, each at the lowest offset that is free during its whole life. Dynamic plans do
// not know sizes: buffers whose lives do not touch share a slot, and the entry point lays the slots one after the
// other.
#include "compiler/Plan/Plan.h"

#include "crosscut/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <random>

namespace crosscut {
namespace {

bool liveTogether(const Buffer &a, const Buffer &b) { return a.firstStep <= b.lastStep && b.firstStep <= a.lastStep; }

std::string nameOf(const FunctionPlan &plan, const Buffer &buffer) { return plan.steps[buffer.firstStep].name; }

// The tensors that are alive when most memory is, for the error of --max-arena.
std::string describePeak(const FunctionPlan &plan, llvm::ArrayRef<Buffer *> buffers) {
  uint64_t peak = 0;
  int peakStep = 0;
  auto bytes = [](Buffer *b) { return uint64_t(*constantOf(b->elements)) * elementBytes(b->elementType); };
  for (int step = 0; step < int(plan.steps.size()); ++step) {
    uint64_t sum = 0;
    for (Buffer *b : buffers)
      if (b->firstStep <= step && step <= b->lastStep) sum += bytes(b);
    if (sum > peak) peak = sum, peakStep = step;
  }
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "alive at the peak, while '" << plan.steps[peakStep].name << "' runs:";
  for (Buffer *b : buffers)
    if (b->firstStep <= peakStep && peakStep <= b->lastStep)
      out << " " << nameOf(plan, *b) << " (" << bytes(b) << " bytes)";
  return text;
}

uint64_t bytesOf(const Buffer &buffer) {
  uint64_t elements = std::max<int64_t>(0, *constantOf(buffer.elements));
  return llvm::alignTo(elements * elementBytes(buffer.elementType), XCUT_ALIGNMENT);
}

// Each buffer in turn at the lowest offset that is free during its whole life; returns the bytes of all.
uint64_t placeInOrder(llvm::ArrayRef<Buffer *> order) {
  uint64_t total = 0;
  std::vector<Buffer *> placed, rivals;
  for (Buffer *buffer : order) {
    rivals.clear();
    for (Buffer *other : placed)
      if (liveTogether(*buffer, *other)) rivals.push_back(other);
    llvm::sort(rivals, [](Buffer *a, Buffer *b) { return a->arenaOffset < b->arenaOffset; });
    uint64_t offset = 0;
    for (Buffer *other : rivals) {
      if (offset + bytesOf(*buffer) <= other->arenaOffset) break;
      offset = std::max(offset, other->arenaOffset + bytesOf(*other));
    }
    buffer->arenaOffset = offset;
    total = std::max(total, offset + bytesOf(*buffer));
    placed.push_back(buffer);
  }
  return total;
}

// No placement takes less than what is alive at once.
uint64_t lowerBound(llvm::ArrayRef<Buffer *> buffers, int steps) {
  uint64_t bound = 0;
  for (int step = 0; step < steps; ++step) {
    uint64_t alive = 0;
    for (Buffer *buffer : buffers)
      if (buffer->firstStep <= step && step <= buffer->lastStep) alive += bytesOf(*buffer);
    bound = std::max(bound, alive);
  }
  return bound;
}

// Largest first; to save memory, also tries exchanging buffers in that order for as long as the bound is not reached.
// The exchanges follow a fixed sequence: the same model always gets the same arena.
uint64_t placeStatic(std::vector<Buffer *> order, int steps, bool search) {
  llvm::stable_sort(order, [](Buffer *a, Buffer *b) { return bytesOf(*a) > bytesOf(*b); });
  uint64_t best = placeInOrder(order), bound = lowerBound(order, steps);
  if (!search || order.size() < 2) return best;
  std::minstd_rand random(1);
  for (unsigned turn = 0; turn < 2000 && best > bound; ++turn) {
    std::vector<Buffer *> candidate = order;
    std::swap(candidate[random() % order.size()], candidate[random() % order.size()]);
    uint64_t total = placeInOrder(candidate);
    if (total <= best) {
      best = total;
      order = std::move(candidate);
    }
  }
  return placeInOrder(order);
}

}  // namespace

llvm::Error planArena(FunctionPlan &plan, const PlanOptions &options) {
  std::vector<Buffer *> buffers;
  for (auto &buffer : plan.buffers)
    if (buffer->kind == BufferKind::Arena && buffer->firstStep >= 0) buffers.push_back(buffer.get());
  plan.dynamicArena = llvm::any_of(buffers, [](Buffer *b) { return !isStatic(b->elements); });

  if (plan.dynamicArena) {
    if (options.maxArenaBytes)
      return llvm::createStringError("--max-arena needs static shapes: fix the inputs with --input-shape");
    llvm::stable_sort(buffers, [](Buffer *a, Buffer *b) { return a->firstStep < b->firstStep; });
    std::vector<int> lastUse;
    for (Buffer *buffer : buffers) {
      unsigned slot = 0;
      while (slot < lastUse.size() && lastUse[slot] >= buffer->firstStep) ++slot;
      if (slot == lastUse.size()) {
        lastUse.push_back(0);
        plan.slots.emplace_back();
      }
      lastUse[slot] = buffer->lastStep;
      buffer->slot = slot;
      Size bytes = buffer->elements * elementBytes(buffer->elementType);
      if (!llvm::is_contained(plan.slots[slot], bytes)) plan.slots[slot].push_back(bytes);
    }
    plan.info.arenaBytes = XCUT_ARENA_DYNAMIC;
    return llvm::Error::success();
  }

  plan.arenaBytes = placeStatic(buffers, plan.steps.size(), options.favorMinPeakMemory);
  plan.info.arenaBytes = plan.arenaBytes;
  if (options.maxArenaBytes && plan.arenaBytes > options.maxArenaBytes)
    return llvm::createStringError("the arena takes " + llvm::Twine(plan.arenaBytes) +
                                   " bytes, more than --max-arena=" + llvm::Twine(options.maxArenaBytes) + "; " +
                                   describePeak(plan, buffers));
  return llvm::Error::success();
}

}  // namespace crosscut
