// A statically linked model whose sizes the program chooses when it runs, and that calls a plugin: that of a
// golden set, SET.
#include <board.h>
#include <crosscut/embed.h>
#include <golden_plugin.h>

#include "planned.h"

XCUT_EMBED(input0, SET "/input0.bin", ".modules");
XCUT_EMBED(input1, SET "/input1.bin", ".modules");
XCUT_EMBED(output0, SET "/output0.bin", ".modules");
XCUT_EMBED(output1, SET "/output1.bin", ".modules");

static PLANNED_ALIGNED unsigned char arena[2048];
static float y[64];
static int64_t best[16];

int32_t plugin_golden_Lookup(xcut_plugin_call *call) { return golden_lookup(call); }

static int fail(const char *what) {
  board_print(what);
  return 1;
}

static int differs(const void *actual, const unsigned char *expected, int64_t bytes) {
  for (int64_t i = 0; i < bytes; ++i)
    if (((const unsigned char *)actual)[i] != expected[i]) return 1;
  return 0;
}

int main(void) {
  const int64_t all = (output1_end - output1) / 8;
  for (int64_t rows = all; rows >= 1; rows -= all - 1) {
    int64_t x_dims[PLANNED_X_RANK] = PLANNED_X_SHAPE, word_dims[PLANNED_WORD_RANK] = {rows};
    int64_t y_dims[PLANNED_Y_RANK], best_dims[PLANNED_BEST_RANK];
    x_dims[0] = rows;
    const int64_t bytes = planned_plan(x_dims, word_dims, y_dims, best_dims);
    if (bytes <= 0 || bytes > (int64_t)sizeof arena) return fail("another arena than there is\n");
    if (y_dims[0] != rows || best_dims[0] != rows) return fail("outputs of other sizes\n");
    for (unsigned i = 0; i < sizeof arena; ++i) arena[i] = 0xa5;
    const float *x = (const float *)(const void *)input0;
    const int64_t *word = (const int64_t *)(const void *)input1;
    if (planned_run(x, x_dims, word, word_dims, y, y_dims, best, best_dims, arena, bytes)) return fail("an error\n");
    if (differs(y, output0, rows * y_dims[1] * 4) || differs(best, output1, rows * 8)) return fail("a wrong value\n");
    for (int64_t i = bytes; i < (int64_t)sizeof arena; ++i)
      if (arena[i] != 0xa5) return fail("something was written behind the arena\n");
    word_dims[0] += 1;
    if (planned_plan(x_dims, word_dims, y_dims, best_dims) >= 0) return fail("sizes that do not fit were accepted\n");
  }
  board_print("right\n");
  return 0;
}
