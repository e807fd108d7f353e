// Asks a network for the exclusive or of every pair of bits. The exit status is 0, or the number of the first wrong
// one.
#include "xor.h"

// Working memory of the model, the program's to place; nothing in it is kept between calls.
static XOR_ALIGNED unsigned char arena[XOR_ARENA_BYTES];

int main(void) {
  for (int i = 0; i < 4; ++i) {
    const float x[XOR_ARG0_ELEMENTS] = {(float)(i & 1), (float)(i >> 1)};
    float y[XOR_RESULT0_ELEMENTS];
    if (xor_run(x, y, arena)) return i + 1;
    const float expected = (float)((i & 1) ^ (i >> 1));
    if (y[0] != expected) return i + 1;
  }
  return 0;
}
