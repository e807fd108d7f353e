// Bare metal: no mappings, files or threads; modules run where they lie, which may be flash. The rest is the program's
// hooks: weak symbols, null where the program does not define them.
#include "crosscut/generic.h"

#include "core/internal.h"

static void *generic_allocate(void *self, size_t bytes, size_t alignment) {
  (void)self;
  return xcut_generic_allocate ? xcut_generic_allocate(bytes, alignment) : NULL;
}

static void generic_release(void *self, void *memory) {
  (void)self;
  if (xcut_generic_release) xcut_generic_release(memory);
}

xcut_allocator xcut_allocator_system(void) { return (xcut_allocator){NULL, generic_allocate, generic_release}; }

static uint64_t generic_clock_ns(void *self) {
  (void)self;
  return xcut_generic_clock_ns();
}

static void generic_flush_code(void *self, void *memory, size_t bytes) {
  (void)self;
  xcut_generic_flush_code(memory, bytes);
}

static void generic_wait(void *self, const uint32_t *word, uint32_t value, uint64_t timeout_ns) {
  (void)self;
  if (*(const volatile uint32_t *)word != value || !xcut_generic_wait_until) return;
  uint64_t now = xcut_generic_clock_ns ? xcut_generic_clock_ns() : 0;
  bool endless = timeout_ns >= XCUT_FOREVER - now || !xcut_generic_clock_ns;
  xcut_generic_wait_until(endless ? XCUT_FOREVER : now + timeout_ns);
}

// The table says by null entries what there is not, and only the linker knows which hooks there are: one table each.
const xcut_platform *xcut_platform_default(void) {
  static const xcut_platform tables[2][2] = {
      {{.page_bytes = 1, .wait = generic_wait},
       {.page_bytes = 1, .wait = generic_wait, .flush_code = generic_flush_code}},
      {{.page_bytes = 1, .wait = generic_wait, .clock_ns = generic_clock_ns},
       {.page_bytes = 1, .wait = generic_wait, .clock_ns = generic_clock_ns, .flush_code = generic_flush_code}},
  };
  return &tables[xcut_generic_clock_ns != NULL][xcut_generic_flush_code != NULL];
}

xcut_status xcut_report(xcut_status status, const char *message) {
  if (xcut_generic_fault) xcut_generic_fault(status, message);
  return status;
}
