// The model as a module, through the runtime.
#include <crosscut/runtime.h>

#include "bench.h"

XCUT_EMBED(bench_module, BENCH_MODULE, ".modules");

#define VALUE(index, size, element, ranks, ...) {.bytes = size, .type = element, .rank = ranks, .dims = {__VA_ARGS__}},
static xcut_value inputs_of_call[] = {BENCH_INPUTS(VALUE)}, outputs_of_call[] = {BENCH_OUTPUTS(VALUE)};
enum { INPUTS = sizeof inputs_of_call / sizeof *inputs_of_call };
enum { OUTPUTS = sizeof outputs_of_call / sizeof *outputs_of_call };

static xcut_block block;
static xcut_session *session;
static uint64_t arena_bytes;
static xcut_error error;

const char *bench_open(uint8_t *memory, size_t bytes) {
  const size_t image_bytes = (size_t)(bench_module_end - bench_module);
  const uint8_t *image = bench_module;
  const xcut_allocator heap = xcut_allocator_from_block(&block, memory, bytes);
#if BENCH_COPY
  uint8_t *copy = heap.allocate(heap.self, image_bytes, BENCH_ALIGNMENT);
  if (!copy) return "no memory for a copy of the module";
  for (size_t i = 0; i < image_bytes; ++i) copy[i] = bench_module[i];
  xcut_flush_code(xcut_platform_default(), copy, image_bytes);
  image = copy;
#endif
  const xcut_load_options loading = {.allocator = heap};
  const xcut_device_options running = {.allocator = heap};
  xcut_module *module;
  xcut_function function;
  xcut_device *device;
  if (xcut_module_load(image, image_bytes, &loading, &module, &error) ||
      xcut_module_find_function(module, NULL, &function, &error) ||
      xcut_device_create("local-sync", &running, &device, &error) ||
      xcut_session_create(&function, device, &heap, &session, &error))
    return error.message;
  // The first call would allocate the arena, and not cost what the others do.
  if (xcut_plan(session, inputs_of_call, INPUTS, outputs_of_call, OUTPUTS, &arena_bytes, &error)) return error.message;
  if (!arena_bytes) return NULL;
  void *arena = heap.allocate(heap.self, (size_t)arena_bytes, BENCH_ALIGNMENT);
  if (!arena) return "no memory for the arena";
  return xcut_session_set_arena(session, arena, (size_t)arena_bytes, &error) ? error.message : NULL;
}

const char *bench_call(const void *const *inputs, void *const *outputs) {
  for (unsigned i = 0; i < INPUTS; ++i) inputs_of_call[i].data = (void *)(uintptr_t)inputs[i];
  for (unsigned i = 0; i < OUTPUTS; ++i) outputs_of_call[i].data = outputs[i];
  return xcut_invoke(session, inputs_of_call, INPUTS, outputs_of_call, OUTPUTS, &error) ? error.message : NULL;
}

size_t bench_memory_bytes(void) { return block.peak; }

size_t bench_arena_bytes(void) { return (size_t)arena_bytes; }
