// What does not depend on the architecture: the way to each architecture's names, and stand-ins for unknown machines.
#include "loaders/elf/arch/arch.h"

const char *xcut_feature_name(uint32_t arch, uint32_t bit) {
  if (!XCUT_WITH_FOREIGN && arch != XCUT_HOST_ARCH) return NULL;
  switch (XCUT_WITH_FOREIGN ? arch : XCUT_HOST_ARCH) {
    case XCUT_ARCH_X86:
    case XCUT_ARCH_X86_64: return xcut_x86_feature(bit);
    case XCUT_ARCH_ARM: return xcut_arm_feature(bit);
    case XCUT_ARCH_AARCH64: return xcut_aarch64_feature(bit);
    case XCUT_ARCH_RISCV32:
    case XCUT_ARCH_RISCV64: return xcut_riscv_feature(bit);
    default: return NULL;
  }
}

xcut_cpu xcut_cpu_detect(const xcut_platform *platform) {
  xcut_cpu cpu = {.arch = XCUT_HOST_ARCH};
  if (cpu.arch != XCUT_ARCH_OTHER) xcut_arch_detect(platform ? platform : xcut_platform_default(), &cpu);
  return cpu;
}

#if !defined(__x86_64__) && !defined(__i386__) && !defined(__aarch64__) && !defined(__arm__) && !defined(__riscv)
void xcut_arch_detect(const xcut_platform *platform, xcut_cpu *cpu) { (void)platform, (void)cpu; }
void xcut_arch_flush_code(void *code, size_t bytes) { (void)code, (void)bytes; }
uint64_t xcut_float_enter(void) { return 0; }
void xcut_float_leave(uint64_t saved) { (void)saved; }
void xcut_cpu_relax(void) {}
#endif
