// The check that a tensor from outside is what a function takes, made before memory is spent on it.
#ifndef CROSSCUT_TOOLS_COMMON_WANTED_H
#define CROSSCUT_TOOLS_COMMON_WANTED_H

#include "tools/common/tools.h"

// `value` has type, rank and dims; `wanted` may be null.
bool tool_check_wanted(const xcut_value *value, const xcut_tensor_description *wanted, xcut_error *error);

// Parses "1x3xf32", which ends at `end`.
bool tool_parse_shape(const char *text, const char *end, xcut_value *out, xcut_error *error);

#endif  // CROSSCUT_TOOLS_COMMON_WANTED_H
