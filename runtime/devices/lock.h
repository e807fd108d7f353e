// A mutex of one word over the platform's wait and wake, after "Futexes Are Tricky" (Drepper), mutex 2.
#ifndef CROSSCUT_DEVICES_LOCK_H
#define CROSSCUT_DEVICES_LOCK_H

#include "core/internal.h"

typedef atomic_uint xcut_lock;  // 0 free, 1 taken, 2 taken and waited for

static inline const uint32_t *xcut_word(const atomic_uint *word) { return (const uint32_t *)(const void *)word; }

static inline void xcut_lock_take(const xcut_platform *platform, xcut_lock *lock) {
  unsigned expected = 0;
  if (atomic_compare_exchange_strong_explicit(lock, &expected, 1, memory_order_acquire, memory_order_relaxed)) return;
  for (unsigned i = 0; i < 64; ++i) {  // critical sections are some ten instructions long
    xcut_cpu_relax();
    expected = 0;
    if (atomic_compare_exchange_weak_explicit(lock, &expected, 1, memory_order_acquire, memory_order_relaxed)) return;
  }
  while (atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0) {
    platform->wait(platform->self, xcut_word(lock), 2, XCUT_FOREVER);
  }
}

static inline void xcut_lock_release(const xcut_platform *platform, xcut_lock *lock) {
  if (atomic_exchange_explicit(lock, 0, memory_order_release) == 2) {
    platform->wake(platform->self, xcut_word(lock), 1);
  }
}

#endif  // CROSSCUT_DEVICES_LOCK_H
