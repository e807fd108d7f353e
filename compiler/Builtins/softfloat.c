// Soft float under the names that back ends call: all of it for CPUs without a floating-point unit, the conversions and
// roundings that others lack, and double precision for those that have single only. Kernels for such CPUs choose code
// that seldom comes here; what counts is that it is right.
#include "builtins.h"

#define WIDTH 32
#define FRACTION 23
#define EXPONENT 8
#include "softfloat.inc"

#define WIDTH 64
#define FRACTION 52
#define EXPONENT 11
#include "softfloat.inc"

static inline uint32_t bits32(float a) {
  return ((union {
           float f;
           uint32_t u;
         }){a})
      .u;
}
static inline uint64_t bits64(double a) {
  return ((union {
           double f;
           uint64_t u;
         }){a})
      .u;
}
static inline float float32(uint32_t a) {
  return ((union {
           uint32_t u;
           float f;
         }){a})
      .f;
}
static inline double float64(uint64_t a) {
  return ((union {
           uint64_t u;
           double f;
         }){a})
      .f;
}

static inline uint64_t widen(uint32_t a) {
  uint32_t magnitude = a & 0x7fffffff;
  uint64_t sign = (uint64_t)(a & 0x80000000) << 32;
  if (magnitude > 0x7f800000) return sign | (uint64_t)(magnitude | 0x400000) << 29 | 0x7ff0000000000000;
  if (magnitude == 0x7f800000) return sign | 0x7ff0000000000000;
  if (!magnitude) return sign;
  int exponent;
  uint64_t significand = unpack32(a, &exponent);
  return sign | (((uint64_t)(exponent - 127 + 1023 - 1) << 52) + (significand << 29));
}

static inline uint32_t narrow(uint64_t a) {
  uint64_t magnitude = a & 0x7fffffffffffffff;
  uint32_t sign = (uint32_t)(a >> 32) & 0x80000000;
  if (magnitude > 0x7ff0000000000000) return sign | 0x7fc00000 | ((uint32_t)(magnitude >> 29) & 0x3fffff);
  if (magnitude == 0x7ff0000000000000) return sign | 0x7f800000;
  if (!magnitude) return sign;
  int exponent;
  uint64_t significand = unpack64(a, &exponent);
  return pack32(sign, exponent - 1023 + 127, (uint32_t)shiftRightSticky64(significand, 52 - 26), 0);
}

#define ARITHMETIC(type, w, suffix)                                                             \
  type __add##suffix##3(type a, type b) { return float##w(add##w(bits##w(a), bits##w(b))); }    \
  type __sub##suffix##3(type a, type b) { return float##w(sub##w(bits##w(a), bits##w(b))); }    \
  type __mul##suffix##3(type a, type b) { return float##w(mul##w(bits##w(a), bits##w(b))); }    \
  type __div##suffix##3(type a, type b) { return float##w(div##w(bits##w(a), bits##w(b))); }    \
  int __eq##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), 1); }         \
  int __ne##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), 1); }         \
  int __lt##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), 1); }         \
  int __le##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), 1); }         \
  int __gt##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), -1); }        \
  int __ge##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), -1); }        \
  int __unord##suffix##2(type a, type b) { return compare##w(bits##w(a), bits##w(b), 2) == 2; } \
  type __floatsi##suffix(int32_t a) { return float##w(fromSigned##w(a)); }                      \
  type __floatunsi##suffix(uint32_t a) { return float##w(fromUnsigned##w(0, a)); }              \
  type __floatdi##suffix(int64_t a) { return float##w(fromSigned##w(a)); }                      \
  type __floatundi##suffix(uint64_t a) { return float##w(fromUnsigned##w(0, a)); }              \
  int32_t __fix##suffix##si(type a) { return (int32_t)toSigned##w(bits##w(a), 32); }            \
  uint32_t __fixuns##suffix##si(type a) { return (uint32_t)toUnsigned##w(bits##w(a), 32); }     \
  int64_t __fix##suffix##di(type a) { return toSigned##w(bits##w(a), 64); }                     \
  uint64_t __fixuns##suffix##di(type a) { return toUnsigned##w(bits##w(a), 64); }
ARITHMETIC(float, 32, sf)
ARITHMETIC(double, 64, df)

double __extendsfdf2(float a) { return float64(widen(bits32(a))); }
float __truncdfsf2(double a) { return float32(narrow(bits64(a))); }

// The C library's functions that LLVM calls where the CPU has no such instruction.
#define LIBRARY(type, w, f)                                                                          \
  type trunc##f(type a) { return float##w(roundTo##w(bits##w(a), toZero##w)); }                      \
  type floor##f(type a) { return float##w(roundTo##w(bits##w(a), down##w)); }                        \
  type ceil##f(type a) { return float##w(roundTo##w(bits##w(a), up##w)); }                           \
  type round##f(type a) { return float##w(roundTo##w(bits##w(a), nearestAway##w)); }                 \
  type roundeven##f(type a) { return float##w(roundTo##w(bits##w(a), nearestEven##w)); }             \
  type rint##f(type a) { return float##w(roundTo##w(bits##w(a), nearestEven##w)); }                  \
  type nearbyint##f(type a) { return float##w(roundTo##w(bits##w(a), nearestEven##w)); }             \
  type sqrt##f(type a) { return float##w(root##w(bits##w(a))); }                                     \
  type fmod##f(type a, type b) { return float##w(mod##w(bits##w(a), bits##w(b))); }                  \
  type fmin##f(type a, type b) {                                                                     \
    uint##w##_t x = bits##w(a), y = bits##w(b);                                                      \
    int order = compare##w(x, y, 2);                                                                 \
    if (order == 2) return compare##w(x, x, 2) == 2 ? b : a;                                         \
    return order < 0 || (order == 0 && x > y) ? a : b;                                               \
  }                                                                                                  \
  type fmax##f(type a, type b) {                                                                     \
    uint##w##_t x = bits##w(a), y = bits##w(b);                                                      \
    int order = compare##w(x, y, 2);                                                                 \
    if (order == 2) return compare##w(x, x, 2) == 2 ? b : a;                                         \
    return order > 0 || (order == 0 && x < y) ? a : b;                                               \
  }                                                                                                  \
  type fminimum##f(type a, type b) {                                                                 \
    if (compare##w(bits##w(a), bits##w(b), 2) == 2) return float##w(add##w(bits##w(a), bits##w(b))); \
    return fmin##f(a, b);                                                                            \
  }                                                                                                  \
  type fmaximum##f(type a, type b) {                                                                 \
    if (compare##w(bits##w(a), bits##w(b), 2) == 2) return float##w(add##w(bits##w(a), bits##w(b))); \
    return fmax##f(a, b);                                                                            \
  }                                                                                                  \
  type fminimum_num##f(type a, type b) { return fmin##f(a, b); }                                     \
  type fmaximum_num##f(type a, type b) { return fmax##f(a, b); }
LIBRARY(float, 32, f)
LIBRARY(double, 64, )

// The product of two floats is exact in double; the sum is rounded to odd there, so that rounding it once more is the
// only rounding that counts.
float fmaf(float a, float b, float c) {
  uint64_t product = mul64(widen(bits32(a)), widen(bits32(b)));
  return float32(narrow(addRounded64(product, widen(bits32(c)), 1)));
}

// ---- Half and bfloat16, in the low bits of an integer ---------------------------------------------------------------

static inline uint32_t fromHalf(uint16_t a) {
  uint32_t sign = (uint32_t)(a & 0x8000) << 16, magnitude = a & 0x7fff;
  if (magnitude > 0x7c00) return sign | 0x7fc00000 | magnitude << 13;
  if (magnitude == 0x7c00) return sign | 0x7f800000;
  if (magnitude >= 0x400) return sign | ((magnitude << 13) + ((uint32_t)(127 - 15) << 23));
  uint32_t value = fromUnsigned32(0, magnitude);  // subnormal: magnitude * 2^-24
  return value ? sign | (value - ((uint32_t)24 << 23)) : sign;
}

static inline uint16_t toHalf(uint64_t a) {
  uint64_t magnitude = a & 0x7fffffffffffffff;
  uint16_t sign = (uint16_t)(a >> 48) & 0x8000;
  if (magnitude > 0x7ff0000000000000) return sign | 0x7e00;
  if (magnitude >= (uint64_t)(1023 + 16) << 52) return sign | 0x7c00;
  if (!magnitude) return sign;
  int exponent;
  uint64_t significand = unpack64(a, &exponent);
  exponent += 15 - 1023;
  // Three rounding bits below the ten of the fraction, as in pack().
  uint32_t rounded = (uint32_t)shiftRightSticky64(significand, 52 - 13 + (exponent <= 0 ? 1 - exponent : 0));
  uint32_t rest = rounded & 7, result = ((uint32_t)(exponent > 0 ? exponent - 1 : 0) << 10) + (rounded >> 3);
  if (rest > 4 || (rest == 4 && (result & 1))) ++result;
  return sign | (uint16_t)result;
}

static inline uint16_t toBrain(uint32_t a) {
  if ((a & 0x7fffffff) > 0x7f800000) return (uint16_t)(a >> 16) | 0x40;
  return (uint16_t)((a + 0x7fff + (a >> 16 & 1)) >> 16);
}

#ifdef __arm__
AEABI uint16_t __gnu_f2h_ieee(uint32_t a) { return toHalf(widen(a)); }
AEABI uint32_t __gnu_h2f_ieee(uint16_t a) { return fromHalf(a); }
#else
uint16_t __gnu_f2h_ieee(float a) { return toHalf(widen(bits32(a))); }
float __gnu_h2f_ieee(uint16_t a) { return float32(fromHalf(a)); }
#endif

#ifdef __arm__
AEABI uint32_t __aeabi_fadd(uint32_t a, uint32_t b) { return add32(a, b); }
AEABI uint32_t __aeabi_fsub(uint32_t a, uint32_t b) { return sub32(a, b); }
AEABI uint32_t __aeabi_frsub(uint32_t a, uint32_t b) { return sub32(b, a); }
AEABI uint32_t __aeabi_fmul(uint32_t a, uint32_t b) { return mul32(a, b); }
AEABI uint32_t __aeabi_fdiv(uint32_t a, uint32_t b) { return div32(a, b); }
AEABI uint64_t __aeabi_dadd(uint64_t a, uint64_t b) { return add64(a, b); }
AEABI uint64_t __aeabi_dsub(uint64_t a, uint64_t b) { return sub64(a, b); }
AEABI uint64_t __aeabi_drsub(uint64_t a, uint64_t b) { return sub64(b, a); }
AEABI uint64_t __aeabi_dmul(uint64_t a, uint64_t b) { return mul64(a, b); }
AEABI uint64_t __aeabi_ddiv(uint64_t a, uint64_t b) { return div64(a, b); }
#define AEABI_COMPARE(w, x)                                                                        \
  AEABI int __aeabi_##x##cmpeq(uint##w##_t a, uint##w##_t b) { return compare##w(a, b, 2) == 0; }  \
  AEABI int __aeabi_##x##cmplt(uint##w##_t a, uint##w##_t b) { return compare##w(a, b, 2) < 0; }   \
  AEABI int __aeabi_##x##cmple(uint##w##_t a, uint##w##_t b) { return compare##w(a, b, 2) <= 0; }  \
  AEABI int __aeabi_##x##cmpge(uint##w##_t a, uint##w##_t b) { return compare##w(a, b, -2) >= 0; } \
  AEABI int __aeabi_##x##cmpgt(uint##w##_t a, uint##w##_t b) { return compare##w(a, b, -2) > 0; }  \
  AEABI int __aeabi_##x##cmpun(uint##w##_t a, uint##w##_t b) { return compare##w(a, b, 2) == 2; }  \
  AEABI uint##w##_t __aeabi_i2##x(int32_t a) { return fromSigned##w(a); }                          \
  AEABI uint##w##_t __aeabi_ui2##x(uint32_t a) { return fromUnsigned##w(0, a); }                   \
  AEABI uint##w##_t __aeabi_l2##x(int64_t a) { return fromSigned##w(a); }                          \
  AEABI uint##w##_t __aeabi_ul2##x(uint64_t a) { return fromUnsigned##w(0, a); }                   \
  AEABI int32_t __aeabi_##x##2iz(uint##w##_t a) { return (int32_t)toSigned##w(a, 32); }            \
  AEABI uint32_t __aeabi_##x##2uiz(uint##w##_t a) { return (uint32_t)toUnsigned##w(a, 32); }       \
  AEABI int64_t __aeabi_##x##2lz(uint##w##_t a) { return toSigned##w(a, 64); }                     \
  AEABI uint64_t __aeabi_##x##2ulz(uint##w##_t a) { return toUnsigned##w(a, 64); }
AEABI_COMPARE(32, f)
AEABI_COMPARE(64, d)
AEABI uint64_t __aeabi_f2d(uint32_t a) { return widen(a); }
AEABI uint32_t __aeabi_d2f(uint64_t a) { return narrow(a); }
AEABI uint32_t __aeabi_h2f(uint16_t a) { return fromHalf(a); }
AEABI uint16_t __aeabi_f2h(uint32_t a) { return toHalf(widen(a)); }
AEABI uint16_t __aeabi_d2h(uint64_t a) { return toHalf(a); }
#endif

// Back ends pass these two types as the ABI says, which clang knows where it has them.
#if defined(__clang__) && \
    (defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__riscv) || defined(__arm__))
float __extendhfsf2(_Float16 a) {
  return float32(fromHalf(((union {
                            _Float16 f;
                            uint16_t u;
                          }){a})
                              .u));
}
_Float16 __truncsfhf2(float a) {
  return ((union {
           uint16_t u;
           _Float16 f;
         }){toHalf(widen(bits32(a)))})
      .f;
}
_Float16 __truncdfhf2(double a) {
  return ((union {
           uint16_t u;
           _Float16 f;
         }){toHalf(bits64(a))})
      .f;
}
#ifndef __arm__
__bf16 __truncsfbf2(float a) {
  return ((union {
           uint16_t u;
           __bf16 f;
         }){toBrain(bits32(a))})
      .f;
}
__bf16 __truncdfbf2(double a) {
  // To odd in single precision first: the second rounding is then the only one.
  uint64_t magnitude = bits64(a) & 0x7fffffffffffffff;
  uint32_t single = narrow(bits64(a) & ~(uint64_t)0x1fffffff);
  if (magnitude < 0x7ff0000000000000 && (magnitude & 0x1fffffff)) single |= 1;
  return ((union {
           uint16_t u;
           __bf16 f;
         }){toBrain(single)})
      .f;
}
#endif
#endif
