// golden_test MODULE FOLDER: see golden.h.
#include "golden.h"

#include <stdlib.h>

#include "tools/common/tools.h"

static golden_file read_file(const char *path) {
  uint8_t *data;
  golden_file file;
  xcut_error error;
  if (!tool_read_file(path, &data, &file.bytes, &error)) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
  }
  file.data = data;
  return file;
}

int main(int argc, char **argv) {
  if (argc != 3) return 1;
  static const char *const names[] = {"input0", "input1", "output0", "output1"};
  golden_set set = {.module = read_file(argv[1])};
  for (int i = 0; i < kGoldenInputs + kGoldenOutputs; ++i) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.bin", argv[2], names[i]);
    set.tensors[i] = read_file(path);
  }
  const xcut_allocator allocator = xcut_allocator_system();
  int failed = 0;
  for (uint32_t i = 0; xcut_device_available(i); ++i) {
    const char *wrong = golden_check(&set, xcut_device_available(i), &allocator);
    if (wrong) fprintf(stderr, "%s on %s: %s\n", argv[1], xcut_device_available(i), wrong), failed = 1;
  }
  free((void *)(uintptr_t)set.module.data);
  for (int i = 0; i < kGoldenInputs + kGoldenOutputs; ++i) free((void *)(uintptr_t)set.tensors[i].data);
  return failed;
}
