// Loads a golden module and compares what it computes, bit for bit. For Linux (golden_test.c) and for boards without a
// system (toolchains/test/golden.c): needs no C library but memcmp's like.
#ifndef GOLDEN_H
#define GOLDEN_H

#include "crosscut/runtime.h"
#include "golden_plugin.h"

enum { kGoldenInputs = 2, kGoldenOutputs = 2, kGoldenOutputBytes = 256 };

typedef struct golden_file {
  const uint8_t *data;
  size_t bytes;
} golden_file;

typedef struct golden_set {
  golden_file module;
  golden_file tensors[kGoldenInputs + kGoldenOutputs];  // input0.bin, input1.bin, output0.bin, output1.bin
} golden_set;

// The shape of tensor `index` with `rows` in place of the dimension that the caller chooses.
static xcut_value golden_value(const xcut_function *function, uint32_t index, int64_t rows) {
  xcut_tensor_description description = {0};
  xcut_value value = {0};
  if (xcut_function_tensor(function, index, &description)) return value;
  value.type = description.type;
  value.rank = description.rank;
  for (uint8_t d = 0; d < value.rank; ++d) value.dims[d] = description.dims[d] < 0 ? rows : description.dims[d];
  return value;
}

// Calls `function` with the first `rows` rows of the set's inputs. Null, or what is wrong.
static const char *golden_call(xcut_session *session, const xcut_function *function, const golden_set *set,
                               int64_t rows, xcut_error *error) {
  static _Alignas(8) uint8_t results[kGoldenOutputs][kGoldenOutputBytes];
  xcut_value inputs[kGoldenInputs], planned[kGoldenOutputs] = {{0}}, outputs[kGoldenOutputs] = {{0}};
  for (uint32_t i = 0; i < kGoldenInputs; ++i) {
    inputs[i] = golden_value(function, i, rows);
    inputs[i].data = (void *)(uintptr_t)set->tensors[i].data;  // only read
    inputs[i].bytes = xcut_value_bytes(&inputs[i]);
    if (inputs[i].bytes > set->tensors[i].bytes) return "an input is larger than its file";
  }
  uint64_t arena_bytes = 0;
  if (xcut_plan(session, inputs, kGoldenInputs, planned, kGoldenOutputs, &arena_bytes, error)) return error->message;
  for (uint32_t o = 0; o < kGoldenOutputs; ++o) {
    outputs[o].data = results[o];
    outputs[o].bytes = sizeof results[o];
    for (uint32_t at = 0; at < sizeof results[o]; ++at) results[o][at] = 0xa5;
  }
  if (xcut_invoke(session, inputs, kGoldenInputs, outputs, kGoldenOutputs, error)) return error->message;
  for (uint32_t o = 0; o < kGoldenOutputs; ++o) {
    const golden_file *expected = &set->tensors[kGoldenInputs + o];
    const size_t bytes = xcut_value_bytes(&outputs[o]);
    if (bytes == 0 || bytes > expected->bytes || outputs[o].dims[0] != rows) return "an output of another size";
    if (xcut_value_bytes(&planned[o]) != bytes) return "planned another size than was computed";
    for (size_t at = 0; at < bytes; ++at)
      if (results[o][at] != expected->data[at]) return "a wrong value";
    if (results[o][bytes] != 0xa5) return "something was written behind an output";
  }
  // Rows that do not fit together are an error of the module's own.
  inputs[1].dims[0] += 1;
  inputs[1].bytes = xcut_value_bytes(&inputs[1]);
  if (xcut_invoke(session, inputs, kGoldenInputs, outputs, kGoldenOutputs, error) != XCUT_E_SHAPE)
    return "inputs that do not fit together were accepted";
  return 0;
}

static int golden_is_same_text(const char *a, const char *b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

// A module that calls a plugin is refused by name without it. Null, or what is wrong.
static const char *golden_load(const golden_set *set, const xcut_allocator *allocator, const xcut_plugin *plugin,
                               xcut_module **module, int *calls_plugin, xcut_error *error) {
  xcut_load_options loading = {.allocator = *allocator};
  const xcut_status status = xcut_module_load(set->module.data, set->module.bytes, &loading, module, error);
  *calls_plugin = status == XCUT_E_PLUGIN;
  if (status == XCUT_OK) return 0;
  if (!*calls_plugin) return error->message;
  if (!golden_is_same_text(error->message, "module calls plugins that this program does not offer: 'golden.Lookup'"))
    return "the missing plugin is not named";
  const xcut_plugin other = {"golden.Lookups", plugin->function, plugin->user};
  loading.plugins = &other;
  loading.plugin_count = 1;
  if (xcut_module_load(set->module.data, set->module.bytes, &loading, module, error) != XCUT_E_PLUGIN)
    return "another plugin was taken";
  loading.plugins = plugin;
  return xcut_module_load(set->module.data, set->module.bytes, &loading, module, error) ? error->message : 0;
}

// Null, or what is wrong.
static const char *golden_check(const golden_set *set, const char *device_name, const xcut_allocator *allocator) {
  static xcut_error error;
  int calls = 0, calls_plugin = 0;
  const xcut_plugin plugin = {"golden.Lookup", golden_lookup, &calls};
  const xcut_device_options running = {.allocator = *allocator, .threads = 3};
  xcut_module *module = 0;
  xcut_device *device = 0;
  xcut_session *session = 0;
  xcut_function function;
  const char *wrong = golden_load(set, allocator, &plugin, &module, &calls_plugin, &error);
  if (wrong) return wrong;
  if (xcut_module_find_function(module, "main", &function, &error) ||
      xcut_device_create(device_name, &running, &device, &error) ||
      xcut_session_create(&function, device, allocator, &session, &error))
    wrong = error.message;
  else if (function.info->input_count != kGoldenInputs || function.info->output_count != kGoldenOutputs)
    wrong = "another number of inputs or outputs";
  // The last output has one 8-byte integer a row.
  const int64_t rows = (int64_t)(set->tensors[kGoldenInputs + kGoldenOutputs - 1].bytes / 8);
  if (!wrong) wrong = golden_call(session, &function, set, rows, &error);
  if (!wrong) wrong = golden_call(session, &function, set, 1, &error);
  if (!wrong && calls != 2 * calls_plugin) wrong = "the plugin was not called once a run";
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(module);
  return wrong;
}

#endif  // GOLDEN_H
