// What crosscut-run, crosscut-info and crosscut-bench share: tensors from the command line and from files, comparison
// and printing. C, so that C and C++ programs link it; needs the runtime and a C library.
//
// Functions that can fail return false and put one line into `error`.
#ifndef CROSSCUT_TOOLS_COMMON_H
#define CROSSCUT_TOOLS_COMMON_H

#include <stdbool.h>
#include <stdio.h>

#include "crosscut/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

// Formats a message that may hold any text; control characters become '?'. Returns false, for `return tool_fail(...)`.
bool tool_fail(xcut_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- Tensors ---------------------------------------------------------------------------------------------------------

// Allocates value->data for its type and dims, 64-byte aligned; release with tool_value_free().
bool tool_value_allocate(xcut_value *value, xcut_error *error);
void tool_value_free(xcut_value *value);

// Parses one tensor:
//   1x3x224x224xf32=0              every element 0
//   2x2xf32=[[1 2][3 4]]           nested as its dimensions, or flat: =1 2 3 4 or =[1,2,3,4]
//   f32=1.5                        no dimensions
//   4xf32=@raw.bin                 bytes of a file, in this machine's byte order
//   @file.npy
// wanted  the tensor that it is for, checked before memory is filled; null: anything.
bool tool_parse_value(const char *text, const xcut_tensor_description *wanted, xcut_value *out, xcut_error *error);

// Parses the inputs of a function: texts as above, in order, or each as "name=text" (then in any order).
// values  [input_count of the function], free each with tool_value_free() whatever the result.
bool tool_parse_inputs(const xcut_function *function, const char *const *texts, uint32_t count, xcut_value *values,
                       xcut_error *error);

// Like tool_parse_inputs(), for expected outputs: fewer texts than outputs are allowed. present[i] says which are
// given.
bool tool_parse_expected(const xcut_function *function, const char *const *texts, uint32_t count, xcut_value *values,
                         bool *present, xcut_error *error);

// Element `index` as a double (64-bit integers are rounded), and as text.
double tool_element(const xcut_value *value, size_t index);
void tool_element_text(const xcut_value *value, size_t index, char *text, size_t bytes);

// Number of elements; the value must be well-formed.
size_t tool_element_count(const xcut_value *value);

// "1x3xf32" into `text`.
void tool_shape_text(const xcut_value *value, char *text, size_t bytes);

// Prints "name: 2x2xf32=[[1 2][3 4]]", with the middle left out past `limit` elements (0: print all).
void tool_print_value(FILE *file, const char *name, const xcut_value *value, size_t limit);

// ---- Files -----------------------------------------------------------------------------------------------------------

// Reads a regular file whole, 64-byte aligned; release with free(). A zero byte follows the last.
bool tool_read_file(const char *path, uint8_t **data, size_t *bytes, xcut_error *error);

// Writes a file whole or not at all: to a temporary name beside it, then renamed.
bool tool_write_file(const char *path, const void *const *parts, const size_t *sizes, uint32_t count,
                     xcut_error *error);

// NumPy's .npy format, versions 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
// Either byte order and C or Fortran order are read; bf16 is kept as two-byte void ("<V2").
bool tool_parse_npy(const uint8_t *data, size_t bytes, const xcut_tensor_description *wanted, xcut_value *out,
                    xcut_error *error);
bool tool_write_npy(const char *path, const xcut_value *value, xcut_error *error);

// ---- Comparison ------------------------------------------------------------------------------------------------------

typedef struct tool_comparison {
  bool matches;
  bool same_shape;
  size_t mismatches;
  size_t first_mismatch;  // index of the first element that differs too much
  double max_absolute;    // greatest |actual - expected| of finite elements
  double max_relative;    // greatest |actual - expected| / |expected| of finite elements with expected != 0
} tool_comparison;

// Elements match when |actual - expected| <= atol + rtol * |expected|; NaN matches NaN; infinities match themselves.
// Types must be the same.
tool_comparison tool_compare(const xcut_value *actual, const xcut_value *expected, double atol, double rtol);

// ---- Calling ---------------------------------------------------------------------------------------------------------

// Plans a call and allocates its outputs (those whose size only the data tells stay null, for the session to allocate).
// Release each with tool_outputs_free().
bool tool_allocate_outputs(xcut_session *session, const xcut_value *inputs, uint32_t input_count, xcut_value *outputs,
                           uint32_t output_count, xcut_error *error);

// The allocator to give to sessions whose outputs tool_value_free() releases.
xcut_allocator tool_allocator(void);

// ---- Plugins ---------------------------------------------------------------------------------------------------------

// The plugins of shared libraries (see XCUT_EXPORT_PLUGINS in crosscut/plugin.h), in order. The libraries stay loaded
// until the program ends, the list belongs to the caller: free(). A path without a slash is a file of the current
// folder.
bool tool_load_plugins(const char *const *paths, uint32_t count, xcut_plugin **plugins, uint32_t *plugin_count,
                       xcut_error *error);

// ---- Command lines ---------------------------------------------------------------------------------------------------

// Whether `argument` is --name=value (sets *value) or, for value null, --name. `name` comes without dashes.
bool tool_flag(const char *argument, const char *name, const char **value);

// Decimal numbers within limits, whole text.
bool tool_parse_u64(const char *text, uint64_t max, uint64_t *out);
bool tool_parse_double(const char *text, double *out);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_TOOLS_COMMON_H
