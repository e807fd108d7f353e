// Two models in one program: reads the inputs of both from standard input, writes the outputs of both to standard
// output. Arenas and outputs lie between guards, and start with garbage.
#include <stdio.h>
#include <string.h>

#include "classifier.h"
#include "simple.h"

enum { GUARD = 64, DIRECTIONS = CLASSIFIER_SAVE_INFER_MODEL_SCALE_0_TMP_1_ELEMENTS };

typedef struct {
  SIMPLE_ALIGNED unsigned char arena[SIMPLE_ARENA_BYTES];
  unsigned char guard[GUARD];
} simple_memory;

typedef struct {
  CLASSIFIER_ALIGNED unsigned char arena[CLASSIFIER_ARENA_BYTES];
  unsigned char guard[GUARD];
} classifier_memory;

static simple_memory one;
static classifier_memory other;
static float x[SIMPLE_X_ELEMENTS], image[CLASSIFIER_X_ELEMENTS];
static float y[SIMPLE_Y_ELEMENTS + GUARD], direction[DIRECTIONS + GUARD];

static int is_garbage(const void *memory, size_t bytes) {
  const unsigned char *p = memory;
  for (size_t i = 0; i < bytes; ++i)
    if (p[i] != 0xa5) return 0;
  return 1;
}

int main(void) {
  if (fread(x, sizeof x, 1, stdin) != 1 || fread(image, sizeof image, 1, stdin) != 1) return 1;
  memset(&one, 0xa5, sizeof one);
  memset(&other, 0xa5, sizeof other);
  memset(y, 0xa5, sizeof y);
  memset(direction, 0xa5, sizeof direction);
  for (int call = 0; call < 2; ++call)
    if (simple_run(x, y, one.arena) || classifier_run(image, direction, other.arena)) return 2;
  if (!is_garbage(one.guard, GUARD) || !is_garbage(other.guard, GUARD)) return 3;
  if (!is_garbage(y + SIMPLE_Y_ELEMENTS, GUARD * sizeof *y)) return 4;
  if (!is_garbage(direction + DIRECTIONS, GUARD * sizeof *direction)) return 5;
  fwrite(y, sizeof *y, SIMPLE_Y_ELEMENTS, stdout);
  fwrite(direction, sizeof *direction, DIRECTIONS, stdout);
  return fflush(stdout) ? 6 : 0;
}
