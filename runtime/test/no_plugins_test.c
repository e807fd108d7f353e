// A runtime without CROSSCUT_PLUGINS runs modules that call none, and refuses the others by status.
#include "test/image.h"
#include "test/test.h"

static image plain, plugged;

static int32_t plugin(xcut_plugin_call *call) { return (int32_t)call->input_count; }
static const xcut_plugin kPlugins[] = {{"test.Scale", plugin, NULL}, {"test.Reverse", plugin, NULL}};

static xcut_status load(const image *i, uint32_t flags, xcut_module **module, xcut_error *error) {
  xcut_load_options options = {
      .allocator = xcut_allocator_system(), .flags = flags, .plugins = kPlugins, .plugin_count = 2};
  return xcut_module_load(i->data, i->bytes, &options, module, error);
}

static void modules_without_plugins_load(void) {
  xcut_module *module;
  xcut_error error;
  CHECK_INT(load(&plain, 0, &module, &error), XCUT_OK);
  xcut_module_unload(module);
}

static void modules_with_plugins_are_refused(void) {
  xcut_module *module;
  xcut_error error;
  CHECK_INT(load(&plugged, 0, &module, &error), XCUT_E_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "needs CROSSCUT_PLUGINS");
  CHECK(!module);
}

static void modules_with_plugins_can_be_described(void) {
  xcut_module *module;
  xcut_error error;
  REQUIRE(load(&plugged, XCUT_LOAD_INSPECT, &module, &error) == XCUT_OK);
  xcut_module_description d;
  xcut_module_describe(module, &d);
  CHECK_INT(d.plugin_count, 0);
  CHECK_INT(d.flags, XCUT_MODULE_PLUGINS);
  CHECK(!xcut_module_plugin(module, 0));
  xcut_module_unload(module);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  plain = image_load(argv[1]);
  plugged = image_load(argv[2]);
  static const test_case tests[] = {
      TEST(modules_without_plugins_load),
      TEST(modules_with_plugins_are_refused),
      TEST(modules_with_plugins_can_be_described),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  image_free(&plain);
  image_free(&plugged);
  return result;
}
