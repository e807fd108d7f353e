// Fuzzes the loader: any bytes, first as they are, then with the checksum made right so that the checks behind it are
// reached too. What loads is looked at from end to end; its code is never run.
#include <stdlib.h>
#include <string.h>

#include "crosscut/runtime.h"
#include "fuzz/fuzz.h"

static size_t look(const xcut_module *module) {
  xcut_module_description d;
  xcut_module_describe(module, &d);
  size_t sum = strlen(d.triple) + strlen(d.source_name) + strlen(d.compiler) + d.source_sha256[31];
  xcut_function f;
  for (uint32_t i = 0; xcut_module_function(module, i, &f) == XCUT_OK; ++i) {
    sum += strlen(xcut_function_name(&f));
    xcut_tensor_description t;
    for (uint32_t j = 0; xcut_function_tensor(&f, j, &t) == XCUT_OK; ++j) sum += strlen(t.name) + (size_t)t.dims[0];
  }
  for (uint32_t p = 0; p < d.plugin_count; ++p) sum += strlen(xcut_module_plugin(module, p));
  for (uint32_t v = 0; v < d.variant_count; ++v) {
    xcut_variant_description variant;
    if (xcut_module_variant(module, v, &variant) != XCUT_OK) abort();
    sum += strlen(variant.cpu) + strlen(variant.features);
    xcut_kernel_description k;
    for (uint32_t i = 0; xcut_module_kernel(module, v, i, &k) == XCUT_OK; ++i) sum += strlen(k.name);
  }
  return sum;
}

static void load(const void *image, size_t bytes, uint32_t flags) {
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = flags};
  xcut_module *module;
  xcut_error error = {{0}};
  xcut_status status = xcut_module_load(image, bytes, &options, &module, &error);
  if (status && (module || !error.message[0])) abort();
  if (status) return;
  static volatile size_t sink;
  sink += look(module);
  xcut_module_unload(module);
}

// Where a module of this machine's class says its table is; 0 when that is nonsense.
static size_t table_of(const uint8_t *image, size_t bytes) {
  if (bytes < 256) return 0;
  uint64_t entry = 0;
  memcpy(&entry, image + 24, sizeof(void *));
  return entry % 8 == 0 && entry < bytes - sizeof(xcut_module_table) ? (size_t)entry : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, bytes ? bytes : 1) != 0) return 0;
  if (bytes) memcpy(memory, data, bytes);
  load(memory, bytes, 0);
  load(memory, bytes, XCUT_LOAD_INSPECT);
  size_t at = table_of(memory, bytes);
  if (at) {
    xcut_module_table *table = (xcut_module_table *)(void *)((uint8_t *)memory + at);
    table->magic = XCUT_ABI_MAGIC;
    table->abi_version = XCUT_ABI_VERSION;
    if (table->checked_bytes <= bytes) {
      table->checksum = xcut_checksum(memory, table->checked_bytes, at + offsetof(xcut_module_table, checksum));
      load(memory, bytes, XCUT_LOAD_INSPECT);
    }
  }
  free(memory);
  return 0;
}
