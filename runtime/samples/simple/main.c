// Multiplies two vectors with a compiled model. The exit status says whether the result is right.
#include "simple.h"

int main(void) {
  static const float a[SIMPLE_ARG0_ELEMENTS] = {1, 2, 3, 4}, b[SIMPLE_ARG1_ELEMENTS] = {5, 6, 7, 8};
  static const float expected[SIMPLE_RESULT0_ELEMENTS] = {5, 12, 21, 32};
  float product[SIMPLE_RESULT0_ELEMENTS];
  // The model needs no working memory (SIMPLE_ARENA_BYTES is 0), so there is no arena.
  if (simple_run(a, b, product, 0)) return 1;
  for (int i = 0; i < SIMPLE_RESULT0_ELEMENTS; ++i)
    if (product[i] != expected[i]) return 2;
  return 0;
}
