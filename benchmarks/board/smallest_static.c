// The smallest program with a statically linked model: what its image needs beside the model's own code and weights.
#include "bench.h"

#include BENCH_HEADER

#define BUFFER(name, index, size) static _Alignas(BENCH_ALIGNMENT) unsigned char name##index[(size) ? (size) : 1];
#define INPUT_BUFFER(index, size, ...) BUFFER(input, index, size)
#define OUTPUT_BUFFER(index, size, ...) BUFFER(output, index, size)
BENCH_INPUTS(INPUT_BUFFER)
BENCH_OUTPUTS(OUTPUT_BUFFER)
static _Alignas(BENCH_ALIGNMENT) unsigned char arena[BENCH_ARENA_BYTES + 1];

#define INPUT(index, ...) (const void *)input##index,
#define OUTPUT(index, ...) (void *)output##index,

int main(void) { return BENCH_RUN(BENCH_INPUTS(INPUT) BENCH_OUTPUTS(OUTPUT) arena); }
