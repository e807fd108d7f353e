// Runs a fuzz target without libFuzzer: seeds, each mutated a number of times from a fixed random sequence, so that
// every compiler and emulator repeats the same inputs. driver RUNS SEED_FILE...
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define MAX_BYTES 65536

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next(void) {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1du;
}

// The values at which comparisons and sums turn.
static const uint64_t kInteresting[] = {0,
                                        1,
                                        7,
                                        8,
                                        0x7f,
                                        0x80,
                                        0xff,
                                        0x7fff,
                                        0xffff,
                                        0x7fffffff,
                                        0x80000000u,
                                        0xffffffffu,
                                        0x7fffffffffffffffu,
                                        0x8000000000000000u,
                                        UINT64_MAX};

static size_t mutate(uint8_t *data, size_t bytes) {
  switch (next() % 7) {
    case 0:  // one bit
      if (bytes) data[next() % bytes] ^= (uint8_t)(1u << next() % 8);
      break;
    case 1:  // one byte
      if (bytes) data[next() % bytes] = (uint8_t)next();
      break;
    case 2: {  // a number of 2, 4 or 8 bytes
      size_t size = (size_t)2 << next() % 3;
      uint64_t value = kInteresting[next() % (sizeof kInteresting / sizeof *kInteresting)];
      if (bytes >= size) memcpy(data + next() % (bytes - size + 1) / size * size, &value, size);
      break;
    }
    case 3:  // cut
      if (bytes) bytes = (size_t)(next() % bytes);
      break;
    case 4: {  // copy a piece over another
      if (bytes < 2) break;
      size_t size = 1 + (size_t)(next() % (bytes < 32 ? bytes : 32));
      if (size > bytes) size = bytes;
      memmove(data + next() % (bytes - size + 1), data + next() % (bytes - size + 1), size);
      break;
    }
    case 5: {  // insert
      if (bytes + 1 >= MAX_BYTES) break;
      size_t at = (size_t)(next() % (bytes + 1));
      memmove(data + at + 1, data + at, bytes - at);
      data[at] = (uint8_t)"0123456789x=[], .-ef"[next() % 20];
      ++bytes;
      break;
    }
    default: {  // remove
      if (!bytes) break;
      size_t at = (size_t)(next() % bytes);
      memmove(data + at, data + at + 1, bytes - at - 1);
      --bytes;
      break;
    }
  }
  return bytes;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s RUNS SEED_FILE...\n", argv[0]);
    return 1;
  }
  long runs = strtol(argv[1], NULL, 10);
  static uint8_t seed[MAX_BYTES], data[MAX_BYTES];
  for (int i = 2; i < argc; ++i) {
    FILE *file = fopen(argv[i], "rb");
    if (!file) {
      fprintf(stderr, "%s cannot be opened\n", argv[i]);
      return 1;
    }
    size_t bytes = fread(seed, 1, sizeof seed, file);
    fclose(file);
    for (long run = 0; run < runs; ++run) {
      memcpy(data, seed, bytes);
      size_t size = bytes;
      for (uint64_t n = next() % 5; n-- > 0;) size = mutate(data, size);
      uint8_t *exact = malloc(size ? size : 1);  // so that the address sanitizer sees reads past the end
      if (!exact) return 1;
      memcpy(exact, data, size);
      LLVMFuzzerTestOneInput(exact, size);
      free(exact);
    }
  }
  printf("%ld runs of each of %d seeds\n", runs, argc - 2);
  return 0;
}
