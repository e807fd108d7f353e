// Places blocks of memory that live for a range of steps at offsets in one arena, as low as possible.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace crosscut {

struct ArenaBlock {
  uint64_t bytes = 0;
  int firstStep = 0, lastStep = 0;  // alive in all of these
  uint64_t offset = 0;              // result
};

// Bytes alive in each of `steps` steps. No placement takes less than the largest of them.
std::vector<uint64_t> aliveBytes(llvm::ArrayRef<ArenaBlock> blocks, int steps);

// Gives every block its offset, so that no two that are alive in the same step overlap; returns the bytes of the arena.
// Tries orders until the arena takes no more than `goal` bytes, or a fixed amount of work is done: the same blocks
// always get the same places.
uint64_t placeBlocks(llvm::MutableArrayRef<ArenaBlock> blocks, uint64_t goal);

}  // namespace crosscut
