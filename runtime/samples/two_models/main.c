// Two models, one arena. The exit status is 0, or the number of the first wrong result.
#include "scale.h"
#include "xor.h"

// One model has finished before the other starts.
static XOR_ALIGNED unsigned char arena[XOR_ARENA_BYTES > SCALE_ARENA_BYTES ? XOR_ARENA_BYTES : SCALE_ARENA_BYTES];

int main(void) {
  static const int32_t readings[4][SCALE_ARG0_ELEMENTS] = {{0, 511}, {512, 100}, {3, 1023}, {1000, 600}};
  static const float expected[4] = {0, 1, 1, 0};
  for (int i = 0; i < 4; ++i) {
    float bits[SCALE_RESULT0_ELEMENTS], y[XOR_RESULT0_ELEMENTS];
    if (scale_run(readings[i], bits, arena) || xor_run(bits, y, arena) || y[0] != expected[i]) return i + 1;
  }
  return 0;
}
