// AArch64: features from Linux's AT_HWCAP and AT_HWCAP2, plus what the runtime itself was compiled for.
// Linux: Documentation/arch/arm64/elf_hwcaps.rst.
#include "loaders/elf/arch/arch.h"

static const char *const kNames[] = {
    [XCUT_AARCH64_FP_ASIMD] = "neon", [XCUT_AARCH64_FULLFP16] = "fullfp16", [XCUT_AARCH64_DOTPROD] = "dotprod",
    [XCUT_AARCH64_I8MM] = "i8mm",     [XCUT_AARCH64_BF16] = "bf16",         [XCUT_AARCH64_SVE] = "sve",
    [XCUT_AARCH64_SVE2] = "sve2",     [XCUT_AARCH64_LSE] = "lse",           [XCUT_AARCH64_CRC] = "crc",
    [XCUT_AARCH64_RDM] = "rdm",       [XCUT_AARCH64_RCPC] = "rcpc",
};

const char *xcut_aarch64_feature(uint32_t bit) { return bit < XCUT_COUNT_OF(kNames) ? kNames[bit] : NULL; }

#if defined(__aarch64__)

static uint64_t compiled_in(void) {
  uint64_t f = 0;
#if defined(__ARM_NEON)
  f |= XCUT_BIT(XCUT_AARCH64_FP_ASIMD);
#endif
#if defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
  f |= XCUT_BIT(XCUT_AARCH64_FULLFP16);
#endif
#if defined(__ARM_FEATURE_DOTPROD)
  f |= XCUT_BIT(XCUT_AARCH64_DOTPROD);
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8)
  f |= XCUT_BIT(XCUT_AARCH64_I8MM);
#endif
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
  f |= XCUT_BIT(XCUT_AARCH64_BF16);
#endif
#if defined(__ARM_FEATURE_SVE)
  f |= XCUT_BIT(XCUT_AARCH64_SVE);
#endif
#if defined(__ARM_FEATURE_SVE2)
  f |= XCUT_BIT(XCUT_AARCH64_SVE2);
#endif
#if defined(__ARM_FEATURE_ATOMICS)
  f |= XCUT_BIT(XCUT_AARCH64_LSE);
#endif
#if defined(__ARM_FEATURE_CRC32)
  f |= XCUT_BIT(XCUT_AARCH64_CRC);
#endif
#if defined(__ARM_FEATURE_QRDMX)
  f |= XCUT_BIT(XCUT_AARCH64_RDM);
#endif
  return f;
}

void xcut_arch_detect(const xcut_platform *platform, xcut_cpu *cpu) {
  static const struct {
    uint8_t feature, word, bit;
  } table[] = {
      {XCUT_AARCH64_CRC, 0, 7},   {XCUT_AARCH64_LSE, 0, 8},      {XCUT_AARCH64_FULLFP16, 0, 10},
      {XCUT_AARCH64_RDM, 0, 12},  {XCUT_AARCH64_RCPC, 0, 15},    {XCUT_AARCH64_DOTPROD, 0, 20},
      {XCUT_AARCH64_SVE, 0, 22},  {XCUT_AARCH64_SVE2, 1, 1},     {XCUT_AARCH64_I8MM, 1, 13},
      {XCUT_AARCH64_BF16, 1, 14}, {XCUT_AARCH64_FP_ASIMD, 0, 1},
  };
  cpu->features = compiled_in();
  uint64_t words[2] = {xcut_capability(platform, XCUT_CAPABILITY_HWCAP),
                       xcut_capability(platform, XCUT_CAPABILITY_HWCAP2)};
  for (unsigned i = 0; i < XCUT_COUNT_OF(table); ++i) {
    if (words[table[i].word] >> table[i].bit & 1) cpu->features |= XCUT_BIT(table[i].feature);
  }
  if (cpu->features & XCUT_BIT(XCUT_AARCH64_SVE)) {
    register uint64_t bytes __asm__("x0");
    __asm__ volatile(".inst 0x04bf5020" : "=r"(bytes));  // rdvl x0, #1
    cpu->vlen_bits = (uint32_t)bytes * 8;
  }
}

// Data caches are written back to where instructions are fetched from, then instruction caches forget. By hand, since
// compilers have it in a library that bare-metal programs may lack. Arm ARM, B2.4.4.
void xcut_arch_flush_code(void *code, size_t bytes) {
  uint64_t type;
  __asm__("mrs %0, ctr_el0" : "=r"(type));
  const uintptr_t data_line = (uintptr_t)4 << (type >> 16 & 15), code_line = (uintptr_t)4 << (type & 15);
  const uintptr_t begin = (uintptr_t)code, end = begin + bytes;
  for (uintptr_t at = begin & ~(data_line - 1); at < end; at += data_line) __asm__ volatile("dc cvau, %0" ::"r"(at));
  __asm__ volatile("dsb ish" ::: "memory");
  for (uintptr_t at = begin & ~(code_line - 1); at < end; at += code_line) __asm__ volatile("ic ivau, %0" ::"r"(at));
  __asm__ volatile("dsb ish\n isb" ::: "memory");
}

uint64_t xcut_float_enter(void) {
  uint64_t saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
  if (saved) __asm__ volatile("msr fpcr, %0" ::"r"(UINT64_C(0)));
  return saved;
}

void xcut_float_leave(uint64_t saved) { __asm__ volatile("msr fpcr, %0" ::"r"(saved)); }

void xcut_cpu_relax(void) { __asm__ volatile("yield"); }
#endif
