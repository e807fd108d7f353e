// Runs a module with the runtime's loader: first where it lies in flash, then as a copy in RAM, as a program has it
// that receives its models, or keeps them in memory that code can not run from.
#include <crosscut/embed.h>
#include <crosscut/runtime.h>

#include "../print.h"

XCUT_EMBED(module, MODULE, ".rodata.module");

static _Alignas(XCUT_ALIGNMENT) uint8_t copy[8192];
// For all that the runtime allocates: records of some hundred bytes, and the model's arena.
static _Alignas(XCUT_ALIGNMENT) uint8_t memory[2048];

// Asks the model in `image` for the exclusive or of every pair of bits. "right", or what is wrong.
static const char *check(const void *image, size_t bytes) {
  static xcut_error error;
  xcut_block block;
  const xcut_allocator allocator = xcut_allocator_from_block(&block, memory, sizeof memory);
  const xcut_load_options loading = {.allocator = allocator};
  const xcut_device_options running = {.allocator = allocator};
  xcut_module *loaded;
  xcut_device *device;
  xcut_session *session;
  xcut_function function;
  if (xcut_module_load(image, bytes, &loading, &loaded, &error) ||
      xcut_module_find_function(loaded, "main", &function, &error) ||
      xcut_device_create("local-sync", &running, &device, &error) ||
      xcut_session_create(&function, device, &allocator, &session, &error))
    return error.message;
  for (int i = 0; i < 4; ++i) {
    float x[2] = {(float)(i & 1), (float)(i >> 1)}, y = -1;
    const xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {1, 2}};
    xcut_value out = {.data = &y, .bytes = sizeof y};
    if (xcut_invoke(session, &in, 1, &out, 1, &error)) return error.message;
    if (y != (float)((i & 1) ^ (i >> 1))) return "wrong answer";
  }
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(loaded);
  return "right";
}

int main(void) {
  const size_t bytes = (size_t)(module_end - module);
  print("from flash: ");
  print(check(module, bytes));

  print("\nfrom RAM: ");
  if (bytes > sizeof copy) return 1;
  for (size_t i = 0; i < bytes; ++i) copy[i] = module[i];
  xcut_flush_code(xcut_platform_default(), copy, bytes);  // instructions were written as data
  print(check(copy, bytes));
  print("\n");
  return 0;
}
