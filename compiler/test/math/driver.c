// Compares the compiled functions with the C library's, in double precision. The largest error of each must not exceed
// what functions.h states; NaN, infinities and zeros must be the same, with their signs.
//
//   driver STRIDE [flush]   samples every STRIDE-th float, and more around 1; flush: vectors treat denormals as 0
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

typedef void kernel(const void *x, const void *z, void *y, int32_t n);

static int32_t integerPower(int32_t x, int32_t n) {
  if (n < 0) return x == 1 ? 1 : x == -1 ? (n & 1 ? -1 : 1) : 0;
  uint32_t result = 1;
  while (n-- > 0) result *= (uint32_t)x;
  return (int32_t)result;
}

#define DECLARE_WIDTH(name, width) extern kernel name##_##width;
#define DECLARE(name, ...) \
  DECLARE_WIDTH(name, 0)   \
  DECLARE_WIDTH(name, 3) DECLARE_WIDTH(name, 4) DECLARE_WIDTH(name, 5) DECLARE_WIDTH(name, 8) DECLARE_WIDTH(name, 16)
MATH_UNARY_FUNCTIONS(DECLARE)
MATH_BINARY_FUNCTIONS(DECLARE)
MATH_TO_INT_FUNCTIONS(DECLARE)

#define WIDTHS 6
#define UNARY_REFERENCE(name, operations, reference, ulps) \
  static double reference_##name(double x, double z) { return (void)z, reference; }
MATH_UNARY_FUNCTIONS(UNARY_REFERENCE)
MATH_BINARY_FUNCTIONS(UNARY_REFERENCE)
#define INT_REFERENCE(name, operations, reference, low, high) \
  static int32_t reference_##name(double x) { return reference; }
MATH_TO_INT_FUNCTIONS(INT_REFERENCE)

struct function {
  const char *name;
  kernel *kernels[WIDTHS];
  double (*reference)(double, double);
  double ulps;
  int binary;
};
#define KERNELS(name) {name##_0, name##_3, name##_4, name##_5, name##_8, name##_16}
#define UNARY_ENTRY(name, operations, reference, ulps) {#name, KERNELS(name), reference_##name, ulps, 0},
#define BINARY_ENTRY(name, operations, reference, ulps) {#name, KERNELS(name), reference_##name, ulps, 1},
static const struct function functions[] = {MATH_UNARY_FUNCTIONS(UNARY_ENTRY) MATH_BINARY_FUNCTIONS(BINARY_ENTRY)};

struct intFunction {
  const char *name;
  kernel *kernels[WIDTHS];
  int32_t (*reference)(double);
  double low, high;  // both exclusive, unless low is 0: -1 is
};
#define INT_ENTRY(name, operations, reference, low, high) {#name, KERNELS(name), reference_##name, low, high},
static const struct intFunction intFunctions[] = {MATH_TO_INT_FUNCTIONS(INT_ENTRY)};
static const int widths[WIDTHS] = {1, 3, 4, 5, 8, 16};

static int flush;  // in scalar loops too, as LLVM may make vectors of them

static int isDenormal(float x) { return x != 0 && fabsf(x) < 0x1p-126f; }

// Of `got` against the exact `want`, in units in the last place of a float that holds it. Infinite when one is NaN or
// infinite, or a zero has the wrong sign, and the other is not.
static double ulps(float got, double want) {
  float rounded = (float)want;
  if (isnan(want)) return isnan(got) ? 0 : INFINITY;
  if (isnan(got)) return INFINITY;
  if (isinf(rounded) && got == rounded) return 0;
  if (isinf(want)) return INFINITY;
  if (got == 0 && rounded == 0 && !signbit(got) != !signbit(want)) return INFINITY;
  int exponent;
  frexp(want, &exponent);
  if (exponent < -125) exponent = -125;
  if (exponent > 128) exponent = 128;
  double value = isinf(got) ? copysign(0x1p128, got) : got;
  if (fabs(want) > 0x1p128) want = copysign(0x1p128, want);
  return fabs(value - want) / ldexp(1, exponent - 24);
}

static double error(const struct function *f, float got, double want, float x, float z) {
  double result = ulps(got, want);
  // Near the denormal numbers the second part of a division by a constant loses bits.
  if (!strncmp(f->name, "by", 2) && fabs(want) < 0x1p-100 && result <= (flush ? 2 : 1)) return 0;
  if (!flush || result <= f->ulps) return result;
  // A denormal result, or one with a denormal on the way, may be 0; a denormal argument counts as 0.
  if (fabs(want) < 0x1p-124 && fabsf(got) <= 0x1p-126f) return 0;
  for (int which = 1; which < 4; which++) {
    double fx = which & 1 && isDenormal(x) ? copysign(0, x) : x, fz = which & 2 && isDenormal(z) ? copysign(0, z) : z;
    double other = ulps(got, f->reference(fx, fz));
    if (other < result) result = other;
  }
  return result;
}

#define MAX_SAMPLES 8000000
static float *xs, *zs, *ys;
static double *wants;
static int count;

static float fromBits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

static void addPair(float x, float z) {
  if (count >= MAX_SAMPLES) abort();
  xs[count] = isnan(x) ? NAN : x;  // quiet: what a signalling NaN does is nobody's business
  zs[count++] = isnan(z) ? NAN : z;
}

static uint32_t randomBits(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (uint32_t)(state >> 16);
}

static const uint32_t specials[] = {
    0x00000000, 0x00000001, 0x00000007, 0x007fffff, 0x00800000, 0x00800001, 0x01000000, 0x0d000000, 0x1fffffff,
    0x33800000, 0x34000000, 0x38800000, 0x3e800000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f3504f2, 0x3f3504f3,
    0x3f3504f4, 0x3f6b851f, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fb504f3, 0x3fc00000, 0x3fc90fda, 0x3fc90fdb,
    0x40000000, 0x40200000, 0x40400000, 0x40490fdb, 0x407ccccd, 0x40800000, 0x40a00000, 0x41100000, 0x41200000,
    0x4121999a, 0x42b17217, 0x42b17218, 0x42b2d4fc, 0x42b2d4fd, 0x42cff1b5, 0x42fe0000, 0x43000000, 0x43160000,
    0x46000001, 0x4afffffe, 0x4affffff, 0x4b000000, 0x4b000001, 0x4b7fffff, 0x4b800000, 0x4b800001, 0x4c000001,
    0x5f000000, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7fc00000};
#define SPECIALS (sizeof(specials) / sizeof(*specials))

static void addSpecials(int pairs) {
  for (unsigned i = 0; i < 2 * SPECIALS; i++)
    for (unsigned j = 0; j < (pairs ? 2 * SPECIALS : 1); j++)
      addPair(fromBits(specials[i / 2] | i % 2 << 31), fromBits(specials[j / 2] | j % 2 << 31));
}

static int trigonometric(const char *name) {
  return !strcmp(name, "sin") || !strcmp(name, "cos") || !strcmp(name, "tan");
}

static void sampleUnary(const char *name, uint32_t stride) {
  for (uint64_t bits = 0; bits < 0x100000000u; bits += stride) addPair(fromBits((uint32_t)bits), 1);
  for (uint32_t bits = 0x3d000000; bits < 0x42d00000; bits += stride / 16 + 1)  // 1/32 ... 104
    addPair(fromBits(bits), 1), addPair(-fromBits(bits), 1);
  if (trigonometric(name)) {
    for (int i = 0; i < count; i++)  // beyond 2^22 only infinity and NaN
      if (fabsf(xs[i]) > 0x1p22f && !isinf(xs[i])) xs[i] = NAN;
    for (uint32_t n = 1; n < 2670176; n += stride / 256 + 1)
      for (int d = -1; d <= 1; d++) addPair((float)(n * 1.5707963267948966) * (1 + d * 0x1p-23f), 1);
  }
  addSpecials(0);
  if (trigonometric(name))
    for (int i = 0; i < count; i++)
      if (fabsf(xs[i]) > 0x1p22f && !isinf(xs[i])) xs[i] = NAN;
}

static void sampleBinary(const char *name, uint32_t stride) {
  int n = (int)(4294967296.0 / stride);
  int power = !strcmp(name, "pow"), integers = !strcmp(name, "ipowi");
  if (!strcmp(name, "fpowi") || integers) {
    for (int i = 0; i < n; i++) {
      float exponent = (float)(randomBits() % 71) - 35, x = fromBits((randomBits() & 0x83ffffff) | 0x3d000000);
      addPair(integers ? (float)(randomBits() % 41) - 20 : x, exponent);
    }
    return;
  }
  for (int i = 0; i < n; i++) {
    float x = fromBits(randomBits()), z = fromBits(randomBits());
    if (i % 4) z = fromBits((randomBits() & 0x87ffffff) | 0x38000000), x = fromBits(randomBits() & 0x7fffffff);
    if (i % 4 == 2) x = fromBits((randomBits() & 0x00ffffff) | 0x3f000000);
    if (power && i % 4) z = (float)((randomBits() % 300000 / 1000.0 - 150) / log2(x));
    if (!power && i % 4 == 3) x = z * (1 + (float)(randomBits() % 65536) / 32768);
    addPair(x, z);
  }
  for (int i = -40; power && i < 40; i++)
    for (int j = -40; j < 40; j++) addPair((float)i / 2, (float)j / 2);
  addSpecials(1);
}

static int skips(const struct function *f, int i) {
  // Not stated: which of two zeros is the larger, where fma rounds.
  if (!strncmp(f->name, "max", 3) || !strcmp(f->name, "minnum")) return xs[i] == 0 && zs[i] == 0;
  if (!strcmp(f->name, "clamp")) return isnan(zs[i]) || (xs[i] == 0 && zs[i] == 0);
  if (!strcmp(f->name, "fma")) return 1;
  return 0;
}

static int checkFunction(const struct function *f, uint32_t stride) {
  count = 0;
  if (f->binary) sampleBinary(f->name, stride);
  else sampleUnary(f->name, stride);
  while (count % 240) addPair(1, 1);
  for (int i = 0; i < count; i++) wants[i] = f->reference(xs[i], zs[i]);
  int failed = 0;
  double worstOfAll = 0;
  for (int w = 0; w < WIDTHS; w++) {
    memset(ys, 0xff, sizeof(float) * (size_t)count);
    f->kernels[w](xs, zs, ys, count);
    double worst = 0;
    int at = 0;
    for (int i = 0; i < count; i++) {
      if (skips(f, i)) continue;
      double e = error(f, ys[i], wants[i], xs[i], zs[i]);
      if (e > worst) worst = e, at = i;
    }
    if (worst > worstOfAll) worstOfAll = worst;
    if (worst > f->ulps && !failed++) {
      printf("FAILED %s, width %d: %.3g ulp at x %a (%.9g) z %a (%.9g): %a, not %a\n", f->name, widths[w], worst,
             xs[at], xs[at], zs[at], zs[at], ys[at], wants[at]);
    }
  }
  printf("%-10s %6.2f of %.1f ulp, %d samples\n", f->name, worstOfAll, f->ulps, count);
  return failed != 0;
}

static int checkIntFunction(const struct intFunction *f, uint32_t stride) {
  count = 0;
  sampleUnary("", stride);
  while (count % 240) addPair(1, 1);
  int failed = 0, all = f->low < -1e38;
  for (int i = 0; i < count; i++)
    if (!all && !(xs[i] > (f->low == 0 ? -1 : f->low) && xs[i] < f->high)) xs[i] = 1;
  for (int w = 0; w < WIDTHS; w++) {
    f->kernels[w](xs, zs, ys, count);
    int wrong = 0, at = 0;
    for (int i = 0; i < count; i++) {
      int32_t got;
      memcpy(&got, &ys[i], 4);
      if (got != f->reference(xs[i])) wrong++, at = i;
    }
    if (!wrong) continue;
    failed = 1;
    printf("FAILED %s, width %d: %d wrong, as at %a\n", f->name, widths[w], wrong, xs[at]);
  }
  printf("%-10s %d samples\n", f->name, count);
  return failed;
}

int main(int argc, char **argv) {
  uint32_t stride = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
  flush = argc > 2 && !strcmp(argv[2], "flush");
  if (stride < 1000) return fprintf(stderr, "usage: driver STRIDE [flush]\n"), 2;
  xs = malloc(sizeof(float) * MAX_SAMPLES), zs = malloc(sizeof(float) * MAX_SAMPLES);
  ys = malloc(sizeof(float) * MAX_SAMPLES), wants = malloc(sizeof(double) * MAX_SAMPLES);
  if (!xs || !zs || !ys || !wants) return fprintf(stderr, "driver: no memory\n"), 1;
  int failed = 0;
  for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) failed += checkFunction(&functions[i], stride);
  for (size_t i = 0; i < sizeof(intFunctions) / sizeof(*intFunctions); i++)
    failed += checkIntFunction(&intFunctions[i], stride);
  printf(failed ? "%d functions failed\n" : "all functions within their bounds\n", failed);
  return failed != 0;
}
