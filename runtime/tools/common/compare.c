// Comparison of outputs with expected values.
#include <math.h>
#include <string.h>

#include "tools/common/tools.h"

// 64-bit integers that a double cannot hold are compared exactly when the tolerances are zero.
static bool same_bits(const xcut_value *a, const xcut_value *b, size_t index) {
  size_t size = xcut_type_bytes(a->type);
  return memcmp((const uint8_t *)a->data + index * size, (const uint8_t *)b->data + index * size, size) == 0;
}

tool_comparison tool_compare(const xcut_value *actual, const xcut_value *expected, double atol, double rtol) {
  tool_comparison c = {.same_shape = actual->type == expected->type && actual->rank == expected->rank};
  for (unsigned i = 0; c.same_shape && i < actual->rank; ++i) c.same_shape = actual->dims[i] == expected->dims[i];
  if (!c.same_shape) return c;
  bool integer = actual->type >= XCUT_TYPE_I8;
  size_t count = tool_element_count(actual);
  for (size_t i = 0; i < count; ++i) {
    double a = tool_element(actual, i), e = tool_element(expected, i);
    bool match;
    if (isfinite(a) && isfinite(e)) {
      double difference = fabs(a - e);
      if (difference > c.max_absolute) c.max_absolute = difference;
      if (e != 0 && difference / fabs(e) > c.max_relative) c.max_relative = difference / fabs(e);
      match = difference <= atol + rtol * fabs(e);
      if (integer && difference == 0 && atol == 0 && rtol == 0) match = same_bits(actual, expected, i);
    } else {
      match = isnan(e) ? isnan(a) : a == e;
    }
    if (match) continue;
    if (c.mismatches == 0) c.first_mismatch = i;
    ++c.mismatches;
  }
  c.matches = c.mismatches == 0;
  return c;
}
