// The hooks of a machine without an operating system (CROSSCUT_PLATFORM=generic). A program defines those that it has;
// each may be left out, and its default is what the comment says. All are called from the thread that called the
// runtime. `self` is always null: these are the entries of xcut_allocator and xcut_platform, linked instead of passed.
#ifndef CROSSCUT_GENERIC_H
#define CROSSCUT_GENERIC_H

#include "crosscut/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XCUT_HOOK __attribute__((weak))

// Memory of xcut_allocator_system(): at least `bytes`, aligned to `alignment` (a power of two, at most 64); null when
// there is none. Both or neither. Default: always null; programs pass an allocator of their own, such as
// xcut_allocator_from_block().
XCUT_HOOK void *xcut_generic_allocate(void *self, size_t bytes, size_t alignment);
XCUT_HOOK void xcut_generic_release(void *self, void *memory);

// Nanoseconds since any moment, never going back. Default: no clock; kernels can not be measured.
XCUT_HOOK uint64_t xcut_generic_clock_ns(void *self);

// Sleeps until the clock shows `deadline_ns` (XCUT_FOREVER: without end), or until an interrupt; may return at any
// time, for it is called again. Only local-task waits. Default: returns at once, so that waiting polls.
XCUT_HOOK void xcut_generic_wait_until(void *self, uint64_t deadline_ns);

// Told of every error before the call that found it returns: a place to print, to set a breakpoint, or never to return
// from. `message` is empty without CROSSCUT_MESSAGES. Default: nothing.
XCUT_HOOK void xcut_generic_fault(xcut_status status, const char *message);

// Makes instructions that were just written visible to the CPU. Default: what the architecture's own instructions can.
XCUT_HOOK void xcut_generic_flush_code(void *self, void *memory, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_GENERIC_H
