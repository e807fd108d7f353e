// See ring.h.
#include "devices/ring.h"

#define LOOK_AHEAD 16  // dispatches that have to wait which a thread passes over in search of one that need not
#define HESITATION 8   // times that a thread leaves to another what that one would rather do

// Tokens count up and wrap around; open ones are close together.
static bool is_before(xcut_token a, xcut_token b) { return (int32_t)(a - b) < 0; }
static xcut_task *task_at(xcut_ring *ring, xcut_token token) { return &ring->tasks[token % XCUT_RING]; }
static xcut_range *ranges_at(xcut_ring *ring, xcut_token token) {
  return ring->ranges + (size_t)(token % XCUT_RING) * ring->range_count;
}
static uint64_t bit_of(xcut_token token) { return UINT64_C(1) << token % XCUT_RING; }
static uint32_t range_begin(const xcut_task *task, uint32_t range) {
  return (uint32_t)((uint64_t)task->count * range / task->ranges);
}

size_t xcut_ring_bytes(uint32_t threads) {
  uint32_t ranges = threads < XCUT_MAX_RANGES ? threads : XCUT_MAX_RANGES;
  return ((size_t)threads + 1) * sizeof(xcut_seat) + (size_t)ranges * XCUT_RING * sizeof(xcut_range);
}

void xcut_ring_init(xcut_ring *ring, uint32_t threads, void *memory) {
  ring->seat_count = threads + 1;
  ring->range_count = threads < XCUT_MAX_RANGES ? threads : XCUT_MAX_RANGES;
  ring->seats = memory;
  ring->ranges = (xcut_range *)(void *)(ring->seats + ring->seat_count);
}

static void clear(xcut_seat *seat) {
  seat->drained = 0;
  seat->idle = false;
  seat->left = 0;
}

void xcut_ring_open(xcut_ring *ring, xcut_token last) {
  for (unsigned i = 0; i < XCUT_RING; ++i) atomic_store_explicit(&ring->tasks[i].unfinished, 0, memory_order_relaxed);
  xcut_token first = last + 1 ? last + 1 : last;
  ring->room = last + XCUT_RING;
  atomic_store(&ring->last, last);
  clear(&ring->seats[0]);
  atomic_store(&ring->seats[0].cursor, first);
}

void xcut_ring_sit(xcut_ring *ring, uint32_t number) {
  xcut_seat *seat = &ring->seats[number];
  clear(seat);
  // The owner moves its own cursor before it looks at those of others, and then uses a place again: either it sees this
  // one, or its new cursor is seen here.
  unsigned cursor = atomic_load(&ring->seats[0].cursor), taken;
  do {
    taken = cursor;
    atomic_store(&seat->cursor, taken);
    cursor = atomic_load(&ring->seats[0].cursor);
  } while (cursor != taken);
}

void xcut_ring_rise(xcut_ring *ring, uint32_t number) { atomic_store(&ring->seats[number].cursor, 0); }

bool xcut_ring_others_sit(xcut_ring *ring) {
  for (uint32_t i = 1; i < ring->seat_count; ++i) {
    if (atomic_load(&ring->seats[i].cursor)) return true;
  }
  return false;
}

bool xcut_ring_is_done(xcut_ring *ring, uint32_t number, xcut_token token) {
  xcut_token cursor = atomic_load_explicit(&ring->seats[number].cursor, memory_order_relaxed);
  return token == 0 || is_before(token, cursor) ||
         atomic_load_explicit(&task_at(ring, token)->unfinished, memory_order_acquire) == 0;
}

// Moves the cursor past what is done, and returns it.
static xcut_token advance(xcut_ring *ring, xcut_seat *seat, xcut_token last) {
  xcut_token from = atomic_load_explicit(&seat->cursor, memory_order_relaxed), cursor = from;
  while (!is_before(last, cursor) &&
         atomic_load_explicit(&task_at(ring, cursor)->unfinished, memory_order_acquire) == 0) {
    seat->drained &= ~bit_of(cursor++);
  }
  if (cursor == 0) --cursor;  // that would be nobody's
  if (cursor != from) atomic_store(&seat->cursor, cursor);
  return cursor;
}

static bool may_start(xcut_ring *ring, uint32_t number, const xcut_task *task) {
  for (uint32_t i = 0; i < task->after_count; ++i) {
    if (!xcut_ring_is_done(ring, number, task->after[i])) return false;
  }
  return true;
}

// Whether the range, that nobody has begun, is better left to another thread: to the one with its number, which has the
// data in its cache; or, of a single item, to the one that has just done what came before.
static bool should_leave(const xcut_ring *ring, xcut_token token, uint32_t range, uint32_t number) {
  const xcut_task *task = &ring->tasks[token % XCUT_RING];
  const xcut_seat *seat = &ring->seats[number];
  if (seat->left == token && seat->hesitation >= HESITATION) return false;
  if (task->count == 1) return seat->idle;
  return range != number % task->ranges && atomic_load_explicit(&ring->seats[range].cursor, memory_order_relaxed);
}

// Runs what there is to take; returns how many items that was. `*left`: some were left to others.
static uint32_t work_on(xcut_ring *ring, xcut_token token, uint32_t number, xcut_manner manner, bool *left) {
  xcut_task *task = task_at(ring, token);
  uint32_t items = 0;
  for (uint32_t i = 0; i < task->ranges; ++i) {
    uint32_t range = (number + i) % task->ranges;
    uint32_t begin = range_begin(task, range), end = range_begin(task, range + 1);
    atomic_uint *next = &ranges_at(ring, token)[range].next;
    unsigned at = atomic_load_explicit(next, memory_order_relaxed);
    if (at == begin && manner != XCUT_EAGER && should_leave(ring, token, range, number)) {
      *left = true;
      continue;
    }
    while (at < end) {
      uint32_t rest = end - at;
      // The last two of a thread's own go together: kernels may do less for a run of items than for each of them.
      uint32_t taken = manner == XCUT_BRIEF ? (rest + 7) / 8 : i == 0 && rest == 2 ? 2 : (rest + 1) / 2;
      if (!atomic_compare_exchange_weak_explicit(next, &at, at + taken, memory_order_relaxed, memory_order_relaxed)) {
        continue;
      }
      task->kernel(task->args, at, at + taken);
      items += taken;
      if (manner == XCUT_BRIEF) {
        *left = true;  // perhaps
        return items;
      }
      at = atomic_load_explicit(next, memory_order_relaxed);
    }
  }
  return items;
}

xcut_look xcut_ring_look(xcut_ring *ring, uint32_t number, xcut_manner manner) {
  xcut_seat *seat = &ring->seats[number];
  xcut_token last = atomic_load_explicit(&ring->last, memory_order_acquire);
  unsigned waiting = 0;
  for (xcut_token token = advance(ring, seat, last); !is_before(last, token); ++token) {
    if (seat->drained & bit_of(token)) continue;
    if (!may_start(ring, number, task_at(ring, token))) {
      if (++waiting == LOOK_AHEAD) break;
      continue;
    }
    bool left = false;
    uint32_t items = work_on(ring, token, number, manner, &left);
    if (left) {
      seat->hesitation = seat->left == token ? seat->hesitation + 1 : 1;
      seat->left = token;
    } else {
      seat->drained |= bit_of(token);
    }
    if (items == 0) continue;
    seat->idle = false;
    return atomic_fetch_sub(&task_at(ring, token)->unfinished, items) == items ? XCUT_LOOK_COMPLETED : XCUT_LOOK_WORKED;
  }
  seat->idle = true;
  return XCUT_LOOK_VAIN;
}

bool xcut_ring_is_empty(xcut_ring *ring) {
  xcut_token last = atomic_load_explicit(&ring->last, memory_order_relaxed);
  for (xcut_token token = advance(ring, &ring->seats[0], last); !is_before(last, token); ++token) {
    if (!xcut_ring_is_done(ring, 0, token)) return false;
  }
  return true;
}

bool xcut_ring_has_shared(xcut_ring *ring, uint32_t number) {
  const xcut_seat *seat = &ring->seats[number];
  xcut_token last = atomic_load_explicit(&ring->last, memory_order_acquire);
  for (xcut_token token = atomic_load_explicit(&seat->cursor, memory_order_relaxed); !is_before(last, token); ++token) {
    if (!(seat->drained & bit_of(token)) && task_at(ring, token)->count > 1) return true;
  }
  return false;
}

bool xcut_ring_has_room(xcut_ring *ring) {
  xcut_token token = atomic_load_explicit(&ring->last, memory_order_relaxed) + 1;
  if (token == 0) ++token;
  if (!is_before(ring->room, token)) return true;
  xcut_token oldest = advance(ring, &ring->seats[0], token - 1);
  for (uint32_t i = 1; i < ring->seat_count; ++i) {
    xcut_token cursor = atomic_load(&ring->seats[i].cursor);
    if (cursor && is_before(cursor, oldest)) oldest = cursor;
  }
  ring->room = oldest + XCUT_RING - 1;
  return !is_before(ring->room, token);
}

xcut_token xcut_ring_add(xcut_ring *ring, xcut_kernel_fn kernel, const void *args, uint32_t count,
                         const xcut_token *after, uint32_t after_count) {
  xcut_token token = atomic_load_explicit(&ring->last, memory_order_relaxed) + 1;
  if (token == 0) ++token;  // 0 names no work; its place stays as it is, done
  xcut_task *task = task_at(ring, token);
  task->kernel = kernel;
  task->args = args;
  task->count = count;
  task->ranges = count < ring->range_count ? count : ring->range_count;
  task->after_count = after_count;
  for (uint32_t i = 0; i < after_count; ++i) task->after[i] = after[i];
  for (uint32_t i = 0; i < task->ranges; ++i) {
    atomic_store_explicit(&ranges_at(ring, token)[i].next, range_begin(task, i), memory_order_relaxed);
  }
  atomic_store_explicit(&task->unfinished, count, memory_order_relaxed);
  atomic_store(&ring->last, token);
  return token;
}
