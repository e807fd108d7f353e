// What a session does right now. Atomic, where there are threads: two callers must not both find it idle. Without them
// a plain word, since small CPUs have no atomic instructions; an interrupt handler then keeps to sessions of its own.
#ifndef CROSSCUT_CORE_PHASE_H
#define CROSSCUT_CORE_PHASE_H

#include "core/config.h"

#include <stdbool.h>

enum { XCUT_PHASE_IDLE = 0, XCUT_PHASE_CALL = 1, XCUT_PHASE_ASYNC = 2 };

#if XCUT_WITH_THREADS
#include <stdatomic.h>
typedef atomic_uint xcut_phase;

static inline unsigned xcut_phase_get(xcut_phase *phase) { return atomic_load(phase); }
static inline void xcut_phase_set(xcut_phase *phase, unsigned value) { atomic_store(phase, value); }
static inline bool xcut_phase_take(xcut_phase *phase, unsigned value) {
  unsigned idle = XCUT_PHASE_IDLE;
  return atomic_compare_exchange_strong(phase, &idle, value);
}
#else
typedef volatile unsigned xcut_phase;

static inline unsigned xcut_phase_get(xcut_phase *phase) { return *phase; }
static inline void xcut_phase_set(xcut_phase *phase, unsigned value) { *phase = value; }
static inline bool xcut_phase_take(xcut_phase *phase, unsigned value) {
  if (*phase != XCUT_PHASE_IDLE) return false;
  *phase = value;
  return true;
}
#endif

#endif  // CROSSCUT_CORE_PHASE_H
