// Tests of plugins: a module's functions of the program's are found at load, called with what the module states, in
// order with its kernels, and their failures end the call.
#include <pthread.h>

#include "test/image.h"
#include "test/test.h"

#define COUNT 256

static image fixture;
static const char *fixture_file;
static xcut_error error;

typedef struct state {
  int calls;
  int fail_at;  // the call that fails; 0: none
  const char *message;
  pthread_t thread;
} state;

static int32_t count_call(xcut_plugin_call *call) {
  state *s = call->user;
  s->thread = pthread_self();
  if (++s->calls != s->fail_at) return 0;
  if (!s->message) return 42;
  return xcut_plugin_fail(call, s->message);
}

static int32_t scale(xcut_plugin_call *call) {
  CHECK_INT(call->input_count, 1);
  CHECK_INT(call->output_count, 1);
  CHECK(strcmp(call->node, "Scale:first") == 0);
  CHECK(!call->message);
  const xcut_plugin_tensor *x = &call->inputs[0], *y = &call->outputs[0];
  CHECK(x->type == XCUT_TYPE_F32 && x->rank == 2 && x->dims[0] == 64 && x->dims[1] == 4 && x->elements == COUNT);
  CHECK(!xcut_plugin_find_attribute(call, "facto") && !xcut_plugin_find_attribute(call, "factors"));
  const xcut_plugin_tensor *factor = xcut_plugin_find_attribute(call, "factor");
  if (!factor || factor->type != XCUT_TYPE_F32 || factor->elements != 1) return xcut_plugin_fail(call, "no factor");
  for (uint64_t i = 0; i < x->elements; ++i)
    ((float *)y->data)[i] = ((const float *)x->data)[i] * *(const float *)factor->data;
  return count_call(call);
}

static int32_t reverse(xcut_plugin_call *call) {
  CHECK_INT(call->attribute_count, 0);
  const xcut_plugin_tensor *x = &call->inputs[0], *y = &call->outputs[0];
  for (uint64_t i = 0; i < x->elements; ++i) ((float *)y->data)[i] = ((const float *)x->data)[x->elements - 1 - i];
  return count_call(call);
}

// A module with its session, whose plugins are counted.
typedef struct loaded {
  state scale, reverse;
  xcut_module *module;
  xcut_device *device;
  xcut_session *session;
} loaded;

static void open(loaded *l, const char *device, uint32_t threads) {
  *l = (loaded){0};
  const xcut_plugin plugins[] = {{"other", reverse, NULL},
                                 {"test.Reverse", reverse, &l->reverse},
                                 {"test.Scale", scale, &l->scale},
                                 {"test.Scale", reverse, NULL}};
  xcut_allocator allocator = xcut_allocator_system();
  xcut_load_options options = {.allocator = allocator, .plugins = plugins, .plugin_count = 4};
  xcut_function function;
  xcut_device_options running = {.allocator = allocator, .threads = threads};
  REQUIRE(xcut_module_load_file(fixture_file, &options, &l->module, &error) == XCUT_OK);
  REQUIRE(xcut_module_find_function(l->module, "plugged", &function, &error) == XCUT_OK);
  REQUIRE(xcut_device_create(device, &running, &l->device, &error) == XCUT_OK);
  REQUIRE(xcut_session_create(&function, l->device, &allocator, &l->session, &error) == XCUT_OK);
}

static void shut(loaded *l) {
  xcut_session_destroy(l->session);
  xcut_device_destroy(l->device);
  xcut_module_unload(l->module);
}

static float x[COUNT], y[COUNT];

static xcut_status call(loaded *l) {
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {64, 4}}, out = {.data = y, .bytes = sizeof y};
  for (int i = 0; i < COUNT; ++i) x[i] = (float)(i * 5 % 37), y[i] = -1;
  error.message[0] = 0;
  return xcut_invoke(l->session, &in, 1, &out, 1, &error);
}

static bool is_right(void) {
  for (int i = 0; i < COUNT; ++i)
    if (y[i] != x[COUNT - 1 - i] * 6 + 1) return false;
  return true;
}

static void plugins_run_between_kernels(void) {
  loaded l;
  open(&l, "local-sync", 1);
  for (int turn = 1; turn <= 3; ++turn) {
    CHECK_INT(call(&l), XCUT_OK);
    CHECK(is_right());
    CHECK(l.scale.calls == turn && l.reverse.calls == turn);
  }
  shut(&l);
}

static void plugins_run_between_kernels_of_threads(void) {
  loaded l;
  open(&l, "local-task", 3);
  for (int turn = 0; turn < 300; ++turn) {
    CHECK_INT(call(&l), XCUT_OK);
    CHECK(is_right());
    CHECK(pthread_equal(l.scale.thread, pthread_self()) && pthread_equal(l.reverse.thread, pthread_self()));
  }
  CHECK_INT(l.scale.calls, 300);
  shut(&l);
}

static void asynchronous_calls_have_plugins(void) {
  loaded l;
  open(&l, "local-task", 2);
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {64, 4}}, out = {.data = y, .bytes = sizeof y};
  CHECK_INT(xcut_invoke_async(l.session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(xcut_wait(l.session, XCUT_FOREVER, &error), XCUT_OK);
  CHECK(is_right());
  l.reverse.fail_at = 2;
  CHECK_INT(xcut_invoke_async(l.session, &in, 1, &out, 1, &error), XCUT_OK);
  CHECK_INT(xcut_wait(l.session, XCUT_FOREVER, &error), XCUT_E_PLUGIN);
  CHECK_CONTAINS(error.message, "plugin 'test.Reverse'");
  shut(&l);
}

static void a_failing_plugin_ends_the_call_and_is_named(void) {
  loaded l;
  open(&l, "local-task", 2);
  l.scale.fail_at = 1;
  CHECK_INT(call(&l), XCUT_E_PLUGIN);
  CHECK(strcmp(error.message, "plugin 'test.Scale', node 'Scale:first': failed (status 42)") == 0);
  CHECK_INT(l.reverse.calls, 0);
  l.scale.fail_at = 2;
  l.scale.message = "no\nluck";
  CHECK_INT(call(&l), XCUT_E_PLUGIN);
  CHECK(strcmp(error.message, "plugin 'test.Scale', node 'Scale:first': no?luck (status -1)") == 0);
  l.reverse.fail_at = 1;
  l.reverse.message = "worn out";
  CHECK_INT(call(&l), XCUT_E_PLUGIN);
  CHECK_CONTAINS(error.message, "plugin 'test.Reverse', node 'Reverse:last': worn out");
  CHECK_INT(call(&l), XCUT_OK);
  CHECK(is_right());
  shut(&l);
}

static xcut_status load(const image *i, const xcut_plugin *plugins, uint32_t count, xcut_allocator allocator) {
  xcut_load_options options = {.allocator = allocator, .plugins = plugins, .plugin_count = count};
  xcut_module *module;
  error.message[0] = 0;
  xcut_status status = xcut_module_load(i->data, i->bytes, &options, &module, &error);
  CHECK((module != NULL) == (status == XCUT_OK));
  xcut_module_unload(module);
  return status;
}

static void missing_plugins_are_named(void) {
  const xcut_plugin plugins[] = {{"test.Scale", scale, NULL}, {"test.Reverse", NULL, NULL}, {NULL, reverse, NULL}};
  xcut_allocator allocator = xcut_allocator_system();
  CHECK_INT(load(&fixture, NULL, 0, allocator), XCUT_E_PLUGIN);
  CHECK_CONTAINS(error.message, "does not offer: 'test.Scale', 'test.Reverse'");
  CHECK_INT(load(&fixture, NULL, 2, allocator), XCUT_E_PLUGIN);
  CHECK_INT(load(&fixture, plugins, 3, allocator), XCUT_E_PLUGIN);
  CHECK_CONTAINS(error.message, "does not offer: 'test.Reverse'");
}

static void every_refused_allocation_is_reported(void) {
  const xcut_plugin plugins[] = {{"test.Scale", scale, NULL}, {"test.Reverse", reverse, NULL}};
  for (size_t fail_at = 1; fail_at <= 2; ++fail_at) {
    counting_allocator count = {.fail_at = fail_at};
    CHECK_INT(load(&fixture, plugins, 2, counting(&count)), XCUT_E_MEMORY);
    CHECK_INT(count.live, 0);
  }
  counting_allocator count = {0};
  CHECK_INT(load(&fixture, plugins, 2, counting(&count)), XCUT_OK);
  CHECK_INT(count.calls, 2);
  CHECK_INT(count.live, 0);
}

static void plugins_are_described(void) {
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = XCUT_LOAD_INSPECT};
  xcut_module *module;
  REQUIRE(xcut_module_load(fixture.data, fixture.bytes, &options, &module, &error) == XCUT_OK);
  xcut_module_description d;
  xcut_module_describe(module, &d);
  CHECK_INT(d.plugin_count, 2);
  CHECK(strcmp(xcut_module_plugin(module, 0), "test.Scale") == 0);
  CHECK(strcmp(xcut_module_plugin(module, 1), "test.Reverse") == 0);
  CHECK(!xcut_module_plugin(module, 2) && !xcut_module_plugin(module, UINT32_MAX));
  xcut_module_unload(module);
}

// Loads a changed copy to look at it, and expects a refusal.
static void refused(void (*change)(xcut_module_table *table, xcut_plugin_info *plugins), const char *message) {
  image i = image_copy(&fixture, fixture.bytes);
  xcut_module_table *table = image_table(&i);
  change(table, image_at(&table->plugins));
  image_seal(&i);
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = XCUT_LOAD_INSPECT};
  xcut_module *module;
  CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), XCUT_E_IMAGE);
  CHECK_CONTAINS(error.message, message);
  image_free(&i);
}

static void no_list(xcut_module_table *table, xcut_plugin_info *plugins) { (void)plugins, table->plugins = 0; }
static void far_list(xcut_module_table *table, xcut_plugin_info *plugins) { (void)plugins, table->plugins = 1 << 24; }
static void early_list(xcut_module_table *table, xcut_plugin_info *plugins) {
  (void)plugins, table->plugins = INT32_MIN;
}
static void odd_list(xcut_module_table *table, xcut_plugin_info *plugins) { (void)plugins, table->plugins += 2; }
static void long_list(xcut_module_table *table, xcut_plugin_info *plugins) {
  (void)plugins, table->plugin_count = UINT32_MAX;
}
static void short_table(xcut_module_table *table, xcut_plugin_info *plugins) {
  (void)plugins, table->table_bytes = XCUT_MODULE_TABLE_LEAST_BYTES;
}
static void no_name(xcut_module_table *table, xcut_plugin_info *plugins) { (void)table, plugins[1].name = 0; }
static void far_name(xcut_module_table *table, xcut_plugin_info *plugins) { (void)table, plugins[1].name = INT32_MAX; }

static void forged_tables_are_refused_by_name(void) {
  refused(no_list, "plugins are missing");
  refused(far_list, "plugins lie outside");
  refused(early_list, "plugins lie outside");
  refused(odd_list, "not 4-byte aligned");
  refused(long_list, "plugins lie outside");
  refused(short_table, "too few for plugins");
  refused(no_name, "plugin 1 has no name");
  refused(far_name, "plugin names lie outside");
}

static void an_unknown_flag_is_refused(void) {
  const xcut_plugin plugins[] = {{"test.Scale", scale, NULL}, {"test.Reverse", reverse, NULL}};
  image i = image_copy(&fixture, fixture.bytes);
  for (unsigned bit = 2; bit < 32; ++bit) {
    image_table(&i)->flags = XCUT_MODULE_PLUGINS | UINT32_C(1) << bit;
    image_seal(&i);
    CHECK_INT(load(&i, plugins, 2, xcut_allocator_system()), XCUT_E_UNSUPPORTED);
    CHECK_CONTAINS(error.message, "newer");
  }
  image_free(&i);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  fixture = image_load(argv[1]);
  fixture_file = argv[2];
  static const test_case tests[] = {
      TEST(plugins_run_between_kernels),     TEST(plugins_run_between_kernels_of_threads),
      TEST(asynchronous_calls_have_plugins), TEST(a_failing_plugin_ends_the_call_and_is_named),
      TEST(missing_plugins_are_named),       TEST(every_refused_allocation_is_reported),
      TEST(plugins_are_described),           TEST(forged_tables_are_refused_by_name),
      TEST(an_unknown_flag_is_refused),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  image_free(&fixture);
  return result;
}
