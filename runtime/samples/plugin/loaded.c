// The model as a module: the program names its plugins when it loads one, and is told which one is missing. The exit
// status is 0, or the number of the step that went wrong.
#include <crosscut/embed.h>
#include <crosscut/runtime.h>

#include "linearize.h"

XCUT_EMBED(module_image, MODULE, ".rodata.module");

static _Alignas(64) uint8_t memory[8192];

static int is_same_text(const char *a, const char *b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

int main(void) {
  int calls = 0;
  const xcut_plugin plugins[] = {{"sensor.Linearize", plugin_sensor_Linearize, &calls}};
  xcut_block block;
  xcut_allocator allocator = xcut_allocator_from_block(&block, memory, sizeof memory);
  xcut_load_options loading = {.allocator = allocator};
  xcut_device_options running = {.allocator = allocator};
  const size_t bytes = (size_t)(module_image_end - module_image);
  xcut_error error;
  xcut_module *module;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  if (xcut_module_load(module_image, bytes, &loading, &module, &error) != XCUT_E_PLUGIN) return 1;
  if (!is_same_text(error.message, "module calls plugins that this program does not offer: 'sensor.Linearize'"))
    return 2;
  loading.plugins = plugins;
  loading.plugin_count = 1;
  if (xcut_module_load(module_image, bytes, &loading, &module, &error)) return 3;
  if (xcut_module_find_function(module, "main", &function, &error)) return 4;
  if (xcut_device_create("local-sync", &running, &device, &error)) return 5;
  if (xcut_session_create(&function, device, &allocator, &session, &error)) return 6;

  float fahrenheit[4];
  xcut_value in = {(void *)(uintptr_t)readings, sizeof readings, XCUT_TYPE_I32, 1, {4}};
  xcut_value out = {.data = fahrenheit, .bytes = sizeof fahrenheit};
  if (xcut_invoke(session, &in, 1, &out, 1, &error)) return 7;
  for (int i = 0; i < 4; ++i)
    if (fahrenheit[i] != expected[i]) return 8 + i;
  if (calls != 1) return 12;
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(module);
  return 0;
}
