// Region 0 is empty; region 1 runs a loop of a thousand rounds.
#include "marks.h"

int main(void) {
  volatile uint32_t sum = 0;
  xcut_mark_begin(0);
  xcut_mark_end(0);
  xcut_mark_begin(1);
  for (uint32_t i = 0; i < 1000; ++i) sum += i;
  xcut_mark_end(1);
  return sum == 499500 ? 0 : 1;
}
