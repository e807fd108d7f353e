// Runs a module that calls plugins: loaded MODULE DEVICE THREADS CALLS [DIMENSION...]. Dimensions of the first input
// that the module leaves open are given in order. Inputs come from standard input, outputs go to standard output, each
// tensor as its elements in row-major order.
#include <crosscut/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins.h"

#define MOST 8

static const xcut_plugin kPlugins[] = {
    {"acme.Affine", plugin_acme_Affine, NULL},     {"acme.Compare", plugin_acme_Compare, NULL},
    {"acme.Describe", plugin_acme_Describe, NULL}, {"acme.Fail", plugin_acme_Fail, NULL},
    {"acme.Rows", plugin_acme_Rows, NULL},
};

static int fail(const xcut_error *error) { return fprintf(stderr, "%s\n", error->message), 1; }

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  xcut_allocator heap = xcut_allocator_system();
  xcut_load_options loading = {
      .allocator = heap, .plugins = kPlugins, .plugin_count = sizeof kPlugins / sizeof *kPlugins};
  xcut_device_options running = {.allocator = heap, .threads = (uint32_t)atoi(argv[3])};
  xcut_error error;
  xcut_module *module;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  if (xcut_module_load_file(argv[1], &loading, &module, &error) ||
      xcut_module_find_function(module, "main", &function, &error) ||
      xcut_device_create(argv[2], &running, &device, &error) ||
      xcut_session_create(&function, device, &heap, &session, &error))
    return fail(&error);
  uint32_t inputs = function.info->input_count, outputs = function.info->output_count;
  xcut_value in[MOST], out[MOST];
  memset(out, 0, sizeof out);
  int next = 5;
  for (uint32_t i = 0; i < inputs; ++i) {
    xcut_tensor_description t;
    if (xcut_function_tensor(&function, i, &t)) return 2;
    in[i] = (xcut_value){.type = t.type, .rank = t.rank};
    for (unsigned d = 0; d < t.rank; ++d) in[i].dims[d] = t.dims[d] < 0 && next < argc ? atoi(argv[next++]) : t.dims[d];
    in[i].bytes = xcut_value_bytes(&in[i]);
    in[i].data = malloc(in[i].bytes + 1);
    if (!in[i].data || fread(in[i].data, 1, in[i].bytes, stdin) != in[i].bytes) return 2;
  }
  if (xcut_plan(session, in, inputs, out, outputs, NULL, &error)) return fail(&error);
  for (uint32_t o = 0; o < outputs; ++o) {
    out[o].bytes = xcut_value_bytes(&out[o]);
    out[o].data = malloc(out[o].bytes + 1);
    if (!out[o].data) return 2;
  }
  for (int call = atoi(argv[4]); call > 0; --call) {
    for (uint32_t o = 0; o < outputs; ++o) memset(out[o].data, 0xa5, out[o].bytes);
    if (xcut_invoke(session, in, inputs, out, outputs, &error)) return fail(&error);
    for (uint32_t o = 0; o < outputs; ++o) fwrite(out[o].data, 1, out[o].bytes, stdout);
  }
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(module);
  for (uint32_t i = 0; i < inputs; ++i) free(in[i].data);
  for (uint32_t o = 0; o < outputs; ++o) free(out[o].data);
  return fflush(stdout) != 0;
}
