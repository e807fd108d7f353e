// Firmware that checks and measures one model on a board: bench.c with module.c or static.c, linked for each model by
// the script crosscut-firmware (CMakeLists.txt). What differs between models is in "model.h":
//
//   BENCH_ROW            what of the record's row is known before, as members of JSON
//   BENCH_SAMPLES        names of the samples, {"zero", "one"}; the first one is measured
//   BENCH_DATA           a file: for each sample its inputs, then of each output the least and the most that is right;
//                        every part begins at a multiple of 64 bytes
//   BENCH_INPUTS(X), BENCH_OUTPUTS(X)    once a tensor X(index, bytes, XCUT_TYPE_..., rank, dimension...)
//   BENCH_MODULE         the module's file; or, statically linked, BENCH_HEADER, BENCH_RUN and BENCH_ARENA_BYTES: what
//                        crosscut-compile --format=static wrote
//   BENCH_COPY           1: the module is copied to RAM and runs there; 0: it runs where it lies in flash
//
// scripts/crosscut/boards.py writes it. The smallest program with a model (smallest_*.c) takes the same, less
// BENCH_ROW, BENCH_SAMPLES and BENCH_DATA.
#ifndef CROSSCUT_BENCH_H
#define CROSSCUT_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include <crosscut/embed.h>

#include "model.h"

enum { BENCH_ALIGNMENT = 64 };

// ---- module.c or static.c --------------------------------------------------------------------------------------------

// Makes the model ready, in `memory` (aligned to BENCH_ALIGNMENT). Returns null, or why it could not.
const char *bench_open(uint8_t *memory, size_t bytes);
// Runs it once. Returns null, or why it could not.
const char *bench_call(const void *const *inputs, void *const *outputs);
// Of `memory`, at most so far; of that, the arena.
size_t bench_memory_bytes(void);
size_t bench_arena_bytes(void);

#endif  // CROSSCUT_BENCH_H
