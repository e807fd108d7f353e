// Plugins: functions of the program's that a model calls.
//
// A model calls a plugin for each node of an operator that the compiler does not know because its domain is not ONNX's
// (the plugin "acme.Scale" for the operator Scale of the domain acme), and for each func.call of a function without
// body in MLIR (the plugin is named like the function, or as its attribute xcut.plugin says). One C function serves
// every format:
//   elf     the program passes an xcut_plugin array to xcut_module_load(), which refuses a module when one is missing.
//   static  the model's header declares the function, under a name made from the plugin's: plugin_acme_Scale(). A
//           missing one is an error of the linker's.
// This header needs no part of the runtime to be linked.
#ifndef CROSSCUT_PLUGIN_H
#define CROSSCUT_PLUGIN_H

#include "crosscut/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

// Computes one node.
//
// call  inputs      input_count tensors, only to be read.
//       outputs     output_count tensors to be written whole. Type, rank and dims are what the model states; a plugin
//                   that would make another shape fails. An output overlaps no other tensor of the call.
//       attributes  the node's constants as tensors, sorted by name: an integer or float has rank 0 (i64, f32), a list
//                   of them rank 1, a string is rank 1 of u8, followed by a zero that is not counted.
//       node        the model's node, for messages.
//       user        as registered; null in static models.
//       All of it is valid until the function returns. Tensors are row-major without padding, aligned to their
//       elements, in the model's own order of dimensions (ONNX: NCHW).
//
// Returns 0, or any other value to fail: the model's call then stops with XCUT_E_PLUGIN (static: with XCUT_RUN_PLUGIN),
// and its outputs are not defined. Before, the function may set call->message, one line, in memory that stays valid
// until the model's call has returned its error; xcut_plugin_fail() does so.
//
// Threads: a call of a model calls its plugins one after the other, each after everything that it depends on, in the
// thread that runs the call: the one that called xcut_invoke() or the static function; for xcut_invoke_async() one of
// the device's or the one that waits. Meanwhile other threads may run kernels that do not depend on it. Sessions that
// run at the same time call the same function with the same `user` at the same time.
// Floating point is in its default environment (static: in the program's), and has to be left so. Nothing but pointers
// and integers is passed: the function may be compiled for hard or soft float. Its stack is not part of the stack_bytes
// of a module. It must not call the session that calls it, and must return (no longjmp or exception).
typedef int32_t (*xcut_plugin_fn)(xcut_plugin_call *call);

// A plugin as a program offers it to xcut_module_load().
typedef struct xcut_plugin {
  const char *name;  // as crosscut-info prints it: "acme.Scale"
  xcut_plugin_fn function;
  void *user;  // passed on; must outlive the module
} xcut_plugin;

// What a shared library of plugins exports under the name xcut_plugins, for programs that take one when they start
// (crosscut-run --plugin=LIB.so). All of it stays valid while the library is loaded.
typedef struct xcut_plugin_table {
  uint32_t abi_version;  // XCUT_ABI_VERSION that it was compiled with
  uint32_t plugin_count;
  const xcut_plugin *plugins;
} xcut_plugin_table;

// Exports an array of plugins, once a library:
//   static const xcut_plugin plugins[] = {{"acme.Scale", scale, NULL}};
//   XCUT_EXPORT_PLUGINS(plugins)
#ifdef __cplusplus
#define XCUT_PLUGIN_EXTERN extern "C"
#else
#define XCUT_PLUGIN_EXTERN extern
#endif
#define XCUT_EXPORT_PLUGINS(array)                                                                \
  XCUT_PLUGIN_EXTERN __attribute__((visibility("default"))) const xcut_plugin_table xcut_plugins; \
  const xcut_plugin_table xcut_plugins = {XCUT_ABI_VERSION, (uint32_t)(sizeof(array) / sizeof *(array)), (array)};

// Ends a plugin's function with a message: return xcut_plugin_fail(call, "rank is not 2");
static inline int32_t xcut_plugin_fail(xcut_plugin_call *call, const char *message) {
  call->message = message;
  return -1;
}

// The attribute of that name; null when the node has none.
static inline const xcut_plugin_tensor *xcut_plugin_find_attribute(const xcut_plugin_call *call, const char *name) {
  for (uint32_t i = 0; i < call->attribute_count; ++i) {
    const char *a = call->attributes[i].name, *b = name;
    while (*a && *a == *b) ++a, ++b;
    if (*a == *b) return &call->attributes[i].value;
  }
  return NULL;
}

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_PLUGIN_H
