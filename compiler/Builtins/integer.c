// Integer arithmetic that some CPUs lack: 64-bit division on 32-bit ones, any division or multiplication on the
// smallest. Nothing here may use the operator that it implements. Division by zero gives quotient 0, as on ARM, and
// never traps.
#include "builtins.h"

static inline int leadingZeros32(uint32_t x) {
  int n = 0;
  for (int step = 16; step; step >>= 1)
    if (!(x >> (32 - step))) n += step, x <<= step;
  return x ? n : 32;
}

static inline int leadingZeros64(uint64_t x) {
  return x >> 32 ? leadingZeros32((uint32_t)(x >> 32)) : 32 + leadingZeros32((uint32_t)x);
}

int __clzsi2(uint32_t x) { return leadingZeros32(x); }
int __clzdi2(uint64_t x) { return leadingZeros64(x); }
int __ctzsi2(uint32_t x) { return 31 - leadingZeros32(x & -x); }
int __ctzdi2(uint64_t x) { return 63 - leadingZeros64(x & -x); }

int __popcountdi2(uint64_t x) {
  int count = 0;
  for (; x; x &= x - 1) ++count;
  return count;
}
int __popcountsi2(uint32_t x) { return __popcountdi2(x); }

// One quotient bit a step, from the first that can be set.
#define DIVIDE(type, zeros, quotient, rest, a, b)              \
  type quotient = 0, rest = a;                                 \
  if (b && b <= a) {                                           \
    int shift = zeros(b) - zeros(a);                           \
    type divisor = b << shift;                                 \
    for (int step = 0; step <= shift; ++step, divisor >>= 1) { \
      quotient <<= 1;                                          \
      if (rest >= divisor) rest -= divisor, quotient |= 1;     \
    }                                                          \
  }

uint32_t __udivsi3(uint32_t a, uint32_t b) {
  DIVIDE(uint32_t, leadingZeros32, quotient, rest, a, b)
  return quotient;
}
uint32_t __umodsi3(uint32_t a, uint32_t b) {
  DIVIDE(uint32_t, leadingZeros32, quotient, rest, a, b)
  return rest;
}
uint64_t __udivdi3(uint64_t a, uint64_t b) {
  DIVIDE(uint64_t, leadingZeros64, quotient, rest, a, b)
  return quotient;
}
uint64_t __umoddi3(uint64_t a, uint64_t b) {
  DIVIDE(uint64_t, leadingZeros64, quotient, rest, a, b)
  return rest;
}
uint64_t __udivmoddi4(uint64_t a, uint64_t b, uint64_t *remainder) {
  DIVIDE(uint64_t, leadingZeros64, quotient, rest, a, b)
  if (remainder) *remainder = rest;
  return quotient;
}

// The quotient takes the sign of both, the remainder that of the dividend.
#define SIGNED(type, utype, bits, name, unsignedName, signSource)                                        \
  type name(type a, type b) {                                                                            \
    utype signA = (utype)(a >> (bits - 1)), signB = (utype)(b >> (bits - 1));                            \
    utype sign = signSource;                                                                             \
    return (type)((unsignedName(((utype)a ^ signA) - signA, ((utype)b ^ signB) - signB) ^ sign) - sign); \
  }
SIGNED(int32_t, uint32_t, 32, __divsi3, __udivsi3, signA ^ signB)
SIGNED(int32_t, uint32_t, 32, __modsi3, __umodsi3, signA)
SIGNED(int64_t, uint64_t, 64, __divdi3, __udivdi3, signA ^ signB)
SIGNED(int64_t, uint64_t, 64, __moddi3, __umoddi3, signA)

uint32_t __mulsi3(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (; b; b >>= 1, a <<= 1)
    if (b & 1) product += a;
  return product;
}

uint64_t __muldi3(uint64_t a, uint64_t b) {
#if __SIZEOF_POINTER__ == 8
  uint64_t product = 0;
  for (; b; b >>= 1, a <<= 1)
    if (b & 1) product += a;
  return product;
#else
  // Halves of 16 bits: a CPU with a 32-bit multiply does each product in one instruction.
  uint32_t aLow = (uint32_t)a, bLow = (uint32_t)b;
  uint32_t a0 = aLow & 0xffff, a1 = aLow >> 16, b0 = bLow & 0xffff, b1 = bLow >> 16;
  uint32_t low = a0 * b0, middle = a1 * b0 + (low >> 16), cross = a0 * b1 + (middle & 0xffff);
  uint32_t high = a1 * b1 + (middle >> 16) + (cross >> 16);
  high += (uint32_t)(a >> 32) * bLow + aLow * (uint32_t)(b >> 32);
  return (uint64_t)high << 32 | (cross << 16 | (low & 0xffff));
#endif
}

#if __SIZEOF_POINTER__ == 4
// Shifts of a pair of words, by 0 ... 63.
typedef union {
  uint64_t whole;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  struct {
    uint32_t high, low;
  };
#else
  struct {
    uint32_t low, high;
  };
#endif
} pair;

uint64_t __ashldi3(uint64_t a, int shift) {
  pair in = {a}, out;
  if (shift & 32) {
    out.low = 0;
    out.high = in.low << (shift & 31);
  } else {
    if (!shift) return a;
    out.low = in.low << shift;
    out.high = in.high << shift | in.low >> (32 - shift);
  }
  return out.whole;
}

uint64_t __lshrdi3(uint64_t a, int shift) {
  pair in = {a}, out;
  if (shift & 32) {
    out.high = 0;
    out.low = in.high >> (shift & 31);
  } else {
    if (!shift) return a;
    out.high = in.high >> shift;
    out.low = in.low >> shift | in.high << (32 - shift);
  }
  return out.whole;
}

int64_t __ashrdi3(int64_t a, int shift) {
  pair in = {(uint64_t)a}, out;
  if (shift & 32) {
    out.high = (uint32_t)((int32_t)in.high >> 31);
    out.low = (uint32_t)((int32_t)in.high >> (shift & 31));
  } else {
    if (!shift) return a;
    out.high = (uint32_t)((int32_t)in.high >> shift);
    out.low = in.low >> shift | in.high << (32 - shift);
  }
  return (int64_t)out.whole;
}
#endif

#ifdef __arm__
// __aeabi_{u}idivmod and __aeabi_{u}ldivmod return quotient and remainder in registers, which C can not say: arm.ll.
AEABI int32_t __aeabi_idiv(int32_t a, int32_t b) { return __divsi3(a, b); }
AEABI uint32_t __aeabi_uidiv(uint32_t a, uint32_t b) { return __udivsi3(a, b); }
AEABI uint64_t __aeabi_lmul(uint64_t a, uint64_t b) { return __muldi3(a, b); }
AEABI uint64_t __aeabi_llsl(uint64_t a, int shift) { return __ashldi3(a, shift); }
AEABI uint64_t __aeabi_llsr(uint64_t a, int shift) { return __lshrdi3(a, shift); }
AEABI int64_t __aeabi_lasr(int64_t a, int shift) { return __ashrdi3(a, shift); }
AEABI int __aeabi_lcmp(int64_t a, int64_t b) { return (a > b) - (a < b); }
AEABI int __aeabi_ulcmp(uint64_t a, uint64_t b) { return (a > b) - (a < b); }
#endif
