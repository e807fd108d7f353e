// Gives every intermediate tensor its place in the arena.
//
// Static plans: ArenaPlacement.h. Dynamic plans do not know sizes: buffers whose lives do not touch share a slot, and
// the entry point lays the slots one after the other.
#include "compiler/Plan/ArenaPlacement.h"
#include "compiler/Plan/Plan.h"

#include "crosscut/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace crosscut {
namespace {

bool isInArena(const Buffer &buffer) { return buffer.kind == BufferKind::Arena && buffer.firstStep >= 0; }

void planSlots(FunctionPlan &plan, llvm::MutableArrayRef<Buffer *> buffers) {
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
}

}  // namespace

uint64_t bytesInArena(const Buffer &buffer) {
  uint64_t elements = std::max<int64_t>(0, *constantOf(buffer.elements));
  return llvm::alignTo(elements * elementBytes(buffer.elementType), XCUT_ALIGNMENT);
}

bool hasStaticArena(const FunctionPlan &plan) {
  return llvm::all_of(plan.buffers,
                      [](const auto &buffer) { return !isInArena(*buffer) || isStatic(buffer->elements); });
}

void planArena(FunctionPlan &plan, const PlanOptions &options) {
  std::vector<Buffer *> buffers;
  for (auto &buffer : plan.buffers)
    if (isInArena(*buffer)) buffers.push_back(buffer.get());
  plan.dynamicArena = !hasStaticArena(plan);
  if (plan.dynamicArena) {
    planSlots(plan, buffers);
    plan.info.arenaBytes = XCUT_ARENA_DYNAMIC;
    return;
  }
  std::vector<ArenaBlock> blocks;
  for (Buffer *buffer : buffers) blocks.push_back({bytesInArena(*buffer), buffer->firstStep, buffer->lastStep});
  std::vector<uint64_t> alive = aliveBytes(blocks, plan.steps.size());
  uint64_t bound = alive.empty() ? 0 : *llvm::max_element(alive);
  // Packed more tightly than need be, steps that could overlap would have to wait for each other's memory.
  plan.arenaBytes = placeBlocks(blocks, options.favorMinPeakMemory ? bound : bound + bound / 50);
  for (auto [buffer, block] : llvm::zip(buffers, blocks)) buffer->arenaOffset = block.offset;
  plan.info.arenaBytes = plan.arenaBytes;
}

}  // namespace crosscut
