// Types and conventions of the builtins. They are freestanding C for every architecture; names are those that LLVM's
// back ends call (https://gcc.gnu.org/onlinedocs/gccint/Libgcc.html and, on ARM, the run-time ABI, IHI 0043).
#ifndef CROSSCUT_BUILTINS_H
#define CROSSCUT_BUILTINS_H

#include <stddef.h>
#include <stdint.h>

// The run-time ABI passes floats of its helpers in integer registers, on hard-float targets too.
#ifdef __arm__
#define AEABI __attribute__((pcs("aapcs")))
#endif

void *memcpy(void *restrict destination, const void *restrict source, size_t n);
void *memmove(void *destination, const void *source, size_t n);
void *memset(void *destination, int byte, size_t n);
int memcmp(const void *left, const void *right, size_t n);

uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
int32_t __divsi3(int32_t a, int32_t b);
int32_t __modsi3(int32_t a, int32_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);
int64_t __moddi3(int64_t a, int64_t b);

#endif
