// The smallest program that loads a module from flash and calls it: what its image needs beside the module.
#include <crosscut/runtime.h>

#include "bench.h"

XCUT_EMBED(module, BENCH_MODULE, ".modules");

#define BUFFER(name, index, size) static _Alignas(8) unsigned char name##index[(size) ? (size) : 1];
#define INPUT_BUFFER(index, size, ...) BUFFER(input, index, size)
#define OUTPUT_BUFFER(index, size, ...) BUFFER(output, index, size)
BENCH_INPUTS(INPUT_BUFFER)
BENCH_OUTPUTS(OUTPUT_BUFFER)
#define VALUE(buffer, size, element, ranks, ...) \
  {.data = buffer, .bytes = size, .type = element, .rank = ranks, .dims = {__VA_ARGS__}},
#define INPUT(index, ...) VALUE(input##index, __VA_ARGS__)
#define OUTPUT(index, ...) VALUE(output##index, __VA_ARGS__)

// Set by the linker script: what is left of RAM is the runtime's, but for a stack of 1 KB.
extern uint8_t bss_end[], stack_top[];

int main(void) {
  static const xcut_value inputs[] = {BENCH_INPUTS(INPUT)};
  xcut_value outputs[] = {BENCH_OUTPUTS(OUTPUT)};
  xcut_block block;
  const xcut_allocator heap = xcut_allocator_from_block(&block, bss_end, (size_t)(stack_top - bss_end) - 1024);
  const xcut_load_options loading = {.allocator = heap};
  const xcut_device_options running = {.allocator = heap};
  xcut_module *loaded;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  return xcut_module_load(module, (size_t)(module_end - module), &loading, &loaded, NULL) ||
         xcut_module_find_function(loaded, NULL, &function, NULL) ||
         xcut_device_create("local-sync", &running, &device, NULL) ||
         xcut_session_create(&function, device, &heap, &session, NULL) ||
         xcut_invoke(session, inputs, sizeof inputs / sizeof *inputs, outputs, sizeof outputs / sizeof *outputs, NULL);
}
