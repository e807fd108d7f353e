// The allocator over a fixed block, for machines that have no other.
#include "core/internal.h"

#include "crosscut/memory.h"

#define NO_BLOCK SIZE_MAX

static void *block_allocate(void *self, size_t bytes, size_t alignment) {
  xcut_block *block = self;
  uintptr_t top = (uintptr_t)block->memory + block->used;
  size_t padding = (size_t)(-top & (alignment - 1));
  size_t left = block->bytes - block->used;
  if (padding > left || bytes > left - padding) return NULL;
  block->last = block->used + padding;
  block->used = block->last + bytes;
  if (block->used > block->peak) block->peak = block->used;
  return block->memory + block->last;
}

static void block_release(void *self, void *memory) {
  xcut_block *block = self;
  if (block->last == NO_BLOCK || (uint8_t *)memory != block->memory + block->last) return;
  block->used = block->last;
  block->last = NO_BLOCK;
}

xcut_allocator xcut_allocator_from_block(xcut_block *block, void *memory, size_t bytes) {
  *block = (xcut_block){.memory = memory, .bytes = bytes, .last = NO_BLOCK};
  return (xcut_allocator){block, block_allocate, block_release};
}
