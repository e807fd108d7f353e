// One file an architecture: the names of its CPU features, on every machine; what this machine has and how to make it
// see new code, on its own.
#ifndef CROSSCUT_LOADERS_ELF_ARCH_ARCH_H
#define CROSSCUT_LOADERS_ELF_ARCH_ARCH_H

#include "core/internal.h"

#if defined(__x86_64__)
#define XCUT_HOST_ARCH XCUT_ARCH_X86_64
#elif defined(__i386__)
#define XCUT_HOST_ARCH XCUT_ARCH_X86
#elif defined(__aarch64__)
#define XCUT_HOST_ARCH XCUT_ARCH_AARCH64
#elif defined(__arm__)
#define XCUT_HOST_ARCH XCUT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define XCUT_HOST_ARCH XCUT_ARCH_RISCV64
#elif defined(__riscv)
#define XCUT_HOST_ARCH XCUT_ARCH_RISCV32
#else
#define XCUT_HOST_ARCH XCUT_ARCH_OTHER
#endif

#define XCUT_BIT(feature) (UINT64_C(1) << (feature))

// Names by feature bit; null where there is none.
const char *xcut_x86_feature(uint32_t bit);
const char *xcut_arm_feature(uint32_t bit);
const char *xcut_aarch64_feature(uint32_t bit);
const char *xcut_riscv_feature(uint32_t bit);

// Defined by the file of the machine's own architecture.
void xcut_arch_detect(const xcut_platform *platform, xcut_cpu *cpu);
void xcut_arch_flush_code(void *code, size_t bytes);

static inline uint64_t xcut_capability(const xcut_platform *platform, uint32_t which) {
  return platform && platform->capability ? platform->capability(platform->self, which) : 0;
}

#endif  // CROSSCUT_LOADERS_ELF_ARCH_ARCH_H
