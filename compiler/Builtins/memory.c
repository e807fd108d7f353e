// Copy, move, fill and compare. Sixteen bytes at a time through a vector type, which every back end maps to what the
// CPU has: vector registers, or words. Unaligned access is left to the back end too; where a CPU has none, only data
// that is not aligned to eight bytes is slow.
#include "builtins.h"

typedef uint8_t aligned_chunk __attribute__((vector_size(16), aligned(8), may_alias));
typedef uint8_t any_chunk __attribute__((vector_size(16), aligned(1), may_alias));

#define COPY_FORWARD(chunk)                                                 \
  for (; n >= 64; n -= 64, to += 64, from += 64) {                          \
    chunk a = *(const chunk *)from, b = *(const chunk *)(from + 16);        \
    chunk c = *(const chunk *)(from + 32), d = *(const chunk *)(from + 48); \
    *(chunk *)to = a, *(chunk *)(to + 16) = b;                              \
    *(chunk *)(to + 32) = c, *(chunk *)(to + 48) = d;                       \
  }                                                                         \
  for (; n >= 16; n -= 16, to += 16, from += 16) *(chunk *)to = *(const chunk *)from;

// Every chunk is read before it is written, and chunks go upwards: right also for a destination that overlaps the
// source from below. Hence no `restrict` here.
static inline void copyUpwards(uint8_t *to, const uint8_t *from, size_t n) {
  if ((((uintptr_t)to | (uintptr_t)from) & 7) == 0) {
    COPY_FORWARD(aligned_chunk)
  } else {
    COPY_FORWARD(any_chunk)
  }
  while (n--) *to++ = *from++;
}

void *memcpy(void *restrict destination, const void *restrict source, size_t n) {
  copyUpwards(destination, source, n);
  return destination;
}

void *memmove(void *destination, const void *source, size_t n) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if ((uintptr_t)to - (uintptr_t)from >= n) {
    copyUpwards(to, from, n);
    return destination;
  }
  to += n;
  from += n;
  // Sixteen bytes are read before any of them is overwritten.
  for (; n >= 16; n -= 16) {
    to -= 16;
    from -= 16;
    any_chunk value = *(const any_chunk *)from;
    *(any_chunk *)to = value;
  }
  while (n--) *--to = *--from;
  return destination;
}

#define FILL(chunk)                                           \
  for (; n >= 64; n -= 64, to += 64) {                        \
    *(chunk *)to = value, *(chunk *)(to + 16) = value;        \
    *(chunk *)(to + 32) = value, *(chunk *)(to + 48) = value; \
  }                                                           \
  for (; n >= 16; n -= 16, to += 16) *(chunk *)to = value;

void *memset(void *destination, int byte, size_t n) {
  uint8_t *to = destination;
  aligned_chunk value = (aligned_chunk){} + (uint8_t)byte;
  if (((uintptr_t)to & 7) == 0) {
    FILL(aligned_chunk)
  } else {
    FILL(any_chunk)
  }
  while (n--) *to++ = (uint8_t)byte;
  return destination;
}

int memcmp(const void *left, const void *right, size_t n) {
  const uint8_t *a = left, *b = right;
  for (; n; --n, ++a, ++b)
    if (*a != *b) return *a < *b ? -1 : 1;
  return 0;
}

int bcmp(const void *left, const void *right, size_t n) { return memcmp(left, right, n); }

#ifdef __arm__
AEABI void __aeabi_memcpy(void *to, const void *from, size_t n) { memcpy(to, from, n); }
AEABI void __aeabi_memcpy4(void *to, const void *from, size_t n) { memcpy(to, from, n); }
AEABI void __aeabi_memcpy8(void *to, const void *from, size_t n) { memcpy(to, from, n); }
AEABI void __aeabi_memmove(void *to, const void *from, size_t n) { memmove(to, from, n); }
AEABI void __aeabi_memmove4(void *to, const void *from, size_t n) { memmove(to, from, n); }
AEABI void __aeabi_memmove8(void *to, const void *from, size_t n) { memmove(to, from, n); }
AEABI void __aeabi_memset(void *to, size_t n, int byte) { memset(to, byte, n); }
AEABI void __aeabi_memset4(void *to, size_t n, int byte) { memset(to, byte, n); }
AEABI void __aeabi_memset8(void *to, size_t n, int byte) { memset(to, byte, n); }
AEABI void __aeabi_memclr(void *to, size_t n) { memset(to, 0, n); }
AEABI void __aeabi_memclr4(void *to, size_t n) { memset(to, 0, n); }
AEABI void __aeabi_memclr8(void *to, size_t n) { memset(to, 0, n); }
#endif
