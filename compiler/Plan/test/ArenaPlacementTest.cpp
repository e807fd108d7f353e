// Places of blocks in the arena: never two of a step over each other, never below the bound, and as low as every order
// of placing them would bring them where these can be tried.
#include "compiler/Plan/ArenaPlacement.h"
#include "compiler/Target/test/Check.h"

#include "llvm/ADT/STLExtras.h"

#include <random>

using namespace crosscut;
using namespace crosscut::test;
using namespace llvm;

namespace {

using Blocks = std::vector<ArenaBlock>;

bool meet(const ArenaBlock &a, const ArenaBlock &b) { return a.firstStep <= b.lastStep && b.firstStep <= a.lastStep; }

uint64_t boundOf(const Blocks &blocks, int steps) {
  uint64_t bound = 0;
  for (int step = 0; step < steps; ++step) {
    uint64_t alive = 0;
    for (const ArenaBlock &block : blocks)
      if (block.firstStep <= step && step <= block.lastStep) alive += block.bytes;
    bound = std::max(bound, alive);
  }
  return bound;
}

void checkPlaces(const Twine &what, const Blocks &blocks, uint64_t total, int steps) {
  uint64_t end = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    end = std::max(end, blocks[i].offset + blocks[i].bytes);
    for (size_t j = 0; j < i; ++j) {
      const ArenaBlock &a = blocks[i], &b = blocks[j];
      if (!a.bytes || !b.bytes || !meet(a, b)) continue;
      expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset, what + ": two blocks overlap");
    }
  }
  expectEqual(what + ", total", Twine(total), Twine(end));
  expect(total >= boundOf(blocks, steps), what + ": less than what is alive at once");
}

// The smallest arena of all: every block rests on the bottom or on another, so trying all orders finds it.
uint64_t smallest(const Blocks &blocks) {
  std::vector<unsigned> order(blocks.size());
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  uint64_t best = UINT64_MAX;
  do {
    Blocks placed;
    uint64_t total = 0;
    for (unsigned i : order) {
      ArenaBlock block = blocks[i];
      for (block.offset = 0;; ++block.offset)
        if (none_of(placed, [&](const ArenaBlock &other) {
              return meet(block, other) && block.offset < other.offset + other.bytes &&
                     other.offset < block.offset + block.bytes;
            }))
          break;
      placed.push_back(block);
      total = std::max(total, block.offset + block.bytes);
    }
    best = std::min(best, total);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

Blocks randomBlocks(std::mt19937 &random, int count, int steps, unsigned most) {
  Blocks blocks;
  for (int i = 0; i < count; ++i) {
    int from = random() % steps, to = std::min<int>(steps - 1, from + random() % 4);
    blocks.push_back({random() % most, from, to});
  }
  return blocks;
}

}  // namespace

int main() {
  Blocks none;
  expectEqual("no blocks", Twine(placeBlocks(none, 0)), "0");
  Blocks empty{{0, 0, 3}, {0, 1, 2}};
  expectEqual("blocks of no bytes", Twine(placeBlocks(empty, 0)), "0");

  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    int steps = 2 + random() % 6;
    Blocks blocks = randomBlocks(random, 1 + random() % 7, steps, 12);
    std::string what = ("small, round " + Twine(round)).str();
    uint64_t least = smallest(blocks), total = placeBlocks(blocks, least);
    checkPlaces(what, blocks, total, steps);
    expectEqual(what + ", smallest arena", Twine(total), Twine(least));
    expectEqual(what + ", bound", Twine(*max_element(aliveBytes(blocks, steps))), Twine(boundOf(blocks, steps)));
  }
  for (int round = 0; round < 20; ++round) {
    int steps = 40 + random() % 200;
    Blocks blocks = randomBlocks(random, steps * 3 / 2, steps, 1 << 20), again = blocks;
    std::string what = ("large, round " + Twine(round)).str();
    uint64_t bound = boundOf(blocks, steps), total = placeBlocks(blocks, bound);
    checkPlaces(what, blocks, total, steps);
    expect(total <= bound + bound / 20, what + ": " + Twine(total) + " bytes for a bound of " + Twine(bound));
    expectEqual(what + ", once more", Twine(placeBlocks(again, bound)), Twine(total));
    expect(all_of(zip(blocks, again), [](auto pair) { return std::get<0>(pair).offset == std::get<1>(pair).offset; }),
           what + ": other places the second time");
  }
  // No order by size or life is good enough here: largest first takes 14, the others 12.
  Blocks tight{{2, 3, 3}, {3, 2, 3}, {4, 0, 2}, {7, 0, 0}, {5, 3, 3}}, easy = tight;
  expectEqual("the search goes on to the goal", Twine(placeBlocks(tight, 11)), "11");
  expect(placeBlocks(easy, 14) <= 14, "the search stops at the goal");
  return result("arena placement");
}
