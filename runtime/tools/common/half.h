// Conversion of the two 16-bit floating-point types, rounding to nearest even.
#ifndef CROSSCUT_TOOLS_COMMON_HALF_H
#define CROSSCUT_TOOLS_COMMON_HALF_H

#include <stdint.h>

float half_to_float(uint16_t half);
float bf16_to_float(uint16_t bf16);
uint16_t half_from_double(double value);
uint16_t bf16_from_double(double value);

#endif  // CROSSCUT_TOOLS_COMMON_HALF_H
