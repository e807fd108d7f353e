// Where all memory comes from. The runtime allocates nothing behind the caller's back.
#ifndef CROSSCUT_MEMORY_H
#define CROSSCUT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Copied by whatever takes it; `self` must outlive that. Both functions must be safe to call from the threads that the
// caller uses the runtime from; worker threads of a device call them only for outputs whose size only the data tells.
typedef struct xcut_allocator {
  void *self;
  // At least `bytes` (never 0), aligned to `alignment` (a power of two, at most 64); null when there is none.
  void *(*allocate)(void *self, size_t bytes, size_t alignment);
  // Takes back what allocate returned; never null.
  void (*release)(void *self, void *memory);
} xcut_allocator;

// The C library's allocator; on a platform without one, an allocator that always refuses.
xcut_allocator xcut_allocator_system(void);

// Hands out a fixed block from its start to its end; for machines without an allocator. Releasing the newest block
// frees it, releasing any other does nothing. Not safe to share between threads.
typedef struct xcut_block {
  uint8_t *memory;
  size_t bytes;
  size_t used;
  size_t peak;  // most that was used at once
  size_t last;  // start of the newest block
} xcut_block;

// Makes `block` an empty allocator over `bytes` at `memory`. All three must outlive the allocator's users.
xcut_allocator xcut_allocator_from_block(xcut_block *block, void *memory, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_MEMORY_H
