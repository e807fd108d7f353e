// local-task: a pool of threads that run the kernels of all sessions together.
//
// Each call has a ring of dispatches (ring.h). The thread that runs the entry point takes part whenever it waits, and
// so can finish the call alone: no thread of the pool is ever needed for progress. A thread that finds nothing to do
// keeps looking for 50 microseconds, then sleeps on the device's epoch.
#include "devices/lock.h"
#include "devices/ring.h"

#define SPIN_NS UINT64_C(48000)  // the clock is read every few looks only
#define LOOKS_A_CLOCK 32

typedef struct task_run {
  xcut_run base;
  struct task_run *next_active, *next_queued;
  bool queued;         // under the device's lock
  atomic_uint active;  // likewise, where it changes
  atomic_uint closed;  // the entry point has returned: other threads leave
  atomic_uint over;    // the asynchronous call is done
  xcut_ring ring;
} task_run;

typedef struct task_thread {
  struct task_device *device;
  uint32_t seat;  // at the ring of every call
  uintptr_t handle;
} task_thread;

typedef struct task_device {
  xcut_device base;
  xcut_lock lock;  // of the lists below
  uint64_t spin_ns;
  task_run *active;                    // calls whose entry point runs
  task_run *queue_first, *queue_last;  // asynchronous calls not yet begun
  atomic_uint calls;                   // how many the two lists have
  atomic_uint stop;
  uint32_t started;
  _Alignas(XCUT_LINE) atomic_uint epoch;  // counts reasons to wake up
  atomic_uint sleepers;                   // some thread sleeps, or is about to look for the last time
  atomic_uint callers_asleep;             // threads that run entry points, and sleep
  task_thread threads[];
} task_device;

static task_device *device_of(const task_run *run) { return (task_device *)run->base.device; }
static void lock(task_device *d) { xcut_lock_take(d->base.platform, &d->lock); }
static void unlock(task_device *d) { xcut_lock_release(d->base.platform, &d->lock); }
static uint64_t now(const task_device *d) { return d->base.platform->clock_ns(d->base.platform->self); }

// ---- Spinning and sleeping -------------------------------------------------------------------------------------------

// How long a thread has had nothing to do.
typedef struct idleness {
  uint32_t looks;
  bool weary;
  uint64_t since;
} idleness;

// Counts a look in vain; true when the thread should sleep.
static bool is_weary(const task_device *d, idleness *idle) {
  xcut_cpu_relax();
  if (idle->weary || ++idle->looks % LOOKS_A_CLOCK != 0) return idle->weary;
  if (idle->looks == LOOKS_A_CLOCK) idle->since = now(d);
  idle->weary = now(d) - idle->since >= d->spin_ns;
  return idle->weary;
}

// A thread sleeps like this: it reads the epoch, says that it sleeps, looks once more for what it waits for, and calls
// doze(). Whoever makes that come true does so first and then calls wake(): one of the two sees the other.
static unsigned announce_sleep(task_device *d) {
  unsigned epoch = atomic_load(&d->epoch);
  atomic_store(&d->sleepers, 1);
  return epoch;
}

static void doze(task_device *d, unsigned epoch, uint64_t timeout_ns) {
  d->base.platform->wait(d->base.platform->self, xcut_word(&d->epoch), epoch, timeout_ns);
}

static void wake(task_device *d) {
  if (!atomic_load(&d->sleepers) || !atomic_exchange(&d->sleepers, 0)) return;
  atomic_fetch_add(&d->epoch, 1);
  d->base.platform->wake(d->base.platform->self, xcut_word(&d->epoch), UINT32_MAX / 2);
}

// ---- Dispatches ------------------------------------------------------------------------------------------------------

static bool is_closed(task_run *run) { return atomic_load_explicit(&run->closed, memory_order_acquire); }

// Takes part in `run` once. The last look before a sleep is an eager one.
static bool take_part(task_run *run, uint32_t seat, xcut_manner manner) {
  task_device *d = device_of(run);
  xcut_look look = xcut_ring_look(&run->ring, seat, manner);
  if (look == XCUT_LOOK_COMPLETED && atomic_load(&d->sleepers) &&
      (atomic_load(&d->callers_asleep) || xcut_ring_has_shared(&run->ring, seat))) {
    wake(d);
  }
  return look != XCUT_LOOK_VAIN;
}

// Takes part in the thread's own call until `is_over`.
static void work_until(task_run *run, bool (*is_over)(task_run *run, xcut_token token), xcut_token token) {
  task_device *d = device_of(run);
  idleness idle = {0};
  while (!is_over(run, token)) {
    if (take_part(run, 0, XCUT_AS_A_RULE)) {
      idle = (idleness){0};
    } else if (is_weary(d, &idle)) {
      atomic_fetch_add(&d->callers_asleep, 1);
      unsigned epoch = announce_sleep(d);
      if (!is_over(run, token) && !take_part(run, 0, XCUT_EAGER)) doze(d, epoch, XCUT_FOREVER);
      atomic_fetch_sub(&d->callers_asleep, 1);
      idle = (idleness){0};
    }
  }
}

static bool is_done(task_run *run, xcut_token token) { return xcut_ring_is_done(&run->ring, 0, token); }

static bool has_room(task_run *run, xcut_token token) {
  (void)token;
  return xcut_ring_has_room(&run->ring);
}

static void wait_token(xcut_env *env, xcut_token token) {
  task_run *run = (task_run *)(void *)env;
  if (device_of(run)->base.threads > 1) work_until(run, is_done, token);
}

static void no_kernel(const void *args, uint32_t begin, uint32_t end) { (void)args, (void)begin, (void)end; }

static xcut_token dispatch(xcut_env *env, xcut_kernel_fn kernel, const void *args, uint32_t count,
                           const xcut_token *after, uint32_t after_count) {
  task_run *run = (task_run *)(void *)env;
  task_device *d = device_of(run);
  if (d->base.threads == 1) {
    kernel(args, 0, count);  // earlier work is done: all of it ran here
    return 0;
  }
  xcut_token pending[XCUT_MAX_AFTER];
  uint32_t pending_count = 0;
  for (uint32_t i = 0; i < after_count; ++i) {
    if (is_done(run, after[i])) continue;
    if (pending_count < XCUT_MAX_AFTER) pending[pending_count++] = after[i];
    else wait_token(env, after[i]);
  }
  if (pending_count == 0 && count <= 1) {  // nobody else is needed
    kernel(args, 0, count);
    return 0;
  }
  if (count == 0) {  // waiting for nothing after something is waiting for that
    if (pending_count == 1) return pending[0];
    kernel = no_kernel;
    count = 1;
  }
  if (!xcut_ring_has_room(&run->ring)) work_until(run, has_room, 0);
  xcut_token token = xcut_ring_add(&run->ring, kernel, args, count, pending, pending_count);
  if (count > 1) wake(d);
  return token;
}

// ---- Calls -----------------------------------------------------------------------------------------------------------

static void begin_call(task_run *run) {
  task_device *d = device_of(run);
  xcut_ring_open(&run->ring, 0);
  atomic_store(&run->closed, 0);
  lock(d);
  atomic_store(&run->active, 1);
  run->next_active = d->active;
  d->active = run;
  atomic_fetch_add(&d->calls, 1);
  unlock(d);
}

static bool is_empty(task_run *run, xcut_token token) {
  (void)token;
  return xcut_ring_is_empty(&run->ring);
}

static bool is_left(task_run *run, xcut_token token) {
  (void)token;
  return !xcut_ring_others_sit(&run->ring);
}

// Ends a call: nothing of it may be seen by other threads afterwards.
static void end_call(task_run *run) {
  task_device *d = device_of(run);
  work_until(run, is_empty, 0);
  atomic_store(&run->closed, 1);
  work_until(run, is_left, 0);
  lock(d);
  task_run **link = &d->active;
  while (*link != run) link = &(*link)->next_active;
  *link = run->next_active;
  atomic_store(&run->active, 0);
  atomic_fetch_sub(&d->calls, 1);
  unlock(d);
}

static void task_invoke(xcut_run *base) {
  task_run *run = (task_run *)(void *)base;
  if (device_of(run)->base.threads == 1) {
    xcut_session_execute(base->session);
    return;
  }
  begin_call(run);
  xcut_session_execute(base->session);
  end_call(run);
}

// Runs an asynchronous call in this thread. Once `over` is seen, the session may be gone.
static void run_queued(task_run *run) {
  task_device *d = device_of(run);
  task_invoke(&run->base);
  lock(d);
  atomic_store(&run->over, 1);
  unlock(d);
  wake(d);
}

static void task_start(xcut_run *base) {
  task_run *run = (task_run *)(void *)base;
  task_device *d = device_of(run);
  lock(d);
  atomic_store(&run->over, 0);
  run->queued = true;
  run->next_queued = NULL;
  if (d->queue_last) {
    d->queue_last->next_queued = run;
  } else {
    d->queue_first = run;
  }
  d->queue_last = run;
  atomic_fetch_add(&d->calls, 1);
  unlock(d);
  wake(d);
}

// Takes `run`, or the first call if that is null, from the queue. Under the lock.
static task_run *unqueue(task_device *d, task_run *run) {
  task_run *previous = NULL, *found = d->queue_first;
  while (found && run && found != run) {
    previous = found;
    found = found->next_queued;
  }
  if (!found) return NULL;
  if (previous) {
    previous->next_queued = found->next_queued;
  } else {
    d->queue_first = found->next_queued;
  }
  if (d->queue_last == found) d->queue_last = previous;
  found->queued = false;
  atomic_fetch_sub(&d->calls, 1);
  return found;
}

// ---- Helping in calls of other threads -------------------------------------------------------------------------------

// Afterwards the run may be gone. A caller that ends the call may sleep until this seat is free.
static void rise(task_run *run, uint32_t seat) {
  task_device *d = device_of(run);
  xcut_ring_rise(&run->ring, seat);
  if (atomic_load(&d->callers_asleep)) wake(d);
}

// Seats this thread at `run`. Under the lock, which keeps the run where it is until the thread has left its seat.
static bool sit(task_run *run, uint32_t seat) {
  if (!atomic_load(&run->active)) return false;
  xcut_ring_sit(&run->ring, seat);
  if (!is_closed(run)) return true;
  rise(run, seat);
  return false;
}

// Takes part in `run`, where this thread sits, until the call ends, the thread is weary or `until` passes; not for long
// without work where there are other calls to look after. Returns whether it did anything.
static bool help(task_run *run, uint32_t seat, idleness *idle, uint64_t until) {
  task_device *d = device_of(run);
  bool helped = false;
  for (uint32_t vain = 0; !is_closed(run);) {
    xcut_manner manner = until != XCUT_FOREVER ? XCUT_BRIEF : idle->weary ? XCUT_EAGER : XCUT_AS_A_RULE;
    if (take_part(run, seat, manner)) {
      helped = true;
      vain = 0;
      *idle = (idleness){0};
      if (until != XCUT_FOREVER && now(d) >= until) break;
    } else if (is_weary(d, idle) || (++vain >= LOOKS_A_CLOCK && atomic_load(&d->calls) > 1)) {
      break;
    }
  }
  return helped;
}

static bool sit_and_help(task_run *run, uint32_t seat, idleness *idle, uint64_t until) {
  task_device *d = device_of(run);
  lock(d);
  bool seated = sit(run, seat);
  unlock(d);
  if (!seated) return false;
  bool helped = help(run, seat, idle, until);
  rise(run, seat);
  return helped;
}

// Waits for an asynchronous call, helping with it once it runs.
static bool task_wait(xcut_run *base, uint64_t timeout_ns) {
  task_run *run = (task_run *)(void *)base;
  task_device *d = device_of(run);
  uint64_t until = XCUT_FOREVER;
  if (timeout_ns == XCUT_FOREVER) {
    lock(d);
    bool mine = run->queued && unqueue(d, run);
    unlock(d);
    if (mine) {
      run_queued(run);
      return true;
    }
  } else if (timeout_ns < XCUT_FOREVER - now(d)) {
    until = now(d) + timeout_ns;
  }
  uint32_t seat = d->base.threads;
  uint64_t saved = xcut_float_enter();
  idleness idle = {0};
  while (!atomic_load(&run->over) && (until == XCUT_FOREVER || now(d) < until)) {
    if (atomic_load(&run->active) && sit_and_help(run, seat, &idle, until)) continue;
    if (!is_weary(d, &idle)) continue;
    atomic_fetch_add(&d->callers_asleep, 1);
    unsigned epoch = announce_sleep(d);
    uint64_t start = until == XCUT_FOREVER ? 0 : now(d);
    if (!atomic_load(&run->over) && start < until && !sit_and_help(run, seat, &idle, until)) {
      doze(d, epoch, until == XCUT_FOREVER ? XCUT_FOREVER : until - start);
    }
    atomic_fetch_sub(&d->callers_asleep, 1);
    idle = (idleness){0};
  }
  xcut_float_leave(saved);
  if (!atomic_load(&run->over)) return false;
  lock(d);  // the thread that ended the call has let go of it
  unlock(d);
  return true;
}

// ---- The pool --------------------------------------------------------------------------------------------------------

// Takes the seat of the n-th of the running calls; null when there is none, or no seat there.
static task_run *sit_at(task_device *d, uint32_t n, uint32_t seat, bool *more) {
  lock(d);
  task_run *run = d->active;
  while (run && n-- > 0) run = run->next_active;
  *more = run != NULL;
  if (run && !sit(run, seat)) run = NULL;
  unlock(d);
  return run;
}

// Helps with the running calls, or else begins one that is queued. Returns whether there was anything to do.
static bool look_around(task_device *d, uint32_t seat, idleness *idle) {
  if (atomic_load(&d->calls) == 0) return false;
  bool more = true;
  for (uint32_t n = 0; more; ++n) {
    task_run *run = sit_at(d, n, seat, &more);
    if (!run) continue;
    bool helped = help(run, seat, idle, XCUT_FOREVER);
    rise(run, seat);
    if (helped) return true;
  }
  lock(d);
  task_run *queued = unqueue(d, NULL);
  unlock(d);
  if (!queued) return false;
  run_queued(queued);
  *idle = (idleness){0};
  return true;
}

static void *pool_thread(void *argument) {
  task_thread *self = argument;
  task_device *d = self->device;
  xcut_float_enter();
  idleness idle = {0};
  for (;;) {
    if (look_around(d, self->seat, &idle)) continue;
    if (atomic_load(&d->stop)) return NULL;
    if (!is_weary(d, &idle)) continue;
    unsigned epoch = announce_sleep(d);
    if (!look_around(d, self->seat, &idle) && !atomic_load(&d->stop)) doze(d, epoch, XCUT_FOREVER);
    idle = (idleness){0};
  }
}

static size_t task_run_bytes(const xcut_device *device) { return sizeof(task_run) + xcut_ring_bytes(device->threads); }

static void task_run_begin(xcut_run *base) {
  task_run *run = (task_run *)(void *)base;
  base->env.dispatch = dispatch;
  base->env.wait = wait_token;
  xcut_ring_init(&run->ring, base->device->threads, run + 1);
}

static void task_destroy(xcut_device *base) {
  task_device *d = (task_device *)base;
  const xcut_platform *platform = base->platform;
  atomic_store(&d->stop, 1);
  atomic_fetch_add(&d->epoch, 1);
  platform->wake(platform->self, xcut_word(&d->epoch), UINT32_MAX / 2);
  for (uint32_t i = 0; i < d->started; ++i) platform->thread_join(platform->self, d->threads[i].handle);
  base->allocator.release(base->allocator.self, d);
}

static const xcut_device_ops kTaskOps = {
    .run_bytes = task_run_bytes,
    .run_begin = task_run_begin,
    .invoke = task_invoke,
    .start = task_start,
    .wait = task_wait,
    .destroy = task_destroy,
};

xcut_status xcut_device_create_task(const xcut_device_options *options, xcut_device **out, xcut_error *error) {
  const xcut_platform *platform = options->platform;
  if (!platform->thread_start || !platform->thread_join || !platform->wait || !platform->wake || !platform->clock_ns ||
      !platform->cpu_count) {
    return xcut_fail(error, XCUT_E_UNSUPPORTED, "local-task needs a platform with threads and a clock");
  }
  uint32_t cpus = platform->cpu_count(platform->self);
  uint32_t threads = options->threads;
  if (threads == 0) threads = cpus < XCUT_MAX_THREADS ? cpus : XCUT_MAX_THREADS;
  if (threads == 0) threads = 1;
  if (threads > XCUT_MAX_THREADS) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "%u threads asked for, at most %d are possible", threads,
                     XCUT_MAX_THREADS);
  }
  uint32_t pool = threads > 1 ? threads - 1 : 1;
  size_t bytes = sizeof(task_device) + pool * sizeof(task_thread);
  task_device *d = options->allocator.allocate(options->allocator.self, bytes, 64);
  if (!d) return xcut_fail(error, XCUT_E_MEMORY, "no memory for a device");
  memset(d, 0, bytes);
  d->base = (xcut_device){&kTaskOps, "local-task", options->allocator, platform, threads};
  d->spin_ns = threads > cpus ? 0 : SPIN_NS;  // never in the way of a thread that has work
  for (uint32_t i = 0; i < pool; ++i) {
    int cpu = options->cpus && options->cpu_count ? (int)options->cpus[i % options->cpu_count] : -1;
    task_thread *thread = &d->threads[i];
    thread->device = d;
    thread->seat = i + 1;
    if (!platform->thread_start(platform->self, pool_thread, thread, cpu, &thread->handle)) {
      d->started = i;
      task_destroy(&d->base);
      return xcut_fail(error, XCUT_E_MEMORY, "thread %u of %u cannot be started", i + 1, pool);
    }
  }
  d->started = pool;
  *out = &d->base;
  return XCUT_OK;
}
