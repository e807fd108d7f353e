// A module through the runtime, where it lies in flash or, with COPY, from RAM; then the same model statically linked,
// which must give the same bits. MODEL is the model's name, MODEL_RUN its C function.
#include <board.h>
#include <crosscut/embed.h>
#include <crosscut/generic.h>
#include <crosscut/runtime.h>

#include "check.h"
#include MODEL_HEADER

XCUT_EMBED(module, MODULE, ".modules");
XCUT_EMBED(input, DATA "/" MODEL ".input", ".modules");
XCUT_EMBED(least, DATA "/" MODEL ".least", ".modules");
XCUT_EMBED(most, DATA "/" MODEL ".most", ".modules");

static _Alignas(64) uint8_t memory[MEMORY_BYTES];
static _Alignas(64) uint8_t arena[MODEL_ARENA_BYTES + 64];
static float output[256], other[256];
static xcut_error error;
static xcut_status fault;

// ---- The program's hooks ----
static xcut_block block;
static xcut_allocator from_block;

void *xcut_generic_allocate(void *self, size_t bytes, size_t alignment) {
  (void)self;
  return from_block.allocate(from_block.self, bytes, alignment);
}
void xcut_generic_release(void *self, void *released) {
  (void)self;
  from_block.release(from_block.self, released);
}
void xcut_generic_fault(xcut_status status, const char *message) { fault = message[0] ? status : XCUT_OK; }

static int fail(const char *what) {
  board_print(what);
  board_print(": ");
  board_print(error.message);
  board_print("\n");
  return 1;
}

static int lies_in(const void *address, const uint8_t *from, size_t bytes) {
  return (const uint8_t *)address >= from && (const uint8_t *)address < from + bytes;
}

int main(void) {
  const size_t bytes = (size_t)(module_end - module);
  const uint8_t *image = module;
#if COPY
  static _Alignas(64) uint8_t copy[COPY_BYTES];
  if (bytes > sizeof copy) return fail("the module is too large to be copied");
  for (size_t i = 0; i < bytes; ++i) copy[i] = module[i];
  image = copy;
  xcut_flush_code(xcut_platform_default(), copy, bytes);
#endif
  from_block = xcut_allocator_from_block(&block, memory, sizeof memory);
  const xcut_load_options loading = {.allocator = xcut_allocator_system()};
  const xcut_device_options running = {.allocator = xcut_allocator_system()};
  xcut_module *loaded;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  if (xcut_module_load(image, bytes / 2, &loading, &loaded, &error) != XCUT_E_IMAGE || fault != XCUT_E_IMAGE) {
    return fail("half a module was loaded");
  }
  if (xcut_module_load(image, bytes, &loading, &loaded, &error)) return fail("load");
  if (xcut_module_find_function(loaded, "main", &function, &error)) return fail("find");
  if (!lies_in(function.info, image, bytes)) return fail("the module was copied");
  if (xcut_device_create("local-sync", &running, &device, &error)) return fail("device");
  if (xcut_session_create(&function, device, &loading.allocator, &session, &error)) return fail("session");

  xcut_tensor_description x;
  if (xcut_function_tensor(&function, 0, &x)) return fail("input");
  xcut_value in = {
      .data = (void *)(uintptr_t)input, .bytes = (size_t)(input_end - input), .type = x.type, .rank = x.rank};
  for (unsigned d = 0; d < x.rank; ++d) in.dims[d] = x.dims[d];
  xcut_value out = {.data = output, .bytes = sizeof output};
  for (int call = 0; call < 2; ++call) {
    if (xcut_invoke(session, &in, 1, &out, 1, &error)) return fail("invoke");
    if (xcut_value_bytes(&out) != (size_t)(least_end - least)) return fail("the output's size");
    if (!is_between(output, least, most, (size_t)(least_end - least))) return fail("wrong output");
  }
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(loaded);

  if (MODEL_RUN((const float *)(const void *)input, other, arena)) return fail("the static model");
  for (unsigned i = 0; i < MODEL_OUTPUT_ELEMENTS; ++i)
    if (((uint32_t *)(void *)output)[i] != ((uint32_t *)(void *)other)[i])
      return fail("module and static model differ");
  board_print("right\n");
  return 0;
}
