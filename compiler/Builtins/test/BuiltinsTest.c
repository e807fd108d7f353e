// Compares the builtins with this machine's arithmetic and C library, over numbers of every kind: the special ones,
// their neighbours, and random bit patterns. The builtins are compiled into this program, under names of their own.
#define memcpy xcut_memcpy
#define memmove xcut_memmove
#define memset xcut_memset
#define memcmp xcut_memcmp
#define bcmp xcut_bcmp
#define RENAME(f) xcut_##f
#define floorf RENAME(floorf)
#define ceilf RENAME(ceilf)
#define truncf RENAME(truncf)
#define roundf RENAME(roundf)
#define roundevenf RENAME(roundevenf)
#define rintf RENAME(rintf)
#define nearbyintf RENAME(nearbyintf)
#define sqrtf RENAME(sqrtf)
#define fmodf RENAME(fmodf)
#define fminf RENAME(fminf)
#define fmaxf RENAME(fmaxf)
#define fmaf RENAME(fmaf)
#define floor RENAME(floor)
#define ceil RENAME(ceil)
#define trunc RENAME(trunc)
#define round RENAME(round)
#define roundeven RENAME(roundeven)
#define rint RENAME(rint)
#define nearbyint RENAME(nearbyint)
#define sqrt RENAME(sqrt)
#define fmod RENAME(fmod)
#define fmin RENAME(fmin)
#define fmax RENAME(fmax)
#include "../all.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef floorf
#undef ceilf
#undef truncf
#undef roundf
#undef rintf
#undef sqrtf
#undef fmodf
#undef fmaf
#undef floor
#undef ceil
#undef trunc
#undef round
#undef rint
#undef sqrt
#undef fmod

#include <math.h>
#include <stdio.h>
#include <string.h>

static int failures;
static uint64_t state = 88172645463325252ull;
static uint64_t randomBits(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// A third special values and their neighbours, a third of moderate exponent, a third any bits.
static uint32_t random32(void) {
  static const uint32_t special[] = {0,          1,          0x7fffff,   0x800000,   0x3f000000, 0x3f7fffff,
                                     0x3f800000, 0x3fc00000, 0x40200000, 0x4b000000, 0x4b800000, 0x4f000000,
                                     0x5f000000, 0x7f7fffff, 0x7f800000, 0x7fc00000};
  uint64_t r = randomBits();
  uint32_t sign = (uint32_t)(r >> 63) << 31;
  if (r % 3 == 0) return sign | (special[r >> 8 & 15] + (uint32_t)(r >> 16 & 3) - 1);
  if (r % 3 == 1) return sign | (0x3b000000 + (uint32_t)((r >> 8) % 0x18000000));
  return (uint32_t)(r >> 8);
}
static uint64_t random64(void) {
  uint64_t r = randomBits();
  if (r % 3 == 0) return widen(random32()) + (randomBits() & 3) - 1;
  if (r % 3 == 1) return (r & 1ull << 63) | (0x3fa0000000000000 + (randomBits() >> 1) % 0x0500000000000000);
  return r;
}

#define SAME(w, isNan, name, expected, actual, ...)                                                          \
  do {                                                                                                       \
    uint##w##_t e_ = expected, a_ = actual;                                                                  \
    if (e_ != a_ && !(isNan(e_) && isNan(a_)) && failures++ < 20)                                            \
      printf("FAILED: %s(%llx, %llx): expected %llx, got %llx\n", name, __VA_ARGS__, (unsigned long long)e_, \
             (unsigned long long)a_);                                                                        \
  } while (0)
#define NAN32(a) (((a) & 0x7fffffff) > 0x7f800000)
#define NAN64(a) (((a) & 0x7fffffffffffffff) > 0x7ff0000000000000)
#define NEVER(a) ((void)(a), 0)
#define ARGS (unsigned long long)a, (unsigned long long)b

#define FORMAT(w, type, suffix, f)                                                                             \
  static void format##w(uint##w##_t a, uint##w##_t b) {                                                        \
    type x = float##w(a), y = float##w(b);                                                                     \
    SAME(w, NAN##w, "add" #w, bits##w(x + y), add##w(a, b), ARGS);                                             \
    SAME(w, NAN##w, "sub" #w, bits##w(x - y), sub##w(a, b), ARGS);                                             \
    SAME(w, NAN##w, "mul" #w, bits##w(x * y), mul##w(a, b), ARGS);                                             \
    SAME(w, NAN##w, "div" #w, bits##w(x / y), div##w(a, b), ARGS);                                             \
    SAME(w, NAN##w, "mod" #w, bits##w(fmod##f(x, y)), mod##w(a, b), ARGS);                                     \
    SAME(w, NAN##w, "sqrt" #w, bits##w(sqrt##f(x)), root##w(a), ARGS);                                         \
    SAME(w, NAN##w, "floor" #w, bits##w(floor##f(x)), bits##w(xcut_floor##f(x)), ARGS);                        \
    SAME(w, NAN##w, "ceil" #w, bits##w(ceil##f(x)), bits##w(xcut_ceil##f(x)), ARGS);                           \
    SAME(w, NAN##w, "trunc" #w, bits##w(trunc##f(x)), bits##w(xcut_trunc##f(x)), ARGS);                        \
    SAME(w, NAN##w, "round" #w, bits##w(round##f(x)), bits##w(xcut_round##f(x)), ARGS);                        \
    SAME(w, NAN##w, "rint" #w, bits##w(rint##f(x)), bits##w(xcut_rint##f(x)), ARGS);                           \
    SAME(32, NEVER, "eq" #w, x == y, __eq##suffix##2(x, y) == 0, ARGS);                                        \
    SAME(32, NEVER, "lt" #w, x < y, __lt##suffix##2(x, y) < 0, ARGS);                                          \
    SAME(32, NEVER, "le" #w, x <= y, __le##suffix##2(x, y) <= 0, ARGS);                                        \
    SAME(32, NEVER, "gt" #w, x > y, __gt##suffix##2(x, y) > 0, ARGS);                                          \
    SAME(32, NEVER, "ge" #w, x >= y, __ge##suffix##2(x, y) >= 0, ARGS);                                        \
    SAME(32, NEVER, "unord" #w, x != x || y != y, __unord##suffix##2(x, y) != 0, ARGS);                        \
    SAME(w, NAN##w, "from i64" #w, bits##w((type)(int64_t)a), fromSigned##w((int64_t)a), ARGS);                \
    uint64_t wide = (uint64_t)a << 32 ^ b;                                                                     \
    SAME(w, NAN##w, "from wide" #w, bits##w((type)(int64_t)wide), fromSigned##w((int64_t)wide), ARGS);         \
    SAME(w, NAN##w, "from unsigned" #w, bits##w((type)wide), fromUnsigned##w(0, wide), ARGS);                  \
    if (x > -2147483648.0f && x < 2147483648.0f)                                                               \
      SAME(32, NEVER, "to i32" #w, (uint32_t)(int32_t)x, (uint32_t)__fix##suffix##si(x), ARGS);                \
    if (x > -9.2e18f && x < 9.2e18f)                                                                           \
      SAME(64, NEVER, "to i64" #w, (uint64_t)(int64_t)x, (uint64_t)__fix##suffix##di(x), ARGS);                \
    if (x >= 0 && x < 1.8e19f) SAME(64, NEVER, "to u64" #w, (uint64_t)x, __fixuns##suffix##di(x), ARGS);       \
    if (x >= 0 && x < 4294967296.0f) SAME(32, NEVER, "to u32" #w, (uint32_t)x, __fixuns##suffix##si(x), ARGS); \
  }
FORMAT(32, float, sf, f)
FORMAT(64, double, df, )

static void others(void) {
  uint32_t a = random32(), b = random32(), c = random32();
  SAME(32, NAN32, "fma", bits32(fmaf(float32(a), float32(b), float32(c))),
       bits32(xcut_fmaf(float32(a), float32(b), float32(c))), ARGS);
  SAME(64, NAN64, "widen", bits64((double)float32(a)), widen(a), ARGS);
  uint64_t d = random64();
  SAME(32, NAN32, "narrow", bits32((float)float64(d)), narrow(d), ARGS);
#ifdef __FLT16_MANT_DIG__
  union {
    uint16_t u;
    _Float16 f;
  } half = {(uint16_t)a};
  SAME(32, NAN32, "from half", bits32((float)half.f), fromHalf((uint16_t)a), ARGS);
#endif
}

static void integers(uint64_t a, uint64_t b) {
  uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b;
  SAME(64, NEVER, "mul", a * b, __muldi3(a, b), ARGS);
  SAME(32, NEVER, "mul", a32 * b32, __mulsi3(a32, b32), ARGS);
  if (b) {
    SAME(64, NEVER, "udiv", a / b, __udivdi3(a, b), ARGS);
    SAME(64, NEVER, "umod", a % b, __umoddi3(a, b), ARGS);
    if (!(a == 1ull << 63 && b == ~0ull)) {
      SAME(64, NEVER, "div", (uint64_t)((int64_t)a / (int64_t)b), (uint64_t)__divdi3((int64_t)a, (int64_t)b), ARGS);
      SAME(64, NEVER, "mod", (uint64_t)((int64_t)a % (int64_t)b), (uint64_t)__moddi3((int64_t)a, (int64_t)b), ARGS);
    }
  }
  if (b32) {
    SAME(32, NEVER, "udiv", a32 / b32, __udivsi3(a32, b32), ARGS);
    SAME(32, NEVER, "umod", a32 % b32, __umodsi3(a32, b32), ARGS);
    if (!(a32 == 1u << 31 && b32 == ~0u)) {
      SAME(32, NEVER, "div", (uint32_t)((int32_t)a32 / (int32_t)b32), (uint32_t)__divsi3((int32_t)a32, (int32_t)b32),
           ARGS);
      SAME(32, NEVER, "mod", (uint32_t)((int32_t)a32 % (int32_t)b32), (uint32_t)__modsi3((int32_t)a32, (int32_t)b32),
           ARGS);
    }
  }
#if __SIZEOF_POINTER__ == 4
  unsigned n = b & 63;
  SAME(64, NEVER, "shift left", a << n, __ashldi3(a, (int)n), ARGS);
  SAME(64, NEVER, "shift right", a >> n, __lshrdi3(a, (int)n), ARGS);
  SAME(64, NEVER, "signed shift right", (uint64_t)((int64_t)a >> n), (uint64_t)__ashrdi3((int64_t)a, (int)n), ARGS);
#endif
  SAME(32, NEVER, "clz", a ? (uint32_t)__builtin_clzll(a) : 64u, (uint32_t)__clzdi2(a), ARGS);
  SAME(32, NEVER, "popcount", (uint32_t)__builtin_popcountll(a), (uint32_t)__popcountdi2(a), ARGS);
}

static void memory(void) {
  static uint8_t from[400], to[400], expected[400];
  for (int i = 0; i < 400; ++i) from[i] = (uint8_t)randomBits(), to[i] = expected[i] = (uint8_t)i;
  size_t n = randomBits() % 200, source = randomBits() % 150, target = randomBits() % 150;
  memmove(expected + target, from + source, n);
  xcut_memcpy(to + target, from + source, n);
  size_t overlapping = randomBits() % 150;
  memmove(expected + overlapping, expected + target, n);
  xcut_memmove(to + overlapping, to + target, n);
  size_t filled = randomBits() % 200;
  memset(expected + filled, (int)n, n);
  xcut_memset(to + filled, (int)n, n);
  if (memcmp(to, expected, sizeof to) && failures++ < 20) printf("FAILED: memory functions with n = %zu\n", n);
  int order = memcmp(from, to, n), own = xcut_memcmp(from, to, n);
  if (((order > 0) - (order < 0)) != own && failures++ < 20) printf("FAILED: memcmp\n");
}

int main(void) {
  for (int i = 0; i < 300000; ++i) {
    format32(random32(), random32());
    format64(random64(), random64());
    others();
    uint64_t a = randomBits() >> (randomBits() & 63), b = randomBits() >> (randomBits() & 63);
    integers(a, b);
    integers(a, b & 15);
    memory();
  }
  printf("builtins-test: %s\n", failures ? "FAILED" : "passed");
  return failures != 0;
}
