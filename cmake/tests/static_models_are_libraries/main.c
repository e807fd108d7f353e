#include "first.h"
#include "second-model.h"

int main(void) {
  static const float x[FIRST_ARG0_ELEMENTS] = {-1, 2, -3, 4};
  float y[FIRST_RESULT0_ELEMENTS], z[SECOND_MODEL_RESULT0_ELEMENTS];
  if (first_run(x, y, 0) || second_model_run(x, z, 0)) return 1;
  for (int i = 0; i < 4; ++i)
    if (y[i] != (x[i] > 0 ? 2 * x[i] : 0) || z[i] != y[i]) return 2;
  return 0;
}
