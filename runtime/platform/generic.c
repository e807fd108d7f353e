// Bare metal: no mappings, files or threads; modules run where they lie, which may be flash. The rest is the program's
// hooks: weak symbols, null where the program does not define them.
#include "crosscut/generic.h"

#include "core/internal.h"

static void *no_memory(void *self, size_t bytes, size_t alignment) {
  (void)self, (void)bytes, (void)alignment;
  return NULL;
}

static void no_release(void *self, void *memory) { (void)self, (void)memory; }

xcut_allocator xcut_allocator_system(void) {
  if (!xcut_generic_allocate || !xcut_generic_release) return (xcut_allocator){NULL, no_memory, no_release};
  return (xcut_allocator){NULL, xcut_generic_allocate, xcut_generic_release};
}

#if XCUT_WITH_THREADS
static void generic_wait(void *self, const uint32_t *word, uint32_t value, uint64_t timeout_ns) {
  if (*(const volatile uint32_t *)word != value || !xcut_generic_wait_until) return;
  uint64_t now = xcut_generic_clock_ns ? xcut_generic_clock_ns(self) : 0;
  bool endless = timeout_ns >= XCUT_FOREVER - now || !xcut_generic_clock_ns;
  xcut_generic_wait_until(self, endless ? XCUT_FOREVER : now + timeout_ns);
}
#endif

// The linker writes null for hooks that there are none of.
static const xcut_platform kGeneric = {
    .page_bytes = 1,
    .clock_ns = xcut_generic_clock_ns,
#if XCUT_WITH_THREADS  // only local-task waits
    .wait = generic_wait,
#endif
    .flush_code = xcut_generic_flush_code,
};

const xcut_platform *xcut_platform_default(void) { return &kGeneric; }

xcut_status xcut_report(xcut_status status, const char *message) {
  if (xcut_generic_fault) xcut_generic_fault(status, message);
  return status;
}

xcut_status xcut_failed(xcut_status status) { return xcut_report(status, ""); }
