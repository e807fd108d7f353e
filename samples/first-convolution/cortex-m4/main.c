// Runs a compiled model in place, from flash, with memory from one block, and compares its output.
#include <crosscut/embed.h>
#include <crosscut/runtime.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <board.h>

XCUT_EMBED(module, MODULE, ".rodata.module");
XCUT_EMBED(input, INPUT, ".rodata.input");
XCUT_EMBED(expected, EXPECTED, ".rodata.expected");

static uint8_t memory[2u << 20] __attribute__((aligned(64)));
static float output[65536] __attribute__((aligned(64)));

static int fail(const char *what, const xcut_error *error) {
  board_print(what);
  board_print(": ");
  board_print(error->message);
  board_print("\n");
  return 1;
}

// |actual - expected| <= 1e-5 + 1e-5 * |expected| for every element, as models/ppocr_cls/model.json has it twice over.
static bool right(const float *actual, const float *wanted, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    float difference = actual[i] - wanted[i], size = wanted[i] < 0 ? -wanted[i] : wanted[i];
    if (!((difference < 0 ? -difference : difference) <= 1e-5f + 1e-5f * size)) return false;
  }
  return true;
}

static xcut_value value(const xcut_function *function, uint32_t tensor, void *data, size_t bytes) {
  xcut_tensor_description description;
  xcut_value result = {.data = data, .bytes = bytes};
  if (xcut_function_tensor(function, tensor, &description) != XCUT_OK) return result;
  result.type = description.type;
  result.rank = description.rank;
  memcpy(result.dims, description.dims, sizeof result.dims);
  return result;
}

int main(void) {
  xcut_block block;
  xcut_error error = {""};
  xcut_load_options options = {.allocator = xcut_allocator_from_block(&block, memory, sizeof memory)};
  xcut_device_options device_options = {.allocator = options.allocator};
  xcut_module *loaded;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  if (xcut_module_load(module, (size_t)(module_end - module), &options, &loaded, &error) != XCUT_OK)
    return fail("load", &error);
  if (xcut_module_find_function(loaded, "main", &function, &error) != XCUT_OK ||
      xcut_device_create("local-sync", &device_options, &device, &error) != XCUT_OK ||
      xcut_session_create(&function, device, &options.allocator, &session, &error) != XCUT_OK)
    return fail("prepare", &error);

  size_t expected_bytes = (size_t)(expected_end - expected);
  xcut_value in = value(&function, 0, (void *)input, (size_t)(input_end - input));
  xcut_value out = value(&function, 1, output, sizeof output);
  if (xcut_invoke(session, &in, 1, &out, 1, &error) != XCUT_OK) return fail("invoke", &error);
  if (xcut_value_bytes(&out) != expected_bytes || !right(output, (const float *)expected, expected_bytes / 4)) {
    board_print("wrong output\n");
    return 1;
  }

  // A module that lost its end is refused here as everywhere.
  xcut_module *damaged;
  if (xcut_module_load(module, (size_t)(module_end - module) - 64, &options, &damaged, &error) == XCUT_OK) {
    board_print("a truncated module was loaded\n");
    return 1;
  }
  board_print("right, and the damaged module refused\n");
  return 0;
}
