// The machine that the runtime runs on, in the terms of the ABI.
#ifndef CROSSCUT_CPU_H
#define CROSSCUT_CPU_H

#include "crosscut/abi.h"
#include "crosscut/platform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xcut_cpu {
  uint32_t arch;       // XCUT_ARCH_*
  uint32_t vlen_bits;  // vector register length of RISC-V V and SVE; 0 when there is none
  uint64_t features;   // bits XCUT_<ARCH>_*
} xcut_cpu;

// What this machine offers, as far as the operating system lets programs use it; plus what the runtime itself was
// compiled to rely on. Costs microseconds; nothing is cached.
xcut_cpu xcut_cpu_detect(const xcut_platform *platform);

// "x86_64", "aarch64", ...; "unknown" for a value that is none. Static storage.
const char *xcut_arch_name(uint32_t arch);

// LLVM's name of feature bit `bit` ("avx512f", "neon", "v"), or null when the bit means nothing. Static storage.
const char *xcut_feature_name(uint32_t arch, uint32_t bit);

// "f32", "bool", ...; "?" for a value that is none. Static storage.
const char *xcut_type_name(uint32_t type);

// Bytes of one element; 0 for a value that is no type.
size_t xcut_type_bytes(uint32_t type);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_CPU_H
