// See half.h. The conversions work on the bits, so that they need no CPU feature.
#include "tools/common/half.h"

#include <math.h>
#include <string.h>

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float bf16_to_float(uint16_t bf16) { return float_of((uint32_t)bf16 << 16); }

float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 0x1f;
  uint32_t fraction = half & 0x3ff;
  if (exponent == 0x1f) return float_of(sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) {
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

// Rounds `value` once to `precision` bits with exponents from `least` (of the smallest normal number) up.
static double round_to(double value, int precision, int least) {
  int exponent;
  frexp(value, &exponent);  // value = m * 2^exponent, 0.5 <= m < 1
  if (exponent < least + 1) exponent = least + 1;
  double unit = ldexp(1, exponent - precision);
  return nearbyint(value / unit) * unit;
}

uint16_t half_from_double(double value) {
  uint16_t sign = signbit(value) ? 0x8000 : 0;
  if (isnan(value)) return sign | 0x7e00;
  double magnitude = isinf(value) ? INFINITY : round_to(fabs(value), 11, -14);
  if (magnitude > 65504) return sign | 0x7c00;
  if (magnitude < 0x1p-14) return (uint16_t)(sign | (uint16_t)(magnitude * 0x1p24));
  int exponent;
  double mantissa = frexp(magnitude, &exponent);
  return (uint16_t)(sign | ((exponent + 14) << 10) | ((uint16_t)(mantissa * 2048) & 0x3ff));
}

uint16_t bf16_from_double(double value) {
  if (isnan(value)) return signbit(value) ? 0xffc0 : 0x7fc0;
  float rounded = (float)(isinf(value) ? value : round_to(value, 8, -126));
  uint32_t bits;
  memcpy(&bits, &rounded, sizeof bits);
  return (uint16_t)(bits >> 16);
}
