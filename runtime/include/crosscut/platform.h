// What the runtime may ask of an operating system. Each entry is optional: without `map`, modules run where they lie
// (flash, or memory that the caller made executable); without threads there is no local-task; without files modules
// are loaded from memory only.
#ifndef CROSSCUT_PLATFORM_H
#define CROSSCUT_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Facts about the CPU that only the operating system knows.
enum {
  XCUT_CAPABILITY_HWCAP = 0,          // Linux AT_HWCAP
  XCUT_CAPABILITY_HWCAP2 = 1,         // Linux AT_HWCAP2
  XCUT_CAPABILITY_RISCV_HWPROBE = 2,  // Linux riscv_hwprobe, key IMA_EXT_0
};

#define XCUT_FOREVER UINT64_MAX  // as a time-out in nanoseconds

typedef struct xcut_platform {
  void *self;  // passed to every function

  // ---- Memory ----
  size_t page_bytes;  // granularity of the functions below
  // Fresh zeroed memory that can be written; null when refused.
  void *(*map)(void *self, size_t bytes);
  // Makes mapped memory readable and executable, and no longer writable. False when refused.
  bool (*protect_code)(void *self, void *memory, size_t bytes);
  void (*unmap)(void *self, void *memory, size_t bytes);

  // ---- Files ----
  // Opens a regular file for reading. On failure returns false and sets *reason to a short static phrase.
  bool (*file_open)(void *self, const char *path, intptr_t *file, uint64_t *bytes, const char **reason);
  // Maps the file's first `bytes`, readable, and executable if asked; released with unmap. Null when refused.
  void *(*file_map)(void *self, intptr_t file, size_t bytes, bool executable);
  void (*file_close)(void *self, intptr_t file);

  // ---- Clock ----
  uint64_t (*clock_ns)(void *self);  // monotonic

  // ---- Threads ----
  uint32_t (*cpu_count)(void *self);  // that this process may use
  // Starts a thread, on CPU `cpu` only unless that is negative.
  bool (*thread_start)(void *self, void *(*function)(void *), void *argument, int cpu, uintptr_t *thread);
  void (*thread_join)(void *self, uintptr_t thread);
  // Sleeps while *word == value, until woken or the time-out; may return early.
  void (*wait)(void *self, const uint32_t *word, uint32_t value, uint64_t timeout_ns);
  // Wakes up to `count` sleepers on `word`.
  void (*wake)(void *self, const uint32_t *word, uint32_t count);

  // ---- CPU ----
  uint64_t (*capability)(void *self, uint32_t which);          // XCUT_CAPABILITY_*; 0 when not known
  void (*flush_code)(void *self, void *memory, size_t bytes);  // null: the architecture's own way is used
} xcut_platform;

// Makes the CPU see instructions that were just written to `memory`: for programs that copy a module to RAM themselves
// and load it there in place.
void xcut_flush_code(const xcut_platform *platform, void *memory, size_t bytes);

// The platform that the runtime was built for: POSIX, or bare metal with every entry null. Static storage, constant.
const xcut_platform *xcut_platform_default(void);

// Hooks of a bare-metal machine; each may be null.
typedef struct xcut_generic_hooks {
  void *self;
  uint64_t (*clock_ns)(void *self);
  void (*flush_code)(void *self, void *memory, size_t bytes);
} xcut_generic_hooks;

// Fills `platform` for a machine without operating system: modules run in place, on the caller's thread.
void xcut_platform_generic(xcut_platform *platform, const xcut_generic_hooks *hooks);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_PLATFORM_H
