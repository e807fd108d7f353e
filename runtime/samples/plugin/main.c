// The model linked into the program: its header declares the plugin that it calls. The exit status is 0, 1 when the
// model says that the plugin failed, or the number of the first wrong result, counted from 2.
#include "linearize.h"
#include "thermometer.h"

static THERMOMETER_ALIGNED unsigned char arena[THERMOMETER_ARENA_BYTES];

int main(void) {
  float fahrenheit[THERMOMETER_RESULT0_ELEMENTS];
  if (thermometer_run(readings, fahrenheit, arena)) return 1;
  for (int i = 0; i < THERMOMETER_RESULT0_ELEMENTS; ++i)
    if (fahrenheit[i] != expected[i]) return i + 2;
  return 0;
}
