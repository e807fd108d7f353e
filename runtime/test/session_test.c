// Tests of calls on local-sync: what is checked before a module runs, and what it gives back.
#include <fenv.h>
#include <math.h>

#include "test/call.h"

static xcut_device *device;
static xcut_error error;

static xcut_session *open(const char *function) { return open_session(function, device, xcut_allocator_system()); }

static void wrong_counts_types_and_shapes_are_named(void) {
  xcut_session *session = open("main");
  float x[6] = {0}, y[6];
  const xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {2, 3}};
  xcut_value out = {.data = y, .bytes = sizeof y}, bad = in;
  CHECK_INT(xcut_invoke(session, &in, 0, &out, 1, &error), XCUT_E_COUNT);
  CHECK_CONTAINS(error.message, "0 inputs given, function 'main' takes 1");
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 2, &error), XCUT_E_COUNT);
  CHECK_CONTAINS(error.message, "2 outputs given, function 'main' has 1");
  CHECK_INT(xcut_invoke(session, NULL, 1, &out, 1, &error), XCUT_E_ARGUMENT);
  bad.type = XCUT_TYPE_F64;
  CHECK_INT(xcut_invoke(session, &bad, 1, &out, 1, &error), XCUT_E_TYPE);
  CHECK_CONTAINS(error.message, "input 'x': type is f64, must be f32");
  bad = in, bad.rank = 1;
  CHECK_INT(xcut_invoke(session, &bad, 1, &out, 1, &error), XCUT_E_SHAPE);
  CHECK_CONTAINS(error.message, "input 'x': rank is 1, must be 2");
  bad = in, bad.dims[1] = 5;
  CHECK_INT(xcut_invoke(session, &bad, 1, &out, 1, &error), XCUT_E_SHAPE);
  CHECK_CONTAINS(error.message, "input 'x': dimension 1 is 5, must be 3");
  bad = in, bad.bytes = 20;
  CHECK_INT(xcut_invoke(session, &bad, 1, &out, 1, &error), XCUT_E_ARGUMENT);
  CHECK_CONTAINS(error.message, "input 'x': its data has 20 bytes, its shape needs 24");
  bad = in, bad.data = NULL;
  CHECK_INT(xcut_invoke(session, &bad, 1, &out, 1, &error), XCUT_E_ARGUMENT);
  CHECK_CONTAINS(error.message, "input 'x': no data given");
  bad = in, bad.data = (char *)x + 1;
  CHECK_INT(xcut_invoke(session, &bad, 1, &out, 1, &error), XCUT_E_ARGUMENT);
  CHECK_CONTAINS(error.message, "not aligned");
  xcut_value small = {.data = y, .bytes = 8};
  CHECK_INT(xcut_invoke(session, &in, 1, &small, 1, &error), XCUT_E_ARGUMENT);
  CHECK_CONTAINS(error.message, "output 'y': its data has 8 bytes");
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, NULL), XCUT_OK);
  xcut_session_destroy(session);
}

static void open_dimensions_must_not_be_negative(void) {
  xcut_session *session = open("dynamic");
  float x[4] = {0};
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {-1, 4}}, out = {0};
  CHECK_INT(xcut_plan(session, &in, 1, &out, 1, NULL, &error), XCUT_E_SHAPE);
  CHECK_CONTAINS(error.message, "input 'x': dimension 0 is -1");
  in.data = NULL;
  in.dims[0] = INT64_MAX;
  CHECK_INT(xcut_plan(session, &in, 1, &out, 1, NULL, &error), XCUT_E_SHAPE);
  CHECK_CONTAINS(error.message, "larger than memory");
  in.dims[0] = 1000001;
  CHECK_INT(xcut_plan(session, &in, 1, &out, 1, NULL, &error), XCUT_E_SHAPE);
  CHECK_CONTAINS(error.message, "input 'x': dimension 0 is 1000001, must be 1000000");
  xcut_session_destroy(session);
}

static void dynamic_shapes_are_planned_and_run(void) {
  xcut_session *session = open("dynamic");
  for (int64_t rows = 0; rows < 40; rows = rows * 2 + 1) {
    xcut_value in = {.type = XCUT_TYPE_F32, .rank = 2, .dims = {rows, 4}}, out = {0};
    uint64_t arena = 1;
    CHECK_INT(xcut_plan(session, &in, 1, &out, 1, &arena, &error), XCUT_OK);
    CHECK_INT(arena, rows * 16);
    CHECK_INT(out.dims[0], rows);
    CHECK_INT(out.type, XCUT_TYPE_F32);
    float x[200], y[200];
    for (int i = 0; i < 200; ++i) x[i] = (float)i, y[i] = -1;
    in.data = x, out.data = y;
    in.bytes = out.bytes = (size_t)rows * 16;
    CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
    for (int i = 0; i < 200; ++i) CHECK(y[i] == (i < rows * 4 ? 2 * x[i] + 1 : -1));
  }
  xcut_session_destroy(session);
}

static void every_lent_arena_that_is_too_small_is_refused(void) {
  xcut_session *session = open("dynamic");
  _Alignas(64) static uint8_t arena[256];
  float x[16] = {0}, y[16];
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {4, 4}}, out = {.data = y, .bytes = sizeof y};
  for (size_t bytes = 0; bytes <= 70; ++bytes) {
    CHECK_INT(xcut_session_set_arena(session, arena, bytes, &error), XCUT_OK);
    xcut_status status = xcut_invoke(session, &in, 1, &out, 1, &error);
    CHECK_INT(status, bytes < 64 ? XCUT_E_ARENA : XCUT_OK);
    if (status) CHECK_CONTAINS(error.message, "the call needs 64");
  }
  CHECK_INT(xcut_session_set_arena(session, arena + 1, 64, &error), XCUT_E_ARGUMENT);
  CHECK_INT(xcut_session_set_arena(session, NULL, 0, &error), XCUT_OK);
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  xcut_session_destroy(session);
}

static void outputs_sized_by_data_are_allocated_or_fit_the_callers(void) {
  counting_allocator count = {0};
  xcut_session *session = open_session("nonzero", device, counting(&count));
  size_t before = count.live;
  int32_t x[5] = {0, 7, 0, 0, -1};
  xcut_value in = vector_of(x, XCUT_TYPE_I32, 5), out = {0};
  CHECK_INT(xcut_plan(session, &in, 1, &out, 1, NULL, &error), XCUT_OK);
  CHECK_INT(out.dims[0], -1);
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(out.dims[0], 2);
  CHECK_INT(out.type, XCUT_TYPE_I64);
  CHECK_INT(((int64_t *)out.data)[0], 1);
  CHECK_INT(((int64_t *)out.data)[1], 4);
  xcut_allocator a = counting(&count);
  a.release(a.self, out.data);
  int64_t room[2];
  xcut_value own = {.data = room, .bytes = sizeof room};
  CHECK_INT(xcut_invoke(session, &in, 1, &own, 1, &error), XCUT_OK);
  CHECK(own.data == room && room[1] == 4);
  own.bytes = 8;
  CHECK_INT(xcut_invoke(session, &in, 1, &own, 1, &error), XCUT_E_MEMORY);
  count.fail_at = count.calls + 1;
  out = (xcut_value){0};
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_E_MEMORY);
  CHECK_CONTAINS(error.message, "no memory for an output");
  CHECK(out.data == NULL);
  CHECK_INT(count.live, before);
  xcut_session_destroy(session);
  CHECK_INT(count.live, 0);
}

static int32_t count_once(xcut_session *session) {
  int32_t y = -1;
  xcut_value out = {.data = &y, .bytes = sizeof y};
  CHECK_INT(xcut_invoke(session, NULL, 0, &out, 1, &error), XCUT_OK);
  CHECK_INT(out.rank, 0);
  return y;
}

static void state_lives_in_the_session_and_can_be_reset(void) {
  xcut_session *a = open("counter"), *b = open("counter");
  for (int32_t i = 1; i < 5; ++i) CHECK_INT(count_once(a), i);
  CHECK_INT(count_once(b), 1);
  CHECK_INT(xcut_session_reset(a, &error), XCUT_OK);
  CHECK_INT(count_once(a), 1);
  CHECK_INT(count_once(b), 2);
  xcut_session_destroy(a);
  xcut_session_destroy(b);
}

static void results_of_a_module_become_messages(void) {
  static const struct {
    int32_t result;
    xcut_status status;
    const char *message;
  } table[] = {
      {XCUT_RUN_OK, XCUT_OK, ""},
      {XCUT_RUN_SHAPE, XCUT_E_SHAPE, "output 'y': dimension 0 is 5, must be 3"},
      {XCUT_RUN_ARENA, XCUT_E_ARENA, "the arena has 5 bytes, the call needs 3"},
      {XCUT_RUN_DATA, XCUT_E_DATA, "output 'y': value 5 is out of range"},
      {XCUT_RUN_MEMORY, XCUT_E_MEMORY, "no memory"},
      {77, XCUT_E_IMAGE, "unknown result 77"},
      {-1, XCUT_E_IMAGE, "unknown result -1"},
  };
  xcut_session *session = open("fail");
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
    int32_t x = table[i].result, y;
    xcut_value in = vector_of(&x, XCUT_TYPE_I32, 1), out = {.data = &y, .bytes = sizeof y};
    error.message[0] = 0;
    CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), table[i].status);
    CHECK_CONTAINS(error.message, table[i].message);
  }
  xcut_session_destroy(session);
}

static void refusing_allocators_are_reported_and_nothing_leaks(void) {
  for (size_t fail_at = 1; fail_at <= 4; ++fail_at) {
    counting_allocator count = {.fail_at = fail_at};
    xcut_allocator allocator = counting(&count);
    xcut_function function;
    REQUIRE(xcut_module_find_function(module, "counter", &function, &error) == XCUT_OK);
    xcut_session *session;
    xcut_status status = xcut_session_create(&function, device, &allocator, &session, &error);
    CHECK_INT(status, fail_at <= 2 ? XCUT_E_MEMORY : XCUT_OK);  // the record, the state
    CHECK((session != NULL) == (status == XCUT_OK));
    xcut_session_destroy(session);
    CHECK_INT(count.live, 0);
  }
  counting_allocator count = {.fail_at = 2};
  xcut_session *session = open_session("main", device, counting(&count));
  float x[6] = {0}, y[6];
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {2, 3}}, out = {.data = y, .bytes = sizeof y};
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_E_MEMORY);
  CHECK_CONTAINS(error.message, "no memory for an arena of 64 bytes");
  xcut_session_destroy(session);
  CHECK_INT(count.live, 0);
}

static void repeated_calls_allocate_nothing(void) {
  counting_allocator count = {0};
  xcut_session *session = open_session("main", device, counting(&count));
  float x[6] = {0}, y[6];
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {2, 3}}, out = {.data = y, .bytes = sizeof y};
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  size_t calls = count.calls;
  for (int i = 0; i < 10; ++i) CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(count.calls, calls);
  xcut_session_destroy(session);
}

static void functions_are_found_by_name(void) {
  xcut_function function;
  CHECK_INT(xcut_module_find_function(module, NULL, &function, &error), XCUT_OK);
  CHECK(strcmp(xcut_function_name(&function), "main") == 0);
  CHECK_INT(xcut_module_find_function(module, "mian", &function, &error), XCUT_E_NOT_FOUND);
  CHECK_CONTAINS(error.message, "no function 'mian'; there is 'main', 'dynamic'");
  CHECK_INT(xcut_module_function(module, 9, &function), XCUT_E_NOT_FOUND);
}

static void a_module_for_inspection_cannot_be_called(void) {
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = XCUT_LOAD_INSPECT};
  xcut_module *inspected;
  REQUIRE(xcut_module_load(fixture.data, fixture.bytes, &options, &inspected, &error) == XCUT_OK);
  xcut_function function;
  REQUIRE(xcut_module_find_function(inspected, "main", &function, &error) == XCUT_OK);
  xcut_session *session;
  CHECK_INT(xcut_session_create(&function, device, &options.allocator, &session, &error), XCUT_E_UNSUPPORTED);
  xcut_module_unload(inspected);
}

static void kernels_run_in_the_default_rounding_and_the_callers_is_restored(void) {
#ifdef FE_UPWARD
  xcut_session *session = open("main");
  float x[6] = {1, 1, 1, 1, 1, 0.1f}, y[6], nearest[6];
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {2, 3}}, out = {.data = nearest, .bytes = sizeof nearest};
  x[5] = 0.1f, x[2] = 0.7f;  // 0.7f * 3 is inexact
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  REQUIRE(fesetround(FE_UPWARD) == 0);
  out.data = y;
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(fegetround(), FE_UPWARD);
  volatile float a = 0.7f, b = 3;
  float upward = a * b;
  fesetround(FE_TONEAREST);
  CHECK(memcmp(y, nearest, sizeof y) == 0);
  CHECK(upward != y[2]);  // else the test would show nothing
  xcut_session_destroy(session);
#endif
}

static void kernels_are_measured_on_local_sync(void) {
  xcut_session *session = open("dynamic");
  xcut_kernel_time times[5] = {{0}};
  CHECK_INT(xcut_session_measure(session, times, 4, &error), XCUT_E_COUNT);
  CHECK_INT(xcut_session_measure(session, times, 5, &error), XCUT_OK);
  float x[16] = {0}, y[16];
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {4, 4}}, out = {.data = y, .bytes = sizeof y};
  for (int i = 0; i < 3; ++i) CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(times[0].calls, 0);
  CHECK_INT(times[1].calls, 3);  // double
  CHECK_INT(times[2].calls, 3);  // increment
  CHECK_INT(xcut_session_measure(session, NULL, 0, &error), XCUT_OK);
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(times[1].calls, 3);
  xcut_session_destroy(session);
}

static void an_asynchronous_call_on_local_sync_is_done_at_once(void) {
  xcut_session *session = open("chain");
  int32_t steps = 3, y[512];
  xcut_value in = vector_of(&steps, XCUT_TYPE_I32, 1), out = {.data = y, .bytes = sizeof y};
  CHECK_INT(xcut_wait(session, 0, &error), XCUT_E_ARGUMENT);
  CHECK_INT(xcut_invoke_async(session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_E_BUSY);
  CHECK_INT(xcut_session_reset(session, &error), XCUT_E_BUSY);
  CHECK_INT(xcut_wait(session, 0, &error), XCUT_OK);
  CHECK_INT(xcut_wait(session, 0, &error), XCUT_E_ARGUMENT);
  CHECK_INT(out.dims[1], 256);
  xcut_session_destroy(session);
}

int main(int argc, char **argv) {
  open_fixture(argc, argv);
  device = open_device("local-sync", 0);
  static const test_case tests[] = {
      TEST(wrong_counts_types_and_shapes_are_named),
      TEST(open_dimensions_must_not_be_negative),
      TEST(dynamic_shapes_are_planned_and_run),
      TEST(every_lent_arena_that_is_too_small_is_refused),
      TEST(outputs_sized_by_data_are_allocated_or_fit_the_callers),
      TEST(state_lives_in_the_session_and_can_be_reset),
      TEST(results_of_a_module_become_messages),
      TEST(refusing_allocators_are_reported_and_nothing_leaks),
      TEST(repeated_calls_allocate_nothing),
      TEST(functions_are_found_by_name),
      TEST(a_module_for_inspection_cannot_be_called),
      TEST(kernels_run_in_the_default_rounding_and_the_callers_is_restored),
      TEST(kernels_are_measured_on_local_sync),
      TEST(an_asynchronous_call_on_local_sync_is_done_at_once),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  xcut_device_destroy(device);
  close_fixture();
  return result;
}
