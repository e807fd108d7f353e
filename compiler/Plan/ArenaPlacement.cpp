// See ArenaPlacement.h. Finding the smallest arena is NP-hard; models need little of that. Each block in turn goes to
// the lowest offset that is free during its whole life; what matters is the order. Largest first is the best start.
// While the arena is too large, blocks that are in the way of one at its top change places with each other in the
// order.
#include "compiler/Plan/ArenaPlacement.h"

#include "llvm/ADT/STLExtras.h"

#include <random>
#include <vector>

namespace crosscut {
namespace {

constexpr uint64_t mostVisits = 4'000'000;  // of neighbours: some hundredths of a second

class Search {
 public:
  explicit Search(llvm::MutableArrayRef<ArenaBlock> blocks);
  uint64_t run(uint64_t goal);

 private:
  using Order = std::vector<unsigned>;
  template <typename Key>
  Order descending(Key key) const;
  uint64_t place(const Order &order);
  void consider(Order order);
  bool improve(Order &order);

  llvm::MutableArrayRef<ArenaBlock> blocks;
  std::vector<std::vector<unsigned>> neighbours;  // alive in a common step
  std::vector<uint64_t> offsets;
  std::vector<bool> placed;
  std::vector<unsigned> inTheWay;
  uint64_t visits = 0, total = 0;
  Order best;
  uint64_t bestTotal = UINT64_MAX;
  std::minstd_rand random{1};
};

Search::Search(llvm::MutableArrayRef<ArenaBlock> blocks)
    : blocks(blocks), neighbours(blocks.size()), offsets(blocks.size()), placed(blocks.size()) {
  Order byStart = descending([&](unsigned i) { return -int64_t(blocks[i].firstStep); });
  for (unsigned i = 0; i < byStart.size(); ++i)
    for (unsigned j = i + 1; j < byStart.size(); ++j) {
      unsigned a = byStart[i], b = byStart[j];
      if (blocks[b].firstStep > blocks[a].lastStep) break;
      neighbours[a].push_back(b);
      neighbours[b].push_back(a);
    }
}

template <typename Key>
Search::Order Search::descending(Key key) const {
  Order order(blocks.size());
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  llvm::stable_sort(order, [&](unsigned a, unsigned b) { return key(a) > key(b); });
  return order;
}

// Each block at the lowest free offset; leaves the offsets and the total behind.
uint64_t Search::place(const Order &order) {
  std::fill(placed.begin(), placed.end(), false);
  total = 0;
  for (unsigned block : order) {
    inTheWay.clear();
    for (unsigned other : neighbours[block])
      if (placed[other]) inTheWay.push_back(other);
    llvm::sort(inTheWay, [&](unsigned a, unsigned b) { return std::tie(offsets[a], a) < std::tie(offsets[b], b); });
    uint64_t offset = 0;
    for (unsigned other : inTheWay) {
      if (offset + blocks[block].bytes <= offsets[other]) break;
      offset = std::max(offset, offsets[other] + blocks[other].bytes);
    }
    offsets[block] = offset;
    placed[block] = true;
    total = std::max(total, offset + blocks[block].bytes);
    visits += neighbours[block].size() + 1;
  }
  return total;
}

void Search::consider(Order order) {
  if (place(order) >= bestTotal) return;
  bestTotal = total;
  best = std::move(order);
}

// Exchanges two blocks of `order`, just placed: of those that a block at the top of the arena lies above, directly or
// not, and their neighbours. False when there is nothing to exchange.
bool Search::improve(Order &order) {
  std::vector<unsigned> top;
  for (unsigned i = 0; i < blocks.size(); ++i)
    if (blocks[i].bytes && offsets[i] + blocks[i].bytes == total) top.push_back(i);
  if (top.empty()) return false;
  unsigned block = top[random() % top.size()];
  std::vector<unsigned> below{block};
  std::vector<bool> seen(blocks.size());
  seen[block] = true;
  for (unsigned i = 0; i < below.size(); ++i)
    for (unsigned other : neighbours[below[i]])
      if (!seen[other] && offsets[other] + blocks[other].bytes <= offsets[below[i]]) {
        seen[other] = true;
        below.push_back(other);
      }
  unsigned a = below[random() % below.size()];
  std::vector<unsigned> others = neighbours[a];
  for (unsigned other : below)
    if (other != a) others.push_back(other);
  visits += others.size() + below.size();
  if (others.empty()) return false;
  unsigned b = others[random() % others.size()];
  std::iter_swap(llvm::find(order, a), llvm::find(order, b));
  return true;
}

uint64_t Search::run(uint64_t goal) {
  if (blocks.empty()) return 0;
  auto bytes = [&](unsigned i) { return blocks[i].bytes; };
  auto length = [&](unsigned i) { return uint64_t(blocks[i].lastStep - blocks[i].firstStep + 1); };
  consider(descending(bytes));
  if (bestTotal > goal) consider(descending([&](unsigned i) { return bytes(i) * length(i); }));
  if (bestTotal > goal) consider(descending([&](unsigned i) { return std::make_pair(length(i), bytes(i)); }));
  if (bestTotal > goal) consider(descending([&](unsigned i) { return -int64_t(blocks[i].firstStep); }));
  Order order = best;
  uint64_t current = place(order);
  while (bestTotal > goal && visits < mostVisits) {
    Order candidate = order;
    if (!improve(candidate)) break;
    std::vector<uint64_t> before = offsets;
    uint64_t was = current;
    current = place(candidate);
    if (current <= was) {
      order = std::move(candidate);
      if (current < bestTotal) bestTotal = current, best = order;
    } else {
      current = total = was;
      offsets = std::move(before);
    }
  }
  place(best);
  for (unsigned i = 0; i < blocks.size(); ++i) blocks[i].offset = offsets[i];
  return total;
}

}  // namespace

std::vector<uint64_t> aliveBytes(llvm::ArrayRef<ArenaBlock> blocks, int steps) {
  std::vector<uint64_t> alive(steps);
  for (const ArenaBlock &block : blocks)
    for (int step = block.firstStep; step <= block.lastStep; ++step) alive[step] += block.bytes;
  return alive;
}

uint64_t placeBlocks(llvm::MutableArrayRef<ArenaBlock> blocks, uint64_t goal) { return Search(blocks).run(goal); }

}  // namespace crosscut
