// Loading and inspecting compiled models.
//
// A module is checked whole before anything in it is used: a malformed, changed or truncated one, or one for another
// machine, is refused with a message. The checks find damage, not malice: code in a module runs with the caller's
// rights, so load only modules that you trust as much as your own program.
#ifndef CROSSCUT_MODULE_H
#define CROSSCUT_MODULE_H

#include "crosscut/abi.h"
#include "crosscut/cpu.h"
#include "crosscut/memory.h"
#include "crosscut/platform.h"
#include "crosscut/plugin.h"
#include "crosscut/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xcut_module xcut_module;

// To describe only, not to call: a module of any architecture (with CROSSCUT_FOREIGN, else of this word size).
#define XCUT_LOAD_INSPECT UINT32_C(1)

// How to load. All fields zero but `allocator` is what most programs want.
typedef struct xcut_load_options {
  xcut_allocator allocator;       // for the module's record; required
  const xcut_platform *platform;  // null: xcut_platform_default(); must outlive the module
  const xcut_cpu *cpu;            // null: detected. Naming more than the machine has leads to illegal instructions.
  const void *weights;            // of a module with external weights: XCUT_ALIGNMENT-aligned, borrowed until unload
  uint64_t weights_bytes;
  uint32_t flags;              // XCUT_LOAD_*
  const xcut_plugin *plugins;  // [plugin_count]; more than the module calls are fine; copied. Of two of one name the
  uint32_t plugin_count;       // first counts.
} xcut_load_options;

// Loads a compiled model from memory. Where the platform can map memory, the code is copied once into pages that are
// then executable and never again writable; elsewhere it runs in place.
//
// image        module bytes, 16-byte aligned; borrowed until xcut_module_unload(), must not change meanwhile. Weights
//              are used in place when the image is 64-byte aligned, else copied.
// image_bytes  bytes.
// options      see there; copied.
// out          caller unloads with xcut_module_unload(); null on error.
//
// Threads: safe. Allocates: through options->allocator, and code pages through the platform.
// Errors:  XCUT_E_IMAGE     malformed, truncated or changed
//          XCUT_E_VERSION   of another ABI version
//          XCUT_E_TARGET    other architecture, or a CPU feature or vector length this machine lacks (named)
//          XCUT_E_PLUGIN    it calls plugins that options->plugins lacks (named)
//          XCUT_E_UNSUPPORTED  it needs a part of the runtime that was left out (CROSSCUT_PLUGINS)
//          XCUT_E_MEMORY    allocator or mapping refused
//          XCUT_E_ARGUMENT  null or misaligned image, missing allocator or external weights
XCUT_NODISCARD xcut_status xcut_module_load(const void *image, size_t image_bytes, const xcut_load_options *options,
                                            xcut_module **out, xcut_error *error);

// Loads a compiled model from a file, used in place: code and weights are mapped, not read. The file must not be
// changed in place while it is loaded (replacing it by renaming is safe).
//
// path     zero-terminated; not kept.
//
// Otherwise like xcut_module_load().
// Errors:  also XCUT_E_FILE         cannot be opened or mapped, or is no regular file
//               XCUT_E_UNSUPPORTED  the platform has no files
XCUT_NODISCARD xcut_status xcut_module_load_file(const char *path, const xcut_load_options *options, xcut_module **out,
                                                 xcut_error *error);

// Releases a module; null is ignored. No session of it may be left.
void xcut_module_unload(xcut_module *module);

// ---- Inspection: constant, and valid until the module is unloaded ---------------------------------------------------

// What the module says of itself. Strings are empty, never null, when absent.
typedef struct xcut_module_description {
  uint32_t abi_version;
  uint32_t arch;  // XCUT_ARCH_*
  uint32_t function_count;
  uint32_t variant_count;
  uint32_t chosen_variant;  // the one that calls use; variant_count when loaded for inspection only
  uint32_t flags;           // XCUT_MODULE_*
  uint32_t plugin_count;    // that it calls; 0 in a runtime without CROSSCUT_PLUGINS
  uint64_t image_bytes;     // of the whole module
  uint64_t checked_bytes;   // headers, table and code
  uint64_t weights_bytes;
  const char *triple;
  const char *source_name;
  const char *compiler;
  const uint8_t *source_sha256;  // 32 bytes
} xcut_module_description;

void xcut_module_describe(const xcut_module *module, xcut_module_description *out);

// Name of plugin `index` that the module calls; null past the last. Known of modules loaded for inspection, too.
const char *xcut_module_plugin(const xcut_module *module, uint32_t index);

typedef struct xcut_variant_description {
  uint64_t required_features;  // bits XCUT_<ARCH>_*
  uint32_t min_vlen_bits, max_vlen_bits;
  uint32_t kernel_count;
  uint32_t code_bytes;
  const char *cpu;
  const char *features;
} xcut_variant_description;

// Describes variant `index` < variant_count. Errors: XCUT_E_NOT_FOUND.
XCUT_NODISCARD xcut_status xcut_module_variant(const xcut_module *module, uint32_t index,
                                               xcut_variant_description *out);

typedef struct xcut_kernel_description {
  const char *name;  // of the model node
  uint64_t flops, bytes;
  int64_t code_offset;  // bytes from the module's table, which its ELF header's e_entry points to, to its code
} xcut_kernel_description;

// Describes kernel `index` of variant `variant`. Errors: XCUT_E_NOT_FOUND.
XCUT_NODISCARD xcut_status xcut_module_kernel(const xcut_module *module, uint32_t variant, uint32_t index,
                                              xcut_kernel_description *out);

// One function of a module; copy freely, valid until the module is unloaded.
typedef struct xcut_function {
  const xcut_module *module;
  const xcut_function_info *info;
  uint32_t index;
} xcut_function;

// Gets function `index` < function_count. Errors: XCUT_E_NOT_FOUND.
XCUT_NODISCARD xcut_status xcut_module_function(const xcut_module *module, uint32_t index, xcut_function *out);

// Finds a function by name; null finds "main", or the only function of the module.
// Errors: XCUT_E_NOT_FOUND, the message lists what there is.
XCUT_NODISCARD xcut_status xcut_module_find_function(const xcut_module *module, const char *name, xcut_function *out,
                                                     xcut_error *error);

// Name of a function; never null.
const char *xcut_function_name(const xcut_function *function);

typedef struct xcut_tensor_description {
  const char *name;
  uint8_t type;  // XCUT_TYPE_*
  uint8_t rank;
  int64_t dims[XCUT_MAX_RANK];  // -1: the caller chooses (inputs) or the call decides (outputs)
} xcut_tensor_description;

// Describes tensor `index`: inputs come first, then outputs, then state. Errors: XCUT_E_NOT_FOUND.
XCUT_NODISCARD xcut_status xcut_function_tensor(const xcut_function *function, uint32_t index,
                                                xcut_tensor_description *out);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_MODULE_H
