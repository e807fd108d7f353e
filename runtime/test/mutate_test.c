// Damages real modules in every small way and expects a refusal each time: mutate_test MODULE...
// Runs in one process, so that a crash is a failure. Large modules are cut and flipped at evenly spaced places beyond
// their headers, so that the work stays within seconds.
#include <stdint.h>

#include "crosscut/runtime.h"
#include "test/test.h"
#include "tools/common/tools.h"

static bool refused(const uint8_t *image, size_t bytes, const char *how, size_t at) {
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = XCUT_LOAD_INSPECT};
  xcut_module *module;
  xcut_error error = {{0}};
  xcut_status status = xcut_module_load(image, bytes, &options, &module, &error);
  xcut_module_unload(module);
  if (status != XCUT_OK && error.message[0]) return true;
  fprintf(stderr, "%s at %zu was not refused\n", how, at);
  ++test_failures;
  return false;
}

static uint64_t checked_bytes(const uint8_t *image, size_t bytes) {
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = XCUT_LOAD_INSPECT};
  xcut_module *module;
  xcut_error error = {{0}};
  if (xcut_module_load(image, bytes, &options, &module, &error)) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
  }
  xcut_module_description d;
  xcut_module_describe(module, &d);
  xcut_module_unload(module);
  return d.checked_bytes;
}

static void damage(const char *path) {
  uint8_t *image;
  size_t bytes;
  xcut_error error;
  if (!tool_read_file(path, &image, &bytes, &error)) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
  }
  size_t checked = (size_t)checked_bytes(image, bytes);
  size_t headers = checked < 4096 ? checked : 4096;
  size_t step = bytes / 20000 + 1, cuts = 0, flips = 0;
  for (size_t length = 0; length < bytes; length += length < headers ? 1 : step) {
    if (!refused(image, length, "a cut", length)) break;
    ++cuts;
  }
  step = checked / (UINT64_C(1000000000) / (checked + 1) + 1) + 1;  // each flip costs a checksum
  for (size_t at = 0; at < checked; at += at < headers ? 1 : step) {
    static const uint8_t patterns[] = {0x01, 0x80, 0xff};
    for (size_t p = 0; p < sizeof patterns; ++p) {
      image[at] ^= patterns[p];
      refused(image, bytes, "a flip", at);
      image[at] ^= patterns[p];
      ++flips;
    }
    if (test_failures) break;
  }
  printf("%s: %zu cuts, %zu flips\n", path, cuts, flips);
  free(image);
}

int main(int argc, char **argv) {
  REQUIRE(argc > 1);
  for (int i = 1; i < argc; ++i) damage(argv[i]);
  return test_failures != 0;
}
