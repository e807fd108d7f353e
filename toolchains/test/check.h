// Whether floats lie between two others, without floating-point arithmetic: of which small CPUs have none.
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

// Values in order: as integers, negative floats run backwards.
static inline int64_t ordered(uint32_t bits) { return bits >> 31 ? -(int64_t)(bits & 0x7fffffff) : (int64_t)bits; }

static inline int is_between(const float *values, const void *least, const void *most, size_t bytes) {
  const uint32_t *v = (const uint32_t *)(const void *)values, *low = least, *high = most;
  for (size_t i = 0; i < bytes / 4; ++i) {
    int finite = (v[i] & 0x7f800000) != 0x7f800000;
    if (!finite || ordered(v[i]) < ordered(low[i]) || ordered(v[i]) > ordered(high[i])) return 0;
  }
  return 1;
}

#endif  // CHECK_H
