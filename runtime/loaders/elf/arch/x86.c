// x86 and x86-64: features from CPUID, believed only as far as the operating system saves the registers (XCR0).
// Intel SDM volume 2A, CPUID; volume 1, chapter 13.
#include "loaders/elf/arch/arch.h"

static const char *const kNames[] = {
    [XCUT_X86_SSE2] = "sse2",
    [XCUT_X86_SSE3] = "sse3",
    [XCUT_X86_SSSE3] = "ssse3",
    [XCUT_X86_SSE41] = "sse4.1",
    [XCUT_X86_SSE42] = "sse4.2",
    [XCUT_X86_POPCNT] = "popcnt",
    [XCUT_X86_AVX] = "avx",
    [XCUT_X86_F16C] = "f16c",
    [XCUT_X86_FMA] = "fma",
    [XCUT_X86_AVX2] = "avx2",
    [XCUT_X86_BMI] = "bmi",
    [XCUT_X86_BMI2] = "bmi2",
    [XCUT_X86_LZCNT] = "lzcnt",
    [XCUT_X86_MOVBE] = "movbe",
    [XCUT_X86_AVX512F] = "avx512f",
    [XCUT_X86_AVX512BW] = "avx512bw",
    [XCUT_X86_AVX512CD] = "avx512cd",
    [XCUT_X86_AVX512DQ] = "avx512dq",
    [XCUT_X86_AVX512VL] = "avx512vl",
    [XCUT_X86_AVX512VNNI] = "avx512vnni",
    [XCUT_X86_AVX512BF16] = "avx512bf16",
    [XCUT_X86_AVX512FP16] = "avx512fp16",
    [XCUT_X86_AVXVNNI] = "avxvnni",
    [XCUT_X86_AMX_TILE] = "amx-tile",
    [XCUT_X86_AMX_INT8] = "amx-int8",
    [XCUT_X86_AMX_BF16] = "amx-bf16",
    [XCUT_X86_AVX512VBMI] = "avx512vbmi",
    [XCUT_X86_AVX512VBMI2] = "avx512vbmi2",
    [XCUT_X86_AVX512IFMA] = "avx512ifma",
    [XCUT_X86_AVX512BITALG] = "avx512bitalg",
    [XCUT_X86_AVX512VPOPCNTDQ] = "avx512vpopcntdq",
    [XCUT_X86_GFNI] = "gfni",
    [XCUT_X86_VAES] = "vaes",
    [XCUT_X86_VPCLMULQDQ] = "vpclmulqdq",
    [XCUT_X86_ADX] = "adx",
    [XCUT_X86_CMOV] = "cmov",
};

const char *xcut_x86_feature(uint32_t bit) { return bit < XCUT_COUNT_OF(kNames) ? kNames[bit] : NULL; }

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

// Where CPUID says what. AMX is left out on purpose: Linux gives its registers only to processes that asked for them.
enum { kLeaf1C, kLeaf1D, kLeaf7B, kLeaf7C, kLeaf7D, kLeaf71A, kExtendedC, kWords };
enum { kAlways, kNeedsAvx, kNeedsAvx512 };

static const struct {
  uint8_t feature, word, bit, needs;
} kFeatures[] = {
    {XCUT_X86_SSE2, kLeaf1D, 26, kAlways},
    {XCUT_X86_CMOV, kLeaf1D, 15, kAlways},
    {XCUT_X86_SSE3, kLeaf1C, 0, kAlways},
    {XCUT_X86_SSSE3, kLeaf1C, 9, kAlways},
    {XCUT_X86_SSE41, kLeaf1C, 19, kAlways},
    {XCUT_X86_SSE42, kLeaf1C, 20, kAlways},
    {XCUT_X86_MOVBE, kLeaf1C, 22, kAlways},
    {XCUT_X86_POPCNT, kLeaf1C, 23, kAlways},
    {XCUT_X86_AVX, kLeaf1C, 28, kNeedsAvx},
    {XCUT_X86_FMA, kLeaf1C, 12, kNeedsAvx},
    {XCUT_X86_F16C, kLeaf1C, 29, kNeedsAvx},
    {XCUT_X86_LZCNT, kExtendedC, 5, kAlways},
    {XCUT_X86_BMI, kLeaf7B, 3, kAlways},
    {XCUT_X86_BMI2, kLeaf7B, 8, kAlways},
    {XCUT_X86_ADX, kLeaf7B, 19, kAlways},
    {XCUT_X86_AVX2, kLeaf7B, 5, kNeedsAvx},
    {XCUT_X86_AVX512F, kLeaf7B, 16, kNeedsAvx512},
    {XCUT_X86_AVX512DQ, kLeaf7B, 17, kNeedsAvx512},
    {XCUT_X86_AVX512IFMA, kLeaf7B, 21, kNeedsAvx512},
    {XCUT_X86_AVX512CD, kLeaf7B, 28, kNeedsAvx512},
    {XCUT_X86_AVX512BW, kLeaf7B, 30, kNeedsAvx512},
    {XCUT_X86_AVX512VL, kLeaf7B, 31, kNeedsAvx512},
    {XCUT_X86_AVX512VBMI, kLeaf7C, 1, kNeedsAvx512},
    {XCUT_X86_AVX512VBMI2, kLeaf7C, 6, kNeedsAvx512},
    {XCUT_X86_GFNI, kLeaf7C, 8, kAlways},
    {XCUT_X86_VAES, kLeaf7C, 9, kNeedsAvx},
    {XCUT_X86_VPCLMULQDQ, kLeaf7C, 10, kNeedsAvx},
    {XCUT_X86_AVX512VNNI, kLeaf7C, 11, kNeedsAvx512},
    {XCUT_X86_AVX512BITALG, kLeaf7C, 12, kNeedsAvx512},
    {XCUT_X86_AVX512VPOPCNTDQ, kLeaf7C, 14, kNeedsAvx512},
    {XCUT_X86_AVX512FP16, kLeaf7D, 23, kNeedsAvx512},
    {XCUT_X86_AVXVNNI, kLeaf71A, 4, kNeedsAvx},
    {XCUT_X86_AVX512BF16, kLeaf71A, 5, kNeedsAvx512},
};

void xcut_arch_detect(const xcut_platform *platform, xcut_cpu *cpu) {
  (void)platform;
  unsigned words[kWords] = {0};
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) words[kLeaf1C] = c, words[kLeaf1D] = d;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    words[kLeaf7B] = b, words[kLeaf7C] = c, words[kLeaf7D] = d;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) words[kLeaf71A] = a;
  }
  if (__get_cpuid(0x80000001, &a, &b, &c, &d)) words[kExtendedC] = c;
  unsigned saved = 0;
  if (words[kLeaf1C] >> 27 & 1) __asm__ volatile("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
  bool avx = (saved & 0x06) == 0x06;
  bool avx512 = (saved & 0xe6) == 0xe6;
  for (unsigned i = 0; i < XCUT_COUNT_OF(kFeatures); ++i) {
    if (kFeatures[i].needs == kNeedsAvx && !avx) continue;
    if (kFeatures[i].needs == kNeedsAvx512 && !avx512) continue;
    if (words[kFeatures[i].word] >> kFeatures[i].bit & 1) cpu->features |= XCUT_BIT(kFeatures[i].feature);
  }
}

void xcut_arch_flush_code(void *code, size_t bytes) { (void)code, (void)bytes; }  // caches are coherent

// Rounding to nearest, no traps, no flush to zero. Modules use SSE, so that MXCSR is always there, even when the
// runtime itself was compiled for the x87 alone; on 32 bit, code may use either.
uint64_t xcut_float_enter(void) {
  uint32_t mxcsr;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  if (mxcsr != 0x1f80) {
    const uint32_t standard = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(standard));
  }
#if defined(__i386__)
  uint16_t control;
  const uint16_t standard_control = 0x037f;
  __asm__ volatile("fnstcw %0" : "=m"(control));
  if (control != standard_control) __asm__ volatile("fldcw %0" ::"m"(standard_control));
  return (uint64_t)control << 32 | mxcsr;
#else
  return mxcsr;
#endif
}

void xcut_float_leave(uint64_t saved) {
  uint32_t mxcsr = (uint32_t)saved;
  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
#if defined(__i386__)
  uint16_t control = (uint16_t)(saved >> 32);
  __asm__ volatile("fldcw %0" ::"m"(control));
#endif
}

void xcut_cpu_relax(void) { __builtin_ia32_pause(); }
#endif
