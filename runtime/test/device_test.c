// Tests of local-task: order, concurrency, asynchronous calls and time-outs.
#include <pthread.h>

#include "test/call.h"

#define CHAINS 512

static uint64_t now_ns(void) {
  const xcut_platform *platform = xcut_platform_default();
  return platform->clock_ns(platform->self);
}

// The same as the fixture's "chain", written down straight.
static void chain_reference(int32_t steps, int32_t *y) {
  int32_t other[CHAINS];
  for (uint32_t i = 0; i < CHAINS; ++i) y[i] = (int32_t)i;
  for (int32_t s = 0; s < steps; ++s) {
    memcpy(other, y, sizeof other);
    for (uint32_t c = 0; c < 2; ++c) {
      for (uint32_t i = 0; i < 256; ++i) {
        uint32_t from = (uint32_t)other[c * 256 + (i * 7 + 3) % 256];
        y[c * 256 + i] = (int32_t)(from * 3u + (uint32_t)(s + (int32_t)c * 1000) + i);
      }
    }
  }
}

static bool chain_is_right(xcut_session *session, int32_t steps) {
  int32_t y[CHAINS], expected[CHAINS];
  xcut_value in = vector_of(&steps, XCUT_TYPE_I32, 1), out = {.data = y, .bytes = sizeof y};
  xcut_error error;
  if (xcut_invoke(session, &in, 1, &out, 1, &error)) return false;
  chain_reference(steps, expected);
  return memcmp(y, expected, sizeof y) == 0;
}

static void work_runs_after_what_it_is_ordered_after(void) {
  for (uint32_t threads = 1; threads <= 8; ++threads) {
    xcut_device *device = open_device("local-task", threads);
    CHECK_INT(xcut_device_threads(device), threads);
    xcut_session *session = open_session("chain", device, xcut_allocator_system());
    static const int32_t steps[] = {0, 1, 2, 31, 32, 33, 200};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i) CHECK(chain_is_right(session, steps[i]));
    xcut_session_destroy(session);
    xcut_device_destroy(device);
  }
}

// The same as the fixture's "fan", written down straight.
static void fan_reference(int32_t rounds, int32_t *y) {
  static int32_t branches[9][64];
  for (uint32_t i = 0; i < 64; ++i) y[i] = (int32_t)i;
  for (int32_t r = 0; r < rounds; ++r) {
    for (uint32_t b = 0; b < 9; ++b) {
      for (uint32_t i = 0; i < 64; ++i) {
        branches[b][i] = (int32_t)((uint32_t)y[(i * 5 + 7) % 64] * 5u + ((uint32_t)r + b) * i);
      }
    }
    for (uint32_t i = 0; i < 64; ++i) {
      uint32_t sum = 0;
      for (uint32_t b = 0; b < 9; ++b) sum = sum * 31u + (uint32_t)branches[b][(i + b) % 64];
      y[i] = (int32_t)sum;
    }
  }
}

static void branches_overlap_and_joins_wait_for_all_of_them(void) {
  static const uint32_t threads[] = {1, 2, 3, 7, 20};
  static const int32_t rounds[] = {0, 1, 2, 6, 7, 50};
  for (size_t t = 0; t < sizeof threads / sizeof *threads; ++t) {
    xcut_device *device = open_device("local-task", threads[t]);
    xcut_session *session = open_session("fan", device, xcut_allocator_system());
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; ++i) {
      int32_t count = rounds[i], y[64], expected[64];
      xcut_value in = vector_of(&count, XCUT_TYPE_I32, 1), out = {.data = y, .bytes = sizeof y};
      xcut_error error;
      fan_reference(count, expected);
      for (int again = 0; again < 20; ++again) {
        CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
        CHECK(memcmp(y, expected, sizeof y) == 0);
      }
    }
    xcut_session_destroy(session);
    xcut_device_destroy(device);
  }
}

static void dynamic_shapes_run_on_any_number_of_threads(void) {
  for (uint32_t threads = 1; threads <= 8; ++threads) {
    xcut_device *device = open_device("local-task", threads);
    xcut_session *session = open_session("dynamic", device, xcut_allocator_system());
    for (int64_t rows = 0; rows < 100; rows = rows * 3 + 1) {
      static float x[400], y[400];
      for (int i = 0; i < 400; ++i) x[i] = (float)i, y[i] = -1;
      xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {rows, 4}}, out = {.data = y, .bytes = sizeof y};
      xcut_error error;
      CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
      for (int i = 0; i < 400; ++i) CHECK(y[i] == (i < rows * 4 ? 2 * x[i] + 1 : -1));
    }
    xcut_session_destroy(session);
    xcut_device_destroy(device);
  }
}

typedef struct caller {
  xcut_device *device;
  unsigned wrong;
  bool asynchronous;
} caller;

static void *call_often(void *argument) {
  caller *c = argument;
  xcut_session *session = open_session("chain", c->device, xcut_allocator_system());
  for (int32_t i = 0; i < 40; ++i) {
    if (!c->asynchronous) {
      c->wrong += !chain_is_right(session, i);
      continue;
    }
    int32_t y[CHAINS], expected[CHAINS];
    xcut_value in = vector_of(&i, XCUT_TYPE_I32, 1), out = {.data = y, .bytes = sizeof y};
    if (xcut_invoke_async(session, &in, 1, &out, 1, NULL)) ++c->wrong;
    xcut_status status;
    do {
      status = xcut_wait(session, i % 3 == 0 ? XCUT_FOREVER : i % 3 == 1 ? 1000 : 1000000, NULL);
    } while (status == XCUT_E_TIMEOUT);
    if (status) ++c->wrong;
    chain_reference(i, expected);
    c->wrong += memcmp(y, expected, sizeof y) != 0;
  }
  xcut_session_destroy(session);
  return NULL;
}

static void concurrent_calls_do_not_disturb_each_other(void) {
  for (uint32_t threads = 1; threads <= 4; threads += 1) {
    xcut_device *device = open_device("local-task", threads);
    pthread_t ids[4];
    caller callers[4];
    for (int i = 0; i < 4; ++i) {
      callers[i] = (caller){device, 0, i % 2 == 1};
      REQUIRE(pthread_create(&ids[i], NULL, call_often, &callers[i]) == 0);
    }
    for (int i = 0; i < 4; ++i) {
      pthread_join(ids[i], NULL);
      CHECK_INT(callers[i].wrong, 0);
    }
    xcut_device_destroy(device);
  }
}

static void waiting_times_out_and_then_succeeds(void) {
  for (uint32_t threads = 1; threads <= 3; ++threads) {
    xcut_device *device = open_device("local-task", threads);
    xcut_session *session = open_session("busy", device, xcut_allocator_system());
    int32_t rounds = 20000, y = 0;
    xcut_value in = vector_of(&rounds, XCUT_TYPE_I32, 1), out = {.data = &y, .bytes = sizeof y};
    xcut_error error;
    CHECK_INT(xcut_invoke_async(session, &in, 1, &out, 1, &error), XCUT_OK);
    CHECK_INT(xcut_wait(session, 0, &error), XCUT_E_TIMEOUT);
    CHECK_CONTAINS(error.message, "not done yet");
    CHECK_INT(xcut_wait(session, 1000, &error), XCUT_E_TIMEOUT);
    CHECK_INT(xcut_wait(session, XCUT_FOREVER - 1, &error), XCUT_OK);
    CHECK_INT(y, 42);
    xcut_session_destroy(session);
    xcut_device_destroy(device);
  }
}

static void a_call_finishes_without_being_waited_for(void) {
  xcut_device *device = open_device("local-task", 2);
  xcut_session *session = open_session("busy", device, xcut_allocator_system());
  int32_t rounds = 10, y = 0;
  xcut_value in = vector_of(&rounds, XCUT_TYPE_I32, 1), out = {.data = &y, .bytes = sizeof y};
  CHECK_INT(xcut_invoke_async(session, &in, 1, &out, 1, NULL), XCUT_OK);
  uint64_t start = now_ns();
  xcut_status status;
  do {
    status = xcut_wait(session, 0, NULL);  // only looks
  } while (status == XCUT_E_TIMEOUT && now_ns() - start < 60000000000u);
  CHECK_INT(status, XCUT_OK);
  CHECK_INT(y, 42);
  xcut_session_destroy(session);
  xcut_device_destroy(device);
}

static void many_calls_queue_on_one_thread(void) {
  xcut_device *device = open_device("local-task", 1);
  enum { kCalls = 20 };
  xcut_session *sessions[kCalls];
  static int32_t y[kCalls][CHAINS];
  int32_t steps[kCalls], expected[CHAINS];
  xcut_value outs[kCalls];
  for (int i = 0; i < kCalls; ++i) {
    steps[i] = i;
    sessions[i] = open_session("chain", device, xcut_allocator_system());
    xcut_value in = vector_of(&steps[i], XCUT_TYPE_I32, 1);
    outs[i] = (xcut_value){.data = y[i], .bytes = sizeof y[i]};
    CHECK_INT(xcut_invoke_async(sessions[i], &in, 1, &outs[i], 1, NULL), XCUT_OK);
  }
  for (int i = kCalls; i-- > 0;) {
    CHECK_INT(xcut_wait(sessions[i], XCUT_FOREVER, NULL), XCUT_OK);
    chain_reference(i, expected);
    CHECK(memcmp(y[i], expected, sizeof expected) == 0);
    xcut_session_destroy(sessions[i]);
  }
  xcut_device_destroy(device);
}

static void errors_of_asynchronous_calls_come_back(void) {
  xcut_device *device = open_device("local-task", 2);
  xcut_session *session = open_session("chain", device, xcut_allocator_system());
  int32_t steps = -7, y[CHAINS];
  xcut_value in = vector_of(&steps, XCUT_TYPE_I32, 1), out = {.data = y, .bytes = sizeof y};
  xcut_error error;
  CHECK_INT(xcut_invoke_async(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(xcut_wait(session, XCUT_FOREVER, &error), XCUT_E_DATA);
  CHECK_CONTAINS(error.message, "input 'x': value -7 is out of range");
  xcut_value wrong = vector_of(&steps, XCUT_TYPE_F32, 1);
  CHECK_INT(xcut_invoke_async(session, &wrong, 1, &out, 1, &error), XCUT_E_TYPE);
  CHECK_INT(xcut_wait(session, 0, &error), XCUT_E_ARGUMENT);
  CHECK(chain_is_right(session, 9));
  xcut_session_destroy(session);
  xcut_device_destroy(device);
}

static void a_session_may_be_destroyed_while_its_call_runs(void) {
  xcut_device *device = open_device("local-task", 2);
  for (int i = 0; i < 20; ++i) {
    xcut_session *session = open_session("busy", device, xcut_allocator_system());
    int32_t rounds = 50, y = 0;
    xcut_value in = vector_of(&rounds, XCUT_TYPE_I32, 1), out = {.data = &y, .bytes = sizeof y};
    CHECK_INT(xcut_invoke_async(session, &in, 1, &out, 1, NULL), XCUT_OK);
    xcut_session_destroy(session);
    CHECK_INT(y, 42);
  }
  xcut_device_destroy(device);
}

static void threads_wake_up_after_they_slept(void) {
  xcut_device *device = open_device("local-task", 4);
  xcut_session *session = open_session("chain", device, xcut_allocator_system());
  for (int i = 0; i < 20; ++i) {
    uint64_t until = now_ns() + 200000;  // four times what they spin
    while (now_ns() < until) {
    }
    CHECK(chain_is_right(session, 10));
  }
  xcut_session_destroy(session);
  xcut_device_destroy(device);
}

static void a_pool_runs_on_the_cpus_it_is_given(void) {
  static const uint32_t cpus[] = {0};
  xcut_device_options options = {.allocator = xcut_allocator_system(), .threads = 3, .cpus = cpus, .cpu_count = 1};
  xcut_device *device;
  xcut_error error;
  REQUIRE(xcut_device_create("local-task", &options, &device, &error) == XCUT_OK);
  xcut_session *session = open_session("chain", device, xcut_allocator_system());
  CHECK(chain_is_right(session, 50));
  xcut_session_destroy(session);
  xcut_device_destroy(device);
}

// A platform whose third thread does not start.
static int threads_left;

static bool start_some(void *self, void *(*function)(void *), void *argument, int cpu, uintptr_t *thread) {
  const xcut_platform *posix = xcut_platform_default();
  return threads_left-- > 0 && posix->thread_start(self, function, argument, cpu, thread);
}

static void a_thread_that_does_not_start_is_reported(void) {
  xcut_platform platform = *xcut_platform_default();
  platform.thread_start = start_some;
  threads_left = 2;
  counting_allocator count = {0};
  xcut_device_options options = {.allocator = counting(&count), .platform = &platform, .threads = 5};
  xcut_device *device;
  xcut_error error;
  CHECK_INT(xcut_device_create("local-task", &options, &device, &error), XCUT_E_MEMORY);
  CHECK_CONTAINS(error.message, "thread 3 of 4");
  CHECK_INT(count.live, 0);
}

static void measuring_kernels_is_refused_on_local_task(void) {
  xcut_device *device = open_device("local-task", 2);
  xcut_session *session = open_session("main", device, xcut_allocator_system());
  xcut_kernel_time times[5];
  xcut_error error;
  CHECK_INT(xcut_session_measure(session, times, 5, &error), XCUT_E_UNSUPPORTED);
  xcut_session_destroy(session);
  xcut_device_destroy(device);
}

// Printed, not asserted: what one dispatch costs.
static void dispatch_cost_is_printed(void) {
  for (uint32_t threads = 1; threads <= 2; ++threads) {
    xcut_device *device = open_device("local-task", threads);
    xcut_session *session = open_session("chain", device, xcut_allocator_system());
    int32_t steps = 1000, y[CHAINS];
    xcut_value in = vector_of(&steps, XCUT_TYPE_I32, 1), out = {.data = y, .bytes = sizeof y};
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; ++i) {
      uint64_t start = now_ns();
      CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, NULL), XCUT_OK);
      uint64_t took = now_ns() - start;
      if (took < best) best = took;
    }
    printf("     %u threads: %.0f ns a dispatch of 256 small items\n", threads, (double)best / 2000);
    xcut_session_destroy(session);
    xcut_device_destroy(device);
  }
}

int main(int argc, char **argv) {
  open_fixture(argc, argv);
  static const test_case tests[] = {
      TEST(work_runs_after_what_it_is_ordered_after),
      TEST(branches_overlap_and_joins_wait_for_all_of_them),
      TEST(dynamic_shapes_run_on_any_number_of_threads),
      TEST(concurrent_calls_do_not_disturb_each_other),
      TEST(waiting_times_out_and_then_succeeds),
      TEST(a_call_finishes_without_being_waited_for),
      TEST(many_calls_queue_on_one_thread),
      TEST(errors_of_asynchronous_calls_come_back),
      TEST(a_session_may_be_destroyed_while_its_call_runs),
      TEST(threads_wake_up_after_they_slept),
      TEST(a_pool_runs_on_the_cpus_it_is_given),
      TEST(a_thread_that_does_not_start_is_reported),
      TEST(measuring_kernels_is_refused_on_local_task),
      TEST(dispatch_cost_is_printed),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  close_fixture();
  return result;
}
