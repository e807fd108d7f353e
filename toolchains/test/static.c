// Two statically linked models, called twice each, on memory that holds garbage.
#include <board.h>
#include <crosscut/embed.h>

#include "check.h"
#include "simple.h"
#include "tiny.h"

XCUT_EMBED(simple_input, DATA "/simple.input", ".modules");
XCUT_EMBED(simple_least, DATA "/simple.least", ".modules");
XCUT_EMBED(simple_most, DATA "/simple.most", ".modules");
XCUT_EMBED(tiny_input, DATA "/tiny.input", ".modules");
XCUT_EMBED(tiny_least, DATA "/tiny.least", ".modules");
XCUT_EMBED(tiny_most, DATA "/tiny.most", ".modules");

static SIMPLE_ALIGNED unsigned char arena[SIMPLE_ARENA_BYTES + 64];
static float y[SIMPLE_Y_ELEMENTS + 1], z[TINY_RESULT0_ELEMENTS + 1];

static int fail(const char *what) {
  board_print(what);
  return 1;
}

int main(void) {
#if SPOILED  // shows that a wrong value is found
  static float input[SIMPLE_X_ELEMENTS];
  for (int i = 0; i < SIMPLE_X_ELEMENTS; ++i) input[i] = ((const float *)(const void *)simple_input)[i];
  input[0] = 1;
  const float *x = input;
#else
  const float *x = (const float *)(const void *)simple_input;
#endif
  const float *v = (const float *)(const void *)tiny_input;
  for (unsigned i = 0; i < sizeof arena; ++i) arena[i] = 0xff;
  uint32_t *behind_y = (uint32_t *)(void *)&y[SIMPLE_Y_ELEMENTS],
           *behind_z = (uint32_t *)(void *)&z[TINY_RESULT0_ELEMENTS];
  *behind_y = *behind_z = 0xa5a5a5a5;
  for (int call = 0; call < 2; ++call) {
    if (simple_run(x, y, arena) || tiny_run(v, z, 0)) return fail("a model returned an error\n");
    if ((size_t)(simple_most_end - simple_most) != SIMPLE_Y_ELEMENTS * 4) return fail("simple: wrong size\n");
    if (!is_between(y, simple_least, simple_most, sizeof y - 4)) return fail("simple: wrong output\n");
    if (!is_between(z, tiny_least, tiny_most, sizeof z - 4)) return fail("tiny: wrong output\n");
  }
  for (unsigned i = SIMPLE_ARENA_BYTES; i < sizeof arena; ++i)
    if (arena[i] != 0xff) return fail("something was written behind the arena\n");
  if (*behind_y != 0xa5a5a5a5 || *behind_z != 0xa5a5a5a5) return fail("something was written behind an output\n");
  board_print("right\n");
  return 0;
}
