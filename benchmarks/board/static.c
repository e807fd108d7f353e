// The model as a C function.
#include "bench.h"

#include BENCH_HEADER

static void *arena;

const char *bench_open(uint8_t *memory, size_t bytes) {
  if (bytes < BENCH_ARENA_BYTES) return "no memory for the arena";
  arena = BENCH_ARENA_BYTES ? memory : NULL;
  return NULL;
}

#define INPUT(index, ...) inputs[index],
#define OUTPUT(index, ...) outputs[index],

const char *bench_call(const void *const *inputs, void *const *outputs) {
  return BENCH_RUN(BENCH_INPUTS(INPUT) BENCH_OUTPUTS(OUTPUT) arena) ? "the model returned an error" : NULL;
}

size_t bench_memory_bytes(void) { return BENCH_ARENA_BYTES; }

size_t bench_arena_bytes(void) { return BENCH_ARENA_BYTES; }
