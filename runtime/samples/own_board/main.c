// A model as a C function and the same model as a module, both in a flash of their own; and the runtime's hooks.
#include <crosscut/embed.h>
#include <crosscut/generic.h>
#include <crosscut/runtime.h>

#include "start.h"
#include "xor.h"

XCUT_EMBED(module, MODULE, ".models");

// ---- Hooks: what this board offers to the runtime (crosscut/generic.h) -----------------------------------------------
static _Alignas(XCUT_ALIGNMENT) uint8_t memory[4096];
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

void xcut_generic_fault(xcut_status status, const char *message) {
  (void)status;
  print(message);
  print("\n");
}

// ----------------------------------------------------------------------------------------------------------------------
static XOR_ALIGNED unsigned char arena[XOR_ARENA_BYTES];

int main(void) {
  from_block = xcut_allocator_from_block(&block, memory, sizeof memory);
  const xcut_load_options loading = {.allocator = xcut_allocator_system()};
  const xcut_device_options running = {.allocator = loading.allocator};
  xcut_error error;
  xcut_module *loaded;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  if (xcut_module_load(module, (size_t)(module_end - module), &loading, &loaded, &error) ||
      xcut_module_find_function(loaded, "main", &function, &error) ||
      xcut_device_create("local-sync", &running, &device, &error) ||
      xcut_session_create(&function, device, &loading.allocator, &session, &error))
    return 1;
  for (int i = 0; i < 4; ++i) {
    float x[XOR_ARG0_ELEMENTS] = {(float)(i & 1), (float)(i >> 1)}, linked = -1, answer = -1;
    const xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {1, 2}};
    xcut_value out = {.data = &answer, .bytes = sizeof answer};
    if (xor_run(x, &linked, arena) || xcut_invoke(session, &in, 1, &out, 1, &error)) return 1;
    const float expected = (float)((i & 1) ^ (i >> 1));
    if (linked != expected || answer != expected) return 2;
  }
  // A module that was cut short is refused, and the hook told.
  if (!xcut_module_load(module, (size_t)(module_end - module) / 2, &loading, &loaded, &error)) return 3;
  print("right\n");
  return 0;
}
