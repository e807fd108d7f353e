// Runs a compiled model from flash, without an operating system, an allocator or a copy: the module is checked and
// called where it lies, and all memory comes from one block. The exit status is 0, or says which check failed.
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "crosscut/runtime.h"
#include "firmware.h"

static _Alignas(64) uint8_t memory[12u << 20] __attribute__((section(".psram")));
static _Alignas(64) float output[1024];
static xcut_error error;

static void check(bool holds, uint32_t status, const char *what) {
  if (holds) return;
  print(what);
  print(": ");
  print(error.message);
  print("\n");
  leave(status);
}

static bool is_in_flash(const void *address) {
  const uint8_t *p = (const uint8_t *)address;
  return p >= module_start && p < module_end;
}

// A module that was cut short or changed is refused, in place too.
static void refuse_broken(const xcut_load_options *options) {
  xcut_module *module;
  const size_t bytes = (size_t)(module_end - module_start);
  check(xcut_module_load(module_start, bytes / 2, options, &module, &error) == XCUT_E_IMAGE, 1, "half a module loaded");
  static _Alignas(64) uint8_t copy[1u << 20];
  check(bytes <= sizeof copy, 2, "the module is too large to be copied");
  memcpy(copy, module_start, bytes);
  copy[2000] ^= 1;  // in the tables or the code; weights are data and not checked
  check(xcut_module_load(copy, bytes, options, &module, &error) == XCUT_E_IMAGE, 3, "a changed module loaded");
}

static void compare(const float *actual, size_t count) {
  const float *expected = (const float *)expected_start, *bound = (const float *)bound_start;
  for (size_t i = 0; i < count; ++i) {
    check(fabsf(actual[i] - expected[i]) <= bound[i], 4, "an element is wrong");
  }
}

int main(void) {
  xcut_block block;
  const xcut_allocator allocator = xcut_allocator_from_block(&block, memory, sizeof memory);
  const xcut_load_options options = {.allocator = allocator};
  refuse_broken(&options);

  xcut_module *module;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  check(!xcut_module_load(module_start, (size_t)(module_end - module_start), &options, &module, &error), 10, "load");
  check(!xcut_module_find_function(module, NULL, &function, &error), 11, "find");
  check(is_in_flash(function.info), 12, "the module was copied");
  check(!xcut_device_create("local-sync", &(xcut_device_options){.allocator = allocator}, &device, &error), 13,
        "device");
  check(!xcut_session_create(&function, device, &allocator, &session, &error), 14, "session");

  xcut_tensor_description description;
  check(!xcut_function_tensor(&function, 0, &description), 15, "input");
  // The data is only read.
  xcut_value in = {.data = (void *)(uintptr_t)input_start, .type = XCUT_TYPE_F32, .rank = description.rank};
  memcpy(in.dims, description.dims, sizeof in.dims);
  in.bytes = (size_t)(input_end - input_start);
  check(xcut_value_bytes(&in) == in.bytes, 16, "the input's size");
  xcut_value out = {.data = output, .bytes = sizeof output};

  in.dims[2] += 1;
  in.bytes *= 2;
  check(xcut_invoke(session, &in, 1, &out, 1, &error) == XCUT_E_SHAPE, 17, "another shape was accepted");
  in.dims[2] -= 1;
  in.bytes /= 2;
  for (int call = 0; call < 2; ++call) {  // the second finds an arena that was used
    memset(output, 0xff, sizeof output);
    check(!xcut_invoke(session, &in, 1, &out, 1, &error), 20, "invoke");
    const size_t bytes = xcut_value_bytes(&out);
    check(bytes == (size_t)(expected_end - expected_start) && bytes > 0, 21, "the output's size");
    compare(output, bytes / sizeof(float));
    check(isnan(output[bytes / sizeof(float)]), 22, "something was written behind the output");
  }
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(module);
  print("right\n");
  return 0;
}
