// The open dispatches of one call, and how threads share their items.
//
// One thread, the call's own, adds dispatches; any number of seated threads run their items. There is no lock. The
// items of a dispatch are cut into one range a thread. Kernels number their items alike along the tensors that they
// pass on, so that a thread that begins with the range of its own number mostly reads what it wrote itself; then it
// helps others with what is left of theirs. From a range, a thread takes half of what is left at a time, and both of
// its own last two items.
#ifndef CROSSCUT_DEVICES_RING_H
#define CROSSCUT_DEVICES_RING_H

#include "core/internal.h"

#define XCUT_LINE 64  // bytes that CPUs move between caches; no two threads write to the same ones needlessly
#define XCUT_RING 64  // dispatches that may be open at once; at most the bits of xcut_seat.drained
#define XCUT_MAX_RANGES 16
#define XCUT_MAX_AFTER 6

typedef struct xcut_range {
  _Alignas(XCUT_LINE) atomic_uint next;  // first item that nobody has taken
} xcut_range;

typedef struct xcut_task {
  _Alignas(XCUT_LINE) xcut_kernel_fn kernel;
  const void *args;
  uint32_t count, ranges;
  uint32_t after_count;
  xcut_token after[XCUT_MAX_AFTER];
  _Alignas(XCUT_LINE) atomic_uint unfinished;  // items; 0: done
} xcut_task;

// A thread's place at a ring. It looks at no dispatch before `cursor`: all of them are done, and their places in the
// ring may be used again.
typedef struct xcut_seat {
  _Alignas(XCUT_LINE) atomic_uint cursor;  // 0: nobody sits here
  uint64_t drained;                        // bit token % XCUT_RING: this thread found nothing more to take there
  bool idle;                               // found no work when it looked last
  xcut_token left;                         // a dispatch that it left to another thread,
  uint32_t hesitation;                     // so many times
} xcut_seat;

typedef struct xcut_ring {
  _Alignas(XCUT_LINE) atomic_uint last;  // token of the newest dispatch
  xcut_token room;                       // newest token that has a place, as far as the owner knows
  uint32_t seat_count, range_count;
  xcut_seat *seats;    // [seat_count]; the owner sits on the first
  xcut_range *ranges;  // [XCUT_RING][range_count]
  xcut_task tasks[XCUT_RING];
} xcut_ring;

// What a look at the ring came to.
typedef enum xcut_look {
  XCUT_LOOK_VAIN,      // nothing to do at present
  XCUT_LOOK_WORKED,    // ran items
  XCUT_LOOK_COMPLETED  // ran the last items of a dispatch
} xcut_look;

// Bytes of the arrays of a ring for `threads` threads and one that may help; `memory` of xcut_ring_init.
size_t xcut_ring_bytes(uint32_t threads);
void xcut_ring_init(xcut_ring *ring, uint32_t threads, void *memory);

// Empties the ring, whose next dispatch gets the token after `last`, and seats the owner. No other thread may sit.
void xcut_ring_open(xcut_ring *ring, xcut_token last);

// Takes and leaves seat `number`. Taking is allowed while the owner sits.
void xcut_ring_sit(xcut_ring *ring, uint32_t number);
void xcut_ring_rise(xcut_ring *ring, uint32_t number);
bool xcut_ring_others_sit(xcut_ring *ring);

// Whether the work of `token` is done, as the thread on seat `number` may ask.
bool xcut_ring_is_done(xcut_ring *ring, uint32_t number, xcut_token token);

// Whether all dispatches are done, as the owner may ask.
bool xcut_ring_is_empty(xcut_ring *ring);

// How a thread looks. As a rule it leaves to another what that one is better placed for, the first few times that it
// sees it, and runs all items of a dispatch that it can get.
typedef enum xcut_manner {
  XCUT_AS_A_RULE,
  XCUT_EAGER,  // leaves nothing
  XCUT_BRIEF,  // runs a few items only
} xcut_manner;

// Runs items of the first dispatch that has any and may start.
xcut_look xcut_ring_look(xcut_ring *ring, uint32_t number, xcut_manner manner);

// Whether some open dispatch has items for several threads, as far as the thread on seat `number` knows.
bool xcut_ring_has_shared(xcut_ring *ring, uint32_t number);

// For the owner. xcut_ring_add needs room, one item at least, and no more than XCUT_MAX_AFTER tokens in `after`.
bool xcut_ring_has_room(xcut_ring *ring);
xcut_token xcut_ring_add(xcut_ring *ring, xcut_kernel_fn kernel, const void *args, uint32_t count,
                         const xcut_token *after, uint32_t after_count);

#endif  // CROSSCUT_DEVICES_RING_H
