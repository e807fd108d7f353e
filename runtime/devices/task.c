// local-task: a pool of threads that run the kernels of all sessions together.
//
// Each call has a ring of dispatches. A thread takes part in a dispatch by claiming chunks of its items with one
// atomic operation each. The thread that runs the entry point takes part whenever it waits, and so can finish the call
// alone: no thread of the pool is ever needed for progress. Idle threads watch one counter for 50 microseconds, then
// sleep on it.
#include "devices/lock.h"

#define SPIN_NS UINT64_C(50000)
#define RING 64  // dispatches of a call that may be open at once; a power of two

typedef struct task {
  xcut_kernel_fn kernel;
  const void *args;
  uint32_t count, chunk;
  xcut_token token, after;
  atomic_uint claimed;   // items that some thread has taken
  atomic_uint finished;  // items that are done
  atomic_uint done;
  atomic_uint users;  // threads that may still look at this record
} task;

typedef struct task_run {
  xcut_run base;
  struct task_run *next_active, *next_queued;
  xcut_token oldest, last;  // open dispatches are among oldest ... last; oldest is last + 1 when there are none
  atomic_uint progress;     // counts finished dispatches; what waiters watch
  atomic_uint waiters;      // threads asleep on it
  atomic_uint over;         // the asynchronous call is done
  bool queued;
  task tasks[RING];
} task_run;

typedef struct task_device {
  xcut_device base;
  xcut_lock lock;     // of the lists below, and of every run's ring
  atomic_uint epoch;  // counts reasons to look for work
  atomic_uint sleepers;
  atomic_uint stop;
  uint64_t spin_ns;
  task_run *active;                    // calls whose entry point runs
  task_run *queue_first, *queue_last;  // asynchronous calls not yet begun
  uint32_t started;
  uintptr_t threads[];
} task_device;

static task_device *device_of(const task_run *run) { return (task_device *)run->base.device; }
static void lock(task_device *d) { xcut_lock_take(d->base.platform, &d->lock); }
static void unlock(task_device *d) { xcut_lock_release(d->base.platform, &d->lock); }
static uint64_t now(const task_device *d) { return d->base.platform->clock_ns(d->base.platform->self); }

// Watches `word` until it differs from `value` or the clock passes `until`; false then.
static bool spin(const task_device *d, atomic_uint *word, unsigned value, uint64_t until) {
  do {
    for (unsigned i = 0; i < 32; ++i) {
      if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
      xcut_cpu_relax();
    }
  } while (now(d) < until);
  return false;
}

// ---- Dispatches ------------------------------------------------------------------------------------------------------

// Whether the work of `token` is done. A slot that now holds another token had its work done long ago.
static bool is_done(task_run *run, xcut_token token) {
  task *t = &run->tasks[token % RING];
  return token == 0 || t->token != token || atomic_load_explicit(&t->done, memory_order_acquire);
}

static void announce_work(task_device *d) {
  atomic_fetch_add(&d->epoch, 1);
  if (atomic_load(&d->sleepers) > 0) {
    d->base.platform->wake(d->base.platform->self, xcut_word(&d->epoch), d->started);
  }
}

// Finds a dispatch of `run` that has unclaimed items and may start. Under the lock; the caller becomes a user.
static task *find_in_run(task_run *run) {
  while (run->oldest != run->last + 1 && is_done(run, run->oldest)) ++run->oldest;
  for (xcut_token token = run->oldest; token != run->last + 1; ++token) {
    task *t = &run->tasks[token % RING];
    if (token == 0 || t->token != token) continue;
    if (atomic_load_explicit(&t->claimed, memory_order_relaxed) >= t->count || !is_done(run, t->after)) continue;
    atomic_fetch_add_explicit(&t->users, 1, memory_order_relaxed);
    return t;
  }
  return NULL;
}

static void complete(task_run *run, task *t) {
  task_device *d = device_of(run);
  bool followers = false;
  lock(d);
  atomic_store_explicit(&t->done, 1, memory_order_release);
  for (xcut_token token = t->token + 1; token != run->last + 1; ++token) {
    if (token != 0 && run->tasks[token % RING].after == t->token) followers = true;
  }
  atomic_fetch_add(&run->progress, 1);
  unlock(d);
  if (atomic_load(&run->waiters) > 0) {
    d->base.platform->wake(d->base.platform->self, xcut_word(&run->progress), UINT32_MAX / 2);
  }
  if (followers) announce_work(d);
}

// Runs chunks of `t` until all are claimed; then the caller is a user no longer.
static void work_on(task_run *run, task *t) {
  unsigned begin = atomic_load_explicit(&t->claimed, memory_order_relaxed);
  while (begin < t->count) {
    unsigned items = t->count - begin < t->chunk ? t->count - begin : t->chunk;
    if (!atomic_compare_exchange_weak_explicit(&t->claimed, &begin, begin + items, memory_order_relaxed,
                                               memory_order_relaxed)) {
      continue;
    }
    t->kernel(t->args, begin, begin + items);
    if (atomic_fetch_add_explicit(&t->finished, items, memory_order_acq_rel) + items == t->count) complete(run, t);
    begin = atomic_load_explicit(&t->claimed, memory_order_relaxed);
  }
  atomic_fetch_sub_explicit(&t->users, 1, memory_order_release);
}

// Takes part in `run` once, or waits until something happens; false when `until` passed first.
static bool take_part(task_run *run, unsigned progress, uint64_t until) {
  task_device *d = device_of(run);
  lock(d);
  task *t = find_in_run(run);
  unlock(d);
  if (t) {
    work_on(run, t);
    return until == XCUT_FOREVER || now(d) < until;
  }
  uint64_t start = now(d);
  if (start >= until) return false;
  uint64_t spin_end = until - start < d->spin_ns ? until : start + d->spin_ns;
  if (spin(d, &run->progress, progress, spin_end)) return true;
  start = now(d);
  if (start >= until) return false;
  atomic_fetch_add(&run->waiters, 1);
  d->base.platform->wait(d->base.platform->self, xcut_word(&run->progress), progress,
                         until == XCUT_FOREVER ? XCUT_FOREVER : until - start);
  atomic_fetch_sub(&run->waiters, 1);
  return true;
}

static void wait_token(xcut_env *env, xcut_token token) {
  task_run *run = (task_run *)(void *)env;
  for (;;) {
    unsigned progress = atomic_load(&run->progress);
    if (is_done(run, token)) return;
    take_part(run, progress, XCUT_FOREVER);
  }
}

static xcut_token dispatch(xcut_env *env, xcut_kernel_fn kernel, const void *args, uint32_t count, xcut_token after) {
  task_run *run = (task_run *)(void *)env;
  task_device *d = device_of(run);
  if (count == 0) return after;  // waiting for nothing after `after` is waiting for `after`
  if (d->base.threads == 1) {
    kernel(args, 0, count);  // earlier work is done: all of it ran here
    return 0;
  }
  xcut_token token = run->last + 1 == 0 ? 1 : run->last + 1;
  task *t = &run->tasks[token % RING];
  if (t->token) wait_token(env, t->token);
  while (atomic_load_explicit(&t->users, memory_order_acquire) > 0) xcut_cpu_relax();
  uint32_t chunk = count / (d->base.threads * 4);
  lock(d);
  t->kernel = kernel;
  t->args = args;
  t->count = count;
  t->chunk = chunk ? chunk : 1;
  t->token = token;
  t->after = after;
  atomic_store_explicit(&t->claimed, 0, memory_order_relaxed);
  atomic_store_explicit(&t->finished, 0, memory_order_relaxed);
  atomic_store_explicit(&t->done, 0, memory_order_relaxed);
  run->last = token;
  unlock(d);
  announce_work(d);
  return token;
}

// ---- Calls -----------------------------------------------------------------------------------------------------------

static void begin_call(task_run *run) {
  task_device *d = device_of(run);
  lock(d);
  for (unsigned i = 0; i < RING; ++i) run->tasks[i].token = 0;
  run->oldest = 1;
  run->last = 0;
  run->next_active = d->active;
  d->active = run;
  unlock(d);
}

// Ends a call: nothing of it may be seen by other threads afterwards.
static void end_call(task_run *run) {
  task_device *d = device_of(run);
  for (unsigned i = 0; i < RING; ++i) wait_token(&run->base.env, run->tasks[i].token);
  lock(d);
  task_run **link = &d->active;
  while (*link != run) link = &(*link)->next_active;
  *link = run->next_active;
  unlock(d);
  for (unsigned i = 0; i < RING; ++i) {
    while (atomic_load_explicit(&run->tasks[i].users, memory_order_acquire) > 0) xcut_cpu_relax();
  }
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

// Runs an asynchronous call in this thread. Once `over` is seen, the session may be gone: only its address is used
// after the lock is released.
static void run_queued(task_run *run) {
  task_device *d = device_of(run);
  const xcut_platform *platform = d->base.platform;
  task_invoke(&run->base);
  lock(d);
  atomic_store(&run->over, 1);
  atomic_fetch_add(&run->progress, 1);
  const uint32_t *word = xcut_word(&run->progress);
  unlock(d);
  platform->wake(platform->self, word, UINT32_MAX / 2);
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
  unlock(d);
  announce_work(d);
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
  return found;
}

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
  uint64_t saved = xcut_float_enter();
  bool over;
  for (bool in_time = true;;) {
    unsigned progress = atomic_load(&run->progress);
    over = atomic_load(&run->over) != 0;
    if (over || !in_time) break;
    in_time = timeout_ns != 0 && take_part(run, progress, until);
  }
  xcut_float_leave(saved);
  if (over) {
    lock(d);  // the thread that ended the call has let go of it
    unlock(d);
  }
  return over;
}

// ---- The pool --------------------------------------------------------------------------------------------------------

// Finds a dispatch to take part in, or else a call to run. With one thread, kernels belong to the calling threads.
static bool do_something(task_device *d) {
  task *t = NULL;
  task_run *run;
  lock(d);
  for (run = d->active; run && d->base.threads > 1; run = run->next_active) {
    t = find_in_run(run);
    if (t) break;
  }
  if (!t) run = unqueue(d, NULL);
  unlock(d);
  if (t) {
    work_on(run, t);
  } else if (run) {
    run_queued(run);
  }
  return t || run;
}

static void *pool_thread(void *argument) {
  task_device *d = argument;
  xcut_float_enter();
  uint64_t idle_since = now(d);
  for (;;) {
    unsigned epoch = atomic_load(&d->epoch);
    if (do_something(d)) {
      idle_since = now(d);
      continue;
    }
    if (atomic_load(&d->stop)) return NULL;
    if (spin(d, &d->epoch, epoch, idle_since + d->spin_ns)) continue;
    atomic_fetch_add(&d->sleepers, 1);
    d->base.platform->wait(d->base.platform->self, xcut_word(&d->epoch), epoch, XCUT_FOREVER);
    atomic_fetch_sub(&d->sleepers, 1);
  }
}

static void task_run_begin(xcut_run *base) {
  base->env.dispatch = dispatch;
  base->env.wait = wait_token;
}

static void task_destroy(xcut_device *base) {
  task_device *d = (task_device *)base;
  const xcut_platform *platform = base->platform;
  atomic_store(&d->stop, 1);
  atomic_fetch_add(&d->epoch, 1);
  platform->wake(platform->self, xcut_word(&d->epoch), UINT32_MAX / 2);
  for (uint32_t i = 0; i < d->started; ++i) platform->thread_join(platform->self, d->threads[i]);
  base->allocator.release(base->allocator.self, d);
}

static const xcut_device_ops kTaskOps = {
    .run_bytes = sizeof(task_run),
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
  size_t bytes = sizeof(task_device) + pool * sizeof(uintptr_t);
  task_device *d = options->allocator.allocate(options->allocator.self, bytes, 64);
  if (!d) return xcut_fail(error, XCUT_E_MEMORY, "no memory for a device");
  memset(d, 0, bytes);
  d->base = (xcut_device){&kTaskOps, "local-task", options->allocator, platform, threads};
  d->spin_ns = threads > cpus ? 0 : SPIN_NS;  // never in the way of a thread that has work
  for (uint32_t i = 0; i < pool; ++i) {
    int cpu = options->cpus && options->cpu_count ? (int)options->cpus[i % options->cpu_count] : -1;
    if (!platform->thread_start(platform->self, pool_thread, d, cpu, &d->threads[i])) {
      d->started = i;
      task_destroy(&d->base);
      return xcut_fail(error, XCUT_E_MEMORY, "thread %u of %u cannot be started", i + 1, pool);
    }
  }
  d->started = pool;
  *out = &d->base;
  return XCUT_OK;
}
