// Bare metal: no mappings, files or threads. Modules run where they lie, which may be flash.
#include "crosscut/memory.h"
#include "crosscut/platform.h"

static void *no_memory(void *self, size_t bytes, size_t alignment) {
  (void)self, (void)bytes, (void)alignment;
  return NULL;
}

static void no_release(void *self, void *memory) { (void)self, (void)memory; }

xcut_allocator xcut_allocator_system(void) { return (xcut_allocator){NULL, no_memory, no_release}; }

static const xcut_platform kGeneric = {.page_bytes = 1};

const xcut_platform *xcut_platform_default(void) { return &kGeneric; }
