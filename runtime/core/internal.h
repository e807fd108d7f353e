// What the layers of the runtime know of each other. Everything compiled from core/ and loaders/ stands without a C
// library, but for memcpy and memset.
#ifndef CROSSCUT_CORE_INTERNAL_H
#define CROSSCUT_CORE_INTERNAL_H

#include "core/config.h"
#include "core/phase.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crosscut/module.h"
#include "crosscut/session.h"

// Freestanding compilers still expect these from somewhere; the headers that declare them may be missing. A few bytes
// are copied without a call.
void *memcpy(void *to, const void *from, size_t bytes);
#define memcpy __builtin_memcpy
void *memset(void *to, int value, size_t bytes);

#define XCUT_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// ---- text.c ----------------------------------------------------------------------------------------------------------

// A bounded line of text. Knows %s %c %d %u %x %zu %llu %lld %llx %%; bytes that would break a terminal become '?'.
typedef struct xcut_text {
  char *data;
  size_t bytes;
  size_t used;
} xcut_text;

xcut_text xcut_text_begin(char *data, size_t bytes);
void xcut_text_add(xcut_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Writes the message, if `error` is not null, and returns `status`.
xcut_status xcut_fail(xcut_error *error, xcut_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Tells the program's fault hook, where there is one, and returns `status`. xcut_failed() has no message to tell, and
// one argument: a failing check costs no more.
#if XCUT_GENERIC
xcut_status xcut_report(xcut_status status, const char *message);
xcut_status xcut_failed(xcut_status status);
#else
static inline xcut_status xcut_report(xcut_status status, const char *message) { return (void)message, status; }
static inline xcut_status xcut_failed(xcut_status status) { return status; }
#endif

// Without messages, nothing of them is left in the program; the compiler still checks them.
#if !XCUT_WITH_MESSAGES
#define xcut_text_begin(data, bytes) ((xcut_text){data, bytes, 0})
#define xcut_text_add(...) (0 ? (xcut_text_add)(__VA_ARGS__) : (void)0)
#define xcut_fail(error, status, ...) (0 ? (xcut_fail)(error, status, __VA_ARGS__) : xcut_failed(status))
#endif

bool xcut_same_text(const char *a, const char *b);

// ---- module.c, table.c -----------------------------------------------------------------------------------------------

struct xcut_module {
  xcut_allocator allocator;
  const xcut_platform *platform;
  const xcut_module_table *table;
  const xcut_variant *variant;  // null: inspection only
  const uint8_t *weights;
  uint64_t image_bytes;
  // What unloading gives back; null when nothing.
  void *code;
  size_t code_bytes;
  void *file;
  size_t file_bytes;
  void *weights_copy;
#if XCUT_WITH_PLUGINS
  xcut_plugin *plugins;  // in the order of the table
#endif
};

// What a field holding an xcut_offset points to; null when absent. Only for offsets that xcut_table_check passed.
const void *xcut_at(const xcut_offset *field);
const char *xcut_text_at(const xcut_offset *field);  // "" when absent

// Checks that everything the table at `table_at` refers to lies inside `base` ... `base + bytes` and makes sense.
// `base` is 16-byte aligned, `bytes` at most SIZE_MAX / 2.
xcut_status xcut_table_check(const uint8_t *base, size_t bytes, size_t table_at, xcut_error *error);

#if XCUT_WITH_PLUGINS
// Finds the program's plugin for each that the module calls. On failure the caller unloads `module`.
xcut_status xcut_plugins_bind(xcut_module *module, const xcut_plugin *plugins, uint32_t count, xcut_error *error);

// The environment's call_plugin.
int32_t xcut_plugins_call(xcut_env *env, uint32_t plugin, xcut_plugin_call *call);

// What a session's call says of the plugin that failed.
xcut_status xcut_plugins_explain(const xcut_session *session, xcut_error *error);
#endif

// Chooses the first variant that the machine can run.
xcut_status xcut_variant_choose(const xcut_module_table *table, const xcut_cpu *cpu, const xcut_variant **out,
                                xcut_error *error);

// ---- session.c, devices/ ---------------------------------------------------------------------------------------------

// The part of a session that devices see. The environment comes first: modules hand its address back.
typedef struct xcut_run {
  xcut_env env;
  xcut_session *session;
  xcut_device *device;
} xcut_run;

typedef struct xcut_device_ops {
  // Of the device's own record of a session, which begins with xcut_run and starts as zeros.
  size_t (*run_bytes)(const xcut_device *device);
  void (*run_begin)(xcut_run *run);
  // Runs xcut_session_execute() in this thread, with all of the device's help.
  void (*invoke)(xcut_run *run);
  // Starts it; wait returns true when it is done.
  void (*start)(xcut_run *run);
  bool (*wait)(xcut_run *run, uint64_t timeout_ns);
  void (*destroy)(xcut_device *device);
} xcut_device_ops;

struct xcut_device {
  const xcut_device_ops *ops;
  const char *name;
  xcut_allocator allocator;
  const xcut_platform *platform;
  uint32_t threads;
};

xcut_status xcut_device_create_sync(const xcut_device_options *options, xcut_device **out, xcut_error *error);
xcut_status xcut_device_create_task(const xcut_device_options *options, xcut_device **out, xcut_error *error);

struct xcut_session {
  xcut_allocator allocator;
  const xcut_module *module;
  const xcut_function_info *info;
  xcut_device *device;
  const xcut_entry *entry;
  xcut_call call;
  xcut_tensor *tensors;  // [inputs, outputs, state]
  int64_t (*dims)[XCUT_MAX_RANK];
  bool *allocated;      // outputs that allocate_output made during this call
  xcut_value *outputs;  // the caller's, during a call
  void *state;
  size_t state_bytes;
  void *arena;
  size_t arena_bytes;
  bool arena_lent;
  xcut_kernel_time *times;
  int32_t result;  // of the entry point
#if XCUT_WITH_PLUGINS
  const char *plugin_node, *plugin_message;  // of the one that failed
#endif
  xcut_phase phase;
  xcut_run *run;
};

// Calls the session's entry point in this thread; the device has set up the environment.
void xcut_session_execute(xcut_session *session);

// The environment's allocate_output.
void *xcut_session_allocate_output(xcut_env *env, uint32_t output, uint64_t bytes);

// ---- loaders/elf/arch ------------------------------------------------------------------------------------------------

// Puts the floating-point environment to its default, and back.
uint64_t xcut_float_enter(void);
void xcut_float_leave(uint64_t saved);

// Tells the CPU that another thread is waited for.
void xcut_cpu_relax(void);

#endif  // CROSSCUT_CORE_INTERNAL_H
