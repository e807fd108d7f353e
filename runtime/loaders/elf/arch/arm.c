// 32-bit ARM: features from Linux's AT_HWCAP, plus what the runtime itself was compiled for (all there is on bare
// metal). Linux: arch/arm/include/uapi/asm/hwcap.h.
#include "loaders/elf/arch/arch.h"

static const char *const kNames[] = {
    [XCUT_ARM_VFP2] = "vfp2",         [XCUT_ARM_VFP3] = "vfp3",  [XCUT_ARM_VFP4] = "vfp4",
    [XCUT_ARM_NEON] = "neon",         [XCUT_ARM_IDIV] = "hwdiv", [XCUT_ARM_FP16] = "fp16",
    [XCUT_ARM_DOTPROD] = "dotprod",   [XCUT_ARM_MVE] = "mve",    [XCUT_ARM_MVE_FP] = "mve.fp",
    [XCUT_ARM_FULLFP16] = "fullfp16", [XCUT_ARM_DSP] = "dsp",    [XCUT_ARM_THUMB2] = "thumb2",
};

const char *xcut_arm_feature(uint32_t bit) { return bit < XCUT_COUNT_OF(kNames) ? kNames[bit] : NULL; }

#if defined(__arm__)

static uint64_t compiled_in(void) {
  uint64_t f = 0;
#if defined(__ARM_FP)
  f |= XCUT_BIT(XCUT_ARM_VFP2);
#if __ARM_ARCH >= 7
  f |= XCUT_BIT(XCUT_ARM_VFP3);
#endif
#if __ARM_FP & 2
  f |= XCUT_BIT(XCUT_ARM_FP16);
#endif
#endif
#if defined(__ARM_FEATURE_FMA)  // VFPv4, which has the half-precision conversions
  f |= XCUT_BIT(XCUT_ARM_VFP4) | XCUT_BIT(XCUT_ARM_FP16);
#endif
#if defined(__ARM_NEON)
  f |= XCUT_BIT(XCUT_ARM_NEON);
#endif
#if defined(__ARM_FEATURE_IDIV)
  f |= XCUT_BIT(XCUT_ARM_IDIV);
#endif
#if defined(__ARM_FEATURE_DOTPROD)
  f |= XCUT_BIT(XCUT_ARM_DOTPROD);
#endif
#if defined(__ARM_FEATURE_FP16_SCALAR_ARITHMETIC)
  f |= XCUT_BIT(XCUT_ARM_FULLFP16);
#endif
#if defined(__ARM_FEATURE_MVE)
  f |= XCUT_BIT(XCUT_ARM_MVE);
#if __ARM_FEATURE_MVE & 2
  f |= XCUT_BIT(XCUT_ARM_MVE_FP);
#endif
#endif
#if defined(__ARM_FEATURE_DSP)
  f |= XCUT_BIT(XCUT_ARM_DSP);
#endif
#if __ARM_ARCH >= 7 && !defined(__ARM_ARCH_8M_BASE__)
  f |= XCUT_BIT(XCUT_ARM_THUMB2);
#endif
  return f;
}

void xcut_arch_detect(const xcut_platform *platform, xcut_cpu *cpu) {
  static const struct {
    uint8_t feature, bit;
  } table[] = {
      {XCUT_ARM_VFP2, 6},  {XCUT_ARM_DSP, 7},       {XCUT_ARM_NEON, 12},    {XCUT_ARM_VFP3, 13},
      {XCUT_ARM_VFP4, 16}, {XCUT_ARM_FP16, 16},  // VFPv4 has the half-precision conversions
      {XCUT_ARM_IDIV, 17}, {XCUT_ARM_FULLFP16, 23}, {XCUT_ARM_DOTPROD, 24}, {XCUT_ARM_THUMB2, 13},  // ARMv7
  };
  cpu->features = compiled_in();
  uint64_t hwcap = xcut_capability(platform, XCUT_CAPABILITY_HWCAP);
  for (unsigned i = 0; i < XCUT_COUNT_OF(table); ++i) {
    if (hwcap >> table[i].bit & 1) cpu->features |= XCUT_BIT(table[i].feature);
  }
}

void xcut_arch_flush_code(void *code, size_t bytes) {
#if defined(__linux__)
  __builtin___clear_cache((char *)code, (char *)code + bytes);
#else
  // M-profile parts without a cache need nothing; others set xcut_platform.flush_code.
  (void)code, (void)bytes;
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
}

#if defined(__ARM_FP)
// Keeps LTPSIZE (bits 16-18 on M55), which is no mode but must stay 4 there.
static const uint32_t kModes = 0x07c09f00;  // AHP, DN, FZ, rounding, FZ16 and trap enables

uint64_t xcut_float_enter(void) {
  uint32_t saved;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(saved));
  if (saved & kModes) __asm__ volatile("vmsr fpscr, %0" ::"r"(saved & ~kModes));
  return saved;
}

void xcut_float_leave(uint64_t saved) { __asm__ volatile("vmsr fpscr, %0" ::"r"((uint32_t)saved)); }
#else
uint64_t xcut_float_enter(void) { return 0; }
void xcut_float_leave(uint64_t saved) { (void)saved; }
#endif

void xcut_cpu_relax(void) {
#if __ARM_ARCH >= 7
  __asm__ volatile("yield");
#endif
}
#endif
